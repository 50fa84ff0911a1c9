// SPDX-License-Identifier: Apache-2.0

package ssdp

import (
	"strings"
	"testing"
)

const notify = "NOTIFY * HTTP/1.1\r\nHOST:239.255.255.250:1900\r\nCACHE-CONTROL:max-age=1810\r\nLOCATION:http://10.30.1.20:8200/rootDesc.xml\r\n" +
	"SERVER: Debian/12 DLNADOC/1.50 UPnP/1.0 MiniDLNA/1.3.2\r\nNT:upnp:rootdevice\r\nUSN:uuid:4d696e69-444c-164e-9d41-0cc47a0a2020::upnp:rootdevice\r\nNTS:ssdp:alive\r\n\r\n"

func TestNotify(t *testing.T) {
	m, err := Parse([]byte(notify))
	if err != nil || m.Kind != "notify" || m.NTS != "ssdp:alive" || m.MaxAge != 1810 || UUID(m.USN) != "4d696e69-444c-164e-9d41-0cc47a0a2020" || !strings.Contains(m.Server, "MiniDLNA") {
		t.Errorf("%+v %v", m, err)
	}
	if !Looks([]byte(notify)) || Looks([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")) || !Looks([]byte("HTTP/1.1 200 OK\r\nST: x\r\n\r\n")) {
		t.Error("Looks")
	}
}

func TestFieldsAreBounded(t *testing.T) {
	b := "M-SEARCH * HTTP/1.1\r\n" + strings.Repeat("A:b\r\n", MaxFields)
	if _, err := Parse([]byte(b)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := Parse([]byte(b + "A:b\r\n")); err == nil {
		t.Error("one past the limit was accepted")
	}
}

const description = `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major></specVersion><device>` +
	`<deviceType>urn:schemas-upnp-org:device:MediaServer:1</deviceType><!-- <manufacturer>no</manufacturer> --><friendlyName>Endoscopy &amp; recorder</friendlyName>` +
	`<manufacturer>Acme</manufacturer><modelName><![CDATA[REC <7>]]></modelName><serialNumber>SN-4711</serialNumber><UDN>uuid:1</UDN>` +
	`<deviceList><device><modelName>inner</modelName><UPC>9</UPC></device></deviceList><iconList/></device></root>`

func TestDescription(t *testing.T) {
	d, err := Describe([]byte(description))
	if err != nil {
		t.Fatal(err)
	}
	if d.FriendlyName != "Endoscopy & recorder" || d.Manufacturer != "Acme" || d.ModelName != "REC <7>" || d.SerialNumber != "SN-4711" || d.UDN != "uuid:1" || d.UPC != "" {
		t.Errorf("%+v", d)
	}
	if d, err := Describe([]byte(description[:400])); err == nil || d.DeviceType == "" {
		t.Errorf("a cut description: %+v %v", d, err)
	}
	if _, err := Describe([]byte("<a>" + strings.Repeat("<b></b>", MaxElements+1))); err == nil {
		t.Error("unbounded")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(notify))
	f.Add([]byte(description))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if Looks(b) && m == nil {
			t.Fatal("looks like SSDP but cannot be read")
		}
		if err == nil && (len(m.Server) > 256 || len(m.USN) > 256 || m.Fields > MaxFields) {
			t.Fatal("unbounded")
		}
		d, _ := Describe(b)
		if len(d.FriendlyName) > 256 || len(d.ModelDescription) > 256 {
			t.Fatal("unbounded")
		}
	})
}
