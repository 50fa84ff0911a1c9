// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/steer/steertest"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/prove/receipt"
	"github.com/asepsis/asepsis/respond/api"
)

// imaging is a house with a gateway whose control is reached over the bus only.
type imaging struct {
	*house
	gw     *steertest.Gateway
	ledger *ledger.Ledger
	// of the gateway, by what became of them
	passed, held instance.Record
}

// newImaging has two images of a study that were delivered, and one that is held.
func newImaging(t *testing.T) *imaging {
	t.Helper()
	m := &imaging{}
	cfg := ledger.Default()
	cfg.Dir, cfg.Origin, cfg.Checkpoint, cfg.Reserve = t.TempDir(), "ledger.example/gateway-or-3", 100*time.Millisecond, 0
	var err error
	if m.ledger, err = ledger.New(cfg, ledger.Deps{}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- m.ledger.Run(ctx) }()
	m.gw, err = steertest.Open(steertest.Options{Dir: t.TempDir(), Ledger: m.ledger})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		if m.passed, err = m.gw.Put(ctx, steertest.Image(1, n+1, ""), nil); err != nil {
			t.Fatal(err)
		}
		if m.passed, err = m.gw.Deliver(ctx, m.passed.Number); err != nil {
			t.Fatal(err)
		}
	}
	if m.held, err = m.gw.Put(ctx, steertest.Image(1, 3, steertest.Script), func(r *instance.Record) { r.State, r.Verdict = instance.Quarantined, instance.Quarantine }); err != nil {
		t.Fatal(err)
	}
	m.gw.Live.Association(control.Association{ID: "a1", Way: "dimse", Direction: "in", Listener: "dicom", Device: "dev-ct", CallingAE: "CT_OR3", CalledAE: "ASEPSIS", Address: "192.0.2.33", TLS: "TLSv1.3", Since: time.Now(), Instances: 3, Doing: "C-STORE"})
	m.gw.Live.Association(control.Association{ID: "a2", Way: "dimse", Direction: "in", Listener: "dicom", Address: "192.0.2.99", Since: time.Now(), Ended: time.Now(), Problem: "plain-on-tls", What: "It spoke DICOM in clear where TLS is spoken.", Hint: "switch TLS on at the sender"})
	m.house = newHouse(t, options{noRecorder: true, opened: func(b *bus.Bus) {
		go func() { done <- control.Serve(ctx, b, "gateway-or-3", m.gw) }()
	}})
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	m.until("the gateway reports", func() bool { return len(get[api.ImagingGateways](m.admin, "/imaging/gateways").Gateways) == 1 })
	m.until("its entries are published", func() bool {
		st, err := m.gw.Ledger(context.Background())
		return err == nil && st.Published == st.Size
	})
	return m
}

