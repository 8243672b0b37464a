"""Trees to publish, and edeployctl to do it with; for the tests beside this."""
import json
import os
import random
import shutil
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
from tap import check, end  # noqa: E402, F401

ROOT = os.geteuid() == 0


def put(path, bytes_, mode=0o644, mtime=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(bytes_.encode() if isinstance(bytes_, str) else bytes_)
    os.chmod(path, mode)
    if mtime is not None:
        os.utime(path, ns=(mtime, mtime))


def noise(seed, size):
    return random.Random(seed).randbytes(size)


def text(seed, size):
    """Words: what can be compressed."""
    r = random.Random(seed)
    words = [noise(i, r.randint(2, 9)).hex() for i in range(500)]
    out = []
    while size > 0:
        out.append(r.choice(words))
        size -= len(out[-1]) + 1
    return " ".join(out).encode()


PASSWD = "root:x:0:0:root:/root:/bin/sh\nmysql:x:{}:112::/nonexistent:\n" \
         "# nobody\n"
GROUP = "root:x:0:\nmysql:x:{}:\n"


def status(version):
    return ("Package: mariadb\nStatus: install ok installed\n"
            f"Architecture: amd64\nVersion: {version}\n\n"
            "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n")


def make_tree(top, files=60):
    """All that a tree may hold: about 3 MB."""
    os.makedirs(top)
    for i in range(files):
        put(f"{top}/usr/share/f{i % 7}/file{i}.txt", text(i, 4000 + 900 * i))
    put(f"{top}/usr/lib/big.so", noise(1, 1500000), 0o755)
    put(f"{top}/bin/su", noise(2, 40000), 0o4755)
    put(f"{top}/bin/ls", noise(3, 40000), 0o755)
    put(f"{top}/bin/twin1", "the same bytes\n")
    put(f"{top}/bin/twin2", "the same bytes\n")
    put(f"{top}/etc/empty", "")
    put(f"{top}/etc/shadow", "root:*:1:\n", 0o600)
    put(f"{top}/etc/passwd", PASSWD.format(105))
    put(f"{top}/etc/group", GROUP.format(112))
    put(f"{top}/var/lib/dpkg/status", status("10.11.6"))
    put(f"{top}/var/lib/dpkg/info/mariadb.list", "/.\n/bin\n/bin/su\n")
    put(f"{top}/strange/a b\nc\\d", "x")
    put(f"{top}/strange/\xe9\xff".encode("latin-1").decode(
        errors="surrogateescape"), "y")
    with open(f"{top}/var/holes", "wb") as f:
        f.seek(1 << 20)
        f.write(b"end")
    os.link(f"{top}/bin/su", f"{top}/bin/sulogin")
    os.symlink("bin", f"{top}/sbin")
    os.symlink("../proc/mounts", f"{top}/etc/mtab")
    os.mkdir(f"{top}/nothing", 0o750)
    os.mkfifo(f"{top}/var/pipe", 0o620)
    os.makedirs(f"{top}/tmp")
    os.chmod(f"{top}/tmp", 0o1777)
    os.setxattr(f"{top}/bin/ls", "user.note", b"\0bytes\xff")
    if ROOT:
        os.mknod(f"{top}/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.chown(f"{top}/nothing", 105, 112)
        os.chown(f"{top}/etc/mtab", 105, 112, follow_symlinks=False)
        # cap_net_raw+ep, version 2
        os.setxattr(f"{top}/bin/ls", "security.capability",
                    bytes.fromhex("0100000200200000000000000000000000000000"))
    return top


def next_tree(old, new):
    """The same a month later, built anew: every time is another one."""
    subprocess.run(["cp", "-a", old, new], check=True)
    put(f"{new}/usr/lib/big.so", noise(1, 1200000) + noise(9, 300000), 0o755)
    put(f"{new}/usr/share/f1/new.txt", text(77, 9000))
    put(f"{new}/var/lib/dpkg/status", status("10.11.9"))
    os.unlink(f"{new}/usr/share/f2/file2.txt")
    os.chmod(f"{new}/usr/share/f3/file3.txt", 0o600)
    for folder, _, names in os.walk(new, topdown=False):
        for name in names:
            os.utime(f"{folder}/{name}", (1.6e9, 1.6e9),
                     follow_symlinks=False)
        os.utime(folder, (1.6e9, 1.6e9))
    return new


class Ctl:
    def __init__(self, program, top, key=None):
        self.program, self.top, self.key = program, top, key

    def run(self, *argv, key=True, **more):
        """(exit code, stdout, stderr)"""
        argv = [self.program, *argv, "--top", self.top]
        if key and self.key and argv[1] in ("publish", "repack", "seal"):
            argv += ["--key", self.key]
        p = subprocess.run(argv, capture_output=True, text=True,
                           errors="surrogateescape", **more)
        return p.returncode, p.stdout, p.stderr

    def json(self, *argv, **more):
        """What it says as JSON; ends the test when it fails."""
        code, out, err = self.run(*argv, "--json", **more)
        if code:
            raise SystemExit(f"{argv}: exit {code}: {err}")
        return json.loads(out)

    def say(self, *argv, **more):
        """The last line on stderr of what has to fail with 1."""
        code, out, err = self.run(*argv, **more)
        lines = [x for x in err.splitlines() if x.startswith("edeployctl: ")]
        return lines[-1] if code == 1 and lines else \
            f"exit {code}, {out!r}, {err!r}"

    def trees(self, *path):
        return "/".join((self.top, "trees") + path)

    def view(self, role, version):
        return f"{self.top}/install/{version}/{role}"


def same(a, b):
    """What rsync finds different, with contents, times and all."""
    return subprocess.run(
        ["rsync", "-naHAXic", "--numeric-ids", "--delete", a + "/", b + "/"],
        capture_output=True, text=True, errors="replace", check=True).stdout


def snapshot(top):
    """Every name, size, time and inode below, but of locks."""
    out = {}
    for folder, _, names in os.walk(top):
        for name in [".", *names]:
            if name == ".lock":
                continue
            st = os.lstat(f"{folder}/{name}")
            out[f"{folder}/{name}"] = (st.st_size, st.st_mtime_ns, st.st_ino)
    return out


def remove(path):
    shutil.rmtree(path, ignore_errors=True)
