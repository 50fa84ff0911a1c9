#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""DICOM peers for what DCMTK and Orthanc have no tool for: the N- services, roles, identities, refusals and odd PDUs.

  dimse.py scp PORT [--aet AET] [--status HEX] [--once] [--identity-response] [--event-to HOST:PORT]
  dimse.py scu HOST PORT WHAT [--calling AET] [--called AET] [...]

WHAT is one of:
  echo          C-ECHO, with asynchronous operations window and all four user identity choices by --identity TYPE:PRIMARY[:SECONDARY]
  mpps          modality performed procedure step: N-CREATE (in progress), N-SET (completed)
  mpps-abandon  the same, discontinued
  commit        storage commitment: N-ACTION, then N-EVENT-REPORT on the same association
  commit-later  N-ACTION and release; the event report comes on an association of the SCP's own, roles reversed (--listen PORT)
  nget          N-GET of the printer instance, N-DELETE of a film session that does not exist
  tiny          C-STORE with the command and data set in many small PDVs, several PDVs a PDU, command split too
  nocontext     proposes only an abstract syntax that nobody accepts
  abort         opens an association and aborts it in the middle of a C-STORE data set
  badpdu        sends a PDU type that does not exist after the association is up

PS3.8 (upper layer), PS3.7 (DIMSE, annex D for user information), PS3.4 annexes F, J, H. Not a library: it trusts its peer.
"""
import argparse
import io
import os
import select
import socket
import struct
import sys

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import dicom_files as files  # noqa: E402

VERIFICATION = "1.2.840.10008.1.1"
PATIENT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
MPPS = "1.2.840.10008.3.1.2.3.3"
COMMIT, COMMIT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
PRINTER, PRINTER_INSTANCE = "1.2.840.10008.5.1.1.16", "1.2.840.10008.5.1.1.17"
FILM_SESSION = "1.2.840.10008.5.1.1.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
NONE = 0x0101


def item(kind, body):
    return struct.pack(">BxH", kind, len(body)) + body


def user_information(a):
    out = item(0x51, struct.pack(">I", a.max_pdu)) + item(0x52, files.IMPLEMENTATION[0].encode()[:64])
    if a.window:
        out += item(0x53, struct.pack(">HH", *a.window))
    for sop, scu, scp in a.roles:
        out += item(0x54, struct.pack(">H", len(sop)) + sop.encode() + bytes([scu, scp]))
    out += item(0x55, files.IMPLEMENTATION[1].encode())
    for sop, info in a.extended:
        out += item(0x56, struct.pack(">H", len(sop)) + sop.encode() + info)
    if a.identity:
        kind, primary, secondary = a.identity
        out += item(0x58, struct.pack(">BBH", kind, 1, len(primary)) + primary + struct.pack(">H", len(secondary)) + secondary)
    return item(0x50, out)


class Peer:
    def __init__(self, conn, max_pdu=16384):
        self.c, self.max_pdu, self.buf = conn, max_pdu, b""
        self.roles, self.extended, self.window, self.identity = [], [], None, None
        self.contexts = {}
        self.message = 0
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, n):
        while len(self.buf) < n:
            got = self.c.recv(65536)
            if not got:
                raise EOFError
            self.buf += got
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def pdu(self):
        kind, length = struct.unpack(">BxI", self.read(6))
        return kind, self.read(length)

    def send_pdu(self, kind, body):
        self.c.sendall(struct.pack(">BxI", kind, len(body)) + body)

    # --- association ---
    def request(self, calling, called, contexts):
        body = struct.pack(">HH16s16s32x", 1, 0, called.ljust(16).encode(), calling.ljust(16).encode())
        body += item(0x10, b"1.2.840.10008.3.1.1.1")
        for i, (abstract, syntaxes) in enumerate(contexts):
            cid = 2 * i + 1
            sub = item(0x30, abstract.encode()) + b"".join(item(0x40, t.encode()) for t in syntaxes)
            body += item(0x20, struct.pack(">Bxxx", cid) + sub)
            self.contexts[cid] = [abstract, None]
        self.send_pdu(1, body + user_information(self))
        kind, body = self.pdu()
        if kind != 2:
            return kind
        for k, v in walk(body[68:]):
            if k == 0x21 and v[2] == 0:
                self.contexts[v[0]][1] = next(x for t, x in walk(v[4:]) if t == 0x40).rstrip(b"\0").decode()
        return 2

    def accept(self, supported, identity_response=False):
        kind, body = self.pdu()
        if kind != 1:
            raise EOFError
        out, roles, identity = body[:68] + item(0x10, b"1.2.840.10008.3.1.1.1"), b"", b""
        self.calling = body[20:36].decode().strip()
        for k, v in walk(body[68:]):
            if k == 0x20:
                subs = list(walk(v[4:]))
                abstract = subs[0][1].rstrip(b"\0").decode()
                syntaxes = [s.rstrip(b"\0").decode() for t, s in subs[1:]]
                chosen = EXPLICIT if EXPLICIT in syntaxes else IMPLICIT if IMPLICIT in syntaxes else None
                result = 3 if abstract not in supported else 4 if chosen is None else 0
                if result == 0:
                    self.contexts[v[0]] = [abstract, chosen]
                out += item(0x21, struct.pack(">BxBx", v[0], result) + item(0x40, (chosen or IMPLICIT).encode()))
            if k == 0x50:
                for t, u in walk(v):
                    if t == 0x54:
                        roles += item(0x54, u)
                    if t == 0x58 and u[1] and identity_response:
                        identity = item(0x59, struct.pack(">H", 5) + b"hello")
        info = item(0x51, struct.pack(">I", self.max_pdu)) + item(0x52, files.IMPLEMENTATION[0].encode()[:64]) + roles
        self.send_pdu(2, out + item(0x50, info + item(0x55, files.IMPLEMENTATION[1].encode()) + identity))

    def release(self):
        self.send_pdu(5, b"\0" * 4)
        kind, _ = self.pdu()
        assert kind == 6, kind
        self.c.close()

    # --- DIMSE ---
    def context(self, abstract):
        return next(c for c, (a, t) in self.contexts.items() if a == abstract and t)

    def send(self, cid, fields, ds=None, chunk=0):
        cmd = Dataset()
        for tag, (vr, value) in fields.items():
            cmd.add_new(tag, vr, value)
        cmd.add_new(0x00000800, "US", NONE if ds is None else 0x0102)
        body = encode(cmd, True)
        body = struct.pack("<HHII", 0, 0, 4, len(body)) + body
        parts = [(1, body)]
        if ds is not None:
            parts.append((0, ds if isinstance(ds, bytes) else encode(ds, self.contexts[cid][1] == IMPLICIT)))
        limit = chunk or self.max_pdu - 6
        queue = b""
        for flag, data in parts:
            at = 0
            while True:
                piece = data[at:at + limit]
                at += len(piece)
                last = at >= len(data)
                queue += struct.pack(">IBB", len(piece) + 2, cid, flag | (2 if last else 0)) + piece
                if not chunk or len(queue) > 3 * chunk:
                    self.send_pdu(4, queue)
                    queue = b""
                if last:
                    break
        if queue:
            self.send_pdu(4, queue)

    def receive(self):
        """Returns (context, command, data set bytes or None); None at release."""
        parts = {0: b"", 1: b""}
        command = None
        while True:
            kind, body = self.pdu()
            if kind == 5:
                self.send_pdu(6, b"\0" * 4)
                return None
            if kind != 4:
                if kind > 7:  # PS3.8 table 9-26: A-ABORT by the service provider, unrecognised PDU
                    self.send_pdu(7, bytes([0, 0, 2, 1]))
                raise EOFError
            at = 0
            while at < len(body):
                n, cid, flags = struct.unpack(">IBB", body[at:at + 6])
                parts[flags & 1] += body[at + 6:at + 4 + n]
                at += 4 + n
                if flags & 2 and flags & 1:
                    command = decode(parts[1], True)
                    if command[0x00000800].value == NONE:
                        return cid, command, None
                elif flags & 2:
                    return cid, command, parts[0]

    def call(self, command, abstract, more, ds=None, **kw):
        self.message += 1
        cid = self.context(abstract)
        fields = {0x00000100: ("US", command), 0x00000110: ("US", self.message)}
        fields.update(more)
        self.send(cid, dict(sorted(fields.items())), ds, **kw)
        return self.receive()


def walk(b):
    at = 0
    while at + 4 <= len(b):
        kind, n = struct.unpack(">BxH", b[at:at + 4])
        yield kind, b[at + 4:at + 4 + n]
        at += 4 + n


def encode(ds, implicit):
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, implicit
    write_dataset(out, ds)
    return out.getvalue()


def decode(b, implicit):
    return read_dataset(io.BytesIO(b), implicit, True)


def mpps_create():
    ds = Dataset()
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = files.PATIENTS["petra"]
    ref = Dataset()
    ref.StudyInstanceUID, ref.AccessionNumber = files.uid("study.petra.CT"), "FICT-A-PETRA"
    ref.RequestedProcedureID, ref.ScheduledProcedureStepID = "FICT-RP-1", "FICT-SPS-1"
    ref.ReferencedStudySequence, ref.ScheduledProtocolCodeSequence = Sequence([]), Sequence([])
    ds.ScheduledStepAttributesSequence = Sequence([ref])
    ds.PerformedProcedureStepID, ds.PerformedStationAETitle, ds.PerformedStationName = "FICT-PPS-1", "CT_OR3", "CT-OR3"
    ds.PerformedLocation = "OR 3"
    ds.PerformedProcedureStepStartDate, ds.PerformedProcedureStepStartTime = "20260112", "080500"
    ds.PerformedProcedureStepStatus, ds.Modality, ds.StudyID = "IN PROGRESS", "CT", "1"
    ds.PerformedProcedureStepEndDate = ds.PerformedProcedureStepEndTime = ""
    ds.ProcedureCodeSequence = ds.PerformedSeriesSequence = ds.PerformedProtocolCodeSequence = Sequence([])
    return ds


def mpps_set(status):
    ds = Dataset()
    ds.PerformedProcedureStepStatus = status
    ds.PerformedProcedureStepEndDate, ds.PerformedProcedureStepEndTime = "20260112", "081900"
    series = Dataset()
    series.SeriesInstanceUID, series.ProtocolName = files.uid("series.petra.CT.CT-OR3"), "Abdomen"
    series.PerformingPhysicianName, series.OperatorsName, series.RetrieveAETitle = "Chirurg^Clara", "Technik^Tom", "PACS"
    series.SeriesDescription = "CT Abdomen"
    series.ReferencedImageSequence = Sequence([reference(i) for i in range(1, 4)])
    series.ReferencedNonImageCompositeSOPInstanceSequence = Sequence([])
    ds.PerformedSeriesSequence = Sequence([series])
    return ds


def reference(i):
    r = Dataset()
    r.ReferencedSOPClassUID, r.ReferencedSOPInstanceUID = files.CT, files.uid(f"ct.{i}")
    return r


def status_of(got):
    return None if got is None else got[1][0x00000900].value


def scu(o):
    peer = Peer(socket.create_connection((o.host, o.port)), o.max_pdu)
    if o.identity:
        kind, primary, secondary = (o.identity.split(":", 2) + ["", ""])[:3]
        peer.identity = (int(kind), primary.encode(), secondary.encode())
    what, both = o.what, [EXPLICIT, IMPLICIT]
    contexts = {
        "echo": [(VERIFICATION, [IMPLICIT])], "mpps": [(MPPS, both)], "mpps-abandon": [(MPPS, both)],
        "commit": [(COMMIT, both)], "commit-later": [(COMMIT, both)], "nget": [(PRINTER, both), (FILM_SESSION, both)],
        "tiny": [(files.CT, both)], "nocontext": [("2.25.1", both), ("1.2.840.10008.5.1.4.1.1.1.1", [IMPLICIT])],
        "abort": [(files.CT, both)], "badpdu": [(VERIFICATION, [IMPLICIT])],
    }[what]
    if what == "echo":
        peer.window = (8, 4)
    if what.startswith("commit"):
        peer.roles = [(COMMIT, 1, 0)]
    if what == "tiny":
        peer.extended = [(files.CT, bytes([2, 0, 3, 0, 1, 0]))]
    listener = None
    if what == "commit-later":
        listener = socket.create_server(("", o.listen))
    kind = peer.request(o.calling, o.called, contexts)
    print(f"association answered by PDU type {kind}")
    if kind != 2:
        return
    new = files.uid("mpps.petra.1")
    if what == "echo":
        print("status", status_of(peer.call(0x0030, VERIFICATION, {0x00000002: ("UI", VERIFICATION)})))
    elif what.startswith("mpps"):
        got = peer.call(0x0140, MPPS, {0x00000002: ("UI", MPPS), 0x00001000: ("UI", new)}, mpps_create())
        print("N-CREATE status", status_of(got))
        end = "COMPLETED" if what == "mpps" else "DISCONTINUED"
        got = peer.call(0x0120, MPPS, {0x00000003: ("UI", MPPS), 0x00001001: ("UI", new)}, mpps_set(end))
        print("N-SET status", status_of(got))
    elif what.startswith("commit"):
        ds = Dataset()
        ds.TransactionUID = files.uid("transaction." + what)
        ds.ReferencedSOPSequence = Sequence([reference(i) for i in range(1, 4)])
        got = peer.call(0x0130, COMMIT, {0x00000003: ("UI", COMMIT), 0x00001001: ("UI", COMMIT_INSTANCE),
                                         0x00001008: ("US", 1)}, ds)
        print("N-ACTION status", status_of(got))
        if what == "commit":
            answer_event(peer, peer.receive())
        else:
            peer.release()
            conn, _ = listener.accept()
            back = Peer(conn)
            back.accept({COMMIT, VERIFICATION})
            answer_event(back, back.receive())
            assert back.receive() is None
            return
    elif what == "nget":
        got = peer.call(0x0110, PRINTER, {0x00000003: ("UI", PRINTER), 0x00001001: ("UI", PRINTER_INSTANCE),
                                          0x00001005: ("AT", [0x21100010, 0x21100020, 0x00080070])})
        print("N-GET status", status_of(got))
        got = peer.call(0x0150, FILM_SESSION, {0x00000003: ("UI", FILM_SESSION), 0x00001001: ("UI", files.uid("film"))})
        print("N-DELETE status", hex(status_of(got)))
    elif what in ("tiny", "abort"):
        import pydicom
        image = pydicom.dcmread(o.file)
        explicit = peer.contexts[peer.context(files.CT)][1] == EXPLICIT
        data = encode(Dataset(image), not explicit)
        fields = {0x00000002: ("UI", files.CT), 0x00000700: ("US", 0), 0x00001000: ("UI", image.SOPInstanceUID)}
        if what == "tiny":
            print("status", status_of(peer.call(0x0001, files.CT, fields, data, chunk=100)))
        else:
            peer.message += 1
            cid = peer.context(files.CT)
            whole = peer.send_pdu
            sent = []

            def cut(kind, body):
                sent.append(1)
                if len(sent) <= 3:
                    whole(kind, body)

            peer.send_pdu = cut
            fields.update({0x00000100: ("US", 1), 0x00000110: ("US", 1)})
            peer.send(cid, dict(sorted(fields.items())), data, chunk=1000)
            peer.send_pdu = whole
            peer.send_pdu(7, bytes([0, 0, 0, 0]))
            peer.c.close()
            return
    elif what == "badpdu":
        peer.send_pdu(0x5A, b"no such PDU")
        kind, body = peer.pdu()
        print("answered by PDU type", kind, body.hex())
        return
    peer.release()


def answer_event(peer, got):
    cid, cmd, data = got
    assert cmd[0x00000100].value == 0x0100, cmd
    print("N-EVENT-REPORT type", cmd[0x00001002].value)
    peer.send(cid, {0x00000002: ("UI", COMMIT), 0x00000100: ("US", 0x8100), 0x00000120: ("US", cmd[0x00000110].value),
                    0x00000900: ("US", 0), 0x00001000: ("UI", COMMIT_INSTANCE), 0x00001002: ("US", cmd[0x00001002].value)})


def event_report(peer, action):
    request = decode(action[2], peer.contexts[action[0]][1] == IMPLICIT)
    got = peer.call(0x0100, COMMIT, {0x00000002: ("UI", COMMIT), 0x00001000: ("UI", COMMIT_INSTANCE), 0x00001002: ("US", 1)},
                    request)
    print("event report status", status_of(got))


def find(peer, cid, cmd):
    """Answers a C-FIND with up to forty patients, slowly, and heeds a C-CANCEL (PS3.4 C.4.1)."""
    answer = {0x00000002: ("UI", cmd[0x00000002].value), 0x00000100: ("US", 0x8020), 0x00000120: ("US", cmd[0x00000110].value)}
    for i in range(40):
        if select.select([peer.c], [], [], 0.01)[0] and peer.receive()[1][0x00000100].value == 0x0FFF:
            peer.send(cid, {**answer, 0x00000900: ("US", 0xFE00)})
            return
        ds = Dataset()
        ds.QueryRetrieveLevel, ds.PatientName, ds.PatientID = "PATIENT", f"Probe^Number{i}", f"FICT-1{i:03d}"
        peer.send(cid, {**answer, 0x00000900: ("US", 0xFF00)}, ds)
    peer.send(cid, {**answer, 0x00000900: ("US", 0)})


def scp(o):
    server = socket.create_server(("", o.port))
    print("listening", flush=True)
    supported = {VERIFICATION, PATIENT_FIND, MPPS, COMMIT, PRINTER, FILM_SESSION, files.CT, files.MR, files.US_MULTIFRAME}
    while True:
        conn, _ = server.accept()
        peer = Peer(conn, o.max_pdu)
        later = None
        try:
            peer.accept(supported, o.identity_response)
            while True:
                got = peer.receive()
                if got is None:
                    break
                cid, cmd, data = got
                command = cmd[0x00000100].value
                if command == 0x0020:
                    find(peer, cid, cmd)
                    continue
                sop = (cmd.get(0x00000002) or cmd.get(0x00000003)).value
                instance = cmd.get(0x00001000) or cmd.get(0x00001001)
                answer = {0x00000002: ("UI", sop), 0x00000100: ("US", command | 0x8000),
                          0x00000120: ("US", cmd[0x00000110].value), 0x00000900: ("US", 0)}
                reply = None
                if command == 0x0001 and o.status:
                    answer[0x00000900] = ("US", int(o.status, 16))
                    answer[0x00000902] = ("LO", "Refused: out of resources (fictional)")
                if command == 0x0150:
                    answer[0x00000900] = ("US", 0x0112)
                if command == 0x0110:
                    reply = Dataset()
                    reply.PrinterStatus, reply.PrinterStatusInfo, reply.Manufacturer = "NORMAL", "NORMAL", "Example"
                if instance is not None:
                    answer[0x00001000] = ("UI", instance.value)
                if command == 0x0130:
                    answer[0x00001008] = ("US", 1)
                peer.send(cid, dict(sorted(answer.items())), reply)
                if command == 0x0130:
                    if o.event_to:
                        later = got
                    else:
                        event_report(peer, got)
        except EOFError:
            pass
        conn.close()
        if later:
            host, port = o.event_to.split(":")
            back = Peer(socket.create_connection((host, int(port))))
            back.roles = [(COMMIT, 0, 1)]
            assert back.request(o.aet, peer.calling, [(COMMIT, [peer.contexts[later[0]][1]])]) == 2
            event_report(back, (1, later[1], later[2]))
            back.release()
        if o.once:
            return


def main():
    p = argparse.ArgumentParser()
    sub = p.add_subparsers(dest="side", required=True)
    a = sub.add_parser("scp")
    a.add_argument("port", type=int)
    a.add_argument("--status")
    a.add_argument("--aet", default="ARCHIVE")
    a.add_argument("--once", action="store_true")
    a.add_argument("--identity-response", action="store_true")
    a.add_argument("--event-to")
    b = sub.add_parser("scu")
    b.add_argument("host")
    b.add_argument("port", type=int)
    b.add_argument("what")
    b.add_argument("--calling", default="CT_OR3")
    b.add_argument("--called", default="ARCHIVE")
    b.add_argument("--identity")
    b.add_argument("--listen", type=int)
    b.add_argument("--file")
    for x in (a, b):
        x.add_argument("--max-pdu", type=int, default=16384)
    o = p.parse_args()
    scp(o) if o.side == "scp" else scu(o)


if __name__ == "__main__":
    main()
