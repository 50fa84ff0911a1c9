// SPDX-License-Identifier: Apache-2.0

package match

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// texter is an expression of a text.
type texter interface {
	Append(dst []byte, s *scene.Scene) ([]byte, error)
}

// base is what matchers with keys share: how the key is made, whom hits are about.
type base struct {
	id      string
	by      [][]texter // by step
	text    []string   // what the keys depend on, for signatures
	classes [][]event.Class
	dstHit  bool // the rule's group names dst first
	srcOnly bool
	dstOnly bool
	buf     []byte
	hits    uint64
	errs    uint64
}

func newBase(r *rule.Rule, d *Deps, on []rule.On, by [][]string) (*base, error) {
	b := &base{id: r.ID}
	for i := range on {
		classes, err := classesOf(on[i])
		if err != nil {
			return nil, err
		}
		b.classes = append(b.classes, classes)
		if len(by[i]) > maxBy {
			return nil, fmt.Errorf("by has %d parts, at most %d", len(by[i]), maxBy)
		}
		var parts []texter
		for _, text := range by[i] {
			t, err := d.Env.Text(classes, text)
			if err != nil {
				return nil, fmt.Errorf("by: %w", err)
			}
			parts = append(parts, t)
		}
		b.by = append(b.by, parts)
		b.text = append(b.text, strings.Join(by[i], "\x00"))
	}
	b.about(r.Group.Devices)
	return b, nil
}

func (b *base) about(devices []string) {
	if len(devices) == 0 {
		return
	}
	b.dstHit = devices[0] == "dst"
	b.srcOnly = len(devices) == 1 && !b.dstHit
	b.dstOnly = len(devices) == 1 && b.dstHit
}

// key makes the key of an event. It is not ok when the event belongs to nobody: all parts are
// empty. The key is valid until the next call.
func (b *base) key(step int, s *scene.Scene) ([]byte, bool) {
	by := b.by[step]
	if len(by) == 0 {
		return nil, true
	}
	buf := b.buf[:0]
	var err error
	for i, t := range by {
		if i > 0 {
			buf = append(buf, separator)
		}
		if buf, err = t.Append(buf, s); err != nil {
			b.errs++
			b.buf = buf
			return nil, false
		}
	}
	b.buf = buf
	return buf, len(buf) >= len(by)
}

// say counts a hit and gives it on.
func (b *base) say(hit func(Hit), h Hit) {
	b.hits++
	hit(h)
}

// subject is what is kept of an event for a hit that comes without one. It refers to
// texts of the event, not to the event.
type subject struct {
	src, dst string
	theatre  string
	sensor   string
	uid      string
	text     string
	seq      uint64
	time     int64
}

func (x *subject) set(s *scene.Scene) {
	x.src, x.dst, x.theatre, x.sensor = s.Src.ID, s.Dst.ID, s.Theatre, s.Sensor
	x.uid, x.seq, x.time, x.text = s.Event.UID, s.Seq, s.Event.Time, s.Event.Message
}

// size is about what the texts of a subject hold.
func (x *subject) size() int { return len(x.uid) + len(x.text) }

func (x *subject) evidence() finding.Evidence {
	return finding.Evidence{Time: x.time, Seq: x.seq, UID: x.uid, Sentence: cmp.Or(x.text, "the last that was seen of it")}
}

func (x *subject) encode(w *keyed.Writer) {
	for _, t := range [...]string{x.src, x.dst, x.theatre, x.sensor, x.uid, x.text} {
		w.Str(t)
	}
	w.Uint(x.seq)
	w.Int(x.time)
}

func (x *subject) decode(r *keyed.Reader) {
	for _, t := range [...]*string{&x.src, &x.dst, &x.theatre, &x.sensor, &x.uid, &x.text} {
		*t = r.Str()
	}
	x.seq, x.time = r.Uint(), r.Time()
}

// devices are the IDs that a hit is about, in the order of the rule's group.
func (b *base) devices(x *subject) []string {
	first, second := x.src, x.dst
	if b.dstHit {
		first, second = second, first
	}
	if b.srcOnly || b.dstOnly {
		second = ""
	}
	var out []string
	for _, id := range [...]string{first, second} {
		if id != "" && (len(out) == 0 || out[0] != id) {
			out = append(out, id)
		}
	}
	return out
}

// later fills a hit of Advance with what the last event told.
func (b *base) later(h Hit, x *subject) Hit {
	h.Devices, h.Theatre = b.devices(x), x.theatre
	if x.uid != "" || x.seq != 0 {
		h.Evidence = append(h.Evidence, x.evidence())
	}
	return h
}

// table is what matchers have of their keyed.Table; embedded, it gives them half of Matcher.
type table[T any] struct{ *keyed.Table[T] }

func newTable[T any](l Limits, c keyed.Config[T]) table[T] {
	c.Keys, c.Bytes = l.Keys, l.Bytes
	return table[T]{keyed.New(c)}
}

func (t table[T]) Save(partition int, w io.Writer) error { return t.Table.Save(partition, w) }

// stats joins what the table and the rule count.
func (b *base) stats(t keyed.Stats) Stats {
	return Stats{Keys: t.Keys, Bytes: t.Bytes, Evicted: t.Evicted, Flood: t.Flood, Hits: b.hits, Errors: b.errs}
}
