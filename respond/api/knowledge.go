// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/recorder"
)

// Kinds of documents that the API writes itself.
const (
	kindTheatre  = recorder.TheatreKind
	kindFinding  = "finding"
	kindSettings = recorder.SettingsKind
	kindView     = "view"
	idSite       = recorder.SettingsID
)

// Bounds of what is kept in memory.
const (
	maxTheatres = 1000
	maxFindings = 20_000
	pageOfDocs  = 1000
)

const (
	lookEvery   = time.Second     // how often revisions are looked at
	documentsIn = 5 * time.Second // how old theatres, findings and settings may be when no notice came
	staleAfter  = 3 * time.Second // from when on a request looks for itself
)

// world is what is known at one moment: devices, rooms, findings and settings, with
// what follows from them. It never changes after it was made.
type world struct {
	revision  uint64 // of the devices
	findRev   uint64 // changes with the findings
	devices   []device.Device
	rows      []DeviceRow
	index     map[string]int // device by ID and by former ID
	findings  []Finding      // that need somebody now: not closed, hidden or put off
	all       []Finding      // the others too
	theatres  []Theatre
	settings  Settings
	zone      *time.Location
	byPerson  map[string][]string // attributes that people set, by device; as far as devices do not say themselves
	roomNames map[string]string
	sites     []recorder.Site // of which there are events, by name

	partMu sync.Mutex
	parts  map[string]*world // of one site alone, by its name

	validUntil time.Time // when a certificate in the rows expires or is about to, zero for never

	once         sync.Once
	body, packed []byte // the whole device list
}

// deviceName returns what people call a device, "" when it is none of the inventory.
func (w *world) deviceName(id string) string {
	if i, ok := w.index[id]; ok && id != "" {
		return w.rows[i].Name
	}
	return ""
}

func (w *world) row(id string) (DeviceRow, bool) {
	i, ok := w.index[id]
	if !ok {
		return DeviceRow{}, false
	}
	return w.rows[i], true
}

func (w *world) theatre(id string) (Theatre, bool) {
	for _, t := range w.theatres {
		if t.ID == id {
			return t, true
		}
	}
	return Theatre{}, false
}

// knowledge keeps the world up to date. What is read again is decided by
// revisions and notices; reading costs at most a fifth of the time.
type knowledge struct {
	store store.Store
	now   func() time.Time
	log   *slog.Logger

	alerts *alert.Index
	loaded time.Time // when all alerts were read; under mu

	edits   func(context.Context) ([]inventory.Edit, error) // these are set once, before use
	changes func(what string, revision uint64)
	wake    chan struct{} // capacity 1

	mu        sync.Mutex // held while reading: one reader at a time
	cur       *world
	looked    time.Time // when revisions were last looked at
	docsRead  time.Time
	devsUntil time.Time // devices are not read again before
	editsRead time.Time
	failing   bool

	flagMu sync.Mutex
	dirty  bool // something changed that must be seen by the next request
	hint   bool // a notice said that documents changed
}

func newKnowledge(st store.Store, now func() time.Time, log *slog.Logger) *knowledge {
	return &knowledge{store: st, now: now, log: log, wake: make(chan struct{}, 1), alerts: alert.NewIndex(st)}
}

// changed makes the next request see what was just written.
func (k *knowledge) changed() {
	k.flagMu.Lock()
	defer k.flagMu.Unlock()
	k.dirty = true
}

// noticed makes run look now, at documents too when they changed.
func (k *knowledge) noticed(documents bool) {
	k.flagMu.Lock()
	k.hint = k.hint || documents
	k.flagMu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *knowledge) isDirty() bool {
	k.flagMu.Lock()
	defer k.flagMu.Unlock()
	return k.dirty
}

func (k *knowledge) takeFlags() (dirty, hint bool) {
	k.flagMu.Lock()
	defer k.flagMu.Unlock()
	dirty, hint = k.dirty, k.hint
	k.dirty, k.hint = false, false
	return dirty, hint
}

// run looks for changes until ctx ends.
func (k *knowledge) run(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		inner, cancel := context.WithTimeout(ctx, 20*time.Second)
		if _, err := k.look(inner, true); err != nil && ctx.Err() == nil {
			k.say(err)
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-k.wake:
		}
	}
}

