// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"github.com/asepsis/asepsis/core/device"
)

// EditKind is what a person changed.
type EditKind string

// The kinds of edit.
const (
	EditName        EditKind = "name"
	EditClass       EditKind = "class"
	EditVendor      EditKind = "vendor"
	EditModel       EditKind = "model"
	EditTheatre     EditKind = "theatre"
	EditCriticality EditKind = "criticality"
	EditNote        EditKind = "note"
	EditMerge       EditKind = "merge"
	EditSplit       EditKind = "split"
)

// Edit is one change by a person. Edits are never removed: Undo marks them.
type Edit struct {
	Seq      uint64   `json:"seq"`
	Kind     EditKind `json:"kind"`
	Device   string   `json:"device"`
	Value    string   `json:"value,omitempty"` // "" gives the attribute back to observation
	Keys     []string `json:"keys,omitempty"`  // merge: what the two IDs were made of; split: what was set apart
	Who      string   `json:"who"`
	At       int64    `json:"at"` // ns since the Unix epoch, UTC, as the caller's clock says
	UndoneBy string   `json:"undone_by,omitempty"`
	UndoneAt int64    `json:"undone_at,omitempty"`
}

// By says who edits and when. The inventory has no clock of its own.
type By struct {
	Who string
	At  int64
}

// Errors of edits.
var (
	ErrNotFound = errors.New("no such device")
	ErrEdit     = errors.New("cannot edit")
)

type edits struct {
	log []Edit
	seq uint64
}

// edited is what people set about one device.
type edited struct {
	name, vendor, model, theatre string
	class                        device.Class
	criticality                  device.Criticality
	notes                        []Edit
	who                          map[EditKind]string
}

const maxEditText = 1024

// SetName names a device. An empty value gives the name back to observation;
// so with the other setters.
func (i *Inventory) SetName(id, name string, by By) error { return i.set(EditName, id, name, by) }

// SetVendor sets the manufacturer.
func (i *Inventory) SetVendor(id, vendor string, by By) error {
	return i.set(EditVendor, id, vendor, by)
}

// SetModel sets the model.
func (i *Inventory) SetModel(id, model string, by By) error { return i.set(EditModel, id, model, by) }

// SetTheatre assigns a device to a theatre by the theatre's ID.
func (i *Inventory) SetTheatre(id, theatre string, by By) error {
	return i.set(EditTheatre, id, theatre, by)
}

// SetClass sets what a device is for.
func (i *Inventory) SetClass(id string, c device.Class, by By) error {
	if c != "" && !c.Valid() {
		return fmt.Errorf("%w: class %q is not in the taxonomy", ErrEdit, c)
	}
	return i.set(EditClass, id, string(c), by)
}

// SetCriticality sets how much care depends on a device.
func (i *Inventory) SetCriticality(id string, c device.Criticality, by By) error {
	if !validCriticality(c) {
		return fmt.Errorf("%w: criticality %q: want low, medium, high or life-supporting", ErrEdit, c)
	}
	return i.set(EditCriticality, id, string(c), by)
}

// Note adds a remark to a device.
func (i *Inventory) Note(id, text string, by By) error {
	if strings.TrimSpace(text) == "" {
		return fmt.Errorf("%w: the note is empty", ErrEdit)
	}
	return i.set(EditNote, id, text, by)
}

