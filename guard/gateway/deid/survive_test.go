// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/wire/dicom"
)

// secret is a value for a VR that says which row it was put into; "" where the VR has no room for one.
func secret(vr dicom.VR, n int) string {
	switch vr {
	case dicom.AE, dicom.CS, dicom.SH, dicom.LO, dicom.LT, dicom.ST, dicom.UT, dicom.UC:
		return fmt.Sprintf("QZ%04dX", n)
	case dicom.PN:
		return fmt.Sprintf("QZ%04dX^GIVEN", n)
	case dicom.UI:
		return fmt.Sprintf("1.2.3.4444.%d", 70000+n)
	case dicom.UR:
		return fmt.Sprintf("http://QZ%04dX/", n)
	case dicom.DA:
		return fmt.Sprintf("%04d0615", 1000+n)
	case dicom.DT:
		return fmt.Sprintf("%04d0615101112", 1000+n)
	case dicom.TM:
		return fmt.Sprintf("101112.%06d", 100000+n)
	case dicom.OB, dicom.UN, dicom.OW:
		return fmt.Sprintf("QZ%04dX.", n)
	case dicom.DS, dicom.IS:
		return fmt.Sprintf("7700%04d", n)
	case dicom.FD:
		return "QZQZ" + fmt.Sprintf("%04d", n)
	}
	return ""
}

// planted is a data set with a secret in every row of the table that has room for one, at the top and in an item
// of a sequence that stays.
func planted(t *testing.T, s dicom.Syntax) (data []byte, secrets map[int]string) {
	t.Helper()
	secrets = map[int]string{}
	var buf bytes.Buffer
	w := dicom.NewWriter(&buf, s)
	rows := map[dicom.Tag]int{}
	var tags []dicom.Tag
	for i, r := range deid.Table() {
		if g := r.Tag.Group(); g < 8 || r.Pattern[1] == 'o' || secret(r.VR, i) == "" || r.Pattern[1:3] == "50" {
			continue
		}
		tag := r.Tag
		rows[tag] = i
		tags = append(tags, tag)
		secrets[i] = secret(r.VR, i)
	}
	put := func(tag dicom.Tag) {
		i := rows[tag]
		w.Bytes(tag, deid.Table()[i].VR, []byte(secrets[i]))
	}
	all := append(slices.Clone(tags), 0x00080005, dicom.TagSOPClassUID, 0x00081032)
	slices.Sort(all)
	for _, tag := range slices.Compact(all) {
		switch tag {
		case 0x00080005:
			w.Text(tag, dicom.CS, "ISO_IR 100")
		case dicom.TagSOPClassUID:
			w.Text(tag, dicom.UI, "1.2.840.10008.5.1.4.1.1.88.11")
		case 0x00081032: // Procedure Code Sequence: not listed, so it stays
			w.Sequence(tag, func() {
				for _, inner := range tags {
					if inner.Group() < 0x6000 {
						put(inner)
					}
				}
			})
		default:
			put(tag)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), secrets
}

// TestNothingSurvivesButWhatTheTableKeeps puts a secret into every attribute of the table and looks for its bytes.
func TestNothingSurvivesButWhatTheTableKeeps(t *testing.T) {
	sets := [][]deid.Option{nil, {deid.RetainFullDates}, options}
	for _, o := range options {
		sets = append(sets, []deid.Option{o})
	}
	for _, syntax := range []string{dicom.ExplicitVRLittleEndian, dicom.ImplicitVRLittleEndian, dicom.ExplicitVRBigEndian, dicom.DeflatedExplicitVRLittleEndian} {
		s, _ := dicom.SyntaxOf(syntax)
		data, secrets := planted(t, s)
		for _, set := range sets {
			t.Run(fmt.Sprint(dicom.UIDName(syntax), set), func(t *testing.T) {
				out, _ := transform(t, deid.Profile{Options: set}, data, syntax)
				for i, r := range deid.Table() {
					v, ok := secrets[i]
					if !ok {
						continue
					}
					if survives := strings.Contains(string(out), v); survives != kept(r, set) {
						t.Errorf("%s %s %s %v: survives %t", r.Pattern, r.Keyword, r.Basic, r.Options, survives)
					}
				}
			})
		}
	}
}

// kept is what the table says of a value that no vocabulary knows: it stays where an option keeps it and none cleans it.
func kept(r deid.Row, set []deid.Option) bool {
	keep := false
	for _, o := range set {
		switch r.Options[o] {
		case deid.Keep:
			keep = true
		case deid.Clean:
			if r.VR == dicom.TM || r.Keyword == "TimezoneOffsetFromUTC" {
				return true // whole days do not change a time of day
			}
			return false
		}
	}
	return keep && r.Pattern[3] != 'x'
}

// transform makes a copy and returns it inflated.
func transform(t *testing.T, p deid.Profile, data []byte, syntax string) ([]byte, []string) {
	t.Helper()
	var out bytes.Buffer
	altered, err := profile(t, p).Transform(&out, bytes.NewReader(data), syntax)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, c := range altered.Changes {
		paths = append(paths, c.Path+" "+c.Action)
	}
	s, _ := dicom.SyntaxOf(syntax)
	if !s.Deflated {
		return out.Bytes(), paths
	}
	var flat bytes.Buffer
	to := s
	to.Deflated = false
	if err := dicom.Transcode(&flat, &out, s, to, dicom.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	return flat.Bytes(), paths
}
