// SPDX-License-Identifier: Apache-2.0

package lldp

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/wire/octet"
)

// lldpd is a data unit that lldpd 1.0.16 sent.
const lldpd = "02070400166f0a2011" + "04070300166f0a2011" + "06020008"

func tlv(typ int, v string) string {
	return string([]byte{byte(typ<<1 | len(v)>>8), byte(len(v))}) + v
}

func head(t testing.TB) string {
	b, err := hex.DecodeString(lldpd)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestInventoryOfAnEndpoint(t *testing.T) {
	m, err := Parse([]byte(head(t) + tlv(5, "pump-7") + tlv(6, "Pump OS 4.2") + tlv(7, "\x00\x80\x00\x80") + tlv(8, "\x05\x01\x0a\x1e\x01\x14\x02\x00\x00\x00\x02\x00") +
		tlv(127, "\x00\x80\xc2\x01\x00\x1e") + tlv(127, "\x00\x80\xc2\x03\x00\x1e\x07medical") + tlv(127, "\x00\x12\x0f\x04\x05\xf2") +
		tlv(127, "\x00\x12\xbb\x01\x00\x33\x03") + tlv(127, "\x00\x12\xbb\x02\x01\x40\x3d\x2e") + tlv(127, "\x00\x12\xbb\x03\x02\x0d\x02CH\x03\x04Bern\x13\x04OR 3") +
		tlv(127, "\x00\x12\xbb\x05rev B") + tlv(127, "\x00\x12\xbb\x06fw 4.1.2") + tlv(127, "\x00\x12\xbb\x07sw 9") + tlv(127, "\x00\x12\xbb\x08SN-1") +
		tlv(127, "\x00\x12\xbb\x09Acme") + tlv(127, "\x00\x12\xbb\x0aPX-200") + tlv(127, "\x00\x12\xbb\x0bAsset 9") + tlv(0, "")))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join([]string{m.Chassis.Text, m.Port.Text, m.SystemName, m.Enabled[0], m.Management[0].String(), m.VLANs[0].Name, m.MEDClass,
		m.Policies[0].Application, m.Hardware, m.Firmware, m.Software, m.Serial, m.Manufacturer, m.Model, m.Asset}, "|")
	if got != "00:16:6f:0a:20:11|00:16:6f:0a:20:11|pump-7|station|10.30.1.20|medical|endpoint-3|voice|rev B|fw 4.1.2|sw 9|SN-1|Acme|PX-200|Asset 9" {
		t.Error(got)
	}
	if m.PVID != 30 || m.MaxFrame != 1522 || m.Policies[0].VLAN != 30 || !m.Policies[0].Tagged || m.Policies[0].Priority != 4 || m.Policies[0].DSCP != 46 {
		t.Errorf("%+v", m)
	}
	if m.Location != "CH, Bern" { // the length says 13: the second element is cut
		t.Errorf("location %q", m.Location)
	}
}

func TestRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"a unit that begins with a system name": tlv(5, "x") + head(t),
		"a unit without port ID":                head(t)[:9],
		"a TLV that runs past the end":          head(t) + "\x0a\xff",
		"one TLV too many":                      head(t) + strings.Repeat(tlv(4, "x"), MaxTLVs-2),
	} {
		var e *octet.Error
		if _, err := Parse([]byte(in)); !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse([]byte(head(t) + strings.Repeat(tlv(4, "x"), MaxTLVs-3))); err != nil {
		t.Errorf("at the limit: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head(f) + tlv(127, "\x00\x12\xbb\x03\x02\x13\x02CH\x03\x04Bern") + tlv(0, "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if len(m.Management) > MaxList || len(m.Policies) > MaxList || len(m.Location) > 256 || len(m.VLANs) > MaxList {
			t.Fatal("unbounded")
		}
		if err == nil && len(b) > 2 && len(m.Chassis.Text) == 0 && b[1] > 1 && b[0] == 2 && m.Chassis.Subtype != 0 && m.Port.Text != "" && m.Chassis.HasMAC {
			t.Fatal("a MAC address without text")
		}
	})
}
