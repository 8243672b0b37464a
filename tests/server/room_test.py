#!/usr/bin/env python3
"""room_test.py EDEPLOYD EDEPLOYCTL: real file systems under store and site that
become full, and ones that are read-only: told clearly, nothing is given twice,
and it goes on by itself when there is room again. Mounts in a namespace of its
own, which needs root."""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import decision as d  # noqa: E402
import faults  # noqa: E402

check = d.check
STORE_MB = 20
MUCH = [["note", f"n{i}", "text", "x" * 4000] for i in range(40)]


def run(*argv):
    p = subprocess.run(argv, capture_output=True, text=True)
    if p.returncode != 0:
        raise RuntimeError(f"{argv}: {p.stderr}")


class Server(d.Server):
    """The store on an ext4 of a few MB, the site on a tmpfs of one."""

    def mount(self):
        os.mkdir(f"{self.dir}/store")
        with open(f"{self.dir}/disk", "wb") as f:
            f.truncate(STORE_MB << 20)
        run("mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0",
            f"{self.dir}/disk")
        run("mount", "-o", "loop", f"{self.dir}/disk", f"{self.dir}/store")
        run("mount", "-t", "tmpfs", "-o", "size=1m", "none",
            f"{self.dir}/site")

    def fill(self, folder):
        with open(f"{self.dir}/{folder}/filler", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass

    def make_room(self, folder):
        os.remove(f"{self.dir}/{folder}/filler")

    def remount(self, folder, how):
        """While nobody has a file there open for writing."""
        check(f"the {folder} becomes {how}", until(lambda: subprocess.run(
            ["mount", "-o", f"remount,{how}", f"{self.dir}/{folder}"],
            capture_output=True).returncode == 0))

    def end(self):
        self.stop()
        run("umount", f"{self.dir}/store", f"{self.dir}/site")
        shutil.rmtree(self.dir)


def until(what, seconds=20):
    end = time.time() + seconds
    while time.time() < end and not what():
        time.sleep(0.05)
    return what()


def ask(s, book, n, run_id):
    status, text, _ = s.upload(run_id, n, more=MUCH)
    if status == 200:
        book.answered(run_id, n, text)
    return status, text


def agree(s, book, what):
    check(f"{what}: no entry twice, no other answer to a run", not book.wrong,
          book.wrong[:4])
    check(f"{what}: the file says the same", until(
        lambda: book.differs(faults.read(s)) is None),
        book.differs(faults.read(s)))
    s.check_history(what)


def test_store_full(programs):
    s = Server(*programs, "[('vm', '*')]\n", faults.entries(60))
    book = faults.Book()
    for n in range(1, 4):
        ask(s, book, n, n)
    s.fill("store")
    got = [ask(s, book, n, n) for n in range(4, 34)]
    late = [g for g in got if g[0] != 200]
    check("a store that is full: those that it cannot keep are told so",
          late and all(status == 500 and "make room on that file system" in
                       text for status, text in late) and got[-1] in late,
          (len(late), got[-1]))
    code, text = s.ctl("machines")
    check("it can be asked still", code == 0 and "m1 " in text, text)
    s.make_room("store")
    again = [ask(s, book, n, n)[0] for n in range(1, 34)]
    check("with room again each has its answer", set(again) == {200}, again)
    agree(s, book, "a store that was full")
    s.stop()
    s.fill("store")
    s.start()
    check("it starts on a full disk, or says what to do", "ready" in s.log() or
          (s.proc.wait(20) == 1 and "room" in s.log()), s.log())
    if s.proc.poll() is None:
        s.stop()
    s.make_room("store")
    s.remount("store", "ro")
    s.start()
    check("a store that is read-only ends the server, which names it",
          "ready" not in s.log() and s.proc.wait(20) == 1 and "store/edeploy.db" in s.log() and
          "read-only" in s.log(), s.log())
    s.remount("store", "rw")
    s.start()
    check("and nothing is lost", ask(s, book, 5, 5)[0] == 200 and
          ask(s, book, 40, 40)[0] == 200)
    agree(s, book, "a store that was read-only")
    s.end()


def test_site(programs):
    s = Server(*programs, "[('vm', '*')]\n", faults.entries(60))
    book = faults.Book()
    ask(s, book, 1, 1)
    until(lambda: "# 1@" in faults.read(s))
    for n, what, spoil, mend in (
            (2, "full", lambda: s.fill("site"), lambda: s.make_room("site")),
            (3, "read-only", lambda: s.remount("site", "ro"),
             lambda: s.remount("site", "rw"))):
        spoil()
        was = faults.read(s)
        check(f"a site that is {what}: decisions go on",
              ask(s, book, n, n)[0] == 200 and
              ask(s, book, 10 + n, 10 + n)[0] == 200)
        said = "No space left" if what == "full" else "Read-only file system"
        check(f"a site that is {what}: it is said, with the file", until(
            lambda: any("vm.cmdb" in x and said in x for x in s.said)),
            s.log())
        check(f"a site that is {what}: its file stays whole",
              faults.read(s) == was)
        mend()
        agree(s, book, f"a site that was {what}")
    left = sorted(set(os.listdir(f"{s.dir}/site")) -
                  {"state", "vm.specs", "vm.configure", "vm.cmdb"})
    check("nothing is left beside the files", not left, left)
    s.end()


def main():
    if os.geteuid() != 0 or subprocess.run(
            ["unshare", "-m", "true"], capture_output=True).returncode != 0:
        print("ok 1 - # skip mounts need root\n1..1")
        return 0
    if "ROOM_TEST_APART" not in os.environ:
        os.environ["ROOM_TEST_APART"] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private",
                              sys.executable, *sys.argv])
    test_store_full(sys.argv[1:3])
    test_site(sys.argv[1:3])
    return d.end()


if __name__ == "__main__":
    sys.exit(main())
