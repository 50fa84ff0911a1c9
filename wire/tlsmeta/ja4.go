// SPDX-License-Identifier: Apache-2.0

package tlsmeta

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Transport is the first letter of a JA4.
type Transport byte

// The transports that JA4 tells apart.
const (
	OverTCP  Transport = 't'
	OverQUIC Transport = 'q'
	OverDTLS Transport = 'd'
)

// JA4 returns the client's fingerprint, "t13d1516h2_8daaf6152771_e5627efa2ab1".
// Clients that shuffle their extensions keep their JA4.
func (h *ClientHello) JA4(t Transport) string {
	var room [1024]byte // enough for nearly all
	buf := appendHex4(room[:0], h.Ciphers, true, false)
	ciphers := (len(buf) + 1) / 5
	out := make([]byte, 0, len("t13d1516h2_8daaf6152771_e5627efa2ab1"))
	out = h.appendJA4a(out, t, ciphers)
	out = appendHash12(append(out, '_'), buf)
	buf = appendHex4(room[:0], h.Extensions, true, true)
	if len(buf) > 0 {
		n := len(buf)
		if buf = appendHex4(append(buf, '_'), h.SigAlgs, false, false); len(buf) == n+1 {
			buf = buf[:n]
		}
	}
	return string(appendHash12(append(out, '_'), buf))
}

// appendHex4 writes numbers as four lower-case hexadecimal digits with commas
// between, GREASE left out: sorted when asked, and without the extensions whose
// content is hashed elsewhere.
func appendHex4(dst []byte, list []uint16, sorted, extensions bool) []byte {
	const digits = "0123456789abcdef"
	var room [128]uint16
	kept := room[:0]
	for _, v := range list {
		if !IsGREASE(v) && !(extensions && (v == ExtServerName || v == ExtALPN)) {
			kept = append(kept, v)
		}
	}
	if sorted {
		slices.Sort(kept)
	}
	for i, v := range kept {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, digits[v>>12], digits[v>>8&15], digits[v>>4&15], digits[v&15])
	}
	return dst
}

func appendHash12(dst, list []byte) []byte {
	if len(list) == 0 {
		return append(dst, "000000000000"...)
	}
	sum := sha256.Sum256(list)
	return hex.AppendEncode(dst, sum[:6])
}

// JA4Raw returns what JA4 hashes, "JA4_r" in its authors' words.
func (h *ClientHello) JA4Raw(t Transport) string {
	ciphers, exts, sigs := h.ja4Lists()
	s := string(h.appendJA4a(nil, t, len(ciphers))) + "_" + strings.Join(ciphers, ",") + "_" + exts
	if sigs != "" {
		s += "_" + sigs
	}
	return s
}

func (h *ClientHello) ja4Lists() (ciphers []string, exts, sigs string) {
	ciphers = hex4(h.Ciphers)
	slices.Sort(ciphers)
	kept := make([]uint16, 0, len(h.Extensions))
	for _, x := range h.Extensions {
		if x != ExtServerName && x != ExtALPN {
			kept = append(kept, x)
		}
	}
	e := hex4(kept)
	slices.Sort(e)
	return ciphers, strings.Join(e, ","), strings.Join(hex4(h.SigAlgs), ",")
}

func (h *ClientHello) appendJA4a(dst []byte, t Transport, ciphers int) []byte {
	version := "00"
	switch h.Offered()[0] {
	case TLS13:
		version = "13"
	case TLS12:
		version = "12"
	case TLS11:
		version = "11"
	case TLS10:
		version = "10"
	case SSL30:
		version = "s3"
	case SSL20:
		version = "s2"
	case DTLS10:
		version = "d1"
	case DTLS12:
		version = "d2"
	case DTLS13:
		version = "d3"
	}
	sni := byte('i')
	if h.HasSNI {
		sni = 'd'
	}
	exts := 0
	for _, x := range h.Extensions {
		if !IsGREASE(x) {
			exts++
		}
	}
	ciphers, exts = min(ciphers, 99), min(exts, 99)
	dst = append(append(append(dst, byte(t)), version...), sni)
	dst = append(dst, byte('0'+ciphers/10), byte('0'+ciphers%10), byte('0'+exts/10), byte('0'+exts%10))
	return append(dst, h.ja4ALPN()...)
}

// ja4ALPN returns the first and last character of the first ALPN value, or of
// its hexadecimal form when either is not alphanumeric.
func (h *ClientHello) ja4ALPN() string {
	if len(h.ALPN) == 0 || h.ALPN[0] == "" {
		return "00"
	}
	p := h.ALPN[0]
	first, last := p[0], p[len(p)-1]
	if !alnum(first) || !alnum(last) {
		const digits = "0123456789abcdef"
		first, last = digits[first>>4], digits[last&15]
	}
	return string([]byte{first, last})
}

func alnum(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z'
}

// hex4 writes numbers as four lower-case hexadecimal digits, GREASE left out.
func hex4(list []uint16) []string {
	const digits = "0123456789abcdef"
	out := make([]string, 0, len(list))
	all := make([]byte, 0, 4*len(list))
	for _, v := range list {
		if !IsGREASE(v) {
			all = append(all, digits[v>>12], digits[v>>8&15], digits[v>>4&15], digits[v&15])
		}
	}
	for s := string(all); len(s) >= 4; s = s[4:] {
		out = append(out, s[:4])
	}
	return out
}
