"""A real edeployd over a real site, for tests that ask it over HTTP."""
import atexit
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import history  # noqa: E402
from ports import free_port  # noqa: E402
from tap import check, end  # noqa: E402, F401


def at_once(tests):
    """Each in a thread; one that raises is a failure."""
    def run(test):
        try:
            test()
        except Exception:
            check("the test came to its end", False, traceback.format_exc())
    threads = [threading.Thread(target=run, args=(t,)) for t in tests]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


class Local(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("edeployd", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Server:
    env = None  # of the server

    def __init__(self, edeployd, ctl, state, cmdb, extra=()):
        self.programs = edeployd, ctl
        self.history, self.files = history.History(), {}
        self.first_files = {}
        self.dir = tempfile.mkdtemp(prefix="edeploy-decision-")
        os.mkdir(f"{self.dir}/site")
        os.mkdir(f"{self.dir}/boot")
        self.mount()
        self.put("vm.specs", "[('disk', '$disk', 'size', 'gt(4)'),\n"
                 " ('network', '$eth', 'ipv4', 'network(192.168.122.0/24)'),\n"
                 " ('network', '$eth', 'serial', '$mac')]\n")
        self.put("vm.configure", "log('one')\n")
        self.put("state", state)
        if cmdb:
            self.put("vm.cmdb", cmdb)
        for name, text in extra:
            self.put(name, text)
        self.first_files = dict(self.files)
        with open(f"{self.dir}/conf", "w") as f:
            f.write(f"[SERVER]\nCONFIGDIR={self.dir}/site\n"
                    f"LOGDIR={self.dir}/log\nSTOREDIR={self.dir}/store\n"
                    f"BOOTDIR={self.dir}/boot\nLOCKFILE={self.dir}/lock\n"
                    f"SOCKET={self.dir}/sock\n")
        self.start()

    def mount(self):
        """What the folders lie on, where that is a test's business."""

    def put(self, name, text):
        self.files[name] = text
        with open(f"{self.dir}/site/{name}", "w") as f:
            f.write(text)

    def start(self):
        self.port = free_port()
        self.proc = subprocess.Popen(
            [self.programs[0], "-c", f"{self.dir}/conf", "--listen",
             f"127.0.0.1:{self.port}"], stderr=subprocess.PIPE, text=True,
            env=self.env)
        # a test that dies must not leave it behind
        atexit.register(lambda p: p.poll() is None and p.kill(), self.proc)
        self.read_log()

    def read_log(self):
        """Until it is ready; the rest as it comes."""
        self.said = []
        for line in self.proc.stderr:
            self.said.append(line)
            if "ready" in line:
                break
        threading.Thread(target=lambda p: self.said.extend(p.stderr),
                         args=(self.proc,), daemon=True).start()

    def log(self):
        return "".join(self.said)

    def stop(self, how=signal.SIGTERM):
        self.proc.send_signal(how)
        code = self.proc.wait(20)
        if how == signal.SIGTERM and code != 0:
            check("a clean end", False, self.log()[-3000:])

    def ask(self, method, path, body=None, **headers):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        c.request(method, path, body, {k.replace("_", "-"): v
                                       for k, v in headers.items()})
        self.has_sent()
        r = c.getresponse()
        out = r.status, r.read().decode(), r.headers
        c.close()
        return out

    def has_sent(self):
        """The kernel has the whole request of one who asks."""

    def upload(self, run, n, size=8, more=(), ident=True):
        facts = [["disk", "vda", "size", str(size)],
                 ["network", "eth0", "ipv4", f"192.168.122.{n % 200 + 20}"],
                 ["network", "eth0", "serial",
                  "52:54:00:00:%02x:%02x" % (n // 256, n % 256)]]
        if ident:
            facts.append(["system", "product", "serial", f"SER{n}"])
        else:
            facts = [f for f in facts if f[2] != "serial"]
        return self.upload_text(run, json.dumps(facts + list(more)))

    def upload_text(self, run, text):
        """What is asked and answered is kept, to be judged by the oracle."""
        begin, got = time.monotonic(), (None, "", {})
        try:
            got = self.ask("POST", "/v1/upload", text,
                           Edeploy_Run="%032x" % run)
            return got
        finally:
            self.history.upload(begin, run, text, got[0], got[1],
                                got[2].get("Edeploy-Machine"))

    def check_history(self, what):
        """All uploads until now, of a site whose files stayed as they were."""
        why = history.replay(self.history, history.site_of(self.first_files))
        check(f"{what}: {len(self.history.uploads)} answers as the oracle says",
              not why, why)

    def events(self, run, token, *events):
        body = {"events": [{"n": i + 1, "at": 1, **e}
                           for i, e in enumerate(events)]}
        return self.ask("POST", "/v1/runs/%032x/events" % run,
                        json.dumps(body), Edeploy_Token=token)

    def local(self, method, path):
        """What edeployctl asks: (status, text)."""
        c = Local(f"{self.dir}/sock")
        c.request(method, path)
        r = c.getresponse()
        out = r.status, r.read().decode()
        c.close()
        return out

    def ctl(self, *words):
        p = subprocess.run([self.programs[1], *words, "-c",
                            f"{self.dir}/conf"], capture_output=True,
                           text=True)
        return p.returncode, p.stdout + p.stderr

    def machine(self, name):
        return json.loads(self.ctl("show", name, "--json")[1] or "{}")

    def end(self):
        self.stop()
        shutil.rmtree(self.dir)
