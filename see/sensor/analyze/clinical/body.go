// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"

	"github.com/asepsis/asepsis/see/sensor/analyze"
)

// decode undoes the content coding of a body that may have been cut: what could
// be unpacked is given, at most analyze.MaxExchangeBody bytes of it. Codings
// other than gzip and deflate stay as they are.
func decode(h []analyze.Header, body []byte) []byte {
	var r io.Reader
	switch strings.ToLower(strings.TrimSpace(analyze.Get(h, "content-encoding"))) {
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil
		}
		r = z
	case "deflate":
		z, err := zlib.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil
		}
		r = z
	default:
		return body
	}
	out, _ := io.ReadAll(io.LimitReader(r, analyze.MaxExchangeBody))
	return out
}

// authScheme names the scheme of an Authorization header, never what follows.
func authScheme(x *analyze.Exchange) string {
	scheme, _, _ := strings.Cut(strings.TrimSpace(analyze.Get(x.Request, "authorization")), " ")
	switch s := strings.ToLower(scheme); s {
	case "basic", "bearer", "digest", "negotiate", "ntlm", "dpop", "hoba":
		return s
	case "":
		return ""
	}
	return "other"
}

// target parts the request target into path and query.
func target(x *analyze.Exchange) (path, query string) {
	t := x.Target
	if i := strings.Index(t, "://"); i >= 0 { // absolute form
		t = t[i+3:]
		if j := strings.IndexByte(t, '/'); j >= 0 {
			t = t[j:]
		} else {
			t = "/"
		}
	}
	t, _, _ = strings.Cut(t, "#")
	path, query, _ = strings.Cut(t, "?")
	return path, query
}

// keys gives the names in a query, each once, at most maxList.
func keys(query string) []string {
	var out []string
	for _, kv := range strings.Split(query, "&") {
		k, _, _ := strings.Cut(kv, "=")
		if len(out) >= maxList {
			break
		}
		out = addOnce(out, keyName(k), maxList)
	}
	return out
}

// keyName accepts what can be a parameter's name: a value that was sent without
// a name must not pass for one.
func keyName(k string) string {
	if strings.IndexByte(k, '%') >= 0 {
		k = strings.NewReplacer("%3A", ":", "%3a", ":", "%24", "$").Replace(k)
	}
	if k == "" || len(k) > short {
		return ""
	}
	for i := 0; i < len(k); i++ {
		c := k[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && !strings.ContainsRune("_-.:$", rune(c)) {
			return ""
		}
	}
	return k
}

// param returns the first value of a key, percent-decoding left undone.
func param(query, key string) string {
	for _, kv := range strings.Split(query, "&") {
		if k, v, ok := strings.Cut(kv, "="); ok && k == key {
			return v
		}
	}
	return ""
}
