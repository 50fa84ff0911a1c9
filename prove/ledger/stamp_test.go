// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/asepsis/asepsis/prove/receipt"
)

// tsa is a timestamp authority on loopback.
type tsa struct {
	*httptest.Server
	roots string // file
	mood  atomic.Value
}

func newTSA(t *testing.T) *tsa {
	t.Helper()
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test root"}, NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Test TSA"}, NotBefore: from, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: []int{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08}}}}
	der, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(leafDER)
	if err != nil {
		t.Fatal(err)
	}
	x := &tsa{roots: filepath.Join(t.TempDir(), "roots.pem")}
	if err := os.WriteFile(x.roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	x.mood.Store("good")
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		q, err := timestamp.ParseRequest(b)
		if err != nil || r.Header.Get("Content-Type") != "application/timestamp-query" {
			t.Errorf("request: %v", err)
			return
		}
		switch x.mood.Load() {
		case "away":
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		case "refuses":
			answer, err := timestamp.CreateErrorResponse(timestamp.Rejection, timestamp.BadRequest)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(answer)
			return
		case "stamps something else":
			q.HashedMessage[0] ^= 1
		case "talks without end":
			for range 100 {
				_, _ = w.Write(make([]byte, 1<<10))
			}
			return
		}
		ts := timestamp.Timestamp{HashAlgorithm: q.HashAlgorithm, HashedMessage: q.HashedMessage, Time: time.Now(), Nonce: q.Nonce, Policy: []int{1, 2, 3, 4, 1}, AddTSACertificate: q.Certificates}
		answer, err := ts.CreateResponseWithOpts(cert, key, crypto.SHA256)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(answer)
	}))
	t.Cleanup(x.Close)
	return x
}

func TestCheckpointsAreTimestamped(t *testing.T) {
	t.Parallel()
	authority := newTSA(t)
	notices := make(chan Notice, 100)
	c, _ := witnessedBy(t, quick(t.TempDir()), 1, 1)
	c.Timestamp = TimestampConfig{URL: authority.URL, Every: time.Second, Roots: authority.roots}
	l := start(t, c, Deps{Notice: func(n Notice) { notices <- n }})
	recordAll(t, l, 0, 10, statement)
	witnessed(t, l, 10)
	stamped := func(i uint64) receipt.Result {
		t.Helper()
		var r receipt.Result
		eventually(t, "a receipt with a timestamp", func() bool {
			file, err := l.Receipt(t.Context(), i, Witnessed)
			if err != nil {
				t.Fatal(err)
			}
			if r, err = receipt.Verify(file, l.Trust(), receipt.Options{}); err != nil {
				t.Fatal(err)
			}
			return !r.Timestamp.IsZero()
		})
		return r
	}
	first := stamped(9)
	if time.Since(first.Timestamp) > time.Minute || !first.Witnessed {
		t.Errorf("%+v", first)
	}
	// A later receipt of the same entry has the same, older stamp.
	recordAll(t, l, 10, 20, statement)
	witnessed(t, l, 20)
	stamped(19)
	if again := stamped(9); !again.Timestamp.Equal(first.Timestamp) || again.Checkpoint.Size != first.Checkpoint.Size {
		t.Errorf("first %v of %d, again %v of %d", first.Timestamp, first.Checkpoint.Size, again.Timestamp, again.Checkpoint.Size)
	}
	// openssl ts -verify agrees on what is kept.
	if openssl, err := exec.LookPath("openssl"); err == nil {
		files, err := filepath.Glob(filepath.Join(c.Dir, stampDir, "*"+stampSuffix))
		if err != nil || len(files) < 2 {
			t.Fatal(files, err)
		}
		var s stamp
		if err := json.Unmarshal(readFile(t, files[0]), &s); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		body, _, _ := strings.Cut(s.Checkpoint, "\n\n")
		for name, b := range map[string][]byte{"body": []byte(body + "\n"), "token": s.Token} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(openssl, "ts", "-verify", "-data", "body", "-in", "token", "-token_in", "-CAfile", authority.roots)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("openssl: %v\n%s", err, out)
		}
	}
	for i, mood := range []string{"away", "refuses", "stamps something else", "talks without end"} {
		authority.mood.Store(mood)
		recordAll(t, l, 20+2*i, 21+2*i, statement)
		if n := <-notices; n.Rule != "ledger-timestamp" || n.Over {
			t.Errorf("%s: notice %+v", mood, n)
		}
		authority.mood.Store("good")
		if n := <-notices; n.Rule != "ledger-timestamp" || !n.Over {
			t.Errorf("after %s: notice %+v", mood, n)
		}
	}
	l.stop()
	if r := mustFsck(t, c.Dir); len(r.Problems) > 0 {
		t.Errorf("%+v", r.Problems)
	}
}
