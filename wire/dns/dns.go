// SPDX-License-Identifier: Apache-2.0

// Package dns reads messages of the Domain Name System (RFC 1035, 2181, 6891)
// and of the protocols that share its format: multicast DNS (RFC 6762), DNS
// service discovery (RFC 6763) and LLMNR (RFC 4795).
//
// # Names
//
// A name is written as labels with dots and without the final dot; "." is the
// root. A dot or backslash inside a label gets a backslash, an octet that is
// not printable UTF-8 becomes \DDD (RFC 4343 §2.1). Case stays as sent.
// Compression pointers (RFC 1035 §4.1.4) must point backwards, before the name
// they are in, so that every name ends.
//
// # Record data
//
// Data is the presentation format of the record's RFC: RFC 1035 §3.3, RFC 3596,
// 2782, 3403, 9460 (SVCB, HTTPS), 8659 (CAA), 4034 (DNSSEC), 6698, 4255, 7553.
// A type that is not known, or data that contradicts its type, is shown as
// RFC 3597 §5 says: \# length hexadecimal, capped.
//
// # Limits
//
// MaxQuestions and MaxRecords are kept, Message.More says that there were more;
// names 255 octets, Data MaxData bytes, MaxStrings strings of a TXT record.
//
// Not done: DNSSEC validation, DNS over HTTPS and TLS, TSIG and DSO contents.
package dns

import (
	"net/netip"

	"github.com/asepsis/asepsis/wire/octet"
)

// Bounds.
const (
	MaxQuestions = 8
	MaxRecords   = 128
	MaxData      = 512
	MaxStrings   = 64
	MaxPointers  = 32 // followed in one name
	HeaderSize   = 12
)

// Question is what is asked.
type Question struct {
	Name    string
	Type    uint16
	Class   uint16 // without the top bit of multicast DNS
	Unicast bool   // RFC 6762 §5.4: a unicast answer will do
}

// Record is one resource record.
type Record struct {
	Name  string
	Type  uint16
	Class uint16 // without the top bit of multicast DNS
	Flush bool   // RFC 6762 §10.2: replaces what was known
	TTL   uint32
	Data  string // readable

	Addr   netip.Addr // A, AAAA
	Target string     // NS, CNAME, PTR, DNAME, MX, SRV
	Port   uint16     // SRV
	Text   []string   // TXT and HINFO strings, printable
}

// EDNS is the OPT pseudo-record (RFC 6891 §6.1).
type EDNS struct {
	UDPSize  uint16
	Version  uint8
	DNSSECOK bool
	Options  []uint16 // codes
}

// Message is one DNS message.
type Message struct {
	ID                     uint16
	Response               bool
	Opcode                 uint8
	AA, TC, RD, RA, AD, CD bool
	RCode                  uint16 // with the upper bits of EDNS

	Questions  []Question
	Answers    []Record
	Authority  []Record
	Additional []Record // without OPT
	EDNS       *EDNS
	Counts     [4]uint16 // as the header declares them: question, answer, authority, additional
	More       bool      // there was more than is kept
}

// parser holds the message while records are read.
type parser struct {
	msg []byte
	r   octet.Reader
	n   int // records kept
}

// Parse reads one message. What was read before an error comes with it.
func Parse(b []byte) (*Message, error) {
	p := parser{msg: b, r: octet.New(b)}
	r := &p.r
	m := &Message{ID: r.U16("identifier")}
	f := r.U16("flags")
	m.Response, m.Opcode, m.RCode = f&0x8000 != 0, uint8(f>>11&15), f&15
	m.AA, m.TC, m.RD, m.RA, m.AD, m.CD = f&0x400 != 0, f&0x200 != 0, f&0x100 != 0, f&0x80 != 0, f&0x20 != 0, f&0x10 != 0
	for i := range m.Counts {
		m.Counts[i] = r.U16("count")
	}
	for i := 0; i < int(m.Counts[0]) && r.Err() == nil; i++ {
		q := Question{Name: p.name(), Type: r.U16("question type")}
		c := r.U16("question class")
		q.Class, q.Unicast = c&0x7fff, c&0x8000 != 0
		if r.Err() != nil {
			break
		}
		if len(m.Questions) < MaxQuestions {
			m.Questions = append(m.Questions, q)
		} else {
			m.More = true
		}
	}
	for i, dst := range []*[]Record{&m.Answers, &m.Authority, &m.Additional} {
		for range m.Counts[1+i] {
			if r.Err() != nil {
				return m, r.Err()
			}
			if p.n >= MaxRecords {
				m.More = true
				return m, nil
			}
			p.n++
			p.record(m, dst)
		}
	}
	return m, r.Err()
}

