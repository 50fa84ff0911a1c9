// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/prove/receipt"
	"github.com/asepsis/asepsis/respond/api"
)

// proving is a house with a ledger and a certificate authority.
type proving struct {
	*house
	ledger *ledger.Ledger
	ca     *identitytest.Site
	live   []api.Live
}

func newProving(t *testing.T) *proving {
	t.Helper()
	p := &proving{}
	cfg := ledger.Default()
	cfg.Dir, cfg.Origin, cfg.Checkpoint, cfg.Reserve = t.TempDir(), "ledger.example/or", 100*time.Millisecond, 0
	var err error
	if p.ledger, err = ledger.New(cfg, ledger.Deps{}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.ledger.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the ledger: %v", err)
		}
	})
	p.ca = identitytest.New(t, identitytest.Options{Deps: func(d *identity.Deps) { d.Journal, d.Now = p.ledger, time.Now }})
	p.house = newHouse(t, options{capture: theatreCapture, change: func(_ *api.Config, d *api.Deps) {
		d.Ledger, d.Records, d.UnwitnessedAlarm = p.ledger, records(t, p.ledger), time.Minute
		d.Identity = &api.Identity{Authority: p.ca.Authority, Served: func() (string, string) { return "https://est.example:8444", "" }, Live: func(context.Context, string) ([]api.Live, error) { return p.live, nil }}
	}})
	return p
}

