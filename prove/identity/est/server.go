// SPDX-License-Identifier: Apache-2.0

package est

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/throttle"
)

// Manufacturer is somebody whose certificates are taken as a first credential.
type Manufacturer struct {
	Name  string // as in identity.Authority.Expect
	Roots *x509.CertPool
	// Middle are issuing authorities that devices do not send.
	Middle *x509.CertPool
}

// Deps is what a server needs from outside.
type Deps struct {
	Authority     *identity.Authority
	Certificate   func() (*tls.Certificate, error) // of the server
	Manufacturers []Manufacturer
	Log           *slog.Logger
	Now           func() time.Time
}

// Server answers EST.
type Server struct {
	d     Deps
	limit *throttle.Limiter
	renew *throttle.Limiter
}

// New makes a server.
func New(d Deps) (*Server, error) {
	if d.Authority == nil || d.Certificate == nil {
		return nil, errors.New("EST: an authority and a certificate are needed")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Server{
		d: d,
		// Eight typing errors, then one in twelve seconds; two hundred a minute for
		// everybody together.
		limit: throttle.New(d.Now, 12*time.Second, 8, 300*time.Millisecond, 200),
		renew: throttle.New(d.Now, 5*time.Minute, 10, time.Millisecond, 10_000),
	}, nil
}

// TLS is the configuration of its listener. Client certificates are asked for and
// not demanded: the operation decides. Sessions are not resumed.
func (s *Server) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert, SessionTicketsDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.d.Certificate() },
	}
}

// Handler serves the operations. It must be reached over TLS.
func (s *Server) Handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET "+Root+"cacerts", s.cacerts)
	m.HandleFunc("GET "+Root+"csrattrs", s.csrattrs)
	m.HandleFunc("POST "+Root+"simpleenroll", s.enroll)
	m.HandleFunc("POST "+Root+"simplereenroll", s.reenroll)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil { // RFC 7030 §3.2.1
			http.Error(w, "EST is spoken over TLS", http.StatusForbidden)
			return
		}
		m.ServeHTTP(w, r)
	})
}

func send(w http.ResponseWriter, kind string, der []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Transfer-Encoding", "base64") // RFC 8951 §3.1 needs it no more, older clients do
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(encode(der))
}

func (s *Server) cacerts(w http.ResponseWriter, _ *http.Request) {
	a := s.d.Authority
	der, err := certsOnly(append([]*x509.Certificate{a.Root()}, a.Issuing()...)...)
	if err != nil {
		s.fail(w, nil, err)
		return
	}
	send(w, "application/pkcs7-mime; smime-type=certs-only", der)
}

func (s *Server) csrattrs(w http.ResponseWriter, _ *http.Request) {
	der, err := csrAttributes(s.d.Authority.Site().Curve)
	if err != nil {
		s.fail(w, nil, err)
		return
	}
	send(w, "application/csrattrs", der)
}

