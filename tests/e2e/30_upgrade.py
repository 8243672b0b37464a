#!/usr/bin/env python3
"""An installed machine is upgraded to the next version of its role by the host
command over stock rsync, a local edit kept by `exclude`; then an operator asks
for a reinstall, which happens once."""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

FROM, TO = "D12-F.1.0.0", "D12-F.1.0.1"


def make_top(work):
    """Both versions, and what publishes the way between them."""
    built = vm.tree_top("tiny", FROM, TO)
    top = f"{work}/top"
    way = f"{top}/metadata/{FROM}/tiny/{TO}"
    os.makedirs(way)
    os.symlink(f"{built}/install", f"{top}/install")
    for name in ("exclude", "add_only"):
        shutil.copy(f"{vm.TOP}/rsyncd/metadata/{name}", way)
    with open(f"{way}/exclude", "a") as f:
        f.write("/etc/issue\n")
    return top


def upgrade(t, machine):
    said = machine.run("grep layout /var/log/edeploy/*.log; "
                       "ls -d /edeploy") or ""
    t.check("by rsync it is one plain root, and the log says why",
            "layout plain: the tree is not published" in said and
            not re.search(r"^/edeploy", said, re.M), said)
    machine.run("echo mine > /etc/issue")
    said = machine.run("edeploy list; edeploy version") or ""
    t.check("the next version is listed", TO in said and FROM in said, said)
    said = machine.run(f"edeploy test-upgrade {TO}; echo code=$?", 120) or ""
    t.check("test-upgrade tells what would change",
            "usr/share/tiny/new" in said and "code=0" in said, said)
    said = machine.run("ls /usr/share/tiny") or ""
    t.check("and changes nothing", "old" in said and "new" not in said, said)
    said = machine.run(f"edeploy upgrade {TO}; echo code=$?", 180) or ""
    t.check("upgrade ends well", "code=0" in said, said)
    said = machine.run("edeploy version; ls /usr/share/tiny; cat /etc/issue "
                       "/usr/share/tiny/version /etc/hostname") or ""
    t.check("it is the next version now", TO in said, said)
    t.check("a new file came, an old one went",
            "new" in said and "old" not in said, said)
    t.check("the local edit and the hostname are kept",
            "mine" in said and "host3" in said, said)
    machine.run("sync")


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("upgrade")
    vm.example_site(f"{work}/site")
    rsyncd = vm.Rsyncd(make_top(work), work)
    server = vm.Edeployd(programs, f"{work}/site", vm.boot_files(programs),
                         work, vm.words(rsyncd))
    disk = vm.Disk(work, "disk")
    url = f"http://{vm.HOST}:{server.port}/boot.ipxe"
    machine = vm.Vm(work, "host", disk, pxe=url)
    if t.check("installed", machine.expect("login:", 600), machine.tail()) \
            and t.check("a login", machine.log_in(), machine.tail()):
        upgrade(t, machine)
    machine.stop()
    first = server.show().get("run")
    t.check("reinstall is asked for", server.ctl("reinstall", "host3")[0] == 0)
    machine = vm.Vm(work, "anew", disk, pxe=url)
    t.check("it is installed again", machine.expect("login:", 600),
            machine.tail())
    m = server.show()
    t.check("by a new run, once", m.get("run") != first and
            m.get("condition") == "installed" and not m.get("reinstall"), m)
    if machine.log_in():
        said = machine.run("cat /usr/share/tiny/version /etc/issue") or ""
        t.check("what the script says is there, nothing of before",
                FROM in said and "mine" not in said, said)
    machine.stop()
    return t.end()


sys.exit(main())
