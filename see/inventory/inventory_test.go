// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

// t0 is when the sequences of these tests begin.
var t0 = time.Date(2026, 3, 2, 7, 0, 0, 0, time.UTC).UnixNano()

func at(d time.Duration) int64 { return t0 + int64(d) }

// seen is one line of a sequence of observations.
type seen struct {
	after  time.Duration
	mac    string
	ip     string
	hops   uint8
	attr   device.Attribute
	value  string
	source string
	conf   device.Confidence
}

func (s seen) event(t testing.TB) *event.Event {
	t.Helper()
	var sub device.Subject
	if s.mac != "" {
		m, err := device.ParseMAC(s.mac)
		if err != nil {
			t.Fatal(err)
		}
		sub.MAC = m
	}
	if s.ip != "" {
		sub.IP = netip.MustParseAddr(s.ip)
	}
	sub.Hops = s.hops
	conf := s.conf
	if conf == 0 {
		conf = device.Claimed
	}
	return &event.Event{Time: at(s.after), Detail: &event.DeviceEvidence{Evidence: device.Evidence{
		Subject: sub, Attribute: s.attr, Value: s.value, Source: s.source, Confidence: conf, First: at(s.after), Last: at(s.after), Count: 1}}}
}

func fill(t testing.TB, i *Inventory, steps []seen) {
	t.Helper()
	for _, s := range steps {
		i.Observe(s.event(t))
	}
}

