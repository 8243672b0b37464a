#!/usr/bin/env python3
"""versioned_test.py EDEPLOY EDEPLOYCTL: upgrades beside the running version: what
is merged, carried over, shared, refused, proved, taken back and removed. On a
real ext4, since what GRUB would see is part of it. Prints TAP."""
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import versioned_lab as lab
from versioned_lab import check, put

lab.own_namespace()
HOLD = "/etc/dpkg/dpkg.cfg.d/edeploy"
disk = lab.Lab(sys.argv[1], sys.argv[2])


def hooks(tree, version, pre="exit 0", post="exit 0"):
    for name, text in (("pre", pre), ("post", post)):
        put(f"{tree}/var/lib/edeploy/{version}/{name}",
            f"#!/bin/sh\n{text}\n", 0o755)


def keys_of(value):
    """Of all objects in it."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if isinstance(value, dict):
        return set(value) | keys_of(list(value.values()))
    return set()


def documented():
    """What programs may read is in the manual page, under each command."""
    with open(f"{lab.SOURCE}/docs/edeploy.8") as f:
        page = f.read().split(".Sh JSON\n")[1].split(".Sh ")[0]
    told = {}
    for item in page.split("\n.It Cm ")[1:]:
        names, text = item.split("\n", 1)
        for name in re.split(r" , ", names):
            told[name] = set(re.findall(r"[a-z_]+", text))
    rows = told["history"]
    for words in (["status"], ["history"], ["list"], ["verify"], ["prove"],
                  ["gc"], ["version"], ["role"], ["profile"],
                  ["activate-pkgmngr"], ["test-upgrade", "V6"],
                  ["upgrade", "V6"], ["rollback"]):
        code, answer = disk.json(*words)
        name = words[0]
        want = told[name] | {name} | (rows if name == "status" else set())
        check(f"{name}'s JSON is in the manual page", code < 2 and
              keys_of(answer) and keys_of(answer) <= want, answer)


def make_site():
    disk.publish("V1")
    disk.publish("V2", lambda tree: hooks(
        tree, "V2",
        "cat /usr/bin/tool\necho pre $EDEPLOY_FROM $EDEPLOY_TO live=$EDEPLOY_LIVE",
        "echo live=$EDEPLOY_LIVE\n"
        "cat /usr/bin/tool\ncat /var/lib/app/seed /var/lib/dpkg/status\n"
        "echo post ran > /var/lib/app/post; test -e /dev/null"))
    disk.publish("V3", lambda tree: hooks(tree, "V3", pre="exit 3"))
    disk.publish("V4", lambda tree: hooks(tree, "V4", post="exit 7"))
    disk.publish("V5", lambda tree: hooks(tree, "V5", post="exit 100"))
    disk.install("V1")
    put(disk.root("V1", "/etc/app.conf"), "port = 2\n")
    put(disk.root("V1", "/etc/mine.conf"), "mine\n", 0o640)
    put(disk.root("V1", "/etc/same.conf"), "the same, edited\n")
    os.unlink(disk.root("V1", "/etc/both.conf"))
    with open(disk.root("V1", "/etc/passwd"), "a") as f:
        f.write("me:x:1000:1000::/home/me:/bin/sh\n")
    put(disk.state("/var/lib/app/seed"), "grown here\n")
    put(disk.state("/home/me/notes"), "notes\n")


def look():
    before = disk.snapshot()
    for word, want in (("version", "V1"), ("role", "app"), ("profile", "vm")):
        code, out, err = disk.call(word)
        check(word, (code, out) == (0, want + "\n"), out + err)
    code, status = disk.json("status")
    check("status", code == 0 and status["good"] == status["next"] == "V1" and
          status["trial"] is None and status["fell"] is None and
          status["versions"] == ["V1"], status)
    code, out, err = disk.call("verify")
    check("edits are told, and nothing is damaged",
          code == 0 and "edited    etc/app.conf" in out and
          "V1: right" in out and "damaged" not in out, out + err)
    code, out, err = disk.call("test-upgrade", "V2")
    check("test-upgrade tells each change",
          code == 0 and "changed   usr/bin/tool" in out and
          "new       usr/share/new-V2" in out and
          "removed   boot/vmlinuz-6.1.1" in out and "another kernel" in out and
          "same.so" not in out and "seed" not in out and
          "var/lib/edeploy" not in out, out + err)
    check("and what becomes of edits, but not of what the installation put",
          "etc/app.conf:\n    edited here and changed by the version" in out
          and "etc/same.conf:\n    edited here, and kept\n" in out
          and "etc/passwd:\n    edited here and changed by the version: "
          "merged line by line\n" in out and max(
              map(len, out.splitlines())) <= 80 and
          "etc/both.conf:\n    removed here and changed" in out and
          "fstab" not in out and "hostname" not in out,
          out)
    check("and where nothing can be mounted any more",
          "usr/bin/tool/cd:\n    a file system is mounted here" in out and
          "nas" not in out, out)
    check("all that changes nothing", disk.snapshot() == before)


def packages():
    """Installed, changed and held by hand."""
    info = disk.root("V1", "/var/lib/dpkg/info/")
    before = disk.snapshot()
    for name in ("strace", "tcpdump:amd64"):
        put(f"{info}{name}.list", "/.\n")
    put(f"{info}strace.md5sums", "")
    os.utime(f"{info}app.list", (2e9, 2e9))
    code, out, err = disk.call("test-upgrade", "V2")
    check("packages that do not come along are named",
          "\n    2 packages installed here and not part of V2: strace, "
          "tcpdump:amd64\n" in out and "\n    1 package changed here, and as "
          "published in V2: app\n" in out and
          max(map(len, out.splitlines())) <= 80, out + err)
    for name in ("strace.list", "tcpdump:amd64.list", "strace.md5sums"):
        os.unlink(info + name)
    os.utime(f"{info}app.list", (1e9, 1e9))
    code, out, err = disk.call("test-upgrade", "V2")
    check("and nothing else", code == 0 and "package" not in out, out)
    check("that changes nothing", disk.snapshot() == before)
    code, out, err = disk.call("deactivate-pkgmngr")
    check("packages are held",
          code == 0 and "refuse" in out and "EDEPLOY_TO" in
          disk.get("V1", "/etc/dpkg/dpkg.cfg.d/edeploy"), out + err)
    code, status = disk.json("status")
    check("status tells", status["packages_held"], status)
    code, out, err = disk.call("verify")
    check("that is no damage", code == 0 and "dpkg" not in out, out + err)


def held_on():
    """What was held stays so, as any edit; and what comes next is held, too,
    when it stands there already."""
    check("V2 is held, too", "EDEPLOY_TO" in (disk.get("V2", HOLD) or ""))
    code, out, err = disk.call("activate-pkgmngr")
    check("let go in both",
          code == 0 and "V1 alone" in out and disk.get("V1", HOLD) is None and
          disk.get("V2", HOLD) is None, out + err)
    code, out, err = disk.call("deactivate-pkgmngr")
    check("held in both", disk.get("V1", HOLD) and disk.get("V2", HOLD),
          out + err)


def refusals():
    before = disk.snapshot()
    for words, say in ((["V1"], "already"), (["../V2"], "not a version"),
                       (["V2.record"], "not a version"),
                       (["V9"], "app V9 is not published at")):
        code, out, err = disk.call("upgrade", *words)
        check(f"upgrade {words[0]} is refused", code == 1 and say in err,
              out + err)
    hidden = disk.root("V1", "/var/lib/edeploy/hidden")
    os.rename(disk.root("V1", "/var/lib/edeploy/trees.pub"), hidden)
    code, out, err = disk.call("upgrade", "V2")
    check("without a key nobody is believed",
          code == 1 and "trees.pub is not there" in err, err)
    put(disk.root("V1", "/var/lib/edeploy/trees.pub"),
        "edeploy-key 1\npublic " + "A" * 43 + "=\n")
    code, out, err = disk.call("upgrade", "V2")
    check("another key is not believed", code == 1 and "key" in err, err)
    os.rename(hidden, disk.root("V1", "/var/lib/edeploy/trees.pub"))
    code, out, err = disk.call("rollback")
    check("no way back from the first",
          code == 1 and "no version was good before V1" in err, err)
    now = disk.snapshot()
    now = {p: x for p, x in now.items() if "/V9." not in p}
    check("what is refused changes nothing", now == before,
          [p for p in set(now) ^ set(before)])


def pre_and_post_fail():
    code, out, err = disk.call("upgrade", "V3")
    check("pre can say no", code == 1 and "pre said no (exit 3)" in err and
          disk.cfg()["try"] == "", out + err)
    code, out, err = disk.call("upgrade", "V4")
    check("post can fail",
          code == 1 and "post failed (exit 7): V1 goes on" in err and
          disk.cfg()["try"] == "", out + err)
    check("what pre refused is cleaned", "V3.new" not in disk.names(),
          disk.names())


def put_silently(version, name, text):
    """As a disk does whose bits turn: nothing about the file tells."""
    path = disk.root(version, name)
    st = os.stat(path)
    with open(path, "r+") as f:
        f.write(text)
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))
    time.sleep(0.02)  # ticks of the kernel's clock
    os.utime(disk.root(version, ".record/seal"))  # and its ctime is old


def upgrade():
    code, out, err = disk.call("upgrade", "V2")
    cfg = disk.cfg()
    check("V2 is armed", code == 0 and (cfg["good"], cfg["try"], cfg["left"]) ==
          ("V1", "V2", "2"), out + err)
    check("pre ran in the running version",
          "tool V1\npre V1 V2 live=\n" in out, out)
    check("post ran in the new one, with this host's state",
          "live=\ntool V2\ngrown here\nPackage: app\nVersion: V2\n" in out, out)
    check("what post wrote to state is there",
          os.path.exists(disk.state("/var/lib/app/post")))
    check("what V4 left is gone",
          [n for n in disk.names() if n.startswith("V4") or ".new" in n] ==
          [], disk.names())
    want = {"/usr/bin/tool": "tool V2\n", "/etc/app.conf": "port = 2\n",
            "/etc/app.conf.edeploy-new": "port = 1\nnew in V2\n",
            "/etc/both.conf": None, "/etc/mine.conf": "mine\n",
            "/etc/same.conf": "the same, edited\n",
            "/etc/both.conf.edeploy-new": None,
            "/etc/fstab": lab.FSTAB,
            "/etc/hostname": "host7\n",
            "/usr/sbin/edeploy": "the command of this host\n",
            "/var/lib/dpkg/status": "Package: app\nVersion: V2\n"}
    for path, text in want.items():
        check(f"{path} is as it must be", disk.get("V2", path) == text,
              disk.get("V2", path))
    check("what fstab mounts has its place",
          [(d, n) for d, n, _ in os.walk(disk.root("V2", "/data"))] ==
          [(disk.root("V2", "/data"), ["nas"]),
           (disk.root("V2", "/data/nas"), [])] and
          os.stat(disk.root("V2", "/data/nas")).st_mode & 0o777 == 0o750)
    check("or the reason is told",
          "usr/bin/tool/cd:\n    a file system is mounted here, and" in out,
          out)
    check("accounts are merged by line",
          "svc2" in disk.get("V2", "/etc/passwd") and
          "svc1" not in disk.get("V2", "/etc/passwd") and
          "me:x:1000" in disk.get("V2", "/etc/passwd"),
          disk.get("V2", "/etc/passwd"))
    conf = disk.get("V2", "/var/lib/edeploy/conf")
    check("conf", "VERS=V2\n" in conf and "MACHINE=7\n" in conf, conf)
    check("health is looked at", "edeploy prove --wait" in
          (disk.get("V2", "/usr/lib/systemd/system/sysinit.target.wants/"
                    "edeploy-prove.service") or ""))
    one, two = (os.stat(disk.root(v, "/usr/lib/same.so")).st_ino
                for v in ("V1", "V2"))
    check("what is equal is on the disk once", one == two)
    one, two = (os.stat(disk.root(v, "/etc/same.conf")).st_ino
                for v in ("V1", "V2"))
    check("but nothing in /etc", one != two)
    check("the running version is as it was",
          disk.get("V1", "/etc/app.conf") == "port = 2\n" and
          disk.get("V1", "/usr/bin/tool") == "tool V1\n")
    check("it starts with this machine's arguments",
        disk.get("V2", "/../V2.grub").splitlines() == [
        "set ed_kernel='/edeploy/roots/V2/boot/vmlinuz-6.1.2'",
        "set ed_initrd='/edeploy/roots/V2/boot/initrd.img-6.1.2'",
        "set ed_args='console=ttyS0 quote='\\''x'\\'''"],
        disk.get("V2", "/../V2.grub"))
    code, out, err = disk.call("verify")
    check("both are right",
          code == 0 and "V1: right" in out and "V2: right" in out, out + err)


def late_edits():
    """V2 is built and waits for a boot; somebody goes on editing."""
    put(disk.root("V1", "/etc/late.conf"), "late\n", 0o600)
    put(disk.root("V1", "/etc/same.conf"), "the same, edited twice\n")
    put(disk.root("V1", "/etc/fresh.conf"), "mine\n")
    put(disk.root("V2", "/etc/fresh.conf"), "of post\n")
    os.unlink(disk.root("V1", "/etc/mine.conf"))
    with open(disk.root("V1", "/etc/passwd"), "a") as f:
        f.write("late:x:1001:1001::/home/late:/bin/sh\n")
    before = {n: disk.get("V2", f"/etc/{n}") for n in ("passwd", "app.conf")}
    code, out, err = disk.call("late-edits", "V3")
    check("of no version that is here", code == 1 and "no version" in err,
          err)
    code, out, err = disk.call("late-edits", "V2")
    check("what was edited since comes along",
          code == 0 and "came along into V2" in out and
          disk.get("V2", "/etc/late.conf") == "late\n" and
          disk.get("V2", "/etc/same.conf") == "the same, edited twice\n" and
          disk.get("V2", "/etc/mine.conf") is None and
          os.stat(disk.root("V2", "/etc/late.conf")).st_mode & 0o777 == 0o600,
          out + err)
    check("accounts by line, once more",
          sorted(disk.get("V2", "/etc/passwd").splitlines()) ==
          sorted([*before["passwd"].splitlines(),
                  "late:x:1001:1001::/home/late:/bin/sh"]) and
          "svc2" in before["passwd"], disk.get("V2", "/etc/passwd"))
    check("where both wrote, the host's stays",
          disk.get("V2", "/etc/fresh.conf") == "mine\n" and
          disk.get("V2", "/etc/fresh.conf.edeploy-new") == "of post\n" and
          disk.get("V2", "/etc/app.conf") == before["app.conf"] and
          disk.get("V2", "/etc/hostname") == "host7\n")
    put(disk.root("V1", "/etc/mine.conf"), "mine\n", 0o640)
    code, out, err = disk.call("late-edits", "V2")
    check("once", code == 0 and out == "" and
          disk.get("V2", "/etc/mine.conf") is None and
          not os.path.exists(disk.root("V2.record/then")), out + err)
    check("V2 is right all the same", disk.call("verify", "V2")[0] == 0)
    os.unlink(disk.root("V1", "/etc/late.conf"))
    os.unlink(disk.root("V1", "/etc/fresh.conf"))
    check("taken back", disk.call("rollback")[0] == 0)
    disk.call("upgrade", "V2")
    with open(disk.root("V1", "/etc/passwd"), "a") as f:
        f.write("svc2:x:4000:100::/:/bin/false\n")
    put(disk.root("V1", "/etc/late.conf"), "late\n")
    code, out, err = disk.call("late-edits", "V2")
    check("accounts that cannot be merged are told, and nothing came",
          code == 1 and "svc2" in err and
          disk.get("V2", "/etc/late.conf") is None and
          "4000" not in disk.get("V2", "/etc/passwd"), out + err)
    os.unlink(disk.root("V1", "/etc/late.conf"))
    with open(disk.root("V1", "/etc/passwd")) as f:
        lines = [x for x in f if not x.startswith(("svc2", "late"))]
    put(disk.root("V1", "/etc/passwd"), "".join(lines))


def late_edits_fail():
    """On a full disk, and when it takes longer than init allows: the version
    that is to be entered is whole, and the running one as it was."""
    def fill():
        with open(disk.top + "/fill", "wb") as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass

    def edits():
        for i in range(300):
            put(disk.root("V1", f"/etc/many/{i}"), f"{i}\n")
        put(disk.root("V1", "/etc/big"), "big" * 100000)

    def parts(version):
        return {p: x for p, x in disk.snapshot().items()
                if p.startswith(disk.root(version) + "/")}

    disk.call("rollback")
    disk.call("upgrade", "V2")
    edits()
    old = disk.get("V2", "/etc/passwd")
    fill()
    code, out, err = disk.call("late-edits", "V2")
    os.unlink(disk.top + "/fill")
    check("a full disk ends it", code == 1 and "space" in err, out + err)
    check("and nothing of it came",
          not os.path.exists(disk.root("V2", "/etc/many")) and
          disk.get("V2", "/etc/passwd") == old and
          not os.path.exists(disk.root("V2", "/etc.edeploy-merge")))
    shutil.rmtree(disk.root("V1", "/etc/many"))
    os.unlink(disk.root("V1", "/etc/big"))
    disk.call("rollback")
    disk.call("upgrade", "V2")
    edits()
    before, seen = parts("V1"), set()
    for ms in (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 5000):
        p = subprocess.Popen([disk.edeploy, "late-edits", "V2", "--root",
                              disk.top], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        try:
            p.wait(ms / 1000)
        except subprocess.TimeoutExpired:
            p.send_signal(signal.SIGALRM)
            p.wait()
        come = len(os.listdir(disk.root("V2", "/etc/many"))
                   if os.path.exists(disk.root("V2", "/etc/many")) else [])
        seen.add((p.returncode, come))
        if come not in (0, 300) or disk.get("V2", "/etc/passwd") != old:
            break
    check("killed at any moment all came, or nothing, and at last all",
          {x[1] for x in seen} <= {0, 300} and (0, 300) in seen and
          -signal.SIGALRM in {x[0] for x in seen}, seen)
    check("the running version is as it was", parts("V1") == before,
          [p for p, x in parts("V1").items() if before.get(p) != x][:5])
    shutil.rmtree(disk.root("V1", "/etc/many"))
    os.unlink(disk.root("V1", "/etc/big"))
    disk.call("rollback")


def rollback_and_again():
    code, out, err = disk.call("upgrade", "V2")
    check("V2 is armed already", code == 1 and "already: reboot" in err, err)
    code, out, err = disk.call("rollback")
    check("what was not started yet is taken back",
          code == 0 and disk.cfg()["try"] == "", out + err)
    code, answer = disk.json("upgrade", "V2")
    check("the same again, as json",
          code == 0 and answer["version"] == "V2" and answer["at_boot"] and
          answer["from"] == "V1" and not answer["reboot"] and
          any(n["path"] == "etc/app.conf" for n in answer["notes"]), answer)
    disk.prove()
    code, status = disk.json("status")
    check("proved",
          (status["good"], status["previous"]) == ("V2", "V1"), status)
    code, out, err = disk.call("upgrade", "V1")
    check("the version before is not fetched",
          code == 1 and "edeploy rollback" in err, err)
    put(disk.root("V2", "/etc/new.conf"), "since\n")
    put(disk.root("V2", "/etc/app.conf"), "port = 3\n")
    os.unlink(disk.root("V2", "/etc/mine.conf"))
    key = disk.root("V2", "/etc/ssh/ssh_host_new_key")
    put(key, "made since\n", 0o640)
    os.chown(key, 0, 7)
    os.mkdir(disk.root("V1", "/etc/ssh"))
    put(disk.root("V2", "/etc/machine-id"), "made since, too\n")
    code, out, err = disk.call("rollback")
    back = os.stat(disk.root("V1", "/etc/ssh/ssh_host_new_key"))
    check("what makes the machine itself comes along, and is not told",
          disk.get("V1", "/etc/ssh/ssh_host_new_key") == "made since\n" and
          (back.st_mode & 0o7777, back.st_uid, back.st_gid) == (0o640, 0, 7)
          and disk.get("V1", "/etc/machine-id") == "made since, too\n" and
          "ssh_host" not in out and "machine-id" not in out, (back, out, err))
    check("the way back is tried, too",
          code == 0 and disk.cfg()["try"] == "V1" and
          disk.cfg()["good"] == "V2",
          out + err)
    check("and what was edited since is told",
          "not so in V1:\n    changed   etc/app.conf\n    new       etc/new.conf\n"
          "    removed   etc/mine.conf\nThey" in out and
          max(map(len, out.splitlines())) <= 80, out)
    put(disk.root("V2", "/etc/app.conf"), "port = 2\n")
    put(disk.root("V2", "/etc/mine.conf"), "mine\n", 0o640)
    os.unlink(disk.root("V2", "/etc/new.conf"))
    disk.call("rollback")
    code, answer = disk.json("rollback")
    check("nothing where nothing was",
          answer["notes"] == [] and answer["at_boot"], answer)
    check("and can be taken back",
          disk.call("rollback")[0] == 0 and disk.cfg()["try"] == "")


def strict():
    put(disk.root("V2", "/etc/ssh/ssh_host_rsa_key"), "key\n")
    put(disk.root("V2", "/etc/mine.conf"), "mine\n", 0o640)
    code, out, err = disk.call("upgrade", "V5", "--strict")
    check("strict tells what stays behind",
          code == 0 and "etc/mine.conf:\n    brought by no version: it stays "
          "behind\n" in out, out + err)
    check("but not what is the machine's own, nor edits",
          disk.get("V5", "/etc/mine.conf") is None and
          disk.get("V5", "/etc/ssh/ssh_host_rsa_key") == "key\n" and
          disk.get("V5", "/etc/hostname") == "host7\n" and
          disk.get("V5", HOLD) is not None and
          disk.get("V5", "/etc/app.conf") == "port = 2\n")
    check("taken back", disk.call("rollback")[0] == 0)


def killed():
    """Whatever moment it dies at, what boots is whole and boots as before, or
    the new one is on trial, whole."""
    seen = set()
    for ms in (5, 15, 30, 50, 80, 120, 170, 230, 300, 400, 550, 750):
        p = subprocess.Popen([disk.edeploy, "upgrade", "V5", "--root",
                              disk.top], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        try:
            p.wait(ms / 1000)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
        cfg = disk.cfg()
        seen.add(cfg["try"])
        code, out, err = disk.call("verify")
        check(f"killed after {ms} ms: {cfg['try'] or 'V2 alone'}",
              code == 0 and cfg["good"] == "V2" and cfg["try"] in ("", "V5"),
              out + err)
        if cfg["try"]:
            disk.call("rollback")
    print("#", seen)
    code, out, err = disk.call("upgrade", "V5")
    check("and the same command ends well",
          code == 0 and disk.get("V5", "/usr/bin/tool") == "tool V5\n" and
          disk.get("V5", "/etc/mine.conf") == "mine\n", out + err)
    check("what is beside an edit is of this version, not of the last",
          disk.get("V5", "/etc/app.conf.edeploy-new") ==
          "port = 1\nnew in V5\n",
          disk.get("V5", "/etc/app.conf.edeploy-new"))
    disk.call("rollback")


def damage_of_both():
    """What is written through a shared inode is damaged wherever it is."""
    path = "/usr/lib/same.so"
    want = lab.shelf.noise(5, 300000)
    check("the versions share it",
          os.path.samefile(disk.root("V1", path), disk.root("V2", path)))
    with open(disk.root("V2", path), "r+b") as f:
        f.write(b"rot")
    code, out, err = disk.call("verify", "--fix")
    check("verify --fix mends each version that may boot",
          code == 0 and "V2: 1 file mended" in out and
          "V1: 1 file mended" in out and
          all(open(disk.root(v, path), "rb").read() == want
              for v in ("V1", "V2")), out + err)
    code, out, err = disk.call("verify", "--fix")
    check("and nothing where all is right",
          code == 0 and "mended" not in out and "V1: right" in out, out + err)


def damage_of_folders():
    """What has no bytes is mended by what the manifest says of it."""
    folder, link = disk.root("V1", "/usr/lib"), disk.root("V1", "/bin")
    mode = os.stat(folder).st_mode & 0o7777
    was = sorted(os.listdir(folder))
    check("the tree has both", was and os.path.islink(link), was)
    leads = os.readlink(link)
    os.chmod(folder, 0o700)
    os.unlink(link)
    os.symlink("elsewhere", link)
    code, out, err = disk.call("verify", "V1", "--fix")
    check("a folder's mode and a link are mended",
          code == 0 and "V1: 2 files mended" in out and
          os.stat(folder).st_mode & 0o7777 == mode and
          os.readlink(link) == leads, out + err)
    first, second = (disk.root("V1", f"/usr/bin/{name}")
                     for name in ("bb", "busybox"))
    right = os.stat(first)
    for what, names in (("a name of a file", (second,)),
                        ("its first name", (first,)),
                        ("both", (first, second))):
        for name in names:
            os.unlink(name)
        code, out, err = disk.call("verify", "V1", "--fix")
        check(f"{what} that is gone is mended",
              code == 0 and os.path.samefile(first, second) and
              os.stat(first).st_size == right.st_size, out + err)
    shutil.rmtree(folder)
    put(folder, "in its place\n")
    os.unlink(link)
    code, out, err = disk.call("verify", "V1", "--fix")
    check("and a folder that is gone, with all that was in it",
          code == 0 and sorted(os.listdir(folder)) == was and
          os.stat(folder).st_mode & 0o7777 == mode and
          os.readlink(link) == leads, out + err)


def damage():
    path = disk.root("V1", "/usr/bin/tool")
    put(path, "tool X1\n", 0o755)
    code, out, err = disk.call("rollback")
    check("nobody goes back to a damaged version",
          code == 1 and "V1 is damaged in 1 file," in err and
          "usr/bin/tool" in err and disk.cfg()["try"] == "", err)
    code, answer = disk.json("verify", "V1")
    check("verify finds it",
          code == 1 and answer["damaged"] == 1 and
          {"version": "V1", "kind": "damaged", "path": "usr/bin/tool",
           "what": "content"} in answer["differences"], answer)
    code, out, err = disk.call("verify", "V1", "--fix")
    check("and mends it, and nothing else",
          code == 0 and "V1: 1 file mended" in out and
          disk.get("V1", "/usr/bin/tool") == "tool V1\n" and
          disk.get("V1", "/etc/app.conf") == "port = 2\n", out + err)
    damage_of_folders()
    os.unlink(disk.root("V1", "/var/lib/app/seed"))
    os.rmdir(disk.root("V1", "/var/lib/app"))
    code, out, err = disk.call("verify", "V1")
    check("what the machine's own is mounted over is not looked at",
          code == 0 and "var/lib/app" not in out, out + err)
    put(disk.root("V1", "/usr/sbin/edeploy"), "another\n", 0o755)
    code, out, err = disk.call("verify", "V1")
    check("what edeploy added is looked at, too",
          code == 1 and "damaged   usr/sbin/edeploy" in out and
          '"edeploy verify --fix V1" brings it again' in out, out + err)
    code, out, err = disk.call("verify", "V1", "--fix")
    check("that nobody can bring it is said, not to try again",
          code == 1 and "1 file that the installation added: copy it" in out
          and "--fix" not in out, out + err)
    put(disk.root("V1", "/usr/bin/stranger"), "?\n")
    code, out, err = disk.call("verify", "V2", "--strangers")
    check("no strangers in V2", code == 0 and "stranger  usr" not in out,
          out)
    code, out, err = disk.call("verify", "V1", "--strangers")
    check("a stranger is named", "stranger  usr/bin/stranger" in out, out)


def serials():
    code, out, err = disk.call("upgrade", "V5")
    check("post can ask for a reboot", code == 0 and "wants a reboot" in err and
          disk.cfg()["try"] == "V5", out + err)
    disk.prove()
    # as who proves a version does, while it removes another
    other = subprocess.Popen(["flock", disk.top + "/edeploy/lock", "sh", "-c",
                              "echo; exec sleep 2"], stdout=subprocess.PIPE)
    other.stdout.readline()  # it has the lock
    code, out, err = disk.call("gc")
    check("another edeploy is waited for",
          code == 0 and other.poll() is not None, out + err)
    other.wait()
    check("two versions back goes",
          code == 0 and
          not [n for n in disk.names() if n.startswith("V1")], disk.names())
    check("one back stays",
          [n for n in disk.names() if n.startswith("V2")] != [])
    code, out, err = disk.call("upgrade", "V1")
    check("older ones are refused", code == 1 and "--allow-downgrade" in err and
          disk.cfg()["try"] == "", err)
    put_silently("V5", "/usr/sbin/init", "#!/bin/no\n")
    code, out, err = disk.call("upgrade", "V1", "--allow-downgrade")
    check("and taken when told",
          code == 0 and disk.cfg()["try"] == "V1", out + err)
    check("what rotted in the running version is whole in the new one",
          disk.get("V5", "/usr/sbin/init") == "#!/bin/no\n" and
          disk.get("V1", "/usr/sbin/init") == "#!/bin/sh\n", out + err)
    put_silently("V5", "/usr/sbin/init", "#!/bin/sh\n")
    check("edits come along",
          disk.get("V1", "/etc/app.conf") == "port = 2\n",
          disk.get("V1", "/etc/app.conf"))
    code, answer = disk.json("history")
    rows = [(r["action"], r["from"], r["to"]) for r in answer["history"]]
    check("history",
          ("upgrade", "V1", "V2") in rows and ("upgrade", "V5", "V1") in rows
          and ("rollback", "V2", "V1") in rows, rows)
    check("and what failed",
          ("failed", "V1", "V4") in rows and
          ("failed", "V1", "V9") not in rows and
          "post failed (exit 7)" in str(answer), rows)
    put(disk.top + "/edeploy/log", "2026-11-21T12:00:00Z V1 failed: no init\n")
    code, out, err = disk.call("status")
    check("an old fall is no news",
          "fell" not in out and "last      upgrade V5 -> V1  20" in out and
          "\"reboot\" tries" in out, out)
    put(disk.top + "/edeploy/log", "2099-11-21T12:00:00Z V1 failed: no init\n")
    code, out, err = disk.call("status")
    check("why it fell",
          "fell      V1  2099-11-21T12:00\n          failed: no init" in out
          and max(map(len, out.splitlines())) <= 80, out)
    disk.call("rollback")
    os.unlink(disk.top + "/edeploy/log")


def own_classes():
    """A role whose list says that a folder in /etc is the version's; a file of
    this host's whose folder is something else in the next version."""
    def change(tree):
        put(f"{tree}/usr/share/edeploy/classes",
            "edeploy-classes 1\nversioned etc/ver\n")
        put(f"{tree}/etc/ver/f", "as published\n", mtime=10**18)
        if tree.endswith("V8"):
            put(f"{tree}/usr/share/mine", "a file\n")

    disk.publish("V7", change)
    disk.publish("V8", change)
    code, out, err = disk.call("upgrade", "V7")
    check("a folder in /etc that is the version's",
          code == 0 and disk.get("V7", "/etc/ver/f") == "as published\n",
          out + err)
    disk.prove()
    put(disk.root("V7", "/etc/ver/f"), "edited\n")
    put(disk.root("V7", "/etc/ver/more"), "more\n")
    put(disk.root("V7", "/usr/share/mine/tool"), "mine\n")
    put(disk.root("V7.local"), lab.manifest(disk.root("V7"), [
        "var/lib/edeploy/conf", "var/lib/edeploy/trees.pub",
        "usr/sbin/edeploy", "usr/share/mine/tool"]))
    code, out, err = disk.call("upgrade", "V8")
    check("is not merged, and what is around it is",
          code == 0 and disk.get("V8", "/etc/ver/f") == "as published\n" and
          disk.get("V8", "/etc/ver/more") is None and
          disk.get("V8", "/etc/app.conf") == "port = 2\n", out + err)
    check("what has no place any more is told",
          "usr/share/mine/tool:\n    added here, and the version has "
          "something else" in out and
          disk.get("V8", "/usr/share/mine") == "a file\n", out)
    disk.call("rollback")


