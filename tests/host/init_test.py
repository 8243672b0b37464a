#!/usr/bin/env python3
"""init_test.py EDEPLOY EDEPLOYCTL INIT: /edeploy/init as pid 1 of a namespace of
its own, on a disk that edeploy laid out: which version it enters, what it has
written before, and which edits came along. Prints TAP."""
import os
import shutil
import subprocess
import sys
import time

import versioned_lab as lab
from versioned_lab import check, put

lab.own_namespace()
disk = lab.Lab(sys.argv[1], sys.argv[2], 96)
INIT = os.path.abspath(sys.argv[3])
LIBRARIES = [p for p in ("/lib64", "/usr/lib/x86_64-linux-gnu")
             if os.path.exists(p)]
# What the kernel and an initramfs leave; then init, as pid 1.
BOOT = """set -e
cd "$1"
for d in dev sys run; do mount -t tmpfs none $d; done
mknod dev/console c 1 3; mknod dev/null c 1 3
mount -t proc proc proc
mount --bind cmdline proc/cmdline
exec chroot . /edeploy/init
"""


def change(tree):
    put(f"{tree}/usr/sbin/init", "#!/bin/sh\necho $(cat /etc/tag) runs\n"
        "echo $(cat /etc/tag) \\\n"
        "$(cat /etc/late.conf) $(test -e /etc/many && echo many) \\\n"
        "$(test -e /vol/rows && echo vol) \\\n"
        ">/var/entered\n", 0o755)
    put(f"{tree}/etc/tag", f"{tree[-2:]}\n")


def boot(words, limit=60):
    """(what the root that was entered saw, what init said)."""
    entered = disk.state("/var/entered")
    if os.path.exists(entered):
        os.unlink(entered)
    put(disk.top + "/cmdline", words + "\n")
    p = subprocess.run(["unshare", "-m", "-p", "-f", "--propagation",
                        "private", "sh", "-c", BOOT, "boot", disk.top],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True, timeout=limit)
    saw = None
    if os.path.exists(entered):
        with open(entered) as f:
            saw = f.read().split()
    return saw, p.stdout


def make_site():
    for version in ("V1", "V2"):
        disk.publish(version, change)
    disk.install("V1")
    shutil.copy(INIT, disk.top + "/edeploy/init")
    # this test's programs may be built with libraries
    for path in LIBRARIES:
        os.makedirs(disk.top + path, exist_ok=True)
        subprocess.run(["mount", "--bind", os.path.realpath(path),
                        disk.top + path], check=True)
    os.symlink("usr/lib", disk.top + "/lib")


def arm():
    """V2 is built from V1, with the command itself."""
    disk.call("rollback")
    code, out, err = disk.call("upgrade", "V2")
    check("V2 is armed", code == 0 and disk.cfg()["try"] == "V2", out + err)
    shutil.copy(disk.edeploy, disk.root("V2", "/usr/sbin/edeploy"))
    return disk.cfg()["gen"]


def good():
    gen = disk.cfg()["gen"]
    saw, said = boot(f"edeploy.root=V1 edeploy.gen={gen}")
    check("the good version is entered, and nothing written",
          saw == ["V1"] and disk.cfg()["gen"] == gen, (saw, said))


def late():
    put(disk.root("V1", "/vol/first"), "a folder of nobody\n")
    gen = arm()
    put(disk.root("V1", "/etc/late.conf"), "late\n")
    put(disk.root("V1", "/vol/rows"), "later, too\n")
    saw, said = boot(f"quiet edeploy.root=V2 edeploy.gen={gen} panic=10")
    cfg = disk.cfg()
    check("a trial is counted, and entered with the latest edits",
          saw == ["V2", "late", "vol"] and cfg["left"] == "1" and
          int(cfg["gen"]) == int(gen) + 1, (saw, said, cfg))
    put(disk.root("V1", "/etc/late.conf"), "later\n")
    saw, said = boot(f"edeploy.root=V2 edeploy.gen={cfg['gen']}")
    check("which come at its first start alone",
          saw == ["V2", "late", "vol"] and disk.cfg()["left"] == "0", (saw, said))


