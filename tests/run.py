#!/usr/bin/env python3
"""run.py BUILD [--long] [NAME...]: run the tests that the build declares, and
those under tests/ that are programs of their own, count every TAP line of
each, and print the sum. A test that dies, hangs or prints no plan fails.
Virtual machines run beside the other tests where there are two processors."""
import glob
import json
import os
import re
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEADLINE_S = {"unit": 600, "house": 600, "wire": 900, "e2e": 1800, "long": 7200}


def declared(build):
    """[(name, suite, argv, env)] of the tests in meson's build directory,
    whose relative paths are below that directory."""
    text = subprocess.run(["meson", "introspect", "--tests", build],
                          check=True, capture_output=True, text=True).stdout
    for t in json.loads(text):
        suite = t["suite"][0].split(":")[-1]
        yield t["name"], suite, t["cmd"], t.get("env") or {}


def scripts(build, long):
    """Programs under tests/e2e (NN_name.py) and, when asked, tests/long."""
    for kind in ["e2e"] + (["long"] if long else []):
        for path in sorted(glob.glob(f"{TOP}/tests/{kind}/[0-9][0-9]_*.py")):
            name = kind + "/" + os.path.basename(path)[:-3]
            yield name, kind, [sys.executable, path, build], {}


def run(argv, env, deadline, cwd):
    """(output, exit code or None when it hung)."""
    try:
        p = subprocess.run(argv, cwd=cwd, env={**os.environ, **env},
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=deadline)
        return p.stdout.decode(errors="replace"), p.returncode
    except subprocess.TimeoutExpired as e:
        return (e.stdout or b"").decode(errors="replace"), None


def count(text, code):
    """(passed, failed, skipped) of TAP text; a broken test adds a failure."""
    passed = failed = skipped = 0
    for line in text.splitlines():
        m = re.match(r"(not )?ok\b[ \d]*(?:- )?[^#]*(# *skip)?", line, re.I)
        if not m:
            continue
        if m.group(1):
            failed += 1
        elif m.group(2):
            skipped += 1
        else:
            passed += 1
    plan = re.search(r"^1\.\.(\d+)", text, re.M)
    whole = plan and int(plan.group(1)) == passed + failed + skipped
    if not whole or (code != 0 and failed == 0):
        failed += 1
    return passed, failed, skipped


def report(name, text, code, seconds):
    """Print what a test said; its (passed, failed, skipped)."""
    sums = count(text, code)
    print("%-6s %-28s %5d passed, %d failed%s  %.1f s" % (
        "FAILED" if sums[1] else "ok", name, sums[0], sums[1],
        f", {sums[2]} skipped" if sums[2] else "", seconds), flush=True)
    if sums[1]:
        why = [x for x in text.splitlines() if not x.startswith("ok ")]
        print("\n".join("    " + x for x in why[-60:]))
        print(f"    exit: {'deadline' if code is None else code}", flush=True)
    else:
        for x in text.splitlines():
            if x.startswith(("# long:", "# sources:", "# show:")):
                print("    " + x, flush=True)
    return sums


def run_lane(tests, build, printing, total):
    """Run these one after another."""
    for name, suite, argv, env in tests:
        began = time.monotonic()
        text, code = run(argv, env, DEADLINE_S.get(suite, 600), build)
        with printing:
            sums = report(name, text, code, time.monotonic() - began)
            total[:] = [x + y for x, y in zip(total, sums)]


def main():
    args = [a for a in sys.argv[2:] if not a.startswith("--")]
    build = os.path.abspath(sys.argv[1])
    tests = [t for t in (*declared(build),
                         *scripts(build, "--long" in sys.argv))
             if not args or any(a in t[0] for a in args)]
    # a virtual machine keeps one processor busy, the other tests another
    machines = [t for t in tests if t[1] in ("e2e", "long")]
    others = [t for t in tests if t not in machines]
    total, printing = [0, 0, 0], threading.Lock()
    lanes = [threading.Thread(target=run_lane,
                              args=(lane, build, printing, total))
             for lane in (machines, others)]
    for lane in lanes:
        lane.start()
        if (os.cpu_count() or 1) < 2:
            lane.join()
    for lane in lanes:
        lane.join()
    print("%d passed, %d failed%s" % (
        total[0], total[1], f", {total[2]} skipped" if total[2] else ""))
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
