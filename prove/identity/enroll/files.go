// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/prove/identity"
)

// Names in the directory.
const (
	CertFile = "cert.pem" // the certificate with its chain
	KeyFile  = "key.pem"  // its key, PKCS #8, mode 0600
	CAFile   = "ca.pem"   // the root and the issuing authorities
	current  = "current"
	keepOld  = 2 // directories of certificates before the current one
)

// set is what belongs together.
type set struct {
	chain []*x509.Certificate
	key   crypto.Signer
	ca    []*x509.Certificate
}

// write puts a set in place in one step: a consumer never sees a key with
// another's certificate. The files of a set lie in a directory of their own,
// "current" is a link to it, and the names that consumers know are links through
// that. It returns when all of it is on the disk.
func write(dir string, s *set) (err error) {
	der, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	name := "set-" + time.Now().UTC().Format("20060102T150405.000000000Z")
	at := filepath.Join(dir, name)
	if err := os.Mkdir(at, 0o700); err != nil {
		return fmt.Errorf("write the certificate: %w", err)
	}
	defer func() {
		if to, _ := os.Readlink(filepath.Join(dir, current)); err != nil && to != name {
			_ = os.RemoveAll(at) // it has a key that nobody will use
		}
	}()
	for _, f := range []struct {
		name string
		body []byte
		mode fs.FileMode
	}{
		{KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600},
		{CertFile, identity.EncodePEM(s.chain...), 0o644},
		{CAFile, identity.EncodePEM(s.ca...), 0o644},
	} {
		if err := durable.Create(filepath.Join(at, f.name), f.body, f.mode); err != nil {
			return fmt.Errorf("write the certificate: %w", err)
		}
	}
	if err := link(dir, name, current); err != nil {
		return fmt.Errorf("write the certificate: %w", err)
	}
	for _, f := range []string{KeyFile, CertFile, CAFile} {
		if to, err := os.Readlink(filepath.Join(dir, f)); err == nil && to == filepath.Join(current, f) {
			continue
		}
		if err := link(dir, filepath.Join(current, f), f); err != nil {
			return fmt.Errorf("write the certificate: %w", err)
		}
	}
	tidy(dir, name)
	return durable.SyncDir(dir)
}

// link makes dir/name lead to a place, in one step.
func link(dir, to, name string) error {
	temp := filepath.Join(dir, ".new-"+name)
	_ = os.Remove(temp)
	if err := os.Symlink(to, temp); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(dir, name))
}

// tidy removes sets but the newest ones. A consumer may be reading the one before.
func tidy(dir, now string) {
	all, err := filepath.Glob(filepath.Join(dir, "set-*"))
	if err != nil {
		return
	}
	for i, d := range all { // sorted: their names are times
		if i < len(all)-1-keepOld && filepath.Base(d) != now {
			_ = os.RemoveAll(d)
		}
	}
}

// read returns the current set; fs.ErrNotExist: there is none.
func read(dir string) (*tls.Certificate, []*x509.Certificate, error) {
	at, err := filepath.EvalSymlinks(filepath.Join(dir, current))
	if err != nil {
		return nil, nil, err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(at, CertFile), filepath.Join(at, KeyFile))
	if err != nil {
		return nil, nil, fmt.Errorf("read the certificate: %w", err)
	}
	b, err := os.ReadFile(filepath.Join(at, CAFile))
	if err != nil {
		return nil, nil, fmt.Errorf("read the authorities: %w", err)
	}
	ca, err := identity.ParsePEM(bytes.TrimSpace(b))
	if err != nil {
		return nil, nil, fmt.Errorf("read the authorities: %w", err)
	}
	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, nil, fmt.Errorf("read the certificate: %w", err)
		}
	}
	return &pair, ca, nil
}
