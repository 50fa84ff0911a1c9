// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Reasons for which the gateway takes no responsibility (PS3.3 §C.14.1.1).
const (
	reasonFault  uint16 = 0x0110
	reasonNone   uint16 = 0x0112 // no such object instance
	reasonClass  uint16 = 0x0119 // class / instance conflict
	reasonNoRoom uint16 = 0x0213
)

// failure is an instance that is not safe.
type failure struct {
	reference
	Reason uint16 `json:"reason"`
}

// promise is a request for storage commitment that was not reported yet. It is a file, so that it
// outlives the process that took it.
type promise struct {
	Device      string      `json:"device"`
	Calling     string      `json:"calling_ae"`
	Called      string      `json:"called_ae"`
	Transaction string      `json:"transaction"`
	At          time.Time   `json:"at"`
	Refs        []reference `json:"refs"`

	file string
	on   *dicomnet.Association // that asked, as long as it is open
	next time.Time             // when a report is tried again
	wait time.Duration
	sent bool // being reported
}

// commits answers modalities' requests for storage commitment: responsibility is taken when every
// destination that an instance goes to has it.
type commits struct {
	p    *Proxy
	dir  string
	kick chan struct{}

	mu   sync.Mutex
	open map[string]*promise // by file
}

// Bounds of commits.
const (
	maxPromises  = 10_000
	maxOpen      = 1_000_000 // instances of all of them
	maxOpenOfOne = 200_000   // of one device: what it asks for without end must not keep the others out
	commitEvery  = 500 * time.Millisecond
	commitMost   = 10 * time.Second // between two looks at a request
	reportFirst  = time.Second
	reportMost   = 5 * time.Minute
	reportsAtAll = 7 * 24 * time.Hour // then nobody waits for it any more
)

func openCommits(p *Proxy) (*commits, error) {
	c := &commits{p: p, kick: make(chan struct{}, 1), open: map[string]*promise{}}
	if p.d.Dir == "" {
		return c, nil
	}
	c.dir = filepath.Join(p.d.Dir, "commitments")
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, fmt.Errorf("requests for storage commitment: %w", err)
	}
	list, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, fmt.Errorf("requests for storage commitment: %w", err)
	}
	for _, e := range list {
		path := filepath.Join(c.dir, e.Name())
		if strings.HasSuffix(path, ".new") {
			_ = os.Remove(path) // was never answered
			continue
		}
		b, err := os.ReadFile(path)
		var x promise
		if err == nil {
			err = json.Unmarshal(b, &x)
		}
		if err != nil {
			p.log.Error("a request for storage commitment cannot be read, and will not be reported", "file", path, "why", err)
			continue
		}
		x.file = path
		c.open[path] = &x
	}
	return c, nil
}

// request takes an N-ACTION (PS3.4 §J.3.2).
func (c *commits) request(_ context.Context, who Caller, r *dicomnet.Request) (dicomnet.Reply, error) {
	if r.Command.ActionType != 1 {
		return dicomnet.Reply{Status: 0x0123, Comment: "no such action"}, nil
	}
	b, reply, err := identifier(r)
	if err != nil {
		return reply, err
	}
	t, err := parseReport(b, r.Context.TransferSyntax)
	if err != nil || t.transaction == "" || len(t.refs) == 0 {
		return dicomnet.Reply{Status: statusArgument, Comment: "the request cannot be read"}, &Refused{Code: codeBroken, What: "a request for storage commitment of " + who.Bound.Device + " cannot be read, or names nothing"}
	}
	x := &promise{Device: who.Bound.Device, Calling: who.Sender.CallingAE, Called: who.Sender.CalledAE, Transaction: t.transaction, At: c.p.now().UTC(), Refs: t.refs, on: r.Association}
	sum := sha256.Sum256([]byte(x.Device + "\x00" + x.Transaction))
	x.file = filepath.Join(c.dir, hex.EncodeToString(sum[:16])+".json")
	if c.full(x) {
		return dicomnet.Reply{Status: statusResources, Comment: "too many requests are open"}, &Refused{Code: codeOperation, What: "too many requests for storage commitment are open, or too many of " + x.Device,
			Tip: "see which destination does not take its instances: requests stay open until all have them"}
	}
	if err := x.save(c.dir); err != nil {
		return dicomnet.Reply{Status: statusResources, Comment: "the request could not be kept"}, &Refused{Code: codeOperation, What: "a request for storage commitment could not be kept: " + err.Error()}
	}
	return dicomnet.Reply{Sent: func() { // not before it was answered: the report could overtake it
		c.mu.Lock()
		c.open[x.file] = x
		c.mu.Unlock()
		c.wake()
	}}, nil
}

