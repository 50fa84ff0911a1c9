// SPDX-License-Identifier: Apache-2.0

// Package seal keeps private keys at rest: a file that holds a secret under a
// passphrase.
//
// # The envelope
//
// A sealed file is one PEM block of type "ASEPSIS SEALED" with these headers:
//
//	Version: 1
//	What:    what is inside, "issuing-key" for example
//	KDF:     argon2id
//	Cost:    memory in KiB, passes and lanes: "65536,3,4"
//	Salt:    16 random bytes, base64
//
// The body is 24 random bytes (the nonce), and the secret under
// XChaCha20-Poly1305 with the 32-byte key that Argon2id (RFC 9106) makes of the
// passphrase and the salt. All headers are authenticated: changing one, What
// included, makes the file unreadable.
//
// Who has the file and not the passphrase has to try passphrases at that cost
// each. What is not done: hiding how long the secret is.
package seal

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

// Type is the PEM type of a sealed secret.
const Type = "ASEPSIS SEALED"

// Errors that callers decide on.
var (
	// ErrPassphrase says that the passphrase is wrong, or that the file was
	// changed: the two cannot be told apart.
	ErrPassphrase = errors.New("wrong passphrase, or the file was changed")
	ErrFormat     = errors.New("not a sealed file")
)

// Bounds. A file declares its own cost, so what it may declare is bounded.
const (
	MinPassphrase = 12 // bytes
	maxFile       = 64 << 20
	maxMemory     = 1 << 20 // KiB: 1 GiB
	maxPasses     = 16
	maxLanes      = 16
)

// Cost is what one try of a passphrase costs.
type Cost struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}

// DefaultCost is RFC 9106 §4's second recommended choice: 64 MiB, 3 passes, 4
// lanes; some 100 ms on one core.
func DefaultCost() Cost { return Cost{64 << 10, 3, 4} }

func (c Cost) valid() bool {
	return c.Passes >= 1 && c.Passes <= maxPasses && c.Lanes >= 1 && c.Lanes <= maxLanes && c.Memory >= 8*uint32(c.Lanes) && c.Memory <= maxMemory
}

// hinted is an error that says what to do.
type hinted struct {
	error
	hint string
}

func (h hinted) Hint() string  { return h.hint }
func (h hinted) Unwrap() error { return h.error }

// CheckPassphrase says what is wrong with a new passphrase.
func CheckPassphrase(p []byte) error {
	if len(p) < MinPassphrase {
		return hinted{fmt.Errorf("passphrase: %d bytes, want at least %d", len(p), MinPassphrase), "a generated one: openssl rand -base64 24"}
	}
	return nil
}

// Seal encrypts a secret. what names it, and Open demands the same name.
func Seal(what string, secret, passphrase []byte, cost Cost) ([]byte, error) {
	if err := CheckPassphrase(passphrase); err != nil {
		return nil, err
	}
	if !cost.valid() {
		return nil, fmt.Errorf("seal %s: cost %+v is out of bounds", what, cost)
	}
	if what == "" || strings.ContainsAny(what, "\r\n:") {
		return nil, fmt.Errorf("seal: %q cannot be a name", what)
	}
	salt, nonce := make([]byte, 16), make([]byte, chacha20poly1305.NonceSizeX)
	_, _ = rand.Read(salt) // never fails, see crypto/rand
	_, _ = rand.Read(nonce)
	headers := map[string]string{
		"Version": "1", "What": what, "KDF": "argon2id",
		"Cost": fmt.Sprintf("%d,%d,%d", cost.Memory, cost.Passes, cost.Lanes),
		"Salt": base64.StdEncoding.EncodeToString(salt),
	}
	aead, err := chacha20poly1305.NewX(argon2.IDKey(passphrase, salt, cost.Passes, cost.Memory, cost.Lanes, chacha20poly1305.KeySize))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", what, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: Type, Headers: headers, Bytes: aead.Seal(nonce, nonce, secret, associated(headers))}), nil
}

// associated is the headers as they are authenticated.
func associated(h map[string]string) []byte {
	var b strings.Builder
	for _, k := range []string{"Version", "What", "KDF", "Cost", "Salt"} {
		b.WriteString(k + ":" + h[k] + "\n")
	}
	return []byte(b.String())
}

// Open decrypts what Seal made under the same name and passphrase.
func Open(what string, file, passphrase []byte) ([]byte, error) {
	if len(file) > maxFile {
		return nil, fmt.Errorf("open %s: %w: %d bytes, at most %d", what, ErrFormat, len(file), maxFile)
	}
	block, _ := pem.Decode(file)
	if block == nil || block.Type != Type {
		return nil, fmt.Errorf("open %s: %w: no PEM block %q", what, ErrFormat, Type)
	}
	h := block.Headers
	if h["Version"] != "1" || h["KDF"] != "argon2id" || len(h) != 5 {
		return nil, fmt.Errorf("open %s: %w: version %q, KDF %q", what, ErrFormat, h["Version"], h["KDF"])
	}
	if h["What"] != what {
		return nil, fmt.Errorf("open %s: the file holds %q", what, h["What"])
	}
	cost, err := parseCost(h["Cost"])
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", what, err)
	}
	salt, err := base64.StdEncoding.DecodeString(h["Salt"])
	if err != nil || len(salt) != 16 {
		return nil, fmt.Errorf("open %s: %w: salt", what, ErrFormat)
	}
	if len(block.Bytes) < chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead {
		return nil, fmt.Errorf("open %s: %w: truncated", what, ErrFormat)
	}
	aead, err := chacha20poly1305.NewX(argon2.IDKey(passphrase, salt, cost.Passes, cost.Memory, cost.Lanes, chacha20poly1305.KeySize))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", what, err)
	}
	nonce, body := block.Bytes[:chacha20poly1305.NonceSizeX], block.Bytes[chacha20poly1305.NonceSizeX:]
	secret, err := aead.Open(nil, nonce, body, associated(h))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", what, ErrPassphrase)
	}
	return secret, nil
}

func parseCost(s string) (Cost, error) {
	parts := strings.Split(s, ",")
	if len(parts) != 3 {
		return Cost{}, fmt.Errorf("%w: cost %q", ErrFormat, s)
	}
	var n [3]uint64
	for i, p := range parts {
		var err error
		if n[i], err = strconv.ParseUint(p, 10, []int{32, 32, 8}[i]); err != nil {
			return Cost{}, fmt.Errorf("%w: cost %q", ErrFormat, s)
		}
	}
	c := Cost{uint32(n[0]), uint32(n[1]), uint8(n[2])}
	if !c.valid() {
		return Cost{}, fmt.Errorf("%w: cost %q is out of bounds", ErrFormat, s)
	}
	return c, nil
}
