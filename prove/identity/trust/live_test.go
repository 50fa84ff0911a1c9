// SPDX-License-Identifier: Apache-2.0

package trust_test

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// told keeps what a Trust said about live connections.
type told struct {
	mu   sync.Mutex
	list []trust.Cutting
}

func (o *told) tell(c trust.Cutting) { o.mu.Lock(); o.list = append(o.list, c); o.mu.Unlock() }

func (o *told) all() []trust.Cutting { o.mu.Lock(); defer o.mu.Unlock(); return slices.Clone(o.list) }

// stream connects and leaves the connection open after one line.
func stream(t *testing.T, tr *trust.Trust, address string) net.Conn {
	t.Helper()
	c, err := dial(t, tr, address, trust.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := ask(c); err != nil {
		t.Fatal(err)
	}
	return c
}

// cut waits until a stream ends.
func cut(c net.Conn) error {
	_ = c.SetReadDeadline(time.Now().Add(identitytest.Patience))
	_, err := c.Read(make([]byte, 1))
	if n, ok := err.(net.Error); ok && n.Timeout() {
		return err
	}
	return nil
}

func TestARevocationCutsTheLiveConnectionsOfThatCertificateAlone(t *testing.T) {
	h := newHospital(t)
	var o told
	gateway := h.trust(identity.Infrastructure, "gateway", func(_ *trust.Config, d *trust.Deps) { d.Told = o.tell })
	address, _ := h.echo(gateway, trust.ServerOptions{Profiles: []identity.Profile{identity.DICOMNode}})
	bad, badPair := h.Issue(t, identity.DICOMNode, "dev-bad")
	badTrust := h.trustWith(&badPair, nil)
	streams := []net.Conn{stream(t, badTrust, address), stream(t, badTrust, address)}
	good := stream(t, h.trust(identity.DICOMNode, "dev-good", nil), address)
	h.revoke(bad.Serial)
	for _, s := range streams {
		if err := cut(s); err != nil {
			t.Errorf("a live stream of the revoked certificate ran on: %v", err)
		}
	}
	if got, err := ask(good); err != nil || got != "dev-good false hello" {
		t.Errorf("another device's stream: %q, %v", got, err)
	}
	identitytest.Wait(t, "both to be told", func() bool { return len(o.all()) == 2 })
	for _, c := range o.all() {
		if !c.Done || c.Peer.Device != "dev-bad" || c.Reason != identity.KeyCompromise || c.Choice != identity.CutNow {
			t.Errorf("%+v", c)
		}
	}
	if l := gateway.Live(""); len(l) != 1 || l[0].Peer.Device != "dev-good" {
		t.Errorf("live: %+v", l)
	}
}

func TestALostNoticeIsMadeUpForByTheCRL(t *testing.T) {
	h := newHospital(t)
	gateway := h.trust(identity.Infrastructure, "gateway", nil)
	address, _ := h.echo(gateway, trust.ServerOptions{Profiles: []identity.Profile{identity.DICOMNode}})
	bad, pair := h.Issue(t, identity.DICOMNode, "dev-bad")
	s := stream(t, h.trustWith(&pair, nil), address)
	h.Air.Silent = true
	h.revoke(bad.Serial)
	if _, err := ask(s); err != nil {
		t.Fatalf("cut without a notice: %v", err)
	}
	// The next notice shows that one was missed.
	other, _ := h.Issue(t, identity.DICOMNode, "dev-other")
	h.Air.Silent = false
	h.revoke(other.Serial)
	if err := cut(s); err != nil {
		t.Errorf("the stream ran on: %v", err)
	}
}

// TestAForgedNoticeStopsNothing: who is on the bus and has not the authority's
// key must not be able to stop a stream in a theatre.
func TestAForgedNoticeStopsNothing(t *testing.T) {
	h, mallory := newHospital(t), newHospital(t)
	gateway := h.trust(identity.Infrastructure, "gateway", nil)
	address, _ := h.echo(gateway, trust.ServerOptions{Profiles: []identity.Profile{identity.DICOMNode}})
	i, pair := h.Issue(t, identity.DICOMNode, "dev-arm")
	s := stream(t, h.trustWith(&pair, nil), address)
	theirs, _ := mallory.Issue(t, identity.DICOMNode, "dev-arm")
	mallory.revoke(theirs.Serial)
	forged := mallory.Air.Notices()[0]
	for _, n := range []identity.RevocationNotice{
		{Number: 1 << 60, Issuer: i.Issuer, Serials: []string{i.Serial}},
		{Number: 1 << 60, Issuer: i.Issuer, Serials: []string{i.Serial}, Delta: []byte("noise")},
		{Number: forged.Number, Issuer: i.Issuer, Serials: []string{i.Serial}, Delta: forged.Delta},
	} {
		if err := h.Air.Announce(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := ask(s); err != nil || got != "dev-arm false hello" {
		t.Errorf("after forged notices: %q, %v", got, err)
	}
}

func TestTheClinicalChoiceDecidesWhatHappensToALiveConnection(t *testing.T) {
	h := newHospital(t)
	var o told
	gateway := h.trust(identity.Infrastructure, "gateway", func(c *trust.Config, d *trust.Deps) { d.Told = o.tell; c.FinishWithin = time.Hour })
	choice := identity.CutAfter
	s, err := gateway.Server(trust.ServerOptions{Profiles: []identity.Profile{identity.DICOMNode}, Cut: func(trust.Peer) identity.Cut { return choice }})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.serve(s.Listener(inner))
	i, pair := h.Issue(t, identity.DICOMNode, "dev-arm")
	arm := h.trustWith(&pair, func(_ *trust.Config, d *trust.Deps) { d.Announcer = nil }) // whose own end does not cut
	_ = stream(t, arm, inner.Addr().String())
	idle := stream(t, arm, inner.Addr().String())
	h.revoke(i.Serial)
	if err := cut(idle); err != nil {
		t.Errorf("an idle connection was not cut: %v", err)
	}

	choice = identity.CutByAlarm
	j, pair2 := h.Issue(t, identity.DICOMNode, "dev-table")
	kept := stream(t, h.trustWith(&pair2, func(_ *trust.Config, d *trust.Deps) { d.Announcer = nil }), inner.Addr().String())
	h.revoke(j.Serial)
	identitytest.Wait(t, "the alarm", func() bool {
		return slices.ContainsFunc(o.all(), func(c trust.Cutting) bool {
			return c.Peer.Device == "dev-table" && !c.Done && c.Choice == identity.CutByAlarm
		})
	})
	if got, err := ask(kept); err != nil || got != "dev-table false hello" {
		t.Errorf("a person was to decide: %q, %v", got, err)
	}
}

// TestARequestIsFinishedWhereThatIsTheChoice holds a request open while its
// client is revoked.
func TestARequestIsFinishedWhereThatIsTheChoice(t *testing.T) {
	h := newHospital(t)
	var o told
	gateway := h.trust(identity.Infrastructure, "gateway", func(c *trust.Config, d *trust.Deps) { d.Told = o.tell; c.FinishWithin = time.Hour })
	s, err := gateway.Server(trust.ServerOptions{Profiles: []identity.Profile{identity.APIClient}, Cut: func(trust.Peer) identity.Cut { return identity.CutAfter }})
	if err != nil {
		t.Fatal(err)
	}
	inside, release := make(chan struct{}, 1), make(chan struct{})
	srv := &http.Server{ConnContext: s.ConnContext, ReadHeaderTimeout: time.Minute, Handler: s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			inside <- struct{}{}
			<-release
		}
		w.WriteHeader(http.StatusNoContent)
	}))}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- srv.Serve(s.Listener(inner)) }()
	defer func() { srv.Close(); <-ended }()
	i, pair := h.Issue(t, identity.APIClient, "dev-api")
	client, err := h.trustWith(&pair, func(_ *trust.Config, d *trust.Deps) { d.Announcer = nil }).Client(trust.ClientOptions{Device: "gateway"})
	if err != nil {
		t.Fatal(err)
	}
	hc := &http.Client{Transport: &http.Transport{DialTLSContext: client.Dial}}
	answers := make(chan error)
	go func() {
		r, err := hc.Get("https://" + inner.Addr().String() + "/long")
		if err == nil {
			r.Body.Close()
		}
		answers <- err
	}()
	<-inside
	h.revoke(i.Serial)
	identitytest.Wait(t, "the notice", func() bool { return len(o.all()) == 1 })
	if c := o.all()[0]; c.Done {
		t.Errorf("cut within a request: %+v", c)
	}
	close(release)
	if err := <-answers; err != nil {
		t.Errorf("the request was not finished: %v", err)
	}
	identitytest.Wait(t, "the cut behind the request", func() bool { return len(o.all()) == 2 })
	if c := o.all()[1]; !c.Done || c.Choice != identity.CutAfter {
		t.Errorf("%+v", c)
	}
	if r, err := hc.Get("https://" + inner.Addr().String() + "/"); err == nil {
		r.Body.Close()
		t.Errorf("a revoked client came in again: %s", r.Status)
	}
}

