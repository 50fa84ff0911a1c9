// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

const (
	explicitLE = dicom.ExplicitVRLittleEndian
	toServer   = analyze.ToServer
	toClient   = analyze.ToClient
)

// digest writes down what was emitted, without times.
func digest(h *analyzetest.Host) string {
	var b strings.Builder
	for _, e := range h.Events {
		d := e.Detail
		if op, ok := d.(*event.DICOMOperation); ok {
			c := *op
			c.DurationMS = 0
			d = &c
		}
		j, _ := json.Marshal(d)
		fmt.Fprintf(&b, "%d %d %s %s %s\n", e.Class(), e.Activity, e.StatusCode, e.Message, j)
	}
	for _, f := range h.Facts {
		fmt.Fprintf(&b, "%v %s=%s %s %d\n", f.Subject.IP, f.Attribute, f.Value, f.Source, f.Confidence)
	}
	return b.String()
}

func TestAStoreTellsWhatWasSentAndByWhichDevice(t *testing.T) {
	k := &talk{t: t}
	k.open(explicitLE, ctImage).store(toServer, 1, 1, ctImage, image("S-1", 40000)).answer(toClient, 1, dimse.CStoreRQ, 1, 0).release()
	h := k.play()
	op := operations(h)[0]
	if op.Modality != "CT" || op.Manufacturer != "Siemens Healthineers" || op.ModelName != "SOMATOM" || op.DeviceSerial != "S-1" || op.SoftwareVersions != `VB20A\syngo` ||
		op.StationName != "CT-OR3" || op.StudyInstance != "2.25.100" || op.SeriesInstance != "2.25.101" || op.SOPInstance != "2.25.7" ||
		op.Bytes != uint64(len(image("S-1", 40000))) || !op.Answered || op.StatusName != "success" || op.Malformed != "" || op.Suspicious != nil || op.Incomplete {
		t.Errorf("%+v", op)
	}
	if op.PatientRef != h.Pseudonym("patient-id", "PAT-0815^^^LINDENHOF") || op.AccessionRef != h.Pseudonym("accession", "ACC-4711") {
		t.Error("patient ID and accession number are not pseudonymised with their issuer")
	}
	for _, want := range []device.Evidence{
		{Attribute: device.AttrAETitle, Value: "CT_OR3", Confidence: device.Structured},
		{Attribute: device.AttrAETitle, Value: "ARCHIVE", Confidence: device.Structured},
		{Attribute: device.AttrDICOMImpl, Value: "1.3.12.2.1107.5.9|CT_V1", Confidence: device.Structured},
		{Attribute: device.AttrDICOMImpl, Value: "1.2.276.0.7230010.3.0.3.6.7|OFFIS_DCMTK_367", Confidence: device.Structured},
		{Attribute: device.AttrDICOMRole, Value: "scu:CT Image Storage", Confidence: device.Hint},
		{Attribute: device.AttrDICOMRole, Value: "scu:CT Image Storage", Confidence: device.Structured},
		{Attribute: device.AttrDICOMRole, Value: "scp:CT Image Storage", Confidence: device.Claimed},
		{Attribute: device.AttrModality, Value: "CT", Confidence: device.Hint},
		{Attribute: device.AttrSerial, Value: "S-1", Confidence: device.Hint},
		{Attribute: device.AttrService, Value: "dicom/tcp:104", Confidence: device.Claimed},
		{Attribute: device.AttrVendor, Value: "Siemens Healthineers", Confidence: device.Hint},
	} {
		if !slices.ContainsFunc(h.Facts, func(f device.Evidence) bool {
			return f.Attribute == want.Attribute && f.Value == want.Value && f.Confidence == want.Confidence
		}) {
			t.Errorf("no evidence %s=%s at %d", want.Attribute, want.Value, want.Confidence)
		}
	}
	end := h.Events[len(h.Events)-1]
	d := end.Detail.(*event.DICOMAssociation)
	if end.Activity != activityRelease || d.Objects != 1 || d.ObjectBytes != op.Bytes || d.Operations["C-STORE"] != 1 || d.Malformed != "" {
		t.Errorf("%s %+v", end.Message, d)
	}
	if s := digest(h); strings.Contains(s, "0815") || strings.Contains(s, "Secret") || strings.Contains(s, "4711") {
		t.Error("an identifier of the patient is in clear")
	}
}

