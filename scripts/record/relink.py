#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""relink.py RAW.pcap OUT.pcap null|null-be|loop: puts the four-byte header of DLT_NULL (host order of the machine that recorded) or
DLT_LOOP (network order) in front of each packet of a raw-IP pcap; AF_INET is 2 everywhere, AF_INET6 30 as on macOS."""
import struct
import sys


def main():
    src, dst, kind = sys.argv[1:]
    data = open(src, "rb").read()
    head = struct.unpack("<IHHiIII", data[:24])
    assert head[0] == 0xA1B2C3D4 and head[6] in (12, 101), head
    order = ">" if kind == "null-be" else "<"
    family = "!I" if kind == "loop" else order + "I"
    out = struct.pack(order + "IHHiIII", *head[:6], 108 if kind == "loop" else 0)
    at = 24
    while at < len(data):
        sec, usec, have, whole = struct.unpack("<IIII", data[at:at + 16])
        packet = data[at + 16:at + 16 + have]
        at += 16 + have
        out += struct.pack(order + "IIII", sec, usec, have + 4, whole + 4)
        out += struct.pack(family, 30 if packet[0] >> 4 == 6 else 2) + packet
    open(dst, "wb").write(out)


main()
