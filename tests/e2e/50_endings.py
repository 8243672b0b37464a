#!/usr/bin/env python3
"""How a run ends, and what a script can make on the way: xfs as root beside a
/boot of its own, a mirror by mdadm and a volume by LVM for the data. Each
ONSUCCESS is seen on the machine, and what the words OS, OS_VER, UPLOAD_LOG and
those of the first eDeploy do. Disks that carry RAID or LVM are refused."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

OLD, NEW = "D12-F.1.0.0", "D12-F.1.0.1"
# The role is that of the example; OS and OS_VER make it tiny's new version.
SCRIPT = """
local any, marked = %s, %s
disk.label(var.disk)
disk.partition(var.disk, {type = 'bios', size = '1M'})
local boot = disk.partition(var.disk, {size = '300M'})
local root = disk.partition(var.disk, {})
disk.format(root, 'xfs', {label = 'root'})
disk.format(boot, 'ext4')
disk.mount(root, '/')
disk.mount(boot, '/boot')

local members = {}
for i, name in ipairs{'vdb', 'vdc'} do
	disk.label(name, 'gpt', {wipe = any})
	members[i] = disk.partition(name, {type = 'raid'})
end
run('mdadm --create /dev/md0 --run ' ..
    (marked and '--uuid=' .. disk.uuid() or '') ..
    ' --level=1 --raid-devices=2 %%s %%s', members[1], members[2])
disk.format('/dev/md0', 'ext4')
disk.mount('/dev/md0', '/mirror', {options = 'nofail'})

disk.label('vdd', 'gpt', {wipe = any})
local volume = disk.partition('vdd', {type = 'lvm'})
run('pvcreate ' .. (marked and '--norestorefile --uuid ' ..
    disk.uuid('lvm') or '') .. ' %%s', volume)
run('vgcreate data %%s && lvcreate -n v -L 500M data', volume)
disk.format('/dev/data/v', 'xfs')
disk.mount('/dev/data/v', '/volume', {options = 'nofail'})