func TestBulkIsPassedOver(t *testing.T) {
	k := &talk{t: t}
	k.open(explicitLE, ctImage)
	n := len(k.segs)
	k.store(toServer, 1, 1, ctImage, image("S-1", 1<<20))
	var flow []byte
	for _, s := range k.segs[n:] {
		flow = append(flow, s.Data...)
	}
	c := analyzetest.Conn(analyzetest.NewHost(), 6, 104)
	s := &stream{}
	for _, x := range k.segs[:n] {
		s.Data(c, x.Dir, x.Data)
	}
	presented := 0
	for i := 0; i < len(flow); {
		end := min(i+1460, len(flow))
		used, v := s.Data(c, toServer, flow[i:end])
		if v != analyze.More || used < int64(end-i) {
			t.Fatalf("consumed %d of %d, verdict %v", used, end-i, v)
		}
		presented += end - i
		i += int(used)
	}
	if presented > len(flow)/8 {
		t.Errorf("%d of %d bytes were presented", presented, len(flow))
	}
	s.Close(c, analyze.Finished)
	if s.assoc.bytes != uint64(len(image("S-1", 1<<20))) {
		t.Errorf("%d bytes counted", s.assoc.bytes)
	}
}

func TestAQueryTellsItsKeysButNoValue(t *testing.T) {
	keys := set(
		element(dicom.TagQueryRetrieveLevel, dicom.CS, "STUDY"),
		element(0x00080020, dicom.DA, "20260101-20261231"),
		element(dicom.TagAccessionNumber, dicom.SH, ""),
		element(0x00100010, dicom.PN, "SECRET*"),
		element(dicom.TagPatientID, dicom.LO, "*"),
		element(dicom.TagStudyInstanceUID, dicom.UI, ""),
	)
	k := &talk{t: t}
	k.open(explicitLE, studyFind)
	k.command(toServer, 1, dimse.Command{Field: dimse.CFindRQ, Present: dimse.HasMessageID, MessageID: 3, AffectedSOPClass: studyFind, DataSetType: 1}).data(toServer, 1, keys)
	pending := dimse.Command{Field: dimse.CFindRQ | dimse.ResponseBit, Present: dimse.HasRespondedTo | dimse.HasStatus, RespondedTo: 3, Status: 0xFF00, DataSetType: 1}
	for range 2 {
		k.command(toClient, 1, pending).data(toClient, 1, keys)
	}
	k.answer(toClient, 1, dimse.CFindRQ, 3, 0).release()
	h := k.play()
	op := operations(h)[0]
	if !slices.Equal(op.QueryKeys, []string{"StudyDate", "AccessionNumber", "PatientName", "PatientID", "StudyInstanceUID"}) ||
		!slices.Equal(op.MatchingKeys, []string{"StudyDate", "PatientName", "PatientID"}) ||
		!slices.Equal(op.WildcardKeys, []string{"PatientName", "PatientID"}) || op.QueryLevel != "STUDY" || op.Results != 2 {
		t.Errorf("%+v", op)
	}
	if s := digest(h); strings.Contains(s, "SECRET") || strings.Contains(s, "20260101") {
		t.Error("the value of a key is in an event")
	}
}

