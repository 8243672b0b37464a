#!/usr/bin/env python3
"""publish_test.py EDEPLOYCTL: trees are published, sealed, compared and
cleaned by the real program. Prints TAP."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import shelf_lab as lab  # noqa: E402
from shelf_lab import check, put  # noqa: E402

DIR = tempfile.mkdtemp(prefix="publish_test.")
SOURCE = f"{os.path.dirname(os.path.abspath(__file__))}/../.."
PROGRAM = os.path.abspath(sys.argv[1])
KEY = f"{DIR}/key"
PUB = f"{DIR}/key.pub"
ctl = lab.Ctl(PROGRAM, f"{DIR}/top", KEY)


def inode(path):
    return os.lstat(path).st_ino


def seals(role, version):
    return sorted(n for n in os.listdir(ctl.trees(role, version))
                  if n.startswith("seal-"))


def fsck(*more):
    return ctl.run("fsck", "--key", PUB, *more)


def test_key():
    argv = [PROGRAM, "key", KEY]
    check("a key is made",
          subprocess.run(argv, capture_output=True).returncode == 0)
    check("and not made again over the first one",
          subprocess.run(argv, capture_output=True).returncode == 1)


def test_first(one):
    said = ctl.json("publish", "mysql", "V1", one)
    check("the first version is live",
          said["live"] and not said["already"] and said["serial"] == 1, said)
    check("all of it", said["entries"] == 1 + sum(
        len(d) + len(f) for _, d, f in os.walk(one)))
    names = sorted(os.listdir(ctl.trees("mysql", "V1")))
    check("its files",
          [re.sub("-.*", "", n) for n in names] ==
          ["HEAD", "full", "manifest", "marks", "seal"], names)
    check("the view for rsync is the tree",
          lab.same(one, ctl.view("mysql", "V1")) == "",
          lab.same(one, ctl.view("mysql", "V1")))
    check("the role's HEAD names it",
          open(ctl.trees("mysql", "HEAD")).read()
          == open(ctl.trees("mysql", "V1", "HEAD")).read())
    holes = os.stat(f"{ctl.view('mysql', 'V1')}/var/holes")
    check("holes stay holes", holes.st_blocks * 512 < holes.st_size)
    check("all is whole", fsck()[0] == 0, fsck()[1])


def test_again(one):
    before = lab.snapshot(ctl.trees())
    said = ctl.json("publish", "mysql", "V1", one)
    check("the same tree again is no news", said["already"] and said["live"])
    os.utime(f"{one}/bin/ls", (1.5e9, 1.5e9))
    said = ctl.json("publish", "mysql", "V1", one)
    check("nor with another time on a file", said["already"])
    put(f"{one}/etc/shadow", "root:!:1:\n", 0o600)
    said = ctl.say("publish", "mysql", "V1", one)
    check("another tree is refused, and the file named",
          "never changes" in said and "(etc/shadow)" in said, said)
    put(f"{one}/etc/shadow", "root:*:1:\n", 0o600)
    check("no byte was written", lab.snapshot(ctl.trees()) == before, "")


def test_next(one, two):
    lab.next_tree(one, two)
    said = ctl.json("publish", "mysql", "V2", two)
    v1, v2 = ctl.view("mysql", "V1"), ctl.view("mysql", "V2")
    check("the next version shares files",
          said["serial"] == 2 and 0 < said["reused"] < 700000 and
          said["linked"] > 500000, said)
    check("a file that changed its time only is the same file",
          inode(f"{v1}/bin/ls") == inode(f"{v2}/bin/ls"))
    for name in ("etc", "etc/mtab", "var/pipe"):
        check(f"{name} keeps its time",
              os.lstat(f"{v1}/{name}").st_mtime_ns
              == os.lstat(f"{v2}/{name}").st_mtime_ns)
    check("a folder with another name in it does not",
          os.lstat(f"{v2}/usr/share/f1").st_mtime == 1.6e9)
    check("nor does a file with other bytes",
          os.lstat(f"{v2}/usr/lib/big.so").st_mtime == 1.6e9)
    check("two files with the same bytes stay two",
          inode(f"{v2}/bin/twin1") != inode(f"{v2}/bin/twin2"))
    check("and two names of one stay one",
          inode(f"{v2}/bin/su") == inode(f"{v2}/bin/sulogin"))
    listed = {v["version"]: v for v in ctl.json("versions", "mysql")}
    check("there is a delta",
          [d["from"] for d in listed["V2"]["deltas"]] == ["V1"]
          and listed["V2"]["deltas"][0]["size"] < 400000, listed["V2"])
    check("it is the newest",
          listed["V2"]["state"] == "newest" and listed["V1"]["state"] == "live")
    for name in ("exclude", "add_only"):
        with open(f"{ctl.top}/metadata/V1/mysql/V2/{name}") as f, \
                open(f"{SOURCE}/rsyncd/metadata/{name}") as usual:
            check(f"the way there has the usual {name}",
                  f.read() == usual.read())
    check("all is whole", fsck()[0] == 0, fsck()[1])


def test_compare():
    d = ctl.json("diff", "mysql", "V1", "V2")
    files = {f["path"]: f for f in d["files"]}
    check("a package differs",
          d["packages"] == [{"package": "mariadb", "was": "10.11.6",
                             "is": "10.11.9"}],
          d["packages"])
    check("files that came, went, changed",
          files["usr/share/f1/new.txt"]["was"] is None
          and files["usr/share/f2/file2.txt"]["is"] is None
          and files["usr/share/f3/file3.txt"]["changes"] == ["mode", "time"]
          and files["usr/lib/big.so"]["changes"] == ["content", "time"], files)
    check("a time alone is no difference", "bin/ls" not in files)
    out = ctl.run("diff", "mysql", "V1", "V2")[1]
    check("for a person", "~ mariadb 10.11.6 -> 10.11.9" in out
          and "~ usr/share/f3/file3.txt: mode, time" in out, out)
    rows = ctl.json("why", "mysql", "/bin/sulogin")
    check("why a file is there",
          [(r["version"], r["type"], r["mode"], r["package"]) for r in rows]
          == [("V2", "hard link", "4755", None),
              ("V1", "hard link", "4755", None)], rows)
    rows = ctl.json("why", "mysql/V2", "bin/su")
    check("its package, in that version",
          len(rows) == 1 and rows[0]["package"] == "mariadb 10.11.9"
          and rows[0]["pack"] in ("mysql/V1", "mysql/V2"), rows)
    rows = ctl.json("why", "mysql/V2", "/sbin/su")
    check("through a link of the tree",
          len(rows) == 1 and rows[0]["path"] == "bin/su"
          and rows[0]["package"], rows)
    check("or that it is not", "no version of mysql has bin/nothing" in
          ctl.say("why", "mysql", "bin/nothing"))
    code, out, _ = ctl.run("ids", "mysql/V1")
    check("users and groups of a version",
          code == 0 and "mysql:x:105:112:" in out and "mysql:x:112:" in out,
          out)


def test_ids(one, two):
    ctl.json("publish", "ids", "V2", one)
    put(f"{two}/etc/passwd", lab.PASSWD.format(106))
    put(f"{two}/etc/group", lab.GROUP.format(113))
    before = lab.snapshot(ctl.top)
    said = ctl.say("publish", "ids", "V3", two)
    check("renumbered users are refused and named",
          "user mysql 105 -> 106" in said and "group mysql 112 -> 113" in said
          and "V2" in said, said)
    check("and nothing of it is there",
          lab.snapshot(ctl.top).keys() == before.keys())
    code, _, err = ctl.run("publish", "ids", "V3", two, "--new-ids")
    check("unless that is meant",
          code == 0 and "user mysql 105 -> 106" in err, err)
    put(f"{two}/etc/passwd", lab.PASSWD.format(105))
    put(f"{two}/etc/group", lab.GROUP.format(112))
    put(f"{two}/etc/motd", "V3\n")
    check("the third", ctl.json("publish", "mysql", "V3", two)["serial"] == 3)


def test_derived(one):
    """A role built on another costs the disk what it adds."""
    tree = f"{DIR}/derived"
    subprocess.run(["cp", "-a", ctl.view("mysql", "V1"), tree], check=True)
    put(f"{tree}/opt/app", lab.noise(50, 100000))
    before = int(subprocess.run(["du", "-sk", ctl.top], capture_output=True,
                                text=True, check=True).stdout.split()[0])
    said = ctl.json("publish", "app", "V1", tree, "--on", "mysql/V1")
    after = int(subprocess.run(["du", "-sk", ctl.top], capture_output=True,
                               text=True, check=True).stdout.split()[0])
    check("its packs are the other role's",
          said["reused"] > 1500000 and said["packed"] < 200000, said)
    check("and so are its files", after - before < 800,
          f"{after - before} KiB more")
    check("it is whole", lab.same(tree, ctl.view("app", "V1")) == "",
          lab.same(tree, ctl.view("app", "V1")))
    rows = ctl.json("why", "app", "bin/ls") + ctl.json("why", "app", "opt/app")
    check("why says where a content stands",
          [r["pack"] for r in rows] == ["mysql/V1", "app/V1"], rows)
    check("a role that is not there",
          "--on nobody: " in ctl.say("publish", "app", "V2", tree, "--on",
                                     "nobody"))
    check("all is whole", fsck()[0] == 0, fsck()[1])


def recipe(other):
    """The manual's three calls of rsync around a key that is elsewhere."""
    with open(f"{SOURCE}/docs/operations.md", encoding="utf-8") as f:
        part = f.read().split("### The key on another host")[1].split("\n### ")[0]
    os.makedirs(other.trees())
    return [line.strip().replace("server:/var/lib/edeploy/trees", ctl.trees())
            for line in part.splitlines() if line.startswith("    rsync ")]