func (s *Server) enroll(w http.ResponseWriter, r *http.Request) {
	csr, err := s.csr(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var out *identity.Issued
	_, code, basic := r.BasicAuth()
	switch {
	case basic && code != "":
		who := address(r)
		if wait, ok := s.limit.Allowed(who); !ok {
			tooMany(w, wait)
			return
		}
		out, err = s.d.Authority.Enroll(r.Context(), identity.CodeTicket(code), csr, "est-code")
		if k := identity.KindOf(err); k == identity.BadCode || k == identity.UsedCode || k == identity.ExpiredCode {
			s.limit.Failed(who)
		}
	case len(r.TLS.PeerCertificates) > 0:
		out, err = s.byCertificate(r.Context(), r.TLS.PeerCertificates, csr)
	default:
		w.Header().Set("WWW-Authenticate", `Basic realm="enrolment code", charset="UTF-8"`)
		http.Error(w, "a first certificate needs an enrolment code as the password, or the manufacturer's certificate", http.StatusUnauthorized)
		return
	}
	s.answer(w, r, out, err)
}

// byCertificate enrols who shows a certificate: one of ours, or one of a
// manufacturer whose device is expected.
func (s *Server) byCertificate(ctx context.Context, chain []*x509.Certificate, csr *x509.CertificateRequest) (*identity.Issued, error) {
	for _, c := range s.d.Authority.Issuing() {
		if chain[0].CheckSignatureFrom(c) == nil {
			return s.renewed(ctx, chain[0], csr)
		}
	}
	for _, m := range s.d.Manufacturers {
		middle := x509.NewCertPool()
		if m.Middle != nil {
			middle = m.Middle.Clone()
		}
		for _, c := range chain[1:] {
			middle.AddCert(c)
		}
		if _, err := chain[0].Verify(x509.VerifyOptions{Roots: m.Roots, Intermediates: middle, CurrentTime: s.d.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
			continue
		}
		number := chain[0].Subject.SerialNumber // IEEE 802.1AR §8.6: the device's serial number
		if number == "" {
			return nil, &identity.Refusal{Kind: identity.NotAllowed, Text: "the manufacturer's certificate has no serialNumber in its subject"}
		}
		out, err := s.d.Authority.Enroll(ctx, identity.ManufacturerTicket(m.Name, number), csr, "manufacturer")
		if identity.KindOf(err) == identity.BadCode {
			return nil, &identity.Refusal{Kind: identity.NotAllowed, Text: fmt.Sprintf("the device %s of %s is not expected here", number, m.Name), Help: "asepsis ca expect lets it in", Err: err}
		}
		return out, err
	}
	return nil, &identity.Refusal{Kind: identity.NotAllowed, Text: "the certificate is of nobody whose devices are let in here"}
}

func (s *Server) reenroll(w http.ResponseWriter, r *http.Request) {
	if len(r.TLS.PeerCertificates) == 0 {
		http.Error(w, "a renewal needs the certificate that is renewed", http.StatusUnauthorized)
		return
	}
	csr, err := s.csr(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out, err := s.renewed(r.Context(), r.TLS.PeerCertificates[0], csr)
	s.answer(w, r, out, err)
}

// limitedError says how long to wait.
type limitedError struct{ wait time.Duration }

func (l *limitedError) Error() string { return "too many renewals" }

func (s *Server) renewed(ctx context.Context, shown *x509.Certificate, csr *x509.CertificateRequest) (*identity.Issued, error) {
	who := shown.Subject.CommonName
	if wait, ok := s.renew.Allowed(who); !ok {
		return nil, &limitedError{wait}
	}
	out, err := s.d.Authority.Renew(ctx, shown, csr, "est-renewal")
	if err == nil {
		s.renew.Failed(who) // each counts
	}
	return out, err
}

// csr reads the request's body.
func (s *Server) csr(w http.ResponseWriter, r *http.Request) (*x509.CertificateRequest, error) {
	bad := func(format string, args ...any) error {
		return &identity.Refusal{Kind: identity.BadRequest, Text: fmt.Sprintf(format, args...)}
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/pkcs10" {
		return nil, bad("Content-Type is %q, want application/pkcs10", r.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxRequest))
	if err != nil {
		return nil, bad("the request is larger than %d bytes or was cut off", MaxRequest)
	}
	der, err := decode(body)
	if err != nil {
		return nil, bad("%v", err)
	}
	return identity.ParseCSR(der)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, out *identity.Issued, err error) {
	if err != nil {
		s.fail(w, r, err)
		return
	}
	der, err := certsOnly(out.Leaf) // RFC 7030 §4.2.3: the certificate alone
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.d.Log.Info("certificate issued over EST", "device", out.Device, "serial", out.Serial, "via", out.Via, "from", address(r))
	send(w, "application/pkcs7-mime; smime-type=certs-only", der)
}

// fail answers in words for a person (RFC 7030 §4.2.3).
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var limited *limitedError
	if errors.As(err, &limited) {
		tooMany(w, limited.wait)
		return
	}
	status := http.StatusInternalServerError
	text := "the authority cannot answer now"
	var refusal *identity.Refusal
	if errors.As(err, &refusal) {
		text = refusal.Text
		if refusal.Help != "" {
			text += "\n" + refusal.Help
		}
		switch refusal.Kind {
		case identity.BadCode, identity.UsedCode, identity.ExpiredCode:
			status = http.StatusUnauthorized
			w.Header().Set("WWW-Authenticate", `Basic realm="enrolment code", charset="UTF-8"`)
		case identity.NotAllowed, identity.NotFound:
			status = http.StatusForbidden
		case identity.Unavailable:
			status = http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "60")
		default:
			status = http.StatusBadRequest
		}
	}
	from := ""
	if r != nil {
		from = address(r)
	}
	s.d.Log.Warn("EST request refused", "from", from, "status", status, "why", err)
	http.Error(w, text, status)
}

func tooMany(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(wait.Seconds()+0.5))))
	http.Error(w, "too many attempts; wait "+wait.Round(time.Second).String(), http.StatusTooManyRequests)
}

func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
