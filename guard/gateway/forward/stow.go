// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"

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
	if sec.config != nil {
		config := sec.config.Clone()
		dial := net.Dialer{Timeout: c.Timeouts.Connect}
		t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			own := config.Clone()
			if own.ServerName == "" {
				own.ServerName, _, _ = net.SplitHostPort(address)
			}
			return (&tls.Dialer{NetDialer: &dial, Config: own}).DialContext(ctx, network, address)
		}
	}
	a := &answering{t: t}
	client, err := dicomweb.NewClient(c.Stow, a)
	return client, a, err
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
}

// RoundTrip implements http.RoundTripper.
func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	a.last = nil
	rsp, err := a.t.RoundTrip(r)
	if err == nil {
		a.last = rsp.TLS
	}
	return rsp, err
}

// Send implements Sender.
func (s *stowSender) Send(ctx context.Context, i *Item) (Answer, error) {
	results, err := s.client.Send(ctx, dicomweb.Outgoing{SOPClass: i.SOPClass, SOPInstance: i.SOPInstance, TransferSyntax: i.TransferSyntax, SourceAE: s.source, Data: i.Data, Size: i.Size})
	if err != nil {
		return Answer{}, stowFailure(err)
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
	var unknown x509.UnknownAuthorityError
	var name *net.DNSError
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
	case errors.As(err, &op) && op.Op == "dial", errors.As(err, &name), errors.As(err, &unknown):
		f.class = unreachable
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
