// SPDX-License-Identifier: Apache-2.0

// Package steertest is a gateway to look at: a Steer over a Vault in memory, a real
// content firewall, real bindings and a real ledger, and a forwarder that sends nothing. It
// is for tests of what shows and steers gateways. Its hospital and its patients are
// fictional.
package steertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/firewall"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/steer"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Options say what a Gateway is made of.
type Options struct {
	Name   string // "" for gateway-or-3
	Dir    string // where policy and bindings are written; needed
	Ledger steer.Ledger
	Vault  steer.Vault // nil: one in memory
	Now    func() time.Time
	Log    *slog.Logger
}

// Steered is a Control that tells of changes.
type Steered interface {
	control.Control
	control.Changing
}

// Gateway is a Steer with what is behind it.
type Gateway struct {
	Steered
	Vault   steer.Vault
	Forward *Forward
	Wall    *firewall.File
	Book    *binding.File
	Live    *steer.Live
	Rooms   *Steps
	ledger  steer.Ledger
	name    string
	now     func() time.Time
}

// Open makes one without any instance.
func Open(o Options) (*Gateway, error) {
	if o.Name == "" {
		o.Name = "gateway-or-3"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &Gateway{Vault: o.Vault, Forward: NewForward(), Live: steer.NewLive(o.Now), Rooms: NewSteps(o.Now), ledger: o.Ledger, name: o.Name, now: o.Now}
	if g.Vault == nil {
		g.Vault = NewVault()
	}
	g.Forward.vault = g.Vault
	var err error
	if g.Wall, err = firewall.Open(filepath.Join(o.Dir, "policy.yaml"), firewall.Deps{}, o.Log, o.Now); err != nil {
		return nil, err
	}
	file := filepath.Join(o.Dir, "bindings.yaml")
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(file, binding.Format(bindings()), 0o600); err != nil {
			return nil, err
		}
	}
	if g.Book, err = binding.Open(file, o.Log); err != nil {
		return nil, err
	}
	g.Steered, err = steer.New(steer.Deps{
		Name: o.Name, Site: "site", Vault: g.Vault, Forward: g.Forward, Firewall: g.Wall, Bindings: g.Book, Ledger: o.Ledger, Steps: g.Rooms, Live: g.Live, Log: o.Log, Now: o.Now,
		Fill: fill, Software: "asepsis/gateway test",
	})
	return g, err
}

func bindings() []control.Binding {
	return []control.Binding{
		{Device: "dev-ct", Name: "CT of theatre 3", CallingAE: []string{"CT_OR3"}, Operations: []string{"echo", "store", "commitment"}, Theatre: "OR-3", OnRevocation: "finish"},
		{Device: "dev-us", Name: "Ultrasound", Plain: true, CallingAE: []string{"US_OLD"}, Addresses: []string{"192.0.2.44"}, Operations: []string{"echo", "store"}, Theatre: "OR-3", OnRevocation: "cut"},
	}
}

// fill is what the other parts of a gateway would tell.
func fill(o *control.Overview) {
	o.Listeners = []control.Listener{
		{Name: "dicom", Kind: "dicom-tls", Address: "127.0.0.1:2762", State: "open"},
		{Name: "old", Kind: "dicom-plain", Address: "127.0.0.1:11112", State: "open", Plain: 1},
	}
	o.Disk = control.Disk{Used: 3 << 30, Free: 200 << 30, Warn: 20 << 30, Stop: 5 << 30, State: "ok"}
	o.Trust, o.Audit = control.Dependency{State: "ok"}, control.Dependency{State: "degraded", Why: "the receiver answers slowly", Lag: 12}
	o.Routes = []control.RouteState{{Name: "to-xr", Match: "CT and MR of OR-3", Destinations: []string{"xr-3", "archive"}, Fail: "closed", State: "ok"}}
}

// Forward is a forwarder that has destinations and sends nothing.
type Forward struct {
	mu    sync.Mutex
	list  []control.Destination
	Woken int
	// Nowhere makes Route find no destination.
	Nowhere bool
	vault   instance.Vault
	stuck   map[string][]uint64
}

