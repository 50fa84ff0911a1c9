// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"compress/flate"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Sanitiser returns what makes the harmless copy of an instance that the verdict Sanitise asks for: elements at which a rule met
// that sanitises are removed, emptied, or have their dangerous characters replaced by spaces. The copy is another instance: it has a SOP
// instance UID of its own, the same for the same original under the same policy, names the original as its source, and
// says in Original Attributes Sequence (0400,0561) what was changed, without the values. Pixel data keeps every byte; group lengths,
// which would be wrong, are left out.
//
// The copy is inspected while it is written: where it would not pass, Transform returns ErrNotClean.
func (f *Firewall) Sanitiser(a instance.Arrival, r instance.Result) instance.Transformer {
	s := &sanitiser{f: f, a: a, p: f.policy.Load()}
	for _, h := range r.Hits {
		if h.Verdict != instance.Sanitise {
			continue
		}
		if rule, ok := ruleNamed(h.Rule); ok {
			s.also[rule] = true // should another policy be in force by now
		}
		if len(s.paths) == 0 {
			s.paths = map[string]string{}
		}
		s.paths[h.Path] = h.Rule
	}
	if s.original = r.Header.SOPInstance; s.original == "" {
		s.original = a.SOPInstance
	}
	return s
}

// ErrNotClean: what should have become harmless would still meet a rule that does not let it pass.
var ErrNotClean = errors.New("the sanitised copy would not pass")

// sanitiser makes copies. It does not change.
type sanitiser struct {
	f        *Firewall
	p        *Policy
	a        instance.Arrival
	also     [ruleCount]bool
	paths    map[string]string // elements at which a rule met that sanitises
	original string
}

// maxHeld is how much of a value is held until it is known what becomes of it.
const maxHeld = 64 << 10

// Transform implements instance.Transformer.
func (s *sanitiser) Transform(dst io.Writer, src io.Reader, syntax string) (instance.Altered, error) {
	form, _ := dicom.SyntaxOf(syntax)
	a := s.a
	a.TransferSyntax = syntax
	w := &rewrite{s: s, x: s.begin(a), r: dicom.NewReader(src, form, dicom.DefaultLimits())}
	w.enc.Reset(form)
	w.out.SOPInstance, w.out.TransferSyntax = s.uid(), syntax
	w.pend()

	// The copy is inspected as it is written, as an arrival of its own.
	again := a
	again.SOPInstance, again.Preamble = w.out.SOPInstance, nil
	deps := s.f.deps
	deps.Known = nil
	check := (&Firewall{deps: deps}).begin(again, s.p)
	check.verdicts = w.x.verdicts
	w.dst = io.MultiWriter(check, dst)
	even := &counter{w: w.dst}
	var deflate *flate.Writer
	if w.dst = even; form.Deflated {
		deflate, _ = flate.NewWriter(even, flate.DefaultCompression) // fails only for a level that does not exist
		w.dst = deflate
	}
	if err := w.run(); err != nil {
		return instance.Altered{}, err
	}
	if deflate != nil {
		if err := deflate.Close(); err != nil {
			return instance.Altered{}, err
		}
		if even.n&1 != 0 { // PS3.5 §A.5
			if _, err := even.Write([]byte{0}); err != nil {
				return instance.Altered{}, err
			}
		}
	}
	if r := check.Finish(); r.Verdict > instance.Flag {
		for _, h := range r.Hits {
			if h.Verdict > instance.Flag {
				return instance.Altered{}, fmt.Errorf("%w: rule %s at %s", ErrNotClean, h.Rule, h.Path)
			}
		}
	}
	return w.out, nil
}

// begin begins the inspection that tells what becomes of each element.
func (s *sanitiser) begin(a instance.Arrival) *inspection {
	x := s.f.begin(a, s.p)
	x.dup, x.done, x.started = nil, false, true
	for r, also := range s.also {
		if also {
			x.verdicts[r] = instance.Sanitise
		}
	}
	return x
}

// uid makes the copy's SOP instance UID (PS3.5 §B.2): a UUID of version 8, of what the original and the policy are under the key.
func (s *sanitiser) uid() string {
	m := hmac.New(sha256.New, s.f.deps.Key)
	_, _ = io.WriteString(m, "asepsis sanitised instance\x00"+s.original+"\x00"+s.p.sum)
	b := m.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0F|0x80, b[8]&0x3F|0x80
	return "2.25." + new(big.Int).SetBytes(b).String()
}

type counter struct {
	w io.Writer
	n uint64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += uint64(n)
	return n, err
}

// rewrite is one copy under way.
type rewrite struct {
	s   *sanitiser
	x   *inspection
	r   *dicom.Reader
	enc dicom.Encoder
	dst io.Writer
	buf []byte
	out instance.Altered

	added []addition

	head dicom.Token // of the element whose value is held
	held []byte
	over bool // the value was too long to hold: it passes, or is dropped
	drop bool
	skip int  // sequences to be left out, nested
	raw  bool // fragments pass through
}

