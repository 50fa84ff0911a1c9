// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

// dispatcher decides which worker a frame belongs to. It joins IP fragments,
// since only the first carries the ports.
type dispatcher struct {
	secret    uint64
	pkt       packet.Packet
	frags     *packet.Reassembler
	held      uint64 // fragments that were joined into others
	heldBytes uint64
}

func newDispatcher(secret uint64) *dispatcher {
	return &dispatcher{secret: secret, frags: packet.NewReassembler()}
}

// route returns the frame to analyse and a hash that is equal for both
// directions of a flow. The frame is nil while a datagram is incomplete.
// Frames without a flow go by their source, so that one neighbour's messages
// stay in order.
func (d *dispatcher) route(f *capture.Frame) ([]byte, uint64) {
	p := &d.pkt
	p.Time = f.Time
	data := f.Data
	packet.Decode(p, uint16(f.Link), data, f.OrigLen)
	if p.Fragment {
		whole := d.frags.Add(p, data)
		if whole == nil {
			d.held++
			d.heldBytes += uint64(f.OrigLen)
			return nil, 0
		}
		data = whole
		packet.Decode(p, uint16(f.Link), data, len(data))
	}
	if p.IPVersion == 0 {
		h := d.secret
		for _, b := range p.SrcMAC {
			h = (h ^ uint64(b)) * 0x9e3779b97f4a7c15
		}
		return data, h
	}
	k, _ := keyOf(p)
	if p.Proto == packet.ProtoICMP || p.Proto == packet.ProtoICMPv6 {
		k.pa, k.pb = uint16(icmpFamily(p)), 0
	}
	// Mixed once more, so that a worker's table is not filled by keys that
	// share the high bits.
	return data, k.hash(d.secret) * 0xd6e8feb86659fd93
}

func addFragments(f *packet.FragmentStats, g packet.FragmentStats) {
	f.Fragments += g.Fragments
	f.Joined += g.Joined
	f.Overlaps += g.Overlaps
	f.TimedOut += g.TimedOut
	f.Evicted += g.Evicted
	f.Invalid += g.Invalid
}
