#!/usr/bin/env python3
"""The initrd itself: two builds in different folders, an hour apart, under
another umask are equal; PXE boots it; init loads the drivers of four kinds of
disks, gives the shells that DEBUG=1 asks for, and outlives the agent."""
import hashlib
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

MENU = """#!ipxe
kernel vmlinuz console=ttyS0 quiet %s
initrd initrd.pxe
boot
"""
# Nobody listens there: the agent brings up the network and waits.
NOBODY = "SERV=192.168.122.2 HTTP_PORT=9"


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def reproducible(t, programs, boot, work):
    other = f"{work}/another/folder"
    os.makedirs(other)
    names = ("edeploy-agent", "init", "edeploy-init")
    for name in names:
        shutil.copy(f"{programs}/{name}", other)
    old = os.umask(0o077)
    p = subprocess.run(
        ["faketime", "-f", "+1h", sys.executable, f"{vm.TOP}/initrd/build",
         "--agent", f"{other}/edeploy-agent", "--init", f"{other}/init",
         "--root-init", f"{other}/edeploy-init", f"{work}/second"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    os.umask(old)
    t.check("an hour later, in another folder, the initrd is the same",
            p.returncode == 0 and sha256(f"{boot}/initrd.pxe")
            == sha256(f"{work}/second/initrd.pxe"), p.stdout)
    size = os.path.getsize(f"{boot}/initrd.pxe")
    t.show(f"initrd: {size / 1e6:.1f} MB")
    t.check("the initrd is at most 12 MB", size <= 12e6, size)


def power_on(work, name, words, extra=()):
    with open(f"{work}/tftp/{name}.ipxe", "w") as f:
        f.write(MENU % words)
    return vm.Vm(work, name, vm.Disk(work, name, "1G"),
                 pxe=f"{name}.ipxe", tftp=f"{work}/tftp", extra=extra)


def more_disks(work):
    """One on NVMe, IDE and SCSI each."""
    argv = ["-device", "piix3-ide,id=ide", "-device", "virtio-scsi-pci,id=s"]
    for n, device in enumerate(["nvme,serial=N1", "ide-hd,bus=ide.0",
                                "scsi-hd,bus=s.0"]):
        path = vm.Disk(work, f"more{n}", "1G").path
        argv += ["-drive", f"file={path},format=raw,if=none,id=d{n}",
                 "-device", f"{device},drive=d{n}"]
    return argv


def look_around(t, m):
    nodes = (m.run("ls /sys/block") or "").split()
    for want in ("vda", "nvme0n1", "sda", "sdb"):
        t.check(f"disk {want} has its driver", want in nodes, nodes)
    said = m.run("for p in rsync mkfs.ext4 e2fsck kexec; do $p --version "
                 ">/dev/null 2>&1 || $p -V >/dev/null 2>&1; echo $p $?; done")
    t.check("programs find their libraries",
            len(re.findall(r"^\S+ 0$", said or "", re.M)) == 4, said)
    said = m.run("ls /usr/sbin/dropbear /root/.ssh; netstat -lnt")
    t.check("without a key there is no ssh",
            said and said.count("No such file") == 2 and
            "LISTEN" not in said, said)
    said = m.run("cat /usr/share/misc/pci.ids | wc -l; "
                 "/usr/sbin/edeploy --version")
    t.check("names of devices and the host command are there",
            re.search(r"^\d{4,}", said or "", re.M) and
            re.search(r"^edeploy \d", said, re.M), said)


def debug_shell(t, work):
    m = power_on(work, "debug", f"DEBUG=1 {NOBODY}", more_disks(work))
    t.check("PXE, kernel, init, agent",
            m.expect(r"edeploy-agent \S+, run [0-9a-f]{32}", 180), m.tail())
    t.check("the agent asks DHCP and looks for the server",
            m.expect(r"Connection refused: look at edeployd", 60), m.tail())
    t.check("a shell on the serial console", m.prompt(), m.tail())
    look_around(t, m)
    m.send("exit\n")
    t.check("a shell that ends starts again",
            m.expect(r"initrd# ", 30) and m.prompt(), m.tail())
    m.send("kill -SEGV $(pidof edeploy-agent)\n")
    t.check("init outlives the agent and says what happened, also after the "
            "terminal was hung up",
            m.expect(r"init: the agent was ended by signal 11", 30), m.tail())
    m.stop()


def bad_word(t, work):
    m = power_on(work, "halt", "SERV=10.0.2.2 HTTP_PORT=nine ONFAILURE=halt")
    t.check("a bad word is named", m.expect(r"FAILED: .*HTTP_PORT", 180),
            m.tail())
    t.check("ONFAILURE=halt turns the machine off", m.wait_off(60), m.tail())
    m.stop()


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("initrd")
    boot = vm.boot_files(programs)
    os.makedirs(f"{work}/tftp")
    for name in ("vmlinuz", "initrd.pxe"):
        shutil.copy(f"{boot}/{name}", f"{work}/tftp")
    reproducible(t, programs, boot, work)
    debug_shell(t, work)
    bad_word(t, work)
    return t.end()


sys.exit(main())
