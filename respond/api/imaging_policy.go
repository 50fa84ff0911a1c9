// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/respond/problem"
)

// Bounds of what is sent for a gateway's policy and bindings. Both cross the bus in
// one message.
const (
	maxPolicyText = 256 << 10
	maxBindings   = 2000
	dryRunTime    = 3 * time.Minute
)

func (s *Server) getImagingPolicy(w http.ResponseWriter, r *http.Request) error {
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return err
	}
	return s.sendPolicy(w, r, &g)
}

func (s *Server) sendPolicy(w http.ResponseWriter, r *http.Request, g *gateway) error {
	pol, err := g.Policy(r.Context())
	if err != nil {
		return imagingProblem(err)
	}
	o, err := g.Overview(r.Context())
	if err != nil {
		return imagingProblem(err)
	}
	utc(&o.Policy.Loaded)
	return send(w, r, http.StatusOK, ImagingPolicy{YAML: pol.YAML, SHA256: pol.SHA256, State: o.Policy})
}

// policyText checks what can be told without the gateway.
func policyText(text string) error {
	switch {
	case text == "":
		return fields([]problem.Field{{Field: "yaml", Message: "is needed"}})
	case len(text) > maxPolicyText:
		return fields([]problem.Field{{Field: "yaml", Message: "is longer than " + itoa(maxPolicyText) + " bytes"}})
	}
	return nil
}

// problemFields are what is wrong with a text, as fields of the request.
func problemFields(field string, list []control.Problem) error {
	var out []problem.Field
	for _, x := range list[:min(len(list), problem.MaxErrors)] {
		name := field
		if x.Field != "" {
			name += "." + x.Field
		}
		msg := x.What
		if x.Line > 0 {
			msg = "line " + itoa(x.Line) + ": " + msg
		}
		out = append(out, problem.Field{Field: name, Message: msg, Hint: x.Hint})
	}
	return fields(out)
}

// putImagingPolicy replaces the firewall's policy. What stands in it is checked first,
// and nothing changes unless all of it is right.
func (s *Server) putImagingPolicy(w http.ResponseWriter, r *http.Request) error {
	type request struct {
		YAML   string `json:"yaml"`
		SHA256 string `json:"sha256"`
	}
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	if err := policyText(q.YAML); err != nil {
		return err
	}
	if b, err := hex.DecodeString(q.SHA256); err != nil || len(b) != 32 {
		return fields([]problem.Field{{Field: "sha256", Message: "is no SHA-256 in hexadecimal", Hint: "that of the policy as it was read"}})
	}
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return err
	}
	audit := s.audit(r, "imaging.policy.set", g.object("policy"))
	set, problems, err := g.SetPolicy(r.Context(), control.Policy{YAML: q.YAML, SHA256: lower(q.SHA256)}, account(r))
	if err != nil {
		return s.refusedBy(r, audit, err)
	}
	if len(problems) > 0 {
		return problemFields("yaml", problems)
	}
	audit.Before, audit.After = sumJSON(lower(q.SHA256)), sumJSON(set.SHA256)
	if err := s.dep.Store.Commit(r.Context(), nil, audit); err != nil {
		return err
	}
	return s.sendPolicy(w, r, &g)
}

// sumJSON is a policy in the audit trail: its text is in the ledger's statement by its hash,
// and in the gateway's own history.
func sumJSON(sum string) json.RawMessage {
	b, err := json.Marshal(map[string]string{"sha256": sum})
	if err != nil {
		return nil
	}
	return b
}

// postPolicyCheck says what is wrong with a text, and changes nothing.
func (s *Server) postPolicyCheck(w http.ResponseWriter, r *http.Request) error {
	type request struct {
		YAML string `json:"yaml"`
	}
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	if err := policyText(q.YAML); err != nil {
		return err
	}
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return err
	}
	res, err := g.DryRun(r.Context(), control.DryRun{YAML: q.YAML})
	if err != nil {
		return imagingProblem(err)
	}
	return send(w, r, http.StatusOK, ImagingPolicyCheck{Problems: orEmpty(res.Problems)})
}

