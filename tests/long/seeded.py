"""Faults that people make, put into a copy of the sources one at a time: a
suite that stays green with one of them proves nothing. Each must be caught by a
test. A program with a list calls main(): PROGRAM BUILD [NAME...]; prints TAP;
with names behind BUILD, only those."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

# Tests of static programs, which have a build of their own: the words behind
# the folder of that build.
POWER = [sys.executable, f"{TOP}/tests/power/cuts.py"]
TRIALS = [sys.executable, f"{TOP}/tests/e2e/81_trials.py"]
STATIC_TESTS = {
    "power/ext4": [*POWER, "BUILD", "--states", "300"],
    "power/edeploy-xfs": [*POWER, "BUILD", "--of", "boot", "--states", "150",
                          "--fs", "xfs"],
    "power/edeploy-btrfs": [*POWER, "BUILD", "--of", "boot", "--states", "150",
                            "--fs", "btrfs"],
    "power/edeploy": [*POWER, "BUILD", "--of", "boot", "--states", "300"],
    "power/live": [*POWER, "BUILD", "--of", "live", "--states", "300"],
    "power/convert": [*POWER, "BUILD", "--of", "convert", "--states", "300"],
    "power/kills": [sys.executable, f"{TOP}/tests/power/kills.py", "BUILD",
                    "--of", "boot", "--of", "boot-back"],
    **{f"e2e/{name}": [*TRIALS, "BUILD", name]
       for name in ("no-init", "dies", "garbage", "hangs", "unwell", "noise",
                    "well")},
}
STATIC_PROGRAMS = ["edeploy", "edeployctl", "edeploy-init",
                   "tests/power/play", "tests/power/killer"]


class Builds:
    """The sanitized one of all, and one of static programs when there is a
    bug that wants them."""

    def __init__(self, top, prefix, bugs):
        self.all, self.static = f"{top}/build", None
        self.failed = self.make(top, prefix, self.all, "address,undefined")
        self.needs = {} if self.failed else needs(self.all)
        if not self.failed and any(is_static(b) for b in bugs):
            self.static = f"{top}/static"
            self.failed = self.make(top, prefix, self.static, "none") or \
                self.build(STATIC_TESTS)

    @staticmethod
    def make(top, prefix, build, sanitize):
        p = run("meson", "setup", build, top, f"-Db_sanitize={sanitize}",
                "-Dwerror=false", f"-Dstatic_prefix={prefix}")
        return "" if p.returncode == 0 else p.stdout[-2000:]

    def build(self, wanted):
        """"" or why what these tests need does not build."""
        todo, programs = [], set()
        for name in set(wanted) - STATIC_TESTS.keys():
            programs |= self.needs[name]
        if programs:
            todo.append(["ninja", "-C", self.all, *sorted(programs)])
        if set(wanted) & STATIC_TESTS.keys():
            todo.append(["ninja", "-C", self.static, *STATIC_PROGRAMS])
        for argv in todo:
            p = run(*argv)
            if p.returncode:
                return p.stdout[-2000:]
        return ""

    def tests(self):
        found = commands(self.all)
        for name, words in STATIC_TESTS.items():
            found[name] = [self.static if w == "BUILD" else w for w in words]
        return found


def introspect(build, what):
    text = subprocess.run(["meson", "introspect", what, build], check=True,
                          capture_output=True, text=True).stdout
    return json.loads(text)


def needs(build):
    """What each test wants built, as ninja calls it."""
    files = {t["id"]: t["filename"] for t in introspect(build, "--targets")}
    return {t["name"]: {os.path.relpath(f, build) for d in t["depends"]
                        for f in files.get(d, [])}
            for t in introspect(build, "--tests")}


def is_static(bug):
    return not STATIC_TESTS.keys().isdisjoint(bug[-1])


def run(*argv, **more):
    return subprocess.run(argv, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **more)


def copy_sources(to):
    files = run("git", "-C", TOP, "ls-files", "-z").stdout
    for name in filter(None, files.split("\0")):
        if os.path.exists(f"{TOP}/{name}"):
            os.makedirs(os.path.dirname(f"{to}/{name}"), exist_ok=True)
            shutil.copy2(f"{TOP}/{name}", f"{to}/{name}", follow_symlinks=False)


def commands(build):
    return {t["name"]: t["cmd"] for t in introspect(build, "--tests")}


def catcher(build, tests, wanted):
    """The test that fails, or None."""
    for name in wanted:
        try:
            p = run(*tests[name], cwd=build, timeout=1200)
            if p.returncode != 0:
                return name
        except subprocess.TimeoutExpired:
            return name + " (hangs)"
    return None


def read(path):
    with open(path) as f:
        return f.read()


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def edits_of(bug):
    """[(file, old, new)]: one, or a list where a fault takes more."""
    return bug[1] if len(bug) == 3 else [bug[1:4]]


def try_bug(bug, top, builds, tests):
    """(the test that caught it or None, why it could not be tried)"""
    edits, wanted = edits_of(bug), bug[-1]
    good = {path: read(f"{top}/{path}") for path, _, _ in edits}
    for path, old, new in edits:
        text = read(f"{top}/{path}")
        if text.count(old) != 1:
            why = f"{path}: its text is no longer there once"
            break
        write(f"{top}/{path}", text.replace(old, new))
    else:
        why = builds.build(wanted)
    caught = None if why else catcher(builds.all, tests, wanted)
    for path, text in good.items():
        write(f"{top}/{path}", text)
    return caught, why and "it does not build: " + why


def main(every):
    """Rows: name, file, the text that stands there once, what stands there
    instead, and the tests that may catch it, the likeliest first; or name,
    a list of such edits, tests."""
    only = sys.argv[2:]
    bugs = [b for b in every if not only or b[0] in only]
    prefix = run(f"{TOP}/setup/static-deps").stdout.strip().split("\n")[-1]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="edeploy-seeded.") as top:
        copy_sources(top)
        builds = Builds(top, prefix, bugs)
        if builds.failed:
            print("not ok 1 - it builds\n1..1\n# " +
                  builds.failed.replace("\n", "\n# "))
            return 1
        tests = builds.tests()
        for i, bug in enumerate(bugs, 1):
            caught, why = try_bug(bug, top, builds, tests)
            failed += not caught
            print(f"{'ok' if caught else 'not ok'} {i} - {bug[0]}: "
                  f"{'caught by ' + caught if caught else 'not caught'}",
                  flush=True)
            if why:
                print("# " + why[-600:].replace("\n", "\n# "), flush=True)
    print(f"1..{len(bugs)}")
    return 1 if failed else 0

