// SPDX-License-Identifier: Apache-2.0

package http2

// decoder holds the dynamic table of one direction (RFC 7541 §2.3.2). The size
// that SETTINGS_HEADER_TABLE_SIZE allows is announced in the other direction
// and may not be known; the encoder's own size updates are obeyed up to
// MaxTable.
type decoder struct {
	table   []Field // newest last
	size    int
	max     int
	started bool
}

const entryOverhead = 32 // RFC 7541 §4.1

func (d *decoder) decode(b []byte) ([]Field, error) {
	if !d.started {
		d.max, d.started = 4096, true
	}
	var out []Field
	emitted := 0
	for len(b) > 0 {
		var f Field
		var ok, index bool
		switch c := b[0]; {
		case c&0x80 != 0: // §6.1 indexed
			var i int
			if i, b, ok = integer(b, 7); !ok {
				return nil, ErrHPACK
			}
			if f, ok = d.at(i); !ok {
				return nil, ErrHPACK
			}
		case c&0xe0 == 0x20: // §6.3 size update
			var n int
			if n, b, ok = integer(b, 5); !ok || n > MaxTable {
				return nil, ErrHPACK
			}
			d.max = n
			d.evict()
			continue
		default: // §6.2 literal: with indexing, without, never
			bits := uint(4)
			if c&0xc0 == 0x40 {
				bits, index = 6, true
			}
			var i int
			if i, b, ok = integer(b, bits); !ok {
				return nil, ErrHPACK
			}
			if i > 0 {
				if f, ok = d.at(i); !ok {
					return nil, ErrHPACK
				}
				f.Value = ""
			} else if f.Name, b, ok = text(b); !ok {
				return nil, ErrHPACK
			}
			if f.Value, b, ok = text(b); !ok {
				return nil, ErrHPACK
			}
			if index {
				d.add(f)
			}
		}
		// A small index can stand for a large field: bound what comes out, not
		// only what goes in.
		if emitted += len(f.Name) + len(f.Value); emitted > 2*MaxBlock {
			return nil, ErrHPACK
		}
		if len(out) < MaxFields {
			out = append(out, f)
		}
	}
	return out, nil
}

func (d *decoder) at(i int) (Field, bool) {
	if i >= 1 && i <= len(static) {
		return static[i-1], true
	}
	i -= len(static) + 1
	if i < 0 || i >= len(d.table) {
		return Field{}, false
	}
	return d.table[len(d.table)-1-i], true
}

func (d *decoder) add(f Field) {
	d.table = append(d.table, f)
	d.size += len(f.Name) + len(f.Value) + entryOverhead
	d.evict()
}

func (d *decoder) evict() {
	n := 0
	for d.size > d.max && n < len(d.table) {
		d.size -= len(d.table[n].Name) + len(d.table[n].Value) + entryOverhead
		n++
	}
	if n > 0 {
		d.table = append(d.table[:0], d.table[n:]...)
	}
}

// integer reads a prefixed integer (RFC 7541 §5.1).
func integer(b []byte, bits uint) (int, []byte, bool) {
	if len(b) == 0 {
		return 0, b, false
	}
	mask := 1<<bits - 1
	n := int(b[0]) & mask
	b = b[1:]
	if n < mask {
		return n, b, true
	}
	for shift := uint(0); shift <= 21; shift += 7 {
		if len(b) == 0 {
			return 0, b, false
		}
		c := b[0]
		b = b[1:]
		n += int(c&0x7f) << shift
		if c&0x80 == 0 {
			return n, b, true
		}
	}
	return 0, b, false
}

// text reads a string literal (RFC 7541 §5.2).
func text(b []byte) (string, []byte, bool) {
	if len(b) == 0 {
		return "", b, false
	}
	huffman := b[0]&0x80 != 0
	n, b, ok := integer(b, 7)
	if !ok || n > len(b) || n > MaxString {
		return "", b, false
	}
	if !huffman {
		return string(b[:n]), b[n:], true
	}
	s, ok := unhuffman(b[:n])
	return s, b[n:], ok
}

// static is the table of RFC 7541 appendix A. It is never written.
var static = [61]Field{
	{":authority", ""}, {":method", "GET"}, {":method", "POST"}, {":path", "/"}, {":path", "/index.html"},
	{":scheme", "http"}, {":scheme", "https"}, {":status", "200"}, {":status", "204"}, {":status", "206"},
	{":status", "304"}, {":status", "400"}, {":status", "404"}, {":status", "500"}, {"accept-charset", ""},
	{"accept-encoding", "gzip, deflate"}, {"accept-language", ""}, {"accept-ranges", ""}, {"accept", ""},
	{"access-control-allow-origin", ""}, {"age", ""}, {"allow", ""}, {"authorization", ""}, {"cache-control", ""},
	{"content-disposition", ""}, {"content-encoding", ""}, {"content-language", ""}, {"content-length", ""},
	{"content-location", ""}, {"content-range", ""}, {"content-type", ""}, {"cookie", ""}, {"date", ""}, {"etag", ""},
	{"expect", ""}, {"expires", ""}, {"from", ""}, {"host", ""}, {"if-match", ""}, {"if-modified-since", ""},
	{"if-none-match", ""}, {"if-range", ""}, {"if-unmodified-since", ""}, {"last-modified", ""}, {"link", ""},
	{"location", ""}, {"max-forwards", ""}, {"proxy-authenticate", ""}, {"proxy-authorization", ""}, {"range", ""},
	{"referer", ""}, {"refresh", ""}, {"retry-after", ""}, {"server", ""}, {"set-cookie", ""},
	{"strict-transport-security", ""}, {"transfer-encoding", ""}, {"user-agent", ""}, {"vary", ""}, {"via", ""},
	{"www-authenticate", ""},
}
