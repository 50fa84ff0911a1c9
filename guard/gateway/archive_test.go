// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/wire/dicom"
)

// output collects what a program prints.
type output struct {
	mu sync.Mutex
	b  strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// start runs a peer until the test ends, and waits until it listens on a port.
func start(t testing.TB, dir, port, name string, args ...string) *output {
	t.Helper()
	need(t, name)
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%.2000s", name, out)
		}
	})
	until(t, name+" to listen", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return out
}

// freePort returns a port of the loopback that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// late is an instance.Ingest that is known later than who needs it.
type late struct{ g *Gateway }

func (l *late) Store(ctx context.Context, a instance.Arrival, data io.Reader) (instance.Outcome, error) {
	return l.g.Store(ctx, a, data)
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
	need(t, "dcmqrscp", "storescu")
	a := &archived{port: freePort(t), workdir: t.TempDir()}
	cfg := query.Default()
	cfg.Archives = []query.Archive{{Name: "pacs", Address: "127.0.0.1:" + a.port, CalledAE: "PACS", Device: "pacs", Operations: []string{"find", "move", "get"}}}
	cfg.Destinations = []query.Destination{{AE: "XR1", Destination: "xr"}}
	cfg.MoveWait = 3 * time.Second
	if change != nil {
		change(&cfg)
	}
	g := &late{}
	a.place = newPlace(t, options{bindings: asking(), deps: func(d *Deps) {
		var err error
		a.proxy, err = query.New(cfg, query.Deps{AETitle: "ASEPSIS", Ingest: g, Vault: d.Vault, Ledger: d.Ledger, Key: d.Key, Name: "gateway", Software: d.Software, Dir: d.Dir, Log: d.Log})
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
	start(t, a.workdir, a.port, "dcmqrscp", "-v", "+B", "-c", conf)
	return a
}

// fill stores images in the archive.
func (a *archived) fill(files ...string) {
	a.t.Helper()
	if out, err := peer(a.t, "storescu", slices.Concat([]string{"-aet", "CT1", "-aec", "PACS", "127.0.0.1", a.port}, files)...); err != nil {
		a.t.Fatalf("%v\n%s", err, out)
	}
}

// ask has a program of DCMTK ask the gateway as ws-1.
func (a *archived) ask(d device, program string, args ...string) (string, error) {
	a.t.Helper()
	secure, port := d.tls(), a.place.port(KindTLS)
	if program != "findscu" { // which has TLS; movescu and getscu have not
		secure, port = nil, a.place.port(KindPlain)
	}
	return peer(a.t, program, slices.Concat([]string{"-v", "-S"}, secure, []string{"-aet", "WS1", "-aec", "ASEPSIS"}, args, []string{"127.0.0.1", port})...)
}

func TestAQueryIsPassedOnUnderTheGatewaysName(t *testing.T) {
	need(t, "findscu")
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
	need(t, "findscu")
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
			until(t, "the end", func() bool { return len(a.ended()) > before })
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
	need(t, "movescu")
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
	if out, err := peer(t, "storescu", "-aet", "PACS", "-aec", "ASEPSIS", "127.0.0.1", a.place.port(KindPlain), path); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if d := a.vault.all()[1].Deliveries; d[0].Route != "all" {
		t.Errorf("it goes to %+v", d)
	}
}

func TestAMoveThatDoesNotReachItsDestinationIsNotCalledSuccess(t *testing.T) {
	need(t, "movescu")
	a := newArchived(t, func(c *query.Config) { c.MoveWait = 300 * time.Millisecond })
	path, _ := image(t, "1.2.3.1", "FICT-0001")
	a.fill(path)
	out, _ := a.ask(a.enrol(identity.DICOMNode, "ws-1"), "movescu", "-aem", "XR1", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.826.0.1.3680043.8.498.1")
	if !strings.Contains(out, "Warning") || strings.Contains(out, "Response (Success)") {
		t.Errorf("%s", out)
	}
}

func TestAMoveToWhereItMayNotGoIsRefused(t *testing.T) {
	need(t, "movescu")
	a := newArchived(t, nil)
	d := a.enrol(identity.DICOMNode, "ws-1")
	for _, ae := range []string{"ELSEWHERE", "NOWHERE", "PACS"} {
		before := len(a.ended())
		out, _ := a.ask(d, "movescu", "-aem", ae, "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.826.0.1.3680043.8.498.1")
		if !strings.Contains(out, "MoveDestinationUnknown") && !strings.Contains(out, "0xa801") {
			t.Errorf("%s: %s", ae, out)
		}
		until(t, "the end", func() bool { return len(a.ended()) > before })
		if got := a.ended()[before]; got.Problem != "move-destination-not-allowed" {
			t.Errorf("%s: %+v", ae, got)
		}
	}
}

func TestWhatIsGotGoesThroughTheGateway(t *testing.T) {
	need(t, "getscu")
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
	need(t, "findscu")
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
			until(t, "the end", func() bool { return len(a.ended()) == 1 })
			if got := a.ended()[0]; got.Problem != problem || got.Hint == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}
