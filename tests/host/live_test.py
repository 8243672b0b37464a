#!/usr/bin/env python3
"""live_test.py EDEPLOY EDEPLOYCTL: a running system goes on in another version,
without a boot: in namespaces of its own, where pid 1 is this test, and its root
a version that edeployctl published. Prints TAP."""
import ctypes
import json
import os
import signal
import subprocess
import sys
import time

import versioned_lab as lab
from versioned_lab import check, put

lab.own_namespace("-p", "-f", "--mount-proc")
disk = lab.Lab(sys.argv[1], sys.argv[2])


# As soon as /etc was merged, and before the system moves.
LATE = """(while ! test -e /edeploy/roots/V2.local; do :; done
echo later > /etc/later.conf) > /dev/null 2>&1 < /dev/null &"""


def hooks(version, post, pre="exit 0"):
    def change(tree):
        for name in os.listdir(f"{tree}/boot"):
            os.unlink(f"{tree}/boot/{name}")
        kernel = "9" if version == "V4" else "1"
        put(f"{tree}/boot/vmlinuz-6.1.{kernel}", f"kernel {kernel}\n")
        put(f"{tree}/boot/initrd.img-6.1.{kernel}",
            "another\n" if version == "V6" else "initrd\n")
        put(f"{tree}/var/lib/edeploy/{version}/post",
            f"#!/bin/sh\n{post}\n", 0o755)
        put(f"{tree}/var/lib/edeploy/{version}/pre",
            f"#!/bin/sh\n{pre}\n", 0o755)
    return change


def running():
    with open(disk.sysroot + "/usr/bin/tool") as f:
        return f.read()


def begin():
    disk.publish("V1", hooks("V1", "exit 0"))
    disk.publish("V2", hooks(
        "V2", "cat /usr/bin/tool /etc/late.conf /etc/later.conf\n"
        "echo ran >> /var/lib/ran", LATE))
    disk.publish("V3", hooks("V3", "cat /usr/bin/tool\nexit 5"))
    disk.publish("V4", hooks("V4", "cat /usr/bin/tool"))
    disk.publish("V5", hooks("V5", "echo from $EDEPLOY_FROM live=$EDEPLOY_LIVE\n"
                              "test -e /var/lib/healed || kill -9 $PPID"))
    disk.publish("V6", hooks("V6", "exit 0"))
    disk.install("V1")
    put(disk.root("V1", "/etc/app.conf"), "port = 2\n")
    put(disk.root("V1", "/vol/rows"), "one\n")
    conf = disk.root("V1", "/var/lib/edeploy/conf")
    with open(conf) as f:
        text = f.read().replace(disk.site, "/home/site")
    put(conf, text)
    disk.enter("V1")


def upgrade():
    code, out, err = disk.inside("status", "--json")
    check("V1 runs", code == 0 and json.loads(out)["running"] == "V1",
          out + err)
    check("and says so", disk.inside("version")[1] == "V1\n")
    daemon = subprocess.Popen(["chroot", disk.sysroot, "/usr/bin/busybox",
                               "sleep", "100"])
    put(disk.root("V1", "/etc/late.conf"), "edited\n")
    os.makedirs(disk.sysroot + "/mnt/my disk", 0o700)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs",
                    disk.sysroot + "/mnt/my disk"], check=True)
    put(disk.sysroot + "/mnt/my disk/file", "there\n")
    code, out, err = disk.inside("convert")
    check("what holds versions is not converted", code == 1 and
          "holds versions already, and V1 runs" in err, err)
    code, out, err = disk.inside("upgrade", "V2")
    check("post ran in V2, once it was entered, and with the latest edits",
          code == 0 and "tool V2\nedited\nlater\n" in out and
          "V2 runs, and is the good version" in out,
          out + err)
    check("in a log each part has a line as it begins", "look\nfetch\nsync\n"
          in err and "%" not in err, err)
    with open(disk.state("/var/lib/ran")) as f:
        check("once", f.read() == "ran\n")
    check("the system stands in V2", running() == "tool V2\n")
    root = os.stat(f"/proc/{daemon.pid}/root")
    check("and so does a program that ran all the time",
          root.st_ino == os.stat(disk.root("V2")).st_ino)
    cfg = disk.cfg()
    check("V2 is good, since it starts as V1 did",
          (cfg["good"], cfg["prev"], cfg["try"]) == ("V2", "V1", ""), cfg)
    check("edits are there", disk.get("V2", "/etc/app.conf") == "port = 2\n")
    check("the command says so", disk.inside("version")[1] == "V2\n")
    with open(disk.sysroot + "/mnt/my disk/file") as f:
        check("what was mounted is mounted", f.read() == "there\n")
    with open(disk.sysroot + "/vol/rows", "a+") as f:
        f.write("two\n")
        f.seek(0)
        check("and a folder that no version brought is there",
              f.read() == "one\ntwo\n" and
              not os.path.exists(disk.root("V2", "/vol/rows")))
    st = os.stat(disk.root("V2", "/mnt/my disk"))
    with open(disk.root("V2", ".local")) as f:
        check("and a boot finds the place of it",
              st.st_mode & 0o777 == 0o700 and "disk" in f.read())
    code, out, err = disk.inside("verify", "--strangers")
    check("which is no stranger", code == 0 and "mnt" not in out,
          out + err)
    daemon.kill()
    daemon.wait()


