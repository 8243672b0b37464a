"""Machines for tests/bench/upgrade: one laid out in versions, one plain, each
taken from release to release while somebody asks its service all the time."""
import http.client
import os
import subprocess
import sys
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/../e2e")
import vm  # noqa: E402

BASE = "D12-F.1.0.0"
FIRST, APP, KERNEL = (f"D12-B.1.{n}" for n in (0, 1, 2))
SERVICE = "/usr/bin/busyboxd httpd -p 8080 -h /usr/share/tiny"
# the port is free when the old one is gone
AGAIN = "killall busyboxd; while pidof busyboxd; do usleep 10000; done; " \
    + SERVICE
POST = f"#!/bin/sh\\n{AGAIN}\\n"


def make_tree(tree, built, version, change):
    """The role, with a service that a boot starts."""
    own = f"var/lib/edeploy/{version}"
    subprocess.run(vm.as_root("sh", "-ec", f"""
        cp -a {built}/install/{BASE}/tiny {tree}
        cd {tree}
        echo {version} >usr/share/tiny/version
        cp bin/busybox usr/bin/busyboxd
        echo {version} >>usr/bin/busyboxd
        echo '::once:{SERVICE} -f' >>etc/inittab
        mkdir -p {own}
        printf '{POST}' >{own}/post
        chmod 755 {own}/post
        {change}"""), check=True)


def publish(programs, work):
    """The folder that rsyncd/conf serves, trees/ for TREES in it."""
    built, key = vm.tree_top("tiny", BASE), vm.tree_key(programs)
    top = f"{work}/top"
    for version in (FIRST, APP, KERNEL):
        tree = f"{work}/{version}"
        # as much another kernel as one that boots can be; its post would
        # restart the service before the boot
        make_tree(tree, built, version,
                  "for k in boot/vmlinuz-*; do echo >>$k; done; "
                  f"rm var/lib/edeploy/{version}/post"
                  if version == KERNEL else "")
        vm.run_as_root(f"{programs}/edeployctl", "publish", "tiny", version,
                       tree, "--top", top, "--key", key)
        vm.run_as_root("rm", "-rf", tree)
    hook = f"{top}/metadata/{FIRST}/tiny/{APP}/post"
    vm.run_as_root("sh", "-ec",
                   f"printf '{POST}' >{hook}; chmod 755 {hook}")
    return top, f"{key}.pub"


class Asker(threading.Thread):
    """Asks the service twenty times a second which version answers."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.url, self.rows, self.over = \
            f"http://127.0.0.1:{port}/version", [], False
        self.start()

    def run(self):
        while not self.over:
            try:
                with urllib.request.urlopen(self.url, timeout=2) as f:
                    text = f.read().decode().strip()
            except (OSError, http.client.HTTPException):
                text = None
            self.rows.append((time.monotonic(), text))
            time.sleep(0.05)

    def first(self, version, since):
        """When the version answered first, or None."""
        return next((at for at, text in list(self.rows)
                     if at >= since and text == version), None)

    def last_before(self, at):
        """When any version answered last before that."""
        return max(x for x, text in self.rows if x < at and text)


class Machine:
    def __init__(self, programs, top, key, work, plain):
        self.work = f"{work}/{'plain' if plain else 'versions'}"
        os.mkdir(self.work)
        # the script names the version of the first installation
        vm.example_site(f"{self.work}/site",
                        script=lambda text: text.replace(BASE, FIRST))
        words, more, trust = vm.signed_words(), f"TREES={top}/trees\n", key
        if plain:
            self.rsyncd = vm.Rsyncd(top, self.work)
            words, more, trust = vm.words(self.rsyncd), "", None
        layout = "plain" if plain else "versioned"
        self.server = vm.Edeployd(
            programs, f"{self.work}/site", vm.boot_files(programs, trust),
            self.work, f"{words} LAYOUT={layout}", more)
        port = vm.free_port()
        self.vm = vm.Vm(
            self.work, "host", vm.Disk(self.work, "disk"), forward=port,
            inside="192.168.122.3:8080",
            pxe=f"http://{vm.HOST}:{self.server.port}/boot.ipxe")
        self.asker = Asker(port)

    def login(self):
        if not self.vm.expect(r"login:", 900) or not self.vm.log_in():
            raise RuntimeError("no login: " + self.vm.tail())

    def answers(self, version, since, seconds):
        """When the version answered first."""
        end = time.monotonic() + seconds
        while not (at := self.asker.first(version, since)):
            # a console that nobody reads holds its machine up
            if time.monotonic() > end or not self.vm.read_more():
                raise RuntimeError(f"{version} does not answer: "
                                   + self.vm.tail())
        return at

    def command(self, words):
        """How long a command of this host takes; it has to end well."""
        began = time.monotonic()
        said = self.vm.run(f"{words}; echo code=$?", 900) or ""
        if "code=0" not in said:
            raise RuntimeError(f"{words}: {said} {self.vm.tail()}")
        return time.monotonic() - began

    def goes(self, words, version, reboot=False):
        """From the command to the version's service."""
        began = time.monotonic()
        row = {"command_s": self.command(words)}
        since = began
        if reboot:
            self.vm.send("reboot\n")
            # what answers before that is none that was booted
            if not self.vm.expect("Linux version", 900):
                raise RuntimeError("it does not boot: " + self.vm.tail())
            since = time.monotonic()
        at = self.answers(version, since, 900)
        row["running_s"] = at - began
        row["silent_s"] = at - self.asker.last_before(at)
        if reboot:
            self.login()
        return row

    def stop(self):
        self.asker.over = True
        self.vm.stop()
        self.server.stop()


# Until what was booted is the good version.
PROVED = "while grep -q 'ed_try=.' /edeploy/boot.cfg; do sleep 1; done"


def go(m, plain):
    m.login()
    m.answers(FIRST, 0, 60)
    rows = {"application": m.goes(f"edeploy upgrade {APP}", APP)}
    if not plain:
        # its service is restarted by whoever goes back
        again = f"edeploy rollback && {{ {AGAIN}; }}"
        rows["and back"] = m.goes(again, FIRST)
        rows["and forth"] = m.goes(again, APP)
    rows["another kernel"] = m.goes(f"edeploy upgrade {KERNEL}", KERNEL, True)
    if not plain:
        m.command(PROVED)
        rows["and back, old kernel"] = m.goes("edeploy rollback", APP, True)
    return rows


def measure(programs):
    """{layout: {step: {"command_s", "running_s", "silent_s"}}}"""
    work = vm.work_dir("bench-upgrade")
    top, key = publish(programs, work)
    found = {}
    for name, plain in (("versions", False), ("in place", True)):
        m = Machine(programs, top, key, work, plain)
        try:
            found[name] = go(m, plain)
        finally:
            m.stop()
    return found


def show(found):
    print(f"\n== machines (TCG){'':<15}{'command s':>14}{'to running s':>16}"
          f"{'service silent s':>19}")
    for layout, rows in found.items():
        for step, r in rows.items():
            print(f"{layout:<10}{step:<22}{r['command_s']:>14.2f}"
                  f"{r['running_s']:>16.2f}{r['silent_s']:>19.2f}")
