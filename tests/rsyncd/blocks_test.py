#!/usr/bin/env python3
"""blocks_test.py EDEPLOYCTL: where the file system can share blocks (btrfs,
xfs), a version beside another costs what differs, and so does a published
view; and what is shared so is not changed with the other. Prints TAP."""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, f"{HERE}/../../setup"]
import debs  # noqa: E402
import shelf_lab as lab  # noqa: E402
from shelf_lab import check, put  # noqa: E402

DIR = tempfile.mkdtemp(prefix="blocks.")
PROGRAM = os.path.abspath(sys.argv[1])
MIB = 1 << 20
SIZE = 24 * MIB  # of the file that stays as it is
SYSTEMS = {"btrfs": ["btrfs-progs"],
           "xfs": ["xfsprogs", "liburcu8", "libinih1"]}


def missing(system):
    """What a test of it lacks here, or None."""
    with open("/proc/filesystems") as f:
        known = system in f.read().split()
    if not lab.ROOT or not known or not os.path.exists("/dev/loop-control"):
        return f"root, a kernel with {system}, and loop devices"
    try:
        if not shutil.which(f"mkfs.{system}"):
            debs.unpack(SYSTEMS[system], f"{DIR}/{system}.tools")
    except debs.Failed as e:
        return str(e)
    return None


def make(system, where):
    """A file system of its own; its programs need not be installed."""
    tools = f"{DIR}/{system}.tools"
    env = {**debs.ENV, "PATH": f"{tools}/sbin:{debs.ENV['PATH']}",
           "LD_LIBRARY_PATH": ":".join(f"{tools}/{d}" for d in debs.LIB_DIRS)}
    with open(f"{where}.img", "wb") as f:
        f.truncate(500 * MIB)
    subprocess.run([f"mkfs.{system}", "-q", f"{where}.img"], check=True,
                   env=env, stdout=subprocess.DEVNULL)
    os.mkdir(where)
    subprocess.run(["mount", "-o", "loop", f"{where}.img", where], check=True)


def used(where):
    """Bytes, once all is on the disk."""
    fd = os.open(where, os.O_RDONLY)
    os.sync()
    try:
        st = os.fstatvfs(fd)
    finally:
        os.close(fd)
    return (st.f_blocks - st.f_bfree) * st.f_frsize


def pull(ctl, version, into, *more):
    """(what it says, how many bytes the disk has less)"""
    before = used(os.path.dirname(into))
    said = ctl.json("pull", "big", version, into, *more)
    return said, used(os.path.dirname(into)) - before


class Pull(lab.Ctl):
    """Pulls from the trees of another one."""

    def __init__(self, shelf):
        super().__init__(PROGRAM, None)
        self.more = ["--from", shelf.trees(), "--trust", shelf.key + ".pub"]

    def run(self, *argv, key=True, **more):
        p = subprocess.run([self.program, *argv, *self.more],
                           capture_output=True, text=True, **more)
        return p.returncode, p.stdout, p.stderr


def test_pull(system, where, shelf):
    ctl = Pull(shelf)
    pull(ctl, "V1", f"{where}/a")
    for share, most in (("reflink", 4 * MIB), ("copy", 40 * MIB)):
        into = f"{where}/{share}"
        said, cost = pull(ctl, "V2", into, "--base", f"{where}/a", "--share",
                          share)
        check(f"{system}, {share}: it is whole",
              lab.same(shelf.view("big", "V2"), into) == "",
              lab.same(shelf.view("big", "V2"), into))
        check(f"{system}, {share}: {cost / MIB:.1f} MB of the disk",
              (said["shared"] > 10) == (share == "reflink") and
              (cost > SIZE) == (share == "copy") and cost < most, said)
    with open(f"{where}/reflink/usr/steady", "r+b") as f:
        f.write(b"somebody writes into the new one")
    check(f"{system}: the old one stays as it was",
          lab.same(shelf.view("big", "V1"), f"{where}/a") == "",
          lab.same(shelf.view("big", "V1"), f"{where}/a"))


def test_publish(system, where, tree):
    """The view shares the blocks of the folder that it was made from."""
    subprocess.run(["cp", "-a", tree, f"{where}/built"], check=True)
    ctl = lab.Ctl(PROGRAM, f"{where}/top", f"{DIR}/key")
    before = used(where)
    said = ctl.json("publish", "big", "V1", f"{where}/built")
    cost = used(where) - before - said["packed"]
    check(f"{system}: a view takes {cost / MIB:.1f} MB", cost < 6 * MIB, said)
    put(f"{where}/built/usr/steady", "the builder goes on")
    check(f"{system}: and is its own",
          ctl.run("fsck", "big", "--key", f"{DIR}/key.pub")[0] == 0,
          ctl.run("fsck", "big"))


def main():
    subprocess.run([PROGRAM, "key", f"{DIR}/key"], check=True,
                   capture_output=True)
    shelf = lab.Ctl(PROGRAM, f"{DIR}/top", f"{DIR}/key")
    one, two = f"{DIR}/one", f"{DIR}/two"
    lab.make_tree(one, 20)
    put(f"{one}/usr/steady", lab.noise(7, SIZE))
    shelf.json("publish", "big", "V1", one)
    shelf.json("publish", "big", "V2", lab.next_tree(one, two))
    for system in SYSTEMS:
        lacks = missing(system)
        if lacks:
            check(f"{system} # SKIP needs {lacks}", True)
            continue
        where = f"{DIR}/{system}"
        make(system, where)
        try:
            test_pull(system, where, shelf)
            test_publish(system, where, one)
        finally:
            subprocess.run(["umount", where], check=True)
    return lab.end()


try:
    code = main()
finally:
    lab.remove(DIR)
sys.exit(code)
