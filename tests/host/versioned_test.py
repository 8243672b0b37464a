#!/usr/bin/env python3
"""versioned_test.py EDEPLOY EDEPLOYCTL: upgrades beside the running version: what
is merged, carried over, shared, refused, proved, taken back and removed. On a
real ext4, since what GRUB would see is part of it. Prints TAP."""
import os
import subprocess
import sys
import time

import versioned_lab as lab
from versioned_lab import check, put

lab.own_namespace()
disk = lab.Lab(sys.argv[1], sys.argv[2])


def hooks(tree, version, pre="exit 0", post="exit 0"):
    for name, text in (("pre", pre), ("post", post)):
        put(f"{tree}/var/lib/edeploy/{version}/{name}",
            f"#!/bin/sh\n{text}\n", 0o755)


def make_site():
    disk.publish("V1")
    disk.publish("V2", lambda tree: hooks(
        tree, "V2",
        "cat /usr/bin/tool\necho pre $EDEPLOY_FROM $EDEPLOY_TO",
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
        check((code, out) == (0, want + "\n"), word, out + err)
    code, status = disk.json("status")
    check(code == 0 and status["good"] == status["next"] == "V1" and
          status["trial"] is None and status["fell"] is None and
          status["versions"] == ["V1"], "status", status)
    code, out, err = disk.call("verify")
    check(code == 0 and "edited    etc/app.conf" in out and
          "V1: right" in out and "damaged" not in out,
          "edits are told, and nothing is damaged", out + err)
    code, out, err = disk.call("test-upgrade", "V2")
    check(code == 0 and "changed   usr/bin/tool" in out and
          "new       usr/share/new-V2" in out and
          "removed   boot/vmlinuz-6.1.1" in out and "another kernel" in out and
          "same.so" not in out, "test-upgrade tells each change", out + err)
    check("etc/app.conf:\n    edited here and changed by the version" in out
          and "etc/same.conf:\n    edited here, and kept\n" in out
          and "etc/passwd:\n    edited here and changed by the version: "
          "merged line by line\n" in out and max(
              map(len, out.splitlines())) <= 80 and
          "etc/both.conf:\n    removed here and changed" in out and
          "fstab" not in out and "hostname" not in out,
          "and what becomes of edits, but not of what the installation put",
          out)
    check(disk.snapshot() == before, "all that changes nothing")


def refusals():
    before = disk.snapshot()
    for words, say in ((["V1"], "already"), (["../V2"], "not a version"),
                       (["V2.record"], "not a version"),
                       (["V9"], "app V9 is not published at")):
        code, out, err = disk.call("upgrade", *words)
        check(code == 1 and say in err, f"upgrade {words[0]} is refused",
              out + err)
    hidden = disk.root("V1", "/var/lib/edeploy/hidden")
    os.rename(disk.root("V1", "/var/lib/edeploy/trees.pub"), hidden)
    code, out, err = disk.call("upgrade", "V2")
    check(code == 1 and "trees.pub is not there" in err,
          "without a key nobody is believed", err)
    put(disk.root("V1", "/var/lib/edeploy/trees.pub"),
        "edeploy-key 1\npublic " + "A" * 43 + "=\n")
    code, out, err = disk.call("upgrade", "V2")
    check(code == 1 and "key" in err, "another key is not believed", err)
    os.rename(hidden, disk.root("V1", "/var/lib/edeploy/trees.pub"))
    code, out, err = disk.call("rollback")
    check(code == 1 and "no version was good before V1" in err,
          "no way back from the first", err)
    now = disk.snapshot()
    now = {p: x for p, x in now.items() if "/V9." not in p}
    check(now == before, "what is refused changes nothing",
          [p for p in set(now) ^ set(before)])


def pre_and_post_fail():
    code, out, err = disk.call("upgrade", "V3")
    check(code == 1 and "pre said no (exit 3)" in err and
          disk.cfg()["try"] == "", "pre can say no", out + err)
    code, out, err = disk.call("upgrade", "V4")
    check(code == 1 and "post failed (exit 7): V1 goes on" in err and
          disk.cfg()["try"] == "", "post can fail", out + err)
    check("V3.new" not in disk.names(), "what pre refused is cleaned",
          disk.names())


def upgrade():
    code, out, err = disk.call("upgrade", "V2")
    cfg = disk.cfg()
    check(code == 0 and (cfg["good"], cfg["try"], cfg["left"]) ==
          ("V1", "V2", "2"), "V2 is armed", out + err)
    check("tool V1\npre V1 V2\n" in out,
          "pre ran in the running version", out)
    check("tool V2\ngrown here\nPackage: app\nVersion: V2\n" in out,
          "post ran in the new one, with this host's state", out)
    check(os.path.exists(disk.state("/var/lib/app/post")),
          "what post wrote to state is there")
    check([n for n in disk.names() if n.startswith("V4") or ".new" in n] ==
          [], "what V4 left is gone", disk.names())
    want = {"/usr/bin/tool": "tool V2\n", "/etc/app.conf": "port = 2\n",
            "/etc/app.conf.edeploy-new": "port = 1\nnew in V2\n",
            "/etc/both.conf": None, "/etc/mine.conf": "mine\n",
            "/etc/same.conf": "the same, edited\n",
            "/etc/both.conf.edeploy-new": "both V2\n",
            "/etc/fstab": "UUID=mine / ext4 defaults 0 1\n",
            "/etc/hostname": "host7\n",
            "/usr/sbin/edeploy": "the command of this host\n",
            "/var/lib/dpkg/status": "Package: app\nVersion: V2\n"}
    for path, text in want.items():
        check(disk.get("V2", path) == text, f"{path} is as it must be",
              disk.get("V2", path))
    check("svc2" in disk.get("V2", "/etc/passwd") and
          "svc1" not in disk.get("V2", "/etc/passwd") and
          "me:x:1000" in disk.get("V2", "/etc/passwd"),
          "accounts are merged by line", disk.get("V2", "/etc/passwd"))
    conf = disk.get("V2", "/var/lib/edeploy/conf")
    check("VERS=V2\n" in conf and "MACHINE=7\n" in conf, "conf", conf)
    check("edeploy prove --wait" in
          (disk.get("V2", "/usr/lib/systemd/system/sysinit.target.wants/"
                    "edeploy-prove.service") or ""), "health is looked at")
    one, two = (os.stat(disk.root(v, "/usr/lib/same.so")).st_ino
                for v in ("V1", "V2"))
    check(one == two, "what is equal is on the disk once")
    one, two = (os.stat(disk.root(v, "/etc/same.conf")).st_ino
                for v in ("V1", "V2"))
    check(one != two, "but nothing in /etc")
    check(disk.get("V1", "/etc/app.conf") == "port = 2\n" and
          disk.get("V1", "/usr/bin/tool") == "tool V1\n",
          "the running version is as it was")
    check(disk.get("V2", "/../V2.grub").splitlines() == [
        "set ed_kernel='/edeploy/roots/V2/boot/vmlinuz-6.1.2'",
        "set ed_initrd='/edeploy/roots/V2/boot/initrd.img-6.1.2'",
        "set ed_args='console=ttyS0 quote='\\''x'\\'''"],
        "it starts with this machine's arguments",
        disk.get("V2", "/../V2.grub"))
    code, out, err = disk.call("verify")
    check(code == 0 and "V1: right" in out and "V2: right" in out,
          "both are right", out + err)


def rollback_and_again():
    code, out, err = disk.call("upgrade", "V2")
    check(code == 1 and "already: reboot" in err, "V2 is armed already", err)
    code, out, err = disk.call("rollback")
    check(code == 0 and disk.cfg()["try"] == "",
          "what was not started yet is taken back", out + err)
    code, answer = disk.json("upgrade", "V2")
    check(code == 0 and answer["version"] == "V2" and answer["at_boot"] and
          answer["from"] == "V1" and not answer["reboot"] and
          any(n["path"] == "etc/app.conf" for n in answer["notes"]),
          "the same again, as json", answer)
    disk.prove()
    code, status = disk.json("status")
    check((status["good"], status["previous"]) == ("V2", "V1"),
          "proved", status)
    code, out, err = disk.call("upgrade", "V1")
    check(code == 1 and "edeploy rollback" in err,
          "the version before is not fetched", err)
    code, out, err = disk.call("rollback")
    check(code == 0 and disk.cfg()["try"] == "V1" and
          disk.cfg()["good"] == "V2", "the way back is tried, too",
          out + err)
    check(disk.call("rollback")[0] == 0 and disk.cfg()["try"] == "",
          "and can be taken back")


def strict():
    put(disk.root("V2", "/etc/ssh/ssh_host_rsa_key"), "key\n")
    put(disk.root("V2", "/etc/mine.conf"), "mine\n", 0o640)
    code, out, err = disk.call("upgrade", "V5", "--strict")
    check(code == 0 and "etc/mine.conf:\n    brought by no version: it stays "
          "behind\n" in out, "strict tells what stays behind", out + err)
    check(disk.get("V5", "/etc/mine.conf") is None and
          disk.get("V5", "/etc/ssh/ssh_host_rsa_key") == "key\n" and
          disk.get("V5", "/etc/hostname") == "host7\n" and
          disk.get("V5", "/etc/app.conf") == "port = 2\n",
          "but not what is the machine's own, nor edits")
    check(disk.call("rollback")[0] == 0, "taken back")


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
        check(code == 0 and cfg["good"] == "V2" and cfg["try"] in ("", "V5"),
              f"killed after {ms} ms: {cfg['try'] or 'V2 alone'}", out + err)
        if cfg["try"]:
            disk.call("rollback")
    print("#", seen)
    code, out, err = disk.call("upgrade", "V5")
    check(code == 0 and disk.get("V5", "/usr/bin/tool") == "tool V5\n" and
          disk.get("V5", "/etc/mine.conf") == "mine\n",
          "and the same command ends well", out + err)
    disk.call("rollback")


def damage():
    path = disk.root("V1", "/usr/bin/tool")
    put(path, "tool X1\n", 0o755)
    code, out, err = disk.call("rollback")
    check(code == 1 and "V1 is damaged in 1 files" in err and
          "usr/bin/tool" in err and disk.cfg()["try"] == "",
          "nobody goes back to a damaged version", err)
    code, answer = disk.json("verify", "V1")
    check(code == 1 and answer["damaged"] == 1 and
          {"version": "V1", "kind": "damaged", "path": "usr/bin/tool",
           "what": "content"} in answer["differences"],
          "verify finds it", answer)
    code, out, err = disk.call("verify", "V1", "--fix")
    check(code == 0 and "V1: 1 file mended" in out and
          disk.get("V1", "/usr/bin/tool") == "tool V1\n" and
          disk.get("V1", "/etc/app.conf") == "port = 2\n",
          "and mends it, and nothing else", out + err)
    put(disk.root("V1", "/usr/sbin/edeploy"), "another\n", 0o755)
    code, out, err = disk.call("verify", "V1")
    check(code == 1 and "damaged   usr/sbin/edeploy" in out,
          "what edeploy added is looked at, too", out + err)
    put(disk.root("V1", "/usr/bin/stranger"), "?\n")
    code, out, err = disk.call("verify", "V2", "--strangers")
    check(code == 0 and "stranger  usr" not in out, "no strangers in V2",
          out)
    code, out, err = disk.call("verify", "V1", "--strangers")
    check("stranger  usr/bin/stranger" in out, "a stranger is named", out)


def serials():
    code, out, err = disk.call("upgrade", "V5")
    check(code == 0 and "wants a reboot" in err and
          disk.cfg()["try"] == "V5", "post can ask for a reboot", out + err)
    disk.prove()
    # as who proves a version does, while it removes another
    other = subprocess.Popen(["flock", disk.top + "/edeploy/lock", "sleep",
                              "2"])
    time.sleep(0.5)
    code, out, err = disk.call("gc")
    check(code == 0 and other.poll() is not None,
          "another edeploy is waited for", out + err)
    other.wait()
    check(code == 0 and
          not [n for n in disk.names() if n.startswith("V1")],
          "two versions back goes", disk.names())
    check([n for n in disk.names() if n.startswith("V2")] != [],
          "one back stays")
    code, out, err = disk.call("upgrade", "V1")
    check(code == 1 and "--allow-downgrade" in err and
          disk.cfg()["try"] == "", "older ones are refused", err)
    code, out, err = disk.call("upgrade", "V1", "--allow-downgrade")
    check(code == 0 and disk.cfg()["try"] == "V1",
          "and taken when told", out + err)
    check(disk.get("V1", "/etc/app.conf") == "port = 2\n",
          "edits come along", disk.get("V1", "/etc/app.conf"))
    code, answer = disk.json("history")
    rows = [(r["action"], r["from"], r["to"]) for r in answer["history"]]
    check(("upgrade", "V1", "V2") in rows and ("upgrade", "V5", "V1") in rows
          and ("rollback", "V2", "V1") in rows, "history", rows)
    put(disk.top + "/edeploy/log", "2026-11-21T12:00:00Z V1 failed: no init\n")
    code, out, err = disk.call("status")
    check("fell      V1  2026-11-21T12:00\n          failed: no init" in out
          and max(map(len, out.splitlines())) <= 80, "why it fell", out)
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
    check(code == 1 and ("room" in err or "space" in err), "no room", err)
    check(disk.cfg() == before, "and what boots is what booted")
    os.unlink(disk.top + "/fill")


def main():
    try:
        make_site()
        look()
        refusals()
        pre_and_post_fail()
        upgrade()
        rollback_and_again()
        strict()
        killed()
        damage()
        serials()
        no_room()
    finally:
        disk.close()
    return lab.end()


sys.exit(main())
