#!/usr/bin/env python3
"""Published trees as edeployd hands them out, itself and behind nginx: ranges,
validators, what caches may keep, what is never served, and that clients who
read slowly do not keep others from their decision.

usage: trees_test.py EDEPLOYD NGINX_CONF CACHE_CONF   (the configurations are
those that we ship, with the paths of the test put in)"""
import atexit
import hashlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
from ports import free_port  # noqa: E402
from tap import check, end  # noqa: E402

H = "0123456789abcdef" * 4  # the server looks at names, not at contents
V = "D12-F.1.0.0"
PACK = f"mysql/{V}/full-{H}.pack"
FOREVER = "public, max-age=31536000, immutable"
BYTES = os.urandom(6 << 20)  # more than one slice of the cache


class Program:
    """Ends with us; listens on `port`."""

    def __init__(self, argv, port, log, env=None):
        self.port, self.log = port, log
        self.proc = subprocess.Popen(argv, stderr=open(log, "wb"), env=env)
        atexit.register(self.stop)
        until = time.time() + 30
        while time.time() < until and self.proc.poll() is None:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        sys.exit(f"Bail out! {argv[0]}: {open(log).read()}")

    def stop(self):
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(30)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        return self.proc.returncode


def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "wb") as f:
        f.write(data)
    os.chmod(path + ".new", 0o644)
    os.rename(path + ".new", path)


def make_trees(top):
    for path, data in (
            (PACK, BYTES), ("mysql/HEAD", b"head of a role\n"),
            (f"mysql/{V}/HEAD", b"head of a version\n"),
            (f"mysql/{V}/seal-{H}", b"seal"), (f"mysql/{V}/.work", b"x"),
            (f"mysql/{V}/manifest-{H}.zst", b"manifest"),
            (f"mysql/{V}/marks-{H}.pack", b"marks"),
            (f"mysql/{V}/from-D12-F-{H}.delta", b"delta"),
            (f"mysql/{V}/full-{H[::-1]}.pack", b""),
            (f"mysql/{V}/passwords", b"secret"),
            (f"mysql/.new/full-{H}.pack", b"secret"),
            ("big/V/HEAD", b"x" * 513),
            ("../outside/HEAD", b"secret"),
            (f"../outside/full-{H}.pack", b"secret")):
        put(f"{top}/{path}", data)
    os.makedirs(f"{top}/mysql/{V}/seal-{H[::-1]}")
    os.mkfifo(f"{top}/mysql/{V}/marks-{H[::-1]}.pack")
    for name, to in ((f"mysql/{V}/manifest-{H[::-1]}.zst",
                      f"../../../outside/full-{H}.pack"),
                     (f"mysql/{V}/from-X-{H}.delta", f"full-{H}.pack"),
                     ("mysql/link", "../../outside"), ("link", f"mysql/{V}")):
        os.symlink(to, f"{top}/{name}")


def edeployd(program, work, front, keys="", before=(), env=None):
    port = free_port()
    os.makedirs(f"{work}/site", exist_ok=True)
    with open(f"{work}/site/state", "w") as f:
        f.write("[]\n")
    with open(f"{work}/conf", "w") as f:
        f.write(f"[SERVER]\nCONFIGDIR={work}/site\nLOGDIR={work}/log\n"
                f"STOREDIR={work}/store\nBOOTDIR={work}\nLOCKFILE={work}/lock\n"
                f"SOCKET={work}/sock\n{keys}\n")
    return Program([*before, program, "-c", f"{work}/conf", "--listen",
                    f"127.0.0.1:{port}", *front], port, f"{work}/said", env)


