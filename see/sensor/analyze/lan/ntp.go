// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"fmt"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/ntp"
)

// ntpProtocol reports time service. The format has no magic: the port is
// demanded of one side, and the structure of the whole packet.
func ntpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "ntp",
		Rank: -1,
		Probe: func(c *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
			missing := 0
			if p := c.Packet; p != nil {
				missing = p.Missing + len(p.Payload) - len(head)
			}
			if (c.Ends[0].Port == 123 || c.Ends[1].Port == 123) && ntp.Looks(head, missing) {
				return analyze.Yes
			}
			return analyze.No
		},
		NewDatagram: func(*analyze.Conn) analyze.Datagram { return &ntpFlow{} },
	}
}

type ntpFlow struct {
	asked  uint64 // transmit time stamp of the last question, 0 when answered
	at     int64
	last   ntp.Packet
	served bool
	seen   once
}

func (f *ntpFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, _ int) analyze.Verdict {
	p, err := ntp.Parse(payload)
	if err != nil {
		return analyze.More
	}
	switch p.Mode {
	case ntp.Client, ntp.Control, ntp.Private:
		orient(c, dir, p.Mode != ntp.Client && p.Response)
	case ntp.Server:
		orient(c, dir, true)
	}
	s := sender(c, dir)
	d := &event.NTP{Version: p.Version, Stratum: p.Stratum, Precision: p.Precision, Delay: p.RootDelay, Dispersion: p.RootDispersion, ReferenceID: p.ReferenceID}
	switch p.Mode {
	case ntp.Control, ntp.Private:
		d.Stratum, d.Precision = 0, 0
		what := "control"
		sev := finding.Low
		if p.Mode == ntp.Private {
			what = "private"
		}
		detail := ""
		if p.MonList {
			detail, sev = "monlist", finding.Medium
		}
		if f.seen.first(fmt.Sprint(p.Mode, p.Response, p.ControlOp, p.PrivateCode)) {
			c.Emit(&event.Event{Activity: p.Mode, Severity: sev, StatusDetail: detail, Detail: d, Message: clip(fmt.Sprintf("%s sends an NTP %s message %s", s.IP, what, detail))})
		}
	case ntp.Client:
		fact(c, s, device.AttrUses, "ntp", "ntp", device.Claimed)
		f.unanswered(c)
		f.asked, f.at, f.last = p.Transmit, c.Now, p
	case ntp.Server, ntp.Broadcast:
		if t := ntp.Time(p.Transmit); !t.IsZero() {
			d.OffsetMS = t.Sub(time.Unix(0, c.Now)).Milliseconds()
		}
		if p.Origin == f.asked {
			f.asked = 0
		}
		if p.Mode == ntp.Server && !f.served {
			f.served = true
			c.Service("ntp")
		}
		if !c.Full() {
			c.Note(event.ClassNTP)
			return analyze.More
		}
		e := &event.Event{Activity: p.Mode, Status: event.StatusSuccess, Detail: d, Message: clip(fmt.Sprintf("%s tells the time, stratum %d from %s", s.IP, p.Stratum, p.ReferenceID))}
		if p.Stratum == 0 || p.Stratum >= 16 { // RFC 5905 §7.4: kiss-o'-death, unsynchronised
			e.Status, e.StatusCode = event.StatusFailure, p.ReferenceID
			e.Message = clip(fmt.Sprintf("%s has no time to give: %s", s.IP, p.ReferenceID))
		}
		c.Emit(e)
	default:
		fact(c, s, device.AttrUses, "ntp", "ntp", device.Claimed)
		if f.seen.first(fmt.Sprint(p.Mode, dir)) {
			c.Emit(&event.Event{Activity: p.Mode, Detail: d, Message: fmt.Sprintf("%s exchanges time with %s", s.IP, c.Ends[dir.Other()].IP)})
		}
	}
	return analyze.More
}

// unanswered reports the last question if nobody answered it.
func (f *ntpFlow) unanswered(c *analyze.Conn) {
	if f.asked == 0 || !f.seen.first("unanswered") {
		return
	}
	f.asked = 0
	d := &event.NTP{Version: f.last.Version, Stratum: f.last.Stratum, Precision: f.last.Precision, ReferenceID: f.last.ReferenceID}
	c.Emit(&event.Event{Time: f.at, Activity: ntp.Client, Detail: d, Message: "The time was asked for and not answered"})
}

func (f *ntpFlow) Close(c *analyze.Conn, _ analyze.End) { f.unanswered(c) }
