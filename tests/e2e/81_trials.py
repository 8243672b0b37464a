#!/usr/bin/env python3
"""81_trials.py BUILD [NAME...]: versions on trial that fail in each way there
is: the machine comes back to the good one by itself, and says why. Really
booted, by GRUB for BIOS and for UEFI; the disk is made offline, by the
functions that installations use. With names, those alone:
of falls, "noise", "well"."""
import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, f"{HERE}/../power"]
import vm  # noqa: E402
import cuts  # noqa: E402
import tiny  # noqa: E402
import tools  # noqa: E402

FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
BOOTS_S = 600

# The same for all versions: it proves itself, as a distribution's unit does,
# says which one it is, and a shell waits.
INIT = """#!/bin/sh
export PATH=/bin:/sbin
busybox stty -echo 2>/dev/null
for w in $(busybox cat /proc/cmdline); do
	case $w in edeploy.root=*) me=${w#edeploy.root=} ;; esac
done
edeploy prove --wait
echo "@UP $me."
exec busybox sh
"""
REBOOT = b"#!/bin/sh\nexec /bin/busybox reboot -f\n"
NEVER = b"#!/bin/sh\necho the rows are not there\nexit 7\n"


def dying(root):
    tiny.replace(f"{root}/sbin/init", b"#!/bin/sh\nexit 1\n", 0o755)


def hanging(root):
    tiny.replace(f"{root}/sbin/init", b"#!/bin/sh\nexec /bin/busybox sleep "
                 b"99999\n", 0o755)


def unwell(root):
    tiny.guest.write(f"{root}/etc/edeploy/health.d/rows", NEVER, 0o755)


# version, how often it is started, what is done to it, and what `edeploy
# status` of the good one then says of it
FALLS = [
    ("no-init", 2, lambda r: os.unlink(f"{r}/sbin/init"),
     r"failed: \S*/no-init has no /sbin/init"),
    ("dies", 2, dying, r"failed: started as often as allowed"),
    ("no-kernel", 2, lambda r: os.unlink(f"{r}/boot/vmlinuz"),
     r"failed: GRUB could not load its kernel or initrd"),
    ("garbage", 2,
     lambda r: tiny.replace(f"{r}/boot/initrd", b"garbage" * 9999),
     r"failed: its kernel started and never got"),
    ("elsewhere", 2, lambda r: None,
     r"failed: its kernel started and never got"),
    ("hangs", 1, hanging, r"failed: started as often as allowed"),
    ("unwell", 1, unwell,
     r"failed: started as often as allowed"),
]
MORE_ARGS = {
    "elsewhere": " root=UUID=00000000-0000-4000-8000-000000000000",
    "hangs": " edeploy.watchdog=8",
}


def make_good(programs, root, work):
    tiny.make_tree(programs, root, INIT, work)
    shutil.copy(f"{programs}/edeploy", f"{root}/bin/edeploy")
    tiny.guest.write(f"{root}/sbin/reboot", REBOOT, 0o755)
    tiny.guest.write(f"{root}/var/lib/edeploy/conf",
                     b"VERS=A\nROLE=app\nRSERV=10.0.2.2\nRSERV_PORT=873\n"
                     b"PROVE_S=1\n")


def fill(programs, top, work):
    """The good version A, one that is well, and those that fall."""
    roots = f"{top}/edeploy/roots"
    make_good(programs, f"{roots}/A", work)
    versions = ["A", "well"] + [name for name, *_ in FALLS]
    for name in versions[1:]:
        tiny.clone(top, "A", name)
    for name in versions:
        # an operator says nothing of panics
        tiny.play(programs, "add", top, name,
                  tiny.ARGS.replace(" panic=3", "") + MORE_ARGS.get(name, ""))
    for name, _, spoil, _ in FALLS:
        spoil(f"{roots}/{name}")
    tiny.play(programs, "install", top, tiny.UUID, "ext2",
              f"{programs}/edeploy-init", "A")


def make_disk(programs, work):
    t, disk = tools.Tools(), vm.Disk(work, "disk", "0G")
    tiny.make_file_system(t, f"{work}/fs")
    with tiny.mounted(f"{work}/fs", f"{work}/mnt") as top:
        fill(programs, top, work)
    tiny.guest.make_disk(f"{work}/fs", disk.path, tiny.head(t, work))
    tiny.esp(t, work)
    return disk


def up(t, m, what, version):
    """It is entered, and a shell waits."""
    t.check(what, m.expect(rf"@UP {version}\.", BOOTS_S) and
            m.expect(r"[#$] ", 30), m.tail())


