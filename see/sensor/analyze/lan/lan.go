// SPDX-License-Identifier: Apache-2.0

// Package lan analyses what runs around the devices on a local network: the
// link layer (ARP, neighbour discovery, LLDP, CDP, EAPOL, spanning tree), and
// the datagram protocols by which stations get an address, find names and
// services, tell the time, log and are managed.
//
// These protocols are where the inventory comes from. A DHCP acknowledgement
// binds address and MAC, LLDP-MED states model and serial number, SNMP names
// system and place, RADIUS knows the switch port. Each analyser therefore
// reports evidence richly and events sparingly: what repeats within a flow is
// reported once.
//
// # How a protocol is recognised
//
// By structure, as its wire package defines it. Where two protocols share a
// format (DNS, multicast DNS, LLMNR) the group address or port tells them
// apart. Where a format is weak (TFTP data, NTP, syslog over UDP with nothing
// but a priority) structure and the well-known port are both demanded.
//
// # Privacy
//
// Names of people (802.1X and RADIUS identities, SNMPv3 users, NetBIOS
// messenger names) become pseudonyms of kind Person, unless they are a
// machine's by their form: "host/name", "NAME$", or a MAC address. SNMP
// communities are passwords: only their pseudonym is given and whether they are
// a well-known default. Contacts in SNMP and texts of syslog are never given.
//
// # Memory
//
// Per flow at most: 32 open DNS questions, 64 open RADIUS requests with their
// stations, 64 distinct announcements or properties that were reported. Nothing
// is kept between flows.
package lan

import (
	"net/netip"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/packet"
	"github.com/asepsis/asepsis/wire/radius"
)

// Protocols returns the analysers of this package.
func Protocols() []analyze.Protocol {
	return []analyze.Protocol{
		arpProtocol(), icmpProtocol(), icmp6Protocol(), igmpProtocol(), lldpProtocol(), cdpProtocol(), eapolProtocol(), stpProtocol(), lacpProtocol(),
		vrrpProtocol(), hsrpProtocol(),
		dhcpProtocol(), dhcp6Protocol(), dnsProtocol(), dnsStreamProtocol(), mdnsProtocol(), llmnrProtocol(), nbnsProtocol(), nbdgmProtocol(), ssdpProtocol(),
		snmpProtocol(), radiusProtocol(), ntpProtocol(), syslogProtocol(), syslogStreamProtocol(), tftpProtocol(), tftpDataProtocol(), bacnetProtocol(),
	}
}

// Interpreters returns what recognises applications over HTTP: device
// descriptions of UPnP.
func Interpreters() []analyze.Interpreter {
	return []analyze.Interpreter{describeUPnP}
}

// Activities of event.Application.
const (
	message      = 1
	request      = 2
	response     = 3
	session      = 4
	announcement = 5
)

// Bounds of memory per flow.
const (
	maxPendingQueries = 32
	maxStations       = 64
	maxReported       = 64
)

// pairs collects named values, leaving out empty ones.
type pairs []event.KV

func (p *pairs) add(name, value string) {
	if value != "" {
		*p = append(*p, event.KV{Name: name, Value: clip(value)})
	}
}

// clip bounds a value that was put together from several.
func clip(s string) string {
	if len(s) > analyze.MaxString {
		s = strings.ToValidUTF8(s[:analyze.MaxString], "")
	}
	return s
}

// fact reports evidence with a value of bounded length. What makers leave in
// fields that nobody filled in says nothing and is left out.
func fact(c *analyze.Conn, s device.Subject, attr device.Attribute, value, source string, conf device.Confidence) {
	c.EvidenceFor(s, attr, told(attr, value), source, conf)
}

// told is what a value tells, "" when that is nothing.
func told(attr device.Attribute, value string) string {
	switch attr {
	case device.AttrVendor, device.AttrModel, device.AttrSerial, device.AttrFirmware, device.AttrOS, device.AttrLocation, device.AttrHostname:
		if placeholder(value) {
			return ""
		}
	}
	return strings.TrimSpace(clip(value))
}

func placeholder(s string) bool {
	switch strings.ToLower(strings.Trim(s, " .-_<>()")) {
	case "", "unknown", "n/a", "na", "none", "null", "default", "default string", "not specified", "not available", "not set", "to be filled by o.e.m", "system serial number",
		"system manufacturer", "system product name", "sitting on the dock of the bay", "localhost", "localhost.localdomain", "no asset information":
		return true
	}
	return strings.Trim(s, "0 ") == ""
}

func join(list []string) string { return clip(strings.Join(list, ",")) }

func joinAddrs(list []netip.Addr) string {
	s := make([]string, 0, len(list))
	for _, a := range list {
		s = append(s, a.String())
	}
	return join(s)
}

