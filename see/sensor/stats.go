// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"maps"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/wire/packet"
	"github.com/asepsis/asepsis/wire/stream"
)

// Stats counts what the sensor saw and what it could not see.
type Stats struct {
	Newest            int64 // time of the newest packet, ns since the Unix epoch
	Packets           uint64
	Bytes             uint64 // on the wire
	SnapCut           uint64 // packets whose payload was cut by the snap length
	Undecoded         uint64 // packets whose headers could not be followed
	UndecodedWhy      map[string]uint64
	Events            uint64
	Flows             uint64 // ended
	ActiveFlows       uint64
	FlowsEvicted      uint64
	OneSided          uint64 // TCP flows with payload in one direction and nothing of the other
	MidStream         uint64 // TCP flows whose opening was not seen
	Unrecognised      uint64 // TCP flows with payload whose protocol was not recognised
	UnrecognisedBytes uint64
	Rejected          uint64 // flows that an analyser gave back as not understandable
	OverBudget        uint64
	AnalysesEvicted   uint64 // flows whose analysis was given up to stay within the memory bound
	Panics            uint64
	Dropped           uint64 // by the kernel or as the capture file says
	ESP               uint64 // IPsec packets
	Unicast           uint64 // unicast IP packets
	Group             uint64 // multicast and broadcast packets
	Tunnelled         uint64
	Protocols         map[string]uint64 // flows by protocol; messages for protocols without flows
	VLANs             map[uint16]uint64 // packets by innermost VLAN ID, 0 untagged
	TCP               stream.Stats
	Fragments         packet.FragmentStats
}

func (s *Stats) init() {
	s.UndecodedWhy = map[string]uint64{}
	s.Protocols = map[string]uint64{}
	s.VLANs = map[uint16]uint64{}
}

func (s *Stats) undecoded(p *packet.Packet) {
	s.Undecoded++
	s.UndecodedWhy[p.Err.Error()]++
}

func (s *Stats) seen(p *packet.Packet) {
	if p.NVLAN > 0 {
		s.VLANs[p.VLAN()]++
	}
	if p.NTunnel > 0 {
		s.Tunnelled++
	}
	if p.HasMAC && device.MAC(p.DstMAC).IsGroup() || p.IPVersion != 0 && p.Dst.IsMulticast() {
		s.Group++
		return
	}
	if p.IPVersion != 0 {
		s.Unicast++
		if p.Proto == packet.ProtoESP {
			s.ESP++
		}
	}
}

// add sums the counts of another worker.
func (s *Stats) add(o *Stats) {
	s.Newest = max(s.Newest, o.Newest)
	s.Packets += o.Packets
	s.Bytes += o.Bytes
	s.SnapCut += o.SnapCut
	s.Undecoded += o.Undecoded
	s.Events += o.Events
	s.Flows += o.Flows
	s.ActiveFlows += o.ActiveFlows
	s.FlowsEvicted += o.FlowsEvicted
	s.OneSided += o.OneSided
	s.MidStream += o.MidStream
	s.Unrecognised += o.Unrecognised
	s.UnrecognisedBytes += o.UnrecognisedBytes
	s.Rejected += o.Rejected
	s.OverBudget += o.OverBudget
	s.AnalysesEvicted += o.AnalysesEvicted
	s.Panics += o.Panics
	s.Dropped += o.Dropped
	s.ESP += o.ESP
	s.Unicast += o.Unicast
	s.Group += o.Group
	s.Tunnelled += o.Tunnelled
	addMap(s.UndecodedWhy, o.UndecodedWhy)
	addMap(s.Protocols, o.Protocols)
	addMap(s.VLANs, o.VLANs)
	t, u := &s.TCP, &o.TCP
	t.Segments += u.Segments
	t.InOrder += u.InOrder
	t.OutOfOrder += u.OutOfOrder
	t.Retransmits += u.Retransmits
	t.Conflicts += u.Conflicts
	t.Invalid += u.Invalid
	t.Gaps += u.Gaps
	t.GapBytes += u.GapBytes
	t.Evicted += u.Evicted
	addFragments(&s.Fragments, o.Fragments)
}

func addMap[K comparable](dst, src map[K]uint64) {
	for k, v := range src {
		dst[k] += v
	}
}

// clone returns a copy that shares nothing.
func (s *Stats) clone() Stats {
	c := *s
	c.UndecodedWhy, c.Protocols, c.VLANs = maps.Clone(s.UndecodedWhy), maps.Clone(s.Protocols), maps.Clone(s.VLANs)
	return c
}
