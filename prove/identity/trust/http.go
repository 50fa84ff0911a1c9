// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"net"
	"net/http"
	"strings"
)

type connKey struct{}

// ConnContext is http.Server.ConnContext: it lets Handler find the connection.
func (s *Server) ConnContext(ctx context.Context, c net.Conn) context.Context {
	if own := Below(c); own != nil {
		return context.WithValue(ctx, connKey{}, own)
	}
	return ctx
}

// Handler stands before every request of an HTTP server: a peer that was revoked
// since the handshake gets 403 and its connection is closed, and what a client
// says about its own identity in headers is removed (CVE-2026-46579). The request's
// context has the peer, see FromContext.
func (s *Server) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(connKey{}).(*Conn)
		if !ok {
			http.Error(w, "no identity", http.StatusForbidden)
			return
		}
		if _, err := c.Begin(); err != nil {
			w.Header().Set("Connection", "close")
			http.Error(w, "the certificate was revoked", http.StatusForbidden)
			return
		}
		defer c.endSoon()
		StripIdentity(r.Header)
		next.ServeHTTP(w, r)
	})
}

// FromContext returns who sent a request that came through Handler.
func FromContext(ctx context.Context) (Peer, bool) {
	c, ok := ctx.Value(connKey{}).(*Conn)
	if !ok {
		return Peer{}, false
	}
	p := c.Peer()
	return p, p.SHA256 != ""
}

// StripIdentity removes headers by which proxies tell servers who a client is:
// RFC 9440's, and those that servers are known to believe. From a client they are
// lies. Underscores and case do not help: some servers take X_SSL for X-SSL.
func StripIdentity(h http.Header) {
	for name := range h {
		n := strings.ReplaceAll(strings.ToLower(name), "_", "-")
		switch {
		case n == "client-cert", n == "client-cert-chain", n == "x-forwarded-client-cert", n == "x-client-cert", n == "x-amzn-mtls-clientcert",
			strings.HasPrefix(n, "x-ssl-"), strings.HasPrefix(n, "ssl-"), strings.HasPrefix(n, "x-client-verify"), strings.HasPrefix(n, "x-client-dn"), strings.HasPrefix(n, "x-tls-client"),
			strings.HasPrefix(n, "x-asepsis-"):
			delete(h, name)
		}
	}
}