def failure():
    before = disk.cfg()
    code, out, err = disk.inside("upgrade", "V3")
    check("a post that fails in V3",
          code == 1 and "tool V3\n" in out and "post failed (exit 5)" in err,
          out + err)
    check("the system is back in V2", running() == "tool V2\n")
    now = disk.cfg()
    check("and boots it", (now["good"], now["prev"], now["try"]) ==
          (before["good"], before["prev"], ""), now)
    sick = disk.root("V1", "/etc/edeploy/health.d/sick")
    put(sick, "#!/bin/sh\necho not feeling well\nexit 4\n", 0o755)
    code, out, err = disk.inside("rollback")
    check("no way back to a version that is not well",
          code == 1 and "sick: exit 4: not feeling well" in err and
          running() == "tool V2\n" and disk.cfg()["good"] == "V2", out + err)
    os.unlink(sick)


def rollback():
    code, out, err = disk.inside("rollback")
    check("rollback is live, too",
          code == 0 and "V1 runs, and is the good version" in out, out + err)
    check("the system stands in V1",
          running() == "tool V1\n" and disk.cfg()["good"] == "V1" and
          disk.cfg()["prev"] == "V2", disk.cfg())
    code, out, err = disk.inside("rollback", "--at-boot")
    check("or at the next boot",
          code == 0 and "next boot tries" in out and
          disk.cfg()["try"] == "V2" and running() == "tool V1\n", out + err)
    check("which is taken back",
          disk.inside("rollback")[0] == 0 and disk.cfg()["try"] == "")


def odd():
    """The version before the good one runs, as GRUB starts it when nothing else
    can be loaded; and a shell whose mounts are its own."""
    now = disk.cfg()
    disk.write_cfg(int(now["gen"]) + 1, "V2", "V1")
    code, out, err = disk.inside("upgrade", "V2")
    check("what boots is not built anew",
          code == 1 and "V2 is the good version already" in err and
          disk.get("V2", "/usr/bin/tool") == "tool V2\n", out + err)
    disk.write_cfg(int(now["gen"]) + 2, "V1", "V2")
    p = subprocess.run(["unshare", "-m", "chroot", disk.sysroot,
                        "/home/program/edeploy", "rollback"], text=True,
                       capture_output=True, timeout=120)
    cfg = disk.cfg()
    check("each state that was written has a generation of its own",
          p.returncode == 0 and "this shell's mounts are" in p.stderr
          and cfg["try"] == "V2" and int(cfg["gen"]) == int(now["gen"]) + 5,
          (p.stdout, p.stderr, now, cfg))
    check("taken back",
          disk.inside("rollback")[0] == 0 and disk.cfg()["try"] == "")


def outlook():
    for version, says in (("V2", "the same kernel: it is entered live, without"),
                          ("V4", "another kernel: the next boot enters it"),
                          ("V6", "another initrd or init: it is entered live, "
                           "and on trial\nuntil a boot has proved it.\n")):
        code, out, err = disk.inside("test-upgrade", version)
        check(f"test-upgrade {version}: {says[:22]}", code == 0 and
              f"\nIt has {says}" in out and
              max(map(len, out.splitlines())) <= 80, out + err)


def kernel():
    code, out, err = disk.inside("upgrade", "V4")
    check("another kernel is started by a boot",
          code == 0 and "The next boot tries V4" in out and
          running() == "tool V1\n" and disk.cfg()["try"] == "V4", out + err)
    check("its post ran in it", "tool V4\n" in out)
    check("taken back", disk.inside("rollback")[0] == 0)
    code, out, err = disk.inside("upgrade", "V4", "--live")
    cfg = disk.cfg()
    check("or later, when one says so",
          code == 0 and "V4 runs." in out and "on trial" in out and
          running() == "tool V4\n" and (cfg["good"], cfg["try"]) ==
          ("V1", "V4"), out + err)
    code, out, err = disk.inside("upgrade", "V2")
    check("one trial at a time", code == 1 and "V4 is on trial" in err, err)
    code, out, err = disk.inside("rollback", "--live")
    prev = disk.cfg()["prev"]
    check("a trial is left live",
          code == 0 and running() == "tool V1\n" and
          disk.cfg()["good"] == "V1" and disk.cfg()["try"] == "", out + err)
    check("and the way back is told, which is not the trial",
          "V1 runs, and is the good version." in out and
          "goes back to V4" not in out and
          ("goes back to " + prev if prev else "V1 runs") in out, (out, prev))


