#!/usr/bin/env python3
"""faults_test.py EDEPLOY EDEPLOYCTL [--all | --seed N]: system calls of `edeploy
upgrade`, `rollback` and `gc` fail, as on a disk that is full, dies or turns read
only: some that are drawn, or each. Whatever fails, the good version is as it
was, what boot.cfg names is whole, and the same command ends well. Prints
TAP."""
import collections
import os
import random
import re
import secrets
import subprocess
import sys

import versioned_lab as lab
from versioned_lab import check

lab.own_namespace()
disk = lab.Lab(sys.argv[1], sys.argv[2])
ALL = "--all" in sys.argv
SEED = (sys.argv[sys.argv.index("--seed") + 1] if "--seed" in sys.argv
        else str(secrets.randbits(32)))
EACH = 1  # of each system call, when they are drawn
draw = random.Random(SEED)
CALLS = {"ENOSPC": ["write", "pwrite64", "openat", "linkat", "mkdir",
                    "mkdirat", "rename", "renameat", "renameat2",
                    "symlinkat", "ftruncate", "copy_file_range"],
         "EIO": ["fsync", "fdatasync", "syncfs", "ioctl", "read", "pread64",
                 "write", "pwrite64", "newfstatat", "statx", "fchmod",
                 "fchown", "utimensat", "getdents64", "unlinkat", "unlink"],
         "EROFS": ["openat", "unlinkat", "rename", "renameat2", "linkat"]}
CALM = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:exitcode=77"}
# a test build's own loader, or its sanitizer that could not read its options
OWN = ("error while loading shared libraries",
       "LeakSanitizer has encountered a fatal error")
TRACE = f"{disk.dir}/trace"


def strace(inject, *words):
    """(code, stderr) of edeploy."""
    p = subprocess.run(["strace", "-f", "-qq", "-o", TRACE, *inject,
                        disk.edeploy, *words, "--root", disk.top],
                       text=True, capture_output=True, timeout=300, env=CALM)
    return p.returncode, p.stderr


def count(*words):
    """How often each thread, at most, makes each call: a counter of strace is
    a thread's own."""
    strace(["-e", "trace=" + ",".join(sorted({c for cs in CALLS.values()
                                              for c in cs}))],
           *words)
    seen = collections.Counter()
    with open(TRACE, errors="replace") as f:
        for line in f:
            m = re.match(r"(\d+) +(\w+)\(", line)
            if m:
                seen[m.group(1, 2)] += 1
    most = collections.Counter()
    for (_, call), n in seen.items():
        most[call] = max(most[call], n)
    return most


def cases(*words):
    most = count(*words)
    for error, calls in CALLS.items():
        for call in calls:
            every = range(1, most[call] + 1)
            for n in every if ALL else sorted(draw.sample(
                    every, min(EACH, len(every)))):
                yield error, call, n


def is_right(version):
    code, out, err = disk.call("verify", version, env=CALM)
    return code == 0 and f"{version}: right" in out


def struck():
    with open(TRACE, errors="replace") as f:
        return "(INJECTED)" in f.read()


def sweep(what, words, prepare, judge):
    """judge(code) is None, or what is wrong."""
    wrong, hits, fails = [], 0, 0
    prepare()
    for error, call, n in list(cases(*words)):
        prepare()
        code, err = strace(["-e", f"inject={call}:error={error}:when={n}"],
                           *words)
        if any(words in err for words in OWN):
            continue
        hits += struck()
        fails += code == 1
        bad = judge(code)
        if code not in (0, 1) or (code == 1 and "edeploy: " not in err):
            bad = f"exit {code}"
        if bad:
            wrong.append((error, call, n, bad, err[-300:]))
    print(f"# {what}: {hits} calls failed, so did {fails} commands, seed "
          f"{SEED}", flush=True)
    check(f"{what}: whatever fails, the host is whole", not wrong, wrong[:5])
    check(f"{what}: calls were hit, and told of", hits > 5 and fails > 1,
          (hits, fails))


def unnamed():
    """V1 alone; what an upgrade left may be there."""
    if disk.cfg()["try"]:
        disk.call("rollback")


def judge_upgrade(code):
    cfg = disk.cfg()
    if cfg["good"] != "V1" or cfg["try"] not in ("", "V2"):
        return f"boot.cfg: {cfg}"
    if code == 0 and cfg["try"] != "V2":
        return "done, and not armed"
    if cfg["try"] and not is_right("V2"):
        return "V2 is named, and not whole"
    return None if is_right("V1") else "V1 is not as it was"


def armed():
    if not disk.cfg()["try"]:
        disk.call("upgrade", "V2")


def judge_rollback(code):
    cfg = disk.cfg()
    if cfg["good"] != "V1" or cfg["try"] not in ("", "V2"):
        return f"boot.cfg: {cfg}"
    if code == 0 and cfg["try"]:
        return "done, and armed still"
    return None if is_right("V1") else "V1 is not as it was"


def litter():
    unnamed()
    if "V2" not in disk.names():
        disk.call("upgrade", "V2")
        disk.call("rollback")


def judge_gc(code):
    if code == 0 and [n for n in disk.names() if n.startswith("V2")]:
        return f"done, and there is {disk.names()}"
    return None if is_right("V1") else "V1 is not as it was"


def main():
    try:
        for version in ("V1", "V2"):
            disk.publish(version)
        disk.install("V1")
        sweep("upgrade", ["upgrade", "V2"], unnamed, judge_upgrade)
        code, out, err = disk.call("upgrade", "V2")
        check("the same command ends well", disk.cfg()["try"] == "V2" and
              is_right("V2"), out + err)
        sweep("rollback", ["rollback"], armed, judge_rollback)
        sweep("gc", ["gc"], litter, judge_gc)
    finally:
        disk.close()
    return lab.end()


sys.exit(main())
