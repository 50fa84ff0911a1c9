// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/prove/identity/seal"
)

// Keys keeps the private keys of an authority. Sealed files are the default;
// package hsm has one for PKCS#11.
type Keys interface {
	// Create makes a key under a name that is not taken, durably.
	Create(name string, curve elliptic.Curve) (crypto.Signer, error)
	// Open returns a key. fs.ErrNotExist: there is none of that name here.
	Open(name string) (crypto.Signer, error)
}

// SealedKeys keeps keys in files of a directory, each under the passphrase.
type SealedKeys struct {
	Dir        string
	Passphrase []byte
	Cost       seal.Cost // zero: seal.DefaultCost
}

var _ Keys = (*SealedKeys)(nil)

func (k *SealedKeys) path(name string) string { return filepath.Join(k.Dir, name+".key") }

// Create implements Keys. The file has mode 0600 and is on the disk before it
// returns.
func (k *SealedKeys) Create(name string, curve elliptic.Curve) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key %s: %w", name, err)
	}
	file, err := sealKey(name, key, k.Passphrase, k.Cost)
	if err != nil {
		return nil, err
	}
	err = durable.Create(k.path(name), file, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, refuse(Already, "move it away, if nothing needs it", "make key %s: %s is there already", name, k.path(name))
	}
	if err != nil {
		return nil, fmt.Errorf("make key %s: %w", name, err)
	}
	return key, nil
}

func sealKey(name string, key crypto.Signer, passphrase []byte, cost seal.Cost) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write key %s: %w", name, err)
	}
	defer clear(der)
	return seal.Seal(sealedName(name), der, passphrase, cmp.Or(cost, seal.DefaultCost()))
}

// sealedName names what a key file holds. It is not the file's name, which a
// person may change when the file is taken away.
func sealedName(name string) string {
	if name == rootName {
		return "root private key"
	}
	return "issuing private key"
}

// Open implements Keys.
func (k *SealedKeys) Open(name string) (crypto.Signer, error) {
	st, err := os.Stat(k.path(name))
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, &Refusal{Kind: NotAllowed, Text: fmt.Sprintf("key %s: others may read it (mode %04o)", k.path(name), st.Mode().Perm()), Help: "chmod 600 " + k.path(name)}
	}
	file, err := os.ReadFile(k.path(name))
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	return openKey(name, file, k.Passphrase)
}

func openKey(name string, file, passphrase []byte) (crypto.Signer, error) {
	der, err := seal.Open(sealedName(name), file, passphrase)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key %s: a %T cannot sign", name, key)
	}
	return s, nil
}

// CheckPublic says whether a device may have such a key.
func CheckPublic(pub any) error {
	const hint = "ECDSA P-256: openssl ecparam -name prime256v1 -genkey -noout"
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() {
			return refuse(BadKey, hint, "a key on %s is not accepted: want P-256 or P-384, or RSA of 2048 bits and more", k.Params().Name)
		}
		return nil
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 2048 || n > 4096 {
			return refuse(BadKey, hint, "an RSA key of %d bits is not accepted: want 2048 to 4096", n)
		}
		return nil
	case ed25519.PublicKey:
		return refuse(BadKey, hint, "an Ed25519 key is not accepted: too few devices can check it")
	}
	return refuse(BadKey, hint, "a key of type %T is not accepted", pub)
}

// MaxCSR bounds a certificate request, DER or PEM.
const MaxCSR = 64 << 10

// ParseCSR reads a PKCS #10 request, DER or PEM, and checks its signature: who
// asks has the key.
func ParseCSR(b []byte) (*x509.CertificateRequest, error) {
	if len(b) > MaxCSR {
		return nil, refuse(BadRequest, "", "the certificate request has %d bytes, at most %d", len(b), MaxCSR)
	}
	if block, _ := pem.Decode(b); block != nil {
		if block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST" {
			return nil, refuse(BadRequest, "openssl req -new makes one", "a %q is no certificate request", block.Type)
		}
		b = block.Bytes
	}
	csr, err := x509.ParseCertificateRequest(b)
	if err != nil {
		return nil, refuse(BadRequest, "openssl req -in FILE -text says what is in it", "no certificate request: %w", err)
	}
	if err := CheckPublic(csr.PublicKey); err != nil {
		return nil, err
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, refuse(BadSignature, "", "the certificate request is not signed by its own key: %w", err)
	}
	return csr, nil
}