def other_class():
    """What was merged until now is state in the next version, or its own: this
    host's part of it is not left behind without a word."""
    def change(tree):
        put(f"{tree}/usr/share/edeploy/classes", "edeploy-classes 1\n"
            "versioned etc/ver\nstate etc/lets\nversioned etc/vend\n"
            "versioned var/lib/rows\nmerged opt\nversioned var/lib/none\n")
        put(f"{tree}/var/lib/rows/f", "f\n", mtime=10**18)
        put(f"{tree}/opt/f", "f\n", mtime=10**18)
        put(f"{tree}/etc/lets/README", "read me\n", mtime=10**18)
        put(f"{tree}/etc/vend/f", "f\n", mtime=10**18)

    disk.publish("V9", change)
    put(disk.root("V7", "/etc/lets/live/cert"), "cert\n")
    put(disk.root("V7", "/etc/vend/mine"), "mine\n")
    for name in ("/var/lib/rows/mine", "/opt/mine"):
        put(disk.state(name), "mine\n")
    for words, see_to_it in (
            ("/etc/lets/live/cert was edited or made here, and is state in V9",
             lambda: put(disk.state("/etc/lets/live/cert"), "cert\n")),
            ("/etc/vend/mine was edited or made here, and belongs to the "
             "version in V9",
             lambda: os.unlink(disk.root("V7", "/etc/vend/mine")))):
        code, out, err = disk.call("upgrade", "V9")
        check(f"refused: {words}", code == 1 and
              words in " ".join(err.split()) and disk.cfg()["try"] == "",
              out + err)
        see_to_it()
    code, out, err = disk.call("upgrade", "V9")
    check("until somebody has seen to it", code == 0 and
          "state etc/lets\n" in open(disk.root("V9.mounts")).read() and
          disk.cfg()["try"] == "V9", out + err)
    told = " ".join(out.split())
    check("state that it will not see is told", all(
        f"{p}: state until now, and V9 has its own: what this host has stays "
        f"in /edeploy/state/{p}," in told for p in ("opt", "var/lib/rows")) and
          told.count("state until now") == 2, out)
    disk.call("rollback")


def no_room():
    disk.publish("V6", lambda tree: put(f"{tree}/usr/lib/big.so",
                                        os.urandom(3 << 20)))
    with open(disk.top + "/fill", "wb") as f:
        try:
            while True:
                f.write(b"x" * 65536)
        except OSError:
            pass
    before = disk.cfg()
    code, out, err = disk.call("upgrade", "V6")
    check("no room", code == 1 and ("room" in err or "space" in err), err)
    check("and what boots is what booted", disk.cfg() == before)
    os.unlink(disk.top + "/fill")


def main():
    try:
        make_site()
        look()
        packages()
        refusals()
        pre_and_post_fail()
        upgrade()
        held_on()
        late_edits()
        late_edits_fail()
        disk.call("upgrade", "V2")
        rollback_and_again()
        strict()
        killed()
        damage_of_both()
        damage()
        serials()
        own_classes()
        other_class()
        no_room()
        documented()
    finally:
        disk.close()
    return lab.end()


sys.exit(main())
