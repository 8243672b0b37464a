"""Records what a machine writes to its disk while play.c does what a host
does: a kernel of Debian's, an initramfs with busybox and play, QEMU's
blklogwrites around the disk."""
import hashlib
import os
import random
import shutil
import subprocess
import tempfile
import time

from tools import TOP, debs

import cpio
import disk

KERNEL = "linux-image-cloud-amd64"
MODULES = [r"kernel/drivers/virtio/", r"kernel/drivers/block/virtio_blk",
           r"kernel/fs/(ext4|xfs|btrfs)/", r"kernel/crypto/(crc32c|xxhash)",
           r"kernel/lib/crypto/", r"kernel/crypto/blake2b",
           r"kernel/drivers/watchdog/(softdog|watchdog)\."]
UUID = "8a3a2c59-4be1-44a0-9d7b-a42d7b0a6d11"
# size in MiB of the file system, GRUB's module for it
KINDS = {"ext4": (48, "ext2"), "xfs": (300, "xfs"), "btrfs": (128, "btrfs")}

INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
export PATH=/bin
for m in virtio_pci virtio_blk ext4 {kind}; do busybox modprobe -q $m; done
busybox mount -o ro -t ext4 /dev/vdb /trees &&
busybox mount -t {kind} /dev/vda1 /mnt &&
{command} && echo PLAYED
busybox poweroff -f
"""


def write(path, data, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)


def small_trees(top):
    """Versions A, B and C: B has another kernel, C another program; what all
    share is in A alone, and linked."""
    rng = random.Random(5)
    parts = {"A": ("k1", "i1"), "B": ("k2", "i2"), "C": ("k2", "i2")}
    blobs = {n: rng.randbytes(700_000) for n in ("k1", "k2", "i1", "i2")}
    for version, (kernel, initrd) in parts.items():
        root = f"{top}/{version}"
        write(f"{root}/boot/vmlinuz", blobs[kernel])
        write(f"{root}/boot/initrd", blobs[initrd], 0o600)
        write(f"{root}/sbin/init", b"#! init of " + version.encode(), 0o755)
        for i in range(40):
            write(f"{root}/usr/lib/lib{i}.so",
                  rng.randbytes(rng.randrange(30_000)) if i % 2 else
                  b"%d" % i)
        for name in ("passwd", "hostname", "app.conf"):
            write(f"{root}/etc/{name}", f"{name} of {version}\n".encode())
        write(f"{root}/var/lib/dpkg/status", version.encode() * 9000)
        write(f"{root}/var/lib/app/db", b"rows\n")
        write(f"{root}/home/.keep", b"")
        os.makedirs(f"{root}/usr/share")
    for i in range(30):
        write(f"{top}/A/usr/share/doc{i}", rng.randbytes(3000))


def make_file_system(tools, kind, path, mib=None, uuid=UUID):
    mib = mib or KINDS[kind][0]
    with open(path, "wb") as f:
        f.truncate(mib << 20)
    if kind == "ext4":
        tools.run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-U",
                  uuid, path)
    elif kind == "xfs":
        tools.run("mkfs.xfs", "-q", "-m", f"uuid={uuid}", path)
    else:
        tools.run("mkfs.btrfs", "-q", "-U", uuid, path)


def make_disk(file_system, path, head=b""):
    """A disk of one partition with it, and `head` for a boot loader."""
    size = os.path.getsize(file_system) // disk.SECTOR
    table = bytearray(head.ljust(512, b"\0")[:440] + bytes(72))
    table[446:462] = (b"\x80\0\0\0\x83\0\0\0"
                      + disk.START.to_bytes(4, "little")
                      + size.to_bytes(4, "little"))
    table[510:512] = b"\x55\xaa"
    disk.copy_sparse(file_system, path + ".fs")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    os.pwrite(fd, bytes(table) + head[512:], 0)
    os.ftruncate(fd, (disk.START + size) * disk.SECTOR)
    src = os.open(path + ".fs", os.O_RDONLY)
    at, end = 0, size * disk.SECTOR
    while at < end:
        try:
            at = os.lseek(src, at, os.SEEK_DATA)
        except OSError:
            break
        stop = os.lseek(src, at, os.SEEK_HOLE)
        while at < stop:
            piece = os.pread(src, min(1 << 20, stop - at), at)
            os.pwrite(fd, piece, disk.START * disk.SECTOR + at)
            at += len(piece)
    os.close(src)
    os.close(fd)
    os.unlink(path + ".fs")


def kernel_files(place):
    """vmlinuz, modules and busybox, unpacked once."""
    made = f"{debs.CACHE}/power-kernel-" + hashlib.sha256(
        repr((MODULES, debs.kernel_of(KERNEL))).encode()).hexdigest()[:12]
    if not os.path.exists(made):
        work = tempfile.mkdtemp(dir=debs.CACHE)
        debs.unpack(["busybox-static"], f"{work}/tree")
        debs.unpack([debs.kernel_of(KERNEL)], f"{work}/kernel")
        root = f"{work}/root"
        os.makedirs(f"{root}/bin")
        shutil.copy(f"{work}/tree/bin/busybox", f"{root}/bin/busybox")
        chosen, release = debs.modules(f"{work}/kernel", MODULES)
        debs.copy_modules(f"{work}/kernel", chosen, release, root)
        shutil.copy(f"{work}/kernel/boot/vmlinuz-{release}",
                    f"{work}/vmlinuz")
        shutil.rmtree(f"{work}/kernel")
        shutil.rmtree(f"{work}/tree")
        try:
            os.rename(work, made)
        except OSError:
            shutil.rmtree(work)
    shutil.copytree(f"{made}/root", place, dirs_exist_ok=True)
    return f"{made}/vmlinuz"


def make_initrd(programs, kind, command, work):
    root = f"{work}/guest"
    vmlinuz = kernel_files(root)
    for name in ("proc", "sys", "dev", "mnt", "trees"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    write(f"{root}/init", INIT.format(kind=kind, command=command).encode(),
          0o755)
    shutil.copy(f"{programs}/tests/power/play", f"{root}/bin/play")
    shutil.copy(f"{programs}/edeploy-init", f"{root}/bin/edeploy-init")
    cpio.write(root, f"{work}/guest.img", "-1")
    return vmlinuz


def record(programs, kind, target, log, trees, work, seconds=300):
    """Run play on the disk `target`; its writes are in `log`. What the
    machine said."""
    command = (f"/bin/play all /mnt {UUID} {KINDS[kind][1]} /bin/edeploy-init"
               " /trees /dev/vda")
    vmlinuz = make_initrd(programs, kind, command, work)
    with open(log, "wb"):
        pass
    argv = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg",
            "-m", "384", "-nodefaults", "-display", "none", "-no-user-config",
            "-serial", "stdio", "-no-reboot", "-kernel", vmlinuz,
            "-initrd", f"{work}/guest.img", "-append",
            "console=ttyS0 quiet panic=-1 no_timer_check",
            "-blockdev", "driver=blklogwrites,node-name=d,"
            f"file.driver=file,file.filename={target},"
            f"log.driver=file,log.filename={log}",
            "-device", "virtio-blk-pci,drive=d,write-cache=on",
            "-drive", f"file={trees},if=virtio,format=raw,readonly=on"]
    began = time.monotonic()
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=seconds)
    said = p.stdout.decode(errors="replace")
    if "PLAYED" not in said:
        raise RuntimeError(f"the recorded machine failed:\n{said[-3000:]}")
    return said, time.monotonic() - began
