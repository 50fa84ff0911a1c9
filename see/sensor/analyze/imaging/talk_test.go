// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"encoding/binary"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

const (
	ctImage   = "1.2.840.10008.5.1.4.1.1.2"
	pdfClass  = "1.2.840.10008.5.1.4.1.1.104.1"
	studyFind = "1.2.840.10008.5.1.4.1.2.2.1"
	studyGet  = "1.2.840.10008.5.1.4.1.2.2.3"
	studyMove = "1.2.840.10008.5.1.4.1.2.2.2"
)

// talk builds a conversation of two application entities.
type talk struct {
	t    testing.TB
	segs []analyzetest.Segment
	max  uint32
}

func (k *talk) add(dir analyze.Dir, b []byte) *talk {
	k.segs = append(k.segs, analyzetest.Segment{Dir: dir, Data: b})
	return k
}

func (k *talk) gap(dir analyze.Dir, n int) *talk {
	k.segs = append(k.segs, analyzetest.Segment{Dir: dir, Gap: int64(n)})
	return k
}

// open negotiates the given SOP classes on contexts 1, 3, 5 ... with one transfer
// syntax.
func (k *talk) open(syntax string, classes ...string) *talk {
	return k.request(syntax, classes...).accept(syntax, classes...)
}

func negotiation(t ul.Type, syntax string, classes ...string) *ul.Associate {
	a := &ul.Associate{Type: t, ProtocolVersion: 1, CalledAE: "ARCHIVE", CallingAE: "CT_OR3", ApplicationContext: dicom.UIDDICOMApplicationContext}
	a.User = ul.UserInformation{MaxLength: 16384, ImplUID: "1.3.12.2.1107.5.9", ImplVersion: "CT_V1"}
	for i, c := range classes {
		pc := ul.PresentationContext{ID: uint8(2*i + 1), TransferSyntaxes: []string{syntax}}
		if t == ul.TypeAssociateRQ {
			pc.AbstractSyntax = c
		}
		a.Contexts = append(a.Contexts, pc)
	}
	return a
}

func (k *talk) associate(dir analyze.Dir, a *ul.Associate) *talk {
	b, err := ul.AppendAssociate(nil, a)
	if err != nil {
		k.t.Fatal(err)
	}
	return k.add(dir, b)
}

func (k *talk) request(syntax string, classes ...string) *talk {
	return k.associate(analyze.ToServer, negotiation(ul.TypeAssociateRQ, syntax, classes...))
}

func (k *talk) accept(syntax string, classes ...string) *talk {
	a := negotiation(ul.TypeAssociateAC, syntax, classes...)
	a.User.ImplUID, a.User.ImplVersion = "1.2.276.0.7230010.3.0.3.6.7", "OFFIS_DCMTK_367"
	return k.associate(analyze.ToClient, a)
}

func (k *talk) command(dir analyze.Dir, ctx uint8, c dimse.Command) *talk {
	return k.add(dir, ul.AppendPData(nil, ctx, true, c.Append(nil), k.maximum()))
}

func (k *talk) data(dir analyze.Dir, ctx uint8, b []byte) *talk {
	return k.add(dir, ul.AppendPData(nil, ctx, false, b, k.maximum()))
}

func (k *talk) maximum() uint32 {
	if k.max == 0 {
		return 16384
	}
	return k.max
}

func (k *talk) echo() *talk {
	k.command(analyze.ToServer, 1, dimse.Command{Field: dimse.CEchoRQ, Present: dimse.HasMessageID, MessageID: 1, AffectedSOPClass: dicom.UIDVerification, DataSetType: dimse.NoDataSet})
	return k.answer(analyze.ToClient, 1, dimse.CEchoRQ, 1, 0)
}

