// SPDX-License-Identifier: Apache-2.0

package client

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// imagingRecord is an instance as the API gives it.
type imagingRecord struct {
	instance.Record
	DeviceName string `json:"device_name"`
	Custody    string `json:"custody"`
	InCase     bool   `json:"in_case"`
}

func (r *imagingRecord) from() string {
	if r.DeviceName != "" {
		return r.DeviceName
	}
	return r.Sender.Device
}

// rules are those that made the verdict.
func (r *imagingRecord) rules() string {
	var out []string
	for _, h := range r.Hits {
		if h.Verdict == r.Verdict {
			out = append(out, h.Rule)
		}
	}
	return strings.Join(out, ", ")
}

func table(w io.Writer, heads ...string) *tabwriter.Writer {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row(t, heads...)
	return t
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// size writes a number of bytes for a person.
func size(n float64) string {
	for _, u := range []string{"B", "kB", "MB", "GB"} {
		if n < 1000 || u == "GB" {
			return strconv.FormatFloat(n, 'f', places(n, u), 64) + " " + u
		}
		n /= 1000
	}
	return ""
}

func places(n float64, unit string) int {
	if unit == "B" || n >= 10 {
		return 0
	}
	return 1
}

// WriteGateways writes the answer of GET /imaging/gateways.
func WriteGateways(w io.Writer, raw json.RawMessage) error {
	var l struct {
		Gateways []struct{ Name, State, Heard, Since string }
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return err
	}
	t := table(w, "NAME", "STATE", "HEARD", "SINCE")
	for _, g := range l.Gateways {
		row(t, g.Name, g.State, local(g.Heard), local(g.Since))
	}
	return t.Flush()
}

// WriteImaging writes the answer of GET /imaging/overview.
func WriteImaging(w io.Writer, raw json.RawMessage) error {
	var o control.Overview
	if err := json.Unmarshal(raw, &o); err != nil {
		return err
	}
	for _, a := range o.Advice {
		_, _ = fmt.Fprintf(w, "%s: %s\n", clean(strings.ToUpper(a.Severity)), clean(a.What))
		if a.Why != "" {
			_, _ = fmt.Fprintf(w, "  because: %s\n", clean(a.Why))
		}
		_, _ = fmt.Fprintf(w, "  to do:   %s\n", clean(a.Hint))
	}
	if len(o.Advice) > 0 {
		_, _ = fmt.Fprintln(w)
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	flow := func(f control.Flow) string {
		return fmt.Sprintf("%d images, %s; %.1f images/s, %s/s", f.Instances, size(float64(f.Bytes)), f.PerSecond, size(f.Rate))
	}
	row(t, "gateway", o.Name+", since "+o.Since.Local().Format("2006-01-02 15:04:05"))
	for _, l := range o.Listeners {
		row(t, "listener", join(", ", l.Name+" ("+l.Kind+") on "+l.Address+": "+l.State, l.Why, strconv.Itoa(l.Open)+" connections"))
	}
	row(t, "received", flow(o.Received))
	row(t, "forwarded", flow(o.Forwarded))
	row(t, "firewall", fmt.Sprintf("%d flagged, %d sanitised, %d quarantined, %d refused; policy %.12s, %d rules", o.Flagged, o.Sanitised, o.Quarantined, o.Refused, o.Policy.SHA256, o.Policy.Rules))
	row(t, "now", fmt.Sprintf("%d in quarantine, %d waiting to be sent, %d given up", o.Held, o.Waiting, o.Dead))
	row(t, "disk", fmt.Sprintf("%s: %s used, %s free", o.Disk.State, size(float64(o.Disk.Used)), size(float64(o.Disk.Free))))
	for _, d := range []struct {
		name string
		dep  control.Dependency
	}{{"ledger", o.Ledger}, {"trust", o.Trust}, {"audit", o.Audit}} {
		row(t, d.name, join(": ", d.dep.State, d.dep.Why))
	}
	for _, r := range o.Routes {
		row(t, "route "+r.Name, join(", ", r.Match+" to "+strings.Join(r.Destinations, ", "), "fails "+r.Fail, r.State, r.Why))
	}
	return t.Flush()
}

// WriteAssociations writes the answer of GET /imaging/associations.
func WriteAssociations(w io.Writer, raw json.RawMessage) error {
	var l struct {
		Associations []struct {
			control.Association
			DeviceName string `json:"device_name"`
		}
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return err
	}
	t := table(w, "SINCE", "STATE", "PEER", "ADDRESS", "AE", "IMAGES", "SIZE", "PROBLEM")
	for _, a := range l.Associations {
		state := join(" ", "open", a.Doing)
		if !a.Ended.IsZero() {
			state = "ended"
		}
		peer := cmp.Or(a.DeviceName, a.Device)
		if a.Direction == "out" {
			peer = "to " + a.Destination
		}
		row(t, a.Since.Local().Format("15:04:05"), state, peer, a.Address, a.CallingAE+" > "+a.CalledAE, number(a.Instances), size(float64(a.Bytes)), join(": ", a.Problem, a.What))
	}
	return t.Flush()
}

// WriteDestinations writes the answer of GET /imaging/destinations.
func WriteDestinations(w io.Writer, raw json.RawMessage) error {
	var l struct{ Destinations []control.Destination }
	if err := json.Unmarshal(raw, &l); err != nil {
		return err
	}
	t := table(w, "NAME", "STATE", "ADDRESS", "WAITING", "URGENT", "GIVEN UP", "SENT", "LAST", "WHY")
	for _, d := range l.Destinations {
		last := "-"
		if !d.Success.IsZero() {
			last = d.Success.Local().Format("2006-01-02 15:04:05")
		}
		row(t, d.Name, d.State, d.Address, strconv.Itoa(d.Waiting), strconv.Itoa(d.Urgent), strconv.Itoa(d.Dead), number(d.Sent), last, d.Why)
	}
	return t.Flush()
}

// WriteDestination writes what became of one that was steered.
func WriteDestination(w io.Writer, raw json.RawMessage) error {
	var d control.Destination
	if err := json.Unmarshal(raw, &d); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s: %s, %d waiting, %d given up\n", clean(d.Name), clean(d.State), d.Waiting, d.Dead)
	return err
}

// WriteDropped writes the answer of POST /imaging/destinations/{name}/drop.
func WriteDropped(w io.Writer, raw json.RawMessage) error {
	var d control.Dropped
	if err := json.Unmarshal(raw, &d); err != nil {
		return err
	}
	var err error
	switch d.Deliveries {
	case 0:
		_, err = fmt.Fprintln(w, "there was nothing to give up")
	case 1:
		_, err = fmt.Fprintln(w, "1 delivery was given up for good")
	default:
		_, err = fmt.Fprintf(w, "%d deliveries were given up for good\n", d.Deliveries)
	}
	return err
}

// WriteEcho writes the answer of POST /imaging/destinations/{name}/echo.
func WriteEcho(w io.Writer, raw json.RawMessage) error {
	var e control.Echo
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, s := range e.Steps {
		word := "failed"
		if s.OK {
			word = "ok"
		}
		row(t, s.Name, word, strconv.FormatInt(s.Milliseconds, 10)+" ms", s.Detail)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if e.OK {
		_, err := fmt.Fprintf(w, "it answers, in %d ms\n", e.Milliseconds)
		return err
	}
	_, err := fmt.Fprintf(w, "it does not work: %s\n  to do: %s\n", clean(e.What), clean(e.Hint))
	return err
}

// WriteInstances writes the answer of GET /imaging/instances.
func WriteInstances(w io.Writer, raw json.RawMessage) error {
	var l struct {
		Instances []imagingRecord
		Before    *uint64
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return err
	}
	t := table(w, "NUMBER", "RECEIVED", "STATE", "VERDICT", "FROM", "MODALITY", "SIZE", "DELIVERED", "PROOF", "SOP INSTANCE")
	for i := range l.Instances {
		r := &l.Instances[i]
		done := 0
		for _, d := range r.Deliveries {
			if d.State == instance.Delivered || d.State == instance.Committed {
				done++
			}
		}
		row(t, number(r.Number), r.Received.Local().Format("2006-01-02 15:04:05"), string(r.State), r.Verdict.String(), r.from(), r.Modality, size(float64(r.Bytes)), fmt.Sprintf("%d of %d", done, len(r.Deliveries)), r.Custody, r.SOPInstance)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if l.Before != nil {
		_, err := fmt.Fprintf(w, "there are older ones: --before %d\n", *l.Before)
		return err
	}
	return nil
}

// WriteQuarantine writes the answer of GET /imaging/quarantine.
func WriteQuarantine(w io.Writer, raw json.RawMessage) error {
	var l struct {
		Held   []imagingRecord
		Before *uint64
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return err
	}
	t := table(w, "NUMBER", "RECEIVED", "FROM", "MODALITY", "RULES", "ASKED")
	for i := range l.Held {
		r := &l.Held[i]
		asked := "-"
		if r.Asked != nil {
			asked = r.Asked.Action + " by " + r.Asked.By
		}
		row(t, number(r.Number), r.Received.Local().Format("2006-01-02 15:04:05"), r.from(), r.Modality, r.rules(), asked)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if l.Before != nil {
		_, err := fmt.Fprintf(w, "there are older ones: --before %d\n", *l.Before)
		return err
	}
	return nil
}

// WriteInstance writes the answer of GET /imaging/instances/{number}.
func WriteInstance(w io.Writer, raw json.RawMessage) error {
	var d struct {
		Instance imagingRecord
		Entries  []struct {
			Index                 uint64
			State, Time, Sentence string
		}
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return err
	}
	if err := writeRecord(w, &d.Instance); err != nil {
		return err
	}
	if len(d.Entries) == 0 {
		return nil
	}
	_, _ = fmt.Fprintln(w)
	t := table(w, "ENTRY", "PROOF", "TIME", "WHAT")
	for _, e := range d.Entries {
		row(t, number(e.Index), e.State, local(e.Time), e.Sentence)
	}
	return t.Flush()
}

func writeRecord(w io.Writer, r *imagingRecord) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row(t, "number", number(r.Number)+", revision "+number(r.Revision))
	row(t, "state", string(r.State))
	row(t, "received", r.Received.Local().Format("2006-01-02 15:04:05")+" from "+join(", ", r.from(), r.Sender.CallingAE, r.Sender.Address, r.Sender.TLS, r.Sender.Theatre))
	row(t, "SOP instance", r.SOPInstance)
	row(t, "study", r.Study)
	row(t, "data set", "sha256 "+r.DataSet+", "+size(float64(r.Bytes)))
	row(t, "verdict", r.Verdict.String()+fmt.Sprintf(", policy %.12s", r.Policy))
	for _, h := range r.Hits {
		row(t, "  "+h.Verdict.String(), join(" ", h.Rule, h.Path)+": "+h.Why)
	}
	if r.Copy != 0 {
		row(t, "goes on as", number(r.Copy))
	}
	if r.Original != 0 {
		row(t, "made of", number(r.Original))
	}
	for _, d := range r.Deliveries {
		row(t, "to "+d.Destination, join(", ", string(d.State), attempts(d.Attempts), d.Why))
	}
	if r.Asked != nil {
		row(t, "asked", r.Asked.Action+" by "+r.Asked.By+": "+r.Asked.Reason)
	}
	return t.Flush()
}

// WriteHeld writes what became of something in quarantine.
func WriteHeld(w io.Writer, raw json.RawMessage) error {
	var r imagingRecord
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	if r.Asked != nil {
		_, err := fmt.Fprintf(w, "%d: %s asked to %s it; another person must agree\n", r.Number, clean(r.Asked.By), clean(r.Asked.Action))
		return err
	}
	_, err := fmt.Fprintf(w, "%d: %s\n", r.Number, clean(string(r.State)))
	return err
}

// WriteHeader writes the answer of GET /imaging/instances/{number}/header.
func WriteHeader(w io.Writer, raw json.RawMessage) error {
	var h control.Header
	if err := json.Unmarshal(raw, &h); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, e := range h.Elements {
		v := e.Value
		switch {
		case e.Hidden:
			v = "(hidden)"
		case e.More:
			v += "..."
		}
		if e.Rule != "" {
			v += "   <- " + e.Rule
		}
		row(t, e.Path, e.VR, e.Name, strconv.FormatInt(e.Length, 10), v)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if h.Cut {
		_, err := fmt.Fprintln(w, "there is more, or it cannot be read further")
		return err
	}
	return nil
}

// WriteBindings writes the answer of GET /imaging/bindings.
func WriteBindings(w io.Writer, raw json.RawMessage) error {
	var l struct {
		Bindings []struct {
			control.Binding
			DeviceName string `json:"device_name"`
		}
		Revision string
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return err
	}
	t := table(w, "DEVICE", "NAME", "AE", "MAY", "ADDRESSES", "THEATRE", "CERTIFICATE")
	for _, b := range l.Bindings {
		cert := b.Identification
		if b.Plain {
			cert = join(", ", "in clear", cert)
		}
		row(t, b.Device, cmp.Or(b.Name, b.DeviceName), strings.Join(b.CallingAE, ", "), strings.Join(b.Operations, ", "), strings.Join(b.Addresses, ", "), b.Theatre, cert)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "revision %s\n", clean(l.Revision))
	return err
}

// WriteDryRun writes the answer of POST /imaging/policy/dry-run.
func WriteDryRun(w io.Writer, raw json.RawMessage) error {
	var d struct {
		Problems             []control.Problem
		Examined, Same, More int
		Milliseconds         int64
		Changed              []control.DryRunChange
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return err
	}
	if len(d.Problems) > 0 {
		return writeProblems(w, d.Problems)
	}
	if len(d.Changed) > 0 {
		t := table(w, "NUMBER", "RECEIVED", "DEVICE", "MODALITY", "WAS", "WOULD BE", "RULES")
		for _, c := range d.Changed {
			var rules []string
			for _, h := range c.Hits {
				rules = append(rules, h.Rule)
			}
			row(t, number(c.Number), c.Received.Local().Format("2006-01-02 15:04:05"), c.Device, c.Modality, c.Was.String(), c.Would.String(), strings.Join(rules, ", "))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d examined in %d ms: %d the same, %d would differ\n", d.Examined, d.Milliseconds, d.Same, len(d.Changed)+d.More)
	return err
}

func writeProblems(w io.Writer, list []control.Problem) error {
	for _, p := range list {
		if _, err := fmt.Fprintf(w, "line %d, column %d: %s\n", p.Line, p.Column, clean(join(": ", p.Field, p.What))); err != nil {
			return err
		}
		if p.Hint != "" {
			_, _ = fmt.Fprintf(w, "  hint: %s\n", clean(p.Hint))
		}
	}
	return nil
}

// attempts says how often something was tried.
func attempts(n int) string {
	if n == 1 {
		return "1 attempt"
	}
	return strconv.Itoa(n) + " attempts"
}
