"""Files from Debian packages without installing them: downloaded at the
versions that this machine's apt knows, kept in the cache, unpacked as any
user. Programs are followed to their libraries; kernel modules to what they
depend on. Nothing of the machine that builds gets into what is built."""
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

CACHE = os.environ.get("EDEPLOY_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
    "edeploy")
LIB_DIRS = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib",
            "lib"]
ENV = {**os.environ, "LC_ALL": "C", "TZ": "UTC",
       "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}


class Failed(Exception):
    """A sentence for a person; programs print it and end with 1."""


def main(function):
    """Run a program's main; its Failed is one line on stderr."""
    try:
        sys.exit(function())
    except Failed as e:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {e}")
    except KeyboardInterrupt:
        sys.exit(130)


def output(*argv, **more):
    """Standard output of a program as text."""
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env=ENV, text=True, **more)
    if p.returncode:
        raise Failed(f"{' '.join(argv[:6])}: exit {p.returncode}: "
                     f"{p.stderr.strip()[-800:]}")
    return p.stdout


def patient(argv, text):
    """(exit code, output) of a program that is given `text` and has mounts or
    files to clean up when it is interrupted: it and what it runs are told so,
    as a terminal does, and waited for. In a session of its own, for ^C would
    reach it twice."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, text=True, env=ENV,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True) as p:
        try:
            said, _ = p.communicate(text)
        except BaseException:
            os.killpg(p.pid, signal.SIGINT)
            p.communicate()
            raise
    return p.returncode, said


def candidates(packages):
    """{package: version} that apt would install."""
    found = {}
    name = None
    for line in output("apt-cache", "policy", *packages).splitlines():
        if line and not line.startswith(" "):
            name = line.rstrip(":")
        m = re.match(r"  Candidate: (\S+)", line)
        if m and m.group(1) != "(none)":
            found[name] = m.group(1)
    lost = [p for p in packages if p not in found]
    if lost:
        raise Failed(f"apt knows no package {' '.join(lost)}: "
                     "run apt-get update")
    return found


def kernel_of(meta):
    """linux-image-6.1.0-56-amd64 of linux-image-amd64, or what was given."""
    if re.match(r"linux-image-\d", meta):
        return meta
    m = re.search(r"Depends: (linux-image-\d\S+)",
                  output("apt-cache", "depends", meta))
    if not m:
        raise Failed(f"{meta} names no kernel: run apt-get update")
    return m.group(1)


def cached(package, version):
    """The .deb in the cache, fetched when it is not there."""
    place = f"{CACHE}/debs"
    os.makedirs(place, exist_ok=True)
    name = f"{package}_{version.replace(':', '%3a')}_"
    for path in glob.glob(glob.escape(f"{place}/{name}") + "*.deb"):
        return path
    with tempfile.TemporaryDirectory(dir=place) as work:
        # its own folder: two builds at a time do not see half a file
        output("apt-get", "-q", "-o", "APT::Sandbox::User=", "download",
               f"{package}={version}", cwd=work)
        for path in glob.glob(f"{work}/*.deb"):
            final = f"{place}/{os.path.basename(path)}"
            os.rename(path, final)
            return final
    raise Failed(f"apt-get download {package} brought nothing")


def unpack(packages, into):
    """Unpack packages below `into`; the versions, for a key or a log."""
    versions = candidates(packages)
    for p in packages:
        output("dpkg-deb", "-x", cached(p, versions[p]), into)
    return versions


# ---- libraries ----

def needs(path):
    """(interpreter or None, names of libraries) of an ELF file."""
    text = output("readelf", "-Wld", path)
    m = re.search(r"program interpreter: (\S+?)\]", text)
    return m and m.group(1), re.findall(r"\(NEEDED\).*\[(.+?)\]", text)


def is_elf(path):
    with open(path, "rb") as f:
        return f.read(4) == b"\x7fELF"


def find_library(tree, name):
    for d in LIB_DIRS:
        if os.path.exists(f"{tree}/{d}/{name}"):
            return f"{tree}/{d}/{name}"
    return None


def libraries(tree, paths):
    """Every library of `tree` that these ELF files of it load."""
    todo, found, lost = [p for p in paths if is_elf(p)], {}, set()
    while todo:
        path = todo.pop()
        interpreter, names = needs(path)
        for name in names + ([os.path.basename(interpreter)]
                             if interpreter else []):
            there = found.get(name) or find_library(tree, name)
            if not there:
                lost.add(f"{name} (for {os.path.basename(path)})")
            elif name not in found:
                found[name] = there
                todo.append(there)
    if lost:
        raise Failed("no package of the recipe holds "
                     + ", ".join(sorted(lost)))
    return found


# ---- kernel modules ----

def module_tables(folder):
    """({module path: its dependencies}, release) of kernel files in
    `folder`; makes depmod's tables."""
    (release,) = os.listdir(f"{folder}/lib/modules")
    output("depmod", "-b", folder, release)
    deps = {}
    with open(f"{folder}/lib/modules/{release}/modules.dep") as f:
        for line in f:
            name, _, rest = line.partition(":")
            deps[name] = rest.split()
    return deps, release


def modules(folder, wanted, unwanted=()):
    """(paths below lib/modules/RELEASE that match one of the regular
    expressions `wanted`, with what they depend on; release)."""
    deps, release = module_tables(folder)
    want = re.compile("|".join(wanted))
    skip = re.compile("|".join(unwanted) or "$^")
    chosen = {m for m in deps if want.match(m) and not skip.match(m)}
    for m in list(chosen):
        chosen.update(deps[m])
    return sorted(chosen), release


def copy_modules(folder, chosen, release, into):
    """Bring modules and fitting tables of depmod below `into`."""
    base = f"lib/modules/{release}"
    for m in chosen + ["modules.order", "modules.builtin",
                       "modules.builtin.modinfo"]:
        os.makedirs(os.path.dirname(f"{into}/{base}/{m}"), exist_ok=True)
        shutil.copyfile(f"{folder}/{base}/{m}", f"{into}/{base}/{m}")
    output("depmod", "-b", into, release)
    for path in glob.glob(f"{into}/{base}/modules.*.bin"):
        os.unlink(path)  # for kmod; busybox reads the texts
