"""A disk with versions beside one another, without a machine: an ext4 in a file,
mounted in a namespace of the test's own, with a version that edeployctl
published and pulled, laid out as an installation does it."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "rsyncd"))
import shelf_lab as shelf  # noqa: E402
from published import digest  # noqa: E402
from shelf_lab import check, end, put  # noqa: E402,F401

SOURCE = f"{os.path.dirname(os.path.abspath(__file__))}/../.."
ROLE = "app"
FSTAB = """UUID=mine / ext4 defaults 0 1
nas:/x /data/nas/ nfs noauto 0 0
  # none /data/none
none /data/never tmpfs noauto
swap none swap
cd /usr/bin/tool/cd iso9660 noauto
x /var/x ext4 noauto
"""
MB = 1 << 20


def own_namespace(*more):
    """The rest runs with mounts that nobody else sees, or not at all. `more`:
    of unshare(1), as for processes."""
    if os.geteuid() != 0:
        print("1..0 # SKIP mounting wants root")
        sys.exit(0)
    if "VERSIONED_LAB" not in os.environ:
        os.environ["VERSIONED_LAB"] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private",
                              *more, sys.executable, *sys.argv])


def make_tree(top, version):
    """Small, and of all classes; /bin/sh runs hooks."""
    put(f"{top}/usr/bin/tool", f"tool {version}\n", 0o755)
    put(f"{top}/usr/lib/same.so", shelf.noise(5, 300000), 0o755, 10**18)
    put(f"{top}/usr/lib/other.so",
        shelf.noise(6, 200000) + version.encode() * 5000, 0o755)
    os.makedirs(f"{top}/usr/lib/systemd/system", exist_ok=True)
    for name in ("bin", "sbin"):
        os.makedirs(f"{top}/usr/{name}", exist_ok=True)
        os.symlink(f"usr/{name}", f"{top}/{name}")
    os.symlink("usr/lib", f"{top}/lib")
    shutil.copy(shutil.which("busybox"), f"{top}/usr/bin/busybox")
    os.utime(f"{top}/usr/bin/busybox", (1e9, 1e9))
    os.link(f"{top}/usr/bin/busybox", f"{top}/usr/bin/bb")
    for name in ("sh", "cat", "test", "echo", "mount"):
        os.symlink("busybox", f"{top}/usr/bin/{name}")
    put(f"{top}/usr/sbin/init", "#!/bin/sh\n", 0o755, 10**18)
    put(f"{top}/boot/vmlinuz-6.1.{version[-1]}", f"kernel {version}\n")
    put(f"{top}/boot/initrd.img-6.1.{version[-1]}", f"initrd {version}\n")
    put(f"{top}/etc/app.conf", f"port = 1\nnew in {version}\n")
    put(f"{top}/etc/both.conf", f"both {version}\n")
    put(f"{top}/etc/same.conf", "the same\n", mtime=10**18)
    put(f"{top}/etc/fstab", "# none\n", mtime=10**18)
    put(f"{top}/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
        + f"svc{version[-1]}:x:10{version[-1]}:100::/:/bin/false\n")
    put(f"{top}/etc/group", "root:x:0:\n")
    put(f"{top}/etc/shadow", "root:*:1:\n", 0o600)
    put(f"{top}/usr/bin/dpkg", "no program\n", 0o755, 10**18)
    put(f"{top}/var/lib/dpkg/info/app.list", "/.\n", mtime=10**18)
    put(f"{top}/var/lib/dpkg/status", f"Package: app\nVersion: {version}\n")
    put(f"{top}/var/lib/app/seed", f"seed {version}\n")
    # as rsyncd/build-role leaves it
    put(f"{top}/var/lib/edeploy/conf", f"VERS={version}\nROLE={ROLE}\n")
    put(f"{top}/var/lib/edeploy/trees.pub", f"none of {version}\n")
    os.makedirs(f"{top}/home")
    os.makedirs(f"{top}/edeploy")
    if version != "V1":
        put(f"{top}/usr/share/new-{version}", "new\n")


def manifest(root, paths):
    """roots/VERSION.local as an installation writes it."""
    lines, size = [], 0
    every = {"."}
    for path in paths:
        parts = path.split("/")
        every |= {"/".join(parts[:i]) for i in range(1, len(parts) + 1)}
    for path in sorted(every, key=lambda p: [] if p == "." else p.split("/")):
        st = os.lstat(f"{root}/{path}")
        time = f"{st.st_mtime_ns // 10**9}.{st.st_mtime_ns % 10**9:09d}"
        head = f"{st.st_mode & 0o7777:o} {st.st_uid} {st.st_gid} {time}"
        if os.path.isdir(f"{root}/{path}"):
            lines.append(f"d {head} {path}")
            continue
        with open(f"{root}/{path}", "rb") as f:
            data = f.read()
        lines.append(f"f {head} {len(data)} {digest(data)} {path}")
        size += len(data)
    return (f"edeploy-manifest 1\nhash blake2b-256-64k\nentries {len(lines)}\n"
            f"bytes {size}\n" + "".join(x + "\n" for x in lines))


class Lab:
    role = ROLE

    def __init__(self, edeploy, edeployctl, mb=48):
        self.edeploy = os.path.abspath(edeploy)
        self.dir = tempfile.mkdtemp(prefix="versioned_lab.")
        self.site = f"{self.dir}/site"
        self.key = f"{self.dir}/key"
        self.ctl = shelf.Ctl(os.path.abspath(edeployctl), self.site, self.key)
        subprocess.run([os.path.abspath(edeployctl), "key", self.key],
                       check=True, capture_output=True)
        self.top = f"{self.dir}/disk"
        os.mkdir(self.top)
        image = f"{self.dir}/image"
        with open(image, "wb") as f:
            f.truncate(mb * MB)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, self.top], check=True)

    def close(self):
        subprocess.run(["umount", "-l", self.top], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def tree(self, version):
        return f"{self.dir}/tree-{version}"

    def publish(self, version, change=None):
        make_tree(self.tree(version), version)
        if change:
            change(self.tree(version))
        code, out, err = self.ctl.run("publish", ROLE, version,
                                      self.tree(version), "--new-ids")
        if code:
            raise SystemExit(f"Bail out! publish {version}: {out}{err}")

    # ---- the disk ----

    def root(self, version, path=""):
        return f"{self.top}/edeploy/roots/{version}{path}"

    def state(self, path):
        return f"{self.top}/edeploy/state{path}"

    def get(self, version, path):
        try:
            with open(self.root(version, path)) as f:
                return f.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def tree_url(self):
        """As the host sees it."""
        return self.ctl.trees()

    def own(self, root, version):
        """What makes a tree the machine's own."""
        put(f"{root}/var/lib/edeploy/conf",
            f"VERS={version}\nROLE={self.role}\nRSERV=127.0.0.1\n"
            f"RSERV_PORT=873\nTREE={self.tree_url()}\nMACHINE=7\n")
        shutil.copy(self.key + ".pub", f"{root}/var/lib/edeploy/trees.pub")
        put(f"{root}/usr/sbin/edeploy", "the command of this host\n", 0o755)
        put(f"{root}/etc/fstab", FSTAB)
        os.makedirs(f"{root}/data/nas")
        os.chmod(f"{root}/data/nas", 0o750)
        put(f"{root}/etc/hostname", "host7\n")

    def install(self, version):
        """What the agent leaves behind."""
        top, root = self.top, self.root(version)
        for name in ("dev", "proc", "run", "sys"):
            os.mkdir(f"{top}/{name}")
        os.mkdir(f"{top}/edeploy", 0o700)
        for name in ("grub", "roots", "state", "sysroot"):
            os.mkdir(f"{top}/edeploy/{name}")
        subprocess.run([self.ctl.program, "pull", self.role, version, root,
                        "--from", self.ctl.trees(), "--trust",
                        self.key + ".pub", "--record", root + ".record"],
                       check=True, capture_output=True)
        for name in ("passwd", "group", "shadow"):
            os.makedirs(root + ".record/etc", exist_ok=True)
            shutil.copy(f"{root}/etc/{name}", f"{root}.record/etc/{name}")
        self.own(root, version)
        put(root + ".local", manifest(root, [
            "var/lib/edeploy/conf", "var/lib/edeploy/trees.pub",
            "usr/sbin/edeploy", "etc/fstab", "etc/hostname"]))
        for name in ("var", "home"):
            shutil.copytree(f"{root}/{name}", self.state(f"/{name}"),
                            symlinks=True)
        put(self.state("/var/log/edeploy/vars"), "PROFILE=vm\n")
        put(root + ".mounts", "# edeploy mounts 1\nstate home\nstate var\n"
            "version var/lib/dpkg\nversion var/lib/edeploy\n")
        put(root + ".grub",
            f"set ed_kernel='/edeploy/roots/{version}/boot/vmlinuz-6.1.1'\n"
            f"set ed_initrd='/edeploy/roots/{version}/boot/initrd.img-6.1.1'\n"
            "set ed_args='console=ttyS0 quote='\\''x'\\'''\n")
        self.write_cfg(gen=1, good=version)

    def write_cfg(self, gen, good, prev="", trial="", left=0):
        text = ("# edeploy: written by edeploy alone, read by GRUB\n"
                f"set ed_gen={gen}\nset ed_good={good}\nset ed_prev={prev}\n"
                f"set ed_try={trial}\nset ed_left={left}\nset ed_again=0\n")
        put(f"{self.top}/edeploy/boot.cfg", text.ljust(511, "#") + "\n")

    def cfg(self):
        with open(f"{self.top}/edeploy/boot.cfg") as f:
            rows = [x[7:].strip().split("=") for x in f if x[:4] == "set "]
        return dict(rows)

    def log(self):
        """What status would tell of versions that fell."""
        try:
            with open(f"{self.top}/edeploy/log") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def prove(self):
        """As the trial's own prove does, once it runs."""
        now = self.cfg()
        self.write_cfg(int(now["gen"]) + 2, now["try"], now["good"])

    # ---- as if it had been booted ----

    def enter(self, version):
        """/edeploy/sysroot is the system's root, and `inside` runs in it."""
        self.sysroot = sysroot = f"{self.top}/edeploy/sysroot"

        def bind(source, where):
            os.makedirs(sysroot + where, exist_ok=True)
            subprocess.run(["mount", "--rbind", source, sysroot + where],
                           check=True)

        bind(self.root(version), "")
        for name in ("/var", "/home"):
            bind(self.state(name), name)
        for name in ("/var/lib/dpkg", "/var/lib/edeploy"):
            bind(self.root(version, name), name)
        os.makedirs(sysroot + "/edeploy", exist_ok=True)
        subprocess.run(["mount", "--bind", self.top + "/edeploy",
                        sysroot + "/edeploy"], check=True)
        os.makedirs(sysroot + "/run", exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "run", sysroot + "/run"],
                       check=True)
        for name in ("/dev", "/proc", "/sys"):
            bind(name, name)
        self.cmdline = f"{self.dir}/cmdline"
        self.start_as(version)
        subprocess.run(["mount", "--bind", self.cmdline,
                        sysroot + "/proc/cmdline"], check=True)
        # the command may be built with libraries of this machine
        for name in ("/lib64", "/usr/lib/x86_64-linux-gnu"):
            if os.path.exists(name):
                bind(os.path.realpath(name), name)
        bind(self.site, "/home/site")
        bind(os.path.dirname(self.edeploy), "/home/program")

    def start_as(self, version):
        """What the kernel was started with, as GRUB would."""
        with open(self.cmdline, "w") as f:
            f.write(f"quiet edeploy.root={version} edeploy.gen=7\n"
                    if version else "quiet\n")

    def inside(self, *words):
        p = subprocess.run(["chroot", self.sysroot, "/home/program/edeploy",
                            *words], text=True, capture_output=True,
                           timeout=120)
        return p.returncode, p.stdout, p.stderr

    # ---- the command ----

    def call(self, *words, **more):
        p = subprocess.run([self.edeploy, *words, "--root", self.top],
                           text=True, capture_output=True, timeout=120,
                           **more)
        return p.returncode, p.stdout, p.stderr

    def json(self, *words):
        code, out, err = self.call(*words, "--json")
        try:
            return code, json.loads(out)
        except ValueError:
            return code, f"{out}{err}"

    def names(self):
        return sorted(os.listdir(self.root("")))

    def snapshot(self):
        """Every name with what a stat tells, and links' counts: what must not
        change is equal to before. But for the lock, and mount points."""
        seen = {}
        for folder, dirs, files in os.walk(self.top):
            for name in dirs + files:
                path = f"{folder}/{name}"
                st = os.lstat(path)
                if name != "lock":
                    seen[path] = (st.st_mode, st.st_size, st.st_ino,
                                  st.st_mtime_ns if name in files else 0)
        return seen