def late_fails(what, prepare, undo):
    gen = arm()
    old = disk.get("V1", "/etc/passwd")
    for i in range(400):
        put(disk.root("V1", f"/etc/many/{i}"), f"{i}\n")
    prepare()
    saw, said = boot(f"edeploy.root=V2 edeploy.gen={gen}")
    undo()
    check(f"{what}: it is entered, without them",
          saw is not None and saw[0] == "V2" and "many" not in saw and
          disk.cfg()["left"] == "1", (saw, said))
    check(f"{what}: which is noted",
          "V2 edits of /etc since it was built did not all come along" in
          disk.log(), disk.log())
    check(f"{what}: nothing is tried twice, and V1 is as it was",
          not os.path.exists(disk.root("V2.record/then/from")) and
          len(os.listdir(disk.root("V1", "/etc/many"))) == 400 and
          disk.get("V1", "/etc/passwd") == old)
    shutil.rmtree(disk.root("V1", "/etc/many"))
    put(disk.top + "/edeploy/log", "")


def fill():
    """But for what entering takes."""
    with open(disk.top + "/fill", "wb") as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError:
            f.truncate(f.tell() // 4096 * 4096 - 64 * 1024)


def no_command():
    os.unlink(disk.root("V2", "/usr/sbin/edeploy"))


def killed():
    put(disk.root("V2", "/usr/sbin/edeploy"),
        "#!/bin/sh\nkill -ALRM $$\n", 0o755)


def fell():
    gen = arm()
    # the clock is an hour behind
    later = int(time.time()) + 3600
    os.utime(disk.top + "/edeploy/history", (later, later))
    saw, said = boot(f"edeploy.root=V1 edeploy.gen={gen} edeploy.fell=grub")
    check("what GRUB says of a trial is written down",
          saw[:1] == ["V1"] and disk.cfg()["try"] == "" and
          "V2 failed: its kernel started" in disk.log(), (saw, said))
    check("and is no older than what was done before, whatever the clock says",
          disk.log().splitlines()[-1].startswith(time.strftime(
              "%Y-%m-%dT%H:%M:%S", time.gmtime(later))), disk.log())
    put(disk.top + "/edeploy/log", "")


def broken_good():
    """V2 is good, and somebody has taken its init away."""
    gen = arm()
    disk.prove()
    gen = disk.cfg()["gen"]
    os.rename(disk.root("V2", "/usr/sbin/init"), disk.top + "/init")
    saw, said = boot(f"edeploy.root=V2 edeploy.gen={gen}")
    cfg = disk.cfg()
    check("a good version that cannot be entered gives way to the one before",
          saw is None and (cfg["good"], cfg["prev"]) == ("V1", "") and
          "V2 failed: " in disk.log() and "going back to V1" in said,
          (saw, said, cfg))
    gen = cfg["gen"]
    saw, said = boot(f"edeploy.root=V1 edeploy.gen={gen}")
    check("which is entered", saw is not None and saw[0] == "V1",
          (saw, said))
    os.unlink(disk.root("V1", "/usr/sbin/init"))  # the same inode
    saw, said = boot(f"edeploy.root=V1 edeploy.gen={gen}")
    check("with nothing before it, it stays", disk.cfg() == cfg and
          "V1 has no /sbin/init" in said, (said, disk.cfg()))
    os.rename(disk.top + "/init", disk.root("V1", "/usr/sbin/init"))


def read_only():
    """A disk that cannot be written to any more."""
    def run(*words):
        return subprocess.run(words, capture_output=True, text=True)

    loop = run("findmnt", "-n", "-o", "SOURCE", disk.top).stdout.strip()
    os.makedirs(disk.root("V1", "/run"), exist_ok=True)
    for name in ("dev", "proc", "sys"):
        os.makedirs(disk.root("V1", f"/{name}"), exist_ok=True)
    put(disk.top + "/cmdline", "edeploy.root=V1 edeploy.gen=99\n")
    for name in ("dev/console", "dev/null"):
        if os.path.exists(f"{disk.top}/{name}"):
            os.unlink(f"{disk.top}/{name}")
    run("mount", "-o", "remount,ro", disk.top)
    run("blockdev", "--setro", loop)
    p = subprocess.run(["unshare", "-m", "-p", "-f", "--propagation",
                        "private", "sh", "-c", BOOT, "boot", disk.top],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True, timeout=60)
    run("blockdev", "--setrw", loop)
    run("mount", "-o", "remount,rw", disk.top)
    check("a disk that is read only: what GRUB started is entered",
          "making / writable" in p.stdout and "V1 runs" in p.stdout, p.stdout)


def main():
    try:
        make_site()
        good()
        late()
        late_fails("a full disk", fill, lambda: os.unlink(disk.top + "/fill"))
        late_fails("no command", no_command, lambda: None)
        late_fails("over its time", killed, lambda: None)
        fell()
        broken_good()
        read_only()
    finally:
        for path in LIBRARIES:
            subprocess.run(["umount", "-l", disk.top + path], check=False)
        disk.close()
    return lab.end()


sys.exit(main())
