// SPDX-License-Identifier: Apache-2.0

// Package http1 reads HTTP/1.0 and HTTP/1.1 messages (RFC 9112) from one
// direction of a stream, and messages of the protocols that share their form:
// RTSP (RFC 2326, 7826) and SIP over streams (RFC 3261 §7).
//
// # What is read
//
// Start line, header fields with obsolete folding, and the framing of the body:
// Content-Length, chunked with extensions and trailers, until close, none. The
// first KeepBody bytes of a body are kept; the rest is counted and skipped.
// Framing that two implementations may read differently (the ground of request
// smuggling, RFC 9112 §11.2) is not an error here: it is read as RFC 9112 §6.3
// says and reported as an Anomaly.
//
// Bytes may arrive in any portions; the result does not depend on them. Every
// byte is looked at once.
//
// # Limits
//
// Lines of at most MaxLine bytes and heads of at most MaxHead bytes and
// MaxFields fields are kept; what goes beyond is read and dropped and reported.
// A head of more than 16 times MaxHead is an error.
//
// # What is not done
//
// Content codings are not removed. Targets are not normalised. HTTP/0.9 is not
// recognised: nothing tells it from other text. HTTP/2 is package http2.
package http1

import (
	"errors"
	"strings"
)

// Bounds of reading.
const (
	MaxLine   = 8 << 10
	MaxHead   = 64 << 10
	MaxFields = 128
	KeepBody  = 64 << 10
)

// ErrNotHTTP says that a start line was expected and something else came.
var ErrNotHTTP = errors.New("not an HTTP message")

// ErrTooLarge says that a head has no end.
var ErrTooLarge = errors.New("HTTP head too large")

// Field is one header field. Name is lower-case.
type Field struct{ Name, Value string }

// Head is a start line with its header fields.
type Head struct {
	Method, Target string // of a request
	Status         int    // of a response
	Reason         string
	Version        string // "1.1"
	Fields         []Field
	Anomalies      Anomaly
	Size           int // bytes
}

// Get returns the first value of a field; name is lower-case.
func (h *Head) Get(name string) string {
	for i := range h.Fields {
		if h.Fields[i].Name == name {
			return h.Fields[i].Value
		}
	}
	return ""
}

// HasToken reports whether a comma-separated list field contains token,
// case-insensitively.
func (h *Head) HasToken(name, token string) bool {
	for i := range h.Fields {
		if h.Fields[i].Name != name {
			continue
		}
		for v := range strings.SplitSeq(h.Fields[i].Value, ",") {
			if strings.EqualFold(strings.TrimSpace(v), token) {
				return true
			}
		}
	}
	return false
}

// Anomaly is a set of deviations of a message.
type Anomaly uint32

// The deviations. The first group lets two implementations disagree about where
// a message ends.
const (
	LengthAndChunked   Anomaly = 1 << iota // Content-Length beside Transfer-Encoding
	DuplicateLength                        // several Content-Length that differ
	BadLength                              // Content-Length that is no number
	OddTransferCoding                      // Transfer-Encoding that is not simply "chunked"
	ChunkedInHTTP10                        // Transfer-Encoding in HTTP/1.0
	BadChunk                               // chunk size or its end malformed
	BareLF                                 // a line ends without CR
	BareCR                                 // CR within a line
	SpaceBeforeColon                       // white space between field name and colon
	Folded                                 // obsolete line folding
	NulByte                                // NUL in the head
	DuplicateHost                          // several Host fields
	MalformedField                         // a line without colon, or a name that is no token
	TruncatedHead                          // lines, fields or bytes beyond the limits were dropped
	LengthOnBodyless                       // a body announced where none is allowed
	UnexpectedResponse                     // more responses than requests
)

var anomalyNames = [...]string{
	"content-length with transfer-encoding", "differing content-length", "malformed content-length", "unusual transfer-encoding",
	"transfer-encoding in HTTP/1.0", "malformed chunk", "bare LF", "bare CR", "space before colon", "folded field", "NUL in head",
	"several host fields", "malformed field", "head beyond limits", "length on a response without body", "unexpected response",
}

// Names lists the deviations in words.
func (a Anomaly) Names() []string {
	var out []string
	for i, n := range anomalyNames {
		if a&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// Ambiguous are the deviations on which request smuggling rests.
const Ambiguous = LengthAndChunked | DuplicateLength | BadLength | OddTransferCoding | ChunkedInHTTP10 | BadChunk | SpaceBeforeColon | NulByte | BareCR
