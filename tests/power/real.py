"""Records what `edeploy` itself writes: the disk is a file that
qemu-storage-daemon shows and logs, on a loop device of this machine; versions
are published and pulled as on a host (tests/host/versioned_lab.py)."""
import os
import subprocess
import sys
import tempfile
import time
import uuid

import disk
import guest
import judge

sys.path.insert(0, f"{guest.TOP}/tests/host")
import versioned_lab as lab  # noqa: E402


class Export:
    """`shown` is a file whose writes are in `log`."""

    def __init__(self, path, log, shown):
        for name in (log, shown):
            with open(name, "wb"):
                pass
        self.shown = shown
        self.proc = subprocess.Popen([
            "qemu-storage-daemon", "--blockdev",
            f"driver=file,node-name=f,filename={path}", "--blockdev",
            f"driver=file,node-name=l,filename={log}", "--blockdev",
            "driver=blklogwrites,node-name=b,file=f,log=l", "--export",
            f"type=fuse,id=e,node-name=b,mountpoint={shown},writable=on"])
        size = os.path.getsize(path)
        for _ in range(200):
            if os.path.getsize(shown) == size:
                return
            time.sleep(0.05)
        self.close()
        raise RuntimeError("qemu-storage-daemon shows no disk")

    def close(self):
        self.proc.terminate()
        self.proc.wait()


class Host(lab.Lab):
    """A host whose first version is installed; what follows is recorded."""
    VERSIONS = ("V1", "V2", "V3")
    MIB = None  # of the file system, when not as usual

    def __init__(self, t, programs, kind, work):
        self.programs, self.kind, self.work = programs, kind, work
        self.edeploy = f"{programs}/edeploy"
        self.dir = tempfile.mkdtemp(prefix="lab-", dir=work)
        self.site, self.key = f"{self.dir}/site", f"{self.dir}/key"
        self.ctl = lab.shelf.Ctl(f"{programs}/edeployctl", self.site,
                                 self.key)
        subprocess.run([f"{programs}/edeployctl", "key", self.key],
                       check=True, capture_output=True)
        self.marks, self.top = [], f"{self.dir}/disk"
        os.mkdir(self.top)
        # one of its own: btrfs knows all that this kernel has mounted
        guest.make_file_system(t, kind, f"{work}/base", self.MIB,
                               str(uuid.uuid4()))
        for version in self.VERSIONS:
            self.publish(version, self.change_of(version))
        with judge.Mount(kind, f"{work}/base", self.top):
            self.lay_out()
            if kind == "xfs":
                self.outgrow()
        guest.make_disk(f"{work}/base", f"{work}/disk")
        self.export = Export(f"{work}/disk", f"{work}/log", f"{work}/shown")
        judge.mount(kind, self.export.shown, self.top,
                    offset=disk.START * disk.SECTOR)
        self.mark("installed")

    def outgrow(self):
        """A folder that becomes too large for its inode is written at two
        places, and empty to GRUB between them, which replays no log: one of
        the reasons why nothing is installed so on xfs. Here those that change
        always were too large."""
        for folder in ("roots", "."):
            for letter in "ab":
                guest.write(f"{self.top}/edeploy/{folder}/{letter * 240}", b"")

    def change_of(self, version):
        """None, or what is done to its tree before it is published."""

    def lay_out(self):
        self.install("V1")

    def cfg_text(self):
        with open(f"{self.top}/edeploy/boot.cfg", "rb") as f:
            return judge.read_state(f.read())

    def mark(self, step):
        """As tests/power/play.c; and what each version is now."""
        text = self.cfg_text()
        self.marks.append({
            name: judge.manifest(self.root(name)) for name in self.names()
            if os.path.exists(self.root(name + ".grub"))})
        sector = f"mark {len(self.marks)} {step}\n{text}".encode()
        fd = os.open(self.export.shown, os.O_WRONLY)
        os.pwrite(fd, sector.ljust(disk.SECTOR, b"\0"),
                  disk.MARK * disk.SECTOR)
        os.close(fd)

    def step(self, *words, ends=0):
        code, out, err = self.call(*words)
        if code != ends:
            raise RuntimeError(f"edeploy {words}: exit {code}: {out}{err}")
        self.mark(" ".join(words))

    def booted(self, version):
        """It is entered as a trial, and is well."""
        gen = self.cfg()["gen"]
        for words in (("boot", self.top, version, gen, ""),
                      ("prove", self.top, version)):
            subprocess.run([f"{self.programs}/tests/power/play", *words],
                           check=True, stdout=subprocess.DEVNULL)
            self.mark(f"{words[0]} {version}")

    def end(self):
        judge.unmount(self.top)
        self.export.close()


def record(t, programs, kind, work):
    """Upgrades, a rollback and what is removed behind them; the versions as
    they were at each mark."""
    host = Host(t, programs, kind, work)
    try:
        host.step("upgrade", "V2")
        host.booted("V2")
        host.step("rollback")
        host.booted("V1")
        host.step("upgrade", "V3")
        host.booted("V3")
        host.step("gc")
    finally:
        host.end()
    return host.marks


class Subject:
    """What the judge wants to know about versions."""

    def __init__(self, programs, marks):
        self.edeploy, self.marks = f"{programs}/edeploy", marks

    def whole(self, version, number):
        """What `version` may be, after mark `number` and before the next."""
        return [m[version] for m in self.marks[number:number + 2]
                if version in m]

    def manifest(self, top, version):
        return judge.manifest(f"{top}/edeploy/roots/{version}")

    def is_installed(self, _number):
        return True

    def starts_empty(self):
        """Is there not even a file system to begin with?"""
        return False

    def by_menu(self, _grub):
        """What GRUB loads of a root that is no version, or None."""

    def beside(self, version):
        return [f"roots/{version}.mounts", "state/var/lib/app/seed"]

    def verify(self, top, version):
        code, said = judge.sh(self.edeploy, "verify", version, "--root", top)
        if code:
            raise judge.Wrong(f"edeploy verify: {said}")
