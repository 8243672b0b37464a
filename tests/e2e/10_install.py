#!/usr/bin/env python3
"""From power-on to its own disk: a machine boots by PXE (iPXE), is matched,
installed with the role tiny, reboots from its own disk to a login, and is what
CMDB and script say. Then it is booted by PXE again and boots its disk, also
when it is another menu that knows nothing, or a server that has forgotten."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

VERSION = "D12-F.1.0.0"


def check_installed(t, machine):
    said = machine.run("cat /etc/hostname /var/lib/edeploy/conf; "
                       "ip addr show eth0; cat /etc/fstab") or ""
    for what, want in (("its hostname", "host3"), ("its role", "ROLE=tiny"),
                       ("its version", f"VERS={VERSION}"),
                       ("its address", r"192\.168\.122\.3/24"),
                       ("its MAC", "52:54:00:12:34:56"),
                       ("its root in fstab", r"UUID=\S+\s+/\s+ext4")):
        t.check(f"{what} is what CMDB and script say",
                re.search(want, said), said)


def check_record(t, machine):
    """What it came from, for the upgrades to come."""
    record = f"/edeploy/roots/{VERSION}.record"
    said = machine.run(f"head -n 4 {record}/seal; ls -l {record}; "
                       "cat /var/log/edeploy/*.log") or ""
    t.check("signed, and the seal is kept", "role tiny" in said and
            "manifest.zst" in said, said)
    t.check("versions stand beside one another where nothing is said",
            f"layout versioned: /edeploy/roots/{VERSION}" in said, said)
    t.check("the log says that signature and files were checked",
            "signature and every file checked" in said, said)


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("install")
    trees, key = vm.published(programs, "tiny", VERSION)
    boot = vm.boot_files(programs, key)
    vm.example_site(f"{work}/site")
    server = vm.Edeployd(programs, f"{work}/site", boot, work,
                         vm.signed_words(), f"TREES={trees}\n")
    disk = vm.Disk(work, "disk")
    url = f"http://{vm.HOST}:{server.port}/boot.ipxe"
    began = time.monotonic()
    machine = vm.Vm(work, "first", disk, pxe=url)
    # the installed system greets with the role's name
    good = t.check("PXE, installed, booted its own disk to a login",
                   machine.expect(r"login:", 600), machine.tail())
    t.show(f"power-on to login: {time.monotonic() - began:.0f} s")
    m = server.show()
    t.check("the server says installed", m.get("condition") == "installed", m)
    for ev in m.get("events", []):
        if ev.get("kind") == "phase":
            t.show(f"{ev['at'] / 1000:.1f} s: {ev['phase']}")
    if good:
        t.check("a login with the password", machine.log_in(), machine.tail())
        check_installed(t, machine)
        check_record(t, machine)
        machine.run("sync")
        machine.send("poweroff\n")
        t.check("it switches itself off", machine.wait_off(60),
                machine.tail())
    machine.stop()
    if good:
        again(t, work, server, disk, url)
        by_old_menu(t, work, server, disk)
        server.stop()
        lost_store(t, work, programs, boot, vm.signed_words(), disk)
    return t.end()


def again(t, work, server, disk, url):
    """By PXE once more: its disk boots, and nothing was written to it before
    its own system did."""
    before = server.show()
    machine = vm.Vm(work, "again", disk, pxe=url)
    t.check("a re-PXE boots its disk", machine.expect("login:", 300),
            machine.tail())
    t.check("no new run was made", server.show().get("run") ==
            before.get("run"))
    machine.stop()


def by_old_menu(t, work, server, disk):
    """pxelinux with a static menu knows nothing of what is installed: the
    agent asks, is sent to the disk, and writes nothing."""
    tftp = vm.pxelinux(f"{work}/tftp", f"{work}/boot",
                       f"SERV={vm.HOST} HTTP_PORT={server.port} "
                       "HTTP_PATH=/cgi-bin/ VERBOSE=1 " +
                       vm.signed_words())
    before = disk.sha256()
    machine = vm.Vm(work, "menu", disk, pxe="pxelinux.0", tftp=tftp)
    t.check("by pxelinux it is sent to its disk",
            machine.expect(r"(?i)kexec", 300), machine.tail())
    machine.stop()
    t.check("and not a byte of the disk changed", disk.sha256() == before)
    t.check("it stays installed",
            server.show().get("condition") == "installed", server.show())
    machine = vm.Vm(work, "menu2", disk, pxe="pxelinux.0", tftp=tftp)
    t.check("and its disk boots", machine.expect("login:", 300),
            machine.tail())
    machine.stop()


def lost_store(t, work, programs, boot, words, disk):
    """A server that has forgotten all machines does not install over one."""
    os.makedirs(f"{work}/lost")
    server = vm.Edeployd(programs, f"{work}/site", boot, f"{work}/lost", words)
    before = disk.sha256()
    machine = vm.Vm(work, "forgotten", disk,
                    pxe=f"http://{vm.HOST}:{server.port}/boot.ipxe")
    t.check("without the store it is asked for and halts",
            machine.wait_off(300), machine.tail())
    m = server.show()
    t.check("it has the same id and its entry, and the same disk is foreign",
            m.get("id") == "m1" and m.get("hostname") == "host3" and
            "not left by eDeploy on this machine" in str(m.get("reason")), m)
    t.check("not a byte of which changed", disk.sha256() == before)
    machine.stop()


sys.exit(main())
