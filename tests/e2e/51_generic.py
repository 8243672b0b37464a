#!/usr/bin/env python3
"""The initrd of the kernel for any machine: PXE boots it, disks, network cards
and a management controller that no cloud has get their drivers, and its facts
arrive. ssh lets in
who has the key that was built in, and nobody else."""
import os
import re
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

CARDS = ["e1000e", "e1000", "vmxnet3", "rtl8139"]
CONTROLLERS = {"ahci": "ide-hd,bus=c0.0", "megasas": "scsi-hd,bus=c1.0",
               "mptsas1068": "scsi-hd,bus=c2.0,wwn=0x5000c500a0b0c0d0",
               "pvscsi": "scsi-hd,bus=c3.0"}
SCRIPT = "log('the script came')\n"


class Controller:
    """A management controller for QEMU's ipmi-bmc-extern: channel 1 is a LAN
    with an address. Each message is SEQ, NETFN << 2, CMD, data and a sum, and
    ends with A0; A1 ends a word about the line itself, AA escapes."""

    ANSWERS = {  # (netfn, cmd, data that it begins with): data
        (6, 0x01, b""): b"\x20\x01\x01\x00\x02\xbf\0\0\0\0\0",
        (6, 0x2e, b""): b"", (6, 0x2f, b""): b"\x00",
        (6, 0x30, b""): b"", (6, 0x31, b""): b"\x00",
        (6, 0x41, b"\x01"): b"\x02\x04",
        (6, 0x42, b"\x01"): b"\x01\x04\x01\x80\xf2\x1b\0\0\0",
        (12, 2, b"\x01\x03"): b"\x11\x0a\x09\x08\x07",
        (12, 2, b"\x01\x04"): b"\x11\x01"}

    def __init__(self, work):
        self.path = f"{work}/bmc"
        self.words = ["-chardev", f"socket,id=bmc,path={self.path},server=on,"
                      "wait=off", "-device",
                      "ipmi-bmc-extern,id=bmc0,chardev=bmc", "-device",
                      "isa-ipmi-kcs,bmc=bmc0"]

    def plug_in(self):
        """Once QEMU runs: it dies of one that is there before its device."""
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(self.path)
        threading.Thread(target=self.work, daemon=True).start()

    def reply(self, message):
        seq, netfn, cmd, data = (message[0], message[1] >> 2, message[2],
                                 message[3:-1])
        found = [a for (n, c, d), a in self.ANSWERS.items()
                 if (n, c) == (netfn, cmd) and data.startswith(d)]
        code = b"\x00" if found else b"\xcc"
        out = bytes([seq, (netfn | 1) << 2, cmd]) + code + b"".join(found)
        out += bytes([-sum(out) & 0xff])
        return b"".join(bytes([0xaa, b | 0x10]) if b in (0xa0, 0xa1, 0xaa)
                        else bytes([b]) for b in out) + b"\xa0"

    def work(self):
        message, escaped = b"", False
        while byte := self.line.recv(1):
            if byte == b"\xa0":
                self.line.sendall(self.reply(message))
            if byte in (b"\xa0", b"\xa1"):
                message = b""
            elif byte == b"\xaa":
                escaped = True
            else:
                message += bytes([byte[0] & ~0x10]) if escaped else byte
                escaped = False


def make_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path],
                   check=True)
    return path


def ssh(key, port, command):
    """(exit code, text) of a command on the machine."""
    p = subprocess.run(
        ["ssh", "-F", "none", "-i", key, "-p", str(port), "-o",
         "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o",
         "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
         "-o", "ConnectTimeout=60", "root@127.0.0.1", command],
        capture_output=True, text=True, timeout=120, check=False)
    return p.returncode, p.stdout + p.stderr


