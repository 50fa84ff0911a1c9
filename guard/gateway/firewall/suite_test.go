// SPDX-License-Identifier: Apache-2.0

package firewall_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/firewall"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// sent is an attack that was sent, and what its sender saw.
type sent struct {
	*firewall.Attack
	uid    string
	status dimse.Status
	err    error
}

// outside are attacks that do not come as far as the firewall, and who stops them.
var outside = map[string]string{
	"a transfer syntax that nobody knows":           "nobody accepts it when the association is negotiated",
	"a class that is no storage":                    "no binding lets a device store it",
	"a UID of the command that is a path":           "the gateway answers 0x0117 to a command whose UID is none",
	"an AE title of the association that is a path": "no binding has it",
	"a command as calling AE title":                 "no binding has it",
}

// TestEveryAttackThroughARunningGateway sends every attack through one gateway: with DCMTK what that can send, with our SCU what it would mend, by STOW-RS what
// only a file has. For each it asserts what the sender is told, verdict and state in the journal, the statements in the ledger with the rule's
// name, the event, and that detection makes a finding of it that names device and rule in both wordings.
func TestEveryAttackThroughARunningGateway(t *testing.T) {
	if _, err := exec.LookPath("dcmsend"); err != nil {
		t.Skip("peer missing: dcmsend (Debian package dcmtk)")
	}
	h := newHouse(t)
	all := firewall.Attacks(t)
	uid := 2000
	next := func(list []*firewall.Attack) (out []*sent) {
		for _, a := range list {
			uid++
			out = append(out, &sent{Attack: a, uid: fmt.Sprintf("2.25.%04d", uid)})
		}
		return out
	}
	pick := func(f func(a *firewall.Attack) bool) (out []*firewall.Attack) {
		for i := range all {
			if a := &all[i]; outside[a.Name] == "" && f(a) {
				out = append(out, a)
			}
		}
		return out
	}
	var done []*sent
	through := func(list []*firewall.Attack) {
		t.Helper()
		x := next(list)
		h.send(x)
		done = append(done, x...)
	}

	// Those that need nothing to be known, under each policy.
	var policies []string
	for _, a := range all {
		if !slices.Contains(policies, a.Policy) {
			policies = append(policies, a.Policy)
		}
	}
	for _, p := range policies {
		h.policy(p)
		through(pick(func(a *firewall.Attack) bool { return a.Policy == p && !a.Room && !a.Expected && !a.Known }))
	}
	h.policy("")

	// The same UID with another picture.
	for _, a := range pick(func(a *firewall.Attack) bool { return a.Known }) {
		x := next([]*firewall.Attack{a})
		first := &sent{Attack: &firewall.Attack{Sender: "own", Arrival: a.Arrival, Data: firewall.Plain()}, uid: x[0].uid}
		h.send([]*sent{first})
		if first.err != nil || first.status != 0 {
			t.Fatalf("the plain object: %v %v", first.status, first.err)
		}
		h.send(x)
		done = append(done, x...)
	}

	// Whose images may come: a procedure of P-3 is in progress; a person ends it; then one of P-1 was.
	h.step("2.25.7001", "P-3", "IN PROGRESS")
	room := pick(func(a *firewall.Attack) bool { return a.Room })
	through(room)
	if list, err := h.s.Control().Steps(t.Context()); err != nil || len(list) != 1 || list[0].Held != len(room) {
		t.Errorf("the steps are %+v, %v, and %d were held", list, err, len(room))
	}
	h.restart() // in mid-case
	x := next([]*firewall.Attack{room[0]})
	h.send(x)
	if h.check(x[0]); len(h.records(x[0].uid)) != 1 {
		t.Error("after a restart the case is not known")
	}
	if s, err := h.s.Control().EndStep(t.Context(), control.EndStep{UID: "2.25.7001", Reason: "the C-arm was switched off", User: "anna"}); err != nil || s.Held != len(room)+1 || s.How != control.StepByPerson {
		t.Errorf("ended it is %+v, %v", s, err)
	}
	h.step("2.25.7002", "P-1", "IN PROGRESS")
	h.end("2.25.7002")
	through(pick(func(a *firewall.Attack) bool { return a.Expected && !a.Room }))

	for i := range all {
		if why := outside[all[i].Name]; why != "" {
			a := all[i]
			a.Sender = "own"
			x := &sent{Attack: &a, uid: a.Arrival.SOPInstance}
			before := len(h.records(""))
			if h.send([]*sent{x}); x.err == nil || len(h.records("")) != before {
				t.Errorf("%s: %s; but the sender was told %v, and there are %d records more", a.Name, why, x.status, len(h.records(""))-before)
			}
		}
	}

	if len(done)+len(outside) != len(all) {
		t.Errorf("%d of %d attacks were sent, %d are stopped before", len(done), len(all), len(outside))
	}
	by := map[string]int{}
	for _, x := range done {
		by[x.Sender]++
		h.check(x)
	}
	if by["dcmsend"] < 150 || by["own"] < 60 || by["-"] < 8 {
		t.Errorf("sent by %v", by)
	}
	h.findings(done)
	t.Logf("%d attacks, sent by %v", len(done), by)
}

