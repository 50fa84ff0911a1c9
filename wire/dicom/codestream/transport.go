// SPDX-License-Identifier: Apache-2.0

package codestream

import "bytes"

// transport takes an MPEG-2 transport stream apart (ISO/IEC 13818-1 §2.4.3) and looks for user data in what each of its packets' streams carries.
type transport struct {
	family  Family
	size    int // of a packet, with what stands before it
	packet  [4 + tsPacket]byte
	held    int
	streams map[uint16]*elementary
}

const (
	tsSync   = 0x47
	tsPacket = 188
	tsNull   = 0x1FFF
	// maxStreams is how many streams one transport stream may have.
	maxStreams = 64
)

func (t *transport) walk(p []byte) error {
	for len(p) > 0 {
		n := copy(t.packet[t.held:t.size], p)
		p, t.held = p[n:], t.held+n
		if t.held == t.size {
			if err := t.whole(t.packet[t.size-tsPacket : t.size]); err != nil {
				return err
			}
			t.held = 0
		}
	}
	return nil
}

// whole does one packet.
func (t *transport) whole(p []byte) error {
	if p[0] != tsSync {
		if len(bytes.Trim(p, "\x00\xff")) == 0 { // padding
			return nil
		}
		return broken("a packet of its transport stream is none")
	}
	pid, at := uint16(p[1]&0x1F)<<8|uint16(p[2]), 4
	if p[3]&0x20 != 0 { // adaptation field
		at += 1 + int(p[4])
	}
	if p[3]&0x10 == 0 || pid == tsNull || at >= len(p) {
		return nil
	}
	s := t.streams[pid]
	if s == nil {
		if len(t.streams) == maxStreams {
			return broken("a transport stream of more streams than any has")
		}
		if t.streams == nil {
			t.streams = map[uint16]*elementary{}
		}
		s = &elementary{family: t.family}
		t.streams[pid] = s
	}
	return s.walk(p[at:])
}

// end looks at what is left of a packet that was cut.
func (t *transport) end() error {
	if lead := t.size - tsPacket; t.held > lead+4 {
		return t.whole(t.packet[lead:t.held])
	}
	return nil
}
