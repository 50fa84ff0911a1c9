// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"errors"

	"github.com/asepsis/asepsis/wire/dicom"
)

// decoder undoes one filter of a stream (ISO 32000-1 §7.4) that arrives in pieces.
type decoder interface {
	// decode takes bytes of src and returns what they stand for, which is valid until the next call. It is called until it has taken all
	// of src and returned nothing.
	decode(src []byte) (out []byte, n int, err error)
	// over reports that the end that the filter marks has come. What follows is left out.
	over() bool
}

// chain undoes the filters of one stream after the other. What it unpacks of a document, at each of its steps, is bounded; its memory is
// under 100 kB, of which it takes what it needs.
type chain struct {
	sink  func([]byte) bool // takes what comes out; false when no more is wanted
	most  uint64
	spent [2*maxFilters + 1]uint64 // bytes that came out of each step, of the whole document

	steps  [2 * maxFilters]decoder
	n      int
	ends   int // the last step that marks its end; -1 when none does
	failed error

	flate *flateFilter
	lzw   *lzwFilter
	rows  *predictor
}

var (
	errPacked = errors.New("bytes that the filter cannot have made")
	errBomb   = errors.New("more than is unpacked")
	errEnough = errors.New("no more is wanted")
)

// begin prepares for a stream. It returns why the stream cannot be unpacked, or nothing.
func (c *chain) begin(d *dictionary) string {
	c.n, c.ends, c.failed = 0, -1, nil
	switch {
	case d.elsewhere:
		return "of which it is elsewhere how it is packed"
	case d.odd || d.seen[keyFile] || d.seen[keyParms] && d.listed[0] != d.listed[1]:
		return "whose dictionary readers understand in several ways"
	case d.filters > maxFilters:
		return "that is packed more often than is unpacked"
	}
	if c.rows != nil {
		c.rows.used = false
	}
	flated, lzwed := false, false
	for i := range d.filters {
		f := &d.filter[i]
		var step decoder
		switch f.name {
		case "FlateDecode", "Fl":
			if flated {
				return "that is packed more often than is unpacked"
			}
			flated = true
			if c.flate == nil {
				c.flate = new(flateFilter)
			}
			c.flate.reset()
			step = c.flate
		case "LZWDecode", "LZW":
			if lzwed {
				return "that is packed more often than is unpacked"
			}
			lzwed = true
			if c.lzw == nil {
				c.lzw = new(lzwFilter)
			}
			c.lzw.reset(f.late)
			step = c.lzw
		case "ASCIIHexDecode", "AHx":
			step = &hexFilter{}
		case "ASCII85Decode", "A85":
			step = &ascii85Filter{}
		case "RunLengthDecode", "RL":
			step = &runFilter{}
		default:
			return "that is packed in a way that is not read"
		}
		c.ends = c.n
		c.steps[c.n] = step
		c.n++
		if f.predictor <= 1 || step != c.flate && step != c.lzw {
			continue
		}
		if c.rows == nil {
			c.rows = new(predictor)
		} else if c.rows.used {
			return "that is packed more often than is unpacked"
		}
		if !c.rows.reset(f) {
			return "with rows of a size that is not read"
		}
		c.steps[c.n] = c.rows
		c.n++
	}
	return ""
}

// write takes the next bytes of the stream.
func (c *chain) write(b []byte) {
	if c.failed == nil {
		c.failed = c.push(0, b)
	}
}

// whole reports that the stream's content has come to the end that its filters mark.
func (c *chain) whole() bool { return c.failed == nil && (c.ends < 0 || c.steps[c.ends].over()) }

func (c *chain) push(i int, b []byte) error {
	if i == c.n {
		if len(b) > 0 && !c.sink(b) {
			return errEnough
		}
		return nil
	}
	for step := c.steps[i]; !step.over(); {
		out, n, err := step.decode(b)
		b = b[n:]
		// Just so many bytes are handed on, however they were cut.
		room := c.most - c.spent[i]
		c.spent[i] += min(uint64(len(out)), room)
		if e := c.push(i+1, out[:min(uint64(len(out)), room)]); e != nil {
			return e
		}
		switch {
		case uint64(len(out)) > room:
			return errBomb
		case err != nil:
			return err
		case len(b) == 0 && len(out) == 0:
			return nil
		}
	}
	return nil
}

// flateFilter is FlateDecode (§7.4.4): zlib (RFC 1950), whose sum at the end nobody looks at.
type flateFilter struct {
	inf    dicom.Inflater
	header [2]byte
	n      int
}

