#!/usr/bin/env python3
"""What may go wrong around an installation, ROUNDS times (10): cables are drawn,
servers are killed, and the power fails at any moment. What was begun is ended
by itself, or by the next start from the network; a tree that is there by half
never boots; machine, entry and quota stay what they were."""
import os
import random
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../e2e"))
import vm  # noqa: E402

VERSION = "D12-F.1.0.0"
ROUNDS = int(os.environ.get("ROUNDS", "10"))
# What the console says when each part of a run begins, and how long it takes
# at most on a slow machine.
PARTS = [("script", 1), ("disks", 2), ("tree", 8), ("boot", 5)]


class Bench:
    def __init__(self, programs, work):
        self.work = work
        boot = vm.boot_files(programs)
        # one unit: each round needs the one that the last took
        vm.example_site(f"{work}/site", state="[('vm', 1)]")
        self.rsyncd = vm.Rsyncd(vm.tree_top("tiny", VERSION), work)
        self.server = vm.Edeployd(programs, f"{work}/site", boot, work,
                                  vm.words(self.rsyncd))
        self.url = f"http://{vm.HOST}:{self.server.port}/boot.ipxe"
        self.disk = vm.Disk(work, "disk")
        self.count = 0

    def power_on(self, network=True, extra=()):
        self.count += 1
        return vm.Vm(self.work, f"vm{self.count}", self.disk,
                     pxe=self.url if network else None, extra=extra)

    def state(self):
        m = self.server.show()
        return {k: m.get(k) for k in ("condition", "profile", "entry")}


def installed(t, b, m, what):
    t.check(f"{what}: it ends at its own login", m.expect(r"login:", 600),
            m.tail())
    t.check(f"{what}: the server says installed",
            b.state()["condition"] == "installed", b.server.show())


def outages(t, b):
    """The network goes away under the tree, and both servers die."""
    monitor = vm.Monitor(b.work)
    m = b.power_on(extra=monitor.words)
    monitor.connect()
    good = m.expect(r"tree: \d+%", 300)
    monitor.cable("n0", False)
    t.check("outages: the tree is on its way", good, m.tail())
    t.check("outages: its connection is broken", b.rsyncd.drop_connections(),
            m.tail())
    b.server.crash()
    time.sleep(20)
    monitor.cable("n0", True)
    installed(t, b, m, "outages")
    events = b.server.show().get("events", [])
    t.check("outages: no event is lost",
            [e["n"] for e in events] == list(range(1, len(events) + 1)) and
            events[-1]["kind"] == "done", events)
    (name,) = os.listdir(f"{b.work}/log")
    with open(f"{b.work}/log/{name}", errors="replace") as f:
        log = f.read()
    t.check("outages: its log is whole", re.search(
        r"tree: rsync:.*\n(.*\n)*.*finish: the disk is complete", log) and
        "DONE: reboot" in log, log)
    m.stop()


def power_cut(t, b, number):
    """Ends a run at a moment by chance; what is there now must not boot, and
    the network makes it whole."""
    part, most = random.choice(PARTS)
    wait = random.uniform(0, most)
    what = f"round {number}, {wait:.1f} s into {part}"
    b.server.ctl("reinstall", "m1")
    before = b.state()
    m = b.power_on()
    t.check(f"{what}: it gets there", m.expect(f"\\] {part}: ", 300), m.tail())
    m.expect(r"finish: the disk is complete", wait)
    whole = "finish: the disk is complete" in m.text
    m.stop(signal.SIGKILL)
    m = b.power_on(network=False)
    boots = m.expect(r"login:", 240 if whole else 45)
    t.check(f"{what}: the disk boots a whole tree or nothing",
            whole or not boots, m.tail())
    m.stop()
    m = b.power_on()
    installed(t, b, m, what)
    m.stop()
    after = b.state()
    t.check(f"{what}: profile and entry stay", after["entry"] ==
            before["entry"] and after["profile"] == before["profile"],
            (before, after))


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("faults")
    seed = os.environ.get("SEED") or str(random.randrange(1 << 32))
    random.seed(seed)
    t.show(f"SEED={seed}")
    b = Bench(programs, work)
    outages(t, b)
    for number in range(ROUNDS):
        power_cut(t, b, number)
    return t.end()


sys.exit(main())
