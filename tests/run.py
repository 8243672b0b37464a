#!/usr/bin/env python3
"""run.py BUILD [--long] [NAME...]: run the tests that the build declares, and
those under tests/ that are programs of their own, count every TAP line of
each, and print the sum. A test that dies, hangs or prints no plan fails.
Two at a time where there are two processors: virtual machines beside the
other tests, then beside one another."""
import glob
import json
import os
import re
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# undefined behaviour ends a program as a bad address does: else it is printed
# where nobody looks
SANITIZE = {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
DEADLINE_S = {"unit": 600, "house": 600, "wire": 900, "e2e": 3600, "long": 7200}
# The longest begin first, so that no processor waits for one at the end.
LONGEST = ["e2e/81_trials", "e2e/53_uefi", "e2e/10_install", "e2e/50_endings",
           "e2e/70_trees", "e2e/05_initrd", "e2e/84_convert", "e2e/83_power"]


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
    """(output, exit code or None when it hung). One that hangs is asked to end
    first, for it has machines and mounts to take away."""
    with subprocess.Popen(argv, cwd=cwd, env={**SANITIZE, **os.environ, **env},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as p:
        for end in (None, p.terminate, p.kill):
            if end:
                end()
            try:
                text = p.communicate(timeout=60 if end else deadline)[0]
                return (text.decode(errors="replace"),
                        None if end else p.returncode)
            except subprocess.TimeoutExpired as e:
                text = e.stdout or b""  # what it left may hold the pipe
    return text.decode(errors="replace"), None


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


def in_order(tests):
    return sorted(tests, key=lambda t: LONGEST.index(t[0]) if t[0] in LONGEST
                  else len(LONGEST))


class Suite:
    """What is still to be run, and the sum of what was."""

    def __init__(self, tests, build):
        self.build, self.lock, self.sums = build, threading.Lock(), [0, 0, 0]
        # those of tests/long need a machine's time, not one another's
        self.long = [t for t in tests if t[1] == "long"]
        self.machines = in_order(t for t in tests if t[1] == "e2e")
        self.others = [t for t in tests if t[1] not in ("e2e", "long")]

    def take(self, *queues):
        """The next test of the first queue that holds one, or None."""
        with self.lock:
            for queue in queues:
                if queue:
                    return queue.pop(0)

    def work(self, *queues):
        while test := self.take(*queues):
            name, suite, argv, env = test
            began = time.monotonic()
            text, code = run(argv, env, DEADLINE_S.get(suite, 600), self.build)
            with self.lock:
                sums = report(name, text, code, time.monotonic() - began)
                self.sums = [x + y for x, y in zip(self.sums, sums)]

    def run(self):
        lanes = [threading.Thread(target=self.work, args=queues) for queues in (
            (self.machines, self.long), (self.others, self.machines))]
        for lane in lanes:
            lane.start()
            if (os.cpu_count() or 1) < 2:
                lane.join()
        for lane in lanes:
            lane.join()
        return self.sums


def main():
    args = [a for a in sys.argv[2:] if not a.startswith("--")]
    build = os.path.abspath(sys.argv[1])
    tests = [t for t in (*declared(build),
                         *scripts(build, "--long" in sys.argv))
             if not args or any(a in t[0] for a in args)]
    passed, failed, skipped = Suite(tests, build).run()
    print("%d passed, %d failed%s" % (
        passed, failed, f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
