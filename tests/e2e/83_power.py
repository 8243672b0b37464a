#!/usr/bin/env python3
"""Power cuts of a host with versions beside one another: an installation,
upgrades, live switches, rollbacks and trials that fall are recorded write by
write, and cut (tests/power). EDEPLOY_POWER_SEED repeats a run."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

STATES = 300


def main():
    programs = vm.programs_of(sys.argv[1])
    argv = [sys.executable, f"{vm.TOP}/tests/power/cuts.py", programs,
            "--states", str(STATES)]
    if os.environ.get("EDEPLOY_POWER_SEED"):
        argv += ["--seed", os.environ["EDEPLOY_POWER_SEED"]]
    # mounts what is left on the disk
    argv = vm.as_root("env", f"EDEPLOY_CACHE={vm.TREES}",
                      f"PATH={os.environ['PATH']}", *argv)
    os.execvp(argv[0], argv)


main()
