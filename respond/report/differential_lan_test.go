// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

var dhcpComparison = comparison{
	name: "dhcp",
	fields: "per message: type, transaction, client hardware address and identifier, host name, FQDN, vendor and user class, parameter request list, lease time, server identifier, " +
		"address offered, assigned or asked for, relay, routers, DNS servers, domain",
	ours: func(events []*event.Event) (out []string) {
		details(events, func(_ *event.Event, d *event.DHCP) {
			if d.Version == 4 {
				out = append(out, fmt.Sprintf("%s %s %s id %s name %q fqdn %q vendor %q user %q list %s lease %d server %s ip %s relay %s routers %v dns %v domain %q", d.Type, d.Transaction, d.ClientMAC, d.ClientID,
					d.Hostname, d.FQDN, d.VendorClass, d.UserClass, d.ParameterList, d.LeaseSeconds, d.ServerID, d.ClientIP, d.Relay, or(strings.Join(d.Routers, ","), "-"), or(strings.Join(d.DNSServers, ","), "-"), d.Domain))
			}
		})
		return out
	},
	theirs: func(packets []*dissected) (out []string) {
		types := []string{"BOOTP", "DHCPDISCOVER", "DHCPOFFER", "DHCPREQUEST", "DHCPDECLINE", "DHCPACK", "DHCPNAK", "DHCPRELEASE", "DHCPINFORM"}
		unset := func(s string) string {
			if s == "0.0.0.0" {
				return ""
			}
			return s
		}
		for _, p := range packets {
			for _, n := range p.of("dhcp") {
				option := func(code string) *node {
					for _, o := range n.all("dhcp.option.type") {
						if o.show == code {
							return o
						}
					}
					return &node{}
				}
				value := func(code string) string {
					b, _ := hex.DecodeString(strings.ReplaceAll(option(code).get("dhcp.option.value"), ":", ""))
					return strings.TrimRight(string(b), "\x00")
				}
				typ := "unknown"
				if n := number(option("53").get("dhcp.option.dhcp")); n < len(types) {
					typ = types[n]
				}
				ip := ""
				reply := n.get("dhcp.type") == "2"
				switch {
				case reply && unset(n.get("dhcp.ip.your")) != "":
					ip = n.get("dhcp.ip.your")
				case unset(n.get("dhcp.ip.client")) != "":
					ip = n.get("dhcp.ip.client")
				default:
					ip = unset(option("50").get("dhcp.option.requested_ip_address"))
				}
				out = append(out, fmt.Sprintf("%s %s %s id %s name %q fqdn %q vendor %q user %q list %s lease %d server %s ip %s relay %s routers %v dns %v domain %q", typ, strings.TrimPrefix(n.get("dhcp.id"), "0x"), n.get("dhcp.hw.mac_addr"),
					strings.ReplaceAll(option("61").get("dhcp.option.value"), ":", ""), value("12"), option("81").get("dhcp.fqdn.name"), value("60"), value("77"),
					strings.Join(option("55").shows("dhcp.option.request_list_item"), ","), number(option("51").get("dhcp.option.ip_address_lease_time")), option("54").get("dhcp.option.dhcp_server_id"), ip,
					unset(n.get("dhcp.ip.relay")), or(strings.Join(option("3").shows("dhcp.option.router"), ","), "-"), or(strings.Join(option("6").shows("dhcp.option.domain_name_server"), ","), "-"), value("15")))
			}
		}
		return out
	},
}