func TestAQueryForEverybodyIsMarked(t *testing.T) {
	level := element(dicom.TagQueryRetrieveLevel, dicom.CS, "STUDY")
	for _, c := range []struct {
		name string
		keys [][]byte
		want bool
	}{
		{"no key has a value", [][]byte{level, element(0x00100010, dicom.PN, "")}, true},
		{"any name", [][]byte{level, element(0x00100010, dicom.PN, "*^*")}, true},
		{"names with one letter", [][]byte{level, element(0x00100010, dicom.PN, "A*")}, true},
		{"all studies of this century", [][]byte{level, element(0x00080020, dicom.DA, "20000101-")}, true},
		{"all studies of many years", [][]byte{level, element(0x00080020, dicom.DA, "20000101-20261231")}, true},
		{"all CTs at night", [][]byte{level, element(0x00080030, dicom.TM, "000000-060000"), element(tagModalitiesInStudy, dicom.CS, "CT")}, true},
		{"a name", [][]byte{level, element(0x00100010, dicom.PN, "PROBE*")}, false},
		{"a patient", [][]byte{level, element(0x00100010, dicom.PN, "*"), element(dicom.TagPatientID, dicom.LO, "7")}, false},
		{"a day", [][]byte{level, element(0x00080020, dicom.DA, "20260302")}, false},
		{"a month", [][]byte{level, element(0x00080020, dicom.DA, "20260201-20260301")}, false},
		{"the series of a study, of which a client left out the name", [][]byte{element(dicom.TagQueryRetrieveLevel, dicom.CS, "SERIES"), element(0x00080060, dicom.CS, "")}, false},
	} {
		k := &talk{t: t}
		k.open(explicitLE, studyFind)
		k.command(toServer, 1, dimse.Command{Field: dimse.CFindRQ, Present: dimse.HasMessageID, MessageID: 3, AffectedSOPClass: studyFind, DataSetType: 1}).data(toServer, 1, set(c.keys...))
		k.answer(toClient, 1, dimse.CFindRQ, 3, 0).release()
		if got := slices.Contains(operations(k.play())[0].Suspicious, unrestricted); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestSubOperationsOfAGetComeFromTheOtherSide(t *testing.T) {
	k := &talk{t: t}
	rq := negotiation(ul.TypeAssociateRQ, explicitLE, studyGet, ctImage)
	rq.User.Roles = []ul.RoleSelection{{SOPClass: ctImage, SCP: true}}
	ac := negotiation(ul.TypeAssociateAC, explicitLE, studyGet, ctImage)
	ac.User.Roles = rq.User.Roles
	k.associate(toServer, rq).associate(toClient, ac)
	k.command(toServer, 1, dimse.Command{Field: dimse.CGetRQ, Present: dimse.HasMessageID, MessageID: 1, AffectedSOPClass: studyGet, DataSetType: 1})
	k.data(toServer, 1, set(element(dicom.TagQueryRetrieveLevel, dicom.CS, "STUDY"), element(dicom.TagStudyInstanceUID, dicom.UI, "2.25.100")))
	k.store(toClient, 3, 1, ctImage, image("S-1", 100)).answer(toServer, 3, dimse.CStoreRQ, 1, 0)
	k.command(toClient, 1, dimse.Command{Field: dimse.CGetRQ | dimse.ResponseBit, Present: dimse.HasRespondedTo | dimse.HasStatus | dimse.HasCompleted | dimse.HasFailed,
		RespondedTo: 1, Completed: 1, DataSetType: dimse.NoDataSet}).release()
	h := k.play()
	ops := operations(h)
	if len(ops) != 2 || ops[0].Command != "C-STORE" || !ops[0].FromAcceptor || ops[1].FromAcceptor || *ops[1].Completed != 1 || ops[1].StudyInstance != "2.25.100" {
		t.Fatalf("%+v", ops)
	}
	for _, f := range h.Facts {
		if f.Attribute == device.AttrSerial || f.Attribute == device.AttrModel {
			t.Errorf("a retrieve says %s=%s of %v, which did not make the object", f.Attribute, f.Value, f.Subject.IP)
		}
		if f.Attribute == device.AttrModality && (f.Confidence != device.Guess || f.Subject.IP.String() != "192.0.2.20") {
			t.Errorf("modality %+v", f)
		}
		if f.Value == "scp:CT Image Storage" && f.Confidence == device.Structured && f.Subject.IP.String() != "192.0.2.10" {
			t.Error("the requestor of a C-GET is the SCP of storage")
		}
	}
	if !h.Has(device.AttrDICOMRole, "scu:CT Image Storage") {
		t.Error("the acceptor of a C-GET is the SCU of storage")
	}
}

func TestObjectsOfSeveralDevicesSayNothingOfTheSender(t *testing.T) {
	k := &talk{t: t}
	k.open(explicitLE, ctImage)
	for i, serial := range []string{"S-1", "S-2"} {
		k.store(toServer, 1, uint16(i+1), ctImage, image(serial, 100)).answer(toClient, 1, dimse.CStoreRQ, uint16(i+1), 0)
	}
	h := k.release().play()
	for _, f := range h.Facts {
		if strings.HasPrefix(f.Source, "dicom.store.") && (f.Confidence != device.Guess || !strings.HasPrefix(f.Source, "dicom.store.forwarded-") || f.Attribute == device.AttrSerial) {
			t.Errorf("%+v", f)
		}
	}
	if !h.Has(device.AttrModality, "CT") {
		t.Error("the modality that passed is not told")
	}
}

func TestEveryEndOfAnAssociationIsTold(t *testing.T) {
	for _, c := range []struct {
		name     string
		build    func(k *talk)
		activity []uint8
		message  string
	}{
		{"released", func(k *talk) { k.open(explicitLE, dicom.UIDVerification).echo().release() }, []uint8{activityAccept, activityRelease}, "the association of CT_OR3 with ARCHIVE was released"},
		{"rejected", func(k *talk) {
			k.request(explicitLE, dicom.UIDVerification).add(toClient, ul.AppendReject(nil, ul.Reject{Result: 1, Source: 1, Reason: 7}))
		}, []uint8{activityReject}, "ARCHIVE rejected the association of CT_OR3: called-ae-title-not-recognized"},
		{"aborted by the acceptor", func(k *talk) {
			k.open(explicitLE, dicom.UIDVerification).add(toClient, ul.AppendAbort(nil, ul.Abort{Source: 2, Reason: 1}))
		}, []uint8{activityAccept, activityAbort}, "ARCHIVE aborted the association of CT_OR3"},
		{"aborted by the requestor", func(k *talk) {
			k.open(explicitLE, dicom.UIDVerification).add(toServer, ul.AppendAbort(nil, ul.Abort{}))
		}, []uint8{activityAccept, activityAbort}, "CT_OR3 aborted its association with ARCHIVE"},
		{"closed without release", func(k *talk) { k.open(explicitLE, dicom.UIDVerification).echo() }, []uint8{activityAccept, activityClose}, "the association of CT_OR3 with ARCHIVE ended without release"},
		{"never answered", func(k *talk) { k.request(explicitLE, dicom.UIDVerification) }, []uint8{activityRequest}, "CT_OR3 asked ARCHIVE for an association; no answer was seen"},
		{"a second one on the same connection", func(k *talk) {
			k.open(explicitLE, dicom.UIDVerification).echo().release().open(explicitLE, dicom.UIDVerification).echo()
		}, []uint8{activityAccept, activityRelease, activityAccept, activityClose}, "the association of CT_OR3 with ARCHIVE ended without release"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &talk{t: t}
			c.build(k)
			var got []uint8
			var last string
			for _, e := range associations(k.play()) {
				got = append(got, e.Activity)
				last = e.Message
			}
			if !slices.Equal(got, c.activity) || last != c.message {
				t.Errorf("activities %v, %q", got, last)
			}
		})
	}
}

func TestErrorCommentsAreShownOnlyWhenTheyHoldNoIdentifier(t *testing.T) {
	for comment, safe := range map[string]bool{
		"Unknown Move Destination": true, "Out of resources: cannot store data set": true, "": true,
		"No such patient DOE": false, "Study 2.25.7 not found": false, "DOE^JOHN": false, "Refused (unable to process)": true,
		strings.Repeat("z", 100): false,
	} {
		if got := safeComment(comment); (got == comment) != safe {
			t.Errorf("%q gives %q", comment, got)
		}
	}
}