// NewForward has two destinations.
func NewForward() *Forward {
	return &Forward{list: []control.Destination{
		{Name: "xr-3", Kind: "dimse", Address: "127.0.0.1:4242", CalledAE: "XR3", CallingAE: "ASEPSIS", TLS: true, Deid: "xr", Theatre: "OR-3", State: "idle", Sent: 42, Commitment: "off"},
		{Name: "archive", Kind: "stow", Address: "https://archive.example/dicomweb", TLS: true, State: "backing-off", Waiting: 2, Bytes: 1 << 20, Dead: 1, Why: "connection refused", Commitment: "waiting", CommitmentWaiting: 2},
	}}
}

// Destinations implements steer.Forward.
func (f *Forward) Destinations() []control.Destination {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.list)
}

// Steer implements steer.Forward.
func (f *Forward) Steer(name, action string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.list {
		if f.list[i].Name == name {
			f.list[i].State = map[string]string{"pause": "paused", "resume": "idle", "retry": "sending"}[action]
			return nil
		}
	}
	return errors.New("no such destination")
}

// Strand has the deliveries of instances given up by a destination that is there, or waiting for one that is gone.
func (f *Forward) Strand(ctx context.Context, name string, numbers ...uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.list, func(d control.Destination) bool { return d.Name == name })
	if i < 0 {
		i = len(f.list)
		f.list = append(f.list, control.Destination{Name: name, State: control.Gone, Commitment: "off", Why: "it is not configured any more"})
	}
	state := instance.Dead
	if f.list[i].State == control.Gone {
		state = instance.Waiting
		f.list[i].Waiting += len(numbers)
	} else {
		f.list[i].Dead += len(numbers)
	}
	for _, n := range numbers {
		if _, err := f.vault.Change(ctx, n, func(r *instance.Record) error {
			r.Deliveries = []instance.Delivery{{Destination: name, Route: "to-xr", State: state, Why: "connection refused"}}
			return nil
		}); err != nil {
			return err
		}
	}
	if f.stuck == nil {
		f.stuck = map[string][]uint64{}
	}
	f.stuck[name] = append(f.stuck[name], numbers...)
	return nil
}

// Stuck implements steer.Forward.
func (f *Forward) Stuck(name string) []uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.stuck[name])
}

// Drop implements steer.Forward.
func (f *Forward) Drop(ctx context.Context, name string, numbers []uint64, e *instance.Entry) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	done := 0
	for _, n := range numbers {
		if _, err := f.vault.Change(ctx, n, func(r *instance.Record) error {
			for i := range r.Deliveries {
				if r.Deliveries[i].Destination == name {
					r.Deliveries[i].State = instance.Dropped
				}
			}
			if e != nil {
				r.Entries = append(r.Entries, *e)
			}
			return nil
		}); err != nil {
			return done, err
		}
		f.stuck[name] = slices.DeleteFunc(f.stuck[name], func(m uint64) bool { return m == n })
		done++
	}
	for i := range f.list {
		if d := &f.list[i]; d.Name == name && d.State != control.Gone {
			d.Dead -= done
		} else if d.Name == name {
			d.Waiting -= done
		}
	}
	f.list = slices.DeleteFunc(f.list, func(d control.Destination) bool { return d.State == control.Gone && d.Waiting == 0 })
	return done, nil
}

// Echo implements steer.Forward.
func (f *Forward) Echo(_ context.Context, name string) control.Echo {
	if name == "archive" {
		return control.Echo{Steps: []control.Step{{Name: "connect", Detail: "connection refused"}}, What: "archive.example does not answer", Hint: "see that it runs"}
	}
	return control.Echo{OK: true, Milliseconds: 12, Steps: []control.Step{{Name: "connect", OK: true, Milliseconds: 1}, {Name: "tls", OK: true, Milliseconds: 6, Detail: "TLSv1.3"}, {Name: "associate", OK: true, Milliseconds: 3}, {Name: "echo", OK: true, Milliseconds: 2}}}
}

// Route implements steer.Forward.
func (f *Forward) Route(instance.Record, instance.Arrival, instance.Header) []instance.Delivery {
	if f.Nowhere {
		return nil
	}
	return []instance.Delivery{{Destination: "xr-3", Route: "to-xr", State: instance.Waiting}}
}

// Wake implements steer.Forward.
func (f *Forward) Wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Woken++
}

