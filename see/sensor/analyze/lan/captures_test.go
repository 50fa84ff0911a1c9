// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
)

// Hosts of the recorded captures, see scripts/record-lan.
const (
	routerMAC = "00:00:0c:0a:20:01"
	pumpMAC   = "00:16:6f:0a:20:11"
	camMAC    = "00:40:8c:0a:20:12"
	srv       = "10.30.1.20"
	ws        = "10.30.1.21"
)

func details[T event.Detail](h *analyzetest.Host) (out []T) {
	for _, e := range h.Events {
		if d, ok := e.Detail.(T); ok {
			out = append(out, d)
		}
	}
	return out
}

func TestDHCPGivesEveryClientItsIdentity(t *testing.T) {
	h := replay(t, captures+"dhcp/dhcpv4.pcap")
	want(t, h, pumpMAC, "hostname=pump-7", "fqdn=pump-7.or.lindenhof.example", "dhcp_vendor=Infusion Pump PX-200 fw 4.1.2", "dhcp_print=1,3,6,15,119,42,12,26", "uses=dhcp")
	want(t, h, camMAC, "hostname=cam-ceiling", "dhcp_vendor=Acme IPCam 2.0")
	want(t, h, "10.30.1.1", "service=dhcp/udp:67", "router=true")
	want(t, h, srv, "service=dns/udp:53", "service=ntp/udp:123")
	var ack *event.DHCP
	for _, d := range details[*event.DHCP](h) {
		if d.Type == "DHCPACK" && d.ClientMAC == pumpMAC {
			ack = d
		}
	}
	if ack == nil || ack.ServerID != "10.30.1.1" || ack.LeaseSeconds != 7200 || !slices.Equal(ack.Routers, []string{"10.30.1.1"}) || ack.Domain != "or.lindenhof.example" {
		t.Fatalf("%+v", ack)
	}
	want(t, h, pumpMAC, "ip="+ack.ClientIP)
	for _, e := range h.Events {
		if e.Protocol == "dhcp" && e.Flow.Dst.Port != 67 {
			t.Errorf("the server is not the flow's destination: %+v", e.Flow)
		}
	}
}

func TestDHCPv6AndRouterAdvertisements(t *testing.T) {
	h := replay(t, captures+"dhcp/dhcpv6.pcap")
	want(t, h, pumpMAC, "fqdn=pump-7.or.lindenhof.example", "device_id=duid:0003000100166f0a2011", "uses=dhcp6", "ip=fe80::216:6fff:fe0a:2011")
	want(t, h, routerMAC, "router=true", "capability=router", "service=dhcp6/udp:547")
	want(t, h, "fd30::1", "service=dns/udp:53")
	if got := attr(h, "icmp6", "router-advertisement", "prefixes"); got != "fd30::/64" {
		t.Errorf("prefixes %q", got)
	}
}

func TestDNSAnswersAreJoinedWithQuestions(t *testing.T) {
	h := replay(t, captures+"dns/dns.pcap")
	want(t, h, "10.30.1.1", "service=dns/udp:53", "service=dns/tcp:53")
	want(t, h, ws, "uses=dns")
	want(t, h, "10.30.1.50", "fqdn=archive.lindenhof.example")
	got := map[string]string{}
	for _, e := range h.Events {
		if d, ok := e.Detail.(*event.DNS); ok && e.Activity == 6 {
			v := d.RCodeName
			if len(d.Answers) > 0 {
				v = d.Answers[len(d.Answers)-1].RData
			}
			got[d.Query+" "+d.Type] = v
		}
	}
	for q, v := range map[string]string{
		"archive.lindenhof.example A":       "10.30.1.50",
		"pacs.lindenhof.example A":          "10.30.1.50",
		"lindenhof.example MX":              "10 mail.lindenhof.example",
		"lindenhof.example TXT":             `"v=spf1 -all"`,
		"_dicom._tcp.lindenhof.example SRV": "5 10 104 archive.lindenhof.example",
		"lindenhof.example CAA":             `0 issue "ca.lindenhof.example"`,
		"lindenhof.example HTTPS":           "1 . alpn=h2 port=443",
		"lindenhof.example DS":              "12345 15 2 01020304",
		"nothere.lindenhof.example A":       "NXDOMAIN",
		"50.1.30.10.in-addr.arpa PTR":       "archive.lindenhof.example",
		"version.bind TXT":                  "REFUSED",
		"lindenhof.example NAPTR":           `100 50 "s" "http+E2U" "!^.*$!https://archive.lindenhof.example!" .`,
	} {
		if got[q] != v {
			t.Errorf("%s: got %q, want %q", q, got[q], v)
		}
	}
}

func TestMulticastDNSNamesServicesAndModels(t *testing.T) {
	h := replay(t, captures+"dns/mdns.pcap")
	want(t, h, srv, "hostname=srv-or3", "os=Linux", "service=ipp/tcp:631", "service=dicom/tcp:104", "service=adb-tls-connect/tcp:37001", "model=Zebra ZD621", "vendor=Zebra",
		"location=OR 3", "class=printer", "mac=58:55:ca:1a:e2:88", "mac=0c:c4:7a:0a:20:20")
	want(t, h, ws, "hostname=ws-or3")
}

