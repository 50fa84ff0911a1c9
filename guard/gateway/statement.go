// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// Names of subjects in the gateway's statements.
const (
	SubjectDataSet = "data-set"   // of a DICOM file: what follows its meta information
	SubjectPixel   = "pixel-data" // the value of the pixel data element
)

// statements says what the ledger is told of an instance, in this order. It depends on nothing
// that changes later, so that it can be made again after a crash and is the same statement.
// original is the instance that r was made of; nil unless r.Original is set.
func (g *Gateway) statements(r, original *instance.Record) ([]custody.Statement, error) {
	if r.Original != 0 {
		s, err := g.altered(r, original)
		return []custody.Statement{s}, err
	}
	if !taken(r) {
		s, err := g.decision(r)
		return []custody.Statement{s}, err
	}
	received, err := g.received(r)
	if err != nil {
		return nil, err
	}
	if r.Verdict < instance.Sanitise {
		return []custody.Statement{received}, nil
	}
	decided, err := g.decision(r)
	return []custody.Statement{received, decided}, err
}

// taken reports whether an instance's bytes were taken when it came: what is refused is only
// decided over. What the gateway could not finish (see unfinished) was never taken either.
func taken(r *instance.Record) bool {
	return r.State != instance.Refused
}

func (g *Gateway) statement(kind custody.Kind, r *instance.Record, subjects ...custody.Subject) custody.Statement {
	id := fmt.Sprintf("%s/%s/%d/%s", g.cfg.Name, r.Sender.Association, r.Number, kind)
	s := custody.New(kind, id, r.Received.UTC(), subjects...)
	p := &s.Predicate
	p.Site, p.Theatre, p.Device = g.d.Site, r.Sender.Theatre, r.Sender.Device
	p.Actor = custody.Actor{Software: g.d.Software}
	return s
}

func digest(name, hex string) custody.Subject {
	return custody.Subject{Name: name, Digest: map[string]string{"sha256": hex}}
}

func subjects(r *instance.Record) []custody.Subject {
	out := []custody.Subject{digest(SubjectDataSet, r.DataSet)}
	if r.Pixel != "" {
		out = append(out, digest(SubjectPixel, r.Pixel))
	}
	return out
}

// received says who brought what, and what the firewall made of it.
func (g *Gateway) received(r *instance.Record) (custody.Statement, error) {
	s := g.statement(custody.Received, r, subjects(r)...)
	protocol := "dicom"
	switch r.Sender.Way {
	case instance.STOW:
		protocol = "https"
	case instance.File:
		protocol = "file"
	case instance.DIMSE:
	}
	d := map[string]any{"protocol": protocol, "media_type": "application/dicom", "bytes": r.Bytes, "verdict": r.Verdict.String()}
	put(d, "from", r.Sender.CallingAE)
	put(d, "to", r.Sender.CalledAE)
	put(d, "sop_class", r.SOPClass)
	put(d, "transfer_syntax", r.TransferSyntax)
	put(d, "session", r.Sender.Association)
	put(d, "tls", r.Sender.TLS)
	put(d, "peer_certificate", r.Sender.Certificate)
	put(d, "policy", r.Policy)
	if list := rules(r.Hits); len(list) > 0 {
		d["rules"] = list
	}
	s.Predicate.Detail = d
	return s, nil
}

// decision says what was decided over an instance that does not simply pass.
func (g *Gateway) decision(r *instance.Record) (custody.Statement, error) {
	s := g.statement(custody.Decision, r, subjects(r)...)
	outcome := "quarantined"
	if r.State == instance.Refused {
		outcome = "denied"
	}
	d := map[string]any{"what": "dicom-store", "outcome": outcome, "session": r.Sender.Association}
	put(d, "policy", r.Policy)
	if list := rules(r.Hits); len(list) > 0 {
		d["rules"] = list[:min(len(list), 32)]
	}
	s.Predicate.Detail = d
	return s, nil
}

// altered says that an instance was made of another, because of which rules.
func (g *Gateway) altered(r, original *instance.Record) (custody.Statement, error) {
	if original == nil {
		return custody.Statement{}, fmt.Errorf("the instance %d, of which %d was made, is not there", r.Original, r.Number)
	}
	s := g.statement(custody.Altered, r, digest("before", original.DataSet), digest("after", r.DataSet))
	d := map[string]any{"operation": "sanitising"}
	var paths []string
	for _, h := range original.Hits {
		if h.Verdict == instance.Sanitise {
			put(d, "rule", h.Rule)
			if h.Path != "" {
				paths = append(paths, h.Path)
			}
		}
	}
	slices.Sort(paths)
	if paths = slices.Compact(paths); len(paths) > 0 {
		list := make([]any, 0, len(paths))
		for _, p := range paths {
			list = append(list, p)
		}
		d["fields"] = list
	}
	s.Predicate.Detail = d
	return s, nil
}

// maxRules is how many rules a statement may name (core/custody).
const maxRules = 64

// rules are the names of the rules that met, each once.
func rules(hits []instance.Hit) []any {
	var out []any
	for _, h := range hits {
		if len(out) == maxRules {
			break
		}
		if h.Rule != "" && !slices.Contains(out, any(h.Rule)) && !strings.ContainsAny(h.Rule, " \t\n") {
			out = append(out, h.Rule)
		}
	}
	return out
}

// put sets a member of a detail; what is empty is left out.
func put(d map[string]any, name, value string) {
	if _, have := d[name]; value != "" && !have {
		d[name] = value
	}
}
