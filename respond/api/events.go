// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
)

// captionOf is the name of a class as people read it.
func captionOf(class uint32) string {
	if s := event.Class(class).Caption(); s != "" {
		return s
	}
	return "Class " + itoa(class)
}

func statusName(s event.Status) string {
	switch s {
	case event.StatusSuccess:
		return "success"
	case event.StatusFailure:
		return "failure"
	}
	return "unknown"
}

// eventRow is an event as lists show it. One that cannot be decoded is shown by
// what it is found by.
func eventRow(rec *record.Record, w *world) (EventRow, *event.Event) {
	e, err := record.Decode(rec.Data)
	if err != nil {
		e = nil
	}
	row := EventRow{
		ID: strconv.FormatUint(rec.Seq, 10), Time: stamp(rec.Time), Class: uint32(rec.Class), ClassName: captionOf(uint32(rec.Class)),
		Activity: rec.Activity, ActivityName: rec.Class.ActivityCaption(rec.Activity), Severity: Severity(rec.Severity), Status: statusName(rec.Status),
		Protocol: rec.Protocol, Sensor: rec.Sensor, Theatre: rec.Theatre,
	}
	src, dst := EventEnd{Device: rec.SrcDevice}, EventEnd{Device: rec.DstDevice}
	if rec.Src.IsValid() {
		src.IP = rec.Src.String()
	}
	if rec.Dst.IsValid() {
		dst.IP = rec.Dst.String()
	}
	if e != nil {
		row.Message = e.Sentence()
		if e.Flow != nil {
			fill(&src, &e.Flow.Src)
			fill(&dst, &e.Flow.Dst)
		} else if d, ok := e.Detail.(*event.DeviceEvidence); ok {
			fill(&src, &event.Endpoint{MAC: d.Evidence.Subject.MAC, IP: d.Evidence.Subject.IP})
		}
	} else {
		row.Message = "This event cannot be decoded."
	}
	row.Src, row.Dst = named(&src, w), named(&dst, w)
	return row, e
}

func fill(end *EventEnd, from *event.Endpoint) {
	end.Port = from.Port
	if !from.MAC.IsZero() {
		end.MAC = from.MAC.String()
	}
	if end.IP == "" && from.IP.IsValid() {
		end.IP = from.IP.Unmap().WithZone("").String()
	}
}

// named gives an end the name of its device; an end of which nothing is known
// is null.
func named(end *EventEnd, w *world) *EventEnd {
	if *end == (EventEnd{}) {
		return nil
	}
	end.Name = w.deviceName(end.Device)
	if row, ok := w.row(end.Device); ok {
		end.Device = row.ID // a former ID leads to the device as it is now
	}
	end.Name = cmp.Or(end.Name, end.IP, end.MAC, end.Device)
	return end
}

// storeProblem says which parameter of a question the store does not take.
func storeProblem(err error, field string) error {
	if !errors.Is(err, store.ErrInvalid) {
		return err
	}
	f := problem.Field{Field: field, Message: "cannot be searched for", Hint: "words, \"a phrase\", a prefix*, -not this one"}
	if field == "cursor" {
		f = problem.Field{Field: field, Message: "is no cursor of this search", Hint: "send next of the page before as it was"}
	}
	p := problem.BadRequest("One parameter is not right.", "", f)
	p.Cause = err
	return p
}

