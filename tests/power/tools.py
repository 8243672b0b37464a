"""Programs that judge a disk, from Debian packages in the cache, run by their
own loader: nothing of this machine's comes between, and nothing is installed."""
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path[:0] = [f"{TOP}/setup", f"{TOP}/tests/e2e"]
import debs  # noqa: E402

PACKAGES = [
    "grub-common", "grub-pc-bin", "grub-efi-amd64-bin",
    "libdevmapper1.02.1", "libselinux1",
    "libudev1", "libpcre2-8-0", "libc6", "liblzma5", "zlib1g",
    "e2fsprogs", "libext2fs2", "libcom-err2", "libss2", "libblkid1",
    "libuuid1", "xfsprogs", "libinih1", "liburcu8", "libedit2", "libbsd0",
    "libtinfo6", "libmd0", "btrfs-progs", "libzstd1", "liblzo2-2",
]
PROGRAMS = {
    "grub-fstest": "usr/bin", "grub-mkimage": "usr/bin",
    "grub-bios-setup": "usr/lib/grub/i386-pc",
    "mke2fs": "sbin", "e2fsck": "sbin", "debugfs": "sbin",
    "mkfs.xfs": "sbin", "xfs_repair": "sbin",
    "mkfs.btrfs": "sbin", "btrfs": "bin",
}


def unpacked():
    """The folder with the packages."""
    versions = debs.candidates(PACKAGES)
    place = f"{debs.CACHE}/power-tools-" + hashlib.sha256(
        repr(sorted(versions.items())).encode()).hexdigest()[:12]
    if not os.path.exists(place):
        os.makedirs(debs.CACHE, exist_ok=True)
        work = tempfile.mkdtemp(dir=debs.CACHE)
        debs.unpack(PACKAGES, work)
        try:
            os.rename(work, place)
        except OSError:  # another run was as fast
            shutil.rmtree(work)
    return place


class Tools:
    def __init__(self):
        self.top = unpacked()
        folders = ":".join(f"{self.top}/{d}" for d in debs.LIB_DIRS)
        self.loader = [f"{self.top}/lib64/ld-linux-x86-64.so.2",
                       "--library-path", folders]
        self.env = {**debs.ENV, "MKE2FS_CONFIG": f"{self.top}/etc/mke2fs.conf"}

    def argv(self, name, *words):
        return [*self.loader, f"{self.top}/{PROGRAMS[name]}/{name}", *words]

    def run(self, name, *words, **more):
        """What it says on both, which must go well."""
        p = subprocess.run(self.argv(name, *words), env=self.env,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, **more)
        if p.returncode:
            raise RuntimeError(f"{name} {' '.join(words)}: exit "
                               f"{p.returncode}: {p.stdout.decode()[-800:]}")
        return p.stdout.decode(errors="replace")

    def try_run(self, name, *words):
        """(exit code, bytes of its standard output)"""
        p = subprocess.run(self.argv(name, *words), env=self.env,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL)
        return p.returncode, p.stdout
