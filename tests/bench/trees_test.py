#!/usr/bin/env python3
"""trees_test.py: the bench sees what is wrong with a tree, whatever it is, and
compares only what it measures. Prints TAP."""
import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
sys.dont_write_bytecode = True
import trees_check  # noqa: E402
import trees_floors  # noqa: E402
from tap import check, end  # noqa: E402


def program(name):
    """A program beside us, as a module."""
    loader = importlib.machinery.SourceFileLoader(name, f"{HERE}/{name}")
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


def plant(top):
    os.makedirs(f"{top}/etc/deep")
    for name, text in (("etc/a", "one"), ("etc/b", "two"), ("big", "x" * 99)):
        with open(f"{top}/{name}", "w") as f:
            f.write(text)
    os.link(f"{top}/etc/a", f"{top}/etc/twin")
    os.symlink("a", f"{top}/etc/link")
    os.mkfifo(f"{top}/pipe")


def rewrite(path, text):
    """Other bytes of the same number and time."""
    s = os.stat(path)
    with open(path, "r+") as f:
        f.write(text)
    os.utime(path, ns=(s.st_atime_ns, s.st_mtime_ns))


def replace(path, make):
    s = os.lstat(path)
    os.unlink(path)
    make(path)
    os.utime(path, ns=(s.st_atime_ns, s.st_mtime_ns), follow_symlinks=False)


def untwin(path):
    def make(p):
        with open(p, "w") as f:
            f.write("one")
    replace(path, make)


# what is done to a copy, which line must then be among the differences
SPOILT = (
    ("a byte", lambda t: rewrite(f"{t}/big", "y"), "big: content"),
    ("a size", lambda t: open(f"{t}/big", "a").write("z"), "big: size"),
    ("a mode", lambda t: os.chmod(f"{t}/etc/b", 0o600), "etc/b: mode"),
    ("a nanosecond", lambda t: os.utime(f"{t}/etc/b", ns=(1, 10**9 + 1)),
     "etc/b: mtime"),
    ("a folder's time", lambda t: os.utime(f"{t}/etc/deep", ns=(1, 2)),
     "etc/deep: mtime"),
    ("the top's mode", lambda t: os.chmod(t, 0o700), ".: mode"),
    ("a link's text", lambda t: replace(
        f"{t}/etc/link", lambda p: os.symlink("b", p)), "etc/link: link"),
    ("a file that is missing", lambda t: os.unlink(f"{t}/etc/b"),
     "etc/b: missing"),
    ("a file too many", lambda t: open(f"{t}/etc/more", "w").close(),
     "etc/more: not in the tree"),
    ("a hard link that is none", lambda t: untwin(f"{t}/etc/twin"),
     "etc/twin: hard link"),
    ("a file for a pipe", lambda t: replace(
        f"{t}/pipe", lambda p: open(p, "w").close()), "pipe: type"),
    ("an owner", lambda t: os.chown(f"{t}/etc/b", 7, -1), "etc/b: uid"),
    ("a group", lambda t: os.chown(f"{t}/etc/link", -1, 7,
                                   follow_symlinks=False), "etc/link: gid"),
    ("an attribute", lambda t: os.setxattr(
        f"{t}/etc/b", "security.capability", bytes.fromhex(
            "0100000200200000000000000000000000000000")), "etc/b: xattrs"),
    ("a device", lambda t: replace(
        f"{t}/null", lambda p: os.mknod(p, 0o020666, os.makedev(1, 5))),
     "null: device"),
)
ROOTS = 4  # the last of them need root


def trees(work):
    plant(f"{work}/tree")
    if os.geteuid() == 0:
        os.mknod(f"{work}/tree/null", 0o020666, os.makedev(1, 3))
    want = trees_check.scan(f"{work}/tree")
    rows = SPOILT if os.geteuid() == 0 else SPOILT[:-ROOTS]
    for n, (what, spoil, line) in enumerate(rows):
        copy = f"{work}/copy{n}"
        subprocess.run(["cp", "-a", f"{work}/tree", copy], check=True)
        same = list(trees_check.differences(want, trees_check.scan(copy)))
        spoil(copy)
        found = list(trees_check.differences(want, trees_check.scan(copy)))
        check(f"seen: {what}",
              not same and any(d.startswith(line) for d in found),
              f"{same}\n{found}")


def floors():
    names = {program("trees").name_of(c) for c in program("trees").CASES}
    strange = [row[0] for row in trees_floors.FLOORS
               if row[1] not in names | {"publish"}]
    check("each floor is of a case that is measured", not strange, strange)
    rows = {"a": {"x": {"wall_s": 3.0}, "y": {"wall_s": 2.0}}}
    for want, args in ((1.5, ("a", "wall_s", "x", "y")),
                       (3.0, ("a", "wall_s", "x", "-")),
                       (None, ("a", "wall_s", "x", "z")),
                       (None, ("b", "wall_s", "x", "y"))):
        got = trees_floors.seen(rows, *args)
        check(f"{' '.join(args)} is {want}", got == want, got)


with tempfile.TemporaryDirectory() as work:
    trees(work)
floors()
sys.exit(end())
