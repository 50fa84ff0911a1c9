// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/inventory"
)

// SiteKind is the kind of the documents that say of which sites there are events
// here, by the site's name. There is one even where there is only this site.
const SiteKind = "site"

// Site is such a document.
type Site struct {
	Name string `json:"name"`
	Own  bool   `json:"own,omitempty"` // this recorder's bus is the site's own
	// Sensors are the names under which its events are filed, see record.SensorAt.
	Sensors []string `json:"sensors"`
}

// MaxSensors is how many sensors of a site can be told from those of others: as many
// values as a term of a query may have. Events of further ones are kept and found,
// but not by their site.
const MaxSensors = 100

// sites are the inventories of a recorder: one for what was seen here, and, at a hub,
// one for each site whose events it takes over. Private addresses and group MACs
// are the same in many hospitals, so that what was seen at one says nothing about
// another. A device of another site has the ID that it has there, a point, and the
// site's name. It may be used by several goroutines.
type sites struct {
	fresh func() (*inventory.Inventory, error)

	mu   sync.RWMutex
	list []*siteInventory // the first is this site's; the others as they came
}

type siteInventory struct {
	name string // "" for this site
	inv  *inventory.Inventory
}

func newSites(fresh func() (*inventory.Inventory, error)) (*sites, error) {
	inv, err := fresh()
	if err != nil {
		return nil, err
	}
	return &sites{fresh: fresh, list: []*siteInventory{{inv: inv}}}, nil
}

// all returns the inventories as they are now.
func (s *sites) all() []*siteInventory {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.list
}

// at returns the inventory of a site, a new one where nothing was seen there before.
func (s *sites) at(name string) (*inventory.Inventory, error) {
	for _, x := range s.all() {
		if x.name == name {
			return x.inv, nil
		}
	}
	inv, err := s.fresh()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(slices.Clone(s.list), &siteInventory{name, inv})
	return inv, nil
}

// split parts the ID of a device into what its site calls it and the site.
func split(id string) (local, site string) {
	local, site, _ = strings.Cut(id, ".")
	return local, site
}

func join(local, site string) string {
	if site == "" || local == "" {
		return local
	}
	return local + "." + site
}

// of returns the inventory that a device is in and its ID there; an empty one for
// what is nowhere.
func (s *sites) of(id string) (*inventory.Inventory, string, error) {
	local, site := split(id)
	for _, x := range s.all() {
		if x.name == site {
			return x.inv, local, nil
		}
	}
	return nil, "", fmt.Errorf("%w: %s", inventory.ErrNotFound, id)
}

// Devices returns the devices of all sites.
func (s *sites) Devices() []device.Device {
	var out []device.Device
	for _, x := range s.all() {
		devs := x.inv.Devices()
		for i := range devs {
			x.abroad(&devs[i])
		}
		out = append(out, devs...)
	}
	return out
}

// abroad writes into a device where it is.
func (x *siteInventory) abroad(d *device.Device) {
	if x.name == "" {
		return
	}
	d.Site, d.ID, d.Via = x.name, join(d.ID, x.name), join(d.Via, x.name)
	aliases := make([]string, len(d.Aliases))
	for i, a := range d.Aliases {
		aliases[i] = join(a, x.name)
	}
	d.Aliases = aliases
}

// Device returns one device.
func (s *sites) Device(id string) (device.Device, bool) {
	inv, local, err := s.of(id)
	if err != nil {
		return device.Device{}, false
	}
	d, ok := inv.Device(local)
	if _, site := split(id); ok {
		(&siteInventory{name: site}).abroad(&d)
	}
	return d, ok
}

// Numbers of edits are a site's own. Those of other sites get room above them; the
// place of a site in the list stays as it is.
const editsOfSite = 1 << 40

func (s *sites) abroadEdit(n int, e inventory.Edit) inventory.Edit {
	if n > 0 {
		site := s.all()[n].name
		e.Seq += uint64(n) * editsOfSite
		e.Device = join(e.Device, site)
		if e.Kind == inventory.EditMerge {
			e.Value = join(e.Value, site)
		}
	}
	return e
}

