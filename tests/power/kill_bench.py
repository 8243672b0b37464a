"""Hosts on which `edeploy` is killed with SIGKILL before one of its system
calls: one whose disk is beside (--root), one that runs, one that is plain."""
import os
import re
import shutil
import subprocess

import cuts
import disk
import judge
import real
import running
import tools

# what is said where nothing is left to do
ENDED = re.compile(r"is at \S+ already|holds versions already|"
                   r"is what the next boot enters already")
# what is to be given instead, behind a version's own failure
NEXT = re.compile(r'"edeploy (prove|rollback)"')
AGAIN = 3


class Killed:
    """Its file system is a copy that is thrown away."""
    subject = real.Subject

    def open(self, image, runs):
        judge.mount("ext4", image, self.top)
        if runs:
            self.enter(*self.standing(runs))

    def standing(self, runs):
        return [runs]

    def close(self):
        self.leave()
        judge.unmount(self.top)

    def leave(self):
        """Nobody stands there."""

    def argv(self, at, words):
        """Unkilled with `at` 0."""
        here = "/run/programs"
        return ["chroot", self.seen(), f"{here}/tests/power/killer", str(at),
                f"{here}/edeploy", *words]

    def run(self, at, words):
        """(calls counted, exit code, what it said)"""
        p = subprocess.run(self.argv(at, words), stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True,
                           stdin=subprocess.DEVNULL)
        return int(p.stdout.split()[-1]), p.returncode, p.stdout

    def versions(self):
        return [v for v in self.VERSIONS
                if os.path.exists(self.root(v, ".grub"))]

    def manifests(self):
        return {v: judge.manifest(self.root(v)) for v in self.versions()}

    def mounts(self):
        """(where, what of a file system, whether others are told) as its
        programs see them."""
        with open(f"/proc/{self.login.pid}/mountinfo") as f:
            return sorted((*line.split()[4:2:-1], " shared:" in line)
                          for line in f)

    def runs(self):
        st = os.stat(self.seen())
        if not os.path.samestat(st, os.stat(self.here)):
            return "what another root covers"
        for v in self.versions():
            if os.path.samestat(st, os.stat(self.root(v))):
                return v
        return "plain"

    def outcome(self):
        """(the good version, the one on trial, the one that runs)"""
        cfg = judge.settings(self.cfg_text())
        return cfg.get("ed_good", ""), cfg.get("ed_try", ""), self.runs()

    def keep(self, image):
        """The disk as it is now."""
        subprocess.run(["sync", "-f", self.top], check=True)
        disk.copy_sparse(self.image, image)

    def boot(self, version):
        """As init counts it; nothing is proved by that."""
        gen = judge.settings(self.cfg_text())["ed_gen"]
        subprocess.run([f"{self.programs}/tests/power/play", "boot", self.top,
                        version, gen, ""], check=True,
                       stdout=subprocess.DEVNULL)


class Beside(Killed, real.Host):
    """Its disk is there, and it is off."""

    def argv(self, at, words):
        return [f"{self.programs}/tests/power/killer", str(at), self.edeploy,
                *words, "--root", self.top]

    def runs(self):
        return ""

    def mounts(self):
        return []

    def boot(self, version):
        super().boot(version)
        subprocess.run([f"{self.programs}/tests/power/play", "prove",
                        self.top, version], check=True,
                       stdout=subprocess.DEVNULL)


class Live(Killed, running.Versioned):
    """It runs, and moves."""

    def leave(self):
        running.Versioned.leave(self)


class Plain(Killed, running.Plain):
    """It is converted."""
    subject = running.Converted

    def standing(self, _runs):
        return []

    def leave(self):
        running.Plain.leave(self)

    def manifests(self):
        # the copy of the menu that an earlier call has made came along
        of = {v: {p: x for p, x in m.items() if p != running.CFG + ".plain"}
              for v, m in super().manifests().items()}
        return {**of, "plain": running.manifest_of_plain(self.top)}


class Bench:
    """One host of a kind, opened from images."""

    def __init__(self, kind, programs, work):
        self.t, self.programs, self.work = tools.Tools(), programs, work
        self.host = kind(self.t, programs, "ext4", work)
        self.host.end()
        self.first = f"{work}/{kind.__name__}"
        os.rename(f"{work}/base", self.first)
        for name in ("disk", "log", "shown"):
            os.unlink(f"{work}/{name}")

    def open(self, before, runs):
        """A copy of image `before`, in which version `runs` runs."""
        self.host.image = f"{self.work}/killed"
        disk.copy_sparse(before, self.host.image)
        self.host.open(self.host.image, runs)

    def make(self, before, runs, steps, name):
        """An image: `steps`, of words or of a version that is booted,
        unkilled."""
        self.open(before, runs)
        try:
            for step in steps:
                if isinstance(step, str):
                    self.host.boot(step)
                    continue
                _, code, said = self.host.run(0, step)
                if code:
                    raise RuntimeError(f"{step}: {said}")
            self.host.keep(f"{self.work}/{name}")
        finally:
            self.host.close()
        return f"{self.work}/{name}"

    def judge(self, image, then, now, written):
        """`then`, `now`: (versions, boot.cfg) before and at the end."""
        host = self.host
        judging = judge.Judge(self.t, self.programs, "ext4", host.subject(
            self.programs, [then[0], now[0]]), self.work)
        judging.judge(image, 0, (0, "before", then[1]), (0, "after", now[1]),
                      written)

    def state(self):
        return self.host.manifests(), self.host.cfg_text()

    def go_on(self, words, goal, ends=0, once=False):
        """The same words until `goal` is reached; `once`: given where it was
        reached they lead on from there."""
        host, said = self.host, ""
        for _ in range(AGAIN):
            if once and host.outcome() == goal:
                return
            _, code, said = host.run(0, words)
            if host.outcome() == goal and (code == ends or
                                           ENDED.search(said)):
                return
            hint = NEXT.search(said)
            if code == 0 or not hint:
                break
            host.run(0, [hint.group(1)])
        raise judge.Wrong(f"given again it leads to {host.outcome()}, not "
                          f"{goal}: {said[-300:]}")


def let_go(work):
    """What a run that failed has left mounted is not to be removed with it."""
    with open("/proc/self/mountinfo") as f:
        places = [line.split()[4] for line in f]
    for place in reversed([p for p in places if p.startswith(f"{work}/")]):
        subprocess.run(["umount", "-l", place], check=True)


def own_bench(main):
    """main(work), with mounts that nobody else sees; its exit code."""
    cuts.own_mounts()
    work = cuts.work_dir()
    try:
        return main(work)
    finally:
        let_go(work)
        if not os.environ.get("EDEPLOY_KEEP"):
            shutil.rmtree(work)
