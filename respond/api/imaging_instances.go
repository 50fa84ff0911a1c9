// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/problem"
)

// maxUID is the longest UID (PS3.5 §9.1).
const maxUID = 64

// proof is how far the gateway's log is signed, asked for once in a request.
type proof struct{ control.LedgerState }

// proofOf asks the gateway how far its log is signed.
func proofOf(ctx context.Context, g *gateway) (proof, error) {
	st, err := g.Ledger(ctx)
	if err != nil {
		return proof{}, imagingProblem(err)
	}
	return proof{st}, nil
}

// custodyNone is the custody of what the ledger does not know.
const custodyNone = "none"

// of is the state of one entry, "" when no ledger runs.
func (p *proof) of(index uint64) string {
	if p.Origin == "" {
		return ""
	}
	return string(p.Of(index))
}

// weakest is the state of the entry that is least far.
func (p *proof) weakest(list []instance.Entry) string {
	if p.Origin == "" {
		return ""
	}
	if len(list) == 0 {
		return custodyNone
	}
	out := ledger.Witnessed
	for i := range list {
		switch p.Of(list[i].Index) {
		case ledger.Recorded:
			return string(ledger.Recorded)
		case ledger.Published:
			out = ledger.Published
		case ledger.Witnessed:
		}
	}
	return string(out)
}

// instance is a record as people see it.
func (w *world) instance(rec instance.Record, p *proof) ImagingInstance {
	utc(&rec.Received)
	for i := range rec.Entries {
		utc(&rec.Entries[i].At)
	}
	for i := range rec.Deliveries {
		utc(&rec.Deliveries[i].Next, &rec.Deliveries[i].At)
	}
	if rec.Asked != nil {
		utc(&rec.Asked.At)
	}
	return ImagingInstance{Record: rec, DeviceName: w.nameIfKnown(rec.Sender.Device), Custody: p.weakest(rec.Entries)}
}

// before reads the parameter that leads to the next page.
func (p *params) before() uint64 {
	b := p.text("before", 20)
	if b == "" {
		return 0
	}
	n, err := strconv.ParseUint(b, 10, 53)
	if err != nil || n == 0 {
		p.fail("before", "pass on what the page before gave", "is no number of an instance")
	}
	return n
}

// uid reads a DICOM UID.
func (p *params) uid(name string) string {
	v := p.text(name, maxUID)
	if v != "" && !isUID(v) {
		p.fail(name, "digits with dots between", "is no UID")
	}
	return v
}

func isUID(s string) bool {
	return len(s) <= maxUID && s != "" && strings.Trim(s, "0123456789.") == ""
}

var instanceStates = []string{string(instance.Accepted), string(instance.Quarantined), string(instance.Released), string(instance.Destroyed), string(instance.Replaced), string(instance.Refused)}

var deliveryStates = []string{string(instance.Waiting), string(instance.Delivered), string(instance.Committed), string(instance.Dead), string(instance.Dropped)}

// instanceQuery reads what instances are asked for.
func (p *params) instanceQuery(fallback int) instance.Query {
	q := instance.Query{
		Study: p.uid("study"), Series: p.uid("series"), SOPInstance: p.uid("sop_instance"), SHA256: p.hash("sha256"), Device: p.text("device", 256), Destination: p.text("destination", 128),
		Delivery: instance.DeliveryState(p.choice("delivery", deliveryStates...)), Theatre: p.text("theatre", 256),
		Before: p.before(), Limit: p.number("limit", 1, 500, fallback),
	}
	for _, v := range p.many("state", len(instanceStates)) {
		if !slices.Contains(instanceStates, v) {
			p.fail("state", didYouMean(v, instanceStates), "must be one of %s", list(instanceStates))
			continue
		}
		q.States = append(q.States, instance.State(v))
	}
	if from := p.time("from"); from != 0 {
		q.From = time.Unix(0, from).UTC()
	}
	if to := p.time("to"); to != 0 {
		q.To = time.Unix(0, to).UTC()
	}
	return q
}

func (s *Server) getInstances(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	q := p.instanceQuery(100)
	g, err := s.gateway(r.Context(), p)
	if err != nil {
		return err
	}
	most := q.Limit
	q.Limit++ // one more tells whether there is a next page
	found, err := g.Instances(r.Context(), q)
	if err != nil {
		return imagingProblem(err)
	}
	out := ImagingInstances{Instances: []ImagingInstance{}}
	if len(found) > most {
		found = found[:most]
		out.Before = &found[most-1].Number
	}
	if err := s.eachInstance(r.Context(), &g, found, func(i ImagingInstance) { out.Instances = append(out.Instances, i) }); err != nil {
		return err
	}
	return send(w, r, http.StatusOK, out)
}

