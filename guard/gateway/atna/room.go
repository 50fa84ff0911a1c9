// SPDX-License-Identifier: Apache-2.0

package atna

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/wire/atna"
	"github.com/asepsis/asepsis/wire/syslog"
)

// messageID is MSGID of audit messages (PS3.15 §A.6.1).
const messageID = "DICOM+RFC3881"

// Deps is what a Room needs from outside.
type Deps struct {
	// Dir is for the spool, and for nothing else.
	Dir string
	// Name is that of the gateway.
	Name string
	// Dial makes mutual TLS connections to a repository of the site (trust.Client.Dial, of a client with
	// Config.Device). It is needed unless Config.CAFile is set.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Identify reads the patient of an instance in clear, for Patients: Clear; nil: pseudonyms are written all the same.
	Identify func(number uint64) (Patient, error)
	Log      *slog.Logger
	Now      func() time.Time
}

// Room sends audit messages. Its methods may be called concurrently, on a nil Room too: it
// takes everything and sends nothing, which is what a gateway without a repository does.
type Room struct {
	cfg   Config
	d     Deps
	spool *spool
	from  mark // what is not delivered begins here; belongs to Run after New
	queue chan any
	start time.Time

	mu     sync.Mutex
	state  string // "down" while there is no connection
	why    string
	hint   string
	since  time.Time
	linked bool // there is a connection, proved or not
}

// New opens the spool. Without an address there is no Room: it returns nil and no error.
func New(cfg Config, d Deps) (*Room, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("audit messages: %w", err)
	}
	if cfg.Address == "" {
		return nil, nil
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if cfg.Source == "" {
		cfg.Source = d.Name
	}
	if cfg.Source == "" {
		return nil, errors.New("audit messages: neither source nor the gateway's name is set")
	}
	if cfg.Host == "" {
		cfg.Host, _ = os.Hostname()
	}
	if cfg.CAFile != "" {
		config, err := ownTLS(cfg)
		if err != nil {
			return nil, fmt.Errorf("audit messages: %w", err)
		}
		d.Dial = (&tls.Dialer{Config: config}).DialContext
	}
	if d.Dial == nil {
		return nil, errors.New("audit messages: there is no identity for TLS")
	}
	r := &Room{cfg: cfg, d: d, start: d.Now(), queue: make(chan any, queueLength), state: "down", why: "not connected yet", since: d.Now()}
	var err error
	if r.spool, r.from, err = openSpool(d.Dir, int64(cfg.SpoolBytes)); err != nil {
		return nil, err
	}
	return r, nil
}

