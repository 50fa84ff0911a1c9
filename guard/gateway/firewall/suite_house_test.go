// SPDX-License-Identifier: Apache-2.0

package firewall_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/forward"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/guard/gateway/service"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/scene"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// wait is how long a test waits before it fails.
const wait = 60 * time.Second

// house is a hospital that does not exist, with a whole gateway whose destination is away.
type house struct {
	t    testing.TB
	site *identitytest.Site
	web  *http.Client
	cfg  service.Config
	data string
	ris  string
	s    *service.Service
	stop func()

	mu     sync.Mutex
	events []*event.Event
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, site: identitytest.New(t, identitytest.Options{}), data: t.TempDir()}
	h.ris = listenRIS(t)
	cfg := service.Default()
	cfg.Listeners = []gateway.Listener{{Kind: gateway.KindPlain, Listen: "127.0.0.1:0"}, {Kind: gateway.KindWeb, Listen: "127.0.0.1:0"}}
	cfg.Timeouts.Close, cfg.Drain = time.Second, 2*time.Second
	d := forward.DefaultDestination()
	d.Name, d.Address, d.CalledAE, d.CallingAE = "xr", "127.0.0.1:"+gatewaytest.FreePort(t), "XR1", "ASEPSIS"
	cfg.Forward.Destinations = []forward.Destination{d}
	cfg.Forward.Routes = []forward.Route{{Name: "all", To: []string{"xr"}, Fail: forward.FailClosed}}
	cfg.Query.Archives = []query.Archive{{Name: "ris", Address: h.ris, CalledAE: "RIS", Operations: []string{"mpps"}}}
	cfg.Devices = []service.Device{{Device: "dev-1", Manufacturer: "Fictional Imaging Ltd.", Models: []string{"Scan 3"}, Serials: []string{"SN-1"}, Stations: []string{"CT1"}}}
	cfg.Journal.Segment, cfg.Journal.Warn, cfg.Journal.Stop, cfg.Journal.Reserve = 8*config.MiB, 2*config.MiB, config.MiB, config.MiB
	cfg.Ledger.Reserve = config.MiB
	h.cfg = cfg
	bound := control.Binding{Device: "dev-1", Plain: true, CallingAE: []string{"CT1"}, Addresses: []string{"127.0.0.1"}, SOPClasses: []string{"storage", "private"}, Operations: []string{"store", "stow", "mpps"}, Theatre: "or-1"}
	if err := os.MkdirAll(filepath.Join(h.data, "gateway"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.data, "gateway", "bindings.yaml"), binding.Format([]control.Binding{bound}), 0o600); err != nil {
		t.Fatal(err)
	}
	_, pair := h.site.Issue(t, identity.DICOMNode, "dev-1")
	roots := x509.NewCertPool()
	roots.AddCert(h.site.Root())
	h.web = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: "localhost"}}}
	h.start()
	t.Cleanup(func() { h.stop() })
	return h
}

// listenRIS serves procedure steps: an information system that takes everything.
func listenRIS(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dicomnet.Server{Services: []dicomnet.Service{{AbstractSyntax: dicom.UIDMPPS, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}}}, Handler: takesAll{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ctx, ln, time.Second) }()
	t.Cleanup(func() { cancel(); <-done })
	return ln.Addr().String()
}

type takesAll struct{}

func (takesAll) Handle(_ context.Context, r *dicomnet.Request) dicomnet.Reply {
	if r.Data != nil {
		_, _ = io.Copy(io.Discard, r.Data)
	}
	return dicomnet.Reply{}
}

func (h *house) start() {
	h.t.Helper()
	key, err := pseudonym.New([]byte(strings.Repeat("k", pseudonym.KeySize)))
	if err != nil {
		h.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	h.s, err = service.New(h.t.Context(), h.cfg, service.Deps{Data: h.data, Authority: h.site.Authority, Announcer: h.site.Air, Key: key, Site: "site-north", Software: "asepsis/gateway test", Log: log, Emit: func(e *event.Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events = append(h.events, e)
	}})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.s.Open(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- lifecycle.Run(ctx, log, h.s.Rooms()...) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			h.t.Errorf("the gateway ended: %v", err)
		}
		h.s.Close()
	})
}

func (h *house) restart() {
	h.t.Helper()
	h.web.CloseIdleConnections()
	h.stop()
	h.start()
}

func (h *house) addr(kind string) string { return h.s.Addr(kind).String() }

