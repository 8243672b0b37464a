"""What a machine would do with a disk after a power cut: first GRUB, which
reads the file system as it stands and replays nothing, then fsck, a mount and
the boots that follow, until a version is entered. It must be one of the two
that could be, and whole."""
import hashlib
import os
import re
import stat
import subprocess
import time

import disk

BOOTS = 5


class Wrong(Exception):
    """A state that must not be."""


def manifest(root, without=()):
    """{path: (type and mode, owner, hash or target)} of a tree; `without`:
    folders of its top that are left out."""
    found = {}
    for where, folders, files in os.walk(root):
        if where == root:
            folders[:] = [name for name in folders if name not in without]
        for name in folders + files:
            path = os.path.join(where, name)
            st = os.lstat(path)
            what = ""
            if stat.S_ISLNK(st.st_mode):
                what = os.readlink(path)
            elif stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    what = hashlib.sha256(f.read()).hexdigest()
            found[os.path.relpath(path, root)] = (st.st_mode, st.st_uid, what)
    return found


def differ(want, have):
    """The first paths that are not equal."""
    names = sorted(p for p in want.keys() | have.keys()
                   if want.get(p) != have.get(p))
    return [f"{p}: {have.get(p)}, not {want.get(p)}" for p in names[:3]]


def read_state(data):
    """boot.cfg without the line that fills its sector; with what is not one
    whole sector, all of it."""
    text = data.decode(errors="replace")
    return re.sub(r"\A(.{10,511}\n)#+\n\Z", r"\1", text, flags=re.S) \
        if len(data) == disk.SECTOR else text


def settings(text):
    """NAME of each "set NAME=VALUE" of a text that GRUB sources."""
    return dict(re.findall(r"^set (\w+)=(.*)$", text, re.M))


class Grub:
    """GRUB's own code reads the image: /edeploy/grub/grub.cfg, and what it
    does."""

    def __init__(self, tools, image):
        self.tools, self.image = tools, image
        self.tried = None

    def read(self, path):
        """Bytes, or None where it finds none."""
        code, data = self.tools.try_run("grub-fstest", self.image, "cat",
                                        path)
        return data if code == 0 else None

    def text(self, path):
        return (self.read(path) or b"").decode(errors="replace")

    def loads(self, version):
        """Its kernel and initrd as GRUB would bring them to memory, or
        None."""
        beside = settings(self.text(f"/edeploy/roots/{version}.grub"))
        return self.load(*(beside[k].strip("'") for k in (
            "ed_kernel", "ed_initrd"))) if len(beside) == 3 else None

    def load(self, *paths):
        files = [self.read(path) for path in paths]
        return None if None in files else [
            hashlib.sha256(f).hexdigest() for f in files]

    def noted(self):
        """The generation of the trial that was started last."""
        if self.tried is None:
            env = self.text("/edeploy/grub/grubenv")
            m = re.search(r"^ed_tried=(\d+)", env, re.M)
            self.tried = m.group(1) if m else ""
        return self.tried

    def choose(self):
        """(version, generation, why the trial fell) that it starts, and
        what it loads; roots/grub.c in other words."""
        cfg = settings(self.text("/edeploy/boot.cfg"))
        gen, trial = cfg.get("ed_gen", "0"), cfg.get("ed_try", "")
        fell = ""
        if trial and cfg.get("ed_left", "0") != "0":
            if self.noted() == gen:
                fell = "grub"
            else:
                self.tried = gen
                loaded = self.loads(trial)
                if loaded:
                    return trial, gen, "", loaded
                raise Wrong(f"{trial} is named before GRUB sees its kernel")
        elif trial:
            fell = "count"
        for version, gen in ((cfg.get("ed_good", ""), gen),
                             (cfg.get("ed_prev", ""), "0")):
            loaded = version and self.loads(version)
            if loaded:
                return version, gen, fell, loaded
        raise Wrong("GRUB finds nothing to boot: boot.cfg is "
                    + repr(self.text("/edeploy/boot.cfg"))[-120:])


def sh(*argv):
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    return p.returncode, p.stdout


def mount(kind, image, at, offset=0):
    os.makedirs(at, exist_ok=True)
    more = ",nouuid" if kind == "xfs" else ""
    code, said = sh("mount", "-t", kind, "-o", f"loop,offset={offset}{more}",
                    image, at)
    if code:
        raise Wrong(f"Linux cannot mount it: {said.strip()}")


def unmount(*words):
    """Whoever looks at what all processes of this machine have open keeps it
    busy for a moment."""
    for _ in range(100):
        code, said = sh("umount", *words)
        if code == 0:
            return
        if "busy" not in said:
            break
        time.sleep(0.1)
    raise RuntimeError(said)


class Mount:
    def __init__(self, kind, image, at):
        self.at = at
        mount(kind, image, at)

    def __enter__(self):
        return self.at

    def __exit__(self, *_):
        unmount(self.at)


class Small:
    """The versions of guest.small_trees: what they are they stay."""

    def __init__(self, trees):
        self.trees = {v: manifest(f"{trees}/{v}") for v in os.listdir(trees)}
        shared = {p: m for p, m in self.trees["A"].items()
                  if p.startswith("usr/share/")}
        for tree in self.trees.values():
            tree.update(shared)

    def whole(self, version, _number):
        return [self.trees[version]]

    def is_installed(self, number):
        return number > 0

    def starts_empty(self):
        return False

    def by_menu(self, _grub):
        return None

    def manifest(self, top, version):
        return manifest(f"{top}/edeploy/roots/{version}")

    def beside(self, version):
        """Files that are not empty."""
        return [f"roots/{version}.mounts", "state/var/lib/app/db"]

    def verify(self, top, version):
        """There is nothing to verify by."""


