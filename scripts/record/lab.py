#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Laboratory peers over TCP.

  lab.py poct-manager PORT                    POCT1-A data manager: acknowledges, asks for observations
  lab.py poct-device HOST PORT                POCT1-A device: HEL, DST, OBS, EOT, END
  lab.py astm-host PORT [--nak N]   CLSI LIS1-A (ASTM E1381) receiver; refuses frame N once, so that it comes again
  lab.py astm-analyser HOST PORT [--frame N]  LIS2-A2 (ASTM E1394) results in LIS1-A frames, intermediate ones of N characters end with
                                              ETB; asks for orders with a Q record too

Device, people and results are fictional.
"""
import argparse
import re
import socket
import threading


ENQ, STX, ETX, ETB, EOT, ACK, NAK = b"\x05", b"\x02", b"\x03", b"\x17", b"\x04", b"\x06", b"\x15"


# --- POCT1-A: XML documents one after the other, no framing ---
def header(control):
    return (f'<HDR><HDR.control_id V="{control}"/><HDR.version_id V="POCT1"/>'
            f'<HDR.creation_dttm V="2026-01-12T08:15:00+00:00"/></HDR>')


def document(name, control, body):
    return f'<?xml version="1.0" encoding="utf-8"?>\n<{name}>{header(control)}{body}</{name}>\n'.encode()


def read_document(conn, state):
    while True:
        m = re.search(rb"<([A-Z]{3}\.R\d\d)>.*?</\1>\s*", state[0], re.S)
        if m:
            state[0] = state[0][m.end():]
            return m.group(1).decode(), m.group(0)
        got = conn.recv(65536)
        if not got:
            return None, b""
        state[0] += got


def acknowledgement(control, of):
    ident = re.search(rb'HDR.control_id V="([^"]*)"', of).group(1).decode()
    return document("ACK.R01", control, f'<ACK><ACK.type_cd V="AA"/><ACK.ack_control_id V="{ident}"/></ACK>')


def eui64():
    """DEV.device_id is an EUI-64: that of the network interface, FFFE between the maker's and the device's half of its MAC."""
    with open("/sys/class/net/eth0/address", encoding="ascii") as f:
        mac = f.read().strip().upper().replace(":", "")
    return mac[:6] + "FFFE" + mac[6:]


def poct_device(o):
    conn = socket.create_connection((o.host, o.port))
    state = [b""]
    conn.sendall(document("HEL.R01", 1, (
        f'<DEV><DEV.device_id V="{eui64()}"/><DEV.vendor_id V="ROCHE-FICT"/><DEV.model_id V="cobas b 221 (fictional)"/>'
        '<DEV.serial_id V="FICT-BGA-4"/><DEV.manufacturer_name V="Roche Diagnostics (fictional)"/><DEV.hw_version V="2"/>'
        '<DEV.sw_version V="8.04"/><DEV.device_name V="Blood gas OR 3"/><DCP><DCP.application_timeout V="60"/></DCP>'
        '<DSC><DSC.connection_profile_cd V="SA"/><DSC.topics_supported_cd V="OBS"/><DSC.directives_supported_cd V="SET_TIME"/>'
        '<DSC.max_message_sz V="60000"/></DSC></DEV>')))
    read_document(conn, state)
    conn.sendall(document("DST.R01", 2, (
        '<DST><DST.status_dttm V="2026-01-12T08:15:01+00:00"/><DST.new_observations_qty V="1"/><DST.condition_cd V="R"/>'
        '<DST.observations_update_dttm V="2026-01-12T08:14:00+00:00"/></DST>')))
    read_document(conn, state)
    name, request = read_document(conn, state)
    assert name == "REQ.R01", name
    conn.sendall(acknowledgement(3, request))
    results = "".join(f'<OBS><OBS.observation_id V="{c}" SN="LN" SV="2.73" DN="{n}"/><OBS.value V="{v}" U="{u}"/>'
                      '<OBS.method_cd V="M"/><OBS.interpretation_cd V="N"/></OBS>'
                      for c, n, v, u in (("2744-1", "pH", "7.40", ""), ("2703-7", "pO2", "95", "mm[Hg]"), ("2339-0", "Glucose", "5.4", "mmol/L")))
    conn.sendall(document("OBS.R01", 4, (
        '<SVC><SVC.role_cd V="OBS"/><SVC.observation_dttm V="2026-01-12T08:14:00+00:00"/><SVC.reason_cd V="NEW"/>'
        '<PT><PT.patient_id V="FICT-0001"/><PT.location V="OR 3"/><PT.name V="Probe^Petra"><GIV V="Petra"/><FAM V="Probe"/></PT.name>'
        f'<PT.birth_date V="1970-01-01"/>{results}</PT><OPR><OPR.operator_id V="FICT-OP-1"/></OPR>'
        '<ORD><ORD.universal_service_id V="24336-0"/><ORD.order_id V="FICT-A-PETRA"/></ORD></SVC>')))
    read_document(conn, state)
    conn.sendall(document("EOT.R01", 5, '<EOT><EOT.topic_cd V="OBS"/></EOT>'))
    read_document(conn, state)
    conn.sendall(document("END.R01", 6, '<TRM><TRM.reason_cd V="NRM"/></TRM>'))
    read_document(conn, state)
    conn.close()


def poct_manager(conn):
    state, control = [b""], 100
    while True:
        name, data = read_document(conn, state)
        if name is None:
            break
        control += 1
        if name != "ACK.R01":
            conn.sendall(acknowledgement(control, data))
        if name == "DST.R01":
            control += 1
            conn.sendall(document("REQ.R01", control, '<REQ><REQ.request_cd V="ROBS"/></REQ>'))
        if name == "END.R01":
            break
    conn.close()


# --- LIS1-A ---
def astm_frames(text, size):
    out, n = [], 1
    for record in text:
        pieces = [record[i:i + size] for i in range(0, len(record), size)]
        for i, piece in enumerate(pieces):
            body = str(n % 8).encode() + piece + (ETX if i == len(pieces) - 1 else ETB)
            out.append(STX + body + b"%02X\r\n" % (sum(body) % 256))
            n += 1
    return out


def astm_send(conn, records, size):
    conn.sendall(ENQ)
    assert conn.recv(1) == ACK
    for frame in astm_frames(records, size):
        for _ in range(6):
            conn.sendall(frame)
            if conn.recv(1) == ACK:
                break
    conn.sendall(EOT)


def astm_receive(conn, nak, first=None):
    """Returns the text of one transfer; refuses the frame number nak once."""
    if (first or conn.recv(1)) != ENQ:
        return None
    conn.sendall(ACK)
    buf, text, seen = b"", b"", 0
    while True:
        got = conn.recv(4096)
        if not got:
            return None
        buf += got
        while True:
            if buf[:1] == EOT:
                return text
            end = buf.find(b"\r\n")
            if end < 0:
                break
            frame, buf = buf[:end + 2], buf[end + 2:]
            seen += 1
            if nak and seen == nak:
                conn.sendall(NAK)
                continue
            text += frame[2:-5]
            conn.sendall(ACK)


def astm_analyser(o):
    conn = socket.create_connection((o.host, o.port))
    when = "20260112081500"
    head = f"H|\\^&|||cobas (fictional)^8.04^FICT-BGA-4|||||LIS||P|LIS2-A2|{when}\r"
    result = [head, "P|1||FICT-0001||Probe^Petra||19700101|F\r", "O|1|FICT-S-1||^^^BGA|R||20260112081400||||||||B\r",
              "R|1|^^^pH|7.40||7.35^7.45|N||F||FICT-OP-1||" + when + "|BGA-OR3\r", "C|1|I|" + "fictional comment " * 20 + "|G\r",
              "R|2|^^^GLU|5.4|mmol/L|3.9^6.1|N||F||FICT-OP-1||" + when + "|BGA-OR3\r", "L|1|N\r"]
    astm_send(conn, [r.encode() for r in result], o.frame)
    astm_send(conn, [head.encode(), b"Q|1|^FICT-S-2||ALL||||||||O\r", b"L|1|N\r"], o.frame)
    if astm_receive(conn, 0):
        print("orders received")
    conn.close()


def astm_host(conn, o):
    nak = o.nak
    while True:
        first = conn.recv(1)
        if not first:
            break
        text = astm_receive(conn, nak, first)
        nak = 0
        if text is None:
            break
        if b"\rQ|" in text:
            astm_send(conn, [b"H|\\^&|||LIS^1|||||BGA-OR3||P|LIS2-A2|20260112081600\r", b"P|1||FICT-0002||Muster^Max||19650615|M\r",
                             b"O|1|FICT-S-2||^^^GLU|R\r", b"L|1|F\r"], 240)
    conn.close()


def main():
    p = argparse.ArgumentParser()
    sub = p.add_subparsers(dest="side", required=True)
    for name in ("poct-manager", "astm-host"):
        a = sub.add_parser(name)
        a.add_argument("port", type=int)
        a.add_argument("--nak", type=int, default=0)
    for name in ("poct-device", "astm-analyser"):
        a = sub.add_parser(name)
        a.add_argument("host")
        a.add_argument("port", type=int)
        a.add_argument("--frame", type=int, default=240)
    o = p.parse_args()
    if o.side == "poct-device":
        return poct_device(o)
    if o.side == "astm-analyser":
        return astm_analyser(o)
    server = socket.create_server(("", o.port))
    while True:
        conn, _ = server.accept()
        run = (poct_manager, (conn,)) if o.side == "poct-manager" else (astm_host, (conn, o))
        threading.Thread(target=run[0], args=run[1], daemon=True).start()


main()