func (p *parser) record(m *Message, dst *[]Record) {
	r := &p.r
	rec := Record{Name: p.name(), Type: r.U16("type")}
	class := r.U16("class")
	rec.TTL = r.U32("TTL")
	n := int(r.U16("data length"))
	at := r.Offset()
	data := r.Bytes(n, "data")
	if r.Err() != nil {
		return
	}
	if rec.Type == TypeOPT {
		if m.EDNS == nil {
			m.EDNS = &EDNS{UDPSize: class, Version: uint8(rec.TTL >> 16), DNSSECOK: rec.TTL&0x8000 != 0}
			m.RCode |= uint16(rec.TTL>>24) << 4
			o := octet.New(data)
			for o.Len() >= 4 && len(m.EDNS.Options) < 32 {
				m.EDNS.Options = append(m.EDNS.Options, o.U16("option code"))
				o.Skip(int(o.U16("option length")), "option")
			}
		}
		return
	}
	rec.Class, rec.Flush = class&0x7fff, class&0x8000 != 0
	p.rdata(&rec, data, at)
	*dst = append(*dst, rec)
}

// name reads a possibly compressed name at the reader's place.
func (p *parser) name() string {
	s, n, ok := Name(p.msg, p.r.Offset())
	if !ok {
		p.r.Fail("name")
		return ""
	}
	p.r.Skip(n, "name")
	return s
}

// Name reads the name at offset off of a message and tells how many octets it
// takes there. ok is false when it is malformed or too long.
func Name(msg []byte, off int) (s string, n int, ok bool) {
	var buf [256]byte
	out := buf[:0]
	at, limit, wire := off, off, 0 // a pointer must point before limit
	jumped, hops := false, 0
	for {
		if at >= len(msg) {
			return "", 0, false
		}
		l := int(msg[at])
		switch {
		case l == 0:
			if !jumped {
				n = at + 1 - off
			}
			if len(out) == 0 {
				return ".", n, true
			}
			return string(out), n, true
		case l&0xc0 == 0xc0:
			if at+1 >= len(msg) {
				return "", 0, false
			}
			to := (l&0x3f)<<8 | int(msg[at+1])
			if !jumped {
				n = at + 2 - off
				jumped = true
			}
			if hops++; to >= limit || hops > MaxPointers {
				return "", 0, false
			}
			at, limit = to, to
			continue
		case l > 63 || at+1+l > len(msg):
			return "", 0, false
		}
		if wire += l + 1; wire > 254 { // RFC 1035 §2.3.4, without the root's octet
			return "", 0, false
		}
		if len(out) > 0 {
			out = append(out, '.')
		}
		out = appendLabel(out, msg[at+1:at+1+l])
		at += 1 + l
	}
}

// skipName is Name without the text: it does not follow pointers.
func skipName(msg []byte, at int) (next int, ok bool) {
	for wire := 0; at < len(msg); {
		l := int(msg[at])
		switch {
		case l == 0:
			return at + 1, true
		case l&0xc0 == 0xc0:
			if at+1 >= len(msg) || (l&0x3f)<<8|int(msg[at+1]) >= at {
				return 0, false
			}
			return at + 2, true
		case l > 63:
			return 0, false
		}
		if wire += l + 1; wire > 254 {
			return 0, false
		}
		at += 1 + l
	}
	return 0, false
}

// Looks reports whether b is a DNS message from its first to its last octet:
// known operation, reserved bit clear, known classes, and sections that tile
// it. missing is how many octets of its end are not there; then what is there
// must fit. It allocates nothing.
func Looks(b []byte, missing int) bool {
	if len(b) < HeaderSize+5 {
		return false
	}
	f := uint16(b[2])<<8 | uint16(b[3])
	op, resp := f>>11&15, f&0x8000 != 0
	if op > 6 || op == 3 || f&0x40 != 0 && op != 0 || !resp && (f&15 != 0 || f&0x480 == 0x480) {
		return false
	}
	var count [4]int
	total := 0
	for i := range count {
		count[i] = int(b[4+2*i])<<8 | int(b[5+2*i])
		total += count[i]
	}
	if total == 0 || count[0] == 0 && !resp && op == 0 || total > len(b)+missing {
		return false
	}
	at := HeaderSize
	for range count[0] {
		next, ok := skipName(b, at)
		if !ok || next+4 > len(b) {
			return !ok && missing > 0 && at > HeaderSize
		}
		if !classOK(uint16(b[next+2])<<8|uint16(b[next+3])) || b[next] == 0 && b[next+1] == 0 {
			return false
		}
		at = next + 4
	}
	for range count[1] + count[2] + count[3] {
		next, ok := skipName(b, at)
		if !ok || next+10 > len(b) {
			return missing > 0 && at > HeaderSize
		}
		typ := uint16(b[next])<<8 | uint16(b[next+1])
		if typ != TypeOPT && !classOK(uint16(b[next+2])<<8|uint16(b[next+3])) {
			return false
		}
		at = next + 10 + int(b[next+8])<<8 + int(b[next+9])
		if at > len(b) {
			return missing > 0
		}
	}
	return at == len(b)
}

// classOK knows IN, CH, HS, NONE and ANY, with the top bit of multicast DNS.
func classOK(c uint16) bool {
	switch c & 0x7fff {
	case 1, 3, 4, 254, 255:
		return true
	}
	return false
}