def test_unsigned(two):
    """The key on another host, which gets seals and HEADs and nothing else."""
    put(f"{two}/etc/motd", "V4\n")
    said = ctl.json("publish", "mysql", "V4", two, key=False)
    check("without a key nothing is live",
          not said["live"] and not
          os.path.exists(ctl.trees("mysql", "V4", "HEAD"))
          and seals("mysql", "V4") == [f"seal-{said['seal']}.unsigned"],
          seals("mysql", "V4"))
    check("HEAD stays", '"version V3"' not in said and "version V3" in
          open(ctl.trees("mysql", "HEAD")).read())
    again = ctl.json("publish", "mysql", "V4", two, key=False)
    check("again: it waits still", again["already"] and not again["live"])
    other = lab.Ctl(PROGRAM, f"{DIR}/elsewhere", KEY)
    there, back, heads = recipe(other)
    subprocess.run(there, cwd=other.top, shell=True, check=True)
    code, out, err = other.run("seal", "mysql", "V4")
    check("it is sealed elsewhere",
          code == 0 and "mysql V4 is live: serial 4" in out, out + err)
    for trees in (ctl, other):  # as if both were made within one second
        os.utime(trees.trees("mysql", "HEAD"), (1500000000, 1500000000))
    subprocess.run(back, cwd=other.top, shell=True, check=True)
    check("its seal came first", "version V3" in
          open(ctl.trees("mysql", "HEAD")).read() and
          f"seal-{said['seal']}" in seals("mysql", "V4"), seals("mysql", "V4"))
    subprocess.run(heads, cwd=other.top, shell=True, check=True)
    check("and live here", ctl.json("versions", "mysql")[0]["state"] == "newest"
          and fsck()[0] == 0, fsck()[1])
    check("gc removes the text that waited",
          ctl.run("gc", "--now")[0] == 0
          and seals("mysql", "V4") == [f"seal-{said['seal']}"],
          seals("mysql", "V4"))