// csr is a request with a new key.
func csr(t *testing.T) string {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "ct"}}, k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func TestWhatIsProvedIsAsTheDocumentSays(t *testing.T) {
	h := newProving(t)
	s := newSchemas(t)
	c := h.admin
	ask := func(method, path, schema string, body any, status int) answer {
		t.Helper()
		a := c.do(method, path, body)
		if a.status != status {
			t.Fatalf("%s %s: %s, want %d", method, path, a, status)
		}
		if schema != "" {
			s.hold(schema, false, a.body, method+" "+path)
		}
		return a
	}
	device := get[api.DeviceList](c, "/devices?class=pacs").Devices[0]

	// A device is enrolled by CSR, and that is in the ledger.
	issued := read[api.IdentityIssued](t, ask("POST", "/identity/certificates", "IdentityIssued", map[string]any{"device": device.ID, "profile": "dicom-node", "csr": csr(t)}, 201), 201)
	if issued.Certificate.DeviceName != device.Name || !strings.Contains(issued.Chain, "BEGIN CERTIFICATE") {
		t.Errorf("the certificate is %+v", issued.Certificate)
	}
	serial := issued.Certificate.Serial
	detail := read[api.IdentityCertificateDetail](t, ask("GET", "/identity/certificates/"+serial, "IdentityCertificateDetail", nil, 200), 200)
	if len(detail.History) != 1 || !strings.Contains(detail.History[0].Sentence, device.Name+" was issued") {
		t.Fatalf("its history is %+v", detail.History)
	}
	e := detail.History[0]

	// The entry's receipt is verified without the server.
	h.until("the entry is published", func() bool {
		return get[api.LedgerEntry](c, fmt.Sprintf("/ledger/entries/%d", e.Index)).State == "published"
	})
	ask("GET", fmt.Sprintf("/ledger/entries/%d", e.Index), "LedgerEntry", nil, 200)
	trust, err := receipt.ParseTrust(ask("GET", "/ledger/trust", "", nil, 200).body)
	if err != nil {
		t.Fatal(err)
	}
	file := ask("GET", fmt.Sprintf("/ledger/entries/%d/receipt", e.Index), "", nil, 200)
	got, err := receipt.Verify(file.body, trust, receipt.Options{})
	if err != nil || got.Index != e.Index || got.Hash != e.Hash {
		t.Errorf("the receipt proves entry %d: %v", got.Index, err)
	}
	if name := file.head.Get("Content-Disposition"); name != fmt.Sprintf(`attachment; filename="receipt-%d.json"`, e.Index) {
		t.Errorf("the file is offered as %s", name)
	}
	ask("GET", fmt.Sprintf("/ledger/entries/%d/receipt?state=witnessed", e.Index), "Problem", nil, 409)

	// Found by artefact, device, kind and time, page by page.
	life := read[api.LedgerArtefact](t, ask("GET", "/ledger/artefacts/"+strings.ToUpper(issued.Certificate.SHA256), "LedgerArtefact", nil, 200), 200)
	if len(life.Entries) != 1 || life.Custody != "verified" {
		t.Errorf("the artefact's life is %+v", life)
	}
	if x := read[api.LedgerArtefact](t, ask("GET", "/ledger/artefacts/"+strings.Repeat("ab", 32), "LedgerArtefact", nil, 200), 200); x.Custody != "unverified" || len(x.Entries) != 0 {
		t.Errorf("of an unknown artefact there is %+v", x)
	}
	sum := sha256.Sum256([]byte("image"))
	for i := range 3 {
		st := custody.New(custody.Received, fmt.Sprintf("test/%d", i), time.Now(), custody.SHA256("instance", sum))
		st.Predicate.Actor, st.Predicate.Device = custody.Actor{Software: "asepsis/test"}, device.ID
		st.Predicate.Detail = map[string]any{"protocol": "dicom"}
		if _, err := h.ledger.Record(t.Context(), st); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for next := ""; ; {
		l := read[api.LedgerEntries](t, ask("GET", "/ledger/entries?limit=2&kind=artefact-received&from=-1h&digest="+hex.EncodeToString(sum[:])+"&device="+device.ID+next, "LedgerEntries", nil, 200), 200)
		for _, x := range l.Entries {
			seen++
			if x.Sentence != "asepsis/test received an image from "+device.Name {
				t.Errorf("the sentence is %q", x.Sentence)
			}
		}
		if l.Before == nil {
			break
		}
		next = fmt.Sprintf("&before=%d", *l.Before)
	}
	if seen != 3 {
		t.Errorf("%d entries over all pages, want 3", seen)
	}
	if st := read[api.LedgerStatus](t, ask("GET", "/ledger", "LedgerStatus", nil, 200), 200); st.Size < 4 || st.Alarm || st.Origin != "ledger.example/or" {
		t.Errorf("the ledger's status is %+v", st)
	}
	if x := read[api.LedgerCheck](t, ask("POST", "/ledger/check", "LedgerCheck", nil, 200), 200); x.Checked < 4 || x.Problem != "" {
		t.Errorf("the check says %+v", x)
	}
	if st := get[api.Status](c, "/status"); len(st.Runs) != 2 {
		t.Errorf("what runs is %v", st.Runs)
	}

	// A code is shown once, and withdrawn.
	code := read[api.IdentityNewCode](t, ask("POST", "/identity/codes", "IdentityNewCode", map[string]any{"device": device.ID, "profile": "dicom-node", "hours": 24}, 201), 201)
	if code.Text == "" || !strings.HasPrefix(code.URI, "asepsis-enroll:") || strings.Contains(h.log.String(), code.Text) {
		t.Errorf("the code is %q, its URI %q, or it is in the log", code.Text, code.URI)
	}
	list := ask("GET", "/identity/codes", "IdentityCodes", nil, 200)
	if strings.Contains(string(list.body), code.Text) {
		t.Error("the list of codes has the code itself")
	}
	st := read[api.IdentityStatus](t, ask("GET", "/identity", "IdentityStatus", nil, 200), 200)
	if st.Counts.Good != 1 || st.Counts.Codes != 1 || len(st.Authorities) != 2 || !st.Authorities[0].Root || st.TrustDomain != identitytest.Domain {
		t.Errorf("the authority's status is %+v", st)
	}
	ask("DELETE", "/identity/codes/"+code.Code.ID, "", nil, 204)
	ask("DELETE", "/identity/codes/"+code.Code.ID, "Problem", nil, 404)

	ask("GET", "/identity/certificates?device="+device.ID+"&status=good", "IdentityCertificates", nil, 200)
	if l := read[api.IdentityCertificates](t, ask("GET", "/identity/certificates?due=true", "IdentityCertificates", nil, 200), 200); len(l.Certificates) != 0 {
		t.Errorf("a new certificate is due: %+v", l)
	}
	if b := ask("GET", "/identity/bundle.pem", "", nil, 200); strings.Count(string(b.body), "BEGIN CERTIFICATE") != 2 {
		t.Errorf("the bundle is %s", b.body)
	}

	// What is refused is a problem that says why.
	for _, tt := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"GET", "/ledger/entries/99999", nil, 404}, {"GET", "/ledger/entries/x", nil, 404}, {"GET", "/ledger/entries?digest=abc", nil, 400}, {"GET", "/ledger/entries?kind=toast", nil, 400},
		{"GET", "/ledger/entries?case=4711", nil, 400}, {"GET", "/ledger/entries?before=0", nil, 400}, {"GET", "/ledger/artefacts/abc", nil, 400}, {"GET", "/identity/certificates/123abc", nil, 404},
		{"POST", "/identity/certificates", map[string]any{"device": "dev-none", "profile": "dicom-node", "csr": csr(t)}, 400}, {"POST", "/identity/certificates", map[string]any{"device": device.ID, "profile": "toaster", "csr": csr(t)}, 400},
		{"POST", "/identity/certificates", map[string]any{"device": device.ID, "profile": "dicom-node", "csr": "nonsense"}, 400}, {"POST", "/identity/certificates", map[string]any{"device": device.ID, "profile": "dicom-node", "csr": csr(t), "ips": []string{"x"}}, 400},
		{"POST", "/identity/codes", map[string]any{"device": device.ID, "profile": "dicom-node", "hours": 0}, 400}, {"POST", "/identity/codes", map[string]any{"device": device.ID, "profile": "dicom-node", "hours": 9, "csr": "x"}, 400},
		{"POST", "/identity/certificates/" + serial + "/revoke", map[string]any{"reason": "boredom"}, 400},
	} {
		ask(tt.method, tt.path, "Problem", tt.body, tt.status)
	}
}

