#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A bad cable between two interfaces: frames are lost, delayed past their successors or doubled by a fixed plan.

  badwire.py A B [--lose-ab N] [--lose-ba N] [--swap-ab N] [--swap-ba N] [--double-ab N] [--double-ba N]

Of the TCP frames with a payload going from A to B (or B to A), every Nth is lost, changes places with the next, or is sent
twice. Other frames pass unharmed, so that a recording ends. Runs until killed.
"""
import argparse
import select
import socket
import struct


def tcp_payload(frame):
    """Bytes of TCP payload in an untagged IPv4 frame, else 0."""
    if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return 0
    ip = (frame[14] & 15) * 4
    total = struct.unpack("!H", frame[16:18])[0]
    return total - ip - (frame[14 + ip + 12] >> 4) * 4


class Way:
    def __init__(self, out, lose, swap, double):
        self.out, self.lose, self.swap, self.double, self.n, self.held = out, lose, swap, double, 0, None

    def put(self, frame):
        if tcp_payload(frame) > 0:
            self.n += 1
            if self.lose and self.n % self.lose == 0:
                return
            if self.swap and self.held is None and self.n % self.swap == 0:
                self.held = frame
                return
        self.out.send(frame)
        if tcp_payload(frame) > 0 and self.double and self.n % self.double == 0:
            self.out.send(frame)
        self.release()

    def release(self):
        if self.held is not None:
            held, self.held = self.held, None
            self.out.send(held)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("a")
    p.add_argument("b")
    for o in ("lose", "swap", "double"):
        for d in ("ab", "ba"):
            p.add_argument(f"--{o}-{d}", type=int, default=0)
    o = p.parse_args()
    ends = []
    for dev in (o.a, o.b):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.bind((dev, 0))
        s.setsockopt(263, 1, struct.pack("iHHQ", socket.if_nametoindex(dev), 1, 0, 0))  # SOL_PACKET, membership: promiscuous
        ends.append(s)
    ways = {ends[0]: Way(ends[1], o.lose_ab, o.swap_ab, o.double_ab), ends[1]: Way(ends[0], o.lose_ba, o.swap_ba, o.double_ba)}
    while True:
        ready = select.select(ends, [], [], 0.02)[0]
        if not ready:
            for w in ways.values():
                w.release()
        for s in ready:
            frame, addr = s.recvfrom(65536)
            if addr[2] != socket.PACKET_OUTGOING:
                ways[s].put(frame)


main()