// say logs that the store cannot be read once, until it can again.
func (k *knowledge) say(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.failing {
		k.failing = true
		k.log.Error("the store cannot be read; lists show what was known before", "error", err)
	}
}

// get returns the world, at most staleAfter old, and no older than what this process
// wrote. While the store is away it is what was known before.
func (k *knowledge) get(ctx context.Context) (*world, error) {
	if !k.isDirty() && k.mu.TryLock() {
		w, age := k.cur, k.now().Sub(k.looked)
		k.mu.Unlock()
		if w != nil && age >= 0 && age < staleAfter {
			return w, nil
		}
	}
	return k.look(ctx, false)
}

// look reads what changed.
func (k *knowledge) look(ctx context.Context, force bool) (*world, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	age := now.Sub(k.looked)
	if k.cur != nil && !force && !k.isDirty() && age >= 0 && age < staleAfter {
		return k.cur, nil // somebody else just looked
	}
	dirty, hint := k.takeFlags()
	w, err := k.read(ctx, dirty, hint)
	if err != nil {
		if dirty {
			k.changed()
		}
		if k.cur != nil && !dirty && ctx.Err() == nil {
			k.looked = now // do not let every request wait for a store that is away
			return k.cur, nil
		}
		return nil, err
	}
	if k.failing {
		k.failing = false
		k.log.Info("the store can be read again")
	}
	was := k.cur
	k.cur, k.looked = w, now
	if was != nil && was != w && k.changes != nil {
		if was.revision != w.revision || !was.validUntil.Equal(w.validUntil) {
			k.changes("devices", w.revision)
		}
		if was.findRev != w.findRev {
			k.changes("findings", w.findRev)
		}
		if was.settings != w.settings {
			k.changes("settings", w.settings.Revision)
		}
		if !sameTheatres(was, w) {
			k.changes("theatres", 0)
		}
	}
	return w, nil
}

func (k *knowledge) read(ctx context.Context, dirty, hint bool) (*world, error) {
	now := k.now()
	next := world{}
	if k.cur != nil {
		next = world{revision: k.cur.revision, findRev: k.cur.findRev, devices: k.cur.devices, rows: k.cur.rows, index: k.cur.index, findings: k.cur.findings, all: k.cur.all,
			theatres: k.cur.theatres, settings: k.cur.settings, zone: k.cur.zone, byPerson: k.cur.byPerson, roomNames: k.cur.roomNames, sites: k.cur.sites, validUntil: k.cur.validUntil}
	}
	docs, devs := false, false
	if k.cur == nil || dirty || hint || now.Sub(k.docsRead) >= documentsIn || now.Before(k.docsRead) {
		was := next.findRev
		if err := k.readDocuments(ctx, &next); err != nil {
			return nil, err
		}
		k.docsRead = now
		docs = k.cur == nil || next.findRev != was || !sameTheatres(k.cur, &next) || !sameSites(k.cur.sites, next.sites)
	}
	if k.cur == nil || dirty || !now.Before(k.devsUntil) || now.Add(time.Minute).Before(k.devsUntil) {
		rev, err := k.store.DevicesRevision(ctx)
		if err != nil {
			return nil, err
		}
		if k.cur == nil || rev != next.revision {
			began := time.Now()
			if next.devices, next.revision, err = k.store.DeviceList(ctx); err != nil {
				return nil, err
			}
			k.devsUntil = now.Add(min(max(5*time.Since(began), lookEvery), 15*time.Second))
			devs = true
		}
	}
	if k.edits != nil && (dirty || now.Sub(k.editsRead) >= time.Minute || now.Before(k.editsRead)) {
		k.editsRead = now
		if l, err := k.edits(ctx); err == nil { // without them, what people set is shown but not marked
			next.byPerson = setByPeople(l)
			devs = true
		}
	}
	turned := !next.validUntil.IsZero() && !now.Before(next.validUntil)
	if !devs && !docs && !turned {
		if k.cur != nil && sameDocuments(k.cur, &next) {
			return k.cur, nil
		}
	} else {
		next.index = make(map[string]int, len(next.devices))
		for i := range next.devices {
			for _, a := range next.devices[i].Aliases {
				next.index[a] = i
			}
		}
		for i := range next.devices {
			next.index[next.devices[i].ID] = i
		}
		next.rows = k.rows(&next, now)
		next.validUntil = nextValidity(next.devices, now)
		nameFindings(&next, now.UnixNano())
		countFindings(&next)
	}
	return &next, nil
}

