// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/guard/gateway/dicomweb"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
)

// trustOf makes a Trust of a site with a certificate of its own.
func trustOf(t *testing.T, site *identitytest.Site, pair *tls.Certificate) *trust.Trust {
	t.Helper()
	cfg := trust.Default()
	cfg.TrustDomain = identitytest.Domain
	tr, err := trust.New(t.Context(), cfg, trust.Deps{Source: trust.SourceFunc(site.CRLs), Announcer: site.Air, Now: site.Clock.Now, Material: func() (trust.Material, error) {
		return trust.Material{CA: append(site.Issuing(), site.Root()), Certificate: pair}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tr.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return tr
}

// files writes a certificate, its key and the authorities as DCMTK and Orthanc read them.
func files(t *testing.T, site *identitytest.Site, pair tls.Certificate) (key, cert, ca string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, list ...[]byte) string {
		var b []byte
		for _, der := range list {
			b = append(b, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	var authorities [][]byte
	for _, c := range append(site.Issuing(), site.Root()) {
		authorities = append(authorities, c.Raw)
	}
	return write("key.pem", "PRIVATE KEY", der), write("cert.pem", "CERTIFICATE", pair.Certificate...), write("ca.pem", "CERTIFICATE", authorities...)
}

func TestADestinationOverTLSIsTheDeviceThatItShouldBe(t *testing.T) {
	need(t, "storescp")
	site := identitytest.New(t, identitytest.Options{})
	_, pair := site.Issue(t, identity.DICOMNode, "pacs-1")
	_, own := site.Issue(t, identity.DICOMNode, "gateway-or-3")
	key, cert, ca := files(t, site, pair)
	dir, port := t.TempDir(), freePort(t)
	program(t, dir, "storescp", "-aet", "ARCHIVE", "-od", dir, "+B", "+tls", key, cert, "+cf", ca, port)
	listening(t, port)
	b := newBench(t)
	b.deps.Trust = trustOf(t, site, &own)
	right, wrong := quick("right", port), quick("wrong", port)
	right.TLS, right.Device = TLSSite, "pacs-1"
	wrong.TLS, wrong.Device = TLSSite, "somebody-else"
	b.start(right, wrong)
	r := b.bring(1)
	if d := b.becomes(r.Number, instance.Delivered); d.TLS == "" || len(d.Certificate) != 64 {
		t.Errorf("%+v", d)
	}
	if got := stored(t, dir); got[r.SOPInstance] != r.DataSet {
		t.Errorf("%v", got)
	}
	eventually(t, "the wrong one is told", func() bool { return b.f.Destinations()[1].State == "backing-off" })
	if s := b.f.Destinations()[1]; !strings.Contains(s.Why, "pacs-1") {
		t.Errorf("%+v", s)
	}
	e := b.f.Echo(t.Context(), "right")
	if !e.OK || len(e.Steps) != 4 || e.Steps[1].Name != "tls" || !strings.Contains(e.Steps[1].Detail, "certificate of pacs-1 until") {
		t.Errorf("%+v", e)
	}
	if e := b.f.Echo(t.Context(), "wrong"); e.OK || e.Steps[len(e.Steps)-1].Name != "tls" {
		t.Errorf("%+v", e)
	}
}

func TestADestinationMayHaveAnAuthorityOfItsOwn(t *testing.T) {
	need(t, "storescp")
	site := identitytest.New(t, identitytest.Options{})
	_, pair := site.Issue(t, identity.DICOMNode, "pacs-1")
	key, cert, ca := files(t, site, pair)
	dir, port := t.TempDir(), freePort(t)
	program(t, dir, "storescp", "-aet", "ARCHIVE", "-od", dir, "+B", "+tls", key, cert, "+cf", ca, port)
	listening(t, port)
	b := newBench(t)
	d := quick("pacs", port)
	d.TLS, d.CAFile, d.CertFile, d.ServerName = TLSFile, ca, cert, "localhost"
	d.KeyFile = config.SecretFile(key)
	plain := quick("plain", port)
	b.start(d, plain)
	r := b.bring(1)
	b.becomes(r.Number, instance.Delivered)
	if e := b.f.Echo(t.Context(), "pacs"); !e.OK {
		t.Errorf("%+v", e)
	}
	eventually(t, "plain on a port with TLS is told", func() bool { return b.f.Destinations()[1].State == "backing-off" })
	t.Log(b.f.Destinations()[1].Why, "/", b.f.Destinations()[1].Hint)
}

func TestDcmqrscpKeepsWhatItGets(t *testing.T) {
	need(t, "dcmqrscp")
	dir, port := t.TempDir(), freePort(t)
	storage := filepath.Join(dir, "db")
	if err := os.Mkdir(storage, 0o700); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf("NetworkTCPPort = %s\nMaxPDUSize = 16384\nMaxAssociations = 16\nHostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\nAETable BEGIN\nARCHIVE %s RW (500, 1024mb) ANY\nAETable END\n", port, storage)
	path := filepath.Join(dir, "dcmqrscp.cfg")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	program(t, dir, "dcmqrscp", "-c", path)
	listening(t, port)
	b := newBench(t)
	d := quick("pacs", port)
	d.Associations = 1 // two of its processes give files that come at once the same name, and its index breaks
	b.start(d)
	var all []instance.Record
	for n := range 20 {
		all = append(all, b.bring(n))
	}
	for _, r := range all {
		b.becomes(r.Number, instance.Delivered)
	}
	// dcmqrscp writes data sets anew; that they are there is what it can tell.
	eventually(t, "all are there", func() bool { return len(stored(t, storage)) == 20 })
}

// orthanc starts Orthanc, which reports to moveTo, and returns its DICOM port and the root of its DICOMweb.
func orthanc(t *testing.T, moveTo string) (port, root string) {
	t.Helper()
	need(t, "Orthanc")
	dir, port, web := t.TempDir(), freePort(t), freePort(t)
	plugins := "[]"
	if _, err := os.Stat(orthancWeb); err == nil {
		plugins = fmt.Sprintf("[%q]", orthancWeb)
	}
	conf := fmt.Sprintf(`{"Name": "Lindenhof PACS (fictional)", "StorageDirectory": %q, "IndexDirectory": %q, "DicomAet": "ARCHIVE", "DicomPort": %s, "HttpPort": %s, "HttpServerEnabled": true,
		"AuthenticationEnabled": false, "RemoteAccessAllowed": false, "Plugins": %s, "DicomWeb": {"Enable": true, "Root": "/dicom-web/"}, "OverwriteInstances": true,
		"DicomModalities": {"gw": {"AET": "ASEPSIS", "Host": "127.0.0.1", "Port": %s, "AllowStorageCommitment": true}}}`, dir, dir, port, web, plugins, moveTo)
	path := filepath.Join(dir, "orthanc.json")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	program(t, dir, "Orthanc", path)
	listening(t, port)
	listening(t, web)
	return port, "http://127.0.0.1:" + web + "/dicom-web"
}

const orthancWeb = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"

func TestOrthancCommitsToWhatItStored(t *testing.T) {
	b := newBench(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, back, _ := net.SplitHostPort(ln.Addr().String())
	port, _ := orthanc(t, back)
	d := quick("pacs", port)
	d.Commitment = true
	b.start(d)
	srv := &dicomnet.Server{Services: []dicomnet.Service{{AbstractSyntax: dicom.UIDStorageCommitmentPush, PeerSCP: true}}, Handler: dicomnet.HandlerFunc(b.f.EventReport)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ctx, ln, 0) }()
	t.Cleanup(func() { cancel(); <-done })
	var all []instance.Record
	for n := range 12 {
		all = append(all, b.bring(n))
	}
	for _, r := range all {
		if d := b.becomes(r.Number, instance.Committed); !d.Next.IsZero() {
			t.Errorf("%+v", d)
		}
	}
	eventually(t, "nothing is awaited", func() bool { return b.f.Destinations()[0].Commitment == "ok" && b.journal.Counts().Needed == 0 })
}

func TestOrthancTakesInstancesBySTOW(t *testing.T) {
	if _, err := os.Stat(orthancWeb); err != nil {
		t.Skip("peer missing: orthanc-dicomweb")
	}
	b := newBench(t)
	_, root := orthanc(t, "104")
	d := DefaultDestination()
	d.Name, d.Kind, d.CallingAE, d.BackoffMin = "xr", KindSTOW, "ASEPSIS", 5*time.Millisecond
	d.Stow = dicomweb.DefaultDestination()
	d.Stow.URL = root
	b.start(d)
	var all []instance.Record
	for n := range 10 {
		all = append(all, b.bring(n))
	}
	for _, r := range all {
		got := b.becomes(r.Number, instance.Delivered)
		if got.Forwarded != r.DataSet || got.Status != "0x0000" {
			t.Errorf("%+v", got)
		}
		if list := b.book.of(custody.Forwarded, r.DataSet); len(list) != 1 || list[0].Predicate.Detail["protocol"] != "https" {
			t.Errorf("%+v", list)
		}
	}
	if e := b.f.Echo(t.Context(), "xr"); !e.OK {
		t.Errorf("%+v", e)
	}
}

func TestASTOWServerThatIsAwayCostsNoAttempt(t *testing.T) {
	b := newBench(t)
	d := DefaultDestination()
	d.Name, d.Kind, d.BackoffMin, d.BackoffMax = "xr", KindSTOW, 5*time.Millisecond, 20*time.Millisecond
	d.Stow = dicomweb.DefaultDestination()
	d.Stow.URL = "http://127.0.0.1:" + freePort(t) + "/dicom-web"
	b.start(d)
	r := b.bring(1)
	eventually(t, "it rests", func() bool { return b.f.Destinations()[0].State == "backing-off" })
	if got := b.get(r.Number).Deliveries[0]; got.Attempts != 0 || got.State != instance.Waiting {
		t.Errorf("%+v", got)
	}
	if e := b.f.Echo(t.Context(), "xr"); e.OK || e.What == "" {
		t.Errorf("%+v", e)
	}
}

func TestADestinationGetsDeidentifiedCopies(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0")
	key, err := pseudonym.New(make([]byte, pseudonym.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	set, err := deid.New(deid.Config{Profiles: map[string]deid.Profile{"research": {}}}, key)
	if err != nil {
		t.Fatal(err)
	}
	b.deps.Deid = set.Profile
	d, raw := quick("research", peer.port), newSCP(t, "0")
	d.Deid = "research"
	b.start(d, quick("pacs", raw.port))
	r := b.bring(1)
	got := b.becomes(r.Number, instance.Delivered)
	arrived := peer.list()
	if len(arrived) != 1 || strings.Contains(string(arrived[0].data), "Nobody") || digestOf(arrived[0].data) != got.Forwarded || got.Forwarded == r.DataSet {
		t.Fatalf("%+v", got)
	}
	if got.SOPInstance == r.SOPInstance || arrived[0].uid != got.SOPInstance {
		t.Errorf("it went as %s, and the record says %s", arrived[0].uid, got.SOPInstance)
	}
	altered := b.book.of(custody.Altered, r.DataSet)
	if len(altered) != 1 || altered[0].Predicate.Detail["operation"] != "de-identification" || altered[0].Predicate.Detail["rule"] != "research" {
		t.Errorf("%+v", altered)
	}
	if list := b.book.of(custody.Forwarded, got.Forwarded); len(list) != 1 {
		t.Errorf("%+v", list)
	}
	eventually(t, "the other gets it as it came", func() bool { return len(raw.list()) == 1 })
	if raw := raw.list(); digestOf(raw[0].data) != r.DataSet {
		t.Error("the original differs")
	}
}
