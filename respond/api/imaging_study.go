// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/respond/problem"
)

// Bounds of looking at studies.
const (
	studyScan   = 3000 // newest instances that a list of studies is made of
	maxTimeline = 5000 // instances of a study that its steps sum up
)

// getStudies sums up the newest instances by study.
func (s *Server) getStudies(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	q := instance.Query{Device: p.text("device", 256), Theatre: p.text("theatre", 256), Destination: p.text("destination", 128), Study: p.uid("study"), Before: p.before()}
	most := p.number("limit", 1, 100, 25)
	if from := p.time("from"); from != 0 {
		q.From = time.Unix(0, from).UTC()
	}
	if to := p.time("to"); to != 0 {
		q.To = time.Unix(0, to).UTC()
	}
	g, err := s.gateway(r.Context(), p)
	if err != nil {
		return err
	}
	pr, err := proofOf(r.Context(), &g)
	if err != nil {
		return err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	var order []string
	studies := map[string][]instance.Record{}
	out := ImagingStudies{Studies: []ImagingStudy{}}
	last, cut := uint64(0), false
	for seen := 0; !cut; {
		q.Limit = min(1000, studyScan-seen)
		part, err := g.Instances(r.Context(), q)
		if err != nil {
			return imagingProblem(err)
		}
		for i := range part {
			uid := part[i].Study
			if studies[uid] == nil && len(order) == most {
				cut = true // the next page begins with this one
				break
			}
			if studies[uid] == nil {
				order = append(order, uid)
			}
			studies[uid] = append(studies[uid], part[i])
			last, seen = part[i].Number, seen+1
		}
		if len(part) < q.Limit {
			break
		}
		q.Before, cut = last, cut || seen >= studyScan
	}
	if cut {
		out.Before = &last
	}
	for _, uid := range order {
		v := world.study(studies[uid], &pr)
		if cut {
			older, err := g.Instances(r.Context(), instance.Query{Study: uid, Before: last, Limit: 1})
			if err != nil {
				return imagingProblem(err)
			}
			v.More = len(older) > 0
		}
		out.Studies = append(out.Studies, v)
	}
	return send(w, r, http.StatusOK, out)
}

// study sums up instances of one study, newest first.
//
// Preconditions: there is one at least.
func (w *world) study(list []instance.Record, p *proof) ImagingStudy {
	newest := &list[0]
	out := ImagingStudy{Study: newest.Study, Modalities: []string{}, Device: newest.Sender.Device, DeviceName: w.nameIfKnown(newest.Sender.Device), Theatre: newest.Sender.Theatre,
		Last: newest.Received.UTC(), Instances: len(list), States: map[string]int{}, Deliveries: map[string]int{}}
	for i := range list {
		rec := &list[i]
		out.First = rec.Received.UTC()
		out.Bytes += rec.Bytes
		out.States[string(rec.State)]++
		for _, d := range rec.Deliveries {
			out.Deliveries[string(d.State)]++
		}
		if rec.Modality != "" && !slices.Contains(out.Modalities, rec.Modality) {
			out.Modalities = append(out.Modalities, rec.Modality)
		}
		if out.Description == "" {
			out.Description = rec.Description
		}
		if out.Patient == "" {
			out.Patient = rec.Patient
		}
		out.Custody = weaker(out.Custody, p.weakest(rec.Entries))
	}
	slices.Sort(out.Modalities)
	return out
}

// weaker is the state that is less far; "" is no state.
func weaker(a, b string) string {
	rank := func(s string) int {
		return slices.Index([]string{custodyNone, "recorded", "published", "witnessed", ""}, s)
	}
	if rank(b) < rank(a) {
		return b
	}
	return a
}

func (s *Server) getTimeline(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	before, most := p.before(), p.number("limit", 1, 500, 100)
	g, err := s.gateway(r.Context(), p)
	if err != nil {
		return err
	}
	study := r.PathValue("study")
	if !isUID(study) {
		return problem.BadRequest("A study is asked for by its UID.", "")
	}
	out, err := s.timeline(r.Context(), &g, study, before, most)
	if err != nil {
		return err
	}
	return send(w, r, http.StatusOK, out)
}

func (s *Server) timeline(ctx context.Context, g *gateway, study string, before uint64, most int) (ImagingTimeline, error) {
	out := ImagingTimeline{Steps: []ImagingStep{}, Instances: []ImagingLife{}}
	records, more, err := studyRecords(ctx, g, study, 0, maxTimeline)
	if err != nil {
		return out, err
	}
	if len(records) == 0 {
		return out, problem.NotFound("The gateway knows no instance of this study.")
	}
	pr, err := proofOf(ctx, g)
	if err != nil {
		return out, err
	}
	world, err := s.know.get(ctx)
	if err != nil {
		return out, err
	}
	out.Study = world.study(records, &pr)
	out.Study.More = more
	t := storyteller{world: world, proof: &pr, gateway: g}
	shown := records
	if before != 0 {
		if shown, _, err = studyRecords(ctx, g, study, before, most+1); err != nil {
			return out, err
		}
	}
	for i := range records {
		t.add(&records[i])
	}
	out.Steps = t.sum()
	if len(shown) > most {
		shown = shown[:most]
		out.Before = &shown[most-1].Number
	}
	for i := range shown {
		rec := &shown[i]
		out.Instances = append(out.Instances, ImagingLife{Number: rec.Number, SOPInstance: rec.SOPInstance, Series: rec.Series, Modality: rec.Modality, State: rec.State, Verdict: rec.Verdict, Events: t.events(rec)})
	}
	return out, nil
}
