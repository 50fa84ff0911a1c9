// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"testing"
)

var errAway = errors.New("connection refused by 192.0.2.7")

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

func flip(s string, at int) string {
	b := []byte(s)
	if b[at]++; b[at] > 'z' {
		b[at] = 'a'
	}
	return string(b)
}

// cookieName is what the session cookie of a house without HTTPS is called.
func cookieName(h *house) string { return "asepsis-session-" + mustURL(h.t, h.server.URL).Port() }

// renamed gives cookies the names that another house has for them.
func renamed(list []*http.Cookie, h *house) []*http.Cookie {
	var out []*http.Cookie
	for _, c := range list {
		out = append(out, &http.Cookie{Name: cookieName(h), Value: c.Value})
	}
	return out
}

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}