func TestWhatTheGatewayShowsIsAsTheDocumentSays(t *testing.T) {
	h := newImaging(t)
	s := newSchemas(t)
	c := h.admin
	ask := func(method, path, schema string, body any) answer {
		t.Helper()
		a := c.do(method, path, body)
		if a.status != http.StatusOK {
			t.Fatalf("%s %s: %s", method, path, a)
		}
		if schema != "" {
			s.hold(schema, false, a.body, method+" "+path)
		}
		return a
	}
	ask("GET", "/imaging/gateways", "ImagingGateways", nil)
	o := read[control.Overview](t, ask("GET", "/imaging/overview", "ImagingOverview", nil), 200)
	if o.Held != 1 || o.Received.Instances != 3 || o.Forwarded.Instances != 2 || len(o.Minutes) != 60 || len(o.Advice) < 4 || o.Advice[0].Severity != "high" {
		t.Errorf("the overview is %+v", o)
	}
	if l := read[api.ImagingAssociations](t, ask("GET", "/imaging/associations", "ImagingAssociations", nil), 200).Associations; len(l) != 2 || l[0].ID != "a1" || l[1].Problem != "plain-on-tls" {
		t.Errorf("the associations are %+v", l)
	}
	if l := read[api.ImagingAssociations](t, ask("GET", "/imaging/associations?only=problems", "ImagingAssociations", nil), 200).Associations; len(l) != 1 {
		t.Errorf("of them with problems: %+v", l)
	}
	ask("GET", "/imaging/destinations?gateway=gateway-or-3", "ImagingDestinations", nil)
	first := read[api.ImagingInstances](t, ask("GET", "/imaging/instances?limit=2", "ImagingInstances", nil), 200)
	if len(first.Instances) != 2 || first.Before == nil || first.Instances[1].Custody != "published" {
		t.Fatalf("the first page is %+v", first)
	}
	if l := read[api.ImagingInstances](t, ask("GET", fmt.Sprintf("/imaging/instances?limit=2&before=%d", *first.Before), "ImagingInstances", nil), 200); len(l.Instances) != 1 || l.Before != nil {
		t.Errorf("the second page is %+v", l)
	}
	if l := read[api.ImagingInstances](t, ask("GET", "/imaging/instances?state=quarantined&state=refused", "ImagingInstances", nil), 200); len(l.Instances) != 1 || l.Instances[0].Number != h.held.Number {
		t.Errorf("what is held: %+v", l)
	}
	d := read[api.ImagingInstanceDetail](t, ask("GET", fmt.Sprintf("/imaging/instances/%d", h.passed.Number), "ImagingInstanceDetail", nil), 200)
	if len(d.Entries) != 2 || d.Entries[0].Kind != "artefact-received" || !strings.Contains(d.Entries[1].Sentence, "sent an image to xr-3") {
		t.Errorf("the instance is %+v", d)
	}
	ask("GET", "/imaging/quarantine", "ImagingQuarantine", nil)
	studies := read[api.ImagingStudies](t, ask("GET", "/imaging/studies", "ImagingStudies", nil), 200)
	if len(studies.Studies) != 1 || studies.Studies[0].Instances != 3 || studies.Studies[0].States["quarantined"] != 1 {
		t.Errorf("the studies are %+v", studies)
	}
	line := read[api.ImagingTimeline](t, ask("GET", "/imaging/studies/"+h.passed.Study+"/timeline", "ImagingTimeline", nil), 200)
	var steps []string
	for _, x := range line.Steps {
		steps = append(steps, fmt.Sprintf("%s %d %s", x.What, x.Instances, x.Custody))
	}
	if got := strings.Join(steps, ", "); got != "received 3 published, forwarded 2 published, quarantined 1 published" {
		t.Errorf("the steps are %s", got)
	}
	if len(line.Instances) != 3 || len(line.Instances[2].Events) != 2 || line.Instances[2].Events[1].Receipt == "" || !strings.Contains(line.Instances[2].Events[1].Sentence, "bit for bit") {
		t.Errorf("the lives are %+v", line.Instances)
	}
	p := read[api.ImagingPolicy](t, ask("GET", "/imaging/policy", "ImagingPolicy", nil), 200)
	if !strings.Contains(p.YAML, "rules:") || p.State.Rules < 10 {
		t.Errorf("the policy is %.100s, %+v", p.YAML, p.State)
	}
	ask("GET", "/imaging/bindings", "ImagingBindings", nil)
	if e := read[control.Echo](t, ask("POST", "/imaging/destinations/xr-3/echo", "ImagingEcho", nil), 200); !e.OK || len(e.Steps) != 4 {
		t.Errorf("trying it: %+v", e)
	}
	if x := read[api.ImagingDestination](t, ask("POST", "/imaging/destinations/xr-3/pause", "ImagingDestination", map[string]any{}), 200); x.State != "paused" {
		t.Errorf("paused, it is %+v", x)
	}
	for _, x := range read[api.ImagingReceipts](t, ask("GET", "/imaging/receipts/"+h.passed.SOPInstance, "ImagingReceipts", nil), 200).Receipts {
		if x.DataSet != h.passed.DataSet || x.Number != h.passed.Number || x.Receipt == "" {
			t.Errorf("a receipt is %+v", x)
		}
	}
	if l := read[api.ImagingReceipts](t, ask("GET", "/imaging/receipts/"+h.passed.DataSet, "ImagingReceipts", nil), 200); len(l.Receipts) != 2 {
		t.Errorf("by digest: %+v", l)
	}

	for _, x := range []struct {
		path   string
		status int
		want   string
	}{
		{"/imaging/overview?gateway=none", 404, "no gateway of that name"},
		{"/imaging/overview?gateway=No%20name", 400, "gateway"},
		{"/imaging/overview?gatway=x", 400, "gatway"},
		{"/imaging/instances?state=lost", 400, "state"},
		{"/imaging/instances?study=1.2.x", 400, "UID"},
		{"/imaging/instances?series=CT", 400, "UID"},
		{"/imaging/instances?before=x", 400, "before"},
		{"/imaging/instances?limit=501", 400, "limit"},
		{"/imaging/instances/999", 404, "no such instance"},
		{"/imaging/instances/x", 404, "number"},
		{"/imaging/studies/1.2.3/timeline", 404, "no instance of this study"},
		{"/imaging/studies/x/timeline", 400, "UID"},
		{"/imaging/studies/1.2.3/receipts.zip", 404, "no instance of this study"},
		{"/imaging/receipts/1.2.3", 404, "no instance with this UID"},
		{"/imaging/receipts/" + strings.Repeat("ab", 32), 404, "nothing of a data set"},
		{"/imaging/receipts/x", 400, "SOP instance UID"},
		{"/imaging/entries/99999/receipt", 404, "no such entry"},
		{"/imaging/entries/x/receipt", 404, "index"},
	} {
		a := c.do("GET", x.path, nil)
		if a.status != x.status || !strings.Contains(string(a.body), x.want) {
			t.Errorf("GET %s: %s, want %d about %q", x.path, a, x.status, x.want)
		}
		s.hold("Problem", false, a.body, "GET "+x.path)
	}
	// What identifies a patient is in no answer but that of the header in clear.
	for _, path := range []string{"/imaging/instances", fmt.Sprintf("/imaging/instances/%d/header", h.held.Number), "/imaging/studies/" + h.passed.Study + "/timeline"} {
		if a := c.do("GET", path, nil); strings.Contains(string(a.body), "Example^Ada") || strings.Contains(string(a.body), "PID-4711") {
			t.Errorf("GET %s shows the patient", path)
		}
	}
}

