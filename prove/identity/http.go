// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/asepsis/asepsis/prove/identity/ocsp"
)

// Handler serves what anyone may fetch: CRLs, OCSP, and the authorities'
// certificates. It is meant for plain HTTP: all of it is signed, and who checks
// a TLS certificate cannot use TLS for that.
//
//	GET  /crl/<issuer>.crl         newest full CRL (RFC 5280), DER
//	GET  /crl/<issuer>.delta.crl   what was revoked since its base
//	GET  /crl/bundle.pem           the full CRLs of the root and all issuers, PEM
//	GET  /ca/<key ID>.crt          certificate of the root or an issuing authority, DER
//	GET  /ca/bundle.pem            root and issuing authorities, PEM
//	POST /ocsp, GET /ocsp/<base64> RFC 6960 appendix A.1
func (a *Authority) Handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /crl/{file}", a.serveCRL)
	m.HandleFunc("GET /ca/{file}", a.serveCert)
	m.HandleFunc("POST /ocsp", func(w http.ResponseWriter, r *http.Request) {
		if t := r.Header.Get("Content-Type"); t != "application/ocsp-request" {
			http.Error(w, "want application/ocsp-request", http.StatusUnsupportedMediaType)
			return
		}
		der, err := io.ReadAll(http.MaxBytesReader(w, r.Body, ocsp.MaxRequest))
		if err != nil {
			http.Error(w, "the request is too large or was cut off", http.StatusBadRequest)
			return
		}
		a.serveOCSP(w, r, der)
	})
	get := func(w http.ResponseWriter, r *http.Request) {
		text, err := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/ocsp/"))
		var der []byte
		if err == nil && len(text) <= 2*ocsp.MaxRequest {
			der, err = base64.StdEncoding.DecodeString(text)
		}
		if err != nil {
			der = nil // is answered as malformed
		}
		a.serveOCSP(w, r, der)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Base64 has slashes, also two in a row, which ServeMux would clean away.
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/ocsp/") {
			get(w, r)
			return
		}
		m.ServeHTTP(w, r)
	})
}

// serveTagged answers with an ETag, so that who asks again gets nothing when
// nothing changed.
func serveTagged(w http.ResponseWriter, r *http.Request, kind string, b []byte) {
	sum := sha256.Sum256(b)
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	// A revocation makes a new CRL at once: caches ask again each time.
	h.Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

func (a *Authority) serveCRL(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("file") == "bundle.pem" {
		lists, err := a.CRLs(r.Context())
		if err != nil {
			a.log.Error("CRLs could not be served", "why", err)
			http.Error(w, "the CRLs cannot be read now", http.StatusServiceUnavailable)
			return
		}
		var b []byte
		for _, der := range lists {
			b = append(b, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
		}
		serveTagged(w, r, "application/x-pem-file", b)
		return
	}
	id, ok := strings.CutSuffix(r.PathValue("file"), ".crl")
	id, delta := strings.CutSuffix(id, ".delta")
	if !ok {
		http.NotFound(w, r)
		return
	}
	der, next, err := a.CRL(r.Context(), id, delta)
	if KindOf(err) == NotFound {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		a.log.Error("a CRL could not be served", "issuer", id, "why", err)
		http.Error(w, "the CRL cannot be read now", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Expires", next.UTC().Format(http.TimeFormat))
	serveTagged(w, r, "application/pkix-crl", der)
}

func (a *Authority) serveCert(w http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	if file == "bundle.pem" {
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(a.Bundle())
		return
	}
	id, ok := strings.CutSuffix(file, ".crt")
	if ok {
		for _, c := range append(a.Issuing(), a.Root()) {
			if KeyID(c.SubjectKeyId) == id {
				w.Header().Set("Content-Type", "application/pkix-cert")
				_, _ = w.Write(c.Raw)
				return
			}
		}
	}
	http.NotFound(w, r)
}

// Bundle is what relying parties are configured with: the root first, then the
// issuing authorities, PEM.
func (a *Authority) Bundle() []byte {
	return append(EncodePEM(a.Root()), EncodePEM(a.Issuing()...)...)
}

func (a *Authority) serveOCSP(w http.ResponseWriter, r *http.Request, der []byte) {
	out, until, err := a.AnswerOCSP(r.Context(), der)
	if err != nil {
		a.log.Debug("OCSP", "why", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/ocsp-response")
	h.Set("Cache-Control", "no-store")
	// RFC 5019 §6.2, but shorter than the answer is valid: a revocation is to be
	// seen soon by who asks here.
	if s := until.Sub(a.deps.Now()); s > 0 && r.Method == http.MethodGet {
		h.Set("Cache-Control", fmt.Sprintf("max-age=%d, public, no-transform, must-revalidate", int(min(s, time.Minute).Seconds())))
	}
	_, _ = w.Write(out)
}
