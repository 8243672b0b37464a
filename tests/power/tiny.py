"""A disk that boots versions beside one another in seconds: busybox, a kernel
of Debian's, an initramfs that does what a distribution's does and no more, and
GRUB for BIOS and for UEFI."""
import os
import shutil
import subprocess

import cpio
import disk
import guest
import judge

MIB = 160
UUID = guest.UUID
GRUB_MODULES = ["part_msdos", "part_gpt", "ext2", "search", "search_fs_uuid",
                "normal", "configfile", "linux", "loadenv", "test", "echo",
                "sleep", "reboot"]
# a busy machine loses the ticks that the kernel looks for otherwise
ARGS = "console=ttyS0,115200 quiet panic=3 no_timer_check"

# As initramfs-tools: the root file system read only, dev, proc, sys and run
# handed over, init= honoured, panic= when there is no root.
INITRAMFS = """#!/bin/busybox sh
export PATH=/bin
mount() { busybox mount "$@"; }
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mount -t tmpfs run /run
for m in virtio_pci virtio_blk ext4 softdog; do busybox modprobe -q $m; done
for word in $(busybox cat /proc/cmdline); do
	case $word in
	root=UUID=*) root=${word#root=} ;;
	init=*) init=${word#init=} ;;
	esac
done
for n in 1 2 3 4; do
	device=$(busybox findfs "$root" 2>/dev/null) && break
	busybox sleep 0.5
done
if [ -n "$device" ] && mount -o ro "$device" /root; then
	for d in dev proc sys run; do mount --move /$d /root/$d; done
	exec busybox switch_root /root $init
fi
echo "NO ROOT at $root"
busybox sleep 1
busybox reboot -f
"""


def make_initramfs(path, work):
    root = f"{work}/initramfs"
    vmlinuz = guest.kernel_files(root)
    for name in ("proc", "sys", "dev", "run", "root"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    guest.write(f"{root}/init", INITRAMFS.encode(), 0o755)
    for other in ("xfs", "btrfs"):
        shutil.rmtree(f"{root}/lib/modules/{os.listdir(f'{root}/lib/modules')[0]}"
                      f"/kernel/fs/{other}", ignore_errors=True)
    cpio.write(root, path, "-1")
    return vmlinuz


def make_tree(programs, root, init, work):
    """A version whose init is this shell script."""
    guest.write(f"{root}/sbin/init", init.encode(), 0o755)
    for name in ("dev", "proc", "sys", "run", "edeploy", "etc", "tmp",
                 "var/lib/dpkg", "home", "usr/share"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    guest.write(f"{root}/var/lib/app/db", b"rows\n")
    os.makedirs(f"{root}/bin")
    os.makedirs(f"{root}/boot")
    vmlinuz = make_initramfs(f"{root}/boot/initrd", work)
    shutil.copy(vmlinuz, f"{root}/boot/vmlinuz")
    shutil.copy(f"{work}/initramfs/bin/busybox", f"{root}/bin/busybox")
    os.symlink("busybox", f"{root}/bin/sh")
    shutil.copy(f"{programs}/tests/power/play", f"{root}/bin/play")


def clone(top, old, new):
    """Hard links, as an upgrade shares what is equal."""
    shutil.copytree(f"{top}/edeploy/roots/{old}", f"{top}/edeploy/roots/{new}",
                    symlinks=True, copy_function=os.link)


def replace(path, data, mode=0o644):
    os.unlink(path)
    guest.write(path, data, mode)


def head(tools, work):
    """What precedes the partition: boot.img and a core.img."""
    with open(f"{work}/early.cfg", "w") as f:
        f.write(f"search --no-floppy --fs-uuid --set=root {UUID}\n"
                "set prefix=($root)/edeploy/grub\n")
    lib = f"{tools.top}/usr/lib/grub/i386-pc"
    tools.run("grub-mkimage", "-O", "i386-pc", "-d", lib, "-p",
              "/edeploy/grub", "-c", f"{work}/early.cfg", "-o",
              f"{work}/core.img", "biosdisk", *GRUB_MODULES)
    with open(f"{lib}/boot.img", "rb") as f:
        boot = f.read(512)
    with open(f"{work}/core.img", "rb") as f:
        core = f.read()
    assert len(core) < (disk.MARK - 1) * disk.SECTOR
    return boot + core


def esp(tools, work):
    """A folder for QEMU to show as an ESP."""
    place = f"{work}/esp/EFI/BOOT"
    os.makedirs(place)
    tools.run("grub-mkimage", "-O", "x86_64-efi", "-d",
              f"{tools.top}/usr/lib/grub/x86_64-efi", "-p", "/edeploy/grub",
              "-c", f"{work}/early.cfg", "-o", f"{place}/BOOTX64.EFI",
              *GRUB_MODULES)
    return f"{work}/esp"


def make_file_system(tools, path):
    with open(path, "wb") as f:
        f.truncate(MIB << 20)
    tools.run("mke2fs", "-q", "-F", "-t", "ext4", "-U", UUID, path)


def play(programs, *words):
    subprocess.run([f"{programs}/tests/power/play", *words], check=True)


def mounted(image, at):
    return judge.Mount("ext4", image, at)
