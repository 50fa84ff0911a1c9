// SPDX-License-Identifier: Apache-2.0

package atna

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/dicomweb"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/wire/atna"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// Bounds of what is gathered.
const (
	queueLength   = 8192
	maxGathered   = 1024   // transfers that go on at a time
	maxRemembered = 50_000 // records of which is known what was told
	gatherIdle    = 10 * time.Second
	gatherAge     = 2 * time.Minute
)

// Record tells of an instance's record that is new or has changed, as journal.Journal's Watch does. It returns at
// once. Of what one association brings of a study, and of what goes to a destination of it, two messages come: "Begin
// Transferring" with the first instance, and "Instances Transferred" with the numbers when nothing more comes.
func (r *Room) Record(rec instance.Record) { r.enqueue(rec) }

// Association tells of an association that began, went on or ended. It returns at once.
func (r *Room) Association(a control.Association) {
	if a.Ended.IsZero() && a.Problem == "" {
		return
	}
	r.enqueue(a)
}

// Asked tells of a C-FIND that was answered or refused. It returns at once.
func (r *Room) Asked(q query.Asked) { r.enqueue(q) }

// Web tells of a DICOMweb request that has ended. It returns at once.
func (r *Room) Web(a dicomweb.Activity) { r.enqueue(a) }

// Decided tells that a person decided over an instance in quarantine. It returns at once.
func (r *Room) Decided(h control.Held, d control.Decide) { r.enqueue(decision{h, d}) }

type decision struct {
	held control.Held
	say  control.Decide
}

// StepEnded tells that a person ended a procedure step that its device left open: the room's images are not
// compared with its patient any more. It returns at once.
func (r *Room) StepEnded(s control.ProcedureStep) { r.enqueue(s) }

// Dropped tells that a person gave up for good what a destination did not take. It returns at once.
func (r *Room) Dropped(d control.Drop, done control.Dropped) { r.enqueue(drop{d, done}) }

type drop struct {
	say  control.Drop
	done control.Dropped
}

// enqueue never waits: who calls stands between a device and its answer.
func (r *Room) enqueue(e any) {
	if r == nil {
		return
	}
	select {
	case r.queue <- e:
	default:
		r.spool.lose(1)
	}
}

// gathering is a transfer that goes on.
type gathering struct {
	t       Transfer
	classes map[string]int
	failed  int
	why     string
	began   time.Time
	last    time.Time
}

type gatherKey struct {
	association string // that brought it, or ""
	destination string // that it goes to, or ""
	study       string
}

// told is what was told of a record.
type told struct {
	state      instance.State
	deliveries map[string]bool
}

// gatherer makes messages of what happens. One goroutine owns it.
type gatherer struct {
	r    *Room
	open map[gatherKey]*gathering
	told map[uint64]*told
	old  map[uint64]*told // of before: half of what is remembered
	// alerts are those of the last minute: who knocks a thousand times fills no spool.
	alerts map[alertKey]*repeated
}

type alertKey struct{ subject, what string }

// repeated is an alert that was told, and how often it came since.
type repeated struct {
	alert Alert
	since time.Time
	more  int
}

// Bounds of repeated alerts.
const (
	alertEvery = time.Minute
	maxAlerts  = 256
)

func newGatherer(r *Room) *gatherer {
	return &gatherer{r: r, open: make(map[gatherKey]*gathering), told: make(map[uint64]*told), alerts: make(map[alertKey]*repeated)}
}

// run gathers until ctx ends and the queue is empty, and tells what is left then.
func (g *gatherer) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case e := <-g.r.queue:
			g.take(e)
		case <-tick.C:
			g.flush(func(_ gatherKey, x *gathering) bool {
				now := g.r.d.Now()
				return now.Sub(x.last) >= gatherIdle || now.Sub(x.began) >= gatherAge
			})
			g.again(false)
		case <-ctx.Done():
			for {
				select {
				case e := <-g.r.queue:
					g.take(e)
					continue
				default:
				}
				g.flush(func(gatherKey, *gathering) bool { return true })
				g.again(true)
				return
			}
		}
	}
}

func (g *gatherer) take(e any) {
	switch v := e.(type) {
	case instance.Record:
		g.record(&v)
	case control.Association:
		g.association(&v)
	case query.Asked:
		g.asked(&v)
	case dicomweb.Activity:
		g.web(&v)
	case decision:
		g.decision(&v)
	case drop:
		g.send(Alert{Kind: atna.RestrictedFunction, Reporter: g.r.self(), By: &Actor{ID: v.say.User}, Subject: v.say.Destination, Description: fmt.Sprintf("deliveries given up for good by a person: %d", v.done.Deliveries)})
	case control.ProcedureStep:
		g.send(Alert{At: v.Ended, Kind: atna.RestrictedFunction, Reporter: g.r.self(), By: &Actor{ID: v.By}, Subject: v.UID, Description: "the procedure step of " + v.Device + " in " + v.Theatre + " was ended by a person"})
	}
}