func (f *flateFilter) reset() { f.inf.Reset(); f.n = 0 }

func (f *flateFilter) over() bool { return f.n == 2 && f.inf.Done() }

func (f *flateFilter) decode(src []byte) ([]byte, int, error) {
	n := 0
	for ; f.n < 2 && n < len(src); n++ {
		f.header[f.n] = src[n]
		if f.n++; f.n == 2 && (f.header[0]&15 != 8 || f.header[1]&0x20 != 0 || (int(f.header[0])<<8|int(f.header[1]))%31 != 0) {
			return nil, n, errPacked // some would take it for a stream without header
		}
	}
	if f.n < 2 {
		return nil, n, nil
	}
	out, k, err := f.inf.Inflate(src[n:])
	return out, n + k, err
}

// hexFilter is ASCIIHexDecode (§7.4.2).
type hexFilter struct {
	out  [256]byte
	high byte
	half bool
	end  bool
}

func (a *hexFilter) over() bool { return a.end }

func (a *hexFilter) decode(src []byte) ([]byte, int, error) {
	k := 0
	for i, c := range src {
		if k == len(a.out) {
			return a.out[:k], i, nil
		}
		var d byte
		switch l := lower(c); {
		case c-'0' <= 9:
			d = c - '0'
		case l-'a' <= 5:
			d = l - 'a' + 10
		case c == '>':
			if a.end = true; a.half {
				a.out[k] = a.high << 4
				k++
			}
			return a.out[:k], i + 1, nil
		case !regular(c) && c <= ' ':
			continue
		default:
			return a.out[:k], i, errPacked
		}
		if a.half = !a.half; a.half {
			a.high = d
			continue
		}
		a.out[k] = a.high<<4 | d
		k++
	}
	return a.out[:k], len(src), nil
}

// ascii85Filter is ASCII85Decode (§7.4.3).
type ascii85Filter struct {
	out   [256]byte
	group uint64
	n     int
	tilde bool
	end   bool
}

func (a *ascii85Filter) over() bool { return a.end }

func (a *ascii85Filter) decode(src []byte) ([]byte, int, error) {
	k := 0
	put := func(n int) {
		for j := range n {
			a.out[k] = byte(a.group >> (24 - 8*j))
			k++
		}
		a.group, a.n = 0, 0
	}
	for i, c := range src {
		if k+4 > len(a.out) {
			return a.out[:k], i, nil
		}
		switch {
		case a.tilde && c == '>':
			n := a.n
			if n == 1 {
				return a.out[:k], i, errPacked
			}
			for ; n > 0 && a.n < 5; a.n++ {
				a.group = a.group*85 + 84
			}
			if a.group > 1<<32-1 {
				return a.out[:k], i, errPacked
			}
			a.end = true
			put(max(n-1, 0))
			return a.out[:k], i + 1, nil
		case !regular(c) && c <= ' ':
		case a.tilde:
			return a.out[:k], i, errPacked
		case c == '~':
			a.tilde = true
		case c == 'z' && a.n == 0:
			put(4)
		case c >= '!' && c <= 'u':
			a.group = a.group*85 + uint64(c-'!')
			if a.n++; a.n < 5 {
				continue
			}
			if a.group > 1<<32-1 {
				return a.out[:k], i, errPacked
			}
			put(4)
		default:
			return a.out[:k], i, errPacked
		}
	}
	return a.out[:k], len(src), nil
}

// runFilter is RunLengthDecode (§7.4.5).
type runFilter struct {
	out    [256]byte
	copies int // bytes to copy
	repeat int // times that the next byte stands
	end    bool
}

func (r *runFilter) over() bool { return r.end }

func (r *runFilter) decode(src []byte) ([]byte, int, error) {
	k := 0
	for i, c := range src {
		switch {
		case r.copies > 0:
			if k == len(r.out) {
				return r.out[:k], i, nil
			}
			r.out[k] = c
			r.copies--
			k++
		case r.repeat > 0:
			if k+r.repeat > len(r.out) {
				return r.out[:k], i, nil
			}
			for range r.repeat {
				r.out[k] = c
				k++
			}
			r.repeat = 0
		case c < 128:
			r.copies = int(c) + 1
		case c > 128:
			r.repeat = 257 - int(c)
		default:
			r.end = true
			return r.out[:k], i + 1, nil
		}
	}
	return r.out[:k], len(src), nil
}
