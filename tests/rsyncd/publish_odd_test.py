#!/usr/bin/env python3
"""publish_odd_test.py EDEPLOYCTL: what should not happen to a shelf, and does:
names that look like leftovers, files that went, users behind links, folders
with something mounted in them, packing that is killed. Prints TAP."""
import os
import subprocess
import sys
import tempfile
import time

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
    check("what is swept away is no version",
          [v["version"] for v in ctl.json("versions", ROLE)]
          == ["V2", "HEAD.new.aB3dEf"] and not os.path.exists(left),
          ctl.run("versions", ROLE))


def test_gone():
    """A file that the delta would be made from went away."""
    path = f"{ctl.view(ROLE, 'V2')}/usr/lib"
    was = os.stat(path)
    os.rename(f"{path}/big.so", f"{DIR}/big.so")
    tree = next_tree("three", ("usr/lib/big.so", lab.noise(1, 1400000)))
    code, _, err = ctl.run("publish", ROLE, "V3", tree, "--deltas", "1")
    os.rename(f"{DIR}/big.so", f"{path}/big.so")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    check("a file that is gone makes no delta",
          code == 0 and "no delta from V2: usr/lib/big.so" in err, err)
    check("and no other harm", fsck()[0] == 0, fsck()[1])


def test_ids():
    """The names are behind a link: nobody can tell what they mean."""
    tree = next_tree("four")
    os.rename(f"{tree}/etc/passwd", f"{tree}/usr/passwd")
    os.symlink("../usr/passwd", f"{tree}/etc/passwd")
    said = ctl.say("publish", ROLE, "V4", tree)
    check("users behind a link are refused", "etc/passwd is a link" in said,
          said)
    check("unless that is meant",
          ctl.run("publish", ROLE, "V4", tree, "--new-ids")[0] == 0)


def test_metadata():
    """What a role says of the ways to its version; a link says nothing."""
    tree = next_tree("own", ("var/lib/edeploy/V6/exclude", "/custom\n"),
                     ("var/lib/edeploy/V6/add_only", ""),
                     ("var/lib/edeploy/V7/exclude", "/of another version\n"))
    os.unlink(f"{tree}/var/lib/edeploy/V6/add_only")
    os.symlink("/etc/passwd", f"{tree}/var/lib/edeploy/V6/add_only")
    older = [v["version"] for v in ctl.json("versions", ROLE)]
    way, theirs = (f"{ctl.top}/metadata/{v}/{ROLE}/V6" for v in older[:2])
    os.makedirs(theirs)
    put(f"{theirs}/exclude", "/a person's\n")
    ctl.json("publish", ROLE, "V6", tree)
    check("a role's own metadata", open(f"{way}/exclude").read()
          == "/custom\n", os.listdir(way))
    check("but through no link", open(f"{way}/add_only").read()
          == "+ /var/\n+ /var/**\n- *\n")
    check("and not over a person's",
          open(f"{theirs}/exclude").read() == "/a person's\n" and
          os.path.exists(f"{theirs}/add_only"))


def test_mounts():
    """Somebody works in an old view: it is not taken from under him."""
    if not lab.ROOT:
        check("mounts # SKIP only root can make one", True)
        return
    view = ctl.view(ROLE, "V3")
    for where in (f"{view}/tmp", view):
        subprocess.run(["mount", "--bind", f"{view}/etc", where], check=True)
        said = ctl.say("gc", "--keep", "1", "--now")
        subprocess.run(["umount", where], check=True)
        check(f"gc leaves {os.path.basename(where)} that is mounted on",
              f"{where} is mounted in a view" in said, said)
    check("and nothing is missing", fsck()[0] == 0, fsck()[1])
    ctl.json("gc", "--keep", "1", "--now")
    check("after that it goes",
        not os.path.exists(view) and [
        v["version"] for v in ctl.json("versions", ROLE)] == ["V4"],
          ctl.run("versions", ROLE))


def head(version):
    """{word: value} of its HEAD, {} as long as there is none."""
    try:
        with open(ctl.trees(ROLE, version, "HEAD")) as f:
            return dict(line.split(" ", 1) for line in f)
    except FileNotFoundError:
        return {}


def pulls(version):
    """What is different after a pull of it, "" when nothing."""
    into = f"{DIR}/pulled"
    p = subprocess.run([PROGRAM, "pull", ROLE, version, into, "--from",
                        ctl.trees(), "--trust", KEY + ".pub"],
                       capture_output=True, text=True)
    differs = p.stderr if p.returncode else \
        lab.same(ctl.view(ROLE, version), into)
    lab.remove(into)
    lab.remove(into + ".edeploy")
    return differs


def is_nice(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[16] == "19"


def start_packing(version, tree):
    """publish --repack, as soon as it packs what it has sealed; whether it
    stepped back for others then."""
    p = subprocess.Popen([PROGRAM, "publish", ROLE, version, tree, "--top",
                          ctl.top, "--key", KEY, "--repack"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    nice = False
    while p.poll() is None and not nice:
        nice = head(version) != {} and is_nice(p.pid)
        time.sleep(0.002)
    return p, nice


def test_background():
    """The first seal is live while the second is being made, and stays so when
    that is killed."""
    tree = next_tree("five", ("usr/share/book", lab.text(5, 2500000)))
    p, nice = start_packing("V5", tree)
    differs = pulls("V5")
    check("packing goes on behind a seal that is live",
          p.poll() is None and nice and head("V5")["revision"] == "1\n",
          head("V5"))
    check("which clients take", differs == "", differs)
    p.kill()
    p.wait()
    check("killed: the first seal stays",
          head("V5")["revision"] == "1\n" and pulls("V5") == "", head("V5"))
    first = int(ctl.json("versions", ROLE)[0]["packed"])
    said = ctl.json("publish", ROLE, "V5", tree, "--repack")
    check("again: the better one",
          head("V5")["revision"] == "2\n" and pulls("V5") == "", said)
    better = int(ctl.json("versions", ROLE)[0]["packed"])
    check("which is smaller", better < first, (first, better))
    check("and nothing is left over",
          ctl.run("gc", "--now")[0] == 0 and fsck()[0] == 0 and
          len(os.listdir(ctl.trees(ROLE, "V5"))) < 7,
          os.listdir(ctl.trees(ROLE, "V5")))


def main():
    subprocess.run([PROGRAM, "key", KEY], check=True, capture_output=True)
    lab.make_tree(f"{DIR}/one", 20)
    test_version()
    test_gone()
    test_ids()
    test_mounts()
    test_background()
    test_metadata()
    return lab.end()


try:
    code = main()
finally:
    lab.remove(DIR)
sys.exit(code)
