// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/store"
)

// Config says how the verdicts are kept up to date.
type Config struct {
	Every      time.Duration `yaml:"every" doc:"How often it looks whether devices, knowledge or decisions changed."`
	MaxDevices int           `yaml:"max_devices" doc:"Devices that are judged at most; further ones have no verdict, and the log says so."`
}

// Default holds the documented defaults.
func Default() Config { return Config{Every: 3 * time.Second, MaxDevices: 50_000} }

// Validate implements config.Validator.
func (c Config) Validate() error {
	switch {
	case c.Every < 200*time.Millisecond || c.Every > time.Hour:
		return config.Invalid("every", "3s is usual", "%s is not within 200ms..1h", c.Every)
	case c.MaxDevices < 1 || c.MaxDevices > 1_000_000:
		return config.Invalid("max_devices", "50000 is usual", "%d is not within 1..1000000", c.MaxDevices)
	}
	return nil
}

// Deps is what a Watcher works with. Store is needed.
type Deps struct {
	Store interface {
		store.Devices
		store.Documents
	}
	Dir  string // where knowledge is kept, see Install; "" for the shipped alone
	Log  *slog.Logger
	Now  func() time.Time // nil for time.Now
	Tell func()           // called after verdicts changed; may be nil
}

// Watcher is the room: it compares devices with advisories whenever one of them changed, and
// writes the verdicts of each device as a document. Two Watchers on one store write the
// same.
type Watcher struct {
	cfg     Config
	dep     Deps
	library *Library

	mu      sync.Mutex
	failure error // of the last look; nil when it went well
	looked  bool

	// The rest belongs to Run.
	kept      map[string]kept
	devices   uint64 // revision that was judged
	changed   uint64
	print     string
	installed stamp
	cut       bool // said that there are too many devices
}

// kept is what is stored for a device.
type kept struct {
	body  []byte
	since map[string]since // by advisory
}

type since struct {
	verdict Verdict
	at      int64
}

// New makes a Watcher. It acquires nothing.
func New(cfg Config, dep Deps) (*Watcher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if dep.Store == nil {
		return nil, errors.New("BUG: advisory: the store is missing")
	}
	if dep.Log == nil {
		dep.Log = slog.New(slog.DiscardHandler)
	}
	if dep.Now == nil {
		dep.Now = time.Now
	}
	return &Watcher{cfg: cfg, dep: dep, library: NewLibrary(dep.Store)}, nil
}

// Ready reports whether the verdicts are kept up to date.
func (w *Watcher) Ready(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failure != nil {
		return w.failure
	}
	if !w.looked {
		return errors.New("devices were not compared with advisories yet")
	}
	return nil
}