def nginx(work, name, conf, *changes):
    """The configuration as shipped, with these texts replaced."""
    port = free_port()
    text = open(conf).read()
    for ours, tests in (("listen 80;", f"listen 127.0.0.1:{port};"), *changes):
        assert ours in text, ours
        text = text.replace(ours, tests)
    temps = "".join(f"{t}_temp_path {work}/{name}-{t};\n" for t in
                    ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;\n" if os.geteuid() == 0 else ""
    with open(f"{work}/{name}.conf", "w") as f:
        f.write(f"{user}daemon off;\npid {work}/{name}.pid;\n"
                f"error_log {work}/{name}.log;\nevents {{}}\n"
                f"http {{\naccess_log off;\n{temps}{text}}}\n")
    return Program(["/usr/sbin/nginx", "-c", f"{work}/{name}.conf", "-e",
                    f"{work}/{name}.log"], port, f"{work}/{name}.said")


def ask(at, path, method="GET", **headers):
    """(status, bytes, headers)"""
    c = http.client.HTTPConnection("127.0.0.1", at.port, timeout=60)
    c.request(method, "/trees/" + path,
              headers={k.replace("_", "-"): v for k, v in headers.items()})
    r = c.getresponse()
    out = r.status, r.read(), r.headers
    c.close()
    return out


# what is asked, with which headers: status and bytes
RANGES = [
    ("all", {}, 200, BYTES),
    ("first bytes", {"Range": "bytes=0-99"}, 206, BYTES[:100]),
    ("a piece", {"Range": "bytes=4194000-4195000"}, 206,
     BYTES[4194000:4195001]),
    ("the rest", {"Range": "bytes=5000000-"}, 206, BYTES[5000000:]),
    ("last bytes", {"Range": "bytes=-10"}, 206, BYTES[-10:]),
    ("past the end", {"Range": f"bytes={len(BYTES) - 5}-99999999"}, 206,
     BYTES[-5:]),
    ("beyond", {"Range": f"bytes={len(BYTES)}-"}, 416, None),
    ("nonsense", {"Range": "bytes=b-a"}, None, None),
]
# and what a server may do in its own way, as ours does it
OURS = [
    ("two ranges", {"Range": "bytes=0-1,4-5"}, 200, BYTES),
    ("If-Range of this file", {"Range": "bytes=0-9", "If-Range": f'"{H}"'},
     206, BYTES[:10]),
    ("If-Range of another", {"Range": "bytes=0-9", "If-Range": '"old"'}, 200,
     BYTES),
    ("If-Range with a date", {"Range": "bytes=0-9", "If-Range":
                              "Sat, 21 Nov 2026 08:00:00 GMT"}, 200, BYTES),
    ("If-Range, weak", {"Range": "bytes=0-9", "If-Range": f'W/"{H}"'}, 200,
     BYTES),
    ("If-None-Match", {"If-None-Match": f'"{H}"'}, 304, b""),
    ("If-None-Match, weak", {"If-None-Match": f'W/"{H}"'}, 304, b""),
    ("If-None-Match, a list", {"If-None-Match": f'"a", "{H}"'}, 304, b""),
    ("If-None-Match, any", {"If-None-Match": "*"}, 304, b""),
    ("If-None-Match before Range", {"If-None-Match": f'"{H}"',
                                    "Range": "bytes=9-"}, 304, b""),
    ("If-None-Match of another", {"If-None-Match": '"old"'}, 200, BYTES),
]
# file, its bytes
FILES = [
    (f"mysql/{V}/seal-{H}", b"seal"),
    (f"mysql/{V}/manifest-{H}.zst", b"manifest"),
    (f"mysql/{V}/marks-{H}.pack", b"marks"),
    (f"mysql/{V}/from-D12-F-{H}.delta", b"delta"),
    (f"mysql/{V}/full-{H[::-1]}.pack", b""),
]
# never served, by anybody
HIDDEN = [
    f"mysql/{V}/.work", f"mysql/.new/full-{H}.pack", ".HEAD",
    f"mysql/{V}/manifest-{H[::-1]}.zst", f"mysql/{V}/from-X-{H}.delta",
    f"mysql/link/full-{H}.pack", "mysql/link/HEAD", f"link/full-{H}.pack",
    f"mysql/{V}/marks-{H[::-1]}.pack", f"mysql/{V}/full-{'0' * 64}.pack",
    "nothing/HEAD", f"mysql/{V}/../../../outside/HEAD",
    "mysql/%2e%2e/%2e%2e/outside/HEAD", "mysql/..%2f..%2foutside/HEAD",
]
# nor by us
OUR_HIDDEN = [
    "", "mysql", f"mysql/{V}", f"mysql/{V}/", f"mysql/{V}/passwords",
    f"mysql/{V}/seal-{H[::-1]}", f"mysql/{V}/full-{H.upper()}.pack",
    f"mysql/{V}/full-{H[1:]}.pack", f"mysql/{V}/full-0{H}.pack",
    f"mysql/{V}/full-{H}.pack/", f"mysql/{V}/full-{H}.pack/x",
    f"mysql/{V}/full-{H}.delta", f"mysql/{V}/x/full-{H}.pack",
    f"mysql/{V}/from-{H}.delta", f"mysql/{V}/from--{H}.delta",
    f"mysql/{V}/from-.x-{H}.delta", f"mysql/{V}/from-D12-F{H}.delta",
    f"mysql/{V}/full-{H}%2epack", f"mysql/{V}/full-{H}.pack%00", "HEAD",
    f"{'m' * 65}/HEAD", f"mysql/full-{H}.pack",
]


def check_files(at, who):
    for what, headers, status, want in RANGES:
        got = ask(at, PACK, **headers)
        status = status or got[0]
        check(f"{who}: {what}: {status}", got[0] == status and
              (want is None or got[1] == want), (got[0], got[2].items()))
    got = ask(at, PACK, "HEAD")
    check(f"{who}: HEAD tells the length and sends nothing",
          got[0] == 200 and not got[1] and
          got[2]["content-length"] == str(len(BYTES)), got[2].items())
    for path, want in FILES:
        if who == "cache" and not want:
            continue  # which asks for a first slice; no pack is empty
        got = ask(at, path)
        check(f"{who}: {path[:30]}: for ever", got[:2] == (200, want) and
              got[2]["cache-control"] == FOREVER, (got[0], got[2].items()))
    for path in HIDDEN:
        got = ask(at, path)
        check(f"{who}: {path[-40:]} is not served",
              got[0] in (400, 403, 404) and b"secret" not in got[1], got)


def check_head(at, who, top):
    for path in ("mysql/HEAD", f"mysql/{V}/HEAD"):
        for text in (b"one\n", b"two\n"):
            put(f"{top}/{path}", text)
            got = ask(at, path)
            check(f"{who}: {path} is {text} at once, and not kept",
                  got[:2] == (200, text) and
                  got[2]["cache-control"] == "no-cache",
                  (got[:2], got[2].items()))


def check_ours(at, who, top):
    for what, headers, status, want in OURS:
        got = ask(at, PACK, **headers)
        check(f"{who}: {what}: {status}", got[:2] == (status, want),
              (got[0], got[2].items()))
        check(f"{who}: with its tag", got[2]["etag"] == f'"{H}"',
              got[2].items())
    got = ask(at, PACK, "HEAD", Range="bytes=0-9")
    check(f"{who}: HEAD has no ranges", got[0] == 200 and
          got[2]["content-length"] == str(len(BYTES)), got[2].items())
    for path in OUR_HIDDEN:
        got = ask(at, path)
        check(f"{who}: {path[-40:]!r} is not served",
              got[0] == 404 or "%00" in path and got[0] == 400, got)
    got = ask(at, f"mysql/{V}/full-{'0' * 64}.pack")
    check(f"{who}: what may come later is not kept as missing",
          got[2]["cache-control"] == "no-cache", got[2].items())
    got = ask(at, "big/V/HEAD")
    check(f"{who}: a HEAD of 513 bytes is none", got[0] == 500, got)
    got = ask(at, PACK, "DELETE")
    check(f"{who}: GET and HEAD only", got[0] == 405 and
          got[2]["allow"] == "GET, HEAD", got)
    put(f"{top}/mysql/HEAD", b"three\n")
    tag = ask(at, "mysql/HEAD")[2]["etag"]
    check(f"{who}: a HEAD's tag is its hash", tag == '"%s"' % hashlib.blake2b(
        b"three\n", digest_size=32).hexdigest()[:24], tag)
    got = ask(at, "mysql/HEAD", If_None_Match=tag)
    check(f"{who}: a HEAD that is known is 304", got[:2] == (304, b""), got)


def begin(port, path, source="127.0.0.1", room=None):
    """A client who asked, and reads nothing yet; with so little room."""
    s = socket.create_connection(("127.0.0.1", port), 60, (source, 0))
    if room:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    s.sendall(f"GET /trees/{path} HTTP/1.1\r\nHost: x\r\n"
              "Connection: close\r\n\r\n".encode())
    return s


def read_all(s):
    got = b""
    while piece := s.recv(1 << 20):
        got += piece
    s.close()
    return got.split(b"\r\n\r\n", 1)[1]


def check_removed(at, top):
    """The name goes, the file stays for who has it open."""
    path = f"mysql/{V}/full-{'a' * 64}.pack"
    big = BYTES * 4
    put(f"{top}/{path}", big)
    s = begin(at.port, path)
    s.recv(1)
    os.unlink(f"{top}/{path}")
    check("a file that is removed while it is sent arrives whole",
          read_all(s).endswith(big[-1000000:]))
    put(f"{top}/{path}", big)
    s = begin(at.port, path)
    s.recv(1)
    os.truncate(f"{top}/{path}", 1000)
    began = time.time()
    check("one that is cut meanwhile ends early, and soon",
          len(read_all(s)) < len(big) and time.time() - began < 20)
    os.unlink(f"{top}/{path}")


def check_slow(at, top):
    """More slow readers than there are places; from several addresses, since
    one has a limit of its own."""
    path = f"mysql/{V}/full-{'b' * 64}.pack"
    put(f"{top}/{path}", BYTES * 2)
    clients = [begin(at.port, path, f"127.0.1.{i % 8}", 4096) for i in range(1100)]
    refused = 0
    for s in clients:
        first = s.recv(16)
        refused += b" 503" in first
        if b" 503" not in first and b" 200" not in first:
            check("a slow client is served or told to come again", False,
                  first)
    check("1,024 of 1,100 slow clients are served at once, the others are "
          "told", refused == 76, refused)
    began = time.time()
    c = http.client.HTTPConnection("127.0.0.1", at.port, timeout=60)
    c.request("POST", "/v1/upload", '[["system", "product", "serial", "S1"]]',
              {"Edeploy-Run": "0" * 32})
    got = c.getresponse()
    seen = got.status, got.read(), time.time() - began
    check("and who needs a decision gets it", seen[0] == 422 and seen[2] < 5,
          seen)
    got = ask(at, "mysql/HEAD")
    check("and who asks what is new", got[0] == 200, got)
    got = ask(at, PACK)
    check("who comes too late is told when to come again", got[0] == 503 and
          got[2]["retry-after"] == "5" and got[2]["connection"] == "close",
          (got[0], got[2].items()))
    for s in clients:
        s.close()
    until = time.time() + 30
    while time.time() < until and ask(at, PACK, "GET")[0] != 200:
        time.sleep(0.1)
    check("the places are free again", ask(at, PACK)[1] == BYTES)


def check_sendfile(program, work, keys):
    if not shutil.which("strace"):
        check("# SKIP no strace", True)
        return
    os.makedirs(f"{work}/traced")
    # a leak cannot be looked for in a program that is traced
    env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    at = edeployd(program, f"{work}/traced", (), keys,
                  ("strace", "-f", "-qq", "-e", "trace=sendfile,pread64", "-o",
                   f"{work}/trace"), env)
    ask(at, PACK)
    # strace hands no signal on: the server is its child
    for pid in open(f"/proc/{at.proc.pid}/task/{at.proc.pid}/children"
                    ).read().split():
        os.kill(int(pid), signal.SIGTERM)
    at.stop()
    sent = sum(int(n) for n in re.findall(r"sendfile.*= (\d+)$",
                                          open(f"{work}/trace").read(), re.M))
    check("the bytes go by sendfile", sent == len(BYTES), sent)


def check_cache(work, at, cache):
    """A damaged entry is what a client finds out: it asks past the cache."""
    folder = f"{work}/cache"
    check("the cache kept it in pieces",
          sum(len(f) for _, _, f in os.walk(folder)) >= 2)
    for where, _, files in os.walk(folder):
        for name in files:
            data = bytearray(open(f"{where}/{name}", "rb").read())
            if len(data) > 100000:
                data[-1] ^= 1
                with open(f"{where}/{name}", "r+b") as f:
                    f.write(data)
    check("a damaged entry is handed out", ask(cache, PACK)[1] != BYTES)
    got = ask(cache, PACK, Cache_Control="no-cache")
    check("past the cache it is whole", got[:2] == (200, BYTES), got[0])
    check("and the cache has a new copy", ask(cache, PACK)[1] == BYTES)
    at.stop()
    check("which serves when the server does not", ask(cache, PACK)[1] == BYTES)
    got = ask(cache, "mysql/HEAD")
    check("but tells no old news", got[0] == 502, got)


def check_conf(program, work):
    os.makedirs(f"{work}/none")
    at = edeployd(program, f"{work}/none", ())
    got = ask(at, PACK)
    check("without TREES nothing is served, and says how", got[0] == 404 and
          b"TREES in edeploy.conf" in got[1], got)
    check("it ends well", at.stop() == 0, open(at.log).read())
    text = open(f"{work}/none/conf").read() + "TREES=/a\n"
    with open(f"{work}/two", "w") as f:
        f.write(text + re.sub(r"(=/.*)", r"\1x", text.replace(
            "SERVER", "LAB").replace("/site", "/../none/site"
                                     ).replace("sitex", "site")))
    got = subprocess.run([program, "-c", f"{work}/two", "--listen",
                          "127.0.0.1:0"], stderr=subprocess.PIPE, timeout=30)
    check("two folders of trees are refused", got.returncode == 2 and
          b"[LAB] TREES is another folder than the /a" in got.stderr,
          got.stderr)
    os.makedirs(f"{work}/early")
    at = edeployd(program, f"{work}/early", (), f"TREES={work}/early/trees")
    at.stop()
    check("a folder that is not there is told", "nothing is published;" in
          open(at.log).read(), open(at.log).read())


def main():
    program, conf, cache_conf = sys.argv[1:]
    work = tempfile.mkdtemp(prefix="edeploy-trees-")
    atexit.register(shutil.rmtree, work, True)
    os.chmod(work, 0o755)
    top = f"{work}/trees"
    make_trees(top)
    keys = f"TREES={top}\nFASTCGI={work}/fastcgi.sock"
    at = edeployd(program, work, (), keys)
    fcgi = nginx(work, "fcgi", conf, ("/run/edeploy", work),
                 ("location /trees/", "location /elsewhere/"))
    files = nginx(work, "files", conf, ("/run/edeploy", work),
                  ("/var/lib/edeploy;", work + ";"))
    cache = nginx(work, "cache", cache_conf,
                  ("http://10.20.0.1;", f"http://127.0.0.1:{at.port};"),
                  ("/var/cache/edeploy", f"{work}/cache"))
    for where, who in ((at, "edeployd"), (fcgi, "FastCGI"), (files, "nginx"),
                       (cache, "cache")):
        check_files(where, who)
        check_head(where, who, top)
    for where, who in ((at, "edeployd"), (fcgi, "FastCGI")):
        check_ours(where, who, top)
    check_removed(at, top)
    check_slow(at, top)
    check_sendfile(program, work, f"TREES={top}")
    check_conf(program, work)
    check_cache(work, at, cache)
    check("the server ended well", at.stop() == 0, open(at.log).read())
    return end()


sys.exit(main())
