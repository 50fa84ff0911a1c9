// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/store"
)

// MaxCodeLife bounds how long an enrolment code waits for its device.
const MaxCodeLife = 30 * 24 * time.Hour

// Code is an enrolment code as the store keeps it: what its device will get. The
// code itself is not kept, only its SHA-256; it has 100 random bits, so that
// trying is hopeless even for who has the hash.
type Code struct {
	Hash     string    `json:"hash"`
	Device   string    `json:"device"`
	Service  string    `json:"service,omitempty"`
	Profile  Profile   `json:"profile"`
	DNS      []string  `json:"dns,omitempty"`
	IPs      []string  `json:"ips,omitempty"`
	MUD      string    `json:"mud,omitempty"`
	LongLife string    `json:"long_life,omitempty"` // the reason; "" for the profile's usual life
	Made     time.Time `json:"made"`
	By       string    `json:"by,omitempty"`
	Expires  time.Time `json:"expires"`
	Used     time.Time `json:"used,omitzero"`
	Serial   string    `json:"serial,omitempty"` // of the certificate that it was used for
	Key      string    `json:"key,omitempty"`    // SHA-256 of that certificate's public key
	// Manufacturer and Number are set where a certificate of the manufacturer's
	// stands for the code: whose, and the serialNumber of its subject.
	Manufacturer string `json:"manufacturer,omitempty"`
	Number       string `json:"number,omitempty"`
}

// Ticket is what a device shows at its first enrolment.
type Ticket struct{ hash string }

// CodeTicket is an enrolment code that was typed or scanned.
func CodeTicket(text string) Ticket { return Ticket{codeHash(text)} }

// ManufacturerTicket is a manufacturer's certificate that was verified: that of a
// device which is expected.
func ManufacturerTicket(manufacturer, number string) Ticket {
	sum := sha256.Sum256([]byte("asepsis expected device\x00" + manufacturer + "\x00" + number))
	return Ticket{hex.EncodeToString(sum[:])}
}

// NewCode is a code that was just made, the only time that it can be read.
type NewCode struct {
	Code
	Text string `json:"code"` // "K7QF2-..."
	URI  string `json:"uri"`  // everything that `asepsis enroll` needs, for a QR code
}

// MakeCode makes an enrolment code. The request says what the certificate will
// be; its key comes with the device. server is the EST server's address for the
// URI.
func (a *Authority) MakeCode(ctx context.Context, r Request, life time.Duration, server string) (*NewCode, error) {
	text := codeText()
	c, err := a.makeCode(ctx, r, life, CodeTicket(text), Code{})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(a.Root().Raw)
	q := url.Values{"code": {text}, "ca": {hex.EncodeToString(sum[:])}}
	if server != "" {
		q.Set("server", server)
	}
	return &NewCode{Code: *c, Text: text, URI: "asepsis-enroll:?" + q.Encode()}, nil
}

// Expect lets a device in that shows a certificate of its manufacturer's with
// this serialNumber in its subject: once, and for as long as life.
func (a *Authority) Expect(ctx context.Context, r Request, life time.Duration, manufacturer, number string) (*Code, error) {
	if manufacturer == "" || number == "" || len(manufacturer)+len(number) > 256 {
		return nil, refuse(BadRequest, "as the subject of its certificate has them", "a manufacturer and a serial number are needed")
	}
	return a.makeCode(ctx, r, life, ManufacturerTicket(manufacturer, number), Code{Manufacturer: manufacturer, Number: number})
}

