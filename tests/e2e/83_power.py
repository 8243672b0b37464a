#!/usr/bin/env python3
"""Power cuts of a host with versions beside one another: what is written is
recorded, write by write, and cut (tests/power). EDEPLOY_POWER_SEED repeats the
states of a run."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

# In a machine: an installation, upgrades, trials, rollbacks; then what edeploy
# does on this machine's kernel; states that are judged.
RUNS = [
    ("ext4", 100, []),
    ("ext4", 140, ["--real"]),
    ("xfs", 30, ["--real"]),
    ("btrfs", 30, ["--real"]),
]


def known(kind):
    subprocess.run(vm.as_root("modprobe", "-q", kind), check=False)
    with open("/proc/filesystems") as f:
        return kind in f.read().split()


def cut(t, programs, kind, states, more):
    name = " ".join([kind, *more])
    if not known(kind):
        print(f"ok {t.count + 1} - {name} # SKIP no {kind} in this kernel")
        t.count += 1
        return
    argv = [sys.executable, f"{vm.TOP}/tests/power/cuts.py", programs,
            "--fs", kind, "--states", str(states), *more]
    if os.environ.get("EDEPLOY_POWER_SEED"):
        argv += ["--seed", os.environ["EDEPLOY_POWER_SEED"]]
    # mounts what is left on the disk
    p = subprocess.run(vm.as_root("env", f"EDEPLOY_CACHE={vm.TREES}",
                                  f"PATH={os.environ['PATH']}", *argv),
                       stdout=subprocess.PIPE, text=True)
    for line in p.stdout.splitlines():
        if line.startswith("#"):
            print(line)
        elif line.startswith(("ok", "not ok")):
            t.check(line.split(" - ", 1)[1], line.startswith("ok"))
    if p.returncode and not t.failed:
        t.check(f"{name} ends well", False, p.stdout)


def main():
    t, programs = vm.Tap(), vm.programs_of(sys.argv[1])
    for kind, states, more in RUNS:
        cut(t, programs, kind, states, more)
    return t.end()


sys.exit(main())
