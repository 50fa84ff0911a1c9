// SPDX-License-Identifier: Apache-2.0

package deid

import (
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Transform implements instance.Transformer. An error is a *Refusal, a *dicom.Error, or that of dst or src.
func (p *profile) Transform(dst io.Writer, src io.Reader, syntax string) (instance.Altered, error) {
	s, known := dicom.SyntaxOf(syntax)
	switch {
	case !known:
		return instance.Altered{}, &Refusal{Code: "transfer-syntax", Why: "its transfer syntax is not registered, so it cannot be read safely", hint: "let the device send another"}
	case elsewhere[syntax]:
		return instance.Altered{}, &Refusal{Code: "transfer-syntax", Why: "its pixel data is elsewhere (JPIP), where nothing removes what identifies", hint: "let the device send pixel data itself"}
	}
	f, all, err := scan(src, s, p.safe)
	if err != nil {
		return instance.Altered{}, err
	}
	x := &run{p: p, facts: f, syntax: s, dst: dst, r: dicom.NewReader(all, s, dicom.DefaultLimits()), image: image{bigPixels: s.BigEndian || syntax == dicom.PrivateGEImplicit}}
	x.days = p.keys.shift(f.patient())
	x.added = additions(p, f)
	x.enc.Reset(s)
	x.altered.TransferSyntax = syntax
	if !s.Deflated {
		err = x.whole(src)
		return x.altered, err
	}
	odd := &parity{w: dst}
	z, _ := flate.NewWriter(odd, flate.DefaultCompression) // fails only for a level that does not exist
	x.dst = z
	if err := x.whole(src); err != nil {
		return x.altered, err
	}
	if err := z.Close(); err != nil || odd.n&1 == 0 {
		return x.altered, err
	}
	_, err = odd.Write([]byte{0}) // PS3.5 §A.5
	return x.altered, err
}

// elsewhere are the transfer syntaxes that name a place instead of pixel data (PS3.5 §A.6).
var elsewhere = map[string]bool{"1.2.840.10008.1.2.4.94": true, "1.2.840.10008.1.2.4.95": true, "1.2.840.10008.1.2.4.204": true, "1.2.840.10008.1.2.4.205": true}

// parity counts what goes through.
type parity struct {
	w io.Writer
	n uint64
}

func (p *parity) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.n += uint64(n)
	return n, err
}

// run is one transformation.
type run struct {
	p       *profile
	facts   *facts
	syntax  dicom.Syntax
	r       *dicom.Reader
	enc     dicom.Encoder
	dst     io.Writer
	buf     []byte
	days    int
	added   []addition
	place   []level // where it is, for paths
	image   image
	doc     int // length of a document that was replaced, 0 when none was
	altered instance.Altered
}

// level is a sequence on the way to where a run is, and the item in it, counted from 1.
type level struct {
	tag  dicom.Tag
	item int
}

// item is what is known of the item around an element.
type item struct {
	blocks map[uint32]map[uint8]dicom.VR // safe private elements by group and block
	scheme string                        // coding scheme designator
	clean  bool                          // within structured content that is cleaned
	text   dicom.CharacterSet
	// declared is (0008,0005) as it is, which text was made of.
	declared []byte
}

const (
	flushAt  = 16 << 10
	maxValue = 64 << 10 // longer values are not read whole
)

// whole does all of the data set, and reads src to its end: who gave it may check there that it was whole.
func (x *run) whole(src io.Reader) error {
	if err := x.run(); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, src)
	return err
}

func (x *run) run() error {
	if err := x.items(&item{text: dicom.ParseCharacterSet(x.facts.charset), declared: x.facts.charset}); err != nil {
		return err
	}
	if err := x.add(0xFFFFFFFF); err != nil {
		return err
	}
	if x.altered.SOPInstance == "" {
		return &Refusal{Code: "no-instance", Why: "it has no SOP instance UID"}
	}
	if err := x.enc.End(); err != nil {
		return err
	}
	return x.flush()
}

// items does the elements of the data set or of one item.
func (x *run) items(in *item) error {
	for {
		t, err := x.r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case t.Kind == dicom.ItemEnd:
			return nil
		}
		if t.Depth == 0 {
			if err := x.add(t.Tag); err != nil {
				return err
			}
		}
		switch t.Kind {
		case dicom.Element:
			err = x.element(&t, in)
		case dicom.SequenceStart:
			err = x.sequence(&t, in)
		case dicom.FragmentsStart:
			err = x.fragments(&t, in)
		}
		if err != nil {
			return err
		}
	}
}

