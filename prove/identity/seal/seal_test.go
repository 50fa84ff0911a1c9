// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
)

var cheap = Cost{64, 1, 1}

func TestWhatIsSealedOpensWithThePassphraseAlone(t *testing.T) {
	secret, pass := []byte("the key of the issuing authority"), []byte("correct horse battery")
	file, err := Seal("issuing-key", secret, pass, cheap)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file, secret) {
		t.Error("the secret is in the file")
	}
	if got, err := Open("issuing-key", file, pass); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Open("issuing-key", file, []byte("correct horse batterz")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("another passphrase: %v", err)
	}
	if _, err := Open("root-key", file, pass); err == nil || !strings.Contains(err.Error(), `holds "issuing-key"`) {
		t.Errorf("under another name: %v", err)
	}
	again, _ := Seal("issuing-key", secret, pass, cheap)
	if bytes.Equal(again, file) {
		t.Error("two envelopes of one secret are equal")
	}
}

func TestEveryChangedByteIsFound(t *testing.T) {
	pass := []byte("correct horse battery")
	file, err := Seal("k", []byte("secret"), pass, cheap)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(file)
	for i := range block.Bytes {
		b := *block
		b.Bytes = bytes.Clone(block.Bytes)
		b.Bytes[i] ^= 1
		if _, err := Open("k", pem.EncodeToMemory(&b), pass); !errors.Is(err, ErrPassphrase) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
	for k, v := range map[string]string{"What": "other", "Cost": "64,2,1", "Salt": "AAAAAAAAAAAAAAAAAAAAAA==", "Version": "2", "KDF": "none"} {
		b := pem.Block{Type: Type, Headers: map[string]string{}, Bytes: block.Bytes}
		for k2, v2 := range block.Headers {
			b.Headers[k2] = v2
		}
		b.Headers[k] = v
		if _, err := Open("k", pem.EncodeToMemory(&b), pass); err == nil {
			t.Errorf("a changed %s was not found", k)
		}
	}
}

func TestBadInputIsRefusedWithAReason(t *testing.T) {
	pass := []byte("correct horse battery")
	head := "-----BEGIN ASEPSIS SEALED-----\nCost: %COST\nKDF: argon2id\nSalt: AAAAAAAAAAAAAAAAAAAAAA==\nVersion: 1\nWhat: k\n\nAAAA\n-----END ASEPSIS SEALED-----\n"
	for _, c := range []struct{ name, file, want string }{
		{"empty", "", "no PEM block"},
		{"another PEM block", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no PEM block"},
		{"a cost that would take all memory", strings.ReplaceAll(head, "%COST", "4294967295,3,4"), "out of bounds"},
		{"a cost without a pass", strings.ReplaceAll(head, "%COST", "65536,0,4"), "out of bounds"},
		{"a cost that is none", strings.ReplaceAll(head, "%COST", "many"), `cost "many"`},
		{"a truncated body", strings.ReplaceAll(head, "%COST", "64,1,1"), "truncated"},
	} {
		if _, err := Open("k", []byte(c.file), pass); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	_, err := Seal("k", nil, []byte("short"), cheap)
	var h interface{ Hint() string }
	if !errors.As(err, &h) {
		t.Errorf("a short passphrase: %v", err)
	}
}
