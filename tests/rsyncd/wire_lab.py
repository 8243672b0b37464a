"""Servers, and a wire to them that can be cut; for the tests beside this."""
import atexit
import signal
import socket
import subprocess
import sys
import threading
import time


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


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
