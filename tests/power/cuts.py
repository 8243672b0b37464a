#!/usr/bin/env python3
"""cuts.py BUILD [--of STORY] [--fs KIND] [--states N] [--record DIR] [--seed N] [--only I]:
record a machine that is installed, upgraded, rolled back and booted, cut its
power at N moments, and judge what each leaves on the disk. --of: what `edeploy`
itself does on a host (stories.py). BUILD has the static programs. DIR keeps the recording, or has one; with it, the seed that was
printed, and the number of a state, that state is made again."""
import argparse
import os
import pickle
import secrets
import shutil
import sys
import tempfile
import time
import traceback

import disk
import guest
import judge
import stories
import tools

WORKERS = os.cpu_count() or 1
FEW = 30


def own_mounts():
    """Start again where nobody else can copy our mounts: a state that stays
    mounted elsewhere would be met again under the next one's name."""
    if os.environ.get("EDEPLOY_POWER_MOUNTS") != "own":
        os.environ["EDEPLOY_POWER_MOUNTS"] = "own"
        os.execvp("unshare", ["unshare", "--mount", "--propagation",
                              "private", "--pid", "--fork", "--mount-proc",
                              "--kill-child", sys.executable, *sys.argv])


def parse_args(argv):
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build")
    p.add_argument("--of", choices=sorted(stories.STORIES))
    p.add_argument("--fs", default="ext4", choices=sorted(guest.KINDS))
    p.add_argument("--states", type=int, default=300)
    p.add_argument("--record", metavar="DIR")
    p.add_argument("--seed", type=int)
    p.add_argument("--only", type=int)
    args = p.parse_args(argv)
    if args.seed is None:
        args.seed = secrets.randbelow(1 << 31)
    return args


def work_dir():
    """In memory where there is room: states are made and thrown away."""
    place = "/dev/shm" if os.path.isdir("/dev/shm") and \
        shutil.disk_usage("/dev/shm").free > 4 << 30 else None
    return tempfile.mkdtemp(prefix="edeploy-power-", dir=place)


def recording(t, args, work):
    """(log, file of the file system before it, what the versions are)"""
    place = args.record or f"{work}/record"
    if not os.path.exists(f"{place}/done"):
        os.makedirs(place)
        marks = (stories.record(args.of) if args.of else record)(
            t, args.build, args.fs, place)
        with open(f"{place}/done.new", "wb") as f:
            pickle.dump(marks, f)
        os.rename(f"{place}/done.new", f"{place}/done")
    with open(f"{place}/done", "rb") as f:
        marks = pickle.load(f)
    return disk.Log(f"{place}/log"), f"{place}/base", (
        stories.subject(args.of, args.build, marks) if args.of else
        judge.Small(f"{place}/trees"))


def record(t, build, kind, work):
    trees = f"{work}/trees"
    guest.small_trees(trees)
    guest.make_file_system(t, kind, f"{work}/base")
    t.run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d",
          trees, f"{work}/trees.img", "24M")
    guest.make_disk(f"{work}/base", f"{work}/disk")
    guest.record(build, kind, f"{work}/disk", f"{work}/log",
                 f"{work}/trees.img", work)
    os.unlink(f"{work}/disk")


def judge_some(states, make, judging):
    """A line for each wrong one of (number, state); how many of each version
    were entered."""
    wrong, entered = [], {}
    for number, state in states:
        image = f"{judging.work}/state"
        lost, window = make.make(state, image)
        cut = state[0]
        mark, done, coming = make.log.between(cut)
        try:
            name = judging.judge(image, mark, done, coming,
                                 make.log.written(cut))
            entered[name] = entered.get(name, 0) + 1
        except judge.Wrong as e:
            wrong.append(f"state {number}: cut at {cut}, after \"{done[1]}\" "
                         f"before \"{coming[1] if coming else 'the end'}\", "
                         f"{lost} of {window} writes lost: {e}")
    return wrong, entered


def work_of(k, states, recorded, args, t, work):
    """What one of the workers does, in a process of its own."""
    log, base, subject = recorded
    mine = f"{work}/{k}"
    os.makedirs(mine)
    make = disk.Replay(log, base, mine)
    judging = judge.Judge(t, args.build, args.fs, subject, mine)
    wrong, entered = judge_some(states, make, judging)
    make.close()
    with open(f"{work}/{k}.out", "w") as f:
        f.writelines(w.replace("\n", " ") + "\n" for w in wrong)
        f.write(repr(entered) + "\n")


def spread(states, recorded, args, t, work):
    """(wrong, entered) of all, by as many processes as processors."""
    children = []
    for k in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                work_of(k, states[k::WORKERS], recorded, args, t, work)
                code = 0
            except BaseException:  # nobody above prints it
                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(pid)
    codes = [os.waitpid(pid, 0)[1] for pid in children]
    if any(codes):
        raise RuntimeError(f"a worker died: {codes}")
    wrong, entered = [], {}
    for k in range(WORKERS):
        with open(f"{work}/{k}.out") as f:
            *lines, last = f.read().splitlines()
        wrong += lines
        for name, n in eval(last).items():
            entered[name] = entered.get(name, 0) + n
    return wrong, entered


def name_of(args):
    return f"{args.of} on {args.fs}" if args.of else args.fs


def run(args, work):
    """Prints TAP; the number of states that are wrong."""
    t = tools.Tools()
    began = time.monotonic()
    recorded = recording(t, args, work)
    log = recorded[0]
    print(f"# show: {name_of(args)}: {len(log.entries)} writes and flushes recorded "
          f"in {time.monotonic() - began:.0f} s, seed {args.seed}", flush=True)
    states = [s for s in enumerate(log.states(args.states, args.seed))
              if args.only in (None, s[0])]
    began = time.monotonic()
    wrong, entered = spread(states, recorded, args, t, work)
    took = time.monotonic() - began
    print(f"# show: {name_of(args)}: {len(states)} power cuts, "
          f"no two alike, in {took:.0f} s: "
          f"{len(wrong)} wrong; entered: " + ", ".join(
              f"{n or 'nothing yet'} {entered[n]}" for n in sorted(entered)))
    for line in wrong[:10]:
        print("# " + line)
    return len(wrong), entered


def main():
    args = parse_args(sys.argv[1:])
    own_mounts()
    work = work_dir()
    try:
        wrong, entered = run(args, work)
    finally:
        if not os.environ.get("EDEPLOY_KEEP"):
            shutil.rmtree(work)
    good = wrong == 0
    every = stories.entered(args.of) if args.of else {"", "A", "B", "C"}
    # few states need not meet them all
    whole = args.only is not None or args.states < FEW or every <= set(entered)
    print(("ok" if good else "not ok") + f" 1 - {name_of(args)}: each power cut "
          "leaves the old or the new version, whole")
    print(("ok" if whole else "not ok") + f" 2 - {name_of(args)}: each version was "
          "entered by some")
    print("1..2")
    return 0 if good and whole else 1


if __name__ == "__main__":
    sys.exit(main())
