// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dump"
)

// Bounds of a header.
const (
	maxElements = 2000
	maxShown    = 256  // characters of a value
	maxRead     = 1024 // bytes of a value
)

// HeaderOf implements control.Control. What is not read to its end, because it is
// malformed there, is shown as far as it could be read: that is what somebody who
// decides about it has to see.
func (s *Steer) HeaderOf(ctx context.Context, q control.HeaderRequest) (control.Header, error) {
	r, err := s.d.Vault.Get(ctx, q.Number)
	if err != nil {
		return control.Header{}, refused(err)
	}
	c, err := s.d.Vault.Open(ctx, q.Number)
	if err != nil {
		return control.Header{}, refused(err)
	}
	defer func() { _ = c.Close() }()
	if q.Clear {
		if err := s.reading(ctx, &r, q); err != nil {
			return control.Header{}, err
		}
	}
	syntax, known := dicom.SyntaxOf(r.TransferSyntax)
	if !known {
		head := make([]byte, dicom.GuessSyntaxBytes)
		n, _ := c.ReadAt(head, 0)
		if syntax, known = dicom.GuessSyntax(head[:n]); !known {
			return control.Header{}, &control.Refused{Code: control.Conflict, What: "the data set is in a transfer syntax that cannot be read"}
		}
	}
	h := headline{rules: map[string]string{}, clear: q.Clear}
	h.out = control.Header{Number: r.Number, Elements: []control.HeaderElement{}}
	for _, x := range r.Hits {
		if h.rules[x.Path] == "" || x.Verdict == r.Verdict {
			h.rules[x.Path] = x.Rule
		}
	}
	if err := dump.Elements(c, syntax, maxRead, h.add); err != nil {
		h.out.Cut = true
		var bad *dicom.Error
		if !errors.As(err, &bad) {
			s.log.Debug("a header was read in part", "number", r.Number, "why", err)
		}
	}
	return h.out, nil
}

// reading puts into the ledger that somebody reads what identifies a patient, before they do.
func (s *Steer) reading(ctx context.Context, r *instance.Record, q control.HeaderRequest) error {
	if err := needed(q.User, q.Reason); err != nil {
		return err
	}
	detail := map[string]any{"what": "header-read-in-clear", "outcome": "allowed", "why": q.Reason, "session": r.Sender.Association}
	deed := "read/" + q.User + "/" + s.now().UTC().Format("20060102T150405.000000000")
	st := s.statement(custody.Decision, r, deed, q.User, q.Reason, detail)
	_, err := s.record(ctx, st)
	return err
}

// headline collects the elements of a header.
type headline struct {
	out   control.Header
	rules map[string]string // by path
	clear bool
}

func (h *headline) add(e *dump.Entry) bool {
	if e.Tag == dicom.TagPixelData || e.Tag == dicom.TagFloatPixelData || e.Tag == dicom.TagDoublePixelData {
		h.out.Elements = append(h.out.Elements, control.HeaderElement{Path: e.Path, VR: e.VR.String(), Name: e.Name, Length: lengthOf(e), Rule: h.rules[e.Path]})
		return false
	}
	if len(h.out.Elements) == maxElements {
		h.out.Cut = true
		return false
	}
	x := control.HeaderElement{Path: e.Path, VR: e.VR.String(), Name: e.Name, Length: lengthOf(e), Rule: h.rules[e.Path]}
	switch {
	case e.Sequence:
	case h.clear || !identifies(e):
		x.Value, x.More = shorten(e.Text, e.Cut)
	case e.Length > 0:
		x.Hidden = true
	}
	if strings.HasPrefix(x.Name, "Private:") && !h.clear {
		x.Name = "Private" // its creator's name is free text
	}
	h.out.Elements = append(h.out.Elements, x)
	return true
}

// lengthOf is an element's length, -1 where it has none of its own.
func lengthOf(e *dump.Entry) int64 {
	if e.Length == dicom.UndefinedLength {
		return -1
	}
	return int64(e.Length)
}

// shorten cuts a value to what is shown.
func shorten(text string, cut bool) (short string, more bool) {
	n := 0
	for i := range text {
		if n == maxShown {
			return text[:i], true
		}
		n++
	}
	return text, cut
}

// identifies reports whether a value may tell who the patient is, or who else: what the
// basic profile of PS3.15 Annex E does not leave as it is, and, besides, names, free
// text, private elements and everything of the patient's group. UIDs are shown: they are
// in every record of the gateway.
func identifies(e *dump.Entry) bool {
	switch {
	case e.VR == dicom.UI:
		return false
	case e.Tag.IsPrivate(), e.Tag.Group() == 0x0010, e.Tag.Group()&0xFF01 == 0x6000, e.Tag.Group()&0xFF01 == 0x5000:
		return true
	}
	switch e.VR {
	case dicom.PN, dicom.LT, dicom.ST, dicom.UT, dicom.UC, dicom.UR, dicom.UN, dicom.OB, dicom.OW:
		return true
	}
	if _, standard := dicom.Lookup(e.Tag); !standard {
		return true
	}
	return treated()[e.Tag]
}

// treated are the elements that the basic profile removes, empties or replaces.
var treated = sync.OnceValue(func() map[dicom.Tag]bool {
	m := map[dicom.Tag]bool{}
	for _, row := range deid.Table() {
		if row.Basic != deid.Keep && row.Basic != "" {
			m[row.Tag] = true
		}
	}
	return m
})
