#!/usr/bin/env python3
"""Pulls over the wire: from edeployd and through nginx as a cache, with the
server killed and started again, connections cut at random, a damaged cache,
damage for ever, old files replayed, pulls killed, and disks that are full.
Whatever comes out is compared by rsync, which knows nothing of us.

usage: pull_wire_test.py EDEPLOYD EDEPLOYCTL CACHE_CONF"""
import atexit
import gzip
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
from ports import free_port  # noqa: E402
from tap import check, end  # noqa: E402
from wire_lab import BentWire, Program, Wire  # noqa: E402

EDEPLOYD, CTL, CACHE_CONF = map(os.path.abspath, sys.argv[1:4])
random.seed(4)
GZIPS = 30


def run(*argv, **more):
    return subprocess.run([str(x) for x in argv], capture_output=True,
                          text=True, timeout=120, **more)


def must(*argv):
    p = run(*argv)
    if p.returncode:
        sys.exit(f"Bail out! {argv}: {p.stdout}{p.stderr}")
    return p


def pull(version, into, where, *more, **how):
    return run(CTL, "pull", "web", version, into, "--from", where, "--trust",
               f"{top}/key.pub", *more, **how)


def differs(version, into):
    """What rsync would change, "" when nothing."""
    p = run("rsync", "-aHAXnic", "--delete", "--numeric-ids",
            f"{top}/v{version}/", f"{into}/")
    return p.stdout + p.stderr


def right(what, p, version, into):
    check(f"{what}: pulled", p.returncode == 0, p.stdout + p.stderr)
    diff = differs(version, into)
    check(f"{what}: equal", diff == "", diff)


def refused(what, p, words):
    check(f"{what}: refused", p.returncode == 1 and
          re.search(words, p.stderr.splitlines()[-1]) is not None,
          p.stdout + p.stderr)


# ---- trees ----

def gzip_file(seed, number, lines):
    """A text packed as Debian packs its manuals; every 40th line differs."""
    rows = random.Random(seed)
    words = [rows.randbytes(rows.randint(2, 6)).hex() for _ in range(400)]
    text = "".join(f"{number if i % 40 == 7 else i} "
                   f"{' '.join(rows.choices(words, k=8))}\n"
                   for i in range(lines))
    return gzip.compress(text.encode(), 9, mtime=0)


