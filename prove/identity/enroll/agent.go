// SPDX-License-Identifier: Apache-2.0

// Package enroll is the device's side of enrolment: it gets the first
// certificate with a code or the manufacturer's certificate, renews it before it
// ends, each time with a new key, and tells those who use it.
//
// What it gets lies in a directory as cert.pem, key.pem and ca.pem. All three
// change in one step, so that nobody reads a key with another's certificate; it is
// on the disk before anybody is told.
//
// A renewal that fails is tried again, with longer and longer waits, as long as
// the certificate is valid. When it has ended, only a new code helps, and Run
// says so.
package enroll

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/est"
)

// Options says how to enrol.
type Options struct {
	Server string // address of the EST server; "" for the one that gave the certificate in Dir
	Code   string // enrolment code; "" where Manufacturer is the credential
	CA     string // SHA-256 of the site's root, hexadecimal; needed once
	Dir    string // where files go; it is made where it is not
	// KeyType is "p256" (default), "p384", "rsa2048" or "rsa3072".
	KeyType string
	// Manufacturer is the device's certificate by its manufacturer.
	Manufacturer *tls.Certificate
	// Hook is a program that is run after a certificate has come, without a shell.
	Hook []string
	// PIDFile names a process that is sent SIGHUP then.
	PIDFile string
	Log     *slog.Logger
	Now     func() time.Time
}

// FromURI reads what a QR code says: "asepsis-enroll:?server=...&code=...&ca=...".
func FromURI(text string) (Options, error) {
	var o Options
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "asepsis-enroll" {
		return o, fmt.Errorf("%q is no enrolment address: want asepsis-enroll:? and what a code printed", text)
	}
	q := u.Query()
	o.Server, o.Code, o.CA = q.Get("server"), q.Get("code"), q.Get("ca")
	return o, nil
}

// Agent holds one certificate.
type Agent struct {
	o Options
}

// hookTimeout bounds a hook.
const hookTimeout = time.Minute

// New checks the options.
func New(o Options) (*Agent, error) {
	if o.Dir == "" {
		return nil, errors.New("enrol: no directory for the certificate")
	}
	if o.Server == "" { // one that enrolled knows where
		b, err := os.ReadFile(filepath.Join(o.Dir, ServerFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("enrol: %w", err)
		}
		o.Server = strings.TrimSpace(string(b))
	}
	if u, err := url.Parse(o.Server); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("enrol: %q is no https address of a server", o.Server)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.KeyType = cmp.Or(o.KeyType, "p256")
	if _, ok := keyTypes[o.KeyType]; !ok {
		return nil, fmt.Errorf("enrol: key type %q: want p256, p384, rsa2048 or rsa3072", o.KeyType)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	return &Agent{o}, nil
}

var keyTypes = map[string]func() (crypto.Signer, error){
	"p256":    func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
	"p384":    func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
	"rsa2048": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
	"rsa3072": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 3072) },
}

// Current returns the certificate that is there; fs.ErrNotExist: none.
func (a *Agent) Current() (*x509.Certificate, error) {
	pair, _, err := read(a.o.Dir)
	if err != nil {
		return nil, err
	}
	return pair.Leaf, nil
}

// Enroll gets the first certificate.
func (a *Agent) Enroll(ctx context.Context) (*x509.Certificate, error) {
	if a.o.CA == "" {
		return nil, errors.New("enrol: the SHA-256 of the site's root is needed, so that no other server is trusted")
	}
	c := &est.Client{Server: a.o.Server, Now: a.o.Now}
	ca, err := c.Bootstrap(ctx, a.o.CA)
	if err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	c.Certificate = a.o.Manufacturer
	key, csr, err := a.request(nil)
	if err != nil {
		return nil, err
	}
	leaf, err := c.Enroll(ctx, a.o.Code, csr)
	if err != nil {
		return nil, a.explain("enrol", c, err)
	}
	if err := a.keep(ctx, c, leaf, key, ca); err != nil {
		return leaf, err
	}
	if err := durable.Write(filepath.Join(a.o.Dir, ServerFile), []byte(a.o.Server+"\n")); err != nil {
		return leaf, fmt.Errorf("enrol: remember the server: %w", err)
	}
	return leaf, nil
}

// ServerFile is where an agent remembers the server that it enrolled at, in its
// directory: renewing needs no address.
const ServerFile = "server"

// Renew gets the next certificate with the one that is there.
func (a *Agent) Renew(ctx context.Context) (*x509.Certificate, error) {
	pair, ca, err := read(a.o.Dir)
	if err != nil {
		return nil, err
	}
	c := &est.Client{Server: a.o.Server, Roots: x509.NewCertPool(), Certificate: pair, Now: a.o.Now}
	for _, one := range ca {
		if one.CheckSignatureFrom(one) == nil {
			c.Roots.AddCert(one)
		}
	}
	// Issuing authorities change; the root that vouches for the list does not.
	fresh, err := c.CACerts(ctx)
	if err != nil {
		return nil, a.explain("renew", c, err)
	}
	key, csr, err := a.request(pair.Leaf)
	if err != nil {
		return nil, err
	}
	leaf, err := c.Reenroll(ctx, csr)
	if err != nil {
		return nil, a.explain("renew", c, err)
	}
	return leaf, a.keep(ctx, c, leaf, key, merge(ca, fresh))
}

// merge keeps the roots that are trusted, and takes the authorities below them.
func merge(have, fresh []*x509.Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	for _, c := range have {
		if c.CheckSignatureFrom(c) == nil {
			out = append(out, c)
		}
	}
	for _, c := range fresh {
		for _, root := range out {
			if c.CheckSignatureFrom(c) != nil && c.CheckSignatureFrom(root) == nil {
				out = append(out, c)
				break
			}
		}
	}
	return out
}

