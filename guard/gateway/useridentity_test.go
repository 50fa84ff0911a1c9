// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/prove/identity"
)

func TestAUserIdentityIsNotAcknowledgedUnlessThatIsConfigured(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	p := newPlace(t, options{})
	path, _ := image(t, "1.2.3.1", "FICT-0001")
	out, err := gatewaytest.Run(t, "storescu", slices.Concat([]string{"-v"}, p.enrol(identity.DICOMNode, "ct-1").TLS(), []string{"--user", "nurse", "--pos-response", "-aet", "CT1", "-aec", "ASEPSIS", "127.0.0.1", p.port(KindTLS), path})...)
	if err == nil || !strings.Contains(out, "Positive response requested but none received") {
		t.Errorf("%v\n%s", err, out)
	}
}

// What somebody says of themselves counts for nothing here: the certificate does. It must not do harm either, and no
// credential may be written anywhere.
func TestAUserIdentityIsNamedAndNeitherBelievedNorKept(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	said := &gatewaytest.Output{}
	p := newPlace(t, options{config: func(c *Config) { c.UserIdentity = UserAcknowledge }, deps: func(d *Deps) {
		d.Log = slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}})
	d := p.enrol(identity.DICOMNode, "ct-1")
	ticket := filepath.Join(t.TempDir(), "ticket")
	if err := os.WriteFile(ticket, []byte("MARK-ticket"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		sort string
		args []string
	}{
		{"username", []string{"--user", "MARK-nurse"}},
		{"username-passcode", []string{"--user", "MARK-nurse", "--password", "MARK-secret"}},
		{"kerberos", []string{"--kerberos", ticket}},
		{"saml", []string{"--saml", ticket}},
		{"jwt", []string{"--jwt", ticket}},
	} {
		for j, answer := range [][]string{nil, {"--pos-response"}} {
			uid := fmt.Sprintf("1.2.3.%d.%d", i+1, j+1)
			path, _ := image(t, uid, "FICT-0001")
			out, err := gatewaytest.Run(t, "storescu", slices.Concat([]string{"-v"}, d.TLS(), c.args, answer, []string{"-aet", "CT1", "-aec", "ASEPSIS", "127.0.0.1", p.port(KindTLS), path})...)
			if err != nil || !strings.Contains(out, "Success") {
				t.Errorf("%s: %v\n%s", c.sort, err, out)
			}
		}
		gatewaytest.Until(t, c.sort+" to be named", func() bool {
			return slices.ContainsFunc(p.seen(), func(e *event.Event) bool {
				a, ok := e.Detail.(*event.DICOMAssociation)
				return ok && a.UserIdentityType == c.sort
			})
		})
	}
	for _, e := range p.seen() {
		if text := fmt.Sprintf("%+v %+v", e, e.Detail); strings.Contains(text, "MARK-") {
			t.Errorf("an event has the credential: %s", text)
		}
	}
	if strings.Contains(said.String(), "MARK-") {
		t.Errorf("the log has the credential:\n%s", said)
	}
}
