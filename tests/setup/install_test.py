#!/usr/bin/env python3
"""install_test.py SOURCE BUILD: what `meson install` puts where, and that it
works from there. Standard library only."""
import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
from tap import check, end  # noqa: E402

SOURCE, BUILD = map(os.path.abspath, sys.argv[1:3])

PROGRAMS = ["lib/edeploy/edeploy", "lib/edeploy/init",
            "lib/edeploy/edeploy-init", "bin/edeploy-agent", "bin/edeployctl",
            "sbin/edeployd"]
RECIPES = ["initrd/build", "initrd/udhcpc.script", "rsyncd/build-role",
           "rsyncd/conf", "rsyncd/seed-ids"]
FILES = {  # where: the files of the source that stand there, and nothing else
    "lib/systemd/system": ["server/edeployd.service",
                           "rsyncd/edeploy-rsyncd.service"],
    "share/edeploy/setup": ["setup/cpio.py", "setup/debs.py"],
    "share/edeploy/rsyncd/metadata": ["rsyncd/metadata/*"],
    "share/edeploy/rsyncd/roles/mysql": ["rsyncd/roles/mysql/*.py"],
    "share/edeploy/rsyncd/roles/tiny": ["rsyncd/roles/tiny/*.py"],
    "share/edeploy/rsyncd/roles/tiny/files": ["rsyncd/roles/tiny/files/*"],
    "share/doc/edeploy": ["README", "COPYING", "docs/*.md"],
    "share/doc/edeploy/examples": ["server/edeploy-nginx.conf",
                                   "server/edeploy-nginx-cache.conf"],
    "share/doc/edeploy/examples/site": ["specs/examples/*",
                                        "cmdb/examples/*"],
    "share/man/man5": ["docs/*.5"],
    "share/man/man7": ["docs/*.7"],
    "share/man/man8": ["docs/*.8"],
    "share/bash-completion/completions": ["completions/edeploy"],
}
NAMES = ["edeployctl", "edeployd", "edeploy-agent"]  # of the completion


def run(*argv, **more):
    return subprocess.run(argv, capture_output=True, text=True, timeout=100,
                          stdin=subprocess.DEVNULL, **more)


def wanted(prefix):
    """{path: mode} of all that is installed."""
    want = {f"{prefix}/{p}": 0o755 for p in PROGRAMS}
    want.update({f"{prefix}/share/edeploy/{p}": 0o755 for p in RECIPES})
    for folder, patterns in FILES.items():
        for pattern in patterns:
            for path in glob.glob(f"{SOURCE}/{pattern}"):
                name = os.path.basename(path)
                want[f"{prefix}/{folder}/{name}"] = 0o644
    want[f"{prefix}/share/doc/edeploy/examples/edeploy.conf"] = 0o644
    for name in NAMES:
        want[f"{prefix}/share/bash-completion/completions/{name}"] = 0o644
    return want


def found(top):
    return {os.path.relpath(os.path.join(where, f), top):
            os.stat(os.path.join(where, f)).st_mode & 0o7777
            for where, _, files in os.walk(top) for f in files}


def option(name):
    p = run("meson", "introspect", "--buildoptions", BUILD)
    return re.search(r'"name": "%s", "value": "([^"]*)"' % name,
                     p.stdout).group(1)


def check_programs(at):
    for path in PROGRAMS[:1] + PROGRAMS[3:]:  # both init are pid 1 only
        p = run(f"{at}/{path}", "--version")
        check(f"{path} starts there", p.returncode == 0 and
              p.stdout.startswith(os.path.basename(path) + " "), p.stderr)
    site = f"{at}/share/doc/edeploy/examples/site"
    p = run(f"{at}/bin/edeployctl", "check", "--site", site)
    problems = p.stdout.splitlines()
    check("the example site wants nothing but a script for hp, and a password "
          "for who likes one", len(problems) == 2 and
          "hp.configure: missing" in problems[0] and
          "uses var.root_password" in problems[1], p.stdout + p.stderr)


def check_unit(at, prefix):
    with open(f"{at}/lib/systemd/system/edeployd.service") as f:
        unit = f.read()
    with open(f"{SOURCE}/server/edeployd.service") as f:
        source = f.read()
    check("the unit starts the program that is installed",
          f"\nExecStart=/{prefix}/sbin/edeployd -c /etc/edeploy.conf\n" in unit
          and unit == source.replace("/usr/sbin", f"/{prefix}/sbin"), unit)
    conf = f"{at}/share/doc/edeploy/examples/edeploy.conf"
    with open(conf) as f, open(f"{SOURCE}/server/edeploy.conf.example") as g:
        check("the example configuration is that of the sources",
              f.read() == g.read())


def check_recipes(at):
    """From where they are, with what stands beside them."""
    share = f"{at}/share/edeploy"
    p = run(sys.executable, "-B", f"{share}/initrd/build", "--help")
    check("initrd/build finds its parts", p.returncode == 0 and
          "--agent" in p.stdout, p.stderr)
    with tempfile.TemporaryDirectory() as top:
        p = run(sys.executable, "-B", f"{share}/rsyncd/build-role", "nosuch",
                "V", top)
        check("rsyncd/build-role knows its roles", p.returncode == 1 and
              "mysql" in p.stderr and "tiny" in p.stderr, p.stderr)
        check("and makes nothing for another", not os.listdir(top),
              os.listdir(top))
        p = run(f"{share}/rsyncd/conf", top)
    check("rsyncd/conf", p.returncode == 0 and "[install]" in p.stdout,
          p.stderr)


def main():
    with tempfile.TemporaryDirectory() as top:
        p = run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet",
                "--destdir", top)
        check("meson install", p.returncode == 0, p.stdout + p.stderr)
        prefix = option("prefix").strip("/")
        want, got = wanted(prefix), found(top)
        check("each file stands where it is expected, with its mode, and no "
              "other", want == got, "\n".join(
                  f"{x}: {got.get(x, 0):o}, want {want.get(x, 0):o}"
                  for x in sorted({*want, *got})
                  if want.get(x) != got.get(x)))
        check_programs(f"{top}/{prefix}")
        check_unit(f"{top}/{prefix}", prefix)
        check_recipes(f"{top}/{prefix}")
    return end()


sys.exit(main())
