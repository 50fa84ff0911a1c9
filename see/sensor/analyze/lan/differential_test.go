// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/wire/bacnet"
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/cdp"
	"github.com/asepsis/asepsis/wire/dhcp"
	"github.com/asepsis/asepsis/wire/dns"
	"github.com/asepsis/asepsis/wire/lldp"
	"github.com/asepsis/asepsis/wire/netbios"
	"github.com/asepsis/asepsis/wire/ntp"
	"github.com/asepsis/asepsis/wire/packet"
	"github.com/asepsis/asepsis/wire/radius"
	"github.com/asepsis/asepsis/wire/snmp"
)

// tshark lists fields of the frames that match a filter: frame number to
// values, several values of one field joined by "|".
func tshark(t *testing.T, file, filter string, fields ...string) map[int][]string {
	t.Helper()
	args := []string{"-n", "-r", file, "-Y", filter, "-T", "fields", "-E", "separator=\t", "-E", "aggregator=|", "-e", "frame.number"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	rows := map[int][]string{}
	for _, l := range strings.Split(strings.TrimRight(string(out), "\n"), "\n") {
		if l == "" {
			continue
		}
		v := strings.Split(l, "\t")
		n, err := strconv.Atoi(v[0])
		if err != nil {
			t.Fatal(err)
		}
		rows[n] = v[1:]
	}
	return rows
}

// packets decodes a capture: frame number to packet.
func packets(t *testing.T, file string) map[int]*packet.Packet {
	t.Helper()
	r, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	src, err := capture.NewReader(r, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]*packet.Packet{}
	var fr capture.Frame
	for n := 1; src.Next(&fr) == nil; n++ {
		p := &packet.Packet{Time: fr.Time}
		packet.Decode(p, uint16(fr.Link), append([]byte(nil), fr.Data...), fr.OrigLen)
		out[n] = p
	}
	return out
}

// opt writes a number that is absent when zero.
func opt[T uint8 | uint16 | uint32](v T) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(v), 10)
}