config('/etc/hostname', var.hostname .. '\\n')
password('root', var.root_password)
set_role('mysql', 'D12-F.1.0.0', var.disk)
"""
NOT_TAKEN = "HTTP_PATH=/cgi-bin/ EMBEDDED=1 SESSION=s1"


class Bench:
    """The servers, four disks, and the words of a static menu."""

    def __init__(self, programs, work):
        self.work = work
        self.boot = vm.boot_files(programs)
        vm.example_site(f"{work}/site", script=lambda text: SCRIPT % ("nil", "false"))
        self.rsyncd = vm.Rsyncd(vm.tree_top("tiny", OLD, NEW), work)
        self.server = vm.Edeployd(programs, f"{work}/site", self.boot, work,
                                  "")
        self.disks = [vm.Disk(work, f"disk{n}", size)
                      for n, size in enumerate(["6G", "1G", "1G", "1G"])]

    def words(self, more):
        return (f"SERV={vm.HOST} HTTP_PORT={self.server.port} "
                f"RSERV_PORT={self.rsyncd.port} OS=tiny OS_VER={NEW} {more}")

    def power_on(self, name, more):
        tftp = vm.ipxe_menu(f"{self.work}/tftp", f"{name}.ipxe", self.boot,
                            self.words(more))
        extra = []
        for d in self.disks[1:]:
            extra += ["-drive", f"file={d.path},if=virtio,format=raw,"
                      "cache=unsafe"]
        return vm.Vm(self.work, name, self.disks[0], pxe=f"{name}.ipxe",
                     tftp=tftp, extra=extra)

    def logs(self):
        folder = f"{self.work}/log"
        return os.listdir(folder) if os.path.isdir(folder) else []

    def give(self, script):
        with open(f"{self.work}/site/vm.configure", "w") as f:
            f.write(script)
        time.sleep(1)  # a site is taken when it has been still for a moment


def sums(m):
    """What the parts begin with that are not to be touched."""
    return re.findall(r"^[0-9a-f]{64}", m.run(
        "for p in vdb1 vdd1; do head -c 64M /dev/$p | sha256sum; done") or "",
                      re.M)


def to_console(t, b, m):
    for word in ("HTTP_PATH", "EMBEDDED", "SESSION"):
        t.check(f"{word} is warned about on the console", m.expect(
            f"warning: kernel word {word} is not taken: ", 180), m.tail())
    t.check("OS and OS_VER replace role and version", m.expect(
        f"OS and OS_VER make it tiny {NEW}", 120), m.tail())
    t.check("xfs, /boot, mirror and volume are made, and it is installed",
            m.expect(r"DONE: console", 120), m.tail())
    t.check("ONSUCCESS=console gives a shell", m.prompt(), m.tail())
    t.check("the server says installed",
            b.server.show().get("condition") == "installed", b.server.show())
    t.check("UPLOAD_LOG=0 keeps the log here", b.logs() == [], b.logs())
    said = m.run("cat /proc/mdstat; lvs; mount") or ""
    t.check("the mirror and the volume are there",
            re.search(r"md0 : active raid1 vd[bc]1", said) and
            re.search(r"v +data ", said), said)
    t.check("nothing of the disks stays mounted", "/chroot" not in said, said)


def guarded(t, b, m):
    """The next runs meet what this one left; what is foreign stays whole."""
    before = sums(m)
    for what, prepare, want in (
            ("a disk that RAID holds is in use", "true",
             r"FAILED: .*/dev/vdb is in use: held by md0"),
            ("a member of a RAID is refused", "mdadm --stop /dev/md0",
             r"FAILED: .*linux_raid_member")):
        b.server.ctl("reinstall", "m1")
        m.run(prepare)
        m.deploy(b.words("ONFAILURE=console"))
        t.check(what, m.expect(want, 90), m.tail())
        m.end_deploy()
    b.give("disk.label('vdd')\n")
    m.deploy(b.words("ONFAILURE=console"))
    t.check("a disk that LVM holds is in use",
            m.expect(r"FAILED: .*/dev/vdd is in use: held by dm-0", 90),
            m.tail())
    m.end_deploy()
    m.run("vgchange -an data")
    m.deploy(b.words("ONFAILURE=console"))
    t.check("a volume of LVM is refused",
            m.expect(r"FAILED: .*LVM2_member", 90), m.tail())
    m.end_deploy()
    after = sums(m)
    t.check("not a byte of them changed", len(before) == 2 and after == before,
            (before, after))
    b.give("disk.format('vdd', 'btrfs', {wipe = 'any'})\n")
    m.deploy(b.words("ONFAILURE=console"))
    t.check("a file system without its program is refused before it is wiped",
            m.expect(r"FAILED: .*mkfs.btrfs is not in this initrd", 90) and
            sums(m) == before, m.tail())
    m.end_deploy()


def halted(t, b, m):
    before = b.logs()
    b.give(SCRIPT % ("'any'", "true"))
    m.deploy(b.words("ONSUCCESS=halt UPLOAD_LOG=1"))
    t.check("wipe='any' installs over RAID and LVM",
            m.expect(r"DONE: halt", 120), m.tail())
    t.check("ONSUCCESS=halt switches it off", m.wait_off(60), m.tail())
    t.check("UPLOAD_LOG=1 brings the log", len(b.logs()) == len(before) + 1,
            b.logs())


def started_by(t, m, how, grub):
    """Looks around in the installed system."""
    t.check(f"{how}: its login", m.expect(r"login:", 120) and m.log_in(),
            m.tail())
    said = m.run("mount; cat /var/lib/edeploy/conf /proc/cmdline") or ""
    t.check(f"{how}: xfs as root, /boot beside it", re.search(
        r" on / type xfs", said) and re.search(r" on /boot type ext4", said),
        said)
    t.check(f"{how}: it is what OS and OS_VER said",
            "ROLE=tiny" in said and f"VERS={NEW}" in said, said)
    t.check(f"{how}: {'GRUB' if grub else 'not GRUB'} loaded its kernel",
            ("BOOT_IMAGE=" in said) == grub, said)


def kexec(t, b):
    b.give(SCRIPT % ("nil", "true"))
    b.server.ctl("reinstall", "m1")
    m = b.power_on("kexec", "ONSUCCESS=kexec ONFAILURE=halt")
    t.check("RAID and LVM with ids of disk.uuid() are its own at the next "
            "run; ONSUCCESS=kexec goes on without firmware",
            m.expect(r"starting the installed system's kernel", 300),
            m.tail())
    started_by(t, m, "kexec", False)
    m.send("reboot\n")
    started_by(t, m, "its disk", True)
    m.stop()


def local(t, b):
    """The same static menu, and nothing to do: the kernel is on a /boot that
    only fstab tells of."""
    m = b.power_on("local", "ONFAILURE=halt")
    t.check("an installed machine is not installed again",
            m.expect(r"this machine is installed", 180), m.tail())
    started_by(t, m, "sent to its disk", False)
    m.stop()


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("endings")
    b = Bench(programs, work)
    m = b.power_on("console", "ONSUCCESS=console ONFAILURE=halt UPLOAD_LOG=0 "
                   + NOT_TAKEN)
    to_console(t, b, m)
    guarded(t, b, m)
    halted(t, b, m)
    m.stop()
    kexec(t, b)
    local(t, b)
    return t.end()


sys.exit(main())