// check looks at what became of an attack, in the journal, in the ledger and in the events.
func (h *house) check(x *sent) {
	t, say := h.t, func(format string, args ...any) {
		h.t.Helper()
		h.t.Errorf("%s/%s (%s): %s", x.Rule, x.Name, x.Sender, fmt.Sprintf(format, args...))
	}
	t.Helper()
	i := slices.IndexFunc(h.kept(x), func(r instance.Record) bool {
		return slices.ContainsFunc(r.Hits, func(hit instance.Hit) bool { return hit.Rule == x.Rule && hit.Verdict == x.Wanted })
	})
	if i < 0 {
		say("no record has the rule with the verdict %v: %v %v", x.Wanted, x.status, x.err)
		return
	}
	r := h.kept(x)[i]
	if x.Rule == "preamble.tiff" || strings.HasPrefix(x.Rule, "preamble.") {
		if len(r.Preamble.SHA256) != 64 || "preamble."+string(r.Preamble.Kind) != x.Rule {
			say("of the preamble is kept %+v", r.Preamble)
		}
	}
	state := map[instance.Verdict]instance.State{instance.Flag: instance.Accepted, instance.Quarantine: instance.Quarantined, instance.Refuse: instance.Refused}[r.Verdict]
	if r.State != state || r.Verdict < x.Wanted {
		say("it is %s, %v", r.State, r.Verdict)
	}

	// What the sender was told.
	var may []dimse.Status
	switch r.Verdict {
	case instance.Refuse:
		for _, hit := range r.Hits {
			if hit.Verdict == instance.Refuse {
				may = append(may, statusOf(hit.Rule))
			}
		}
	case instance.Quarantine:
		may = []dimse.Status{0x0124}
	default:
		may = []dimse.Status{0}
	}
	if !slices.Contains(may, x.status) {
		say("the sender was told %v (%v), not one of %v", x.status, x.err, may)
	}

	// What the ledger has: nothing that was refused was received.
	kinds := map[instance.State]string{instance.Accepted: "artefact-received", instance.Quarantined: "artefact-received decision", instance.Refused: "decision"}[r.State]
	var indexes []uint64
	var have []string
	for _, e := range r.Entries {
		indexes, have = append(indexes, e.Index), append(have, e.Kind)
	}
	if strings.Join(have, " ") != kinds {
		say("the ledger has %v, not %s", have, kinds)
	}
	entries, err := h.s.Control().Entries(t.Context(), control.EntryQuery{Indexes: indexes})
	if err != nil || len(entries) != len(indexes) {
		say("its entries: %d, %v", len(entries), err)
	}
	for _, e := range entries {
		p := e.Statement.Predicate
		rules, _ := p.Detail["rules"].([]any)
		if !slices.Contains(rules, any(x.Rule)) || p.Device != "dev-1" || p.Theatre != "or-1" || e.Statement.Subject[0].Digest["sha256"] != r.DataSet {
			say("the ledger says %+v", p)
		}
		if e.Statement.Kind() == custody.Decision && p.Detail["outcome"] != map[instance.State]string{instance.Quarantined: "quarantined", instance.Refused: "denied"}[r.State] {
			say("the outcome is %v", p.Detail["outcome"])
		}
	}

	// What the event says.
	if h.eventOf(x, &r) == nil {
		say("no event says that it is %s", r.State)
	}
}

// eventOf finds the event about a record.
func (h *house) eventOf(x *sent, r *instance.Record) *event.Event {
	code := map[instance.State]string{instance.Accepted: "flagged", instance.Quarantined: "quarantined", instance.Refused: "refused"}[r.State]
	for _, e := range h.seen() {
		d, ok := e.Detail.(*event.DICOMOperation)
		if ok && d.SOPInstance == r.SOPInstance && e.StatusDetail == "gateway: instance-"+code && slices.Contains(d.Suspicious, x.Rule) && d.Status == uint16(x.status) {
			return e
		}
	}
	return nil
}

// kept are the records that an attack can be: those under its UID, or with its bytes where the UID could not be changed.
func (h *house) kept(x *sent) []instance.Record {
	list := h.records(x.uid)
	if len(list) == 0 {
		sum := sha256.Sum256(x.Data)
		for _, r := range h.records("") {
			if r.DataSet == hex.EncodeToString(sum[:]) {
				list = append(list, r)
			}
		}
	}
	return list
}

// findings has detection look at all events, and wants a finding for each attack.
func (h *house) findings(done []*sent) {
	t := h.t
	alerts := h.detect()
	for _, x := range done {
		for _, r := range h.kept(x) {
			e := h.eventOf(x, &r)
			if e == nil {
				continue
			}
			first := e.Detail.(*event.DICOMOperation).Suspicious[0]
			rule := map[instance.State]string{instance.Accepted: "dicom.gateway-flagged", instance.Quarantined: "dicom.gateway-held", instance.Refused: "dicom.gateway-refused-content"}[r.State]
			if slices.Contains(e.Detail.(*event.DICOMOperation).Suspicious, firewall.OtherCase) {
				rule, first = "dicom.gateway-other-patient", "another patient"
			}
			i := slices.IndexFunc(alerts, func(a finding.Alert) bool { return a.Rule == rule && strings.Contains(a.Title, first) })
			if i < 0 {
				t.Errorf("%s/%s: no finding %s names %s", x.Rule, x.Name, rule, first)
				continue
			}
			if a := alerts[i]; a.Room == "" || !strings.Contains(a.Title, "dev-1") || !strings.Contains(a.Room, "dev-1") || strings.Contains(a.Room+a.Title, "{") {
				t.Errorf("%s/%s: the finding is %+v", x.Rule, x.Name, a)
			}
		}
	}
}

// plainData is an attack's data set under the UID that it is sent with; what is deflated keeps its own.
func (x *sent) plainData() ([]byte, string) {
	data := bytes.ReplaceAll(x.Data, []byte(firewall.TheUID), []byte(x.uid))
	if bytes.Equal(data, x.Data) && strings.HasSuffix(x.Arrival.TransferSyntax, ".1.99") {
		return data, x.Arrival.SOPInstance
	}
	return data, x.uid
}

func statusOf(rule string) dimse.Status {
	for _, r := range firewall.Rules() {
		if r.Name == rule {
			return r.Status
		}
	}
	return 0
}