func sameDocuments(a, b *world) bool {
	return a.findRev == b.findRev && a.settings == b.settings && sameTheatres(a, b) && sameSites(a.sites, b.sites)
}

func sameTheatres(a, b *world) bool {
	return slices.EqualFunc(a.theatres, b.theatres, func(x, y Theatre) bool { return x.ID == y.ID && x.Revision == y.Revision })
}

// rows makes the rows of all devices.
func (k *knowledge) rows(w *world, now time.Time) []DeviceRow {
	rows := make([]DeviceRow, len(w.devices))
	for i := range w.devices {
		d := &w.devices[i]
		rows[i] = rowOf(d, w.byPerson[d.ID], now)
	}
	return rows
}

// countFindings says of each device how many findings it has that need somebody.
func countFindings(w *world) {
	count := map[string]int{}
	worst := map[string]Severity{}
	for _, f := range w.findings {
		for _, d := range f.Devices {
			count[d.ID]++
			worst[d.ID] = max(worst[d.ID], f.Severity)
		}
	}
	for i := range w.rows {
		w.rows[i].Findings, w.rows[i].Worst = count[w.rows[i].ID], worst[w.rows[i].ID]
	}
}

// documents reads all documents of a kind, at most most.
func documents(ctx context.Context, st store.Documents, kind string, most int) ([]store.Document, error) {
	var out []store.Document
	for after := ""; len(out) < most; {
		l, err := st.DocumentsOf(ctx, kind, after, min(pageOfDocs, most-len(out)))
		if err != nil {
			return nil, err
		}
		if len(l) == 0 {
			break
		}
		out, after = append(out, l...), l[len(l)-1].ID
	}
	return out, nil
}

func (k *knowledge) readDocuments(ctx context.Context, w *world) error {
	docs, err := documents(ctx, k.store, kindTheatre, maxTheatres)
	if err != nil {
		return err
	}
	w.theatres, w.roomNames = make([]Theatre, 0, len(docs)), map[string]string{}
	for _, d := range docs {
		t, err := theatreOf(d)
		if err != nil {
			k.log.Error("a theatre cannot be read and is left out", "theatre", d.ID, "error", err)
			continue
		}
		w.theatres = append(w.theatres, t)
		w.roomNames[t.ID] = t.Name
	}
	slices.SortStableFunc(w.theatres, func(a, b Theatre) int { return cmp.Or(a.Order-b.Order, cmp.Compare(a.ID, b.ID)) })

	if err := k.readSites(ctx, w); err != nil {
		return err
	}
	if err := k.readFindings(ctx, w); err != nil {
		return err
	}
	w.settings, err = readSettings(ctx, k.store)
	if err != nil {
		return err
	}
	if w.zone, err = time.LoadLocation(w.settings.Site.Timezone); err != nil {
		w.zone = time.UTC
	}
	return nil
}

// readSettings returns the site's settings, the defaults when nobody set any.
func readSettings(ctx context.Context, st store.Documents) (Settings, error) {
	d, err := st.Document(ctx, kindSettings, idSite)
	if errors.Is(err, store.ErrNotFound) {
		return DefaultSettings(), nil
	}
	if err != nil {
		return Settings{}, err
	}
	s := DefaultSettings()
	if err := json.Unmarshal(d.Body, &s); err != nil {
		return Settings{}, err
	}
	s.Revision = d.Revision
	return s, nil
}

// setByPeople says which attributes of which device people set and nobody gave
// back.
func setByPeople(l []inventory.Edit) map[string][]string {
	out := map[string][]string{}
	for _, e := range l {
		if e.UndoneBy != "" {
			continue
		}
		switch e.Kind {
		case inventory.EditName, inventory.EditTheatre, inventory.EditVendor, inventory.EditModel, inventory.EditClass, inventory.EditCriticality:
		default:
			continue
		}
		kind := string(e.Kind)
		at := slices.Index(out[e.Device], kind)
		switch {
		case e.Value != "" && at < 0:
			out[e.Device] = append(out[e.Device], kind)
		case e.Value == "" && at >= 0:
			out[e.Device] = slices.Delete(out[e.Device], at, at+1)
		}
	}
	return out
}
