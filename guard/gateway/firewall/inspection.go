// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"slices"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/charset"
	"github.com/asepsis/asepsis/wire/dicom"
)

// headSize is how many bytes are looked at before a data set is read as one: as many as precede the prefix of a file, with it.
const headSize = dicom.PreambleSize

// inspection is one data set on its way through the rules.
type inspection struct {
	a        instance.Arrival
	policy   *Policy
	deps     *Deps
	verdicts [ruleCount]instance.Verdict
	syntax   dicom.Syntax

	head    []byte    // until headSize bytes have come
	started bool      // the head was judged
	done    bool      // nothing more is read: a refusal, or bytes that cannot be read
	dup     hash.Hash // of the whole, where the instance is known already

	tok dicom.Tokenizer
	inf *dicom.Inflater
	in  uint64 // bytes as received
	// deflated: bytes that the inflater took and gave
	packed, out uint64
	// tail has the bytes of a header that is not whole.
	tail      []byte
	afterLast uint64 // bytes after the end of the deflated stream
	afterAny  bool   // one of them is not zero

	levels []level
	val    value
	frags  fragments
	chars  charset.Set // of the element under way
	priv   uint64      // private elements
	ids    identity
	h      instance.Header
	group  groupLength

	// nested is the inspection of a sequence that is sent as UN; quiet says that this is one, and broke that its bytes cannot be read.
	nested       *inspection
	quiet, broke bool

	hits    []instance.Hit
	more    int
	count   [ruleCount]uint16 // hits of each rule
	met     [ruleCount]bool   // at the element under way
	metAny  bool
	mark    string // what sanitising does to the element under way
	marked  rule
	verdict instance.Verdict
	status  rule   // the rule that refused
	scratch []byte // a text in UTF-8
	fold    []byte // and without what hides
}

// perRule bounds how many hits of one rule are listed; all are counted.
const perRule = 16

// level is the item that is being read, one for each depth; the first is the data set.
type level struct {
	tag   dicom.Tag // of the sequence around
	item  int       // 1 is the first
	last  dicom.Tag
	big   bool
	chars charset.Set
	geo   geometry
	over  overlay
	lut   lut
	priv  blocks
}

func (f *Firewall) begin(a instance.Arrival, p *Policy) *inspection {
	x := &inspection{a: a, policy: p, deps: &f.deps, verdicts: p.verdicts(&a)}
	x.syntax, _ = dicom.SyntaxOf(a.TransferSyntax)
	x.tok.Reset(x.syntax, dicom.Limits{Depth: int(min(p.max[structureDepth], dicom.MaxDepth)), Elements: uint32(min(p.max[structureElements], 1<<32-1))})
	x.levels = append(make([]level, 0, 4), level{big: x.syntax.BigEndian})
	if x.syntax.Deflated {
		x.inf = new(dicom.Inflater)
		x.inf.Reset()
	}
	if f.deps.Known != nil && a.SOPInstance != "" && len(f.deps.Known(a.SOPInstance)) > 0 {
		x.dup = sha256.New()
	}
	x.arrival()
	return x
}

// Policy implements instance.Inspection.
func (x *inspection) Policy() string { return x.policy.sum }

// Stop implements instance.Inspection.
func (x *inspection) Stop() bool { return x.verdict == instance.Refuse }

// Write implements instance.Inspection.
func (x *inspection) Write(b []byte) (int, error) {
	n := len(b)
	x.in += uint64(n)
	if x.dup != nil {
		x.dup.Write(b)
	}
	if x.done {
		return n, nil
	}
	if !x.started {
		k := min(headSize-len(x.head), len(b))
		x.head = append(x.head, b[:k]...)
		b = b[k:]
		if len(x.head) < headSize {
			return n, nil
		}
		x.start()
	}
	x.receive(b)
	return n, nil
}

// start judges the head and reads it.
func (x *inspection) start() {
	x.started = true
	if x.foreign() {
		return
	}
	x.receive(x.head)
}

// receive reads bytes as they were transferred.
func (x *inspection) receive(b []byte) {
	if x.inf == nil {
		x.feed(b)
		return
	}
	for !x.done {
		if x.inf.Done() {
			x.after(b)
			return
		}
		out, n, err := x.inf.Inflate(b)
		b = b[n:]
		x.packed += uint64(n)
		most := x.policy.max[structureInflate]
		x.feed(out[:min(uint64(len(out)), most-x.out)])
		x.out = min(x.out+uint64(len(out)), most+1)
		switch {
		case x.done:
		case x.out > most || x.out > inflateRatioFrom && x.out/x.policy.ratio > x.packed:
			x.hitAt(structureInflate, "", "the deflated data set grows beyond bounds")
			x.done = true
		case err != nil:
			x.hitAt(structureMalformed, "", "the deflated bytes cannot be inflated")
			x.done = true
		case x.inf.Done():
			x.after(x.inf.Taken())
		case len(b) == 0 && len(out) == 0:
			return
		}
	}
}