func (i *Inventory) set(kind EditKind, id, value string, by By) error {
	value = strings.TrimSpace(value)
	if len(value) > maxEditText {
		return fmt.Errorf("%w: %s is longer than %d bytes", ErrEdit, kind, maxEditText)
	}
	for _, r := range value {
		if !unicode.IsPrint(r) && !(kind == EditNote && r == '\n') {
			return fmt.Errorf("%w: %s has a character that cannot be shown", ErrEdit, kind)
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	c, err := i.lookup(id)
	if err != nil {
		return err
	}
	return i.edit(Edit{Kind: kind, Device: i.view.comps[c].id, Value: value, Who: by.Who, At: by.At})
}

// Merge says that two records are one device. The older record's ID stays and
// the other becomes an alias.
func (i *Inventory) Merge(a, b string, by By) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	ca, err := i.lookup(a)
	if err != nil {
		return err
	}
	cb, err := i.lookup(b)
	if err != nil {
		return err
	}
	if ca == cb {
		return fmt.Errorf("%w: %s and %s are one device already", ErrEdit, a, b)
	}
	return i.edit(Edit{Kind: EditMerge, Device: i.view.comps[ca].id, Value: i.view.comps[cb].id, Keys: []string{i.anchor(ca), i.anchor(cb)}, Who: by.Who, At: by.At})
}

// Split sets MACs or addresses of a device apart as another device. They stay
// apart whatever is observed, until the edit is undone or they are merged.
func (i *Inventory) Split(id string, by By, parts ...string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	c, err := i.lookup(id)
	if err != nil {
		return err
	}
	comp := &i.view.comps[c]
	var keys []string
	for _, p := range parts {
		k, ok := partKey(p)
		if !ok {
			return fmt.Errorf("%w: %q is neither a MAC nor an IP address", ErrEdit, p)
		}
		has := false
		for _, n := range comp.nodes {
			has = has || k == "mac:"+n.mac.String() && !n.mac.IsZero() || n.ip.IsValid() && k == "ip:"+n.ip.String()
		}
		if !has {
			return fmt.Errorf("%w: %s is not of device %s", ErrEdit, p, comp.id)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return fmt.Errorf("%w: nothing to set apart", ErrEdit)
	}
	anchor, taken := i.anchor(c), map[string]bool{}
	for _, k := range keys {
		taken[k] = true
	}
	rest := ""
	for _, e := range comp.elements {
		if k := i.view.elems[e].key; !taken[k] && (rest == "" || k < rest) {
			rest = k
		}
	}
	if rest == "" && taken[anchor] {
		return fmt.Errorf("%w: nothing would be left of %s", ErrEdit, comp.id)
	}
	if err := i.edit(Edit{Kind: EditSplit, Device: comp.id, Keys: keys, Who: by.Who, At: by.At}); err != nil {
		return err
	}
	if taken[anchor] {
		// What stays keeps the ID; what is set apart gets a new one.
		m := i.minted[anchor]
		i.minted[rest] = m
		i.minted[anchor] = mint{ID: newID(anchor + "|split"), Seq: i.nextMint()}
	}
	return nil
}

// Undo takes back one edit by its sequence number.
func (i *Inventory) Undo(seq uint64, by By) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	for k := range i.edits.log {
		if e := &i.edits.log[k]; e.Seq == seq {
			if e.UndoneBy != "" {
				return fmt.Errorf("%w: edit %d is undone already", ErrEdit, seq)
			}
			if by.Who == "" {
				return fmt.Errorf("%w: it must be known who undoes", ErrEdit)
			}
			e.UndoneBy, e.UndoneAt = by.Who, by.At
			i.change++
			return nil
		}
	}
	return fmt.Errorf("%w: there is no edit %d", ErrEdit, seq)
}

// Retract makes the last edit never to have been: for who could not store it.
func (i *Inventory) Retract(seq uint64) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	last := len(i.edits.log) - 1
	if last < 0 || i.edits.log[last].Seq != seq || i.edits.seq != seq {
		return fmt.Errorf("%w: edit %d is not the last one", ErrEdit, seq)
	}
	i.edits.log = i.edits.log[:last]
	i.edits.seq--
	i.change++
	return nil
}

// Edits returns the record of edits, oldest first: of one device with its
// aliases, or of all when id is empty.
func (i *Inventory) Edits(id string) []Edit {
	i.mu.Lock()
	defer i.mu.Unlock()
	ids := map[string]bool{}
	if id != "" {
		ids[id] = true
		if c, err := i.lookup(id); err == nil {
			ids[i.view.comps[c].id] = true
			for _, a := range i.view.comps[c].aliases {
				ids[a] = true
			}
		}
	}
	var out []Edit
	for _, e := range i.edits.log {
		if id == "" || ids[e.Device] || e.Kind == EditMerge && ids[e.Value] {
			out = append(out, e)
		}
	}
	return out
}

