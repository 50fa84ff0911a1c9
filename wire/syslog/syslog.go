// SPDX-License-Identifier: Apache-2.0

// Package syslog reads the header of syslog messages: the modern format
// (RFC 5424) and what devices send in the older one (RFC 3164 describes it),
// and splits TCP streams into messages by octet count or line feed (RFC 6587).
//
// The text of a message may name patients and is not returned; only its
// length is. Host, application, process and message identifiers are capped at
// the lengths of RFC 5424 §6. Structured data is reduced to its identifiers,
// at most MaxElements.
package syslog

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Bounds.
const (
	MaxElements = 16
	MaxMessage  = 64 << 10 // octets that a count may announce
)

// Message is the header of one message.
type Message struct {
	Facility, Severity uint8
	Modern             bool   // RFC 5424
	Time               string // as sent
	Host               string
	App                string
	Process            string
	MessageID          string
	Elements           []string // identifiers of structured data
	TextLength         int
	Audit              bool // the text begins as a DICOM or IHE audit message (XML AuditMessage)
}

var facilities = [...]string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert",
	"clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}

var severities = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// FacilityName is the facility's keyword.
func (m *Message) FacilityName() string { return facilities[m.Facility] }

// SeverityName is the severity's keyword.
func (m *Message) SeverityName() string { return severities[m.Severity] }

// pri reads "<PRI>" and returns what follows.
func pri(b []byte) (fac, sev uint8, rest []byte, ok bool) {
	if len(b) < 3 || b[0] != '<' {
		return 0, 0, nil, false
	}
	v, i := 0, 1
	for ; i < len(b) && i < 4 && b[i] >= '0' && b[i] <= '9'; i++ {
		v = v*10 + int(b[i]-'0')
	}
	if i == 1 || i >= len(b) || b[i] != '>' || v > 191 || b[1] == '0' && i > 2 {
		return 0, 0, nil, false
	}
	return uint8(v >> 3), uint8(v & 7), b[i+1:], true
}

// Looks reports whether b begins as a syslog message. A priority alone is
// little: strong says that a version or a time stamp follows it.
func Looks(b []byte) (ok, strong bool) {
	_, _, rest, ok := pri(b)
	if !ok {
		return false, false
	}
	if len(rest) >= 4 && rest[0] == '1' && rest[1] == ' ' && (rest[2] == '-' && rest[3] == ' ' || rest[2] >= '1' && rest[2] <= '2' && rest[3] >= '0' && rest[3] <= '9') {
		return true, true
	}
	_, n := oldTime(rest)
	return true, n > 0
}

// Parse reads one message, without the framing of TCP.
func Parse(b []byte) (*Message, error) {
	m := &Message{}
	fac, sev, rest, ok := pri(b)
	if !ok {
		return nil, &octet.Error{What: "priority"}
	}
	m.Facility, m.Severity = fac, sev
	if len(rest) >= 2 && rest[0] == '1' && rest[1] == ' ' {
		return m, m.modern(rest[2:], len(b))
	}
	m.old(rest)
	return m, nil
}

// modern reads the header of RFC 5424 §6.
func (m *Message) modern(b []byte, total int) error {
	m.Modern = true
	for i, dst := range []*string{&m.Time, &m.Host, &m.App, &m.Process, &m.MessageID} {
		sp := bytes.IndexByte(b, ' ')
		if sp < 0 {
			return &octet.Error{Offset: total - len(b), What: "header field cut off"}
		}
		if f := b[:sp]; len(f) != 1 || f[0] != '-' {
			*dst = printable.Text(f, [...]int{32, 255, 48, 128, 32}[i])
		}
		b = b[sp+1:]
	}
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	} else {
		for len(b) > 0 && b[0] == '[' {
			end, quoted := -1, false
			for i := 1; i < len(b); i++ {
				switch {
				case quoted && b[i] == '\\':
					i++
				case b[i] == '"':
					quoted = !quoted
				case b[i] == ']' && !quoted:
					end = i
				}
				if end > 0 {
					break
				}
			}
			if end < 0 {
				return &octet.Error{Offset: total - len(b), What: "structured data cut off"}
			}
			id := b[1:end]
			if sp := bytes.IndexByte(id, ' '); sp >= 0 {
				id = id[:sp]
			}
			if len(m.Elements) < MaxElements {
				m.Elements = append(m.Elements, printable.Text(id, 32))
			}
			b = b[end+1:]
		}
	}
	m.text(bytes.TrimPrefix(bytes.TrimPrefix(b, []byte(" ")), []byte("\xef\xbb\xbf")))
	return nil
}

