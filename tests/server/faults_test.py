#!/usr/bin/env python3
"""faults_test.py EDEPLOYD EDEPLOYCTL FAULTS.SO [--long]: each call by which one
decision changes files fails in turn: with EIO, with half of it written and the
disk full, and by the death of the server. No answer is lost, none is given
twice, and the server goes on by itself."""
import collections
import errno
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import decision as d  # noqa: E402
import faults  # noqa: E402
import history  # noqa: E402
from faults import KILL, read  # noqa: E402

check = d.check
LONG = "--long" in sys.argv
NAMES = {errno.EIO: "EIO", errno.ENOSPC: "ENOSPC", KILL: "kill -9"}
SAYS = {errno.EIO: "disk I/O error",
        errno.ENOSPC: "make room on that file system"}


def new_server(programs, shim, work, name, entries=800):
    return faults.Server(programs, shim, "[('vm', '*')]\n",
                         faults.entries(entries), f"{work}/{name}")


def until(what, seconds=10):
    end = time.time() + seconds
    while time.time() < end:
        if what():
            return True
        time.sleep(0.02)
    return False


class Tries:
    """Decisions of new machines on a disk that fails."""

    def __init__(self, s, part, facts=()):
        self.s, self.part, self.book = s, part, faults.Book()
        self.facts = facts
        self.next, self.restarts, self.wrong = 1, [], []
        self.hit = collections.Counter()

    def once(self, at, error, more=None):
        """One decision whose call `at` fails; True when there was one."""
        n = run = self.next
        self.next += 1
        self.s.disk.arm(self.s.dir + self.part, at, error)
        status, text = self.s.try_upload(run, n, self.facts)
        if more:
            more(run)
        hit, calls = self.s.disk.hits(), self.s.disk.calls()
        self.s.disk.off()
        if hit:
            self.hit[calls[at - 1]] += 1
        if hit and error == KILL:
            self.restarts.append(self.s.restart_dead())
        if status == 200:
            self.book.answered(run, n, text)
        elif not hit or (error != KILL and
                         (status != 500 or SAYS[error] not in text)):
            self.wrong.append((at, NAMES[error], calls[at - 1:at], status,
                               text))
        status, text = self.s.try_upload(run, n, self.facts)
        if status == 200:
            self.book.answered(run, n, text)
        else:
            self.wrong.append((at, NAMES[error], "asked again", status, text))
        return hit > 0

    def judge(self, what):
        check(f"{what}: the answer tells why, asked again it is given",
              not self.wrong, self.wrong[:4])
        check(f"{what}: no entry twice, no other answer to a run",
              not self.book.wrong, self.book.wrong[:4])
        check(f"{what}: the files agree", until(
            lambda: self.book.differs(read(self.s)) is None),
            self.book.differs(read(self.s)))
        self.s.check_history(what)
        if self.restarts:
            self.restarts.sort()
            # the best of them: others run on this machine, too
            check(f"{what}: ready again within a second",
                  self.restarts[0] < 1, self.restarts)


def test_writer(programs, shim, work):
    """Each call in the store, from the first on until there are no more."""
    s = new_server(programs, shim, work, "writer")
    t = Tries(s, "/store/")
    for error in NAMES:
        at = 1
        while t.once(at, error):
            at += 1
        check(f"{NAMES[error]} at each of a decision's calls on the store: "
              f"{at - 1}", at > 8, t.hit)
    check("its writes and its sync were among them",
          t.hit["pwrite edeploy.db-wal"] and t.hit["fdatasync edeploy.db-wal"],
          t.hit)
    t.judge("a decision")
    s.end()


def test_checkpoint(programs, shim, work):
    """The log is copied into the database now and then: that may fail, too,
    and disturbs no decision."""
    s = new_server(programs, shim, work, "checkpoint")
    much = [["note", f"n{i}", "text", "x" * 4000] for i in range(60)]
    t = Tries(s, "/store/edeploy.db$", much)
    places = range(1, 60) if LONG else (1, 2, 3, 8, 20)
    for error in NAMES:
        for at in places:
            tries = 0
            while not t.once(at, error) and tries < 100:
                tries += 1
            check(f"{NAMES[error]} at call {at} of a checkpoint", tries < 100)
            if t.next > 700:  # the entries are running out
                t.judge("a checkpoint")
                s.end()
                s = new_server(programs, shim, work, "checkpoint")
                t = Tries(s, t.part, much)
    t.judge("a checkpoint")
    s.end()


