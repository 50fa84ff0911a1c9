// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/watch"
)

// SeriesKind is the kind of the documents that hold a sensor's rates, one for each
// sensor and day (UTC): "<sensor>/2006-01-02".
const SeriesKind = "sensor-series"

// Series is a day of a sensor's rates: one value a minute, what was added in that
// minute; null where nothing is known.
type Series struct {
	Start       int64    `json:"start"` // ns since the Unix epoch, UTC: the day's beginning
	StepMS      int64    `json:"step_ms"`
	Packets     []*int64 `json:"packets"`
	Bytes       []*int64 `json:"bytes"`
	Dropped     []*int64 `json:"dropped"`
	Events      []*int64 `json:"events"`
	ActiveFlows []*int64 `json:"active_flows"` // at the minute's end
}

const minutesOfDay = 24 * 60

// SeriesID names the document of a sensor's day.
func SeriesID(sensor string, day time.Time) string {
	return sensor + "/" + day.UTC().Format(time.DateOnly)
}

// point is what a sensor had counted at a time.
type point struct {
	started                         int64
	packets, bytes, dropped, events uint64
}

// series writes every sensor's counts once a minute until ctx ends.
func (r *Recorder) series(ctx context.Context) {
	last := map[string]point{}
	for {
		now := r.deps.Now()
		select {
		case <-ctx.Done():
			return
		case <-time.After(now.Truncate(time.Minute).Add(time.Minute).Sub(now)):
		}
		reports, err := r.deps.Bus.Reports(ctx, watch.ReportKind)
		if err != nil {
			continue // the gap shows as null
		}
		at := r.deps.Now().Add(-time.Second) // the minute that has just ended
		for _, rep := range reports {
			var s watch.Report
			if json.Unmarshal(rep.Body, &s) != nil {
				continue
			}
			p := point{s.Started, s.Stats.Packets, s.Stats.Bytes, s.Stats.Dropped, s.Stats.Events}
			was, known := last[s.Name]
			last[s.Name] = p
			if !known || was.started != p.started || p.packets < was.packets || r.deps.Now().UnixNano()-s.At > int64(time.Minute) {
				continue
			}
			if err := r.addPoint(ctx, s.Name, at, was, p, s.Stats.ActiveFlows); err != nil && ctx.Err() == nil {
				r.deps.Log.Warn("a sensor's rates were not kept", "sensor", s.Name, "err", err)
			}
		}
	}
}

func (r *Recorder) addPoint(ctx context.Context, name string, at time.Time, was, is point, flows uint64) error {
	id := SeriesID(name, at)
	s := Series{Start: at.UTC().Truncate(24 * time.Hour).UnixNano(), StepMS: time.Minute.Milliseconds()}
	doc, err := r.deps.Store.Document(ctx, SeriesKind, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(doc.Body, &s); err != nil {
			return err
		}
	}
	k := int(at.Sub(time.Unix(0, s.Start)) / time.Minute)
	if k < 0 || k >= minutesOfDay {
		return nil
	}
	set := func(column *[]*int64, v uint64) {
		for len(*column) <= k {
			*column = append(*column, nil)
		}
		n := int64(v)
		(*column)[k] = &n
	}
	set(&s.Packets, is.packets-was.packets)
	set(&s.Bytes, is.bytes-was.bytes)
	set(&s.Dropped, is.dropped-min(was.dropped, is.dropped))
	set(&s.Events, is.events-min(was.events, is.events))
	set(&s.ActiveFlows, flows)
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return r.deps.Store.Commit(ctx, []store.Write{{Kind: SeriesKind, ID: id, Expect: doc.Revision, Body: body}})
}

// Settings is what the recorder reads of the site's settings, the document of
// kind "settings" with the ID "site".
type Settings struct {
	Retention struct {
		EventsDays     int   `json:"events_days"`
		EventsMaxBytes int64 `json:"events_max_bytes"`
		AuditDays      int   `json:"audit_days"`
	} `json:"retention"`
}

// DefaultSettings holds until people set something else: a month of events in at
// most 20 GiB, a year of the audit trail.
func DefaultSettings() Settings {
	var s Settings
	s.Retention.EventsDays, s.Retention.EventsMaxBytes, s.Retention.AuditDays = 30, 20<<30, 366
	return s
}

// The document of the site's settings.
const (
	SettingsKind = "settings"
	SettingsID   = "site"
)

// retain removes what is older than the site's settings say.
func (r *Recorder) retain(ctx context.Context) {
	s := DefaultSettings()
	doc, err := r.deps.Store.Document(ctx, SettingsKind, SettingsID)
	if err == nil {
		err = json.Unmarshal(doc.Body, &s)
	}
	if err == nil || errors.Is(err, store.ErrNotFound) {
		var gone store.Removed
		days := func(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
		what := store.Retention{Age: days(s.Retention.EventsDays), MaxBytes: s.Retention.EventsMaxBytes, AuditAge: days(s.Retention.AuditDays)}
		for ctx.Err() == nil { // each call does a bounded part
			var part store.Removed
			if part, err = r.deps.Store.Retain(ctx, what); err != nil || part.Events == 0 {
				break
			}
			gone.Events, gone.Bytes, gone.Before = gone.Events+part.Events, gone.Bytes+part.Bytes, max(gone.Before, part.Before)
		}
		if gone.Events > 0 {
			r.deps.Log.Info("old events were removed", "events", gone.Events, "bytes", gone.Bytes, "before", time.Unix(0, gone.Before).UTC())
		}
	}
	if err != nil && ctx.Err() == nil {
		r.deps.Log.Error("old events were not removed", "err", err)
	}
	r.removeSeries(ctx, s.Retention.EventsDays)
}

// removeSeries removes the rates of days that are no longer kept.
func (r *Recorder) removeSeries(ctx context.Context, days int) {
	if days <= 0 {
		return
	}
	oldest := r.deps.Now().UTC().AddDate(0, 0, -days).Format(time.DateOnly)
	for after := ""; ; {
		docs, err := r.deps.Store.DocumentsOf(ctx, SeriesKind, after, 500)
		if err != nil || len(docs) == 0 {
			return
		}
		var writes []store.Write
		for _, d := range docs {
			after = d.ID
			if n := len(d.ID); n > len(time.DateOnly) && d.ID[n-len(time.DateOnly):] < oldest {
				writes = append(writes, store.Write{Kind: SeriesKind, ID: d.ID, Expect: store.AnyRevision, Delete: true})
			}
		}
		if len(writes) > 0 {
			if err := r.deps.Store.Commit(ctx, writes); err != nil {
				r.deps.Log.Warn("rates of old days were not removed", "err", err)
				return
			}
		}
	}
}