def says(t, m, what, command, pattern):
    said = m.run("echo; " + command) or ""  # what is typed is not echoed
    t.check(what, re.search(pattern, said, re.S), said or m.tail())


def wrapped(words):
    return words.replace(" ", r"\s+")


def arm(m, version, starts):
    m.send(f"play arm '' {version} {starts} && busybox reboot -n -f\n")


def falls(t, m, chosen):
    for name, starts, _, why in chosen:
        arm(m, name, starts)
        up(t, m, f"{name}: back to the good version", "A")
        says(t, m, f"{name}: edeploy status says why", "edeploy status",
             rf"running +A\n.*next boot +A\n.*{name} .*{wrapped(why)}")
    says(t, m, "edeploy history tells all of them", "edeploy history", ".*".join(
        rf"fell +{name}\s.*{wrapped(why)}" for name, _, _, why in chosen))
    if "unwell" in [name for name, *_ in chosen]:
        says(t, m, "and what the health check said", "edeploy history",
             wrapped(r"not well after 1 s: \S*/rows: exit 7: the rows are"))


def stale(t, m):
    m.send("play hide '' well && busybox reboot -n -f\n")
    t.check("a boot.cfg that GRUB did not see: once more",
            m.expect(r"GRUB read an older boot.cfg", BOOTS_S), m.tail())
    up(t, m, "and the trial that was meant is entered", "well")
    says(t, m, "nobody is said to have failed, and it proved itself",
         "busybox cat /edeploy/boot.cfg /edeploy/log",
         r"good=well\nset ed_prev=A\nset ed_try=\n(?!.*Z well failed)")
    says(t, m, "the watchdog that was started for it is stopped",
         "busybox cat /sys/class/watchdog/watchdog0/state; "
         "busybox ls /run/edeploy", r"\Ainactive\n(?!watchdog)")


def damaged(t, m):
    """With a trial that waits, which is forgotten."""
    m.send("play arm '' well 2; busybox dd if=/dev/urandom of=/edeploy/boot.cfg"
           " bs=512 count=1 conv=notrunc,fsync; busybox reboot -n -f\n")
    up(t, m, "a boot.cfg of noise: the good version is entered", "A")
    says(t, m, "and is made anew", "edeploy status; edeploy history",
         r"good +A\nnext boot A\n.*" +
         wrapped("boot.cfg was damaged, and is made anew"))


def bios(t, work, disk, chosen, names):
    m = vm.Vm(work, "bios", disk, memory=256)
    up(t, m, "BIOS: the good version is entered", "A")
    if chosen:
        falls(t, m, chosen)
    if not names or "noise" in names:
        damaged(t, m)
    if not names or "well" in names:
        stale(t, m)
    if not names:
        m.send("play arm '' A 2 && busybox poweroff -f\n")
        t.check("off", m.wait_off(60), m.tail())
    m.stop()


def uefi(t, work, disk):
    variables = shutil.copy(VARIABLES, f"{work}/uefi.vars")
    # OVMF connects the disks alone that it may start from
    m = vm.Vm(work, "uefi", disk, memory=512, index=2, extra=[
        "-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}",
        "-drive", f"if=pflash,format=raw,file={variables}",
        "-drive", f"file=fat:{work}/esp,format=raw,if=none,id=esp,"
        "readonly=on", "-device", "virtio-blk-pci,drive=esp,bootindex=1"])
    up(t, m, "UEFI: the way back is a trial like any other", "A")
    says(t, m, "and is proved", "edeploy status",
         r"running +A\ngood +A\nprevious +well\n")
    m.send("busybox rm /edeploy/roots/well/boot/vmlinuz\n")
    arm(m, "well", 2)
    up(t, m, "UEFI: back from a trial without a kernel", "A")
    says(t, m, "UEFI: edeploy status says why", "edeploy status",
         r"running +A\n.*well .*" + wrapped("failed: GRUB could not load"))
    m.stop()


def main():
    if not vm.ROOT:
        os.execvp("sudo", vm.as_root(
            "env", f"EDEPLOY_CACHE={vm.TREES}", f"PATH={os.environ['PATH']}",
            sys.executable, *sys.argv))
    cuts.own_mounts()
    # a build of static programs alone, or the one beside
    programs = os.path.abspath(sys.argv[1])
    if not os.path.exists(f"{programs}/tests/power/play"):
        programs = vm.programs_of(programs)
    t, work = vm.Tap(), vm.work_dir("trials")
    disk = make_disk(programs, work)
    names = sys.argv[2:]
    chosen = [f for f in FALLS if not names or f[0] in names]
    bios(t, work, disk, chosen, names)
    if not names:
        uefi(t, work, disk)
    return t.end()


sys.exit(main())