var dhcp6Comparison = comparison{
	name:   "dhcpv6",
	fields: "per message: type, transaction, client and server DUID, FQDN, option request list, first address and its lifetime, DNS servers, vendor class",
	ours: func(events []*event.Event) (out []string) {
		details(events, func(_ *event.Event, d *event.DHCP) {
			if d.Version == 6 {
				out = append(out, fmt.Sprintf("%s %s client %s server %s fqdn %q list %s ip %s %d dns %s vendor %q", d.Type, d.Transaction, d.ClientID, d.ServerID, d.FQDN, d.ParameterList, d.ClientIP, d.LeaseSeconds,
					or(strings.Join(d.DNSServers, ","), "-"), d.VendorClass))
			}
		})
		return out
	},
	theirs: func(packets []*dissected) (out []string) {
		types := []string{"", "SOLICIT", "ADVERTISE", "REQUEST", "CONFIRM", "RENEW", "REBIND", "REPLY", "RELEASE", "DECLINE", "RECONFIGURE", "INFORMATION-REQUEST", "RELAY-FORW", "RELAY-REPL"}
		for _, p := range packets {
			for _, n := range p.of("dhcpv6") {
				duid := func(name string) string {
					for _, o := range n.all("dhcpv6.option.type_str") {
						if o.show == name {
							return strings.ReplaceAll(o.get("dhcpv6.duid.bytes"), ":", "")
						}
					}
					return ""
				}
				vendor := ""
				if e := n.get("dhcpv6.vendorclass.enterprise"); e != "" {
					vendor = e + " " + n.get("dhcpv6.vendorclass.data")
				}
				typ := number(n.get("dhcpv6.msgtype"))
				if typ >= len(types) {
					typ = 0
				}
				out = append(out, fmt.Sprintf("%s %s client %s server %s fqdn %q list %s ip %s %d dns %s vendor %q", types[typ], strings.TrimPrefix(n.get("dhcpv6.xid"), "0x"), duid("Client Identifier"), duid("Server Identifier"),
					strings.TrimSuffix(n.get("dhcpv6.client_domain"), "."), strings.Join(n.shows("dhcpv6.requested_option_code"), ","), n.get("dhcpv6.iaaddr.ip"), number(n.get("dhcpv6.iaaddr.valid_lifetime")),
					or(strings.Join(n.shows("dhcpv6.dns_server"), ","), "-"), vendor))
			}
		}
		return out
	},
}

// dnsMessage is a DNS message in the form that both sides are brought to.
type dnsMessage struct {
	id, opcode, rcode int
	flags             []string
	question, typ     string
	answers           []string
}

func (m *dnsMessage) String() string {
	return fmt.Sprintf("%d opcode %d rcode %d %v %s %s %v", m.id, m.opcode, m.rcode, m.flags, strings.ToLower(m.question), m.typ, m.answers)
}

func dnsOurs(kinds ...string) func(events []*event.Event) []string {
	return func(events []*event.Event) (out []string) {
		details(events, func(e *event.Event, d *event.DNS) {
			if !slices.Contains(kinds, e.Protocol) {
				return
			}
			m := &dnsMessage{id: int(d.ID), opcode: int(d.Opcode), rcode: d.RCode, flags: d.Flags, question: d.Query, typ: d.Type}
			for _, a := range d.Answers {
				m.answers = append(m.answers, dnsAnswer(a.Name, a.Type, a.TTL, a.RData))
			}
			if e.Activity == 1 {
				out = append(out, fmt.Sprint("query ", m))
				return
			}
			out = append(out, fmt.Sprint("response ", m))
		})
		return out
	}
}

// comparedData are the types whose data is compared, not only name and lifetime.
var comparedData = []string{"A", "AAAA", "PTR", "CNAME", "NS", "SRV", "TXT", "MX"}

func dnsAnswer(name, typ string, ttl uint32, data string) string {
	if !slices.Contains(comparedData, typ) {
		data = "…"
	}
	return fmt.Sprintf("{%s %s %d %q}", strings.ToLower(name), typ, ttl, data)
}