// TestFieldsAgreeWithTshark holds the parsers' fields to those of an
// independent decoder, frame by frame, on recorded captures and on those of
// other projects.
func TestFieldsAgreeWithTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	for _, tc := range []struct {
		name, filter string
		files        []string
		fields       []string
		ours         func(p *packet.Packet) []string
	}{
		{"DHCP", "dhcp", []string{captures + "dhcp/dhcpv4.pcap", shared + "zeek/dhcp_dhcp.pcap"},
			[]string{"dhcp.id", "dhcp.option.dhcp", "dhcp.hw.mac_addr", "dhcp.ip.your", "dhcp.option.hostname", "dhcp.option.vendor_class_id", "dhcp.option.ip_address_lease_time",
				"dhcp.option.router", "dhcp.option.domain_name_server", "dhcp.option.domain_name", "dhcp.option.request_list_item"},
			func(p *packet.Packet) []string {
				m, _ := dhcp.ParseV4(p.Payload)
				lease := ""
				if m.Lease != 0 {
					lease = fmt.Sprint(m.Lease)
				}
				return []string{fmt.Sprintf("0x%08x", m.XID), fmt.Sprint(m.Type), device.MAC(m.ClientMAC).String(), m.Yiaddr.String(), m.Hostname, m.VendorClass, lease,
					strings.ReplaceAll(joinAddrs(m.Routers), ",", "|"), strings.ReplaceAll(joinAddrs(m.DNS), ",", "|"), m.Domain, strings.ReplaceAll(dhcp.List(m.Parameters), ",", "|")}
			}},
		{"DHCPv6", "dhcpv6", []string{captures + "dhcp/dhcpv6.pcap"},
			[]string{"dhcpv6.msgtype", "dhcpv6.xid", "dhcpv6.iaaddr.ip", "dhcpv6.client_domain", "dhcpv6.requested_option_code"},
			func(p *packet.Packet) []string {
				m, _ := dhcp.ParseV6(p.Payload)
				ip, req := "", []string{}
				if len(m.Leases) > 0 {
					ip = m.Leases[0].Prefix.Addr().String()
				}
				for _, o := range m.Requested {
					req = append(req, fmt.Sprint(o))
				}
				return []string{fmt.Sprint(m.Type), fmt.Sprintf("0x%06x", m.XID), ip, m.FQDN, strings.Join(req, "|")}
			}},
		{"DNS", "(dns || mdns) && udp", []string{captures + "dns/dns.pcap", captures + "dns/mdns.pcap", shared + "zeek/dns_mdns.pcap"},
			[]string{"dns.id", "dns.flags.rcode", "dns.count.answers", "dns.qry.name", "dns.qry.type", "dns.a", "dns.aaaa", "dns.srv.port", "dns.ptr.domain_name", "dns.cname", "dns.mx.mail_exchange"},
			func(p *packet.Packet) []string {
				m, _ := dns.Parse(p.Payload)
				rcode := ""
				if m.Response {
					rcode = fmt.Sprint(m.RCode & 15)
				}
				var names, types, a, aaaa, port, ptr, cname, mx []string
				for _, q := range m.Questions {
					names, types = append(names, q.Name), append(types, fmt.Sprint(q.Type))
				}
				for _, l := range [][]dns.Record{m.Answers, m.Authority, m.Additional} {
					for _, r := range l {
						switch r.Type {
						case dns.TypeA:
							a = append(a, r.Data)
						case dns.TypeAAAA:
							aaaa = append(aaaa, r.Data)
						case dns.TypeSRV:
							port = append(port, fmt.Sprint(r.Port))
						case dns.TypePTR:
							ptr = append(ptr, r.Target)
						case dns.TypeCNAME:
							cname = append(cname, r.Target)
						case dns.TypeMX:
							mx = append(mx, r.Target)
						}
					}
				}
				j := func(s []string) string { return strings.Join(s, "|") }
				return []string{fmt.Sprintf("0x%04x", m.ID), rcode, fmt.Sprint(m.Counts[1]), j(names), j(types), j(a), j(aaaa), j(port), j(ptr), j(cname), j(mx)}
			}},
		{"SNMP", "snmp && udp", []string{captures + "snmp/snmp.pcap", shared + "ndpi/snmp.pcap"},
			[]string{"snmp.version", "snmp.community", "snmp.name", "snmp.msgAuthoritativeEngineID", "snmp.msgUserName"},
			func(p *packet.Packet) []string {
				m, _ := snmp.Parse(p.Payload, p.Missing)
				var oids []string
				for _, b := range m.Bindings {
					oids = append(oids, b.OID)
				}
				version := fmt.Sprint(m.Version)
				if m.Version == snmp.V3 { // another field there
					version = ""
				}
				return []string{version, string(m.Community), strings.Join(oids, "|"), hex.EncodeToString(m.Engine.Raw), string(m.User)}
			}},
		{"RADIUS", "radius", []string{captures + "radius/radius.pcap", shared + "zeek/radius_radius.pcap"},
			[]string{"radius.code", "radius.id", "radius.User_Name", "radius.Calling_Station_Id", "radius.NAS_Identifier", "radius.NAS_Port_Id", "radius.Tunnel_Private_Group_Id"},
			func(p *packet.Packet) []string {
				m, _ := radius.Parse(p.Payload)
				return []string{fmt.Sprint(m.Code), fmt.Sprint(m.ID), m.UserName, m.CallingStation, m.NASIdentifier, m.NASPortID, m.TunnelGroup}
			}},
		{"LLDP", "lldp", []string{captures + "lldp/lldp-cdp.pcap", shared + "zeek/lldp.pcap"},
			[]string{"lldp.chassis.id.mac", "lldp.time_to_live", "lldp.tlv.system.name", "lldp.tlv.system.desc", "lldp.mgn.addr.ip4"},
			func(p *packet.Packet) []string {
				m, _ := lldp.Parse(p.Payload)
				mac, v4 := "", ""
				if m.Chassis.HasMAC {
					mac = m.Chassis.Text
				}
				for _, a := range m.Management {
					if a.Is4() {
						v4 = a.String()
					}
				}
				return []string{mac, fmt.Sprint(m.TTL), m.SystemName, m.SystemDescription, v4}
			}},
		{"CDP", "cdp", []string{captures + "lldp/lldp-cdp.pcap"}, []string{"cdp.version", "cdp.ttl", "cdp.deviceid", "cdp.platform", "cdp.portid"},
			func(p *packet.Packet) []string {
				m, _ := cdp.Parse(p.Payload)
				return []string{fmt.Sprint(m.Version), fmt.Sprint(m.TTL), m.DeviceID, m.Platform, m.Port}
			}},
		{"NTP", "ntp", []string{captures + "ntp/ntp.pcap"}, []string{"ntp.flags.vn", "ntp.flags.mode", "ntp.stratum"},
			func(p *packet.Packet) []string {
				m, _ := ntp.Parse(p.Payload)
				stratum := fmt.Sprint(m.Stratum)
				if m.Mode > 5 {
					stratum = ""
				}
				return []string{fmt.Sprint(m.Version), fmt.Sprint(m.Mode), stratum}
			}},
		{"NBNS", "nbns", []string{captures + "netbios/nbns.pcap"}, []string{"nbns.id", "nbns.flags.opcode", "nbns.addr"},
			func(p *packet.Packet) []string {
				m, _ := netbios.Parse(p.Payload)
				return []string{fmt.Sprintf("0x%04x", m.ID), fmt.Sprint(m.Opcode), strings.ReplaceAll(joinAddrs(m.Addresses), ",", "|")}
			}},
		{"BACnet", "bacapp", []string{captures + "bacnet/bacnet.pcap"}, []string{"bvlc.function", "bacapp.type", "bacapp.invoke_id", "bacapp.vendor_identifier"},
			func(p *packet.Packet) []string {
				m, _ := bacnet.Parse(p.Payload)
				invoke := fmt.Sprint(m.InvokeID)
				if m.APDU == bacnet.Unconfirmed {
					invoke = ""
				}
				return []string{fmt.Sprintf("0x%02x", m.Function), fmt.Sprint(m.APDU), invoke, opt(m.Vendor)}
			}},
	} {
		for _, file := range tc.files {
			t.Run(tc.name+" in "+filepath.Base(file), func(t *testing.T) {
				if _, err := os.Stat(file); err != nil {
					t.Skipf("capture %s is not here", file)
				}
				rows := tshark(t, file, tc.filter, tc.fields...)
				pkts := packets(t, file)
				if len(rows) == 0 {
					t.Fatal("tshark finds no such frame")
				}
				for n, want := range rows {
					if strings.Contains(strings.Join(want, ""), "icmp") || pkts[n].Proto == packet.ProtoICMP || pkts[n].Proto == packet.ProtoICMPv6 {
						continue // quoted in an error message
					}
					got := tc.ours(pkts[n])
					for i, w := range want {
						g := got[i]
						if g == "." {
							g = "<Root>"
						}
						if w == "<MISSING>" {
							w = ""
						}
						if strings.HasPrefix(tc.fields[i], "dhcp.hw.") { // it is in the client identifier as well
							w, _, _ = strings.Cut(w, "|")
						}
						if tc.fields[i] == "dhcpv6.client_domain" { // not shown where RFC 4704 §4 forbids the option
							if w = strings.TrimSuffix(w, "."); w == "" {
								continue
							}
						}
						if w != g && !(w == "" && (g == "0" || g == "0.0.0.0")) {
							t.Errorf("frame %d, %s: tshark says %q, we say %q", n, tc.fields[i], w, g)
						}
					}
				}
			})
		}
	}
}
