// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"fmt"
	"slices"
	"strings"
)

// BlindSpot says what could not be seen, why, and what to do about it.
type BlindSpot struct {
	What string `json:"what"`
	Why  string `json:"why"`
	Hint string `json:"hint"`
}

// BlindSpots reads from the counts what the sensor could not see. The list is
// empty when nothing was missed that the sensor can know of.
func (s *Stats) BlindSpots() []BlindSpot {
	var out []BlindSpot
	add := func(what, why, hint string) { out = append(out, BlindSpot{what, why, hint}) }
	if s.Packets == 0 {
		add("everything", "no packet arrived", "check that the mirror port is connected and configured")
		return out
	}
	if s.Dropped > 0 {
		add(fmt.Sprintf("%s of packets (%d)", percent(s.Dropped, s.Dropped+s.Packets), s.Dropped), "the capturing host lost them",
			"give the sensor more workers or a larger ring, or mirror fewer ports")
	}
	if s.Unicast == 0 && s.Group > 0 {
		add("all conversations between devices", "only broadcast and multicast packets arrived",
			"connect the sensor to a mirror (SPAN) port or a tap, not to an ordinary port")
	}
	tcp := s.Protocols
	total := s.Flows
	if s.OneSided > 0 && total > 0 {
		add("one direction of "+some(s.OneSided, "TCP conversation"), "packets of one side only were captured",
			"mirror both directions (rx and tx) of the port, or both links of an asymmetric path")
	}
	if s.TCP.Gaps > 0 {
		add(some(s.TCP.GapBytes, "byte")+" in "+some(s.TCP.Gaps, "hole")+" of TCP streams", "segments were acknowledged that the capture does not hold",
			"look for drops at the mirror port (oversubscription) and in the capturing host")
	}
	if s.SnapCut > 0 {
		add("the end of "+some(s.SnapCut, "packet"), "the capture was taken with a snap length", "capture whole packets (tcpdump -s 0)")
	}
	if s.MidStream > 0 {
		add("the beginning of "+some(s.MidStream, "TCP conversation"), "they were open before the capture began",
			"long-lived connections are identified when they are set up again; capture for longer")
	}
	if s.Undecoded > 0 {
		var why []string
		for k, n := range s.UndecodedWhy {
			why = append(why, fmt.Sprintf("%s (%d)", k, n))
		}
		slices.Sort(why)
		add("the content of "+some(s.Undecoded, "packet"), "their headers could not be followed: "+strings.Join(why, ", "), "see docs/see.md for link types and encapsulations that are understood")
	}
	if s.Unrecognised > 0 {
		add(fmt.Sprintf("the content of %s (%s)", some(s.Unrecognised, "TCP conversation"), some(s.UnrecognisedBytes, "byte")), "their protocol was not recognised",
			"list them: the flows without a protocol in the conversations of --format json")
	}
	if n := encrypted(tcp); n > 0 {
		add("the content of "+some(n, "encrypted conversation"), "TLS, SSH and QUIC hide it, as they should", "identity, versions and certificates are read from the handshakes")
	}
	if s.ESP > 0 {
		add("the content of "+some(s.ESP, "IPsec packet"), "ESP hides addresses and content of what it carries", "mirror the traffic before it enters or after it leaves the tunnel")
	}
	if f := s.Fragments; f.TimedOut+f.Evicted+f.Invalid > 0 {
		add(some(f.TimedOut+f.Evicted+f.Invalid, "fragmented datagram"), "not all of their fragments arrived, or they were not valid", "check for drops at the mirror port")
	}
	if s.FlowsEvicted > 0 {
		add("the end of "+some(s.FlowsEvicted, "conversation"), "more conversations at once than max_flows allows", "raise sensor.max_flows (about 320 bytes each)")
	}
	if s.AnalysesEvicted > 0 {
		add("the rest of "+some(s.AnalysesEvicted, "conversation"), "more unfinished messages at once than max_analysis_bytes allows", "raise sensor.max_analysis_bytes; look for hosts that open messages and never end them")
	}
	if s.TCP.Evicted > 0 {
		add(some(s.TCP.Evicted, "hole")+" in TCP streams that were given up early", "more bytes waited behind holes than the bounds allow", "look for drops at the mirror port; raise sensor.max_stream_bytes")
	}
	if s.OverBudget+s.Rejected > 0 {
		add("the rest of "+some(s.OverBudget+s.Rejected, "conversation"), "their content broke the protocol's rules or the analyser's budget", "their events say which rule")
	}
	if s.Panics > 0 {
		add(some(s.Panics, "conversation"), "an analyser failed on them, which is a defect of Asepsis", "please report it with the log's stack trace; the sensor itself goes on")
	}
	return out
}

// encrypted counts the flows whose content is hidden.
func encrypted(protocols map[string]uint64) (n uint64) {
	for p, k := range protocols {
		if p == "tls" || p == "ssh" || p == "quic" || p == "dtls" || strings.HasSuffix(p, "+tls") {
			n += k
		}
	}
	return n
}

// some writes a number with its noun.
func some(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func percent(part, whole uint64) string {
	p := 100 * float64(part) / float64(whole)
	if p < 0.01 {
		return "less than 0.01 %"
	}
	return fmt.Sprintf("%.2f %%", p)
}
