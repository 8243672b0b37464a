#!/usr/bin/env python3
"""walks.py BUILD [--live N] [--beside N] [--seed N] [--only I]: random walks of a
host from version to version, where `edeploy` is killed once and again before a
system call that is drawn, and given again until it ends. It must end where it
would have ended unkilled, and what was left at some kill must boot."""
import argparse
import os
import random
import secrets
import sys

import judge
import kill_bench
from kill_bench import Beside, Live

import vm

STEPS = 4
KILLS = 3
CALLS = 700  # more than any of them does
LAST = 60    # where what moves and arms is done


class Walk:
    """One of them, from the first image on."""

    def __init__(self, bench, seed):
        self.bench, self.host = bench, bench.host
        self.rng = random.Random(seed)
        self.counts, self.told = {}, []
        self.cut = False  # the last one was killed
        # where it is judged, and what was legal there
        self.left = None

    # ---- what may be done, and what comes of it ----

    def choices(self):
        """[(words, what they must lead to)]; without words: a boot"""
        good, trial, runs = self.host.outcome()
        if isinstance(self.host, Live):
            some = self.of_live(good, trial, runs)
        else:
            some = self.of_beside(good, trial)
        return some + ([] if trial else [(["gc"], (good, "", runs))])

    def prev(self):
        return judge.settings(self.host.cfg_text())["ed_prev"]

    def of_beside(self, good, trial):
        if trial:
            return [(["rollback"], (good, "", "")), (None, None)]
        some = [(["rollback"], (good, v, "")) for v in [self.prev()] if v]
        return some + [(["upgrade", v, "--allow-downgrade"], (good, v, ""))
                       for v in ("V2", "V3")
                       if v not in (good, self.prev())]

    def of_live(self, good, trial, runs):
        if trial and runs != trial:
            return [(["rollback"], (good, "", runs))]
        if trial:
            return [(["rollback", "--live"], (good, "", good)),
                    (["prove"], (trial, "", trial))]
        some = []
        for to in [v for v in ("V1", "V2", "V4") if v != good]:
            words = ["rollback"] if to == self.prev() else \
                ["upgrade", to, "--allow-downgrade"]
            same = self.host.kernel_of(to) == self.host.kernel_of(runs)
            some += [(words + ["--at-boot"], (good, to, runs)),
                     (words + ["--live"],
                      (to, "", to) if same else (good, to, to))]
        return some

    # ---- killing ----

    def call(self, words):
        """Which one it is killed before; most are late ones."""
        last = self.counts.get(words[0], CALLS)
        if self.rng.random() < 0.7:
            return max(1, last - int(self.rng.expovariate(1 / LAST)))
        return self.rng.randint(1, last)

    def kill(self, words, goal):
        """False when it came to its end before that."""
        at = self.call(words)
        text = self.host.cfg_text()
        versions = self.host.manifests()
        count, code, said = self.host.run(at, words)
        self.told[-1] += f" killed at {at}"
        self.cut = code == 137
        if code != 137:
            self.told[-1] += f": ended with {code} after {count}"
            self.counts[words[0]] = count
            return False
        if self.left is None or self.rng.random() < 0.5:
            self.host.keep(f"{self.bench.work}/left")
            self.left = [versions, text, self.host.cfg_text(), None]
        return self.host.outcome() != goal

    def is_cut_off(self, words):
        """What an outcome shows may be there before the command's end, and it
        is given again: an upgrade has its post to run. A rollback that has
        nothing left to do leads further back, as it should."""
        return self.cut and (words[0] != "rollback" or (
            isinstance(self.host, Live) and os.path.exists(
                f"{self.host.seen()}/run/edeploy/back")))

    def step(self):
        words, goal = self.rng.choice(self.choices())
        if words is None:
            self.told.append("boot")
            self.host.boot(self.host.outcome()[1])
            return
        self.told.append(" ".join(words))
        self.cut = False
        if words == ["prove"]:
            self.host.start_as(goal[0])
        for _ in range(self.rng.randint(0, KILLS)):
            if not self.kill(words, goal):
                break
        if self.is_cut_off(words):
            self.host.run(0, words)
        self.bench.go_on(words, goal, once=True)
        if self.left and self.left[3] is None:
            self.left[3] = (self.host.manifests(), self.host.cfg_text())

    def go(self, first, runs):
        self.bench.open(first, runs)
        try:
            for _ in range(STEPS):
                self.step()
        finally:
            self.host.close()
        if self.left:
            versions, text, written, now = self.left
            self.bench.judge(f"{self.bench.work}/left", (versions, text), now,
                             [written.encode()])


def run(tap, bench, args, name, runs, numbers):
    wrong = []
    for number in numbers:
        walk = Walk(bench, f"{args.seed}-{name}-{number}")
        try:
            walk.go(bench.first, runs)
        except judge.Wrong as e:
            wrong.append(f"walk {number}: {'; '.join(walk.told)}: {e}")
            print(f"# {wrong[-1]}", flush=True)
        if args.only is not None:
            print(f"# show: {'; '.join(walk.told)}")
    tap.show(f"{name}: {len(numbers)} walks, seed {args.seed}, "
             f"{len(wrong)} wrong")
    tap.check(f"{name}: killed again and again, it ends where it would have "
              "ended", not wrong, "\n".join(wrong[:10]))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build")
    p.add_argument("--live", type=int, default=0)
    p.add_argument("--beside", type=int, default=0)
    p.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    p.add_argument("--only", type=int)
    args = p.parse_args()

    def work_in(work):
        tap = vm.Tap()
        for kind, name, runs, n in ((Live, "live", "V1", args.live),
                                    (Beside, "beside", "", args.beside)):
            numbers = range(n) if args.only is None else [args.only]
            if n:
                run(tap, kill_bench.Bench(kind, args.build, work), args, name,
                    runs, numbers)
        return tap.end()

    return kill_bench.own_bench(work_in)


if __name__ == "__main__":
    sys.exit(main())