def test_rotate():
    """Another key signs anew, as the next revision."""
    subprocess.run([PROGRAM, "key", f"{DIR}/key2"], check=True,
                   capture_output=True)
    before = ctl.json("versions", "app")[0]
    ctl.run("seal", "app", "V1", "--key", f"{DIR}/key2", key=False)
    after = ctl.json("versions", "app")[0]
    check("another key signs", after["revision"] == before["revision"] + 1
          and after["root"] == before["root"]
          and after["key"] != before["key"], after)
    check("who trusts it believes that",
          ctl.run("fsck", "app", "--key", f"{DIR}/key2.pub")[0] == 0)
    code, out, _ = fsck("app")
    check("who does not does not", code == 1 and "not trusted" in out, out)
    ctl.run("seal", "app", "V1")
    check("and back again", fsck("app")[0] == 0, fsck("app")[1])


def test_in_place(two):
    """DIR is the folder for rsync, as rsyncd/build-role leaves it."""
    view = ctl.view("mysql", "V5")
    os.makedirs(os.path.dirname(view))
    subprocess.run(["cp", "-a", two, view], check=True)
    put(f"{view}/etc/motd", "V5\n")
    said = ctl.json("publish", "mysql", "V5", view)
    check("files of the version before take their place",
          said["linked"] > 1500000
          and inode(f"{view}/usr/lib/big.so")
          == inode(f"{ctl.view('mysql', 'V4')}/usr/lib/big.so"), said)
    check("two names of one stay one",
          inode(f"{view}/bin/su") == inode(f"{view}/bin/sulogin"))
    check("the folder is the tree", fsck("mysql")[0] == 0,
          fsck("mysql")[1])
    check("again: no news",
          ctl.json("publish", "mysql", "V5", view)["already"])