func (a *Authority) makeCode(ctx context.Context, r Request, life time.Duration, ticket Ticket, c Code) (*Code, error) {
	spec, err := SpecOf(r.Profile)
	if err != nil {
		return nil, err
	}
	stand, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // for the key that is to come
	if err != nil {
		return nil, fmt.Errorf("make a code: %w", err)
	}
	r.Public = stand.Public()
	if err := r.check(spec); err != nil {
		return nil, err
	}
	if life <= 0 || life > MaxCodeLife {
		return nil, refuse(BadRequest, "24h is usual", "a code is valid for up to %s, not %s", MaxCodeLife, life)
	}
	ca, site, err := a.active()
	if err != nil {
		return nil, err
	}
	// What is wrong is found now, not when the device stands there.
	t, rules, err := a.template(&r, spec, ca, &site)
	if err != nil {
		return nil, err
	}
	if _, err := rehearse(t, ca.cert, r.Public, ca.cert.PublicKey, rules); err != nil {
		return nil, err
	}
	now := a.deps.Now().UTC().Truncate(time.Second)
	c.Hash, c.Device, c.Service, c.Profile, c.DNS, c.MUD, c.LongLife = ticket.hash, r.Device, r.Service, r.Profile, r.DNS, r.MUD, r.LongLifeReason
	c.Made, c.By, c.Expires = now, r.By.User, now.Add(life)
	for _, ip := range r.Addresses {
		c.IPs = append(c.IPs, ip.String())
	}
	body, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	about := Certificate{Device: r.Device, Profile: r.Profile, SPIFFE: a.owner(&c), Via: "est-code"}
	st, err := a.codeStatement("code-made", c.Hash, &about, r.By)
	if err != nil {
		return nil, err
	}
	if err := a.deps.Documents.Commit(ctx, []store.Write{{Kind: kindCode, ID: c.Hash, Expect: store.AnyRevision, Body: body}, st.write}, a.audit("identity.code", &about, r.By)); err != nil {
		return nil, fmt.Errorf("keep the code: %w", err)
	}
	a.record(ctx, st)
	a.emit("code-made", &about)
	return &c, nil
}

func (a *Authority) owner(c *Code) string {
	if c.Service != "" {
		return serviceID(a.Site().TrustDomain, c.Service)
	}
	return SPIFFEID(a.Site().TrustDomain, c.Device)
}

// codeText draws 20 of 31 letters and digits that cannot be taken for each
// other: 99 bits.
func codeText() string {
	const letters = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
	var b strings.Builder
	for b.Len() < 23 {
		if b.Len()%6 == 5 {
			b.WriteByte('-')
		}
		var r [1]byte
		_, _ = rand.Read(r[:])          // never fails, see crypto/rand
		if int(r[0]) < 8*len(letters) { // every letter as likely
			b.WriteByte(letters[int(r[0])%len(letters)])
		}
	}
	return b.String()
}

// codeHash is a code as it is kept. Case, dashes and spaces do not count: people
// type it.
func codeHash(text string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToUpper(strings.TrimSpace(text)))
	sum := sha256.Sum256([]byte("asepsis enrolment code\x00" + clean))
	return hex.EncodeToString(sum[:])
}

func (a *Authority) code(ctx context.Context, hash string) (Code, uint64, error) {
	var c Code
	d, err := a.deps.Documents.Document(ctx, kindCode, hash)
	if errors.Is(err, store.ErrNotFound) {
		return c, 0, refuse(BadCode, "codes are made with: asepsis ca code", "there is no such enrolment code")
	}
	if err != nil {
		return c, 0, fmt.Errorf("read the code: %w", err)
	}
	if err := json.Unmarshal(d.Body, &c); err != nil {
		return c, 0, fmt.Errorf("read the code: %w", err)
	}
	return c, d.Revision, nil
}

// Codes lists codes, made and not yet removed, by their hash.
func (a *Authority) Codes(ctx context.Context) ([]Code, error) {
	var out []Code
	for after := ""; ; {
		docs, err := a.deps.Documents.DocumentsOf(ctx, kindCode, after, 500)
		if err != nil {
			return nil, fmt.Errorf("list codes: %w", err)
		}
		for _, d := range docs {
			var c Code
			if err := json.Unmarshal(d.Body, &c); err != nil {
				return nil, fmt.Errorf("list codes: %w", err)
			}
			out, after = append(out, c), d.ID
		}
		if len(docs) < 500 {
			return out, nil
		}
	}
}

// WithdrawCode makes a code that was not used useless.
func (a *Authority) WithdrawCode(ctx context.Context, hash string, by Actor) error {
	c, revision, err := a.code(ctx, hash)
	if err != nil {
		return err
	}
	if !c.Used.IsZero() {
		return refuse(UsedCode, "revoke the certificate "+c.Serial+" instead", "the code was used on %s", c.Used.Format(time.RFC3339))
	}
	about := Certificate{Device: c.Device, Profile: c.Profile, SPIFFE: a.owner(&c)}
	st, err := a.codeStatement("code-withdrawn", hash, &about, by)
	if err != nil {
		return err
	}
	if err := a.deps.Documents.Commit(ctx, []store.Write{{Kind: kindCode, ID: hash, Expect: revision, Delete: true}, st.write}, a.audit("identity.code.withdraw", &about, by)); err != nil {
		return fmt.Errorf("withdraw the code: %w", err)
	}
	a.record(ctx, st)
	return nil
}

