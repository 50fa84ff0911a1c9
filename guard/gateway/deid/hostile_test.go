// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/wire/dicom"
)

// hidden is what must not be found in a copy, wherever it was put.
const hidden = "ZQSECRETQZ"

// TestNothingPassesByStandingWhereItShouldNot puts a value into forms that no writer of DICOM would use.
func TestNothingPassesByStandingWhereItShouldNot(t *testing.T) {
	undefined := uint32(dicom.UndefinedLength)
	element := func(tag dicom.Tag, vr dicom.VR, value string) []dicom.Token {
		return []dicom.Token{{Kind: dicom.Element, Tag: tag, VR: vr, Length: uint32(len(value))}, {Kind: dicom.Value, Data: []byte(value)}}
	}
	sequence := func(tag dicom.Tag, vr dicom.VR, inner ...[]dicom.Token) []dicom.Token {
		out := []dicom.Token{{Kind: dicom.SequenceStart, Tag: tag, VR: vr, Length: undefined}}
		for _, i := range inner {
			out = append(append(append(out, dicom.Token{Kind: dicom.ItemStart, Length: undefined}), i...), dicom.Token{Kind: dicom.ItemEnd})
		}
		return append(out, dicom.Token{Kind: dicom.SequenceEnd})
	}
	fragments := func(tag dicom.Tag, vr dicom.VR, value string) []dicom.Token {
		return []dicom.Token{{Kind: dicom.FragmentsStart, Tag: tag, VR: vr, Length: undefined}, {Kind: dicom.Fragment}, {Kind: dicom.Fragment, Length: uint32(len(value))}, {Kind: dicom.Value, Data: []byte(value)}, {Kind: dicom.FragmentsEnd}}
	}
	private := func(inner ...[]dicom.Token) []dicom.Token {
		return append(element(0x00290010, dicom.LO, "ACME 1"), sequence(0x00291010, dicom.SQ, inner...)...)
	}
	for name, tokens := range map[string][]dicom.Token{
		"a name as bytes":                         element(0x00100010, dicom.OB, hidden),
		"a name of unknown VR":                    element(0x00100010, dicom.UN, hidden),
		"a name as a date":                        element(0x00100010, dicom.DA, hidden),
		"a name as a sequence":                    sequence(0x00100010, dicom.SQ, element(0x00080104, dicom.LO, hidden)),
		"a name as fragments":                     fragments(0x00100010, dicom.OB, hidden),
		"a description as a sequence of UN":       sequence(0x00081030, dicom.UN, element(0x00080104, dicom.LO, hidden)),
		"a sequence as bytes":                     element(0x00081032, dicom.OB, hidden),
		"a sequence as fragments":                 fragments(0x00081032, dicom.OW, hidden),
		"a sequence as text":                      element(0x00081032, dicom.LO, hidden),
		"a report's content as bytes":             element(0x0040A730, dicom.OB, hidden),
		"a number as text":                        element(0x00180050, dicom.LT, hidden),
		"a number that is none":                   element(0x00180050, dicom.DS, hidden),
		"an age that is none":                     element(0x00101010, dicom.AS, hidden),
		"a UID that is none":                      element(0x00080016, dicom.UI, hidden),
		"text as bytes":                           element(0x00181020, dicom.OB, hidden),
		"text as numbers":                         element(0x00181020, dicom.US, hidden),
		"an unknown attribute":                    element(0x0018FFF0, dicom.LO, hidden),
		"an unknown VR":                           element(0x00181020, dicom.VR('Q')<<8|'Q', hidden),
		"a private element in a private item":     private(private(element(0x00291011, dicom.LO, hidden))),
		"a private creator":                       element(0x00290010, dicom.LO, hidden),
		"a private element without a creator":     element(0x00291010, dicom.LO, hidden),
		"file meta information":                   element(0x00020016, dicom.AE, hidden),
		"a command":                               element(0x00001000, dicom.UI, hidden),
		"a group length":                          element(0x00100000, dicom.UL, hidden),
		"padding":                                 element(0xFFFCFFFC, dicom.OB, hidden),
		"an overlay's label":                      element(0x60001500, dicom.LO, hidden),
		"a curve's":                               element(0x50002500, dicom.LO, hidden),
		"a picture in a sequence":                 sequence(0x00081032, dicom.SQ, element(0x7FE00010, dicom.OW, hidden)),
		"a compressed picture in a sequence":      sequence(0x00081032, dicom.SQ, fragments(0x7FE00010, dicom.OB, hidden)),
		"a name after all else":                   append(element(0x00200011, dicom.IS, "1 "), element(0x00100010, dicom.PN, hidden)...),
		"a name for the second time":              append(element(0x00100010, dicom.PN, "Smithson"), element(0x00100010, dicom.PN, hidden)...),
		"a name deep in sequences":                sequence(0x00081032, dicom.SQ, sequence(0x00400440, dicom.SQ, sequence(0x0040A043, dicom.SQ, element(0x00100010, dicom.PN, hidden)))),
		"a code's meaning that names the patient": append(element(0x00100020, dicom.LO, hidden), sequence(0x00321064, dicom.SQ, element(0x00080104, dicom.LO, "scan of "+hidden))...),
	} {
		t.Run(name, func(t *testing.T) {
			var enc dicom.Encoder
			enc.Reset(dicom.Syntax{Explicit: true})
			var data []byte
			all := append(append(element(dicom.TagSOPClassUID, dicom.UI, basicSR+"\x00"), element(dicom.TagSOPInstanceUID, dicom.UI, "1.2.3.4\x00")...), tokens...)
			for _, tok := range all {
				var err error
				if data, err = enc.Append(data, &tok); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range []deid.Profile{{}, {Options: options, BurnedIn: "pass", Unmatched: "pass"}} {
				var out bytes.Buffer
				_, err := profile(t, p).Transform(&out, bytes.NewReader(data), dicom.ExplicitVRLittleEndian)
				var r *deid.Refusal
				switch {
				case errors.As(err, &r): // as good
				case err != nil:
					t.Error(err)
				case bytes.Contains(out.Bytes(), []byte(hidden)):
					t.Errorf("it stays with %v", p.Options)
				}
			}
		})
	}
}
