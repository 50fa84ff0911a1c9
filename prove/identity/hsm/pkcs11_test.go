// SPDX-License-Identifier: Apache-2.0

//go:build pkcs11

package hsm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/hsm"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

const module = "/usr/lib/softhsm/libsofthsm2.so"

// TestAnAuthorityInSoftHSMSigns keeps the issuing key in a token of SoftHSM:
// certificates, CRLs, OCSP answers and a rotation, judged by openssl.
func TestAnAuthorityInSoftHSMSigns(t *testing.T) {
	if _, err := os.Stat(module); err != nil {
		t.Skip("peer missing: softhsm2")
	}
	dir := t.TempDir()
	tokens := filepath.Join(dir, "tokens")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+tokens+"\nobjectstore.backend = file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	if out, err := identitytest.Run(t, nil, "softhsm2-util", "--init-token", "--free", "--label", "asepsis", "--so-pin", "12345678", "--pin", "123456"); err != nil {
		t.Fatal(err, out)
	}
	if _, _, err := hsm.Open(hsm.Config{Module: module, Token: "asepsis", PIN: "000000"}); err == nil {
		t.Error("a wrong PIN opened the token")
	}
	keys, end, err := hsm.Open(hsm.Config{Module: module, Token: "asepsis", PIN: "123456"})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	for _, curve := range []string{"P-256", "P-384"} {
		s := identitytest.New(t, identitytest.Options{Site: identity.Site{Curve: curve}, Init: func(o *identity.InitOptions) { o.Keys = keys }})
		if files, _ := filepath.Glob(filepath.Join(s.Dir, "issuing-*.key")); len(files) != 0 {
			t.Errorf("the issuing key is on the disk: %v", files)
		}
		if _, err := s.Rotate(t.Context(), identity.RootAccess{Passphrase: []byte(identitytest.Passphrase)}, identity.Actor{}); err != nil {
			t.Fatal(err)
		}
		i, _ := s.Issue(t, identity.DICOMNode, "dev-arm")
		file := func(name string, b []byte) string {
			p := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(p, b, 0o600); err != nil {
				t.Fatal(err)
			}
			return p
		}
		out, err := identitytest.Run(t, nil, "openssl", "verify", "-x509_strict", "-CAfile", file("root", identity.EncodePEM(s.Root())), "-untrusted", file("chain", identity.EncodePEM(i.Chain...)), file("leaf", identity.EncodePEM(i.Leaf)))
		if err != nil {
			t.Errorf("%s: %v %s", curve, err, out)
		}
		if _, err := s.Revoke(t.Context(), identity.Revocation{Serials: []string{i.Serial}, Reason: identity.KeyCompromise}); err != nil {
			t.Fatal(err)
		}
		crl, _, err := s.CRL(t.Context(), i.Issuer, false)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := identitytest.Run(t, crl, "openssl", "crl", "-inform", "DER", "-noout", "-CAfile", file("ca", identity.EncodePEM(i.Chain...)), "-verify"); err != nil || !strings.Contains(out, "verify OK") {
			t.Errorf("%s: %v %s", curve, err, out)
		}
		if _, err := s.Staple(t.Context(), i.Serial); err != nil {
			t.Error(err)
		}
	}
}
