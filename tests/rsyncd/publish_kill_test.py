#!/usr/bin/env python3
"""publish_kill_test.py EDEPLOYCTL: publishing is killed KILLS times (30) at any
moment, and the disk is full, while a client looks on: it never sees a part,
and what was left is gone after the next one. Prints TAP."""
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import shelf_lab as lab  # noqa: E402
from published import digest  # noqa: E402
from shelf_lab import check, put  # noqa: E402

DIR = tempfile.mkdtemp(prefix="publish_kill.")
PROGRAM = os.path.abspath(sys.argv[1])
KILLS = int(os.environ.get("KILLS", "30"))
SEED = int(os.environ.get("SEED", str(random.randrange(1 << 30))))
KEY = f"{DIR}/key"
ROLE = "mysql"


class Client:
    """Looks at what is published again and again, as one that fetches."""

    def __init__(self, ctl, sizes):
        self.ctl, self.sizes = ctl, sizes
        self.wrong, self.looks, self.stop = [], 0, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stop:
            self.look()

    def end(self):
        self.stop = True
        self.thread.join()

    def look(self):
        self.looks += 1
        try:
            self.look_at_trees()
            self.look_at_views()
        except (OSError, AssertionError, ValueError) as e:
            self.wrong.append(repr(e))

    def look_at_trees(self):
        top = self.ctl.trees(ROLE)
        if os.path.exists(f"{top}/HEAD"):
            self.look_at_head(f"{top}/HEAD")
        for name in os.listdir(top):
            if name[0] == "." or name.startswith("HEAD"):
                continue
            assert self.look_at_head(f"{top}/{name}/HEAD") == name, name

    def look_at_head(self, path):
        """The version that it names, all of which is there."""
        with open(path, "rb") as f:
            head = dict(line.split(b" ", 1) for line in f.read().splitlines())
        version, seal = head[b"version"].decode(), head[b"seal"].decode()
        with open(self.ctl.trees(ROLE, version, f"seal-{seal}"), "rb") as f:
            text = f.read()
        assert digest(text[:text.index(b"\nkey ") + 1]) == seal, path
        for line in text.decode().splitlines():
            words = line.split()
            if words[0] in ("manifest", "full", "delta", "marks"):
                self.look_at_file(*words[:5])
        return version

    def look_at_file(self, kind, path, size, at, hash_):
        if kind == "manifest":
            at, hash_ = 0, at
        with open(self.ctl.trees(path), "rb") as f:
            assert os.fstat(f.fileno()).st_size == int(size), path
            f.seek(int(at))
            assert digest(f.read()) == hash_, path

    def look_at_views(self):
        top = f"{self.ctl.top}/install"
        for version in os.listdir(top) if os.path.exists(top) else []:
            path = f"{top}/{version}/{ROLE}"
            if version[0] != "." and os.path.exists(path):
                assert size_of(path) == self.sizes[version], path
                assert os.path.exists(self.ctl.trees(ROLE, version)), version


def size_of(top):
    """Names and bytes of a tree."""
    names = bytes_ = 0
    for folder, folders, files in os.walk(top):
        names += len(folders) + len(files)
        bytes_ += sum(os.lstat(f"{folder}/{f}").st_size for f in files)
    return names, bytes_


def left_overs(ctl):
    return [f"{folder}/{name}" for folder, folders, files in os.walk(ctl.top)
            for name in folders + files
            if ".publish-" in name or name == "part" or ".new." in name]


class Killer:
    def __init__(self, ctl, dice):
        self.ctl, self.dice = ctl, dice
        self.whole_s = 1.0
        self.kills = self.ended = 0

    def run(self, *argv):
        """Whether it came to its end before it was killed."""
        began = time.monotonic()
        p = subprocess.Popen([PROGRAM, *argv, "--top", self.ctl.top, "--key",
                              KEY], stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, start_new_session=True)
        try:
            # now and then it may end
            p.wait(self.dice.uniform(0, self.whole_s * 1.1))
        except subprocess.TimeoutExpired:
            self.kills += 1
            # one that had nothing more to do was quick, and a busy machine
            # is slow: it must come to its end at some time
            self.whole_s *= 1.05
            p.kill()
        err = p.communicate()[1]
        if p.returncode == 0:
            self.ended += 1
            self.whole_s = 0.7 * self.whole_s + 0.3 * (
                time.monotonic() - began)
        elif p.returncode != -9:
            raise SystemExit(f"{argv}: {p.returncode}: {err.decode()}")
        return p.returncode == 0