// TestARotatedIssuerIsMet lets a device come with a certificate of an issuing
// authority that did not exist when the server started.
func TestARotatedIssuerIsMet(t *testing.T) {
	h := newHospital(t)
	certs := append(h.Issuing(), h.Root())
	_, pair := h.Issue(t, identity.Infrastructure, "gateway")
	gateway := h.trustWith(&pair, func(_ *trust.Config, d *trust.Deps) {
		d.Material = func() (trust.Material, error) { return trust.Material{CA: certs, Certificate: &pair}, nil }
	})
	address, _ := h.echo(gateway, trust.ServerOptions{Profiles: []identity.Profile{identity.DICOMNode}})
	old := stream(t, h.trust(identity.DICOMNode, "dev-old", nil), address)
	was := h.Authority.Site().Active
	access := identity.RootAccess{Passphrase: []byte(identitytest.Passphrase)}
	if _, err := h.Rotate(t.Context(), access, identity.Actor{}); err != nil {
		t.Fatal(err)
	}
	fresh, freshPair := h.Issue(t, identity.DICOMNode, "dev-new")
	s := stream(t, h.trustWith(&freshPair, nil), address)
	h.revoke(fresh.Serial)
	if err := cut(s); err != nil {
		t.Errorf("revoked by the new authority, the stream ran on: %v", err)
	}
	if _, err := ask(old); err != nil {
		t.Errorf("the old authority's device: %v", err)
	}
	// The root takes the old authority back: all that it issued ends.
	if err := h.RevokeIssuing(t.Context(), was, access, identity.Cessation, identity.Actor{}); err != nil {
		t.Fatal(err)
	}
	if err := cut(old); err != nil {
		t.Errorf("the stream of a revoked authority's device ran on: %v", err)
	}
}

