// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"encoding/binary"
	"io"
	"slices"

	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

// trace is a capture made by hand: a capture.Source over frames.
type trace struct {
	frames []capture.Frame
	at     int
	now    int64
}

func (t *trace) Next(f *capture.Frame) error {
	if t.at == len(t.frames) {
		return io.EOF
	}
	*f = t.frames[t.at]
	t.at++
	return nil
}

func (t *trace) Stats() capture.Stats { return capture.Stats{Frames: uint64(t.at)} }

// add appends a raw IPv4 packet, one millisecond after the last.
func (t *trace) add(b []byte) {
	if t.now == 0 {
		t.now = 1_700_000_000e9
	}
	t.now += 1e6
	t.frames = append(t.frames, capture.Frame{Time: t.now, Data: b, OrigLen: len(b), Link: 101})
}

// ipv4 makes a packet from 10.0.0.src to 10.0.0.dst.
func ipv4(src, dst, proto uint8, body []byte) []byte {
	b := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, proto, 0, 0, 10, 0, 0, src, 10, 0, 0, dst}
	b = append(b, body...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

func (t *trace) udp(src, dst uint8, sport, dport uint16, payload string) {
	b := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(payload)))
	t.add(ipv4(src, dst, packet.ProtoUDP, append(b, payload...)))
}

// talk is a TCP connection between client 10.0.0.1 and server 10.0.0.2.
type talk struct {
	*trace
	cport, sport uint16
	seq          [2]uint32
}

func (t *trace) tcp(cport, sport uint16) *talk {
	return &talk{trace: t, cport: cport, sport: sport, seq: [2]uint32{1000, 5000}}
}

// segment adds a TCP segment of one side (0 client) at an offset from its
// current position.
func (k *talk) segment(side int, flags uint8, at int, payload string) {
	b := make([]byte, 20, 20+len(payload))
	sp, dp, s, d := k.cport, k.sport, uint8(1), uint8(2)
	if side == 1 {
		sp, dp, s, d = dp, sp, d, s
	}
	binary.BigEndian.PutUint16(b, sp)
	binary.BigEndian.PutUint16(b[2:], dp)
	binary.BigEndian.PutUint32(b[4:], k.seq[side]+uint32(at))
	binary.BigEndian.PutUint32(b[8:], k.seq[1-side])
	b[12] = 5 << 4
	b[13] = flags
	k.add(ipv4(s, d, packet.ProtoTCP, append(b, payload...)))
}

func (k *talk) open() {
	k.segment(0, packet.SYN, 0, "")
	k.seq[0]++
	k.segment(1, packet.SYN|packet.ACK, 0, "")
	k.seq[1]++
	k.segment(0, packet.ACK, 0, "")
}

func (k *talk) say(side int, s string) {
	k.segment(side, packet.ACK|packet.PSH, 0, s)
	k.seq[side] += uint32(len(s))
	k.segment(1-side, packet.ACK, 0, "")
}

// lose advances a side without the capture seeing it.
func (k *talk) lose(side int, s string) { k.seq[side] += uint32(len(s)) }

func (k *talk) close() {
	for side := range 2 {
		k.segment(side, packet.FIN|packet.ACK, 0, "")
		k.seq[side]++
	}
	k.segment(0, packet.ACK, 0, "")
}

// clone makes the same trace again, from its beginning.
func (t *trace) clone() *trace { return &trace{frames: slices.Clone(t.frames)} }
