// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/owed"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/wire/dicom"
)

// late is an instance.Ingest, and a query.Custody, that is known later than who needs it.
type late struct{ g *Gateway }

func (l *late) Store(ctx context.Context, a instance.Arrival, data io.Reader) (instance.Outcome, error) {
	return l.g.Store(ctx, a, data)
}

func (l *late) Retrieval(device, theatre string) (string, bool) {
	return l.g.Retrieval(device, theatre)
}

func (l *late) Give(ctx context.Context, n owed.Note, open bool) (*instance.Entry, error) {
	return l.g.Give(ctx, n, open)
}

// archived is a place with an archive behind the gateway.
type archived struct {
	*place
	port    string // of the archive
	workdir string
	proxy   *query.Proxy
}

// bindings of a workstation that asks, and of the archive that sends what was asked for.
func asking() []control.Binding {
	return []control.Binding{ct(),
		{Device: "ws-1", Plain: true, Addresses: []string{"127.0.0.1"}, CallingAE: []string{"WS1"}, Operations: []string{"echo", "find", "move", "get", "worklist", "mpps"}, Destinations: []string{"XR1", "NOWHERE"}, Theatre: "or-3"},
		{Device: "pacs", Plain: true, CallingAE: []string{"PACS"}, Addresses: []string{"127.0.0.1"}, Operations: []string{"store", "commitment"}}}
}

// newArchived makes a gateway in front of dcmqrscp.
func newArchived(t testing.TB, change func(*query.Config)) *archived {
	t.Helper()
	return newArchivedWith(t, change, nil)
}

