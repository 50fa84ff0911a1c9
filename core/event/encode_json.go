// SPDX-License-Identifier: Apache-2.0

package event

import (
	"net/netip"
	"strconv"
	"unicode/utf8"

	"github.com/asepsis/asepsis/core/device"
)

// writer appends JSON. Its methods write an attribute only when it has a value
// (str, list), or always (num, flag); commas are its business.
type writer struct{ b []byte }

func (w *writer) open()      { w.b = append(w.b, '{') }
func (w *writer) close()     { w.b = append(w.b, '}') }
func (w *writer) openList()  { w.b = append(w.b, '[') }
func (w *writer) closeList() { w.b = append(w.b, ']') }

// comma separates from what stands before, if anything does.
func (w *writer) comma() {
	if n := len(w.b); n > 0 && w.b[n-1] != '{' && w.b[n-1] != '[' {
		w.b = append(w.b, ',')
	}
}

// key writes a name that needs no escaping.
func (w *writer) key(name string) {
	w.comma()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) str(name, v string) {
	if v != "" {
		w.key(name)
		w.b = appendString(w.b, v)
	}
}

func (w *writer) num(name string, v int64) {
	w.key(name)
	w.b = appendInt(w.b, v)
}

// size writes a count, when there is one.
func (w *writer) size(name string, v uint64) {
	if v > 0 {
		w.key(name)
		w.b = strconv.AppendUint(w.b, clampLong(v), 10)
	}
}

// clampLong keeps a count within OCSF's long_t, which is signed.
func clampLong(v uint64) uint64 { return min(v, 1<<63-1) }

func (w *writer) flag(name string, v bool) {
	w.key(name)
	w.b = strconv.AppendBool(w.b, v)
}

// yes writes a flag only when it is set.
func (w *writer) yes(name string, v bool) {
	if v {
		w.flag(name, true)
	}
}

// caption writes an enumerated identifier with its caption.
func (w *writer) caption(idName string, id int, name, caption string) {
	w.num(idName, int64(id))
	w.str(name, caption)
}

func (w *writer) strs(name string, v []string) {
	if len(v) == 0 {
		return
	}
	w.key(name)
	w.openList()
	for i, s := range v {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendString(w.b, s)
	}
	w.closeList()
}

func (w *writer) addr(name string, a netip.Addr) {
	if a.IsValid() {
		w.key(name)
		w.b = append(w.b, '"')
		w.b = a.Unmap().WithZone("").AppendTo(w.b)
		w.b = append(w.b, '"')
	}
}

func (w *writer) mac(name string, m device.MAC) {
	if !m.IsZero() {
		w.key(name)
		w.b = appendMAC(w.b, m)
	}
}

func appendMAC(b []byte, m device.MAC) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for i, c := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[c>>4], digits[c&15])
	}
	return append(b, '"')
}

func appendInt(b []byte, v int64) []byte { return strconv.AppendInt(b, v, 10) }

// appendString appends a JSON string (RFC 8259 §7). What is not UTF-8 becomes
// U+FFFD.
func appendString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			}
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			b = append(b, s[start:i]...)
			b = append(b, "\ufffd"...)
			start = i + 1
		}
		i += n
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
