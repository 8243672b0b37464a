"""Records what the agent writes to a disk when it installs a machine: booted
with the initrd as it is shipped, from edeployd, with a published tree."""
import hashlib
import os
import re
import subprocess

import disk
import judge
import real

import vm

VERSION = "D12-F.1.0.0"
MIB = 400
# where the partition begins that tests/power/disk.py knows
SCRIPT = {
    "disk.label(var.disk, 'gpt')": "disk.label(var.disk, 'msdos')",
    "disk.partition(var.disk, {type = 'bios', size = '1M'})": "",
    "{size = 'rest', name = 'root'}": f"{{size = '{MIB}M'}}",
}
LOGGED = ("driver=blklogwrites,node-name=d,file.driver=file,"
          "file.cache.no-flush=on,file.filename={disk},log.driver=file,"
          "log.cache.no-flush=on,log.filename={log}")


def script(text):
    for old, new in SCRIPT.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def install(programs, work, place, layout):
    """Until the machine switches itself off."""
    trees, key = vm.published(programs, "tiny", VERSION)
    boot = vm.boot_files(programs, key)
    vm.example_site(f"{work}/site", script=script)
    server = vm.Edeployd(programs, f"{work}/site", boot, work,
                         vm.signed_words(), f"TREES={trees}\n")
    url = f"http://{vm.HOST}:{server.port}/trees"
    words = vm.signed_words().replace("=reboot", "=halt")
    p = subprocess.run(
        ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-m", "1024",
         "-nodefaults", "-display", "none", "-no-user-config", "-serial",
         "stdio", "-no-reboot", "-kernel", f"{boot}/vmlinuz", "-initrd",
         f"{boot}/initrd.pxe", "-append", f"quiet {words} LAYOUT={layout} "
         f"SERV={vm.HOST} HTTP_PORT={server.port} TREE={url}",
         "-blockdev", LOGGED.format(disk=f"{place}/disk", log=f"{place}/log"),
         "-device", "virtio-blk-pci,drive=d,write-cache=on",
         "-netdev", "user,id=n,net=192.168.122.0/24,dns=192.168.122.250",
         "-device", "virtio-net-pci,netdev=n"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=900)
    condition = server.show().get("condition")
    server.stop()
    if condition != "installed":
        raise RuntimeError(f"the machine is {condition}:\n"
                           + p.stdout.decode(errors="replace")[-3000:])


def run(programs, kind, place, layout, look):
    """What `look` tells of its file system afterwards."""
    work = f"{place}/work"
    os.mkdir(work)
    with open(f"{place}/disk", "wb") as f:
        f.truncate(6 << 30)
    with open(f"{place}/base", "wb") as f:
        f.truncate(MIB << 20)
    open(f"{place}/log", "wb").close()
    install(programs, work, place, layout)
    judge.mount(kind, f"{place}/disk", f"{work}/mnt",
                disk.START * disk.SECTOR)
    try:
        return look(f"{work}/mnt")
    finally:
        subprocess.run(["umount", f"{work}/mnt"], check=True)
        os.unlink(f"{place}/disk")


def record(_t, programs, kind, place):
    """What the version is, for each of the marks."""
    whole = run(programs, kind, place, "versioned", lambda top: judge.manifest(
        f"{top}/edeploy/roots/{VERSION}"))
    return [{VERSION: whole}] * 3


class Installed(real.Subject):
    """Nothing, or all of it."""

    def is_installed(self, _number):
        return False

    def starts_empty(self):
        return True

    def beside(self, version):
        return [f"roots/{version}.mounts", f"roots/{version}.record/seal",
                f"roots/{version}.local"]


# ---- the tree is the root of the disk ----

MENU = "boot/grub/grub.cfg"


def manifest_of_plain(top):
    """But for the log, which grows to the end."""
    return {path: what for path, what in judge.manifest(
        top, ("lost+found",)).items()
            if not path.startswith(("var/log/edeploy", MENU + ".held"))}


def record_plain(_t, programs, kind, place):
    return [{"plain": run(programs, kind, place, "plain",
                          manifest_of_plain)}] * 2


class Plain(Installed):
    """From the boot loader on: a menu that starts again, or all of it, down to
    what upgrades need to know."""

    def manifest(self, top, _version):
        return manifest_of_plain(top)

    def beside(self, _version):
        return []

    def verify(self, top, _version):
        for name in ("local", "tree/seal"):
            if not os.path.getsize(f"{top}/var/lib/edeploy/{name}"):
                raise judge.Wrong(f"{name} is empty")

    def by_menu(self, grub):
        text = grub.read(f"/{MENU}")
        if not text or b"was not installed to the end" in text:
            return None
        whole, = self.whole("plain", 0)[:1]
        if hashlib.sha256(text).hexdigest() != whole[MENU][2]:
            raise judge.Wrong(f"GRUB reads a menu of noise: {text[:200]}")
        loaded = grub.load(*(re.search(word + rb"\s+(\S+)", text).group(1)
                             .decode() for word in (rb"\slinux",
                                                    rb"\sinitrd")))
        if not loaded:
            raise judge.Wrong("GRUB does not find the kernel of its menu")
        return loaded
