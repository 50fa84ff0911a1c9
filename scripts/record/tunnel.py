#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A point-to-point tun over UDP: tunnel.py NAME LOCAL PEER OUTER-LOCAL OUTER-PEER. Recorded on NAME it is raw IP without a link layer."""
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys


def main():
    name, local, peer, outer, far = sys.argv[1:]
    t = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(t, 0x400454CA, struct.pack("16sH", name.encode(), 1 | 0x1000))  # TUNSETIFF, IFF_TUN without packet information
    subprocess.run(["ip", "link", "set", name, "mtu", "1400"], check=True)
    subprocess.run(["ip", "addr", "add", local, "peer", peer, "dev", name], check=True)
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind((outer, 5000))
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    while True:
        for f in select.select([t, u], [], [])[0]:
            if f == t:
                u.sendto(os.read(t, 65536), (far, 5000))
            else:
                os.write(t, u.recv(65536))


main()
