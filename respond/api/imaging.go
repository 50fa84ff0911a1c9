// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/problem"
)

// imagingRoutes are what GET /imaging and below answer: each asks the gateway, which
// may run in this process or in another one, over the bus. They are there also when
// no gateway runs, and say so.
func (s *Server) imagingRoutes(add func(method, path string, need access.Permission, h handler) *route) {
	const (
		read   = access.Read
		edit   = access.ImagingEdit
		decide = access.QuarantineDecide
	)
	add("GET", "/imaging/gateways", read, s.getGateways)
	add("GET", "/imaging/overview", read, s.getImaging)
	add("GET", "/imaging/associations", read, s.getAssociations)
	add("GET", "/imaging/destinations", read, s.getDestinations)
	for _, action := range []string{"pause", "resume", "retry"} {
		add("POST", "/imaging/destinations/{name}/"+action, edit, s.steer(action))
	}
	add("POST", "/imaging/destinations/{name}/drop", edit, s.postDrop).long = true
	add("POST", "/imaging/destinations/{name}/echo", edit, s.postEcho).long = true
	add("GET", "/imaging/instances", read, s.getInstances)
	add("GET", "/imaging/instances/{number}", read, s.getInstance)
	add("GET", "/imaging/instances/{number}/header", read, s.getHeader)
	add("POST", "/imaging/instances/{number}/header/clear", access.PatientRead, s.postClearHeader)
	add("GET", "/imaging/quarantine", read, s.getQuarantine)
	for _, action := range []string{"release", "destroy", "withdraw"} {
		add("POST", "/imaging/quarantine/{number}/"+action, decide, s.decideHeld(action))
	}
	add("GET", "/imaging/steps", read, s.getProcedureSteps)
	add("POST", "/imaging/steps/{uid}/end", decide, s.endProcedureStep)
	add("GET", "/imaging/studies", read, s.getStudies)
	add("GET", "/imaging/studies/{study}/timeline", read, s.getTimeline)
	add("GET", "/imaging/studies/{study}/receipts.zip", read, s.getStudyBundle).long = true
	add("GET", "/imaging/receipts/{artefact}", read, s.getReceipts)
	add("GET", "/imaging/receipts/{artefact}/bundle.zip", read, s.getArtefactBundle).long = true
	add("GET", "/imaging/entries/{index}/receipt", read, s.getImagingReceipt)
	add("GET", "/imaging/trust", read, s.getImagingTrust)
	add("GET", "/imaging/policy", read, s.getImagingPolicy)
	add("PUT", "/imaging/policy", edit, s.putImagingPolicy)
	add("POST", "/imaging/policy/check", read, s.postPolicyCheck)
	add("POST", "/imaging/policy/dry-run", edit, s.postDryRun).long = true
	add("GET", "/imaging/bindings", read, s.getBindings)
	add("PUT", "/imaging/bindings", edit, s.putBindings)
}

// gateway is the one that a request is about.
type gateway struct {
	control.Control
	name string
}

// gateway reads ?gateway= and ends the reading of parameters. Without it, the only
// gateway is meant; of several, the only one that is live.
func (s *Server) gateway(ctx context.Context, p *params) (gateway, error) {
	name := p.text("gateway", 63)
	if name != "" && control.CheckName(name) != nil {
		p.fail("gateway", "GET /imaging/gateways lists them", "is no name of a gateway")
	}
	if err := p.end(); err != nil {
		return gateway{}, err
	}
	list, err := control.Gateways(ctx, s.dep.Bus, s.now())
	if err != nil {
		return gateway{}, err
	}
	names := []string{}
	live := []string{}
	for _, g := range list {
		names = append(names, g.Name)
		if g.Live {
			live = append(live, g.Name)
		}
	}
	switch {
	case len(names) == 0:
		p := problem.NotFound("No imaging gateway runs at this site.")
		p.Hint = "asepsis gateway runs one; see imaging in the configuration"
		return gateway{}, p
	case name == "" && len(live) == 1:
		name = live[0]
	case name == "" && len(names) == 1:
		name = names[0]
	case name == "":
		return gateway{}, problem.BadRequest("The site has several gateways.", "name one of "+strings.Join(names, ", ")+": --gateway on the command line, ?gateway= in an address", problem.Field{Field: "gateway", Message: "is needed", Hint: "one of " + strings.Join(names, ", ")})
	case !slices.Contains(names, name):
		p := problem.NotFound("There is no gateway of that name.")
		p.Hint = didYouMean(name, names)
		return gateway{}, p
	}
	return gateway{s.control(ctx, name), name}, nil
}

