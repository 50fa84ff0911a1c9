// SPDX-License-Identifier: Apache-2.0

package service

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/forward"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/wire/dicom"
)

const (
	ctStorage  = "1.2.840.10008.5.1.4.1.1.2"
	pdfStorage = "1.2.840.10008.5.1.4.1.1.104.1"
)

// patience is how long a test waits before it fails.
const patience = 30 * time.Second

func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("peer missing: %s", p)
		}
	}
}

func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

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

func peer(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

// output collects what a program prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
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

// processor is storescp in the place of an XR processor.
type processor struct {
	t         testing.TB
	port, dir string
	whole     bool // every delivery is a file of its own
	cmd       *exec.Cmd
	out       *output
}

func newProcessor(t testing.TB) *processor {
	need(t, "storescp")
	x := &processor{t: t, port: freePort(t), dir: t.TempDir()}
	t.Cleanup(x.down)
	return x
}

func (x *processor) up() {
	x.t.Helper()
	x.out = &output{}
	args := []string{"-v", "--fork", "-aet", "XR1", "-od", x.dir, "+B"}
	if x.whole {
		args = append(args, "+uf")
	}
	x.cmd = exec.Command("storescp", append(args, x.port)...)
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with what it forks
	x.cmd.Stdout, x.cmd.Stderr = x.out, x.out
	if err := x.cmd.Start(); err != nil {
		x.t.Fatal(err)
	}
	until(x.t, "storescp to listen", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+x.port)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func (x *processor) down() {
	if x.cmd != nil {
		_ = syscall.Kill(-x.cmd.Process.Pid, syscall.SIGKILL)
		_ = x.cmd.Wait()
		x.cmd = nil
	}
}

// files is how many files there are.
func (x *processor) files() int {
	x.t.Helper()
	list, err := os.ReadDir(x.dir)
	if err != nil {
		x.t.Fatal(err)
	}
	return len(list)
}

// received are the data sets that came, by file name.
func (x *processor) received() map[string][]byte {
	x.t.Helper()
	out := map[string][]byte{}
	list, err := os.ReadDir(x.dir)
	if err != nil {
		x.t.Fatal(err)
	}
	for _, e := range list {
		b, err := os.ReadFile(filepath.Join(x.dir, e.Name()))
		if err != nil {
			x.t.Fatal(err)
		}
		f, err := dicom.OpenFile(bytes.NewReader(b))
		if err != nil {
			continue // being written
		}
		data, err := io.ReadAll(f.Data)
		if err != nil {
			x.t.Fatal(err)
		}
		out[f.Meta.SOPInstance] = data
	}
	return out
}

// house is a hospital that does not exist, with a whole gateway.
type house struct {
	t      testing.TB
	site   *identitytest.Site
	cfg    Config
	data   string
	docs   store.Documents
	s      *Service
	stop   func()
	mu     sync.Mutex
	events []*event.Event
}

// configOf is a gateway with one destination that takes everything.
func configOf(port, data string, bindings ...control.Binding) (Config, error) {
	cfg := Default()
	cfg.Listeners = []gateway.Listener{{Kind: gateway.KindTLS, Listen: "127.0.0.1:0"}, {Kind: gateway.KindPlain, Listen: "127.0.0.1:0"}}
	cfg.Timeouts.Close, cfg.Drain = time.Second, 2*time.Second
	d := forward.DefaultDestination()
	d.Name, d.Address, d.CalledAE, d.CallingAE, d.BackoffMin, d.BackoffMax = "xr", "127.0.0.1:"+port, "XR1", "ASEPSIS", 50*time.Millisecond, 200*time.Millisecond
	cfg.Forward.Destinations = []forward.Destination{d}
	cfg.Forward.Routes = []forward.Route{{Name: "all", To: []string{"xr"}, Fail: forward.FailClosed}}
	cfg.Journal.Segment, cfg.Journal.Warn, cfg.Journal.Stop, cfg.Journal.Reserve = 8*config.MiB, 2*config.MiB, config.MiB, config.MiB
	cfg.Ledger.Reserve = config.MiB
	if err := os.MkdirAll(filepath.Join(data, "gateway"), 0o700); err != nil {
		return cfg, err
	}
	return cfg, os.WriteFile(filepath.Join(data, "gateway", "bindings.yaml"), binding.Format(bindings), 0o600)
}

func bindings() []control.Binding {
	return []control.Binding{
		{Device: "ct-1", CallingAE: []string{"CT1"}, SOPClasses: []string{"ct", "encapsulated"}, Operations: []string{"echo", "store"}, Theatre: "or-3"},
		{Device: "us-old", Plain: true, CallingAE: []string{"US1"}, Addresses: []string{"127.0.0.1"}, Operations: []string{"echo", "store"}},
	}
}

func newHouse(t testing.TB, x *processor, change func(*Config)) *house {
	t.Helper()
	return newHouseWith(t, x, nil, change)
}

// newHouseWith is a house with a store.
func newHouseWith(t testing.TB, x *processor, docs store.Documents, change func(*Config)) *house {
	t.Helper()
	h := &house{t: t, site: identitytest.New(t, identitytest.Options{}), data: t.TempDir(), docs: docs}
	var err error
	if h.cfg, err = configOf(x.port, h.data, bindings()...); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&h.cfg)
	}
	h.start()
	t.Cleanup(func() { h.stop() })
	return h
}