func inv(t testing.TB, steps []seen, opts ...Option) *Inventory {
	t.Helper()
	i, err := New(Default(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, i, steps)
	return i
}

// outline writes each device as its MACs and addresses, sorted: what is one
// device and what is not.
func outline(ds []device.Device) []string {
	var out []string
	for _, d := range ds {
		var parts []string
		for _, x := range d.Interfaces {
			if !x.MAC.IsZero() {
				parts = append(parts, x.MAC.String())
			}
			for _, ip := range x.IPs {
				parts = append(parts, ip.String())
			}
		}
		slices.Sort(parts)
		parts = slices.Compact(parts)
		if len(parts) == 0 {
			parts = []string{"behind " + d.Via}
		}
		out = append(out, strings.Join(parts, " "))
	}
	slices.Sort(out)
	return out
}

const (
	macCT    = "00:1a:2b:00:00:01"
	macPACS  = "00:1a:2b:00:00:02"
	macWS    = "00:1a:2b:00:00:03"
	macGW    = "00:00:0c:11:22:33"
	macOther = "00:1a:2b:00:00:09"
	hour     = time.Hour
	day      = 24 * time.Hour
)

func arp(after time.Duration, mac, ip string) seen {
	return seen{after: after, mac: mac, ip: ip, attr: device.AttrIP, value: ip, source: "arp"}
}

func lease(after time.Duration, mac, ip string) seen {
	return seen{after: after, mac: mac, attr: device.AttrIP, value: ip, source: "dhcp.ack", conf: device.Structured}
}

func says(after time.Duration, mac, ip string, attr device.Attribute, value string) seen {
	return seen{after: after, mac: mac, ip: ip, attr: attr, value: value, source: "test"}
}

func remote(after time.Duration, mac, ip string, attr device.Attribute, value string) seen {
	s := says(after, mac, ip, attr, value)
	s.hops = 1
	return s
}

func TestWhatIsOneDevice(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []seen
		want  []string
	}{
		{"evidence of one MAC with and without its address is one device", []seen{
			says(0, macCT, "", device.AttrHostname, "ct-1"),
			says(1, macCT, "10.0.0.11", device.AttrAETitle, "CT1"),
		}, []string{macCT + " 10.0.0.11"}},

		{"a device keeps its record when DHCP gives it another address", []seen{
			lease(0, macCT, "10.0.0.11"),
			says(1, macCT, "10.0.0.11", device.AttrAETitle, "CT1"),
			lease(2*day, macCT, "10.0.0.12"),
			says(2*day, macCT, "10.0.0.12", device.AttrAETitle, "CT1"),
		}, []string{macCT + " 10.0.0.11 10.0.0.12"}},

		{"an address that another MAC leases later is another device's", []seen{
			lease(0, macCT, "10.0.0.11"),
			says(1, macCT, "10.0.0.11", device.AttrHostname, "ct-1"),
			lease(2*day, macWS, "10.0.0.11"),
			says(2*day, macWS, "10.0.0.11", device.AttrHostname, "ws-7"),
		}, []string{macCT + " 10.0.0.11", macWS + " 10.0.0.11"}},

		{"what is reported late about the former holder of an address stays the former holder's", []seen{
			lease(0, macCT, "10.0.0.11"),
			says(1, macCT, "10.0.0.11", device.AttrHostname, "ct-1"),
			lease(2*day, macWS, "10.0.0.11"),
			says(hour, macCT, "10.0.0.11", device.AttrHostname, "ct-1"),
			lease(hour, macCT, "10.0.0.11"),
			says(2*day, macWS, "10.0.0.11", device.AttrHostname, "ws-7"),
		}, []string{macCT + " 10.0.0.11", macWS + " 10.0.0.11"}},

		{"a router that was never seen to claim an address keeps the one it sends from without loss of TTL", []seen{
			says(0, macGW, "10.0.0.1", device.AttrHostname, "core-1"),
			remote(1, macGW, "10.9.0.1", device.AttrHostname, "a"),
			remote(2, macGW, "10.9.0.2", device.AttrHostname, "b"),
		}, []string{macGW + " 10.0.0.1", "10.9.0.1", "10.9.0.2"}},

		{"a MAC told by NetBIOS from behind a router is the device's", []seen{
			remote(0, macGW, "10.9.0.1", device.AttrHostname, "a"),
			remote(0, macGW, "10.9.0.2", device.AttrHostname, "b"),
			{ip: "10.9.0.1", mac: macGW, hops: 1, attr: device.AttrMAC, value: macCT, source: "nbns.node-status"},
		}, []string{macCT + " 10.9.0.1", macGW, "10.9.0.2"}},

		{"a MAC told on the link is a second MAC of the device", []seen{
			says(0, macCT, "10.0.0.11", device.AttrHostname, "a"),
			{ip: "10.0.0.11", mac: macCT, attr: device.AttrMAC, value: macOther, source: "lldp.chassis-id", conf: device.Structured},
			says(0, macOther, "10.0.0.12", device.AttrHostname, "a2"),
		}, []string{macCT + " " + macOther + " 10.0.0.11 10.0.0.12"}},

		{"an address in a relayed mDNS record is not the relay's", []seen{
			says(0, macOther, "10.0.0.5", device.AttrHostname, "reflector"),
			{mac: macOther, ip: "10.0.0.5", attr: device.AttrIP, value: "10.0.0.11", source: "mdns.host"},
			says(1, macCT, "10.0.0.11", device.AttrHostname, "ct-1"),
		}, []string{macCT + " 10.0.0.11", macOther + " 10.0.0.5"}},

		{"a switch's host name as CDP device ID joins nothing", []seen{
			{mac: macCT, attr: device.AttrDeviceID, value: "cdp:access-switch-1", source: "cdp.device-id", conf: device.Structured},
			{mac: macOther, attr: device.AttrDeviceID, value: "cdp:access-switch-1", source: "cdp.device-id", conf: device.Structured},
		}, []string{macCT, macOther}},

		{"IPv4 and IPv6 addresses of one MAC are one device", []seen{
			arp(0, macCT, "10.0.0.11"),
			{mac: macCT, ip: "fe80::21a:2bff:fe00:1", attr: device.AttrIP, value: "fe80::21a:2bff:fe00:1", source: "nd"},
			says(1, macCT, "2001:db8::5", device.AttrHostname, "ct-1"),
		}, []string{macCT + " 10.0.0.11 2001:db8::5 fe80::21a:2bff:fe00:1"}},

		{"devices behind a router are devices of their own, and so is the router", []seen{
			remote(0, macGW, "10.9.0.1", device.AttrAETitle, "CT1"),
			remote(1, macGW, "10.9.0.2", device.AttrAETitle, "CT2"),
			remote(2, macGW, "10.9.0.3", device.AttrHostname, "ws-1"),
		}, []string{macGW, "10.9.0.1", "10.9.0.2", "10.9.0.3"}},

		{"a router whose TTLs tell nothing is found by its many addresses, and what was filed under it is given back", []seen{
			says(0, macGW, "10.9.0.1", device.AttrHostname, "a"),
			says(1, macGW, "10.9.0.2", device.AttrHostname, "b"),
			says(2, macGW, "10.9.0.3", device.AttrHostname, "c"),
			says(3, macGW, "10.9.0.4", device.AttrHostname, "d"),
			says(4, macGW, "10.9.0.5", device.AttrHostname, "e"),
			says(5, macGW, "10.9.0.6", device.AttrHostname, "f"),
		}, []string{macGW, "10.9.0.1", "10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5", "10.9.0.6"}},

		{"a router keeps the address that it claims itself", []seen{
			arp(0, macGW, "10.0.0.1"),
			says(0, macGW, "10.0.0.1", device.AttrRouter, "true"),
			remote(1, macGW, "10.9.0.1", device.AttrHostname, "a"),
		}, []string{macGW + " 10.0.0.1", "10.9.0.1"}},

		{"the gateway that DHCP names is the router that claims the address", []seen{
			{ip: "10.0.0.1", attr: device.AttrRouter, value: "true", source: "dhcp.option3"},
			arp(1, macGW, "10.0.0.1"),
			says(2, macGW, "10.9.0.1", device.AttrHostname, "a"),
		}, []string{macGW + " 10.0.0.1", "10.9.0.1"}},

		{"a virtual router's MAC is nobody else's", []seen{
			says(0, "00:00:5e:00:01:07", "10.9.0.1", device.AttrHostname, "a"),
		}, []string{"00:00:5e:00:01:07", "10.9.0.1"}},

		{"an address behind a router joins its MAC when a relayed lease tells it", []seen{
			remote(0, macGW, "10.9.0.1", device.AttrAETitle, "CT1"),
			remote(1, macGW, "10.9.0.2", device.AttrHostname, "x"),
			lease(2*time.Second, macCT, "10.9.0.1"),
		}, []string{macCT + " 10.9.0.1", macGW, "10.9.0.2"}},

		{"with both sides of a router in the capture, a device is there once", []seen{
			says(0, macCT, "10.9.0.1", device.AttrAETitle, "CT1"),
			remote(1, macGW, "10.9.0.1", device.AttrAETitle, "CT1"),
			remote(1, macGW, "10.9.0.2", device.AttrHostname, "x"),
		}, []string{macCT + " 10.9.0.1", macGW, "10.9.0.2"}},

		{"a claim by ARP outweighs frames from another MAC", []seen{
			arp(0, macCT, "10.0.0.11"),
			says(1, macOther, "10.0.0.11", device.AttrHostname, "ct-1"),
		}, []string{macCT + " 10.0.0.11"}},

		{"an IPv6 address made of a MAC tells the MAC, even behind a router", []seen{
			says(0, macCT, "", device.AttrHostname, "ct-1"),
			remote(1, macGW, "2001:db8::21a:2bff:fe00:1", device.AttrAETitle, "CT1"),
			remote(1, macGW, "2001:db8:0:1::2", device.AttrHostname, "x"),
			remote(1, macGW, "2001:db8:0:2::2", device.AttrAETitle, "Y"),
		}, []string{macCT + " 2001:db8::21a:2bff:fe00:1", macGW, "2001:db8:0:2::2"}},

		{"group and unspecified addresses are no devices", []seen{
			says(0, "01:00:5e:00:00:fb", "", device.AttrHostname, "x"),
			says(0, "ff:ff:ff:ff:ff:ff", "255.255.255.255", device.AttrHostname, "x"),
			says(0, "", "224.0.0.251", device.AttrHostname, "x"),
			says(0, "", "0.0.0.0", device.AttrHostname, "x"),
			says(0, "", "ff02::fb", device.AttrHostname, "x"),
		}, nil},

		{"a group MAC as a frame's destination still lets the address stand", []seen{
			says(0, "01:00:5e:00:00:fb", "10.0.0.11", device.AttrHostname, "x"),
		}, []string{"10.0.0.11"}},

		{"hosts outside the site are no devices", []seen{
			remote(0, macGW, "198.51.100.7", device.AttrBanner, "nginx"),
			remote(1, macGW, "10.9.0.1", device.AttrHostname, "x"),
		}, []string{macGW, "10.9.0.1"}},

		{"a medical peer outside the site is a device", []seen{
			remote(0, macGW, "198.51.100.7", device.AttrAETitle, "TELERAD"),
		}, []string{"198.51.100.7"}},

		{"two interfaces with the same serial number are one device", []seen{
			{mac: macCT, ip: "10.0.0.11", attr: device.AttrSerial, value: "SN-77123", source: "lldp.med", conf: device.Structured},
			{mac: macOther, ip: "10.1.0.11", attr: device.AttrSerial, value: "SN-77123", source: "sdc", conf: device.Structured},
		}, []string{macCT + " " + macOther + " 10.0.0.11 10.1.0.11"}},

		{"a serial number that nobody filled in joins nothing", []seen{
			{mac: macCT, ip: "10.0.0.11", attr: device.AttrSerial, value: "To be filled by O.E.M.", source: "lldp.med"},
			{mac: macOther, ip: "10.1.0.11", attr: device.AttrSerial, value: "To be filled by O.E.M.", source: "lldp.med"},
		}, []string{macCT + " 10.0.0.11", macOther + " 10.1.0.11"}},

		{"an identifier that many have joins none of them", func() []seen {
			var s []seen
			for k := range 6 {
				s = append(s, seen{mac: fmt.Sprintf("00:1a:2b:00:01:%02x", k), attr: device.AttrDeviceID, value: "urn:uuid:cloned-image", source: "dhcp.option61"})
			}
			return s
		}(), []string{"00:1a:2b:00:01:00", "00:1a:2b:00:01:01", "00:1a:2b:00:01:02", "00:1a:2b:00:01:03", "00:1a:2b:00:01:04", "00:1a:2b:00:01:05"}},

		{"a serial number in images that an archive forwards does not make it the scanner", []seen{
			{mac: macCT, ip: "10.0.0.11", attr: device.AttrSerial, value: "SN-77123", source: "dicom.store.serial", conf: device.Structured},
			{mac: macPACS, ip: "10.0.0.20", attr: device.AttrSerial, value: "SN-77123", source: "dicom.store.serial", conf: device.Structured},
		}, []string{macCT + " 10.0.0.11", macPACS + " 10.0.0.20"}},

		{"the same AE title alone joins nothing", []seen{
			says(0, macCT, "10.0.0.11", device.AttrAETitle, "CT1"),
			says(0, macOther, "10.0.0.12", device.AttrAETitle, "CT1"),
		}, []string{macCT + " 10.0.0.11", macOther + " 10.0.0.12"}},

		{"the same host name alone joins nothing", []seen{
			says(0, macCT, "10.0.0.11", device.AttrHostname, "ct-1"),
			says(0, macOther, "10.0.0.12", device.AttrHostname, "ct-1"),
		}, []string{macCT + " 10.0.0.11", macOther + " 10.0.0.12"}},

		{"host name and AE title together join", []seen{
			says(0, macCT, "10.0.0.11", device.AttrHostname, "ct-1.hospital.example"),
			says(0, macCT, "10.0.0.11", device.AttrAETitle, "CT1"),
			says(0, macOther, "10.0.0.12", device.AttrHostname, "CT-1"),
			says(0, macOther, "10.0.0.12", device.AttrAETitle, "CT1"),
		}, []string{macCT + " " + macOther + " 10.0.0.11 10.0.0.12"}},

		{"host name and a tool's default AE title do not", []seen{
			says(0, macCT, "10.0.0.11", device.AttrHostname, "host-a"),
			says(0, macCT, "10.0.0.11", device.AttrAETitle, "STORESCU"),
			says(0, macOther, "10.0.0.12", device.AttrHostname, "host-a"),
			says(0, macOther, "10.0.0.12", device.AttrAETitle, "STORESCU"),
		}, []string{macCT + " 10.0.0.11", macOther + " 10.0.0.12"}},

		{"host name and AE title do not join what has different serial numbers", []seen{
			says(0, macCT, "10.0.0.11", device.AttrHostname, "cart"),
			says(0, macCT, "10.0.0.11", device.AttrAETitle, "CART"),
			says(0, macCT, "10.0.0.11", device.AttrSerial, "A-1001"),
			says(0, macOther, "10.0.0.12", device.AttrHostname, "cart"),
			says(0, macOther, "10.0.0.12", device.AttrAETitle, "CART"),
			says(0, macOther, "10.0.0.12", device.AttrSerial, "A-1002"),
		}, []string{macCT + " 10.0.0.11", macOther + " 10.0.0.12"}},

		{"private MACs used one after the other by one DHCP client are one device", []seen{
			says(0, "d2:00:00:00:00:01", "", device.AttrHostname, "or3-tablet"),
			says(0, "d2:00:00:00:00:01", "", device.AttrDHCPPrint, "1,3,6,15,26"),
			says(day, "d6:00:00:00:00:02", "", device.AttrHostname, "or3-tablet"),
			says(day, "d6:00:00:00:00:02", "", device.AttrDHCPPrint, "1,3,6,15,26"),
		}, []string{"d2:00:00:00:00:01 d6:00:00:00:00:02"}},

		{"private MACs in use at the same time are not", []seen{
			says(0, "d2:00:00:00:00:01", "", device.AttrHostname, "or3-tablet"),
			says(0, "d2:00:00:00:00:01", "", device.AttrDHCPPrint, "1,3,6,15,26"),
			says(hour, "d6:00:00:00:00:02", "", device.AttrHostname, "or3-tablet"),
			says(hour, "d6:00:00:00:00:02", "", device.AttrDHCPPrint, "1,3,6,15,26"),
			says(2*hour, "d2:00:00:00:00:01", "", device.AttrHostname, "or3-tablet"),
		}, []string{"d2:00:00:00:00:01", "d6:00:00:00:00:02"}},

		{"the ports of one switch are one device by its chassis ID", func() []seen {
			var s []seen
			for k := range 8 {
				s = append(s, seen{mac: fmt.Sprintf("00:1a:2b:00:02:%02x", k), attr: device.AttrDeviceID, value: "00:1a:2b:00:02:ff", source: "lldp.chassis", conf: device.Structured})
			}
			return s
		}(), []string{"00:1a:2b:00:02:00 00:1a:2b:00:02:01 00:1a:2b:00:02:02 00:1a:2b:00:02:03 00:1a:2b:00:02:04 00:1a:2b:00:02:05 00:1a:2b:00:02:06 00:1a:2b:00:02:07"}},

		{"an address without MAC that was silent for long is the same device when nothing speaks against it", []seen{
			says(0, "", "10.9.0.1", device.AttrHostname, "ct-1"),
			says(40*day, "", "10.9.0.1", device.AttrHostname, "ct-1"),
		}, []string{"10.9.0.1"}},

		{"and another one when its name is another", []seen{
			says(0, "", "10.9.0.1", device.AttrHostname, "ct-1"),
			says(40*day, "", "10.9.0.1", device.AttrHostname, "printer-4"),
		}, []string{"10.9.0.1", "10.9.0.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := outline(inv(t, c.steps).Devices())
			want := slices.Clone(c.want)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}