// send reports an event; the loss of one is counted by the spool.
func (g *gatherer) send(e interface{ message(*Room) atna.Message }) {
	if err := g.r.report(e); err != nil {
		g.r.d.Log.Debug("audit message", "error", err)
	}
}

func (g *gatherer) record(rec *instance.Record) {
	before := g.told[rec.Number]
	if before == nil {
		if before = g.old[rec.Number]; before == nil {
			before = &told{deliveries: map[string]bool{}}
			if rec.Received.Before(g.r.start) {
				before.state = rec.State // that it came was told before this process
			}
		}
		if len(g.told) >= maxRemembered/2 {
			g.old, g.told = g.told, make(map[uint64]*told)
		}
		g.told[rec.Number] = before
	}
	if before.state == "" && rec.Sender.Way != instance.File && rec.Original == 0 {
		failed := ""
		if rec.State == instance.Refused {
			failed = "refused by the gateway"
		}
		g.add(gatherKey{association: rec.Sender.Association, study: rec.Study}, rec, sender(&rec.Sender), g.r.self(), failed, rec.Received)
	}
	if rec.State != before.state && (rec.State == instance.Quarantined || rec.State == instance.Replaced) {
		g.send(Alert{At: rec.Received, Kind: atna.RestrictedFunction, Outcome: atna.MinorFailure, Reporter: g.r.self(), Subject: rec.SOPInstance, Description: "the instance was put into quarantine: " + rules(rec)})
	}
	before.state = rec.State
	for i := range rec.Deliveries {
		d := &rec.Deliveries[i]
		failed := ""
		switch d.State {
		case instance.Delivered, instance.Committed:
		case instance.Dead:
			failed = "given up: " + d.Why
		case instance.Dropped:
			if d.Route != query.RouteGet {
				continue
			}
			failed = d.Why
		default:
			continue
		}
		if before.deliveries[d.Destination] || d.At.Before(g.r.start) {
			continue
		}
		before.deliveries[d.Destination] = true
		g.add(gatherKey{destination: d.Destination, study: rec.Study}, rec, g.r.self(), Node{ID: d.Destination}, failed, d.At)
	}
}

func rules(rec *instance.Record) string {
	if len(rec.Hits) == 0 {
		return "no rule is named"
	}
	return rec.Hits[0].Rule
}

func sender(s *instance.Sender) Node {
	n := Node{ID: s.Device, Address: s.Address, Requestor: true}
	if s.CallingAE != "" {
		n.AETitles = []string{s.CallingAE}
	}
	return n
}

// add counts an instance.
func (g *gatherer) add(k gatherKey, rec *instance.Record, from, to Node, failed string, at time.Time) {
	x := g.open[k]
	if x == nil {
		if len(g.open) >= maxGathered {
			g.flush(func(gatherKey, *gathering) bool { return true })
		}
		x = &gathering{classes: make(map[string]int), began: g.r.d.Now()}
		x.t = Transfer{At: at, Begin: true, From: from, To: to, Patient: g.r.patient(rec), Studies: []Study{{UID: rec.Study, Accession: Patient{Pseudonym: rec.Accession}, Encrypted: rec.Sender.TLS != "" && k.destination == ""}}}
		g.open[k] = x
		g.send(x.t)
	}
	x.last = g.r.d.Now()
	x.classes[rec.SOPClass]++
	if failed != "" {
		x.failed++
		x.why = failed
	}
}

// flush tells the transfers that have ended.
func (g *gatherer) flush(ended func(gatherKey, *gathering) bool) {
	for k, x := range g.open {
		if !ended(k, x) {
			continue
		}
		delete(g.open, k)
		t, all := x.t, 0
		t.Begin, t.At = false, x.last
		for class, n := range x.classes {
			all += n
			t.Studies[0].SOPClasses = append(t.Studies[0].SOPClasses, atna.SOPClass{UID: class, Count: n})
		}
		if x.failed > 0 {
			t.Outcome = atna.MinorFailure
			if x.failed == all {
				t.Outcome = atna.SeriousFailure
			}
			t.Why = fmt.Sprintf("%d of %d instances failed; the last: %s", x.failed, all, x.why)
		}
		g.send(t)
	}
}

// alert tells an alert at once when it is new, and how often it came again after a minute.
func (g *gatherer) alert(a Alert, what string) {
	k := alertKey{a.Subject, what}
	if _, known := g.alerts[k]; !known && len(g.alerts) >= maxAlerts {
		k = alertKey{what: what}
		a.Subject = "others"
	}
	if x := g.alerts[k]; x != nil {
		x.more++
		x.alert = a
		return
	}
	g.alerts[k] = &repeated{alert: a, since: g.r.d.Now()}
	g.send(a)
}

