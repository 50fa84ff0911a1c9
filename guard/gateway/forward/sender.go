// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// Item is an instance on its way to a destination.
type Item struct {
	Number                                uint64
	SOPClass, SOPInstance, TransferSyntax string
	CallingAE                             string // of who brought it
	Urgent                                bool
	Size                                  int64
	// Data is the data set. It ends with an error instead of io.EOF when it is not what it should be.
	Data io.Reader
	// Others are what waits besides, by SOP class and transfer syntax.
	Others []Kind
}

// Kind is what a presentation context is proposed for.
type Kind struct{ SOPClass, TransferSyntax string }

// Answer is what a destination said when it took an instance.
type Answer struct {
	Status      dimse.Status // success, or a warning
	TLS         string       // "TLSv1.3"; "" in clear
	Certificate string       // SHA-256 of the peer's, hexadecimal
}

// Sender sends instances to one destination, one after the other. It belongs to one goroutine.
type Sender interface {
	// Send returns when the destination has answered. An error that is a *failure says what it
	// means; any other counts as an interruption.
	Send(ctx context.Context, i *Item) (Answer, error)
	Close() error
}

// opener makes senders by the destination's kind.
func (f *Forwarder) opener(d *destination) (func() (Sender, error), error) {
	c := d.cfg
	if f.d.Open != nil {
		return func() (Sender, error) { return f.d.Open(c) }, nil
	}
	sec, err := f.security(c)
	if err != nil {
		return nil, err
	}
	// Files are read again for every sender: certificates are renewed while the gateway runs.
	current := func() (*security, error) {
		if c.TLS == TLSFile {
			return f.security(c)
		}
		return sec, nil
	}
	if c.Kind == KindSTOW {
		return stowOpener(c, current)
	}
	d.commit.dialer = func() (*dicomnet.Dialer, error) {
		sec, err := current()
		if err != nil {
			return nil, err
		}
		return sec.dialer(c), nil
	}
	return func() (Sender, error) {
		sec, err := current()
		if err != nil {
			return nil, err
		}
		return &dimseSender{c: c, sec: sec}, nil
	}, nil
}

// security is how a destination is known.
type security struct {
	client *trust.Client // site
	config *tls.Config   // file
}

func (f *Forwarder) security(c Destination) (*security, error) {
	switch c.TLS {
	case TLSSite:
		if f.d.Trust == nil {
			return nil, errors.New("tls: site needs the gateway's own certificate")
		}
		client, err := f.d.Trust.Client(trust.ClientOptions{Device: c.Device})
		return &security{client: client}, err
	case TLSFile:
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate", c.CAFile)
		}
		config := &tls.Config{RootCAs: pool, ServerName: c.ServerName, MinVersion: tls.VersionTLS12}
		if c.CertFile != "" {
			cert, err := os.ReadFile(c.CertFile)
			if err != nil {
				return nil, err
			}
			key, err := c.KeyFile.Read()
			if err != nil {
				return nil, err
			}
			pair, err := tls.X509KeyPair(cert, key)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.CertFile, err)
			}
			config.Certificates = []tls.Certificate{pair}
		}
		return &security{config: config}, nil
	}
	return &security{}, nil
}

func (s *security) dialer(c Destination) *dicomnet.Dialer {
	d := &dicomnet.Dialer{CallingAE: c.CallingAE, CalledAE: c.CalledAE, Timeouts: c.Timeouts, TLS: s.config}
	if s.client != nil {
		d.Handshake = func(ctx context.Context, raw net.Conn, name string) (net.Conn, error) {
			return s.client.Handshake(ctx, raw, name)
		}
	}
	return d
}

// tlsState is short for how a connection says of itself.
type tlsState = tls.ConnectionState