// newArchivedWith is one whose gateway has another configuration too.
func newArchivedWith(t testing.TB, change func(*query.Config), config func(*Config)) *archived {
	t.Helper()
	gatewaytest.Need(t, "dcmqrscp", "storescu")
	a := &archived{port: gatewaytest.FreePort(t), workdir: t.TempDir()}
	cfg := query.Default()
	cfg.Archives = []query.Archive{{Name: "pacs", Address: "127.0.0.1:" + a.port, CalledAE: "PACS", Device: "pacs", Operations: []string{"find", "move", "get"}}}
	cfg.Destinations = []query.Destination{{AE: "XR1", Destination: "xr"}}
	cfg.MoveWait = 3 * time.Second
	if change != nil {
		change(&cfg)
	}
	g := &late{}
	a.place = newPlace(t, options{bindings: asking(), config: config, deps: func(d *Deps) {
		var err error
		a.proxy, err = query.New(cfg, query.Deps{AETitle: "ASEPSIS", Ingest: g, Vault: d.Vault, Custody: g, Key: d.Key, Name: "gateway", Software: d.Software, Dir: d.Dir, Log: d.Log})
		if err != nil {
			t.Fatal(err)
		}
		d.Queries = a.proxy
	}})
	g.g = a.g
	conf := filepath.Join(a.workdir, "dcmqrscp.cfg")
	if err := os.MkdirAll(filepath.Join(a.workdir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`NetworkTCPPort = %s
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
gateway = (ASEPSIS, 127.0.0.1, %s)
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
PACS %s RW (200, 1024mb) ANY
AETable END
`, a.port, a.place.port(KindPlain), filepath.Join(a.workdir, "db"))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Start(t, a.workdir, "dcmqrscp", "-v", "+B", "-c", conf).Listening(a.port)
	return a
}

// fill stores images in the archive.
func (a *archived) fill(files ...string) {
	a.t.Helper()
	if out, err := gatewaytest.Run(a.t, "storescu", slices.Concat([]string{"-aet", "CT1", "-aec", "PACS", "127.0.0.1", a.port}, files)...); err != nil {
		a.t.Fatalf("%v\n%s", err, out)
	}
}

// ask has a program of DCMTK ask the gateway as ws-1.
func (a *archived) ask(d gatewaytest.Credentials, program string, args ...string) (string, error) {
	a.t.Helper()
	secure, port := d.TLS(), a.place.port(KindTLS)
	if program != "findscu" { // which has TLS; movescu and getscu have not
		secure, port = nil, a.place.port(KindPlain)
	}
	return gatewaytest.Run(a.t, program, slices.Concat([]string{"-v", "-S"}, secure, []string{"-aet", "WS1", "-aec", "ASEPSIS"}, args, []string{"127.0.0.1", port})...)
}

func TestAQueryIsPassedOnUnderTheGatewaysName(t *testing.T) {
	gatewaytest.Need(t, "findscu")
	a := newArchived(t, nil)
	d := a.enrol(identity.DICOMNode, "ws-1")
	for i := range 3 {
		path, _ := image(t, fmt.Sprintf("1.2.3.%d", i), "FICT-0001")
		a.fill(path)
	}
	out, err := a.ask(d, "findscu", "-k", "QueryRetrieveLevel=IMAGE", "-k", "StudyInstanceUID=1.2.826.0.1.3680043.8.498.1", "-k", "SeriesInstanceUID=1.2.826.0.1.3680043.8.498.1.1", "-k", "SOPInstanceUID", "-k", "RetrieveAETitle")
	if err != nil || strings.Count(out, "1.2.3.") != 3 {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.Contains(out, "[ASEPSIS") || strings.Contains(out, "[PACS") {
		t.Errorf("the answers name the archive to be retrieved from\n%s", out)
	}
}

func TestWhatTheQueryPolicyForbidsIsNotPassedOn(t *testing.T) {
	gatewaytest.Need(t, "findscu")
	a := newArchived(t, func(c *query.Config) {
		c.Policies = []query.Policy{{Keys: []string{"PatientID", "PatientName", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "StudyDate"}, Results: 2}}
	})
	d := a.enrol(identity.DICOMNode, "ws-1")
	for i := range 4 {
		path, _ := image(t, fmt.Sprintf("1.2.3.%d", i), "FICT-0001")
		a.fill(path)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"everybody":             {[]string{"-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName"}, "no key restricts it"},
		"everybody by wildcard": {[]string{"-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName=*"}, "no key restricts it"},
		"nearly everybody":      {[]string{"-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName=A*"}, "no key restricts it"},
		"all dates from":        {[]string{"-k", "QueryRetrieveLevel=STUDY", "-k", "StudyDate=19000101-"}, "no key restricts it"},
		"a key that is not its": {[]string{"-k", "QueryRetrieveLevel=STUDY", "-k", "PatientBirthDate=19700101"}, "may not be searched by PatientBirthDate"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(a.ended())
			out, _ := a.ask(d, "findscu", c.args...)
			if !strings.Contains(out, "Failed: UnableToProcess") || strings.Contains(out, "1.2.826") {
				t.Errorf("the peer is told\n%s", out)
			}
			gatewaytest.Until(t, "the end", func() bool { return len(a.ended()) > before })
			if got := a.ended()[before]; got.Problem != QueryRefused || !strings.Contains(got.What, c.want) {
				t.Errorf("want %q: %+v", c.want, got)
			}
		})
	}
	out, _ := a.ask(d, "findscu", "-k", "QueryRetrieveLevel=IMAGE", "-k", "StudyInstanceUID=1.2.826.0.1.3680043.8.498.1", "-k", "SeriesInstanceUID=1.2.826.0.1.3680043.8.498.1.1", "-k", "SOPInstanceUID")
	if strings.Count(out, "[1.2.3.") != 2 || !strings.Contains(strings.ToLower(out), "cancel") {
		t.Errorf("of four answers two may pass\n%s", out)
	}
}

func TestWhatIsMovedGoesThroughTheGateway(t *testing.T) {
	gatewaytest.Need(t, "movescu")
	a := newArchived(t, nil)
	d := a.enrol(identity.DICOMNode, "ws-1")
	path, data := image(t, "1.2.3.1", "FICT-0001")
	a.fill(path)
	go func() { // the forwarder
		for range 200 {
			time.Sleep(10 * time.Millisecond)
			a.vault.set(func(v *vault) {
				for n, r := range v.records {
					for i := range r.Deliveries {
						r.Deliveries[i].State = instance.Delivered
					}
					v.records[n] = r
				}
			})
		}
	}()
	out, err := a.ask(d, "movescu", "-aem", "XR1", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.826.0.1.3680043.8.498.1")
	if err != nil || !strings.Contains(out, "Success") {
		t.Fatalf("%v\n%s", err, out)
	}
	r := a.vault.all()
	if len(r) != 1 || string(a.vault.content(r[0].Number)) != string(data) || r[0].Sender.Device != "pacs" {
		t.Fatalf("%+v", r)
	}
	if d := r[0].Deliveries; len(d) != 1 || d[0].Destination != "xr" || d[0].Route != query.RouteMove {
		t.Errorf("it goes to %+v", d)
	}
	// What the archive sends by itself is no C-MOVE, and goes the usual way.
	path, _ = image(t, "1.2.3.9", "FICT-0002")
	if out, err := gatewaytest.Run(t, "storescu", "-aet", "PACS", "-aec", "ASEPSIS", "127.0.0.1", a.place.port(KindPlain), path); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if d := a.vault.all()[1].Deliveries; d[0].Route != "all" {
		t.Errorf("it goes to %+v", d)
	}
}

func TestAMoveThatDoesNotReachItsDestinationIsNotCalledSuccess(t *testing.T) {
	gatewaytest.Need(t, "movescu")
	a := newArchived(t, func(c *query.Config) { c.MoveWait = 300 * time.Millisecond })
	path, _ := image(t, "1.2.3.1", "FICT-0001")
	a.fill(path)
	out, _ := a.ask(a.enrol(identity.DICOMNode, "ws-1"), "movescu", "-aem", "XR1", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.826.0.1.3680043.8.498.1")
	if !strings.Contains(out, "Warning") || strings.Contains(out, "Response (Success)") {
		t.Errorf("%s", out)
	}
}

func TestAMoveToWhereItMayNotGoIsRefused(t *testing.T) {
	gatewaytest.Need(t, "movescu")
	a := newArchived(t, nil)
	d := a.enrol(identity.DICOMNode, "ws-1")
	for _, ae := range []string{"ELSEWHERE", "NOWHERE", "PACS"} {
		before := len(a.ended())
		out, _ := a.ask(d, "movescu", "-aem", ae, "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.826.0.1.3680043.8.498.1")
		if !strings.Contains(out, "MoveDestinationUnknown") && !strings.Contains(out, "0xa801") {
			t.Errorf("%s: %s", ae, out)
		}
		gatewaytest.Until(t, "the end", func() bool { return len(a.ended()) > before })
		if got := a.ended()[before]; got.Problem != MoveRefused {
			t.Errorf("%s: %+v", ae, got)
		}
	}
}

func TestWhatIsGotGoesThroughTheGateway(t *testing.T) {
	gatewaytest.Need(t, "getscu")
	a := newArchived(t, nil)
	d := a.enrol(identity.DICOMNode, "ws-1")
	good, data := image(t, "1.2.3.1", "FICT-0001")
	bad, _ := image(t, "1.2.3.2", "FICT-quarantine")
	a.fill(good, bad)
	dir := t.TempDir()
	out, _ := a.ask(d, "getscu", "-od", dir, "+B", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.826.0.1.3680043.8.498.1")
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files: %v\n%s\n%s", len(files), err, out, sprint(a.ended()))
	}
	f, err := os.Open(filepath.Join(dir, files[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x, err := dicom.OpenFile(f)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(x.Data)
	if err != nil || string(got) != string(data) {
		t.Errorf("what was got is not what the archive has: %v", err)
	}
	kinds := a.log.kinds()
	if !slices.Contains(kinds, custody.Forwarded) || !slices.Contains(kinds, custody.Decision) {
		t.Errorf("statements %v", kinds)
	}
}

func TestAnArchiveThatIsAwayOrRefusesIsNamed(t *testing.T) {
	gatewaytest.Need(t, "findscu")
	for problem, change := range map[string]func(*query.Config){
		ArchiveAway:    func(c *query.Config) { c.Archives[0].Address = "127.0.0.1:1" },
		ArchiveRefused: func(c *query.Config) { c.Archives[0].CalledAE = "ANOTHER" },
	} {
		t.Run(problem, func(t *testing.T) {
			a := newArchived(t, change)
			out, _ := a.ask(a.enrol(identity.DICOMNode, "ws-1"), "findscu", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=FICT-0001")
			if !strings.Contains(strings.ReplaceAll(out, " ", ""), "OutOfResources") {
				t.Errorf("the peer is told\n%s", out)
			}
			gatewaytest.Until(t, "the end", func() bool { return len(a.ended()) == 1 })
			if got := a.ended()[0]; got.Problem != problem || got.Hint == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// moving has movescu ask for the study of the tests.
func (a *archived) moving(d gatewaytest.Credentials) string {
	a.t.Helper()
	out, _ := a.ask(d, "movescu", "-aem", "XR1", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.826.0.1.3680043.8.498.1")
	return out
}

// TestWhatIsHeldOfAMoveStopsNothingElse has three images moved of which one is held and one refused: the archive
// hears of the one that is kept that it is kept, and who asked hears that it did not arrive.
func TestWhatIsHeldOfAMoveStopsNothingElse(t *testing.T) {
	gatewaytest.Need(t, "movescu")
	a := newArchived(t, func(c *query.Config) { c.MoveWait = 100 * time.Millisecond })
	for i, patient := range []string{"FICT-0001", "FICT-quarantine", "FICT-refuse"} {
		path, _ := image(t, fmt.Sprintf("1.2.3.%d", i+1), patient)
		a.fill(path)
	}
	out := a.moving(a.enrol(identity.DICOMNode, "ws-1"))
	if !strings.Contains(out, "Warning") || strings.Contains(out, "Response (Success)") {
		t.Errorf("who asked is told\n%s", out)
	}
	states := map[string]instance.State{}
	for _, r := range a.vault.all() {
		states[r.SOPInstance] = r.State
		if r.MovedTo != "xr" {
			t.Errorf("of %s it is not kept that it was to be moved: %q", r.SOPInstance, r.MovedTo)
		}
	}
	if states["1.2.3.1"] != instance.Accepted || states["1.2.3.2"] != instance.Quarantined || states["1.2.3.3"] != instance.Refused {
		t.Errorf("%v", states)
	}
	// The archive was refused one of three.
	var sent []string
	for _, e := range a.seen() {
		if op, ok := e.Detail.(*event.DICOMOperation); ok && op.Command == "C-STORE" {
			sent = append(sent, op.SOPInstance+" "+op.StatusName)
		}
	}
	slices.Sort(sent)
	if want := []string{"1.2.3.1 success", "1.2.3.2 success"}; len(sent) != 3 || !slices.Equal(lower(sent[:2]), want) {
		t.Errorf("the archive was told %q", sent)
	}
}

func lower(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

func TestASanitisedCopyOfAMoveIsWaitedFor(t *testing.T) {
	gatewaytest.Need(t, "movescu")
	a := newArchived(t, func(c *query.Config) { c.MoveWait = 300 * time.Millisecond })
	path, _ := image(t, "1.2.3.1", "FICT-sanitise")
	a.fill(path)
	if out := a.moving(a.enrol(identity.DICOMNode, "ws-1")); !strings.Contains(out, "Warning") { // nobody delivers here
		t.Errorf("a copy that did not arrive is called success\n%s", out)
	}
	if r := a.vault.all(); len(r) != 2 || r[1].MovedTo != "xr" || len(r[1].Deliveries) != 1 || r[1].Deliveries[0].Route != query.RouteMove {
		t.Errorf("%+v", r)
	}
}

// TestWhatTheLedgerDoesNotRecordIsNotGivenOut has a ledger that takes what comes, and not what goes.
func TestWhatTheLedgerDoesNotRecordIsNotGivenOut(t *testing.T) {
	gatewaytest.Need(t, "getscu")
	a := newArchived(t, nil)
	path, data := image(t, "1.2.3.1", "FICT-0001")
	a.fill(path)
	d, dir := a.enrol(identity.DICOMNode, "ws-1"), t.TempDir()
	get := func() string {
		out, _ := a.ask(d, "getscu", "-od", dir, "+B", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.826.0.1.3680043.8.498.1")
		return out
	}
	a.log.set(func(l *memoryLog) { l.deaf = custody.Forwarded })
	out := get()
	if n := len(gatewaytest.Stored(t, dir)); n != 0 || strings.Contains(out, "Final GET Response (Success)") {
		t.Errorf("%d were given out\n%s", n, out)
	}
	a.log.set(func(l *memoryLog) { l.deaf = "" })
	gatewaytest.Until(t, "the ledger to be asked again", func() bool { return a.g.books.closed(false) == nil })
	out = get()
	if got := gatewaytest.Stored(t, dir)["1.2.3.1"]; string(got) != string(data) {
		t.Fatalf("with the ledger back: %d bytes\n%s", len(got), out)
	}
	r := a.vault.all()[1]
	if last := a.log.entries[len(a.log.entries)-1]; last.Kind() != custody.Forwarded || last.Predicate.Device != "ws-1" || last.Subject[0].Digest["sha256"] != r.DataSet || last.Predicate.Detail["to"] != "WS1" {
		t.Errorf("statement %+v", last)
	}
	if len(r.Deliveries) != 1 || r.Deliveries[0].Destination != "ws-1" || r.Deliveries[0].State != instance.Delivered || r.Deliveries[0].Status != "0x0000" {
		t.Errorf("record %+v", r.Deliveries)
	}
}

// TestWhatARequestorDoesNotTakeIsNoted has a requestor whose disk is full.
func TestWhatARequestorDoesNotTakeIsNoted(t *testing.T) {
	a := newArchived(t, nil)
	path, _ := image(t, "1.2.3.1", "FICT-0001")
	a.fill(path)
	d := &dicomnet.Dialer{CallingAE: "WS1", CalledAE: "ASEPSIS", Handler: dicomnet.HandlerFunc(func(_ context.Context, r *dicomnet.Request) dicomnet.Reply {
		_, _ = io.Copy(io.Discard, r.Data)
		return dicomnet.Reply{Status: 0xA700}
	}), Contexts: []dicomnet.Proposal{{AbstractSyntax: studyGet, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}}, {AbstractSyntax: gatewaytest.CTStorage, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}, SCP: true}}}
	x, err := d.Dial(t.Context(), "127.0.0.1:"+a.place.port(KindPlain))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Abort()
	var b bytes.Buffer
	s, _ := dicom.SyntaxOf(dicom.ExplicitVRLittleEndian)
	w := dicom.NewWriter(&b, s)
	w.Text(dicom.TagQueryRetrieveLevel, dicom.CS, "STUDY")
	w.Text(dicom.TagStudyInstanceUID, dicom.UI, "1.2.826.0.1.3680043.8.498.1")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rsp, err := x.Get(t.Context(), dicomnet.Query{SOPClass: studyGet, Identifier: &b}, nil)
	if err == nil && rsp.Status == 0 {
		t.Errorf("it is called success: %+v", rsp)
	}
	gatewaytest.Until(t, "it to be noted", func() bool { return len(a.vault.all()) == 1 && len(a.vault.all()[0].Deliveries) == 1 })
	if got := a.vault.all()[0].Deliveries[0]; got.State != instance.Dropped || got.Status != "0xA700" || got.Why == "" {
		t.Errorf("%+v", got)
	}
}

// endless is an archive that answers a query until it is told to stop.
type endless struct{ sent, stopped atomic.Int64 }

func (x *endless) Handle(ctx context.Context, r *dicomnet.Request) dicomnet.Reply {
	b, err := io.ReadAll(r.Data)
	if err != nil {
		return dicomnet.Reply{Status: 0xC000}
	}
	for range 100_000 {
		if err := r.Pending(ctx, dicomnet.Reply{Status: 0xFF00, Data: bytes.NewReader(b)}); err != nil {
			if errors.Is(err, dicomnet.ErrCancelled) {
				x.stopped.Add(1)
			}
			return dicomnet.Reply{Status: 0xFE00}
		}
		x.sent.Add(1)
	}
	return dicomnet.Reply{}
}

func TestACancelReachesTheArchive(t *testing.T) {
	gatewaytest.Need(t, "findscu")
	archive := &endless{}
	cfg := query.Default()
	cfg.Archives = []query.Archive{{Name: "pacs", Address: serve(t, archive, dicomnet.Service{AbstractSyntax: studyFind, TransferSyntaxes: dicomnet.UncompressedSyntaxes()}), CalledAE: "PACS", Operations: []string{"find"}}}
	cfg.Policies = []query.Policy{{Results: 1_000_000}}
	p, _ := informed(t, cfg, query.Deps{}, asking())
	d := p.enrol(identity.DICOMNode, "ws-1")
	out, _ := gatewaytest.Run(t, "findscu", slices.Concat([]string{"-v", "-S", "--cancel", "2"}, d.TLS(), []string{"-aet", "WS1", "-aec", "ASEPSIS", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=FICT-0001", "127.0.0.1", p.port(KindTLS)})...)
	if !strings.Contains(out, "Cancel") {
		t.Errorf("who asked is told\n%.2000s", out)
	}
	if archive.stopped.Load() != 1 || archive.sent.Load() > 99_000 {
		t.Errorf("the archive answered %d times, and was stopped %d times", archive.sent.Load(), archive.stopped.Load())
	}
	gatewaytest.Until(t, "the end", func() bool { return len(p.ended()) == 1 })
	if got := p.ended()[0]; got.Problem != "" {
		t.Errorf("%+v", got)
	}
}