def make_tree(path, number):
    rows = random.Random(1)
    for i in range(300):
        name = f"{path}/usr/d{i % 17}/f{i}"
        os.makedirs(os.path.dirname(name), exist_ok=True)
        data = rows.randbytes(rows.choice([0, 50, 4000, 90000]))
        if i % 5 == 0:
            data = f"{number}\n".encode() + data
        with open(name, "wb") as f:
            f.write(data)
        os.chmod(name, rows.choice([0o644, 0o755, 0o4755]))
    for name, size in (("big", 12 << 20), ("huge", 20 << 20)):
        data = bytearray(rows.randbytes(size // 4) * 4)
        data[number * 1000:number * 1000 + 9] = b"different"
        with open(f"{path}/usr/{name}", "wb") as f:
            f.write(data)
    for i in range(GZIPS):
        with open(f"{path}/usr/d{i % 17}/g{i}.gz", "wb") as f:
            f.write(gzip_file(i, number, 40000 if i == 9 else 60 + 50 * i))
    os.symlink("usr/big", f"{path}/link")
    os.link(f"{path}/usr/huge", f"{path}/usr/d1/hard")
    os.link(f"{path}/usr/d2/f2", f"{path}/above")
    for folder, names, files in os.walk(path, topdown=False):
        for n in files + names:
            os.utime(f"{folder}/{n}", ns=(0, 1700000000123456789),
                     follow_symlinks=False)
    os.utime(path, ns=(0, 1700000000123456789))


def publish(number):
    make_tree(f"{top}/v{number}", number)
    must(CTL, "publish", "web", number, f"{top}/v{number}", "--top",
         f"{top}/top", "--key", f"{top}/key")


def pack_of(version):
    folder = f"{trees}/web/{version}"
    return max((f"{folder}/{n}" for n in os.listdir(folder)
                if n.startswith("full-")), key=os.path.getsize)


# ---- servers ----

def start_edeployd():
    port = free_port()
    with open(f"{top}/edeploy.conf", "w") as f:
        f.write(f"[SERVER]\nCONFIGDIR={top}/site\nSTOREDIR={top}/store\n"
                f"LOGDIR={top}/log\nLOCKFILE={top}/lock\n"
                f"SOCKET={top}/sock\nTREES={trees}\n"
                f"LISTEN=127.0.0.1:{port}\n")
    os.makedirs(f"{top}/site", exist_ok=True)
    with open(f"{top}/site/state", "w") as f:
        f.write("[]\n")
    return Program([EDEPLOYD, "-c", f"{top}/edeploy.conf"], port,
                   f"{top}/edeployd.log")


def start_nginx(behind):
    """The cache as we ship it, with the paths and ports of this test; beside
    it one that speaks TLS and serves the folder itself."""
    port = free_port()
    must("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "2", "-subj", "/CN=trees", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", f"{top}/tls.key", "-out", f"{top}/tls.pem")
    tls = free_port()
    with open(CACHE_CONF) as f:
        text = f.read()
    text = text.replace("/var/cache/edeploy", f"{top}/cache")
    text = text.replace("http://10.20.0.1", f"http://127.0.0.1:{behind}")
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
    with open(f"{top}/nginx.conf", "w") as f:
        f.write("daemon off; worker_processes 1; user root;\n"
                f"pid {top}/nginx.pid; error_log {top}/nginx.log;\n"
                "events {}\nhttp { access_log off;\n" + "".join(
                    f"{x}_temp_path {top}/nginx-{x};\n" for x in (
                        "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
                + text + f"server {{ listen 127.0.0.1:{tls} ssl;\n"
                f"ssl_certificate {top}/tls.pem;\n"
                f"ssl_certificate_key {top}/tls.key;\n"
                f"location /trees/ {{ alias {trees}/; }} }}\n" "}\n")
    return Program(["nginx", "-c", f"{top}/nginx.conf", "-e",
                    f"{top}/nginx.log"], port, f"{top}/nginx.out"), tls


# ---- what is tried ----

def check_known(direct, cached):
    """By which tag HEAD is asked for."""
    path, into = f"{top}/a.edeploy/known", f"{top}/a"
    known = open(path).read()
    check("noted: seal, tag, place", known.split()[2] ==
          f"{direct}/web/1/HEAD", known)
    for what, text in (
            ("damaged", "x\n"), ("empty", ""), ("cut", known[:-1]),
            ("of another seal", "0" * 64 + known[64:]),
            ("two lines", known[:65] + "a\r\nHost:x" + known[90:])):
        with open(path, "w") as f:
            f.write(text)
        got = json.loads(pull(1, into, direct, "--json").stdout)
        check(f"{what}: HEAD is fetched, and noted again",
              got["way"] == "nothing" and got["wire"] > 100 and
              open(path).read() == known, got)
    wires = [json.loads(pull(1, into, cached, "--json").stdout)["wire"]
             for _ in range(2)]
    check("another place is asked for HEAD once, by the cache, too",
          wires[0] > 100 and wires[1] == 0, wires)
    os.utime(f"{into}/usr/big", ns=(0, 0))
    right("HEAD is the same, a file is not", pull(1, into, cached), 1, into)


def check_ways(direct, cached):
    right("from edeployd", pull(1, f"{top}/a", direct), 1, f"{top}/a")
    p = pull(1, f"{top}/a", direct, "--json")
    got = json.loads(p.stdout)
    check("again: not even HEAD", got["way"] == "nothing" and
          got["wire"] == 0, got)
    check_known(direct, cached)
    right("by the cache", pull(1, f"{top}/b", cached), 1, f"{top}/b")
    p = pull(2, f"{top}/c", cached, "--base", f"{top}/b", "--json")
    right("from a base", p, 2, f"{top}/c")
    got = json.loads(p.stdout)
    check("by a delta", got["way"] == "delta" and got["wire"] < 300000 and
          got["patched"] > 0, got)
    p = pull(2, f"{top}/n", direct, "--base", f"{top}/b", "-n", "--json")
    dry = json.loads(p.stdout)
    check("a dry run tells the same bytes, and makes nothing",
          abs(dry["wire"] - got["wire"]) < 3000 and
          not os.path.exists(f"{top}/n"), (dry, got))
    check("verify: equal", run(CTL, "verify", f"{top}/c", "--trust",
                               f"{top}/key.pub").returncode == 0)
    with open(f"{top}/c/usr/big", "r+b") as f:
        f.write(b"x")
    os.utime(f"{top}/c/usr/big", ns=(0, 1700000000123456789))
    quick = run(CTL, "verify", f"{top}/c", "--quick", "--trust",
                f"{top}/key.pub")
    p = run(CTL, "verify", f"{top}/c", "--trust", f"{top}/key.pub")
    check("verify reads contents, --quick does not",
          quick.returncode == 0 and p.returncode == 1 and
          "usr/big: content" in p.stdout, p.stdout + quick.stdout)
    open(f"{top}/b/stranger", "w").close()
    p = run(CTL, "verify", f"{top}/b", "--trust", f"{top}/key.pub")
    os.unlink(f"{top}/b/stranger")
    check("and what is not part of it is a difference", p.returncode == 1 and
          "1 not part of it" in p.stdout, p.stdout)
    p = pull(1, f"{top}/n", "ftp://127.0.0.1/trees")
    check("another protocol is no folder", p.returncode == 1 and
          "nor https://" in p.stderr, p.stderr)


def check_gzip(direct):
    """Of symbols, many together and a large one; and where the base is not
    what its record says."""
    into = f"{top}/z"
    right("a base with gzip files", pull(1, into, direct), 1, into)
    p = pull(2, f"{top}/y", direct, "--base", into, "--json")
    right("gzip files from a base", p, 2, f"{top}/y")
    got = json.loads(p.stdout)
    whole = sum(os.path.getsize(f"{top}/v2/usr/d{i % 17}/g{i}.gz")
                for i in range(GZIPS))
    check("all of them patched, for a tenth of their bytes",
          got["patched"] >= GZIPS and
          got["wire"] < whole / 10 + 100000, (got, whole))
    for i in range(0, GZIPS, 3):
        path = f"{into}/usr/d{i % 17}/g{i}.gz"
        bend(path, os.path.getsize(path) * (i + 1) // (GZIPS + 1))
        os.utime(path, ns=(0, 1700000000123456789))
    shutil.rmtree(f"{top}/y")
    shutil.rmtree(f"{top}/y.edeploy")
    p = pull(2, f"{top}/y", direct, "--base", into, "--json")
    right("a third of them bent in the base", p, 2, f"{top}/y")
    got = json.loads(p.stdout)
    check("the others are patched", got["patched"] >= GZIPS * 2 // 3 and
          got["wire"] > whole / 10, got)


def check_tls(where):
    """By a plain folder of nginx, and certificates that are checked."""
    right("by TLS", pull(1, f"{top}/t", where, "--ca", f"{top}/tls.pem"), 1,
          f"{top}/t")
    refused("a certificate that nobody signed", pull(1, f"{top}/u", where),
            "certificate")


def whole_wire(server):
    """Bytes of an install that nothing disturbs."""
    p = pull(1, f"{top}/whole", f"http://127.0.0.1:{server.port}/trees",
             "--json")
    shutil.rmtree(f"{top}/whole")
    shutil.rmtree(f"{top}/whole.edeploy")
    return json.loads(p.stdout)["wire"]


def check_many(direct):
    """Eight clients at once."""
    pulls = [subprocess.Popen(
        [CTL, "pull", "web", "2", f"{top}/many{i}", "--from", direct,
         "--trust", f"{top}/key.pub"], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True) for i in range(8)]
    said = [p.communicate()[1] for p in pulls]
    for i, p in enumerate(pulls):
        check(f"one of eight at once: {i}", p.returncode == 0 and
              differs(2, f"{top}/many{i}") == "", said[i])
        shutil.rmtree(f"{top}/many{i}")


def check_breaks(server):
    """Connections cut, the server killed and started again."""
    wire = Wire(server.port, lambda: random.choice([3000, 200000, 2000000]))
    p = pull(1, f"{top}/d", f"http://127.0.0.1:{wire.port}/trees", "--json")
    right(f"{wire.cuts} cuts", p, 1, f"{top}/d")
    check("the wire was cut", wire.cuts > 5, wire.cuts)
    check("and no byte came twice",
          json.loads(p.stdout)["wire"] == whole_wire(server), p.stdout)
    slow = Wire(server.port, lambda: 0, 0.02)
    box = {}

    def work():
        box["p"] = pull(1, f"{top}/e", f"http://127.0.0.1:{slow.port}/trees")

    thread = threading.Thread(target=work)
    thread.start()
    while not os.path.exists(f"{top}/e") and thread.is_alive():
        time.sleep(0.01)
    for _ in range(3):
        time.sleep(0.15)
        server.stop(signal.SIGKILL)
        time.sleep(0.3)
        server.start()
    thread.join()
    right("server killed three times", box["p"], 1, f"{top}/e")
    check("and that was noticed", "again in" in box["p"].stderr,
          box["p"].stderr)


def bend(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)
        f.seek(at)
        f.write(bytes([byte[0] ^ 0x55]))


def check_damage(direct, cached):
    """In the cache: fetched past it. On the server: refused."""
    bent = 0
    for folder, _, names in os.walk(f"{top}/cache"):
        for n in names:
            path = f"{folder}/{n}"
            for at in range(2000, os.path.getsize(path), 500000):
                bend(path, at)
                bent += 1
    check("the cache is damaged", bent > 3, bent)
    right("damaged cache", pull(1, f"{top}/f", cached), 1, f"{top}/f")
    right("its cache is mended", pull(1, f"{top}/g", cached), 1, f"{top}/g")
    pack = pack_of(2)
    good = f"{top}/good"
    shutil.copy(pack, good)
    for what, harm in (
            ("a bent byte", lambda: bend(pack, 100000)),
            ("a short pack", lambda: os.truncate(pack, 300000)),
            ("a pack without its table",
             lambda: os.truncate(pack, os.path.getsize(pack) - 10)),
            ("a pack that is gone", lambda: os.unlink(pack))):
        harm()
        into = f"{top}/h"
        refused(what, pull(2, into, direct), "damaged on the server")
        check(f"{what}: no record says that it is done",
              not os.path.exists(f"{into}.edeploy/seal"))
        shutil.copy(good, pack)
    right("mended on the server", pull(2, f"{top}/h", direct), 2, f"{top}/h")


def check_damaged_delta(direct):
    """Wherever it is damaged: what it does not give comes from frames."""
    folder = f"{trees}/web/2"
    path = max((f"{folder}/{n}" for n in os.listdir(folder)
                if n.endswith(".delta")), key=os.path.getsize)
    size = os.path.getsize(path)
    for part in (0, 1, 20, 60, 90, 99.99):
        at = int(size * part / 100)
        bend(path, at)
        p = pull(2, f"{top}/o", direct, "--base", f"{top}/b")
        bend(path, at)
        right(f"a delta bent at {part} %", p, 2, f"{top}/o")
        shutil.rmtree(f"{top}/o")
        shutil.rmtree(f"{top}/o.edeploy")


def check_bent_wire():
    """A wire that bends one piece after the other: each is asked for again."""
    wire = BentWire(f"{top}/top", 5)
    right("a wire that bends five pieces",
          pull(1, f"{top}/bent", f"http://127.0.0.1:{wire.port}/trees"), 1,
          f"{top}/bent")
    check("all were bent", wire.bends == 0, wire.bends)


def check_trust(direct):
    head = f"{trees}/web/2/HEAD"
    with open(head, "rb") as f:
        good = f.read()
    with open(f"{trees}/web/1/HEAD", "rb") as f:
        other = f.read()
    for what, text, words in (
            ("another version's HEAD", other, "exchanged"),
            ("a bent serial", good.replace(b"serial 2", b"serial 9"),
             "sign|trust"),
            ("half a HEAD", good[:100], "HEAD"), ("nothing", b"", "HEAD")):
        with open(head, "wb") as f:
            f.write(text)
        refused(what, pull(2, f"{top}/i", direct), words)
    with open(head, "wb") as f:
        f.write(good)
    must(CTL, "key", f"{top}/other")
    refused("another key", run(
        CTL, "pull", "web", 2, f"{top}/i", "--from", direct, "--trust",
        f"{top}/other.pub"), "sign|trust|key")
    refused("an older version than the base", pull(
        1, f"{top}/i", direct, "--base", f"{top}/h"), "older")
    right("an older one that is allowed", pull(
        1, f"{top}/i", direct, "--base", f"{top}/h", "--allow-downgrade"), 1,
        f"{top}/i")
    refused("not published", pull(7, f"{top}/j", direct), "not published")


def check_kills(server, direct):
    """Killed at random, then called again: what is there is kept."""
    into = f"{top}/k"
    wire = Wire(server.port, lambda: 0, 0.005)
    took = []
    for i in range(12):
        p = subprocess.Popen(
            [CTL, "pull", "web", "1", into, "--from",
             f"http://127.0.0.1:{wire.port}/trees", "--trust",
             f"{top}/key.pub"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        try:
            p.wait(random.uniform(0.02, 0.9))
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
        took.append(p.returncode)
        if p.returncode == 0:
            shutil.rmtree(into)
            shutil.rmtree(f"{into}.edeploy")
        elif os.path.exists(f"{into}.edeploy/seal"):
            check("a killed pull has no record", differs(1, into) == "")
    right(f"killed {took.count(-9)} times",
          pull(1, into, direct), 1, into)
    check("some were killed", took.count(-9) > 2, took)
    check_resume(server, wire, direct)


def inodes_of_whole(into):
    """{path: inode} of files that are as they should be."""
    found = {}
    for folder, _, names in os.walk(f"{into}/usr"):
        for n in names:
            path = os.path.relpath(f"{folder}/{n}", into)
            a, b = os.stat(f"{into}/{path}"), os.stat(f"{top}/v1/{path}")
            if a.st_size == b.st_size > 0 and a.st_mode == b.st_mode and \
                    a.st_mtime_ns == b.st_mtime_ns:
                found[path] = a.st_ino
    return found


def check_resume(server, wire, direct):
    """What was whole when it was killed does not come again."""
    into = f"{top}/r"
    p = subprocess.Popen([CTL, "pull", "web", "1", into, "--from",
                          f"http://127.0.0.1:{wire.port}/trees", "--trust",
                          f"{top}/key.pub"], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    until = time.time() + 60
    while time.time() < until and p.poll() is None and \
            not os.path.exists(f"{into}/usr/big"):
        time.sleep(0.005)
    p.kill()
    p.wait()
    was = inodes_of_whole(into)
    p = pull(1, into, direct, "--json")
    right("taken up again", p, 1, into)
    got = json.loads(p.stdout)
    check("with the frames that are missing", got["way"] == "full" and
          got["wire"] < whole_wire(server) - (1 << 20), got)
    check("and files that were whole stay", len(was) > 50 and
          inodes_of_whole(into).items() >= was.items(), len(was))


def check_full(direct):
    """No room: said before, and when it could not be known."""
    small = f"{top}/small"
    os.mkdir(small)
    must("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small)
    try:
        p = pull(1, small, direct)
        refused("a disk too small", p, "no room: web 1 needs [0-9]+ MB")
        p = pull(2, small, direct, "--base", f"{top}/b", "--share", "link")
        refused("too small also for what another disk has", p, "no room")
        check("and nothing was written", os.listdir(small) == [],
              os.listdir(small))
    finally:
        must("umount", small)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    into = f"{top}/l"
    refused("a file that cannot be written", pull(
        1, into, direct, preexec_fn=limit), "write usr/(big|huge): ")
    right("with room", pull(1, into, direct), 1, into)


def check_mounts(direct):
    """Other file systems below the folder, as on a machine that is installed:
    their lost+found is theirs, and a hard link does not reach over."""
    into = f"{top}/m"
    os.makedirs(f"{into}/usr")
    must("mount", "-t", "tmpfs", "-o", "size=90m", "tmpfs", f"{into}/usr")
    try:
        os.mkdir(f"{into}/usr/lost+found", 0o700)
        for what in ("two file systems", "again, without a record"):
            p = pull(1, into, direct)
            check(f"{what}: pulled", p.returncode == 0, p.stderr)
            p = run("rsync", "-aAXnic", "--numeric-ids", f"{top}/v1/",
                    f"{into}/")
            check(f"{what}: equal", p.stdout + p.stderr == "", p.stdout)
            shutil.rmtree(f"{into}.edeploy")
        check("links within one are links",
              os.path.samefile(f"{into}/usr/huge", f"{into}/usr/d1/hard"))
        os.unlink(f"{into}/usr/huge")
        os.unlink(f"{into}/usr/d1/hard")
        must("mount", "-o", "remount,size=32m", f"{into}/usr")
        refused("the one below is full", pull(1, into, direct),
                "m/usr: no room: web 1 needs")
    finally:
        must("umount", f"{into}/usr")


def check_strict(direct):
    """What is no part of the tree goes, but never what is mounted."""
    into = f"{top}/s"
    right("before strangers come", pull(1, into, direct), 1, into)
    os.makedirs(f"{into}/usr/new/data")
    must("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs",
         f"{into}/usr/new/data")
    kept = f"{into}/usr/new/data/kept"
    try:
        with open(kept, "w") as f:
            f.write("x")
        refused("a stranger that is a mount", pull(1, into, direct,
                                                   "--strict"),
                "usr/new/data stays, as something is mounted there")
        check("and what is in it is", os.path.exists(kept))
    finally:
        must("umount", f"{into}/usr/new/data")
    right("without it", pull(1, into, direct, "--strict"), 1, into)


def main():
    if os.geteuid() != 0 or not shutil.which("nginx") or \
            not shutil.which("rsync"):
        print("1..1\nok 1 # SKIP needs root, nginx and rsync")
        return 0
    must(CTL, "key", f"{top}/key")
    publish(1)
    publish(2)
    server = start_edeployd()
    cache, tls = start_nginx(server.port)
    direct = f"http://127.0.0.1:{server.port}/trees"
    cached = f"http://127.0.0.1:{cache.port}/trees"
    check_ways(direct, cached)
    check_gzip(direct)
    check_tls(f"https://127.0.0.1:{tls}/trees")
    check_breaks(server)
    check_many(direct)
    check_damage(direct, cached)
    check_damaged_delta(direct)
    check_bent_wire()
    check_trust(direct)
    check_kills(server, direct)
    check_full(direct)
    check_mounts(direct)
    check_strict(direct)
    return end()


top = tempfile.mkdtemp(prefix="pull_wire.")
os.chmod(top, 0o755)
trees = f"{top}/top/trees"
atexit.register(shutil.rmtree, top, True)
sys.exit(main())
