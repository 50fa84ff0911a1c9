// SPDX-License-Identifier: Apache-2.0

package event

import (
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
)

// Sentence says in one sentence for a person what happened: the event's message,
// or for events that come without one (connections, evidence) what follows from
// their fields. Like the message it has no patient data. It is "" where the event's
// class says it all.
func (e *Event) Sentence() string {
	if e.Message != "" {
		return e.Message
	}
	switch d := e.Detail.(type) {
	case *Connection:
		return d.sentence(e)
	case *DeviceEvidence:
		return d.sentence()
	}
	return ""
}

// what a connection's end is called, by activity.
var connectionEnds = map[uint8]string{1: "opened", 2: "closed", 3: "was reset", 4: "was not answered", 5: "was refused", 6: "goes on"}

func (c *Connection) sentence(e *Event) string {
	end := connectionEnds[e.Activity]
	if end == "" {
		return ""
	}
	var b strings.Builder
	switch app := c.App; {
	case app != "":
		b.WriteString(app)
	case e.Flow != nil && e.Flow.Proto == 6:
		b.WriteString("TCP")
	case e.Flow != nil && e.Flow.Proto == 17:
		b.WriteString("UDP")
	case e.Flow != nil && (e.Flow.Proto == 1 || e.Flow.Proto == 58):
		b.WriteString("ICMP")
	case e.Flow != nil:
		b.WriteString("IP protocol ")
		b.WriteString(strconv.Itoa(int(e.Flow.Proto)))
	}
	b.WriteString(" connection")
	if e.Flow != nil && e.Flow.Dst.Port != 0 && (e.Flow.Proto == 6 || e.Flow.Proto == 17) {
		b.WriteString(" to port ")
		b.WriteString(strconv.Itoa(int(e.Flow.Dst.Port)))
	}
	b.WriteByte(' ')
	b.WriteString(end)
	if e.Activity != 1 && c.BytesOut+c.BytesIn > 0 {
		b.WriteString(", ")
		b.WriteString(bytesOf(c.BytesOut))
		b.WriteString(" sent and ")
		b.WriteString(bytesOf(c.BytesIn))
		b.WriteString(" received")
	}
	return b.String()
}

// bytesOf writes an amount with three digits at most before the unit.
func bytesOf(n uint64) string {
	for _, u := range []struct {
		unit string
		size uint64
	}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if n >= u.size {
			return strconv.FormatFloat(float64(n)/float64(u.size), 'f', 1, 64) + " " + u.unit
		}
	}
	return strconv.FormatUint(n, 10) + " B"
}

// attributes as a sentence names them: "its host name is ...".
var attributeWords = map[device.Attribute]string{
	device.AttrMAC: "its MAC is", device.AttrIP: "its address is", device.AttrHostname: "its host name is", device.AttrFQDN: "its full name is",
	device.AttrVendor: "its maker is", device.AttrModel: "its model is", device.AttrSerial: "its serial number is",
	device.AttrFirmware: "its software is", device.AttrOS: "its operating system is", device.AttrUDI: "its UDI is", device.AttrEUI64: "its EUI-64 is",
	device.AttrDeviceID: "its identifier is", device.AttrClass: "its kind is", device.AttrAETitle: "its AE title is", device.AttrDICOMImpl: "its DICOM implementation is",
	device.AttrDICOMRole: "its DICOM role is", device.AttrModality: "it makes images of modality", device.AttrHL7App: "its HL7 application is",
	device.AttrHL7Facility: "its HL7 facility is", device.AttrHL7Role: "in HL7 it", device.AttrDHCPPrint: "its DHCP client asks for options",
	device.AttrDHCPVendor: "its DHCP vendor class is", device.AttrJA4: "its TLS client has the fingerprint", device.AttrUserAgent: "its HTTP client calls itself",
	device.AttrBanner: "its server calls itself", device.AttrTLSSubject: "its certificate is for", device.AttrCertificate: "it presented the certificate",
	device.AttrService: "it serves", device.AttrUses: "it uses",
	device.AttrSwitchPort: "it is connected at", device.AttrVLAN: "it is on VLAN", device.AttrLocation: "its location is", device.AttrCapability: "it announces the capability",
	device.AttrRegistration: "it is registered as",
}

func (d *DeviceEvidence) sentence() string {
	v := &d.Evidence
	switch v.Attribute {
	case device.AttrRouter:
		return "It forwards packets of others (" + v.Source + ")"
	case device.AttrHL7Role:
		return "In HL7 it " + strings.ReplaceAll(v.Value, ":", " ") + " (" + v.Source + ")"
	}
	words := attributeWords[v.Attribute]
	if words == "" {
		words = "its " + string(v.Attribute) + " is"
	}
	return strings.ToUpper(words[:1]) + words[1:] + " " + v.Value + " (" + v.Source + ")"
}