// full reports whether one more request is more than is kept.
func (c *commits) full(x *promise) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	all, own := len(x.Refs), len(x.Refs)
	for _, o := range c.open {
		all += len(o.Refs)
		if o.Device == x.Device {
			own += len(o.Refs)
		}
	}
	return len(c.open) >= maxPromises || all > maxOpen || own > maxOpenOfOne
}

func (c *commits) wake() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// save makes a promise durable.
func (x *promise) save(dir string) error {
	if dir == "" {
		return nil
	}
	b, err := json.Marshal(x)
	if err != nil {
		return err
	}
	return durable.Write(x.file, b)
}

func (c *commits) drop(x *promise) {
	c.mu.Lock()
	delete(c.open, x.file)
	c.mu.Unlock()
	if c.dir == "" {
		return
	}
	if err := os.Remove(x.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.p.log.Warn("a report of storage commitment that was given could not be forgotten; it is given again after a restart", "why", err)
	}
}

// run reports what is decided, until ctx ends.
func (c *commits) run(ctx context.Context) error {
	var reports sync.WaitGroup
	defer reports.Wait()
	places := make(chan struct{}, 4)
	t := time.NewTicker(commitEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		case <-c.kick:
		}
		now := c.p.now()
		c.mu.Lock()
		var due []*promise
		for _, x := range c.open {
			if !x.sent && !now.Before(x.next) {
				due = append(due, x)
			}
		}
		c.mu.Unlock()
		for _, x := range due {
			done, bad, ready := c.judge(ctx, x)
			if !ready {
				// One that has waited long can wait a little longer.
				c.mu.Lock()
				x.next = now.Add(min(max(now.Sub(x.At)/20, commitEvery), commitMost))
				c.mu.Unlock()
				continue
			}
			select {
			case places <- struct{}{}:
			default:
				continue
			}
			c.mu.Lock()
			x.sent = true
			c.mu.Unlock()
			reports.Go(func() {
				defer func() { <-places }()
				c.report(ctx, x, done, bad)
			})
		}
	}
}

// judge says which instances are safe. ready is false while some may still become so.
func (c *commits) judge(ctx context.Context, x *promise) (done []reference, bad []failure, ready bool) {
	late := c.p.now().Sub(x.At) > c.p.cfg.CommitWait
	for _, ref := range x.Refs {
		safe, reason := c.safe(ctx, x.Device, ref)
		switch {
		case safe:
			done = append(done, ref)
		case reason != 0:
			bad = append(bad, failure{ref, reason})
		case late:
			bad = append(bad, failure{ref, reasonNoRoom})
		default:
			return nil, nil, false
		}
	}
	return done, bad, true
}

// safe says whether everybody who must have an instance has it. A reason of 0 means that it may still come to that.
func (c *commits) safe(ctx context.Context, device string, ref reference) (bool, uint16) {
	list, err := c.p.d.Vault.BySOP(ctx, ref.Instance)
	if err != nil {
		return false, 0
	}
	for i := len(list) - 1; i >= 0; i-- {
		r := &list[i]
		if r.Sender.Device != device {
			continue
		}
		if r.SOPClass != ref.Class {
			return false, reasonClass
		}
		if r.Copy != 0 {
			made, err := c.p.d.Vault.Get(ctx, r.Copy)
			if err != nil {
				return false, reasonFault
			}
			r = &made
		}
		return c.everywhere(r)
	}
	return false, reasonNone
}

