// SPDX-License-Identifier: Apache-2.0

// Package ssdp reads the Simple Service Discovery Protocol of UPnP Device
// Architecture 2.0 §1 (NOTIFY, M-SEARCH and answers over UDP) and the device
// description documents of §2.3, which state manufacturer, model and serial
// number.
//
// A message is one datagram: a start line and header fields, at most MaxFields,
// values capped at printable.Max bytes; a body is ignored. Describe reads the
// description with a scanner of its own that knows elements and nothing else:
// no entities but the five of XML, no external references, at most MaxElements
// elements. Not done: eventing (GENA), control (SOAP).
package ssdp

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// MaxFields bounds the header fields of one message.
const MaxFields = 64

// Message is one SSDP message.
type Message struct {
	Kind     string // "notify", "search", "answer"
	NT       string // notification type, or search target (ST)
	NTS      string // "ssdp:alive", "ssdp:byebye", "ssdp:update"
	USN      string // unique service name
	Location string // URL of the description
	Server   string // "OS/version UPnP/1.1 product/version"
	Agent    string // USER-AGENT of a search
	MAN, MX  string
	MaxAge   int // seconds, -1 when not stated
	BootID   string
	Friendly string // CPFN.UPNP.ORG of UPnP 2.0 searches
	Fields   int
}

var starts = [...]struct{ line, kind string }{
	{"NOTIFY * HTTP/1.", "notify"},
	{"M-SEARCH * HTTP/1.", "search"},
	{"HTTP/1.1 200", "answer"},
	{"HTTP/1.0 200", "answer"},
}

// Looks reports whether b begins as an SSDP message does. An answer must name
// a search target or service, because a start line alone could be other HTTP.
func Looks(b []byte) bool {
	for _, s := range starts {
		if len(b) > len(s.line) && string(b[:len(s.line)]) == s.line {
			return s.kind != "answer" || hasField(b, "st") || hasField(b, "usn")
		}
	}
	return false
}

// hasField looks for a header field at the start of a line.
func hasField(b []byte, name string) bool {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return false
		}
		b = b[i+1:]
		if len(b) > len(name) && b[len(name)] == ':' && bytes.EqualFold(b[:len(name)], []byte(name)) {
			return true
		}
	}
	return false
}

// Parse reads one message.
func Parse(b []byte) (*Message, error) {
	m := &Message{MaxAge: -1}
	for _, s := range starts {
		if bytes.HasPrefix(b, []byte(s.line)) {
			m.Kind = s.kind
		}
	}
	if m.Kind == "" {
		return nil, &octet.Error{What: "start line"}
	}
	rest := b
	line := func() []byte {
		i := bytes.IndexByte(rest, '\n')
		l := rest
		if i >= 0 {
			l, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		return bytes.TrimSuffix(l, []byte("\r"))
	}
	line()
	for len(rest) > 0 {
		at := len(b) - len(rest)
		l := line()
		if len(l) == 0 {
			break
		}
		if m.Fields++; m.Fields > MaxFields {
			return m, &octet.Error{Offset: at, What: "more header fields than are read"}
		}
		name, value, ok := bytes.Cut(l, []byte(":"))
		if !ok {
			continue
		}
		v := printable.Text(bytes.Trim(value, " \t\""), printable.Max)
		switch strings.ToLower(printable.Text(name, 32)) {
		case "nt", "st":
			m.NT = v
		case "nts":
			m.NTS = v
		case "usn":
			m.USN = v
		case "location", "al":
			m.Location = v
		case "server":
			m.Server = v
		case "user-agent":
			m.Agent = v
		case "man":
			m.MAN = v
		case "mx":
			m.MX = v
		case "bootid.upnp.org":
			m.BootID = v
		case "cpfn.upnp.org":
			m.Friendly = v
		case "cache-control":
			if _, n, ok := strings.Cut(v, "max-age"); ok {
				if a, err := strconv.Atoi(strings.Trim(n, " =")); err == nil {
					m.MaxAge = a
				}
			}
		}
	}
	return m, nil
}

// UUID is the device's UUID in a unique service name, "" when there is none.
func UUID(usn string) string {
	s, ok := strings.CutPrefix(usn, "uuid:")
	if !ok {
		return ""
	}
	s, _, _ = strings.Cut(s, "::")
	return s
}