// handshake puts TLS on a connection, and closes it when it fails.
func (s *security) handshake(ctx context.Context, raw net.Conn, name string) (net.Conn, error) {
	config := s.config.Clone()
	if config.ServerName == "" {
		config.ServerName = name
	}
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

func described(state *tls.ConnectionState) (version, certificate string) {
	if state == nil {
		return "", ""
	}
	switch state.Version {
	case tls.VersionTLS12:
		version = "TLSv1.2"
	case tls.VersionTLS13:
		version = "TLSv1.3"
	}
	if len(state.PeerCertificates) > 0 {
		sum := sha256.Sum256(state.PeerCertificates[0].Raw)
		certificate = hex.EncodeToString(sum[:])
	}
	return version, certificate
}

// dimseSender sends by C-STORE. Its association is kept, and left when it cannot carry what comes.
type dimseSender struct {
	c        Destination
	sec      *security
	a        *dicomnet.Association
	proposed map[Kind]bool
}

var _ Sender = (*dimseSender)(nil)

// maxProposed leaves a few of the 128 presentation contexts.
const maxProposed = 120

// Send implements Sender.
func (s *dimseSender) Send(ctx context.Context, i *Item) (Answer, error) {
	want := Kind{i.SOPClass, i.TransferSyntax}
	if s.a != nil && (!s.a.Usable() || !s.proposed[want]) {
		_ = s.Close()
	}
	if s.a == nil {
		if err := s.dial(ctx, want, i.Others); err != nil {
			return Answer{}, err
		}
	}
	in := dicomnet.Instance{SOPClass: i.SOPClass, SOPInstance: i.SOPInstance, TransferSyntax: i.TransferSyntax, Data: i.Data}
	if i.Urgent {
		in.Priority = 1
	}
	status, err := s.a.Store(ctx, in)
	if err == nil {
		version, certificate := described(s.a.Info().TLS)
		return Answer{Status: status, TLS: version, Certificate: certificate}, nil
	}
	var refusal *dicomnet.StatusError
	var context *dicomnet.ContextError
	switch {
	case errors.As(err, &refusal):
		return Answer{}, refused(refusal.Status, err)
	case errors.As(err, &context) && slices.Contains(context.Results, ul.NoReason):
		delete(s.proposed, want) // on another association it may be otherwise
		return Answer{}, &failure{class: transient, err: context, hint: "the destination does not say why; its own log may"}
	case errors.As(err, &context):
		return Answer{}, &failure{class: permanent, err: context, hint: "the destination does not take this; set transfer_syntaxes, or route it elsewhere"}
	}
	s.a.Abort() // nothing may be assumed about it
	s.a = nil
	return Answer{}, &failure{class: interrupted, err: err, hint: hintOf(err)}
}

// dial opens an association that can carry want, and as much of the rest as fits.
func (s *dimseSender) dial(ctx context.Context, want Kind, others []Kind) error {
	d := s.sec.dialer(s.c)
	s.proposed = map[Kind]bool{}
	for _, k := range append([]Kind{want}, others...) {
		if s.proposed[k] || len(d.Contexts) == maxProposed {
			continue
		}
		s.proposed[k] = true
		// One transfer syntax in each: the acceptor cannot choose another than the data set's.
		d.Contexts = append(d.Contexts, dicomnet.Proposal{AbstractSyntax: k.SOPClass, TransferSyntaxes: []string{k.TransferSyntax}})
	}
	// With a context that everybody accepts, an association whose other contexts were refused says so of each.
	d.Contexts = append(d.Contexts, dicomnet.Proposal{AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: dicomnet.UncompressedSyntaxes()})
	a, err := d.Dial(ctx, s.c.Address)
	var nothing *dicomnet.ContextError
	switch {
	case err == nil:
		s.a = a
		return nil
	case errors.As(err, &nothing):
		return &failure{class: transient, err: err, hint: "the destination takes nothing of this kind; route it elsewhere, or set transfer_syntaxes"}
	}
	return &failure{class: unreachable, err: err, hint: hintOf(err)}
}

// Close implements Sender.
func (s *dimseSender) Close() error {
	if s.a == nil {
		return nil
	}
	a := s.a
	s.a = nil
	ctx, cancel := context.WithTimeout(context.Background(), max(s.c.Timeouts.Close, time.Second))
	defer cancel()
	return a.Release(ctx)
}

// converted says in which transfer syntax an instance goes to a destination: "" for as it is. An error is permanent.
func converted(c *Destination, syntax string) (string, error) {
	if len(c.Syntaxes) == 0 || slices.Contains(c.Syntaxes, syntax) {
		return "", nil
	}
	from, ok := dicom.SyntaxOf(syntax)
	if ok && !from.Encapsulated {
		for _, s := range c.Syntaxes {
			if to, ok := dicom.SyntaxOf(s); ok && !to.Encapsulated {
				return s, nil
			}
		}
	}
	name := dicom.UIDName(syntax)
	if name == "" {
		name = syntax
	}
	return "", fmt.Errorf("the destination does not take %s, and it cannot be converted", name)
}
