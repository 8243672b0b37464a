#!/usr/bin/env python3
"""trees_card.py NAME: what comes to this end of a pair of veth is taken up by a
thread of the kernel, as by another machine's network card. Else the sender's
system call goes on to do the receiver's half, and is charged for it. For this
end's namespace; which thread takes it up needs GRO."""
import array
import fcntl
import socket
import struct
import sys

SIOCETHTOOL, ETHTOOL_SGRO = 0x8946, 0x2c  # linux/sockios.h, linux/ethtool.h


def main():
    name = sys.argv[1]
    wanted = array.array("I", [ETHTOOL_SGRO, 1])
    with socket.socket() as s:
        fcntl.ioctl(s, SIOCETHTOOL, struct.pack(
            "16sP16x", name.encode(), wanted.buffer_info()[0]))
    with open(f"/sys/class/net/{name}/threaded", "w") as f:
        f.write("1")


main()
