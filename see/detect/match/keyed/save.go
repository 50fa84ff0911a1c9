// SPDX-License-Identifier: Apache-2.0

package keyed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// The saved form of a partition:
//
//	"AKS1" kind partition count { key hot wake size value } crc
//
// Numbers are varints, texts and values have their length before them, and crc
// is CRC-32C of all before it, 4 bytes, big-endian.
const magic = "AKS1"

// ErrOtherKind says that a saved state belongs to another kind of table, or to
// one with other settings.
var ErrOtherKind = errors.New("saved state is of another kind")

// ErrDamaged says that a saved state cannot be read.
var ErrDamaged = errors.New("saved state is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Save writes the keys of a partition, those that matter least first.
func (t *Table[T]) Save(partition int, w io.Writer) error {
	var out, val Writer
	out.b = append(out.b, magic...)
	out.Str(t.cfg.Kind)
	out.Uint(uint64(partition))
	n := 0
	lists := []*list[T]{&t.cold, &t.hot}
	for _, l := range lists {
		for e := l.root.prev; e != &l.root; e = e.prev {
			if int(e.part) == partition {
				n++
			}
		}
	}
	out.Uint(uint64(n))
	for _, l := range lists {
		for e := l.root.prev; e != &l.root; e = e.prev {
			if int(e.part) != partition {
				continue
			}
			out.Str(e.Key)
			out.Bool(e.hot)
			out.Int(e.wake)
			val.b = val.b[:0]
			t.cfg.Encode(&val, &e.Val)
			out.Str(string(val.b))
		}
	}
	out.b = binary.BigEndian.AppendUint32(out.b, crc32.Checksum(out.b, castagnoli))
	_, err := w.Write(out.b)
	return err
}

// Load replaces the keys of a partition with saved ones, as far as they fit. After an
// error the partition is empty. An empty state is one without keys.
func (t *Table[T]) Load(partition int, r io.Reader) error {
	t.Drop(partition)
	limit := int64(t.cfg.Bytes)*2 + 1<<20
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return fmt.Errorf("read saved state: %w", err)
	case len(b) == 0:
		return nil
	case int64(len(b)) > limit:
		return fmt.Errorf("%w: larger than %d bytes", ErrDamaged, limit)
	case len(b) < len(magic)+4 || string(b[:len(magic)]) != magic:
		return fmt.Errorf("%w: it does not begin as one", ErrDamaged)
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return fmt.Errorf("%w: its checksum is wrong", ErrDamaged)
	}
	in := Reader{b: body[len(magic):]}
	if kind := in.Str(); in.err == nil && kind != t.cfg.Kind {
		return fmt.Errorf("%w: %.80q, not %.80q", ErrOtherKind, kind, t.cfg.Kind)
	}
	if p := in.Uint(); in.err == nil && p != uint64(partition) {
		return fmt.Errorf("%w: of partition %d, not %d", ErrOtherKind, p, partition)
	}
	for n := in.Uint(); n > 0 && in.err == nil; n-- {
		key, hot, wake, val := in.Str(), in.Bool(), in.Int(), Reader{b: in.bytes()}
		if in.err != nil {
			break
		}
		if len(key) > MaxKey || PartitionOf(key) != partition || t.entries[key] != nil || wake < 0 {
			in.fail()
			break
		}
		e := t.insert(key, partition, hot)
		t.cfg.Decode(&val, &e.Val)
		if val.err != nil || len(val.b) > 0 {
			in.fail()
			break
		}
		if wake != 0 {
			t.Wake(e, wake)
		}
		extra := 0
		if t.cfg.Extra != nil {
			extra = t.cfg.Extra(&e.Val)
		}
		t.Resize(e, extra)
		if len(t.entries) > t.cfg.Keys {
			t.shrink(e)
		}
	}
	if in.err == nil && len(in.b) > 0 {
		in.fail()
	}
	if in.err != nil {
		t.Drop(partition)
		return in.err
	}
	return nil
}

// Sealed gives saved state that was changed the checksum that it needs. Tests make use of it.
func Sealed(b []byte) []byte {
	if len(b) < 4 {
		return b
	}
	body := b[:len(b)-4]
	return binary.BigEndian.AppendUint32(body[:len(body):len(body)], crc32.Checksum(body, castagnoli))
}

// Writer writes the saved form of a value.
type Writer struct{ b []byte }

// Uint writes a number.
func (w *Writer) Uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }

// Int writes a number that can be negative.
func (w *Writer) Int(v int64) { w.b = binary.AppendVarint(w.b, v) }

// Float writes a number with a fraction.
func (w *Writer) Float(v float64) { w.b = binary.BigEndian.AppendUint64(w.b, math.Float64bits(v)) }

// Bool writes a truth value.
func (w *Writer) Bool(v bool) {
	if v {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

// Str writes a text.
func (w *Writer) Str(s string) {
	w.Uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

// Raw writes bytes whose number the reader knows.
func (w *Writer) Raw(b []byte) { w.b = append(w.b, b...) }

// Times writes times, which are near each other.
func (w *Writer) Times(list []int64) {
	w.Uint(uint64(len(list)))
	last := int64(0)
	for _, t := range list {
		w.Int(t - last)
		last = t
	}
}

// Reader reads it. After the first thing that cannot be read everything is
// zero, and Load reports it.
type Reader struct {
	b   []byte
	err error
}

func (r *Reader) fail() {
	if r.err == nil {
		r.err = fmt.Errorf("%w: it ends too early or holds what cannot be", ErrDamaged)
	}
	r.b = nil
}

// Fail says that what was read cannot be.
func (r *Reader) Fail() { r.fail() }

// Uint reads a number.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Int reads a number that can be negative.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Time reads a time, which is not before 1970.
func (r *Reader) Time() int64 {
	t := r.Int()
	if t < 0 {
		r.fail()
		return 0
	}
	return t
}

// Float reads a finite number with a fraction.
func (r *Reader) Float() float64 {
	if len(r.b) < 8 {
		r.fail()
		return 0
	}
	v := math.Float64frombits(binary.BigEndian.Uint64(r.b))
	r.b = r.b[8:]
	if math.IsNaN(v) || math.IsInf(v, 0) {
		r.fail()
		return 0
	}
	return v
}

// Bool reads a truth value.
func (r *Reader) Bool() bool {
	if len(r.b) == 0 || r.b[0] > 1 {
		r.fail()
		return false
	}
	v := r.b[0] == 1
	r.b = r.b[1:]
	return v
}

func (r *Reader) bytes() []byte {
	n := r.Uint()
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

// Str reads a text.
func (r *Reader) Str() string { return string(r.bytes()) }

// Raw fills b.
func (r *Reader) Raw(b []byte) {
	if len(r.b) < len(b) {
		r.fail()
		return
	}
	copy(b, r.b)
	r.b = r.b[len(b):]
}

// Len reads the number of things that follow, each of at least one byte, at
// most limit.
func (r *Reader) Len(limit int) int {
	n := r.Uint()
	if n > uint64(limit) || n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n)
}

// Times reads at most limit times into dst, whose memory is used again.
func (r *Reader) Times(dst []int64, limit int) []int64 {
	dst = dst[:0]
	last := int64(0)
	for n := r.Len(limit); n > 0 && r.err == nil; n-- {
		if last += r.Int(); last < 0 {
			r.fail()
			return dst[:0]
		}
		dst = append(dst, last)
	}
	return dst
}
