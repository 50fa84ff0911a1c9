// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/prove/receipt"
)

// stamp is a checkpoint with its token, as a file in stampDir.
type stamp struct {
	Checkpoint string `json:"checkpoint"` // signed note, with the cosignatures that there were
	Token      []byte `json:"token"`
}

const stampSuffix = ".json"

func (l *Ledger) runStamps(ctx context.Context) {
	if l.cfg.Timestamp.URL == "" {
		return
	}
	tick := time.NewTicker(l.cfg.Timestamp.Every)
	defer tick.Stop()
	for {
		if err := l.stampRound(ctx); err != nil && ctx.Err() == nil {
			l.notices.raise(l.deps, noticeTimestamp, err.Error())
		} else if err == nil {
			l.notices.clear(l.deps, noticeTimestamp)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// stampRound gets a token for the newest checkpoint, a witnessed one where witnesses
// are required.
func (l *Ledger) stampRound(ctx context.Context) error {
	c, note, err := l.witnessed()
	if err != nil {
		return err
	}
	if l.trust.Required == 0 {
		if note, err = l.tiles.checkpoint(); err != nil || note == nil {
			return err
		}
		if c, err = l.Published(); err != nil {
			return err
		}
	}
	file := filepath.Join(l.dir, stampDir, padded(c.Size)+stampSuffix)
	if _, err := os.Stat(file); c.Size == 0 || err == nil {
		return nil
	}
	token, err := l.requestToken(ctx, c.Body)
	if err != nil {
		return err
	}
	if err := receipt.CheckTimestamp(token, c.Body, l.trust); err != nil {
		return err
	}
	b, err := json.Marshal(stamp{string(note), token})
	if err != nil {
		return err
	}
	return diskError(durable.WriteMode(file, b, 0o644))
}

// stampFor finds the oldest stamped checkpoint that covers an entry.
func (r *Reader) stampFor(i uint64, witnessed bool) (*stamp, error) {
	names, err := os.ReadDir(filepath.Join(r.dir, stampDir))
	if err != nil {
		if notExist(err) {
			err = nil
		}
		return nil, err
	}
	from := sort.Search(len(names), func(n int) bool { return names[n].Name() >= padded(i+1) })
	for _, e := range names[from:] {
		if !strings.HasSuffix(e.Name(), stampSuffix) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(r.dir, stampDir, e.Name()))
		if err != nil {
			return nil, err
		}
		var s stamp
		if err := json.Unmarshal(b, &s); err != nil {
			return nil, errInconsistent("stamp %s cannot be read", e.Name())
		}
		c, err := r.trust.Open([]byte(s.Checkpoint))
		if err != nil || i >= c.Size || witnessed && len(c.Cosigned) < max(r.trust.Required, 1) {
			continue // made under other witnesses
		}
		if receipt.CheckTimestamp(s.Token, c.Body, r.trust) != nil {
			continue // by an authority that is not trusted any more
		}
		return &s, nil
	}
	return nil, nil
}

var oidSHA256 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}

// timestampRequest is RFC 3161 §2.4.1.
type timestampRequest struct {
	Version int
	Imprint struct {
		Algorithm struct {
			OID  asn1.ObjectIdentifier
			Null asn1.RawValue
		}
		Hash []byte
	}
	Nonce        *big.Int
	Certificates bool
}

// timestampResponse is RFC 3161 §2.4.2.
type timestampResponse struct {
	Status struct {
		Status int
		Rest   asn1.RawValue `asn1:"optional"`
		More   asn1.RawValue `asn1:"optional"`
	}
	Token asn1.RawValue `asn1:"optional"`
}

// TimestampRequest makes the request for a token over data.
func TimestampRequest(data []byte) ([]byte, error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, err
	}
	var q timestampRequest
	q.Version, q.Nonce, q.Certificates = 1, nonce, true
	q.Imprint.Algorithm.OID, q.Imprint.Algorithm.Null = oidSHA256, asn1.NullRawValue
	sum := sha256.Sum256(data)
	q.Imprint.Hash = sum[:]
	return asn1.Marshal(q)
}

// TimestampToken takes the token out of an answer.
func TimestampToken(answer []byte) ([]byte, error) {
	var r timestampResponse
	rest, err := asn1.Unmarshal(answer, &r)
	switch {
	case err != nil || len(rest) > 0:
		return nil, errors.New("the timestamp authority's answer cannot be read")
	case r.Status.Status > 1: // granted, grantedWithMods
		return nil, fmt.Errorf("the timestamp authority refused with status %d", r.Status.Status)
	case len(r.Token.FullBytes) == 0 || len(r.Token.FullBytes) > receipt.MaxToken:
		return nil, errors.New("the timestamp authority gave no token, or one that is too long")
	}
	return r.Token.FullBytes, nil
}

func (l *Ledger) requestToken(ctx context.Context, body []byte) ([]byte, error) {
	const limit = receipt.MaxToken + 1024
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	q, err := TimestampRequest(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.cfg.Timestamp.URL, bytes.NewReader(q))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	resp, err := l.deps.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil || resp.StatusCode != http.StatusOK || len(b) > limit {
		return nil, cmp.Or(err, fmt.Errorf("the timestamp authority answered with status %d and %d bytes", resp.StatusCode, len(b)))
	}
	return TimestampToken(b)
}
