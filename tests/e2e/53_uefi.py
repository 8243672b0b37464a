#!/usr/bin/env python3
"""A machine whose firmware is UEFI: a script that makes no ESP is told so; one
that does makes a disk that its firmware boots past the network, which comes
first: plain, and after a reinstallation with versions beside one another."""
import os
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
VERSION = "D12-F.1.0.0"
WORDS = ("ONSUCCESS=reboot ONFAILURE=console console=ttyS0,115200 panic=10 "
         "LAYOUT=")
# As scripts were before they knew of UEFI.
OLD = """
disk.label(var.disk, 'gpt')
disk.partition(var.disk, {type = 'bios', size = '1M'})
local root = disk.partition(var.disk, {size = 'rest'})
disk.format(root, 'ext4')
disk.mount(root, '/')
set_role('tiny', 'D12-F.1.0.0', var.disk)
"""


class Bench:
    def __init__(self, programs, work):
        self.work = work
        trees, key = vm.published(programs, "tiny", VERSION)
        vm.example_site(f"{work}/site")
        with open(f"{work}/site/vm.configure") as f:
            self.script = f.read()
        self.give(OLD)
        self.server = vm.Edeployd(programs, f"{work}/site",
                                  vm.boot_files(programs, key), work,
                                  WORDS + "plain", f"TREES={trees}\n")
        self.url = f"http://{vm.HOST}:{self.server.port}/boot.ipxe"

    def give(self, script):
        with open(f"{self.work}/site/vm.configure", "w") as f:
            f.write(script)
        time.sleep(1)  # a site is taken when it has been still for a moment

    def words(self, layout):
        with open(f"{self.work}/boot/cmdline", "w") as f:
            f.write(WORDS + layout + "\n")

    def power_on(self):
        """Its network first, then its disk. The firmware's own ways to boot by
        IPv6, which nothing here answers, wait for minutes."""
        variables = shutil.copy(VARIABLES, f"{self.work}/vars")
        return vm.Vm(self.work, "uefi", vm.Disk(self.work, "disk"),
                     pxe=self.url, memory=1536, nic=",bootindex=1", extra=[
                         "-global", "virtio-blk-pci.bootindex=2",
                         "-drive", f"if=pflash,format=raw,readonly=on,"
                         f"file={FIRMWARE}", "-drive",
                         f"if=pflash,format=raw,file={variables}", "-fw_cfg",
                         "name=opt/org.tianocore/IPv6PXESupport,string=no"])


def refused(t, b, m):
    t.check("a script without an ESP: the console says what it needs", m.expect(
        r"FAILED: this machine was started by UEFI, which boots from an ESP",
        400), m.tail())
    t.check("and the machine stays for who looks", m.prompt(), m.tail())


def is_told(m):
    """A firmware that loses a datagram of its boot loader gives its network up
    and goes on to the disk: then it is started once more."""
    for _ in range(3):
        found = m.expect(r"eDeploy: this machine is installed, booting its "
                         r"disk|login:", 400)
        if not found or "login" not in found.group():
            return found
        if m.log_in():
            m.send("reboot\n")
    return None


def by_its_disk(t, b, m, layout):
    t.check(f"{layout}: installed", m.expect(r"DONE: reboot", 300), m.tail())
    t.check(f"{layout}: its first boot loader is told that it is installed",
            is_told(m), m.tail())
    t.check(f"{layout}: and its firmware goes on to the disk",
            m.expect(r"login:", 400) and m.log_in(), m.tail())
    said = m.run("mount; ls -d /sys/firmware/efi; cat /etc/fstab "
                 "/proc/cmdline; find /boot/efi -type f") or ""
    t.check(f"{layout}: started by UEFI", "/sys/firmware/efi" in said, said)
    t.check(f"{layout}: the ESP is mounted, by its id, for root alone",
            re.search(r" on /boot/efi type vfat \(.*fmask=0077", said) and
            re.search(r"^UUID=[0-9A-F]{4}-[0-9A-F]{4} /boot/efi vfat", said,
                      re.M), said)
    t.check(f"{layout}: the loader is where every firmware looks",
            re.search(r"/boot/efi/EFI/BOOT/BOOTX64.EFI\b", said), said)
    t.check(f"{layout}: it is", (f"edeploy.root={VERSION}" in said) ==
            (layout == "versioned"), said)
    if layout == "versioned":
        # as every version is checked before a way back to it
        said = m.run("mount -t ext4 /dev/vda2 /mnt; /usr/sbin/edeploy verify "
                     "--root /mnt; echo code=$?; umount /mnt", 120) or ""
        t.check("versioned: every file is as published, or noted",
                "code=0" in said and "DAMAGED" not in said, said)


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("uefi")
    b = Bench(programs, work)
    m = b.power_on()
    refused(t, b, m)
    b.give(b.script)
    m.deploy(f"SERV={vm.HOST} HTTP_PORT={b.server.port} " + WORDS + "plain")
    by_its_disk(t, b, m, "plain")
    b.words("versioned")
    t.check("a reinstallation is asked for",
            b.server.ctl("reinstall", "m1")[0] == 0)
    m.send("reboot\n")
    by_its_disk(t, b, m, "versioned")
    m.stop()
    return t.end()


sys.exit(main())
