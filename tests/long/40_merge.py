#!/usr/bin/env python3
"""40_merge.py BUILD: hand edits of .cmdb files against a model, at random, with
seeds that were not tried before (SEEDS, 10 unless said); a seed that fails is
printed, to be given to tests/server/merge_test.py. Prints TAP."""
import os
import random
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.abspath(sys.argv[1])
count = int(os.environ.get("SEEDS", "10"))
failed = 0
for i in range(1, count + 1):
    seed = random.randrange(10 ** 6)
    p = subprocess.run(
        [sys.executable, f"{TOP}/tests/server/merge_test.py",
         f"{BUILD}/edeployd", f"{BUILD}/edeployctl", str(seed)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    bad = p.returncode != 0
    failed += bad
    print(f"{'not ok' if bad else 'ok'} {i} - 60 rounds of 24 files, seed "
          f"{seed}", flush=True)
    if bad:
        lines = (p.stdout + p.stderr).splitlines()
        print("\n".join("# " + x for x in lines if not x.startswith("ok")))
print(f"1..{count}")
sys.exit(1 if failed else 0)
