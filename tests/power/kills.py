#!/usr/bin/env python3
"""kills.py BUILD [--of STORY] [--at N | --kills N] [--seed N]: kill -9 of what
`edeploy` does, before the N-th system call that changes something, for every N,
or for some that are drawn. What is left boots the old or the new version,
whole, and the same command given again ends well."""
import argparse
import collections
import random
import secrets
import sys

import judge
import kill_bench
from kill_bench import Beside, Live, Plain

import vm

# of the calls of a live change, those that move the system come last
TAIL = 120

# `make`: of the image before it: what runs then, and its steps; `runs`: what
# runs when it is given. ends: its exit code. once: given again behind its end
# it does something else.
Story = collections.namedtuple("Story", "host make runs words ends once",
                               defaults=(0, False))

STORIES = {
    "live": Story(Live, None, "V1", ["upgrade", "V2"]),
    "live-back": Story(Live, ("V1", [["upgrade", "V2"]]), "V2", ["rollback"],
                       once=True),
    "live-undo": Story(Live, None, "V1", ["upgrade", "V3"], ends=1),
    "prove": Story(Live, ("V1", [["upgrade", "V2", "--at-boot"], "V2"]),
                   "V2", ["prove"]),
    "boot": Story(Beside, None, "", ["upgrade", "V2"]),
    "boot-back": Story(Beside, ("", [["upgrade", "V2"], "V2"]), "",
                       ["rollback"], once=True),
    "gc": Story(Beside, ("", [["upgrade", "V2"], "V2", ["upgrade", "V3"],
                              "V3"]), "", ["gc"]),
    "convert": Story(Plain, None, "plain", ["convert"]),
    "convert-boot": Story(Plain, None, "plain", ["convert", "--at-boot"]),
}


class Case:
    """A story, its image before, and what it leads to."""

    def __init__(self, bench, name):
        self.bench, self.name, self.story = bench, name, STORIES[name]
        make = self.story.make
        self.before = bench.make(bench.first, *make, f"before-{name}") \
            if make else bench.first
        bench.open(self.before, self.story.runs)
        try:
            self.then = bench.state()
            self.count, code, said = bench.host.run(0, self.story.words)
            if code != self.story.ends:
                raise judge.Wrong(f"unkilled: exit {code}: {said}")
            self.goal, self.now = bench.host.outcome(), bench.state()
            self.mounts = bench.host.mounts()
        finally:
            bench.host.close()

    def kill(self, at):
        bench, host, story = self.bench, self.bench.host, self.story
        left = f"{bench.work}/left"
        bench.open(self.before, story.runs)
        try:
            _, code, said = host.run(at, story.words)
            host.keep(left)
            written = host.cfg_text().encode()
            if code != 137:
                raise judge.Wrong(f"not killed: exit {code}: {said[-300:]}")
            bench.go_on(story.words, self.goal, story.ends, story.once)
            self.compare()
        except judge.Wrong as e:
            raise judge.Wrong(f"{said.splitlines()[-2:][0]}: {e}")
        finally:
            host.close()
        bench.judge(left, self.then, self.now, [written])

    def compare(self):
        have = self.bench.host.manifests()
        if have.keys() != self.now[0].keys():
            raise judge.Wrong(f"given again it leaves {sorted(have)}")
        mounts = self.bench.host.mounts()
        if mounts != self.mounts:
            raise judge.Wrong("given again it leaves these mounted: "
                              f"{set(mounts) ^ set(self.mounts)} {mounts}")
        for version, want in self.now[0].items():
            bad = judge.differ(want, have[version])
            if bad:
                raise judge.Wrong(f"given again it makes another {version}: "
                                  f"{bad}")

    def points(self, args):
        count, live = self.count, self.story.host is Live
        rng = random.Random(args.seed)
        if args.at:
            return [args.at]
        if not 0 < args.kills < count:
            return range(1, count + 1)
        tail = range(max(1, count - TAIL), count + 1) if live else []
        chosen = set(rng.sample(tail, min(len(tail), args.kills * 3 // 4)))
        while len(chosen) < args.kills:
            chosen.add(rng.randrange(1, count + 1))
        return sorted(chosen)


def run(tap, bench, args, name):
    wrong, points, count = [], [], 0
    try:
        case = Case(bench, name)
        points, count = case.points(args), case.count
    except judge.Wrong as e:
        wrong.append(str(e))
    for at in points:
        try:
            case.kill(at)
        except judge.Wrong as e:
            wrong.append(f"killed at {at}: {e}")
            print(f"# {wrong[-1]}", flush=True)
    words = " ".join(STORIES[name].words)
    tap.show(f"{words} ({name}): {len(points)} kills at {count} calls, "
             f"seed {args.seed}, {len(wrong)} wrong")
    tap.check(f"{words} ({name}): killed at any call, the old or the new "
              "version boots, and the command can be given again", not wrong,
              "\n".join(wrong[:10]))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build")
    p.add_argument("--of", choices=STORIES, action="append")
    p.add_argument("--at", type=int, default=0)
    p.add_argument("--kills", type=int, default=0)
    p.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    args = p.parse_args()

    def work_in(work):
        tap, benches = vm.Tap(), {}
        for name in args.of or STORIES:
            host = STORIES[name].host
            if host not in benches:
                benches[host] = kill_bench.Bench(host, args.build, work)
            run(tap, benches[host], args, name)
        return tap.end()

    return kill_bench.own_bench(work_in)


if __name__ == "__main__":
    sys.exit(main())