def test_view_there(two):
    view = ctl.view("mysql", "V6")
    put(f"{view}/file", "not this tree")
    said = ctl.say("publish", "mysql", "V6", two)
    check("another tree in the folder for rsync is refused",
          "is there and is another tree" in said, said)
    check("nothing is there", not os.path.exists(ctl.trees("mysql", "V6")))
    lab.remove(view)


def test_repack():
    before = ctl.json("versions", "mysql")[0]
    check("the newest", before["version"] == "V5")
    said = ctl.json("repack", "mysql", "V5", "--level", "12")
    after = ctl.json("versions", "mysql")[0]
    check("packed better", after["revision"] == 2 and said["live"]
          and after["root"] == before["root"]
          and [d["from"] for d in after["deltas"]]
          == [d["from"] for d in before["deltas"]], after)
    check("the old seal stays for a while", len(seals("mysql", "V5")) == 2)
    ctl.run("gc")
    check("also through gc", len(seals("mysql", "V5")) == 2)
    ctl.run("gc", "--now")
    check("until nobody waits", len(seals("mysql", "V5")) == 1)
    check("all is whole", fsck()[0] == 0, fsck()[1])


def pull(role, version, into, *more):
    """What is different from the view after pulling it."""
    p = subprocess.run([PROGRAM, "pull", role, version, into, "--from",
                        ctl.trees(), "--trust", PUB, *more],
                       capture_output=True, text=True)
    if p.returncode:
        return p.stderr
    return lab.same(ctl.view(role, version), into)


def test_pull(rows):
    """What a client makes of it is what rsync's clients see."""
    for i, (role, version, base) in enumerate(rows):
        into = f"{DIR}/pulled{i}"
        more = ["--base", f"{DIR}/pulled{base}"] if base is not None else []
        differ = pull(role, version, into, *more)
        check(f"{role} {version} is pulled"
              + (" from a base" if more else ""), differ == "", differ)
    for i in range(len(rows)):
        lab.remove(f"{DIR}/pulled{i}")
        lab.remove(f"{DIR}/pulled{i}.edeploy")


def test_gc(two):
    left = [ctl.trees("mysql", ".publish-aB3dEf"),
            f"{ctl.top}/install/.mysql.publish-aB3dEf"]
    for path in left:
        put(f"{path}/part", "x" * 1000)
    left.append(f"{ctl.top}/metadata/V4/mysql/V5/exclude.new.aB3dEf")
    put(left[-1], "/etc\n")
    stranger = ctl.trees("mysql", "V1", "README")
    put(stranger, "somebody's")
    before = lab.snapshot(ctl.top)
    said = ctl.json("gc", "--keep", "2", "-n")
    check("a dry run removes nothing",
          lab.snapshot(ctl.top).keys() == before.keys()
          and said["versions"] == 3, said)
    p = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-P",
                        ctl.trees("app"), "-e", "inject=getdents64:error=EIO",
                        PROGRAM, "gc", "--keep", "2", "--now", "--top",
                        ctl.top], text=True, capture_output=True, check=False,
                       env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    check("who shares what cannot be told: nothing is removed",
          p.returncode == 1 and "Input/output error" in p.stderr and
          lab.snapshot(ctl.top).keys() == before.keys(), p.stderr)
    said = ctl.json("gc", "--keep", "2", "--now")
    check("old versions and left overs are gone",
          said["versions"] == 3 and not any(map(os.path.exists, left)), said)
    check("two are there", [v["version"] for v in ctl.json("versions", "mysql")]
          == ["V5", "V4"])
    check("strangers stay", os.path.exists(stranger))
    check("so do other roles", not os.path.exists(ctl.view("mysql", "V1"))
          and os.path.exists(ctl.view("app", "V1")))
    check("with all that they share", fsck()[0] == 0, fsck()[1])
    said = ctl.say("publish", "mysql", "V1", two)
    check("a name is not taken twice", "take another name" in said, said)


