// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
)

// Bounds of a text query.
const (
	MaxText  = 1000 // bytes
	MaxWords = 50
)

// Text is a parsed store.Query.Text.
type Text struct {
	all, none []needle
}

// needle is one word, prefix or phrase that is looked for.
type needle struct {
	folded []byte
	prefix bool
	hashes []uint64 // what the filter must have
	begins uint64   // what it must have if it knows the beginnings of words, 0 for nothing
	core   []byte   // must be in the bytes of the event or the columns; nil for none, see coreOf
}

// ParseText reads the language of store.Query.Text. A quote without an end
// reaches to the end. The error wraps store.ErrInvalid.
func ParseText(s string) (Text, error) {
	var t Text
	if len(s) > MaxText {
		return t, fmt.Errorf("%w: search text of %d bytes: the most is %d", store.ErrInvalid, len(s), MaxText)
	}
	if !utf8.ValidString(s) {
		return t, fmt.Errorf("%w: search text is not UTF-8", store.ErrInvalid)
	}
	for words := 0; ; words++ {
		if s = strings.TrimSpace(s); s == "" {
			return t, nil
		}
		if words == MaxWords {
			return t, fmt.Errorf("%w: search text of more than %d words", store.ErrInvalid, MaxWords)
		}
		rest, not := strings.CutPrefix(s, "-")
		if not {
			s = rest
		}
		var w string
		prefix := false
		if quoted, ok := strings.CutPrefix(s, `"`); ok {
			w, s, _ = strings.Cut(quoted, `"`)
			w = strings.TrimSpace(w)
			if after, ok := strings.CutPrefix(s, "*"); ok {
				prefix, s = true, after
			}
		} else {
			end := strings.IndexFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\n\v\f\r\u0085\u00a0", r) })
			if end < 0 {
				end = len(s)
			}
			w, s = s[:end], s[end:]
			w, prefix = strings.CutSuffix(w, "*")
		}
		if w == "" {
			continue // "-", "*" and "" ask for nothing
		}
		n := newNeedle(w, prefix)
		if not {
			t.none = append(t.none, n)
		} else {
			t.all = append(t.all, n)
		}
	}
}

func newNeedle(w string, prefix bool) needle {
	n := needle{folded: fold(nil, w), prefix: prefix}
	n.core = coreOf(n.folded)
	indexed := n.folded
	if prefix {
		// The last word may go on: neither it nor a run that it ends is in the filter.
		end := len(indexed)
		for end > 0 {
			r, size := utf8.DecodeLastRune(indexed[:end])
			if !isWord(r) {
				break
			}
			end -= size
		}
		if word := indexed[end:]; len(word) >= prefixLen {
			n.begins = prefixHash(word)
		}
		indexed = indexed[:end]
	}
	n.hashes = wordHashes(nil, indexed, false)
	slices.Sort(n.hashes)
	n.hashes = slices.Compact(n.hashes)
	return n
}

// Empty reports whether every event matches.
func (t *Text) Empty() bool { return len(t.all) == 0 && len(t.none) == 0 }

func (t *Text) filterable() bool {
	return slices.ContainsFunc(t.all, func(n needle) bool { return len(n.hashes) > 0 || n.begins != 0 })
}

func (t *Text) may(f Filter) bool {
	for i := range t.all {
		for _, h := range t.all[i].hashes {
			if !f.Has(h) {
				return false
			}
		}
		if h := t.all[i].begins; h != 0 && f.HasPrefixes() && !f.Has(h) {
			return false
		}
	}
	return true
}

// match looks through the texts of an event; buf is reused between calls.
func (t *Text) match(r *record.Record, buf *[]byte) bool {
	if t.Empty() {
		return true
	}
	found := uint64(0) // a bit for each needle of all; MaxWords is below 64
	want := uint64(1)<<len(t.all) - 1
	refused := false
	look := func(s string) bool {
		b := fold((*buf)[:0], s)
		*buf = b
		for i := range t.all {
			if found&(1<<i) == 0 && t.all[i].in(b) {
				found |= 1 << i
			}
		}
		for i := range t.none {
			if t.none[i].in(b) {
				refused = true
				return false
			}
		}
		return found != want || len(t.none) > 0
	}
	for _, s := range [...]string{r.Protocol, r.Sensor, r.Theatre, r.SrcDevice, r.DstDevice} {
		if s != "" && !look(s) {
			return !refused
		}
	}
	if r.Src.IsValid() && !look(r.Src.String()) || r.Dst.IsValid() && !look(r.Dst.String()) {
		return !refused
	}
	_ = record.Texts(r.Data, look) // what cannot be read has no texts
	return found == want && !refused
}

