// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/respond/api"
)

// TestACertificateExpiresWhileNothingElseChanges turns the server's clock.
func TestACertificateExpiresWhileNothingElseChanges(t *testing.T) {
	var ahead atomic.Int64
	h := newHouse(t, options{noRecorder: true, change: func(_ *api.Config, d *api.Deps) {
		d.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}})
	end := time.Now().Add(60 * 24 * time.Hour).UTC().Truncate(time.Second)
	cert := func(service string, after time.Duration) device.Certificate {
		return device.Certificate{Service: service, NotBefore: end.AddDate(-1, 0, 0), NotAfter: end.Add(after), KeyType: "RSA", KeyBits: 2048, Issuer: "Example CA",
			SHA256: strings.Repeat("0a", 32), Source: "tls.certificate", Confidence: device.Verified, First: time.Now().UnixNano(), Last: time.Now().UnixNano()}
	}
	if err := h.store.PutDevices(t.Context(), []device.Device{
		{ID: "dev-aaaaaaaaaaaaaaaa", Class: device.ClassPACS, Certs: []device.Certificate{cert("https/tcp:443", 0), cert("tls/client", 1000*time.Hour)}},
		{ID: "dev-bbbbbbbbbbbbbbbb", Class: device.ClassPACS},
	}, nil); err != nil {
		t.Fatal(err)
	}
	tags := map[string]bool{}
	const day = 24 * time.Hour
	for _, step := range []struct {
		ahead time.Duration
		want  string
	}{{0, "valid"}, {31 * day, "expiring"}, {59 * day, "expiring"}, {61 * day, "expired"}} {
		ahead.Store(int64(step.ahead))
		h.until("the first is "+step.want, func() bool {
			l := get[api.DeviceList](h.admin, "/devices")
			return l.Total == 2 && l.Devices[0].Certificate == step.want && l.Devices[1].Certificate == ""
		})
		tags[step.want+h.admin.do("GET", "/devices", nil).head.Get("ETag")] = true
		d := get[api.Device](h.admin, "/devices/dev-aaaaaaaaaaaaaaaa")
		if len(d.Certificates) != 2 || d.Certificate != step.want || d.Certificates[0].Validity != step.want || d.Certificates[0].NotAfter != end.Format(time.RFC3339) {
			t.Errorf("%+v", d.Certificates)
		}
	}
	if len(tags) != 3 {
		t.Errorf("the list's tag has to change with what is valid, and with that only: %v", tags)
	}
}
