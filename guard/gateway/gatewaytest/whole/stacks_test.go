// SPDX-License-Identifier: Apache-2.0

package whole

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/guard/gateway/service"
)

// javascript returns the command line of the stack in JavaScript, in the place of a device.
func javascript(t *testing.T, c gatewaytest.Credentials, calling, called string) []string {
	t.Helper()
	gatewaytest.Need(t, "node")
	dir, err := filepath.Abs("../../../dicomnet/testdata/dcmjs")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "dcmjs-dimse")); err != nil {
		t.Skip("peer missing: dcmjs-dimse (npm ci in guard/dicomnet/testdata/dcmjs)")
	}
	return []string{"PEER_KEY=" + c.Key, "PEER_CERT=" + c.Cert, "PEER_CA=" + c.CA, "PEER_CALLING=" + calling, "PEER_CALLED=" + called, "node", filepath.Join(dir, "peer.js")}
}

// TestAStackInJavaScriptAtBothEndsOverTLS sends from dcmjs-dimse, through the gateway, to dcmjs-dimse, which is also asked
// through it.
func TestAStackInJavaScriptAtBothEndsOverTLS(t *testing.T) {
	port := gatewaytest.FreePort(t)
	ct := scanner()
	ct.Operations = append(ct.Operations, "find")
	h := New(t, []control.Binding{ct}, func(c *service.Config) {
		all(secured("xr", "XR1", port, "xr-1"))(c)
		c.Query.Archives = []query.Archive{{Name: "xr", Address: "127.0.0.1:" + port, CalledAE: "XR1", TLS: true, Device: "xr-1", Operations: []string{"find"}}}
	})
	scp := gatewaytest.Start(t, t.TempDir(), "env", append(javascript(t, h.Enrol("xr-1"), "", "XR1"), "scp", port)...).Listening(port)
	scu := append(javascript(t, h.Enrol("ct-1"), "CT1", "ASEPSIS"), "scu", h.Port(gateway.KindTLS))
	for n := range 3 {
		scu = append(scu, gatewaytest.File(t, gatewaytest.CTStorage, uid(n), gatewaytest.Image(t, uid(n), "FICT-0001", 64)))
	}
	out, err := gatewaytest.Run(t, "env", scu...)
	if want := "echo 0 store 0 store 0 store 0 match " + gatewaytest.Study + " find 0 closed"; err != nil || strings.Join(strings.Fields(out), " ") != want {
		t.Fatalf("%v: it says %q, want %q\n%s", err, out, want, sprint(h.Records()))
	}
	for _, r := range h.becomes(t, 3, instance.Delivered) {
		if r.Sender.Device != "ct-1" || r.Sender.TLS == "" || r.Deliveries[0].TLS == "" || r.Deliveries[0].Forwarded != r.DataSet {
			t.Errorf("%+v", r)
		}
	}
	if said := scp.Said(); strings.Count(said, "stored "+gatewaytest.Study+".77.") != 3 || strings.Contains(said, "error") {
		t.Errorf("the receiver says %q", said)
	}
}

