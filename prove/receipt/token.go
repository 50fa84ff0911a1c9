// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // RFC 2634 names certificates by it; the signature does not rest on it
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"time"

	// The algorithms of tokens besides SHA-256.
	_ "crypto/sha512"
)

// Object identifiers of tokens (RFC 3161, RFC 5652, RFC 5816, RFC 8017, RFC 5758).
var (
	oidSignedData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidContentType      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningCert      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCertV2    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidRSA              = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	digestOIDs          = []algorithm{{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA256}, {asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA384}, {asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, crypto.SHA512}}
	rsaOIDs             = []algorithm{{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, crypto.SHA256}, {asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, crypto.SHA384}, {asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, crypto.SHA512}}
	ecdsaOIDs           = []algorithm{{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, crypto.SHA256}, {asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, crypto.SHA384}, {asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, crypto.SHA512}}
	errToken            = errors.New("malformed")
	maxTokenCertificate = 8
)

type algorithm struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
}

// hashOf finds an algorithm. Its parameters must be absent or NULL.
func hashOf(list []algorithm, a algorithmID) (crypto.Hash, bool) {
	for _, x := range list {
		if x.oid.Equal(a.Algorithm) && (len(a.Parameters.FullBytes) == 0 || bytes.Equal(a.Parameters.FullBytes, []byte{5, 0})) {
			return x.hash, true
		}
	}
	return 0, false
}

type algorithmID struct {
	Algorithm  asn1.ObjectIdentifier
	Parameters asn1.RawValue `asn1:"optional"`
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values asn1.RawValue `asn1:"set"`
}

type signerInfo struct {
	Version   int
	SID       asn1.RawValue
	Digest    algorithmID
	Signed    asn1.RawValue `asn1:"tag:0"`
	Algorithm algorithmID
	Signature []byte
	Rest      asn1.RawValue `asn1:"optional"` // attributes that nobody signed: refused
}

type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"explicit,tag:0"`
	Rest    asn1.RawValue `asn1:"optional"`
}

type encapsulated struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"explicit,tag:0"`
	Rest    asn1.RawValue `asn1:"optional"`
}

type signedData struct {
	Version      int
	Digests      asn1.RawValue `asn1:"set"`
	Content      encapsulated
	Certificates asn1.RawValue `asn1:"tag:0"`
	Signers      []signerInfo  `asn1:"set"`
	Rest         asn1.RawValue `asn1:"optional"`
}

// all is asn1.Unmarshal that leaves nothing over.
func all(b []byte, into any, params string) error {
	rest, err := asn1.UnmarshalWithParams(b, into, params)
	if err != nil || len(rest) > 0 {
		return errToken
	}
	return nil
}

// verifyToken checks an RFC 3161 token over body and returns its time. Nothing in the
// token is left unchecked: there is one signer, every certificate is of its chain,
// and attributes that nobody signed are refused.
func verifyToken(token, body []byte, roots []*x509.Certificate) (time.Time, error) {
	sd, content, ok := readSigned(token)
	if !ok {
		return time.Time{}, failed(BadTimestamp, "the timestamp is no token with one signer")
	}
	when, imprint, hash, err := readTSTInfo(content)
	if err != nil {
		return time.Time{}, failed(BadTimestamp, "the timestamp's content cannot be read")
	}
	h := hash.New()
	_, _ = h.Write(body)
	if !bytes.Equal(h.Sum(nil), imprint) {
		return time.Time{}, failed(WrongTimestamp, "the timestamp is of something else than this checkpoint")
	}
	certs, err := x509.ParseCertificates(sd.Certificates.Bytes)
	if err != nil || len(certs) == 0 || len(certs) > maxTokenCertificate {
		return time.Time{}, failed(BadTimestamp, "the timestamp has no certificates that can be read, or more than %d", maxTokenCertificate)
	}
	s := sd.Signers[0]
	signer := s.certificate(certs)
	if signer == nil {
		return time.Time{}, failed(BadTimestamp, "the timestamp's signer has no certificate in it")
	}
	if err := s.verify(&sd, content, signer); err != nil {
		return time.Time{}, failed(BadTimestamp, "the timestamp's signature is wrong")
	}
	if !trusted(signer, certs, roots, when) {
		return time.Time{}, failed(UntrustedTimestamp, "the timestamp's signer does not come from a root of the trust file, was not valid then, or may not sign timestamps")
	}
	return when, nil
}

