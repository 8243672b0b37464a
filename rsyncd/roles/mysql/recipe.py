"""The role `mysql`: Debian 12 with MariaDB, by mmdebstrap. Nobody can log in
before a configure script sets a password, and no secret or identity (ssh host
keys, machine id) is in the tree: every machine that gets it is another one."""
import os
import shlex

import debs

PACKAGES = [
    "mariadb-server",
    "systemd-sysv", "udev", "kmod", "dbus", "procps",
    "linux-image-cloud-amd64", "initramfs-tools", "zstd", "e2fsprogs",
    # grub-pc would ask on which disk: the agent knows
    "grub-pc-bin", "grub-efi-amd64-bin", "grub2-common",
    "ifupdown", "iproute2", "isc-dhcp-client", "iputils-ping", "netbase",
    "rsync",  # for edeploy upgrade
    "ca-certificates", "less", "vim-tiny",
]
# Documentation and translations are half of the files.
WITHOUT = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*",
           "/usr/share/locale/*", "/usr/share/lintian/*"]
GRUB = """# Read by grub-mkconfig; edeploy adds boot arguments below.
GRUB_DEFAULT=0
GRUB_TIMEOUT=1
GRUB_DISTRIBUTOR=eDeploy
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX=""
GRUB_TERMINAL="console serial"
GRUB_DISABLE_OS_PROBER=true
"""
# The initramfs is made before there is an fstab that names the root's type, and
# where versions stand beside one another nobody else checks the root.
INITRAMFS = ('mkdir -p "$1/etc/initramfs-tools/conf.d" && echo FSTYPE=ext4 '
             '>"$1/etc/initramfs-tools/conf.d/edeploy"')
# Of each file in the initramfs: the same packages make the same one, so that a
# version that changes an application alone starts as the one before it did, and
# needs no boot to be proved.
INITRAMFS_TIME = "1"
# What a first boot makes anew, and what only the building machine had.
FRESH = ["etc/machine-id", "var/lib/dbus/machine-id", "etc/hostname",
         "etc/resolv.conf", "var/lib/systemd/random-seed"]


def sources():
    """The Debian sources of this machine's apt, as mmdebstrap reads them."""
    text = debs.output(
        "apt-get", "indextargets", "--format",
        "$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)",
        "Created-By: Packages")
    lines = sorted({line for line in text.splitlines()
                    if line.startswith("Debian ")})
    if not lines:
        raise debs.Failed("apt knows no Debian source: run apt-get update")
    return "".join("deb [signed-by=/usr/share/keyrings/debian-archive-keyring"
                   f".gpg] {line[len('Debian '):]}\n" for line in lines)


def bootstrap(root, recipe, old):
    argv = ["env", f"SOURCE_DATE_EPOCH={INITRAMFS_TIME}",
            "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase",
            "--include=" + ",".join(PACKAGES),
            '--aptopt=APT::Install-Recommends "false"',
            "--dpkgopt=force-unsafe-io"]
    argv += [f"--dpkgopt=path-exclude={p}" for p in WITHOUT]
    argv += [f"--essential-hook={INITRAMFS}"]
    if old:
        # before the packages that would make users of their own
        seed = os.path.normpath(f"{recipe}/../../seed-ids")
        argv += [f'--essential-hook={shlex.quote(seed)} '
                 f'{shlex.quote(os.path.abspath(old))} "$1"']
    argv += ["bookworm", root, "-"]
    code, said = debs.patient(argv, sources())
    if code:
        raise debs.Failed("mmdebstrap: " + said[-2000:])


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def build(root, version, recipe, old=None):
    os.chmod(root, 0o755)
    bootstrap(root, recipe, old)
    for path in FRESH:
        if os.path.lexists(f"{root}/{path}"):
            os.unlink(f"{root}/{path}")
    # empty: systemd makes one at the first boot
    write(f"{root}/etc/machine-id", "", 0o444)
    write(f"{root}/etc/default/grub", GRUB)
    write(f"{root}/etc/fstab", "")
    write(f"{root}/etc/issue", f"eDeploy role mysql {version} \\n \\l\n\n")
    # the sources of this machine could be a mirror that only it reaches
    write(f"{root}/etc/apt/sources.list",
          "deb http://deb.debian.org/debian bookworm main\n"
          "deb http://deb.debian.org/debian bookworm-updates main\n"
          "deb http://deb.debian.org/debian-security bookworm-security main\n")
    os.chmod(root, 0o755)
