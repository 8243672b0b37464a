"""A disk whose writes were recorded by QEMU's blklogwrites, and what may be on
it after a power cut: all that was written before the last flush, and any part
of what was written since, down to pieces of one write."""
import bisect
import mmap
import os
import random
import re
import struct

SECTOR = 512
UNIT = 4096
SHORT = 10          # writes
START = 2048        # sector of the file system
MARK = 2040         # tests/power/play.c writes there
FLUSH, DISCARD, MARKED = 1, 4, 8
MAGIC = 0x6a736677736872
CFG = b"# edeploy: written by edeploy alone"  # boot.cfg, in place: one block


class Log:
    """entries: (sector, bytes or None for a flush alone, flushes before it);
    marks: (index of the entry, step, boot.cfg); texts: (index, sector of a
    boot.cfg) of what is written between marks."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.raw = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        magic, version, count, size = struct.unpack("<QQQI", self.raw[:28])
        if magic != MAGIC or version != 1 or size != SECTOR:
            raise RuntimeError(f"{path}: no log of writes of 512 bytes")
        self.entries, self.marks, self.texts = [], [], []
        at = SECTOR
        for _ in range(count):
            at = self.take(at)
        if not self.marks and self.texts:
            self.mark_first_text()
        elif not self.marks:
            self.mark_boot_loader()
        self.flushes = [i for i, e in enumerate(self.entries) if e[2]]

    def mark_first_text(self):
        """Of a machine that says nothing itself: most is decided shortly before
        it has a boot.cfg, and after."""
        at, text = self.texts[0]
        self.marks = [(0, "switched on", ""),
                      (max(0, at - 200), "the boot loader", ""),
                      (len(self.entries), "switched off",
                       text.decode().rstrip("#\n") + "\n")]

    def mark_boot_loader(self):
        """Of a machine without a boot.cfg: nothing boots before there is a
        boot loader."""
        at = [i for i, (sector, data, _) in enumerate(self.entries)
              if sector == 0 and data and b"GRUB" in data[:SECTOR]]
        self.marks = [(at[0], "the boot loader", ""),
                      (len(self.entries), "switched off", "")]

    def take(self, at):
        sector, n, flags, _ = struct.unpack("<QQQQ", self.raw[at:at + 32])
        at += SECTOR
        if flags & (DISCARD | MARKED):
            return at  # without data
        data = self.raw[at:at + n * SECTOR] if n else None
        if sector == MARK and n == 1:
            self.take_mark(data)
        for k in range(0, len(data or ""), UNIT):
            if data[k:k + len(CFG)] == CFG:
                self.texts.append((len(self.entries), data[k:k + SECTOR]))
        self.entries.append((sector, data, bool(flags & FLUSH)))
        return at + n * SECTOR

    def take_mark(self, data):
        text = data.rstrip(b"\0").decode()
        m = re.match(r"mark \d+ (.*)\n", text)
        self.marks.append((len(self.entries), m.group(1), text[m.end():]))

    def gaps(self, first):
        """What lies between each two marks, from mark `first` on, and shortly
        behind each write of boot.cfg: what decides is short."""
        begin, end = self.marks[first][0], len(self.entries)
        ends = {m[0] for m in self.marks} | {
            at + k for at, _ in self.texts for k in (0, SHORT)}
        ends = sorted(e for e in ends if begin <= e < end) + [end]
        return list(zip(ends, ends[1:]))

    def states(self, count, seed, first=0):
        """In the order of the cuts, each another one: as many from each gap,
        and from all where one has no more to give."""
        gaps = self.gaps(first)
        every = (gaps[0][0], gaps[-1][1])
        found = {}
        for i in range(count):
            rng = random.Random(f"{seed}-{i}")
            for gap in [gaps[i * len(gaps) // count]] * 10 + [every] * 200:
                state = self.draw(rng.randrange(*gap) + 1, rng)
                if found.setdefault(state[1:], state) is state:
                    break
        return sorted(found.values(), key=lambda state: state[:2])

    def draw(self, cut, rng):
        """(entries that were written before the power went, those of them
        that were flushed, what came through of the others: (entry, which
        pieces, or None for all))"""
        k = bisect.bisect_left(self.flushes, cut)
        since = self.flushes[k - 1] if k else 0
        window = [i for i in range(since, cut) if self.entries[i][1]]
        kept = []
        for i in choose(len(window), rng):
            sector, data, _ = self.entries[window[i]]
            came = None
            if rng.random() < 0.1:
                came = tuple(rng.random() < 0.5 for _ in pieces(sector, data))
            if came is None or all(came):
                kept.append((window[i], None))
            elif any(came):
                kept.append((window[i], came))
        return cut, since, tuple(kept)

    def between(self, cut):
        """(number of the last mark that was written, it, the next one or
        None)"""
        n = len([m for m in self.marks if m[0] < cut])
        return n - 1, self.marks[n - 1], (
            self.marks[n] if n < len(self.marks) else None)

    def written(self, cut):
        """The boot.cfg of each that is written between the marks around
        `cut`."""
        _, done, coming = self.between(cut)
        end = coming[0] if coming else len(self.entries)
        return [text for at, text in self.texts if done[0] <= at < end]


class Replay:
    """The states of one log, cut after cut, later ones last."""

    def __init__(self, log, base, work):
        self.log, self.work, self.at = log, work, 0
        self.image = f"{work}/durable"
        copy_sparse(base, self.image)
        self.file = os.open(self.image, os.O_RDWR)
        self.size = os.fstat(self.file).st_size

    def put(self, fd, sector, data):
        if sector >= START and (sector - START) * SECTOR < self.size:
            os.pwrite(fd, data, (sector - START) * SECTOR)

    def go_to(self, since):
        """What was flushed, there."""
        for sector, data, _ in self.log.entries[self.at:since]:
            if data:
                self.put(self.file, sector, data)
        self.at = since

    def make(self, state, path):
        """The file system as it is then; how many writes were lost, of how
        many that were not flushed."""
        cut, since, kept = state
        self.go_to(since)
        copy_sparse(self.image, path)
        fd = os.open(path, os.O_RDWR)
        for i, came in kept:
            sector, data, _ = self.log.entries[i]
            if not came:
                self.put(fd, sector, data)
                continue
            for whole, (at, piece) in zip(came, pieces(sector, data)):
                if whole:
                    self.put(fd, at, piece)
        os.close(fd)
        window = sum(1 for e in self.log.entries[since:cut] if e[1])
        return window - len(kept), window

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
    """Holes stay holes. Another file, where there was one: a loop device lets
    go of the old one when it likes."""
    src = os.open(source, os.O_RDONLY)
    if os.path.exists(target):
        os.unlink(target)
    dst = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
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
