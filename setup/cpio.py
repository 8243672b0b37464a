"""A folder as a compressed newc archive that is equal, byte for byte, wherever
and whenever it is made: sorted names, owner root, one time for all files."""
import os
import stat
import subprocess

from debs import ENV, Failed


def epoch():
    return int(os.environ.get("SOURCE_DATE_EPOCH") or 0)


def header(number, mode, links, size, name):
    fields = [number, mode, 0, 0, links, epoch(), size, 0, 0, 0, 0,
              len(name) + 1, 0]
    return (b"070701" + b"".join(b"%08X" % f for f in fields)
            + name + b"\0")


def pad(data):
    return data + b"\0" * (-len(data) % 4)


def members(folder):
    """Paths below folder, parents first, in the order of names; but bin and
    init come last: zstd looks back 32 MiB, and what is linked statically is
    found in sbin again."""
    found = []
    for where, folders, files in os.walk(folder):
        folders.sort()
        found += [os.path.join(where, n) for n in folders + files]
    names = (os.path.relpath(p, folder) for p in found)
    return sorted(names, key=lambda n: (n.split("/")[0] in ("bin", "init"), n))


def content(path, st):
    if stat.S_ISLNK(st.st_mode):
        return os.readlink(path).encode()
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as f:
            return f.read()
    return b""


def mode_of(st):
    """Not of the umask under which files were made."""
    if stat.S_ISLNK(st.st_mode):
        return stat.S_IFLNK | 0o777
    if stat.S_ISDIR(st.st_mode):
        return stat.S_IFDIR | (st.st_mode & 0o1000) | (
            0o755 if st.st_mode & 0o055 else 0o700)
    if st.st_mode & 0o044 == 0:
        return stat.S_IFREG | (st.st_mode & 0o700)
    return stat.S_IFREG | (0o755 if st.st_mode & 0o111 else 0o644)


def archive(folder):
    """Bytes of the archive."""
    out = []
    for number, name in enumerate(members(folder), 1):
        path = os.path.join(folder, name)
        st = os.lstat(path)
        data = content(path, st)
        links = 2 if stat.S_ISDIR(st.st_mode) else 1
        out.append(pad(header(number, mode_of(st), links, len(data),
                              name.encode())))
        out.append(pad(data))
    out.append(pad(header(0, 0, 1, 0, b"TRAILER!!!")))
    return b"".join(out)


def packed(folder, level):
    """The archive, compressed by zstd on one thread (several give other
    bytes)."""
    p = subprocess.run(["zstd", "-q", "-c", "--single-thread", "--ultra", level],
                       input=archive(folder), stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, env=ENV)
    if p.returncode:
        raise Failed(f"zstd: {p.stderr.decode().strip()}")
    return p.stdout


def write(folder, path, level="-20", before=b""):
    """Write the archive, whole or not at all; behind others, whose files it
    then adds to: the kernel unpacks one after the other."""
    data = before + packed(folder, level)
    with open(path + ".new", "wb") as f:
        f.write(data)
    os.rename(path + ".new", path)
