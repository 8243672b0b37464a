#!/usr/bin/env python3
"""70_quickstart.py BUILD: ./quickstart --role tiny in a terminal, by whoever
runs this: to the end, again (what stands is used again), and ^C at moments from
its first second on: nothing runs on, nothing stays mounted, and the next call
works. Prints TAP."""
import os
import pty
import re
import select
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
from tap import check, end  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
WORK = f"{TOP}/build/quickstart"
COMMAND = ["./quickstart", "--role", "tiny"]
PATIENCE_S = 2400  # the first one may install packages and build everything


class Terminal:
    """quickstart, and somebody who watches it."""

    def __init__(self):
        self.began = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # also where the tests run in a background that hears no ^C
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.chdir(TOP)
            os.environ["TERM"] = "xterm"
            os.execv(COMMAND[0], COMMAND)
        self.text = ""

    def read(self, until):
        """False when it has ended."""
        if not select.select([self.fd], [], [], 0.2)[0]:
            return True
        try:
            got = os.read(self.fd, 65536)
        except OSError:
            got = b""
        self.text += got.decode(errors="replace")
        return bool(got) and not re.search(until, self.text)

    def wait(self, until="(?!)", seconds=PATIENCE_S):
        end = time.monotonic() + seconds
        while self.read(until) and time.monotonic() < end:
            pass

    def end(self, seconds=PATIENCE_S):
        """Its exit code; None when it had to be killed."""
        self.wait(seconds=seconds)
        for _ in range(50):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.1)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)
        return None


def whole(what):
    t = Terminal()
    code = t.end()
    check(f"{what}: the machine is at its own login", code == 0 and
          "From power-on to its own login in" in t.text, t.text)
    check(f"{what}: a bar moves on the way", re.search(r"\[#+\.*\]", t.text),
          t.text)
    taken = time.monotonic() - t.began
    install = re.search(r"its own login in (\d+) s", t.text)
    return taken, int(install.group(1)) if install else 0


def running():
    """Processes that name the work folder: server, rsync, QEMU, watch."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if WORK in words:
            found.append(f"{pid} {words}")
    return found


def mounts():
    with open("/proc/self/mounts") as f:
        return set(f)


def interrupt(moment, seconds):
    """^C some seconds after `moment` was seen."""
    before = mounts()
    t = Terminal()
    t.wait(moment, 600)
    t.wait(seconds=seconds)
    os.write(t.fd, b"\x03")
    asked = time.monotonic()
    code = t.end(60)
    what = f"^C {seconds} s after {moment!r}"
    check(f"{what}: it ends within 15 s, and says that it did not come to "
          "its end", code in (130, -signal.SIGINT) and
          time.monotonic() - asked < 15, f"{code}: {t.text}")
    time.sleep(1)
    check(f"{what}: nothing runs on", not running(), "\n".join(running()))
    check(f"{what}: nothing stays mounted", mounts() <= before,
          mounts() - before)


def main():
    first, _ = whole("the first call")
    second, install = whole("the second call")
    print(f"# show: the first call {first:.0f} s, the second {second:.0f} s, "
          f"of that the machine {install} s")
    check("the second call is little more than the machine",
          second < install + 60, f"{second} {install}")
    for moment, seconds in (("building in", 0.2), ("tree of role", 0.1),
                            ("kernel and initrd", 0.5),
                            ("it is published", 0.3), ("edeployd on", 0.1), ("PXE", 0.3),
                            ("PXE", 6), ("  assigned", 0.5),
                            (r"host3  tree", 1), (r"starts from", 3)):
        interrupt(moment, seconds)
    whole("after all that")
    return end()


sys.exit(main())
