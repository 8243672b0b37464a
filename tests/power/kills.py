#!/usr/bin/env python3
"""kills.py BUILD [--at N | --kills N] [--seed N]: kill -9 of `edeploy upgrade` and
of `edeploy rollback` before the N-th system call that changes something, for
every N, or for some that are drawn. What is left boots the old or the new
version, whole, and the same command given again ends well."""
import argparse
import os
import random
import secrets
import shutil
import subprocess
import sys

import cuts
import disk
import judge
import real
import tools

import vm


class Bench:
    def __init__(self, programs, work):
        self.t, self.programs, self.work = tools.Tools(), programs, work
        self.host = real.Host(self.t, programs, "ext4", work)
        self.images = {}

    def keep(self, name):
        """The file system as it is now, and what the versions are."""
        subprocess.run(["sync", "-f", self.host.top], check=True)
        subprocess.run(["umount", self.host.top], check=True)
        path = f"{self.work}/{name}"
        with open(self.host.export.shown, "rb") as src, \
                open(path, "wb") as dst:
            src.seek(disk.START * disk.SECTOR)
            shutil.copyfileobj(src, dst, 1 << 20)
        judge.mount("ext4", self.host.export.shown, self.host.top,
                    offset=disk.START * disk.SECTOR)
        self.images[name] = (path, self.host.marks[-1], self.state())

    def state(self):
        with open(f"{self.host.top}/edeploy/boot.cfg", "rb") as f:
            return judge.read_state(f.read())

    def prepare(self):
        """Before and behind an upgrade, and a rollback."""
        self.keep("installed")
        self.host.step("upgrade", "V2")
        self.keep("upgraded")
        self.host.booted("V2")
        self.keep("proved")
        self.host.step("rollback")
        self.keep("back")
        self.host.end()

    def call(self, at, words, top):
        """(calls counted, exit code, what it said)"""
        p = subprocess.run([f"{self.programs}/tests/power/killer", str(at),
                            f"{self.programs}/edeploy", *words, "--root", top],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           stdin=subprocess.DEVNULL, text=True)
        return int(p.stdout.split()[-1]), p.returncode, p.stdout

    def kill(self, at, before, after, words):
        """How many changes there were; raises judge.Wrong."""
        path, marks, text = self.images[before]
        image, again = f"{self.work}/killed", f"{self.work}/again"
        disk.copy_sparse(path, image)
        with judge.Mount("ext4", image, f"{self.work}/mnt") as top:
            count, code, said = self.call(at, words, top)
            subprocess.run(["sync", "-f", top], check=True)
        if at and code != 137:
            raise judge.Wrong(f"not killed: exit {code}: {said[-300:]}")
        disk.copy_sparse(image, again)
        _, then, goal = self.images[after]
        judging = judge.Judge(self.t, self.programs, "ext4",
                              real.Subject(self.programs, [marks, then]),
                              self.work)
        judging.judge(image, 0, (0, before, text), (0, after, goal))
        self.call_again(again, words, then, goal)
        return count

    def call_again(self, image, words, then, goal):
        """What was not armed yet is armed by the same words."""
        want = judge.settings(goal)
        with judge.Mount("ext4", image, f"{self.work}/mnt") as top:
            if self.settings(top)["ed_try"] == want["ed_try"]:
                return
            _, code, said = self.call(0, words, top)
            if code:
                raise judge.Wrong(f"given again it fails: {said[-300:]}")
            now = self.settings(top)
            if (now["ed_good"], now["ed_try"]) != (want["ed_good"],
                                                   want["ed_try"]):
                raise judge.Wrong(f"given again it arms {now}")
            have = judge.manifest(f"{top}/edeploy/roots/{now['ed_try']}")
            bad = judge.differ(then[now["ed_try"]], have)
            if bad:
                raise judge.Wrong(f"given again it makes another: {bad}")

    @staticmethod
    def settings(top):
        with open(f"{top}/edeploy/boot.cfg", "rb") as f:
            return judge.settings(judge.read_state(f.read()))


def run(tap, bench, args, before, after, words):
    """Each call of one command, or args.kills of them."""
    name = " ".join(words)
    try:
        count = bench.kill(0, before, after, words)
    except judge.Wrong as e:
        tap.check(f"{name} ends, and again", False, e)
        return
    wrong = []
    points = range(1, count + 1)
    if args.at:
        points = [args.at]
    elif 0 < args.kills < count:
        points = sorted(random.Random(args.seed).sample(points, args.kills))
    for at in points:
        try:
            bench.kill(at, before, after, words)
        except judge.Wrong as e:
            wrong.append(f"killed at {at}: {e}")
    tap.show(f"{name}: {len(points)} kills at {count} calls, "
             f"seed {args.seed}, {len(wrong)} wrong")
    tap.check(f"{name}: killed at any call, the old or the new version boots "
              "and the command can be given again", not wrong,
              "\n".join(wrong[:10]))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build")
    p.add_argument("--at", type=int, default=0)
    p.add_argument("--kills", type=int, default=0)
    p.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    args = p.parse_args()
    cuts.own_mounts()
    work, tap = cuts.work_dir(), vm.Tap()
    try:
        bench = Bench(args.build, work)
        bench.prepare()
        run(tap, bench, args, "installed", "upgraded", ["upgrade", "V2"])
        run(tap, bench, args, "proved", "back", ["rollback"])
    finally:
        if not os.environ.get("EDEPLOY_KEEP"):
            shutil.rmtree(work)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
