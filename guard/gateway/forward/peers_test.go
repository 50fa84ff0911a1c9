// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/guard/gateway/dicomweb"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/wire/dicom"
)

func TestADestinationOverTLSIsTheDeviceThatItShouldBe(t *testing.T) {
	gatewaytest.Need(t, "storescp")
	site := identitytest.New(t, identitytest.Options{})
	_, pair := site.Issue(t, identity.DICOMNode, "pacs-1")
	_, own := site.Issue(t, identity.DICOMNode, "gateway-or-3")
	c := gatewaytest.Files(t, site, pair)
	dir, port := t.TempDir(), gatewaytest.FreePort(t)
	gatewaytest.Start(t, dir, "storescp", "-aet", "ARCHIVE", "-od", dir, "+B", "+tls", c.Key, c.Cert, "+cf", c.CA, port).Listening(port)
	b := newBench(t)
	b.deps.Trust = gatewaytest.Trust(t, site, &own)
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
	gatewaytest.Until(t, "the wrong one is told", func() bool { return b.f.Destinations()[1].State == "backing-off" })
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
	gatewaytest.Need(t, "storescp")
	site := identitytest.New(t, identitytest.Options{})
	_, pair := site.Issue(t, identity.DICOMNode, "pacs-1")
	c := gatewaytest.Files(t, site, pair)
	dir, port := t.TempDir(), gatewaytest.FreePort(t)
	gatewaytest.Start(t, dir, "storescp", "-aet", "ARCHIVE", "-od", dir, "+B", "+tls", c.Key, c.Cert, "+cf", c.CA, port).Listening(port)
	b := newBench(t)
	d := quick("pacs", port)
	d.TLS, d.CAFile, d.CertFile, d.ServerName = TLSFile, c.CA, c.Cert, "localhost"
	d.KeyFile = config.SecretFile(c.Key)
	plain := quick("plain", port)
	b.start(d, plain)
	r := b.bring(1)
	b.becomes(r.Number, instance.Delivered)
	if e := b.f.Echo(t.Context(), "pacs"); !e.OK {
		t.Errorf("%+v", e)
	}
	gatewaytest.Until(t, "plain on a port with TLS is told", func() bool { return b.f.Destinations()[1].State == "backing-off" })
	t.Log(b.f.Destinations()[1].Why, "/", b.f.Destinations()[1].Hint)
}

func TestDcmqrscpKeepsWhatItGets(t *testing.T) {
	archive := gatewaytest.NewQRSCP(t, "ARCHIVE", nil)
	b := newBench(t)
	d := quick("pacs", archive.Port)
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
	gatewaytest.Until(t, "all are there", func() bool { return len(stored(t, archive.Dir)) == 20 })
}

// orthanc starts Orthanc, which reports to moveTo.
func orthanc(t *testing.T, moveTo string) *gatewaytest.Orthanc {
	t.Helper()
	return gatewaytest.NewOrthanc(t, gatewaytest.OrthancConfig{AE: "ARCHIVE", Web: true, Modalities: []gatewaytest.Modality{{Name: "gw", AE: "ASEPSIS", Port: moveTo}}})
}

func TestOrthancCommitsToWhatItStored(t *testing.T) {
	b := newBench(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, back, _ := net.SplitHostPort(ln.Addr().String())
	d := quick("pacs", orthanc(t, back).DICOM)
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
	gatewaytest.Until(t, "nothing is awaited", func() bool { return b.f.Destinations()[0].Commitment == "ok" && b.journal.Counts().Needed == 0 })
}

func TestOrthancTakesInstancesBySTOW(t *testing.T) {
	b := newBench(t)
	d := DefaultDestination()
	d.Name, d.Kind, d.CallingAE, d.BackoffMin = "xr", KindSTOW, "ASEPSIS", 5*time.Millisecond
	d.Stow = dicomweb.DefaultDestination()
	d.Stow.URL = orthanc(t, "104").Root()
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
	d.Stow.URL = "http://127.0.0.1:" + gatewaytest.FreePort(t) + "/dicom-web"
	b.start(d)
	r := b.bring(1)
	gatewaytest.Until(t, "it rests", func() bool { return b.f.Destinations()[0].State == "backing-off" })
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
	gatewaytest.Until(t, "the other gets it as it came", func() bool { return len(raw.list()) == 1 })
	if raw := raw.list(); digestOf(raw[0].data) != r.DataSet {
		t.Error("the original differs")
	}
}
