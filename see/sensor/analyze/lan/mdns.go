// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/dns"
)

// mdnsProtocol reports names and services that stations announce. Questions
// and answers are not joined: everybody answers everybody.
func mdnsProtocol() analyze.Protocol {
	return analyze.Protocol{Name: "mdns", Probe: dnsProbe("mdns"), NewDatagram: func(*analyze.Conn) analyze.Datagram { return &mdnsFlow{} }}
}

type mdnsFlow struct{ seen once }

func (f *mdnsFlow) Close(*analyze.Conn, analyze.End) {}

func (f *mdnsFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, missing int) analyze.Verdict {
	// What a station announces is the same each time.
	m, known := c.Memo().Recall(analyze.MemoMDNS, payload).(*dns.Message)
	if !known || missing > 0 {
		var err error
		if m, err = dns.Parse(payload); err != nil && missing == 0 && len(m.Questions) == 0 && len(m.Answers) == 0 {
			return analyze.More
		}
		if missing == 0 {
			c.Memo().Remember(analyze.MemoMDNS, payload, m)
		}
	}
	s := sender(c, dir)
	s.Hops = 0 // RFC 6762 §11: never routed
	if !m.Response {
		fact(c, s, device.AttrUses, "mdns", "mdns", device.Claimed)
	} else {
		mdnsEvidence(c, s, m)
	}
	key := [5]string{bit(m.Response)}
	if len(m.Questions) > 0 {
		key[1], key[2] = m.Questions[0].Name, dns.TypeName(m.Questions[0].Type)
	}
	if len(m.Answers) > 0 {
		key[3], key[4] = m.Answers[0].Name, m.Answers[0].Data
	}
	if !f.seen.first(key[:]...) {
		return analyze.More
	}
	if !c.Full() {
		c.Note(event.ClassDNS)
		return analyze.More
	}
	d := dnsDetail(m)
	e := &event.Event{Activity: 1, Detail: d, Message: clip("asks for " + d.Query + " " + d.Type)}
	if m.Response {
		e.Activity = 2
		name := d.Query
		if len(m.Answers) > 0 {
			name = m.Answers[0].Name
		}
		e.Message = clip("announces " + name)
	}
	if usable(s.IP) {
		e.Message = clip(s.IP.String() + " " + e.Message)
	}
	c.Emit(e)
	return analyze.More
}

// mdnsTXT says what the keys of TXT records mean, in the conventions of
// printers (Bonjour Printing), AirPlay, HomeKit, Google Cast and of makers.
var mdnsTXT = map[string]device.Attribute{
	"ty": device.AttrModel, "usb_mdl": device.AttrModel, "mdl": device.AttrModel, "md": device.AttrModel, "model": device.AttrModel, "modelname": device.AttrModel, "am": device.AttrModel,
	"usb_mfg": device.AttrVendor, "mfg": device.AttrVendor, "manufacturer": device.AttrVendor, "vendor": device.AttrVendor,
	"serial": device.AttrSerial, "serialnumber": device.AttrSerial, "sn": device.AttrSerial, "serialno": device.AttrSerial,
	"fv": device.AttrFirmware, "fw": device.AttrFirmware, "firmware": device.AttrFirmware, "fwversion": device.AttrFirmware, "firmwareversion": device.AttrFirmware,
	"deviceid": device.AttrMAC, "mac": device.AttrMAC, "macaddress": device.AttrMAC, "mac_address": device.AttrMAC,
	"note": device.AttrLocation, "location": device.AttrLocation,
	"uuid": device.AttrDeviceID, "os": device.AttrOS,
}

// mdnsClass is what offering a service implies.
var mdnsClass = map[string]struct {
	class device.Class
	conf  device.Confidence
}{
	"ipp": {device.ClassPrinter, device.Claimed}, "ipps": {device.ClassPrinter, device.Claimed}, "printer": {device.ClassPrinter, device.Claimed},
	"pdl-datastream": {device.ClassPrinter, device.Claimed}, "axis-video": {device.ClassCamera, device.Structured}, "rtsp": {device.ClassCamera, device.Guess},
	"adb": {device.ClassMobile, device.Guess}, "adb-tls-connect": {device.ClassMobile, device.Guess}, "adb-tls-pairing": {device.ClassMobile, device.Guess},
	"apple-mobdev2": {device.ClassMobile, device.Hint}, "workstation": {device.ClassWorkstation, device.Guess}, "acr-nema": {device.ClassModality, device.Guess},
	"bacnet": {device.ClassBuilding, device.Hint}, "hap": {device.ClassBuilding, device.Guess},
}