// getEvents answers with a page of events.
func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) error {
	began := time.Now()
	p := s.params(r)
	q := p.events()
	site := p.text("site", maxName)
	q.Limit = p.number("limit", 1, 1000, 200)
	q.Cursor = p.text("cursor", 512)
	q.Oldest = p.choice("order", "newest", "oldest") == "oldest"
	if err := p.end(); err != nil {
		return err
	}
	if err := s.inSite(r.Context(), site, &q); err != nil {
		return err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	page, err := s.dep.Store.Query(r.Context(), q)
	if err != nil {
		field := "q"
		if q.Cursor != "" {
			field = "cursor"
		}
		return storeProblem(err, field)
	}
	out := EventPage{Events: make([]EventRow, 0, len(page.Records)), Complete: page.Complete, Reached: stamp(page.Reached)}
	for i := range page.Records {
		row, _ := eventRow(&page.Records[i], world)
		out.Events = append(out.Events, row)
	}
	if page.Next != "" {
		out.Next = &page.Next
	}
	out.TookMS = math.Round(float64(time.Since(began).Microseconds())/100) / 10
	return send(w, r, http.StatusOK, out)
}

// getEvent answers with one event, decoded.
func (s *Server) getEvent(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	seq, err := strconv.ParseUint(r.PathValue("id"), 10, 63)
	if err != nil {
		return problem.NotFound("There is no event with this ID.")
	}
	rec, err := s.dep.Store.Get(r.Context(), seq)
	if err != nil {
		p := problem.From(err)
		if p.Status == http.StatusNotFound {
			p.Detail = "There is no event with this ID (any more)."
			p.Hint = "events older than the retention are removed"
		}
		return p
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	row, e := eventRow(&rec, world)
	out := EventDetail{EventRow: row, Groups: []EventGroup{}, OCSF: []byte("{}")}
	if e != nil {
		out.UID = e.UID
		out.Groups = groups(&rec, e, &row)
		b, err := e.AppendOCSF(nil, s.producer(rec.Sensor))
		if err != nil {
			return problem.Internal(err)
		}
		out.OCSF = b
	}
	return send(w, r, http.StatusOK, out)
}

func (s *Server) producer(sensor string) event.Producer {
	return event.Producer{Version: s.dep.Version, Sensor: sensor}
}

// getHistogram answers with counts over time.
func (s *Server) getHistogram(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	q := p.events()
	site := p.text("site", maxName)
	n := p.number("steps", 1, maxSteps, 120)
	if err := p.end(); err != nil {
		return err
	}
	if err := s.inSite(r.Context(), site, &q); err != nil {
		return err
	}
	from, to, step, err := s.steps(r.Context(), q.From, q.To, n)
	if err != nil {
		return err
	}
	q.From, q.To = from, to
	h, err := s.dep.Store.Histogram(r.Context(), q, int((to-from)/step))
	if err != nil {
		return storeProblem(err, "q")
	}
	out := EventHistogram{From: stamp(from), To: stamp(to), StepMS: step / int64(time.Millisecond), Steps: make([]HistogramStep, 0, len(h.Steps)), Complete: h.Complete, Reached: stamp(h.Reached)}
	for _, st := range h.Steps {
		by := map[string]uint64{}
		for sev, count := range st.By {
			if count > 0 {
				by[finding.Severity(sev).String()] = count
			}
		}
		out.Steps = append(out.Steps, HistogramStep{Start: stamp(st.Start), By: by})
	}
	return send(w, r, http.StatusOK, out)
}

// niceSteps are the lengths of steps: whole parts of each other as far as that
// goes, and whole minutes from there on, so that minute rollups can answer.
var niceSteps = []time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second,
	15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour,
}

// steps turns a range into at most n equal steps. Their length is a usual one, and
// they begin at whole multiples of it: the bars of a live view stay where they are
// when time goes on. The range grows to whole steps. Without bounds it is all that is
// kept.
func (s *Server) steps(ctx context.Context, from, to int64, n int) (int64, int64, int64, error) {
	if from == 0 || to == 0 {
		st, err := s.watch.stats(ctx)
		if err != nil {
			return 0, 0, 0, err
		}
		if to == 0 {
			to = max(s.now().UnixNano(), st.Last+1)
		}
		if from == 0 {
			from = st.First
			if from == 0 || from >= to {
				from = to - int64(time.Hour)
			}
		}
	}
	from, to, step := stepsOf(from, to, n)
	return from, to, step, nil
}

func stepsOf(from, to int64, n int) (int64, int64, int64) {
	fit := func(step int64) (int64, int64, bool) {
		begin := from - from%step
		count := (to - begin + step - 1) / step
		return begin, begin + count*step, count <= int64(n)
	}
	for _, d := range niceSteps {
		if begin, end, ok := fit(int64(d)); ok {
			return begin, end, int64(d)
		}
	}
	for step := 2 * int64(niceSteps[len(niceSteps)-1]); ; step *= 2 {
		if begin, end, ok := fit(step); ok || n == 1 && step > 200*366*24*int64(time.Hour)/2 {
			return begin, end, step
		}
	}
}

// getTop answers with the most frequent values of a field.
func (s *Server) getTop(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	q := p.events()
	site := p.text("site", maxName)
	field := store.Field(p.choice("field", fieldNames()...))
	n := p.number("limit", 1, 100, 10)
	if field == "" && len(p.fields) == 0 {
		p.fail("field", "", "is needed: one of %s", list(fieldNames()))
	}
	if err := p.end(); err != nil {
		return err
	}
	if err := s.inSite(r.Context(), site, &q); err != nil {
		return err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	top, err := s.dep.Store.Top(r.Context(), q, field, n)
	if err != nil {
		return storeProblem(err, "q")
	}
	out := TopValues{Field: string(field), Values: []TopValue{}, Others: top.Others, Complete: top.Complete, Reached: stamp(top.Reached)}
	for _, v := range top.Values {
		out.Values = append(out.Values, TopValue{Value: v.Value, Label: label(field, v.Value, world), Count: v.Count})
	}
	return send(w, r, http.StatusOK, out)
}

// label is a value as people read it.
func label(f store.Field, v string, w *world) string {
	switch f {
	case store.FieldClass:
		if n, err := strconv.ParseUint(v, 10, 32); err == nil {
			return captionOf(uint32(n))
		}
	case store.FieldActivity:
		c, a, _ := strings.Cut(v, "/")
		class, err := strconv.ParseUint(c, 10, 32)
		act, err2 := strconv.ParseUint(a, 10, 8)
		if err == nil && err2 == nil {
			return captionOf(uint32(class)) + ": " + event.Class(class).ActivityCaption(uint8(act))
		}
	case store.FieldDevice, store.FieldSrcDevice, store.FieldDstDevice:
		if n := w.deviceName(v); n != "" {
			return n
		}
	case store.FieldTheatre:
		if n := w.roomNames[v]; n != "" {
			return n
		}
	case store.FieldSeverity, store.FieldStatus:
		if v != "" {
			return strings.ToUpper(v[:1]) + v[1:]
		}
	}
	if v == "" {
		return "none"
	}
	return v
}
