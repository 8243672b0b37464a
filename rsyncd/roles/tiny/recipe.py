"""The role `tiny`: a busybox system of a few dozen MB that installs in seconds,
for tests and a first look. Kernel, GRUB's tools and rsync are Debian's."""
import os
import shutil
import tempfile

import cpio
import debs

PACKAGES = [
    "busybox-static", "libc6",
    "grub-common", "grub2-common", "grub-pc-bin", "grub-efi-amd64-bin",
    "libdevmapper1.02.1",
    "libudev1", "libselinux1", "libpcre2-8-0", "liblzma5", "libefiboot1",
    "libefivar1", "libfreetype6", "libpng16-16", "zlib1g", "libbrotli1",
    "rsync", "libacl1", "libpopt0", "liblz4-1", "libzstd1", "libxxhash0",
    "libssl3", "e2fsprogs", "libext2fs2", "libcom-err2", "libss2",
    "libuuid1", "libblkid1",
]
PROGRAMS = ["usr/sbin/grub-install", "usr/sbin/grub-probe",
            "usr/lib/grub/i386-pc/grub-bios-setup", "usr/bin/grub-mkimage",
            "usr/bin/grub-editenv", "usr/bin/rsync", "sbin/e2fsck"]
MODULES = [
    r"kernel/drivers/(ata|nvme|virtio)/",
    r"kernel/drivers/scsi/(sd_mod|sr_mod|scsi_mod|virtio_scsi|sym53c8xx_2|"
    r"mptspi|megaraid)",
    r"kernel/drivers/block/virtio_blk", r"kernel/drivers/net/virtio_net",
    r"kernel/drivers/net/ethernet/intel/(e1000|e1000e)/",
    r"kernel/fs/(ext4|xfs|fat)/", r"kernel/fs/nls/nls_(ascii|cp437)",
    r"kernel/net/packet/", r"kernel/crypto/crc32c",
]
KERNEL = "linux-image-cloud-amd64"


def place_busybox(tree, root):
    os.makedirs(f"{root}/bin", exist_ok=True)
    shutil.copy(f"{tree}/bin/busybox", f"{root}/bin/busybox")
    for path in debs.output(f"{tree}/bin/busybox", "--list-full").split():
        target = f"{root}/{path}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if path != "linuxrc" and not os.path.lexists(target):
            os.symlink("/bin/busybox", target)


def place_programs(tree, root):
    for path in PROGRAMS:
        if not os.path.exists(f"{tree}/{path}"):
            continue
        os.makedirs(os.path.dirname(f"{root}/{path}"), exist_ok=True)
        if os.path.lexists(f"{root}/{path}"):
            os.unlink(f"{root}/{path}")
        shutil.copy(f"{tree}/{path}", f"{root}/{path}")
    have = [f"{tree}/{p}" for p in PROGRAMS if os.path.exists(f"{tree}/{p}")]
    for name, path in debs.libraries(tree, have).items():
        where = "lib64" if name.startswith("ld-linux") else \
            "lib/x86_64-linux-gnu"
        os.makedirs(f"{root}/{where}", exist_ok=True)
        shutil.copy(os.path.realpath(path), f"{root}/{where}/{name}")
    for platform in ("i386-pc", "x86_64-efi"):
        shutil.copytree(f"{tree}/usr/lib/grub/{platform}",
                        f"{root}/usr/lib/grub/{platform}",
                        ignore=shutil.ignore_patterns("monolithic"),
                        dirs_exist_ok=True)


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def place_files(root, version, recipe):
    for name, mode in (("inittab", 0o644), ("rc", 0o755), ("rc.stop", 0o755)):
        shutil.copy(f"{recipe}/files/{name}", f"{root}/etc/{name}")
        os.chmod(f"{root}/etc/{name}", mode)
    write(f"{root}/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    write(f"{root}/etc/group", "root:x:0:\ntty:x:5:\n")
    write(f"{root}/etc/shadow", "root:*:19000:0:99999:7:::\n", 0o600)
    write(f"{root}/etc/hostname", "tiny\n")
    write(f"{root}/etc/hosts", "127.0.0.1 localhost\n")
    write(f"{root}/etc/fstab", "")
    write(f"{root}/etc/issue", f"eDeploy role tiny {version}\n\n")
    write(f"{root}/etc/network/interfaces", "auto lo\niface lo inet loopback\n")
    write(f"{root}/usr/share/tiny/version", version + "\n")
    if version.endswith(".1"):
        # the next version, for upgrades: a file more, one less
        write(f"{root}/usr/share/tiny/new", "came with " + version + "\n")
    else:
        write(f"{root}/usr/share/tiny/old", "goes with the next version\n")


def make_initrd(tree, kernel, release, chosen, root, recipe):
    """The installed system's own: load what the disk needs, mount, go."""
    with tempfile.TemporaryDirectory() as work:
        for d in ("dev", "proc", "sys", "run", "root", "etc"):
            os.makedirs(f"{work}/{d}")
        place_busybox(tree, work)
        debs.copy_modules(kernel, chosen, release, work)
        shutil.copy(f"{recipe}/files/initrd-init", f"{work}/init")
        os.chmod(f"{work}/init", 0o755)
        cpio.write(work, f"{root}/boot/initrd.img-{release}")


def build(root, version, recipe, old=None):
    # its users are the same in all versions
    del old
    for d in ("dev", "proc", "sys", "run", "tmp", "root", "etc", "mnt", "boot",
              "home", "var/log", "var/lib", "var/tmp"):
        os.makedirs(f"{root}/{d}", exist_ok=True)
    for d in ("tmp", "var/tmp"):
        os.chmod(f"{root}/{d}", 0o1777)
    os.chmod(f"{root}/root", 0o700)
    os.symlink("/run", f"{root}/var/run")
    with tempfile.TemporaryDirectory() as work:
        tree, kernel = f"{work}/tree", f"{work}/kernel"
        debs.unpack(PACKAGES, tree)
        debs.unpack([debs.kernel_of(KERNEL)], kernel)
        place_busybox(tree, root)
        place_programs(tree, root)
        place_files(root, version, recipe)
        chosen, release = debs.modules(kernel, MODULES)
        debs.copy_modules(kernel, chosen, release, root)
        shutil.copy(f"{kernel}/boot/vmlinuz-{release}", f"{root}/boot/")
        make_initrd(tree, kernel, release, chosen, root, recipe)
