// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"github.com/asepsis/asepsis/platform/durable"
)

// signingKey is the log's key.
type signingKey struct {
	note.Signer
	vkey string
}

// OriginOf is what a process's log at a site is called, in the form that origins have. New
// puts random digits behind it: a log that is begun anew, after its disk was lost, is another log, and
// whoever has seen the former must be able to tell.
func OriginOf(site, process string) string {
	clean := func(s string) string {
		s = strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) || unicode.IsControl(r) || r == '+' || r == '/' || r == utf8.RuneError {
				return '-'
			}
			return r
		}, s)
		for len(s) > 80 {
			_, n := utf8.DecodeLastRuneInString(s)
			s = s[:len(s)-n]
		}
		return s
	}
	return cmp.Or(clean(site), "asepsis-ledger") + "/" + cmp.Or(clean(process), "asepsis")
}

// loadKey reads the log's key, or makes it when there is no log yet. The name is for a log
// whose origin is not configured.
//
// durable: a new key is on disk, synced, before anything is signed with it.
func loadKey(file, origin, name string, exists bool) (signingKey, error) {
	text, err := os.ReadFile(file)
	switch {
	case err == nil:
	case notExist(err) && !exists:
		if text, err = makeKey(file, origin, name); err != nil {
			return signingKey{}, fmt.Errorf("ledger: make the signing key: %w", err)
		}
	case notExist(err):
		return signingKey{}, &hinted{fmt.Errorf("ledger: there is a log but no signing key: %w", err), "restore " + file + " from the backup: a log cannot change its key"}
	default:
		return signingKey{}, fmt.Errorf("ledger: read the signing key: %w", err)
	}
	st, err := os.Stat(file)
	if err != nil {
		return signingKey{}, fmt.Errorf("ledger: read the signing key: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return signingKey{}, &hinted{fmt.Errorf("ledger: signing key %s: others may read it (mode %04o)", file, st.Mode().Perm()), "chmod 600 " + file}
	}
	skey := strings.TrimSpace(string(text))
	s, err := note.NewSigner(skey)
	if err != nil {
		return signingKey{}, fmt.Errorf("ledger: signing key %s: it is no Ed25519 note key", file)
	}
	if origin != "" && s.Name() != origin {
		return signingKey{}, &hinted{fmt.Errorf("ledger: the log is %s, the configuration says %s", s.Name(), origin), "a log keeps its origin: take ledger.origin out of the configuration, or begin a new log elsewhere"}
	}
	vkey, err := verifierOf(skey)
	if err != nil {
		return signingKey{}, fmt.Errorf("ledger: signing key %s: %w", file, err)
	}
	return signingKey{s, vkey}, nil
}

func makeKey(file, origin, name string) ([]byte, error) {
	if origin == "" {
		b := make([]byte, 4)
		_, _ = rand.Read(b) // never fails, see crypto/rand
		origin = cmp.Or(name, "asepsis-ledger") + "/" + hex.EncodeToString(b)
	}
	skey, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, err
	}
	text := []byte(skey + "\n")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	return text, durable.Create(file, text, 0o600)
}

// verifierOf derives the public key of a note key.
func verifierOf(skey string) (string, error) {
	parts := strings.SplitN(skey, "+", 5)
	if len(parts) != 5 {
		return "", errors.New("it is no note key")
	}
	b, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(b) != 1+ed25519.SeedSize {
		return "", errors.New("it is no note key")
	}
	pub := ed25519.NewKeyFromSeed(b[1:]).Public().(ed25519.PublicKey)
	return note.NewEd25519VerifierKey(parts[2], pub)
}

type hinted struct {
	error
	text string
}

func (h *hinted) Hint() string  { return h.text }
func (h *hinted) Unwrap() error { return h.error }
