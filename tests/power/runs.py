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
    if {"install", "plain"} & set(words):  # while we are a user: the user's
        vm.boot_files(programs, vm.tree_key(programs) + ".pub")
    # mounts what is left on the disk
    p = subprocess.Popen(vm.as_root("env", f"EDEPLOY_CACHE={vm.TREES}",
                                    f"PATH={os.environ['PATH']}", *argv),
                         stdout=subprocess.PIPE, text=True)
    failed, said = t.failed, []
    # as they come: what is ended before its time has told what it saw
    for line in p.stdout:
        said.append(line)
        if line.startswith("#"):
            print(line, end="", flush=True)
        elif line.startswith(("ok", "not ok")):
            t.check(line.strip().split(" - ", 1)[1], line.startswith("ok"))
    if p.wait() and t.failed == failed:
        t.check(f"{name} ends well", False, "".join(said))


def main(runs):
    t, programs = vm.Tap(), vm.programs_of(sys.argv[1])
    for words in runs:
        run(t, programs, words)
    return t.end()
