// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/dicomweb/related"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
)

const (
	ctStorage = "1.2.840.10008.5.1.4.1.1.2"
	study1    = "1.2.826.0.1.3680043.8.498.1"
	series1   = study1 + ".1"
)

// ct is the data set of a fictional CT image in explicit VR little endian.
func ct(uid string, pixels int) []byte { return ctOf(uid, study1, "Fictional^Petra", pixels) }

func ctOf(uid, study, patient string, pixels int) []byte {
	var b bytes.Buffer
	w := dicom.NewWriter(&b, dicom.Syntax{Explicit: true})
	w.Text(dicom.TagSOPClassUID, dicom.UI, ctStorage)
	w.Text(dicom.TagSOPInstanceUID, dicom.UI, uid)
	w.Text(0x00080020, dicom.DA, "20260102")
	w.Text(dicom.TagModality, dicom.CS, "CT")
	w.Text(0x00100010, dicom.PN, patient)
	w.Text(dicom.TagPatientID, dicom.LO, "FICT-0001")
	w.Text(dicom.TagStudyInstanceUID, dicom.UI, study)
	w.Text(dicom.TagSeriesInstanceUID, dicom.UI, study+".1")
	side := 1
	for side*side*2 < pixels {
		side *= 2
	}
	us := func(tag dicom.Tag, v int) { w.Bytes(tag, dicom.US, []byte{byte(v), byte(v >> 8)}) }
	us(0x00280002, 1)
	w.Text(0x00280004, dicom.CS, "MONOCHROME2")
	us(0x00280010, side)
	us(0x00280011, side)
	us(0x00280100, 16)
	us(0x00280101, 16)
	us(0x00280102, 15)
	us(0x00280103, 0)
	p := make([]byte, side*side*2)
	for i := range p {
		p[i] = byte(i * 7)
	}
	w.Bytes(dicom.TagPixelData, dicom.OW, p)
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// file puts preamble and file meta information before a data set.
func file(uid string, data []byte) []byte {
	b, err := dicom.AppendFileHead(nil, dicom.Preamble{}, &dicom.FileMeta{SOPClass: ctStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, ImplUID: "1.2.3"})
	if err != nil {
		panic(err)
	}
	return append(b, data...)
}

// body joins files as STOW-RS wants them, with the boundary "b".
func body(files ...[]byte) []byte {
	var b bytes.Buffer
	w := related.NewWriter(&b, "b")
	for _, f := range files {
		if err := w.Part(dicomType, ""); err != nil {
			panic(err)
		}
		b.Write(f)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

const stowType = `multipart/related; type="application/dicom"; boundary=b`

// shelf is an Ingest that keeps instances in memory, and answers as its answers say.
type shelf struct {
	mu       sync.Mutex
	got      map[string][]byte
	arrivals []instance.Arrival
	answers  map[string]uint16 // by SOP instance
	errs     map[string]error
	broken   int // data that did not come to its end
}

func newShelf() *shelf {
	return &shelf{got: map[string][]byte{}, answers: map[string]uint16{}, errs: map[string]error{}}
}

func (s *shelf) Store(_ context.Context, a instance.Arrival, data io.Reader) (instance.Outcome, error) {
	b, err := io.ReadAll(data)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.broken++
		return instance.Outcome{}, err
	}
	if err := s.errs[a.SOPInstance]; err != nil {
		return instance.Outcome{}, err
	}
	status := s.answers[a.SOPInstance]
	if status == 0 || status>>12 == 0xB {
		s.got[a.SOPInstance] = b
		s.arrivals = append(s.arrivals, a)
	}
	study, _, _ := strings.Cut(a.SOPInstance, ".77.")
	return instance.Outcome{Status: status, Comment: "as the test wants", Record: instance.Record{SOPClass: a.SOPClass, SOPInstance: a.SOPInstance, Study: study, Series: study + ".1"}}, nil
}

func (s *shelf) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

func (s *shelf) data(uid string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got[uid]
}

// uid is a SOP instance UID of the first study.
func uid(n int) string { return fmt.Sprintf("%s.77.%d", study1, n) }

// desk is the bindings of a test.
type desk struct {
	mu   sync.Mutex
	list map[string]control.Binding
}

func (d *desk) Bound(p trust.Peer, _ netip.Addr) (control.Binding, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b, ok := d.list[p.Name()]
	return b, ok
}

// gate is a Server with what is around it: a site, a device, and a listener with TLS.
type gate struct {
	*Server
	t       testing.TB
	site    *identitytest.Site
	url     string
	address string
	shelf   *shelf
	desk    *desk
	pair    tls.Certificate // of the device CT_OR3
	serial  string

	mu    sync.Mutex
	notes []Activity
}

// site is one for all tests of the package: an authority is slow to make.
func newSite(t testing.TB) *identitytest.Site { return identitytest.New(t, identitytest.Options{}) }

// open makes a gate. change may change its parts.
func open(t testing.TB, change func(*Config, *Deps)) *gate {
	t.Helper()
	g := &gate{t: t, site: newSite(t), shelf: newShelf(), desk: &desk{list: map[string]control.Binding{}}}
	cfg := Default()
	cfg.Retrieve.Spool = t.TempDir()
	d := Deps{Ingest: g.shelf, Bindings: g.desk, Note: func(a Activity) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.notes = append(g.notes, a)
	}}
	if change != nil {
		change(&cfg, &d)
	}
	var err error
	if g.Server, err = New(cfg, d); err != nil {
		t.Fatal(err)
	}
	_, own := g.site.Issue(t, identity.DICOMNode, "gateway-or-3")
	srv, err := gatewaytest.Trust(t, g.site, &own).Server(trust.ServerOptions{Name: "dicomweb", Profiles: []identity.Profile{identity.DICOMNode, identity.XRHeadset}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, ln, srv, time.Second) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, n := range g.notes {
			if t.Failed() && n.Problem != "" {
				t.Logf("noted: %s %s: %d %s: %s (%v)", n.Service, n.Level, n.Status, n.Problem, n.What, n.Cause)
			}
		}
	})
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	g.address = ln.Addr().String()
	g.url = "https://localhost:" + port + "/dicom-web"
	issued, pair := g.site.Issue(t, identity.DICOMNode, "ct-or-3")
	g.pair, g.serial = pair, issued.Serial
	g.bind("ct-or-3", "stow", "qido", "wado")
	return g
}