def test_scribe(programs, shim, work):
    """Each call by which a claim is written back into the .cmdb file."""
    s = new_server(programs, shim, work, "scribe", 200)
    t = Tries(s, "/site/")

    def written(run):
        until(lambda: s.disk.hits() or f"# {run}@" in read(s), 10)

    for error in NAMES if LONG else (errno.ENOSPC, KILL):
        at = 1
        while t.once(at, error, written):
            at += 1
            if not faults.reads(read(s)):
                t.wrong.append((at, NAMES[error], "a torn file"))
            until(lambda: t.book.differs(read(s)) is None)
        check(f"{NAMES[error]} at each call of writing back: {at - 1}", at > 5,
              t.hit)
    check("its sync and its rename were among them",
          any(k.startswith("fsync") for k in t.hit) and
          any(k.startswith("rename") for k in t.hit), t.hit)
    t.judge("writing back")
    left = set(os.listdir(f"{s.dir}/site")) - {
        "state", "vm.specs", "vm.configure", "vm.cmdb"}
    check("what the dead left is set aside under one name",
          left == {"vm.cmdb.interrupted"}, left)
    s.end()


def test_full(programs, shim, work):
    """The disk stays full for a while."""
    s = new_server(programs, shim, work, "full")
    t = Tries(s, "/store/")
    for at in range(1, 12):
        s.disk.arm(s.dir, at, errno.ENOSPC, True)
        got = [s.try_upload(1000 * at + i, 1000 * at + i) for i in range(3)]
        s.disk.off()
        if any(x[0] not in (200, 500) for x in got) or got[2][0] != 500 or \
                SAYS[errno.ENOSPC] not in got[2][1]:
            t.wrong.append((at, got))
        for i, (status, text) in enumerate(got):
            if status == 200:
                t.book.answered(1000 * at + i, 1000 * at + i, text)
            status, text = s.try_upload(1000 * at + i, 1000 * at + i)
            if status == 200:
                t.book.answered(1000 * at + i, 1000 * at + i, text)
            else:
                t.wrong.append((at, status, text))
    t.judge("a disk that stays full")
    s.end()


def test_group(programs, shim, work):
    """The disk fails in the middle of a group that is too large for the memory
    of one transaction: all of it is undone, those behind the one that failed
    must not stand alone, and the next group is taken."""
    s = new_server(programs, shim, work, "group", 100)
    t = Tries(s, "/store/")
    much = [["note", f"n{i}", "text", "x" * 4090] for i in range(240)]
    crowd = range(2, 62)
    got = {}

    def ask(n):
        got[n] = s.try_upload(n, n, much)

    for k, error in enumerate((errno.ENOSPC, errno.EIO)):
        first = 70 + k
        # a scribe that has still to tell of its file would wait for this
        # sync, and keep out who comes behind it
        t.book.answered(80 + k, 80 + k, s.try_upload(80 + k, 80 + k)[1])
        until(lambda: not t.book.differs(read(s)) and s.idle(), 60)
        s.disk.arm(s.dir + t.part, 1, error, held=True)
        threads = [threading.Thread(target=ask, args=(n,)) for n in
                   (first, *crowd)]
        s.sent.clear()
        threads[0].start()
        until(lambda: len(s.sent) == 1 and s.idle(), 60)
        for one in threads[1:]:
            one.start()
        check(f"{NAMES[error]}: {len(crowd)} machines wait for a sync",
              until(lambda: len(s.sent) == len(threads) and s.idle(), 60) and
              not got, got)
        s.disk.let_go()
        for one in threads:
            one.join()
        calls, hits = s.disk.calls(), s.disk.hits()
        s.disk.off()
        check(f"{NAMES[error]} in the middle of their group", hits == 1 and
              calls[-1:] == ["pwrite edeploy.db-wal"] and got[first][0] == 200,
              (hits, calls, got[first]))
        wrong = {n: got[n] for n in crowd if got[n][0] != 500 or
                 SAYS[error] not in got[n][1]}
        check(f"{NAMES[error]}: each is told why", not wrong, wrong)
        known = json.loads(s.ctl("machines", "--json")[1])["machines"]
        check(f"{NAMES[error]}: none of them stands",
              len(known) == 2 * (1 + k), [m["id"] for m in known])
        t.book.answered(first, first, got[first][1])
        got.clear()
    for n in (70, 71, *crowd):
        status, text = s.try_upload(1000 + n, n, much)
        if status == 200:
            t.book.answered(1000 + n, n, text)
        else:
            t.wrong.append((n, status, text))
    t.judge("a group that was undone")
    s.end()


