// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/rdp"
)

func probeRDP(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	return matches(rdp.Looks(head))
}

// maxRDPPacket is the longest TPKT that is read before the connection is
// encrypted: an MCS connect initial is some hundred octets.
const maxRDPPacket = 8 << 10

// rdpStream reads the connection request and confirm and, without TLS, the
// client's core data.
type rdpStream struct {
	req       rdp.Request
	requested bool
	confirmed bool
}

var _ analyze.Stream = (*rdpStream)(nil)

func (s *rdpStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	used := 0
	for used < len(data) {
		b := data[used:]
		n, err := rdp.Size(b)
		if err != nil || n > maxRDPPacket {
			if s.confirmed {
				return int64(used), analyze.Done // fast-path PDUs of a session that is not in TLS
			}
			return int64(used), analyze.Reject
		}
		if n == 0 || len(b) < n {
			break
		}
		kind, rest, err := rdp.TPDU(b[:n])
		if err != nil {
			return int64(used), analyze.Reject
		}
		used += n
		switch kind {
		case rdp.ConnectionRequest:
			if !s.requested {
				setClient(c, dir)
				s.request(c, rest)
			}
		case rdp.ConnectionConfirm:
			if s.confirmed {
				continue
			}
			if !s.requested {
				setClient(c, dir.Other())
			}
			conf, err := rdp.ParseConfirm(rest)
			if err != nil {
				return int64(used), analyze.Reject
			}
			s.confirm(c, conf)
			switch {
			case conf.Failure != 0:
				return int64(used), analyze.Done
			case conf.Selected != rdp.ProtocolRDP:
				return int64(used), analyze.Handoff
			}
		case rdp.DataTPDU:
			core, ok := rdp.FindCore(rest)
			if !ok {
				continue
			}
			d := &event.RDP{ClientName: core.Name, ClientBuild: strconv.Itoa(int(core.Build)), SelectedSecurity: "rdp"}
			c.Evidence(analyze.Client, device.AttrHostname, hostName(core.Name), "rdp.client-core.name", device.Claimed)
			switch core.Build {
			case 419, 2600, 18363: // what rdesktop and FreeRDP say on any system
			default:
				c.Evidence(analyze.Client, device.AttrOS, "Windows (RDP client build "+d.ClientBuild+")", "rdp.client-core.build", device.Hint)
			}
			c.Emit(&event.Event{Activity: 3, Message: "RDP client " + str(core.Name) + " connects without TLS", Detail: d})
			return int64(used), analyze.Done
		}
	}
	return int64(used), analyze.More
}

func (s *rdpStream) detail(c *analyze.Conn) *event.RDP {
	d := &event.RDP{}
	if s.req.User != "" {
		d.Cookie = c.Pseudonym(pseudonym.Person, s.req.User)
	} else if s.req.Token != "" {
		d.Cookie = "routing token"
	}
	if s.requested {
		d.RequestedSecurity = []string{"rdp"}
		if s.req.Negotiates {
			d.RequestedSecurity = rdp.ProtocolNames(s.req.Protocols)
		}
	}
	return d
}

func (s *rdpStream) request(c *analyze.Conn, rest []byte) {
	s.req, _ = rdp.ParseRequest(rest)
	s.requested = true
	d := s.detail(c)
	msg := "RDP connection requested with " + strings.Join(d.RequestedSecurity, ", ")
	if s.req.Flags&rdp.FlagRestrictedAdmin != 0 {
		msg += ", restricted administration"
	}
	c.Emit(&event.Event{Activity: 1, Message: msg, Detail: d})
}

func (s *rdpStream) confirm(c *analyze.Conn, conf rdp.Confirm) {
	s.confirmed = true
	c.Service("rdp")
	d := s.detail(c)
	d.Failure = rdp.FailureName(conf.Failure)
	e := &event.Event{Activity: 2, Status: event.StatusSuccess, Detail: d}
	if d.Failure != "" {
		e.Status, e.StatusCode = event.StatusFailure, d.Failure
		e.Message = "RDP connection refused: " + d.Failure
	} else {
		d.SelectedSecurity = rdp.ProtocolName(conf.Selected)
		e.Message = "RDP connection accepted with " + d.SelectedSecurity
	}
	c.Emit(e)
}

func (s *rdpStream) Gap(*analyze.Conn, analyze.Dir, int64) analyze.Verdict { return analyze.Done }

func (s *rdpStream) Close(*analyze.Conn, analyze.End) {}
