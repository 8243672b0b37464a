#!/usr/bin/env python3
"""booted.py BUILD [--states N] [--seed N]: as cuts.py does in a machine, with
versions that boot; N of the states are really booted, by GRUB, a kernel and
edeploy-init, and must come up with the version that the judge said."""
import argparse
import os
import secrets
import shutil
import sys

import cuts
import disk
import guest
import judge
import tiny
import tools

import vm

INIT = """#!/bin/sh
for w in $(/bin/busybox cat /proc/cmdline); do
	case $w in edeploy.root=*) echo "@UP ${w#edeploy.root=}." ;; esac
done
exec /bin/busybox sh
"""
BOOT_S = 300


def record(t, build, work):
    """(log, file of the file system before it, folder of the trees)"""
    trees = f"{work}/trees"
    os.makedirs(trees)
    tiny.make_tree(build, f"{trees}/A", INIT, work)
    for version in ("B", "C"):
        shutil.copytree(f"{trees}/A", f"{trees}/{version}", symlinks=True)
        guest.write(f"{trees}/{version}/etc/version", version.encode())
    guest.write(f"{trees}/A/usr/share/doc", b"for all")
    tiny.make_file_system(t, f"{work}/base")
    t.run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d",
          trees, f"{work}/trees.img", "96M")
    guest.make_disk(f"{work}/base", f"{work}/disk")
    guest.record(build, "ext4", f"{work}/disk", f"{work}/log",
                 f"{work}/trees.img", work, 600)
    return disk.Log(f"{work}/log"), f"{work}/base", trees


def boot(work, image, head):
    """The version that comes up, or what the console said."""
    where = vm.Disk(work, "boot", "0G")
    guest.make_disk(image, where.path, head)
    m = vm.Vm(work, "boot", where, memory=256)
    came = m.expect(r"@UP (\S+)\.", BOOT_S)
    m.stop()
    os.unlink(where.path)
    return came.group(1) if came else m.tail()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build")
    p.add_argument("--states", type=int, default=6)
    p.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    args = p.parse_args()
    cuts.own_mounts()
    t, work, tap = tools.Tools(), vm.work_dir("booted"), vm.Tap()
    log, base, trees = record(t, args.build, work)
    tap.show(f"{len(log.entries)} writes and flushes, seed {args.seed}")
    make = disk.Replay(log, base, work)
    judging = judge.Judge(t, args.build, "ext4", judge.Small(trees), work)
    head = tiny.head(t, work)
    # not before it is installed
    for state in log.states(args.states, args.seed, first=1):
        cut = state[0]
        make.make(state, f"{work}/state")
        disk.copy_sparse(f"{work}/state", f"{work}/judged")
        mark, done, coming = log.between(cut)
        try:
            said = judging.judge(f"{work}/judged", mark, done, coming)
        except judge.Wrong as e:
            said = f"none: {e}"
        came = boot(work, f"{work}/state", head)
        tap.check(f"cut at {cut}, after \"{done[1]}\": {said} comes up",
                  came == said, f"{said}\n{came}")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