// ownTLS is for a repository with a PKI of its own.
func ownTLS(cfg Config) (*tls.Config, error) {
	b, err := os.ReadFile(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(cfg.Address)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool(), ServerName: host}
	if !c.RootCAs.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s: there is no certificate in it", cfg.CAFile)
	}
	if cfg.CertFile != "" {
		key, err := cfg.KeyFile.Read()
		if err != nil {
			return nil, err
		}
		cert, err := os.ReadFile(cfg.CertFile)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cfg.CertFile, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Send takes a message, and returns when it is on the disk. The source is the Room's to fill. ErrFull
// when the spool is full: the message is counted as lost, and that is told.
func (r *Room) Send(m atna.Message) error {
	if r == nil {
		return nil
	}
	if m.Source.ID == "" {
		m.Source = atna.Source{Site: r.cfg.Site, ID: r.cfg.Source, Types: []string{"4"}}
	}
	if m.Event.At.IsZero() {
		m.Event.At = r.d.Now()
	}
	if err := m.Validate(); err != nil {
		return err
	}
	h := syslog.Header{Facility: syslog.FacilityAuthPriv, Severity: severity(m.Event.Outcome), At: r.d.Now(), Host: r.cfg.Host, App: r.cfg.Source, Process: strconv.Itoa(os.Getpid()), MessageID: messageID}
	return r.spool.append(syslog.AppendText(syslog.AppendHeader(nil, &h), atna.Append(nil, &m)))
}

func severity(o atna.Outcome) uint8 {
	switch o {
	case atna.Success:
		return syslog.SeverityNotice
	case atna.MinorFailure:
		return syslog.SeverityWarning
	case atna.SeriousFailure:
		return syslog.SeverityError
	}
	return syslog.SeverityCritical
}

// Status says how the way to the repository is. Lag counts messages that are not delivered.
func (r *Room) Status() control.Dependency {
	if r == nil {
		return control.Dependency{State: "off", Why: "no audit repository is set up", Hint: "set gateway.audit.address to send DICOM audit messages"}
	}
	count, lost, damaged, full := r.spool.state()
	r.mu.Lock()
	defer r.mu.Unlock()
	d := control.Dependency{State: r.state, Why: r.why, Hint: r.hint, Since: r.since, Lag: count}
	switch {
	case full:
		d.State, d.Why, d.Hint = "down", "the audit spool is full: new messages are lost", "bring the repository back; see gateway.audit.spool_bytes"
		if r.why != "" {
			d.Why += " (" + r.why + ")"
		}
	case r.state == "down" && r.d.Now().Sub(r.since) < patience:
		// A restart of the repository is not an outage: nothing is lost meanwhile.
		d.State = "degraded"
	case r.state == "ok" && lost > 0:
		d.State, d.Why = "degraded", fmt.Sprintf("%d messages were lost while the spool was full", lost)
	case r.state == "ok" && damaged > 0:
		d.State, d.Why, d.Hint = "degraded", "messages in the spool could not be read", "check the disk of the gateway"
	}
	return d
}

// patience is how long a repository may be away before that is called down.
const patience = time.Minute

// Ready is an error while the repository cannot be reached, or messages are lost.
func (r *Room) Ready() error {
	if d := r.Status(); d.State == "down" {
		return errors.New("audit messages: " + d.Why)
	}
	return nil
}

// Run delivers until ctx ends. Then it says that the application stops and tries for a moment
// to deliver what waits; what it cannot stays on the disk.
func (r *Room) Run(ctx context.Context) error {
	if r == nil {
		<-ctx.Done()
		return nil
	}
	defer r.spool.close()
	if err := r.Send(r.application(atna.ApplicationStart)); err != nil {
		r.d.Log.Warn("audit message", "error", err)
	}
	// The sender outlives ctx a little, to deliver the last message.
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	ended := make(chan struct{})
	go func() { defer close(ended); r.deliver(sending) }()
	newGatherer(r).run(ctx)
	if err := r.Send(r.application(atna.ApplicationStop)); err != nil {
		r.d.Log.Warn("audit message", "error", err)
	}
	timer := time.NewTimer(farewell)
	defer timer.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for waiting := true; waiting; {
		select {
		case <-tick.C:
			count, _, _, _ := r.spool.state()
			waiting = count > 0 && r.isConnected()
		case <-timer.C:
			waiting = false
		}
	}
	cancel()
	<-ended
	return nil
}

// farewell is how long Run goes on delivering at its end.
const farewell = 5 * time.Second

func (r *Room) isConnected() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.linked
}

func (r *Room) link(up bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.linked = up
}

func (r *Room) set(state, why, hint string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != state {
		r.since = r.d.Now()
	}
	r.state, r.why, r.hint = state, why, hint
}

// application is the message of PS3.15 §A.5.3.1.
func (r *Room) application(what atna.Code) atna.Message {
	return atna.Message{
		Event:        atna.Event{ID: atna.ApplicationActivity, Types: []atna.Code{what}, Action: atna.Execute, At: r.d.Now()},
		Participants: []atna.Participant{{UserID: r.d.Name, AlternativeID: strconv.Itoa(os.Getpid()), Roles: []atna.Code{atna.RoleApplication}, Address: r.cfg.Host}},
	}
}
