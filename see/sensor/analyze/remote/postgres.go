// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/postgres"
)

func probePostgres(c *analyze.Conn, dir analyze.Dir, head []byte) analyze.Match {
	if c.SideOf(dir) == analyze.Client {
		if m := matches(postgres.Looks(head)); m != analyze.No || !c.MidStream {
			return m
		}
	}
	// The client's side is not in the capture, or not from the beginning.
	return matches(postgres.LooksServer(head))
}

// maxPostgresMessage is the longest message of the server that is read.
const maxPostgresMessage = 8 << 10

// postgresStream follows a connection until the server is ready for queries. Of one of
// which only the server's side was captured, or whose beginning was not, it tells what
// the server says.
type postgresStream struct {
	asked     uint32 // CodeSSL or CodeGSSENC, while the answer is awaited
	startup   *postgres.Startup
	announced bool
	method    string
	mechs     []string
	version   string
	began     int64
	done      bool
	sided     bool // of a connection whose opening was not seen, who is the server is known
	within    bool // it was recognised by what the server says
}

var _ analyze.Stream = (*postgresStream)(nil)

func (s *postgresStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	if c.MidStream && !s.sided && s.startup == nil && s.asked == 0 {
		server, maybe := postgres.LooksServer(data)
		client, perhaps := postgres.Looks(data)
		switch {
		case server:
			setClient(c, dir.Other())
		case client:
			setClient(c, dir)
		case maybe || perhaps:
			return 0, analyze.More
		default:
			return int64(len(data)), analyze.More // the client's, from within
		}
		s.sided, s.within = true, server
	}
	if c.SideOf(dir) == analyze.Client {
		return s.client(c, data)
	}
	return s.server(c, data)
}

func (s *postgresStream) client(c *analyze.Conn, data []byte) (int64, analyze.Verdict) {
	if s.startup != nil || s.within { // passwords, then queries: not looked at
		return int64(len(data)), analyze.More
	}
	n, err := postgres.StartupSize(data)
	if err != nil {
		return 0, analyze.Reject
	}
	if n == 0 || len(data) < n {
		return 0, analyze.More
	}
	st, err := postgres.ParseStartup(data[:n])
	if err != nil {
		return 0, analyze.Reject
	}
	switch st.Code {
	case postgres.CodeSSL, postgres.CodeGSSENC:
		if s.asked != 0 {
			// A client that sends more before the answer: leave it for TLS.
			return 0, analyze.More
		}
		s.asked = st.Code
	case postgres.CodeCancel:
		c.Service("postgresql")
		c.Emit(&event.Event{Activity: request, Message: "PostgreSQL cancel request", Detail: &event.Application{Name: "postgresql", Operation: "CANCEL"}})
		return int64(n), analyze.Done
	default:
		s.startup, s.began = st, c.Now
	}
	return int64(n), analyze.More
}

func (s *postgresStream) announce(c *analyze.Conn) {
	if !s.announced {
		s.announced = true
		c.Service("postgresql")
	}
}

func (s *postgresStream) server(c *analyze.Conn, data []byte) (int64, analyze.Verdict) {
	used := int64(0)
	if s.asked != 0 && len(data) > 0 {
		what := "TLS"
		if s.asked == postgres.CodeGSSENC {
			what = "GSSAPI encryption"
		}
		switch data[0] {
		case 'S', 'G', 'N':
			ok := data[0] != 'N'
			s.announce(c)
			msg := "PostgreSQL " + what + " accepted"
			if !ok {
				msg = "PostgreSQL " + what + " refused"
			}
			c.Emit(&event.Event{Activity: response, Status: outcome(ok), Message: msg,
				Detail: &event.Application{Name: "postgresql", Operation: "SECURE", Attributes: []event.KV{{Name: "requested", Value: what}, {Name: "accepted", Value: map[bool]string{true: "true", false: "false"}[ok]}}}})
			gss := s.asked == postgres.CodeGSSENC
			s.asked = 0
			switch {
			case ok && gss:
				s.done, c.Encrypted = true, true
				return 1, analyze.Done
			case ok:
				s.done = true
				return 1, analyze.Handoff
			}
			used, data = 1, data[1:]
		case 'E':
		default:
			return 0, analyze.Reject
		}
	}
	for {
		n, err := postgres.Size(data)
		if err != nil {
			return used, analyze.Reject
		}
		if n == 0 || len(data) < min(n, maxPostgresMessage) {
			return used, analyze.More
		}
		used += int64(n)
		v := s.message(c, data[0], data[5:min(n, maxPostgresMessage)])
		if v != analyze.More || n > len(data) {
			return used, v
		}
		data = data[n:]
	}
}

