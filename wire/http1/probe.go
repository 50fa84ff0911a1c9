// SPDX-License-Identifier: Apache-2.0

package http1

import "bytes"

// Answer is what a look at the first bytes says.
type Answer uint8

// The answers of a look.
const (
	NotHTTP Answer = iota
	NeedMore
	Request
	Response
)

// Preface is the beginning of an HTTP/2 connection (RFC 9113 §3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Looks tells whether b begins a message of the protocol ("HTTP", "RTSP",
// "SIP"). A request needs its whole first line, or more than 2 KiB of a line
// that begins with a method and a path or URI. It allocates nothing.
func Looks(b []byte, protocol string) Answer {
	for len(b) > 0 && (b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	if len(b) == 0 {
		return NeedMore
	}
	n := len(protocol)
	if k := min(len(b), n+1); string(b[:min(k, n)]) == protocol[:min(k, n)] && (k <= n || b[n] == '/') {
		if len(b) < n+8 {
			for i, c := range b[min(len(b), n+1):] {
				if i == 1 && c != '.' || i != 1 && i != 3 && (c < '0' || c > '9') || i == 3 && c != ' ' {
					return NotHTTP
				}
			}
			return NeedMore
		}
		v := b[n+1:]
		if (v[0] == '1' || v[0] == '2' && protocol != "HTTP") && v[1] == '.' && v[2] >= '0' && v[2] <= '9' && v[3] == ' ' && v[4] >= '1' && v[4] <= '9' && (len(v) < 6 || v[5] >= '0' && v[5] <= '9') {
			return Response
		}
		return NotHTTP
	}
	sp := -1
	for i, c := range b {
		if c == ' ' {
			sp = i
			break
		}
		if i >= 24 || (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return NotHTTP
		}
	}
	if sp < 0 {
		return NeedMore
	}
	if sp < 3 {
		return NotHTTP
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) > 2048 && (b[sp+1] == '/' || bytes.Contains(b[sp+1:min(len(b), sp+10)], []byte("://"))) {
			return Request
		}
		for _, c := range b[sp:] {
			if c < 0x20 && c != '\r' || c == 0x7f {
				return NotHTTP
			}
		}
		return NeedMore
	}
	line := bytes.TrimSuffix(b[:end], []byte{'\r'})
	i := bytes.LastIndexByte(line, ' ')
	if i <= sp {
		return NotHTTP
	}
	v := line[i+1:]
	if len(v) == n+4 && string(v[:n]) == protocol && v[n] == '/' && (v[n+1] == '1' || v[n+1] == '2' && protocol != "HTTP") && v[n+2] == '.' {
		return Request
	}
	return NotHTTP
}
