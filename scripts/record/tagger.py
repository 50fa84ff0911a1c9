#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A VLAN sub-interface in user space: tagger.py PARENT NAME VLAN ADDRESS/LENGTH MAC makes a tap whose frames leave PARENT tagged."""
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys


def tap(name, mode):
    f = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(f, 0x400454CA, struct.pack("16sH", name.encode(), mode | 0x1000))  # TUNSETIFF, IFF_NO_PI
    return f


def main():
    parent, name, vlan, address, mac = sys.argv[1:]
    t = tap(name, 2)
    subprocess.run(["ip", "link", "set", name, "address", mac, "mtu", "1496"], check=True)
    subprocess.run(["ip", "addr", "add", address, "dev", name], check=True)
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((parent, 0))
    s.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: the kernel takes the tag out of the frame
    tag = struct.pack("!HH", 0x8100, int(vlan))
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    while True:
        for f in select.select([t, s], [], [])[0]:
            if f == t:
                frame = os.read(t, 65536)
                s.send(frame[:12] + tag + frame[12:])
                continue
            frame, aux, _, addr = s.recvmsg(65536, 256)
            if addr[2] == socket.PACKET_OUTGOING:
                continue
            if frame[12:16] == tag:
                os.write(t, frame[:12] + frame[16:])
            for level, kind, data in aux:
                status, _, _, _, _, tci = struct.unpack_from("IIIHHH", data)
                if kind == 8 and status & 0x10 and tci & 0xFFF == int(vlan):
                    os.write(t, frame)


main()
