// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/receipt"
)

// signer is a key of a note, made from a seed.
type signer struct {
	name string
	alg  byte
	key  ed25519.PrivateKey
}

func newSigner(name string, alg byte, seed byte) signer {
	return signer{name, alg, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (s signer) public() []byte {
	return append([]byte{s.alg}, s.key.Public().(ed25519.PublicKey)...)
}

func (s signer) id() []byte {
	h := sha256.Sum256(append([]byte(s.name+"\n"), s.public()...))
	return h[:4]
}

func (s signer) vkey() string {
	return fmt.Sprintf("%s+%x+%s", s.name, s.id(), base64.StdEncoding.EncodeToString(s.public()))
}

// line signs a note's text.
func (s signer) line(body string, seconds uint64) string {
	sig := bytes.Clone(s.id())
	if s.alg == 4 {
		sig = binary.BigEndian.AppendUint64(sig, seconds)
		sig = append(sig, ed25519.Sign(s.key, receipt.CosignedMessage(seconds, []byte(body)))...)
	} else {
		sig = append(sig, ed25519.Sign(s.key, []byte(body))...)
	}
	return "— " + s.name + " " + base64.StdEncoding.EncodeToString(sig) + "\n"
}

// The parties of the vectors.
var (
	log       = newSigner("ledger.example/theatres", 1, 1)
	witnesses = []signer{newSigner("witness-a.example", 4, 2), newSigner("witness-b.example", 4, 3), newSigner("witness-c.example", 4, 4)}
	stranger  = newSigner("stranger.example", 4, 5)
	seen      = uint64(time.Date(2027, 3, 31, 12, 30, 0, 0, time.UTC).Unix())
)

func artefact(n int) []byte { return fmt.Appendf(nil, "artefact %d\n", n) }

// entry is the canonical form of the n-th statement of the vectors.
func entry(t testing.TB, n int) []byte {
	t.Helper()
	when := time.Date(2027, 3, 31, 12, 0, n, 0, time.UTC)
	s := custody.New(custody.Received, fmt.Sprintf("gw-1/%d", n), when, custody.SHA256("instance", sha256.Sum256(artefact(n))))
	s.Predicate.Actor = custody.Actor{Software: "asepsis/gateway 1.0.0", Device: "dev-gw"}
	s.Predicate.Recorded = when.Add(250 * time.Millisecond)
	s.Predicate.Theatre = "or-3"
	s.Predicate.Detail = map[string]any{"protocol": "dicom", "from": "CT Schädel 1", "bytes": 524288 + n, "tls": "1.3"}
	if n == 1 { // two subjects
		s = custody.New(custody.Altered, "gw-1/1", when, custody.SHA256("before", sha256.Sum256(artefact(0))), custody.SHA256("after", sha256.Sum256(artefact(1))))
		s.Predicate.Actor = custody.Actor{Software: "asepsis/gateway 1.0.0"}
		s.Predicate.Recorded = when
		s.Predicate.Detail = map[string]any{"operation": "de-identification", "fields": []any{"(0010,0010)", "(0010,0020)"}}
	}
	b, err := s.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// root and path are RFC 9162 §2.1.1 and §2.1.3.1 word by word: slow, and another
// implementation than the one that is tested.
func root(d [][]byte) [32]byte {
	switch len(d) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, d[0]...))
	}
	k := split(len(d))
	l, r := root(d[:k]), root(d[k:])
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}

func path(m int, d [][]byte) [][32]byte {
	if len(d) == 1 {
		return nil
	}
	k := split(len(d))
	if m < k {
		return append(path(m, d[:k]), root(d[k:]))
	}
	return append(path(m-k, d[k:]), root(d[:k]))
}

func split(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

func entries(t testing.TB, n int) [][]byte {
	d := make([][]byte, n)
	for i := range d {
		d[i] = entry(t, i)
	}
	return d
}

func body(origin string, size int, root [32]byte) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
}

// forge makes the parts of a good receipt.
func forge(t testing.TB, index, size int, cosigners ...signer) *receipt.Receipt {
	t.Helper()
	d := entries(t, size)
	text := body(log.name, size, root(d))
	note := text + "\n" + log.line(text, 0)
	for i, w := range cosigners {
		note += w.line(text, seen+uint64(i))
	}
	return &receipt.Receipt{Statement: d[index], Index: uint64(index), Proof: path(index, d), Checkpoint: []byte(note)}
}

func encode(t testing.TB, r *receipt.Receipt) []byte {
	t.Helper()
	b, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// textOf is the part of a note that is signed.
func textOf(note []byte) string {
	return strings.SplitAfter(string(note), "\n\n")[0][:len(strings.SplitAfter(string(note), "\n\n")[0])-1]
}

// authority is a timestamp authority with a root of its own.
type authority struct {
	root, cert *x509.Certificate
	key        crypto.Signer
}

func newAuthority(t testing.TB, name string, useRSA bool, usage ...x509.ExtKeyUsage) authority {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	make := func(c, parent *x509.Certificate, pub any) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, caKey)
		if err != nil {
			t.Fatal(err)
		}
		out, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	from, until := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2074, 1, 1, 0, 0, 0, 0, time.UTC)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name + " root"}, NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a := authority{root: make(ca, ca, caKey.Public())}
	if useRSA {
		a.key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	if usage == nil {
		usage = []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}
	}
	// RFC 3161 §2.3: the extended key usage is critical.
	eku := pkix.Extension{Id: []int{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08}}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: []pkix.Extension{eku}}
	if usage[0] != x509.ExtKeyUsageTimeStamping {
		leaf.ExtraExtensions, leaf.ExtKeyUsage = nil, usage
	}
	a.cert = make(leaf, a.root, a.key.Public())
	return a
}

func (a authority) pem() string {
	return strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})))
}

// token stamps data as of a time.
func (a authority) token(t testing.TB, data []byte, when time.Time) []byte {
	t.Helper()
	sum := sha256.Sum256(data)
	ts := timestamp.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Time: when, Policy: []int{1, 2, 3, 4, 1}, AddTSACertificate: true, Nonce: big.NewInt(7)}
	answer, err := ts.CreateResponseWithOpts(a.cert, a.key, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := timestamp.ParseResponse(answer)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.RawToken
}
