// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// Problem is what went wrong with a peer: a code that stays the same, and words for people.
// It is an error, so that it can be the reason of a refusal.
type Problem struct {
	Code string
	What string
	Tip  string
	// Identity: the peer is not who it should be, or asked for what is not its own. Of these a finding is made.
	Identity bool
	reject   ul.Reject // with which an association is refused
}

// Error implements error.
func (p *Problem) Error() string { return p.What }

// Hint says what to do.
func (p *Problem) Hint() string { return p.Tip }

// The codes of problems, as docs/gateway.md explains them.
const (
	TLSOnPlain       = "tls-on-plain"
	PlainOnTLS       = "plain-on-tls"
	HTTPOnDICOM      = "http-on-dicom"
	NotDICOM         = "not-dicom"
	NotTLS           = "not-tls"
	NoCertificate    = "no-certificate"
	Untrusted        = "certificate-untrusted"
	Expired          = "certificate-expired"
	NotYetValid      = "certificate-not-yet-valid"
	Revoked          = "certificate-revoked"
	NoIdentity       = "certificate-without-identity"
	WrongProfile     = "certificate-profile"
	CannotJudge      = "revocation-unknown"
	GatewayDistrust  = "gateway-not-trusted"
	TLSFailed        = "tls-failed"
	UnboundDevice    = "device-not-bound"
	UnknownPlain     = "plain-device-not-listed"
	WrongAddress     = "address-not-allowed"
	UnknownCalling   = "calling-ae-not-bound"
	UnknownCalled    = "called-ae-unknown"
	UnboundCalled    = "called-ae-not-bound"
	NothingAllowed   = "nothing-allowed"
	TooMany          = "too-many-associations"
	OperationRefused = "operation-not-allowed"
	ClassRefused     = "sop-class-not-bound"
	ClassMismatch    = "sop-class-mismatch"
	ArchiveAway      = "archive-unreachable"
	ArchiveRefused   = "archive-refused"
	QueryRefused     = "query-refused"
	MoveRefused      = "move-destination-not-allowed"
	Aborted          = "aborted"
	TimedOut         = "timeout"
	BrokenProtocol   = "protocol-violation"
	ConnectionLost   = "connection-lost"
	CutOff           = "cut-by-revocation"
	Stopping         = "gateway-stopping"
	Panicked         = "gateway-fault"
)

// of the peer's certificate, by what trust says.
func denied(d *trust.Denied) *Problem {
	p := &Problem{What: d.Error(), Tip: d.Hint(), Identity: true}
	switch d.Why {
	case trust.NoCertificate:
		p.Code, p.Tip = NoCertificate, "the device must show a certificate of this site: asepsis enroll, or asepsis ca issue"
	case trust.NotYetValid:
		p.Code = NotYetValid
	case trust.Ended:
		p.Code = Expired
	case trust.IsRevoked:
		p.Code = Revoked
	case trust.Unnamed:
		p.Code, p.Tip = NoIdentity, "its certificate was made elsewhere, or for something that is no device: enrol the device"
	case trust.WrongProfile:
		p.Code, p.Tip = WrongProfile, "the listener's profiles say what may come; most modalities are dicom-node"
	case trust.NoCRL, trust.StaleCRL:
		p.Code, p.Identity = CannotJudge, false
	default:
		p.Code, p.Tip = Untrusted, "its certificate must be of this site's authority; the CA file of the device may be that of another"
	}
	return p
}

// outOfTime is of a certificate whose time it is not. Its name was not proved, so its number stands for it.
func outOfTime(c *x509.Certificate, now time.Time) *Problem {
	if now.Before(c.NotBefore) {
		return &Problem{Code: NotYetValid, What: fmt.Sprintf("the peer's certificate %x is valid from %s on", c.SerialNumber, c.NotBefore.UTC().Format(time.RFC3339)), Tip: "compare the clocks of the gateway, the device and the authority", Identity: true}
	}
	return &Problem{Code: Expired, What: fmt.Sprintf("the peer's certificate %x ended at %s", c.SerialNumber, c.NotAfter.UTC().Format(time.RFC3339)), Tip: "renew it: asepsis ca list says whose it is; where it is not that old, compare clocks", Identity: true}
}