func (g *gate) bind(device string, operations ...string) {
	g.desk.mu.Lock()
	defer g.desk.mu.Unlock()
	g.desk.list[device] = control.Binding{Device: device, CallingAE: []string{"CT_OR3"}, Operations: operations, Theatre: "OR 3"}
}

// tls is what a client of the site needs.
func (g *gate) tls(pair tls.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(g.site.Root())
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, ServerName: "localhost"}
}

func (g *gate) client() *http.Client {
	t := &http.Transport{TLSClientConfig: g.tls(g.pair), DisableCompression: true}
	g.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: gatewaytest.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// answered is what came of a request, without its body.
type answered struct {
	StatusCode int
	Header     http.Header
}

// do sends a request and returns the answer and its body.
func (g *gate) do(method, path string, header http.Header, body io.Reader) (answered, string) {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), method, g.url+path, body)
	if err != nil {
		g.t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	rsp, err := g.client().Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer rsp.Body.Close()
	b, err := io.ReadAll(rsp.Body)
	if err != nil {
		g.t.Fatalf("read the answer: %v after %d bytes", err, len(b))
	}
	return answered{rsp.StatusCode, rsp.Header}, string(b)
}

// last waits for what was noted of the newest request.
func (g *gate) last(n int) Activity {
	g.t.Helper()
	gatewaytest.Until(g.t, "the request to be noted", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.notes) >= n
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.notes[n-1]
}

// files writes root, certificate and key for programs that want files.
func (g *gate) files() (ca, cert, key string) {
	g.t.Helper()
	c := gatewaytest.Files(g.t, g.site, g.pair)
	return c.CA, c.Cert, c.Key
}

// orthanc starts Orthanc with its DICOMweb plugin, and more in the configurations of both.
func orthanc(t *testing.T, plug, more map[string]any) *gatewaytest.Orthanc {
	t.Helper()
	all := map[string]any{"KeepAlive": true}
	maps.Copy(all, more)
	return gatewaytest.NewOrthanc(t, gatewaytest.OrthancConfig{DICOM: "none", Web: true, Users: map[string]string{"gateway": "fictional"}, WebMore: plug, More: all})
}

// secret writes a secret file.
func secret(t *testing.T, s string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(s+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

var errTest = errors.New("as the test wants")