// after takes bytes that follow the end of the deflated stream. One zero may, to make the length even (PS3.5 §A.5).
func (x *inspection) after(b []byte) {
	x.afterLast += uint64(len(b))
	x.afterAny = x.afterAny || len(bytes.Trim(b, "\x00")) > 0
}

// inflateRatioFrom is from where the ratio counts: blank pictures deflate a thousandfold.
const inflateRatioFrom = 16 << 20

// feed reads bytes of the data set.
func (x *inspection) feed(data []byte) {
	for !x.done {
		t, n, err := x.tok.Next(data)
		if err != nil {
			x.broken(err)
			return
		}
		if t.Kind == dicom.None {
			x.tail = append(x.tail, data[:n]...)
			return
		}
		data = data[n:]
		x.token(&t)
		if x.verdict == instance.Refuse {
			x.done = true
		}
	}
}

// token takes one step through the data set.
func (x *inspection) token(t *dicom.Token) {
	switch t.Kind {
	case dicom.Value:
		x.data(t.Data, t.Last)
	case dicom.Element:
		x.header(t)
	case dicom.SequenceStart:
		x.header(t)
		x.open(t)
	case dicom.ItemStart:
		x.tail = x.tail[:0]
		x.item(t)
	case dicom.SequenceEnd, dicom.ItemEnd:
		x.tail = x.tail[:0]
	case dicom.FragmentsStart:
		x.header(t)
		x.fragmentsStart(t)
	case dicom.Fragment:
		x.fragment(t)
	case dicom.FragmentsEnd:
		x.tail = x.tail[:0]
		x.fragmentsEnd(t)
	}
}

// open prepares the level of a sequence's items.
func (x *inspection) open(t *dicom.Token) {
	d := int(t.Depth) + 1
	for len(x.levels) <= d {
		x.levels = append(x.levels, level{})
	}
	up := &x.levels[d-1]
	x.levels[d] = level{tag: t.Tag, big: up.big && t.VR != dicom.UN}
}

// item begins an item: its own order, its own picture, the character set of what is around it (PS3.3 §C.12.1.1.2).
func (x *inspection) item(t *dicom.Token) {
	d := int(t.Depth)
	lv := &x.levels[d]
	*lv = level{tag: lv.tag, item: lv.item + 1, big: lv.big, chars: x.levels[d-1].chars}
}

// path writes where the element under way stands.
func (x *inspection) path(t *dicom.Token) string {
	b := make([]byte, 0, 64)
	for i := 1; i <= int(t.Depth); i++ {
		b = append(b, x.levels[i].tag.String()...)
		b = append(b, '[')
		b = appendInt(b, x.levels[i].item)
		b = append(b, "]."...)
	}
	return string(append(b, t.Tag.String()...))
}

func appendInt(b []byte, n int) []byte {
	if n >= 10 {
		b = appendInt(b, n/10)
	}
	return append(b, byte('0'+n%10))
}

// hit tells that a rule meets at the element under way. A rule meets once at an element.
func (x *inspection) hit(r rule, why string) {
	v := x.verdicts[r]
	if v == instance.Pass || x.met[r] || x.policy.excepts(r, x.val.t.Tag) {
		return
	}
	x.met[r], x.metAny = true, true
	if v == instance.Sanitise {
		if x.pinned(&x.val.t) || table[r].Action == "" {
			v = max(instance.Flag, x.verdicts[sanitiseImpossible]) // never in silence
			x.record(sanitiseImpossible, v, why+"; the element cannot be taken away")
			return
		}
		x.marking(r, table[r].Action)
	}
	x.record(r, v, why)
}

// marking remembers what becomes of the element; what takes more away counts.
func (x *inspection) marking(r rule, action string) {
	if rank(action) > rank(x.mark) {
		x.mark, x.marked = action, r
	}
}

func rank(action string) int {
	return slices.Index([]string{"", actReplace, actEmpty, actRemove}, action)
}

