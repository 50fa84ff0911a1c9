// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

// TestEveryRefusalIsNamedOnBothSides has real clients come in every wrong way, and finds that the page, the
// source and this test know the same ways.
func TestEveryRefusalIsNamedOnBothSides(t *testing.T) {
	gatewaytest.Need(t, "echoscu", "storescu", "openssl", "curl")
	p := newPlace(t, options{bindings: []control.Binding{
		ct(),
		{Device: "ct-far", CallingAE: []string{"FAR"}, Addresses: []string{"10.99.0.0/16"}, Operations: []string{"echo"}},
		{Device: "ws-1", CallingAE: []string{"WS1"}, CalledAE: []string{"OTHER"}, Operations: []string{"echo"}},
		{Device: "silent", CallingAE: []string{"SILENT"}, Operations: []string{"find"}},
		{Device: "us-old", Plain: true, CallingAE: []string{"US1"}, Addresses: []string{"127.0.0.1"}, Operations: []string{"echo"}},
	}, config: func(c *Config) { c.AETitles = []string{"ASEPSIS", "OTHER"} }})
	scanner, far, ws, silent := p.enrol(identity.DICOMNode, "ct-1"), p.enrol(identity.DICOMNode, "ct-far"), p.enrol(identity.DICOMNode, "ws-1"), p.enrol(identity.DICOMNode, "silent")
	stranger, headless := p.enrol(identity.DICOMNode, "nobody-knows"), p.enrol(identity.APIClient, "tool-1")
	gone := p.enrol(identity.DICOMNode, "ct-1")
	if _, err := p.site.Revoke(t.Context(), identity.Revocation{Serials: []string{gone.Serial}, Reason: identity.KeyCompromise}); err != nil {
		t.Fatal(err)
	}
	other := &place{t: t, site: identitytest.New(t, identitytest.Options{})}
	foreign := other.enrol(identity.DICOMNode, "ct-1")
	foreign.CA = scanner.CA // it trusts the gateway, and is of another hospital

	ctImage, _ := image(t, "1.2.3.1", "FICT-0001")
	mr := gatewaytest.File(t, gatewaytest.MRStorage, "1.2.3.2", dataset(t, gatewaytest.MRStorage, "1.2.3.2", "FICT-0001", 512))

	met := map[string]bool{}
	for name, c := range map[string]struct {
		door    string
		program string
		args    []string
		want    string // what the peer's own words hold, in lower case
		problem string
		device  string
		reason  string // of the event, when an association was rejected
	}{
		"TLS on the plain port":          {KindPlain, "echoscu", slices.Concat(scanner.TLS(), []string{"-aet", "CT1", "-aec", "ASEPSIS"}), "unexpected message", TLSOnPlain, "", ""},
		"plain on the TLS port":          {KindTLS, "echoscu", []string{"-aet", "CT1", "-aec", "ASEPSIS"}, "reject", PlainOnTLS, "", ""},
		"a browser on the plain port":    {KindPlain, "curl", []string{"-s", "-S", "-i", "--fail-with-body", "http://127.0.0.1:PORT"}, "this is a dicom (dimse) port", HTTPOnDICOM, "", ""},
		"a browser on the TLS port":      {KindTLS, "curl", []string{"-s", "-S", "-i", "--fail-with-body", "http://127.0.0.1:PORT"}, "this is a port for dicom over tls", HTTPOnDICOM, "", ""},
		"no certificate":                 {KindTLS, "openssl", []string{"s_client", "-ign_eof", "-CAfile", scanner.CA, "-connect", "127.0.0.1:PORT"}, "alert certificate required", NoCertificate, "", ""},
		"a certificate of another site":  {KindTLS, "openssl", []string{"s_client", "-ign_eof", "-CAfile", scanner.CA, "-cert", foreign.Cert, "-key", foreign.Key, "-connect", "127.0.0.1:PORT"}, "alert unknown ca", Untrusted, "", ""},
		"a revoked certificate":          {KindTLS, "openssl", []string{"s_client", "-ign_eof", "-CAfile", scanner.CA, "-cert", gone.Cert, "-key", gone.Key, "-connect", "127.0.0.1:PORT"}, "alert bad certificate", Revoked, "ct-1", ""},
		"a certificate of another sort":  {KindTLS, "openssl", []string{"s_client", "-ign_eof", "-CAfile", scanner.CA, "-cert", headless.Cert, "-key", headless.Key, "-connect", "127.0.0.1:PORT"}, "alert bad certificate", WrongProfile, "tool-1", ""},
		"a device that is not bound":     {KindTLS, "echoscu", slices.Concat(stranger.TLS(), []string{"-aet", "CT1", "-aec", "ASEPSIS"}), "calling ae title not recognized", UnboundDevice, "nobody-knows", "1/1/3"},
		"another device's AE title":      {KindTLS, "echoscu", slices.Concat(ws.TLS(), []string{"-aet", "CT1", "-aec", "OTHER"}), "calling ae title not recognized", UnknownCalling, "ws-1", "1/1/3"},
		"an AE title in another case":    {KindTLS, "echoscu", slices.Concat(scanner.TLS(), []string{"-aet", "ct1", "-aec", "ASEPSIS"}), "calling ae title not recognized", UnknownCalling, "ct-1", "1/1/3"},
		"a called AE title that is none": {KindTLS, "echoscu", slices.Concat(scanner.TLS(), []string{"-aet", "CT1", "-aec", "PACS"}), "called ae title not recognized", UnknownCalled, "ct-1", "1/1/7"},
		"a called AE title of others":    {KindTLS, "echoscu", slices.Concat(ws.TLS(), []string{"-aet", "WS1", "-aec", "ASEPSIS"}), "called ae title not recognized", UnboundCalled, "ws-1", "1/1/7"},
		"an address that is not its own": {KindTLS, "echoscu", slices.Concat(far.TLS(), []string{"-aet", "FAR", "-aec", "ASEPSIS"}), "calling ae title not recognized", WrongAddress, "ct-far", "1/1/3"},
		"a plain device that is unknown": {KindPlain, "echoscu", []string{"-aet", "STRANGER", "-aec", "ASEPSIS"}, "calling ae title not recognized", UnknownCalling, "", "1/1/3"},
		"an operation that is not its":   {KindTLS, "echoscu", slices.Concat(silent.TLS(), []string{"-aet", "SILENT", "-aec", "ASEPSIS"}), "no acceptable presentation contexts", NothingAllowed, "silent", ""},
		"a SOP class that is not its":    {KindTLS, "storescu", slices.Concat(scanner.TLS(), []string{"-aet", "CT1", "-aec", "ASEPSIS", "127.0.0.1", "PORT", mr}), "no presentation context for: (mr)", NothingAllowed, "ct-1", ""},
	} {
		met[c.problem] = true
		t.Run(name, func(t *testing.T) {
			port := p.port(c.door)
			args := slices.Clone(c.args)
			switch i := slices.IndexFunc(args, func(a string) bool { return strings.HasSuffix(a, "PORT") }); {
			case i >= 0:
				args[i] = strings.Replace(args[i], "PORT", port, 1)
			default:
				args = append(args, "127.0.0.1", port)
			}
			if c.program != "openssl" && c.program != "curl" {
				args = append([]string{"-v"}, args...)
			}
			before, events := len(p.ended()), len(p.seen())
			out, err := gatewaytest.Run(t, c.program, args...)
			if err == nil || !strings.Contains(strings.ToLower(out), c.want) {
				t.Errorf("the peer was not told %q: %v\n%s", c.want, err, out)
			}
			gatewaytest.Until(t, "the end of it to be shown", func() bool { return len(p.ended()) > before })
			shown := p.ended()[before:]
			got := shown[len(shown)-1]
			if got.Problem != c.problem || got.Device != c.device {
				t.Errorf("want %s of %q, the list has\n%s", c.problem, c.device, sprint(shown))
			}
			if got.What == "" || (got.Hint == "" && got.Problem != Aborted) {
				t.Errorf("no words for it: %+v", got)
			}
			found := slices.ContainsFunc(p.seen()[events:], func(e *event.Event) bool {
				return e.Status == event.StatusFailure && e.StatusDetail == "gateway: "+c.problem && (c.reason == "" || e.StatusCode == c.reason) && e.Flow.CommunityID != ""
			})
			if !found {
				t.Errorf("no event says so: %s", sprintEvents(p.seen()[events:]))
			}
		})
	}
	for code, meet := range meetings() {
		met[code] = true
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			if got := meet(t); got.Problem != code || got.What == "" || got.Hint == "" {
				t.Errorf("want %s, the list has %s: %s (%s)", code, got.Problem, got.What, got.Hint)
			}
		})
	}
	page, source := codesOfThePage(t), codesOfTheSource(t)
	if want := slices.Sorted(maps.Keys(met)); !slices.Equal(page, want) || !slices.Equal(source, want) {
		t.Errorf("met by clients %q\non the page    %q\nin the source  %q", want, page, source)
	}
	if len(p.vault.all()) != 0 {
		t.Errorf("something was kept: %+v", p.vault.all())
	}
	out, err := gatewaytest.Run(t, "storescu", slices.Concat([]string{"-v"}, scanner.TLS(), []string{"-aet", "CT1", "-aec", "ASEPSIS", "127.0.0.1", p.port(KindTLS), ctImage})...)
	if err != nil || len(p.vault.all()) != 1 {
		t.Errorf("after all that the good one is not taken: %v\n%s", err, out)
	}
}

func sprintEvents(list []*event.Event) string {
	var b strings.Builder
	for _, e := range list {
		b.WriteString("\n  " + e.StatusCode + " " + e.StatusDetail + ": " + e.Message)
	}
	return b.String()
}

func TestWhatEndsOneAssociationHarmsNoOther(t *testing.T) {
	gatewaytest.Need(t, "echoscu")
	p := newPlace(t, options{})
	scanner := p.enrol(identity.DICOMNode, "ct-1")
	for range 3 {
		_, _ = gatewaytest.Run(t, "echoscu", "127.0.0.1", p.port(KindTLS))
		if out, err := gatewaytest.Run(t, "echoscu", append(scanner.TLS(), "-aet", "CT1", "-aec", "ASEPSIS", "127.0.0.1", p.port(KindTLS))...); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}