// control is how a gateway is asked for the person who asks here.
func (s *Server) control(ctx context.Context, name string) control.Control {
	if here := s.dep.Gateways[name]; here != nil {
		return here
	}
	who, _ := access.ActorOf(ctx)
	return control.At(s.dep.Bus, name, control.As(who.Name), control.Signed(s.dep.Orders))
}

// link is an address of this gateway's, of the API.
func (g *gateway) link(path string) string { return prefix + path + "?gateway=" + g.name }

// object names something of the gateway in the audit trail.
func (g *gateway) object(what string) string { return "gateway:" + g.name + "/" + what }

// imagingProblem turns a refusal of the gateway into an answer.
func imagingProblem(err error) error {
	var r *control.Refused
	if !errors.As(err, &r) {
		return err
	}
	switch r.Code {
	case control.NotFound:
		p := problem.NotFound(sentence(r.What))
		p.Hint = r.Tip
		return p
	case control.Conflict:
		return problem.Conflict(sentence(r.What), r.Tip)
	case control.Changed:
		return problem.Conflict(sentence(r.What), r.Tip).Coded(problem.RevisionConflict)
	case control.SamePerson:
		return problem.Conflict(sentence(r.What), r.Tip).Coded(problem.SamePerson)
	case control.Unavailable:
		return problem.Unavailable(sentence(r.What), r.Tip, 2*time.Second, err)
	case control.Unsigned, control.NotTrusted: // not of the person: one of the processes is not set up for it
		return problem.Unavailable(sentence(r.What), r.Tip, time.Minute, err)
	}
	return problem.BadRequest(sentence(r.What), r.Tip)
}

// account is the user who asks; of a token, its owner: two tokens of one person are
// one person.
func account(r *http.Request) string {
	who, _ := access.ActorOf(r.Context())
	return who.Name
}

// inCase reports whether a case is in progress in a theatre.
func (w *world) inCase(id string) bool {
	t, ok := w.theatre(id)
	return ok && t.State == string(theatre.InCase)
}

// utc moves times to UTC: a gateway elsewhere may write in its own zone.
func utc(list ...*time.Time) {
	for _, t := range list {
		if !t.IsZero() {
			*t = t.UTC()
		}
	}
}

func (s *Server) getGateways(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	list, err := control.Gateways(r.Context(), s.dep.Bus, s.now())
	if err != nil {
		return err
	}
	out := ImagingGateways{Gateways: []ImagingGateway{}}
	for _, g := range list {
		state := "silent"
		if g.Live {
			state = "live"
		}
		out.Gateways = append(out.Gateways, ImagingGateway{Name: g.Name, State: state, Heard: g.Heard, Since: g.Since})
	}
	return send(w, r, http.StatusOK, out)
}

func (s *Server) getImaging(w http.ResponseWriter, r *http.Request) error {
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return err
	}
	o, err := g.Overview(r.Context())
	if err != nil {
		return imagingProblem(err)
	}
	o.Listeners, o.Routes, o.Minutes, o.Advice = orEmpty(o.Listeners), orEmpty(o.Routes), orEmpty(o.Minutes), orEmpty(o.Advice)
	for i := range o.Routes {
		o.Routes[i].Destinations = orEmpty(o.Routes[i].Destinations)
	}
	utc(&o.Since, &o.Ledger.Since, &o.Trust.Since, &o.Audit.Since, &o.Policy.Loaded)
	for i := range o.Minutes {
		utc(&o.Minutes[i].At)
	}
	return send(w, r, http.StatusOK, o)
}

