"""Programs of this folder one after another, as root, their lines as one TAP."""
import os
import subprocess
import sys

from tools import TOP

import vm


def known(kind):
    subprocess.run(vm.as_root("modprobe", "-q", kind), check=False)
    with open("/proc/filesystems") as f:
        return kind in f.read().split()


def run(t, programs, words):
    """`words`: a program and its options. EDEPLOY_POWER_SEED is a seed."""
    name = " ".join(words)
    kind = words[words.index("--fs") + 1] if "--fs" in words else "ext4"
    if not known(kind):
        t.count += 1
        print(f"ok {t.count} - {name} # SKIP no {kind} in this kernel")
        return
    argv = [sys.executable, f"{TOP}/tests/power/{words[0]}.py", programs,
            *words[1:]]
    if os.environ.get("EDEPLOY_POWER_SEED"):
        argv += ["--seed", os.environ["EDEPLOY_POWER_SEED"]]
    # mounts what is left on the disk
    p = subprocess.run(vm.as_root("env", f"EDEPLOY_CACHE={vm.TREES}",
                                  f"PATH={os.environ['PATH']}", *argv),
                       stdout=subprocess.PIPE, text=True)
    failed = t.failed
    for line in p.stdout.splitlines():
        if line.startswith("#"):
            print(line)
        elif line.startswith(("ok", "not ok")):
            t.check(line.split(" - ", 1)[1], line.startswith("ok"))
    if p.returncode and t.failed == failed:
        t.check(f"{name} ends well", False, p.stdout)


def main(runs):
    t, programs = vm.Tap(), vm.programs_of(sys.argv[1])
    for words in runs:
        run(t, programs, words)
    return t.end()