// step returns what is done to an element, and its VR as far as that can be known.
func (x *run) step(t *dicom.Token, in *item) (step, dicom.VR) {
	vr := t.VR
	if vr == dicom.UN {
		if v := dicom.VROf(t.Tag); v != dicom.UN {
			vr = v
		} else if v := rowVRs()[t.Tag]; v != 0 {
			vr = v
		}
	}
	group, element := t.Tag.Group(), t.Tag.Element()
	switch {
	case group == 0 || group == 2 || element == 0:
		return step{do: remove}, vr // lengths, commands and file meta information: no part of an instance
	case t.Tag.IsPrivate():
		return x.private(t, in)
	case group>>8 == 0x50 || group>>8 == 0x60:
		return step{do: remove, rule: "E.1-1 X"}, vr
	case t.Tag >= 0x00120062 && t.Tag <= 0x00120064 || t.Tag == tagLongitudinal:
		return step{do: remove, rule: "written anew"}, vr
	}
	if s, ok := x.p.steps[t.Tag]; ok {
		if s.text && in.clean {
			s.do = clean
		}
		return s, vr
	}
	s := x.p.unlisted(t.Tag, vr)
	if s.do == keep && in.clean && prose(vr) {
		s = x.coded(t.Tag, in)
	}
	return s, vr
}

// coded is the step of a text in structured content: codes stay, meanings stay where a public scheme gave them.
func (x *run) coded(tag dicom.Tag, in *item) step {
	switch tag {
	case 0x00080100, 0x00080102, 0x00080103, 0x00080119:
		return step{rule: "sweep"}
	case 0x00080104:
		if schemes[in.scheme] {
			return step{rule: "sweep"}
		}
	}
	return step{do: clean, otherwise: dummy, rule: "E.1-1 C " + string(CleanStructuredContent)}
}

// schemes are coding schemes in which a meaning is that of the scheme (PS3.16 table 8-1).
var schemes = map[string]bool{"DCM": true, "SCT": true, "SRT": true, "SNM3": true, "99SDM": true, "UCUM": true, "LN": true, "RADLEX": true, "FMA": true, "MA": true, "NCIt": true, "UMLS": true,
	"I10": true, "I9C": true, "I10P": true, "BI": true, "ACR": true, "C4": true, "CD2": true, "ISO3166_1": true, "RFC5646": true, "RXNORM": true, "ATC": true, "NEU": true, "UBERON": true, "IBSI": true, "NICIP": true, "PUBCHEM_CID": true}

// note records a change.
func (x *run) note(tag dicom.Tag, action, rule string) {
	if rule == "" {
		return
	}
	if len(x.altered.Changes) == instance.MaxChanges {
		x.altered.More++
		return
	}
	var b strings.Builder
	for _, s := range x.place {
		fmt.Fprintf(&b, "%v[%d].", s.tag, s.item)
	}
	b.WriteString(tag.String())
	x.altered.Changes = append(x.altered.Changes, instance.Change{Path: b.String(), Action: action, Rule: rule})
}

// token writes one token.
func (x *run) token(t dicom.Token) (err error) {
	if x.buf, err = x.enc.Append(x.buf, &t); err == nil && len(x.buf) >= flushAt {
		err = x.flush()
	}
	return err
}

func (x *run) flush() error {
	_, err := x.dst.Write(x.buf)
	x.buf = x.buf[:0]
	return err
}

// put writes an element with a value in place of the one that t began.
func (x *run) put(t *dicom.Token, value []byte) error {
	vr := t.VR
	if x.syntax.Explicit && !vr.Long() && len(value) > 0xFFFF {
		vr = dicom.UN
	}
	of := t.VR
	if of == dicom.UN {
		of = dicom.VROf(t.Tag)
	}
	value = pad(of, value)
	if err := x.token(dicom.Token{Kind: dicom.Element, Tag: t.Tag, VR: vr, Length: uint32(len(value))}); err != nil || len(value) == 0 {
		return err
	}
	return x.token(dicom.Token{Kind: dicom.Value, Data: value})
}

// skip passes over the value that Next is about to return.
func (x *run) skip() error {
	for {
		t, err := x.r.Next()
		if err != nil || t.Last {
			return err
		}
	}
}

// pass copies the value that Next is about to return. change may be nil; else it is given each piece with its place.
func (x *run) pass(change func(off uint64, piece []byte) error) error {
	off := uint64(0)
	for {
		t, err := x.r.Next()
		if err != nil {
			return err
		}
		if change != nil {
			if x.syntax.Deflated { // the piece is also what later bytes are inflated from
				t.Data = append([]byte(nil), t.Data...)
			}
			if err := change(off, t.Data); err != nil {
				return err
			}
		}
		off += uint64(len(t.Data))
		if len(t.Data) < 4096 {
			if err := x.token(t); err != nil {
				return err
			}
		} else { // large values go beside the buffer
			if err := x.flush(); err != nil {
				return err
			}
			if _, err := x.dst.Write(t.Data); err != nil {
				return err
			}
			x.enc.Pass(uint64(len(t.Data)))
		}
		if t.Last {
			return nil
		}
	}
}

// value reads the value that Next is about to return. whole is false when it is longer than maxValue.
func (x *run) value(t *dicom.Token) (v []byte, whole bool, err error) {
	v, err = x.r.Value(maxValue)
	return v, t.Length <= maxValue, err
}
