#!/usr/bin/env python3
"""live_test.py EDEPLOY EDEPLOYCTL: a running system goes on in another version,
without a boot: in namespaces of its own, where pid 1 is this test, and its root
a version that edeployctl published. Prints TAP."""
import json
import os
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
        put(f"{tree}/boot/initrd.img-6.1.{kernel}", "initrd\n")
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
    disk.install("V1")
    put(disk.root("V1", "/etc/app.conf"), "port = 2\n")
    conf = disk.root("V1", "/var/lib/edeploy/conf")
    with open(conf) as f:
        text = f.read().replace(disk.site, "/home/site")
    put(conf, text)
    disk.enter("V1")


def upgrade():
    code, out, err = disk.inside("status", "--json")
    check(code == 0 and json.loads(out)["running"] == "V1", "V1 runs",
          out + err)
    check(disk.inside("version")[1] == "V1\n", "and says so")
    daemon = subprocess.Popen(["chroot", disk.sysroot, "/usr/bin/busybox",
                               "sleep", "100"])
    put(disk.root("V1", "/etc/late.conf"), "edited\n")
    code, out, err = disk.inside("upgrade", "V2")
    check(code == 0 and "tool V2\nedited\nlater\n" in out and
          "V2 runs, and is the good version" in out,
          "post ran in V2, once it was entered, and with the latest edits",
          out + err)
    with open(disk.state("/var/lib/ran")) as f:
        check(f.read() == "ran\n", "once")
    check(running() == "tool V2\n", "the system stands in V2")
    root = os.stat(f"/proc/{daemon.pid}/root")
    check(root.st_ino == os.stat(disk.root("V2")).st_ino,
          "and so does a program that ran all the time")
    cfg = disk.cfg()
    check((cfg["good"], cfg["prev"], cfg["try"]) == ("V2", "V1", ""),
          "V2 is good, since it starts as V1 did", cfg)
    check(disk.get("V2", "/etc/app.conf") == "port = 2\n", "edits are there")
    check(disk.inside("version")[1] == "V2\n", "the command says so")
    daemon.kill()
    daemon.wait()


def failure():
    before = disk.cfg()
    code, out, err = disk.inside("upgrade", "V3")
    check(code == 1 and "tool V3\n" in out and "post failed (exit 5)" in err,
          "a post that fails in V3", out + err)
    check(running() == "tool V2\n", "the system is back in V2")
    now = disk.cfg()
    check((now["good"], now["prev"], now["try"]) ==
          (before["good"], before["prev"], ""), "and boots it", now)
    sick = disk.root("V1", "/etc/edeploy/health.d/sick")
    put(sick, "#!/bin/sh\necho not feeling well\nexit 4\n", 0o755)
    code, out, err = disk.inside("rollback")
    check(code == 1 and "sick: exit 4: not feeling well" in err and
          running() == "tool V2\n" and disk.cfg()["good"] == "V2",
          "no way back to a version that is not well", out + err)
    os.unlink(sick)


def rollback():
    code, out, err = disk.inside("rollback")
    check(code == 0 and "V1 runs, and is the good version" in out,
          "rollback is live, too", out + err)
    check(running() == "tool V1\n" and disk.cfg()["good"] == "V1" and
          disk.cfg()["prev"] == "V2", "the system stands in V1", disk.cfg())
    code, out, err = disk.inside("rollback", "--at-boot")
    check(code == 0 and "next boot enters" in out and
          disk.cfg()["try"] == "V2" and running() == "tool V1\n",
          "or at the next boot", out + err)
    check(disk.inside("rollback")[0] == 0 and disk.cfg()["try"] == "",
          "which is taken back")


def kernel():
    code, out, err = disk.inside("upgrade", "V4")
    check(code == 0 and "The next boot tries it" in out and
          running() == "tool V1\n" and disk.cfg()["try"] == "V4",
          "another kernel is started by a boot", out + err)
    check("tool V4\n" in out, "its post ran in it")
    check(disk.inside("rollback")[0] == 0, "taken back")
    code, out, err = disk.inside("upgrade", "V4", "--live")
    cfg = disk.cfg()
    check(code == 0 and "V4 runs." in out and "on trial" in out and
          running() == "tool V4\n" and (cfg["good"], cfg["try"]) ==
          ("V1", "V4"), "or later, when one says so", out + err)
    code, out, err = disk.inside("upgrade", "V2")
    check(code == 1 and "V4 is on trial" in err, "one trial at a time", err)
    code, out, err = disk.inside("rollback", "--live")
    check(code == 0 and running() == "tool V1\n" and
          disk.cfg()["good"] == "V1" and disk.cfg()["try"] == "",
          "a trial is left live", out + err)


def prove():
    """V4 runs on trial, as after a boot."""
    code, out, err = disk.inside("prove")
    check(code == 0 and "nothing is on trial" in out, "nothing to prove",
          out + err)
    disk.inside("upgrade", "V4", "--live")
    sick = disk.root("V4", "/etc/edeploy/health.d/sick")
    put(sick, "#!/bin/sh\necho first\necho the last line\nexit 4\n", 0o755)
    put(disk.root("V4", "/etc/edeploy/health.d/off"), "#!/bin/sh\nexit 4\n")
    put(disk.root("V4", "/etc/edeploy/health.d/old.bak"),
        "#!/bin/sh\nexit 4\n", 0o755)
    code, out, err = disk.inside("prove")
    check(code == 1 and "sick: exit 4: the last line" in err and
          disk.cfg()["try"] == "V4", "what is not well is not proved",
          out + err)
    p = subprocess.Popen(["chroot", disk.sysroot, "/home/program/edeploy",
                          "prove", "--wait"])
    time.sleep(1)
    check(p.poll() is None and disk.cfg()["try"] == "V4", "it waits")
    os.unlink(sick)
    check(p.wait(30) == 0, "until it is well")
    cfg = disk.cfg()
    check((cfg["good"], cfg["prev"], cfg["try"]) == ("V4", "V1", ""),
          "V4 is the good one", cfg)
    check([n for n in disk.names() if n.startswith(("V2", "V3"))] == [],
          "and others are gone", disk.names())
    code, out, err = disk.inside("history")
    check(code == 0 and "proved    V1 -> V4" in out and
          max(map(len, out.splitlines())) <= 80, "history", out)


def main():
    try:
        begin()
        upgrade()
        failure()
        rollback()
        kernel()
        prove()
    finally:
        disk.close()
    return lab.end()


sys.exit(main())
