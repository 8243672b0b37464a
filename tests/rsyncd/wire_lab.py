"""Servers, and a wire to them that can be cut; for the tests beside this."""
import atexit
import http.server
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class BentWire:
    """A server whose long answers have a wrong byte, `bends` times."""

    def __init__(self, top, bends):
        self.top, self.bends = top, bends
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def answer(self, request):
        path = urllib.parse.urlsplit(request.path).path
        try:
            with open(self.top + path, "rb") as f:
                data = f.read()
        except OSError:
            request.send_error(404)
            return
        span = re.fullmatch(r"bytes=(\d+)-(\d*)",
                            request.headers.get("Range", ""))
        request.send_response(206 if span else 200)
        if span:
            first = int(span[1])
            last = min(int(span[2] or len(data)), len(data) - 1)
            request.send_header("Content-Range",
                                f"bytes {first}-{last}/{len(data)}")
            data = data[first:last + 1]
        if len(data) > 2500000 and self.bends:
            self.bends -= 1
            data = data[:700000] + bytes([data[700000] ^ 1]) + data[700001:]
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        try:
            request.wfile.write(data)
        except OSError:
            pass  # the client has seen enough


class Program:
    """Ends with us; listens on `port`."""

    def __init__(self, argv, port, log):
        self.argv, self.port, self.log = argv, port, log
        self.proc = None
        atexit.register(self.stop)
        self.start()

    def start(self):
        self.proc = subprocess.Popen(self.argv, stderr=open(self.log, "ab"))
        until = time.time() + 30
        while time.time() < until and self.proc.poll() is None:
            if listens(self.port):
                return
            time.sleep(0.02)
        sys.exit(f"Bail out! {self.argv[0]}: {open(self.log).read()}")

    def stop(self, how=signal.SIGTERM):
        if self.proc.poll() is None:
            self.proc.send_signal(how)
            try:
                self.proc.wait(30)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()


class Wire:
    """A wire to `port` that cuts what goes over it: each connection after a
    number of bytes that `cut` tells, and not at all when it tells 0. Each
    piece of 64 KiB takes at least `pause` seconds."""

    def __init__(self, port, cut, pause=0):
        self.to, self.cut, self.pause, self.cuts = port, cut, pause, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near = self.listener.accept()[0]
            try:
                far = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                near.close()
                continue
            threading.Thread(target=self.pump, args=(near, far, 0),
                             daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near, self.cut()),
                             daemon=True).start()

    def pump(self, a, b, most):
        done = 0
        try:
            while (data := a.recv(1 << 16)):
                done += len(data)
                if most and done > most:
                    b.sendall(data[:most // 2])
                    self.cuts += 1
                    break
                b.sendall(data)
                time.sleep(self.pause)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
