"""Hosts without a machine, for tests/bench/upgrade: each on a fresh ext4, with
the first version on it, and the commands that bring the next one. A is the
first version, B a round of patches with another kernel, C as B, but for one
application."""
import json
import os
import subprocess
import sys

import trees_lab as lab
import trees_ours
from trees_ways import RSYNC

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [f"{HERE}/../host", f"{HERE}/../rsyncd"]
import shelf_lab  # noqa: E402
import versioned_lab  # noqa: E402

ROLE = trees_ours.ROLE
VERSION = {**trees_ours.VERSIONS, "C": "1.2"}
PORT, RSYNC_PORT = 8080, 8730
URL = f"http://{lab.SERVER}:{PORT}/trees"
# What the application is: its program, its settings, what dpkg says of it.
APPLICATION = ["usr/sbin/nginx", "etc/nginx/nginx.conf", "var/lib/dpkg/status"]


def make_c(b, c):
    """A copy of B, linked, in which the application is another one."""
    lab.run("cp", "-al", b, c)
    for path in APPLICATION:
        with open(f"{b}/{path}", "rb") as f:
            data = f.read()
        st = os.stat(f"{b}/{path}")
        os.unlink(f"{c}/{path}")
        with open(f"{c}/{path}", "wb") as f:
            # a program is linked anew: some of it moves
            f.write(data[:len(data) // 2] + b"\n#1.2\n"
                    + data[len(data) // 2:])
        os.chmod(f"{c}/{path}", st.st_mode & 0o7777)
    return c


def publish(shelf, trees):
    lab.run(shelf.ctl, "key", shelf.key)
    for name, path in trees.items():
        lab.run(shelf.ctl, "publish", ROLE, VERSION[name], path, "--top",
                shelf.top, "--key", shelf.key)


def view(shelf, version):
    """The tree as published."""
    return f"{shelf.top}/install/{version}/{ROLE}"


class Versioned(versioned_lab.Lab):
    """Laid out in versions; `edeploy upgrade` as its people call it."""

    name, role = "edeploy, versions", ROLE
    by = "edeploy"

    def __init__(self, shelf, programs, top):
        self.shelf, self.top = shelf, top
        self.edeploy = f"{programs}/edeploy"
        self.site, self.key = shelf.top, shelf.key
        self.ctl = shelf_lab.Ctl(shelf.ctl, shelf.top, shelf.key)

    def tree_url(self):
        return URL

    def begin(self, version):
        self.install(version)
        (kernel,) = (name[len("vmlinuz-"):] for name in
                     os.listdir(self.root(version, "/boot"))
                     if name.startswith("vmlinuz-"))
        path = self.root(version) + ".grub"
        with open(path) as f:
            text = f.read().replace("6.1.1", kernel)
        shelf_lab.put(path, text)

    def upgrade(self, version):
        return [self.edeploy, "upgrade", version, "--root", self.top]

    def result(self, version):
        return self.root(version)

    def phases(self, client, version):
        """[(what it says, seconds until it says the next)] of an upgrade."""
        argv = ["ip", "netns", "exec", client, *self.upgrade(version)]
        p = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.STDOUT)
        marks, said = [], []
        for line in p.stdout:
            said.append(line)
            word = line.split()[0] if line.split() else ""
            if word in ("look", "fetch", "sync", "merging") and \
                    word not in [name for name, _ in marks]:
                marks.append((word, lab.time.monotonic()))
        if p.wait():
            raise lab.Failed("".join(said)[-800:])
        marks.append(("", lab.time.monotonic()))
        return [(name, after - at) for (name, at), (_, after) in
                zip(marks, marks[1:])]


class Pull(Versioned):
    """The transport alone, between folders: nothing can be quicker that brings
    a version beside another."""

    name, by = "edeployctl pull", ""

    def begin(self, version):
        self.pull(version, self.ctl.trees(), run=lab.run)

    def pull(self, version, source, *more, run):
        return run(self.ctl.program, "pull", ROLE, version,
                   f"{self.top}/{version}", "--from", source, "--trust",
                   self.key + ".pub", *more)

    def upgrade(self, version):
        before = [v for v in VERSION.values() if
                  os.path.exists(f"{self.top}/{v}")]
        return self.pull(version, URL, "--base", f"{self.top}/{before[-1]}",
                         "--share", "link", run=lambda *words: list(words))

    def result(self, version):
        return f"{self.top}/{version}"


class Plain(Pull):
    """One version, changed in place by `edeploy upgrade`: two passes of rsync,
    as the first eDeploy did."""

    name, by = "edeploy, in place", "edeploy"

    def begin(self, version):
        super().begin(version)
        os.rename(f"{self.top}/{version}", f"{self.top}/root")
        shelf_lab.put(
            f"{self.top}/root/var/lib/edeploy/conf",
            f"VERS={version}\nROLE={ROLE}\nRSERV={lab.SERVER}\n"
            f"RSERV_PORT={RSYNC_PORT}\n")
        os.makedirs(f"{self.top}/root/run/edeploy", exist_ok=True)

    def upgrade(self, version):
        return [self.edeploy, "upgrade", version, "--root",
                f"{self.top}/root"]

    def result(self, version):
        return f"{self.top}/root"


class Rsync(Plain):
    """One version, changed in place by rsync alone."""

    name, by = "rsync, in place", ""

    def upgrade(self, version):
        return [*RSYNC, "--delete", f"rsync://{lab.SERVER}:{RSYNC_PORT}/"
                f"install/{version}/{ROLE}/", f"{self.top}/root/"]


def rsync_daemon(top, work):
    """Words of the daemon that serves `top` as eDeploy has it."""
    conf = f"{work}/rsyncd.conf"
    with open(conf, "w") as f:
        f.write(lab.run(f"{HERE}/../../rsyncd/conf", top))
    return ["rsync", "--daemon", "--no-detach", f"--config={conf}",
            f"--address={lab.SERVER}", f"--port={RSYNC_PORT}"]


def go_live(client, host, was, to):
    """What upgrade_live.py says of host `host`, which goes from one version to
    the other while it runs."""
    job = {"was": was, "to": to, "top": host.top, "edeploy": host.edeploy,
           "ctl": host.ctl.program, "site": host.site, "key": host.key}
    p = subprocess.run(
        ["ip", "netns", "exec", client, "unshare", "-m", "--propagation",
         "private", "-p", "-f", "--mount-proc", sys.executable,
         f"{HERE}/upgrade_live.py"], input=json.dumps(job),
        capture_output=True, text=True)
    if p.returncode:
        raise lab.Failed(p.stderr[-1600:])
    return json.loads(p.stdout)
