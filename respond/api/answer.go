// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/asepsis/asepsis/respond/problem"
)

// compressFrom is the size from which answers are compressed.
const compressFrom = 1400

var compressors = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic("BUG: the level is a constant: " + err.Error())
	}
	return w
}}

// send writes an answer as JSON. Nothing of it is kept by caches: it depends on
// who asks.
//
// Compression next to secrets can leak them by length; no answer that is sent
// here has one.
func send(w http.ResponseWriter, r *http.Request, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return problem.Internal(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	sendBytes(w, r, status, append(body, '\n'), nil)
	return nil
}

// sendBytes writes JSON that is ready; packed is the same compressed, where it is at
// hand.
func sendBytes(w http.ResponseWriter, r *http.Request, status int, body, packed []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Add("Vary", "Accept-Encoding")
	if len(body) >= compressFrom && acceptsGzip(r) {
		if packed == nil {
			packed = pack(body)
		}
		body = packed
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

func pack(body []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(body) / 6)
	z := compressors.Get().(*gzip.Writer)
	z.Reset(&b)
	_, _ = z.Write(body) // a bytes.Buffer takes everything
	_ = z.Close()
	compressors.Put(z)
	return b.Bytes()
}

// acceptsGzip reads Accept-Encoding (RFC 9110 §12.5.3): gzip is named, and not
// with q=0.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q := strings.ReplaceAll(strings.ToLower(params), " ", "")
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}

// matches reports whether the client has what the tag names (RFC 9110 §13.1.2).
func matches(r *http.Request, tag string) bool {
	for _, one := range r.Header.Values("If-None-Match") {
		for part := range strings.SplitSeq(one, ",") {
			if part = strings.TrimPrefix(strings.TrimSpace(part), "W/"); part == tag || part == "*" {
				return true
			}
		}
	}
	return false
}

func levelOf(method string, status int) slog.Level {
	switch {
	case status >= 500:
		return slog.LevelWarn
	case method == http.MethodGet || method == http.MethodHead:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
