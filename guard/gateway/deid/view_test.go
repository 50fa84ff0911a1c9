// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom"
)

// build writes a data set. The SOP class and instance are written first, unless write begins below them.
func build(t testing.TB, syntax string, write func(w *dicom.Writer)) []byte {
	t.Helper()
	s, _ := dicom.SyntaxOf(syntax)
	var buf bytes.Buffer
	w := dicom.NewWriter(&buf, s)
	write(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// head writes what every instance here has.
func head(w *dicom.Writer, class, instance string) {
	w.Text(dicom.TagSOPClassUID, dicom.UI, class)
	w.Text(dicom.TagSOPInstanceUID, dicom.UI, instance)
}

const (
	ctImage  = "1.2.840.10008.5.1.4.1.1.2"
	capture  = "1.2.840.10008.5.1.4.1.1.7"
	basicSR  = "1.2.840.10008.5.1.4.1.1.88.11"
	usImages = "1.2.840.10008.5.1.4.1.1.3.1"
)

// view lists the values of a data set by path, trimmed; sequences have "items:" and their number.
func view(t testing.TB, data []byte, syntax string) map[string]string {
	t.Helper()
	s, _ := dicom.SyntaxOf(syntax)
	s.Deflated = false
	r := dicom.NewReader(bytes.NewReader(data), s, dicom.DefaultLimits())
	out := map[string]string{}
	var place []string
	items := map[string]int{}
	var last string
	for {
		tok, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		path := strings.Join(place, "") + tok.Tag.String()
		switch tok.Kind {
		case dicom.Element:
			last = path
			out[last] = ""
		case dicom.Value:
			if tok.Tag.Group() != 0x7FE0 {
				out[last] += string(tok.Data)
			}
			if tok.Last {
				out[last] = strings.Trim(out[last], " \x00")
			}
		case dicom.SequenceStart:
			out[path] = "items:0"
			items[path] = 0
			place = append(place, tok.Tag.String())
		case dicom.ItemStart:
			at := strings.Join(place[:len(place)-1], "") + place[len(place)-1]
			items[at]++
			out[at] = fmt.Sprintf("items:%d", items[at])
			place[len(place)-1] += fmt.Sprintf("[%d].", items[at])
		case dicom.ItemEnd:
			p := place[len(place)-1]
			place[len(place)-1] = p[:strings.LastIndex(p, "[")]
		case dicom.SequenceEnd:
			place = place[:len(place)-1]
		}
	}
}
