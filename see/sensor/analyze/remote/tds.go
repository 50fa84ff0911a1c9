// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"strconv"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/ntlm"
	"github.com/asepsis/asepsis/wire/tds"
)

func probeTDS(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	return matches(tds.Looks(head))
}

// tdsStream follows the opening of a connection. A message of several packets
// is put together up to tds.MaxMessage octets.
type tdsStream struct {
	held      [2][]byte
	announced bool
	client    *tds.Prelogin
	server    *tds.Prelogin
	login     *tds.Login
	inTLS     bool
	done      bool
	began     int64
}

var _ analyze.Stream = (*tdsStream)(nil)

func (s *tdsStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	if s.began == 0 {
		s.began = c.Now
	}
	used := 0
	for {
		b := data[used:]
		if len(b) < tds.HeaderSize {
			return int64(used), analyze.More
		}
		h, err := tds.ParseHeader(b)
		if err != nil {
			return int64(used), analyze.Reject
		}
		if h.Length > tds.MaxMessage-1024 {
			s.finish(c, event.StatusUnknown, tds.Answer{})
			return int64(used), analyze.Done
		}
		if len(b) < h.Length {
			return int64(used), analyze.More
		}
		used += h.Length
		if len(s.held[dir])+h.Length > tds.MaxMessage {
			s.finish(c, event.StatusUnknown, tds.Answer{})
			return int64(used), analyze.Done
		}
		s.held[dir] = append(s.held[dir], b[tds.HeaderSize:h.Length]...)
		if !h.Last {
			continue
		}
		v := s.message(c, dir, h.Type, s.held[dir])
		s.held[dir] = s.held[dir][:0]
		if v != analyze.More {
			return int64(used), v
		}
	}
}

func (s *tdsStream) announce(c *analyze.Conn) {
	if !s.announced {
		s.announced = true
		c.Service("tds")
	}
}

func (s *tdsStream) message(c *analyze.Conn, dir analyze.Dir, kind uint8, body []byte) analyze.Verdict {
	switch kind {
	case tds.TypePrelogin:
		if tds.IsTLS(body) {
			s.inTLS = true
			c.Encrypted = true
			s.announce(c)
			s.finish(c, event.StatusSuccess, tds.Answer{})
			return analyze.Done
		}
		p, err := tds.ParsePrelogin(body)
		if err != nil {
			return analyze.Reject
		}
		if s.client == nil {
			setClient(c, dir)
		}
		s.client = p
	case tds.TypeLogin7:
		l, err := tds.ParseLogin(body)
		if err != nil {
			return analyze.Reject
		}
		setClient(c, dir)
		l.SSPI = append([]byte(nil), l.SSPI...)
		s.login = l
		c.Evidence(analyze.Client, device.AttrHostname, hostName(l.Host), "tds.login7.hostname", device.Claimed)
	case tds.TypeResponse:
		if s.client != nil && s.server == nil && s.login == nil {
			p, err := tds.ParsePrelogin(body)
			if err != nil {
				return analyze.Reject
			}
			s.announce(c)
			s.server = p
			if v := p.Version(); v != "" {
				c.Evidence(analyze.Server, device.AttrBanner, "Microsoft SQL Server "+v, "tds.prelogin.version", device.Claimed)
			}
			return analyze.More
		}
		if s.login == nil {
			return analyze.Done
		}
		s.announce(c)
		a := tds.ParseAnswer(body)
		if !a.OK && a.Error == 0 {
			return analyze.More // SSPI goes on
		}
		if a.OK {
			c.Evidence(analyze.Server, device.AttrBanner, a.Program+" "+a.Version, "tds.loginack", device.Claimed)
		} else {
			c.Evidence(analyze.Server, device.AttrHostname, hostName(a.Server), "tds.error.server-name", device.Claimed)
		}
		s.finish(c, outcome(a.OK), a)
		return analyze.Done
	}
	return analyze.More
}

func (s *tdsStream) finish(c *analyze.Conn, status event.Status, a tds.Answer) {
	if s.done {
		return
	}
	s.done = true
	var kv attrs
	d := &event.Application{Name: "tds", Operation: "LOGIN"}
	if s.client != nil {
		kv.add("client_encryption", s.client.EncryptionName())
		kv.add("instance", s.client.Instance)
	}
	if s.server != nil {
		kv.add("server_encryption", s.server.EncryptionName())
		kv.add("server_version", s.server.Version())
	}
	kv.flag("tls_in_tds", s.inTLS)
	if l := s.login; l != nil {
		d.Version = tds.TDSVersionName(l.TDSVersion)
		kv.add("user", account(c, l.User))
		kv.add("application", str(l.App))
		kv.add("server_name", hostName(l.Server))
		kv.add("library", str(l.Library))
		kv.add("database", str(l.Database))
		kv.flag("integrated_authentication", l.Integrated)
		kv.flag("password_in_clear", !l.Integrated && l.User != "")
		if m := ntlm.ParseToken(l.SSPI).Message; m != nil {
			c.Evidence(analyze.Client, device.AttrHostname, hostName(m.Workstation), "tds.sspi.workstation", device.Claimed)
		}
	}
	d.Attributes = kv
	e := &event.Event{Time: s.began, Activity: session, Status: status, Detail: d}
	switch {
	case a.Error != 0:
		e.StatusCode = strconv.FormatUint(uint64(a.Error), 10)
		e.Message = "SQL Server login refused: error " + e.StatusCode
	case s.inTLS:
		e.Message = "SQL Server login in TLS"
	case a.OK:
		e.Message = "SQL Server login in clear"
	default:
		e.Message = "SQL Server login without an answer"
	}
	c.Emit(e)
}

func (s *tdsStream) Gap(*analyze.Conn, analyze.Dir, int64) analyze.Verdict { return analyze.Done }

func (s *tdsStream) Close(c *analyze.Conn, _ analyze.End) {
	if s.announced {
		s.finish(c, event.StatusUnknown, tds.Answer{})
	}
}
