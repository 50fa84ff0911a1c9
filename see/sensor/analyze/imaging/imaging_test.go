// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
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

func TestHolesAreSurvived(t *testing.T) {
	set := image("S-1", 200_000)
	build := func() (*talk, []byte) {
		k := &talk{t: t}
		k.open(explicitLE, ctImage)
		n := len(k.segs)
		k.store(toServer, 1, 1, ctImage, set)
		var b []byte
		for _, s := range k.segs[n:] {
			b = append(b, s.Data...)
		}
		k.segs = k.segs[:n]
		return k, b
	}
	for _, c := range []struct {
		name       string
		from, size int
		serial     string
		incomplete bool
		bytes      bool
	}{
		{"in skipped pixel data", 20000, 3000, "S-1", false, true},
		{"over several PDUs of pixel data", 20000, 50000, "S-1", true, false},
		{"in the data set before the pixel data", 260, 60, "", true, true},
		{"in the command", 40, 30, "", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, b := build()
			k.t = t
			k.add(toServer, b[:c.from]).gap(toServer, c.size).add(toServer, b[c.from+c.size:])
			k.answer(toClient, 1, dimse.CStoreRQ, 1, 0)
			k.store(toServer, 1, 2, ctImage, image("S-2", 100)).answer(toClient, 1, dimse.CStoreRQ, 2, 0).release()
			h, _ := analyzetest.Stream(t, Protocols()[0], 104, k.segs)
			var first, second *event.DICOMOperation
			for _, op := range operations(h) {
				if op.MessageID == 1 {
					first = op
				} else {
					second = op
				}
			}
			if first == nil || first.DeviceSerial != c.serial || first.Incomplete != c.incomplete || !first.Answered || (first.Bytes == uint64(len(set))) != c.bytes {
				t.Errorf("the object with the hole: %+v", first)
			}
			if second == nil || second.DeviceSerial != "S-2" || second.Incomplete || second.Malformed != "" {
				t.Errorf("the object after it: %+v", second)
			}
			end := h.Events[len(h.Events)-1].Detail.(*event.DICOMAssociation)
			if !c.incomplete && end.Incomplete || end.Malformed != "" {
				t.Errorf("the end: %+v", end)
			}
		})
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

func TestWhatIsInAnObjectThatShouldNotBe(t *testing.T) {
	pe := make([]byte, 256)
	copy(pe, "MZ")
	pe[0x3C] = 0x80
	copy(pe[0x80:], "PE\x00\x00")
	zip := "PK\x03\x04\x14\x00" + strings.Repeat("\x00", 60)
	fragments := func(first string) []byte {
		b := []byte("\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0")
		b = append(b, byte(len(first)), byte(len(first)>>8), 0, 0)
		return append(append(b, first...), "\xfe\xff\xdd\xe0\x00\x00\x00\x00"...)
	}
	for _, c := range []struct {
		name  string
		class string
		data  []byte
		want  []string
	}{
		{"nothing", ctImage, image("S-1", 600), nil},
		{"pixels that begin with MZ by chance", ctImage, element(dicom.TagPixelData, dicom.OW, "MZ"+strings.Repeat("\x01\x02", 300)), nil},
		{"a Windows program as pixel data", ctImage, element(dicom.TagPixelData, dicom.OW, string(pe)), []string{"executable-pe-in-pixel-data"}},
		{"an ELF program in a fragment", ctImage, fragments("\x7fELF\x02\x01\x01\x00"), []string{"executable-elf-in-pixel-data"}},
		{"an archive in a private element", ctImage, element(0x00091010, dicom.OB, zip), []string{"zip-archive"}},
		{"a script", ctImage, element(0x00091010, dicom.UN, "#!/bin/sh\nid\n"), []string{"script-shebang"}},
		{"a PDF where one belongs", pdfClass, element(dicom.TagEncapsulatedDocument, dicom.OB, "%PDF-1.7 ..."), []string{"encapsulated-pdf"}},
		{"something else where a PDF belongs", pdfClass, element(dicom.TagEncapsulatedDocument, dicom.OB, "<html><body>"), []string{"encapsulated-pdf", "document-type-mismatch"}},
		{"a program where a PDF belongs", pdfClass, element(dicom.TagEncapsulatedDocument, dicom.OB, string(pe)), []string{"encapsulated-pdf", "executable-pe", "document-type-mismatch"}},
		{"markup in a text", ctImage, element(0x00081030, dicom.LO, "x<ScRiPt src=//e>"), []string{"markup-in-text"}},
		{"a template in a text", ctImage, element(0x00081030, dicom.LO, "${jndi:ldap://e}"), []string{"template-expansion-in-text"}},
		{"a path for a UID", ctImage, element(dicom.TagStudyInstanceUID, dicom.UI, "../../../etc/cron.d/x"), []string{"invalid-uid"}},
		{"another instance than the command says", ctImage, element(dicom.TagSOPInstanceUID, dicom.UI, "2.25.8"), []string{"sop-instance-mismatch"}},
		{"file meta information", ctImage, element(dicom.TagTransferSyntaxUID, dicom.UI, "1.2.840.10008.1.2"), []string{"file-meta-in-data-set"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &talk{t: t, max: 100}
			k.open(explicitLE, c.class).store(toServer, 1, 1, c.class, c.data).answer(toClient, 1, dimse.CStoreRQ, 1, 0).release()
			h := k.play()
			op := operations(h)[0]
			if !slices.Equal(op.Suspicious, c.want) || op.Malformed != "" {
				t.Errorf("%q (malformed %q), want %q", op.Suspicious, op.Malformed, c.want)
			}
			if strings.Contains(digest(h), "cron") {
				t.Error("what is no UID is in an event")
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

func TestOnlyOneOfTwoDirectionsIsEnough(t *testing.T) {
	whole := &talk{t: t}
	whole.open(explicitLE, ctImage).store(toServer, 1, 1, ctImage, image("S-1", 5000)).answer(toClient, 1, dimse.CStoreRQ, 1, 0).release()
	for dir, want := range map[analyze.Dir]string{toServer: "S-1", toClient: ""} {
		k := &talk{t: t}
		for _, s := range whole.segs {
			if s.Dir == dir {
				k.segs = append(k.segs, s)
			}
		}
		h := k.play()
		ops := operations(h)
		if len(ops) != 1 || ops[0].DeviceSerial != want || ops[0].SOPClass == "" && dir == toServer || ops[0].Answered != (dir == toClient) {
			t.Errorf("direction %d: %+v", dir, ops)
		}
		end := h.Events[len(h.Events)-1]
		if end.Activity != activityRelease || end.Detail.(*event.DICOMAssociation).CallingAE != "CT_OR3" {
			t.Errorf("direction %d: %s", dir, end.Message)
		}
	}
}

func TestACaptureThatBeginsInTheMiddle(t *testing.T) {
	whole := &talk{t: t}
	whole.open(explicitLE, ctImage)
	n := len(whole.segs)
	whole.store(toServer, 1, 1, ctImage, image("S-1", 5000)).answer(toClient, 1, dimse.CStoreRQ, 1, 0)
	whole.store(toServer, 1, 2, ctImage, image("S-2", 5000)).answer(toClient, 1, dimse.CStoreRQ, 2, 0).release()
	segs := whole.segs[n:]
	segs[1].Data = segs[1].Data[700:] // in pixel data
	segs = segs[1:]
	h := analyzetest.NewHost()
	c := analyzetest.Conn(h, 6, 104)
	c.MidStream = true
	c.Ends[0], c.Ends[1] = c.Ends[1], c.Ends[0] // and the sides were guessed wrong
	for i := range segs {
		segs[i].Dir = segs[i].Dir.Other()
	}
	analyzetest.RunStream(t, Protocols()[0], c, segs)
	if !c.Flipped() {
		t.Error("the sides were not put right")
	}
	ops := operations(h)
	if len(ops) != 2 || ops[0].DeviceSerial != "S-2" || ops[0].MessageID != 2 || !ops[1].Incomplete || ops[1].MessageID != 1 {
		t.Fatalf("%s", digest(h))
	}
	for _, f := range h.Facts {
		if f.Attribute == device.AttrSerial && f.Subject.IP.String() != "192.0.2.10" {
			t.Errorf("the serial number is given to %v", f.Subject.IP)
		}
	}
}

func TestOutstandingOperationsAreBounded(t *testing.T) {
	c := analyzetest.Conn(analyzetest.NewHost(), 6, 104)
	s := &stream{}
	k := &talk{t: t}
	rq := negotiation(ul.TypeAssociateRQ, explicitLE, dicom.UIDVerification)
	rq.User.Async, rq.User.AsyncInvoked, rq.User.AsyncPerformed = true, 0, 0 // unlimited
	ac := negotiation(ul.TypeAssociateAC, explicitLE, dicom.UIDVerification)
	ac.User.Async, ac.User.AsyncInvoked, ac.User.AsyncPerformed = true, 0, 0
	k.associate(toServer, rq).associate(toClient, ac)
	for i := range MaxOutstanding + 1 {
		k.command(toServer, 1, dimse.Command{Field: dimse.CEchoRQ, Present: dimse.HasMessageID, MessageID: uint16(i), AffectedSOPClass: dicom.UIDVerification, DataSetType: dimse.NoDataSet})
	}
	most := 0
	for _, x := range k.segs {
		s.Data(c, x.Dir, x.Data)
		most = max(most, len(s.ops))
	}
	if most != MaxOutstanding {
		t.Errorf("%d operations wait, want %d", most, MaxOutstanding)
	}
}

func TestMalformedIsSaidWithItsSection(t *testing.T) {
	good := image("S-1", 100)
	for _, c := range []struct {
		name  string
		build func(k *talk)
		want  string
	}{
		{"a PDU type that does not exist", func(k *talk) { k.add(toServer, []byte{9, 0, 0, 0, 0, 0}) }, "no such PDU type (PS3.8 §9.3.1)"},
		{"TLS in the middle", func(k *talk) { k.add(toServer, []byte{0x16, 3, 1, 2, 0, 1}) }, "a TLS handshake record on a connection taken for plain DICOM (RFC 8446 §5.1)"},
		{"a PDU that is too long for its receiver", func(k *talk) {
			k.max = 20000
			k.store(toServer, 1, 1, ctImage, image("S-1", 50000))
		}, "the requestor sent a PDU of 20000 bytes, the acceptor takes 16384 (PS3.8 §D.1)"},
		{"a data set without its command", func(k *talk) { k.data(toServer, 1, good) }, "a data set without its command (PS3.8 §E.1)"},
		{"a command that is none", func(k *talk) {
			k.add(toServer, ul.AppendPData(nil, 1, true, []byte{0, 0, 0, 1, 2, 0, 0, 0, 0x42, 0}, 0))
		}, "no such command (PS3.7 §E.1)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &talk{t: t}
			k.open(explicitLE, ctImage)
			c.build(k)
			all := associations(k.play())
			if got := all[len(all)-1].Detail.(*event.DICOMAssociation).Malformed; got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	t.Run("a data set in another transfer syntax than negotiated", func(t *testing.T) {
		k := &talk{t: t}
		k.open(explicitLE, ctImage).store(toServer, 1, 1, ctImage, []byte("\x08\x00\x60\x00\x02\x00\x00\x00CT")).answer(toClient, 1, dimse.CStoreRQ, 1, 0)
		if op := operations(k.play())[0]; op.Malformed != "no value representation where one must be (PS3.5 §7.1.2)" {
			t.Errorf("%q", op.Malformed)
		}
	})
}

func TestProbe(t *testing.T) {
	rq, _ := ul.AppendAssociate(nil, negotiation(ul.TypeAssociateRQ, explicitLE, ctImage))
	pdata := ul.AppendPData(nil, 1, false, make([]byte, 1000), 0)
	for _, c := range []struct {
		name string
		mid  bool
		head []byte
		want analyze.Match
	}{
		{"a request", false, rq, analyze.Yes},
		{"its first bytes", false, rq[:30], analyze.Maybe},
		{"an abort", false, ul.AppendAbort(nil, ul.Abort{Source: 2, Reason: 2}), analyze.Yes},
		{"a reject", false, ul.AppendReject(nil, ul.Reject{Result: 1, Source: 1, Reason: 1}), analyze.Yes},
		{"P-DATA", false, pdata, analyze.Yes},
		{"P-DATA behind other bytes", true, append(bytes.Repeat([]byte{0xff}, 50), pdata...), analyze.Yes},
		{"the same when the opening was seen", false, append(bytes.Repeat([]byte{0xff}, 50), pdata...), analyze.No},
		{"TLS", false, []byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc}, analyze.No},
		{"HTTP", false, []byte("GET / HTTP/1.1\r\n"), analyze.No},
		{"HL7", false, []byte("\x0bMSH|^~\\&|"), analyze.No},
		{"a length that is too long", false, []byte{1, 0, 0xff, 0, 0, 0, 0, 1}, analyze.No},
		{"zeros", true, make([]byte, 4096), analyze.No},
		{"MMS over TPKT", false, []byte{3, 0, 0, 22, 17, 0xe0, 0, 0, 0, 1, 0, 0xc1, 2, 1, 0}, analyze.No},
	} {
		cn := analyzetest.Conn(analyzetest.NewHost(), 6, 104)
		cn.MidStream = c.mid
		if got := probe(cn, toServer, c.head); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// FuzzAnalysers feeds bytes, cut and with holes, to the analyser: no panic, no
// more than MaxPending unconsumed, and no more events than the bytes can hold.
func FuzzAnalysers(f *testing.F) {
	k := &talk{t: f}
	k.open(explicitLE, ctImage).store(toServer, 1, 1, ctImage, image("S-1", 300)).answer(toClient, 1, dimse.CStoreRQ, 1, 0).release()
	var seed []byte
	for _, s := range k.segs {
		for len(s.Data) > 0 {
			n := min(len(s.Data), 255)
			seed = append(append(seed, byte(s.Dir), byte(n)), s.Data[:n]...)
			s.Data = s.Data[n:]
		}
	}
	f.Add(seed, false)
	f.Add(append([]byte{2, 200}, seed...), true)
	f.Fuzz(func(t *testing.T, script []byte, mid bool) {
		h := analyzetest.NewHost()
		c := analyzetest.Conn(h, 6, 104)
		c.MidStream = mid
		p := Protocols()[0]
		s := p.NewStream(c)
		var pending [2][]byte
		var skip [2]int64
		total := 0
		for len(script) >= 2 {
			op, n := script[0], int(script[1])
			script = script[2:]
			dir := analyze.Dir(op & 1)
			if op&2 != 0 { // a hole
				g := int64(n)*7 + 1
				k := min(g, skip[dir])
				skip[dir] -= k
				if g -= k; g > 0 {
					pending[dir] = nil
					if s.Gap(c, dir, g) != analyze.More {
						break
					}
				}
				continue
			}
			n = min(n, len(script))
			d := script[:n]
			script = script[n:]
			total += n
			kk := min(skip[dir], int64(len(d)))
			skip[dir] -= kk
			pending[dir] = append(pending[dir], d[kk:]...)
			if len(pending[dir]) == 0 {
				continue
			}
			used, v := s.Data(c, dir, pending[dir])
			if used < 0 {
				t.Fatal("consumed less than nothing")
			}
			if used > int64(len(pending[dir])) {
				skip[dir] = used - int64(len(pending[dir]))
				used = int64(len(pending[dir]))
			}
			pending[dir] = append([]byte(nil), pending[dir][used:]...)
			if len(pending[dir]) > p.MaxPending {
				t.Fatalf("%d bytes are left unconsumed", len(pending[dir]))
			}
			if v != analyze.More {
				break
			}
		}
		s.Close(c, analyze.Finished)
		// The smallest things that are told are an A-ABORT and a C-CANCEL.
		if limit := 16 + total/8; len(h.Events) > limit {
			t.Fatalf("%d events from %d bytes", len(h.Events), total)
		}
		for _, e := range h.Events {
			if d, ok := e.Detail.(*event.DICOMOperation); ok && (len(d.QueryKeys) > MaxKeys || len(d.Suspicious) > maxSuspicious) {
				t.Fatalf("out of bounds: %+v", d)
			}
		}
	})
}

// pixels gives a stream in the middle of the pixel data of a C-STORE.
func pixels(b *testing.B, c *analyze.Conn) *stream {
	k := &talk{t: b}
	k.open(explicitLE, ctImage)
	k.command(toServer, 1, dimse.Command{Field: dimse.CStoreRQ, Present: dimse.HasMessageID, MessageID: 1, AffectedSOPClass: ctImage, DataSetType: 1})
	header := []byte("\xe0\x7f\x10\x00OW\x00\x00\xf0\xff\xff\xff")
	k.add(toServer, notLast(ul.AppendPData(nil, 1, false, append(header, make([]byte, 2000)...), 0)))
	s := &stream{}
	for _, x := range k.segs {
		s.Data(c, x.Dir, x.Data)
	}
	return s
}

func notLast(pdu []byte) []byte {
	pdu[ul.HeaderSize+ul.PDVHeaderSize-1] = 0
	return pdu
}

// BenchmarkStorePixels is the pixel path: PDUs of 16 KiB in segments of 1460
// bytes, of which the sensor presents what is not skipped.
func BenchmarkStorePixels(b *testing.B) {
	c := analyzetest.Conn(analyzetest.NewHost(), 6, 104)
	s := pixels(b, c)
	pdu := notLast(ul.AppendPData(nil, 1, false, make([]byte, 16378), 0))
	b.SetBytes(int64(len(pdu)))
	b.ReportAllocs()
	for b.Loop() {
		for i := 0; i < len(pdu); {
			n, _ := s.Data(c, toServer, pdu[i:min(i+1460, len(pdu))])
			i += int(n)
		}
		if s.halves[0].current.x.Skippable() < 1<<25 { // 4 GiB are through
			b.StopTimer()
			s = pixels(b, c)
			b.StartTimer()
		}
	}
}

// BenchmarkStoreObject is a whole C-STORE of 10 MiB.
func BenchmarkStoreObject(b *testing.B) {
	k := &talk{t: b}
	k.open(explicitLE, ctImage).store(toServer, 1, 1, ctImage, image("S-1", 10<<20)).answer(toClient, 1, dimse.CStoreRQ, 1, 0).release()
	h := analyzetest.NewHost()
	b.SetBytes(10 << 20)
	b.ReportAllocs()
	for b.Loop() {
		c := analyzetest.Conn(h, 6, 104)
		s := &stream{}
		for _, x := range k.segs {
			for i := 0; i < len(x.Data); {
				n, _ := s.Data(c, x.Dir, x.Data[i:min(i+1460, len(x.Data))])
				i += int(n)
			}
		}
		s.Close(c, analyze.Finished)
		h.Events, h.Facts = h.Events[:0], h.Facts[:0]
	}
}

func BenchmarkEchoAssociation(b *testing.B) {
	k := &talk{t: b}
	k.open(explicitLE, dicom.UIDVerification).echo().release()
	h := analyzetest.NewHost()
	b.ReportAllocs()
	for b.Loop() {
		c := analyzetest.Conn(h, 6, 104)
		s := &stream{}
		for _, x := range k.segs {
			s.Data(c, x.Dir, x.Data)
		}
		s.Close(c, analyze.Finished)
		h.Events, h.Facts = h.Events[:0], h.Facts[:0]
	}
}
