// SPDX-License-Identifier: Apache-2.0

package whole

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/guard/gateway/service"
	"github.com/asepsis/asepsis/prove/identity"
)

// repository takes audit messages over mutual TLS and keeps what it reads.
type repository struct {
	gatewaytest.Output
	at     string
	config chan *tls.Config // once there is a site
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &repository{at: ln.Addr().String(), config: make(chan *tls.Config, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		config, ok := <-r.config
		for ok {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				tc := tls.Server(c, config)
				_, _ = io.Copy(r, tc)
				_ = tc.Close()
			}()
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); close(r.config); <-ended })
	return r
}

// trusts gives the repository a certificate of the house.
func (r *repository) trusts(t *testing.T, h *House) {
	t.Helper()
	_, pair := h.Site.Issue(t, identity.DICOMNode, "audit-repository")
	pool := x509.NewCertPool()
	for _, c := range append(h.Site.Issuing(), h.Site.Root()) {
		pool.AddCert(c)
	}
	r.config <- &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
}

// messages are those with an event ID (PS3.16 CID 400), of a participant.
func (r *repository) messages(event, participant string) int {
	n := 0
	for _, m := range strings.Split(r.String(), "<?xml")[1:] {
		if strings.Contains(m, `csd-code="`+event+`"`) && strings.Contains(m, `UserID="`+participant+`"`) && strings.Contains(m, "</AuditMessage>") {
			n++
		}
	}
	return n
}

// TestAuditorsAreToldWhoAskedForAndGotWhat asks and retrieves with DCMTK, and reads what the hospital's audit repository
// was told.
func TestAuditorsAreToldWhoAskedForAndGotWhat(t *testing.T) {
	gatewaytest.Need(t, "findscu", "getscu", "storescu", "dcmqrscp")
	repository := newRepository(t)
	archive := gatewaytest.NewQRSCP(t, "PACS", nil)
	h := New(t, []control.Binding{workstation()}, func(c *service.Config) {
		all(To("xr", "XR1", "1"))(c)
		c.Query.Archives = []query.Archive{{Name: "pacs", Address: "127.0.0.1:" + archive.Port, CalledAE: "PACS", Device: "pacs", Operations: []string{"find", "get"}}}
		c.Audit.Address, c.Audit.Device, c.Audit.RetryMin, c.Audit.RetryMax = repository.at, "audit-repository", 20*time.Millisecond, 200*time.Millisecond
	})
	repository.trusts(t, h)
	if out, err := gatewaytest.Run(t, "storescu", "-aec", "PACS", "127.0.0.1", archive.Port, gatewaytest.File(t, gatewaytest.CTStorage, uid(1), gatewaytest.Image(t, uid(1), "FICT-0001", 32))); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ask := func(program string, args ...string) {
		t.Helper()
		_, _ = gatewaytest.Run(t, program, slices.Concat([]string{"-S", "-aet", "WS1", "-aec", "ASEPSIS", "-k", "QueryRetrieveLevel=STUDY"}, args, []string{"127.0.0.1", h.Port(gateway.KindPlain)})...)
	}
	const query, begins, ended, alert = "110112", "110102", "110104", "110113"
	ask("findscu", "-k", "PatientID=FICT-0001", "-k", "StudyInstanceUID")
	gatewaytest.Until(t, "the query to be told", func() bool { return repository.messages(query, "ws-1") == 1 })
	ask("findscu", "-k", "PatientName=*")
	gatewaytest.Until(t, "the query that was refused to be told", func() bool {
		return repository.messages(query, "ws-1") == 2 && repository.messages(alert, "gateway") > 0
	})
	if before := repository.messages(begins, "ws-1"); before != 0 {
		t.Errorf("%d transfers were told before there was one", before)
	}
	dir := t.TempDir()
	ask("getscu", "-od", dir, "+B", "-k", "StudyInstanceUID="+gatewaytest.Study)
	if len(gatewaytest.Stored(t, dir)) != 1 {
		t.Fatal("the workstation got nothing")
	}
	gatewaytest.Until(t, "the beginning of the transfers to be told", func() bool {
		return repository.messages(begins, "pacs") == 1 && repository.messages(begins, "ws-1") == 1
	})
	h.Stop() // what is gathered is told now
	h.Start()
	gatewaytest.Until(t, "the end of the transfers to be told", func() bool {
		return repository.messages(ended, "pacs") == 1 && repository.messages(ended, "ws-1") == 1
	})
	if said := repository.String(); strings.Contains(said, "FICT-0001") || strings.Contains(said, "Petra") {
		t.Error("a message names the patient")
	}
}