// in reports whether the needle stands in a folded text between separators or
// the ends.
func (n *needle) in(b []byte) bool {
	first, _ := utf8.DecodeRune(n.folded)
	last, _ := utf8.DecodeLastRune(n.folded)
	for from := 0; ; {
		i := bytes.Index(b[from:], n.folded)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(n.folded)
		before, _ := utf8.DecodeLastRune(b[:i])
		after, size := utf8.DecodeRune(b[end:])
		if !(i > 0 && isWord(before) && isWord(first)) && (n.prefix || size == 0 || !isWord(after) || !isWord(last)) {
			return true
		}
		_, size = utf8.DecodeRune(b[i:])
		from = i + size
	}
}

// coreOf returns the longest run of ASCII letters and digits, nil when there is
// none that helps: addresses are kept as bytes, not as text, so what may be a
// part of one, digits and the letters to f, need not be there.
func coreOf(folded []byte) (core []byte) {
	for _, run := range bytes.FieldsFunc(folded, func(r rune) bool { return r >= utf8.RuneSelf || !isWord(r) }) {
		if len(run) > len(core) && len(run) > 1 && len(bytes.Trim(run, "0123456789abcdef")) > 0 {
			core = run
		}
	}
	return core
}

// lowerASCII writes data with its ASCII letters in lower case, eight bytes at a time.
func lowerASCII(to, data []byte) {
	const ones = 0x0101010101010101
	for ; len(data) >= 8; to, data = to[8:], data[8:] {
		w := binary.LittleEndian.Uint64(data)
		low := w &^ (0x80 * ones)
		// The high bit of each byte says: at least 'A', and not above 'Z', and ASCII.
		upper := (low + (0x80-'A')*ones) &^ (low + (0x80-'Z'-1)*ones) &^ w & (0x80 * ones)
		binary.LittleEndian.PutUint64(to, w|upper>>2)
	}
	for k, b := range data {
		if b-'A' <= 'Z'-'A' {
			b += 'a' - 'A'
		}
		to[k] = b
	}
}

// Letters beyond ASCII whose lower case is an ASCII letter.
var kelvin, dottedI = []byte("\u212a"), []byte("\u0130")

// ruleOut returns for each row whether its texts cannot match, nil when nothing is
// known. One pass over all bytes is much faster than one over each text.
func (t *Text) ruleOut(c *Columns, data []byte) []bool {
	var out []bool
	var low []byte
	for i := range t.all {
		core := t.all[i].core
		if core == nil {
			continue
		}
		if low == nil {
			if bytes.Contains(data, kelvin) || bytes.Contains(data, dottedI) {
				return nil
			}
			low = make([]byte, len(data))
			lowerASCII(low, data)
			out = make([]bool, c.N)
		}
		may := c.rowsWith(core)
		for from := 0; ; {
			k := bytes.Index(low[from:], core)
			if k < 0 {
				break
			}
			row, _ := slices.BinarySearch(c.End, uint32(from+k+1))
			if row >= c.N {
				break
			}
			may[row] = true
			from = min(int(c.End[row]), len(low))
		}
		for row := range out {
			out[row] = out[row] || !may[row]
		}
	}
	return out
}

// rowsWith returns for each row whether a text of its columns, other than an
// address, has a core.
func (c *Columns) rowsWith(core []byte) []bool {
	may := make([]bool, c.N)
	var buf []byte
	for _, d := range [...]struct {
		dict    []string
		columns [][]uint16
	}{{c.Protocols, [][]uint16{c.Protocol}}, {c.Sensors, [][]uint16{c.Sensor}}, {c.Theatres, [][]uint16{c.Theatre}}, {c.Devices, [][]uint16{c.SrcDev, c.DstDev}}} {
		for code, s := range d.dict {
			if buf = fold(buf[:0], s); !bytes.Contains(buf, core) {
				continue
			}
			for _, column := range d.columns {
				for row, v := range column {
					may[row] = may[row] || int(v) == code
				}
			}
		}
	}
	return may
}
