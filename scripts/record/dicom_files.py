#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the DICOM objects and worklist entries of a fictional theatre morning into a directory.

  dicom_files.py DIRECTORY

Small synthetic phantoms; people, numbers and places are fictional and say so. UIDs are UUID-derived (PS3.5 B.2) from fixed
names, so that each recording holds the same ones.
"""
import os
import sys
import uuid

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
XA = "1.2.840.10008.5.1.4.1.1.12.1"
VL_ENDOSCOPIC = "1.2.840.10008.5.1.4.1.1.77.1.1"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
WORKLIST = "1.2.840.10008.5.1.4.31"

HOSPITAL = "Lindenhof University Hospital (fictional)"
IMPLEMENTATION = ("2.25." + str(uuid.uuid5(uuid.NAMESPACE_DNS, "recording.asepsis.example").int), "ASEPSIS_REC_1")


def uid(name):
    return "2.25." + str(uuid.uuid5(uuid.NAMESPACE_DNS, name + ".lindenhof.example").int)


PATIENTS = {
    "petra": ("Probe^Petra", "FICT-0001", "19700101", "F"),
    "max": ("Muster^Max", "FICT-0002", "19650615", "M"),
    "erika": ("Beispiel^Erika^^Dr.", "FICT-0003", "19881224", "F"),
}


def base(sop_class, name, patient, modality, station, maker, model, description, number=1):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = uid(name)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID, meta.ImplementationVersionName = IMPLEMENTATION
    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.is_little_endian, ds.is_implicit_VR = True, False
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = PATIENTS[patient]
    ds.IssuerOfPatientID = "LINDENHOF-FICT"
    ds.StudyInstanceUID = uid(f"study.{patient}.{modality}")
    ds.SeriesInstanceUID = uid(f"series.{patient}.{modality}.{station}")
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "1", 1, number
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = "20260112"
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = "073000"
    ds.AccessionNumber = f"FICT-A-{patient.upper()}"
    ds.StudyDescription, ds.SeriesDescription = description, description
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = modality, maker, model
    ds.StationName, ds.InstitutionName = station, HOSPITAL
    ds.DeviceSerialNumber, ds.SoftwareVersions = f"FICT-{station}", "VB20A (fictional)"
    ds.ReferringPhysicianName = "Fiktiv^Franz"
    return ds


def pixels(ds, shape, bits=16, frames=1, number=1):
    rows, cols = shape
    y, x = np.mgrid[0:rows, 0:cols]
    top = (1 << (bits if bits == 8 else 12)) - 1
    planes = []
    for f in range(frames):
        r = np.hypot(x - cols / 2 + 3 * f, y - rows / 2)
        planes.append(np.where(r < rows / 3 + number, top - (r * top / rows), x * top / (8 * cols)))
    a = np.stack(planes).astype("<u2" if bits == 16 else "u1")
    ds.Rows, ds.Columns, ds.SamplesPerPixel = rows, cols, 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored = bits, 12 if bits == 16 else 8
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, 0
    if frames > 1:
        ds.NumberOfFrames = frames
        ds.FrameTime, ds.FrameIncrementPointer = "40", 0x00181063
    ds.PixelData = a.tobytes()


def coded(code, scheme, meaning):
    d = Dataset()
    d.CodeValue, d.CodingSchemeDesignator, d.CodeMeaning = code, scheme, meaning
    return d


def objects():
    for i in range(1, 4):
        ds = base(CT, f"ct.{i}", "petra", "CT", "CT-OR3", "Siemens Healthineers", "SOMATOM (fictional)", "CT Abdomen", i)
        ds.RescaleIntercept, ds.RescaleSlope, ds.KVP, ds.SliceThickness = "-1024", "1", "120", "3"
        ds.FrameOfReferenceUID = uid("frame.petra.CT")
        ds.ImagePositionPatient, ds.ImageOrientationPatient = ["0", "0", str(3 * i)], ["1", "0", "0", "0", "1", "0"]
        ds.PixelSpacing = ["0.7", "0.7"]
        pixels(ds, (64, 64), number=i)
        yield f"ct{i}", ds
    for i in range(1, 3):
        ds = base(MR, f"mr.{i}", "max", "MR", "MR-1", "GE MEDICAL SYSTEMS", "SIGNA (fictional)", "MR Kopf nativ, Übersicht", i)
        ds.ScanningSequence, ds.SequenceVariant, ds.MRAcquisitionType = "SE", "NONE", "2D"
        ds.EchoTime, ds.RepetitionTime = "12", "500"
        pixels(ds, (64, 64), number=i)
        yield f"mr{i}", ds
    ds = base(US_MULTIFRAME, "us.1", "erika", "US", "US-OR3", "FUJIFILM SonoSite", "X-Porte (fictional)", "US intraoperative")
    pixels(ds, (48, 64), bits=8, frames=6)
    yield "us1", ds
    ds = base(XA, "xa.1", "petra", "XA", "CARM-OR3", "Siemens Healthineers", "Cios (fictional)", "C-arm positioning")
    pixels(ds, (64, 64), bits=8, frames=2)
    yield "xa1", ds
    ds = base(VL_ENDOSCOPIC, "es.1", "petra", "ES", "ENDO-OR3", "KARL STORZ (fictional)", "IMAGE1 (fictional)", "Laparoscopy still")
    pixels(ds, (64, 64), bits=8)
    yield "es1", ds
    ds = base(COMPREHENSIVE_SR, "sr.1", "petra", "SR", "WS-OR3", "Example", "Reporter", "Operative note")
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.ConceptNameCodeSequence = Sequence([coded("28570-0", "LN", "Procedure note")])
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.ConceptNameCodeSequence = Sequence([coded("121071", "DCM", "Finding")])
    item.TextValue = "Fictional text: no person was operated on."
    ds.ContentSequence = Sequence([item])
    ds.ReferencedPerformedProcedureStepSequence = Sequence([])
    yield "sr1", ds
    ds = base(ENCAPSULATED_PDF, "pdf.1", "petra", "DOC", "WS-OR3", "Example", "Scanner", "Consent form (fictional)")
    ds.BurnedInAnnotation, ds.DocumentTitle, ds.MIMETypeOfEncapsulatedDocument = "YES", "Consent (fictional)", "application/pdf"
    ds.ConceptNameCodeSequence = Sequence([])
    pdf = (b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
           b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
    ds.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    yield "pdf1", ds


def worklist():
    steps = (("petra", "CT", "CT_OR3", "Lap. cholecystectomy, planning CT"), ("max", "MR", "MR_1", "Navigation MR"),
             ("erika", "US", "US_OR3", "Intraoperative ultrasound"))
    for n, (patient, modality, ae, what) in enumerate(steps, 1):
        ds = base(WORKLIST, f"wl.{n}", patient, modality, ae, "Example", "RIS", what)
        for k in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber", "Manufacturer", "Modality",
                  "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions", "SeriesDescription", "StationName"):
            del ds[k]
        ds.RequestedProcedureID, ds.RequestedProcedureDescription = f"FICT-RP-{n}", what
        ds.RequestingPhysician = "Fiktiv^Franz"
        sps = Dataset()
        sps.Modality, sps.ScheduledStationAETitle = modality, ae
        sps.ScheduledProcedureStepStartDate, sps.ScheduledProcedureStepStartTime = "20260112", f"{7 + n:02d}0000"
        sps.ScheduledPerformingPhysicianName = "Chirurg^Clara"
        sps.ScheduledProcedureStepDescription, sps.ScheduledProcedureStepID = what, f"FICT-SPS-{n}"
        sps.ScheduledStationName, sps.ScheduledProcedureStepLocation = ae, "OR 3"
        ds.ScheduledProcedureStepSequence = Sequence([sps])
        yield f"wl{n}", ds


def main():
    out = sys.argv[1]
    os.makedirs(os.path.join(out, "worklist", "RIS"), exist_ok=True)
    for name, ds in objects():
        if name == "mr2":
            ds.file_meta.TransferSyntaxUID, ds.is_implicit_VR = ImplicitVRLittleEndian, True
        ds.save_as(os.path.join(out, name + ".dcm"), write_like_original=False)
    for name, ds in worklist():
        ds.save_as(os.path.join(out, "worklist", "RIS", name + ".wl"), write_like_original=False)
    open(os.path.join(out, "worklist", "RIS", "lockfile"), "w").close()


if __name__ == "__main__":
    main()
