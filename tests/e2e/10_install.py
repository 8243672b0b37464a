#!/usr/bin/env python3
"""From power-on to its own disk: a machine boots by PXE (iPXE), is matched,
installed with the role tiny, reboots from its own disk to a login, and is what
CMDB and script say. Then it is booted by PXE again and boots its disk."""
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

VERSION = "D12-F.1.0.0"
HOST = "192.168.122.2"  # where QEMU's user network has this machine


def make_site(folder):
    """The shipped example with the role tiny and a password."""
    os.makedirs(folder)
    shutil.copy(f"{vm.TOP}/specs/examples/vm.specs", folder)
    with open(f"{vm.TOP}/specs/examples/vm.configure") as f:
        text = f.read()
    with open(f"{folder}/vm.configure", "w") as f:
        f.write(text.replace("'mysql'", "'tiny'"))
    secret = subprocess.run(["openssl", "passwd", "-6", "secret"], check=True,
                            capture_output=True, text=True).stdout.strip()
    with open(f"{vm.TOP}/cmdb/examples/vm.cmdb") as f:
        text = f.read()
    with open(f"{folder}/vm.cmdb", "w") as f:
        f.write(text.replace("'hostname'", f"'root_password': '{secret}', "
                             "'hostname'"))
    with open(f"{folder}/state", "w") as f:
        f.write("[('vm', 2)]\n")


def log_in(machine):
    machine.send("root\n")
    if machine.expect("Password:", 30):
        machine.send("secret\n")
    return machine.expect(r"[#$] ", 30)


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


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("install")
    top = vm.tree_top("tiny", VERSION)
    boot = vm.boot_files(programs)
    make_site(f"{work}/site")
    rsyncd = vm.Rsyncd(top, work)
    server = vm.Edeployd(
        programs, f"{work}/site", boot, work,
        f"RSERV={HOST} RSERV_PORT={rsyncd.port} ONSUCCESS=reboot "
        "ONFAILURE=halt console=ttyS0,115200 panic=10")
    disk = vm.Disk(work, "disk")
    url = f"http://{HOST}:{server.port}/boot.ipxe"
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
        t.check("a login with the password", log_in(machine), machine.tail())
        check_installed(t, machine)
        machine.run("sync")
        machine.send("poweroff\n")
        t.check("it switches itself off", machine.wait_off(60),
                machine.tail())
    machine.stop()
    if good:
        again(t, work, server, disk, url)
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


sys.exit(main())
