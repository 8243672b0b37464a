#!/usr/bin/env python3
"""50_seeded.py BUILD: faults that people make, put into a copy of the sources
one at a time: a suite that stays green with one of them proves nothing. Each
must be caught by a test. Prints TAP; with names behind BUILD, only those."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

# name, file, the text that stands there once, what stands there instead, and
# the tests that may catch it, the likeliest first
BUGS = [
    ("answer before commit", "site/site.c",
     "	if (failed == 0)\n		failed = store_commit(s->writer, &e);",
     "	static int n;\n	if (failed == 0 && n++ % 3 == 0)\n"
     "		failed = store_commit(s->writer, &e);",
     ["server/faults", "server/storm"]),
    ("no sync at a commit", "store/sqlite.c",
     "PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF",
     ["server/faults"]),
    ("a file replaced without fsync", "lib/swap.c",
     "	return fsync(fd) < 0 ? err_sys(e, \"fsync %s\", fresh) : 0;",
     "	return 0;", ["server/faults", "lib/swap"]),
    ("a full disk is ignored", "site/site.c",
     "	if (failed < 0)\n		fail_all(group, &e);", "",
     ["site/life", "server/faults"]),
    ("a group that was undone is gone on with", "site/site.c",
     "		if (!store_begun(s->writer)) {", "		if (0) {",
     ["server/faults"]),
    ("a quota that is counted down", "site/profile.c",
     "	*left = q->total == STATE_UNLIMITED || live < q->total;",
     "	static uint64_t given;\n	(void)live;\n	*left = q->total == "
     "STATE_UNLIMITED || given < q->total;\n	given += *left;",
     ["server/decision", "server/storm"]),
    ("a machine that waits holds no unit", "store/sqlite_schema.c",
     '"condition IN (0, 1, 2, 3)"', '"condition IN (1, 2, 3)"',
     ["site/life", "store/store"]),
    ("an installed machine holds no unit", "store/sqlite_schema.c",
     '"condition IN (0, 1, 2, 3)"', '"condition IN (0, 1, 2)"',
     ["server/oracle", "server/decision", "store/store"]),
    ("an edit that is late releases", "site/sync.c",
     "(marked ? entry->gen == row->gen : row->machine == 0)",
     "(marked || row->machine == 0)", ["server/merge", "server/edit"]),
    ("an edit without a mark releases", "site/sync.c",
     "(marked ? entry->gen == row->gen : row->machine == 0)",
     "(marked ? entry->gen == row->gen : true)",
     ["server/merge", "server/edit"]),
    ("an entry freed keeps the machine's words", "site/record.c",
     "json_parse(&v, t->origin, strlen(t->origin), e)",
     "json_parse(&v, t->fields, strlen(t->fields), e)",
     ["server/decision", "server/oracle", "server/edit"]),
    ("an entry deleted is given again", "site/record.c",
     "t->gone = t->position < 0;", "t->gone = false;",
     ["server/edit", "server/merge"]),
    ("an edit is written over", "lib/swap.c",
     "	if (swapped && judge_displaced(fresh, path, was, e) < 0)\n"
     "		return -1;", "	if (swapped)\n		unlink(fresh);",
     ["lib/swap"]),
    ("half an edit is taken", "site/site.c", "#define QUIET_MS 500 ",
     "#define QUIET_MS 0 ", ["site/snapshot", "server/edit"]),
    ("a run answered anew", "site/answer.c",
     "	if (again > 0)\n		answer_again(s, a, &r);",
     "	if (again > 0)\n		again = 0;",
     ["server/decision", "server/storm"]),
    ("a run that is over answered again", "site/answer.c",
     "	if (r->ended_ms)\n", "	if (0)\n", ["site/life"]),
    ("any token will do", "site/report.c",
     "token_equal(r->token, token)", "token[0]",
     ["site/report", "server/decision"]),
    ("one kind that agrees is enough", "cmdb/identity.c",
     "(l->agree == 1 && l->differ == 0)", "l->agree == 1",
     ["cmdb/identity"]),
    ("a MAC alone is no identity", "cmdb/identity.c",
     "share_a_mac(a, b), \"MACs\"", "false, \"MACs\"",
     ["cmdb/identity"]),
    ("a used entry is given again", "cmdb/choose.c",
     "if (!all[i].used && !all[i].owner &&", "if (!all[i].owner &&",
     ["cmdb/choose", "site/offer"]),
    ("an installed machine is installed again", "site/upload.c",
     "if (a->m.condition == CONDITION_INSTALLED && !a->m.reinstall)",
     "if (0)", ["server/decision"]),
    ("a file that broke has no CMDB", "site/snapshot.c",
     "	if (old && old->has_cmdb) {", "	if (0) {",
     ["site/snapshot", "server/edit"]),
    ("boot.cfg is renamed into its place", "roots/state.c",
     "	done = write_over(path, sector, e);",
     "	(void)write_over;\n	done = 0;",
     ["power/ext4", "roots/state"]),
    ("what the journal holds is left there", "roots/flush.c",
     "	if (syncfs(fd) < 0)",
     "	if (fs.f_type == EXT4_SUPER_MAGIC)\n		return 0;\n"
     "	if (syncfs(fd) < 0)", ["power/ext4"]),
    ("no freeze on xfs", "roots/flush.c",
     "	case XFS_SUPER_MAGIC:\n		return settle(dir, fd, e);",
     "	case XFS_SUPER_MAGIC:\n		return 0;", ["power/edeploy-xfs"]),
    ("no syncfs", "roots/flush.c", "	if (syncfs(fd) < 0)", "	if (0)",
     ["power/edeploy-btrfs"]),
    ("a generation is used again", "roots/state.c", "	s->gen++;", "",
     ["roots/state", "power/ext4"]),
    ("what GRUB saw too late is believed", "roots/state.c",
     "	if (w->gen != s->gen)", "	if (0)", ["roots/state"]),
    ("a start is not counted", "roots/state.c", "		s->left--;", "",
     ["roots/state", "power/ext4"]),
]

# Tests of static programs, which have a build of their own: the words behind
# the folder of that build.
POWER = [sys.executable, f"{TOP}/tests/power/cuts.py"]
STATIC_TESTS = {
    "power/ext4": [*POWER, "BUILD", "--states", "300"],
    "power/edeploy-xfs": [*POWER, "BUILD", "--real", "--states", "150",
                          "--fs", "xfs"],
    "power/edeploy-btrfs": [*POWER, "BUILD", "--real", "--states", "150",
                            "--fs", "btrfs"],
}
STATIC_PROGRAMS = ["edeploy", "edeployctl", "edeploy-init",
                   "tests/power/play"]


class Builds:
    """The sanitized one of all, and one of static programs when there is a
    bug that wants them."""

    def __init__(self, top, prefix, bugs):
        self.all, self.static = f"{top}/build", None
        self.failed = self.make(top, prefix, self.all,
                                "address,undefined") or self.build([])
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
        todo = []
        if not set(wanted) <= STATIC_TESTS.keys() or not wanted:
            todo.append(["ninja", "-C", self.all])
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


def is_static(bug):
    return not STATIC_TESTS.keys().isdisjoint(bug[4])


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
    text = subprocess.run(["meson", "introspect", "--tests", build],
                          check=True, capture_output=True, text=True).stdout
    return {t["name"]: t["cmd"] for t in json.loads(text)}


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


def try_bug(bug, top, builds, tests):
    """(the test that caught it or None, why it could not be tried)"""
    _, path, old, new, wanted = bug
    with open(f"{top}/{path}") as f:
        good = f.read()
    if good.count(old) != 1:
        return None, "its text is no longer there once"
    with open(f"{top}/{path}", "w") as f:
        f.write(good.replace(old, new))
    why = builds.build(wanted)
    caught = None if why else catcher(builds.all, tests, wanted)
    with open(f"{top}/{path}", "w") as f:
        f.write(good)
    return caught, why and "it does not build: " + why


def main():
    only = sys.argv[2:]
    bugs = [b for b in BUGS if not only or b[0] in only]
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


sys.exit(main())