func (s *Server) getAssociations(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	device, only := p.text("device", 256), p.choice("only", "open", "problems")
	g, err := s.gateway(r.Context(), p)
	if err != nil {
		return err
	}
	list, err := g.Associations(r.Context())
	if err != nil {
		return imagingProblem(err)
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	out := ImagingAssociations{Associations: []ImagingAssociation{}}
	for _, a := range list {
		if device != "" && a.Device != device || only == "open" && !a.Ended.IsZero() || only == "problems" && a.Problem == "" {
			continue
		}
		utc(&a.Since, &a.Ended)
		out.Associations = append(out.Associations, ImagingAssociation{Association: a, DeviceName: world.nameIfKnown(a.Device)})
	}
	return send(w, r, http.StatusOK, out)
}

func (s *Server) getDestinations(w http.ResponseWriter, r *http.Request) error {
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return err
	}
	list, err := g.Destinations(r.Context())
	if err != nil {
		return imagingProblem(err)
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	out := ImagingDestinations{Destinations: []ImagingDestination{}}
	for i := range list {
		out.Destinations = append(out.Destinations, world.destination(&list[i]))
	}
	return send(w, r, http.StatusOK, out)
}

func (w *world) destination(d *control.Destination) ImagingDestination {
	utc(&d.Oldest, &d.Success, &d.Failure, &d.Next)
	// Where one that is gone stands is not known any more: what waits for it says whether it matters now.
	return ImagingDestination{Destination: *d, InCase: w.inCase(d.Theatre) || d.State == control.Gone && d.Urgent > 0}
}

// destinationOf finds a destination of the gateway by the name in the path.
func (s *Server) destinationOf(r *http.Request, g *gateway) (ImagingDestination, error) {
	list, err := g.Destinations(r.Context())
	if err != nil {
		return ImagingDestination{}, imagingProblem(err)
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return ImagingDestination{}, err
	}
	name := r.PathValue("name")
	for i := range list {
		if list[i].Name == name {
			return world.destination(&list[i]), nil
		}
	}
	return ImagingDestination{}, problem.NotFound("The gateway has no destination of that name.")
}

// steer pauses, resumes or retries a destination. Pausing one whose theatre is in case
// keeps images from the people who operate: that has to be said to be meant.
func (s *Server) steer(action string) handler {
	type request struct {
		ConfirmInCase bool `json:"confirm_in_case"`
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
		if p != nil {
			return p
		}
		g, err := s.gateway(r.Context(), s.params(r))
		if err != nil {
			return err
		}
		d, err := s.destinationOf(r, &g)
		if err != nil {
			return err
		}
		if action == "pause" && d.InCase && !q.ConfirmInCase {
			return confirmInCase("pausing keeps images from it")
		}
		audit := s.audit(r, "imaging.destination."+action, g.object("destination/"+d.Name))
		if action == "pause" && d.InCase {
			audit.Note = "during a case"
		}
		if err := g.Steer(r.Context(), d.Name, action, account(r)); err != nil {
			return s.refusedBy(r, audit, err)
		}
		if err := s.dep.Store.Commit(r.Context(), nil, audit); err != nil {
			return err
		}
		if d, err = s.destinationOf(r, &g); err != nil {
			return err
		}
		return send(w, r, http.StatusOK, d)
	}
}

// confirmInCase asks whether something is meant though a case is in progress.
func confirmInCase(what string) error {
	return problem.Conflict("A case is in progress in the theatre that this concerns, and "+what+".", "send confirm_in_case when that is meant; the override is recorded").Coded(problem.CaseInProgress)
}

// refusedBy writes into the audit trail that the gateway refused a change, and gives
// the answer for it. The refusal stands also when it cannot be written.
func (s *Server) refusedBy(r *http.Request, audit store.Audit, err error) error {
	var refused *control.Refused
	if errors.As(err, &refused) {
		audit.Result, audit.Note = "refused", refused.What
		if failed := s.dep.Store.Commit(r.Context(), nil, audit); failed != nil {
			s.log.Warn("a refusal could not be written to the audit trail", "error", failed)
		}
	}
	return imagingProblem(err)
}

// echoTime bounds trying the way to a destination.
const echoTime = 45 * time.Second

func (s *Server) postEcho(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), echoTime)
	defer cancel()
	r = r.WithContext(ctx)
	g, err := s.gateway(ctx, s.params(r))
	if err != nil {
		return err
	}
	d, err := s.destinationOf(r, &g)
	if err != nil {
		return err
	}
	if err := s.dep.Store.Commit(ctx, nil, s.audit(r, "imaging.destination.echo", g.object("destination/"+d.Name))); err != nil {
		return err
	}
	e, err := g.EchoTo(ctx, d.Name)
	if err != nil {
		return imagingProblem(err)
	}
	e.Steps = orEmpty(e.Steps)
	return send(w, r, http.StatusOK, e)
}
