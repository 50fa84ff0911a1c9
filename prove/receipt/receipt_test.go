// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	flog "github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/receipt"
)

func trustOf(t testing.TB, required int, roots ...string) *receipt.Trust {
	t.Helper()
	var keys []string
	for _, w := range witnesses {
		keys = append(keys, w.vkey())
	}
	b, err := receipt.WriteTrust(log.vkey(), keys, required, roots)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := receipt.ParseTrust(b)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func codeOf(err error) receipt.Code {
	var bad *receipt.Error
	if errors.As(err, &bad) {
		return bad.Code
	}
	return receipt.Code(fmt.Sprint(err))
}

// Every index of trees of every small size, with proofs of the RFC's own definition.
func TestEveryProofOfASmallTreeIsAccepted(t *testing.T) {
	d := make([][]byte, 70)
	for i := range d {
		d[i] = fmt.Append(nil, i)
	}
	for size := 1; size <= len(d); size++ {
		r := root(d[:size])
		for i := range size {
			p := path(i, d[:size])
			if err := receipt.CheckInclusion(receipt.LeafHash(d[i]), uint64(i), uint64(size), p, r); err != nil {
				t.Fatalf("%d of %d: %v", i, size, err)
			}
			if err := receipt.CheckInclusion(receipt.LeafHash([]byte("x")), uint64(i), uint64(size), p, r); codeOf(err) != receipt.WrongRoot {
				t.Fatalf("%d of %d, another entry: %v", i, size, err)
			}
			if err := receipt.CheckInclusion(receipt.LeafHash(d[i]), uint64(i), uint64(size), append(p, r), r); codeOf(err) != receipt.TruncatedProof {
				t.Fatalf("%d of %d, a longer proof: %v", i, size, err)
			}
			if size > 1 {
				other := uint64((i + 1) % size)
				if err := receipt.CheckInclusion(receipt.LeafHash(d[i]), other, uint64(size), p, r); err == nil {
					t.Fatalf("%d of %d is accepted as %d", i, size, other)
				}
			}
		}
	}
}

func TestAReceiptProvesItsStatement(t *testing.T) {
	file := encode(t, forge(t, 77, 300, witnesses...))
	r, err := receipt.Verify(file, trustOf(t, 2), receipt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Index != 77 || r.Statement.Predicate.ID != "gw-1/77" || !r.Witnessed || len(r.Checkpoint.Cosigned) != 3 || r.Checkpoint.Size != 300 {
		t.Errorf("%+v", r)
	}
	// The second of three: one of them may lie.
	if want := time.Unix(int64(seen)+1, 0).UTC(); !r.By.Equal(want) {
		t.Errorf("by %s, want %s", r.By, want)
	}
	if name, err := r.Match(sha256.Sum256(artefact(77))); err != nil || name != "instance" {
		t.Errorf("%q, %v", name, err)
	}
	if _, err := r.Match(sha256.Sum256(artefact(78))); codeOf(err) != receipt.WrongFile {
		t.Errorf("another file: %v", err)
	}
	one := encode(t, forge(t, 77, 300, witnesses[0]))
	if _, err := receipt.Verify(one, trustOf(t, 2), receipt.Options{}); codeOf(err) != receipt.NotWitnessed {
		t.Errorf("one witness of two: %v", err)
	}
	if r, err := receipt.Verify(one, trustOf(t, 2), receipt.Options{Unwitnessed: true}); err != nil || r.Witnessed || !r.By.IsZero() {
		t.Errorf("accepted without witnesses: %+v, %v", r, err)
	}
}

// The libraries that logs and witnesses of others are made of agree on notes.
func TestOtherLibrariesReadTheSameCheckpoint(t *testing.T) {
	r := forge(t, 3, 10, witnesses...)
	v, err := note.NewVerifier(log.vkey())
	if err != nil {
		t.Fatal(err)
	}
	var others []note.Verifier
	for _, w := range witnesses {
		// That library writes a witness's key with the algorithm of a log's.
		c, err := fnote.NewVerifierForCosignatureV1(w.vkey())
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, c)
	}
	cp, _, n, err := flog.ParseCheckpoint(r.Checkpoint, log.name, v, others...)
	if err != nil || cp.Size != 10 || len(n.Sigs) != 4 || len(n.UnverifiedSigs) != 0 {
		t.Fatalf("%+v, %+v, %v", cp, n, err)
	}
	// And ours accepts theirs.
	skey, vkey, err := note.GenerateKey(nil2{}, "witness-z.example")
	if err != nil {
		t.Fatal(err)
	}
	s, err := fnote.NewSignerForCosignatureV1(skey)
	if err != nil {
		t.Fatal(err)
	}
	_ = vkey
	text := textOf(r.Checkpoint)
	signed, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(signed), "\n\n")
	z, err := fnote.VKeyToCosignatureV1(vkey)
	if err != nil {
		t.Fatal(err)
	}
	k, err := receipt.ParseKey(z)
	if err != nil {
		t.Fatal(err)
	}
	if !receipt.CheckCosignature(r.Checkpoint, line, k) {
		t.Error("a cosignature of theirs is refused")
	}
}