// dnsTheirs joins answers with their questions when join is set, as the sensor
// does for DNS and LLMNR.
func dnsTheirs(join bool, kinds ...string) func(packets []*dissected) []string {
	return func(packets []*dissected) (out []string) {
		type asked struct {
			m    *dnsMessage
			done bool
		}
		pending := map[string]*asked{}
		told := map[string]bool{}
		for _, p := range packets {
			conv, _ := p.conversation()
			for _, n := range p.of(kinds...) {
				m := &dnsMessage{id: number(n.get("dns.id")), opcode: number(n.get("dns.flags.opcode")), rcode: number(n.get("dns.flags.rcode"))}
				for _, f := range []struct{ field, name string }{{"authoritative", "AA"}, {"truncated", "TC"}, {"recdesired", "RD"}, {"recavail", "RA"}, {"authenticated", "AD"}, {"checkdisable", "CD"}} {
					if n.get("dns.flags."+f.field) == "1" {
						m.flags = append(m.flags, f.name)
					}
				}
				if q := n.get("dns.qry.name"); n.get("dns.qry.type") != "" {
					m.question, m.typ = strings.TrimSuffix(q, "<Root>"), typeOf(n.all("dns.qry.type")[0])
				}
				for _, k := range n.kids {
					if k.name == "" && strings.HasPrefix(k.show, "Answers") {
						for _, r := range k.kids {
							m.answers = append(m.answers, theirAnswer(r))
						}
					}
				}
				key := conv + m.String()[:strings.IndexByte(m.String(), ' ')] + strings.ToLower(m.question) + m.typ
				if !join { // what begins as something that was said before is passed over
					said := conv + n.get("dns.flags.response") + m.question + m.typ
					if len(m.answers) > 0 {
						said += m.answers[0]
					}
					if told[said] {
						continue
					}
					told[said] = true
				}
				if n.get("dns.flags.response") == "1" {
					if q := pending[key]; q != nil {
						q.done = true
						delete(pending, key)
					}
					out = append(out, fmt.Sprint("response ", m))
					continue
				}
				if !join {
					out = append(out, fmt.Sprint("query ", m))
					continue
				}
				if pending[key] == nil {
					pending[key] = &asked{m: m}
				}
			}
		}
		for _, q := range pending {
			if !q.done {
				out = append(out, fmt.Sprint("query ", q.m))
			}
		}
		return out
	}
}

// typeOf reads "Type: A (Host Address) (1)".
func typeOf(n *node) string {
	f := strings.Fields(strings.TrimPrefix(n.showname, "Type: "))
	switch {
	case len(f) == 0:
		return n.show
	case f[0] == "*":
		return "ANY"
	}
	return f[0]
}

func theirAnswer(r *node) string {
	typ := ""
	for _, k := range r.all("dns.resp.type") {
		typ = typeOf(k)
	}
	data := ""
	switch typ {
	case "A":
		data = r.get("dns.a")
	case "AAAA":
		data = r.get("dns.aaaa")
	case "PTR":
		data = r.get("dns.ptr.domain_name")
	case "CNAME":
		data = r.get("dns.cname")
	case "NS":
		data = r.get("dns.ns")
	case "MX":
		data = r.get("dns.mx.preference") + " " + r.get("dns.mx.mail_exchange")
	case "SRV":
		data = strings.Join([]string{r.get("dns.srv.priority"), r.get("dns.srv.weight"), r.get("dns.srv.port"), r.get("dns.srv.target")}, " ")
	case "TXT":
		for i, t := range r.shows("dns.txt") {
			if i > 0 {
				data += " "
			}
			data += `"` + t + `"`
		}
	}
	name, _, _ := strings.Cut(r.show, ": type ") // SRV has its name in pieces otherwise
	return dnsAnswer(name, typ, uint32(number(r.get("dns.resp.ttl"))), data)
}

var dnsComparison = comparison{
	name:   "dns",
	fields: "DNS and LLMNR, per question with its answer: identifier, opcode, response code, flags, name and type asked, each answer's name, type, lifetime and, for A, AAAA, PTR, CNAME, NS, MX, SRV and TXT, data",
	ours:   dnsOurs("dns", "llmnr"), theirs: dnsTheirs(true, "dns", "llmnr"),
}

