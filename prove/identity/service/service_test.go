// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"strings"
	"testing"

	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/service"
)

func TestTheServiceSaysWhyItDoesNotStart(t *testing.T) {
	site := identitytest.New(t, identitytest.Options{})
	for _, c := range []struct {
		name, want string
		change     func(*service.Config, *service.Deps)
	}{
		{"without a passphrase", "passphrase_file", func(*service.Config, *service.Deps) {}},
		{"with a wrong one", "wrong passphrase", func(_ *service.Config, d *service.Deps) { d.Passphrase = []byte("something else") }},
		{"without an authority", "there is no authority", func(c *service.Config, d *service.Deps) {
			c.Dir = t.TempDir()
			d.Passphrase = []byte(identitytest.Passphrase)
		}},
		{"with a manufacturer whose roots are missing", "manufacturers[0].ca_file", func(c *service.Config, d *service.Deps) {
			c.Manufacturers = []service.Manufacturer{{Name: "x", CAFile: "/none"}}
			d.Passphrase = []byte(identitytest.Passphrase)
		}},
		{"with an address that is none", "pki_listen", func(c *service.Config, _ *service.Deps) { c.PKIListen = "here" }},
	} {
		cfg, d := service.Default(), service.Deps{Documents: site.Store}
		cfg.Dir = site.Dir
		c.change(&cfg, &d)
		if _, err := service.New(cfg, d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