// Put has an instance brought: it is inspected, kept as the verdict says, and its
// statements are in the ledger. change changes the record before.
func (g *Gateway) Put(ctx context.Context, data []byte, change func(*instance.Record)) (instance.Record, error) {
	sum := sha256.Sum256(data)
	r := instance.Record{
		State: instance.Accepted, Received: g.now().UTC(), TransferSyntax: "1.2.840.10008.1.2.1", DataSet: hex.EncodeToString(sum[:]), Policy: g.Wall.Policy(),
		Sender: instance.Sender{Way: instance.DIMSE, Device: "dev-ct", CallingAE: "CT_OR3", CalledAE: "ASEPSIS", Address: "192.0.2.33", TLS: "TLSv1.3", Association: "a1", Binding: "dev-ct", Theatre: "OR-3"},
	}
	x := g.Wall.Begin(instance.Arrival{Sender: r.Sender, At: r.Received, SOPClass: ClassCT, SOPInstance: sopOf(data), TransferSyntax: r.TransferSyntax})
	_, _ = x.Write(data)
	res := x.Finish()
	h := &res.Header
	r.SOPClass, r.SOPInstance, r.Study, r.Series, r.Modality = h.SOPClass, h.SOPInstance, h.Study, h.Series, h.Modality
	r.Verdict, r.Hits = res.Verdict, res.Hits
	switch r.Verdict {
	case instance.Quarantine, instance.Sanitise:
		r.State = instance.Quarantined
	case instance.Refuse:
		r.State = instance.Refused
	case instance.Pass, instance.Flag:
		r.Deliveries = g.Forward.Route(r, instance.Arrival{}, *h)
	}
	if change != nil {
		change(&r)
	}
	d, err := g.Vault.Create(ctx)
	if err != nil {
		return r, err
	}
	if _, err := io.Copy(d, bytes.NewReader(data)); err != nil {
		return r, err
	}
	r.Number = d.Number()
	if g.ledger != nil {
		kind, detail := custody.Received, map[string]any{"protocol": "dicom", "media_type": "application/dicom", "from": r.Sender.CallingAE}
		if r.State == instance.Refused {
			kind, detail = custody.Decision, map[string]any{"what": "dicom-store", "outcome": "denied"}
		}
		if err := g.tell(ctx, &r, kind, detail, ""); err != nil {
			return r, err
		}
		if r.State == instance.Quarantined {
			if err := g.tell(ctx, &r, custody.Decision, map[string]any{"what": "dicom-store", "outcome": "quarantined"}, ""); err != nil {
				return r, err
			}
		}
	}
	g.Live.Instance(instance.Arrival{}, instance.Outcome{Record: r})
	return d.Seal(ctx, r)
}

// tell puts a statement about an instance into the ledger.
func (g *Gateway) tell(ctx context.Context, r *instance.Record, kind custody.Kind, detail map[string]any, to string) error {
	sum, err := hex.DecodeString(r.DataSet)
	if err != nil {
		return err
	}
	st := custody.New(kind, fmt.Sprintf("%s/%d/%s/%s", g.name, r.Number, kind, to), g.now().UTC(), custody.SHA256("data-set", [32]byte(sum)))
	st.Predicate.Actor, st.Predicate.Device, st.Predicate.Theatre, st.Predicate.Detail = custody.Actor{Software: "asepsis/gateway"}, r.Sender.Device, r.Sender.Theatre, detail
	if kind == custody.Forwarded {
		st.Predicate.Device = ""
	}
	e, err := g.ledger.Record(ctx, st)
	if err != nil {
		return err
	}
	r.Entries = append(r.Entries, instance.Entry{Index: e.Index, Kind: string(kind), At: e.Recorded.UTC(), Destination: to})
	return nil
}

// Deliver has an instance taken by its destinations, bit for bit.
func (g *Gateway) Deliver(ctx context.Context, number uint64) (instance.Record, error) {
	r, err := g.Vault.Get(ctx, number)
	if err != nil {
		return r, err
	}
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		d.State, d.Attempts, d.At, d.Forwarded, d.SOPInstance = instance.Delivered, d.Attempts+1, g.now().UTC(), r.DataSet, r.SOPInstance
		if g.ledger != nil {
			if err := g.tell(ctx, &r, custody.Forwarded, map[string]any{"protocol": "dicom", "to": d.Destination}, d.Destination); err != nil {
				return r, err
			}
		}
		g.Live.Forwarded(r.Bytes)
	}
	return g.Vault.Change(ctx, number, func(x *instance.Record) error {
		x.Deliveries, x.Entries = r.Deliveries, r.Entries
		return nil
	})
}