// explain adds what the clocks have to do with an error.
func (a *Agent) explain(what string, c *est.Client, err error) error {
	if d := c.Skew.Abs(); d > time.Minute {
		return fmt.Errorf("%s: this machine's clock is %s off the server's: %w", what, d, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// request makes a key and a CSR, for a renewal with the subject of before.
func (a *Agent) request(before *x509.Certificate) (crypto.Signer, []byte, error) {
	key, err := keyTypes[a.o.KeyType]()
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	t := &x509.CertificateRequest{}
	if before != nil {
		t.RawSubject, t.DNSNames, t.IPAddresses, t.URIs = before.RawSubject, before.DNSNames, before.IPAddresses, before.URIs
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, t, key)
	if err != nil {
		return nil, nil, fmt.Errorf("make a request: %w", err)
	}
	return key, csr, nil
}

// keep checks what came, writes it and tells the consumers.
func (a *Agent) keep(ctx context.Context, c *est.Client, leaf *x509.Certificate, key crypto.Signer, ca []*x509.Certificate) error {
	chain := []*x509.Certificate{leaf}
	for _, m := range ca {
		if m.CheckSignatureFrom(m) != nil && leaf.CheckSignatureFrom(m) == nil {
			chain = append(chain, m)
		}
	}
	middle := x509.NewCertPool()
	for _, m := range chain[1:] {
		middle.AddCert(m)
	}
	now := a.o.Now()
	if now.Before(leaf.NotBefore) { // our clock is behind; others will take it
		now = leaf.NotBefore
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: c.Roots, Intermediates: middle, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return fmt.Errorf("the server gave a certificate that is not of its own root: %w", err)
	}
	if err := write(a.o.Dir, &set{chain, key, ca}); err != nil {
		return err
	}
	if err := a.tell(ctx, leaf); err != nil {
		// The certificate is there: who was not told finds it at the next look.
		a.o.Log.Error("a consumer of the certificate could not be told", "why", err)
	}
	return nil
}

// tell runs the hook and sends the signal.
func (a *Agent) tell(ctx context.Context, leaf *x509.Certificate) error {
	var errs []error
	if len(a.o.Hook) > 0 {
		ctx, cancel := context.WithTimeout(ctx, hookTimeout)
		defer cancel()
		c := exec.CommandContext(ctx, a.o.Hook[0], a.o.Hook[1:]...) //nolint:gosec // the person who started us named it
		c.Env = append(os.Environ(), "ASEPSIS_DIR="+a.o.Dir, "ASEPSIS_SERIAL="+identity.SerialString(leaf.SerialNumber), "ASEPSIS_NOT_AFTER="+leaf.NotAfter.UTC().Format(time.RFC3339))
		c.WaitDelay = time.Second
		if out, err := c.CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("hook %s: %w: %s", a.o.Hook[0], err, strings.TrimSpace(string(out[:min(len(out), 500)]))))
		}
	}
	if a.o.PIDFile != "" {
		b, err := os.ReadFile(a.o.PIDFile)
		pid := 0
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		if err == nil && pid <= 1 {
			err = fmt.Errorf("%d is no process to signal", pid)
		}
		if err == nil {
			var p *os.Process
			if p, err = os.FindProcess(pid); err == nil {
				err = p.Signal(syscall.SIGHUP)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("signal by %s: %w", a.o.PIDFile, err))
		}
	}
	return errors.Join(errs...)
}

// Run enrols where there is no certificate, and renews until ctx ends. It returns
// an error when nothing more can be done without a person.
func (a *Agent) Run(ctx context.Context) error {
	leaf, err := a.Current()
	if errors.Is(err, fs.ErrNotExist) {
		leaf, err = a.Enroll(ctx)
	}
	if err != nil {
		return err
	}
	failed := 0
	for {
		now := a.o.Now()
		if now.After(leaf.NotAfter) {
			return &ended{leaf.NotAfter}
		}
		wait := identity.RenewFrom(leaf).Sub(now)
		if failed > 0 {
			wait = backoff(failed, leaf.NotAfter.Sub(now))
		}
		if wait > 0 {
			select {
			case <-ctx.Done():
				return nil
			// Long waits are cut: the machine may sleep, its clock may be set.
			case <-time.After(min(wait, time.Minute)):
				if wait > time.Minute {
					continue
				}
			}
		}
		next, err := a.Renew(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the end, not a failure
		case err != nil:
			failed++
			a.o.Log.Error("the certificate could not be renewed", "ends", leaf.NotAfter, "again_in", backoff(failed, leaf.NotAfter.Sub(a.o.Now())).Round(time.Second), "why", err)
			var refused *est.Answer
			if errors.As(err, &refused) && refused.Status == 403 {
				return err
			}
		default:
			failed, leaf = 0, next
			a.o.Log.Info("certificate renewed", "serial", identity.SerialString(leaf.SerialNumber), "ends", leaf.NotAfter)
		}
	}
}

// backoff is how long to wait after failures: longer each time, and never so long
// that fewer than ten tries are left.
func backoff(failed int, left time.Duration) time.Duration {
	w := 10 * time.Second << min(failed-1, 9)
	return max(min(w, left/10, time.Hour), time.Second)
}

type ended struct{ at time.Time }

func (e *ended) Error() string {
	return "the certificate ended on " + e.at.UTC().Format(time.RFC3339) + " and was not renewed"
}

// Hint says what to do.
func (e *ended) Hint() string {
	return "make a new enrolment code (asepsis ca code) and enrol again"
}