// readSigned reads RFC 5652's SignedData around a TSTInfo. encoding/asn1 lets some things
// pass that are not DER or that stand behind what it reads; they are refused here.
func readSigned(token []byte) (sd signedData, content []byte, ok bool) {
	var ci contentInfo
	if all(token, &ci, "") != nil || !ci.Type.Equal(oidSignedData) || all(ci.Content.Bytes, &sd, "") != nil || all(sd.Content.Content.Bytes, &content, "") != nil {
		return sd, nil, false
	}
	if sd.Version != 3 || !sd.Content.Type.Equal(oidTSTInfo) || len(sd.Signers) != 1 {
		return sd, nil, false
	}
	for _, rest := range []asn1.RawValue{ci.Rest, sd.Rest, sd.Content.Rest, sd.Signers[0].Rest} {
		if len(rest.FullBytes) > 0 {
			return sd, nil, false
		}
	}
	return sd, content, sd.Digests.FullBytes[0] == 0x31 && ci.Content.IsCompound && sd.Content.Content.IsCompound && sd.Certificates.IsCompound && sd.Signers[0].Signed.IsCompound
}

// readTSTInfo reads RFC 3161 §2.4.2 up to the time; what follows is signed, and of no
// use here.
func readTSTInfo(b []byte) (time.Time, []byte, crypto.Hash, error) {
	var seq asn1.RawValue
	if all(b, &seq, "") != nil || seq.Tag != asn1.TagSequence || !seq.IsCompound {
		return time.Time{}, nil, 0, errToken
	}
	var version int
	var policy asn1.ObjectIdentifier
	var imprint struct {
		Algorithm algorithmID
		Hash      []byte
	}
	serial := new(big.Int)
	var when time.Time
	rest := seq.Bytes
	for _, f := range []struct {
		into   any
		params string
	}{{&version, ""}, {&policy, ""}, {&imprint, ""}, {&serial, ""}, {&when, "generalized"}} {
		var err error
		if rest, err = asn1.UnmarshalWithParams(rest, f.into, f.params); err != nil {
			return time.Time{}, nil, 0, errToken
		}
	}
	hash, ok := hashOf(digestOIDs, imprint.Algorithm)
	if version != 1 || !ok || len(imprint.Hash) != hash.Size() {
		return time.Time{}, nil, 0, errToken
	}
	return when.UTC(), imprint.Hash, hash, nil
}

// certificate finds the signer's by issuer and serial number, or by its key
// identifier.
func (s *signerInfo) certificate(certs []*x509.Certificate) *x509.Certificate {
	var id struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	byIssuer := s.Version == 1 && s.SID.Tag == asn1.TagSequence && all(s.SID.FullBytes, &id, "") == nil
	byKey := s.Version == 3 && s.SID.Class == asn1.ClassContextSpecific && s.SID.Tag == 0
	for _, c := range certs {
		if byIssuer && bytes.Equal(c.RawIssuer, id.Issuer.FullBytes) && c.SerialNumber.Cmp(id.Serial) == 0 || byKey && bytes.Equal(c.SubjectKeyId, s.SID.Bytes) {
			return c
		}
	}
	return nil
}

// verify checks RFC 5652 §5.4 and §5.6: the signed attributes say what the content
// is and what its digest is, and the signature is over them.
func (s *signerInfo) verify(sd *signedData, content []byte, signer *x509.Certificate) error {
	hash, ok := hashOf(digestOIDs, s.Digest)
	if !ok {
		return errToken
	}
	var listed algorithmID
	if all(sd.Digests.Bytes, &listed, "") != nil || !listed.Algorithm.Equal(s.Digest.Algorithm) || !bytes.Equal(listed.Parameters.FullBytes, s.Digest.Parameters.FullBytes) {
		return errToken
	}
	h := hash.New()
	_, _ = h.Write(content)
	if err := s.attributes(h.Sum(nil), signer); err != nil {
		return err
	}
	// What is signed is the SET OF, not the [0] that stands in its place.
	signed := append([]byte{0x31}, s.Signed.FullBytes[1:]...)
	h = hash.New()
	_, _ = h.Write(signed)
	digest := h.Sum(nil)
	switch pub := signer.PublicKey.(type) {
	case *rsa.PublicKey:
		alg, ok := hashOf(rsaOIDs, s.Algorithm)
		if !ok {
			_, ok = hashOf([]algorithm{{oidRSA, hash}}, s.Algorithm)
			alg = hash
		}
		if ok && alg == hash && rsa.VerifyPKCS1v15(pub, hash, digest, s.Signature) == nil {
			return nil
		}
	case *ecdsa.PublicKey:
		if alg, ok := hashOf(ecdsaOIDs, s.Algorithm); ok && alg == hash && ecdsa.VerifyASN1(pub, digest, s.Signature) {
			return nil
		}
	}
	return errToken
}

