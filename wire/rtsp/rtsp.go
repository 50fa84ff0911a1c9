// SPDX-License-Identifier: Apache-2.0

// Package rtsp reads RTSP 1.0 (RFC 2326) and 2.0 (RFC 7826) and the session
// descriptions that it carries (SDP, RFC 8866).
//
// Messages have the form of HTTP and are read by package http1, whose limits
// hold; interleaved binary frames ($, §10.12) are skipped and counted. SIP
// (package sip) uses the session descriptions as well.
//
// # What is not done
//
// The state of sessions is not followed; media is not looked at.
package rtsp

import (
	"strings"

	"github.com/asepsis/asepsis/wire/http1"
)

// NewParser makes a parser for one direction of an RTSP connection, in which
// both sides may send requests.
func NewParser() *http1.Parser {
	return &http1.Parser{Protocol: "RTSP", Either: true, Interleaved: true}
}

// Looks tells whether b begins an RTSP message.
func Looks(b []byte) http1.Answer { return http1.Looks(b, "RTSP") }

// Media is one media description of an SDP.
type Media struct {
	Type      string   // "video"
	Port      string   // as sent
	Transport string   // "RTP/AVP"
	Formats   []string // encoding names of rtpmap, or payload types
	Control   string   // a=control
}

// Description is what a session description says about the sender.
type Description struct {
	Origin  string // user name of o=
	Session string // s=
	Tool    string // a=tool
	Media   []Media
}

// Bounds of ParseSDP.
const (
	maxLines   = 512
	maxMedia   = 32
	maxFormats = 16
)

// ParseSDP reads a session description; lines that it does not understand are
// passed over. ok is false when there is none.
func ParseSDP(body []byte) (d Description, ok bool) {
	lines := 0
	for line := range strings.Lines(string(body[:min(len(body), 32<<10)])) {
		if lines++; lines > maxLines {
			break
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 2 || line[1] != '=' {
			continue
		}
		v := line[2:]
		switch line[0] {
		case 'v':
			ok = ok || v == "0"
		case 'o':
			d.Origin, _, _ = strings.Cut(v, " ")
		case 's':
			d.Session = v
		case 'm':
			f := strings.Fields(v)
			if len(f) < 3 || len(d.Media) >= maxMedia {
				continue
			}
			m := Media{Type: f[0], Port: f[1], Transport: f[2]}
			m.Formats = append(m.Formats, f[3:min(len(f), 3+maxFormats)]...)
			d.Media = append(d.Media, m)
		case 'a':
			name, value, _ := strings.Cut(v, ":")
			switch name {
			case "tool":
				d.Tool = value
			case "control":
				if n := len(d.Media); n > 0 {
					d.Media[n-1].Control = value
				}
			case "rtpmap": // a=rtpmap:96 H264/90000
				pt, enc, found := strings.Cut(value, " ")
				if n := len(d.Media); found && n > 0 {
					for i, f := range d.Media[n-1].Formats {
						if f == pt {
							d.Media[n-1].Formats[i], _, _ = strings.Cut(enc, "/")
						}
					}
				}
			}
		}
	}
	return d, ok
}

// Summary returns "video H264; audio PCMU", printable, at most n bytes.
func (d Description) Summary(n int) string {
	var sb strings.Builder
	for i, m := range d.Media {
		if i > 0 {
			sb.WriteString("; ")
		}
		sb.WriteString(m.Type + " " + strings.Join(m.Formats, ","))
	}
	s := sb.String()
	return s[:min(len(s), n)]
}
