# SPDX-License-Identifier: Apache-2.0
#
# Prints how pydicom reads text, a line of JSON for each value: the declaration, the
# bytes in hexadecimal, whether it is a person's name, and the text. Values are those of
# pydicom's own sample files, every byte of the sets of single bytes, and every
# pair of the others that pydicom's codecs have.
import json
import os
import sys

import pydicom
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS


def tell(declared, raw, name=False):
    encodings = convert_encodings(declared)
    text = decode_bytes(raw, encodings, PN_DELIMS if name else TEXT_VR_DELIMS)
    if any(c in "\x1b\ufffd" or "\x80" <= c < "\xa0" or "\ue000" <= c < "\uf900" for c in text):
        return  # pydicom gave up, or it is no character: C1 controls, private use
    print(json.dumps({"set": "\\".join(declared), "raw": raw.hex(), "name": name, "text": text}))


def samples(ds, declared):
    raws = {tag: ds.get_item(tag) for tag in ds.keys()}
    if "SpecificCharacterSet" in ds:
        value = ds.SpecificCharacterSet
        declared = [value] if isinstance(value, str) else list(value)
    for tag, raw in raws.items():
        vr = pydicom.datadict.dictionary_VR(tag) if raw.VR is None else raw.VR
        if vr == "SQ":
            for item in ds[tag].value:
                samples(item, declared)
        elif isinstance(raw.value, bytes) and vr in ("PN", "LO", "SH", "ST", "LT", "UT"):
            tell(declared, raw.value, vr == "PN")


folder = os.path.join(os.path.dirname(pydicom.__file__), "data", "charset_files")
for f in sorted(os.listdir(folder)):
    if f.endswith(".dcm"):
        samples(pydicom.dcmread(os.path.join(folder, f), defer_size="100 KB"), ["ISO_IR 6"])

single = {100: b"-A", 101: b"-B", 109: b"-C", 110: b"-D", 144: b"-L", 127: b"-G", 126: b"-F", 138: b"-H", 148: b"-M", 166: b"-T", 13: b")I"}
for ir, escape in single.items():
    for b in range(0xA1, 0xE0 if ir == 13 else 0x100):  # pydicom reads Shift JIS for 13
        try:
            tell(["ISO_IR %d" % ir], b"a" + bytes([b]) + b"z")
            tell(["", "ISO 2022 IR %d" % ir], b"a\x1b" + escape + bytes([b]) + b"z\r\nend")
        except UnicodeDecodeError:
            pass
for ir, escape, high in ((87, b"$B", 0), (159, b"$(D", 0), (149, b"$)C", 0x80), (58, b"$)A", 0x80)):
    for a in range(0x21, 0x7F):
        for b in range(0x21, 0x7F):
            raw = b"\x1b" + escape + bytes([a | high, b | high])
            try:
                tell(["", "ISO 2022 IR %d" % ir], raw if high else raw + b"\x1b(B")
            except UnicodeDecodeError:
                pass
for a in range(0x81, 0xFF):
    for b in range(0x40, 0xFF, 3):
        for declared in ("GBK", "GB18030"):
            try:
                tell([declared], bytes([a, b]))
            except UnicodeDecodeError:
                pass
for n in (0x81308130, 0x8139EF30, 0x9030F838, 0x9432BE34, 0xE3329A35):
    tell(["GB18030"], n.to_bytes(4, "big"))
tell(["", "ISO 2022 IR 87", "ISO 2022 IR 149", "ISO 2022 IR 144"], b"a\x1b$B;3\x1b(B \x1b$)C\xfb\xf3 \x1b-L\xb8\xd2", True)
