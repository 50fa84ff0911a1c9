// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
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
