#!/usr/bin/env python3
"""The unhappy path, for real: a machine that fits no profile, a disk that
holds somebody's data, a script that fails. Each stops, says why on its console
and to the server, writes nothing it should not, and gives its unit back."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

VERSION = "D12-F.1.0.0"


def identity(n):
    return {"uuid": f"4c4c4544-0031-4a10-8052-b7c04f4c58{n:02d}",
            "serial": f"REFUSED{n}", "mac": f"52:54:00:12:35:{n:02d}"}


def refused(t, run, name, disk, n, console):
    """Boot it; it must say this and switch itself off, the disk as before."""
    before = disk.sha256()
    machine = vm.Vm(run["work"], name, disk, pxe=run["url"], **identity(n))
    t.check(f"{name}: the console says why", machine.expect(console, 300),
            machine.tail())
    t.check(f"{name}: it halts", machine.wait_off(120), machine.tail())
    machine.stop()
    return disk.sha256() == before, run["server"].show(identity(n)["mac"])


def no_profile(t, run):
    disk = vm.Disk(run["work"], "small", "4G")
    same, m = refused(t, run, "no profile", disk, 1, r"gt\(4\)")
    t.check("no profile: not a byte of the disk changed", same)
    t.check("no profile: shown with the reason",
            m.get("condition") == "waiting" and
            "Unable to match" in (m.get("reason") or ""), m)


def foreign_disk(t, run):
    disk = vm.Disk(run["work"], "foreign")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-L", "data", disk.path],
                   check=True)
    same, m = refused(t, run, "foreign ext4", disk, 2, r"ext4.*data")
    t.check("foreign ext4: not a byte of the disk changed", same)
    t.check("foreign ext4: failed, and the reason names it",
            m.get("condition") == "failed" and
            "ext4" in (m.get("reason") or ""), m)


def failing_script(t, run):
    with open(f"{run['work']}/site/vm.configure", "w") as f:
        f.write("log('hello')\nrun('echo out; ls %s', '/nonexistent a')\n")
    disk = vm.Disk(run["work"], "failing")
    same, m = refused(t, run, "failing run()", disk, 3, r"vm\.configure:2")
    t.check("failing run(): not a byte of the disk changed", same)
    failed = [e for e in m.get("events", []) if e["kind"] == "failed"]
    t.check("failing run(): command, status and the operator's line are told",
            failed and failed[0].get("line") == 2 and
            failed[0].get("status") and "ls" in failed[0].get("command", ""),
            failed or m)
    t.check("failing run(): its log is on the server", any(
        "hello" in open(f"{run['work']}/log/{f}", errors="replace").read()
        for f in os.listdir(f"{run['work']}/log")))


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("refusals")
    # one unit for all of them: each must give it back
    vm.example_site(f"{work}/site", state="[('vm', 1)]")
    rsyncd = vm.Rsyncd(vm.tree_top("tiny", VERSION), work)
    server = vm.Edeployd(programs, f"{work}/site", vm.boot_files(programs),
                         work, vm.words(rsyncd))
    run = {"work": work, "server": server,
           "url": f"http://{vm.HOST}:{server.port}/boot.ipxe"}
    no_profile(t, run)
    foreign_disk(t, run)
    failing_script(t, run)
    return t.end()


sys.exit(main())
