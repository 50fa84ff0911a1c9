// SPDX-License-Identifier: Apache-2.0

// Package demo gives a gateway something to do: a CT scanner, an XR processor and an archive of
// a hospital that does not exist, on the loopback, in the same process.
//
// The scanner has a certificate of the site's authority, and sends a small series of phantoms now and then over
// mutual TLS; some of what it sends is not as it should be, so that quarantine has something in it. Processor and archive
// count what they get and throw it away; the archive is away for a while from time to time. Patients,
// studies and images are made up here, and say so in their names.
package demo

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/forward"
	"github.com/asepsis/asepsis/guard/gateway/service"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Who takes part.
const (
	scanner     = "demo-ct"
	ultrasound  = "demo-us"
	scannerAE   = "CT_OR_3"
	gatewayAE   = "ASEPSIS"
	processor   = "xr-processor"
	processorAE = "XR_PROC_1"
	archive     = "archive"
	archiveAE   = "ARCHIVE"
)

// Pace of the demo.
const (
	perSeries   = 12
	between     = 25 * time.Second
	awayFor     = 40 * time.Second
	awayEvery   = 5 * time.Minute
	firstSeries = 3 * time.Second
)

// Hospital is what is around the gateway.
type Hospital struct {
	ca      service.Authority
	theatre string
	log     *slog.Logger

	processor, archive net.Listener
}

// New opens the listeners of processor and archive.
func New(ctx context.Context, ca service.Authority, theatre string, log *slog.Logger) (*Hospital, error) {
	h := &Hospital{ca: ca, theatre: theatre, log: log}
	var lc net.ListenConfig
	var err error
	if h.processor, err = lc.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	if h.archive, err = lc.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, errors.Join(fmt.Errorf("demo: %w", err), h.processor.Close())
	}
	return h, nil
}

// Configure makes a gateway of the configuration that stands in this hospital. Bindings that are there already stay.
func (h *Hospital) Configure(cfg *service.Config, data string) error {
	cfg.Name, cfg.AETitles = "gateway-or-3", []string{gatewayAE}
	cfg.Listeners = []gateway.Listener{{Kind: gateway.KindTLS, Listen: "127.0.0.1:0"}, {Kind: gateway.KindPlain, Listen: "127.0.0.1:0"}}
	to := func(name, ae string, ln net.Listener) forward.Destination {
		d := forward.DefaultDestination()
		d.Name, d.Address, d.CalledAE, d.CallingAE, d.BackoffMax = name, ln.Addr().String(), ae, gatewayAE, 10*time.Second
		return d
	}
	x := to(processor, processorAE, h.processor)
	x.Theatre = h.theatre
	cfg.Forward.Destinations = []forward.Destination{x, to(archive, archiveAE, h.archive)}
	cfg.Forward.Routes = []forward.Route{
		{Name: "to-the-room", Modalities: []string{"CT", "MR"}, To: []string{processor}, Fail: forward.FailOpen},
		{Name: "to-the-archive", To: []string{archive}, Fail: forward.FailClosed},
	}
	cfg.Journal.Segment, cfg.Journal.Warn, cfg.Journal.Stop = 16*config.MiB, 64*config.MiB, 32*config.MiB
	dir := cfg.Dir
	if dir == "" {
		dir = filepath.Join(data, "gateway")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "bindings.yaml"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	_, err = f.Write(binding.Format([]control.Binding{
		{Device: scanner, Name: "CT scanner (demo)", CallingAE: []string{scannerAE}, SOPClasses: []string{"ct", "encapsulated"}, Operations: []string{binding.Echo, binding.Store, binding.Commitment}, Theatre: h.theatre, OnRevocation: string(identity.CutAfter)},
		{Device: ultrasound, Name: "Old ultrasound (demo)", Plain: true, CallingAE: []string{"US_OR_1"}, Addresses: []string{"127.0.0.1"}, SOPClasses: []string{"ultrasound"}, Operations: []string{binding.Echo, binding.Store}, Theatre: h.theatre},
	}))
	return errors.Join(err, f.Close())
}

// Run plays until ctx ends. address is where the gateway listens with TLS, nil as long as it does not.
func (h *Hospital) Run(ctx context.Context, address func() net.Addr) error {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { h.take(ctx, h.processor, nil) })
	all.Go(func() { h.take(ctx, h.archive, h.away) })
	wait := time.NewTimer(firstSeries)
	defer wait.Stop()
	var client *trust.Client
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-wait.C:
		}
		wait.Reset(between)
		at := address()
		if at == nil {
			continue
		}
		if client == nil {
			var err error
			if client, err = h.enrol(ctx); err != nil {
				h.log.Warn("the demo's scanner could not be enrolled; it is tried again", "why", err)
				continue
			}
		}
		if err := h.send(ctx, client, at.String(), n); err != nil && ctx.Err() == nil {
			h.log.Warn("the demo's scanner could not send", "why", err)
			client = nil // its certificate or its CRL may be past its end
		}
	}
}

