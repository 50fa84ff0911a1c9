// SPDX-License-Identifier: Apache-2.0

package trust_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// statuses counts what a server answered.
type statuses struct {
	http.ResponseWriter
	seen func(int)
}

func (s *statuses) WriteHeader(n int) { s.seen(n); s.ResponseWriter.WriteHeader(n) }

func TestCRLsAreFetchedOnceForAsLongAsNothingChanges(t *testing.T) {
	h := newHospital(t)
	var mu sync.Mutex
	count := map[int]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.Handler().ServeHTTP(&statuses{w, func(n int) { mu.Lock(); count[n]++; mu.Unlock() }}, r)
	}))
	defer srv.Close()
	s := trust.Sources(srv.URL + "/crl/bundle.pem")
	ask := func(want int) {
		t.Helper()
		lists, err := s.CRLs(t.Context())
		if err != nil || len(lists) != 2 {
			t.Fatalf("%d lists, %v", len(lists), err)
		}
		mu.Lock()
		defer mu.Unlock()
		if count[http.StatusOK] != want {
			t.Errorf("fetched %d times, want %d: %v", count[http.StatusOK], want, count)
		}
	}
	ask(1)
	ask(1)
	i, _ := h.Issue(t, identity.DICOMNode, "dev-arm")
	h.revoke(i.Serial)
	ask(2)
}

func TestWhatIsNoCRLIsAnErrorThatNamesThePlace(t *testing.T) {
	h := newHospital(t)
	lists, err := h.CRLs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/gone", http.StatusFound)
			return
		}
		http.NotFound(w, r)
	}))
	defer srv.Close()
	good := file("good.crl", lists[0])
	for _, c := range []struct{ name, at, want string }{
		{"no file", filepath.Join(dir, "none"), "no such file"},
		{"an empty file", file("empty", nil), "it is empty"},
		{"PEM of something else", file("cert.pem", h.Bundle()), "no CRL in PEM"},
		{"an address that is not there", srv.URL + "/gone", "404"},
		{"an address that moved", srv.URL + "/moved", "redirection"},
	} {
		got, err := trust.Sources(c.at, good).CRLs(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.at) {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(got) != 1 {
			t.Errorf("%s: the other place's CRL was lost", c.name)
		}
	}
}
