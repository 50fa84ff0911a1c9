// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/asepsis/asepsis/platform/store"
)

// nobody is a store with nothing in it that counts what it was asked.
type nobody struct {
	store.Documents
	asked []string
}

func (n *nobody) Document(_ context.Context, kind, id string) (store.Document, error) {
	n.asked = append(n.asked, kind+"/"+id)
	return store.Document{}, store.ErrNotFound
}

func TestMadeTokensAreWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id, text := makeToken()
		if got, ok := parseToken(text); !ok || got != id || seen[id] || len(text) != tokenLen {
			t.Fatalf("%q: %q, %v", text, got, ok)
		}
		seen[id] = true
	}
}

func FuzzCredentials(f *testing.F) {
	_, text := makeToken()
	f.Add("Bearer "+text, "")
	f.Add("bearer  "+text, newSecret())
	f.Add("Bearer "+text[:79], "")
	f.Add("Bearer asp_aaaaaaaaaaaaaaaa_", "x")
	f.Add("", newSecret())
	f.Add("", strings.Repeat("A", 42)+"B")
	f.Add("Basic YTpi", strings.Repeat("-", 43))
	f.Fuzz(func(t *testing.T, header, cookie string) {
		docs := &nobody{}
		a, err := New(Default(), Deps{Store: docs, Secure: true})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/", nil)
		if header != "" {
			r.Header["Authorization"] = []string{header}
		}
		if cookie != "" {
			r.Header["Cookie"] = []string{"__Host-asepsis-session=" + cookie}
		}
		who, err := a.Authenticate(r)
		if err == nil || who.ID != "" {
			t.Fatalf("let in as %+v", who)
		}
		// The store is asked for names only that we could have given.
		for _, k := range docs.asked {
			kind, id, _ := strings.Cut(k, "/")
			if kind == kindToken && len(id) != tokenIDLen || kind == kindSession && len(id) != secretLen || !utf8.ValidString(id) {
				t.Fatalf("the store was asked for %q", k)
			}
		}
		if id, ok := parseToken(header); ok && (len(header) != tokenLen || !strings.HasPrefix(header, "asp_"+id+"_")) {
			t.Fatalf("%q is a token", header)
		}
	})
}

func FuzzPending(f *testing.F) {
	f.Add(pending{State: newSecret(), Nonce: newSecret(), Verifier: newSecret(), Return: "/devices"}.encode())
	f.Add(pending{State: newSecret(), Nonce: newSecret(), Verifier: newSecret(), Return: "//evil.example"}.encode())
	f.Add("e30")
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := parsePending(s)
		if ok && (returnPath(p.Return) != p.Return || p.State == "" || len(s) > maxPending) {
			t.Fatalf("%q: %+v", s, p)
		}
	})
}

func FuzzReturnPath(f *testing.F) {
	for _, s := range []string{"/devices", "//x", `/\x`, "/%2f/x", "/a?b=//c#d", "/\t/x", "https://x", "/.//x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		to := returnPath(s)
		// What http.Redirect sends, and what a browser makes of it.
		w := httptest.NewRecorder()
		http.Redirect(w, httptest.NewRequest("GET", "https://console.example/api/v1/auth/oidc/callback", nil), to, http.StatusSeeOther)
		location := w.Header().Get("Location")
		if !strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//") || strings.HasPrefix(location, `/\`) || strings.ContainsAny(location, "\r\n\t\\ ") {
			t.Fatalf("%q leads to %q", s, location)
		}
	})
}

func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OTAxMjM0NQ")
	f.Add("$argon2id$v=19$m=64,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		p, salt, key, err := parsePHC(s)
		if err == nil && (encode(p, salt, key) != s || p.memory > maxMemory || p.time > maxTime) {
			t.Fatalf("%q is read as %q", s, encode(p, salt, key))
		}
	})
}
