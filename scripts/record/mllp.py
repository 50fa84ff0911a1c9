#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""MLLP peers (HL7 "Transport Specification: MLLP" 1; HL7 2.5.1 chapter 2.9 for acknowledgements).

  mllp.py serve PORT [--code AA] [--wrong-control] [--split] [--application-ack] [--tls CERT KEY CA]
  mllp.py send HOST PORT NAME[=CONTROL]... [--bytewise] [--pipeline] [--interval S] [--tls CERT KEY CA] [--no-end]

send takes names of hl7_messages.py and waits for one acknowledgement each (two in enhanced mode with --acks 2); --bytewise writes
one byte a segment at both ends and seven in the middle; --pipeline writes all before it reads; --no-end leaves the end block of the last message away and closes.
"""
import argparse
import os
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hl7_messages as hl7  # noqa: E402

SB, EB = b"\x0b", b"\x1c\r"


def frames(conn):
    buf = b""
    while True:
        got = conn.recv(65536)
        if not got:
            return
        buf += got
        while EB in buf:
            head, buf = buf.split(EB, 1)
            yield head[head.index(SB) + 1:]


def acknowledge(message, code, wrong, n):
    lines = message.split(b"\r")
    head = next(line for line in lines if line.startswith(b"MSH"))
    sep = head[3:4]
    f = head.split(sep)
    control = b"NOT-THIS-ONE" if wrong else f[9]
    text = {"AE": b"Segment sequence error (fictional)", "AR": b"Unsupported event (fictional)", "CE": b"Queue full (fictional)",
            "CR": b"Not for us (fictional)"}.get(code, b"")
    kind = f[8].split(f[1][:1])
    event = f[1][:1] + kind[1] if len(kind) > 1 else b""
    out = sep.join([b"MSH", f[1], f[4], f[5], f[2], f[3], hl7.NOW.encode(), b"", b"ACK" + event + f[1][:1] + b"ACK", b"ACK-%d" % n, b"P", f[11]])
    out += b"\r" + sep.join([b"MSA", code.encode(), control] + ([text] if text else []))
    if code in ("AE", "AR", "CE", "CR"):
        out += b"\r" + sep.join([b"ERR", b"", b"PID" + f[1][:1] + b"1", b"207", b"E"])
    return out + b"\r"


def put(conn, data, bytewise):
    if not bytewise:
        conn.sendall(data)
        return
    at = 0
    while at < len(data):  # waits, so that TCP does not gather the pieces again
        n = 1 if at < 120 or len(data) - at < 12 else 7
        conn.sendall(data[at:at + n])
        at += n
        time.sleep(0.0005)


def wrap(conn, tls, server):
    if not tls:
        return conn
    cert, key, ca = tls
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    c.load_cert_chain(cert, key)
    c.load_verify_locations(ca)
    c.verify_mode = ssl.CERT_REQUIRED
    if server:
        return c.wrap_socket(conn, server_side=True)
    return c.wrap_socket(conn, server_hostname="engine.lindenhof.example")


def answer(conn, o):
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    conn = wrap(conn, o.tls, True)
    n = 0
    for message in frames(conn):
        n += 1
        put(conn, SB + acknowledge(message, o.code, o.wrong_control, n) + EB, o.split)
        if o.application_ack:
            put(conn, SB + acknowledge(message, "AA", False, 1000 + n) + EB, False)
    conn.close()


def main():
    p = argparse.ArgumentParser()
    sub = p.add_subparsers(dest="side", required=True)
    a, b = sub.add_parser("serve"), sub.add_parser("send")
    a.add_argument("port", type=int)
    a.add_argument("--code", default="AA")
    for flag in ("--wrong-control", "--split", "--application-ack"):
        a.add_argument(flag, action="store_true")
    b.add_argument("host")
    b.add_argument("port", type=int)
    b.add_argument("names", nargs="+")
    for flag in ("--bytewise", "--pipeline", "--no-end"):
        b.add_argument(flag, action="store_true")
    b.add_argument("--acks", type=int, default=1)
    b.add_argument("--interval", type=float, default=0)
    for x in (a, b):
        x.add_argument("--tls", nargs=3)
    o = p.parse_args()
    if o.side == "serve":
        server = socket.create_server(("::", o.port), family=socket.AF_INET6, dualstack_ipv6=True)
        while True:
            threading.Thread(target=answer, args=(server.accept()[0], o), daemon=True).start()
    conn = socket.create_connection((o.host, o.port))
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    conn = wrap(conn, o.tls, False)
    got = frames(conn)
    messages = [hl7.message(*n.split("=")) for n in o.names]
    if o.pipeline:
        conn.sendall(b"".join(SB + m + EB for m in messages))
        for _ in messages:
            next(got)
        messages = []
    for i, m in enumerate(messages):
        last = o.no_end and i == len(messages) - 1
        put(conn, SB + m + (b"" if last else EB), o.bytewise)
        for _ in range(0 if last else o.acks):
            print(next(got).replace(b"\r", b"\n").decode("utf-8", "replace"))
        if o.interval and i < len(messages) - 1:
            time.sleep(o.interval)
    conn.close()


main()