// old reads what RFC 3164 describes: an optional time, host and tag.
func (m *Message) old(b []byte) {
	t, n := oldTime(b)
	if n > 0 {
		m.Time = t
		b = bytes.TrimLeft(b[n:], " ")
		sp := bytes.IndexByte(b, ' ')
		// "host tag: text"; a colon at once means that the host is left out.
		if sp > 0 && !bytes.ContainsAny(b[:sp], ":[]") || sp > 0 && isAddress(b[:sp]) {
			m.Host = printable.Text(b[:sp], 255)
			b = b[sp+1:]
		}
	}
	i := 0
	for i < len(b) && i < 48 && (b[i] >= 'a' && b[i] <= 'z' || b[i] >= 'A' && b[i] <= 'Z' || b[i] >= '0' && b[i] <= '9' || bytes.IndexByte([]byte("-_./%"), b[i]) >= 0) {
		i++
	}
	if i > 0 && i < len(b) && (b[i] == ':' || b[i] == '[') {
		m.App = printable.Text(b[:i], 48)
		if b[i] == '[' {
			if end := bytes.IndexByte(b[i:min(len(b), i+130)], ']'); end > 0 {
				m.Process = printable.Text(b[i+1:i+end], 128)
				i += end + 1
			}
		}
		b = bytes.TrimLeft(bytes.TrimPrefix(b[i:], []byte(":")), " ")
	}
	m.text(b)
}

func (m *Message) text(b []byte) {
	m.TextLength = len(b)
	m.Audit = bytes.Contains(b[:min(len(b), 256)], []byte("<AuditMessage"))
}

func isAddress(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') && c != ':' && c != '.' {
			return false
		}
	}
	return true
}

// oldTime reads "Mmm dd hh:mm:ss" or an ISO 8601 time and tells its length.
func oldTime(b []byte) (string, int) {
	const months = "JanFebMarAprMayJunJulAugSepOctNovDec"
	if len(b) >= 15 && strings.Index(months, string(b[:3]))%3 == 0 && b[3] == ' ' && b[6] == ' ' && b[9] == ':' && b[12] == ':' {
		n := 15
		return printable.Text(b[:n], 32), n
	}
	if len(b) >= 20 && b[4] == '-' && b[7] == '-' && b[10] == 'T' && b[13] == ':' {
		n := bytes.IndexByte(b[:min(len(b), 40)], ' ')
		if n > 0 {
			return printable.Text(b[:n], 40), n
		}
	}
	return "", 0
}

// Split finds the first message in a TCP stream (RFC 6587 §3.4): its octets,
// how many the frame takes, and whether it is there in whole. need > len(data)
// says how long the frame will be, when that is known. bad says that neither
// framing fits.
func Split(data []byte) (msg []byte, n int, bad bool) {
	if len(data) == 0 {
		return nil, 0, false
	}
	if data[0] >= '1' && data[0] <= '9' { // octet counting
		i := 0
		for i < len(data) && i < 6 && data[i] >= '0' && data[i] <= '9' {
			i++
		}
		if i == len(data) && i < 6 {
			return nil, 0, false
		}
		if i == len(data) || data[i] != ' ' {
			return nil, 0, true
		}
		l, err := strconv.Atoi(string(data[:i]))
		if err != nil || l > MaxMessage {
			return nil, 0, true
		}
		if len(data) < i+1+l {
			return data[i+1:], i + 1 + l, false // n > len(data): not whole yet
		}
		return data[i+1 : i+1+l], i + 1 + l, false
	}
	if data[0] != '<' {
		return nil, 0, true
	}
	if i := bytes.IndexAny(data, "\n\x00"); i >= 0 {
		return bytes.TrimSuffix(data[:i], []byte("\r")), i + 1, false
	}
	return nil, 0, false
}
