#!/usr/bin/env python3
"""40_names.py BUILD [--capture DIR]: the names that the agent computes from
sysfs against those that Debian's own udev makes, in the same guest: two
machines between them have disks on virtio, AHCI, IDE, virtio-scsi, parallel
SCSI, SAS, NVMe and USB. With --capture, the guests' sysfs is written to
DIR/NAME.tree, where the fixtures of tests/agent come from."""
import glob
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
from tap import check, end  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
CACHE = os.environ.get("EDEPLOY_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "edeploy")
UDEV = ["udev", "libudev1", "libkmod2", "libblkid1", "libselinux1", "libcap2",
        "libacl1", "libc6", "kmod", "libzstd1", "liblzma5", "libssl3",
        "libpcre2-8-0"]
MODULES = ["ahci", "ata_piix", "sd_mod", "sr_mod", "virtio_pci", "virtio_blk",
           "virtio_scsi", "virtio_net", "sym53c8xx", "nvme", "megaraid_sas",
           "mptsas", "xhci_pci", "usb-storage", "uas", "cdc_ether",
           "e1000", "e1000e"]
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
echo 0 > /proc/sys/kernel/printk
for m in %s; do modprobe $m; done
/lib/systemd/systemd-udevd --daemon
udevadm trigger --action=add
udevadm settle
for wait in 1 2 3 4 5 6 7 8 9 10; do
	[ $(ls /dev/disk/by-path | grep -v part | wc -l) -ge %d ] && break
	sleep 1
	udevadm settle
done
for d in by-path by-id; do
	for l in /dev/disk/$d/*; do
		echo "@UDEV $d ${l##*/} $(basename $(readlink $l))"
	done
