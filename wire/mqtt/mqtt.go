// SPDX-License-Identifier: Apache-2.0

// Package mqtt reads MQTT 3.1, 3.1.1 (OASIS mqtt-v3.1.1) and 5.0 (OASIS
// mqtt-v5.0) control packets from one direction of a stream.
//
// # What is read
//
// CONNECT with client identifier, flags, will topic and whether user name and
// password are there; CONNACK; the topic, QoS and size of PUBLISH; topic filters
// of SUBSCRIBE and UNSUBSCRIBE; codes of SUBACK and DISCONNECT. Everything else
// is named and passed over.
//
// # Limits
//
// Of a packet the first MaxKeep bytes are looked at, the rest is skipped.
// Strings have at most MaxString bytes, lists MaxFilters entries.
//
// # What is not done
//
// Payloads of messages are never looked at; user names are returned, passwords
// never. MQTT-SN and MQTT over WebSocket are not read.
package mqtt

import "errors"

// Bounds of reading.
const (
	MaxKeep    = 8 << 10
	MaxString  = 1 << 10
	MaxFilters = 64
)

// ErrPacket says that the bytes are no MQTT.
var ErrPacket = errors.New("MQTT packet malformed")

// Type is a control packet type (§2.2.1).
type Type uint8

// The types.
const (
	Connect Type = 1 + iota
	ConnAck
	Publish
	PubAck
	PubRec
	PubRel
	PubComp
	Subscribe
	SubAck
	Unsubscribe
	UnsubAck
	PingReq
	PingResp
	Disconnect
	Auth
)

var typeNames = [...]string{"", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"}

// String returns the standard's name.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "RESERVED"
}

// Filter is a topic filter of a SUBSCRIBE with its maximum QoS.
type Filter struct {
	Topic string
	QoS   uint8
}

// Packet is one control packet.
type Packet struct {
	Type   Type
	Length int // remaining length
	// CONNECT
	Level       uint8 // 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0
	ClientID    string
	Clean       bool
	KeepAlive   uint16
	UserName    string
	HasUser     bool
	HasPassword bool
	Will        bool
	WillTopic   string
	WillQoS     uint8
	WillRetain  bool
	// CONNACK, SUBACK, DISCONNECT
	Code           uint8
	SessionPresent bool
	// PUBLISH
	Topic     string
	QoS       uint8
	Retain    bool
	Duplicate bool
	Payload   int // bytes
	// SUBSCRIBE, UNSUBSCRIBE
	Filters []Filter
}

// Version returns "3.1", "3.1.1" or "5.0".
func Version(level uint8) string {
	switch level & 0x7f {
	case 3:
		return "3.1"
	case 4:
		return "3.1.1"
	case 5:
		return "5.0"
	}
	return ""
}

// Reader reads one direction. Level must be set once it is known from CONNECT:
// packets of version 5 have properties. Where it never is known, 0, filters are read as
// they fit, and the properties of a PUBLISH count as payload.
type Reader struct {
	Level uint8

	head  [5]byte
	nhead int
	left  int
	buf   []byte
}

// Next reads from data until a packet is complete. It returns how many bytes
// were consumed; n exceeds len(data) when the rest of a packet is of no
// interest. ok false means that more bytes are needed.
func (r *Reader) Next(data []byte) (n int64, p Packet, ok bool, err error) {
	given := len(data)
	for r.left < 1 && !r.started() {
		if len(data) == 0 {
			return int64(given), p, false, nil
		}
		r.head[r.nhead] = data[0]
		r.nhead++
		data = data[1:]
		if r.nhead == 1 {
			if !validFirst(r.head[0]) {
				return int64(given - len(data)), p, false, ErrPacket
			}
			continue
		}
		if r.head[r.nhead-1]&0x80 == 0 {
			r.left = r.length()
			r.buf = r.buf[:0]
			break
		}
		if r.nhead == 5 {
			return int64(given - len(data)), p, false, ErrPacket
		}
	}
	k := min(r.left, len(data))
	r.buf = append(r.buf, data[:min(k, MaxKeep-len(r.buf))]...)
	r.left -= k
	data = data[k:]
	over := int64(0)
	if r.left > 0 {
		if len(r.buf) < MaxKeep {
			return int64(given), p, false, nil
		}
		over = int64(r.left)
		r.left = 0
	}
	p, err = parse(r.head[0], r.buf, r.length(), r.Level)
	r.nhead = 0
	return int64(given-len(data)) + over, p, err == nil, err
}

func (r *Reader) started() bool {
	return r.nhead > 1 && r.head[r.nhead-1]&0x80 == 0
}

func (r *Reader) length() int {
	n := 0
	for i := 1; i < r.nhead; i++ {
		n |= int(r.head[i]&0x7f) << (7 * (i - 1))
	}
	return n
}

// validFirst checks type and flags (§2.2.2).
func validFirst(c byte) bool {
	t, flags := Type(c>>4), c&15
	switch t {
	case 0:
		return false
	case Publish:
		return flags&6 != 6
	case PubRel, Subscribe, Unsubscribe:
		// MQTT 3.1 lets QoS and DUP stand here.
		return flags&1 == 0
	}
	return flags == 0
}

type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n > len(c.b) {
		c.bad = true
		return nil
	}
	s := c.b[:n]
	c.b = c.b[n:]
	return s
}

