// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/ssdp"
)

// ssdpProtocol reports UPnP devices and who looks for them.
func ssdpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "ssdp",
		Probe: func(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
			if ssdp.Looks(head) {
				return analyze.Yes
			}
			return analyze.No
		},
		NewDatagram: func(*analyze.Conn) analyze.Datagram { return &ssdpFlow{} },
	}
}

type ssdpFlow struct{ seen once }

func (f *ssdpFlow) Close(*analyze.Conn, analyze.End) {}

// upnpClass is what a device type implies.
func upnpClass(t string) (device.Class, device.Confidence) {
	for _, k := range [...]struct {
		part  string
		class device.Class
	}{{":device:Printer", device.ClassPrinter}, {":device:Scanner", device.ClassPrinter}, {"DigitalSecurityCamera", device.ClassCamera}, {"axis-com", device.ClassCamera},
		{"InternetGatewayDevice", device.ClassNetwork}, {"WLANAccessPoint", device.ClassNetwork}, {"HVAC_System", device.ClassBuilding}, {"BinaryLight", device.ClassBuilding},
		{"SolarProtectionBlind", device.ClassBuilding}} {
		if strings.Contains(t, k.part) {
			return k.class, device.Claimed
		}
	}
	return "", 0
}

func (f *ssdpFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, missing int) analyze.Verdict {
	m, err := ssdp.Parse(payload)
	if m == nil || err != nil && missing == 0 && m.NT == "" {
		return analyze.More
	}
	orient(c, dir, m.Kind == "answer")
	s := sender(c, dir)
	report := func(activity uint8, op, verb string) {
		if !c.Full() {
			c.Note(event.ClassApplication)
			return
		}
		attrs := pairs{}
		attrs.add("target", m.NT)
		attrs.add("usn", m.USN)
		attrs.add("nts", m.NTS)
		attrs.add("location", m.Location)
		attrs.add("server", m.Server)
		attrs.add("user_agent", m.Agent)
		application(c, activity, "", op, s.IP.String()+verb, attrs)
	}
	if m.Kind == "search" {
		fact(c, s, device.AttrUses, "ssdp", "ssdp.search", device.Claimed)
		fact(c, s, device.AttrUserAgent, m.Agent, "ssdp.user-agent", device.Claimed)
		fact(c, s, device.AttrOS, osOf(m.Agent), "ssdp.user-agent", device.Claimed)
		if f.seen.first("search", m.NT) {
			report(request, "search", " looks for "+m.NT)
		}
		return analyze.More
	}
	op := m.Kind
	if m.Kind == "notify" {
		op = strings.TrimPrefix(m.NTS, "ssdp:")
	}
	if op != "byebye" {
		fact(c, s, device.AttrBanner, m.Server, "ssdp.server", device.Claimed)
		fact(c, s, device.AttrOS, osOf(m.Server), "ssdp.server", device.Claimed)
		if id := ssdp.UUID(m.USN); id != "" {
			fact(c, s, device.AttrDeviceID, "uuid:"+strings.ToLower(id), "ssdp.usn", device.Structured)
		}
		if class, conf := upnpClass(m.NT); class != "" {
			fact(c, s, device.AttrClass, string(class), "ssdp.device-type", conf)
		}
		if u, err := url.Parse(m.Location); err == nil && u.Port() != "" {
			if a, err := netip.ParseAddr(u.Hostname()); err == nil && a == s.IP {
				fact(c, s, device.AttrService, "upnp/tcp:"+u.Port(), "ssdp.location", device.Claimed)
			}
		}
	}
	activity := uint8(announcement)
	if m.Kind == "answer" {
		activity = response
	}
	if f.seen.first(op, m.USN, m.NT) {
		report(activity, op, " announces "+m.NT+" ("+op+")")
	}
	return analyze.More
}

// describeUPnP reads a UPnP device description that came over HTTP.
func describeUPnP(c *analyze.Conn, x *analyze.Exchange) string {
	if x.Status != 200 || !ssdp.LooksDescription(x.ResponseBody) || analyze.Get(x.Response, "content-encoding") != "" {
		return ""
	}
	d, err := ssdp.Describe(x.ResponseBody)
	if err != nil && d.UDN == "" {
		return ""
	}
	ev := func(attr device.Attribute, value, field string) {
		fact(c, c.Subject(analyze.Server), attr, value, "upnp."+field, device.Structured)
	}
	ev(device.AttrVendor, d.Manufacturer, "manufacturer")
	ev(device.AttrModel, strings.TrimSpace(d.ModelName+" "+d.ModelNumber), "model-name")
	ev(device.AttrSerial, d.SerialNumber, "serial-number")
	if id := strings.TrimPrefix(d.UDN, "uuid:"); id != "" {
		ev(device.AttrDeviceID, "uuid:"+strings.ToLower(id), "udn")
	}
	if class, conf := upnpClass(d.DeviceType); class != "" {
		fact(c, c.Subject(analyze.Server), device.AttrClass, string(class), "upnp.device-type", conf)
	}
	if !c.Full() {
		c.NoteAt(event.ClassApplication, x.Time, "upnp")
		return "upnp"
	}
	attrs := pairs{}
	attrs.add("device_type", d.DeviceType)
	attrs.add("friendly_name", d.FriendlyName)
	attrs.add("manufacturer", d.Manufacturer)
	attrs.add("model", d.ModelName)
	attrs.add("model_number", d.ModelNumber)
	attrs.add("serial", d.SerialNumber)
	attrs.add("udn", d.UDN)
	c.Emit(&event.Event{Time: x.Time, Protocol: "upnp", Activity: response, Status: event.StatusSuccess, Message: clip("A device describes itself as " + d.FriendlyName),
		Detail: &event.Application{Name: "upnp", Operation: "description", Attributes: attrs}})
	return "upnp"
}
