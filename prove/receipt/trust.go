// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
)

// TrustFormat is the `format` of a trust file.
const TrustFormat = "asepsis-trust/v1"

// Limits of a trust file.
const (
	MaxTrust     = 256 << 10 // bytes
	MaxWitnesses = 16
	maxRoots     = 16
)

// Trust is whom a verifier believes: a log, witnesses and timestamp authorities.
type Trust struct {
	Log       Key
	Witnesses []Key
	// Required is how many of the witnesses must have signed; 0: none, the log's word
	// is enough.
	Required int
	// Roots are the certificates that timestamp tokens must come from.
	Roots []*x509.Certificate
}

// trustFile is the JSON of a trust file. Unlike a receipt it is written by people
// too, and may have any spaces.
type trustFile struct {
	Format    string   `json:"format"`
	Log       string   `json:"log"`
	Witnesses []string `json:"witnesses,omitempty"`
	Required  int      `json:"required"`
	Roots     []string `json:"timestamp_roots,omitempty"` // PEM
}

// ParseTrust reads a trust file. The error is an *Error with the code BadTrust.
func ParseTrust(file []byte) (*Trust, error) {
	if len(file) > MaxTrust {
		return nil, failed(BadTrust, "the trust file has %d bytes, more than %d", len(file), MaxTrust)
	}
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	var f trustFile
	if err := d.Decode(&f); err != nil {
		return nil, failed(BadTrust, "the trust file cannot be read: %s", err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, failed(BadTrust, "something follows the trust file's object")
	}
	if f.Format != TrustFormat {
		return nil, failed(BadTrust, "the trust file's format is not %s", TrustFormat)
	}
	t := &Trust{Required: f.Required}
	var err error
	if t.Log, err = ParseKey(f.Log); err != nil || t.Log.alg != algEd25519 {
		return nil, failed(BadTrust, "the trust file's log is no key of a log%s", because(err))
	}
	if len(f.Witnesses) > MaxWitnesses || len(f.Roots) > maxRoots {
		return nil, failed(BadTrust, "the trust file has more than %d witnesses or %d roots", MaxWitnesses, maxRoots)
	}
	for i, w := range f.Witnesses {
		k, err := ParseKey(w)
		if err != nil || k.alg != algCosignature {
			return nil, failed(BadTrust, "the trust file's witnesses[%d] is no key of a witness%s", i, because(err))
		}
		for _, other := range t.Witnesses {
			// One operator under two names would count as two.
			if other.Name == k.Name || other.pub.Equal(k.pub) {
				return nil, failed(BadTrust, "the trust file's witnesses[%d] is there twice", i)
			}
		}
		t.Witnesses = append(t.Witnesses, k)
	}
	if t.Required < 0 || t.Required > len(t.Witnesses) {
		return nil, failed(BadTrust, "the trust file requires %d of %d witnesses", t.Required, len(t.Witnesses))
	}
	for i, text := range f.Roots {
		block, rest := pem.Decode([]byte(text))
		if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
			return nil, failed(BadTrust, "the trust file's timestamp_roots[%d] is no PEM certificate", i)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, failed(BadTrust, "the trust file's timestamp_roots[%d] cannot be read", i)
		}
		t.Roots = append(t.Roots, c)
	}
	return t, nil
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// WriteTrust makes a trust file of verifier keys and PEM certificates.
func WriteTrust(log string, witnesses []string, required int, roots []string) ([]byte, error) {
	b, err := json.MarshalIndent(trustFile{TrustFormat, log, witnesses, required, roots}, "", "  ")
	if err != nil {
		return nil, err
	}
	b = append(b, '\n')
	if _, err := ParseTrust(b); err != nil {
		return nil, err
	}
	return b, nil
}

// Open checks a checkpoint's signatures: the log's must be there, every other must be
// of a witness of the trust file, and all must be right. It does not ask how many
// witnesses signed. The error is an *Error.
func (t *Trust) Open(note []byte) (Checkpoint, error) {
	c, sigs, err := parseNote(note)
	if err != nil {
		return c, failed(BadCheckpoint, "the checkpoint cannot be read: %s", err.Error())
	}
	if c.Origin != t.Log.Name {
		return c, failed(WrongLog, "the checkpoint is of another log than the trust file's")
	}
	seen := map[string]bool{}
	byLog := false
	for _, s := range sigs {
		k, ok := t.key(s)
		switch {
		case !ok:
			return c, failed(UnknownKey, "a signature of the checkpoint is by a key that the trust file does not have")
		case seen[k.Name]:
			return c, failed(DuplicateSignature, "the checkpoint is signed twice by %s", k.Name)
		}
		seen[k.Name] = true
		when, ok := k.verify(c.Body, s.sig)
		switch {
		case k.alg == algEd25519 && !ok:
			return c, failed(BadLogSignature, "the log's signature is wrong: the checkpoint was changed, or another key made it")
		case k.alg == algEd25519:
			byLog = true
		case !ok:
			return c, failed(BadCosignature, "the signature of witness %s is wrong", k.Name)
		default:
			c.Cosigned = append(c.Cosigned, Cosignature{k.Name, when})
		}
	}
	if !byLog {
		return c, failed(NoLogSignature, "the log did not sign the checkpoint")
	}
	return c, nil
}

func (t *Trust) key(s signature) (Key, bool) {
	if s.name == t.Log.Name && s.id == t.Log.ID {
		return t.Log, true
	}
	for _, k := range t.Witnesses {
		if s.name == k.Name && s.id == k.ID {
			return k, true
		}
	}
	return Key{}, false
}
