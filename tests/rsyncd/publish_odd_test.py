#!/usr/bin/env python3
"""publish_odd_test.py EDEPLOYCTL: what should not happen to a shelf, and does:
names that look like leftovers, files that went, users behind links, folders
with something mounted in them. Prints TAP."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import shelf_lab as lab  # noqa: E402
from shelf_lab import check, put  # noqa: E402

DIR = tempfile.mkdtemp(prefix="publish_odd.")
PROGRAM = os.path.abspath(sys.argv[1])
KEY = f"{DIR}/key"
ROLE = "odd"
ctl = lab.Ctl(PROGRAM, f"{DIR}/top", KEY)


def fsck():
    return ctl.run("fsck", ROLE, "--key", KEY + ".pub")


def next_tree(name, *changes):
    """The first tree with other files."""
    tree = f"{DIR}/{name}"
    subprocess.run(["cp", "-a", f"{DIR}/one", tree], check=True)
    for path, bytes_ in changes:
        put(f"{tree}/{path}", bytes_)
    return tree


def test_version():
    """Called as what file_replace leaves beside a HEAD."""
    ctl.json("publish", ROLE, "HEAD.new.aB3dEf", f"{DIR}/one")
    left = ctl.trees(ROLE, "HEAD.new.aB3dEg")
    put(left, "half a HEAD")
    tree = next_tree("two", ("usr/lib/big.so", lab.noise(1, 1300000)))
    ctl.json("publish", ROLE, "V2", tree)
    check([v["version"] for v in ctl.json("versions", ROLE)]
          == ["V2", "HEAD.new.aB3dEf"] and not os.path.exists(left),
          "what is swept away is no version", ctl.run("versions", ROLE))


def test_gone():
    """A file that the delta would be made from went away."""
    path = f"{ctl.view(ROLE, 'V2')}/usr/lib"
    was = os.stat(path)
    os.rename(f"{path}/big.so", f"{DIR}/big.so")
    tree = next_tree("three", ("usr/lib/big.so", lab.noise(1, 1400000)))
    code, _, err = ctl.run("publish", ROLE, "V3", tree, "--deltas", "1")
    os.rename(f"{DIR}/big.so", f"{path}/big.so")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    check(code == 0 and "no delta from V2: usr/lib/big.so" in err,
          "a file that is gone makes no delta", err)
    check(fsck()[0] == 0, "and no other harm", fsck()[1])


def test_ids():
    """The names are behind a link: nobody can tell what they mean."""
    tree = next_tree("four")
    os.rename(f"{tree}/etc/passwd", f"{tree}/usr/passwd")
    os.symlink("../usr/passwd", f"{tree}/etc/passwd")
    said = ctl.say("publish", ROLE, "V4", tree)
    check("etc/passwd is a link" in said, "users behind a link are refused",
          said)
    check(ctl.run("publish", ROLE, "V4", tree, "--new-ids")[0] == 0,
          "unless that is meant")


def test_mounts():
    """Somebody works in an old view: it is not taken from under him."""
    if not lab.ROOT:
        check(True, "mounts # SKIP only root can make one")
        return
    view = ctl.view(ROLE, "V3")
    for where in (f"{view}/tmp", view):
        subprocess.run(["mount", "--bind", f"{view}/etc", where], check=True)
        said = ctl.say("gc", "--keep", "1", "--now")
        subprocess.run(["umount", where], check=True)
        check(f"{where} is mounted in a view" in said,
              f"gc leaves {os.path.basename(where)} that is mounted on", said)
    check(fsck()[0] == 0, "and nothing is missing", fsck()[1])
    ctl.json("gc", "--keep", "1", "--now")
    check(not os.path.exists(view) and [
        v["version"] for v in ctl.json("versions", ROLE)] == ["V4"],
        "after that it goes", ctl.run("versions", ROLE))


def main():
    subprocess.run([PROGRAM, "key", KEY], check=True, capture_output=True)
    lab.make_tree(f"{DIR}/one", 20)
    test_version()
    test_gone()
    test_ids()
    test_mounts()
    return lab.end()


try:
    code = main()
finally:
    lab.remove(DIR)
sys.exit(code)
