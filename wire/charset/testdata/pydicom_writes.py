# SPDX-License-Identifier: Apache-2.0
#
# Reads lines of JSON (set, text) and prints lines of JSON: how an independent reader reads what we wrote ("read", of
# "hex"), or, where "hex" is empty because we cannot write it, whether its codec could ("could").
import json
import sys

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

for line in sys.stdin:
    v = json.loads(line)
    encodings = convert_encodings(v["set"].split("\\"))
    if v["hex"]:
        text = decode_bytes(bytes.fromhex(v["hex"]), encodings, PN_DELIMS if v["name"] else TEXT_VR_DELIMS)
        print(json.dumps({"read": text}))
        continue
    could = False
    for e in encodings:
        if e in ("iso8859", "shift_jis"):  # pydicom's stand-ins for ISO_IR 6 and ISO_IR 13, which have less
            continue
        if e == "iso2022_jp_2":  # has Chinese and Korean too; JIS X 0212 alone is what euc_jp adds
            e = "euc_jp"
        try:
            raw = v["text"].encode(e)
            could = could or raw.decode(e) == v["text"] and not (e == "euc_jp" and raw[0] == 0x8E)  # katakana of JIS X 0201
            could = could and not (e == "euc_kr" and len(raw) > 2)  # syllables that it composes
        except (UnicodeError, LookupError):
            pass
    print(json.dumps({"could": could}))
