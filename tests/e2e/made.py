"""What is made once and kept between runs, for tests that may run side by side:
the initrd, trees, what was published of them. Standard library only."""
import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
CACHE = os.environ.get("EDEPLOY_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
    "edeploy")

# Trees hold files of many owners, and rsync reads them all: these two are
# root's; a user's own cache and folders stay the user's.
ROOT = os.geteuid() == 0
TREES = CACHE if ROOT else "/var/cache/edeploy"


def as_root(*argv):
    return list(argv) if ROOT else ["sudo", *argv]


def run_as_root(*argv):
    """What works long and cleans up behind itself: interrupted, it is told
    to end, and waited for."""
    p = subprocess.Popen(as_root(*argv), stdin=subprocess.DEVNULL)
    try:
        code = p.wait()
    except BaseException:
        # sudo, which is root's, hands the signal on
        subprocess.run(as_root("kill", "-TERM", str(p.pid)),
                       stderr=subprocess.DEVNULL)
        p.wait()
        raise
    if code:
        raise subprocess.CalledProcessError(code, argv)


@contextlib.contextmanager
def alone(folder):
    """While this runs, nobody else makes what is kept in the folder. A lock of
    the folder itself can be had by a user of one that is root's."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def programs_of(build):
    """The static programs stand in build/, beside the sanitized build."""
    return os.path.join(TOP, "build")


def build_boot(programs, out, *more):
    """vmlinuz and initrd.pxe in the folder `out`, which is the result; these
    words more for initrd/build."""
    subprocess.run([sys.executable, f"{TOP}/initrd/build",
                    "--agent", f"{programs}/edeploy-agent",
                    "--init", f"{programs}/init",
                    "--root-init", f"{programs}/edeploy-init", *more, out],
                   check=True, stdout=subprocess.DEVNULL)
    return out


def boot_files(programs, trust=None):
    """The folder of vmlinuz and initrd.pxe as they are shipped, built when
    the programs are newer; those that trust a public key are packed quickly."""
    out = f"{programs}/boot"
    parts = [f"{programs}/edeploy-agent", f"{programs}/init",
             f"{programs}/edeploy-init",
             f"{TOP}/initrd/build"]
    more = []
    if trust:
        out += "-trust"
        parts.append(trust)
        more = ["--quick", "--trust", trust]
    made = f"{out}/initrd.pxe"
    with alone(programs):
        if not os.path.exists(made) or any(
                os.path.getmtime(p) > os.path.getmtime(made) for p in parts):
            build_boot(programs, out, *more)
    return out


def hash_of(paths):
    h = hashlib.sha256()
    for path in sorted(paths):
        with open(path, "rb") as f:
            h.update(f.read())
    return h.hexdigest()[:12]


def rsyncd_files(code):
    """What makes trees (recipes), or what publishes them (code)."""
    for where, _, files in os.walk(f"{TOP}/rsyncd"):
        for name in files:
            if name.endswith((".c", ".h")) == code and \
                    not name.endswith((".pyc", ".build")):
                yield os.path.join(where, name)


def shelf():
    """The folder of all trees."""
    if not os.path.exists(TREES):
        run_as_root("mkdir", "-p", TREES)
    return TREES


def tree_top(role, *versions):
    """A folder with these versions of a role, kept between runs by the hash
    of what makes them."""
    top = f"{TREES}/roles-{role}-" + hash_of(
        [f"{TOP}/setup/debs.py", f"{TOP}/setup/cpio.py",
         *rsyncd_files(code=False)])
    for version in versions:
        with alone(shelf()):
            if os.path.exists(f"{top}/install/{version}/{role}"):
                continue
            # -B: no root's __pycache__ in a user's clone
            run_as_root("env", f"EDEPLOY_CACHE={TREES}", sys.executable, "-B",
                        f"{TOP}/rsyncd/build-role", role, version, top)
    return top


def tree_key(programs):
    """Path of the key that signs the trees of tests, KEY and KEY.pub."""
    key = f"{TREES}/trees.key"
    with alone(shelf()):
        if not os.path.exists(f"{key}.pub"):
            run_as_root(f"{programs}/edeployctl", "key", key)
    return key


def published(programs, role, *versions):
    """(folder for TREES, its public key) with these versions of a role, kept
    between runs by the hash of what publishes them."""
    key, built = tree_key(programs), tree_top(role, *versions)
    top = f"{TREES}/published-{os.path.basename(built)}-" + hash_of(
        rsyncd_files(code=True))
    for version in versions:
        with alone(TREES):
            if os.path.exists(f"{top}/trees/{role}/{version}/HEAD"):
                continue
            run_as_root("mkdir", "-p", top)
            run_as_root(f"{programs}/edeployctl", "publish", role, version,
                        f"{built}/install/{version}/{role}", "--top", top,
                        "--key", key)
    return f"{top}/trees", f"{key}.pub"
