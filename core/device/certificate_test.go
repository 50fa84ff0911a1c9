// SPDX-License-Identifier: Apache-2.0

package device_test

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/asepsis/asepsis/core/device"
)

func day(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }

func TestCertificatesAreWrittenAsEvidenceAndReadBack(t *testing.T) {
	sum := strings.Repeat("0a", 32)
	for _, want := range []device.Certificate{
		{Service: "https/tcp:443", NotBefore: day(2026, 1, 2), NotAfter: day(2027, 1, 2), Issuer: "Example CA, Inc.", KeyType: "RSA", KeyBits: 2048, SHA256: sum},
		{Service: "tls/client", NotBefore: day(2026, 1, 2), NotAfter: day(9999, 12, 31), SelfSigned: true, KeyType: "ECDSA", KeyBits: 256, SHA256: sum},
		{Service: "tls/tcp:2762", NotBefore: day(1950, 1, 2), NotAfter: day(1951, 1, 2), SHA256: sum},
	} {
		s := want.String()
		got, err := device.ParseCertificate(s)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s became %+v, %v", s, got, err)
		}
	}
	long := device.Certificate{Service: "https/tcp:443", Issuer: strings.Repeat("Ä", 300), SHA256: sum}
	if s := long.String(); len(s) > 256 || !utf8.ValidString(s) {
		t.Errorf("%d bytes", len(s))
	}
	for _, bad := range []string{"", "a, b", "a, x to y, RSA 1, sha256 0", "s, 2026-01-02T00:00:00Z to y, RSA 1, sha256 0",
		"s, 2026-01-02T00:00:00Z to 2026-01-02T00:00:00Z, RSA, sha256 0", "s, 2026-01-02T00:00:00Z to 2026-01-02T00:00:00Z, RSA 1, 0"} {
		if got, err := device.ParseCertificate(bad); err == nil {
			t.Errorf("%q is %+v", bad, got)
		}
	}
}

func TestACertificateExpires(t *testing.T) {
	c := device.Certificate{NotBefore: day(2026, 1, 1), NotAfter: day(2026, 12, 31)}
	for _, tt := range []struct {
		at    time.Time
		want  device.Validity
		until time.Time
	}{
		{day(2025, 1, 1), device.Valid, day(2026, 12, 1)},
		{day(2026, 11, 30), device.Valid, day(2026, 12, 1)},
		{day(2026, 12, 1), device.Expiring, day(2026, 12, 31).Add(1)},
		{day(2026, 12, 31), device.Expiring, day(2026, 12, 31).Add(1)},
		{day(2026, 12, 31).Add(1), device.Expired, time.Time{}},
	} {
		if got, until := c.Validity(tt.at); got != tt.want || !until.Equal(tt.until) {
			t.Errorf("on %s it is %q until %s, want %q until %s", tt.at, got, until, tt.want, tt.until)
		}
	}
	if got, _ := new(device.Certificate).Validity(day(2026, 1, 1)); got != device.ValidityUnknown {
		t.Errorf("without dates it is %q", got)
	}
}
