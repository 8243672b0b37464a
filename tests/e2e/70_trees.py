#!/usr/bin/env python3
"""Published trees on a machine: through an nginx cache, with the server killed
and restarted and the cable drawn while it installs; a damaged entry of the
cache does no harm. Where it cannot be right (no room, a damaged file on the
server, a key that is not trusted) a clear error comes, and nothing that
boots."""
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

VERSION = "D12-F.1.0.0"
SMALL = "size = '24M'"
# What nobody changes after the install, on the machine and here.
ADDED = "usr/sbin/edeploy"
SUMS = "find bin lib sbin usr -type f | xargs sha256sum"


class Nginx(vm.Process):
    """The cache that is shipped, slow enough to be disturbed."""

    def __init__(self, work, server):
        self.port, self.store = vm.free_port(), f"{work}/nginx/store"
        os.makedirs(self.store)
        with open(f"{vm.TOP}/server/edeploy-nginx-cache.conf") as f:
            site = f.read()
        for was, now in (
                ("listen 80;", f"listen 127.0.0.1:{self.port};\n"
                 "limit_rate 600k;"),
                ("http://10.20.0.1", f"http://127.0.0.1:{server}"),
                ("/var/cache/edeploy", self.store)):
            assert was in site, was
            site = site.replace(was, now)
        temp = "".join(f"{kind}_temp_path {work}/nginx/{kind};\n" for kind in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(f"{work}/nginx.conf", "w") as f:
            # its workers are another user's otherwise
            f.write(f"{'user root;' if vm.ROOT else ''}\ndaemon off;\n"
                    f"pid {work}/nginx/pid;\n"
                    f"error_log {work}/nginx/log;\nevents {{}}\n"
                    f"http {{\n{temp}access_log {work}/nginx/access;\n"
                    f"{site}\n}}\n")
        super().__init__(["/usr/sbin/nginx", "-c", f"{work}/nginx.conf", "-e",
                          f"{work}/nginx/log"])

    def entries(self):
        """Files of the cache, the largest last."""
        found = [os.path.join(where, f)
                 for where, _, files in os.walk(self.store) for f in files]
        return sorted(found, key=os.path.getsize)


class Bench:
    def __init__(self, programs, work):
        self.work = work
        self.tree = f"{vm.tree_top('tiny', VERSION)}/install/{VERSION}/tiny"
        trees, trust = vm.published(programs, "tiny", VERSION)
        # a copy: some of it is spoilt
        self.trees = shutil.copytree(trees, f"{work}/trees")
        self.boot = vm.boot_files(programs, trust)
        vm.example_site(f"{work}/site")
        with open(f"{work}/site/vm.configure") as f:
            self.script = f.read()
        self.server = vm.Edeployd(programs, f"{work}/site", self.boot, work,
                                  "", more=f"TREES={self.trees}\n")
        self.cache = Nginx(work, self.server.port)
        self.disk = vm.Disk(work, "disk")
        self.monitor = vm.Monitor(work)

    def words(self, port=None):
        return (f"SERV={vm.HOST} HTTP_PORT={self.server.port} "
                f"TREE=http://{vm.HOST}:{port or self.cache.port}/trees "
                "ONFAILURE=console ONSUCCESS=console UPLOAD_LOG=0")

    def give(self, script):
        with open(f"{self.work}/site/vm.configure", "w") as f:
            f.write(script)
        time.sleep(1)  # a site is taken when it has been still for a moment

    def again(self, m, port=None):
        self.server.ctl("reinstall", "m1")
        # a run that failed leaves its tree for who looks
        m.run("for d in $(awk '$2 ~ \"^/chroot\" { print $2 }' /proc/mounts | "
              "sort -r); do umount $d; done")
        m.deploy(self.words(port))

    def flip(self, path, at):
        """Spoil 64 bytes; what undoes it is the same again."""
        with open(path, "r+b") as f:
            f.seek(at)
            was = f.read(64)
            f.seek(at)
            f.write(bytes(255 - b for b in was))

    def pack(self):
        folder = f"{self.trees}/tiny/{VERSION}"
        return max((f"{folder}/{f}" for f in os.listdir(folder)
                    if f.startswith("full-")), key=os.path.getsize)

    def becomes(self, condition):
        """It is told just after the console."""
        for _ in range(40):
            if self.server.show().get("condition") == condition:
                return True
            time.sleep(0.5)
        return False

    def does_not_boot(self):
        """GRUB is the last that is written; without it a BIOS finds nothing
        to start."""
        with open(self.disk.path, "rb") as f:
            return f.read(440) == bytes(440)


def refused(t, b, m, what, want, port=None):
    b.again(m, port)
    t.check(f"{what}: a clear error", m.expect(r"FAILED: [^\r\n]*" + want, 180),
            m.tail())
    t.check(f"{what}: nothing that boots", b.does_not_boot())
    t.check(f"{what}: the server says so",
            b.becomes("failed"), b.server.show())
    m.end_deploy()


def percent(m, at_least, seconds):
    """Waits until the console says that so much has come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = m.expect(r"(\d+)(?:\.\d+)? ?%", end - time.monotonic())
        if found and int(found.group(1)) >= at_least:
            return True
    return False


def disturbed(t, b, m):
    """The server dies and the cable is drawn while the tree comes."""
    b.again(m)
    t.check("it begins", percent(m, 15, 120), m.tail())
    b.server.crash()
    t.check("it goes on after the server was killed", percent(m, 40, 120),
            m.tail())
    b.monitor.cable("n0", False)
    time.sleep(3)
    b.monitor.cable("n0", True)
    t.check("the server killed, the cable drawn: installed",
            m.expect(r"DONE: console", 300), m.tail())
    t.check("the server knows", b.becomes("installed"), b.server.show())
    m.end_deploy()


def spoiled_cache(t, b, m):
    entry = b.cache.entries()[-1]
    middle = os.path.getsize(entry) // 2
    b.flip(entry, middle)
    with open(entry, "rb") as f:
        f.seek(middle)
        spoilt = f.read(64)
    b.again(m)
    t.check("a damaged entry of the cache is fetched past it",
            m.expect(r"DONE: console", 300), m.tail())
    with open(entry, "rb") as f:
        f.seek(middle)
        t.check("and the cache has a right one now", f.read(64) != spoilt)
    m.end_deploy()


def tree_sums(text):
    """{path: hash} of what `SUMS` printed."""
    return {path: digest for digest, path in re.findall(
        r"^([0-9a-f]{64})  (\S+)", text or "", re.M)}


def from_its_disk(t, b, m):
    m.send("reboot -f\n")
    if not t.check("its own disk boots to a login",
                   m.expect(r"login:", 300) and m.log_in(), m.tail()):
        return
    here = tree_sums(subprocess.run(
        vm.as_root("sh", "-c", f"cd {b.tree}; {SUMS}"), check=True,
        capture_output=True, text=True).stdout)
    there = tree_sums(m.run(f"cd /; {SUMS}", 120))
    wrong = {p for p in here.keys() | there.keys()
             if here.get(p) != there.get(p)} - {ADDED}
    t.check("every file is that of the tree", here and not wrong,
            f"{len(here)} {len(there)}: {sorted(wrong)[:9]}")
    said = m.run("cat /etc/hostname /var/lib/edeploy/conf") or ""
    t.check("it is what CMDB and script say", re.search(
        rf"host\d[\s\S]*VERS={re.escape(VERSION)}", said), said)


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("trees")
    b = Bench(programs, work)
    b.give(b.script.replace("size = 'rest'", SMALL))
    tftp = vm.ipxe_menu(f"{work}/tftp", "trees.ipxe", b.boot, b.words())
    m = vm.Vm(work, "trees", b.disk, pxe="trees.ipxe", tftp=tftp,
              extra=b.monitor.words)
    b.monitor.connect()
    t.check("no room: a clear error",
            m.expect(r"FAILED: [^\r\n]*(room|space)", 300), m.tail())
    t.check("no room: nothing that boots", b.does_not_boot())
    m.prompt()
    b.give(b.script)
    b.flip(b.pack(), os.path.getsize(b.pack()) // 2)
    refused(t, b, m, "a damaged file on the server", "damaged",
            b.server.port)
    b.flip(b.pack(), os.path.getsize(b.pack()) // 2)
    disturbed(t, b, m)
    spoiled_cache(t, b, m)
    from_its_disk(t, b, m)
    m.stop()
    return t.end()


sys.exit(main())