func (s *Server) eachInstance(ctx context.Context, g *gateway, found []instance.Record, f func(ImagingInstance)) error {
	world, err := s.know.get(ctx)
	if err != nil {
		return err
	}
	pr, err := proofOf(ctx, g)
	if err != nil {
		return err
	}
	for _, rec := range found {
		f(world.instance(rec, &pr))
	}
	return nil
}

// numberAt reads the number of an instance in a path.
func numberAt(r *http.Request) (uint64, error) {
	n, err := strconv.ParseUint(r.PathValue("number"), 10, 53)
	if err != nil || n == 0 {
		return 0, problem.NotFound("No instance has this number.")
	}
	return n, nil
}

// instanceAt finds the gateway and the instance that a request is about.
func (s *Server) instanceAt(r *http.Request) (gateway, instance.Record, error) {
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return g, instance.Record{}, err
	}
	n, err := numberAt(r)
	if err != nil {
		return g, instance.Record{}, err
	}
	rec, err := g.Instance(r.Context(), n)
	if err != nil {
		return g, rec, imagingProblem(err)
	}
	return g, rec, nil
}

func (s *Server) getInstance(w http.ResponseWriter, r *http.Request) error {
	g, rec, err := s.instanceAt(r)
	if err != nil {
		return err
	}
	out := ImagingInstanceDetail{}
	if err := s.eachInstance(r.Context(), &g, []instance.Record{rec}, func(i ImagingInstance) { out.Instance = i }); err != nil {
		return err
	}
	entries, err := entriesOf(r.Context(), &g, rec)
	if err != nil {
		return err
	}
	if out.Entries, err = s.entryViews(r.Context(), entries); err != nil {
		return err
	}
	return send(w, r, http.StatusOK, out)
}

// entriesOf asks the gateway's ledger for the entries about instances.
func entriesOf(ctx context.Context, g *gateway, records ...instance.Record) ([]ledger.Entry, error) {
	var indexes []uint64
	for i := range records {
		for _, e := range records[i].Entries {
			indexes = append(indexes, e.Index)
		}
	}
	if len(indexes) == 0 {
		return nil, nil
	}
	out, err := g.Entries(ctx, control.EntryQuery{Indexes: indexes[:min(len(indexes), control.MaxEntries)]})
	if err != nil {
		return nil, imagingProblem(err)
	}
	return out, nil
}

func (s *Server) getHeader(w http.ResponseWriter, r *http.Request) error {
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return err
	}
	n, err := numberAt(r)
	if err != nil {
		return err
	}
	return s.sendHeader(w, r, &g, control.HeaderRequest{Number: n})
}

func (s *Server) sendHeader(w http.ResponseWriter, r *http.Request, g *gateway, q control.HeaderRequest) error {
	h, err := g.HeaderOf(r.Context(), q)
	if err != nil {
		return imagingProblem(err)
	}
	h.Elements = orEmpty(h.Elements)
	return send(w, r, http.StatusOK, h)
}

// maxReason bounds what people write.
const maxReason = 500

// reasonOf reads why somebody does something; it is kept where it cannot be erased.
func reasonOf(text string) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", fields([]problem.Field{{Field: "reason", Message: "is needed", Hint: "the audit trail and the ledger keep it; no patient's name in it"}})
	case len(text) > maxReason:
		return "", fields([]problem.Field{{Field: "reason", Message: "is longer than " + itoa(maxReason) + " bytes"}})
	}
	return text, nil
}

// postClearHeader shows what identifies the patient too. That it was read is on
// record, in the audit trail and in the ledger, before anything is shown.
func (s *Server) postClearHeader(w http.ResponseWriter, r *http.Request) error {
	type request struct {
		Reason string `json:"reason"`
	}
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	reason, err := reasonOf(q.Reason)
	if err != nil {
		return err
	}
	g, rec, err := s.instanceAt(r)
	if err != nil {
		return err
	}
	audit := s.audit(r, "imaging.header.clear", g.object("instance/"+strconv.FormatUint(rec.Number, 10)))
	audit.Note = reason
	if err := s.dep.Store.Commit(r.Context(), nil, audit); err != nil {
		return err
	}
	return s.sendHeader(w, r, &g, control.HeaderRequest{Number: rec.Number, Clear: true, User: account(r), Reason: reason})
}

