#!/usr/bin/env python3
"""conf_test.py RSYNCD_CONF: what rsyncd/conf prints, in a real rsync daemon:
trees come whole, nothing is written, and no way leads out of them, as root
and as a user who has no rights. Prints TAP."""
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
from ports import free_port  # noqa: E402
from tap import check, end  # noqa: E402

DIR = tempfile.mkdtemp(prefix="rsyncd_test.")
# a copy: the project may lie where only root may go
CONF = shutil.copy(sys.argv[1], DIR + "/print-conf")
TOP = DIR + "/the trees"


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


class Daemon:
    """rsync over the configuration, as root or as another user."""

    def __init__(self, user):
        self.drop = {"user": user, "group": pwd.getpwnam(user).pw_gid,
                     "extra_groups": []} if user and os.geteuid() == 0 else {}
        text = subprocess.run([CONF, TOP], check=True, capture_output=True,
                              text=True, **self.drop).stdout
        put(f"{DIR}/conf", text)
        self.port = free_port()
        self.proc = subprocess.Popen(
            ["rsync", "--daemon", "--no-detach", f"--config={DIR}/conf",
             "--address=127.0.0.1", f"--port={self.port}", "--log-file=" +
             ("/dev/null" if user else f"{DIR}/log")], **self.drop)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)

    def url(self, path):
        return f"rsync://127.0.0.1:{self.port}/{path}"

    def get(self, path, *words):
        """(exit code, {path: bytes or link} of what came, messages)."""
        to = tempfile.mkdtemp(dir=DIR)
        p = subprocess.run(["rsync", "-a", *words, self.url(path), to],
                           capture_output=True, text=True, timeout=30)
        came = {}
        for base, dirs, files in os.walk(to):
            for name in dirs + files:
                full = os.path.join(base, name)
                short = os.path.relpath(full, to)
                if os.path.islink(full):
                    came[short] = "-> " + os.readlink(full)
                elif os.path.isfile(full):
                    with open(full) as f:
                        came[short] = f.read()
        shutil.rmtree(to)
        return p.returncode, came, p.stdout + p.stderr

    def end(self):
        self.proc.terminate()
        self.proc.wait(10)


def make_trees():
    tree = f"{TOP}/install/D1/role"
    put(f"{tree}/etc/hostname", "host\n")
    put(f"{tree}/usr/bin/true", "true\n")
    os.symlink("usr/bin", f"{tree}/bin")
    put(f"{TOP}/install/.role.publish-aB3dEf/usr/bin/true", "half\n")
    put(f"{DIR}/outside/secret", "SECRET\n")
    os.makedirs(f"{tree}/var")
    os.symlink(f"{DIR}/outside", f"{tree}/var/out")
    os.symlink("../../../../../outside/secret", f"{tree}/etc/up")
    put(f"{TOP}/metadata/D1/role/D2/pre", "#!/bin/sh\n")
    os.chmod(DIR, 0o755)
    return tree


WANT = {"etc/hostname": "host\n", "usr/bin/true": "true\n",
        "bin": "-> usr/bin", "var/out": f"-> {DIR}/outside",
        "etc/up": "-> ../../../../../outside/secret"}
WAYS_OUT = [
    ("install/D1/role/var/out/", ()),
    ("install/D1/role/var/out/secret", ()),
    ("install/D1/role/", ("-L",)),
    ("install/D1/role/", ("--copy-unsafe-links",)),
    ("install/D1/role/etc/up", ("-L",)),
    ("install/../../outside/", ()),
    ("install/../outside/", ()),
    ("install//../../outside/secret", ()),
    ("install/D1/role/../../../../outside/", ()),
]


def test_daemon(user, tree):
    who = user or "root"
    d = Daemon(user)
    code, came, said = d.get("install/D1/role/")
    shown = dict(came)
    shadow = shown.pop("etc/shadow", None)
    check(f"{who}: a tree as it is, links as links", shown == WANT,
          (code, came, said))
    check(f"{who}: what only root may read",
          shadow == (None if user else "root:*\n"), (shadow, said))
    code, came, said = d.get("metadata/D1/role/")
    check(f"{who}: the metadata",
          code == 0 and came == {"D2/pre": "#!/bin/sh\n"}, (code, came, said))
    p = subprocess.run(["rsync", d.url("install/")], capture_output=True,
                       text=True)
    code, came, _ = d.get("install/.role.publish-aB3dEf/")
    check(f"{who}: what is being published is not there",
          "D1" in p.stdout and "publish-" not in p.stdout and not came,
          (p.stdout, came))
    for path, words in WAYS_OUT:
        code, came, said = d.get(path, *words)
        check(f"{who}: no way out by {' '.join((*words, path))}",
              "SECRET" not in str(came) + said, came)
    for words in (["-a", CONF, d.url("install/D1/role/new")],
                  ["-a", "--delete", f"{DIR}/outside/",
                   d.url("install/D1/role/")],
                  ["-a", "--remove-source-files", d.url("install/D1/role/"),
                   f"{DIR}/took"]):
        p = subprocess.run(["rsync", *words], capture_output=True, text=True)
        check(f"{who}: nothing is written: {' '.join(words[:-1])}",
              p.returncode != 0 and os.path.exists(f"{tree}/etc/hostname") and
              not os.path.exists(f"{tree}/new") and
              not os.path.exists(f"{tree}/secret"), p.stderr)
    p = subprocess.run(["rsync", d.url("")], capture_output=True, text=True)
    check(f"{who}: modules are not listed", "install" not in p.stdout,
          p.stdout)
    d.end()


def test_names():
    for name, code in (("plain", 0), ("with blank", 0), ("a%b", 1),
                       ("a\\", 1), ("end ", 1), ("two\nlines", 1)):
        os.makedirs(f"{DIR}/{name}/install")
        p = subprocess.run([CONF, f"{DIR}/{name}"], capture_output=True,
                           text=True)
        check(f"a folder called {name!r}",
              p.returncode == code and
              (f"path = {DIR}/{name}/install\n" in p.stdout) == (code == 0)
              and bool(p.stderr) == (code != 0), p.stdout + p.stderr)
    for words in ([], ["--help"]):
        p = subprocess.run([CONF, *words], capture_output=True, text=True)
        check(f"usage: {words}",
              p.returncode == 2 and "usage" in p.stderr and not p.stdout,
              p.stderr)
    p = subprocess.run([CONF, f"{DIR}/nowhere"], capture_output=True,
                       text=True)
    check("a folder that is not there", p.returncode != 0 and not p.stdout,
          p.stdout)


try:
    tree = make_trees()
    if os.geteuid() == 0:
        put(f"{tree}/etc/shadow", "root:*\n")
        os.chmod(f"{tree}/etc/shadow", 0o600)
        test_daemon(None, tree)
        os.chown(DIR, pwd.getpwnam("nobody").pw_uid, -1)
        test_daemon("nobody", tree)
    else:
        test_daemon(pwd.getpwuid(os.geteuid()).pw_name, tree)
    test_names()
finally:
    shutil.rmtree(DIR)
sys.exit(end())