// hitAt tells that a rule meets at a place, or in the whole.
func (x *inspection) hitAt(r rule, path, why string) {
	v := x.verdicts[r]
	if v == instance.Pass {
		return
	}
	if t, ok := topTag(path); ok && len(path) == 11 && x.policy.excepts(r, t) {
		return
	}
	if v == instance.Sanitise && path == "" && r != structureTrailing {
		v = max(instance.Flag, x.verdicts[sanitiseImpossible])
	}
	x.add(instance.Hit{Rule: table[r].Name, Verdict: v, Path: path, Why: why}, r)
}

func (x *inspection) record(r rule, v instance.Verdict, why string) {
	if x.count[r] >= perRule && v <= x.verdict {
		x.more++
		return
	}
	x.add(instance.Hit{Rule: table[r].Name, Verdict: v, Path: x.path(&x.val.t), Why: why}, r)
}

// add keeps a hit: of more than MaxHits the highest verdicts, in the order in which they met.
func (x *inspection) add(h instance.Hit, r rule) {
	if x.count[r] < 1<<16-1 {
		x.count[r]++
	}
	if h.Verdict > x.verdict {
		x.verdict = h.Verdict
		x.status = r
	}
	if len(x.hits) < instance.MaxHits {
		x.hits = append(x.hits, h)
		return
	}
	x.more++
	low := len(x.hits) - 1
	for i := low; i >= 0; i-- {
		if x.hits[i].Verdict < x.hits[low].Verdict {
			low = i
		}
	}
	if x.hits[low].Verdict < h.Verdict {
		x.hits = append(slices.Delete(x.hits, low, low+1), h)
	}
}

// broken judges bytes that cannot be read on.
func (x *inspection) broken(err error) {
	x.done = true
	if x.broke = true; x.quiet {
		return
	}
	var e *dicom.Error
	if !errors.As(err, &e) {
		x.hitAt(structureMalformed, "", "the data set cannot be read")
		return
	}
	x.val.t = dicom.Token{Tag: e.Tag}
	if x.mislabelled() {
		return
	}
	at := ""
	if e.Tag != 0 {
		at = e.Tag.String()
	}
	why := e.What + " (" + e.Section + ")"
	switch {
	case errors.Is(err, dicom.ErrLimit) && x.tok.Elements() > uint32(min(x.policy.max[structureElements], 1<<32-1)):
		x.hitAt(structureElements, at, why)
	case errors.Is(err, dicom.ErrLimit):
		x.hitAt(structureDepth, at, why)
	case errors.Is(err, dicom.ErrTruncated):
		x.hitAt(structureTruncated, at, why)
	default:
		x.hitAt(structureMalformed, at, why)
	}
	if x.verdict == instance.Pass {
		// What cannot be read is never passed in silence, whatever the policy says: the rest was not inspected.
		x.add(instance.Hit{Rule: table[structureMalformed].Name, Verdict: instance.Flag, Path: at, Why: why + "; the rest was not inspected"}, structureMalformed)
	}
}

// Finish implements instance.Inspection.
func (x *inspection) Finish() instance.Result {
	if !x.started {
		x.start()
	}
	if !x.done {
		x.end()
	}
	if x.verdict != instance.Refuse {
		x.finishHeader()
	}
	r := instance.Result{Verdict: x.verdict, Hits: x.hits, More: x.more, Header: x.h, Pixel: x.val.digests()}
	r.Pixel.Bytes = int64(x.in)
	if x.verdict == instance.Refuse { // it was not read to its end
		r.Pixel = instance.Digests{Bytes: r.Pixel.Bytes}
	}
	if x.verdict == instance.Refuse {
		r.Status = table[x.status].Status
		r.Comment = "refused by rule " + table[x.status].Name
	}
	return r
}

// end judges where the data set ends.
func (x *inspection) end() {
	if x.inf != nil && !x.inf.Done() {
		x.hitAt(structureTruncated, "", "the deflated bytes end before their last block")
	}
	if x.afterLast > 1 || x.afterAny {
		x.hitAt(structureTrailing, "", "bytes follow the end of the deflated data set")
	}
	if err := x.tok.End(); err != nil {
		// Fewer zeros than a header has are padding that somebody added.
		if len(x.tail) > 0 && len(x.levels) > 0 && x.tok.Parent() == 0 && x.tok.Skippable() == 0 && len(bytes.Trim(x.tail, "\x00")) == 0 {
			x.hitAt(structureTrailing, "", "a few zeros follow the last element")
		} else {
			x.broken(err)
			return
		}
	}
	x.endGroup()
	if x.tok.Elements() == 0 {
		x.hitAt(syntaxNotDICOM, "", "the data set is empty")
	}
}
