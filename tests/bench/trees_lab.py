"""Where trees are moved: two network namespaces joined by a cable whose speed
is chosen, folders of memory or of a fresh file system, and what is counted
there. Bytes are those of the cable, a server's CPU that of its control group,
a client's what its processes used."""
import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER, CLIENT = "10.77.0.1", "10.77.0.2"
# Packets of 64 KiB and a timer of 4 ms: less of a bucket is less than the rate.
RATES = {"1g": ["rate", "1gbit", "burst", "1mb", "latency", "50ms"],
         "100m": ["rate", "100mbit", "burst", "256kb", "latency", "50ms"]}


class Failed(Exception):
    """A sentence for a person."""


def run(*argv):
    p = subprocess.run(argv, capture_output=True, text=True)
    if p.returncode:
        raise Failed(f"{' '.join(argv)}: {p.stderr.strip()[-400:]}")
    return p.stdout


def cgroups():
    """Where control groups of version 2 are: cpu.stat is there without a
    controller."""
    with open("/proc/mounts") as f:
        for line in f:
            words = line.split()
            if words[2] == "cgroup2":
                return words[1]
    raise Failed("no cgroup2 is mounted: a server's CPU cannot be counted")


class Lab:
    """One at a time for each process; close() takes all of it away."""

    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="edeploy-trees-")
        self.group = f"{cgroups()}/edeploy-trees-{os.getpid()}"
        self.server, self.client = (f"edt{os.getpid()}{x}" for x in "sc")
        self.made, self.servers = [], []
        self.rate = None

    def open(self):
        os.mkdir(self.group)
        for ns in (self.server, self.client):
            run("ip", "netns", "add", ns)
            self.made.append(ns)
        run("ip", "link", "add", "v0", "netns", self.server, "type", "veth",
            "peer", "name", "v0", "netns", self.client)
        for ns, address in ((self.server, SERVER), (self.client, CLIENT)):
            run("ip", "-n", ns, "addr", "add", f"{address}/24", "dev", "v0")
            run("ip", "-n", ns, "link", "set", "v0", "up")
            run("ip", "-n", ns, "link", "set", "lo", "up")
        run("ip", "netns", "exec", self.client, sys.executable,
            f"{HERE}/trees_card.py", "v0")

    def close(self):
        for server in self.servers:
            server.terminate()
            server.wait()
        for ns in self.made:
            subprocess.run(["ip", "netns", "del", ns], check=False)
        for _ in range(50):
            try:
                os.rmdir(self.group)
                break
            except OSError:  # its last process is not gone yet
                time.sleep(0.1)
        for mount in glob.glob(f"{self.top}/*.mnt"):
            if os.path.ismount(mount):
                subprocess.run(["umount", "-l", mount], check=False)
        shutil.rmtree(self.top, ignore_errors=True)

    # ---- the cable ----

    def shape(self, rate):
        """What leaves the server: at "1g", "100m", or None: as it can."""
        if self.rate:
            run("tc", "-n", self.server, "qdisc", "del", "dev", "v0", "root")
        if rate:
            run("tc", "-n", self.server, "qdisc", "add", "dev", "v0", "root",
                "tbf", *RATES[rate])
        self.rate = rate

    def wire(self):
        """Bytes through the cable until now, both ways."""
        (link,) = json.loads(run("ip", "-n", self.server, "-s", "-j", "link",
                                 "show", "v0"))
        return sum(link["stats64"][way]["bytes"] for way in ("rx", "tx"))

    # ---- servers ----

    def serve(self, argv, port, ready=30):
        """Start a server in its namespace and control group."""
        enter = f'echo $$ >{self.group}/cgroup.procs; exec "$@"'
        log = open(f"{self.top}/server-{port}.log", "wb")
        self.servers.append(subprocess.Popen(
            ["sh", "-c", enter, "sh", "ip", "netns", "exec", self.server,
             *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        probe = (f"import socket; socket.create_connection(('{SERVER}', "
                 f"{port}), 1)")
        end = time.monotonic() + ready
        while time.monotonic() < end and self.servers[-1].poll() is None:
            if subprocess.run(["ip", "netns", "exec", self.client,
                               sys.executable, "-S", "-c", probe],
                              stderr=subprocess.DEVNULL).returncode == 0:
                return self.servers[-1]
            time.sleep(0.05)
        raise Failed(f"{argv[0]} does not listen at {port}: "
                     + open(log.name).read()[-800:])

    def server_cpu(self):
        with open(f"{self.group}/cpu.stat") as f:
            return int(f.readline().split()[1]) / 1e6

    def servers_rest(self):
        """Until a server has done what it does behind a client's back."""
        before = -1.0
        while before != (before := self.server_cpu()):
            time.sleep(0.03)

    # ---- a measurement ----

    def measure(self, commands, sync=None):
        """Run these at once, from the client's side; what it took. `sync`: a
        folder whose file system is brought to its disk before the clock
        stops."""
        job = {"sync": sync, "commands": [
            [argv, f"{self.top}/client-{i}.log"]
            for i, argv in enumerate(commands)]}
        self.servers_rest()
        wire, cpu = self.wire(), self.server_cpu()
        p = subprocess.run(
            ["ip", "netns", "exec", self.client, sys.executable, "-S", "-E",
             f"{HERE}/trees_run.py"], input=json.dumps(job),
            capture_output=True, text=True)
        if p.returncode:
            raise Failed(p.stderr[-800:])
        said = json.loads(p.stdout)
        for (argv, _), row in zip(job["commands"], said["rows"]):
            row["text"] = open(row["said"], errors="replace").read()
            if row["code"]:
                raise Failed(f"{' '.join(argv)}: exit {row['code']}: "
                             + row["text"][-800:])
        self.servers_rest()
        n = len(commands)
        return {"wall_s": said["wall_s"],
                "client_cpu_s": sum(r["cpu_s"] for r in said["rows"]) / n,
                "server_cpu_s": (self.server_cpu() - cpu) / n,
                "wire_mb": (self.wire() - wire) / 1e6 / n,
                "peak_mb": max(r["peak_mb"] for r in said["rows"]),
                "said": [r["text"] for r in said["rows"]]}


class Place:
    """A folder on a file system of its own: memory, or ext4 that is fresh."""

    def __init__(self, lab, kind, gigabytes):
        self.kind, self.path = kind, f"{lab.top}/{kind}.mnt"
        self.image = f"{lab.top}/{kind}.img"
        os.makedirs(self.path, exist_ok=True)
        if kind == "tmpfs":
            argv = ["-t", "tmpfs", "-o", f"size={gigabytes}g", "bench"]
        else:
            with open(self.image, "wb") as f:
                f.truncate(gigabytes << 30)
            # all of it now: the kernel would go on with it while we measure
            run("mkfs.ext4", "-q", "-E",
                "lazy_itable_init=0,lazy_journal_init=0", self.image)
            argv = ["-o", "loop", self.image]
        run("mount", *argv, self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        run("umount", self.path)
        if os.path.exists(self.image):
            os.unlink(self.image)