func (c *commits) everywhere(r *instance.Record) (bool, uint16) {
	switch r.State {
	case instance.Accepted, instance.Released:
	case instance.Quarantined:
		return false, 0
	default:
		return false, reasonFault
	}
	for _, d := range r.Deliveries {
		switch {
		case d.State == instance.Committed, d.State == instance.Delivered && !c.p.d.MustCommit(d.Destination):
		case d.State == instance.Dead, d.State == instance.Dropped:
			return false, reasonFault
		default:
			return false, 0
		}
	}
	return true, 0
}

// report tells the device, on the association that asked or on one of its own.
func (c *commits) report(ctx context.Context, x *promise, done []reference, bad []failure) {
	err := c.tell(ctx, x, done, bad)
	if err == nil {
		c.p.log.Info("storage commitment was reported", "device", x.Device, "instances", len(done), "failed", len(bad))
		c.drop(x)
		return
	}
	if c.p.now().Sub(x.At) > reportsAtAll+c.p.cfg.CommitWait {
		c.p.log.Error("a report of storage commitment was given up", "device", x.Device, "instances", len(done), "failed", len(bad), "why", err)
		c.drop(x)
		return
	}
	c.mu.Lock()
	x.sent, x.on = false, nil
	x.wait = min(max(2*x.wait, reportFirst), reportMost)
	x.next = c.p.now().Add(x.wait)
	wait := x.wait
	c.mu.Unlock()
	if ctx.Err() == nil {
		c.p.log.Warn("a report of storage commitment did not come through; it is tried again", "device", x.Device, "why", err, "again in", wait.String())
	}
}

func (c *commits) tell(ctx context.Context, x *promise, done []reference, bad []failure) error {
	c.mu.Lock()
	on := x.on
	c.mu.Unlock()
	if on != nil && on.Usable() {
		if err := send(ctx, on, x, done, bad); err == nil {
			return nil
		}
	}
	for _, b := range c.p.cfg.Callbacks {
		if b.Device != x.Device {
			continue
		}
		a := &Archive{Name: b.Device, Address: b.Address, CalledAE: b.AE, CallingAE: x.Called, TLS: b.TLS, Device: b.Device}
		d := &dicomnet.Dialer{CallingAE: a.CallingAE, CalledAE: a.CalledAE, Contexts: []dicomnet.Proposal{{AbstractSyntax: dicom.UIDStorageCommitmentPush, TransferSyntaxes: dicomnet.UncompressedSyntaxes(), SCP: true}},
			Timeouts: dicomnet.Timeouts{Connect: c.p.cfg.Timeouts.Connect, Associate: c.p.cfg.Timeouts.Connect, Response: c.p.cfg.Timeouts.Response}}
		if a.TLS {
			d.Handshake = c.p.handshake(a.Device)
		}
		up, err := d.Dial(ctx, a.Address)
		if err != nil {
			return err
		}
		defer func() { _ = up.Release(context.WithoutCancel(ctx)) }()
		return send(ctx, up, x, done, bad)
	}
	return errors.New("its association has ended, and gateway.query.commitment_callbacks does not say where it listens")
}

// send performs the N-EVENT-REPORT: type 1 where everything is safe, 2 where something is not (PS3.4 §J.3.3).
func send(ctx context.Context, a *dicomnet.Association, x *promise, done []reference, bad []failure) error {
	pc, err := a.Info().Select(dicom.UIDStorageCommitmentPush, true)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := writeReport(&b, pc.TransferSyntax, x.Transaction, done, bad); err != nil {
		return err
	}
	kind := uint16(1)
	if len(bad) > 0 {
		kind = 2
	}
	_, err = a.EventReport(ctx, dicomnet.Object{SOPClass: dicom.UIDStorageCommitmentPush, SOPInstance: storageCommitmentInstance, Type: kind, Data: &b}, nil)
	return err
}

// storageCommitmentInstance is the well-known instance of the service (PS3.4 §J.3.5).
const storageCommitmentInstance = "1.2.840.10008.1.20.1.1"