// ClassCT is the SOP class of what Image makes.
const ClassCT = "1.2.840.10008.5.1.4.1.1.2"

// Image makes a small CT image of a fictional patient, in explicit little endian. comment
// stands where a technician writes.
func Image(study, number int, comment string) []byte {
	var b bytes.Buffer
	syntax, _ := dicom.SyntaxOf("1.2.840.10008.1.2.1")
	w := dicom.NewWriter(&b, syntax)
	uid := func(parts ...int) string {
		s := "1.2.826.0.1.3680043.10.1"
		for _, p := range parts {
			s += fmt.Sprintf(".%d", p)
		}
		return s
	}
	w.Text(dicom.MakeTag(8, 0x16), dicom.UI, ClassCT)
	w.Text(dicom.MakeTag(8, 0x18), dicom.UI, uid(study, 1, number))
	w.Text(dicom.MakeTag(8, 0x20), dicom.DA, "20261122")
	w.Text(dicom.MakeTag(8, 0x30), dicom.TM, "081500")
	w.Text(dicom.MakeTag(8, 0x50), dicom.SH, "ACC-77")
	w.Text(dicom.MakeTag(8, 0x60), dicom.CS, "CT")
	w.Text(dicom.MakeTag(8, 0x70), dicom.LO, "Example Imaging")
	w.Text(dicom.MakeTag(8, 0x90), dicom.PN, "")
	w.Text(dicom.MakeTag(0x10, 0x10), dicom.PN, "Example^Ada")
	w.Text(dicom.MakeTag(0x10, 0x20), dicom.LO, "PID-4711")
	w.Text(dicom.MakeTag(0x10, 0x30), dicom.DA, "19700101")
	w.Text(dicom.MakeTag(0x10, 0x40), dicom.CS, "O")
	if comment != "" {
		w.Text(dicom.MakeTag(0x10, 0x4000), dicom.LT, comment)
	}
	w.Text(dicom.MakeTag(0x18, 0x50), dicom.DS, "1.0")
	w.Text(dicom.MakeTag(0x20, 0xD), dicom.UI, uid(study))
	w.Text(dicom.MakeTag(0x20, 0xE), dicom.UI, uid(study, 1))
	w.Text(dicom.MakeTag(0x20, 0x10), dicom.SH, "1")
	w.Text(dicom.MakeTag(0x20, 0x11), dicom.IS, "1")
	w.Text(dicom.MakeTag(0x20, 0x13), dicom.IS, fmt.Sprint(number))
	w.Uint16(dicom.MakeTag(0x28, 2), dicom.US, 1)
	w.Text(dicom.MakeTag(0x28, 4), dicom.CS, "MONOCHROME2")
	w.Uint16(dicom.MakeTag(0x28, 0x10), dicom.US, 8)
	w.Uint16(dicom.MakeTag(0x28, 0x11), dicom.US, 8)
	w.Uint16(dicom.MakeTag(0x28, 0x100), dicom.US, 16)
	w.Uint16(dicom.MakeTag(0x28, 0x101), dicom.US, 12)
	w.Uint16(dicom.MakeTag(0x28, 0x102), dicom.US, 11)
	w.Uint16(dicom.MakeTag(0x28, 0x103), dicom.US, 0)
	w.Bytes(dicom.TagPixelData, dicom.OW, make([]byte, 128))
	if err := w.Close(); err != nil {
		panic("BUG: the sample cannot be written: " + err.Error())
	}
	return b.Bytes()
}

// Script is a comment that the default policy holds in quarantine or sanitises.
const Script = `<script>alert("inert")</script>`

// sopOf finds the SOP instance UID of what Image made.
func sopOf(data []byte) string {
	syntax, _ := dicom.SyntaxOf("1.2.840.10008.1.2.1")
	r := dicom.NewReader(bytes.NewReader(data), syntax, dicom.DefaultLimits())
	for {
		t, err := r.Next()
		if err != nil {
			return ""
		}
		if t.Kind == dicom.Element && t.Tag == dicom.MakeTag(8, 0x18) {
			v, _ := r.Value(64)
			return dicom.TrimString(v)
		}
	}
}
