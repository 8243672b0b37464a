#!/usr/bin/env python3
"""readme_test.py TOP BUILD: do what the README says, in a home of its own, and
see what it says one sees. Lines of its blocks that begin with "$ " are typed
into one shell; a here-document goes on to its END; the others are what comes
out."""
import os
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
from ports import free_port  # noqa: E402

TOP, BUILD = (os.path.abspath(p) for p in sys.argv[1:3])


def steps(text):
    """[(command, what it prints)]"""
    found, here, block = [], False, False
    for line in text.splitlines():
        if line and not line.startswith("    "):
            here = block = False
            continue
        line = line[4:]
        if here:
            found[-1][0] += "\n" + line
            here = line != "END"
        elif line.startswith("$ "):
            found.append([line[2:], ""])
            here, block = "<<" in line, True
        elif block:
            found[-1][1] += line + "\n"
    return [(command, out.rstrip("\n")) for command, out in found]


def mark(n):
    return f"--- end of step {n} ---"


def type_in(commands, home):
    """What each command prints, one shell for all."""
    os.symlink(BUILD, f"{home}/build")
    os.symlink(f"{TOP}/specs", f"{home}/specs")
    script = "".join(
        f"{c}\necho '{mark(n)}'\n" for n, c in enumerate(commands))
    shell = subprocess.Popen(
        ["bash"], cwd=home, env={**os.environ, "HOME": home, "COLUMNS": "80"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        out = shell.communicate(script, timeout=60)[0]
    finally:
        try:  # a server that the last step did not end
            os.killpg(shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    parts = []
    for n in range(len(commands)):
        part, _, out = out.partition(mark(n) + "\n")
        parts.append(part.rstrip("\n"))
    return parts


def main():
    with open(f"{TOP}/README") as f:
        text = f.read().replace("8080", str(free_port()))
    all_steps = steps(text)
    with tempfile.TemporaryDirectory(prefix="edeploy-readme-") as home:
        came = type_in([c for c, _ in all_steps], home)
    failed = 0
    for n, ((command, want), got) in enumerate(zip(all_steps, came), 1):
        # a machine may be busy
        got = re.sub(r"(-\s+)\d s ( +-)", r"\g<1>0 s \2", got)
        good = got == want
        failed += not good
        print(f"{'ok' if good else 'not ok'} {n} - {command.splitlines()[0]}")
        if not good:
            for line in [*want.splitlines(), "---", *got.splitlines()]:
                print("# " + line)
    print(f"{'ok' if n > 10 else 'not ok'} {n + 1} - the README has steps")
    print(f"1..{n + 1}")
    return 1 if failed or n <= 10 else 0


sys.exit(main())
