// SPDX-License-Identifier: Apache-2.0

// Package rtp reads RTP and RTCP headers (RFC 3550) and keeps account of the
// streams of one flow: loss, reordering and jitter as a receiver would see them.
//
// It works as well for SRTP (RFC 3711), which leaves the RTP header and the
// first eight bytes of RTCP in clear.
//
// # Limits
//
// A Flow keeps account of at most MaxStreams sources; further ones are counted
// together.
//
// # What is not done
//
// Payloads are not looked at. The clock rate of dynamic payload types is not in
// the packets: jitter is then an estimate, see Stream.
package rtp

import "errors"

// MaxStreams is how many sources of a flow are told apart.
const MaxStreams = 16

// ErrPacket says that the bytes are neither RTP nor RTCP.
var ErrPacket = errors.New("RTP packet malformed")

// Packet is an RTP header.
type Packet struct {
	PayloadType uint8
	Marker      bool
	Seq         uint16
	Timestamp   uint32
	SSRC        uint32
	Header      int // bytes
}

// IsRTCP reports whether b is RTCP by its packet type (RFC 5761 §4): 192 to
// 223 and a length that fits.
func IsRTCP(b []byte) bool {
	if len(b) < 8 || b[0]>>6 != 2 || b[1] < 192 || b[1] > 223 {
		return false
	}
	return 4*(int(b[2])<<8+int(b[3])+1) <= len(b)
}

// Parse reads an RTP header.
func Parse(b []byte) (p Packet, err error) {
	if len(b) < 12 || b[0]>>6 != 2 || b[1] >= 192 && b[1] <= 223 {
		return p, ErrPacket
	}
	p = Packet{PayloadType: b[1] & 0x7f, Marker: b[1]&0x80 != 0, Seq: uint16(b[2])<<8 | uint16(b[3]),
		Timestamp: be32(b[4:]), SSRC: be32(b[8:]), Header: 12 + 4*int(b[0]&15)}
	if b[0]&0x10 != 0 { // header extension
		if len(b) < p.Header+4 {
			return p, ErrPacket
		}
		p.Header += 4 + 4*(int(b[p.Header+2])<<8+int(b[p.Header+3]))
	}
	if p.Header > len(b) {
		return p, ErrPacket
	}
	return p, nil
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// Stream is the account of one source in one direction.
type Stream struct {
	Dir         int
	SSRC        uint32
	PayloadType uint8
	Packets     uint64
	Bytes       uint64 // payload
	Lost        uint64 // expected minus received, RFC 3550 appendix A.3; never below 0
	Reordered   uint64
	Duplicates  uint64
	Markers     uint64 // often frames of video
	// JitterMS is the interarrival jitter of RFC 3550 §6.4.1 in milliseconds,
	// with the payload type's clock rate, or 90 kHz for dynamic types.
	JitterMS float64
	// MaxGapMS is the longest time between two packets, in milliseconds.
	MaxGapMS    float64
	First, Last int64 // ns

	base, highest uint16
	cycles        uint32
	transit       float64
	started       bool
}

// Flow keeps account of the streams of one flow. The zero value is ready.
type Flow struct {
	Streams []Stream
	Others  uint64 // packets of sources beyond MaxStreams
	RTCP    uint64
	inOrder int // packets that continued their source's sequence
}

// Confirmed reports that several packets continued one source's sequence, so
// that this is RTP beyond doubt.
func (f *Flow) Confirmed() bool { return f.inOrder >= 4 }

// Add takes a packet of direction dir at time now, in ns, with size bytes of
// payload and header together. It reports whether the packet is RTP or RTCP.
func (f *Flow) Add(dir int, now int64, b []byte, size int) bool {
	if IsRTCP(b) {
		f.RTCP++
		return true
	}
	p, err := Parse(b)
	if err != nil {
		return false
	}
	for i := range f.Streams {
		if s := &f.Streams[i]; s.SSRC == p.SSRC && s.Dir == dir {
			if s.add(p, now, size-p.Header) {
				f.inOrder++
			}
			return true
		}
	}
	if len(f.Streams) >= MaxStreams {
		f.Others++
		return true
	}
	f.Streams = append(f.Streams, Stream{Dir: dir, SSRC: p.SSRC})
	f.Streams[len(f.Streams)-1].add(p, now, size-p.Header)
	return true
}

func (s *Stream) add(p Packet, now int64, size int) (inOrder bool) {
	s.PayloadType = p.PayloadType
	s.Packets++
	s.Bytes += uint64(max(0, size))
	if p.Marker {
		s.Markers++
	}
	arrival := float64(now) / 1e9 * clock(p.PayloadType)
	transit := arrival - float64(p.Timestamp)
	if !s.started {
		s.started, s.base, s.highest, s.First, s.Last, s.transit = true, p.Seq, p.Seq, now, now, transit
		return false
	}
	switch d := p.Seq - s.highest; {
	case d == 0:
		s.Duplicates++
	case d < 0x8000:
		if p.Seq < s.highest {
			s.cycles++
		}
		s.highest = p.Seq
		inOrder = d < 16
	default:
		s.Reordered++
	}
	expected := uint64(s.cycles)<<16 + uint64(s.highest) - uint64(s.base) + 1
	s.Lost = 0
	if got := s.Packets - s.Duplicates; expected > got {
		s.Lost = expected - got
	}
	if inOrder {
		d := transit - s.transit
		s.transit = transit
		if d < 0 {
			d = -d
		}
		if d < 1<<31 { // the timestamp wraps, or the source began anew
			j := s.JitterMS * clock(p.PayloadType) / 1000
			j += (d - j) / 16
			s.JitterMS = j / clock(p.PayloadType) * 1000
		}
	}
	if gap := float64(now-s.Last) / 1e6; gap > s.MaxGapMS {
		s.MaxGapMS = gap
	}
	s.Last = max(s.Last, now)
	return inOrder
}

// clock returns the clock rate in Hz of a payload type (RFC 3551 §6).
func clock(pt uint8) float64 {
	switch {
	case pt == 6:
		return 16000
	case pt == 10, pt == 11:
		return 44100
	case pt == 16:
		return 11025
	case pt == 17:
		return 22050
	case pt < 24:
		return 8000
	}
	return 90000
}

// PayloadName names a static payload type (RFC 3551 §6), "dynamic" from 96 on.
func PayloadName(pt uint8) string {
	switch pt {
	case 0:
		return "PCMU"
	case 3:
		return "GSM"
	case 4:
		return "G723"
	case 8:
		return "PCMA"
	case 9:
		return "G722"
	case 10, 11:
		return "L16"
	case 13:
		return "CN"
	case 14:
		return "MPA"
	case 18:
		return "G729"
	case 26:
		return "JPEG"
	case 31:
		return "H261"
	case 32:
		return "MPV"
	case 33:
		return "MP2T"
	case 34:
		return "H263"
	}
	if pt >= 96 {
		return "dynamic"
	}
	return "unassigned"
}
