#!/usr/bin/env python3
"""The wire of edeployd as programs see it: a real server on a free port of
loopback, real curl, and raw sockets where a client misbehaves.

usage: wire_test.py EDEPLOYD NGINX_CONF   (a server whose site is
tests/server/fake_site.c; tests/e2e has the whole one; the configuration is the
one we ship, with the paths of the test put in)"""
import gzip
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
from ports import free_port  # noqa: E402
from tap import check, end  # noqa: E402

RUN = "0123456789abcdef0123456789abcdef"
FACTS = [["disk", "vda", "size", "8"], ["system", "product", "name", "kvm"]]


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:200]}"


class Server:
    """edeployd with one configuration, ended with it."""

    def __init__(self, program, sections=("SERVER",), args=(), keys=""):
        self.dir = tempfile.mkdtemp(prefix="edeployd-wire-")
        self.conf = os.path.join(self.dir, "edeploy.conf")
        self.log = os.path.join(self.dir, "log")
        with open(self.conf, "w") as f:
            for s in sections:
                for d in ("site", "logs", "store", "boot"):
                    os.makedirs(self.path(s, d))
                f.write(f"[{s}]\nCONFIGDIR={self.path(s, 'site')}\n"
                        f"LOGDIR={self.path(s, 'logs')}\n"
                        f"STOREDIR={self.path(s, 'store')}\n"
                        f"BOOTDIR={self.path(s, 'boot')}\n"
                        f"LOCKFILE={self.path(s, 'lock')}\n"
                        f"SOCKET={self.path(s, 'sock')}\n{keys}\n")
        self.proc = subprocess.Popen(
            [program, "-c", self.conf, *self.where(), *args],
            stderr=open(self.log, "w"))
        self.port = self.wait_ready()
        self.url = f"http://127.0.0.1:{self.port}"

    def where(self):
        return "--listen", "127.0.0.1:0"

    def path(self, section, name):
        return os.path.join(self.dir, section, name)

    def wait_ready(self):
        until = time.time() + 20
        while time.time() < until and self.proc.poll() is None:
            text = open(self.log).read()
            m = re.search(r"listening on 127\.0\.0\.1:(\d+)", text)
            if m and "ready" in text:
                return int(m.group(1))
            time.sleep(0.02)
        sys.exit(f"Bail out! edeployd is not ready: {open(self.log).read()}")

    def stop(self):
        self.proc.send_signal(signal.SIGTERM)
        try:
            code = self.proc.wait(20)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            code = -9
        return code

    def close(self):
        if self.proc.poll() is None:
            self.stop()
        log = open(self.log).read()
        shutil.rmtree(self.dir)
        return log


