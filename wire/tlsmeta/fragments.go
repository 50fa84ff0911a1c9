// SPDX-License-Identifier: Apache-2.0

package tlsmeta

// Fragments joins pieces of a byte string that arrive at offsets, in any order
// and with overlaps: a DTLS handshake message (RFC 9147 §5.5) or QUIC's CRYPTO
// stream (RFC 9000 §19.6). The first copy of a byte wins. It keeps at most Limit
// bytes joined and as many waiting, in at most 32 waiting pieces; what goes
// beyond is dropped. Limit must be set.
type Fragments struct {
	Limit   int
	buf     []byte
	waiting []fragment
	held    int // bytes waiting
}

type fragment struct {
	off  int
	data []byte
}

const maxWaiting = 32

// Add takes a piece; data is copied. It reports whether the joined prefix grew.
func (f *Fragments) Add(off uint64, data []byte) bool {
	if off >= uint64(f.Limit) || len(data) == 0 {
		return false
	}
	o := int(off)
	if len(data) > f.Limit-o {
		data = data[:f.Limit-o]
	}
	if !f.join(o, data) {
		if o > len(f.buf) && len(f.waiting) < maxWaiting && f.held+len(data) <= f.Limit {
			f.waiting = append(f.waiting, fragment{o, append([]byte(nil), data...)})
			f.held += len(data)
		}
		return false
	}
	// Each round joins at least one of at most maxWaiting pieces.
	for again := true; again; {
		again = false
		kept := f.waiting[:0]
		for _, w := range f.waiting {
			switch {
			case w.off > len(f.buf):
				kept = append(kept, w)
			default:
				f.join(w.off, w.data)
				f.held -= len(w.data)
				again = true
			}
		}
		clear(f.waiting[len(kept):])
		f.waiting = kept
	}
	return true
}

func (f *Fragments) join(off int, data []byte) bool {
	if off > len(f.buf) || off+len(data) <= len(f.buf) {
		return false
	}
	f.buf = append(f.buf, data[len(f.buf)-off:]...)
	return true
}

// Bytes returns the joined prefix, valid until the next Add.
func (f *Fragments) Bytes() []byte { return f.buf }

// Reset drops everything and keeps Limit.
func (f *Fragments) Reset() { *f = Fragments{Limit: f.Limit} }