func TestNeighboursDescribeThemselves(t *testing.T) {
	h := replay(t, captures+"lldp/lldp-cdp.pcap")
	want(t, h, pumpMAC, "hostname=pump-7", "mac="+pumpMAC, "capability=station")
	want(t, h, "0c:c4:7a:0a:20:20", "hostname=srv-mgmt", "ip="+srv, "banner=srv system, OS 4.2")
	if attr(h, "lldp", "advertisement", "med_class") == "" || len(apps(h, "cdp")) == 0 {
		t.Errorf("%v", apps(h, "cdp"))
	}
	want(t, h, camMAC, "hostname=cam-ceiling", "device_id=cdp:cam-ceiling", "os=Linux", "capability=station")
}

func TestSNMPNeverShowsAPassword(t *testing.T) {
	h := replay(t, captures+"snmp/snmp.pcap")
	want(t, h, srv, "service=snmp/udp:161", "hostname=srv-mgmt.lindenhof.example", "location=OR 3, rack 2", "uses=snmp-trap")
	want(t, h, ws, "uses=snmp")
	for _, secret := range []string{"t0psecret", "biomed", "authpass", "public", "private"} {
		never(t, h, secret)
	}
	all := strings.Join(apps(h, "snmp"), "\n")
	for _, s := range []string{"community_default=true", "community_default=false", "security_level=authPriv", "trap_oid=1.3.6.1.6.3.1.1.5.3", "enterprise=1.3.6.1.4.1.8072.2.3"} {
		if !strings.Contains(all, s) {
			t.Errorf("no event with %s in\n%s", s, all)
		}
	}
	if n := strings.Count(all, "set-request"); n != 1 {
		t.Errorf("the repetitions of one write are %d events", n)
	}
}