func (k *talk) answer(dir analyze.Dir, ctx uint8, f dimse.Field, id uint16, status dimse.Status) *talk {
	return k.command(dir, ctx, dimse.Command{Field: f | dimse.ResponseBit, Present: dimse.HasRespondedTo | dimse.HasStatus, RespondedTo: id, Status: status, DataSetType: dimse.NoDataSet})
}

func (k *talk) store(dir analyze.Dir, ctx uint8, id uint16, class string, set []byte) *talk {
	k.command(dir, ctx, dimse.Command{Field: dimse.CStoreRQ, Present: dimse.HasMessageID, MessageID: id, AffectedSOPClass: class, AffectedSOPInstance: "2.25.7", DataSetType: 1})
	return k.data(dir, ctx, set)
}

func (k *talk) release() *talk {
	return k.add(analyze.ToServer, ul.AppendReleaseRQ(nil)).add(analyze.ToClient, ul.AppendReleaseRP(nil))
}

// play runs the conversation, once as it is and once in single bytes; both must
// give the same events.
func (k *talk) play() *analyzetest.Host {
	k.t.Helper()
	h, _ := analyzetest.Stream(k.t, Protocols()[0], 104, k.segs)
	split, _ := analyzetest.Stream(k.t, Protocols()[0], 104, analyzetest.Split(k.segs))
	a, b := digest(h), digest(split)
	if a != b {
		k.t.Errorf("in single bytes:\n%s\nwhole:\n%s", b, a)
	}
	return h
}

// element writes one element in explicit VR little endian.
func element(tag dicom.Tag, vr dicom.VR, value string) []byte {
	if len(value)%2 != 0 {
		value += " "
	}
	b := []byte{byte(tag.Group()), byte(tag.Group() >> 8), byte(tag), byte(tag >> 8), byte(vr >> 8), byte(vr)}
	if vr.Long() {
		b = binary.LittleEndian.AppendUint32(append(b, 0, 0), uint32(len(value)))
	} else {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	}
	return append(b, value...)
}

func set(elements ...[]byte) (b []byte) {
	for _, e := range elements {
		b = append(b, e...)
	}
	return b
}

// image is a CT image of one device with n bytes of pixel data.
func image(serial string, n int) []byte {
	return set(
		element(dicom.TagSpecificCharacterSet, dicom.CS, "ISO_IR 100"),
		element(dicom.TagSOPClassUID, dicom.UI, ctImage),
		element(dicom.TagSOPInstanceUID, dicom.UI, "2.25.7"),
		element(dicom.TagAccessionNumber, dicom.SH, "ACC-4711"),
		element(dicom.TagModality, dicom.CS, "CT"),
		element(dicom.TagManufacturer, dicom.LO, "Siemens Healthineers"),
		element(dicom.TagStationName, dicom.SH, "CT-OR3"),
		element(dicom.TagManufacturerModelName, dicom.LO, "SOMATOM"),
		element(0x00100010, dicom.PN, "Secret^Patient"),
		element(dicom.TagPatientID, dicom.LO, "PAT-0815"),
		element(dicom.TagIssuerOfPatientID, dicom.LO, "LINDENHOF"),
		element(dicom.TagDeviceSerialNumber, dicom.LO, serial),
		element(dicom.TagSoftwareVersions, dicom.LO, "VB20A\\syngo"),
		element(dicom.TagStudyInstanceUID, dicom.UI, "2.25.100"),
		element(dicom.TagSeriesInstanceUID, dicom.UI, "2.25.101"),
		element(dicom.TagPixelData, dicom.OW, string(make([]byte, n))),
	)
}

func operations(h *analyzetest.Host) (ops []*event.DICOMOperation) {
	for _, e := range h.Events {
		if d, ok := e.Detail.(*event.DICOMOperation); ok {
			ops = append(ops, d)
		}
	}
	return ops
}

func associations(h *analyzetest.Host) (out []*event.Event) {
	for _, e := range h.Events {
		if _, ok := e.Detail.(*event.DICOMAssociation); ok {
			out = append(out, e)
		}
	}
	return out
}