def test_fsck():
    """One byte in each file that is published."""
    found = []
    for folder, _, names in os.walk(ctl.trees()):
        for name in names:
            path = f"{folder}/{name}"
            if name in (".lock", "README"):
                continue
            with open(path, "r+b") as f:
                bytes_ = f.read()
                at = len(bytes_) // 2
                f.seek(at)
                f.write(bytes([bytes_[at] ^ 1]))
            role = os.path.relpath(path, ctl.trees()).split("/")[0]
            code, out, _ = fsck(role)
            if code == 0:  # a pack that only another role names
                code, out, _ = fsck()
            if code != 1 or name[:20] not in out:
                found.append((path, code, out))
            put(path, bytes_)
    check("a flipped byte anywhere is found", found == [], found)
    path = f"{ctl.view('mysql', 'V5')}/etc/motd"
    mtime = os.stat(path).st_mtime_ns
    put(path, "V6\n")
    code, out, _ = fsck()
    check("in the folder for rsync, too", code == 1 and "etc/motd" in out,
          out)
    put(path, "V5\n", mtime=mtime)


def test_touched(two):
    """Somebody was in the folder that the delta would be made from."""
    path = f"{ctl.view('mysql', 'V5')}/usr/lib/big.so"
    st = os.stat(path)
    with open(path, "r+b") as f:
        f.seek(700000)
        bytes_ = f.read(8)
        f.seek(700000)
        f.write(b"touched!")
    os.utime(path, ns=(st.st_mtime_ns, st.st_mtime_ns))
    tree = f"{DIR}/touched"
    subprocess.run(["cp", "-a", two, tree], check=True)
    put(f"{tree}/usr/lib/big.so", lab.noise(1, 1400000), 0o755)
    code, _, err = ctl.run("publish", "mysql", "V7", tree, "--deltas", "1")
    said = ctl.json("versions", "mysql")[0]
    check("a touched folder makes no delta",
          code == 0 and "no delta from V5" in err and "big.so" in err
          and said["version"] == "V7" and said["deltas"] == [], err)
    with open(path, "r+b") as f:
        f.seek(700000)
        f.write(bytes_)
    os.utime(path, ns=(st.st_mtime_ns, st.st_mtime_ns))
    check("and no other harm", fsck("mysql")[0] == 0, fsck("mysql")[1])


def test_worn(two):
    """What a disk spoilt in a pack does not go on into later versions, and is
    made again from the folder for rsync."""
    tree = f"{DIR}/worn"
    subprocess.run(["cp", "-a", two, tree], check=True)
    for n in (1, 2):
        put(f"{tree}/etc/motd", f"{n}\n")
        ctl.json("publish", "worn", f"V{n}", tree)
    pack = next(n for n in os.listdir(ctl.trees("worn", "V1"))
                if n.startswith("full-"))
    with open(ctl.trees("worn", "V1", pack), "r+b") as f:
        f.seek(5000)
        byte = f.read(1)
        f.seek(5000)
        f.write(bytes([byte[0] ^ 1]))
    put(f"{tree}/etc/motd", "3\n")
    code, out, err = ctl.run("publish", "worn", "V3", tree)
    check("a damaged frame is not used again",
          code == 0 and f"packed anew: {ctl.trees('worn/V1', pack)}: damaged"
          in err, out + err)
    into = f"{DIR}/worn3"
    p = subprocess.run([PROGRAM, "pull", "worn", "V3", into, "--trust", PUB,
                        "--from", ctl.trees()], capture_output=True, text=True)
    check("the version after it can be had",
          p.returncode == 0 and lab.same(tree, into) == "", p.stderr)
    check("the ones before it are damaged still", fsck("worn")[0] == 1)
    for v in ("V1", "V2"):
        code, out, err = ctl.run("repack", "worn", v)
        check(f"{v} is packed again", code == 0, err)
    check("and all are whole", fsck("worn")[0] == 0, fsck("worn")[1])


