// SPDX-License-Identifier: Apache-2.0

package mqtt

import "unicode/utf8"

// Points that packets give for LooksWithin. A topic is what no other protocol has
// between such bytes; the rest is a few bytes that chance could give.
const (
	pointsTopic  = 2
	pointsPath   = 3 // a topic with levels
	pointsOther  = 1
	pointsEnough = 4
)

// LooksWithin tells whether b is a run of control packets from the middle of a
// connection, of which the CONNECT was not seen: whole packets that keep every rule of
// their type (§2.2, §3), of which one has a topic. One packet is never enough.
func LooksWithin(b []byte) (yes, maybe bool) {
	points, topics, packets := 0, 0, 0
	for len(b) > 0 {
		if !validFirst(b[0]) {
			return false, false
		}
		length, n := 0, 1
		for ; ; n++ {
			if n >= len(b) {
				return false, true
			}
			length |= int(b[n]&0x7f) << (7 * (n - 1))
			if b[n]&0x80 == 0 {
				n++
				break
			}
			if n == 4 {
				return false, false
			}
		}
		body := b[n:min(len(b), n+length)]
		p := strict(b[0], body, length)
		switch {
		case p == 0:
			return false, false
		case p >= pointsTopic:
			topics++
		}
		if n+length > len(b) {
			return false, true
		}
		points += p
		packets++
		if packets >= 2 && topics > 0 && points >= pointsEnough {
			return true, false
		}
		b = b[n+length:]
	}
	return false, true
}

// strict returns the points of a packet, 0 when it breaks a rule. What is there of it
// is judged.
func strict(first byte, b []byte, length int) int {
	whole := len(b) == length
	switch t := Type(first >> 4); t {
	case Publish:
		if length < 4 || len(b) < 2 {
			return pick(length >= 4, pointsOther)
		}
		n := int(b[0])<<8 | int(b[1])
		if n < 2 || n > MaxString || 2+n > length {
			return 0
		}
		if len(b) < 2+n {
			return pick(topicName(b[2:], false, true), pointsOther)
		}
		topic := b[2 : 2+n]
		if !topicName(topic, false, false) {
			return 0
		}
		for _, c := range topic {
			if c == '/' {
				return pointsPath
			}
		}
		return pointsTopic
	case Subscribe, Unsubscribe:
		if first&15 != 2 || length < 6 || length > MaxKeep {
			return 0
		}
		if !whole {
			return pointsOther
		}
		if _, ok := filters(b, t, 4); ok {
			return pointsPath
		}
		_, ok := filters(b, t, 5)
		return pick(ok, pointsPath)
	case PubAck, PubRec, PubRel, PubComp:
		return pick(length == 2 || length == 3 || length == 4 && whole && b[3] == 0, pointsOther)
	case SubAck:
		if length < 3 || length > 2+MaxFilters {
			return 0
		}
		for _, c := range b[min(len(b), 2):] {
			if c > 2 && c < 0x80 || c > 0xA2 {
				return 0
			}
		}
		return pointsOther
	case UnsubAck:
		return pick(length >= 2 && length <= 2+MaxFilters, pointsOther)
	case PingReq, PingResp:
		return pick(length == 0, pointsOther)
	case Disconnect:
		return pick(length <= 2, pointsOther)
	}
	return 0 // CONNECT and CONNACK begin a connection, AUTH belongs to its beginning
}

func pick(ok bool, points int) int {
	if ok {
		return points
	}
	return 0
}

// topicName reports text that can be a topic, or, with filter, a filter (§4.7). cut
// text may end within a character.
func topicName(b []byte, filter, cut bool) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n <= 1:
			return cut && len(b) < utf8.UTFMax && !utf8.FullRune(b)
		case r < 0x20 || r == 0x7F || r >= 0x80 && r < 0xA0:
			return false
		case (r == '+' || r == '#') && !filter:
			return false
		}
		b = b[n:]
	}
	return true
}

// filters reads the filters of a SUBSCRIBE or UNSUBSCRIBE of a version.
func filters(b []byte, t Type, level uint8) (list []Filter, ok bool) {
	c := cursor{b: b}
	c.u16()
	if level == 5 {
		c.properties()
	}
	for len(c.b) > 0 && !c.bad {
		name := c.take(int(c.u16()))
		f := Filter{Topic: string(name[:min(len(name), MaxString)])}
		if t == Subscribe {
			o := c.u8()
			if f.QoS = o & 3; f.QoS == 3 || level < 5 && o > 2 || o > 0x2F {
				return list, false
			}
		}
		if len(name) == 0 || !topicName(name, true, false) {
			return list, false
		}
		if len(list) < MaxFilters {
			list = append(list, f)
		}
	}
	return list, !c.bad && len(list) > 0
}