// classify says what ended a connection, nil when nothing went wrong. secure says whether the listener speaks TLS.
func classify(err error, secure bool, now time.Time) *Problem {
	var (
		own      *Problem
		no       *trust.Denied
		rejected *dicomnet.RejectedError
		aborted  *dicomnet.AbortedError
		protocol *dicomnet.ProtocolError
		fault    *dicomnet.PanicError
		invalid  x509.CertificateInvalidError
		header   tls.RecordHeaderError
		unknown  *tls.CertificateVerificationError
		alert    tls.AlertError
	)
	hint := hintOf(err)
	switch {
	case err == nil || errors.Is(err, dicomnet.ErrReleased):
		return nil
	case errors.As(err, &own):
		return own
	case errors.As(err, &no):
		return denied(no)
	case errors.As(err, &unknown) && errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return outOfTime(invalid.Cert, now)
	case errors.As(err, &unknown):
		return &Problem{Code: Untrusted, What: err.Error(), Tip: "its certificate must be of this site's authority", Identity: true}
	case errors.As(err, &fault):
		return &Problem{Code: Panicked, What: err.Error(), Tip: "report it; only this association was ended"}
	case errors.Is(err, dicomnet.ErrShutdown):
		return &Problem{Code: Stopping, What: "the gateway is being stopped", Tip: "the device tries again by itself, or somebody sends again"}
	case errors.As(err, &rejected):
		if rejected.Reject == dicomnet.RejectLimit {
			return &Problem{Code: TooMany, What: rejected.Error(), Tip: "raise gateway.associations, or see who holds them open"}
		}
		return &Problem{Code: BrokenProtocol, What: rejected.Error(), Tip: rejected.Hint()}
	case errors.As(err, &aborted):
		return &Problem{Code: Aborted, What: err.Error(), Tip: "the device's own log says why it gave up"}
	case errors.Is(err, ul.ErrTLS):
		return &Problem{Code: TLSOnPlain, What: err.Error(), Tip: hint}
	case errors.Is(err, ul.ErrHTTP):
		return &Problem{Code: HTTPOnDICOM, What: err.Error(), Tip: hint}
	case errors.As(err, &header):
		return tlsHeader(header, err, hint)
	case secure && strings.Contains(err.Error(), "didn't provide a certificate"):
		return denied(&trust.Denied{Why: trust.NoCertificate, Text: "it has no certificate"})
	case secure && strings.HasPrefix(err.Error(), "TLS handshake") && strings.HasSuffix(err.Error(), "bad record MAC"):
		// With TLS 1.3 OpenSSL says in clear that it does not take a certificate, when crypto/tls takes everything for encrypted.
		return &Problem{Code: GatewayDistrust, What: "the peer broke off the handshake when it had seen the gateway's certificate", Tip: "the device does not take the gateway's certificate: give it the site's root (asepsis ca show --pem)"}
	case errors.As(err, &alert), secure && strings.Contains(err.Error(), "remote error"):
		return &Problem{Code: GatewayDistrust, What: err.Error(), Tip: "the device does not take the gateway's certificate, or no version of TLS is common: give it the site's root (asepsis ca show --pem)"}
	case errors.Is(err, ul.ErrType):
		return &Problem{Code: NotDICOM, What: err.Error(), Tip: hint}
	case errors.Is(err, dicomnet.ErrTimeout):
		return &Problem{Code: TimedOut, What: err.Error(), Tip: "a cable, a firewall on the way, or the device: what was not acknowledged is sent again by it"}
	case errors.As(err, &protocol) && errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &Problem{Code: ConnectionLost, What: err.Error(), Tip: "what was not acknowledged is sent again by the device"}
	case errors.As(err, &protocol):
		return &Problem{Code: BrokenProtocol, What: err.Error(), Tip: cmp.Or(hint, "the device breaks PS3.8 or PS3.7: its manufacturer must see to it; a capture of the connection shows what it sent")}
	case secure && strings.HasPrefix(err.Error(), "TLS"):
		return &Problem{Code: TLSFailed, What: err.Error(), Tip: "versions and cipher suites must have one in common: TLS 1.2 with ECDHE and AES-GCM, or TLS 1.3"}
	}
	return &Problem{Code: ConnectionLost, What: err.Error(), Tip: hint}
}

// tlsHeader says what bytes are that are no TLS record.
func tlsHeader(h tls.RecordHeaderError, err error, hint string) *Problem {
	b := h.RecordHeader
	switch {
	case b[0] >= 1 && b[0] <= 7 && b[1] == 0:
		return &Problem{Code: PlainOnTLS, What: err.Error(), Tip: hint}
	case strings.Contains(err.Error(), "HTTP"):
		return &Problem{Code: HTTPOnDICOM, What: err.Error(), Tip: hint}
	}
	return &Problem{Code: NotTLS, What: err.Error(), Tip: hint}
}

// hintOf returns the advice of an error, "" when it has none.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// refuse makes the refusal of an association.
func refuse(code string, r ul.Reject, hint, format string, args ...any) *Problem {
	return &Problem{Code: code, What: fmt.Sprintf(format, args...), Tip: hint, Identity: true, reject: r}
}