var mdnsComparison = comparison{
	name:   "mdns",
	fields: "the same of mDNS, per message; once what begins with the same question or first answer in a conversation",
	ours:   dnsOurs("mdns"), theirs: dnsTheirs(false, "mdns"), set: true,
}

func applications(events []*event.Event, name string, f func(e *event.Event, a *event.Application)) {
	details(events, func(e *event.Event, a *event.Application) {
		if a.Name == name {
			f(e, a)
		}
	})
}

// capabilityNames are the sensor's words for the fields of tshark.
var capabilityNames = []struct{ field, name string }{{"other", "other"}, {"repeater", "repeater"}, {"bridge", "bridge"}, {"wlan_access_pt", "wlan-ap"}, {"router", "router"}, {"telephone", "phone"}, {"docsis_cable_device", "docsis"}, {"station_only", "station"}}

var lldpComparison = comparison{
	name:   "lldp",
	fields: "per frame: chassis and port identifier, port description, system name and description, enabled capabilities, management addresses, port VLAN, LLDP-MED class and inventory; a lifetime of zero",
	ours: func(events []*event.Event) (out []string) {
		applications(events, "lldp", func(_ *event.Event, a *event.Application) {
			l := a.Operation
			for _, k := range []string{"chassis_id", "port_id", "port_description", "system_name", "system_description", "capabilities", "management_address", "port_vlan",
				"hardware", "firmware", "software", "serial", "manufacturer", "model", "asset_id"} {
				l += fmt.Sprintf(" %q", attribute(a, k))
			}
			out = append(out, l)
		})
		return out
	},
	theirs: func(packets []*dissected) (out []string) {
		for _, p := range packets {
			for _, n := range p.of("lldp") {
				either := func(names ...string) string {
					for _, k := range names {
						if v := n.get(k); v != "" {
							return v
						}
					}
					return ""
				}
				l := "advertisement"
				if n.get("lldp.time_to_live") == "0" {
					l = "shutdown"
				}
				var caps []string
				for _, c := range capabilityNames {
					if n.get("lldp.tlv.enable_system_cap."+c.field) == "1" {
						caps = append(caps, c.name)
					}
				}
				var addrs []string
				n.walk(func(k *node) {
					if k.name == "lldp.mgn.addr.ip4" || k.name == "lldp.mgn.addr.ip6" {
						addrs = append(addrs, k.show)
					}
				})
				vlan := n.get("lldp.ieee.802_1.port_vlan.id")
				if vlan == "0" {
					vlan = ""
				}
				for _, v := range []string{either("lldp.chassis.id.mac", "lldp.chassis.id.ip4", "lldp.chassis.id"), either("lldp.port.id.mac", "lldp.port.id.ip4", "lldp.port.id"), n.get("lldp.port.desc"), n.get("lldp.tlv.system.name"), n.get("lldp.tlv.system.desc"),
					strings.Join(caps, ","), strings.Join(addrs, ","), vlan, n.get("lldp.media.hardware"), n.get("lldp.media.firmware"), n.get("lldp.media.software"), n.get("lldp.media.sn"),
					n.get("lldp.media.manufacturer"), n.get("lldp.media.model"), n.get("lldp.media.asset")} {
					l += fmt.Sprintf(" %q", v)
				}
				out = append(out, l)
			}
		}
		return out
	},
}

var cdpComparison = comparison{
	name:   "cdp",
	fields: "per frame: version, device and port identifier, platform, software version, addresses, native VLAN",
	ours: func(events []*event.Event) (out []string) {
		applications(events, "cdp", func(_ *event.Event, a *event.Application) {
			l := a.Version
			for _, k := range []string{"device_id", "port_id", "platform", "software", "addresses", "native_vlan"} {
				l += fmt.Sprintf(" %q", attribute(a, k))
			}
			out = append(out, l)
		})
		return out
	},
	theirs: func(packets []*dissected) (out []string) {
		for _, p := range packets {
			for _, n := range p.of("cdp") {
				l := n.get("cdp.version")
				var addrs []string
				n.walk(func(k *node) {
					if k.name == "cdp.nrgyz.ip_address" || k.name == "cdp.nrgyz.ipv6_address" {
						addrs = append(addrs, k.show)
					}
				})
				for _, v := range []string{n.get("cdp.deviceid"), n.get("cdp.portid"), n.get("cdp.platform"), n.get("cdp.software_version"), strings.Join(addrs, ","), n.get("cdp.native_vlan")} {
					l += fmt.Sprintf(" %q", v)
				}
				out = append(out, l)
			}
		}
		return out
	},
}

