"""A server whose disk fails when told so (faults.c), and the book that is kept
of what it answered: an oracle that knows quota, entries and runs, and shares no
code with the server."""
import ast
import http.client
import mmap
import os
import re
import struct
import time

import decision as d

KILL = -1
SIZE, HELD, UNDER, NOTE = 16384, 28, 32, 512


class Disk:
    """struct faults of faults.c."""

    def __init__(self, path):
        with open(path, "wb") as f:
            f.truncate(SIZE)
        self.file = open(path, "r+b")
        self.at = mmap.mmap(self.file.fileno(), SIZE)

    def arm(self, under, at=0, error=0, stay=False, held=False):
        """`held`: from the end of a sync on, which waits until it is let go."""
        self.off()
        struct.pack_into("i", self.at, HELD, held)
        self.at[UNDER:NOTE] = under.encode().ljust(NOTE - UNDER, b"\0")
        struct.pack_into("iiiIII", self.at, 4, at, error, stay, 0, 0, 0)
        struct.pack_into("i", self.at, 0, 1)

    def let_go(self):
        struct.pack_into("i", self.at, HELD, 0)

    def off(self):
        self.let_go()
        struct.pack_into("i", self.at, 0, 0)

    def hits(self):
        return struct.unpack_from("i", self.at, 20)[0]

    def calls(self):
        """["pwrite edeploy.db-wal", ...] since it was armed."""
        used = struct.unpack_from("I", self.at, 24)[0]
        return self.at[NOTE:NOTE + used].decode().splitlines()


class Server(d.Server):
    def __init__(self, programs, shim, state, cmdb, disk_path):
        self.disk, self.sent = Disk(disk_path), []
        self.env = {**os.environ, "LD_PRELOAD": shim,
                    "EDEPLOY_FAULTS": disk_path,
                    "ASAN_OPTIONS": "verify_asan_link_order=0"}
        super().__init__(*programs, state, cmdb)

    def try_upload(self, run, n, more=()):
        """(status, text), or (None, why) when no answer came."""
        try:
            return self.upload(run, n, more=more)[:2]
        except (OSError, http.client.HTTPException) as e:
            return None, repr(e)

    def has_sent(self):
        self.sent.append(time.monotonic())

    def idle(self):
        """It has read all that it was sent, and has no more to do until
        something changes. A server that only was given no processor for a
        while is none: its threads are not asleep."""
        was = self.used()
        time.sleep(0.5)
        return was is not None and was == self.used() and not self.unread()

    def used(self):
        """Ticks of each thread, None while one of them runs."""
        out = {}
        try:
            for task in os.listdir(f"/proc/{self.proc.pid}/task"):
                with open(f"/proc/{self.proc.pid}/task/{task}/stat") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                if fields[0] != "S":
                    return None
                out[task] = fields[11:13]
        except (FileNotFoundError, ProcessLookupError):
            return None  # a thread that just ended
        return out

    def unread(self):
        """Bytes that wait in its sockets, or on their way there."""
        port, waiting = f":{self.port:04X}", 0
        with open(f"/proc/{self.proc.pid}/net/tcp") as f:
            for line in f.readlines()[1:]:
                _, here, there, _, queues = line.split()[:5]
                tx, rx = (int(n, 16) for n in queues.split(":"))
                if here.endswith(port):
                    waiting += rx
                elif there.endswith(port):
                    waiting += tx
        return waiting

    def restart_dead(self):
        self.proc.wait(20)
        began = time.monotonic()
        self.start()
        return time.monotonic() - began


class Book:
    """What was answered, and what must follow from it."""

    def __init__(self):
        self.answer = {}   # run: text
        self.entry = {}    # machine: ip
        self.owner = {}    # ip: machine
        self.wrong = []

    def answered(self, run, n, text):
        if self.answer.setdefault(run, text) != text:
            self.wrong.append(f"run {run:x}: another answer than before")
        m = re.search(r'\["ip"\] = "([^"]+)"', text)
        ip = m and m.group(1)
        if not ip:
            self.wrong.append(f"machine {n} got no entry: {text[:200]}")
        if self.entry.setdefault(n, ip) != ip:
            self.wrong.append(f"machine {n}: {self.entry[n]}, then {ip}")
        if self.owner.setdefault(ip, n) != n:
            self.wrong.append(f"{ip}: machines {self.owner[ip]} and {n}")

    def differs(self, cmdb):
        """None, or how a .cmdb text differs from what was answered."""
        if not reads(cmdb):
            return f"does not read: {cmdb[:300]}"
        used = {e["ip"] for e in ast.literal_eval(cmdb) if "used" in e}
        if used == set(self.owner):
            return None
        return (f"answered but not used: {set(self.owner) - used}; "
                f"used by nobody: {used - set(self.owner)}")


def reads(cmdb):
    """Whole: an editor or a program that reads it now sees a list."""
    try:
        return isinstance(ast.literal_eval(cmdb), list)
    except (SyntaxError, ValueError):
        return False


def read(s):
    with open(f"{s.dir}/site/vm.cmdb") as f:
        return f.read()


def entries(n):
    return "[\n" + "".join(f" {{'ip': '10.{i >> 8}.{i & 255}.1'}},\n"
                           for i in range(n)) + "]\n"