class Judge:
    """`subject`: what the versions are."""

    def __init__(self, tools, programs, kind, subject, work):
        self.tools, self.kind, self.work = tools, kind, work
        self.play = f"{programs}/tests/power/play"
        self.subject, self.mark = subject, 0

    def check_loaded(self, version, loaded):
        """Its kernel and initrd are those of the version."""
        for tree in self.subject.whole(version, self.mark):
            known = {m[2] for p, m in tree.items() if p.startswith("boot/")}
            if set(loaded) <= known:
                return
        raise Wrong(f"GRUB loads a kernel or initrd of {version} that is not "
                    "whole")

    def fsck(self, image):
        """Nothing but the journal has to be brought in order."""
        if self.kind == "ext4":
            code, said = self.tools.try_run("e2fsck", "-fy", image)
            # those of the super block are set at a clean umount alone
            said = re.sub(r"Free (blocks|inodes) count wrong \(\d+, "
                          r"counted=\d+\)\.\nFix\? yes\n", "",
                          said.decode(errors="replace"))
            if code not in (0, 1) or re.search(r"\? yes|FIXED", said):
                raise Wrong(f"e2fsck: exit {code}: {said[-900:]}")
        elif self.kind == "btrfs":
            code, said = self.tools.try_run("btrfs", "check", "--readonly",
                                            image)
            if code:
                raise Wrong(f"btrfs check: {said.decode()[-300:]}")

    def fsck_xfs(self, image):
        """Only once its log was replayed does it look at anything."""
        code, said = self.tools.try_run("xfs_repair", "-n", image)
        if code:
            raise Wrong(f"xfs_repair -n: {said.decode()[-300:]}")

    def boot(self, top, choice):
        """The step of roots/init.c, by its own code."""
        version, gen, fell, _ = choice
        code, said = sh(self.play, "boot", top, version, gen, fell)
        if code:
            raise Wrong(f"init: {said.strip()}")
        return said.strip()

    def check_root(self, top, version):
        have = self.subject.manifest(top, version)
        bad = [differ(whole, have)
               for whole in self.subject.whole(version, self.mark)]
        if not bad or all(bad):
            raise Wrong(f"{version} is entered and is not whole: {bad[:1]}")
        for name in self.subject.beside(version):
            path = f"{top}/edeploy/{name}"
            if not os.path.exists(path) or not os.path.getsize(path):
                raise Wrong(f"{name} is not there, or empty")
        self.subject.verify(top, version)

    def check_linux(self, top, legal, seen):
        """What Linux finds is as new as what GRUB found, at least."""
        path = f"{top}/edeploy/boot.cfg"
        if not os.path.exists(path):
            raise Wrong("Linux finds no boot.cfg, where GRUB does")
        with open(path, "rb") as f:
            text = read_state(f.read())
        if text not in legal or legal.index(text) < legal.index(seen):
            raise Wrong(f"Linux finds another boot.cfg: {text[-100:]!r}")

    def boots(self, grub, top, choice):
        """Until a version is entered; its name."""
        for _ in range(BOOTS):
            self.check_loaded(choice[0], choice[3])
            # the old root's init is not ours
            step = choice[0] == "plain" or self.boot(top, choice)
            if step in (True, "enter", "count", "fell"):
                self.check_root(top, choice[0])
                return choice[0]
            choice = grub.choose()
        raise Wrong("it boots in circles")

    def judge_plain(self, image, loaded):
        """A menu of GRUB's own boots a plain root."""
        self.check_loaded("plain", loaded)
        self.fsck(image)
        with Mount(self.kind, image, f"{self.work}/mnt") as top:
            self.check_root(top, "plain")
        return "plain"

    def judge_nothing(self, image, legal):
        """GRUB boots nothing; and what Linux finds, if anything, must not name
        a version that is not whole."""
        self.tools.try_run("e2fsck", "-fy", image)
        try:
            mounted = Mount(self.kind, image, f"{self.work}/mnt")
        except Wrong:
            return ""
        with mounted as top:
            if os.path.exists(f"{top}/edeploy/boot.cfg"):
                self.check_linux(top, legal, "")
                with open(f"{top}/edeploy/boot.cfg") as f:
                    self.check_root(top, settings(f.read())["ed_good"])
        return ""

    def judge(self, image, number, done, coming, written=()):
        """Marks before and after, and each boot.cfg that is written between
        them: what is entered, "" when nothing was installed. Raises Wrong."""
        self.mark = number
        legal = [m[2] for m in (done, coming) if m]
        legal[1:1] = [text for text in map(read_state, written)
                      if text not in legal]
        grub = Grub(self.tools, image)
        loaded = self.subject.by_menu(grub)
        if loaded:
            return self.judge_plain(image, loaded)
        seen = read_state(grub.read("/edeploy/boot.cfg") or b"")
        if not seen and self.subject.is_installed(number):
            raise Wrong("GRUB finds no boot.cfg")
        if seen not in legal:
            raise Wrong(f"GRUB reads a boot.cfg that is neither old nor new: "
                        f"{seen[-110:]!r}")
        choice = grub.choose() if seen else None
        if choice:
            self.check_loaded(choice[0], choice[3])
        elif self.subject.starts_empty():
            return self.judge_nothing(image, legal)
        self.fsck(image)
        with Mount(self.kind, image, f"{self.work}/mnt") as top:
            if not choice:
                return ""
            self.check_linux(top, legal, seen)
            entered = self.boots(grub, top, choice)
        if self.kind == "xfs":
            self.fsck_xfs(image)
        return entered