def cut_off():
    """edeploy dies while post runs, as with a power cut there."""
    code, out, err = disk.inside("upgrade", "V5")
    check("killed in the middle of post",
          code == -9 and running() == "tool V5\n" and
          disk.cfg()["try"] == "V5", (code, out, err))
    code, out, err = disk.inside("prove")
    check("what its post left by half is not proved",
          code == 1 and "post of V5 was cut off" in err and
          "edeploy rollback" in err and disk.cfg()["try"] == "V5", out + err)
    # processes of its own: what it starts again is these alone
    p = subprocess.run(["unshare", "-p", "-f", "chroot", disk.sysroot,
                        "/home/program/edeploy", "prove", "--wait"],
                       stderr=subprocess.DEVNULL, timeout=120)
    check("nor waited for",
          " V5 failed: its post was cut off\n" in disk.log(), disk.log())
    check("but left by a boot", p.returncode == -signal.SIGHUP, p)
    code, out, err = disk.inside("rollback")
    check("the way back", code == 0 and running() == "tool V1\n" and
          disk.cfg()["try"] == "", out + err)
    code, out, err = disk.inside("upgrade", "V5", "--at-boot")
    check("a version whose post died is not named",
          code == 1 and "died" in err and disk.cfg()["try"] == "",
          (code, out, err))


def goes_on():
    """The same command, where edeploy was killed."""
    disk.inside("upgrade", "V5")
    check("killed once more", running() == "tool V5\n")
    put(disk.state("/var/lib/healed"), "")
    code, out, err = disk.inside("upgrade", "V5")
    cfg = disk.cfg()
    check("the same command ends what was cut off",
          code == 0 and "from V1 live=1\n" in out and
          "V5 runs, and is the good version" in out and
          (cfg["good"], cfg["prev"], cfg["try"]) == ("V5", "V1", ""),
          (code, out, err))
    code, out, err = disk.inside("upgrade", "V5")
    check("once", code == 1 and "is at V5 already" in err, err)
    check("back", disk.inside("rollback")[0] == 0 and running() == "tool V1\n")
    disk.inside("upgrade", "V2")
    disk.inside("rollback")


def goes_back():
    """A rollback goes on, too, and does not lead to where it came from."""
    dies = disk.root("V2", "/etc/edeploy/health.d/dies")
    put(dies, "#!/bin/sh\nkill -9 $PPID\n", 0o755)
    code, _, err = disk.inside("rollback")
    check("a rollback that was killed behind its move",
          code == -9 and running() == "tool V2\n" and
          disk.cfg()["try"] == "V2", err)
    os.unlink(dies)
    code, out, err = disk.inside("rollback")
    cfg = disk.cfg()
    check("the same command ends it",
          code == 0 and "going on where it was cut off" in out and
          "V2 runs, and is the good version" in out and
          running() == "tool V2\n" and
          (cfg["good"], cfg["prev"], cfg["try"]) == ("V2", "V1", ""),
          (out, err, cfg))
    told = " ".join(disk.inside("history")[1].split())
    check("as history tells", told.count("rollback V1 -> V2 live") == 1,
          told)
    # as one leaves it that was killed while it removed the trial that it left
    put(f"{disk.sysroot}/run/edeploy/back", f"V2 V9 {cfg['gen']}\n")
    put(f"{disk.sysroot}/run/edeploy/watchdog", "60\n")  # of its first start
    code, out, err = disk.inside("rollback")
    check("and one that had a version to remove, no more",
          code == 0 and "going on where it was cut off" in out and
          "V2 runs, and is the good version. \"edeploy rollback\" goes back "
          "to V1." in " ".join(out.split()) and disk.cfg() == cfg and
          not os.path.exists(f"{disk.sysroot}/run/edeploy/back"),
          (out, err, disk.cfg()))
    check("the watchdog of that trial is stopped, too",
          not os.path.exists(f"{disk.sysroot}/run/edeploy/watchdog"))
    # as one leaves it that was killed before its move
    gen = int(disk.cfg()["gen"]) + 1
    for left, want in ((gen - 1, "V2"), (gen, "V1")):
        disk.write_cfg(gen, "V2", "V1", "V1", 2)
        put(f"{disk.sysroot}/run/edeploy/back", f"V1 V2 {left}\n")
        code, out, err = disk.inside("rollback")
        check(f"armed by it, and not entered: {want}",
              code == 0 and running() == f"tool {want}\n" and
              disk.cfg()["try"] == "", (out, err))
    check("nothing is left of it",
          not os.path.exists(f"{disk.sysroot}/run/edeploy/back"))