// Enroll issues the certificate that a code is for. The code is spent in the same
// write as the certificate is kept: it is used once, whatever fails. A device
// that asks again with the same key, because the answer was lost, gets the same
// certificate again for as long as the code would have been valid.
func (a *Authority) Enroll(ctx context.Context, ticket Ticket, csr *x509.CertificateRequest, via string) (*Issued, error) {
	hash := ticket.hash
	for range casTries {
		c, revision, err := a.code(ctx, hash)
		if err != nil {
			return nil, err
		}
		key := sha256.Sum256(csr.RawSubjectPublicKeyInfo)
		now := a.deps.Now()
		switch {
		case !c.Used.IsZero() && c.Key == hex.EncodeToString(key[:]) && now.Before(c.Expires):
			return a.Reissued(ctx, c.Serial)
		case !c.Used.IsZero():
			return nil, refuse(UsedCode, "make a new one: asepsis ca code; if it was not you, revoke the certificate "+c.Serial, "the enrolment code was used on %s", c.Used.Format(time.RFC3339))
		case !now.Before(c.Expires):
			return nil, refuse(ExpiredCode, "make a new one: asepsis ca code", "the enrolment code ended on %s", c.Expires.Format(time.RFC3339))
		}
		r := Request{Profile: c.Profile, Device: c.Device, Service: c.Service, Public: csr.PublicKey, DNS: c.DNS, MUD: c.MUD, LongLife: c.LongLife != "", LongLifeReason: c.LongLife, Via: via, By: Actor{Device: c.Device}, used: hash}
		for _, s := range c.IPs {
			ip, err := netip.ParseAddr(s)
			if err != nil {
				return nil, fmt.Errorf("read the code: %w", err)
			}
			r.Addresses = append(r.Addresses, ip)
		}
		if err := WithinCSR(csr, &r); err != nil {
			return nil, err
		}
		out, err := a.issueFor(ctx, r, func(serial string) ([]store.Write, error) {
			spent := c
			spent.Used, spent.Serial, spent.Key = now.UTC().Truncate(time.Second), serial, hex.EncodeToString(key[:])
			body, err := json.Marshal(spent)
			return []store.Write{{Kind: kindCode, ID: hash, Expect: revision, Body: body}}, err
		})
		if !errors.Is(err, store.ErrConflict) {
			return out, err
		}
	}
	return nil, fmt.Errorf("enrol: %w", store.ErrConflict)
}

// Reissued gives a certificate again that was issued before.
func (a *Authority) Reissued(ctx context.Context, serial string) (*Issued, error) {
	k, err := a.get(ctx, serial)
	if err != nil {
		return nil, err
	}
	if k.Status == Revoked {
		return nil, refuse(NotAllowed, "", "the certificate %s was revoked", serial)
	}
	i := a.issuer(k.Issuer)
	certs, err := ParsePEM([]byte(k.PEM))
	if err != nil || i == nil {
		return nil, fmt.Errorf("certificate %s: cannot be read: %w", serial, err)
	}
	return &Issued{Certificate: k.Certificate, Leaf: certs[0], Chain: []*x509.Certificate{i.cert}}, nil
}

// WithinCSR refuses a CSR that asks for names which its device does not get. They
// are not left out in silence: who typed them should know.
func WithinCSR(csr *x509.CertificateRequest, r *Request) error {
	for _, n := range csr.DNSNames {
		if !slices.Contains(r.DNS, n) {
			return refuse(BadRequest, "the code says which names: asepsis ca code --dns", "the request names %q, which the device does not get", n)
		}
	}
	for _, ip := range csr.IPAddresses {
		a, _ := netip.AddrFromSlice(ip)
		if !slices.Contains(r.Addresses, a.Unmap()) {
			return refuse(BadRequest, "the code says which addresses: asepsis ca code --ip", "the request names %s, which the device does not get", a)
		}
	}
	if len(csr.EmailAddresses) > 0 {
		return refuse(BadRequest, "", "the request names a mail address, which no device gets")
	}
	return nil
}
