// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/dicomweb"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

func TestASTOWServerWithWhomTLSFailsCostsNoAttempt(t *testing.T) {
	for name, c := range map[string]struct {
		server *tls.Config
		as     string // the name that it should have
		stays  bool   // its authority is ours
		why    string
	}{
		"the certificate of another server":       {&tls.Config{}, "elsewhere.st-example.internal", true, "elsewhere.st-example.internal"},
		"the certificate of another authority":    {&tls.Config{}, "example.com", false, "unknown authority"},
		"it wants a certificate of the gateway":   {&tls.Config{ClientAuth: tls.RequireAnyClientCert}, "example.com", true, "certificate"},
		"it wants one, and knows TLS 1.2 at most": {&tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}, "example.com", true, "remote error"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request came through") }))
			server.TLS, server.Config.ErrorLog = c.server, log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			trusted := server.Certificate().Raw
			if !c.stays {
				trusted = identitytest.New(t, identitytest.Options{}).Root().Raw
			}
			ca := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trusted}), 0o600); err != nil {
				t.Fatal(err)
			}
			b := newBench(t)
			d := DefaultDestination()
			d.Name, d.Kind, d.BackoffMin, d.BackoffMax = "xr", KindSTOW, 5*time.Millisecond, 20*time.Millisecond
			d.TLS, d.CAFile, d.ServerName = TLSFile, ca, c.as
			d.Stow = dicomweb.DefaultDestination()
			d.Stow.URL = server.URL + "/dicom-web"
			b.start(d)
			r := b.bring(1)
			gatewaytest.Until(t, "it rests", func() bool { return b.f.Destinations()[0].State == "backing-off" })
			if s := b.f.Destinations()[0]; !strings.Contains(s.Why, c.why) {
				t.Errorf("it says %q, hint %q", s.Why, s.Hint)
			}
			if got := b.get(r.Number).Deliveries[0]; got.Attempts != 0 || got.State != instance.Waiting {
				t.Errorf("%+v", got)
			}
		})
	}
}
