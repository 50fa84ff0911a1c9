// SPDX-License-Identifier: Apache-2.0

package event

import (
	"testing"

	"github.com/asepsis/asepsis/core/device"
)

func TestEventsWithoutAMessageHaveASentence(t *testing.T) {
	evidence := func(a device.Attribute, v, source string) *Event {
		return &Event{Detail: &DeviceEvidence{Evidence: device.Evidence{Attribute: a, Value: v, Source: source}}}
	}
	tcp := &Flow{Proto: 6, Dst: Endpoint{Port: 104}}
	for _, c := range []struct {
		e    *Event
		want string
	}{
		{&Event{Message: "C-ECHO answered", Detail: &DICOMOperation{}}, "C-ECHO answered"},
		{&Event{Activity: 2, Flow: tcp, Detail: &Connection{App: "dicom", BytesOut: 1500, BytesIn: 999}}, "dicom connection to port 104 closed, 1.5 kB sent and 999 B received"},
		{&Event{Activity: 1, Flow: tcp, Detail: &Connection{BytesOut: 60}}, "TCP connection to port 104 opened"},
		{&Event{Activity: 4, Flow: tcp, Detail: &Connection{BytesOut: 60}}, "TCP connection to port 104 was not answered, 60 B sent and 0 B received"},
		{&Event{Activity: 2, Flow: &Flow{Proto: 50}, Detail: &Connection{}}, "IP protocol 50 connection closed"},
		{&Event{Activity: 99, Flow: tcp, Detail: &Connection{}}, ""},
		{evidence(device.AttrHostname, "CT-OR3", "dhcp.option12"), "Its host name is CT-OR3 (dhcp.option12)"},
		{evidence(device.AttrHL7Role, "sends:ORU^R01", "hl7.msh"), "In HL7 it sends ORU^R01 (hl7.msh)"},
		{evidence(device.AttrRouter, "true", "ttl"), "It forwards packets of others (ttl)"},
		{evidence("colour", "red", "x"), "Its colour is red (x)"},
		{&Event{Detail: &NTP{}}, ""},
	} {
		if got := c.e.Sentence(); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}
