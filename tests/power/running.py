"""Records what `edeploy` writes on a host that runs: the disk is a root of its
own, in which every command is run, and that it moves away from below itself.
Wants namespaces of mounts and of processes (cuts.own_mounts)."""
import os
import subprocess

import judge
import real
from versioned_lab import put

PLACES = ("dev", "proc", "sys", "run")


def hook(text):
    return "#!/bin/sh\n" + text + "\n"


def is_mounted(path):
    with open("/proc/self/mountinfo") as f:
        return any(line.split()[4] == path for line in f)


class Running(real.Host):
    """`self.here` is where "/" of the host is mounted."""
    here = ""
    login = None  # a program that stands there, and moves along

    def tree_url(self):
        return "/run/site/trees"

    def change_of(self, version):
        return lambda tree: self.change(tree, version)

    def change(self, tree, version):
        """All start alike; nothing has to be made to mount on."""
        kernel = self.kernel_of(version)
        for name in os.listdir(f"{tree}/boot"):
            os.unlink(f"{tree}/boot/{name}")
        put(f"{tree}/boot/vmlinuz-{kernel}", f"kernel {kernel}\n")
        put(f"{tree}/boot/initrd.img-{kernel}", "initrd\n")
        for name in PLACES:
            os.makedirs(f"{tree}/{name}")

    def kernel_of(self, _version):
        return "6.1.1"

    def mount(self, *words):
        subprocess.run(["mount", *words], check=True)

    def furnish(self):
        """What stands at the places of a root that runs."""
        here = self.here
        for name in ("dev", "sys", "run"):
            self.mount("-t", "tmpfs", name, f"{here}/{name}")
        self.mount("--rbind", "/proc", f"{here}/proc")
        self.cmdline = f"{self.dir}/cmdline"
        put(self.cmdline, "quiet\n")
        self.mount("--bind", self.cmdline, f"{here}/proc/cmdline")
        for name, source in (("site", self.site), ("programs", self.programs)):
            os.mkdir(f"{here}/run/{name}")
            self.mount("--bind", source, f"{here}/run/{name}")
        for name in ("null", "urandom"):
            number = os.stat(f"/dev/{name}").st_rdev
            os.mknod(f"{here}/dev/{name}", 0o20666, number)
        # as systemd leaves "/"
        self.mount("--make-rshared", here)
        self.login = subprocess.Popen(
            ["chroot", here, "/run/programs/tests/roots/roots-daemon"],
            stdout=subprocess.PIPE)
        self.login.stdout.readline()

    def start_as(self, version):
        """What the kernel was started with, as GRUB would."""
        put(self.cmdline, f"quiet edeploy.root={version}\n")

    def seen(self):
        """"/" as programs of the host see it. Who comes by its path, from
        outside, may meet the root that a move was killed in leaving."""
        return f"/proc/{self.login.pid}/root"

    def call(self, *words):
        p = subprocess.run(["chroot", self.seen(), "/run/programs/edeploy",
                            *words], text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        return p.returncode, p.stdout, p.stderr

    def leave(self):
        """Off, with all that is mounted."""
        if self.login:
            self.login.kill()
            self.login.communicate()
            self.login = None
        while is_mounted(self.here):
            judge.unmount("-R", self.here)

    def end(self):
        self.leave()
        super().end()


class Versioned(Running):
    """V1 runs. V4 has another kernel, and V3 a post that fails."""
    VERSIONS = ("V1", "V2", "V3", "V4")

    def kernel_of(self, version):
        return "6.1.4" if version == "V4" else "6.1.1"

    def change(self, tree, version):
        super().change(tree, version)
        put(f"{tree}/var/lib/edeploy/{version}/post",
            hook(f"echo {version} >>/var/lib/posts; exit "
                 + ("5" if version == "V3" else "0")), 0o755)

    def enter(self, version):
        """As roots/init.c does."""
        self.here = here = f"{self.top}/edeploy/sysroot"
        self.mount("--bind", self.root(version), here)
        for name in ("var", "home"):
            self.mount("--bind", self.top + "/edeploy/state/" + name,
                       f"{here}/{name}")
        for name in ("var/lib/dpkg", "var/lib/edeploy"):
            self.mount("--bind", self.root(version, f"/{name}"),
                       f"{here}/{name}")
        self.mount("--bind", f"{self.top}/edeploy", f"{here}/edeploy")
        self.furnish()
        self.start_as(version)


def record_live(t, programs, kind, work):
    """Entered, one whose post fails, left, entered with another kernel, which
    stays on trial until it was booted."""
    host = Versioned(t, programs, kind, work)
    try:
        host.enter("V1")
        host.step("upgrade", "V2")
        host.step("upgrade", "V3", ends=1)
        host.step("rollback")
        host.step("upgrade", "V4", "--live")
        host.booted("V4")
    finally:
        host.end()
    return host.marks


# ---- a plain root ----

CFG = "boot/grub/grub.cfg"
MENU = b"".join(b"# line %d of the old menu\n" % i for i in range(60))


def manifest_of_plain(top):
    """But for what a conversion makes there, and the menu."""
    return {path: what for path, what in judge.manifest(
        top, ("edeploy", "lost+found")).items()
            if path != CFG and not path.startswith(CFG + ".plain")}


class Plain(Running):
    """V1 runs, and nobody wrote down what it was published as."""
    VERSIONS = ("V1",)
    MIB = 160  # convert wants room to spare

    def kernel_of(self, _version):
        return os.uname().release

    def lay_out(self):
        subprocess.run([self.ctl.program, "pull", "app", "V1", self.top,
                        "--from", self.ctl.trees(), "--trust",
                        self.key + ".pub"], check=True, capture_output=True)
        subprocess.run(["rm", "-rf", f"{self.top}/var/lib/edeploy/tree"],
                       check=True)
        self.own(self.top, "V1")
        put(f"{self.top}/{CFG}", MENU.decode())
        put(f"{self.top}/etc/app.conf", "port = 2\n")
        put(f"{self.top}/home/me/letter", "dear\n")
        put(f"{self.top}/data/db/rows", "rows\n")
        self.plain = manifest_of_plain(self.top)

    def enter(self):
        """The loop device plays a partition."""
        self.here = f"{self.dir}/here"
        os.makedirs(self.here, exist_ok=True)
        self.mount("--bind", self.top, self.here)
        self.furnish()
        device = os.stat(self.top).st_dev
        part = "sys/devices/pci/vda/vda1"
        put(f"{self.here}/{part}/partition", "1\n")
        os.makedirs(f"{self.here}/sys/dev/block")
        os.symlink(f"/{part}", f"{self.here}/sys/dev/block/"
                   f"{os.major(device)}:{os.minor(device)}")
        os.mknod(f"{self.here}/dev/vda1", 0o60600, device)

    def cfg_text(self):
        return super().cfg_text() if os.path.exists(
            f"{self.top}/edeploy/boot.cfg") else ""

    def names(self):
        return super().names() if os.path.exists(self.root("")) else []

    def mark(self, step):
        super().mark(step)
        self.marks[-1]["plain"] = self.plain


def record_convert(t, programs, kind, work):
    """Converted, proved by a boot, left for the old root, converted again."""
    host = Plain(t, programs, kind, work)
    try:
        host.enter()
        host.step("convert")
        host.booted("V1")
        host.step("rollback")
        host.leave()
        host.enter()
        host.step("convert")
    finally:
        host.end()
    return host.marks


class Converted(real.Subject):
    """GRUB comes from the old root's menu until its first sector leads on."""

    def manifest(self, top, version):
        return manifest_of_plain(top) if version == "plain" else \
            super().manifest(top, version)

    def beside(self, version):
        return [] if version == "plain" else super().beside(version)

    def verify(self, top, version):
        if version != "plain":
            super().verify(top, version)

    def by_menu(self, grub):
        text = grub.read(f"/{CFG}")
        if text and text[512:] == MENU[512:] and \
                text.startswith(b"# edeploy convert: "):
            return None
        if text != MENU:
            raise judge.Wrong("GRUB reads a menu that is neither the old one "
                              f"nor a way to versions: {text and text[:200]}")
        loaded = grub.load(*(f"/boot/{name}-{os.uname().release}"
                             for name in ("vmlinuz", "initrd.img")))
        if not loaded:
            raise judge.Wrong("GRUB does not find the old root's kernel")
        return loaded