func (i *Inventory) edit(e Edit) error {
	if e.Who == "" {
		return fmt.Errorf("%w: it must be known who edits", ErrEdit)
	}
	if len(i.edits.log) >= i.cfg.MaxEdits {
		return fmt.Errorf("%w: the record of edits is full (%d)", ErrEdit, i.cfg.MaxEdits)
	}
	i.edits.seq++
	e.Seq = i.edits.seq
	i.edits.log = append(i.edits.log, e)
	i.change++
	return nil
}

// lookup finds the component of an ID or alias in the current view.
func (i *Inventory) lookup(id string) (int, error) {
	c, ok := i.current().byID[id]
	if !ok {
		return 0, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return c, nil
}

// anchor returns the key that a component's ID was made of.
func (i *Inventory) anchor(c int) string {
	v := i.view
	for _, e := range v.comps[c].elements {
		if m, ok := i.minted[v.elems[e].key]; ok && m.ID == v.comps[c].id {
			return v.elems[e].key
		}
	}
	return v.elems[v.comps[c].elements[0]].key
}

func partKey(p string) (string, bool) {
	if ip, err := netip.ParseAddr(p); err == nil {
		return "ip:" + ip.Unmap().String(), true
	}
	if m, err := device.ParseMAC(p); err == nil {
		return "mac:" + m.String(), true
	}
	return "", false
}

// splitOf returns which split sets a MAC or address apart, 0 when none does.
func (e *edits) splitOf(m device.MAC, ip netip.Addr) int {
	if len(e.log) == 0 {
		return 0
	}
	key := ""
	if ip.IsValid() {
		key = "ip:" + ip.String()
	} else {
		key = "mac:" + m.String()
	}
	for k := len(e.log) - 1; k >= 0; k-- {
		if l := &e.log[k]; l.Kind == EditSplit && l.UndoneBy == "" {
			for _, s := range l.Keys {
				if s == key {
					return int(l.Seq)
				}
			}
		}
	}
	return 0
}

// joinPeople applies what people said about who is one.
func (i *Inventory) joinPeople(v *view) {
	if len(i.edits.log) == 0 {
		return
	}
	byKey := map[string]int{}
	bySplit := map[int]int{}
	for e := range v.elems {
		byKey[v.elems[e].key] = e
	}
	for e := range v.elems {
		if s := v.elems[e].split; s != 0 {
			if first, ok := bySplit[s]; ok {
				v.union(first, e, "set apart together by a person", device.Person)
			} else {
				bySplit[s] = e
			}
		}
	}
	for k := range i.edits.log {
		l := &i.edits.log[k]
		if l.Kind != EditMerge || l.UndoneBy != "" || len(l.Keys) != 2 {
			continue
		}
		a, ok := byKey[l.Keys[0]]
		b, ok2 := byKey[l.Keys[1]]
		if ok && ok2 {
			v.union(a, b, "merged by "+l.Who, device.Person)
		}
	}
}

// editsByID gathers what people set, by the ID they set it on.
func (i *Inventory) editsByID() map[string][]*Edit {
	out := map[string][]*Edit{}
	for k := range i.edits.log {
		l := &i.edits.log[k]
		if l.UndoneBy == "" && l.Kind != EditMerge && l.Kind != EditSplit {
			out[l.Device] = append(out[l.Device], l)
		}
	}
	return out
}

func (e *edited) apply(l *Edit) {
	if e.who == nil {
		e.who = map[EditKind]string{}
	}
	e.who[l.Kind] = l.Who
	switch l.Kind {
	case EditName:
		e.name = l.Value
	case EditVendor:
		e.vendor = l.Value
	case EditModel:
		e.model = l.Value
	case EditTheatre:
		e.theatre = l.Value
	case EditClass:
		e.class = device.Class(l.Value)
	case EditCriticality:
		e.criticality = device.Criticality(l.Value)
	case EditNote:
		e.notes = append(e.notes, *l)
	}
}
