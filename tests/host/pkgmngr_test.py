#!/usr/bin/env python3
"""pkgmngr_test.py EDEPLOY: packages held and let go, on this very system below
an overlay that is thrown away: by the real dpkg, apt-get and rpm. Prints TAP."""
import json
import os
import subprocess
import sys
import tempfile

import versioned_lab as lab
from versioned_lab import check, put

lab.own_namespace()
EDEPLOY = os.path.abspath(sys.argv[1])
TOP = tempfile.mkdtemp(prefix="pkgmngr_test.")
ROOT = f"{TOP}/root"
SPEC = """Name: hello
Version: 1
Release: 1
Summary: x
License: x
BuildArch: noarch
%description
x
%files
"""
HINT = "build what is missing into the role"


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def begin():
    mount("-t", "tmpfs", "pkgmngr_test", TOP)
    for name in ("upper", "work", "root"):
        os.mkdir(f"{TOP}/{name}")
    mount("-t", "overlay", "pkgmngr_test", "-o", f"lowerdir=/,upperdir={TOP}/"
          f"upper,workdir={TOP}/work", ROOT)
    for name in ("dev", "proc", "sys"):
        mount("--rbind", f"/{name}", f"{ROOT}/{name}")
    put(f"{ROOT}/deb/DEBIAN/control", "Package: hello-x\nVersion: 1\n"
        "Architecture: all\nMaintainer: a <a@b>\nDescription: x\n")
    put(f"{ROOT}/hello.spec", SPEC)
    run("dpkg-deb", "-b", "/deb", "/hello.deb")
    run("rpmbuild", "-bb", "--quiet", "--define", "_topdir /rpm",
        "/hello.spec")
    os.rename(f"{ROOT}/rpm/RPMS/noarch/hello-1-1.noarch.rpm",
              f"{ROOT}/hello.rpm")
    # a database of its own, where no rpm was installed to be used
    run("rpm", "--initdb", "--dbpath", "/db")


def run(*words, **env):
    """In the overlay, as somebody who types it."""
    clean = {k: v for k, v in os.environ.items() if k[:8] != "EDEPLOY_"}
    p = subprocess.run(["chroot", ROOT, *words], text=True,
                       env={**clean, **env}, stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=120)
    return p.returncode, p.stdout + p.stderr


def switch(word, root=ROOT):
    p = subprocess.run([EDEPLOY, word, "--root", root, "--json"], text=True,
                       capture_output=True, timeout=60)
    return p.returncode, json.loads(p.stdout) if p.stdout else p.stderr


DPKG = ("dpkg", "-i", "/hello.deb")
APT = ("apt-get", "-o", "APT::Sandbox::User=root", "install", "-y",
       "/hello.deb")
RPM = ("rpm", "--dbpath", "/db", "--nodeps", "-i", "/hello.rpm")


def held():
    code, said = switch("deactivate-pkgmngr")
    check("held",
          code == 0 and said == {"packages_held": True, "changed": True}, said)
    code, said = switch("deactivate-pkgmngr")
    check("held already",
          code == 0 and said == {"packages_held": True, "changed": False}, said)
    for argv in (DPKG, APT, ("dpkg", "-r", "hostname"),
                 ("dpkg", "--configure", "-a"), RPM):
        code, out = run(*argv)
        check(f"{' '.join(argv)} is refused, and "
              "says why", code != 0 and HINT in out, f"exit {code}\n{out}")
    for argv in (("dpkg", "-l", "hostname"), ("dpkg", "-I", "/hello.deb"),
                 (*APT[:3], "-s", *APT[3:]), ("apt-cache", "show", "hostname"),
                 ("rpm", "--dbpath", "/db", "-qa"),
                 ("rpm", "-qpi", "/hello.rpm")):
        code, out = run(*argv)
        check(f"{' '.join(argv)} goes on", code == 0 and HINT not in out,
              f"exit {code}\n{out}")
    check("and nothing is installed",
          "hello-x" not in run("dpkg-query", "-W")[1] and
          run("rpm", "--dbpath", "/db", "-qa")[1] == "")


def in_an_upgrade():
    for argv in (DPKG, RPM):
        code, out = run(*argv, EDEPLOY_TO="V2")
        check(f"a version's post may {' '.join(argv)}", code == 0,
              f"exit {code}\n{out}")
    run("dpkg", "-P", "hello-x", EDEPLOY_TO="V2")
    run("rpm", "--dbpath", "/db", "-e", "hello", EDEPLOY_TO="V2")


def released():
    code, said = switch("activate-pkgmngr")
    check("let go",
          code == 0 and said == {"packages_held": False, "changed": True}, said)
    for argv in (APT, RPM, ("apt-get", "remove", "-y", "hello-x"),
                 ("rpm", "--dbpath", "/db", "-e", "hello")):
        code, out = run(*argv)
        check(f"{' '.join(argv)} does it", code == 0 and HINT not in out,
              f"exit {code}\n{out}")
    code, said = switch("activate-pkgmngr")
    check("nothing was held",
          code == 0 and said == {"packages_held": False, "changed": False},
          said)


def other_systems():
    rows = ((("dpkg",), ["etc/dpkg/dpkg.cfg.d/edeploy"]),
            (("rpm",), ["etc/rpm/macros.edeploy"]),
            (("dpkg", "rpm"), ["etc/dpkg/dpkg.cfg.d/edeploy",
                               "etc/rpm/macros.edeploy"]),
            ((), None))
    for programs, files in rows:
        with tempfile.TemporaryDirectory() as root:
            for name in programs:
                put(f"{root}/usr/bin/{name}", "", 0o755)
            code, said = switch("deactivate-pkgmngr", root)
            found = sorted(os.path.relpath(os.path.join(d, f), root)
                           for d, _, names in os.walk(f"{root}/etc")
                           for f in names)
            if files is None:
                check("a system with neither is refused",
                      code == 1 and "neither dpkg nor rpm" in said and
                      not found, said)
                continue
            check(f"a tree with {programs}", code == 0 and found == files,
                  (said, found))


def main():
    try:
        begin()
        held()
        in_an_upgrade()
        released()
        other_systems()
    finally:
        subprocess.run(["umount", "-l", TOP], check=False)
        os.rmdir(TOP)
    return lab.end()


sys.exit(main())
