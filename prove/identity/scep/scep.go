// SPDX-License-Identifier: Apache-2.0

// Package scep is the Simple Certificate Enrolment Protocol (RFC 8894), for
// devices that know nothing newer. It is off unless the configuration says
// otherwise: where a device can speak EST, it should.
//
// GetCACaps, GetCACert and PKIOperation with PKCSReq and RenewalReq are answered.
// The challenge password is an enrolment code, once; a renewal is signed with the
// certificate that is renewed. Answers are at once or never: there is no CertPoll.
// GetCRL and GetCert are not answered, CRLs are fetched over HTTP.
//
// Devices encrypt to an agent of the authority, with an RSA key that lives in
// memory for three days. Whatever is wrong with a message, the answer is
// the same, so that nobody learns from it what was decrypted.
package scep

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/smallstep/pkcs7"
	"github.com/smallstep/scep"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/throttle"
)

// MaxMessage bounds a message.
const MaxMessage = 64 << 10

// capabilities are RFC 8894 §3.5.2's. DES, MD5 and SHA-1 are not among them.
const capabilities = "AES\nPOSTPKIOperation\nRenewal\nSHA-256\nSCEPStandard\n"

// agentRenew is when an agent is made anew: half of its life.
const agentRenew = 36 * time.Hour

// Deps is what a server needs from outside.
type Deps struct {
	Authority *identity.Authority
	Log       *slog.Logger
	Now       func() time.Time
}

// Server answers SCEP.
type Server struct {
	d     Deps
	limit *throttle.Limiter

	mu   sync.Mutex
	cert *x509.Certificate
	key  *rsa.PrivateKey
	made time.Time
	old  *x509.Certificate // before the last change: messages to it may be under way
	last *rsa.PrivateKey
}

// New makes a server. It sets the algorithms of the PKCS #7 library for the whole
// process: AES-256-CBC and SHA-256 instead of DES and SHA-1. Nothing else here
// encrypts or signs with that.
func New(d Deps) (*Server, error) {
	if d.Authority == nil {
		return nil, errors.New("SCEP: an authority is needed")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	pkcs7.ContentEncryptionAlgorithm = pkcs7.EncryptionAlgorithmAES256CBC
	if err := pkcs7.SetDefaultDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256); err != nil {
		return nil, err
	}
	return &Server{d: d, limit: throttle.New(d.Now, 12*time.Second, 8, 300*time.Millisecond, 200)}, nil
}

// agent returns the certificate and key that devices encrypt to now.
func (s *Server) agent() (*x509.Certificate, *rsa.PrivateKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cert != nil && s.d.Now().Sub(s.made) < agentRenew {
		return s.cert, s.key, nil
	}
	cert, key, err := s.d.Authority.SCEPAgent()
	if err != nil {
		return nil, nil, err
	}
	s.old, s.last = s.cert, s.key
	s.cert, s.key, s.made = cert, key, s.d.Now()
	return cert, key, nil
}

// ServeHTTP answers at one address: ?operation=...
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch op := q.Get("operation"); {
	case op == "GetCACaps" && r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, capabilities)
	case op == "GetCACert" && r.Method == http.MethodGet:
		s.getCACert(w)
	case op == "PKIOperation":
		var msg []byte
		var err error
		if r.Method == http.MethodPost {
			msg, err = io.ReadAll(http.MaxBytesReader(w, r.Body, MaxMessage))
		} else if text := q.Get("message"); len(text) <= 2*MaxMessage {
			msg, err = base64.StdEncoding.DecodeString(text)
		}
		if err != nil || len(msg) == 0 {
			http.Error(w, "no message, or one that is too large", http.StatusBadRequest)
			return
		}
		s.operate(w, r, msg)
	default:
		http.Error(w, "no such operation", http.StatusBadRequest)
	}
}

// getCACert gives the agent, the issuing authorities and the root (RFC 8894 §4.2.1.2).
func (s *Server) getCACert(w http.ResponseWriter) {
	cert, _, err := s.agent()
	var der []byte
	if err == nil {
		der, err = scep.DegenerateCertificates(append(append([]*x509.Certificate{cert}, s.d.Authority.Issuing()...), s.d.Authority.Root()))
	}
	if err != nil {
		s.d.Log.Error("SCEP", "why", err)
		http.Error(w, "the authority cannot answer now", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/x-x509-ca-ra-cert")
	_, _ = w.Write(der)
}

func (s *Server) operate(w http.ResponseWriter, r *http.Request, raw []byte) {
	who, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		who = r.RemoteAddr
	}
	if _, ok := s.limit.Allowed(who); !ok {
		http.Error(w, "too many attempts", http.StatusTooManyRequests)
		return
	}
	msg, cert, key, err := s.open(raw)
	if err != nil {
		s.limit.Failed(who)
		s.d.Log.Warn("SCEP message refused", "from", who, "why", err)
		http.Error(w, "no SCEP message for this authority", http.StatusBadRequest)
		return
	}
	var answer *scep.PKIMessage
	out, err := s.enrol(r.Context(), raw, msg)
	if err != nil {
		s.limit.Failed(who)
		s.d.Log.Warn("SCEP request refused", "from", who, "transaction", string(msg.TransactionID), "why", err)
		answer, err = msg.Fail(cert, key, scep.BadRequest)
	} else {
		s.d.Log.Info("certificate issued over SCEP", "device", out.Device, "serial", out.Serial, "from", who)
		answer, err = msg.Success(cert, key, out.Leaf)
	}
	if err != nil {
		s.d.Log.Error("SCEP answer", "why", err)
		http.Error(w, "the authority cannot answer now", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/x-pki-message")
	_, _ = w.Write(answer.Raw)
}

// open checks a message's signature and decrypts it, with this agent or the one
// before.
func (s *Server) open(raw []byte) (*scep.PKIMessage, *x509.Certificate, *rsa.PrivateKey, error) {
	cert, key, err := s.agent()
	if err != nil {
		return nil, nil, nil, err
	}
	s.mu.Lock()
	old, last := s.old, s.last
	s.mu.Unlock()
	msg, err := scep.ParsePKIMessage(raw)
	if err != nil {
		return nil, nil, nil, err
	}
	if t := msg.MessageType; t != scep.PKCSReq && t != scep.RenewalReq {
		return nil, nil, nil, errors.New("a message of type " + string(t))
	}
	if err = msg.DecryptPKIEnvelope(cert, key); err != nil && old != nil {
		cert, key = old, last
		err = msg.DecryptPKIEnvelope(cert, key)
	}
	return msg, cert, key, err
}

func (s *Server) enrol(ctx context.Context, raw []byte, msg *scep.PKIMessage) (*identity.Issued, error) {
	csr, err := identity.ParseCSR(msg.RawDecrypted)
	if err != nil {
		return nil, err
	}
	if msg.MessageType == scep.RenewalReq {
		// §2.3: it is signed with the certificate that is renewed; the signature was
		// checked when the message was read.
		p, err := pkcs7.Parse(raw)
		if err != nil {
			return nil, err
		}
		signer := p.GetOnlySigner()
		if signer == nil {
			return nil, errors.New("a renewal without its signer's certificate")
		}
		return s.d.Authority.Renew(ctx, signer, csr, "scep")
	}
	if msg.ChallengePassword == "" {
		return nil, errors.New("no enrolment code as challenge password")
	}
	return s.d.Authority.Enroll(ctx, identity.CodeTicket(msg.ChallengePassword), csr, "scep")
}
