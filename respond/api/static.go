// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/asepsis/asepsis/respond/problem"
)

// maxStatic bounds one file and all files of the console.
const maxStatic = 64 << 20

// pages are the addresses at which the console's single page takes over. An
// address below one of them is the page's too.
var pages = []string{"/", "/login", "/setup", "/theatres", "/devices", "/map", "/events", "/advisories", "/sensor", "/imaging", "/ledger", "/identity", "/verify", "/findings", "/rules", "/settings"}

// static serves the console's files from memory, compressed once.
type static struct{ files map[string]*staticFile }

type staticFile struct {
	kind         string
	plain, small []byte // small is compressed, nil when that gains nothing
	tag          string
	fixed        bool // its name holds a hash of its content
}

func newStatic(files fs.FS) (*static, error) {
	s := &static{files: map[string]*staticFile{}}
	if files == nil {
		return s, nil
	}
	total := 0
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if total += len(data); total > maxStatic {
			return fmt.Errorf("the console's files take more than %d bytes", maxStatic)
		}
		sum := sha256.Sum256(data)
		f := &staticFile{kind: kindOf(name), plain: data, tag: `"` + hex.EncodeToString(sum[:12]) + `"`, fixed: hashed(name)}
		if small := packBest(data); len(small) < len(data)*9/10 {
			f.small = small
		}
		s.files["/"+name] = f
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the console's files: %w", err)
	}
	return s, nil
}

// kindOf returns the media type by the name alone, the same on every machine.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	case ".json", ".map":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".png", ".ico", ".webp", ".jpg", ".avif":
		if t := mime.TypeByExtension(path.Ext(name)); t != "" {
			return t
		}
	}
	return "application/octet-stream"
}

// hashed reports whether a name ends with a hash of the content, as bundlers write
// it: a dash or a point and eight characters that are no word (a digit, a capital and
// a small letter), or at least sixteen hexadecimal digits. A name that is taken for
// hashed is cached for ever, so that in doubt it is not.
func hashed(name string) bool {
	base := strings.TrimSuffix(path.Base(name), path.Ext(name))
	i := strings.LastIndexAny(base, "-.")
	if i < 0 {
		return false
	}
	part := base[i+1:]
	digit, upper, lower, hex := false, false, false, true
	for _, c := range part {
		switch {
		case c >= '0' && c <= '9':
			digit = true
		case c >= 'A' && c <= 'Z':
			upper, hex = true, false
		case c >= 'a' && c <= 'z':
			lower, hex = true, hex && c <= 'f'
		case c == '_':
			hex = false
		default:
			return false
		}
	}
	return len(part) == 8 && digit && upper && lower || len(part) >= 16 && digit && hex
}

func packBest(data []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic("BUG: the level is a constant: " + err.Error())
	}
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

// isPage reports whether an address belongs to the console's page.
func isPage(p string) bool {
	for _, page := range pages {
		if p == page || page != "/" && strings.HasPrefix(p, page+"/") {
			return path.Ext(path.Base(p)) != ".js" && path.Ext(path.Base(p)) != ".css"
		}
	}
	return false
}

// ServeHTTP implements http.Handler.
func (s *static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		problem.Write(w, r, problem.MethodNotAllowed("GET, HEAD"))
		return
	}
	f, ok := s.files[r.URL.Path]
	if !ok && isPage(r.URL.Path) {
		f, ok = s.files["/index.html"]
	}
	if !ok {
		problem.Write(w, r, problem.NotFound("There is no page at this address."))
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("ETag", f.tag)
	h.Set("Vary", "Accept-Encoding")
	if f.fixed {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	if matches(r, f.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.plain
	if f.small != nil && acceptsGzip(r) {
		body = f.small
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
