// SPDX-License-Identifier: Apache-2.0

// Package analyze is the seam between the sensor, which follows flows, and the
// analysers, which understand protocols.
//
// # How an analyser is chosen
//
// Nothing is decided by port. When the first payload bytes of a flow arrive,
// the sensor asks each Protocol's Probe. Yes gives the flow to that protocol;
// when several say Yes, the one with the higher Rank wins. Maybe means that
// more bytes could decide; the sensor asks again as bytes arrive, in either
// direction, until ProbeBytes of each direction or ProbePackets packets.
//
// # What an analyser may rely on
//
//   - All calls for one flow come from one goroutine, in order. An analyser
//     needs no locks and starts no goroutines.
//   - data is valid during the call only. What must outlive it is copied.
//   - A call must take time linear in len(data). The sensor presents a flow's
//     bytes again as long as they are not consumed; the total presented is
//     budgeted (see Protocol.MaxPending), and a flow over budget is cut off and
//     counted. A panic loses the flow, is counted, and nothing else.
//   - Memory that an analyser keeps per flow is bounded by a constant that its
//     package documents.
//
// # What an analyser must do
//
//   - Emit no patient identifier in clear: Conn.Pseudonym first.
//   - Emit only short printable strings: Clean where the wire gave them.
package analyze

import (
	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/wire/packet"
)

// Bounds of content probing.
const (
	ProbeBytes   = 4096 // of each direction
	ProbePackets = 12   // with payload, both directions together
)

// DefaultMaxPending is the bound of unconsumed bytes per direction.
const DefaultMaxPending = 16 << 10

// Dir is a direction within a flow. It never changes its meaning during a
// flow, even when Conn.Flip corrects who is the client.
type Dir uint8

// The directions: from the side the sensor took for the client, and back.
const (
	ToServer Dir = iota
	ToClient
)

// Other returns the opposite direction.
func (d Dir) Other() Dir { return d ^ 1 }

// Match is a probe's answer.
type Match uint8

// The answers of a Probe.
const (
	No Match = iota
	Maybe
	Yes
)

// Verdict is what an analyser wants next.
type Verdict uint8

const (
	// More asks for the following bytes or packets.
	More Verdict = iota
	// Done says that nothing of interest can follow: the sensor stops
	// reassembling this flow and keeps counting. Close is still called.
	Done
	// Reject says that this is not the protocol after all, or no longer
	// understandable. The flow goes on without an analyser. Close is called.
	Reject
	// Handoff says that from the first unconsumed byte on another protocol
	// runs (STARTTLS, CONNECT, Upgrade). The other direction is taken over
	// from its first unconsumed byte as well. Close is called with Handed and
	// both directions are probed afresh.
	Handoff
)

// End says why a flow ended.
type End uint8

// The reasons for Close.
const (
	Finished   End = iota // FIN from both sides, or idle datagram flow
	Reset                 // RST
	Timeout               // idle too long
	Evicted               // memory bound
	EndOfInput            // capture ended or sensor stopped
	Handed                // after Handoff
	Cut                   // after Done or Reject, budget or panic of a sibling
)

// Stream analyses one TCP connection.
type Stream interface {
	// Data presents the unconsumed bytes of one direction, oldest first:
	// what was left by the previous call followed by new bytes. It returns
	// how many bytes it consumed. n may exceed len(data): that many bytes
	// more are skipped without being presented or buffered, holes included,
	// which is how bulk content is passed over. data is never empty.
	Data(c *Conn, dir Dir, data []byte) (n int64, v Verdict)

	// Gap tells that n bytes of one direction after all presented so far are
	// lost for good (not captured). Unconsumed bytes of that direction were
	// discarded. Returning More means that the analyser can resynchronise.
	Gap(c *Conn, dir Dir, n int64) Verdict

	// Close is called exactly once, last. It emits what is still open.
	Close(c *Conn, why End)
}

// Holder is implemented by stream analysers that keep more than a few hundred
// bytes of their flow between calls, such as the beginning of a message. The
// sensor sums them up and cuts flows off when all together hold more than its
// bound.
type Holder interface {
	// Held returns the bytes kept, in constant time.
	Held() int
}

// Datagram analyses one UDP flow (both directions of a 5-tuple).
type Datagram interface {
	// Packet presents one payload. It may be cut by the snap length:
	// missing says how many bytes are not there.
	Packet(c *Conn, dir Dir, payload []byte, missing int) Verdict

	// Close is called exactly once, last.
	Close(c *Conn, why End)
}

// Protocol describes an analyser. Exactly one of NewStream, NewDatagram and
// Frame is set for a transport; one that runs over TCP and UDP registers twice.
type Protocol struct {
	// Name is the lower-case name that flows and events carry: "dicom".
	Name string

	// Rank breaks ties of probes that say Yes. Zero is usual; a protocol
	// whose pattern is weak uses a negative, a very specific one a positive.
	Rank int

	// MaxPending bounds the unconsumed bytes kept per direction;
	// DefaultMaxPending when zero. A stream whose analyser leaves more
	// unconsumed is over budget.
	MaxPending int

	// Probe looks at the first bytes of one direction (up to ProbeBytes) or,
	// for datagrams, at one payload. It must be fast, must not allocate and
	// must be exact enough that random bytes do not match.
	Probe func(c *Conn, dir Dir, head []byte) Match

	NewStream   func(c *Conn) Stream
	NewDatagram func(c *Conn) Datagram

	// Frame handles link- and network-layer protocols that have no flow
	// (ARP, LLDP, CDP, EAPOL, ICMPv6 neighbour discovery, IGMP). Select
	// says whether a packet is one; both are called for packets that carry
	// neither TCP nor UDP. c is valid during the call only; c.Packet is p.
	Select func(p *packet.Packet) bool
	Frame  func(c *Conn, p *packet.Packet)
}

// Host is what the sensor gives to analysers. Tests give their own.
type Host interface {
	// Emit takes an event. Time, Flow and UID are filled in by Conn and Host.
	Emit(e *event.Event)
	// Evidence takes device identity evidence; equal ones are folded.
	Evidence(e device.Evidence)
	// Pseudonym replaces a patient's identifier.
	Pseudonym(kind pseudonym.Kind, value string) string
}

// Selective is a Host that may be without readers of whole events, and has a
// Memo. An analyser need not ask for it: Conn does.
type Selective interface {
	Host
	// Full reports whether anybody reads events in full. It never changes.
	Full() bool
	// Note takes, where nobody does, that there was an event.
	Note(class event.Class, t int64, protocol string, f *event.Flow)
	// Facts takes evidence that comes together.
	Facts(sub device.Subject, f *Facts, t int64)
	// Memo returns what its analysers remember.
	Memo() *Memo
}

// Side names an end of the flow for evidence.
type Side uint8

// The sides of a flow. Sender and Receiver are those of the packet being
// presented.
const (
	Client Side = iota
	Server
)

// SideOf returns the side that sends in direction d, before any Flip.
func (c *Conn) SideOf(d Dir) Side {
	if (d == ToServer) != c.flipped {
		return Client
	}
	return Server
}
