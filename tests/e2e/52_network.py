#!/usr/bin/env python3
"""The word IP= on a machine with four cards: addresses by hand and by DHCP, in
a VLAN and not, cards that are left alone, and a cable that comes late. A
switch of some lines carries VLAN 7 between one card and its network."""
import os
import select
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

TAG = b"\x81\x00\x00\x07"  # 802.1Q, VLAN 7
SPECS = "[('disk', '$disk', 'size', 'gt(4)')]\n"
SCRIPT = "log('the script came')\n"
CAME = r"the script came"


class Switch:
    """Frames of VLAN 7 on the machine's port are plain ones on the other.
    What has no tag, or another, goes nowhere."""

    def __init__(self, work):
        self.path = f"{work}/switch"
        self.inside, self.outside = self.port("inside"), self.port("outside")
        threading.Thread(target=self.work, daemon=True).start()

    def port(self, name):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(f"{self.path}.{name}")
        return s

    def netdev(self, name, port):
        return ["-netdev", f"dgram,id={name},local.type=unix,local.path="
                f"{self.path}.{port}.qemu,remote.type=unix,remote.path="
                f"{self.path}.{port}"]

    def words(self):
        """For QEMU: card n1 behind the switch, and n7, the network 10.7.0.0/24
        of VLAN 7, in front of it."""
        return [*self.netdev("n1", "inside"),
                "-device", "virtio-net-pci,netdev=n1,romfile=",
                "-netdev", "user,id=n7,net=10.7.0.0/24",
                *self.netdev("d7", "outside"),
                "-netdev", "hubport,id=h1,hubid=7,netdev=n7",
                "-netdev", "hubport,id=h2,hubid=7,netdev=d7"]

    def send(self, port, name, frame):
        try:
            port.sendto(frame, f"{self.path}.{name}.qemu")
        except OSError:
            pass  # the machine is off

    def work(self):
        while True:
            for port in select.select([self.inside, self.outside], [], [])[0]:
                f = port.recv(65536)
                if port is self.outside:
                    self.send(self.inside, "inside", f[:12] + TAG + f[12:])
                elif f[12:16] == TAG:
                    self.send(self.outside, "outside", f[:12] + f[16:])


def clean(m):
    """As a machine that was just started."""
    m.end_deploy()
    m.run("ip link del eth1.7; for i in 0 1 2; do ip addr flush dev eth$i; "
          "done")


def vlan_by_hand(t, m):
    t.check("a card that IP= says none of is left alone",
            m.expect(r"eth0: left alone, as IP= says", 180), m.tail())
    t.check("an address by hand in a VLAN reaches the server",
            m.expect(r"eth1\.7 has 10\.7\.0\.15", 30) and m.expect(CAME, 60),
            m.tail())
    m.prompt()
    said = m.run("ip -4 -o addr; cat /proc/net/vlan/eth1.7") or ""
    t.check("it is VLAN 7 of that card, and the only address",
            "VID: 7" in said and said.count("scope global") == 1, said)


def vlan_by_dhcp(t, m, words):
    clean(m)
    m.deploy(f"SERV=10.7.0.2 IP=eth1:dhcp@7,all:none {words}")
    t.check("DHCP in a VLAN reaches the server",
            m.expect(r"eth1\.7: link is up, asking", 30) and
            m.expect(r"eth1\.7 has 10\.7\.0\.\d+", 30) and m.expect(CAME, 60),
            m.tail())


def several(t, m, words):
    clean(m)
    m.deploy(f"SERV={vm.HOST} IP=eth0:192.168.122.77/24,eth1:none,all:dhcp "
             f"LINK_UP_TIMEOUT=4 {words}")
    t.check("a card without a link is waited for, and named", m.expect(
        r"the server answers; up to 4 s for a link of eth2", 30), m.tail())
    t.check("then the run goes on without it",
            m.expect(r"eth0 has 192\.168\.122\.77", 30) and m.expect(CAME, 60),
            m.tail())


def late_cable(t, m, monitor, words):
    clean(m)
    m.deploy("SERV=10.8.0.2 IP=eth9:dhcp,eth2:dhcp,all:none LINK_UP_TIMEOUT=1 "
             + words)
    t.check("a missing link is told",
            m.expect(r"eth2: no link: look at cable and switch port", 60),
            m.tail())
    t.check("and an interface of IP= that is not there",
            m.expect(r"eth9: IP= names it, and it is not here", 10), m.tail())
    monitor.cable("n2", True)
    t.check("a cable that comes later is enough",
            m.expect(r"eth2 has 10\.8\.0\.15", 60) and m.expect(CAME, 60),
            m.tail())


def reboots(t, m):
    clean(m)
    m.deploy("HTTP_PORT=nine ONFAILURE=reboot")
    t.check("ONFAILURE=reboot reboots",
            m.expect(r"FAILED: .*HTTP_PORT", 30) and
            m.expect(r"eDeploy \S+: modules", 120), m.tail())


def make_site(folder):
    os.makedirs(folder)
    for name, text in [("state", "[('any', '*')]\n"), ("any.specs", SPECS),
                       ("any.configure", SCRIPT)]:
        with open(f"{folder}/{name}", "w") as f:
            f.write(text)


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("network")
    boot = vm.boot_files(programs)
    make_site(f"{work}/site")
    server = vm.Edeployd(programs, f"{work}/site", boot, work, "")
    words = f"HTTP_PORT={server.port} ONFAILURE=console"
    tftp = vm.ipxe_menu(
        f"{work}/tftp", "n.ipxe", boot, "SERV=10.7.0.2 LINK_UP_TIMEOUT=1 "
        f"IP=eth1:10.7.0.15/24@7,other:none FAKEIPMI {words}")
    switch, monitor = Switch(work), vm.Monitor(work)
    m = vm.Vm(work, "network", vm.Disk(work, "disk"), pxe="n.ipxe", tftp=tftp,
              extra=[*switch.words(), *monitor.words, "-netdev",
                     "user,id=n2,net=10.8.0.0/24", "-device",
                     "virtio-net-pci,netdev=n2,romfile="])
    monitor.connect()
    monitor.cable("n2", False)
    vlan_by_hand(t, m)
    fakes = [f for f in server.show().get("facts", []) if "ipmi-fake" in f]
    t.check("FAKEIPMI makes one fact", fakes == [
        ["system", "ipmi-fake", "channel", "0"]], fakes)
    vlan_by_dhcp(t, m, words)
    several(t, m, words)
    late_cable(t, m, monitor, words)
    reboots(t, m)
    m.stop()
    return t.end()


sys.exit(main())
