// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Algorithms of note keys (C2SP signed-note, tlog-cosignature).
const (
	algEd25519     = 0x01
	algCosignature = 0x04 // Ed25519 over a time and the note
)

// Key is a public key of a log or a witness.
type Key struct {
	Name string
	ID   uint32
	alg  byte
	pub  ed25519.PublicKey
}

// ParseKey reads a verifier key: name, "+", the key's ID in hexadecimal, "+", base64
// of algorithm and key. Ed25519 keys alone are known: 1 for logs, 4 for witnesses.
func ParseKey(vkey string) (Key, error) {
	name, rest, ok := strings.Cut(vkey, "+")
	id, key, ok2 := strings.Cut(rest, "+")
	if !ok || !ok2 || !validName(name) || len(name) > 256 {
		return Key{}, errors.New("it is not name+id+key")
	}
	b, err := decode64(key)
	if err != nil || len(b) != 1+ed25519.PublicKeySize {
		return Key{}, errors.New("its key is not 33 bytes in base64")
	}
	if b[0] != algEd25519 && b[0] != algCosignature {
		return Key{}, fmt.Errorf("its algorithm %d is not known", b[0])
	}
	k := Key{Name: name, ID: keyID(name, b), alg: b[0], pub: ed25519.PublicKey(b[1:])}
	if want, err := hex.DecodeString(id); err != nil || len(want) != 4 || binary.BigEndian.Uint32(want) != k.ID {
		return Key{}, errors.New("its ID is not that of the name and the key")
	}
	return k, nil
}

// keyID is C2SP signed-note's: the first four bytes of SHA-256(name LF algorithm key).
func keyID(name string, algAndKey []byte) uint32 {
	h := sha256.New()
	_, _ = h.Write([]byte(name + "\n"))
	_, _ = h.Write(algAndKey)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

func validName(name string) bool {
	return name != "" && utf8.ValidString(name) && strings.IndexFunc(name, unicode.IsSpace) < 0 && !strings.Contains(name, "+")
}

// Checkpoint is a tree head that its log signed.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   [32]byte
	// Body is what is signed, and what an RFC 3161 token is made over.
	Body []byte
	// Cosigned are the witnesses who signed it, in the order of the note.
	Cosigned []Cosignature
}

// Cosignature is a witness's word that it saw the checkpoint, consistent with all
// that it saw before.
type Cosignature struct {
	Witness string
	Time    time.Time // by the witness's clock; zero: it did not say
}

// signature is one line of a note.
type signature struct {
	name string
	id   uint32
	sig  []byte
}

// parseNote reads a signed note with a checkpoint in it (C2SP signed-note,
// tlog-checkpoint). Extension lines are refused: no log of ours writes any.
func parseNote(note []byte) (Checkpoint, []signature, error) {
	var c Checkpoint
	if len(note) > MaxCheckpoint || !utf8.Valid(note) {
		return c, nil, errors.New("it is too long or not UTF-8")
	}
	for _, b := range note {
		if b < ' ' && b != '\n' || b == 0x7f {
			return c, nil, errors.New("it has control characters")
		}
	}
	i := bytes.Index(note, []byte("\n\n"))
	if i < 0 {
		return c, nil, errors.New("it has no signatures")
	}
	c.Body = note[:i+1]
	lines := strings.Split(string(note[:i]), "\n")
	if len(lines) != 3 {
		return c, nil, fmt.Errorf("it has %d lines, want origin, size and root", len(lines))
	}
	c.Origin = lines[0]
	var err error
	if c.Size, err = strconv.ParseUint(lines[1], 10, 53); err != nil || strconv.FormatUint(c.Size, 10) != lines[1] {
		return c, nil, errors.New("its size is no decimal number")
	}
	root, err := decode64(lines[2])
	if err != nil || len(root) != len(c.Root) {
		return c, nil, errors.New("its root is not 32 bytes in base64")
	}
	c.Root = [32]byte(root)
	block, ok := strings.CutSuffix(string(note[i+2:]), "\n")
	if !ok {
		return c, nil, errors.New("its last line does not end")
	}
	var sigs []signature
	for line := range strings.SplitSeq(block, "\n") {
		rest, ok := strings.CutPrefix(line, "— ")
		name, text, ok2 := strings.Cut(rest, " ")
		b, err := decode64(text)
		switch {
		case !ok || !ok2 || !validName(name) || err != nil || len(b) < 5:
			return c, nil, errors.New("a line below the text is no signature")
		case len(sigs) == MaxSignatures:
			return c, nil, fmt.Errorf("it has more than %d signatures", MaxSignatures)
		}
		sigs = append(sigs, signature{name, binary.BigEndian.Uint32(b), b[4:]})
	}
	return c, sigs, nil
}

// verify checks one signature over a note's text, and returns the time of a
// cosignature.
func (k Key) verify(body, sig []byte) (time.Time, bool) {
	if k.alg == algEd25519 {
		return time.Time{}, len(sig) == ed25519.SignatureSize && ed25519.Verify(k.pub, body, sig)
	}
	if len(sig) != 8+ed25519.SignatureSize {
		return time.Time{}, false
	}
	t := binary.BigEndian.Uint64(sig)
	if t > 1<<40 { // beyond any clock, and before what time.Unix cannot show
		return time.Time{}, false
	}
	if !ed25519.Verify(k.pub, CosignedMessage(t, body), sig[8:]) {
		return time.Time{}, false
	}
	if t == 0 {
		return time.Time{}, true
	}
	return time.Unix(int64(t), 0).UTC(), true
}

// CosignedMessage is what a witness signs (C2SP tlog-cosignature, cosignature/v1):
// when it saw the checkpoint, in seconds since 1970, and the checkpoint's text.
func CosignedMessage(seconds uint64, body []byte) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatUint(seconds, 10)+"\n"), body...)
}

// CheckCosignature reports whether a signature line is a key's over a checkpoint.
func CheckCosignature(note []byte, line string, k Key) bool {
	i := bytes.Index(note, []byte("\n\n"))
	if i < 0 {
		return false
	}
	c, sigs, err := parseNote(append(bytes.Clone(note[:i+2]), line...))
	if err != nil || len(sigs) != 1 || sigs[0].name != k.Name || sigs[0].id != k.ID {
		return false
	}
	_, ok := k.verify(c.Body, sigs[0].sig)
	return ok
}
