#!/usr/bin/env python3
"""A machine whose firmware is UEFI: the agent says that it cannot make a disk
for it before it writes anything, and one that is installed gets to its disk,
past the network that comes first."""
import json
import os
import secrets
import shutil
import sys
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../setup"))
import debs  # noqa: E402
import vm  # noqa: E402

FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
GRUB = "usr/lib/grub/x86_64-efi/monolithic/grubx64.efi"


def power_on(run, name, disk, extra=()):
    """Its network first, then a disk if `extra` brings one. The firmware's
    own ways to boot by IPv6, which nothing here answers, wait for minutes."""
    variables = shutil.copy(VARIABLES, f"{run['work']}/{name}.vars")
    return vm.Vm(run["work"], name, disk, pxe=run["url"], memory=1536,
                 nic=",bootindex=1", extra=[
                     "-drive", f"if=pflash,format=raw,readonly=on,"
                     f"file={FIRMWARE}", "-drive",
                     f"if=pflash,format=raw,file={variables}", "-fw_cfg",
                     "name=opt/org.tianocore/IPv6PXESupport,string=no",
                     *extra])


def refused(t, run):
    disk = vm.Disk(run["work"], "disk")
    before = disk.sha256()
    m = power_on(run, "refused", disk)
    t.check("UEFI: the console says why",
            m.expect(r"FAILED: this machine was started by UEFI", 400),
            m.tail())
    t.check("UEFI: it halts", m.wait_off(60), m.tail())
    m.stop()
    t.check("UEFI: not a byte of the disk changed", disk.sha256() == before)
    shown = run["server"].show()
    t.check("UEFI: failed, with the reason", shown.get("condition") == "failed"
            and "UEFI" in (shown.get("reason") or ""), shown)


def post(run, path, body, **headers):
    url = f"http://127.0.0.1:{run['server'].port}{path}"
    return urllib.request.urlopen(urllib.request.Request(
        url, json.dumps(body).encode(), headers))


def call_installed(t, run):
    """As if an installation had ended well: what a UEFI machine cannot do
    today."""
    name = secrets.token_hex(16)
    with post(run, "/v1/upload", run["server"].show()["facts"], **{
            "Edeploy-Run": name, "Content-Type": "application/json"}) as r:
        token = r.headers["Edeploy-Token"]
    event = {"n": 1, "at": 1, "kind": "done", "action": "reboot"}
    post(run, f"/v1/runs/{name}/events", {"events": [event]}, **{
        "Edeploy-Token": token}).close()
    shown = run["server"].show()
    t.check("UEFI: it counts as installed",
            shown.get("condition") == "installed", shown)


def esp(work):
    """Words for QEMU: a disk with GRUB for UEFI, which has a word to say."""
    debs.unpack(["grub-efi-amd64-bin"], f"{work}/tree")
    os.makedirs(f"{work}/esp/EFI/BOOT")
    os.makedirs(f"{work}/esp/EFI/debian")
    shutil.copy(f"{work}/tree/{GRUB}", f"{work}/esp/EFI/BOOT/BOOTX64.EFI")
    with open(f"{work}/esp/EFI/debian/grub.cfg", "w") as f:
        f.write("echo this is the disk of $grub_platform\n")
    return ["-drive", f"file=fat:{work}/esp,format=raw,if=none,id=esp,"
            "readonly=on", "-device", "virtio-blk-pci,drive=esp,bootindex=2"]


def to_disk(t, run):
    m = power_on(run, "installed", vm.Disk(run["work"], "other"),
                 esp(run["work"]))
    t.check("UEFI: an installed machine is told so by its first boot loader",
            m.expect(r"eDeploy: this machine is installed, booting its disk",
                     300), m.tail())
    t.check("UEFI: and its firmware goes on to the disk",
            m.expect(r"this is the disk of efi", 400), m.tail())
    m.stop()


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("uefi")
    vm.example_site(f"{work}/site")
    server = vm.Edeployd(programs, f"{work}/site", vm.boot_files(programs),
                         work, "ONFAILURE=halt console=ttyS0,115200")
    run = {"work": work, "server": server,
           "url": f"http://{vm.HOST}:{server.port}/boot.ipxe"}
    refused(t, run)
    call_installed(t, run)
    to_disk(t, run)
    return t.end()


sys.exit(main())