// away reports whether the archive is away just now.
func (h *Hospital) away() bool { return time.Since(time.Unix(0, 0))%awayEvery < awayFor }

// take is a destination that throws away what it gets.
func (h *Hospital) take(ctx context.Context, ln net.Listener, away func() bool) {
	s := &dicomnet.Server{Services: []dicomnet.Service{{AbstractSyntax: dicom.UIDVerification}, {AbstractSyntax: dicomnet.AnyStorage}},
		Handler: dicomnet.HandlerFunc(func(context.Context, *dicomnet.Request) dicomnet.Reply {
			if away != nil && away() {
				return dicomnet.Reply{Status: 0xA700, Comment: "the demo's archive is full for a while"}
			}
			return dicomnet.Reply{}
		})}
	if err := s.Serve(ctx, ln, time.Second); err != nil && ctx.Err() == nil {
		h.log.Warn("a destination of the demo ended", "why", err)
	}
}

// enrol gives the scanner a certificate, and what it needs to know the gateway by its own.
func (h *Hospital) enrol(ctx context.Context) (*trust.Client, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	i, err := h.ca.Issue(ctx, identity.Request{Profile: identity.DICOMNode, Device: scanner, Public: key.Public(), Via: "self", DNS: []string{"localhost"}})
	if err != nil {
		return nil, err
	}
	pair := tls.Certificate{PrivateKey: key, Leaf: i.Leaf, Certificate: [][]byte{i.Leaf.Raw}}
	for _, c := range i.Chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	cfg := trust.Default()
	cfg.TrustDomain = h.ca.Site().TrustDomain
	t, err := trust.New(ctx, cfg, trust.Deps{Source: trust.SourceFunc(h.ca.CRLs), Material: func() (trust.Material, error) {
		return trust.Material{CA: append(slices.Clone(h.ca.Issuing()), []*x509.Certificate{h.ca.Root()}...), Certificate: &pair}, nil
	}})
	if err != nil {
		return nil, err
	}
	return t.Client(trust.ClientOptions{Device: "gateway-or-3"})
}

// send has the scanner send one series. Every fourth ends with a document that the firewall does not let pass.
func (h *Hospital) send(ctx context.Context, client *trust.Client, address string, n int) error {
	syntax := []string{dicom.ExplicitVRLittleEndian}
	d := &dicomnet.Dialer{CallingAE: scannerAE, CalledAE: gatewayAE, Handshake: client.Handshake, Contexts: []dicomnet.Proposal{{AbstractSyntax: ctStorage, TransferSyntaxes: syntax}, {AbstractSyntax: pdfStorage, TransferSyntaxes: syntax}}}
	a, err := d.Dial(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = a.Release(context.WithoutCancel(ctx)) }()
	s := series{study: uid(), series: uid(), patient: fmt.Sprintf("FICT-%04d", 1+n%7), at: time.Now()}
	store := func(class string, make func(string) ([]byte, error)) error {
		name := uid()
		data, err := make(name)
		if err != nil {
			return err
		}
		_, err = a.Store(ctx, dicomnet.Instance{SOPClass: class, SOPInstance: name, TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(data)})
		var refused *dicomnet.StatusError
		if errors.As(err, &refused) {
			return nil // which is what the demo shows
		}
		return err
	}
	for i := range perSeries {
		if err := store(ctStorage, func(name string) ([]byte, error) { return s.image(name, i) }); err != nil {
			return err
		}
	}
	if n%4 == 1 {
		return store(pdfStorage, s.document)
	}
	return nil
}

// uid is a new UID of the arc that PS3.5 §B.2 derives from UUIDs.
func uid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	return "2.25." + new(big.Int).SetBytes(b[:]).String()
}
