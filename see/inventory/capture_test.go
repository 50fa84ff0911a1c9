// SPDX-License-Identifier: Apache-2.0

package inventory_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/protocols"
)

type sink struct{ i *inventory.Inventory }

func (s sink) Emit(e *event.Event) { s.i.Observe(e) }

// analysed runs a capture through the sensor into an inventory.
func analysed(t *testing.T, name string) *inventory.Inventory {
	t.Helper()
	path := filepath.Join("..", "..", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: capture %s is not here", name)
	}
	i, err := inventory.New(inventory.Default())
	if err != nil {
		t.Fatal(err)
	}
	key, err := pseudonym.New(make([]byte, pseudonym.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sensor.New(sensor.Default(), sensor.Deps{Protocols: protocols.All(), Sink: sink{i}, Key: key, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	f, err := sensor.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := s.Run(context.Background(), f); err != nil {
		t.Fatal(err)
	}
	return i
}

func TestDevicesOfRealCaptures(t *testing.T) {
	const own, shared = "testdata/captures/", "../shared/captures/"
	for _, c := range []struct {
		capture, address string
		class            device.Class
		atLeast          device.Confidence
		vendor, model    string
	}{
		{shared + "tapirx/HL7-ADT-UDI-PRT.pcap", "10.0.0.155", device.ClassInfusionPump, 85, "ICU Medical", "Plum A+"},
		{own + "hl7-oru-udi.pcap", "10.20.3.41", device.ClassInfusionPump, 90, "ICU Medical", "Plum 360 (fictional)"},
		{own + "hl7-oru-udi.pcap", "10.20.3.43", device.ClassVentilator, 85, "Dräger", "Evita (fictional)"},
		{own + "sdc.pcap", "10.20.3.44", device.ClassAnaesthesia, 75, "Dräger", "Perseus (fictional)"},
		{own + "dicom-orthanc-store.pcap", "10.20.3.12", device.ClassUltrasound, 90, "Fujifilm", "X-Porte (fictional)"},
		{own + "dicom-one-sided.pcap", "10.20.3.11", device.ClassCT, 90, "Siemens Healthineers", "SOMATOM (fictional)"},
		{own + "dicom-find.pcap", "10.20.3.101", device.ClassPACS, 60, "Dell", ""},
		{own + "dicom-nmap-brute.pcap", "10.20.3.222", device.ClassScanner, 50, "Raspberry Pi", ""},
		{own + "dicom-get.pcap", "10.20.3.30", device.ClassXRProcessor, 45, "NVIDIA", ""},
		{own + "poct1a.pcap", "10.20.3.46", device.ClassLabAnalyser, 90, "Roche Diagnostics", "cobas b 221 (fictional)"},
		{own + "bacnet/bacnet.pcap", "10.30.1.20", device.ClassBuilding, 85, "Siemens", "PXC36.1-E.D"},
		{own + "dhcp/dhcpv4.pcap", "10.30.1.1", device.ClassNetwork, 80, "Cisco", ""},
		{own + "fhir-http.pcap", "10.20.3.60", device.ClassEHR, 60, "Supermicro", ""},
	} {
		t.Run(strings.TrimSuffix(filepath.Base(c.capture), filepath.Ext(c.capture))+" "+c.address, func(t *testing.T) {
			d, ok := analysed(t, c.capture).Device(c.address)
			if !ok {
				t.Fatal("not in the inventory")
			}
			if d.Class != c.class || d.Confidence < c.atLeast || d.Vendor != c.vendor || d.Model != c.model {
				t.Errorf("got %s %d %% %q %q (%s), want %s at least %d %% %q %q", d.Class, d.Confidence, d.Vendor, d.Model, d.ClassWhy, c.class, c.atLeast, c.vendor, c.model)
			}
			if len(d.Evidence) == 0 || d.ClassWhy == "" {
				t.Error("no evidence shown")
			}
		})
	}
}

// The pump of the acceptance test: each of vendor, model and UDI names the
// message's field as its source.
func TestThePumpsEvidence(t *testing.T) {
	d, ok := analysed(t, "../shared/captures/tapirx/HL7-ADT-UDI-PRT.pcap").Device("00:03:b1:b5:b6:48")
	if !ok {
		t.Fatal("no pump")
	}
	if d.UDI != "Hospira Plum A+" || d.Facts[device.AttrVendor].Stated != "Hospira" {
		t.Errorf("UDI %q, vendor stated as %q", d.UDI, d.Facts[device.AttrVendor].Stated)
	}
	for _, a := range []device.Attribute{device.AttrVendor, device.AttrModel, device.AttrUDI} {
		found := false
		for _, e := range d.Evidence {
			found = found || e.Attribute == a && e.Source == "hl7.prt-16"
		}
		if !found {
			t.Errorf("no evidence for %s from PRT-16", a)
		}
	}
}

// What a FHIR server told about a pump is a device behind the server, not the
// server.
func TestAPumpThatAFHIRServerKnows(t *testing.T) {
	i := analysed(t, "testdata/captures/fhir-http.pcap")
	srv, _ := i.Device("10.20.3.60")
	for _, d := range i.Devices() {
		if d.Class == device.ClassInfusionPump {
			if d.Via != srv.ID || d.Serial != "FICT-PUMP-21" {
				t.Errorf("via %q (server %q), serial %q", d.Via, srv.ID, d.Serial)
			}
			return
		}
	}
	t.Error("no pump")
}