func (s *Server) getQuarantine(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	before, most := p.before(), p.number("limit", 1, 500, 100)
	g, err := s.gateway(r.Context(), p)
	if err != nil {
		return err
	}
	found, err := g.Quarantine(r.Context(), before, most+1)
	if err != nil {
		return imagingProblem(err)
	}
	out := ImagingQuarantine{Held: []ImagingHeld{}}
	if len(found) > most {
		found = found[:most]
		out.Before = &found[most-1].Number
	}
	if len(found) > 0 {
		view, err := s.heldViews(r, &g)
		if err != nil {
			return err
		}
		for i := range found {
			out.Held = append(out.Held, view(&found[i]))
		}
	}
	return send(w, r, http.StatusOK, out)
}

// heldViews returns what shows something in quarantine to who asks.
func (s *Server) heldViews(r *http.Request, g *gateway) (func(*control.Held) ImagingHeld, error) {
	world, err := s.know.get(r.Context())
	if err != nil {
		return nil, err
	}
	pr, err := proofOf(r.Context(), g)
	if err != nil {
		return nil, err
	}
	inCase, err := s.concerned(r.Context(), g, world)
	if err != nil {
		return nil, err
	}
	who := account(r)
	return func(h *control.Held) ImagingHeld {
		v := ImagingHeld{ImagingInstance: world.instance(h.Record, &pr), InCase: inCase(&h.Record)}
		v.DeviceName = cmp.Or(v.DeviceName, h.DeviceName)
		v.Own = h.Asked != nil && h.Asked.By == who
		return v
	}, nil
}

// concerned returns what tells whether a case is in progress where an instance comes
// from, or in a theatre to which it goes.
func (s *Server) concerned(ctx context.Context, g *gateway, world *world) (func(*instance.Record) bool, error) {
	list, err := g.Destinations(ctx)
	if err != nil {
		return nil, imagingProblem(err)
	}
	theatreOf := map[string]string{}
	for i := range list {
		theatreOf[list[i].Name] = list[i].Theatre
	}
	return func(rec *instance.Record) bool {
		if world.inCase(rec.Sender.Theatre) {
			return true
		}
		if row, ok := world.row(rec.Sender.Device); ok && world.inCase(row.Theatre) {
			return true
		}
		for _, d := range rec.Deliveries {
			if world.inCase(theatreOf[d.Destination]) {
				return true
			}
		}
		return false
	}, nil
}

// decideHeld takes one person's word about something in quarantine; the gateway carries
// it out when a second person agrees.
func (s *Server) decideHeld(action string) handler {
	type request struct {
		Reason        string `json:"reason"`
		Revision      uint64 `json:"revision"`
		ConfirmInCase bool   `json:"confirm_in_case"`
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
		if p != nil {
			return p
		}
		reason, err := reasonOf(q.Reason)
		if err != nil {
			return err
		}
		if q.Revision == 0 {
			return fields([]problem.Field{{Field: "revision", Message: "is needed", Hint: "that of the item as it was read"}})
		}
		g, rec, err := s.instanceAt(r)
		if err != nil {
			return err
		}
		view, err := s.heldViews(r, &g)
		if err != nil {
			return err
		}
		inCase := view(&control.Held{Record: rec}).InCase
		if inCase && action != "withdraw" && !q.ConfirmInCase {
			return confirmInCase("what is decided may change what it shows")
		}
		who, _ := access.ActorOf(r.Context())
		audit := s.audit(r, "imaging.quarantine."+action, g.object("instance/"+strconv.FormatUint(rec.Number, 10)))
		audit.Note = reason
		held, err := g.Decide(r.Context(), control.Decide{Number: rec.Number, Action: action, Reason: reason, User: who.Name, Revision: q.Revision, InCase: inCase})
		if err != nil {
			return s.refusedBy(r, audit, err)
		}
		if held.Asked != nil {
			audit.Action += ".ask"
		}
		if err := s.dep.Store.Commit(r.Context(), nil, audit); err != nil {
			return err
		}
		return send(w, r, http.StatusOK, view(&held))
	}
}