func (s *signerInfo) attributes(digest []byte, signer *x509.Certificate) error {
	seen := map[string]bool{}
	for rest := s.Signed.Bytes; len(rest) > 0; {
		var a attribute
		var err error
		if rest, err = asn1.Unmarshal(rest, &a); err != nil || seen[a.Type.String()] {
			return errToken
		}
		seen[a.Type.String()] = true
		ok := true
		switch {
		case a.Type.Equal(oidContentType):
			var oid asn1.ObjectIdentifier
			ok = all(a.Values.Bytes, &oid, "") == nil && oid.Equal(oidTSTInfo)
		case a.Type.Equal(oidMessageDigest):
			var d []byte
			ok = all(a.Values.Bytes, &d, "") == nil && bytes.Equal(d, digest)
		case a.Type.Equal(oidSigningCert), a.Type.Equal(oidSigningCertV2):
			ok = namesSigner(a, signer)
		}
		if !ok {
			return errToken
		}
	}
	// RFC 3161 §2.4.2: the signer's certificate is named, so that no other with the
	// same key can take its place.
	if !seen[oidContentType.String()] || !seen[oidMessageDigest.String()] || !seen[oidSigningCert.String()] && !seen[oidSigningCertV2.String()] {
		return errToken
	}
	return nil
}

// namesSigner reads the first ESSCertID (RFC 2634) or ESSCertIDv2 (RFC 5816).
func namesSigner(a attribute, signer *x509.Certificate) bool {
	var attr, list, first asn1.RawValue
	if all(a.Values.Bytes, &attr, "") != nil {
		return false
	}
	if _, err := asn1.Unmarshal(attr.Bytes, &list); err != nil {
		return false
	}
	if _, err := asn1.Unmarshal(list.Bytes, &first); err != nil {
		return false
	}
	rest, hash := first.Bytes, crypto.SHA256
	if a.Type.Equal(oidSigningCert) {
		var sum []byte
		_, err := asn1.Unmarshal(rest, &sum)
		want := sha1.Sum(signer.Raw) //nolint:gosec // see the import
		return err == nil && bytes.Equal(sum, want[:])
	}
	var alg algorithmID
	if r, err := asn1.Unmarshal(rest, &alg); err == nil { // DEFAULT SHA-256
		h, ok := hashOf(digestOIDs, alg)
		if !ok {
			return false
		}
		rest, hash = r, h
	}
	var sum []byte
	if _, err := asn1.Unmarshal(rest, &sum); err != nil {
		return false
	}
	h := hash.New()
	_, _ = h.Write(signer.Raw)
	return bytes.Equal(sum, h.Sum(nil))
}

// trusted reports whether the signer comes from a root, was valid at that time, and
// is there for timestamps alone (RFC 3161 §2.3); and whether no certificate came along
// that has no part in that.
func trusted(signer *x509.Certificate, certs, roots []*x509.Certificate, when time.Time) bool {
	if len(signer.ExtKeyUsage) != 1 || signer.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(signer.UnknownExtKeyUsage) > 0 {
		return false
	}
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: when, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}}
	for _, r := range roots {
		o.Roots.AddCert(r)
	}
	for _, c := range certs {
		o.Intermediates.AddCert(c)
	}
	chains, err := signer.Verify(o)
	if err != nil {
		return false
	}
	used := func(chain []*x509.Certificate) bool {
		for _, c := range certs {
			found := false
			for _, x := range chain {
				found = found || sha256.Sum256(x.Raw) == sha256.Sum256(c.Raw)
			}
			if !found {
				return false
			}
		}
		return true
	}
	for _, chain := range chains {
		if used(chain) {
			return true
		}
	}
	return false
}

// CheckTimestamp checks a token over a checkpoint's body. The error is an *Error.
func CheckTimestamp(token, body []byte, t *Trust) error {
	_, err := verifyToken(token, body, t.Roots)
	return err
}