func TestRADIUSKnowsPortAndVLAN(t *testing.T) {
	h := replay(t, captures+"radius/radius.pcap")
	want(t, h, "00:16:6f:0a:20:12", "switch_port=10.30.1.21|Gi1/0/18", "vlan=31")
	want(t, h, pumpMAC, "vlan=30", "ip=10.30.1.100", "switch_port=switch-or3|Gi1/0/17")
	want(t, h, ws, "hostname=switch-or3", "class=network", "uses=radius")
	want(t, h, srv, "service=radius/udp:1812", "service=radius/udp:1813")
	never(t, h, "pump-7")
	never(t, h, "nobody")
	got := apps(h, "radius")
	if len(got) != 5 || !strings.Contains(got[0], "eap_method=peap") || !strings.Contains(got[1], "eap_method=md5-challenge") ||
		!strings.Contains(got[2], "request_message_authenticator=false") || !strings.HasPrefix(got[4], "Access-Reject") {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

func TestNetworkLoginsHideWhoIsAPerson(t *testing.T) {
	h := replay(t, captures+"eapol/eapol.pcap")
	never(t, h, "pump-7")
	want(t, h, "9c:7b:ef:0a:20:21", "hostname=ws-anaesthesia", "fqdn=ws-anaesthesia.lindenhof.example", "uses=eapol")
	want(t, h, routerMAC, "capability=authenticator")
	var ends []string
	for _, e := range h.Events {
		if a, ok := e.Detail.(*event.Application); ok && (a.Operation == "success" || a.Operation == "failure") {
			ends = append(ends, a.Operation)
		}
	}
	if !slices.Equal(ends, []string{"success", "failure"}) {
		t.Errorf("%v", ends)
	}
}

func TestNetBIOSNames(t *testing.T) {
	h := replay(t, captures+"netbios/nbns.pcap")
	want(t, h, ws, "hostname=WS-ANAESTHESIA", "capability=file-server", "capability=print-server")
	if strings.Contains(strings.Join(apps(h, "nbns"), "\n"), "WS-ANAESTHESIA<03>") {
		t.Error("a messenger name is in clear")
	}
	if got := attr(h, "nbns", "node-status", "role"); got != "workstation" {
		t.Errorf("role %q", got)
	}
}

func TestUPnP(t *testing.T) {
	h := replay(t, captures+"ssdp/ssdp.pcap")
	want(t, h, srv, "service=upnp/tcp:8200", "device_id=uuid:4d696e69-444c-164e-9d41-0cc47a0a2020", "os=Debian")
	want(t, h, ws, "uses=ssdp", "os=Windows 10.0")
}

func TestTime(t *testing.T) {
	h := replay(t, captures+"ntp/ntp.pcap")
	want(t, h, srv, "service=ntp/udp:123")
	want(t, h, ws, "uses=ntp")
	var modes []uint8
	for _, e := range h.Events {
		if d, ok := e.Detail.(*event.NTP); ok {
			modes = append(modes, e.Activity)
			if e.Activity == 4 && (d.Stratum != 3 || d.OffsetMS < -50 || d.OffsetMS > 50) {
				t.Errorf("%+v", d)
			}
			if e.Activity == 7 && e.StatusDetail != "monlist" {
				t.Errorf("a monitor list was not flagged: %+v", e)
			}
		}
	}
	if !slices.Equal(modes, []uint8{4, 7, 6}) {
		t.Errorf("modes %v", modes)
	}
}

func TestLogsAreCountedNotRead(t *testing.T) {
	h := replay(t, captures+"syslog/syslog.pcap")
	want(t, h, srv, "service=syslog/udp:514", "service=syslog/tcp:601", "service=syslog/tcp:514")
	want(t, h, ws, "hostname=ws-anaesthesia", "uses=syslog")
	for _, text := range []string{"door open", "battery", "hungry", "first", "second"} {
		never(t, h, text)
	}
	var framings []string
	for _, e := range h.Events {
		if a, ok := e.Detail.(*event.Application); ok && a.Operation == "log" {
			framings = append(framings, a.Attributes[len(a.Attributes)-1].Value)
		}
	}
	if !slices.Equal(framings, []string{"udp", "udp", "octet-counting", "line-feed"}) {
		t.Errorf("%v", framings)
	}
}

func TestTFTPTransfersAreFoundOnTheirOwnPorts(t *testing.T) {
	h := replay(t, captures+"tftp/tftp.pcap")
	want(t, h, srv, "service=tftp/udp:69")
	all := strings.Join(apps(h, "tftp"), "\n")
	for _, s := range []string{"read file=pump.bin mode=octet", "transfer bytes=3000 blocks=6 acknowledgements=6", "read file=missing.cfg mode=netascii"} {
		if !strings.Contains(all, s) {
			t.Errorf("no %q in\n%s", s, all)
		}
	}
}

func TestBuildingEquipment(t *testing.T) {
	h := replay(t, captures+"bacnet/bacnet.pcap")
	want(t, h, srv, "device_id=bacnet:4711", "class=building-system", "vendor=Siemens Building Technologies", "model=PXC36.1-E.D", "firmware=FW=6.20.30", "hostname=AHU-OR3",
		"location=OR 3 plenum", "service=bacnet/udp:47808")
	want(t, h, ws, "uses=bacnet")
	all := strings.Join(apps(h, "bacnet"), "\n")
	for _, s := range []string{"writeProperty property=analog-output,3 present-value = 21.5 priority=8", "i-Am device_instance=4711 vendor_id=7 vendor=Siemens", "timeSynchronization"} {
		if !strings.Contains(all, s) {
			t.Errorf("no %q in\n%s", s, all)
		}
	}
}

func TestLinkLayer(t *testing.T) {
	h := replay(t, captures+"icmp/icmp-arp-igmp.pcap")
	want(t, h, "9c:7b:ef:0a:20:21", "ip="+ws)
	want(t, h, srv, "uses=ssdp")
	if got := attr(h, "icmp", "port-unreachable", "destination_port"); got != "9999" {
		t.Errorf("unreachable port %q", got)
	}
	if got := apps(h, "arp"); len(got) == 0 || !strings.HasPrefix(got[0], "announcement") && !strings.HasPrefix(got[0], "gratuitous-reply") {
		t.Errorf("%v", got)
	}
	h = replay(t, captures+"vrrp/vrrp.pcap")
	want(t, h, "10.30.1.1", "router=true", "class=network")
}

// The captures of other projects, read where they are.

func TestZeeksDHCP(t *testing.T) {
	h := replay(t, shared+"zeek/dhcp_dhcp.pcap")
	if n := len(details[*event.DHCP](h)); n < 2 {
		t.Errorf("%d DHCP events", n)
	}
}

func TestZeeksLLDP(t *testing.T) {
	h := replay(t, shared+"zeek/lldp.pcap")
	if len(apps(h, "lldp")) != 1 {
		t.Errorf("%v", apps(h, "lldp"))
	}
}

func TestZeeksRADIUS(t *testing.T) {
	h := replay(t, shared+"zeek/radius_radius.pcap")
	if len(apps(h, "radius")) == 0 {
		t.Error("nothing")
	}
}

func TestZeeksMulticastDNS(t *testing.T) {
	h := replay(t, shared+"zeek/dns_mdns.pcap")
	if len(details[*event.DNS](h)) == 0 {
		t.Error("nothing")
	}
}

func TestNDPIsSNMPAndTFTP(t *testing.T) {
	if h := replay(t, shared+"ndpi/snmp.pcap"); len(apps(h, "snmp")) == 0 {
		t.Error("no SNMP")
	}
	if h := replay(t, shared+"ndpi/tftp.pcap"); len(apps(h, "tftp")) == 0 {
		t.Error("no TFTP")
	}
}

func TestMalformedDHCPDoesNotStopTheAnalyser(t *testing.T) {
	h := replay(t, shared+"ndpi/dhcp-fuzz.pcapng")
	for _, e := range h.Events {
		if d, ok := e.Detail.(*event.DHCP); ok && len(d.Hostname) > 256 {
			t.Errorf("%d octets of host name", len(d.Hostname))
		}
	}
}