// TestGDCMSendsAndAsksThroughTheGateway has GDCM, which has no TLS. Debian's gdcmscu aborts after every release, so
// that its exit code says nothing.
func TestGDCMSendsAndAsksThroughTheGateway(t *testing.T) {
	gatewaytest.Need(t, "gdcmscu", "dcmqrscp")
	xr := gatewaytest.NewStoreSCP(t, "XR1")
	xr.Up()
	archive := gatewaytest.NewQRSCP(t, "PACS", nil)
	ws := workstation()
	ws.Operations = append(ws.Operations, "store")
	h := New(t, []control.Binding{ws}, func(c *service.Config) {
		all(To("xr", "XR1", xr.Port), To("pacs", "PACS", archive.Port))(c)
		c.Forward.Destinations[1].Associations = 1 // its processes disturb each other
		c.Query.Archives = []query.Archive{{Name: "pacs", Address: "127.0.0.1:" + archive.Port, CalledAE: "PACS", Operations: []string{"find"}}}
	})
	dir, want := t.TempDir(), map[string][]byte{}
	for n := range 3 {
		want[uid(n)] = gatewaytest.Image(t, uid(n), "FICT-0001", 64+n)
		if err := os.WriteFile(filepath.Join(dir, uid(n)+".dcm"), gatewaytest.Part10(t, gatewaytest.CTStorage, uid(n), want[uid(n)]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	as := []string{"--aetitle", "WS1", "--call", "ASEPSIS", "127.0.0.1", h.Port(gateway.KindPlain)}
	stored, _ := gatewaytest.Run(t, "gdcmscu", append([]string{"--store", "-r", "-i", dir}, as...)...)
	gatewaytest.Until(t, "what GDCM sends\n"+stored, func() bool { return len(h.Records()) == 3 })
	gatewaytest.Until(t, "both to have it", func() bool {
		return !slices.ContainsFunc(h.Records(), func(r instance.Record) bool {
			return slices.ContainsFunc(r.Deliveries, func(d instance.Delivery) bool { return d.State != instance.Delivered })
		})
	})
	same(t, "the processor", xr.Received(), want)
	// It aborts before it has written what it was answered, so that the gateway's events and the archive must say it.
	for _, c := range []struct {
		keys     []string
		status   uint16
		answered int // by the archive
	}{
		{[]string{"--key", "10,20=FICT-0001", "--key", "20,d="}, 0, 1},
		{[]string{"--key", "10,20=", "--key", "20,d="}, 0xC000, 1}, // the studies of everybody
		{[]string{"--key", "20,d=" + gatewaytest.Study}, 0, 2},
	} {
		asked := func() (out []*event.DICOMOperation) {
			for _, e := range h.Events() {
				if op, ok := e.Detail.(*event.DICOMOperation); ok && op.Command == "C-FIND" {
					out = append(out, op)
				}
			}
			return out
		}
		before := len(asked())
		out, _ := gatewaytest.Run(t, "gdcmscu", slices.Concat([]string{"--find", "--studyroot", "--study"}, c.keys, as)...)
		gatewaytest.Until(t, "the query to be seen\n"+out, func() bool { return len(asked()) > before })
		if op := asked()[before]; op.Status != c.status || op.CallingAE != "WS1" {
			t.Errorf("%v: %+v\n%s", c.keys, op, out)
		}
		if n := strings.Count(archive.Said(), "[status: Pending"); n != c.answered {
			t.Errorf("%v: the archive has answered %d matches", c.keys, n)
		}
	}
}

// TestADestinationThatMisbehavesGetsEverythingOnceItBehaves has storescp abort, hang and refuse.
func TestADestinationThatMisbehavesGetsEverythingOnceItBehaves(t *testing.T) {
	gatewaytest.Need(t, "storescp", "storescu")
	xr := gatewaytest.NewStoreSCP(t, "XR1")
	to := To("xr", "XR1", xr.Port)
	to.Timeouts.Response = time.Second
	h := New(t, []control.Binding{scanner()}, all(to))
	d := h.Enrol("ct-1")
	want := map[string][]byte{}
	for n, c := range []struct {
		options []string
		why     string // that people are told, "" where nothing goes wrong
	}{
		{[]string{"--abort-after"}, "abort"},
		{[]string{"--abort-during"}, "abort"},
		{[]string{"--refuse"}, "reject"},
		{[]string{"--sleep-after", "20"}, ""}, // after its answer
		{[]string{"--sleep-during", "20"}, "time"},
	} {
		xr.Up(c.options...)
		want[uid(n)] = gatewaytest.Image(t, uid(n), "FICT-0001", 200)
		if out, err := h.Send(d, "CT1", gatewaytest.File(t, gatewaytest.CTStorage, uid(n), want[uid(n)])); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		why := func() string {
			state := h.Service.Control()
			list, err := state.Destinations(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return strings.ToLower(list[0].Why + " " + h.Records()[n].Deliveries[0].Why)
		}
		gatewaytest.Until(t, c.options[0]+" to be told", func() bool {
			return c.why != "" && strings.Contains(why(), c.why) || c.why == "" && h.Records()[n].Deliveries[0].State == instance.Delivered
		})
		xr.Down()
		xr.Up()
		gatewaytest.Until(t, c.options[0]+" to be over", func() bool { return h.Records()[n].Deliveries[0].State == instance.Delivered })
		xr.Down()
	}
	same(t, "the processor", xr.Received(), want)
	if list := h.Records(); len(list) != len(want) {
		t.Errorf("%s", sprint(list))
	}
}

// TestAReportOfStorageCommitmentComesOnTheAssociationThatAsked has a modality that waits for it there, as many do.
func TestAReportOfStorageCommitmentComesOnTheAssociationThatAsked(t *testing.T) {
	xr := gatewaytest.NewStoreSCP(t, "XR1")
	xr.Up()
	h := New(t, []control.Binding{scanner()}, all(To("xr", "XR1", xr.Port)))
	file := gatewaytest.File(t, gatewaytest.CTStorage, uid(1), gatewaytest.Image(t, uid(1), "FICT-0001", 32))
	out, err := gatewaytest.Run(t, "env", append(javascript(t, h.Enrol("ct-1"), "CT1", "ASEPSIS"), "commit", h.Port(gateway.KindTLS), uid(404), file)...)
	want := "store 0 action 0 report 2 1.2.3.999 safe " + uid(1) + " failed " + uid(404) + ":274" // 0x0112, no such object instance
	if got := strings.Join(strings.Fields(out), " "); err != nil || got != want {
		t.Errorf("%v: it says %q, want %q", err, got, want)
	}
}
