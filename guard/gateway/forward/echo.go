// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
)

// echoWithin bounds an Echo.
const echoWithin = 30 * time.Second

// Echo tries the way to a destination step by step. It sends nothing but C-ECHO, or an OPTIONS request.
func (f *Forwarder) Echo(ctx context.Context, name string) control.Echo {
	d := f.byName[name]
	if d == nil {
		return control.Echo{What: fmt.Sprintf("there is no destination %q", name)}
	}
	ctx, cancel := context.WithTimeout(ctx, echoWithin)
	defer cancel()
	sec, err := f.security(d.cfg)
	if err != nil {
		return control.Echo{What: err.Error(), Hint: hintOf(err)}
	}
	if d.cfg.Kind == KindSTOW {
		return stowEcho(ctx, d.cfg, sec)
	}
	return dimseEcho(ctx, d.cfg, sec)
}

// steps collects the steps of a try.
type steps struct {
	echo  control.Echo
	began time.Time
	last  time.Time
}

func (s *steps) done(name, detail string, err error) bool {
	now := time.Now()
	step := control.Step{Name: name, OK: err == nil, Milliseconds: now.Sub(s.last).Milliseconds(), Detail: detail}
	if err != nil {
		step.Detail = err.Error()
		s.echo.What, s.echo.Hint = err.Error(), hintOf(err)
	}
	s.echo.Steps = append(s.echo.Steps, step)
	s.last = now
	return err == nil
}

func dimseEcho(ctx context.Context, c Destination, sec *security) (out control.Echo) {
	s := &steps{began: time.Now(), last: time.Now()}
	defer func() {
		s.echo.Milliseconds = time.Since(s.began).Milliseconds()
		out = s.echo
	}()
	d := sec.dialer(c)
	d.Contexts = []dicomnet.Proposal{{AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: dicomnet.UncompressedSyntaxes()}}
	connected, secured := false, false
	put := d.Handshake
	if put == nil && sec.config != nil {
		put = sec.handshake
		d.TLS = nil
	}
	if put != nil {
		d.Handshake = func(ctx context.Context, raw net.Conn, name string) (net.Conn, error) {
			connected = s.done("connect", raw.RemoteAddr().String(), nil)
			conn, err := put(ctx, raw, name)
			if err == nil {
				secured = s.done("tls", peerWords(conn), nil)
			}
			return conn, err
		}
	} else {
		var dial net.Dialer
		raw, err := dial.DialContext(ctx, "tcp", c.Address)
		if err == nil {
			connected = s.done("connect", raw.RemoteAddr().String(), nil)
			_ = raw.Close()
		}
	}
	a, err := d.Dial(ctx, c.Address)
	if err != nil {
		step := "associate"
		switch {
		case !connected:
			step = "connect"
		case put != nil && !secured:
			step = "tls"
		}
		s.done(step, "", err)
		return out
	}
	defer a.Abort()
	info := a.Info()
	s.done("associate", fmt.Sprintf("%s %s", info.PeerImplVersion, info.PeerImplUID), nil)
	if s.done("echo", "", a.Echo(ctx)) {
		s.echo.OK = true
		release, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		_ = a.Release(release)
	}
	return out
}

// peerWords says who is at the other end of TLS.
func peerWords(c net.Conn) string {
	state, ok := c.(interface{ ConnectionState() tlsState })
	if !ok {
		return ""
	}
	cs := state.ConnectionState()
	version, _ := described(&cs)
	if len(cs.PeerCertificates) == 0 {
		return version
	}
	cert := cs.PeerCertificates[0]
	who := cert.Subject.CommonName
	if p, ok := trust.PeerOf(c); ok {
		who = p.Name()
	}
	return fmt.Sprintf("%s, certificate of %s until %s", version, who, cert.NotAfter.UTC().Format("2006-01-02"))
}