var snmpVersions = map[string]string{"0": "1", "1": "2c", "3": "3"}

var snmpOperations = map[string]string{"0": "get-request", "1": "get-next-request", "2": "response", "3": "set-request", "4": "trap", "5": "get-bulk-request", "6": "inform-request", "7": "snmpV2-trap", "8": "report"}

var snmpComparison = comparison{
	name:   "snmp",
	fields: "each kind of message of a conversation: version, PDU type, engine identifier and security level, first object identifiers; sysName and sysDescr; each once",
	set:    true,
	ours: func(events []*event.Event) (out []string) {
		applications(events, "snmp", func(_ *event.Event, a *event.Application) {
			if a.Operation != "summary" {
				out = append(out, fmt.Sprintf("message %s %s engine %s level %s", a.Version, a.Operation, attribute(a, "engine_id"), attribute(a, "security_level")))
				if l := attribute(a, "oids"); l != "" {
					out = append(out, "asks or tells "+strings.SplitN(l, ",", 2)[0])
				}
			}
		})
		details(events, func(_ *event.Event, d *event.DeviceEvidence) {
			switch v := d.Evidence; v.Source {
			case "snmp.sysName":
				if v.Attribute == device.AttrHostname {
					out = append(out, "sysName "+v.Value)
				}
			case "snmp.sysDescr":
				if v.Attribute == device.AttrBanner {
					out = append(out, "sysDescr "+v.Value)
				}
			}
		})
		return out
	},
	theirs: func(packets []*dissected) (out []string) {
		told := map[string]bool{}
		for _, p := range packets {
			conv, sender := p.conversation()
			for _, n := range p.of("snmp") {
				version := or(snmpVersions[or(n.get("snmp.version"), n.get("snmp.msgVersion"))], "?")
				op := "encrypted"
				for _, k := range n.all("snmp.data") {
					op = snmpOperations[k.show]
				}
				level := ""
				if version == "3" {
					level = map[string]string{"00": "noAuthNoPriv", "10": "authNoPriv", "11": "authPriv"}[n.get("snmp.v3.flags.auth")+n.get("snmp.v3.flags.crypt")]
				}
				out = append(out, fmt.Sprintf("message %s %s engine %s level %s", version, op, strings.ReplaceAll(n.get("snmp.msgAuthoritativeEngineID"), ":", ""), level))
				names := n.all("snmp.name")
				// A write or a trap is told each, anything else once in a conversation.
				kind := conv + sender + op + n.get("snmp.community") + n.get("snmp.msgUserName") + n.get("snmp.error_status") + level
				always := op == "set-request" || strings.HasPrefix(op, "trap") || op == "inform-request"
				if len(names) > 0 && (always || !told[kind]) {
					out = append(out, "asks or tells "+names[0].show)
				}
				told[kind] = true
				if op != "response" && op != "report" {
					continue
				}
				n.walk(func(k *node) {
					if len(k.kids) < 2 || k.kids[0].name != "snmp.name" {
						return
					}
					for _, v := range k.all("snmp.value.octets") {
						switch k.kids[0].show {
						case "1.3.6.1.2.1.1.5.0":
							out = append(out, "sysName "+v.text())
						case "1.3.6.1.2.1.1.1.0":
							out = append(out, "sysDescr "+v.text())
						}
					}
				})
			}
		}
		return out
	},
}