// Revoking during a case has to be meant, and is an override in the ledger.
func TestRevokingDuringACaseHasToBeConfirmed(t *testing.T) {
	h := newProving(t)
	s := newSchemas(t)
	c := h.admin
	c.do("POST", "/theatres", map[string]any{"id": "OR-3", "name": "Theatre 3", "vlans": []int{310}, "prefixes": []string{"10.0.0.0/8"}})
	var device api.DeviceRow
	h.until("a device is in the theatre", func() bool {
		l := get[api.DeviceList](c, "/devices?theatre=OR-3")
		if len(l.Devices) > 0 {
			device = l.Devices[0]
		}
		return len(l.Devices) > 0
	})
	c.do("PUT", "/theatres/OR-3/state", map[string]any{"state": "in-case"})
	issued := read[api.IdentityIssued](t, c.do("POST", "/identity/certificates", map[string]any{"device": device.ID, "profile": "dicom-node", "csr": csr(t)}), 201)
	at := "/identity/certificates/" + issued.Certificate.Serial
	h.live = []api.Live{{Consumer: "gateway", Peer: "10.0.0.9:4711", Since: time.Now(), Policy: identity.CutAfter}}
	h.until("the API knows of the case", func() bool { return get[api.IdentityImpact](c, at+"/impact").InCase })
	a := c.do("GET", at+"/impact", nil)
	s.hold("IdentityImpact", false, a.body, "impact")
	if hit := read[api.IdentityImpact](t, a, 200); len(hit.Live) != 1 || hit.Theatre != "OR-3" || !strings.Contains(hit.Sentence, "A case is in progress") {
		t.Errorf("the impact is %+v", hit)
	}
	if a := c.do("POST", at+"/revoke", map[string]any{"reason": "keyCompromise", "note": "lost"}); a.status != http.StatusConflict {
		t.Fatalf("revoked during a case without a word: %s", a)
	}
	done := c.do("POST", at+"/revoke", map[string]any{"reason": "keyCompromise", "note": "lost", "confirm_in_case": true})
	s.hold("IdentityCertificate", false, done.body, "revoke")
	if x := read[api.IdentityCertificate](t, done, 200); x.Status != "revoked" || x.Reason != "keyCompromise" || x.Note != "lost" {
		t.Errorf("the certificate is %+v", x)
	}
	if a := c.do("POST", at+"/revoke", map[string]any{"reason": "keyCompromise", "confirm_in_case": true}); a.status != http.StatusConflict {
		t.Errorf("revoked twice: %s", a)
	}
	l := get[api.LedgerEntries](c, "/ledger/entries?kind=override")
	if len(l.Entries) != 1 || l.Entries[0].Theatre != "OR-3" || l.Entries[0].Reason != "lost" || l.Entries[0].Actor.User == "" {
		t.Errorf("the override is %+v", l.Entries)
	}
	var st struct {
		Predicate struct{ Detail map[string]any }
	}
	if err := json.Unmarshal(l.Entries[0].Statement, &st); err != nil || st.Predicate.Detail["outcome"] != "revoked" {
		t.Errorf("%v: its statement is %s", err, l.Entries[0].Statement)
	}
}
