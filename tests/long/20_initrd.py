#!/usr/bin/env python3
"""The initrd from sources to the end, twice: two copies of the sources in
folders of different names, their libraries, programs and archives made an hour
apart under another umask, give equal archives; and how large they are."""
import hashlib
import os
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path += [f"{TOP}/tests/e2e", f"{TOP}/setup"]
import debs  # noqa: E402
import vm  # noqa: E402

KERNELS = {"linux-image-cloud-amd64": 12e6, "linux-image-amd64": 35e6}
PROGRAMS = ["edeploy-agent", "init", "edeploy"]


def copy_sources(folder):
    def unwanted(where, names):
        return [n for n in names if n == ".git" or
                os.path.exists(f"{where}/{n}/build.ninja")]
    shutil.copytree(TOP, folder, symlinks=True, ignore=unwanted)


def run(folder, env, *argv, before=()):
    """Output of a program that works in `folder`."""
    p = subprocess.run([*before, *argv], cwd=folder, env=env, text=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, check=False)
    if p.returncode:
        raise RuntimeError(f"{' '.join(argv[:4])}: exit {p.returncode}: "
                           f"{(p.stdout + p.stderr)[-2000:]}")
    return p.stdout.strip()


def own_cache(folder):
    """A cache without libraries, which are compiled anew; packages of Debian
    are the same for both."""
    os.makedirs(f"{debs.CACHE}/debs", exist_ok=True)
    os.makedirs(folder)
    os.symlink(f"{debs.CACHE}/debs", f"{folder}/debs")
    return {**os.environ, "EDEPLOY_CACHE": folder}


def compile_all(folder, cache, before=()):
    env = own_cache(cache)
    # the index of Debian's sources has a date until which it holds
    prefix = run(folder, env, f"{folder}/setup/static-deps")
    run(folder, env, "meson", "setup", "out", f"-Dstatic_prefix={prefix}",
        before=before)
    run(folder, env, "ninja", "-C", "out", *PROGRAMS, before=before)
    for kernel in KERNELS:
        run(folder, env, f"{folder}/initrd/build", "--kernel", kernel,
            "--agent", "out/edeploy-agent", "--init", "out/init",
            "--root-init", "out/edeploy-init",
            f"out/{kernel}", before=before)


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def main():
    t, work = vm.Tap(), vm.work_dir("twice")
    one, two = f"{work}/one", f"{work}/another/and longer/folder"
    copy_sources(one)
    copy_sources(two)
    compile_all(one, f"{work}/cache")
    old = os.umask(0o077)
    compile_all(two, f"{work}/second-cache", ["faketime", "-f", "+1h"])
    os.umask(old)
    # the programs in out/ say for debuggers where they were made; those of
    # the initrd are stripped of that
    for kernel, most in KERNELS.items():
        path = f"out/{kernel}/initrd.pxe"
        t.check(f"the initrd of {kernel} is the same",
                sha256(f"{one}/{path}") == sha256(f"{two}/{path}"))
        size = os.path.getsize(f"{one}/{path}")
        t.show(f"initrd of {kernel}: {size / 1e6:.1f} MB")
        t.check(f"it is at most {most / 1e6:.0f} MB", size <= most, size)
    return t.end()


sys.exit(main())
