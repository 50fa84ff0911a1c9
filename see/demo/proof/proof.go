// SPDX-License-Identifier: Apache-2.0

// Package proof gives the demo's hospital, which does not exist, certificates for its
// devices and a ledger of what its theatres did, so that receipts can be looked at,
// downloaded and verified like real ones.
//
// The images, holograms and movements are made up; the ledger, the certificates and the
// receipts are not. Every statement says that it is of the demo: its actor is
// "asepsis/demo".
package proof

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/see/demo"
)

// Times of the demo.
const (
	every    = 20 * time.Second // between the steps of a case
	look     = 2 * time.Second  // for devices, until there are some
	atLeast  = 12               // devices before certificates are issued
	longLife = "its software has no enrolment client (demo)"
)

// Deps is what a Room works with.
type Deps struct {
	Day       *demo.Day
	Ledger    ledger.Recorder
	Records   *ledger.Records
	Authority *identity.Authority // nil: no certificates
	Devices   func(context.Context) ([]device.Device, error)
	Log       *slog.Logger
	Now       func() time.Time
}

// Room makes the statements as the demo's day goes on.
type Room struct {
	d    Deps
	seen map[string]bool // steps that were recorded
}

// New makes a Room.
func New(d Deps) *Room {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Room{d: d, seen: map[string]bool{}}
}

