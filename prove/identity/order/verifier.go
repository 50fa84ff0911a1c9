// SPDX-License-Identifier: Apache-2.0

package order

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// Console is the name of the service that the console is, unless somebody says otherwise.
const Console = "console"

// Checker decides over a certificate; *trust.Trust is one.
type Checker interface {
	Check(chain []*x509.Certificate, profiles ...identity.Profile) (trust.Peer, error)
}

// Rules say whose orders a receiver takes.
type Rules struct {
	To, Site string
	// Services are the names of those that may give orders, as their certificates have them:
	// "console" is also "console-east".
	Services []string
	// Skew is how far an order's time may be from the receiver's, either way.
	Skew time.Duration
}

// Bounds of Rules.Skew.
const (
	MinSkew = time.Second
	MaxSkew = 15 * time.Minute
)

// Verified is an order that counts.
type Verified struct {
	Order
	Service     string // that gave it
	Serial      string // of its certificate
	Certificate string // SHA-256 of that, hexadecimal
	Digest      string // of the order
}

// Verifier takes orders. Its methods may be called concurrently.
type Verifier struct {
	rules  Rules
	check  Checker
	memory *Memory
	now    func() time.Time
}

// NewVerifier makes one. The memory is its alone.
func NewVerifier(r Rules, c Checker, m *Memory, now func() time.Time) *Verifier {
	if now == nil {
		now = time.Now
	}
	r.Services = slices.Clone(r.Services)
	return &Verifier{r, c, m, now}
}

// Verify says whether an order counts for a request with these arguments. With once it
// counts this one time; that it came is on the disk when Verify returns. What only reads
// may do without. Errors are *Refusal.
func (v *Verifier) Verify(s *Signed, method string, body []byte, once bool) (Verified, error) {
	o, chain, err := open[Order](s, orderType)
	if err != nil {
		return Verified{}, err
	}
	nonce, err := hex.DecodeString(o.Nonce)
	switch {
	case err != nil || len(nonce) != nonceSize || strings.ToLower(o.Nonce) != o.Nonce:
		return Verified{}, refuse(Malformed, sameVersion, "it has no nonce")
	case o.To != v.rules.To:
		return Verified{}, refuse(Elsewhere, "", "it is to %.64q, not to %s", o.To, v.rules.To)
	case o.Site != v.rules.Site:
		return Verified{}, refuse(Elsewhere, "bus.name is the site's name, the same in all its processes", "it is of the site %.64q, not of %s", o.Site, v.rules.Site)
	case o.Method != method, o.Body != digest(body):
		return Verified{}, refuse(Altered, "", "it is about another request than the one that it came with")
	}
	now := v.now()
	if err := v.fresh(&o, now); err != nil {
		return Verified{}, err
	}
	peer, err := v.check.Check(chain, identity.Infrastructure)
	if err != nil {
		var d *trust.Denied
		if once && errors.As(err, &d) && (d.Why == trust.NoCRL || d.Why == trust.StaleCRL) {
			// Only for now is it not taken: kept by somebody, it must not count in a minute, when
			// the one who gave it was told that it does not.
			_ = v.memory.Once([nonceSize]byte(nonce), o.At, now, v.rules.Skew)
		}
		return Verified{}, untrusted(err)
	}
	if !v.rules.let(peer.Service) {
		return Verified{}, refuse(Unknown, "name the service in gateway.orders_from, or enrol the console as one that is there", "%s may not give orders here", peer.Name())
	}
	if once {
		if err := v.memory.Once([nonceSize]byte(nonce), o.At, now, v.rules.Skew); err != nil {
			return Verified{}, err
		}
	}
	return Verified{Order: o, Service: peer.Service, Serial: peer.Serial, Certificate: peer.SHA256, Digest: s.Digest()}, nil
}

// let reports whether a service may give orders.
func (r *Rules) let(service string) bool {
	return service != "" && slices.ContainsFunc(r.Services, func(s string) bool { return service == s || strings.HasPrefix(service, s+"-") })
}

// fresh says whether an order's time is near enough.
func (v *Verifier) fresh(o *Order, now time.Time) error {
	const clocks = "compare the clocks of both machines"
	switch off := now.Sub(o.At); {
	case off > v.rules.Skew:
		return refuse(Stale, clocks, "it was given %s ago by the clock here, which is longer than %s", off.Round(time.Second), v.rules.Skew)
	case -off > v.rules.Skew:
		return refuse(Stale, clocks, "it was given %s in the future by the clock here, which is longer than %s", (-off).Round(time.Second), v.rules.Skew)
	}
	return nil
}

// untrusted is a refusal of a certificate.
func untrusted(err error) *Refusal {
	r := &Refusal{Why: Untrusted, Text: err.Error(), Err: err}
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		r.Help = hint.Hint()
	}
	var d *trust.Denied
	if errors.As(err, &d) {
		switch d.Why {
		case trust.WrongProfile:
			r.Help = "asepsis ca code --profile infrastructure --service NAME makes a code for one that may"
		case trust.Untrusted:
			r.Help = "both sides need certificates of the same site: compare their ca_file"
		}
	}
	return r
}

// VerifyAnswer says whether an answer is of the device or service of that name, to this order
// with a request of this method and with these arguments. From and Site are those that are
// wanted. Errors are *Refusal.
func VerifyAnswer(c Checker, s *Signed, want Answer, to *Signed, method string, asked, body []byte, name string) error {
	a, chain, err := open[Answer](s, answerType)
	if err != nil {
		return err
	}
	if a != want.about(to, method, asked, body) {
		return refuse(Altered, "where bus.name is the same on both sides, somebody on the bus answers in its place", "it is none to what was asked")
	}
	peer, err := c.Check(chain, identity.DICOMNode, identity.Infrastructure)
	if err != nil {
		return untrusted(err)
	}
	if peer.Device != name && peer.Service != name {
		return refuse(Unknown, "enrol the gateway under its own name, or say in console.gateways under which it is enrolled", "it is signed by %s, not by %s", peer.Name(), name)
	}
	return nil
}
