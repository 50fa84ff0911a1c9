// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/mysql"
)

// Protocols returns the analysers of this package.
func Protocols() []analyze.Protocol {
	return []analyze.Protocol{
		{Name: "smb", MaxPending: maxSMBPending, Probe: probeSMB, NewStream: func(c *analyze.Conn) analyze.Stream { return newSMB(c) }},
		{Name: "rdp", Probe: probeRDP, NewStream: func(*analyze.Conn) analyze.Stream { return new(rdpStream) }},
		{Name: "vnc", Probe: probeVNC, NewStream: func(*analyze.Conn) analyze.Stream { return new(vncStream) }},
		{Name: "telnet", Probe: probeTelnet, NewStream: func(*analyze.Conn) analyze.Stream { return new(telnetStream) }},
		{Name: "ftp", Probe: probeFTP, NewStream: func(*analyze.Conn) analyze.Stream { return new(ftpStream) }},
		{Name: "adb", Probe: probeADB, NewStream: func(*analyze.Conn) analyze.Stream { return new(adbStream) }},
		{Name: "modbus", Rank: -10, Probe: probeModbus, NewStream: newModbus},
		{Name: "ldap", Probe: probeLDAP, NewStream: func(*analyze.Conn) analyze.Stream { return &ldapStream{newLDAPState()} }},
		{Name: "kerberos", Probe: probeKerberosTCP, NewStream: func(*analyze.Conn) analyze.Stream { return new(kerberosStream) }},
		{Name: "tds", Probe: probeTDS, NewStream: func(*analyze.Conn) analyze.Stream { return new(tdsStream) }},
		{Name: "mysql", MaxPending: mysql.MaxPacket + 1<<10, Probe: probeMySQL, NewStream: func(*analyze.Conn) analyze.Stream { return new(mysqlStream) }},
		{Name: "postgresql", Probe: probePostgres, NewStream: func(*analyze.Conn) analyze.Stream { return new(postgresStream) }},

		{Name: "cldap", Probe: probeCLDAP, NewDatagram: func(*analyze.Conn) analyze.Datagram { return &cldapFlow{newLDAPState()} }},
		{Name: "kerberos", Probe: probeKerberosUDP, NewDatagram: func(*analyze.Conn) analyze.Datagram { return new(kerberosFlow) }},
	}
}

// str makes a string from the wire fit for events.
func str(s string) string { return analyze.CleanString(s) }

// attrs collects attributes of an event.Application; empty values are left out.
type attrs []event.KV

func (a *attrs) add(name, value string) {
	if value != "" {
		*a = append(*a, event.KV{Name: name, Value: value})
	}
}

func (a *attrs) count(name string, n uint64) {
	if n > 0 {
		*a = append(*a, event.KV{Name: name, Value: strconv.FormatUint(n, 10)})
	}
}

func (a *attrs) flag(name string, v bool) {
	if v {
		*a = append(*a, event.KV{Name: name, Value: "true"})
	}
}

func (a *attrs) list(name string, v []string) {
	for _, s := range v {
		a.add(name, s)
	}
}

// Activities of event.Application.
const (
	message      = 1
	request      = 2
	response     = 3
	session      = 4
	announcement = 5
)

// hostName returns s when it can be a host's name.
func hostName(s string) string {
	if analyze.IsHostName(s) {
		return s
	}
	return ""
}

// fqdn returns s when it is a host's name with a domain.
func fqdn(s string) string {
	if analyze.IsHostName(s) && strings.Contains(strings.Trim(s, "."), ".") {
		return s
	}
	return ""
}

// account returns an account as events show it: machine accounts, which end in
// "$", in clear, anybody else as a pseudonym.
func account(c *analyze.Conn, name string) string {
	if name == "" {
		return ""
	}
	if machine(name) != "" {
		return name
	}
	return c.Pseudonym(pseudonym.Person, name)
}

// machine returns the host's name of a machine account, "" for others.
func machine(name string) string {
	if h, ok := strings.CutSuffix(name, "$"); ok {
		return hostName(h)
	}
	return ""
}

// setClient makes the side that sends in direction d the client.
func setClient(c *analyze.Conn, d analyze.Dir) {
	if c.SideOf(d) != analyze.Client {
		c.Flip()
	}
}

// matches turns the answer of a parser's Looks into that of a probe.
func matches(yes, maybe bool) analyze.Match {
	switch {
	case yes:
		return analyze.Yes
	case maybe:
		return analyze.Maybe
	}
	return analyze.No
}

// outcome is success or failure.
func outcome(ok bool) event.Status {
	if ok {
		return event.StatusSuccess
	}
	return event.StatusFailure
}

// plural returns "1 file" or "2 files".
func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.FormatUint(n, 10) + " " + what + "s"
}

// clientDir is the direction in which the client sends.
func clientDir(c *analyze.Conn) analyze.Dir {
	if c.Flipped() {
		return analyze.ToClient
	}
	return analyze.ToServer
}