// Run goes on until ctx ends. What cannot be recorded is left out: it is a demo.
func (r *Room) Run(ctx context.Context) error {
	list, err := r.devices(ctx)
	if err != nil {
		return nil //nolint:nilerr // ctx ended
	}
	if r.d.Authority != nil {
		r.enrol(ctx, list)
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		now := r.d.Now()
		for _, room := range demo.Rooms() {
			for _, back := range []time.Duration{7 * time.Hour, 5 * time.Hour, 3 * time.Hour, time.Hour, 0} {
				r.caseOf(ctx, room.ID, now.Add(-back), now, list)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// devices waits until the inventory has some.
func (r *Room) devices(ctx context.Context) ([]device.Device, error) {
	t := time.NewTicker(look)
	defer t.Stop()
	for {
		if list, err := r.d.Devices(ctx); err == nil && len(list) >= atLeast {
			return list, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-t.C:
		}
	}
}

// profiles are those that classes of devices get.
var profiles = map[device.Class]identity.Profile{
	device.ClassPACS: identity.DICOMNode, device.ClassCT: identity.DICOMNode, device.ClassMR: identity.DICOMNode, device.ClassCArm: identity.DICOMNode, device.ClassUltrasound: identity.DICOMNode,
	device.ClassImageProcessor: identity.DICOMNode, device.ClassXRProcessor: identity.DICOMNode, device.ClassXRHeadset: identity.XRHeadset,
	device.ClassSurgicalRobot: identity.SurgicalDevice, device.ClassSurgicalTable: identity.SurgicalDevice, device.ClassNavigation: identity.SurgicalDevice,
	device.ClassInfusionPump: identity.EAPSupplicant, device.ClassPatientMonitor: identity.EAPSupplicant, device.ClassInterfaceEngine: identity.APIClient,
}

// enrol gives devices their certificates, once.
func (r *Room) enrol(ctx context.Context, list []device.Device) {
	for i := range list {
		d := &list[i]
		profile, ok := profiles[d.Class]
		if !ok {
			continue
		}
		have, _, err := r.d.Authority.List(ctx, identity.Filter{Device: d.ID, Limit: 1})
		if err != nil || len(have) > 0 {
			continue
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return
		}
		req := identity.Request{Profile: profile, Device: d.ID, Public: key.Public(), Via: "est-code", By: identity.Actor{User: "demo"}}
		if d.Class == device.ClassInfusionPump {
			req.LongLife, req.LongLifeReason, req.Via = true, longLife, "csr-file"
		}
		if _, err := r.d.Authority.Issue(ctx, req); err != nil && ctx.Err() == nil {
			r.d.Log.Debug("the demo could not enrol a device", "device", d.ID, "why", err)
		}
	}
}

// caseOf records the steps of the case that was under way in a theatre at a time, as far
// as they have come by now.
func (r *Room) caseOf(ctx context.Context, room string, at, now time.Time, list []device.Device) {
	state, since := r.d.Day.State(room, at)
	if state != theatre.InCase {
		return
	}
	id := "demo/" + room + "/" + since.UTC().Format("20060102T1504")
	for n, s := range steps {
		when := since.Add(s.after)
		key := fmt.Sprintf("%s/%d", id, n)
		if when.After(now) || r.seen[key] {
			continue
		}
		if err := r.step(ctx, room, id, key, when, s, list); err != nil {
			if ctx.Err() == nil && !errors.Is(err, ledger.ErrConflict) {
				r.d.Log.Debug("the demo could not record a step", "step", key, "why", err)
			}
			if !errors.Is(err, ledger.ErrConflict) {
				return
			}
		}
		r.seen[key] = true
	}
}

// step is one thing that happens in a case of the demo.
type step struct {
	after  time.Duration
	kind   custody.Kind
	class  device.Class
	detail map[string]any
	record custody.RecordType // of operation records
}

var steps = []step{
	{after: 10 * time.Second, kind: custody.Operation, class: device.ClassSurgicalTable, record: custody.TableRecord, detail: map[string]any{"action": "position", "height_mm": 870, "tilt_deg": 5, "control": "hand-control"}},
	{after: 30 * time.Second, kind: custody.Received, class: device.ClassPACS, detail: map[string]any{"protocol": "dicom", "media_type": "application/dicom", "bytes": 526336, "tls": "TLSv1.3"}},
	{after: 45 * time.Second, kind: custody.Altered, class: device.ClassXRProcessor, detail: map[string]any{"operation": "segmentation"}},
	{after: 60 * time.Second, kind: custody.Forwarded, class: device.ClassXRHeadset, detail: map[string]any{"protocol": "https", "media_type": "model/gltf-binary", "bytes": 2203648, "tls": "TLSv1.3"}},
	{after: 75 * time.Second, kind: custody.Operation, class: device.ClassXRHeadset, record: custody.XRRecord, detail: map[string]any{"action": "registration", "registration_error_mm": 1.2, "tracking": "good", "latency_ms": 18}},
	{after: 90 * time.Second, kind: custody.Displayed, class: device.ClassXRHeadset, detail: map[string]any{"display": "XR headset", "frames": 5400, "registration_error_mm": 1.2}},
	{after: 150 * time.Second, kind: custody.Operation, class: device.ClassSurgicalRobot, record: custody.RobotRecord, detail: map[string]any{"action": "instrument-attach", "arm": 2, "instrument": map[string]any{"model": "Needle driver", "uses_left": 7}}},
}

func (r *Room) step(ctx context.Context, room, caseID, key string, when time.Time, s step, list []device.Device) error {
	actor := custody.Actor{Software: "asepsis/demo"}
	about := deviceOf(list, s.class, room)
	if s.kind == custody.Operation {
		if about == "" {
			about = "demo-" + string(s.class)
		}
		_, err := r.d.Records.Put(ctx, actor, ledger.Record{ID: key, Type: s.record, Time: when, Device: about, Theatre: room, Case: caseID, Operator: "demo", Data: s.detail})
		return err
	}
	image, hologram := sha256.Sum256([]byte(caseID+"/image")), sha256.Sum256([]byte(caseID+"/hologram"))
	var subjects []custody.Subject
	switch s.kind {
	case custody.Received:
		subjects = []custody.Subject{custody.SHA256("instance", image)}
	case custody.Altered:
		subjects = []custody.Subject{custody.SHA256("before", image), custody.SHA256("after", hologram)}
	default:
		subjects = []custody.Subject{custody.SHA256("hologram", hologram)}
	}
	st := custody.New(s.kind, key, when, subjects...)
	p := &st.Predicate
	p.Actor, p.Device, p.Theatre, p.Detail = actor, about, room, s.detail
	if c, err := r.d.Records.Case(caseID); err == nil {
		p.Case = &custody.CaseLink{Case: c}
	}
	_, err := r.d.Ledger.Record(ctx, st)
	return err
}

// deviceOf is a device of a class, best in the theatre; "" when there is none.
func deviceOf(list []device.Device, class device.Class, room string) string {
	other := ""
	for i := range list {
		if d := &list[i]; d.Class == class {
			if d.Theatre == room {
				return d.ID
			}
			other = d.ID
		}
	}
	return other
}