// Run looks and writes until ctx ends. While the store is away it tries again.
func (w *Watcher) Run(ctx context.Context) error {
	t := time.NewTicker(w.cfg.Every)
	defer t.Stop()
	for {
		err := w.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		w.mu.Lock()
		first := w.failure == nil
		w.failure, w.looked = err, w.looked || err == nil
		w.mu.Unlock()
		if err != nil && first {
			w.dep.Log.Error("devices could not be compared with advisories; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// look judges all devices when something changed since the last time.
func (w *Watcher) look(ctx context.Context) error {
	if err := w.install(ctx); err != nil {
		return err
	}
	shelf, err := w.library.Get(ctx)
	if err != nil {
		return err
	}
	rev, err := w.dep.Store.DevicesRevision(ctx)
	if err != nil {
		return err
	}
	if w.kept != nil && rev == w.devices && shelf.Changed == w.changed && shelf.Print == w.print {
		return nil
	}
	if w.kept == nil {
		if err := w.recall(ctx); err != nil {
			return err
		}
	}
	began := w.dep.Now()
	list, rev, err := w.dep.Store.DeviceList(ctx)
	if err != nil {
		return err
	}
	if len(list) > w.cfg.MaxDevices {
		if !w.cut {
			w.dep.Log.Warn("there are more devices than are compared with advisories", "devices", len(list), "max_devices", w.cfg.MaxDevices)
		}
		w.cut, list = true, list[:w.cfg.MaxDevices]
	}
	writes, total, err := w.judge(shelf, list)
	if err != nil {
		return err
	}
	took := w.dep.Now().Sub(began)
	if err := w.write(ctx, writes, State{At: began.UnixNano(), Knowledge: shelf.Print, Devices: len(list), Matches: total, Millis: took.Milliseconds()}, shelf.Print != w.print); err != nil {
		return err
	}
	w.devices, w.changed, w.print = rev, shelf.Changed, shelf.Print
	if len(writes) > 0 && w.dep.Tell != nil {
		w.dep.Tell()
	}
	return nil
}

// change is the document of one device as it shall be; without a body it goes.
type change struct {
	device string
	kept   kept
}

func (w *Watcher) judge(shelf Shelf, list []device.Device) (out []change, total int, err error) {
	m := NewMatcher(shelf.Base)
	now := w.dep.Now().UnixNano()
	seen := make(map[string]bool, len(list))
	for i := range list {
		d := &list[i]
		seen[d.ID] = true
		found := shelf.Verdicts(m, d)
		was := w.kept[d.ID]
		if len(found) == 0 {
			if was.body != nil {
				out = append(out, change{device: d.ID})
			}
			continue
		}
		total += len(found)
		k := kept{since: make(map[string]since, len(found))}
		for j := range found {
			x := &found[j]
			x.Since = now
			if s, ok := was.since[x.Advisory]; ok && s.verdict == x.Verdict {
				x.Since = s.at
			}
			k.since[x.Advisory] = since{x.Verdict, x.Since}
		}
		if k.body, err = json.Marshal(Matches{Knowledge: shelf.Print, Matches: found}); err != nil {
			return nil, 0, err
		}
		if !bytes.Equal(k.body, was.body) {
			out = append(out, change{d.ID, k})
		}
	}
	for id := range w.kept {
		if !seen[id] {
			out = append(out, change{device: id})
		}
	}
	slices.SortFunc(out, func(a, b change) int { return bytes.Compare([]byte(a.device), []byte(b.device)) })
	return out, total, nil
}

// Verdicts returns all verdicts of a device: of advisories, of its components, and those
// that its SBOMs state themselves. Since is not set.
func (s Shelf) Verdicts(m *Matcher, d *device.Device) []Match {
	var parts []Part
	var stated []Match
	if len(s.Imports) > 0 {
		parts, stated = s.PartsOf(d.Vendor, d.Model, d.ID, d.Aliases), s.Stated(d)
	}
	out := m.Device(d, parts...)
	if len(stated) > 0 {
		out = append(out, stated...)
		sortMatches(out)
	}
	return out
}

// write commits changes a few hundred at a time, and at the end what the pass found.
func (w *Watcher) write(ctx context.Context, l []change, state State, always bool) error {
	if len(l) == 0 && !always {
		return nil
	}
	const most = 500
	for len(l) > 0 {
		n := min(most, len(l))
		writes := make([]store.Write, 0, n)
		for _, c := range l[:n] {
			writes = append(writes, store.Write{Kind: KindMatch, ID: c.device, Expect: store.AnyRevision, Body: c.kept.body, Delete: c.kept.body == nil})
		}
		if err := w.dep.Store.Commit(ctx, writes); err != nil {
			return err
		}
		for _, c := range l[:n] {
			if c.kept.body == nil {
				delete(w.kept, c.device)
			} else {
				w.kept[c.device] = c.kept
			}
		}
		l = l[n:]
	}
	body, err := json.Marshal(state)
	if err != nil {
		return err
	}
	return w.dep.Store.Commit(ctx, []store.Write{{Kind: KindKnowledge, ID: IDState, Expect: store.AnyRevision, Body: body}})
}

// recall reads what is stored from before, so that it stays known since when a verdict is.
func (w *Watcher) recall(ctx context.Context) error {
	out := map[string]kept{}
	err := eachDocument(ctx, w.dep.Store, KindMatch, 4*w.cfg.MaxDevices, func(d store.Document) error {
		k := kept{body: d.Body, since: map[string]since{}}
		var m Matches
		if err := json.Unmarshal(d.Body, &m); err == nil { // what cannot be read is written anew
			for _, x := range m.Matches {
				k.since[x.Advisory] = since{x.Verdict, x.Since}
			}
		}
		out[d.ID] = k
		return nil
	})
	if err == nil {
		w.kept = out
	}
	return err
}
