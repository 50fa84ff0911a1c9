// SPDX-License-Identifier: Apache-2.0

// Package devlist keeps a store's list of devices in memory as of a revision, so
// that only what has changed is read and decoded. A List may be used from many
// goroutines.
package devlist

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/store"
)

// KeepRemoved is for how many revisions a store remembers a removed device as
// such; who has read longer ago reads everything again.
const KeepRemoved = 1000

// Row is a device as it is stored. Without a body it was removed.
type Row struct {
	ID       string
	Body     []byte // JSON, without the evidence
	Evidence []byte // JSON
	Aliases  []string
}

// Encode makes the row of a device.
func Encode(d device.Device) (Row, error) {
	r := Row{ID: d.ID, Aliases: d.Aliases}
	if d.ID == "" {
		return r, fmt.Errorf("%w: device without an ID", store.ErrInvalid)
	}
	var err error
	if r.Evidence, err = json.Marshal(d.Evidence); err != nil {
		return r, fmt.Errorf("device %s: %w", d.ID, err)
	}
	d.Evidence = nil
	if r.Body, err = json.Marshal(d); err != nil {
		return r, fmt.Errorf("device %s: %w", d.ID, err)
	}
	return r, nil
}

// EncodeAll makes the rows of devices.
func EncodeAll(devices []device.Device) ([]Row, error) {
	rows := make([]Row, len(devices))
	for i := range devices {
		var err error
		if rows[i], err = Encode(devices[i]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// Decode reads a device with its evidence.
func Decode(body, evidence []byte) (d device.Device, err error) {
	if err = json.Unmarshal(body, &d); err == nil {
		err = json.Unmarshal(evidence, &d.Evidence)
	}
	return d, err
}

// Source reads rows. It is one snapshot.
type Source interface {
	// Revisions returns the newest revision, and the one up to which removed
	// devices are forgotten.
	Revisions(ctx context.Context) (newest, forgotten uint64, err error)
	// Since yields rows that changed after a revision, without their evidence. The
	// body is valid during the call.
	Since(ctx context.Context, revision uint64, yield func(id string, body []byte) error) error
}

// List is the list of devices as it was read last.
type List struct {
	mu       sync.Mutex
	revision uint64
	byID     map[string]device.Device // nil before the first time
	list     []device.Device          // in the order of their IDs
}

// Read brings the list up to date and returns a copy. What the devices refer to
// is shared and not to be changed.
func (l *List) Read(ctx context.Context, src Source) ([]device.Device, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	newest, forgotten, err := src.Revisions(ctx)
	if err != nil {
		return nil, 0, err
	}
	if l.byID == nil || newest != l.revision {
		if err := l.refresh(ctx, src, newest, forgotten); err != nil {
			return nil, 0, err
		}
	}
	return slices.Clone(l.list), l.revision, nil
}

func (l *List) refresh(ctx context.Context, src Source, newest, forgotten uint64) error {
	since, byID := l.revision, l.byID
	if byID == nil || since < forgotten || since > newest {
		since, byID = 0, map[string]device.Device{}
	}
	fresh := map[string]*device.Device{} // applied when all of it is read
	err := src.Since(ctx, since, func(id string, body []byte) error {
		if body == nil {
			fresh[id] = nil
			return nil
		}
		d := &device.Device{}
		if err := json.Unmarshal(body, d); err != nil {
			return fmt.Errorf("device %s: %w", id, err)
		}
		fresh[id] = d
		return nil
	})
	if err != nil {
		return err
	}
	for id, d := range fresh {
		if d == nil {
			delete(byID, id)
		} else {
			byID[id] = *d
		}
	}
	list := slices.AppendSeq(make([]device.Device, 0, len(byID)), maps.Values(byID))
	slices.SortFunc(list, func(a, b device.Device) int { return cmp.Compare(a.ID, b.ID) })
	l.revision, l.byID, l.list = newest, byID, list
	return nil
}
