#!/usr/bin/env python3
"""A disk with versions beside one another: installed by PXE, started from there,
then by its own GRUB, through the role's own initramfs. The root is the
version's, the state is mounted over it, and what upgrades start from stands
beside it. The next version is brought beside it, entered by a boot, and
proved."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

VERSION, NEXT = "D12-F.1.0.0", "D12-F.1.0.1"
ROOT = f"/edeploy/roots/{VERSION}"
# /srv/db has a file system of its own; it is filled with the role's state.
SCRIPT = """
local data = disk.partition(var.disk, {size = '100M'})
disk.format(data, 'ext4')
disk.mount(data, '/srv/db')
config('/root/.profile', 'PS1="host# "\\n')
config('/srv/db/mine', 'by the script\\n')
config('/etc/issue.d/mine', 'by the script\\n')
config('/usr/lib/systemd/system/mine.target', '[Unit]\\n')
"""


def script(text):
    """The example's, and the data's own disk part."""
    assert "config('/etc/hostname'" in text
    return text.replace("size = 'rest'", "size = '3G'").replace(
        "config('/etc/hostname'", SCRIPT + "config('/etc/hostname'", 1)


def check_mounts(t, said):
    rows = {m[2]: m for m in (
        line.split(" ") for line in said.splitlines() if " on " in line)}
    options = {where: " ".join(m[5:]) for where, m in rows.items()}
    t.check("/ is a file system", "/" in options and
            rows["/"][4] == "ext4", said)
    for where in ("/var", "/home", "/root", "/tmp", "/var/lib/edeploy",
                  "/srv/db"):
        t.check(f"{where} is mounted", where in options, said)
    t.check("/edeploy is mounted, without its setuid programs",
            "nosuid" in options.get("/edeploy", "") and
            "nodev" in options.get("/edeploy", ""), said)


def mount_roots(m):
    """{place: what of its file system is there}"""
    said = m.run("cat /proc/self/mountinfo") or ""
    return {line.split()[4]: line.split()[3] for line in said.splitlines()
            if len(line.split()) > 5}


def check_places(t, m):
    seen = mount_roots(m)
    for where, want in (("/", ROOT), ("/var", "/edeploy/state/var"),
                        ("/root", "/edeploy/state/root"),
                        ("/var/lib/edeploy", f"{ROOT}/var/lib/edeploy"),
                        ("/edeploy", "/edeploy"), ("/srv/db", "/")):
        t.check(f"{where} is {want} of its file system",
                seen.get(where) == want, seen)


def check_beside(t, m):
    said = m.run(f"ls -ld /edeploy; ls /edeploy /edeploy/roots {ROOT}.record "
                 f"{ROOT}.record/etc; cat /edeploy/boot.cfg {ROOT}.mounts "
                 f"{ROOT}.grub") or ""
    t.check("/edeploy is root's alone", re.search(
        r"^drwx------ +\d+ root +root .* /edeploy\r?$", said, re.M), said)
    for what in ("init", "boot.cfg", "grub", "state", "seal", "manifest.zst",
                 "passwd", f"{VERSION}.local"):
        t.check(f"there is {what}", re.search(
            rf"(^|\s){re.escape(what)}(\s|$)", said), said)
    t.check("this version is good", f"set ed_good={VERSION}\n" in said and
            "set ed_try=\n" in said, said)
    said = m.run(f"cat {ROOT}.local") or ""
    for what in ("etc/fstab", "usr/sbin/edeploy", "etc/issue.d/mine",
                 "etc/shadow", "usr/lib/systemd/system/edeploy-prove.service"):
        t.check(f"{what} is noted as added here",
                re.search(rf"^f [^\n]* {re.escape(what)}$", said, re.M), said)
    t.check("and what is the tree's is not", "bin/busybox" not in said, said)


def check_own(t, m):
    said = m.run("cat /etc/hostname /var/lib/edeploy/conf /srv/db/mine "
                 "/root/.profile; ls /var/log/edeploy; cat /proc/cmdline; "
                 "ls -d /dev/vda /proc/1 /sys/block; ls -la /srv/db") or ""
    t.check("it is what CMDB and script say", "host3" in said and
            f"VERS={VERSION}" in said and "by the script" in said and
            "PS1=" in said, said)
    t.check("its log is in the state", "install.log" in said and
            "configure" in said, said)
    t.check("it was started without GRUB, which counts what it starts",
            f"init=/edeploy/init edeploy.root={VERSION}" in said and
            "BOOT_IMAGE" not in said and "edeploy.gen" not in said, said)
    t.check("dev, proc and sys came along", all(
        x in said for x in ("/dev/vda", "/proc/1", "/sys/block")), said)
    t.check("what has a file system of its own was filled there",
            "lost+found" in said, said)


def reboots(t, m):
    """The state stays, and the disk is left in order."""
    m.run("echo kept >/var/lib/kept; echo kept >/srv/db/kept; sync")
    m.send("reboot\n")
    t.check("it boots again", m.expect(r"login:", 300) and m.log_in(),
            m.tail())
    said = m.run("cat /var/lib/kept /srv/db/kept /proc/cmdline; dmesg | grep -i ext4") or ""
    t.check("GRUB named version and generation", re.search(
        rf"BOOT_IMAGE=.* init=/edeploy/init edeploy.root={re.escape(VERSION)} "
        r"edeploy.gen=1 ", said), said)
    t.check("the state is the same", said.count("kept") >= 2, said)
    t.check("no journal was to be replayed", "recovery complete" not in said,
            said)


def upgrades(t, m):
    said = m.run(f"edeploy upgrade {NEXT}; echo code=$?", 180) or ""
    t.check("the next version comes beside it", "code=0" in said, said)
    m.send("reboot\n")
    t.check("and is entered by a boot",
            m.expect(r"login:", 300) and m.log_in(), m.tail())
    seen = mount_roots(m)
    t.check("/ is the next version", seen.get("/") == f"/edeploy/roots/{NEXT}",
            seen)
    said = m.run("for n in $(seq 60); do grep -q ed_try=. /edeploy/boot.cfg || "
                 "break; sleep 1; done; edeploy status; cat /etc/hostname "
                 "/etc/issue.d/mine /srv/db/kept /usr/share/tiny/version; "
                 "edeploy verify; echo code=$?", 120) or ""
    t.check("it is good now", re.search(
        rf"^good +{re.escape(NEXT)}$", said, re.M), said)
    t.check("what is the machine's came along", "host3" in said and
            "by the script" in said and "kept" in said and
            f"\n{NEXT}\n" in said, said)
    t.check("every file is as published, or noted", "code=0" in said, said)


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("roots")
    trees, key = vm.published(programs, "tiny", VERSION, NEXT)
    vm.example_site(f"{work}/site", script=script)
    server = vm.Edeployd(programs, f"{work}/site",
                         vm.boot_files(programs, key), work,
                         vm.signed_words() + " LAYOUT=versioned ONSUCCESS=kexec",
                         f"TREES={trees}\n")
    began = time.monotonic()
    m = vm.Vm(work, "roots", vm.Disk(work, "disk"),
              pxe=f"http://{vm.HOST}:{server.port}/boot.ipxe")
    if t.check("installed, and its own kernel is started to a login",
               m.expect(r"login:", 600) and m.log_in(), m.tail()):
        t.show(f"power-on to login: {time.monotonic() - began:.0f} s")
        check_mounts(t, m.run("mount") or "")
        check_places(t, m)
        check_beside(t, m)
        check_own(t, m)
        reboots(t, m)
        upgrades(t, m)
    m.stop()
    return t.end()


sys.exit(main())