def devices(work):
    """Words for QEMU: a card and a disk of each kind."""
    argv = []
    for n, card in enumerate(CARDS, 1):
        argv += ["-netdev", f"user,id=n{n},net=10.{n}.0.0/24", "-device",
                 f"{card},netdev=n{n},romfile="]
    for n, (controller, disk) in enumerate(CONTROLLERS.items()):
        path = vm.Disk(work, f"c{n}", "1G").path
        argv += ["-device", f"{controller},id=c{n}", "-drive",
                 f"file={path},format=raw,if=none,id=d{n}", "-device",
                 f"{disk},drive=d{n}"]
    return argv


def facts_of(server):
    """{(class, name, property): value}"""
    return {tuple(f[:3]): f[3] for f in server.show().get("facts", [])}


def check_facts(t, facts):
    drivers = {v for k, v in facts.items() if k[2] == "driver"}
    for want in CARDS:
        found = want in drivers or want == "rtl8139" and "8139cp" in drivers
        t.check(f"{want} has its driver", found, drivers)
    addresses = sorted(v for k, v in facts.items() if k[2] == "ipv4")
    t.check("a card whose link takes its time has its address, too",
            addresses == [f"10.{n}.0.15" for n in range(1, 5)] +
            ["192.168.122.15"], addresses)
    disks = [k[1] for k in facts if k[0] == "disk" and k[2] == "size"]
    t.check("a disk behind each controller is a fact",
            sorted(disks) == ["sda", "sdb", "sdc", "sdd", "vda"], disks)
    t.check("its management controller is asked", facts.get(
        ("system", "ipmi", "channel")) == "1" and facts.get(
            ("ipmi", "lan", "ip-address")) == "10.9.8.7" and facts.get(
                ("ipmi", "lan", "ip-address-source")) == "Static Address",
            [k for k in facts if "ipmi" in k])
    t.check("the kernel is the one for any machine",
            re.fullmatch(r"6\.\d+\.\d+-\d+-amd64",
                         facts.get(("system", "kernel", "version"), "")),
            facts)


def check_ssh(t, port, key, other):
    code, text = ssh(key, port, "id -u; pidof edeploy-agent")
    t.check("ssh with the key that was built in",
            code == 0 and re.search(r"^0$", text, re.M), text)
    t.check("the agent lives beside it", re.search(r"^\d{2,}$", text, re.M),
            text)
    code, text = ssh(key, port, "ipmitool mc info")
    t.check("ipmitool reaches the management controller",
            code == 0 and re.search(r"IPMI Version +: 2\.0", text), text)
    code, text = ssh(other, port, "id -u")
    t.check("another key is refused", code == 255 and
            "Permission denied (publickey)" in text, (code, text))


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("generic")
    key, other = make_key(f"{work}/key"), make_key(f"{work}/other")
    began = time.monotonic()
    boot = vm.build_boot(programs, f"{work}/initrd", "--quick", "--kernel",
                         "linux-image-amd64", "--key", f"{key}.pub")
    t.show(f"built in {time.monotonic() - began:.0f} s")
    vm.example_site(f"{work}/site", script=lambda text: SCRIPT)
    server = vm.Edeployd(programs, f"{work}/site", boot, work, "")
    port = vm.free_port()
    tftp = vm.ipxe_menu(f"{work}/tftp", "g.ipxe", boot,
                        f"SERV={vm.HOST} HTTP_PORT={server.port} DEBUG=1")
    controller = Controller(work)
    m = vm.Vm(work, "generic", vm.Disk(work, "disk"), pxe="g.ipxe", tftp=tftp,
              forward=port, extra=devices(work) + controller.words)
    controller.plug_in()
    t.check("it says that ssh takes its key",
            m.expect(r"DEBUG=1: ssh for root with the key", 240), m.tail())
    t.check("the script comes", m.expect(r"the script came", 120), m.tail())
    t.check("DEBUG=1 keeps a failed machine on",
            m.expect(r"FAILED: .*set_role[^\n]*\n[^\n]*this console is yours",
                     60), m.tail())
    check_facts(t, facts_of(server))
    check_ssh(t, port, key, other)
    m.stop()
    return t.end()


sys.exit(main())