func (s *postgresStream) message(c *analyze.Conn, kind byte, body []byte) analyze.Verdict {
	switch kind {
	case 'R':
		a, err := postgres.ParseAuthentication(body)
		if err != nil {
			return analyze.Reject
		}
		s.announce(c)
		if m := a.Name(); m != "" {
			s.method, s.mechs = m, a.Mechanisms
		} else if a.Code == 0 && s.method == "" {
			s.method = "none"
		}
	case 'S':
		if name, value := postgres.ParseParameter(body); name == "server_version" && s.version == "" {
			s.version = value
			c.Evidence(analyze.Server, device.AttrBanner, "PostgreSQL "+str(value), "postgresql.server-version", device.Claimed)
			c.Evidence(analyze.Server, device.AttrOS, packager(value), "postgresql.server-version", device.Hint)
		}
	case 'E':
		e := postgres.ParseError(body)
		if s.startup == nil && e.Code == "" {
			return analyze.Reject
		}
		s.announce(c)
		s.finish(c, event.StatusFailure, e.Code)
		return analyze.Done
	case 'Z':
		s.announce(c)
		s.finish(c, event.StatusSuccess, "")
		return analyze.Done
	case 'K', 'N', 'v':
	case '1', '2', '3', 'A', 'C', 'D', 'G', 'H', 'I', 'T', 'V', 'W', 'c', 'd', 'n', 's', 't':
		if !s.within {
			return analyze.Reject
		}
	default:
		return analyze.Reject
	}
	return analyze.More
}

// packager finds the distribution that a version string names.
func packager(v string) string {
	for _, d := range [...]string{"Ubuntu", "Debian"} {
		if strings.Contains(v, d) {
			return d + " Linux"
		}
	}
	if strings.Contains(v, "deb1") {
		return "Debian Linux"
	}
	return ""
}

func (s *postgresStream) finish(c *analyze.Conn, status event.Status, code string) {
	if s.done || s.startup == nil && code == "" && s.method == "" {
		return
	}
	s.done = true
	var kv attrs
	if st := s.startup; st != nil {
		kv.add("user", account(c, st.User))
		kv.add("database", str(st.Database))
		kv.add("application_name", str(st.Application))
		kv.add("replication", str(st.Replication))
	}
	kv.add("authentication", s.method)
	kv.list("sasl_mechanism", s.mechs)
	kv.flag("password_in_clear", s.method == "cleartext" && !c.Encrypted)
	kv.add("server_version", str(s.version))
	e := &event.Event{Time: s.began, Activity: session, Status: status, StatusCode: code, Detail: &event.Application{Name: "postgresql", Version: "3", Operation: "STARTUP", Attributes: kv}}
	switch status {
	case event.StatusSuccess:
		e.Message = "PostgreSQL session opened with authentication " + s.method
	case event.StatusFailure:
		e.Message = "PostgreSQL session refused: SQLSTATE " + code
	default:
		e.Message = "PostgreSQL session without an answer"
	}
	c.Emit(e)
}

func (s *postgresStream) Gap(c *analyze.Conn, _ analyze.Dir, _ int64) analyze.Verdict {
	return analyze.Done
}

func (s *postgresStream) Close(c *analyze.Conn, _ analyze.End) {
	s.finish(c, event.StatusUnknown, "")
}
