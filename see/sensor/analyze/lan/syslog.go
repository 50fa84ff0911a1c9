// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/syslog"
)

// syslogProtocol reports who logs where. Each pair of host and application is
// an event when it is first seen; the flow ends with a summary. What was logged
// is not looked at.
func syslogProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "syslog",
		Rank: -1,
		Probe: func(c *analyze.Conn, dir analyze.Dir, head []byte) analyze.Match {
			// A priority alone is found in much text: then the port must agree.
			ok, strong := syslog.Looks(head)
			if ok && (strong || c.Ends[dir.Other()].Port == 514) {
				return analyze.Yes
			}
			return analyze.No
		},
		NewDatagram: func(*analyze.Conn) analyze.Datagram { return &syslogFlow{} },
	}
}

type syslogFlow struct {
	seen     once
	host     string
	relay    bool // several hosts behind one sender
	served   bool
	messages uint64
	severity [8]uint64
}

func (f *syslogFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, _ int) analyze.Verdict {
	f.take(c, dir, payload, "udp")
	return analyze.More
}

func (f *syslogFlow) take(c *analyze.Conn, dir analyze.Dir, b []byte, framing string) {
	m, err := syslog.Parse(b)
	if m == nil || err != nil && m.Time == "" {
		return
	}
	orient(c, dir, false)
	f.messages++
	f.severity[m.Severity]++
	if !f.served {
		f.served = true
		c.Service("syslog")
	}
	if _, err := netip.ParseAddr(m.Host); m.Host != "" && err != nil {
		switch {
		case f.host == "":
			f.host = m.Host
			fact(c, sender(c, dir), device.AttrHostname, clip(m.Host), "syslog.hostname", device.Hint)
		case f.host != m.Host:
			f.relay = true
		}
	}
	if !f.seen.first(m.Host + "\x00" + m.App) {
		return
	}
	if !c.Full() {
		c.Note(event.ClassApplication)
		return
	}
	version := "3164"
	if m.Modern {
		version = "5424"
	}
	attrs := pairs{}
	attrs.add("hostname", m.Host)
	attrs.add("app_name", m.App)
	attrs.add("facility", m.FacilityName())
	attrs.add("severity", m.SeverityName())
	attrs.add("message_id", m.MessageID)
	attrs.add("structured_data", join(m.Elements))
	attrs.add("framing", framing)
	if m.Audit {
		attrs.add("audit_message", "true")
	}
	application(c, message, version, "log", fmt.Sprintf("%s logs as %s %s at %s.%s", sender(c, dir).IP, m.Host, m.App, m.FacilityName(), m.SeverityName()), attrs)
}

func (f *syslogFlow) Close(c *analyze.Conn, _ analyze.End) {
	if f.messages < 2 {
		return
	}
	attrs := pairs{}
	attrs.add("messages", strconv.FormatUint(f.messages, 10))
	for i, n := range f.severity {
		if n > 0 {
			m := syslog.Message{Severity: uint8(i)}
			attrs.add(m.SeverityName()+"_count", strconv.FormatUint(n, 10))
		}
	}
	if f.relay {
		attrs.add("relay", "true")
	}
	application(c, session, "", "summary", fmt.Sprintf("%d log messages were sent", f.messages), attrs)
}

// syslogStreamProtocol is syslog over TCP in both framings of RFC 6587.
func syslogStreamProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name:       "syslog",
		Rank:       -1,
		MaxPending: syslog.MaxMessage + 16,
		Probe: func(_ *analyze.Conn, dir analyze.Dir, head []byte) analyze.Match {
			if dir != analyze.ToServer {
				return analyze.No
			}
			msg, n, bad := syslog.Split(head)
			if bad {
				return analyze.No
			}
			if msg == nil {
				if n == 0 && head[0] != '<' && len(head) < 8 {
					return analyze.Maybe
				}
				msg = head
			}
			// "2026-..." after the header decides; a priority alone does not.
			if _, strong := syslog.Looks(msg); strong {
				return analyze.Yes
			}
			if len(msg) < 24 && (len(msg) == 0 || msg[0] == '<') {
				return analyze.Maybe
			}
			return analyze.No
		},
		NewStream: func(*analyze.Conn) analyze.Stream { return &syslogStream{} },
	}
}

type syslogStream struct{ syslogFlow }

func (s *syslogStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	if dir != analyze.ToServer {
		return int64(len(data)), analyze.More
	}
	var used int
	for used < len(data) {
		msg, n, bad := syslog.Split(data[used:])
		if bad {
			return int64(used), analyze.Reject
		}
		if n == 0 || n > len(data)-used {
			if len(data)-used > syslog.MaxMessage {
				return int64(used), analyze.Reject
			}
			break
		}
		framing := "line-feed"
		if data[used] != '<' {
			framing = "octet-counting"
		}
		s.take(c, dir, msg, framing)
		used += n
	}
	return int64(used), analyze.More
}

// Gap gives up: the next message boundary is lost.
func (s *syslogStream) Gap(_ *analyze.Conn, dir analyze.Dir, _ int64) analyze.Verdict {
	if dir != analyze.ToServer {
		return analyze.More
	}
	return analyze.Done
}