def test_kills():
    dice = random.Random(SEED)
    ctl = lab.Ctl(PROGRAM, f"{DIR}/top", KEY)
    os.makedirs(ctl.trees(ROLE))
    tree = lab.make_tree(f"{DIR}/tree0", 20)
    sizes = {"V0": size_of(tree)}
    began = time.monotonic()
    ctl.json("publish", ROLE, "V0", tree)
    killer = Killer(ctl, dice)
    killer.whole_s = time.monotonic() - began
    client = Client(ctl, sizes)
    version = 0
    try:
        while killer.kills < KILLS:
            version += 1
            tree = f"{DIR}/tree{version}"
            subprocess.run(["cp", "-a", f"{DIR}/tree{version - 1}", tree],
                           check=True)
            lab.remove(f"{DIR}/tree{version - 1}")
            put(f"{tree}/usr/lib/new{version % 3}",
                lab.noise(version, 100000))
            sizes[f"V{version}"] = size_of(tree)
            while not killer.run("publish", ROLE, f"V{version}", tree):
                pass
            while dice.random() < 0.3 and not killer.run(
                    "repack", ROLE, f"V{version}", "--level", "3"):
                pass
    finally:
        client.end()
    print(f"# show: {killer.kills} kills, {killer.ended} ends, "
          f"{client.looks} looks, seed {SEED}", flush=True)
    check("no client ever saw a part", client.wrong == [],
          client.wrong[:5])
    check("one looked all the time", client.looks > KILLS, client.looks)
    listed = ctl.json("versions", ROLE)
    check("each version is there once", [v["version"] for v in listed]
          == [f"V{i}" for i in range(version, -1, -1)]
          and [v["serial"] for v in listed]
          == list(range(version + 1, 0, -1)),
          listed)
    code, out, err = ctl.run("gc", "--now")
    check("nothing is left over", code == 0 and left_overs(ctl) == [],
          left_overs(ctl) or out + err)
    code, out, _ = ctl.run("fsck", "--key", KEY + ".pub")
    check("all is whole", code == 0, out)


def test_full():
    """A disk of each size on which it cannot end, then of one where it can."""
    if os.geteuid() != 0:
        print("# only root can make a small disk")
        check("a full disk # SKIP only root can make one", True)
        return
    ctl = lab.Ctl(PROGRAM, f"{DIR}/small", KEY)
    os.makedirs(ctl.top)
    tree = lab.make_tree(f"{DIR}/tree", 20)
    wrong = []
    full = 0
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs",
                    ctl.top], check=True)
    try:
        for kib in range(200, 12000, 350):
            subprocess.run(["mount", "-o", f"remount,size={kib}k", ctl.top],
                           check=True)
            code, _, err = ctl.run("publish", ROLE, "V0", tree)
            if code == 0:
                break
            full += 1
            shown = [n for n in os.listdir(ctl.trees(ROLE)) if n[0] != "."] \
                if os.path.exists(ctl.trees(ROLE)) else []
            if "No space left on device" not in err or shown \
                    or left_overs(ctl) \
                    or os.path.exists(ctl.view(ROLE, "V0")):
                wrong.append((kib, code, err, shown, left_overs(ctl)))
        check(f"no room, {full} times: said, and nothing is there",
              full > 5 and wrong == [], wrong[:3])
        check("and with room it is published",
              code == 0 and ctl.run("fsck")[0] == 0, ctl.run("fsck")[1])
    finally:
        subprocess.run(["umount", ctl.top], check=True)


def main():
    subprocess.run([PROGRAM, "key", KEY], check=True, capture_output=True)
    test_full()
    test_kills()
    return lab.end()


try:
    code = main()
finally:
    lab.remove(DIR)
sys.exit(code)
