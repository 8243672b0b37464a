#!/usr/bin/env python3
"""The server of docs/operations.md in a network of its own: dnsmasq with the
guide's configuration, edeployd at its address and port, and a machine whose
firmware knows nothing but DHCP. Its files, too, are the guide's."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

MAC = "52:54:00:aa:00:01"
TFTP = "/srv/tftp"


def guide():
    """Blocks of the guide, by the text in front of them."""
    with open(f"{vm.TOP}/docs/operations.md") as f:
        text = f.read()
    found, before, block = {}, "", []
    for line in text.splitlines() + ["end"]:
        if line.startswith("    "):
            block.append(line[4:])
        elif not line and block:
            block.append("")
        elif line or block:
            if block:
                found[before] = "\n".join(block).strip("\n") + "\n"
            block, before = [], line
    return found


def block_behind(blocks, words):
    fit = [b for before, b in blocks.items() if before.endswith(words)]
    assert len(fit) == 1, f"{words!r} stands before {len(fit)} blocks"
    return fit[0]


def make_network():
    """The machine's card is the other end of eth1."""
    for command in ("link set lo up", "tuntap add eth1 mode tap",
                    "addr add 10.20.0.1/24 dev eth1", "link set eth1 up"):
        subprocess.run(["ip", *command.split()], check=True)


def start_dnsmasq(work, config):
    os.makedirs(f"{work}/tftp")
    with open(f"{work}/tftp/undionly.kpxe", "w") as f:
        f.write("iPXE\n")
    os.chmod(work, 0o755)  # it gives root away
    with open(f"{work}/dnsmasq.conf", "w") as f:
        f.write(config.replace(TFTP, f"{work}/tftp"))
    return vm.Process(["dnsmasq", "--keep-in-foreground", "--log-facility=-",
                       f"--conf-file={work}/dnsmasq.conf",
                       f"--dhcp-leasefile={work}/leases",
                       f"--pid-file={work}/dnsmasq.pid"],
                      stderr=open(f"{work}/dnsmasq.log", "w"))


def make_site(work, blocks):
    os.makedirs(f"{work}/site")
    for name, words in (("lab.specs", "lab.specs:"),
                        ("state", "Two of them, state:")):
        with open(f"{work}/site/{name}", "w") as f:
            f.write(block_behind(blocks, words))
    with open(f"{work}/site/lab.configure", "w") as f:
        f.write("log('the guide works')\nerror('enough')\n")


def start_edeployd(programs, work, listen):
    boot = vm.boot_files(programs)
    with open(f"{work}/edeploy.conf", "w") as f:
        f.write(f"[SERVER]\nCONFIGDIR={work}/site\nLOGDIR={work}/log\n"
                f"STOREDIR={work}/store\nBOOTDIR={boot}\n{listen}"
                f"LOCKFILE={work}/lock\nSOCKET={work}/sock\n")
    server = vm.Process([f"{programs}/edeployd", "-c",
                         f"{work}/edeploy.conf"],
                        stderr=open(f"{work}/edeployd.log", "w"))
    for _ in range(100):
        if os.path.exists(f"{work}/sock"):
            break
        time.sleep(0.05)
    return server


def start_machine(work):
    vm.Disk(work, "disk")
    return vm.Process(
        ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-m",
         "1024", "-display", "none", "-vga", "none", "-monitor", "none",
         "-no-user-config", "-smbios", "type=1,serial=LAB1",
         "-serial", f"file:{work}/console",
         "-netdev", "tap,id=n0,ifname=eth1,script=no,downscript=no",
         "-device", f"virtio-net-pci,netdev=n0,mac={MAC}",
         "-drive", f"file={work}/disk.raw,if=virtio,format=raw",
         "-boot", "once=n"])


def read(path):
    if not os.path.exists(path):
        return ""
    with open(path, errors="replace") as f:
        return f.read()


def ctl(programs, work, *words):
    p = subprocess.run([f"{programs}/edeployctl", *words, "-c",
                        f"{work}/edeploy.conf"], capture_output=True,
                       text=True)
    return p.stdout + p.stderr


def wait_off(machine, seconds):
    try:
        return machine.proc.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        return False


def check_machine(t, programs, work):
    machine = start_machine(work)
    t.check("a machine that knows only DHCP asks, and halts as its script "
            "says", wait_off(machine, 300), read(f"{work}/console")[-3000:])
    said = read(f"{work}/dnsmasq.log")
    t.check("its firmware and its agent had addresses of the guide's range",
            len(re.findall(r"DHCPACK\(eth1\) 10\.20\.0\.1\d\d " + MAC, said))
            >= 2, said[-3000:])
    said = ctl(programs, work, "show", MAC)
    t.check("it got the guide's profile", "profile    lab" in said and
            "lab.configure:2" in said, said)


def main():
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        print("1..0 # SKIP a network of its own needs root and /dev/net/tun")
        return 0
    if "--inside" not in sys.argv:
        os.execvp("unshare", ["unshare", "--net", sys.executable, __file__,
                              *sys.argv[1:], "--inside"])
    programs = vm.programs_of(sys.argv[1])
    t, work, blocks = vm.Tap(), vm.work_dir("dnsmasq"), guide()
    make_network()
    make_site(work, blocks)
    start_edeployd(programs, work, block_behind(
        blocks, "network is served:"))
    dnsmasq = start_dnsmasq(work, block_behind(
        blocks, "/etc/dnsmasq.d/edeploy.conf:"))
    time.sleep(1)
    t.check("dnsmasq takes the guide's configuration",
            dnsmasq.proc.poll() is None, read(f"{work}/dnsmasq.log"))
    said = ctl(programs, work, "check")
    t.check("the guide's site is good", said.endswith(": good\n"), said)
    p = subprocess.run(["curl", "-s", "--max-time", "10",
                        "tftp://10.20.0.1/undionly.kpxe"],
                       capture_output=True, text=True)
    t.check("firmware finds iPXE by TFTP", p.stdout == "iPXE\n", p)
    p = subprocess.run(["curl", "-sf", "http://10.20.0.1/boot.ipxe"],
                       capture_output=True, text=True)
    t.check("and iPXE its script", p.stdout.startswith("#!ipxe\nchain "), p)
    if not t.failed:
        check_machine(t, programs, work)
    return t.end()


sys.exit(main())