// Edits returns the edits of a device, or of all, in the order of their time.
func (s *sites) Edits(id string) []inventory.Edit {
	var out []inventory.Edit
	local, site := split(id)
	for n, x := range s.all() {
		if id != "" && x.name != site {
			continue
		}
		for _, e := range x.inv.Edits(local) {
			out = append(out, s.abroadEdit(n, e))
		}
	}
	slices.SortStableFunc(out, func(a, b inventory.Edit) int { return int(min(max(a.At-b.At, -1), 1)) })
	return out
}

// edit makes a change in the inventory of a device and returns it as recorded there.
func (s *sites) edit(id string, change func(inv *inventory.Inventory, local string) error) (inventory.Edit, error) {
	inv, local, err := s.of(id)
	if err != nil {
		return inventory.Edit{}, err
	}
	if err := change(inv, local); err != nil {
		return inventory.Edit{}, err
	}
	all := inv.Edits("")
	if len(all) == 0 {
		return inventory.Edit{}, fmt.Errorf("BUG: recorder: an edit left no record")
	}
	_, site := split(id)
	return s.abroadEdit(slices.IndexFunc(s.all(), func(x *siteInventory) bool { return x.name == site }), all[len(all)-1]), nil
}

// make makes an edit that a person asked for.
func (s *sites) make(q EditRequest, value string, by inventory.By) (inventory.Edit, error) {
	kind := inventory.EditKind(q.Kind)
	if q.Kind == "undo" {
		return s.undo(q.Seq, by)
	}
	return s.edit(q.Device, func(inv *inventory.Inventory, id string) error {
		switch kind {
		case inventory.EditName:
			return inv.SetName(id, value, by)
		case inventory.EditClass:
			return inv.SetClass(id, device.Class(value), by)
		case inventory.EditVendor:
			return inv.SetVendor(id, value, by)
		case inventory.EditModel:
			return inv.SetModel(id, value, by)
		case inventory.EditTheatre:
			return inv.SetTheatre(id, value, by)
		case inventory.EditCriticality:
			return inv.SetCriticality(id, device.Criticality(value), by)
		case inventory.EditNote:
			return inv.Note(id, value, by)
		case inventory.EditMerge:
			other, site := split(value)
			if _, here := split(q.Device); site != here {
				return fmt.Errorf("%w: devices of two sites are never one", inventory.ErrEdit)
			}
			return inv.Merge(id, other, by)
		case inventory.EditSplit:
			return inv.Split(id, by, q.Parts...)
		}
		return fmt.Errorf("%w: there is no edit %q", inventory.ErrEdit, q.Kind)
	})
}

func (s *sites) undo(seq uint64, by inventory.By) (inventory.Edit, error) {
	inv, n, err := s.numbered(seq)
	if err != nil {
		return inventory.Edit{}, err
	}
	if err := inv.Undo(n, by); err != nil {
		return inventory.Edit{}, err
	}
	for _, e := range inv.Edits("") {
		if e.Seq == n {
			return s.abroadEdit(int(seq/editsOfSite), e), nil
		}
	}
	return inventory.Edit{}, fmt.Errorf("BUG: recorder: edit %d is undone and gone", seq)
}

// numbered returns the inventory that an edit was made in, and its number there.
func (s *sites) numbered(seq uint64) (*inventory.Inventory, uint64, error) {
	list := s.all()
	if n := seq / editsOfSite; n < uint64(len(list)) {
		return list[n].inv, seq % editsOfSite, nil
	}
	return nil, 0, fmt.Errorf("%w: edit %d", inventory.ErrNotFound, seq)
}

// Retract takes back the newest edit.
func (s *sites) Retract(seq uint64) error {
	inv, n, err := s.numbered(seq)
	if err != nil {
		return err
	}
	return inv.Retract(n)
}

