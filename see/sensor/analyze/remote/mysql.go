// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/mysql"
)

func probeMySQL(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	return matches(mysql.Looks(head))
}

// mysqlStream follows the connection phase.
type mysqlStream struct {
	greeting *mysql.Greeting
	login    *mysql.Login
	plugin   string
	done     bool
	began    int64
}

var _ analyze.Stream = (*mysqlStream)(nil)

func (s *mysqlStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	used := 0
	for {
		n, _, err := mysql.Size(data[used:])
		if err != nil {
			return int64(used), s.confused()
		}
		if n == 0 || len(data)-used < n {
			return int64(used), analyze.More
		}
		payload := data[used+mysql.HeaderSize : used+n]
		if s.greeting == nil {
			g, err := mysql.ParseGreeting(payload)
			if err != nil {
				if v := mysql.ParseVerdict(payload); v.Error != 0 { // refused before the greeting
					setClient(c, dir.Other())
					c.Service("mysql")
					s.began = c.Now
					s.finish(c, event.StatusFailure, v.Error)
					return int64(used + n), analyze.Done
				}
				return int64(used), analyze.Reject
			}
			s.greet(c, dir, g)
			used += n
			continue
		}
		used += n
		if c.SideOf(dir) == analyze.Client {
			if s.login != nil && !s.login.TLS {
				continue // answers of authentication plugins
			}
			l, err := mysql.ParseLogin(payload)
			if err != nil {
				return int64(used), s.confused()
			}
			s.login = l
			if l.TLS {
				s.finish(c, event.StatusSuccess, 0)
				return int64(used), analyze.Handoff
			}
			if h := l.Attribute("_server_host"); h != "" {
				c.Evidence(analyze.Server, device.AttrFQDN, fqdn(h), "mysql.connect-attributes.server-host", device.Hint)
			}
			c.Evidence(analyze.Client, device.AttrOS, str(l.Attribute("_os")), "mysql.connect-attributes.os", device.Hint)
			continue
		}
		v := mysql.ParseVerdict(payload)
		switch {
		case v.OK:
			s.finish(c, event.StatusSuccess, 0)
			return int64(used), analyze.Done
		case v.Error != 0:
			s.finish(c, event.StatusFailure, v.Error)
			return int64(used), analyze.Done
		case v.Switch != "":
			s.plugin = v.Switch
		}
	}
}

func (s *mysqlStream) confused() analyze.Verdict {
	if s.greeting == nil {
		return analyze.Reject
	}
	return analyze.Done
}

func (s *mysqlStream) greet(c *analyze.Conn, dir analyze.Dir, g *mysql.Greeting) {
	s.greeting, s.began, s.plugin = g, c.Now, g.Plugin
	setClient(c, dir.Other())
	c.Service("mysql")
	product := "MySQL "
	if g.MariaDB {
		product = "MariaDB "
	}
	version := g.Version
	if g.MariaDB { // the prefix is there for replicas of MySQL 5 that take 10 for 1
		version = strings.TrimPrefix(version, "5.5.5-")
	}
	c.Evidence(analyze.Server, device.AttrBanner, product+str(version), "mysql.greeting.version", device.Claimed)
	c.Evidence(analyze.Server, device.AttrOS, packager(g.Version), "mysql.greeting.version", device.Hint)
}

func (s *mysqlStream) finish(c *analyze.Conn, status event.Status, code uint16) {
	if s.done {
		return
	}
	s.done = true
	var kv attrs
	e := &event.Event{Time: s.began, Activity: session, Status: status}
	d := &event.Application{Name: "mysql", Operation: "CONNECT"}
	if g := s.greeting; g != nil {
		d.Version = "10"
		kv.add("server_version", str(g.Version))
		kv.flag("mariadb", g.MariaDB)
		kv.flag("tls_offered", g.Capabilities&mysql.CapSSL != 0)
	}
	kv.add("authentication_plugin", s.plugin)
	if l := s.login; l != nil && !l.TLS {
		kv.add("user", account(c, l.User))
		kv.add("database", str(l.Database))
		kv.flag("without_password", !l.HasAuth && s.plugin == s.greeting.Plugin)
		kv.add("program_name", str(l.Attribute("program_name")))
		kv.add("client_name", str(l.Attribute("_client_name")))
		kv.add("client_version", str(l.Attribute("_client_version")))
		kv.add("client_os", str(l.Attribute("_os")))
	}
	d.Attributes = kv
	e.Detail = d
	switch {
	case code != 0:
		e.StatusCode = strconv.Itoa(int(code))
		e.Message = "MySQL connection refused: error " + e.StatusCode
	case s.login != nil && s.login.TLS:
		e.Message = "MySQL connection continues in TLS"
	case status == event.StatusSuccess:
		e.Message = "MySQL session opened in clear"
	default:
		e.Message = "MySQL connection without an answer"
	}
	c.Emit(e)
}

func (s *mysqlStream) Gap(*analyze.Conn, analyze.Dir, int64) analyze.Verdict { return analyze.Done }

func (s *mysqlStream) Close(c *analyze.Conn, _ analyze.End) {
	if s.greeting != nil {
		s.finish(c, event.StatusUnknown, 0)
	}
}
