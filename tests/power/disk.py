"""A disk whose writes were recorded by QEMU's blklogwrites, and what may be on
it after a power cut: all that was written before the last flush, and any part
of what was written since, down to pieces of one write."""
import mmap
import os
import random
import re
import struct

SECTOR = 512
UNIT = 4096
START = 2048        # sector of the file system
MARK = 2040         # tests/power/play.c writes there
FLUSH, DISCARD, MARKED = 1, 4, 8
MAGIC = 0x6a736677736872


class Log:
    """entries: (sector, bytes or None for a flush alone, flushes before it);
    marks: (index of the entry, step, boot.cfg)."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.raw = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        magic, version, count, size = struct.unpack("<QQQI", self.raw[:28])
        if magic != MAGIC or version != 1 or size != SECTOR:
            raise RuntimeError(f"{path}: no log of writes of 512 bytes")
        self.entries, self.marks = [], []
        at = SECTOR
        for _ in range(count):
            at = self.take(at)

    def take(self, at):
        sector, n, flags, _ = struct.unpack("<QQQQ", self.raw[at:at + 32])
        at += SECTOR
        if flags & (DISCARD | MARKED):
            return at  # without data
        data = self.raw[at:at + n * SECTOR] if n else None
        if sector == MARK and n == 1:
            self.take_mark(data)
        self.entries.append((sector, data, bool(flags & FLUSH)))
        return at + n * SECTOR

    def take_mark(self, data):
        text = data.rstrip(b"\0").decode()
        m = re.match(r"mark \d+ (.*)\n", text)
        self.marks.append((len(self.entries), m.group(1), text[m.end():]))

    def cuts(self, count, rng, first=0):
        """Sorted numbers of entries that were written before the power went:
        between each two marks from `first` on as often, for what decides is
        short."""
        ends = [m[0] for m in self.marks] + [len(self.entries) + 1]
        found = []
        for i in range(count):
            k = first + i % (len(self.marks) - first)
            found.append(rng.randrange(ends[k], ends[k + 1]) + 1)
        return sorted(min(c, len(self.entries)) for c in found)

    def between(self, cut):
        """(number of the last mark that was written, it, the next one or
        None)"""
        n = len([m for m in self.marks if m[0] < cut])
        return n - 1, self.marks[n - 1], (
            self.marks[n] if n < len(self.marks) else None)


class Replay:
    """The states of one log, cut after cut, later ones last."""

    def __init__(self, log, base, work):
        self.log, self.work, self.at = log, work, 0
        self.image = f"{work}/durable"
        copy_sparse(base, self.image)
        self.file = os.open(self.image, os.O_RDWR)

    def put(self, fd, sector, data):
        if sector >= START:
            os.pwrite(fd, data, (sector - START) * SECTOR)

    def go_to(self, cut):
        """What the last flush before `cut` made durable; where it was."""
        last = self.at
        for i in range(self.at, cut):
            if self.log.entries[i][2]:
                last = i
        for sector, data, _ in self.log.entries[self.at:last]:
            if data:
                self.put(self.file, sector, data)
        self.at = max(self.at, last)

    def state(self, cut, seed, path):
        """Make a file system as it may be after `cut`; what was lost."""
        self.go_to(cut)
        copy_sparse(self.image, path)
        rng = random.Random(seed)
        window = [e for e in self.log.entries[self.at:cut] if e[1]]
        kept = choose(len(window), rng)
        fd = os.open(path, os.O_RDWR)
        for i in kept:
            entry = window[i]
            sector, data, _ = entry
            torn = rng.random() < 0.1
            for at, piece in pieces(sector, data) if torn else [entry[:2]]:
                if not torn or rng.random() < 0.5:
                    self.put(fd, at, piece)
        os.close(fd)
        return len(window) - len(kept), len(window)

    def close(self):
        os.close(self.file)


def pieces(sector, data):
    """What a disk writes whole: 4096 bytes, in their place. File systems lean
    on it: ext4 does not mount with half a super block, of 1024 bytes."""
    at = 0
    while at < len(data):
        size = UNIT - (sector * SECTOR + at) % UNIT
        yield sector + at // SECTOR, data[at:at + size]
        at += size


def choose(n, rng):
    """Which of n writes came through."""
    how = rng.randrange(6)
    if how == 0:
        return list(range(n))  # in order, all of them
    if how == 1 and n:
        return [rng.randrange(n)]
    if how == 2 and n:
        lost = rng.randrange(n)
        return [i for i in range(n) if i != lost]
    p = rng.choice((0.1, 0.5, 0.5, 0.9))
    return [i for i in range(n) if rng.random() < p]


def copy_sparse(source, target):
    """Holes stay holes."""
    src = os.open(source, os.O_RDONLY)
    dst = os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    size = os.fstat(src).st_size
    os.ftruncate(dst, size)
    at = 0
    while at < size:
        try:
            at = os.lseek(src, at, os.SEEK_DATA)
        except OSError:
            break
        end = os.lseek(src, at, os.SEEK_HOLE)
        while at < end:
            os.lseek(dst, at, os.SEEK_SET)
            at += os.sendfile(dst, src, at, end - at)
    os.close(src)
    os.close(dst)