func (h *house) seen() []*event.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*event.Event(nil), h.events...)
}

// records are those with a SOP instance UID, or all.
func (h *house) records(uid string) []instance.Record {
	h.t.Helper()
	list, err := h.s.Journal().List(h.t.Context(), instance.Query{SOPInstance: uid, Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// policy puts a policy in force.
func (h *house) policy(text string) {
	h.t.Helper()
	c := h.s.Control()
	now, err := c.Policy(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	if text == "" {
		text = "mode: enforce\n"
	}
	if text == now.YAML {
		return
	}
	if _, problems, err := c.SetPolicy(h.t.Context(), control.Policy{YAML: text, SHA256: now.SHA256}, "anna"); err != nil || len(problems) > 0 {
		h.t.Fatalf("%v %v", problems, err)
	}
}

// send sends attacks, each by its sender, and waits until the ledger is told of all.
func (h *house) send(list []*sent) {
	h.t.Helper()
	var files []*sent
	for _, x := range list {
		switch x.Sender {
		case "dcmsend":
			files = append(files, x)
		case "own":
			h.sendOwn(x)
		default:
			h.stow(x)
		}
	}
	if len(files) > 0 {
		h.dcmsend(files)
	}
	for end := time.Now().Add(wait); ; time.Sleep(5 * time.Millisecond) {
		owed := 0
		for _, r := range h.records("") {
			if n := len(r.Entries); n == 0 || n < 2 && r.State == instance.Quarantined {
				owed++
			}
		}
		if owed == 0 {
			return
		}
		if time.Now().After(end) {
			h.t.Fatalf("the ledger is not told of %d", owed)
		}
	}
}

func (h *house) sendOwn(x *sent) {
	ctx, cancel := context.WithTimeout(h.t.Context(), wait)
	defer cancel()
	data, uid := x.plainData()
	d := &dicomnet.Dialer{CallingAE: x.Arrival.Sender.CallingAE, CalledAE: "ASEPSIS", Contexts: []dicomnet.Proposal{{AbstractSyntax: x.Arrival.SOPClass, TransferSyntaxes: []string{x.Arrival.TransferSyntax}}}}
	a, err := d.Dial(ctx, h.addr(gateway.KindPlain))
	if err != nil {
		x.err = err
		return
	}
	x.status, x.err = a.Store(ctx, dicomnet.Instance{SOPClass: x.Arrival.SOPClass, SOPInstance: uid, TransferSyntax: x.Arrival.TransferSyntax, Data: bytes.NewReader(data)})
	_ = a.Release(ctx)
}

func fileOf(x *sent, preamble dicom.Preamble) ([]byte, error) {
	data, uid := x.plainData()
	head, err := dicom.AppendFileHead(nil, dicom.Preamble{}, &dicom.FileMeta{SOPClass: x.Arrival.SOPClass, SOPInstance: uid, TransferSyntax: x.Arrival.TransferSyntax, ImplUID: "2.25.1"})
	copy(head, preamble[:])
	return append(head, data...), err
}

// answered is what dcmsend shows of a response.
var answered = regexp.MustCompile(`(?s)Affected SOP Instance UID\s*: ([0-9.]+)[^\n]*\n[^\n]*Data Set\s*: [^\n]*\n(?:[^\n]*Error Comment[^\n]*\n|[^\n]*Offending[^\n]*\n)*[^\n]*DIMSE Status\s*: 0x([0-9a-f]+)`)

// dcmsend has DCMTK send files, all with one start of the program.
func (h *house) dcmsend(list []*sent) {
	t := h.t
	t.Helper()
	dir := t.TempDir()
	host, port, _ := net.SplitHostPort(h.addr(gateway.KindPlain))
	args := []string{"-d", "-nh", "-nuc", "-dn", "-aet", "CT1", "-aec", "ASEPSIS", host, port}
	by := map[string]*sent{}
	for _, x := range list {
		text, err := fileOf(x, dicom.Preamble{})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, x.uid+".dcm")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		by[x.uid], x.err = x, errors.New("dcmsend shows no answer")
		args = append(args, path)
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	out, _ := exec.CommandContext(ctx, "dcmsend", args...).CombinedOutput() // fails: instances are refused
	for _, m := range answered.FindAllStringSubmatch(string(out), -1) {
		n, err := strconv.ParseUint(m[2], 16, 16)
		if x := by[m[1]]; x != nil && err == nil {
			x.status, x.err = dimse.Status(n), nil
		}
	}
	if dump := os.Getenv("DCMSEND_SAID"); dump != "" {
		_ = os.WriteFile(dump, out, 0o600)
	}
}

// failureReason is Failure Reason (0008,1197) of an answer of STOW-RS in the JSON of PS3.18.
var failureReason = regexp.MustCompile(`"00081197":\{"vr":"US","Value":\[([0-9]+)\]`)

// stow sends a file with its preamble.
func (h *house) stow(x *sent) {
	h.t.Helper()
	var p dicom.Preamble
	if x.Arrival.Preamble != nil {
		p = *x.Arrival.Preamble
	}
	text, err := fileOf(x, p)
	if err != nil {
		h.t.Fatal(err)
	}
	body := append([]byte("--B\r\nContent-Type: application/dicom\r\n\r\n"), text...)
	q, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, "https://"+h.addr(gateway.KindWeb)+"/dicom-web/studies", bytes.NewReader(append(body, "\r\n--B--\r\n"...)))
	if err != nil {
		h.t.Fatal(err)
	}
	q.Header.Set("Content-Type", `multipart/related; type="application/dicom"; boundary=B`)
	q.Header.Set("Accept", "application/dicom+json")
	r, err := h.web.Do(q)
	if err != nil {
		x.err = err
		return
	}
	defer func() { _ = r.Body.Close() }()
	said, _ := io.ReadAll(r.Body)
	if m := failureReason.FindStringSubmatch(string(said)); m != nil {
		n, _ := strconv.ParseUint(m[1], 10, 16)
		x.status = dimse.Status(n)
	} else if r.StatusCode != http.StatusOK {
		x.err = fmt.Errorf("HTTP %d: %s", r.StatusCode, said)
	}
}

// step begins a procedure step in the room of dev-1.
func (h *house) step(uid, patient, status string) {
	h.t.Helper()
	h.mpps(func(a *dicomnet.Association, o dicomnet.Object) (dimse.Command, error) {
		return a.Create(h.t.Context(), o, nil)
	}, uid, patient, status)
}

func (h *house) end(uid string) {
	h.t.Helper()
	h.mpps(func(a *dicomnet.Association, o dicomnet.Object) (dimse.Command, error) {
		return a.Set(h.t.Context(), o, nil)
	}, uid, "", "COMPLETED")
}

func (h *house) mpps(do func(*dicomnet.Association, dicomnet.Object) (dimse.Command, error), uid, patient, status string) {
	h.t.Helper()
	var b bytes.Buffer
	syntax, _ := dicom.SyntaxOf(dicom.ExplicitVRLittleEndian)
	w := dicom.NewWriter(&b, syntax)
	if patient != "" {
		w.Text(dicom.TagPatientID, dicom.LO, patient)
	}
	w.Text(0x00400252, dicom.CS, status)
	if err := w.Close(); err != nil {
		h.t.Fatal(err)
	}
	d := &dicomnet.Dialer{CallingAE: "CT1", CalledAE: "ASEPSIS", Contexts: []dicomnet.Proposal{{AbstractSyntax: dicom.UIDMPPS, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}}}}
	a, err := d.Dial(h.t.Context(), h.addr(gateway.KindPlain))
	if err != nil {
		h.t.Fatal(err)
	}
	defer a.Abort()
	if rsp, err := do(a, dicomnet.Object{SOPClass: dicom.UIDMPPS, SOPInstance: uid, Data: &b}); err != nil || rsp.Status != 0 {
		h.t.Fatalf("procedure step %s: %v %v", uid, rsp.Status, err)
	}
}

// detect has the rules that are shipped look at all events.
func (h *house) detect() []finding.Alert {
	t := h.t
	t.Helper()
	content, err := detect.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.New(inventory.Default())
	if err != nil {
		t.Fatal(err)
	}
	c := detect.NewCollector()
	e, err := detect.NewEngine(detect.Deps{Content: content, Learner: c, Emit: c.Add})
	if err != nil {
		t.Fatal(err)
	}
	world := scene.NewWorld([]device.Device{{ID: "dev-1", Name: "dev-1", Interfaces: []device.Interface{{IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}}}}, nil, nil)
	e.World = world
	for i, ev := range h.seen() {
		r := detect.FileUnder(inv, ev, "gateway", uint64(i+1))
		r.SrcDevice = "dev-1"
		s := world.Scene(&r, ev)
		e.Feed(&s)
	}
	return c.Alerts()
}
