// SPDX-License-Identifier: Apache-2.0

package whole

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/guard/gateway/service"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
)

// viewer is somebody who looks at images in a theatre.
func viewer(name, theatre string, operations ...string) control.Binding {
	return control.Binding{Device: name, CallingAE: []string{strings.ToUpper(strings.ReplaceAll(name, "-", ""))}, Operations: operations, Theatre: theatre}
}

// TestAViewerInATheatreGetsImagesWhileTheLedgerIsAway has a ledger whose disk has no room: who is open gets images by each way,
// nobody else does, and when there is room the ledger is told of each once.
func TestAViewerInATheatreGetsImagesWhileTheLedgerIsAway(t *testing.T) {
	gatewaytest.Need(t, "Orthanc", "movescu", "getscu", "storescp", "curl")
	xr := gatewaytest.NewStoreSCP(t, "XR1")
	xr.Up()
	port := gatewaytest.FreePort(t)
	o := gatewaytest.NewOrthanc(t, gatewaytest.OrthancConfig{AE: "PACS", Web: true, Modalities: []gatewaytest.Modality{{Name: "gateway", AE: "ASEPSIS", Port: port}}})
	want := map[string][]byte{}
	for n := range 2 {
		want[uid(n)] = gatewaytest.Image(t, uid(n), "FICT-0001", 64+n)
		o.Put(gatewaytest.Part10(t, gatewaytest.CTStorage, uid(n), want[uid(n)]))
	}
	ws, archive := workstation(), pacs()
	ws.Operations = append(ws.Operations, "wado")
	archive.Plain, archive.Addresses = true, []string{"127.0.0.1"}
	h := New(t, []control.Binding{ws, archive, viewer("ws-2", "or-4", "wado"), viewer("ws-3", "or-3", "qido"), viewer("ws-4", "or-3", "wado")}, func(c *service.Config) {
		all(To("xr", "XR1", xr.Port))(c)
		c.Listeners[1].Listen = "127.0.0.1:" + port
		c.Listeners = append(c.Listeners, gateway.Listener{Kind: gateway.KindWeb, Listen: "127.0.0.1:0"})
		c.Query.Archives = []query.Archive{{Name: "pacs", Address: "127.0.0.1:" + o.DICOM, CalledAE: "PACS", Device: "pacs", Operations: []string{"find", "move", "get"}}}
		c.Query.Destinations = []query.Destination{{AE: "XR1", Destination: "xr"}}
		c.Query.MoveWait = 20 * time.Second
		c.Web.Upstream.URL = o.Root()
		c.Retrievals.Routes = []gateway.RetrievalRoute{{Name: "viewers", Theatres: []string{"or-3"}, Fail: gateway.FailOpen}}
		c.Ledger.Reserve = 1 << 59 // more than any disk has
	})
	ask := func(program string, args ...string) string {
		out, _ := gatewaytest.Run(t, program, slices.Concat([]string{"-v", "-S", "-aet", "WS1", "-aec", "ASEPSIS"}, args, []string{"-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=" + gatewaytest.Study, "127.0.0.1", port})...)
		return out
	}
	file := filepath.Join(t.TempDir(), "answer")
	web := func(c gatewaytest.Credentials, part, accept string) (status string, body []byte) {
		_ = os.Remove(file)
		status, _ = gatewaytest.Run(t, "curl", "-s", "-o", file, "-w", "%{http_code}", "--cert", c.Cert, "--key", c.Key, "--cacert", c.CA, "-H", "Accept: "+accept,
			"https://localhost:"+h.Port(gateway.KindWeb)+"/dicom-web/studies/"+gatewaytest.Study+"/series/"+gatewaytest.Series+"/instances/"+uid(0)+part)
		body, _ = os.ReadFile(file)
		return status, body
	}
	own := h.Enrol("ws-1")

	dir := t.TempDir()
	out := ask("getscu", "-od", dir, "+B")
	same(t, "the workstation\n"+out, gatewaytest.Stored(t, dir), want)
	if out := ask("movescu", "-aem", "XR1"); !strings.Contains(out, "Success") {
		t.Errorf("movescu:\n%s", out)
	}
	same(t, "the processor", xr.Received(), want)
	if status, body := web(own, "", "application/dicom"); status != "200" {
		t.Errorf("the workstation is answered %s", status)
	} else if got, _ := gatewaytest.DataSet(t, body); string(got) != string(want[uid(0)]) {
		t.Error("what it got is not what the archive has")
	}
	for range 3 {
		if status, _ := web(own, "/frames/1", "*/*"); status != "200" {
			t.Errorf("for a frame the workstation is answered %s", status)
		}
	}

	// Nobody else profits by it.
	if status, body := web(h.Enrol("ws-2"), "", "application/dicom"); status != "503" || !strings.Contains(string(body), "custody") {
		t.Errorf("the viewer of another theatre is answered %s: %.300s", status, body)
	}
	if status, _ := web(h.Enrol("ws-3"), "", "application/dicom"); status != "403" {
		t.Errorf("a viewer that may not retrieve is answered %s", status)
	}
	if status, _ := web(h.Enrol("ws-9"), "", "application/dicom"); status != "403" {
		t.Errorf("a viewer that is bound to nothing is answered %s", status)
	}
	lost, pair := h.Site.Issue(t, identity.DICOMNode, "ws-4")
	stolen := gatewaytest.Files(t, h.Site, pair)
	if status, _ := web(stolen, "", "application/dicom"); status != "200" {
		t.Errorf("before its certificate is revoked a viewer is answered %s", status)
	}
	if _, err := h.Site.Revoke(t.Context(), identity.Revocation{Serials: []string{lost.Serial}, Reason: identity.KeyCompromise}); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Until(t, "the revocation to count", func() bool { status, _ := web(stolen, "", "application/dicom"); return status == "000" })

	// People are told.
	has := func(rule string) bool {
		for _, m := range h.Service.Matters() {
			if m.Rule == rule {
				return true
			}
		}
		return false
	}
	view, err := h.Service.Control().Overview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, r := range view.Routes {
		states[r.Name] = r.Fail + ", " + r.State
		if len(r.Destinations) == 0 {
			t.Errorf("%s has no list of destinations", r.Name)
		}
	}
	if states["viewers"] != "open-and-alarm, open" || states["other-retrievals"] != "closed, closed" || view.Ledger.State != "down" || view.Ledger.Lag == 0 {
		t.Errorf("the overview has %v, %+v", states, view.Ledger)
	}
	if !has("gateway.ledger") || !has("gateway.retrievals-unrecorded") {
		t.Errorf("what needs a person: %+v", h.Service.Matters())
	}

	h.Stop()
	h.Config.Ledger.Reserve = config.MiB
	began := time.Now()
	h.Start()
	gatewaytest.Until(t, "the ledger to be told", func() bool {
		view, err := h.Service.Control().Overview(t.Context())
		return err == nil && view.Ledger.State == "ok" && view.Ledger.Lag == 0
	})
	gatewaytest.Until(t, "the alarm to end", func() bool { return !has("gateway.ledger") && !has("gateway.retrievals-unrecorded") })
	for n := range 2 {
		told := func() (list []string) {
			for _, s := range h.told(t, custody.Forwarded, want[uid(n)]) {
				list = append(list, fmt.Sprintf("%v to %v", s.Predicate.Detail["route"], s.Predicate.Detail["to"]))
				if !s.Predicate.Time.Before(began) {
					t.Errorf("%v was told as of %v", s.Predicate.Detail["route"], s.Predicate.Time)
				}
			}
			slices.Sort(list)
			return list
		}
		known := []string{"c-get to WS1", "c-move/viewers to XR1"}
		if n == 0 {
			known = append(known, "wado-rs to WS1", "wado-rs to WS4", "wado-rs/frames to WS1")
		}
		gatewaytest.Until(t, "forwarding to have told its own", func() bool { return len(told()) >= len(known) })
		if list := told(); !slices.Equal(list, known) {
			t.Errorf("of %s the ledger knows %q, want %q", uid(n), list, known)
		}
	}
	// A route that is named for who asks changes nothing where the ledger works.
	if status, _ := web(h.Enrol("ws-2"), "", "application/dicom"); status != "200" {
		t.Errorf("with the ledger back the viewer of another theatre is answered %s", status)
	}
}
