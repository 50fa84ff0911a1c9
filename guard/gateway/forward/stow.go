// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/dicomweb"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// stowSender sends by STOW-RS, one instance a request.
type stowSender struct {
	client *dicomweb.Client
	rt     *answering
	source string // AE title, for the file meta information
}

var _ Sender = (*stowSender)(nil)

// stowClient makes the client of a STOW-RS destination. The transport's connections are its own.
func stowClient(c Destination, sec *security) (*dicomweb.Client, *answering, error) {
	t := dicomweb.Transport(sec.client, c.Stow.Wait)
	a := &answering{t: t}
	if sec.config != nil {
		config := sec.config.Clone()
		if len(config.Certificates) == 0 && config.GetClientCertificate == nil {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				a.lacking.Store(true)
				return &tls.Certificate{}, nil
			}
		}
		dial := net.Dialer{Timeout: c.Timeouts.Connect}
		t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			own := config.Clone()
			if own.ServerName == "" {
				own.ServerName, _, _ = net.SplitHostPort(address)
			}
			return (&tls.Dialer{NetDialer: &dial, Config: own}).DialContext(ctx, network, address)
		}
	}
	t.DialContext, t.DialTLSContext = connecting(t.DialContext), connecting(t.DialTLSContext)
	client, err := dicomweb.NewClient(c.Stow, a)
	return client, a, err
}

// unconnected is why there is no connection: nothing was sent.
type unconnected struct{ err error }

func (e *unconnected) Error() string { return e.err.Error() }
func (e *unconnected) Unwrap() error { return e.err }

// connecting marks the failures of a function that connects, TLS included.
func connecting(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, &unconnected{err}
		}
		return c, nil
	}
}

func stowOpener(c Destination, current func() (*security, error)) (func() (Sender, error), error) {
	sec, err := current()
	if err != nil {
		return nil, err
	}
	if _, _, err := stowClient(c, sec); err != nil {
		return nil, err
	}
	return func() (Sender, error) {
		sec, err := current()
		if err != nil {
			return nil, err
		}
		client, rt, err := stowClient(c, sec)
		if err != nil {
			return nil, err
		}
		return &stowSender{client: client, rt: rt, source: c.CallingAE}, nil
	}, nil
}

// answering remembers over which TLS the last answer came. It is used by one goroutine.
type answering struct {
	t    *http.Transport
	last *tls.ConnectionState
	// lacking: the server asked for a certificate that there is none of, and has not answered anything since.
	lacking atomic.Bool
}

// RoundTrip implements http.RoundTripper.
func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	a.last = nil
	rsp, err := a.t.RoundTrip(r)
	if err == nil {
		a.last = rsp.TLS
		a.lacking.Store(false)
	}
	return rsp, err
}

// Send implements Sender.
func (s *stowSender) Send(ctx context.Context, i *Item) (Answer, error) {
	results, err := s.client.Send(ctx, dicomweb.Outgoing{SOPClass: i.SOPClass, SOPInstance: i.SOPInstance, TransferSyntax: i.TransferSyntax, SourceAE: s.source, Data: i.Data, Size: i.Size})
	if err != nil {
		f := stowFailure(err)
		if f.class == interrupted && s.rt.lacking.Load() {
			// Its alert is lost when the request is being written at that moment.
			f.class, f.err = unreachable, fmt.Errorf("the server asks for a certificate, and the gateway has none for it: %w", err)
			f.hint = "give the destination cert_file and key_file of an authority that the server knows"
		}
		return Answer{}, f
	}
	if len(results) != 1 {
		return Answer{}, &failure{class: transient, err: errors.New("the server does not say what became of the instance")}
	}
	r := results[0]
	status := dimse.Status(r.Reason)
	if !r.Stored {
		err := fmt.Errorf("the server did not store it: %s", r.Why)
		if r.Reason == 0 {
			return Answer{}, &failure{class: transient, err: err}
		}
		return Answer{}, refused(status, err)
	}
	version, certificate := described(s.rt.last)
	return Answer{Status: status, TLS: version, Certificate: certificate}, nil
}

// stowFailure says what an error of a whole request means.
func stowFailure(err error) *failure {
	f := &failure{class: interrupted, err: err, hint: hintOf(err)}
	var status *dicomweb.StatusError
	var op *net.OpError
	var none *unconnected
	switch {
	case errors.As(err, &status):
		f.status = fmt.Sprintf("HTTP %d", status.Status)
		switch {
		case status.Temporary, status.Status == http.StatusUnauthorized, status.Status == http.StatusForbidden, status.Status == http.StatusNotFound, status.Status/100 == 3:
			f.class = unreachable // nothing else would be taken either
		case status.Status/100 == 5:
			f.class = transient
		default:
			f.class = permanent
		}
	case errors.As(err, &none):
		f.class = unreachable
	case errors.As(err, &op) && op.Op == "remote error":
		// In TLS 1.3 a server refuses a client's certificate after the client believes to be connected.
		f.class, f.hint = unreachable, cmp.Or(f.hint, "the server does not take the gateway's certificate: it must know the site's root, or cert_file and key_file must be of its own authority")
	}
	return f
}

// Close implements Sender.
func (s *stowSender) Close() error {
	s.rt.t.CloseIdleConnections()
	return nil
}

// stowEcho tries the way to a STOW-RS destination.
func stowEcho(ctx context.Context, c Destination, sec *security) control.Echo {
	client, rt, err := stowClient(c, sec)
	if err != nil {
		return control.Echo{What: err.Error(), Hint: hintOf(err)}
	}
	defer rt.t.CloseIdleConnections()
	return client.Echo(ctx)
}
