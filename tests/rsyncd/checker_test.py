#!/usr/bin/env python3
"""checker_test.py EDEPLOYCTL: what edeployctl publishes is what docs/formats.md
says, by check_version.py and check_more.py, written from that text alone; and
what is damaged is not. Prints TAP."""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import shelf_lab as lab  # noqa: E402
from shelf_lab import check  # noqa: E402

DIR = tempfile.mkdtemp(prefix="checker_test.")
KEY = f"{DIR}/key"
ctl = lab.Ctl(os.path.abspath(sys.argv[1]), f"{DIR}/top", KEY)


def judge(role, version, trees=None):
    p = subprocess.run([sys.executable, f"{HERE}/check_more.py",
                        trees or ctl.trees(), role, version, KEY + ".pub"],
                       capture_output=True, text=True)
    return p.returncode, p.stdout + p.stderr


def publish():
    subprocess.run([ctl.program, "key", KEY], check=True, capture_output=True)
    base = lab.make_tree(f"{DIR}/base")
    later = lab.next_tree(base, f"{DIR}/later")
    lab.put(f"{later}/mysql", lab.noise(5, 200000))
    os.mkdir(f"{DIR}/none")
    for role, version, tree, *more in (
            ("base", "1", base), ("base", "2", later),
            ("mysql", "1", later, "--on", "base"),
            ("none", "1", f"{DIR}/none")):
        code, _, err = ctl.run("publish", role, version, tree, *more)
        check(f"{role} {version} is published", code == 0, err)


def test_good():
    for role, version in (("base", "1"), ("base", "2"), ("mysql", "1"),
                          ("none", "1")):
        code, said = judge(role, version)
        check(f"{role} {version} is good", code == 0 and "good" in said, said)
    code, _, err = ctl.run("repack", "base", "2")
    check("packed again", code == 0, err)
    code, said = judge("base", "2")
    check("and good again", code == 0 and "good" in said, said)
    names = os.listdir(ctl.trees("base", "2"))
    for kind in "full-", "from-1-", "marks-", "manifest-", "seal-":
        check(f"the version has a {kind}",
              any(n.startswith(kind) for n in names), names)


def live(role, version):
    """The files that its live seal names, with HEAD and seal."""
    folder = ctl.trees(role, version)
    head = dict(x.split() for x in open(f"{folder}/HEAD"))
    seal = f"{folder}/seal-{head['seal']}"
    words = [x.split() for x in open(seal)]
    return [f"{folder}/HEAD", seal] + [
        ctl.trees(x[1]) for x in words
        if x[0] in ("manifest", "full", "delta", "marks")]


def test_damage():
    for path in live("base", "2"):
        name = os.path.basename(path)[:14]
        good = open(path, "rb").read()
        for at in (len(good) // 3, len(good) - 2):
            bad = bytearray(good)
            bad[at] ^= 1
            open(path, "wb").write(bad)
            code, said = judge("base", "2")
            check(f"{name}, byte {at} changed, is found", code != 0, said)
        open(path, "wb").write(good[:-1])
        code, said = judge("base", "2")
        check(f"{name}, cut by a byte, is found", code != 0, said)
        open(path, "wb").write(good)
    code, said = judge("base", "2")
    check("put back, it is good", code == 0, said)


def test_exchange():
    shutil.copytree(ctl.trees(), f"{DIR}/other")
    shutil.copy(f"{DIR}/other/base/1/HEAD", f"{DIR}/other/base/2/HEAD")
    code, said = judge("base", "2", f"{DIR}/other")
    check("the HEAD of another version is found", code != 0, said)


publish()
test_good()
test_damage()
test_exchange()
lab.remove(DIR)
sys.exit(lab.end())
