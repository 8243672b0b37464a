"""Whether a tree is the tree: everything that rsync -aHAX carries over, read
here by other means than those that moved it."""
import concurrent.futures
import hashlib
import os
import stat

FIELDS = ("type", "mode", "uid", "gid", "mtime", "size", "link", "device",
          "xattrs", "hard link", "content")


def content(path):
    h = hashlib.blake2b(digest_size=32)
    with open(path, "rb", 0) as f:
        while chunk := f.read(1 << 20):
            h.update(chunk)
    return h.digest()


def xattrs(path):
    return tuple((name, os.getxattr(path, name, follow_symlinks=False))
                 for name in sorted(os.listxattr(path,
                                                 follow_symlinks=False)))


def walk(top):
    """Paths below `top`, "." first, in an order that is always the same."""
    todo = [""]
    yield "."
    while todo:
        folder = todo.pop()
        for entry in sorted(os.scandir(f"{top}/{folder}"),
                            key=lambda e: e.name):
            path = f"{folder}/{entry.name}" if folder else entry.name
            yield path
            if entry.is_dir(follow_symlinks=False):
                todo.append(path)


def scan(top):
    """{path: one value for each of FIELDS}"""
    found, inodes, files = {}, {}, []
    for path in walk(top):
        full = f"{top}/{path}"
        s = os.lstat(full)
        kind = stat.S_IFMT(s.st_mode)
        twin = ""
        if not stat.S_ISDIR(kind) and s.st_nlink > 1:
            twin = inodes.setdefault(s.st_ino, path)
        link = os.readlink(full) if stat.S_ISLNK(kind) else ""
        device = s.st_rdev if kind in (stat.S_IFCHR, stat.S_IFBLK) else 0
        size = s.st_size if stat.S_ISREG(kind) else 0
        found[path] = [kind, stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid,
                       s.st_mtime_ns, size, link, device, xattrs(full), twin,
                       b""]
        if stat.S_ISREG(kind):
            files.append(path)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        hashes = pool.map(lambda path: content(f"{top}/{path}"), files)
        for path, digest in zip(files, hashes):
            found[path][-1] = digest
    # a file that is linked to from outside of the tree is no hard link in it
    seen = {}
    for row in found.values():
        seen[row[-2]] = seen.get(row[-2], 0) + 1
    for row in found.values():
        if seen[row[-2]] == 1:
            row[-2] = ""
    return found


def differences(want, got, lost=()):
    """What is not as it should be, a line each; `lost` names FIELDS that a way
    is known not to keep."""
    for path in sorted(want.keys() | got.keys()):
        if path not in got:
            yield f"{path}: missing"
        elif path not in want:
            yield f"{path}: not in the tree"
        else:
            for name, a, b in zip(FIELDS, want[path], got[path]):
                if a != b and name not in lost:
                    yield f"{path}: {name} is {b!r}, not {a!r}"