// addr is an address as text, "" when it is not set.
func addr(a netip.Addr) string {
	if !a.IsValid() || a.IsUnspecified() {
		return ""
	}
	return a.String()
}

func addrStrings(list []netip.Addr) []string {
	var s []string
	for _, a := range list {
		s = append(s, a.String())
	}
	return s
}

// usable reports whether an address can be one device's own.
func usable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// sender is the subject of evidence about who sent the packet.
func sender(c *analyze.Conn, dir analyze.Dir) device.Subject { return c.Subject(c.SideOf(dir)) }

// orient corrects who is the server, once a message shows it.
func orient(c *analyze.Conn, dir analyze.Dir, fromServer bool) {
	if (c.SideOf(dir) == analyze.Server) != fromServer {
		c.Flip()
	}
}

// frameSubject is the subject of evidence about the sender of a frame.
func frameSubject(p *packet.Packet) device.Subject {
	s := device.Subject{VLAN: p.VLAN()}
	if m := device.MAC(p.SrcMAC); !m.IsGroup() {
		s.MAC = m
	}
	return s
}

// application emits an event of a protocol that has no class of its own.
func application(c *analyze.Conn, activity uint8, version, operation, text string, attrs pairs) {
	if !c.Full() {
		c.Note(event.ClassApplication)
		return
	}
	c.Emit(applicationEvent(c, activity, version, operation, text, attrs))
}

func applicationEvent(c *analyze.Conn, activity uint8, version, operation, text string, attrs pairs) *event.Event {
	return &event.Event{Activity: activity, Message: clip(text), Detail: &event.Application{Name: c.App, Version: version, Operation: operation, Attributes: attrs}}
}

// identity tells whose a network login name is: a machine's stays readable, a
// person's becomes a pseudonym.
func identity(c *analyze.Conn, name string) (shown, host, fqdn string) {
	if name == "" {
		return "", "", ""
	}
	if h, ok := strings.CutPrefix(name, "host/"); ok {
		h, _, _ = strings.Cut(h, "@")
		if strings.Contains(h, ".") {
			short, _, _ := strings.Cut(h, ".")
			return name, short, h
		}
		return name, h, ""
	}
	if strings.HasSuffix(name, "$") {
		h := strings.TrimSuffix(name, "$")
		if i := strings.LastIndexByte(h, '\\'); i >= 0 {
			h = h[i+1:]
		}
		return name, h, ""
	}
	if _, ok := radius.StationMAC(name); ok || strings.EqualFold(name, "anonymous") || strings.HasPrefix(name, "anonymous@") || strings.HasPrefix(name, "@") {
		return name, "", ""
	}
	return c.Pseudonym(pseudonym.Person, name), "", ""
}

// once remembers what a flow has reported, up to maxReported things; beyond
// that everything counts as reported.
type once []string

// first reports whether a thing, named by its parts taken together, was not
// reported yet.
func (o *once) first(parts ...string) bool {
	if len(*o) >= maxReported {
		return false
	}
	for _, known := range *o {
		for _, p := range parts {
			if !strings.HasPrefix(known, p) {
				known = "more"
				break
			}
			known = known[len(p):]
		}
		if known == "" {
			return false
		}
	}
	*o = append(*o, strings.Join(parts, ""))
	return true
}

// bit is a part of a name for once.
func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// osOf finds the operating system in a system description or server header.
func osOf(s string) string {
	for _, k := range [...]string{"Cisco IOS XE", "Cisco IOS XR", "Cisco IOS", "Cisco NX-OS", "Junos", "ArubaOS", "VxWorks", "QNX", "FreeBSD", "OpenBSD", "NetBSD", "VMware ESXi",
		"RouterOS", "FortiOS", "Windows CE", "Windows", "Darwin", "macOS", "Android", "Debian", "Ubuntu", "Linux", "ThreadX", "FreeRTOS", "Nucleus", "Integrity", "SunOS"} {
		i := strings.Index(s, k)
		if i < 0 || i > 0 && isWord(s[i-1]) || i+len(k) < len(s) && isWord(s[i+len(k)]) {
			continue
		}
		return clip(k + versionAfter(s[i+len(k):], k == "Linux"))
	}
	return ""
}

func isWord(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// versionAfter finds " 6.1.0" in what follows a system's name: at once, after
// "Version", or after a host name where uname wrote the text.
func versionAfter(s string, uname bool) string {
	before := ""
	for n, f := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,/;()", r) }) {
		if f[0] >= '0' && f[0] <= '9' && (n == 0 || n == 1 && uname && strings.Contains(f, ".") || strings.EqualFold(before, "version")) {
			return " " + f
		}
		if n >= 12 {
			break
		}
		before = f
	}
	return ""
}
