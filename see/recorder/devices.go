// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/inventory"
)

// refreshAfter is how old the stored "last seen" of a device may become while
// nothing else about it changes.
const refreshAfter = int64(20 * time.Second)

// maxDevicesEvery is the longest that changed devices wait to be written, however
// much that costs.
const maxDevicesEvery = 10 * time.Second

// FindingKind is the kind of the documents that hold open findings.
const FindingKind = "finding"

// Finding is a finding as the console keeps it: the document of kind "finding".
type Finding struct {
	ID      string `json:"id"`
	Theatre string `json:"theatre,omitempty"`
	finding.Finding
}

// published is what the store was last told about devices and findings.
type published struct {
	devices  map[string]publishedDevice
	sites    map[string]int    // how many sensors of each site
	findings map[string]uint64 // hash of the document by ID; nil when it is not known yet
}

type publishedDevice struct {
	hash uint64
	last int64
}

// publishDevices keeps what others read of the inventory up to date until ctx ends.
func (r *Recorder) publishDevices(ctx context.Context) {
	wait := r.cfg.DevicesEvery
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		began := time.Now()
		r.putDevices(ctx, false)
		wait = max(r.cfg.DevicesEvery, min(5*time.Since(began), maxDevicesEvery))
	}
}

// putDevices writes devices that changed, and removes those that are no more. With
// all, also those whose only news is when they were last seen.
func (r *Recorder) putDevices(ctx context.Context, all bool) {
	if err := r.readTheatres(ctx); err != nil {
		if ctx.Err() == nil {
			r.failing("the theatres cannot be read", err)
		}
		return
	}
	r.retryEdits(ctx)
	if err := r.putSites(ctx); err != nil && ctx.Err() == nil {
		r.failing("the sites cannot be stored", err)
	}
	devs := r.inv.Devices()
	r.mu.Lock()
	r.rooms.assign(devs)
	r.rep.Devices = len(devs)
	if r.pub.devices == nil {
		r.pub.devices = map[string]publishedDevice{}
		all = true
	}
	was := r.pub.devices
	r.mu.Unlock()

	now := make(map[string]publishedDevice, len(devs))
	var changed []device.Device
	for i := range devs {
		d := &devs[i]
		p := publishedDevice{hash: hashOf(d), last: d.Last}
		if old, ok := was[d.ID]; ok && old.hash == p.hash && (old.last == p.last || !all && p.last-old.last < refreshAfter) {
			now[d.ID] = old
			continue
		}
		now[d.ID] = p
		changed = append(changed, *d)
	}
	var removed []string
	for id := range was {
		if _, ok := now[id]; !ok {
			removed = append(removed, id)
		}
	}
	if len(changed)+len(removed) > 0 {
		if err := r.deps.Store.PutDevices(ctx, changed, removed); err != nil {
			if ctx.Err() == nil {
				r.failing("devices cannot be stored", err)
			}
			return
		}
		r.mu.Lock()
		r.pub.devices = now
		r.mu.Unlock()
		r.tell("devices")
	}
	if err := r.putFindings(ctx, inventory.Findings(devs)); err != nil && ctx.Err() == nil {
		r.failing("findings cannot be stored", err)
	}
}

// hashOf tells a device that changed from one that was only seen again.
func hashOf(d *device.Device) uint64 {
	c := *d
	c.Last = 0
	c.Evidence = make([]device.Evidence, len(d.Evidence))
	for i, e := range d.Evidence {
		e.Last, e.Count = 0, 0
		c.Evidence[i] = e
	}
	h := fnv.New64a()
	if err := json.NewEncoder(h).Encode(&c); err != nil {
		return maphash.String(maphash.MakeSeed(), d.ID) // never equal: it is written each time
	}
	return h.Sum64()
}

// putFindings keeps the documents of open findings as they are now.
func (r *Recorder) putFindings(ctx context.Context, fs []finding.Finding) error {
	r.mu.Lock()
	was := r.pub.findings
	theatres := r.rooms.byDevice
	r.mu.Unlock()
	if was == nil {
		was = map[string]uint64{}
		for after := ""; ; {
			docs, err := r.deps.Store.DocumentsOf(ctx, FindingKind, after, 500)
			if err != nil {
				return err
			}
			if len(docs) == 0 {
				break
			}
			for _, d := range docs {
				was[d.ID], after = hashBytes(d.Body), d.ID
			}
		}
	}
	now := make(map[string]uint64, len(fs))
	var writes []store.Write
	for _, f := range fs {
		x := Finding{ID: findingID(f), Finding: f}
		for _, id := range f.Devices {
			if x.Theatre == "" {
				x.Theatre = theatres[id]
			}
		}
		quiet := x
		quiet.Last -= quiet.Last % refreshAfter
		body, err := json.Marshal(quiet)
		if err != nil {
			return err
		}
		now[x.ID] = hashBytes(body)
		if was[x.ID] != now[x.ID] {
			writes = append(writes, store.Write{Kind: FindingKind, ID: x.ID, Expect: store.AnyRevision, Body: body})
		}
	}
	for id := range was {
		if _, ok := now[id]; !ok {
			writes = append(writes, store.Write{Kind: FindingKind, ID: id, Expect: store.AnyRevision, Delete: true})
		}
	}
	if len(writes) > 0 {
		if err := r.deps.Store.Commit(ctx, writes); err != nil {
			return err
		}
		r.tell("findings")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pub.findings = now
	return nil
}

// findingID is the same for the same thing found about the same devices.
func findingID(f finding.Finding) string {
	return strconv.FormatUint(hashBytes([]byte(f.Rule+"\x00"+strings.Join(f.Devices, "\x00")+"\x00"+strings.Join(f.Evidence, "\x00"))), 36)
}

func hashBytes(b []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(b)
	return h.Sum64()
}

// tell lets the console know that something changed.
func (r *Recorder) tell(what string) {
	if err := r.deps.Bus.Tell("changed", fmt.Appendf(nil, `{"what":%q}`, what)); err != nil {
		r.deps.Log.Debug("a notice was not sent", "what", what, "err", err)
	}
}