// postDryRun says what a policy would have made of what the gateway has.
func (s *Server) postDryRun(w http.ResponseWriter, r *http.Request) error {
	type request struct {
		YAML  string `json:"yaml"`
		Limit int    `json:"limit"`
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.cfg.RequestTimeout))
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	if err := policyText(q.YAML); err != nil {
		return err
	}
	if q.Limit < 1 || q.Limit > 1000 {
		return fields([]problem.Field{{Field: "limit", Message: "must be from 1 to 1000"}})
	}
	ctx, cancel := context.WithTimeout(r.Context(), dryRunTime)
	defer cancel()
	g, err := s.gateway(ctx, s.params(r))
	if err != nil {
		return err
	}
	world, err := s.know.get(ctx)
	if err != nil {
		return err
	}
	res, err := g.DryRun(ctx, control.DryRun{YAML: q.YAML, Limit: q.Limit})
	if err != nil {
		return imagingProblem(err)
	}
	out := ImagingDryRun{Problems: orEmpty(res.Problems), Examined: res.Examined, Same: res.Same, Changed: []ImagingDryRunChange{}, More: res.More, Milliseconds: res.Took}
	for _, c := range res.Changed {
		utc(&c.Received)
		out.Changed = append(out.Changed, ImagingDryRunChange{DryRunChange: c, DeviceName: world.nameIfKnown(c.Device)})
	}
	return send(w, r, http.StatusOK, out)
}

func (s *Server) getBindings(w http.ResponseWriter, r *http.Request) error {
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return err
	}
	return s.sendBindings(w, r, &g)
}

func (s *Server) sendBindings(w http.ResponseWriter, r *http.Request, g *gateway) error {
	list, revision, err := g.Bindings(r.Context())
	if err != nil {
		return imagingProblem(err)
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	out := ImagingBindings{Bindings: []ImagingBinding{}, Revision: revision}
	for _, b := range list {
		b.CallingAE, b.Operations = orEmpty(b.CallingAE), orEmpty(b.Operations)
		out.Bindings = append(out.Bindings, ImagingBinding{Binding: b, DeviceName: world.nameIfKnown(b.Device)})
	}
	return send(w, r, http.StatusOK, out)
}

// bindingRequest is what a person sets of a binding; the rest the gateway tells.
type bindingRequest struct {
	Device       string   `json:"device"`
	Name         string   `json:"name"`
	Plain        bool     `json:"plain"`
	CallingAE    []string `json:"calling_ae"`
	CalledAE     []string `json:"called_ae"`
	Addresses    []string `json:"addresses"`
	SOPClasses   []string `json:"sop_classes"`
	Operations   []string `json:"operations"`
	Destinations []string `json:"destinations"`
	Theatre      string   `json:"theatre"`
	OnRevocation string   `json:"on_revocation"`
}

// putBindings replaces what all devices may do.
func (s *Server) putBindings(w http.ResponseWriter, r *http.Request) error {
	type request struct {
		Bindings []bindingRequest `json:"bindings"`
		Revision string           `json:"revision"`
	}
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	switch {
	case q.Revision == "":
		return fields([]problem.Field{{Field: "revision", Message: "is needed", Hint: "that of the bindings as they were read"}})
	case len(q.Bindings) > maxBindings:
		return fields([]problem.Field{{Field: "bindings", Message: "are more than " + itoa(maxBindings)}})
	}
	list := make([]control.Binding, 0, len(q.Bindings))
	for _, b := range q.Bindings {
		list = append(list, control.Binding{
			Device: b.Device, Name: b.Name, Plain: b.Plain, CallingAE: b.CallingAE, CalledAE: b.CalledAE, Addresses: b.Addresses, SOPClasses: b.SOPClasses,
			Operations: b.Operations, Destinations: b.Destinations, Theatre: b.Theatre, OnRevocation: b.OnRevocation,
		})
	}
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return err
	}
	before, _, err := g.Bindings(r.Context())
	if err != nil {
		return imagingProblem(err)
	}
	audit := s.audit(r, "imaging.bindings.set", g.object("bindings"))
	audit.Before, audit.After = bindingsJSON(before), bindingsJSON(list)
	problems, err := g.SetBindings(r.Context(), list, q.Revision, account(r))
	if err != nil {
		return s.refusedBy(r, audit, err)
	}
	if len(problems) > 0 {
		return problemFields("bindings", problems)
	}
	if err := s.dep.Store.Commit(r.Context(), nil, audit); err != nil {
		return err
	}
	return s.sendBindings(w, r, &g)
}

// bindingsJSON is bindings in the audit trail: as they are set, without what the
// gateway tells. A list that is too long for an entry is left to the ledger.
func bindingsJSON(list []control.Binding) json.RawMessage {
	set := make([]bindingRequest, 0, len(list))
	for _, b := range list {
		set = append(set, bindingRequest{b.Device, b.Name, b.Plain, b.CallingAE, b.CalledAE, b.Addresses, b.SOPClasses, b.Operations, b.Destinations, b.Theatre, b.OnRevocation})
	}
	b, err := json.Marshal(set)
	if err != nil || len(b) > 48<<10 {
		return nil
	}
	return b
}