// savedSite is a part of a snapshot.
type savedSite struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// save writes the inventories behind each other after a head that says what they are.
func (s *sites) save(w io.Writer, head func(parts []savedSite) error) error {
	if list := s.all(); len(list) == 1 {
		if err := head(nil); err != nil {
			return err
		}
		return list[0].inv.Save(w)
	}
	var b bytes.Buffer
	var parts []savedSite
	for _, x := range s.all() {
		before := b.Len()
		if err := x.inv.Save(&b); err != nil {
			return err
		}
		parts = append(parts, savedSite{x.name, int64(b.Len() - before)})
	}
	if err := head(parts); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// load reads what save wrote; without parts the snapshot is of this site alone.
func (s *sites) load(parts []savedSite, r io.Reader) error {
	if len(parts) == 0 {
		return s.all()[0].inv.Load(r)
	}
	for _, p := range parts {
		inv, err := s.at(p.Name)
		if err != nil {
			return err
		}
		part := io.LimitReader(r, p.Bytes)
		if err := inv.Load(part); err != nil {
			return fmt.Errorf("site %q: %w", p.Name, err)
		}
		if _, err := io.Copy(io.Discard, part); err != nil {
			return err
		}
	}
	return nil
}

// site returns the inventory for a batch of a site, and the name that its sensor has
// here. Batches of this bus have its own name. The caller holds mu.
func (r *Recorder) site(name, sensor string) (inv *inventory.Inventory, site, qualified string) {
	own := r.deps.Bus.Site()
	if name == own || name == "" {
		name = ""
	}
	inv, err := r.inv.at(name)
	if err != nil {
		// An empty inventory could be made at the start. What cannot be told apart
		// is still kept.
		r.deps.Log.Error("the devices of a site cannot be told apart", "site", name, "err", err)
		inv, name = r.inv.all()[0].inv, ""
	}
	qualified = record.SensorAt(name, sensor)
	known := r.heard[name]
	if !slices.Contains(known, qualified) {
		if r.heard == nil {
			r.heard = map[string][]string{}
		}
		r.heard[name] = append(known, qualified)
	}
	return inv, name, qualified
}

// putSites writes which sensors each site has, where that is news.
func (r *Recorder) putSites(ctx context.Context) error {
	own := r.deps.Bus.Site()
	r.mu.Lock()
	heard := make(map[string][]string, len(r.heard))
	for name, l := range r.heard {
		heard[name] = slices.Clone(l)
	}
	told := r.pub.sites
	r.mu.Unlock()
	now := map[string]int{}
	var writes []store.Write
	for name, sensors := range heard {
		if now[name] = len(sensors); told[name] == len(sensors) {
			continue
		}
		site := Site{Name: name, Own: name == "", Sensors: sensors}
		if site.Own {
			site.Name = own
		}
		if d, err := r.deps.Store.Document(ctx, SiteKind, site.Name); err == nil {
			var was Site
			if json.Unmarshal(d.Body, &was) == nil {
				site.Sensors = append(was.Sensors, site.Sensors...)
			}
		}
		slices.Sort(site.Sensors)
		site.Sensors = slices.Compact(site.Sensors)
		if len(site.Sensors) > MaxSensors {
			r.deps.Log.Warn("a site has more sensors than can be told apart", "site", site.Name, "sensors", len(site.Sensors), "most", MaxSensors)
			site.Sensors = site.Sensors[:MaxSensors]
		}
		body, err := json.Marshal(site)
		if err != nil {
			return err
		}
		writes = append(writes, store.Write{Kind: SiteKind, ID: site.Name, Expect: store.AnyRevision, Body: body})
	}
	if len(writes) == 0 {
		return nil
	}
	if err := r.deps.Store.Commit(ctx, writes); err != nil {
		return err
	}
	r.mu.Lock()
	r.pub.sites = now
	r.mu.Unlock()
	r.tell("sites")
	return nil
}