def test_start(programs, shim, work):
    """Each call by which a server makes a new store of the files. It starts,
    or ends and says why; the next one starts and goes on."""
    s = new_server(programs, shim, work, "start", 20)
    s.stop()
    text, wrong, hits = read(s), [], 0
    for error in NAMES:
        at, hit = 1, True
        while hit:
            shutil.rmtree(f"{s.dir}/store")
            s.put("vm.cmdb", text)
            s.disk.arm(s.dir, at, error)
            s.start()
            hit = s.disk.hits() > 0
            s.disk.off()
            if "ready" in s.log():
                s.stop(signal.SIGKILL if error == KILL else signal.SIGTERM)
            elif s.proc.wait(20) != (1 if error != KILL else -signal.SIGKILL):
                wrong.append((at, NAMES[error], s.proc.returncode, s.log()))
            elif error != KILL and not s.log().strip():
                wrong.append((at, NAMES[error], "it did not say why"))
            s.start()
            got = s.try_upload(at, 1)
            if got[0] != 200 or "10.0.0.1" not in got[1]:
                wrong.append((at, NAMES[error], got, s.log()))
            s.stop()
            hits += hit
            at += 1 if LONG else 13
    check(f"a first start that fails at {hits} calls: told, and the next one "
          "goes on", not wrong and hits > 9, (hits, wrong[:3]))
    shutil.rmtree(s.dir)


def test_damaged(programs, shim, work):
    """A store that cannot be read ends the server with a remedy, and the files
    are enough to go on."""
    s = new_server(programs, shim, work, "damaged", 5)
    t = Tries(s, "/store/")
    for _ in range(3):
        t.once(0, errno.EIO)
    until(lambda: "# 3@" in read(s))
    s.stop()
    path = f"{s.dir}/store/edeploy.db"
    with open(path, "r+b") as f:
        f.write(os.urandom(os.path.getsize(path)))
    s.start()
    check("a damaged store ends the server", s.proc.wait(20) == 1, s.log())
    check("with the remedy", "restore it from a backup, or move it away" in
          s.log(), s.log())
    shutil.rmtree(f"{s.dir}/store")
    s.start()
    t.book.answer.clear()  # runs are forgotten, entries are not
    s.history = history.History()
    for n in (1, 2, 3, 4, 5):
        status, text = s.try_upload(100 + n, n)
        if status == 200:
            t.book.answered(100 + n, n, text)
        else:
            t.wrong.append((n, status, text))
    t.judge("a store rebuilt from the files")
    s.stop()
    os.chmod(path, 0o400)
    if os.geteuid() != 0:  # root may write
        s.start()
        check("a store that may not be written ends the server",
              s.proc.wait(20) == 1, s.log())
    shutil.rmtree(s.dir)


def main():
    programs, shim = sys.argv[1:3], sys.argv[3]
    work = tempfile.mkdtemp(prefix="edeploy-faults-")
    # each waits most of the time
    d.at_once([lambda t=t: t(programs, shim, work)
               for t in (test_writer, test_checkpoint, test_scribe, test_full,
                         test_group, test_start, test_damaged)])
    shutil.rmtree(work)
    return d.end()


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
