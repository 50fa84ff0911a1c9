# SPDX-License-Identifier: Apache-2.0
#
# Reads pairs of files, an original and its de-identified copy, with pydicom, every value of the copy, and prints one line
# of JSON for each: what is wrong with the copy, and the study's UID before and after.
import json
import sys

import pydicom

CODES = set(sys.argv[1].split(","))


def walk(ds, wrong):
    for e in ds:
        if e.VR == "SQ":
            for item in e.value:
                walk(item, wrong)
        elif e.tag.is_private:
            wrong.append("private element %s" % e.tag)


def image(ds):
    try:
        return ds.pixel_array.tobytes()
    except Exception as e:  # what pydicom's decoders cannot read, or not without a package that is missing
        return str(e)


for line in sys.stdin:
    original, copy = line.rstrip("\n").split("\t")
    a, b = pydicom.dcmread(original, force=True), pydicom.dcmread(copy)
    wrong = []
    walk(b, wrong)
    if b.get("PatientIdentityRemoved") != "YES":
        wrong.append("PatientIdentityRemoved")
    if {i.CodeValue for i in b.DeidentificationMethodCodeSequence} != CODES:
        wrong.append("DeidentificationMethodCodeSequence")
    if b.file_meta.TransferSyntaxUID != a.file_meta.TransferSyntaxUID:
        wrong.append("transfer syntax")
    for k in ("PixelData", "FloatPixelData", "Rows", "Columns", "BitsStored", "WaveformSequence", "Modality", "SOPClassUID"):
        if (k in a) != (k in b):
            wrong.append(k + " is gone")
    if "PixelData" in a and a.PixelData != b.PixelData:
        # Comments within compressed streams become zeros: the streams stay as long as they were, and their images the same.
        if not a.file_meta.TransferSyntaxUID.is_compressed or len(a.PixelData) != len(b.PixelData):
            wrong.append("PixelData has changed")
        elif any(y and x != y for x, y in zip(a.PixelData, b.PixelData)) or image(a) != image(b):
            wrong.append("the image has changed")
    if [e.tag for e in b] != sorted(e.tag for e in b):
        wrong.append("order")
    print(json.dumps({"wrong": wrong, "study": str(b.get("StudyInstanceUID", "")), "from": str(a.get("StudyInstanceUID", ""))}))