// nil2 is randomness that is the same each time.
type nil2 struct{}

func (nil2) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte{9}, len(p))), nil }

func TestATrustFileIsReadStrictly(t *testing.T) {
	a := newAuthority(t, "TSA", false)
	good, err := receipt.WriteTrust(log.vkey(), []string{witnesses[0].vkey(), witnesses[1].vkey()}, 2, []string{a.pem()})
	if err != nil {
		t.Fatal(err)
	}
	if tr, err := receipt.ParseTrust(good); err != nil || tr.Required != 2 || len(tr.Roots) != 1 || len(tr.Witnesses) != 2 {
		t.Fatalf("%+v, %v", tr, err)
	}
	replace := func(old, now string) []byte {
		b := strings.Replace(string(good), old, now, 1)
		if b == string(good) {
			t.Fatalf("%q is not there", old)
		}
		return []byte(b)
	}
	again := witnesses[0]
	again.name = "witness-x.example" // the same key under another name
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"no JSON":                    {[]byte("{"), "cannot be read"},
		"another format":             {replace("asepsis-trust/v1", "asepsis-trust/v9"), "format is not"},
		"a member that is not known": {replace(`"required"`, `"requires"`), "cannot be read"},
		"something behind":           {append(bytes.Clone(good), '{'), "something follows"},
		"a log with another ID":      {replace(log.vkey()[:30], log.vkey()[:24]+"000000"), "its ID is not that"},
		"a witness as the log":       {replace(log.vkey(), witnesses[2].vkey()), "no key of a log"},
		"the log as a witness":       {replace(witnesses[0].vkey(), log.vkey()), "no key of a witness"},
		"one key under two names":    {replace(witnesses[1].vkey(), again.vkey()), "is there twice"},
		"more than there are":        {replace(`"required": 2`, `"required": 3`), "requires 3 of 2"},
		"fewer than none":            {replace(`"required": 2`, `"required": -1`), "requires -1 of 2"},
		"no certificate":             {replace("BEGIN CERTIFICATE", "BEGIN NONSENSE"), "no PEM certificate"},
		"too long":                   {bytes.Repeat([]byte(" "), receipt.MaxTrust+1), "more than"},
	} {
		if _, err := receipt.ParseTrust(c.in); codeOf(err) != receipt.BadTrust || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestTimestampsAreChecked(t *testing.T) {
	when := time.Date(2027, 3, 31, 13, 0, 0, 0, time.UTC)
	for name, useRSA := range map[string]bool{"ECDSA": false, "RSA": true} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t, "TSA", useRSA)
			r := forge(t, 3, 10, witnesses...)
			r.Timestamp = a.token(t, []byte(textOf(r.Checkpoint)), when)
			good := trustOf(t, 2, a.pem())
			got, err := receipt.Verify(encode(t, r), good, receipt.Options{})
			if err != nil || !got.Timestamp.Equal(when) {
				t.Fatalf("%+v, %v", got.Timestamp, err)
			}
			// Every bit of the token.
			for i := range r.Timestamp {
				for bit := range 8 {
					r.Timestamp[i] ^= 1 << bit
					if err := receipt.CheckTimestamp(r.Timestamp, got.Checkpoint.Body, good); err == nil {
						t.Errorf("bit %d of byte %d of %d was changed, and the token is accepted", bit, i, len(r.Timestamp))
					}
					r.Timestamp[i] ^= 1 << bit
				}
			}
			check := func(what string, want receipt.Code, token []byte, tr *receipt.Trust) {
				t.Helper()
				if err := receipt.CheckTimestamp(token, got.Checkpoint.Body, tr); codeOf(err) != want {
					t.Errorf("%s: %v, want %s", what, err, want)
				}
			}
			check("another checkpoint", receipt.WrongTimestamp, a.token(t, []byte("x"), when), good)
			check("no roots", receipt.UntrustedTimestamp, r.Timestamp, trustOf(t, 2))
			check("another authority", receipt.UntrustedTimestamp, newAuthority(t, "TSA", useRSA).token(t, got.Checkpoint.Body, when), good)
			check("before the certificate", receipt.UntrustedTimestamp, a.token(t, got.Checkpoint.Body, when.AddDate(-10, 0, 0)), good)
			check("half of it", receipt.BadTimestamp, r.Timestamp[:len(r.Timestamp)/2], good)
			check("something behind", receipt.BadTimestamp, append(bytes.Clone(r.Timestamp), 0), good)
		})
	}
}

