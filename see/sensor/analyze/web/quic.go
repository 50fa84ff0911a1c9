// SPDX-License-Identifier: Apache-2.0

package web

import (
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/quic"
	"github.com/asepsis/asepsis/wire/tlsmeta"
)

func probeQUIC(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	if quic.Looks(head) {
		return analyze.Yes
	}
	return analyze.No
}

// quicFlow follows a connection until both hellos are known.
type quicFlow struct {
	s       quic.Session
	began   int64
	packets int
	done    bool
}

var _ analyze.Datagram = (*quicFlow)(nil)

// quicPackets is how many datagrams may pass before the hellos are complete.
const quicPackets = 200

func (q *quicFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, _ int) analyze.Verdict {
	if q.began == 0 {
		q.began = c.Now
	}
	c.Encrypted = true
	q.packets++
	q.s.Packet(int(dir), payload)
	if q.s.Done() || q.packets >= quicPackets {
		q.finish(c)
		return analyze.Done
	}
	return analyze.More
}

func (q *quicFlow) Close(c *analyze.Conn, _ analyze.End) { q.finish(c) }

func (q *quicFlow) finish(c *analyze.Conn) {
	if q.done {
		return
	}
	q.done = true
	v := q.s.Version
	if v == 0 {
		v = q.s.First
	}
	version := quic.VersionName(v)
	if q.s.Client != nil {
		a := tlsmeta.Account{Client: q.s.Client, Server: q.s.Server, ClientDir: q.s.ClientDir, Retry: q.s.Retried}
		if a.Server != nil {
			a.Resumed = a.Server.PSK
		}
		// An application speaks 1-RTT as soon as both sides have finished.
		a.Complete = q.s.Done()
		emitTLS(c, &a, tlsmeta.OverQUIC, "quic", q.began, version)
		return
	}
	setClient(c, analyze.Dir(q.s.ClientDir))
	var kv attrs
	for i, n := range q.s.Negotiated {
		if i == 0 {
			kv.add("operation", "version-negotiation")
		}
		kv.add("server_version", quic.VersionName(n))
	}
	if q.s.Retried {
		kv.add("retry", "true")
	}
	kv.add("datagrams", strconv.Itoa(q.packets))
	what := "QUIC connection attempt"
	if len(q.s.Negotiated) > 0 {
		what = "QUIC version negotiation"
	}
	c.Emit(&event.Event{Time: q.began, Activity: 1, Detail: &event.Application{Name: "quic", Version: version, Operation: strings.ToLower(what), Attributes: kv},
		Message: what + ", client offered " + version})
}
