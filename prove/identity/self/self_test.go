// SPDX-License-Identifier: Apache-2.0

package self

import (
	"testing"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

func TestACertificateOfOnesOwnIsRenewedWithANewKey(t *testing.T) {
	site := identitytest.New(t, identitytest.Options{})
	c, err := New(t.Context(), site.Authority, identity.Request{Profile: identity.Infrastructure, Service: "console"}, nil, site.Clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := c.Trust(t.Context(), trust.Default(), trust.Deps{Now: site.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	first, err := tr.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if _, name, ok := identity.Who(first.Leaf, identitytest.Domain); !ok || name != "console" || identity.ProfileOf(first.Leaf) != identity.Infrastructure {
		t.Errorf("it is of %q", name)
	}
	if err := c.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.pair != first {
		t.Error("it was renewed before its time")
	}
	site.Clock.Advance(40 * time.Hour) // of two days
	if err := site.Publish(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if err := c.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := tr.Reload(); err != nil {
		t.Fatal(err)
	}
	second, err := tr.Certificate()
	if err != nil || second == first || second.PrivateKey == first.PrivateKey || !second.Leaf.NotAfter.After(first.Leaf.NotAfter) {
		t.Fatalf("the second one is %v, %v", second, err)
	}
	if err := tr.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p, err := tr.Check(append(site.Issuing()[:0:0], second.Leaf), identity.Infrastructure); err != nil || p.Service != "console" {
		t.Errorf("others see %+v, %v", p, err)
	}
}

func TestWithoutAnAuthorityThatSignsThereIsNone(t *testing.T) {
	site := identitytest.New(t, identitytest.Options{})
	if _, err := New(t.Context(), site.Authority, identity.Request{Profile: identity.DICOMNode, Service: "console"}, nil, site.Clock.Now); err == nil {
		t.Error("a service got the certificate of a device")
	}
}