// TestAnOldCRLIsNotTakenForANewOne plays back a CRL from before a revocation.
func TestAnOldCRLIsNotTakenForANewOne(t *testing.T) {
	h := newHospital(t)
	i, pair := h.Issue(t, identity.DICOMNode, "dev-arm")
	before, err := h.CRLs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lists := before
	var mu sync.Mutex
	gateway := h.trust(identity.Infrastructure, "gateway", func(_ *trust.Config, d *trust.Deps) {
		d.Announcer = nil
		d.Source = trust.SourceFunc(func(context.Context) ([][]byte, error) { mu.Lock(); defer mu.Unlock(); return lists, nil })
	})
	h.revoke(i.Serial)
	after, err := h.CRLs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range [][][]byte{after, before} {
		mu.Lock()
		lists = l
		mu.Unlock()
		_ = gateway.Fetch(t.Context())
	}
	address, errs := h.echo(gateway, trust.ServerOptions{Profiles: []identity.Profile{identity.DICOMNode}})
	if c, err := dial(t, h.trustWith(&pair, func(_ *trust.Config, d *trust.Deps) { d.Announcer = nil }), address, trust.ClientOptions{}); err == nil {
		_, _ = ask(c)
		c.Close()
	}
	if err := <-errs; why(err) != trust.IsRevoked {
		t.Errorf("after the old CRL: %v", err)
	}
}
