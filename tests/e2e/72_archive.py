#!/usr/bin/env python3
"""A machine is installed from an archive of the first eDeploy, by the kernel
words of its menus (HSERV, HSERV_PORT, HPATH), from a plain web server."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

VERSION = "D12-F.1.0.0"


def make_archive(folder):
    """As the first eDeploy's Makefile does."""
    tree = f"{vm.tree_top('tiny', VERSION)}/install/{VERSION}/tiny"
    os.makedirs(f"{folder}/{VERSION}")
    vm.run_as_root("tar", "cz", "--xattrs", "--selinux", "--numeric-owner",
                   "-f", f"{folder}/{VERSION}/tiny-{VERSION}.edeploy", "-C",
                   tree, ".")


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("archive")
    make_archive(f"{work}/www/install")
    port = vm.free_port()
    web = vm.Process([sys.executable, "-m", "http.server", "--bind",
                      "127.0.0.1", "-d", f"{work}/www", str(port)],
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    vm.example_site(f"{work}/site")
    server = vm.Edeployd(programs, f"{work}/site", vm.boot_files(programs),
                         work, f"{vm.signed_words()} HSERV={vm.HOST} "
                         f"HSERV_PORT={port}")
    machine = vm.Vm(work, "first", vm.Disk(work, "disk"),
                    pxe=f"http://{vm.HOST}:{server.port}/boot.ipxe")
    good = t.check("installed from an archive, it boots to a login",
                   machine.expect(r"login:", 600), machine.tail())
    t.check("the server says installed",
            server.show().get("condition") == "installed", server.show())
    if good and t.check("a login", machine.log_in(), machine.tail()):
        said = machine.run("cat /var/lib/edeploy/conf /var/log/edeploy/*.log; "
                           "stat -c '%a %U %n' /tmp /etc/shadow") or ""
        t.check("role and version are those of the script",
                "ROLE=tiny" in said and f"VERS={VERSION}" in said, said)
        t.check("modes and owners are those of the archive",
                "1777 root /tmp" in said and "600 root /etc/shadow" in said,
                said)
        t.check("the log says that nobody signed it",
                "which nobody signed" in said, said)
    machine.stop()
    web.stop()
    return t.end()


sys.exit(main())