// openssl ts -verify agrees on tokens that were made by openssl ts -reply, and on ones
// that were changed.
func TestOpenSSLAgreesOnTimestamps(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed: timestamps are not compared with it")
	}
	dir := t.TempDir()
	run := func(ok bool, args ...string) {
		t.Helper()
		cmd := exec.Command(openssl, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if ok != (err == nil) {
			t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("tsa.cnf", []byte("[req]\ndistinguished_name=dn\n[dn]\n[ca]\nbasicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n[tsa]\nextendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n"+
		"[ts]\ndefault_tsa=tsa_config\n[tsa_config]\nserial=serial\ncrypto_device=builtin\nsigner_cert=tsa.pem\nsigner_key=tsa.key\nsigner_digest=sha256\ndefault_policy=1.2.3.4.1\ndigests=sha256,sha384,sha512\naccuracy=secs:1\ness_cert_id_alg=sha256\n"))
	write("serial", []byte("01\n"))
	run(true, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test root", "-config", "tsa.cnf", "-extensions", "ca", "-days", "30")
	run(true, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Test TSA", "-config", "tsa.cnf")
	run(true, "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "2", "-out", "tsa.pem", "-extfile", "tsa.cnf", "-extensions", "tsa", "-days", "29")
	r := forge(t, 3, 10, witnesses...)
	text := []byte(textOf(r.Checkpoint))
	write("body", text)
	write("other", []byte("x"))
	run(true, "ts", "-query", "-data", "body", "-sha256", "-cert", "-out", "q.tsq")
	run(true, "ts", "-reply", "-config", "tsa.cnf", "-section", "tsa_config", "-queryfile", "q.tsq", "-token_out", "-out", "token.der")
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	good := trustOf(t, 2, strings.TrimSpace(string(ca)))
	token, err := os.ReadFile(filepath.Join(dir, "token.der"))
	if err != nil {
		t.Fatal(err)
	}
	if err := receipt.CheckTimestamp(token, text, good); err != nil {
		t.Fatalf("openssl's token is refused: %v", err)
	}
	run(true, "ts", "-verify", "-data", "body", "-in", "token.der", "-token_in", "-CAfile", "ca.pem")
	run(false, "ts", "-verify", "-data", "other", "-in", "token.der", "-token_in", "-CAfile", "ca.pem")
	if err := receipt.CheckTimestamp(token, []byte("x"), good); codeOf(err) != receipt.WrongTimestamp {
		t.Errorf("of something else: %v", err)
	}
	// One of ours (that is, of the library that tests issue with) is accepted by openssl.
	a := newAuthority(t, "TSA", true)
	write("ours.pem", []byte(a.pem()+"\n"))
	write("ours.der", a.token(t, text, time.Now().Add(-time.Minute)))
	run(true, "ts", "-verify", "-data", "body", "-in", "ours.der", "-token_in", "-CAfile", "ours.pem")
	// The signature is changed: both refuse.
	token[len(token)-1] ^= 1
	write("bad.der", token)
	run(false, "ts", "-verify", "-data", "body", "-in", "bad.der", "-token_in", "-CAfile", "ca.pem")
	if err := receipt.CheckTimestamp(token, text, good); codeOf(err) != receipt.BadTimestamp {
		t.Errorf("a changed signature: %v", err)
	}
}

func BenchmarkVerify(b *testing.B) {
	file := encode(b, forge(b, 77, 300, witnesses...))
	tr := trustOf(b, 2)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := receipt.Verify(file, tr, receipt.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	r := forge(f, 3, 10, witnesses...)
	good := encode(f, r)
	f.Add(good)
	r.Timestamp = newAuthority(f, "TSA", false).token(f, []byte(textOf(r.Checkpoint)), time.Date(2027, 3, 31, 13, 0, 0, 0, time.UTC))
	f.Add(encode(f, r))
	tr := trustOf(f, 2)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := receipt.Verify(b, tr, receipt.Options{Unwitnessed: true})
		if err != nil {
			var bad *receipt.Error
			if !errors.As(err, &bad) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		// What is accepted is one of the statements that the log's key signed for.
		if got.Checkpoint.Size != 10 || got.Index >= 10 || got.Statement.Type != custody.StatementType {
			t.Fatalf("accepted: %+v", got)
		}
	})
}