func (c *cursor) u8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return uint16(b[0])<<8 | uint16(b[1])
	}
	return 0
}

func (c *cursor) str() string {
	b := c.take(int(c.u16()))
	return string(b[:min(len(b), MaxString)])
}

func (c *cursor) properties() {
	n, shift := 0, 0
	for range 4 {
		b := c.u8()
		n |= int(b&0x7f) << shift
		shift += 7
		if b&0x80 == 0 {
			c.take(n)
			return
		}
	}
	c.bad = true
}

func parse(first byte, b []byte, length int, level uint8) (p Packet, err error) {
	p = Packet{Type: Type(first >> 4), Length: length}
	c := cursor{b: b}
	switch p.Type {
	case Connect:
		name := c.str()
		p.Level = c.u8()
		flags := c.u8()
		p.KeepAlive = c.u16()
		if c.bad || name != "MQTT" && name != "MQIsdp" || Version(p.Level) == "" || flags&1 != 0 {
			return p, ErrPacket
		}
		p.Level &= 0x7f // bit 7: a bridge
		if p.Level == 5 {
			c.properties()
		}
		p.ClientID = c.str()
		p.Clean = flags&2 != 0
		if flags&4 != 0 {
			p.Will, p.WillQoS, p.WillRetain = true, flags>>3&3, flags&0x20 != 0
			if p.Level == 5 {
				c.properties()
			}
			p.WillTopic = c.str()
			c.take(int(c.u16()))
		}
		if p.HasUser = flags&0x80 != 0; p.HasUser {
			p.UserName = c.str()
		}
		p.HasPassword = flags&0x40 != 0
	case ConnAck:
		p.SessionPresent = c.u8()&1 != 0
		p.Code = c.u8()
	case Publish:
		p.Duplicate, p.QoS, p.Retain = first&8 != 0, first>>1&3, first&1 != 0
		p.Topic = c.str()
		if p.QoS > 0 {
			c.u16()
		}
		if level == 5 {
			c.properties()
		}
		p.Payload = length - (len(b) - len(c.b))
		if c.bad || len(p.Topic) == 0 && level != 5 {
			return p, ErrPacket
		}
	case Subscribe, Unsubscribe:
		if level == 0 { // the CONNECT was not seen: what fits
			if list, ok := filters(b, p.Type, 4); ok {
				p.Filters = list
			} else {
				p.Filters, _ = filters(b, p.Type, 5)
			}
			return p, nil
		}
		c.u16()
		if level == 5 {
			c.properties()
		}
		for len(c.b) > 0 && !c.bad && len(p.Filters) < MaxFilters {
			f := Filter{Topic: c.str()}
			if p.Type == Subscribe {
				f.QoS = c.u8() & 3
			}
			if !c.bad {
				p.Filters = append(p.Filters, f)
			}
		}
	case SubAck:
		c.u16()
		if level == 5 {
			c.properties()
		}
		for _, code := range c.b {
			p.Code = max(p.Code, code)
		}
	case Disconnect:
		if len(c.b) > 0 {
			p.Code = c.u8()
		}
	}
	if c.bad && length <= MaxKeep && p.Type != SubAck {
		return p, ErrPacket
	}
	return p, nil
}

// Looks tells whether b begins with a CONNECT of a known version.
func Looks(b []byte) (yes, maybe bool) {
	if len(b) == 0 {
		return false, true
	}
	if b[0] != 0x10 {
		return false, false
	}
	i := 1
	for ; i < len(b) && i < 5; i++ {
		if b[i]&0x80 == 0 {
			break
		}
	}
	if i >= 5 {
		return false, false
	}
	i++
	for _, name := range []string{"\x00\x04MQTT", "\x00\x06MQIsdp"} {
		if i >= len(b) {
			return false, true
		}
		n := min(len(name), len(b)-i)
		if string(b[i:i+n]) != name[:n] {
			continue
		}
		if i+len(name) >= len(b) {
			return false, true
		}
		return Version(b[i+len(name)]) != "", false
	}
	return false, false
}

// CodeName names the code of a CONNACK (3.1.1 table 3.1; 5.0 §3.2.2.2).
func CodeName(level, code uint8) string {
	if level < 5 {
		switch code {
		case 0:
			return "accepted"
		case 1:
			return "unacceptable protocol version"
		case 2:
			return "identifier rejected"
		case 3:
			return "server unavailable"
		case 4:
			return "bad user name or password"
		case 5:
			return "not authorized"
		}
		return ""
	}
	switch code {
	case 0:
		return "accepted"
	case 0x80:
		return "unspecified error"
	case 0x81:
		return "malformed packet"
	case 0x82:
		return "protocol error"
	case 0x84:
		return "unsupported protocol version"
	case 0x85:
		return "client identifier not valid"
	case 0x86:
		return "bad user name or password"
	case 0x87:
		return "not authorized"
	case 0x88:
		return "server unavailable"
	case 0x89:
		return "server busy"
	case 0x8a:
		return "banned"
	case 0x8c:
		return "bad authentication method"
	case 0x90:
		return "topic name invalid"
	case 0x95:
		return "packet too large"
	case 0x97:
		return "quota exceeded"
	case 0x9c, 0x9d:
		return "use another server"
	case 0x9f:
		return "connection rate exceeded"
	}
	return ""
}