def prove():
    """V4 runs on trial, as after a boot."""
    code, out, err = disk.inside("prove")
    check("nothing to prove", code == 0 and "nothing is on trial" in out,
          out + err)
    service = subprocess.Popen(["unshare", "-m", "chroot", disk.root("V2"),
                                "/usr/bin/busybox", "sleep", "1000"])
    disk.inside("upgrade", "V4", "--live")
    disk.start_as("V2")
    code, out, err = disk.inside("prove")
    check("what no boot has started is not proved by what runs", code == 1 and
          "V4 was entered live, and starts otherwise than V2" in err and
          '"reboot" proves it' in err and disk.cfg()["try"] == "V4", out + err)
    for name in ("plain", ""):
        disk.start_as(name)
        code, out, err = disk.inside("prove")
        check(f"nor what was converted live: {name or 'by another grub.cfg'}",
              code == 1 and "V4 was entered live, and was never booted" in err
              and disk.cfg()["try"] == "V4", out + err)
    disk.start_as("V4")
    sick = disk.root("V4", "/etc/edeploy/health.d/sick")
    put(sick, "#!/bin/sh\necho first\necho the last line\nexit 4\n", 0o755)
    put(disk.root("V4", "/etc/edeploy/health.d/off"), "#!/bin/sh\nexit 4\n")
    put(disk.root("V4", "/etc/edeploy/health.d/old.bak"),
        "#!/bin/sh\nexit 4\n", 0o755)
    code, out, err = disk.inside("prove")
    check("what is not well is not proved",
          code == 1 and "sick: exit 4: the last line" in err and
          disk.cfg()["try"] == "V4",
          out + err)
    conf = disk.root("V4", "/var/lib/edeploy/conf")
    os.rename(conf, conf + ".away")  # it must be proved, or fall, all the same
    p = subprocess.Popen(["chroot", disk.sysroot, "/home/program/edeploy",
                          "prove", "--wait"])
    time.sleep(1)
    check("it waits", p.poll() is None and disk.cfg()["try"] == "V4")
    os.unlink(sick)
    check("until it is well", p.wait(120) == 0)
    os.rename(conf + ".away", conf)
    cfg = disk.cfg()
    check("V4 is the good one",
          (cfg["good"], cfg["prev"], cfg["try"]) == ("V4", "V1", ""), cfg)
    check("others are gone, but for where a service still stands",
          [n for n in disk.names() if n.startswith("V3")] == [] and
          os.path.exists(disk.root("V2", "/usr/bin/busybox")),
          disk.names())
    service.kill()
    service.wait()
    check("which goes when that was restarted", disk.inside("gc")[0] == 0 and
          [n for n in disk.names() if n.startswith("V2")] == [],
          disk.names())
    code, out, err = disk.inside("history")
    check("history", code == 0 and "proved    V1 -> V4" in out and
          max(map(len, out.splitlines())) <= 80, out)


def automount():
    """As systemd makes one of x-systemd.automount; nobody serves this one."""
    where = disk.sysroot + "/usr/lib/systemd/system"
    listens, tells = os.pipe()
    os.set_inheritable(tells, True)
    libc = ctypes.CDLL(None, use_errno=True)
    os.setpgid(0, 0)
    words = f"fd={tells},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
    bad = libc.mount(b"lab", where.encode(), b"autofs", 0, words.encode())
    os.close(listens)
    if bad:
        check(f"automounts # SKIP {os.strerror(ctypes.get_errno())}", True)
        return
    code, out, err = disk.inside("upgrade", "V6", "--live")
    check("an automount cannot be moved: live is refused", code == 1 and
          "/usr/lib/systemd/system is an automount" in err and
          "--at-boot" in err, out + err)
    code, out, err = disk.inside("status", "--json")
    check("and nothing is armed", disk.cfg()["try"] == "" and
          json.loads(out)["running"] == "V4", out + err)
    subprocess.run(["umount", "-l", where], check=True)


def main():
    try:
        begin()
        outlook()
        upgrade()
        failure()
        rollback()
        odd()
        kernel()
        cut_off()
        goes_on()
        goes_back()
        prove()
        automount()
    finally:
        disk.close()
    return lab.end()


sys.exit(main())
