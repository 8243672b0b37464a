#!/usr/bin/env python3
"""completion_test.py EDEPLOYD EDEPLOYCTL EDEPLOY AGENT SCRIPT: bash offers what
the programs take. Standard library only."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../server"))
import decision  # noqa: E402
from decision import check  # noqa: E402

EDEPLOYD, CTL, HOST, AGENT, SCRIPT = map(os.path.abspath, sys.argv[1:6])
PROGRAMS = {os.path.basename(p): p for p in (EDEPLOYD, CTL, HOST, AGENT)}
BASH = """
source "$1"; shift
COMP_CWORD=$(($# - 1)) COMP_WORDS=("$@")
_edeploy
((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
"""


def offers(folder, *words):
    """(what bash offers for the last word, what it complained of)."""
    words = [PROGRAMS.get(words[0], words[0]), *words[1:]]
    p = subprocess.run(["bash", "--norc", "-c", BASH, "bash", SCRIPT, *words],
                       capture_output=True, text=True, cwd=folder, timeout=30,
                       stdin=subprocess.DEVNULL)
    return set(p.stdout.split("\n")) - {""}, p.stderr


ROWS = [  # words before the cursor, what must be offered, what must not
    ("edeployctl ", "check match machines show watch help --help", "deploy"),
    ("edeployctl ma", "match machines", "show"),
    ("edeployctl help wa", "watch", "match"),
    ("edeployctl watch --", "--until-done --json --section --help",
     "--site --all"),
    ("edeployctl explain --", "--site --all --json", "--until-done"),
    ("edeployctl check ", "", "facts.json"),
    ("edeployctl check --site ", "dir", "facts.json"),
    ("edeployctl match ", "facts.json dir", ""),
    ("edeployctl match facts.json ", "", "facts.json"),
    ("edeployctl match fac", "facts.json", "dir"),
    ("edeployctl show m1 -c ", "facts.json dir", "m1"),
    ("edeployctl show -c conf ", "m1 m2 host3", "- m1$ facts.json"),
    ("edeployctl show -c conf h", "host3", "m1"),
    ("edeployctl show -c conf m1 ", "", "m1 host3"),
    ("edeployctl specs ", "from", "m1"),
    ("edeployctl specs -c conf from ", "m1 host3", "from"),
    ("edeployctl specs from -c conf ", "m1 facts.json", "from"),
    ("edeployctl replay --site ", "dir", "facts.json"),
    ("edeployctl explain -c conf ", "m1 facts.json", ""),
    ("edeployctl replay --site dir ", "facts.json dir", ""),
    ("edeployctl replay facts.json other.json ", "facts.json dir", ""),
    ("edeployctl same -c conf m1 ", "m1 m2 host3", "facts.json"),
    ("edeployctl same -c conf m1 m2 ", "", "m1"),
    ("edeployctl release -c nosuch ", "", "m1"),
    ("edeployctl watch -c conf --section ", "SERVER", "m1"),
    ("edeployctl cmdb -c conf ", "vm", "PROFILE m1"),
    ("edeployctl cmdb --site dir ", "lab", "vm"),
    ("edeployctl nosuch ", "", "m1 facts.json"),
    ("edeploy ", "upgrade test-upgrade list verify version role", "check"),
    ("edeploy list --", "--json --root", "--site"),
    ("edeploy list --root ", "dir", "facts.json"),
    ("edeploy-agent ", "detect lint deploy", "show"),
    ("edeploy-agent lint ", "facts.json", ""),
    ("edeploy-agent lint --", "--json", "--root"),
    ("edeployd ", "", "help m1"),
    ("edeployd -", "-c --config --listen --fastcgi --version", ""),
    ("edeployd -c ", "facts.json", ""),
    ("edeployd --config ", "facts.json", ""),
    ("edeployd --listen ", "", "facts.json"),
]


def check_rows(folder):
    for line, must, never in ROWS:
        got, said = offers(folder, *line.split(" "))
        must, never = set(must.split()), set(never.split())
        check(f"{line!r} and TAB", must <= got and not never & got and
              not said and (must or not got), f"{sorted(got)}\n{said}")


def check_terminal():
    """Sourced as Debian does, it is bound to each program."""
    p = subprocess.run(["bash", "--norc", "-c",
                        f"source {SCRIPT}; complete -p {' '.join(PROGRAMS)}"],
                       capture_output=True, text=True)
    check("it is bound to each program", p.returncode == 0 and
          len(p.stdout.splitlines()) == len(PROGRAMS), p.stdout + p.stderr)


def main():
    s = decision.Server(
        EDEPLOYD, CTL, "[('vm', 3)]\n",
        "[{'hostname': 'host3'}, {'hostname': '$(touch${IFS}bad)'}]\n")
    try:
        s.upload(1, 1)
        s.upload(2, 2)
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(f"{folder}/dir")
            for name, text in (("state", "[('lab', 1)]\n"),
                               ("lab.specs", "[]\n"), ("lab.configure", "")):
                with open(f"{folder}/dir/{name}", "w") as f:
                    f.write(text)
            os.symlink(f"{s.dir}/conf", f"{folder}/conf")
            open(f"{folder}/facts.json", "w").close()
            check_rows(folder)
            check("a name from outside is never run",
                  not os.path.exists(f"{folder}/bad") and
                  "touch" in s.ctl("machines")[1], os.listdir(folder))
    finally:
        s.end()
    check_terminal()
    return decision.end()


sys.exit(main())
