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


# version 2: the owner, user 1234, the group, the mask and all others
ACL = bytes.fromhex("02000000" "01000700ffffffff" "02000700d2040000"
                    "04000500ffffffff" "10000700ffffffff" "20000500ffffffff")


def test_acl():
    """Whoever keeps the shelf gave somebody a right to all that is made there:
    that is no part of the tree."""
    mine = lab.Ctl(PROGRAM, f"{DIR}/acl", KEY)
    os.mkdir(mine.top)
    try:
        os.setxattr(mine.top, "system.posix_acl_default", ACL)
    except OSError:
        check("ACLs # SKIP none on this file system", True)
        return
    mine.json("publish", ROLE, "V1", f"{DIR}/one")
    differs = lab.same(f"{DIR}/one", mine.view(ROLE, "V1"))
    check("an ACL that the shelf inherits is in no view", not differs, differs)
    code, out, err = mine.run("fsck", ROLE, "--key", KEY + ".pub")
    check("which is what was published", code == 0, out + err)


def test_waiting():
    """A seal may be at the host with the key while another is made here."""
    mine = lab.Ctl(PROGRAM, f"{DIR}/waiting", None)
    mine.json("publish", ROLE, "V1", f"{DIR}/one", "--unsigned")
    folder = mine.trees(ROLE, "V1")
    first, = (n for n in os.listdir(folder) if n.endswith(".unsigned"))
    mine.json("repack", ROLE, "V1", "--unsigned")
    there = f"{DIR}/at the key/trees/{ROLE}/V1"
    os.makedirs(there)
    subprocess.run(["cp", f"{folder}/{first}", there], check=True)
    mine.json("gc")
    check("gc leaves an older seal that waits", first in os.listdir(folder),
          os.listdir(folder))
    lab.Ctl(PROGRAM, f"{DIR}/at the key", KEY).json("seal", ROLE, "V1")
    for part in ("--exclude=HEAD", "--include=*"):
        subprocess.run(["rsync", "-ac", "--exclude=.lock", part,
                        f"{DIR}/at the key/trees/", mine.trees()], check=True)
    code, out, err = mine.run("fsck", ROLE, "--key", KEY + ".pub")
    check("with all that it names: it is live when it comes back",
          code == 0 and mine.json("versions", ROLE)[0]["state"] ==
          "live, a better one unsigned", out + err)
    mine.key = KEY
    mine.json("seal", ROLE, "V1")
    mine.json("gc", "--now")
    check("and goes when the newer one is signed",
          first not in os.listdir(folder) and
          mine.run("fsck", ROLE, "--key", KEY + ".pub")[0] == 0,
          os.listdir(folder))


def spoil(path):
    with open(path, "r+b") as f:
        f.seek(50)
        f.write(b"!")


def test_remedy():
    """What the manual says to do about a seal or manifest that is damaged:
    nothing that other versions stand on is lost by that."""
    mine = lab.Ctl(PROGRAM, f"{DIR}/remedy", KEY)
    mine.json("publish", ROLE, "V1", f"{DIR}/one")
    tree = next_tree("six", ("usr/new", b"new\n"))
    mine.json("publish", ROLE, "V2", tree)
    for n, (version, what) in enumerate((("V1", "seal-"), ("V3", "manifest-"))):
        folder = mine.trees(ROLE, version)
        name, = (x for x in os.listdir(folder) if x.startswith(what))
        spoil(f"{folder}/{name}")
        check(f"a damaged {what[:-1]}: nothing is published",
              mine.run("publish", ROLE, f"V{n + 3}", tree)[0] == 1)
        for name in os.listdir(folder):
            if name == "HEAD" or name.startswith("seal-"):
                os.unlink(f"{folder}/{name}")
        if version == "V3":
            said = mine.say("gc", "--now")
            check("gc says what to do first", f"{ROLE}/HEAD names V3" in said
                  and "publish the next version first" in said, said)
        mine.json("publish", ROLE, f"V{n + 3}", mine.view(ROLE, version))
        code, out, err = mine.run("fsck", ROLE, "--key", KEY + ".pub")
        check("the remedy: its view, published under a new version",
              code == 0, out + err)
    mine.json("gc", "--now")
    check("gc keeps what they stand on",
          mine.run("fsck", ROLE, "--key", KEY + ".pub")[0] == 0)


def test_own_file_system():
    """A view that lies on another file system than the others."""
    if not lab.ROOT:
        check("mounts # SKIP only root can make one", True)
        return
    mine = lab.Ctl(PROGRAM, f"{DIR}/apart", KEY)
    mine.json("publish", ROLE, "V1", f"{DIR}/one")
    where = f"{mine.top}/install/V2"
    os.mkdir(where)
    subprocess.run(["mount", "-t", "tmpfs", "publish_odd", where], check=True)
    try:
        subprocess.run(["cp", "-a", f"{DIR}/one", f"{where}/{ROLE}"],
                       check=True)
        os.mkdir(f"{where}/{ROLE}/proc")
        subprocess.run(["mount", "-t", "tmpfs", "publish_odd",
                        f"{where}/{ROLE}/proc"], check=True)
        said = mine.say("publish", ROLE, "V2", f"{where}/{ROLE}")
        subprocess.run(["umount", f"{where}/{ROLE}/proc"], check=True)
        check("a tree in which something is mounted is refused",
              f"{where}/{ROLE}/proc: something else is mounted" in said and
              "unmount it" in said, said)
        mine.json("publish", ROLE, "V2", f"{where}/{ROLE}")
        code, out, err = mine.run("fsck", ROLE, "--key", KEY + ".pub")
        check("a view on a file system of its own is published in its place",
              code == 0, out + err)
    finally:
        subprocess.run(["umount", where], check=True)


def main():
    subprocess.run([PROGRAM, "key", KEY], check=True, capture_output=True)
    lab.make_tree(f"{DIR}/one", 20)
    test_version()
    test_gone()
    test_ids()
    test_mounts()
    test_background()
    test_metadata()
    test_acl()
    test_waiting()
    test_remedy()
    test_own_file_system()
    return lab.end()


try:
    code = main()
finally:
    lab.remove(DIR)
sys.exit(code)