func testKey(t testing.TB) pseudonym.Key {
	t.Helper()
	k, err := pseudonym.New([]byte(strings.Repeat("k", pseudonym.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// start runs the gateway until stop.
func (h *house) start() {
	h.t.Helper()
	var err error
	log := slog.New(slog.DiscardHandler)
	h.s, err = New(h.t.Context(), h.cfg, Deps{Data: h.data, Documents: h.docs, Authority: h.site.Authority, Announcer: h.site.Air, Key: testKey(h.t), Site: "site-north", Software: "asepsis/gateway test", Log: log, Emit: func(e *event.Event) {
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

// device is a certificate on the disk, as DCMTK reads it.
type device struct{ key, cert, ca string }

func (h *house) enrol(name string) device {
	h.t.Helper()
	_, pair := h.site.Issue(h.t, identity.DICOMNode, name)
	dir := h.t.TempDir()
	d := device{key: filepath.Join(dir, "key.pem"), cert: filepath.Join(dir, "cert.pem"), ca: filepath.Join(dir, "ca.pem")}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		h.t.Fatal(err)
	}
	var chain, ca []byte
	for _, c := range pair.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	for _, c := range append(h.site.Issuing(), h.site.Root()) {
		ca = append(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	for path, b := range map[string][]byte{d.key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), d.cert: chain, d.ca: ca} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
	return d
}

func (h *house) port(kind string) string {
	h.t.Helper()
	_, port, err := net.SplitHostPort(h.s.Addr(kind).String())
	if err != nil {
		h.t.Fatal(err)
	}
	return port
}

// send has storescu send files as ct-1.
func (h *house) send(d device, files ...string) (string, error) {
	h.t.Helper()
	return peer(h.t, "storescu", append([]string{"-v", "+tls", d.key, d.cert, "+cf", d.ca, "-aet", "CT1", "-aec", "ASEPSIS", "127.0.0.1", h.port(gateway.KindTLS)}, files...)...)
}

// records are all records of the journal, oldest first.
func (h *house) records() []instance.Record {
	h.t.Helper()
	list, err := h.s.Journal().List(h.t.Context(), instance.Query{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// image makes the data set of a fictional CT image, as the firewall likes it.
func image(t testing.TB, uid string, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	s, _ := dicom.SyntaxOf(dicom.ExplicitVRLittleEndian)
	w := dicom.NewWriter(&b, s)
	w.Text(0x00080005, dicom.CS, "ISO_IR 192")
	w.Text(dicom.TagSOPClassUID, dicom.UI, ctStorage)
	w.Text(dicom.TagSOPInstanceUID, dicom.UI, uid)
	w.Text(0x00080020, dicom.DA, "20260131")
	w.Text(dicom.TagModality, dicom.CS, "CT")
	w.Text(0x00080070, dicom.LO, "Example Imaging")
	w.Text(0x00100010, dicom.PN, "Fictional^Petra")
	w.Text(dicom.TagPatientID, dicom.LO, "FICT-0001")
	w.Text(dicom.TagStudyInstanceUID, dicom.UI, "1.2.826.0.1.3680043.8.498.1")
	w.Text(0x0020000E, dicom.UI, "1.2.826.0.1.3680043.8.498.1.1")
	w.Uint16(0x00280002, dicom.US, 1)
	w.Text(0x00280004, dicom.CS, "MONOCHROME2")
	w.Uint16(0x00280010, dicom.US, uint16(size))
	w.Uint16(0x00280011, dicom.US, uint16(size))
	w.Uint16(0x00280100, dicom.US, 16)
	w.Uint16(0x00280101, dicom.US, 12)
	w.Uint16(0x00280102, dicom.US, 11)
	w.Uint16(0x00280103, dicom.US, 0)
	w.Bytes(0x7FE00010, dicom.OW, bytes.Repeat([]byte{1, 2}, size*size))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// document makes an encapsulated PDF with what may not be in it.
func document(t testing.TB, uid string) []byte {
	t.Helper()
	pdf := []byte("%PDF-1.4\n1 0 obj\n<< /Type /Catalog /OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >> >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n")
	var b bytes.Buffer
	s, _ := dicom.SyntaxOf(dicom.ExplicitVRLittleEndian)
	w := dicom.NewWriter(&b, s)
	w.Text(dicom.TagSOPClassUID, dicom.UI, pdfStorage)
	w.Text(dicom.TagSOPInstanceUID, dicom.UI, uid)
	w.Text(dicom.TagModality, dicom.CS, "DOC")
	w.Text(0x00100010, dicom.PN, "Fictional^Petra")
	w.Text(dicom.TagPatientID, dicom.LO, "FICT-0001")
	w.Text(dicom.TagStudyInstanceUID, dicom.UI, "1.2.826.0.1.3680043.8.498.2")
	w.Text(0x0020000E, dicom.UI, "1.2.826.0.1.3680043.8.498.2.1")
	w.Bytes(0x00420011, dicom.OB, pdf)
	w.Text(0x00420012, dicom.LO, "application/pdf")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// file writes a data set as a file.
func file(t testing.TB, class, uid string, data []byte) string {
	t.Helper()
	head, err := dicom.AppendFileHead(nil, dicom.Preamble{}, &dicom.FileMeta{SOPClass: class, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, ImplUID: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), uid+".dcm")
	if err := os.WriteFile(path, append(head, data...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sprint(list []instance.Record) string {
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "%d %s %s %s %v %v\n", r.Number, r.State, r.SOPInstance, r.Verdict, r.Hits, r.Deliveries)
	}
	return b.String()
}
