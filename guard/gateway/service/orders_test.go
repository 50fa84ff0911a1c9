// SPDX-License-Identifier: Apache-2.0

package service

import (
	"encoding/pem"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// orderly is a gateway with one plain listener, which nothing but orders needs a certificate for.
func orderly(t *testing.T, change func(*Config, *Deps)) *Service {
	t.Helper()
	d := Deps{Data: t.TempDir(), Key: testKey(t), Site: "site-north", Bus: "north", Reached: true}
	cfg, err := configOf("104", d.Data)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Name = "gateway-or-3"
	cfg.Listeners = []gateway.Listener{{Kind: gateway.KindPlain, Listen: "127.0.0.1:0"}}
	if change != nil {
		change(&cfg, &d)
	}
	s, err := New(t.Context(), cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// reachable is trust in files, with a revocation list that nobody serves.
func reachable(t *testing.T, site *identitytest.Site, device string) trust.Config {
	t.Helper()
	d := gatewaytest.Enrol(t, site, identity.DICOMNode, device)
	c := trust.Default()
	c.TrustDomain, c.CAFile, c.CertFile, c.KeyFile, c.CRL = identitytest.Domain, d.CA, d.Cert, config.SecretFile(d.Key), []string{"http://127.0.0.1:1/crl/bundle.pem"}
	return c
}

func crlFile(t *testing.T, site *identitytest.Site) string {
	t.Helper()
	lists, err := site.CRLs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for _, der := range lists {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
	}
	path := filepath.Join(t.TempDir(), "crl.pem")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhoMaySteerAGatewayFollowsFromWhereItsBusIsReached(t *testing.T) {
	site := identitytest.New(t, identitytest.Options{})
	authority := func(_ *Config, d *Deps) { d.Authority, d.Announcer = site.Authority, site.Air }
	for _, c := range []struct {
		name             string
		change           func(*Config, *Deps)
		verifies         bool
		advice, severity string
		matter           bool
	}{
		{name: "nobody else reaches the bus: no certificate is needed", change: func(c *Config, d *Deps) { authority(c, d); d.Reached = false }},
		{name: "the bus is reached, and the authority is here", change: authority, verifies: true},
		{name: "the bus is reached, and there is nothing to verify with", advice: "Nobody can steer the gateway over the bus", severity: "low"},
		{name: "the bus is reached, and the authority cannot be", change: func(c *Config, _ *Deps) { c.Trust = reachable(t, site, "gateway-or-3") }, verifies: true},
		{name: "the bus is reached, and the certificate has another name", change: func(c *Config, _ *Deps) {
			c.Trust = reachable(t, site, "dev-7")
			c.Trust.CRL[0] = crlFile(t, site)
		}, verifies: true, advice: "The gateway’s certificate is made out to dev-7", severity: "low"},
		{name: "everybody on the bus is trusted", change: func(c *Config, d *Deps) { authority(c, d); c.Orders = control.OrdersBus }, advice: "Whoever reaches the bus can steer", severity: "medium", matter: true},
		{name: "everybody on a bus that nobody reaches", change: func(c *Config, d *Deps) { c.Orders = control.OrdersBus; d.Reached = false }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := orderly(t, c.change)
			if o := s.Orders(); (o.Verifier != nil) != c.verifies || (o.Signer != nil) != c.verifies || o.Site != "north" {
				t.Errorf("its orders are %+v", o)
			}
			o, err := s.Control().Overview(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			found := ""
			for _, a := range o.Advice {
				if strings.Contains(a.What, "over the bus") || strings.Contains(a.What, "reaches the bus") || strings.Contains(a.What, "made out to") {
					if found = a.What; a.Severity != c.severity || a.Hint == "" {
						t.Errorf("the advice is %+v", a)
					}
				}
			}
			if !strings.HasPrefix(found, c.advice) || (found == "") != (c.advice == "") {
				t.Errorf("the advice is %q, want %q", found, c.advice)
			}
			matter := false
			for _, m := range s.Matters() {
				matter = matter || m.Rule == "gateway-or-3.orders"
			}
			if matter != c.matter {
				t.Errorf("it is a matter: %v", matter)
			}
		})
	}
}

func TestOrdersThatWereRefusedAreAMatterForAnHour(t *testing.T) {
	now := time.Now()
	s := orderly(t, func(_ *Config, d *Deps) { d.Now = func() time.Time { return now } })
	look := func() (matters, advice []string) {
		for _, m := range s.Matters() {
			if m.Rule == "gateway-or-3.orders-refused" {
				matters = append(matters, strings.Join(m.Evidence, ", "))
			}
		}
		for _, a := range s.orderAdvice() {
			if strings.Contains(a.What, "were refused") {
				advice = append(advice, a.What)
			}
		}
		return matters, advice
	}
	s.Orders().Judged("Decide", nil)
	if m, a := look(); len(m)+len(a) != 0 {
		t.Errorf("after one that was taken: %q, %q", m, a)
	}
	for range 3 {
		s.Orders().Judged("Decide", &control.Refused{Code: control.Unsigned, What: "it is not signed"})
		now = now.Add(50 * time.Minute)
	}
	if m, a := look(); len(m) != 1 || m[0] != "3 refused, the last: it is not signed" || len(a) != 1 || !strings.Contains(a[0], ": 3, the last") {
		t.Errorf("after three: %q, %q", m, a)
	}
	now = now.Add(time.Hour)
	if m, a := look(); len(m)+len(a) != 0 {
		t.Errorf("long after: %q, %q", m, a)
	}
	s.Orders().Judged("Decide", &control.Refused{Code: control.NotTrusted, What: "it is forged"})
	if m, _ := look(); len(m) != 1 || m[0] != "1 refused, the last: it is forged" {
		t.Errorf("after another: %q", m)
	}
	reg := prometheus.NewPedanticRegistry()
	for _, c := range s.Collectors() {
		if err := reg.Register(c); err != nil {
			t.Fatal(err)
		}
	}
	list, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range list {
		if f.GetName() == "asepsis_gateway_orders_total" {
			for _, m := range f.GetMetric() {
				got[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	if want := map[string]float64{"taken": 1, "unsigned": 3, "not-trusted": 1}; !maps.Equal(got, want) {
		t.Errorf("the metric is %v, want %v", got, want)
	}
}

func TestSettingsOfOrdersAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"orders":      func(c *Config) { c.Orders = "anybody" },
		"orders_from": func(c *Config) { c.OrdersFrom = nil },
		"orders_skew": func(c *Config) { c.OrdersSkew = time.Hour },
	} {
		c := Default()
		change(&c)
		var f *config.FieldError
		if err := c.Validate(); !errors.As(err, &f) || f.Field != name || f.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}