done
echo @FACTS
/bin/edeploy-agent detect
echo @NOTES $?
echo @TREE
/bin/capture
echo @MOVED
for n in /sys/class/net/e*; do
	[ $(cat $n/address) != %s ] || ip link set ${n##*/} address %s
done
/bin/edeploy-agent detect
echo @END
poweroff -f
"""

SMBIOS = [
    "type=0,vendor=EDK,version=1.2,date=01/02/2026",
    "type=1,manufacturer=Example Corp,product=Box 9000,version=A1,"
    "serial=SN-0001,sku=654081-B21",
    "type=2,manufacturer=Example Boards,product=Board X,version=B2,"
    "serial=BRD-7",
    "type=17,manufacturer=Chips,serial=MEM-1,part=P-4",
]
FIRST_MAC, OTHER_MAC = "52:54:00:aa:00:01", "02:00:00:00:00:99"
UUID = "7e5f1a90-2f7b-4d0e-9f0a-0123456789ab"

# name: machine, devices (a device with "drive" gets a disk of its own), the
# number of by-path names to wait for.
MACHINES = {
    "q35": ("q35", 15, [
        "virtio-net-pci,netdev=n0,mac=52:54:00:aa:00:01",
        "e1000e,netdev=n1,mac=52:54:00:aa:00:02",
        "qemu-xhci,id=xhci",
        "usb-net,bus=xhci.0,netdev=n2,mac=52:54:00:aa:00:03",
        "virtio-blk-pci,drive,serial=VIRTIO-1",
        "virtio-blk-pci,drive",
        "ide-hd,drive,bus=ide.0,serial=ATA 01,wwn=0x5000c500a1b2c3d4",
        "ide-hd,drive,bus=ide.3,model=A Long Model Name Of A Disk/X",
        "ide-cd,bus=ide.1",
        "virtio-scsi-pci,id=vs",
        "scsi-hd,drive,bus=vs.0,scsi-id=0,lun=0,serial=SCSI-5,"
        "wwn=0x5000c500aabbccdd",
        "scsi-hd,drive,bus=vs.0,scsi-id=3,lun=1,serial=SCSI-6",
        "scsi-cd,bus=vs.0,scsi-id=5",
        "pcie-root-port,id=rp1,chassis=1",
        "nvme,bus=rp1,drive,serial=NVME-7",
        "nvme,id=nv8,serial=NVME 8",
        "nvme-ns,bus=nv8,drive,nsid=5,eui64=0x0025385a01b2c3d4",
        "usb-storage,bus=xhci.0,drive,serial=USB-9",
    ]),
    "pc": ("pc", 9, [
        "e1000,netdev=n0,mac=52:54:00:bb:00:01",
        "ide-hd,drive,bus=ide.0,unit=0,serial=PATA-1",
        "ide-hd,drive,bus=ide.0,unit=1,serial=PATA-2,wwn=0x5000c50000000002",
        "ide-cd,bus=ide.1,unit=0",
        "lsi53c895a,id=lsi",
        "scsi-hd,drive,bus=lsi.0,scsi-id=2,lun=0,serial=LSI-3,"
        "device_id=Some  Id",
        "megasas,id=mega",
        "scsi-hd,drive,bus=mega.0,scsi-id=1,serial=MEGA-4,"
        "wwn=0x6000c50000000004",
        "mptsas1068,id=mpt,sas_address=0x5000c50000000100",
        "scsi-hd,drive,bus=mpt.0,scsi-id=3,serial=SAS-5,"
        "wwn=0x5000c50000000005",
        "scsi-hd,drive,bus=mpt.0,scsi-id=4,serial=SAS-6,"
        "wwn=0x5000c50000000006",
    ]),
}


def sh(*argv, **more):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE,
                          text=True, **more).stdout


def fetch():
    """Folder with k/ (generic kernel) and u/ (udev), made once a version."""
    text = sh("apt-cache", "depends", "linux-image-amd64")
    kernel = re.search(r"Depends: (linux-image-\S+)", text).group(1)
    place = f"{CACHE}/names-{kernel}"
    if os.path.exists(f"{place}/whole"):
        return place, kernel[len("linux-image-"):]
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(f"{place}/deb")
    subprocess.run(["apt-get", "-q", "download", kernel, *UDEV], check=True,
                   cwd=f"{place}/deb", stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    for deb in glob.glob(f"{place}/deb/*.deb"):
        tree = "k" if os.path.basename(deb).startswith("linux-") else "u"
        sh("dpkg-deb", "-x", deb, f"{place}/{tree}")
    sh("/sbin/depmod", "-b", f"{place}/k", kernel[len("linux-image-"):])
    shutil.rmtree(f"{place}/deb")
    open(f"{place}/whole", "w").close()
    return place, kernel[len("linux-image-"):]


def modules(place, release):
    """Files of MODULES and what they need."""
    files = set()
    for m in MODULES:
        p = subprocess.run(["/sbin/modprobe", "-d", f"{place}/k", "-S",
                            release, "--show-depends", m],
                           stdout=subprocess.PIPE, text=True)
        files |= {x.split()[1] for x in p.stdout.splitlines()
                  if x.startswith("insmod")}
    return [os.path.relpath(f, f"{place}/k") for f in files]


def make_initrd(place, release, agent, wanted, out):
    with tempfile.TemporaryDirectory() as d:
        shutil.copytree(f"{place}/u", d, symlinks=True, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("share"))
        for sub in ("bin", "proc", "sys", "dev", "run", "usr/share/misc"):
            os.makedirs(f"{d}/{sub}", exist_ok=True)
        shutil.copy("/bin/busybox", f"{d}/bin/busybox")
        shutil.copy(agent, f"{d}/bin/edeploy-agent")
        shutil.copy(f"{TOP}/tests/agent/fixtures/capture", f"{d}/bin/capture")
        lib = f"lib/modules/{release}"
        index = glob.glob(f"{place}/k/{lib}/modules.*")
        for f in modules(place, release) + [
                os.path.relpath(x, f"{place}/k") for x in index]:
            os.makedirs(os.path.dirname(f"{d}/{f}"), exist_ok=True)
            shutil.copy(f"{place}/k/{f}", f"{d}/{f}")
        with open(f"{d}/init", "w") as f:
            f.write(INIT % (" ".join(MODULES), wanted, FIRST_MAC, OTHER_MAC))
        os.chmod(f"{d}/init", 0o755)
        names = sh("find", ".", cwd=d)
        cpio = subprocess.run(["/bin/busybox", "cpio", "-o", "-H", "newc"], cwd=d,
                              input=names.encode(), check=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout
    with gzip.open(out, "wb", compresslevel=1) as f:
        f.write(cpio)


def boot(place, release, work, machine, devices):
    """What the guest said on its console."""
    argv = ["qemu-system-x86_64", "-M", machine, "-accel", "tcg", "-m", "1024",
            "-smp", "4,sockets=2,cores=2", "-nographic", "-no-reboot",
            "-nodefaults", "-serial", "stdio", "-uuid", UUID,
            "-kernel", f"{place}/k/boot/vmlinuz-{release}",
            "-initrd", f"{work}/initrd", "-append",
            "console=ttyS0 quiet rdinit=/init"]
    for s in SMBIOS:
        argv += ["-smbios", s]
    for i in range(3):
        if any(f"netdev=n{i}," in d for d in devices):
            argv += ["-netdev", f"user,id=n{i},restrict=on"]
    for i, d in enumerate(devices):
        if ",drive" in d:
            path = f"{work}/{machine}{i}.img"
            with open(path, "w") as f:
                f.truncate(1 << 30)
            argv += ["-drive", f"file={path},format=raw,if=none,id=d{i}"]
            d = d.replace(",drive", f",drive=d{i}")
        argv += ["-device", d]
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=300,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return p.stdout.decode(errors="replace").replace("\r", "")


def section(text, start, end):
    return text[text.index(start) + len(start):text.index(end)]


def udev_names(text):
    """{(directory, disk): set of names}"""
    names = {}
    for directory, name, disk in re.findall(r"^@UDEV (\S+) (\S+) (\S+)$",
                                            text, re.M):
        names.setdefault((directory, disk), set()).add(name)
    return names


def legacy(name):
    """by-path names that udev keeps only for old files."""
    return name.startswith("virtio-pci-") or re.search(r"-ata-\d+$", name)


def compare(which, facts, udev):
    disks = [f[1] for f in facts if f[0] == "disk" and f[2] == "size"]
    given = sum(",drive" in d for d in MACHINES[which][2])
    check(f"{which}: {given} disks", len(disks) == given, disks)
    seen = {d for (_, d) in udev if not d.startswith("sr")}
    check(f"{which}: the disks that udev has", set(disks) == seen,
          f"{disks} {sorted(seen)}")
    for d in disks:
        ours = {f[3] for f in facts if f[1] == d and f[2] == "by-path"}
        theirs = {n for n in udev.get(("by-path", d), ()) if not legacy(n)}
        check(f"{which}: by-path of {d} is udev's", ours and ours == theirs,
              f"{ours} {theirs}")
        ours = {f[3] for f in facts if f[1] == d and
                f[2] in ("id", "wwn-id", "scsi-id")}
        theirs = {n for n in udev.get(("by-id", d), ())
                  if not n.startswith("usb-")}
        check(f"{which}: by-id of {d} is udev's", ours == theirs,
              f"{ours} {theirs}")


def fact(facts, *head):
    return [f[3] for f in facts if tuple(f[:3]) == head]


def firmware(which, facts):
    for head, value in [
            (("system", "product", "serial"), "SN-0001"),
            (("system", "product", "name"), "Box 9000 (654081-B21)"),
            (("system", "product", "uuid"), UUID),
            (("system", "motherboard", "serial"), "BRD-7"),
            (("firmware", "bios", "vendor"), "EDK"),
            (("memory", "total", "size"), str(1 << 30)),
            (("memory", "bank:0", "serial"), "MEM-1"),
            (("cpu", "physical", "number"), "2"),
            (("cpu", "logical", "number"), "4")]:
        check(f"{which}: {head} is {value}", fact(facts, *head) == [value],
              fact(facts, *head))


def cards(facts):
    """By its address: driver, businfo and permanent-serial."""
    for n, driver, bus in [("1", "virtio_net", "virtio@"),
                           ("2", "e1000e", "pci@0000:"),
                           ("3", "cdc_ether", "usb@")]:
        mac = f"52:54:00:aa:00:0{n}"
        name = [f[1] for f in facts
                if f[2] == "permanent-serial" and f[3] == mac]
        check(f"permanent-serial {mac} once", len(name) == 1, name)
        for f in name[:1]:
            check(f"{mac} has driver {driver}",
                  fact(facts, "network", f, "driver") == [driver],
                  fact(facts, "network", f, "driver"))
            said = fact(facts, "network", f, "businfo")
            check(f"{mac} is on {bus}",
                  len(said) == 1 and said[0].startswith(bus), said)


def moved(facts):
    """An address that was changed does not change who the machine is."""
    name = [f[1] for f in facts if f[2] == "serial" and f[3] == OTHER_MAC]
    check(f"serial is the changed address {OTHER_MAC}", len(name) == 1, name)
    for f in name[:1]:
        said = fact(facts, "network", f, "permanent-serial")
        check(f"permanent-serial is still {FIRST_MAC}", said == [FIRST_MAC],
              said)


def one(which, place, release, agent, capture):
    machine, wanted, devices = MACHINES[which]
    with tempfile.TemporaryDirectory() as work:
        make_initrd(place, release, agent, wanted, f"{work}/initrd")
        text = boot(place, release, work, machine, devices)
    whole = "@END" in text
    check(f"{which}: the guest told all", whole, text[-2000:])
    if not whole:
        return
    facts = json.loads(section(text, "@FACTS\n", "@NOTES"))
    compare(which, facts, udev_names(text))
    firmware(which, facts)
    if which == "q35":
        cards(facts)
        moved(json.loads(section(text, "@MOVED\n", "@END")))
    if capture:
        with open(f"{capture}/{which}.tree", "w") as f:
            f.write(section(text, "@TREE\n", "@MOVED"))


def main():
    agent = os.environ.get("EDEPLOY_AGENT", f"{TOP}/build/edeploy-agent")
    capture = None
    if "--capture" in sys.argv:
        capture = sys.argv[sys.argv.index("--capture") + 1]
    place, release = fetch()
    for which in MACHINES:
        one(which, place, release, agent, capture)
    return end()


sys.exit(main())