// TestReceiptsOfAStudyAreVerifiedWithoutTheServer takes the archive and nothing else.
func TestReceiptsOfAStudyAreVerifiedWithoutTheServer(t *testing.T) {
	h := newImaging(t)
	files := map[string][]byte{}
	a := h.admin.do("GET", "/imaging/studies/"+h.passed.Study+"/receipts.zip", nil)
	if a.status != 200 || a.head.Get("Content-Type") != "application/zip" {
		t.Fatalf("the bundle: %d %s", a.status, a.head)
	}
	z, err := zip.NewReader(bytes.NewReader(a.body), int64(len(a.body)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	trust, err := receipt.ParseTrust(files["trust.json"])
	if err != nil {
		t.Fatal(err)
	}
	var index struct {
		Complete  bool
		Instances []struct {
			DataSet string `json:"data_set_sha256"`
			Entries []uint64
		}
		Receipts []struct {
			Entry uint64
			File  string
		}
	}
	if err := json.Unmarshal(files["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	if !index.Complete || len(index.Instances) != 3 || len(index.Receipts) != 6 || !strings.Contains(string(files["README.txt"]), "asepsis verify") {
		t.Fatalf("the index is %+v", index)
	}
	about := map[uint64]string{}
	for _, i := range index.Instances {
		for _, e := range i.Entries {
			about[e] = i.DataSet
		}
	}
	for _, x := range index.Receipts {
		got, err := receipt.Verify(files[x.File], trust, receipt.Options{})
		if err != nil || got.Index != x.Entry || got.Statement.Subject[0].Digest["sha256"] != about[x.Entry] {
			t.Errorf("%s proves entry %d about %v: %v", x.File, got.Index, got.Statement.Subject, err)
		}
	}
	one := h.admin.do("GET", "/imaging/receipts/"+h.passed.SOPInstance+"/bundle.zip", nil)
	if z, err := zip.NewReader(bytes.NewReader(one.body), int64(len(one.body))); err != nil || len(z.File) != 5 {
		t.Errorf("the bundle of one instance: %v", err)
	}
	single := h.admin.do("GET", fmt.Sprintf("/imaging/entries/%d/receipt", h.passed.Entries[1].Index), nil)
	if got, err := receipt.Verify(single.body, trust, receipt.Options{}); err != nil || got.Statement.Kind() != "artefact-forwarded" {
		t.Errorf("a single receipt: %v", err)
	}
	if file := h.admin.do("GET", "/imaging/trust", nil); !bytes.Equal(file.body, files["trust.json"]) {
		t.Error("the trust file is another one")
	}
}

// TestTheGuideHasEveryAddress holds docs/imaging-api.md to the routes.
func TestTheGuideHasEveryAddress(t *testing.T) {
	guide, err := os.ReadFile("../../docs/imaging-api.md")
	if err != nil {
		t.Fatal(err)
	}
	d, _ := openAPI(t)
	n := 0
	for path, ops := range d.Paths {
		if !strings.HasPrefix(path, "/imaging/") {
			continue
		}
		for method := range ops {
			n++
			at := strings.LastIndexByte(path, '/')
			if !strings.Contains(string(guide), strings.ToUpper(method)+" "+path+"`") && !strings.Contains(string(guide), "`"+path[at:]+"`") {
				t.Errorf("docs/imaging-api.md has no %s %s", strings.ToUpper(method), path)
			}
		}
	}
	if n < 25 {
		t.Errorf("%d addresses", n)
	}
}

// TestAChangeAtAGatewayIsHeardInTheStream has an association begin while a console listens.
func TestAChangeAtAGatewayIsHeardInTheStream(t *testing.T) {
	h := newImaging(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	resp, err := http.DefaultClient.Do(h.admin.request("GET", "/stream", nil).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for n := 0; lines.Scan(); n++ {
		if n%4 == 0 {
			h.gw.Live.Association(control.Association{ID: fmt.Sprint("late", n), Address: "192.0.2.1", Since: time.Now()})
		}
		if strings.Contains(lines.Text(), `"imaging"`) {
			return
		}
	}
	t.Errorf("the stream ended without a notice: %v", lines.Err())
}

// TestTheTimelineTellsOfWhatWasChanged has an image that was sanitised, its copy that was
// de-identified on its way, and one that waits after two attempts.
func TestTheTimelineTellsOfWhatWasChanged(t *testing.T) {
	h := newImaging(t)
	ctx := t.Context()
	entry := func(kind, destination string) instance.Entry {
		return instance.Entry{Index: h.passed.Entries[0].Index, Kind: kind, At: time.Now(), Destination: destination}
	}
	original, err := h.gw.Put(ctx, steertest.Image(2, 1, ""), func(r *instance.Record) {
		r.State, r.Verdict, r.Deliveries, r.Copy = instance.Replaced, instance.Sanitise, nil, 5
		r.Hits = []instance.Hit{{Rule: "text.script", Verdict: instance.Sanitise, Why: "it has a script"}}
		r.Entries = []instance.Entry{entry("decision", "")}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.gw.Put(ctx, steertest.Image(2, 1, "clean"), func(r *instance.Record) {
		r.Original, r.State, r.Verdict = original.Number, instance.Accepted, instance.Pass
		r.Entries = []instance.Entry{entry("artefact-altered", ""), entry("artefact-altered", "xr-3"), entry("artefact-forwarded", "xr-3")}
		r.Deliveries = []instance.Delivery{{Destination: "xr-3", State: instance.Committed, Attempts: 1, At: time.Now(), Forwarded: strings.Repeat("ab", 32)},
			{Destination: "archive", State: instance.Waiting, Attempts: 2, At: time.Now(), Why: "connection refused"}, {Destination: "old", State: instance.Dead, At: time.Now(), Why: "it refuses CT"}}
	}); err != nil {
		t.Fatal(err)
	}
	a := h.admin.do("GET", "/imaging/studies/"+original.Study+"/timeline", nil)
	newSchemas(t).hold("ImagingTimeline", false, a.body, "the timeline")
	line := read[api.ImagingTimeline](t, a, 200)
	said := func(i int) string {
		var out []string
		for _, e := range line.Instances[i].Events {
			out = append(out, e.What+": "+e.Sentence)
			if e.What == "sanitised" && (e.Entry == nil || e.Other == 0) || e.What == "forwarded" && (e.Entry == nil || e.Alteration == nil) {
				t.Errorf("without its entries: %+v", e)
			}
		}
		return strings.Join(out, "\n")
	}
	if got, want := said(1), "received: Received from CT_OR3\nsanitised: Kept in quarantine; instance 5 goes on in its place: text.script"; got != want {
		t.Errorf("of the original:\n%s\nwant\n%s", got, want)
	}
	if got, want := said(0), "sanitised: Made of instance 4 by taking out what the firewall met\nforwarded: Sent to xr-3, changed as its profile says\ncommitted: xr-3 took responsibility for it (storage commitment)\n"+
		"waiting: Waits to be sent to archive again after 2 attempts: connection refused\nfailed: Given up for old: it refuses CT"; got != want {
		t.Errorf("of the copy:\n%s\nwant\n%s", got, want)
	}
	var steps []string
	for _, x := range line.Steps {
		steps = append(steps, x.Sentence)
	}
	if got := strings.Join(steps, "; "); !strings.HasPrefix(got, "1 image received from dev-ct; ") || !strings.Contains(got, "2 images sanitised; ") || !strings.Contains(got, "1 image was given up for old") {
		t.Errorf("the steps are %s", got)
	}
	if d := line.Study.Deliveries; d["committed"] != 1 || d["waiting"] != 1 || d["dead"] != 1 {
		t.Errorf("the deliveries are %v", d)
	}
}
