// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
)

// Source gives CRLs.
type Source interface {
	// CRLs returns all there are, DER. It may return some together with an error
	// about others.
	CRLs(ctx context.Context) ([][]byte, error)
}

// SourceFunc is a function that is a Source: an authority's CRLs method in the
// same process.
type SourceFunc func(ctx context.Context) ([][]byte, error)

// CRLs implements Source.
func (f SourceFunc) CRLs(ctx context.Context) ([][]byte, error) { return f(ctx) }

// Sources reads files, and addresses that begin with http:// or https://. What
// is there may be DER or PEM, one CRL or several.
func Sources(places ...string) Source {
	s := &placeList{}
	for _, p := range places {
		s.list = append(s.list, &place{at: p})
	}
	s.client = &http.Client{Timeout: fetchTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("a redirection, which a CRL's address has not")
	}}
	return s
}

type placeList struct {
	client *http.Client
	list   []*place
}

// place is one file or address, with what was there last.
type place struct {
	at string

	mu   sync.Mutex
	etag string
	last []byte
}

func (s *placeList) CRLs(ctx context.Context) ([][]byte, error) {
	var out [][]byte
	var errs []error
	for _, p := range s.list {
		b, err := p.read(ctx, s.client)
		if err == nil {
			var some [][]byte
			some, err = split(b)
			out = append(out, some...)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("CRL at %s: %w", p.at, err))
		}
	}
	return out, errors.Join(errs...)
}

func (p *place) read(ctx context.Context, c *http.Client) ([]byte, error) {
	if !strings.HasPrefix(p.at, "http://") && !strings.HasPrefix(p.at, "https://") {
		f, err := os.Open(p.at)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		return bounded(f)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.at, http.NoBody)
	if err != nil {
		return nil, err
	}
	if p.etag != "" {
		r.Header.Set("If-None-Match", p.etag)
	}
	a, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = a.Body.Close() }()
	switch a.StatusCode {
	case http.StatusNotModified:
		return p.last, nil
	case http.StatusOK:
	default:
		return nil, fmt.Errorf("the server says %s", a.Status)
	}
	b, err := bounded(a.Body)
	if err == nil {
		p.etag, p.last = a.Header.Get("ETag"), b
	}
	return b, err
}

func bounded(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxCRL+1))
	if err == nil && len(b) > maxCRL {
		err = fmt.Errorf("more than %d bytes", maxCRL)
	}
	return b, err
}

// split takes CRLs out of PEM, or DER as it is.
func split(b []byte) ([][]byte, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(b), []byte("-----BEGIN")) {
		if len(b) == 0 {
			return nil, errors.New("it is empty")
		}
		return [][]byte{b}, nil
	}
	var out [][]byte
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		if block.Type == "X509 CRL" {
			out = append(out, block.Bytes)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no CRL in PEM")
	}
	return out, nil
}