def test_two_at_once(two):
    """They wait for each other."""
    trees = []
    for i in (8, 9):
        trees.append(f"{DIR}/at-once{i}")
        subprocess.run(["cp", "-a", two, trees[-1]], check=True)
        put(f"{trees[-1]}/etc/motd", f"V{i}\n")
    running = [subprocess.Popen(
        [PROGRAM, "publish", "mysql", f"V{i}", trees[i - 8], "--top", ctl.top,
         "--key", KEY], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for i in (8, 9)]
    said = [p.communicate() for p in running]
    listed = ctl.json("versions", "mysql")
    check("two at once are one after the other",
          [p.returncode for p in running] == [0, 0]
          and sorted(v["version"] for v in listed[:2]) == ["V8", "V9"]
          and listed[0]["serial"] == listed[1]["serial"] + 1, said)
    check("and both are whole",
          lab.same(trees[0], trees[1]) != "" and fsck()[0] == 0, fsck()[1])


def test_nothing_there():
    """A folder misspelt is not a depot without faults."""
    top = f"{DIR}/misspelt"
    other = lab.Ctl(PROGRAM, top)
    for command in ("gc", "fsck"):
        code, out, err = other.run(command)
        check(f"{command} of what is not there",
              code == 1 and f"{top}/trees is not there" in err, err)
    code, out, err = other.run("versions")
    check("versions of what is not there",
          (code, out) == (0, "") and "nothing is published" in err, out + err)


def test_usage(two):
    for argv, want in (
            (("publish", "../x", "V1", two), "made of A-Z"),
            (("publish", "x", ".V1", two), "made of A-Z"),
            (("publish", "x", "HEAD", two), "HEAD is the name of a file"),
            (("publish", "x", "V1", f"{DIR}/nothing"), "No such file"),
            (("seal", "x", "V1"), "is not published"),
            (("repack", "x", "V1"), "is not published"),
            (("diff", "mysql", "V7", "V1"), "is not published"),
            (("why", "x", "bin/ls"), "is not published"),
            (("versions", "x"), "is not published below"),
            (("fsck", "x"), "is not published below"),
            (("publish", "x", "V1", two, "--key", f"{two}/etc/passwd"),
             "not a secret key"),
            (("publish", "x", "V1", two, "--key", f"{KEY}.pub"),
             "not a secret key")):
        said = ctl.say(*argv, key="--key" not in argv)
        check(" ".join(argv[:3])[:40] + ": " + want, want in said, said)
    for argv in (("publish", "x", "V1"), ("publish", "x", "V1", two, "--deltas",
                                          "many"), ("gc", "--keep", "0")):
        check(f"{' '.join(argv)[:40]}: wrong usage", ctl.run(*argv)[0] == 2)


def main():
    one, two = f"{DIR}/one", f"{DIR}/two"
    test_key()
    lab.make_tree(one)
    test_first(one)
    test_again(one)
    test_next(one, two)
    test_compare()
    test_ids(one, two)
    test_derived(one)
    test_unsigned(two)
    test_rotate()
    test_in_place(two)
    test_view_there(two)
    test_pull([("mysql", "V1", None), ("mysql", "V2", 0), ("mysql", "V5", 1),
               ("app", "V1", None), ("mysql", "V4", 3)])
    test_repack()
    test_gc(two)
    test_pull([("mysql", "V4", None), ("mysql", "V5", 0), ("app", "V1", 1)])
    test_fsck()
    test_touched(two)
    test_two_at_once(two)
    test_worn(two)
    test_usage(two)
    test_nothing_there()
    return lab.end()


try:
    code = main()
finally:
    lab.remove(DIR)
sys.exit(code)
