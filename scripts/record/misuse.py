#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Misuse of DICOM that no tool offers. Everything is inert: the "programs" are their first bytes and nothing else.

  misuse.py broken HOST PORT       breaks the standard in five ways, one association each: a PDU type that does not exist, an item longer
                                   than the PDU that holds it, a data set without its command, a command that ends within an element,
                                   and a PDU that claims to be 512 MB long
  misuse.py polyglots IN PREFIX    writes PREFIX-preamble.dcm, whose preamble begins as a program for Windows does, and
                                   PREFIX-pixels.dcm, whose pixels begin as one for Linux does, from the image IN
  misuse.py swap IN OUT ID         writes the image IN with another patient ID and another instance UID, into the same study
"""
import os
import socket
import struct
import sys

import pydicom

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import dimse  # noqa: E402


def broken(host, port):
    for how in range(5):
        peer = dimse.Peer(socket.create_connection((host, port), timeout=5))
        if how == 1:
            body = struct.pack(">HH16s16s32x", 1, 0, b"ARCHIVE".ljust(16), b"WS_OR3".ljust(16)) + dimse.item(0x10, b"1.2.840.10008.3.1.1.1")
            peer.send_pdu(1, body + struct.pack(">BxH", 0x20, 9000) + b"\0" * 16)
        else:
            assert peer.request("WS_OR3", "ARCHIVE", [(dimse.VERIFICATION, [dimse.IMPLICIT])]) == 2
            cid = peer.context(dimse.VERIFICATION)
            if how == 0:
                peer.send_pdu(0x5A, b"no such PDU")
            elif how == 2:
                peer.send_pdu(4, struct.pack(">IBB", 10, cid, 2) + b"\x08\0\x16\0\0\0\0\0")
            elif how == 3:
                peer.send_pdu(4, struct.pack(">IBB", 2 + 12 + 6, cid, 3) + struct.pack("<HHII", 0, 0, 4, 6) + b"\0\0\x02\0\x12\0")
            else:
                peer.c.sendall(struct.pack(">BxI", 4, 512 << 20) + struct.pack(">IBB", (512 << 20) - 4, cid, 2) + b"\0" * 4096)
        try:
            peer.pdu()
        except (EOFError, OSError):
            pass
        peer.c.close()


def polyglots(source, prefix):
    image = pydicom.dcmread(source)
    image.preamble = b"MZ" + b"\0" * 126
    image.save_as(prefix + "-preamble.dcm")
    image.preamble = b"\0" * 128
    image.PixelData = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + image.PixelData[16:]
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID + "1"
    image.save_as(prefix + "-pixels.dcm")


def swap(source, out, patient):
    image = pydicom.dcmread(source)
    image.PatientID = patient
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID + "2"
    image.save_as(out)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "broken":
        broken(rest[0], int(rest[1]))
    else:
        {"polyglots": polyglots, "swap": swap}[what](*rest)
