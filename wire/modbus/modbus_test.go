// SPDX-License-Identifier: Apache-2.0

package modbus

import "testing"

func TestRequestsAndResponsesAreToldApart(t *testing.T) {
	for _, tc := range []struct {
		name, in          string
		request, response bool
	}{
		{"read holding registers", "\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x0a", true, false},
		{"one register more than the standard allows", "\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x7e", false, false},
		{"registers as read", "\x00\x01\x00\x00\x00\x07\x01\x03\x04\x00\x01\x00\x02", false, true},
		{"write single coil both ways", "\x00\x01\x00\x00\x00\x06\x01\x05\x00\x03\xff\x00", true, true},
		{"a coil can only be on or off", "\x00\x01\x00\x00\x00\x06\x01\x05\x00\x03\xff\x01", false, false},
		{"write multiple registers", "\x00\x01\x00\x00\x00\x0b\x01\x10\x00\x0a\x00\x02\x04\x00\x01\x00\x02", true, false},
		{"an exception", "\x00\x01\x00\x00\x00\x03\x01\x83\x02", false, true},
		{"identification is asked for", "\x00\x01\x00\x00\x00\x05\x01\x2b\x0e\x01\x00", true, false},
	} {
		a, err := Parse([]byte(tc.in))
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if a.IsRequest() != tc.request || a.IsResponse() != tc.response {
			t.Errorf("%s: request %t, response %t", tc.name, a.IsRequest(), a.IsResponse())
		}
	}
}

func TestLengthsAreThoseOfTheStandard(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		ok       bool
	}{
		{"the shortest", "\x00\x01\x00\x00\x00\x02", true},
		{"one shorter", "\x00\x01\x00\x00\x00\x01", false},
		{"the longest", "\x00\x01\x00\x00\x00\xfe", true},
		{"one longer", "\x00\x01\x00\x00\x00\xff", false},
		{"another protocol", "\x00\x01\x00\x01\x00\x06", false},
	} {
		if _, err := Size([]byte(tc.in)); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestADeviceIdentifiesItself(t *testing.T) {
	a, err := Parse([]byte("\x00\x01\x00\x00\x00\x17\x01\x2b\x0e\x01\x01\x00\x00\x03\x00\x04ACME\x01\x02P1\x02\x031.0"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := ParseIdentification(a)
	if err != nil || id.Vendor != "ACME" || id.ProductCode != "P1" || id.Revision != "1.0" {
		t.Errorf("%+v, %v", id, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x0a"))
	f.Add([]byte("\x00\x01\x00\x00\x00\x17\x01\x2b\x0e\x01\x01\x00\x00\x03\x00\x04ACME\x01\x02P1\x02\x031.0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Parse(b)
		if err != nil {
			return
		}
		if n, _ := Size(b); n > MaxADU || len(a.Data) != n-8 {
			t.Fatalf("%d octets of data in an ADU of %d", len(a.Data), n)
		}
		_, _, _ = a.Range()
		_, _ = a.IsRequest(), a.IsResponse()
		if id, err := ParseIdentification(a); err == nil && len(id.Vendor) > 256 {
			t.Fatal("a vendor of more than 256 bytes")
		}
	})
}