func (w *rewrite) run() error {
	for {
		t, err := w.r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if w.padded(err) {
			w.change("", actRemove, table[structureTrailing].Name)
			break
		}
		if err != nil {
			return err
		}
		if err := w.token(&t); err != nil {
			return err
		}
		if len(w.buf) >= dicom.ReadBuffer {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	if err := w.before(^dicom.Tag(0)); err != nil {
		return err
	}
	if err := w.enc.End(); err != nil {
		return err
	}
	return w.flush()
}

// padded reports that a data set ends in a few zeros after its last element, which were judged and are left out.
func (w *rewrite) padded(err error) bool {
	t := w.r.Tokenizer()
	return errors.Is(err, dicom.ErrTruncated) && w.s.also[structureTrailing] && t.Parent() == 0 && t.Skippable() == 0
}

func (w *rewrite) flush() error {
	_, err := w.dst.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

func (w *rewrite) put(t dicom.Token) (err error) {
	w.buf, err = w.enc.Append(w.buf, &t)
	return err
}

func (w *rewrite) token(t *dicom.Token) error {
	if w.skip > 0 {
		switch t.Kind {
		case dicom.SequenceStart, dicom.FragmentsStart:
			w.skip++
		case dicom.SequenceEnd, dicom.FragmentsEnd:
			w.skip--
		}
		return nil
	}
	switch t.Kind {
	case dicom.Element:
		w.x.token(t)
		w.head, w.held, w.over, w.drop = *t, w.held[:0], false, false
		if m := w.x.val.mode; m == modePixels || m == modeDocument { // nothing of them is sanitised
			return w.overflow()
		}
	case dicom.Value:
		return w.value(t)
	case dicom.SequenceStart:
		w.x.token(t)
		return w.sequence(t)
	case dicom.SequenceEnd:
		if t.Depth == 0 {
			if err := w.into(t.Tag); err != nil {
				return err
			}
		}
		w.x.token(t)
		return w.put(*t)
	case dicom.FragmentsStart:
		w.x.token(t)
		w.raw = true
		if t.Depth == 0 {
			if err := w.before(t.Tag); err != nil {
				return err
			}
		}
		return w.put(*t)
	case dicom.FragmentsEnd:
		w.raw = false
		return w.put(*t)
	case dicom.ItemStart:
		w.x.token(t)
		t.Length = dicom.UndefinedLength
		return w.put(*t)
	default:
		return w.put(*t)
	}
	return nil
}

// value takes a piece of a value.
func (w *rewrite) value(t *dicom.Token) error {
	if w.raw {
		return w.put(*t)
	}
	w.x.token(t)
	switch {
	case w.over && w.drop:
	case w.over:
		if err := w.put(*t); err != nil {
			return err
		}
		if t.Last && w.x.mark != "" {
			return fmt.Errorf("%w: rule %s in a value of %d bytes", ErrNotClean, table[w.x.marked].Name, w.head.Length)
		}
	case len(w.held)+len(t.Data) > maxHeld:
		if err := w.overflow(); err != nil {
			return err
		}
		return w.spill(t)
	default:
		w.held = append(w.held, t.Data...)
		if t.Last {
			return w.element()
		}
	}
	return nil
}

// overflow decides over a value that is not held to its end: by what met so far, or when it was inspected.
func (w *rewrite) overflow() error {
	w.over = true
	path := w.x.path(&w.head)
	rule, ok := w.s.paths[path]
	if ok || w.x.mark != "" {
		if !ok {
			rule = table[w.x.marked].Name
		}
		w.drop = true
		action := actRemove
		if r, _ := ruleNamed(rule); table[r].Action != actRemove {
			action = actEmpty
			if err := w.write(nil); err != nil {
				return err
			}
		}
		w.change(path, action, rule)
		return nil
	}
	if w.head.Depth == 0 {
		if err := w.before(w.head.Tag); err != nil {
			return err
		}
	}
	return w.put(w.head)
}

// spill writes what was held of a value that passes, and its next piece.
func (w *rewrite) spill(t *dicom.Token) error {
	if w.drop {
		return nil
	}
	if len(w.held) > 0 {
		if err := w.put(dicom.Token{Kind: dicom.Value, Data: w.held}); err != nil {
			return err
		}
	}
	return w.put(*t)
}

// element writes an element whose value is held, as it becomes.
func (w *rewrite) element() error {
	t, value := &w.head, w.held
	path := w.x.path(t)
	switch {
	case t.Tag.Element() == 0:
		w.change(path, actRemove, "")
		return nil
	case t.Tag == dicom.TagSOPInstanceUID && t.Depth == 0:
		return nil // the copy's own is written in its place
	case w.x.mark == actRemove:
		w.change(path, actRemove, table[w.x.marked].Name)
		return nil
	case w.x.mark == actEmpty:
		value = nil
	case w.x.mark == actReplace:
		value = blank(value, t.VR, w.x.levels[t.Depth].chars)
	}
	if w.x.mark != "" {
		action := w.x.mark
		if len(value) == 0 {
			action = actEmpty
		}
		w.change(path, action, table[w.x.marked].Name)
	}
	return w.write(value)
}

// write writes the element under way with a value.
func (w *rewrite) write(value []byte) error {
	t := w.head
	if t.Depth == 0 {
		if err := w.before(t.Tag); err != nil {
			return err
		}
	}
	t.Length = uint32(len(value))
	if err := w.put(t); err != nil || len(value) == 0 {
		return err
	}
	return w.put(dicom.Token{Kind: dicom.Value, Data: value})
}

func (w *rewrite) sequence(t *dicom.Token) error {
	if w.x.mark == actRemove {
		w.change(w.x.path(t), actRemove, table[w.x.marked].Name)
		w.skip = 1
		return nil
	}
	if t.Depth == 0 {
		if err := w.before(t.Tag); err != nil {
			return err
		}
	}
	t.Length = dicom.UndefinedLength
	return w.put(*t)
}

func (w *rewrite) change(path, action, rule string) {
	if len(w.out.Changes) < instance.MaxChanges {
		w.out.Changes = append(w.out.Changes, instance.Change{Path: path, Action: action, Rule: rule})
	} else {
		w.out.More++
	}
}