// again tells which alerts were repeated, and forgets them.
func (g *gatherer) again(all bool) {
	for k, x := range g.alerts {
		if !all && g.r.d.Now().Sub(x.since) < alertEvery {
			continue
		}
		delete(g.alerts, k)
		if x.more > 0 {
			x.alert.Description += fmt.Sprintf(" (%d times more)", x.more)
			g.send(x.alert)
		}
	}
}

func (g *gatherer) association(a *control.Association) {
	if !a.Ended.IsZero() {
		g.flush(func(k gatherKey, _ *gathering) bool { return k.association == a.ID })
	}
	if a.Problem == "" || a.Ended.IsZero() || a.Way == "dicomweb" {
		return // of DICOMweb each request is told
	}
	subject := a.Address
	if a.Device != "" {
		subject = a.Device
	}
	if host, _, err := net.SplitHostPort(subject); err == nil {
		subject = host // the port differs each time
	}
	g.alert(Alert{At: a.Ended, Kind: atna.NodeAuthentication, Outcome: atna.SeriousFailure, Reporter: g.r.self(), Subject: subject, Description: a.Problem + ": " + a.What}, a.Problem)
}

// asked makes one message of a query: from the device to the gateway, which asked an archive in its place.
func (g *gatherer) asked(q *query.Asked) {
	a := Asked{At: q.At, From: sender(&q.Sender), To: g.r.self(), SOPClass: q.SOPClass, Keys: q.Keys, Matches: q.Matches}
	if q.Sender.CalledAE != "" {
		a.To.AETitles = []string{q.Sender.CalledAE}
	}
	if q.Problem != "" || q.Status.Category() == dimse.Failure {
		a.Outcome, a.Why = atna.MinorFailure, q.Why
	}
	g.send(a)
}

func (g *gatherer) web(a *dicomweb.Activity) {
	outcome := atna.Success
	if a.Problem != "" {
		outcome = atna.MinorFailure
	}
	from, self := sender(&a.Sender), g.r.self()
	switch {
	case a.Status == 403 || a.Problem == "withheld":
		subject := a.Sender.Device
		if subject == "" {
			subject = a.Sender.Address
		}
		g.alert(Alert{At: a.At, Kind: atna.RestrictedFunction, Outcome: atna.SeriousFailure, Reporter: self, Subject: subject, Description: a.Problem + ": " + a.What}, a.Problem)
	case a.Service == "qido":
		g.send(Asked{At: a.At, Outcome: outcome, Why: a.What, From: from, To: self, SOPClass: "/" + a.Level, Keys: a.Keys, Matches: a.Matches})
	case a.Service == "wado" && a.Problem == "":
		n := max(1, a.Instances)
		to := from
		self.Requestor = false
		s := Study{UID: a.Study, Encrypted: a.Sender.TLS != ""}
		for _, c := range a.SOPClasses {
			s.SOPClasses = append(s.SOPClasses, atna.SOPClass{UID: c})
		}
		if len(s.SOPClasses) == 1 {
			s.SOPClasses[0].Count = n
		} else {
			s.SOPClasses = []atna.SOPClass{{Count: n}}
		}
		g.send(Transfer{At: a.At.Add(a.Took), From: self, To: to, Studies: []Study{s}})
	}
}

func (g *gatherer) decision(d *decision) {
	rec := &d.held.Record
	who := Actor{ID: d.say.User}
	action := byte(atna.Update)
	if d.say.Action == "destroy" {
		action = atna.Delete
	}
	s := Study{UID: rec.Study, SOPClasses: []atna.SOPClass{{UID: rec.SOPClass, Count: 1, Instances: []string{rec.SOPInstance}}}}
	why := ""
	if d.held.Asked != nil {
		why = "asked for; another person must agree"
	}
	g.send(Access{Action: action, Who: who, Where: g.r.self(), Studies: []Study{s}, Patient: g.r.patient(rec)})
	g.send(Alert{Kind: atna.RestrictedFunction, Reporter: g.r.self(), By: &who, Subject: rec.SOPInstance, Description: "quarantine: " + d.say.Action + " " + why})
}

// self is the gateway.
func (r *Room) self() Node { return Node{ID: r.d.Name, Address: r.cfg.Host} }

// patient is that of a record.
func (r *Room) patient(rec *instance.Record) Patient {
	p := Patient{Pseudonym: rec.Patient}
	if r.cfg.Patients == Clear && r.d.Identify != nil {
		if clear, err := r.d.Identify(rec.Number); err == nil {
			clear.Pseudonym = rec.Patient
			return clear
		}
	}
	return p
}
