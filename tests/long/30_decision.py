#!/usr/bin/env python3
"""30_decision.py BUILD: the long forms of server/faults, server/storm and
server/oracle: more places of a checkpoint, 10,000 kills under load, 100,000
uploads, 100,000 steps of an oracle."""
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
build = os.path.abspath(sys.argv[1])
programs = [f"{build}/edeployd", f"{build}/edeployctl"]
count = failed = 0
for name, args in (("faults", [f"{build}/tests/server/faults.so"]),
                   ("storm", []), ("oracle", [])):
    p = subprocess.run([sys.executable, f"{TOP}/tests/server/{name}_test.py",
                        *programs, *args, "--long"], capture_output=True,
                       text=True)
    for line in p.stdout.splitlines():
        if line.startswith(("ok ", "not ok ")):
            count += 1
            failed += line.startswith("not")
            print(line.split(" - ", 1)[0].rstrip("0123456789 "), count, "-",
                  line.split(" - ", 1)[1])
        elif not line.startswith("1.."):
            print(line)
    if p.returncode and not failed:
        count += 1
        failed += 1
        print(f"not ok {count} - {name} came to its end")
        print("# " + p.stderr[-800:].replace("\n", "\n# "))
print(f"1..{count}")
sys.exit(1 if failed else 0)