// mdnsEvidence reads an answer. Records about the sender's own address are
// about the sender; those about another address are about whom they name
// (proxies and reflectors answer for others).
func mdnsEvidence(c *analyze.Conn, s device.Subject, m *dns.Message) {
	records := slices.Concat(m.Answers, m.Additional)
	hosts := map[string][]netip.Addr{}
	for i := range records {
		if r := &records[i]; r.Addr.IsValid() && len(hosts) < maxReported {
			k := strings.ToLower(r.Name)
			hosts[k] = append(hosts[k], r.Addr)
		}
	}
	about := func(host string) device.Subject {
		list := hosts[strings.ToLower(host)]
		if len(list) == 0 || slices.Contains(list, s.IP) {
			return s
		}
		for _, a := range list { // the sender speaks over the other IP version
			if a.Is4() != s.IP.Is4() {
				return s
			}
		}
		return device.Subject{IP: list[0], VLAN: c.VLAN}
	}
	targets := map[string]string{} // service instance to host
	for i := range records {
		if r := &records[i]; r.Type == dns.TypeSRV && len(targets) < maxReported {
			targets[strings.ToLower(r.Name)] = r.Target
		}
	}
	for i := range records {
		r := &records[i]
		if r.TTL == 0 { // goodbye, RFC 6762 §10.1
			continue
		}
		switch r.Type {
		case dns.TypeA, dns.TypeAAAA:
			if name, ok := strings.CutSuffix(r.Name, ".local"); ok && !strings.Contains(name, ".") {
				sub := about(r.Name)
				fact(c, sub, device.AttrHostname, dns.Unescape(name), "mdns.host", device.Claimed)
				if usable(r.Addr) && sub.IP != r.Addr {
					fact(c, sub, device.AttrIP, c.Memo().Addr(r.Addr), "mdns.host", device.Claimed)
				}
			}
		case dns.TypeHINFO:
			if len(r.Text) == 2 {
				fact(c, about(r.Name), device.AttrOS, titled(r.Text[1]), "mdns.hinfo", device.Claimed)
			}
		case dns.TypeSRV:
			_, service, transport, ok := instance(r.Name)
			if !ok {
				continue
			}
			sub := about(r.Target)
			if service != "workstation" && r.Port != 0 { // the workstation's port is a placeholder
				fact(c, sub, device.AttrService, clip(service+"/"+transport+":"+strconv.Itoa(int(r.Port))), "mdns.srv", device.Claimed)
			}
			if k, ok := mdnsClass[service]; ok {
				fact(c, sub, device.AttrClass, string(k.class), "mdns.service", k.conf)
			}
			// "name [aa:bb:cc:dd:ee:ff]._workstation._tcp.local"
			if service == "workstation" {
				label := dns.Unescape(dns.Labels(r.Name)[0])
				if open := strings.LastIndexByte(label, '['); open > 0 && strings.HasSuffix(label, "]") {
					if mac, err := device.ParseMAC(label[open+1 : len(label)-1]); err == nil && !mac.IsZero() {
						fact(c, sub, device.AttrMAC, mac.String(), "mdns.workstation", device.Claimed)
					}
				}
			}
		case dns.TypeTXT:
			if _, service, _, ok := instance(r.Name); ok {
				mdnsText(c, about(targets[strings.ToLower(r.Name)]), service, r.Text)
			}
		}
	}
}

// titled writes LINUX as Linux, as other sources do.
func titled(s string) string {
	if strings.EqualFold(s, "linux") {
		return "Linux"
	}
	return s
}

// instance splits "Label printer._ipp._tcp.local" (RFC 6763 §4.1).
func instance(name string) (label, service, transport string, ok bool) {
	l := dns.Labels(name)
	for i := len(l) - 2; i >= 1; i-- {
		if (l[i] == "_tcp" || l[i] == "_udp") && strings.HasPrefix(l[i-1], "_") && i >= 2 {
			return dns.Unescape(strings.Join(l[:i-1], ".")), strings.ToLower(l[i-1][1:]), l[i][1:], true
		}
	}
	// "_device-info._tcp" names no port but the same form.
	return "", "", "", false
}

func mdnsText(c *analyze.Conn, s device.Subject, service string, text []string) {
	for i, t := range text {
		if i == maxReported {
			return
		}
		key, value, ok := strings.Cut(t, "=")
		if !ok || value == "" {
			continue
		}
		attr, ok := mdnsTXT[strings.ToLower(key)]
		if !ok {
			continue
		}
		switch attr {
		case device.AttrMAC:
			mac, err := device.ParseMAC(value)
			if err != nil || mac.IsZero() {
				continue
			}
			value = mac.String()
		case device.AttrDeviceID:
			value = "uuid:" + strings.ToLower(strings.TrimPrefix(value, "urn:uuid:"))
		}
		fact(c, s, attr, clip(value), "mdns.txt."+clip(service)+"."+strings.ToLower(key), device.Claimed)
	}
}