class Behind(Server):
    """edeployd behind nginx, by FastCGI, as our configuration has it."""

    def __init__(self, program, site_conf, **rest):
        self.site_conf = site_conf
        self.nginx = None
        super().__init__(program, **rest)

    def where(self):
        self.fastcgi = os.path.join(self.dir, "fastcgi.sock")
        return "--fastcgi", self.fastcgi

    def wait_ready(self):
        until = time.time() + 20
        while "ready" not in open(self.log).read():
            if time.time() > until or self.proc.poll() is not None:
                sys.exit(f"Bail out! not ready: {open(self.log).read()}")
            time.sleep(0.02)
        port = free_port()
        self.start_nginx(port)
        while time.time() < until:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return port
            except OSError:
                time.sleep(0.02)
        sys.exit("Bail out! nginx does not listen: " +
                 open(os.path.join(self.dir, "nginx.log")).read())

    def start_nginx(self, port):
        """nginx, whose workers may use the socket as a group member would."""
        text = open(self.site_conf).read()
        for ours, tests in (("listen 80;", f"listen 127.0.0.1:{port};"),
                            ("/run/edeploy/fastcgi.sock;", self.fastcgi + ";")):
            assert text.count(ours) == 1, ours
            text = text.replace(ours, tests)
        conf = os.path.join(self.dir, "nginx.conf")
        temps = "".join(
            f"{t}_temp_path {self.dir}/{t};\n" for t in
            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.geteuid() == 0 else ""
        open(conf, "w").write(
            f"{user}daemon off;\npid {self.dir}/nginx.pid;\n"
            f"error_log {self.dir}/nginx.log;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{temps}{text}}}\n")
        self.nginx = subprocess.Popen(
            ["/usr/sbin/nginx", "-c", conf, "-e",
             os.path.join(self.dir, "nginx.log")])

    def close(self):
        if self.nginx:
            self.nginx.terminate()
            self.nginx.wait(20)
        return super().close()


def curl(*args, body=None):
    """curl as the agents run it; its last answer."""
    head = tempfile.NamedTemporaryFile()
    done = subprocess.run(
        ["curl", "-s", "-S", "--max-time", "60", "-D", head.name, *args],
        input=body, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    blocks = [b for b in head.read().decode("latin-1").split("\r\n\r\n") if b]
    if not blocks:
        return Reply(0, {}, done.stderr)
    lines = blocks[-1].split("\r\n")
    headers = {k.lower(): v for k, v in
               (line.split(": ", 1) for line in lines[1:] if ": " in line)}
    return Reply(int(lines[0].split()[1]), headers, done.stdout)


def raw(port, text, wait=10):
    """Send bytes, read to the end."""
    with socket.create_connection(("127.0.0.1", port), wait) as s:
        s.sendall(text)
        got = b""
        try:
            while True:
                piece = s.recv(65536)
                if not piece:
                    return got
                got += piece
        except (TimeoutError, ConnectionResetError):
            return got


def post(server, path, body, *headers):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    args = [a for h in headers for a in ("-H", h)]
    return curl("--data-binary", "@-", "-H", "Content-Type: application/json",
                *args, server.url + path, body=body)


def upload(server, facts=FACTS, run=RUN, query=""):
    return post(server, "/v1/upload" + query, facts, "Edeploy-Run: " + run)


def form(server, path, *fields):
    args = [a for f in fields for a in ("-F", f)]
    return curl(*args, server.url + path)


def test_upload(s):
    first = upload(s)
    body = first.body
    check("an upload gets its script", first.status == 200 and
          body.startswith(b"-- EDEPLOY_PROFILE = vm\n"), first)
    check("its length is told twice",
          first.headers.get("edeploy-length") == str(len(body)) ==
          first.headers.get("content-length"), first)
    check("its hash is that of the bytes",
          first.headers.get("edeploy-blake2b") ==
          hashlib.blake2b(body, digest_size=32).hexdigest(), first)
    check("the headers name machine, run, token and profile",
          first.headers.get("edeploy-run") == RUN and
          first.headers.get("edeploy-machine") == "m1" and
          first.headers.get("edeploy-profile") == "vm" and
          re.fullmatch("[0-9a-f]{32}", first.headers["edeploy-token"]), first)
    check("it is Lua", first.headers.get("content-type") == "text/x-lua", first)
    again = upload(s)
    check("the same run gets the same bytes", again.body == body and
          again.headers["edeploy-token"] == first.headers["edeploy-token"],
          again)
    local = upload(s, [["test", "outcome", "is", "local"]], "a" * 32)
    check("boot_local() comes without a profile", local.status == 200 and
          "edeploy-profile" not in local.headers, local)
    none = upload(s, [["test", "outcome", "is", "nomatch"]])
    check("no match is 422 with a line a profile", none.status == 422 and
          none.body.count(b"\n") == 3 and b"gt(4)" in none.body, none)
    waits = upload(s, [["test", "outcome", "is", "waits"]])
    check("a waiting machine is 503 with Retry-After", waits.status == 503 and
          int(waits.headers.get("retry-after", 0)) > 0, waits)
    error = upload(s, [["test", "outcome", "is", "error"]])
    check("our own failure is 500 with its reason", error.status == 500 and
          b"store is full" in error.body, error)
    for what, got, status in (
            ("facts that are no JSON", upload(s, b"not json"), 400),
            ("no run id", post(s, "/v1/upload", FACTS), 400),
            ("a run id in capitals", upload(s, run="A" * 32), 400),
            ("an unknown section", upload(s, query="?section=NOPE"), 404),
            ("a section given twice",
             upload(s, query="?section=SERVER&section=SERVER"), 400),
            ("a malformed escape", upload(s, query="?section=%zz"), 400),
            ("another section of this server",
             upload(s, query="?section=LAB", run="b" * 32), 200),
            ("GET on it", curl(s.url + "/v1/upload"), 405),
            ("an unknown path", curl(s.url + "/v2/upload"), 404)):
        check(f"{what}: {status}", got.status == status, got)
    got = curl(s.url + "/v1/upload")
    check("405 tells the methods", got.headers.get("allow") == "POST", got)


def test_old_form(s):
    facts = os.path.join(s.dir, "hw.json")
    json.dump(FACTS, open(facts, "w"))
    path = "//cgi-bin//upload.py"
    first = form(s, path, f"file=@{facts}", "section=SERVER")
    check("curl -F on doubled slashes gets a script", first.status == 200 and
          first.body.startswith(b"-- EDEPLOY_PROFILE"), first)
    again = form(s, path, f"file=@{facts}")
    check("the same facts are the same run", again.body == first.body, again)
    failure = form(s, path, f"file=@{facts}", "failure=vm", "section=SERVER")
    check("a failure report is 200 and empty",
          failure.status == 200 and failure.body == b"", failure)
    after = form(s, path, f"file=@{facts}")
    check("it ended the run", after.status == 200 and after.body != first.body,
          after)
    bad = os.path.join(s.dir, "bad.json")
    open(bad, "w").write("not json")
    none = os.path.join(s.dir, "none.json")
    json.dump([["test", "outcome", "is", "nomatch"]], open(none, "w"))
    for what, got, status, text in (
            ("a GET", curl(s.url + path), 400, b"No file passed to the CGI"),
            ("no file", form(s, path, "foo=bar"), 400,
             b"No file passed to the CGI"),
            ("bad facts", form(s, path, f"file=@{bad}"), 400,
             b"'Invalid hardware file: "),
            ("no match", form(s, path, f"file=@{none}"), 422,
             b"Unable to match requirements on the following available roles "
             b"in " + s.path("SERVER", "site").encode() + b"/: vm, hp\n"),
            ("an unknown section",
             form(s, path, f"file=@{facts}", "section=NOPE"), 404, b"NOPE"),
            ("no form", post(s, path, FACTS), 400, b"multipart/form-data")):
        check(f"{what}: {status} {text.decode()[:40]}",
              got.status == status and text in got.body, got)


def test_old_log(s):
    logs = s.path("SERVER", "logs")
    path = "/cgi-bin/upload.py"
    log = os.path.join(s.dir, "v-p-s.log.gz")

    def send(text, name="v-p-s.log.gz"):
        with gzip.open(log, "wb") as f:
            f.write(text)
        return form(s, path, f"file=@{log};filename={name}", "section=SERVER")

    def kept(name):
        return gzip.open(os.path.join(logs, name)).read()

    got = send(b"first")
    check("a log is 200 and empty", got.status == 200 and not got.body, got)
    check("it is stored under its name", kept("v-p-s.log.gz") == b"first")
    os.utime(os.path.join(logs, "v-p-s.log.gz"), (1400000000, 1400000000))
    send(b"second")
    check("the older one is renamed by its UTC time",
          kept("v-p-s.20140513165320.log.gz") == b"first" and
          kept("v-p-s.log.gz") == b"second", os.listdir(logs))
    os.utime(os.path.join(logs, "v-p-s.log.gz"), (1400000000, 1400000000))
    send(b"third")
    check("and never overwritten",
          kept("v-p-s.20140513165320.log.gz") == b"first" and
          kept("v-p-s.20140513165320-2.log.gz") == b"second", os.listdir(logs))
    send(b"x", "../../up.log.gz")
    check("only the base name counts", kept("up.log.gz") == b"x" and
          not os.path.exists(os.path.join(s.dir, "up.log.gz")),
          os.listdir(logs))
    got = send(b"x", ".hidden.log.gz")
    check("a hidden name is 400", got.status == 400, got)
    big = os.urandom(3 * 1024 * 1024)
    send(big)
    check("a log of 3 MiB arrives whole", kept("v-p-s.log.gz") == big)
    check("nothing is left beside",
          not [n for n in os.listdir(logs) if n.startswith(".")],
          os.listdir(logs))


def test_run(s):
    run = "c" * 32
    token = upload(s, run=run).headers["edeploy-token"]
    auth = "Edeploy-Token: " + token
    path = f"/v1/runs/{run}/events"

    def events(*numbers, kind="message", header=auth):
        return post(s, path, {"events": [
            {"n": n, "at": n, "kind": kind, "text": "t"} for n in numbers]},
            header)

    for what, got, status, body in (
            ("events from 1", events(1, 2), 200, {"next": 3}),
            ("stored ones again", events(1, 2, 3), 200, {"next": 4}),
            ("none at all", events(), 200, {"next": 4})):
        check(f"{what}: {status}", got.status == status and
              json.loads(got.body) == body, got)
    for what, got, status in (
            ("a gap", events(9), 400),
            ("no number", post(s, path, {"events": [{"at": 1}]}, auth), 400),
            ("no list", post(s, path, {}, auth), 400),
            ("1,001 events", events(*range(4, 1005)), 400),
            ("more than 256 KiB",
             post(s, path, b" " * (256 * 1024 + 1), auth), 413),
            ("no token", events(4, header="X: y"), 403),
            ("a wrong token", events(4, header="Edeploy-Token: " + "0" * 32),
             403),
            ("an unknown run",
             post(s, f"/v1/runs/{'d' * 32}/events", {"events": []}, auth), 403),
            ("done", events(4, kind="done"), 200),
            ("after the end", events(5), 409)):
        check(f"{what}: {status}", got.status == status, got)
    log = f"{s.url}/v1/runs/{run}/log"

    def put(offset, text, header=auth):
        return curl("-X", "PUT", "--data-binary", "@-", "-H", header,
                    f"{log}?offset={offset}", body=text)

    for what, got, status, size in (
            ("log from 0", put(0, b"hello "), 204, "6"),
            ("log going on", put(6, b"world"), 204, "11"),
            ("bytes that are there", put(4, b"o world!"), 204, "12"),
            ("an old piece", put(0, b"hello"), 204, "12"),
            ("a gap", put(20, b"x"), 409, "12"),
            ("a wrong token", put(12, b"x", "Edeploy-Token: " + "0" * 32),
             403, None),
            ("no number", put("x", b"x"), 400, None),
            ("past the end of all logs", put(64 << 20, b"x"), 413, None)):
        check(f"{what}: {status}", got.status == status and
              got.headers.get("edeploy-log-size") == size, got)
    kept = open(os.path.join(s.path("SERVER", "logs"), run + ".log"), "rb")
    check("the log holds each byte once", kept.read() == b"hello world!")
    big = os.urandom(20 << 20)
    before = memory(s)
    with socket.create_connection(("127.0.0.1", s.port), 20) as c:
        c.sendall(f"PUT /v1/runs/{run}/log?offset=12 HTTP/1.1\r\nHost: x\r\n"
                  f"{auth}\r\nContent-Length: {len(big)}\r\n\r\n".encode())
        c.sendall(big[:-1])
        time.sleep(0.5)
        grown = memory(s) - before
        c.sendall(big[-1:])
        got = c.recv(65536)
    check("20 MiB are taken", b" 204 " in got[:20], got)
    check("and are there", kept.read() == big)
    check("and were not held in memory", grown < 4 << 20, grown)
    got = curl("-T", "/dev/zero", "-H", auth, "-H", "Content-Length: 99999999",
               "-H", "Transfer-Encoding:", f"{log}?offset=0")
    check("more than 64 MiB is 413 at once", got.status == 413, got)


def memory(s):
    """Bytes of its own, page cache not counted."""
    for line in open(f"/proc/{s.proc.pid}/status"):
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024


def test_boot(s):
    base = s.url + "/boot.ipxe"
    chain = curl(base).body.decode()
    check("without a query: chain to the absolute URL",
          chain.startswith(f"#!ipxe\nchain {base}?mac=") and
          "${serial:uristring}" in chain and "section" not in chain, chain)
    check("the section is kept",
          "&section=LAB\n" in curl(base + "?section=LAB").body.decode())
    script = curl(base + "?mac=52:54:00:00:00:01&platform=pcbios").body
    check("with one: kernel and initrd", script.decode() == (
        f"#!ipxe\nkernel {s.url}/boot/vmlinuz initrd=initrd.pxe "
        f"SERV=127.0.0.1 HTTP_PORT={s.port} SECTION=SERVER\n"
        f"initrd {s.url}/boot/initrd.pxe\nboot\n"), script)
    boot = s.path("SERVER", "boot")
    open(os.path.join(boot, "cmdline"), "w").write("console=ttyS0 RSERV=x\n")
    script = curl(base + "?mac=1").body
    check("words of BOOTDIR/cmdline are added",
          b"SECTION=SERVER console=ttyS0 RSERV=x\ninitrd" in script, script)
    open(os.path.join(boot, "cmdline"), "w").write("a\nb")
    got = curl(base + "?mac=1")
    check("two lines there are refused", got.status == 500 and
          b"one line" in got.body, got)
    os.unlink(os.path.join(boot, "cmdline"))
    for platform, last in (("pcbios", b"\nexit\n"), ("efi", b"\nexit 1\n")):
        got = curl(f"{base}?serial=installed&platform={platform}")
        check(f"an installed machine boots its disk on {platform}",
              got.body.endswith(last), got)
    for what, host in (("a line in it", "a\tkernel"), ("a ${}", "${x}"),
                       ("nothing in it", "")):
        got = raw(s.port, f"GET /boot.ipxe HTTP/1.1\r\nHost: {host}\r\n"
                  "Connection: close\r\n\r\n".encode())
        check(f"a Host with {what} is 400", b" 400 " in got[:20], got)
    got = curl(base + "?mac=" + "x" * 300)
    check("an endless mac is 400", got.status == 400, got)


def test_file(s):
    boot = s.path("SERVER", "boot")
    bytes_ = os.urandom(300000)
    open(os.path.join(boot, "vmlinuz"), "wb").write(bytes_)
    open(os.path.join(boot, "empty"), "wb").close()
    os.mkfifo(os.path.join(boot, "fifo"))
    url = s.url + "/boot/vmlinuz"
    got = curl(url)
    tag = got.headers.get("etag", "")
    check("a file arrives whole", got.status == 200 and got.body == bytes_,
          got.status)
    check("with validators", tag and "last-modified" in got.headers and
          got.headers.get("accept-ranges") == "bytes", got.headers)
    for what, span, status, want in (
            ("first bytes", "bytes=0-99", 206, bytes_[:100]),
            ("the middle on", "bytes=299900-", 206, bytes_[299900:]),
            ("last bytes", "bytes=-10", 206, bytes_[-10:]),
            ("past the end", "bytes=299990-400000", 206, bytes_[299990:]),
            ("beyond", "bytes=300000-", 416, None),
            ("two ranges", "bytes=0-1,4-5", 200, bytes_),
            ("nonsense", "bytes=b-a", 200, bytes_)):
        got = curl("-H", "Range: " + span, url)
        check(f"range, {what}: {status}", got.status == status and
              (want is None or got.body == want), (got.status, got.headers))
    got = curl("-H", "Range: bytes=0-9", "-H", 'If-Range: "old"', url)
    check("a range of an older file is the whole new one",
          got.status == 200 and got.body == bytes_, got.status)
    got = curl("-H", "If-None-Match: " + tag, url)
    check("an unchanged file is 304", got.status == 304 and not got.body, got)
    got = curl("-I", url)
    check("HEAD tells the length and sends nothing", got.status == 200 and
          got.headers.get("content-length") == "300000", got)
    got = curl(s.url + "/boot/empty")
    check("an empty file", got.status == 200 and got.body == b"", got)
    for name in ("nothing", "..", "%2e%2e%2fstore", ".hidden", "fifo", "a%00",
                 "a/b"):
        got = curl("--path-as-is", s.url + "/boot/" + name)
        check(f"/boot/{name} is not served", got.status in (400, 404), got)


def test_operator(s):
    sock = ["--unix-socket", s.path("SERVER", "sock")]
    for path in ("/v1/machines", "/v1/machines/m1", "/v1/events"):
        got = curl(s.url + path)
        check(f"{path} over TCP is 403", got.status == 403, got)
    got = curl("-X", "POST", s.url + "/v1/machines/m1/reinstall")
    check("reinstall over TCP is 403", got.status == 403, got)
    got = curl(*sock, "http://x/v1/machines")
    check("machines over the socket", got.status == 200 and
          json.loads(got.body) == {"machines": [{"id": "m1"}]}, got)
    got = curl(*sock, "-X", "POST", "http://x/v1/machines/m1/reinstall")
    check("reinstall over the socket", got.status == 200 and
          json.loads(got.body)["reinstall"] is True, got)
    got = curl(*sock, "-X", "POST", "http://x/v1/machines/m1/release")
    check("an understood no is 409", got.status == 409, got)
    post = (*sock, "-X", "POST")
    for call, status in (("m1/same?other=m2", 200), ("m1/same?other=m1", 409),
                         ("m1/same", 400), ("m1/distinct?other=m2", 200),
                         ("m1/distinct?other=m%31", 409), ("m1/forget", 409)):
        got = curl(*post, "http://x/v1/machines/" + call)
        check(f"{call}: {status}", got.status == status, got)
        got = curl("-X", "POST", f"{s.url}/v1/machines/{call}")
        check(f"{call} over TCP is 403", got.status == 403, got)
    got = curl(*sock, "http://x/v1/machines/m9")
    check("an unknown machine is 404", got.status == 404, got)
    for body, status in (('{"files": {"state": "[]"}}', 200), ("{}", 400),
                         ("{", 400)):
        got = curl(*post, "-d", body, "http://x/v1/replay")
        check(f"replay of {body}: {status}", got.status == status, got)
    got = curl("-X", "POST", "-d", "{}", f"{s.url}/v1/replay")
    check("replay over TCP is 403", got.status == 403, got)
    got = curl(*sock, "http://x/v1/machines?section=LAB")
    check("another section is not on this socket", got.status == 404, got)
    start = time.time()
    got = curl(*sock, "http://x/v1/events?after=7&wait=1")
    check("events wait as asked", got.status == 200 and
          json.loads(got.body)["next"] == 7 and time.time() - start >= 0.9, got)
    got = curl(*sock, "http://x/v1/events")
    check("without after: where the feed stands", got.status == 200 and
          json.loads(got.body) == {"events": [], "next": 41}, got)
    got = curl(*sock, "http://x/v1/events?wait=31")
    check("and not longer than 30 s", got.status == 400, got)
    mode = os.stat(s.path("SERVER", "sock")).st_mode & 0o777
    check("the socket is 0660", mode == 0o660, oct(mode))


def test_rude(s):
    head = (f"POST /v1/upload HTTP/1.1\r\nHost: x\r\nEdeploy-Run: {RUN}\r\n"
            "Connection: close\r\n")
    body = json.dumps(FACTS)
    for what, text in (
            ("two lengths",
             f"Content-Length: {len(body)}\r\nContent-Length: 1\r\n\r\n"),
            ("length and chunks",
             "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
            ("an odd coding", "Transfer-Encoding: gzip, chunked\r\n\r\n"),
            ("a signed length", "Content-Length: +3\r\n\r\n"),
            ("two hosts", "Host: y\r\nContent-Length: 0\r\n\r\n")):
        got = raw(s.port, (head + text + body).encode())
        check(f"{what}: 400", b" 400 " in got[:20], got)
    got = raw(s.port, (head + "Transfer-Encoding: chunked\r\n\r\n"
                       f"{len(body):x}\r\n{body}\r\n0\r\n\r\n").encode())
    check("a chunked body is fine", b" 200 " in got[:20], got)
    over = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    got = raw(s.port, (head + "Transfer-Encoding: chunked\r\n\r\n").encode() +
              over * 33 + b"0\r\n\r\n")
    check("chunks over the cap: 413", b" 413 " in got[:20], got[:200])
    got = upload(s, b" " * (1024 * 1024 + 1))
    check("a body over the cap: 413", got.status == 413, got)
    got = upload(s, b" " * (8 * 1024 * 1024))
    check("far over the cap: 413", got.status == 413, got)
    got = raw(s.port, b"GET /boot.ipxe HTTP/1.1\r\nHost: x\r\n\r\n"
              b"\0\1\2 garbage\r\n\r\n")
    check("garbage behind a request does not harm it",
          got.startswith(b"HTTP/1.1 200 "), got)
    got = raw(s.port, b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: x\r\n"
              b"Connection: close\r\n\r\n")
    check("an endless path: 400", b" 400 " in got[:20], got[:100])
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", s.port)) as c:
            c.sendall(head.encode() + b"Content-Length: 100\r\n\r\n[[")
    check("clients that went away leave it well", upload(s).status == 200)


def test_crowd(s):
    body = json.dumps(FACTS).encode()
    answers, errors = set(), []

    def ask():
        try:
            c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=30)
            for _ in range(20):
                c.request("POST", "/v1/upload", body, {"Edeploy-Run": "e" * 32})
                answers.add(c.getresponse().read())
        except (OSError, http.client.HTTPException) as e:
            errors.append(e)

    threads = [threading.Thread(target=ask) for _ in range(64)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check("64 clients of one run at once get the same bytes",
          len(answers) == 1 and not errors, (answers, errors[:3]))


def test_many(s):
    test_crowd(s)
    ask_ = b"GET /boot.ipxe HTTP/1.1\r\nHost: x\r\n"
    got = raw(s.port, (ask_ + b"\r\n") * 3 + ask_ + b"Connection: close\r\n\r\n")
    check("four requests in one packet get four answers",
          got.count(b"HTTP/1.1 200 ") == 4, got)


def test_slow(program):
    s = Server(program, args=("--request-seconds", "2"))
    start = time.time()
    with socket.create_connection(("127.0.0.1", s.port), 20) as c:
        c.sendall(f"POST /v1/upload HTTP/1.1\r\nHost: x\r\nEdeploy-Run: {RUN}"
                  "\r\nContent-Length: 1000\r\n\r\n".encode())
        got = b""
        c.settimeout(0.2)
        while time.time() - start < 15 and not got:
            try:
                c.sendall(b" ")  # never idle
                got = c.recv(1000)
            except TimeoutError:
                pass
            except OSError:
                break
    took = time.time() - start
    check("a body that drips: 408 by the total deadline",
          b" 408 " in got[:20] and took < 12, (got, took))
    start = time.time()
    with socket.create_connection(("127.0.0.1", s.port), 20) as c:
        c.sendall(b"GET /boot.ipxe HTTP/1.1\r\n")
        c.settimeout(0.2)
        got = None
        while time.time() - start < 15 and got is None:
            try:
                c.sendall(b"X: y\r\n")
                got = c.recv(1000)
            except TimeoutError:
                pass
            except OSError:
                got = b""
    check("headers that drip end too", time.time() - start < 12, got)
    check("others are served meanwhile", upload(s).status == 200)
    s.close()


def test_stop(program):
    s = Server(program)
    body = json.dumps(FACTS).encode()
    c = socket.create_connection(("127.0.0.1", s.port), 20)
    c.sendall(f"POST /v1/upload HTTP/1.1\r\nHost: x\r\nEdeploy-Run: {RUN}\r\n"
              f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
    watch = subprocess.Popen(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
         "--unix-socket", s.path("SERVER", "sock"),
         "http://x/v1/events?wait=30"], stdout=subprocess.PIPE)
    time.sleep(2)  # both are begun
    codes = []
    stop = threading.Thread(target=lambda: codes.append(s.stop()))
    start = time.time()
    stop.start()
    refused = False
    while not refused and time.time() - start < 15:
        try:
            socket.create_connection(("127.0.0.1", s.port), 2).close()
            time.sleep(0.1)
        except OSError:
            refused = True
    check("SIGTERM: no new connections", refused)
    c.sendall(body[10:])
    got = c.recv(65536)
    check("the request in flight is answered", b" 200 " in got[:20], got)
    stop.join()
    check("and the server ends with 0", codes == [0], codes)
    check("a waiting operator does not hold it up", time.time() - start < 20 and
          watch.communicate()[0] == b"200")
    check("its socket is gone", not os.path.exists(s.path("SERVER", "sock")))
    log = s.close()
    check("it said that every machine is served", "every machine" in log, log)


def refusal(program, *args):
    got = subprocess.run([program, *args], stderr=subprocess.PIPE, timeout=30)
    return got.returncode, got.stderr.decode()


def test_start(program):
    s = Server(program)
    code, text = refusal(program, "-c", s.conf, "--listen", "127.0.0.1:0")
    check("a second server of a section is refused",
          code == 1 and "another edeployd" in text, text)
    conf = os.path.join(s.dir, "other.conf")

    def write(text):
        open(conf, "w").write(
            f"[SERVER]\nCONFIGDIR={s.dir}\nSTOREDIR={s.dir}/st\n"
            f"BOOTDIR={s.dir}\nLOCKFILE={s.dir}/l\nSOCKET={s.dir}/other\n"
            + ("" if "LOGDIR" in text else f"LOGDIR={s.dir}\n") + text)

    for what, keys, args, code, needle in (
            ("a port in use", f"LISTEN=127.0.0.1:{s.port}\n", (), 1,
             "another program"),
            ("no LISTEN", "", (), 2, "no LISTEN"),
            ("a LISTEN without port", "LISTEN=127.0.0.1\n", (), 2, "ADDR:PORT"),
            ("a FASTCGI that is a file", "FASTCGI=/dev/null\n", (), 1,
             "is no socket"),
            ("a FASTCGI that another serves",
             f"FASTCGI={s.path('SERVER', 'sock')}\n", (), 1,
             "another edeployd"),
            ("an unknown key", "NOPE=1\n", (), 2, "other.conf:8"),
            ("an unknown option", "", ("--nope",), 2, "usage:"),
            ("a key given twice", "BOOTDIR=/x\n", (), 2, "BOOTDIR is there"),
            ("a LOGDIR that is a file", "LOGDIR=/dev/null\n", (), 1,
             "/dev/null")):
        write(keys)
        got = refusal(program, "-c", conf, *args)
        check(f"{what}: exit {code}, told why",
              got[0] == code and needle in got[1], got)
    got = refusal(program, "-c", "/nonexistent")
    check("no configuration: told which", got[0] != 0 and
          "/nonexistent" in got[1], got)
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(os.path.join(s.dir, "other"))
    stale.close()
    write("LISTEN=127.0.0.1:0\n")
    p = subprocess.Popen([program, "-c", conf], stderr=subprocess.PIPE,
                         text=True)
    said = ""
    for line in p.stderr:
        said += line
        if "ready" in line:
            break
    p.send_signal(signal.SIGINT)
    rest = p.communicate(timeout=20)[1]
    check("a stale socket is replaced; SIGINT ends it with 0",
          p.returncode == 0 and "ready" in said, said + rest)
    s.close()


def test_cgi(s):
    """What differs between the fronts: nginx keeps the deadlines of clients
    and sends whole requests, so only its own faults come through."""
    sock = s.path("SERVER", "sock")
    got = curl(s.url + "/v1/machines")
    check("operator calls through nginx are 403", got.status == 403, got)
    got = curl("--unix-socket", sock, "http://x/v1/machines")
    check("and served on the section's socket", got.status == 200, got)
    mode = os.stat(s.fastcgi).st_mode & 0o777
    check("the FastCGI socket is 0660", mode == 0o660, oct(mode))
    for what, text in (("nothing", b""), ("garbage", b"GET / HTTP/1.0\r\n\r\n"),
                       ("half a header", b"\1\1\0\1\0\10\0\0\0\1")):
        for _ in range(20):
            with socket.socket(socket.AF_UNIX) as c:
                c.connect(s.fastcgi)
                c.sendall(text)
        check(f"a peer that sends {what} leaves it well",
              upload(s).status == 200)
    with socket.socket(socket.AF_UNIX) as c:
        c.connect(s.fastcgi)
        c.sendall(b"\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"  # begin, responder
                  b"\1\4\0\1\0\0\0\0" b"\1\5\0\1\0\0\0\0")
        got = c.recv(65536)
    check("parameters that are missing are told", b"Status: 500" in got and
          b"REQUEST_URI" in got, got)


def stop_cgi(s):
    """SIGTERM with a silent peer on one thread and a request on another."""
    silent = socket.socket(socket.AF_UNIX)
    silent.connect(s.fastcgi)
    silent.sendall(b"\1\1\0\1")
    time.sleep(0.3)
    start = time.time()
    code = s.stop()
    silent.close()
    check("SIGTERM ends FastCGI, too", code == 0 and time.time() - start < 5,
          (code, time.time() - start, open(s.log).read()[-3000:]))
    check("its sockets are gone", not os.path.exists(s.fastcgi) and
          not os.path.exists(s.path("SERVER", "sock")))


def test_behind(program, site_conf):
    s = Behind(program, site_conf, sections=("SERVER", "LAB"))
    try:
        for test in (test_upload, test_old_form, test_old_log, test_run,
                     test_boot, test_file, test_cgi, test_crowd):
            test(s)
        stop_cgi(s)
    finally:
        log = s.close()
    check("no sanitizer spoke", "Sanitizer" not in log and
          "runtime error" not in log, log[-3000:])


def main():
    program = os.path.abspath(sys.argv[1])
    s = Server(program, sections=("SERVER", "LAB"))
    try:
        for test in (test_upload, test_old_form, test_old_log, test_run,
                     test_boot, test_file, test_operator, test_rude,
                     test_many):
            test(s)
        code = s.stop()
        check("a clean end", code == 0, (code, open(s.log).read()[-3000:]))
    finally:
        log = s.close()
    check("no sanitizer spoke", "Sanitizer" not in log and
          "runtime error" not in log, log[-3000:])
    test_slow(program)
    test_stop(program)
    test_start(program)
    test_behind(program, sys.argv[2])
    return end()


if __name__ == "__main__":
    sys.exit(main())
