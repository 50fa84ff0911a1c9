// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

func TestInstancesReachStorescpBitForBit(t *testing.T) {
	gatewaytest.Need(t, "storescp")
	b := newBench(t)
	dir, port := t.TempDir(), gatewaytest.FreePort(t)
	gatewaytest.Start(t, dir, "storescp", "-aet", "ARCHIVE", "-od", dir, "+B", port).Listening(port)
	b.start(quick("pacs", port))
	want := map[string]string{}
	var last instance.Record
	for n := range 50 {
		last = b.bring(n)
		want[last.SOPInstance] = last.DataSet
	}
	gatewaytest.Until(t, "all are delivered", func() bool { return b.f.Destinations()[0].Sent == 50 && b.journal.Counts().Waiting == 0 })
	got := stored(t, dir)
	for uid, digest := range want {
		if got[uid] != digest {
			t.Errorf("%s arrived as %s, want %s", uid, got[uid], digest)
		}
	}
	d := b.becomes(last.Number, instance.Delivered)
	if d.Attempts != 1 || d.Forwarded != last.DataSet || d.SOPInstance != last.SOPInstance || d.Status != "0x0000" || !d.Next.IsZero() || d.At.IsZero() {
		t.Errorf("%+v", d)
	}
	list := b.book.of(custody.Forwarded, last.DataSet)
	if len(list) != 1 {
		t.Fatalf("%d statements", len(list))
	}
	p := list[0].Predicate
	if p.Detail["to"] != "ARCHIVE" || p.Detail["from"] != "ASEPSIS" || p.Detail["route"] != "all" || p.Detail["status"] != "0x0000" || p.Site != "st-example" || p.Device != "ct-1" {
		t.Errorf("%+v", p)
	}
	if e := b.get(last.Number).Entries; len(e) != 1 || e[0].Kind != string(custody.Forwarded) || e[0].Destination != "pacs" {
		t.Errorf("%+v", e)
	}
	if s := b.f.Destinations()[0]; s.State != "idle" || s.Waiting != 0 || s.InFlight != 0 || s.Success.IsZero() || s.PerSecond == 0 || s.Dead != 0 {
		t.Errorf("%+v", s)
	}
	if m := b.f.Matters(); len(m) != 0 {
		t.Errorf("%+v", m)
	}
}

func TestWhatADestinationAnswersDecides(t *testing.T) {
	for _, c := range []struct {
		name     string
		answers  []dimse.Status // then success
		want     instance.DeliveryState
		attempts int
		why      string
	}{
		{"success", nil, instance.Delivered, 1, ""},
		{"a warning is success, and recorded", []dimse.Status{0xB000}, instance.Delivered, 1, "taken with warning 0xB000"},
		{"elements discarded is a warning", []dimse.Status{0xB006}, instance.Delivered, 1, "taken with warning 0xB006"},
		{"out of resources costs no attempt", []dimse.Status{0xA700, 0xA701, 0xA700}, instance.Delivered, 1, ""},
		{"a processing failure is tried again", []dimse.Status{0x0110, 0x0110}, instance.Delivered, 3, ""},
		{"cannot understand is tried again", []dimse.Status{0xC001}, instance.Delivered, 2, ""},
		{"cannot understand is given up at last", []dimse.Status{0xC001, 0xC001, 0xC001, 0xC001, 0xC001}, instance.Dead, 4, "C-STORE failed with status 0xC001"},
		{"a data set that does not match its SOP class is given up", []dimse.Status{0xA900}, instance.Dead, 1, "0xA900"},
		{"SOP class not supported is given up", []dimse.Status{0x0122}, instance.Dead, 1, "0x0122"},
		{"not authorised is given up", []dimse.Status{0x0124}, instance.Dead, 1, "0x0124"},
		{"a duplicate of what never went is given up", []dimse.Status{0x0111}, instance.Dead, 1, "0x0111"},
		{"a duplicate of what may have gone is a success", []dimse.Status{0x0110, 0x0111}, instance.Delivered, 2, "had it already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			peer := newSCP(t, "0")
			peer.status = func(n int, _ string) dimse.Status {
				if n <= len(c.answers) {
					return c.answers[n-1]
				}
				return 0
			}
			d := quick("pacs", peer.port)
			d.Attempts = 4
			b.start(d)
			r := b.bring(1)
			got := b.becomes(r.Number, c.want)
			if got.Attempts != c.attempts || !strings.Contains(got.Why, c.why) || c.why == "" && got.Why != "" {
				t.Errorf("%+v", got)
			}
			if strings.Contains(got.Why, "Nobody") {
				t.Errorf("%q names somebody", got.Why)
			}
			if c.want == instance.Dead {
				gatewaytest.Until(t, "it is a matter", func() bool { return ruleNames(b.f) == "gateway.dead-letters" })
				if s := b.f.Destinations()[0]; s.Dead != 1 || s.Waiting != 0 {
					t.Errorf("%+v", s)
				}
				peer.status = nil
				if err := b.f.Steer("pacs", ActionRetry); err != nil {
					t.Fatal(err)
				}
				b.becomes(r.Number, instance.Delivered)
				gatewaytest.Until(t, "nothing is a matter", func() bool { return len(b.f.Matters()) == 0 })
			}
		})
	}
}

func TestADestinationThatIsDownCostsNoAttempt(t *testing.T) {
	b := newBench(t)
	port := gatewaytest.FreePort(t)
	b.start(quick("pacs", port))
	var all []instance.Record
	for n := range 5 {
		all = append(all, b.bring(n))
	}
	gatewaytest.Until(t, "it rests", func() bool { return b.f.Destinations()[0].State == "backing-off" })
	s := b.f.Destinations()[0]
	if s.Waiting != 5 || s.Why == "" || s.Hint == "" || s.Failure.IsZero() || s.Oldest.IsZero() {
		t.Errorf("%+v", s)
	}
	peer := newSCP(t, port)
	for _, r := range all {
		if d := b.becomes(r.Number, instance.Delivered); d.Attempts != 1 {
			t.Errorf("%+v", d)
		}
	}
	if got := peer.list(); len(got) != 5 {
		t.Errorf("%d arrived", len(got))
	}
}

func TestRefusalsOfAssociationsAreNamed(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0", func(s *dicomnet.Server) {
		s.Negotiate = func(context.Context, *dicomnet.Negotiation) error {
			return &dicomnet.RejectedError{Reject: dicomnet.RejectCalledAE}
		}
	})
	b.start(quick("pacs", peer.port))
	r := b.bring(1)
	gatewaytest.Until(t, "it rests", func() bool { return b.f.Destinations()[0].State == "backing-off" })
	if s := b.f.Destinations()[0]; !strings.Contains(s.Why, "called-ae-title-not-recognized") || !strings.Contains(s.Hint, `"ARCHIVE"`) {
		t.Errorf("%+v", s)
	}
	if d := b.get(r.Number).Deliveries[0]; d.State != instance.Waiting || d.Attempts != 0 {
		t.Errorf("%+v", d)
	}
	e := b.f.Echo(t.Context(), "pacs")
	if e.OK || len(e.Steps) != 2 || !e.Steps[0].OK || e.Steps[1].Name != "associate" || e.Steps[1].OK || e.Hint == "" {
		t.Errorf("%+v", e)
	}
}

func TestAnInstanceOfAKindThatIsNotTakenIsGivenUpAlone(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0", func(s *dicomnet.Server) {
		s.Services = []dicomnet.Service{{AbstractSyntax: mrStorage}, {AbstractSyntax: dicom.UIDVerification}}
	})
	b.start(quick("pacs", peer.port))
	ct := b.bring(1)
	data, uid := dataset(t, 2, 8, mrStorage, dicom.ExplicitVRLittleEndian)
	mr := b.put(2, data, uid, func(r *instance.Record, _ *instance.Arrival, _ *instance.Header) { r.SOPClass = mrStorage })
	b.becomes(mr.Number, instance.Delivered)
	if d := b.becomes(ct.Number, instance.Dead); !strings.Contains(d.Why, "abstract-syntax-not-supported") {
		t.Errorf("%+v", d)
	}
}

func TestUncompressedInstancesAreConvertedWhereTheDestinationAsksForIt(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0")
	d := quick("pacs", peer.port)
	d.Syntaxes = []string{dicom.ImplicitVRLittleEndian}
	b.start(d)
	r := b.bring(1)
	got := b.becomes(r.Number, instance.Delivered)
	arrived := peer.list()
	if len(arrived) != 1 || arrived[0].syntax != dicom.ImplicitVRLittleEndian || digestOf(arrived[0].data) != got.Forwarded || got.Forwarded == r.DataSet ||
		got.TransferSyntax != dicom.ImplicitVRLittleEndian || got.Bytes != int64(len(arrived[0].data)) {
		t.Fatalf("%+v", got)
	}
	altered := b.book.of(custody.Altered, r.DataSet)
	if len(altered) != 1 || altered[0].Predicate.Detail["operation"] != "transcoding" || altered[0].Subject[1].Digest["sha256"] != got.Forwarded {
		t.Errorf("%+v", altered)
	}
	if list := b.book.of(custody.Forwarded, got.Forwarded); len(list) != 1 || list[0].Predicate.Detail["transfer_syntax"] != dicom.ImplicitVRLittleEndian {
		t.Errorf("%+v", list)
	}
	// A compressed one cannot be.
	data, uid := dataset(t, 2, 8, ctStorage, dicom.ExplicitVRLittleEndian)
	jpeg := b.put(2, data, uid, func(r *instance.Record, _ *instance.Arrival, _ *instance.Header) {
		r.TransferSyntax = "1.2.840.10008.1.2.4.70"
	})
	if d := b.becomes(jpeg.Number, instance.Dead); !strings.Contains(d.Why, "cannot be converted") {
		t.Errorf("%+v", d)
	}
}

func TestADamagedInstanceNeverArrives(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0")
	b.start(quick("pacs", peer.port))
	if err := b.f.Steer("pacs", ActionPause); err != nil {
		t.Fatal(err)
	}
	data, uid := dataset(t, 1, 500, ctStorage, dicom.ExplicitVRLittleEndian)
	r := b.put(1, data, uid)
	other := b.bring(2)
	path := filepath.Join(b.dir, "journal", "bytes", "seg-0000000000000001")
	disk, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	if _, err := disk.WriteAt([]byte("something else"), 1000); err != nil {
		t.Fatal(err)
	}
	if err := b.f.Steer("pacs", ActionResume); err != nil {
		t.Fatal(err)
	}
	if d := b.becomes(r.Number, instance.Dead); !strings.Contains(d.Why, "not what was acknowledged") {
		t.Errorf("%+v", d)
	}
	b.becomes(other.Number, instance.Delivered)
	if got := peer.list(); len(got) != 1 || got[0].uid != other.SOPInstance {
		t.Errorf("%d arrived", len(got))
	}
}

func TestPausedStaysPausedOverARestart(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0")
	b.start(quick("pacs", peer.port))
	if err := b.f.Steer("pacs", ActionPause); err != nil {
		t.Fatal(err)
	}
	r := b.bring(1)
	b.stop()
	b.start(quick("pacs", peer.port))
	gatewaytest.Until(t, "it is in the queue", func() bool { return b.f.Destinations()[0].Waiting == 1 })
	if s := b.f.Destinations()[0]; s.State != "paused" || len(peer.list()) != 0 {
		t.Errorf("%+v", s)
	}
	if err := b.f.Steer("pacs", ActionResume); err != nil {
		t.Fatal(err)
	}
	b.becomes(r.Number, instance.Delivered)
	var no *control.Refused
	if err := b.f.Steer("nowhere", ActionPause); !errors.As(err, &no) || no.Code != "not-found" {
		t.Error(err)
	}
	if err := b.f.Steer("pacs", "explode"); !errors.As(err, &no) || no.Code != "invalid" {
		t.Error(err)
	}
}

func TestTheLedgerAwayHoldsClosedRoutesAndDelaysOpenOnes(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0")
	b.cfg.Routes = []Route{{Name: "open", CallingAE: []string{"CT_OPEN"}, To: []string{"pacs"}, Fail: FailOpen}, {Name: "closed", CallingAE: []string{"CT_1"}, To: []string{"pacs"}}}
	b.start(quick("pacs", peer.port))
	open := func(r *instance.Record, a *instance.Arrival, _ *instance.Header) {
		r.Sender.CallingAE, a.Sender.CallingAE = "CT_OPEN", "CT_OPEN"
	}
	if !b.f.Open("open") || b.f.Open("closed") || b.f.Open("none") {
		t.Error("routes do not know how they fail")
	}
	b.book.broken(errAway)
	first := b.bring(1, open) // finds out
	if d := b.becomes(first.Number, instance.Delivered); d.Next.IsZero() {
		t.Errorf("a delivery that the ledger does not know is done: %+v", d)
	}
	held := b.bring(2)
	second := b.bring(3, open)
	b.becomes(second.Number, instance.Delivered)
	gatewaytest.Until(t, "it is a matter", func() bool { return strings.Contains(ruleNames(b.f), "gateway.delivery-unrecorded") })
	if d := b.get(held.Number).Deliveries[0]; d.State != instance.Waiting {
		t.Errorf("%+v", d)
	}
	states := b.f.Routes()
	if states[0].State != "open" || states[1].State != "closed" || states[1].Why == "" || states[0].Match != "from CT_OPEN" {
		t.Errorf("%+v", states)
	}
	// The debt survives the gateway.
	b.stop()
	b.start(quick("pacs", peer.port))
	b.book.broken(nil)
	b.becomes(held.Number, instance.Delivered)
	for _, r := range []instance.Record{first, second, held} {
		gatewaytest.Until(t, "the ledger knows", func() bool {
			got := b.get(r.Number)
			return len(got.Entries) == 1 && got.Deliveries[0].Next.IsZero() && len(b.book.of(custody.Forwarded, r.DataSet)) == 1
		})
	}
	if n := len(peer.list()); n != 3 {
		t.Errorf("%d arrived", n)
	}
}

func TestTheTheatreWithACaseGoesFirstNewestStudyFirst(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0")
	d := quick("pacs", peer.port)
	d.Associations, d.Age = 1, -1
	b.start(d)
	if err := b.f.Steer("pacs", ActionPause); err != nil {
		t.Fatal(err)
	}
	in := func(theatre string, minute int) func(*instance.Record, *instance.Arrival, *instance.Header) {
		return func(r *instance.Record, a *instance.Arrival, _ *instance.Header) {
			r.Sender.Theatre, a.Sender.Theatre = theatre, theatre
			r.Received = time.Date(2026, 11, 22, 8, minute, 0, 0, time.UTC)
		}
	}
	var want [6]string
	want[3] = b.bring(10, in("OR-1", 1)).SOPInstance
	want[1] = b.bring(20, in("OR-3", 2)).SOPInstance // an older study of the theatre in case
	want[4] = b.bring(11, in("OR-1", 3)).SOPInstance
	first := b.bring(30, in("OR-3", 4)) // the newest study there
	second := b.bring(31, in("OR-3", 5))
	want[5] = b.bring(12, in("OR-2", 6)).SOPInstance
	want[0], want[1], want[2] = first.SOPInstance, second.SOPInstance, want[1]
	b.cases.Store("OR-3", true)
	gatewaytest.Until(t, "three are urgent", func() bool { return b.f.Destinations()[0].Urgent == 3 }) // what came before it began is read when it does
	if err := b.f.Steer("pacs", ActionResume); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Until(t, "all arrive", func() bool { return len(peer.list()) == 6 })
	for i, got := range peer.list() {
		if got.uid != want[i] || got.priority == 1 != (i < 3) {
			t.Errorf("%d: %s with priority %d, want %s", i, got.uid, got.priority, want[i])
		}
	}
}

func TestAssociationsAreKeptAndSeveralAreUsed(t *testing.T) {
	b := newBench(t)
	associations := make(chan *dicomnet.Association, 100)
	peer := newSCP(t, "0", func(s *dicomnet.Server) { s.Established = func(a *dicomnet.Association) { associations <- a } })
	peer.hold = make(chan struct{})
	d := quick("pacs", peer.port)
	d.Associations = 4
	b.start(d)
	for n := range 40 {
		b.bring(n)
	}
	gatewaytest.Until(t, "four at once", func() bool { return peer.open.Load() == 4 })
	close(peer.hold)
	gatewaytest.Until(t, "all are delivered", func() bool { return b.f.Destinations()[0].Sent == 40 })
	if peer.most.Load() != 4 || len(associations) > 5 {
		t.Errorf("%d at once over %d associations", peer.most.Load(), len(associations))
	}
	for range len(associations) { // after a while they are released
		a := <-associations
		gatewaytest.Until(t, "an idle association is released", func() bool { return errors.Is(a.Err(), dicomnet.ErrReleased) })
	}
}

func TestADestinationThatIsGoneIsAMatterUntilSomebodyDecides(t *testing.T) {
	b := newBench(t)
	b.start(quick("pacs", gatewaytest.FreePort(t)))
	r := b.bring(1)
	b.stop()
	b.cfg.Routes = nil
	b.start(quick("other", gatewaytest.FreePort(t)))
	gatewaytest.Until(t, "it is a matter", func() bool { return ruleNames(b.f) == "gateway.destination-missing" })
	if n, err := b.f.Drop(t.Context(), "pacs", b.f.Stuck("pacs"), nil); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	b.becomes(r.Number, instance.Dropped)
	gatewaytest.Until(t, "it is no matter any more", func() bool { return ruleNames(b.f) == "" })
}

func TestEchoGoesStepByStep(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0")
	b.start(quick("pacs", peer.port), quick("away", gatewaytest.FreePort(t)))
	e := b.f.Echo(t.Context(), "pacs")
	var names []string
	for _, s := range e.Steps {
		names = append(names, fmt.Sprint(s.Name, s.OK))
	}
	if !e.OK || strings.Join(names, " ") != "connecttrue associatetrue echotrue" {
		t.Errorf("%+v", e)
	}
	if e := b.f.Echo(t.Context(), "away"); e.OK || len(e.Steps) != 1 || e.Steps[0].Name != "connect" || e.Hint == "" {
		t.Errorf("%+v", e)
	}
	if e := b.f.Echo(t.Context(), "nowhere"); e.OK || e.What == "" {
		t.Errorf("%+v", e)
	}
}

// committer is a destination that answers requests for storage commitment as a test says.
type committer struct {
	*scp
	answer func(n int, uid string) (report, ok bool)
	asked  atomic.Int64
}

func newCommitter(t *testing.T, answer func(n int, uid string) (report, ok bool)) *committer {
	t.Helper()
	c := &committer{answer: answer}
	c.scp = newSCP(t, "0", func(s *dicomnet.Server) {
		s.Services = append(s.Services, dicomnet.Service{AbstractSyntax: dicom.UIDStorageCommitmentPush})
		s.Handler = c
	})
	return c
}

// Handle implements dicomnet.Handler.
func (c *committer) Handle(ctx context.Context, r *dicomnet.Request) dicomnet.Reply {
	if r.Command.Field != dimse.NActionRQ {
		return c.scp.Handle(ctx, r)
	}
	n := int(c.asked.Add(1))
	transactionUID, list, _, err := ParseCommitment(r.Data, r.Context.TransferSyntax)
	if err != nil {
		return dicomnet.Reply{Status: 0x0110}
	}
	syntax, _ := dicom.SyntaxOf(r.Context.TransferSyntax)
	var ok, failed []func()
	var b bytes.Buffer
	w := dicom.NewWriter(&b, syntax)
	for _, uid := range list {
		report, good := c.answer(n, uid)
		item := func() {
			w.Text(0x00081150, dicom.UI, ctStorage)
			w.Text(0x00081155, dicom.UI, uid)
			if !good {
				w.Uint16(0x00081197, dicom.US, 0x0112)
			}
		}
		switch {
		case !report:
		case good:
			ok = append(ok, item)
		default:
			failed = append(failed, item)
		}
	}
	if len(ok)+len(failed) == 0 {
		return dicomnet.Reply{}
	}
	w.Text(0x00081195, dicom.UI, transactionUID)
	event := uint16(eventComplete)
	if len(failed) > 0 {
		w.Sequence(tagFailedSOPSequence, failed...)
		event = eventFailures
	}
	if len(ok) > 0 {
		w.Sequence(dicom.TagReferencedSOPSequence, ok...)
	}
	if err := w.Close(); err != nil {
		return dicomnet.Reply{Status: 0x0110}
	}
	go func() { // behind the answer, on the same association
		_, _ = r.Association.EventReport(context.WithoutCancel(ctx), dicomnet.Object{SOPClass: dicom.UIDStorageCommitmentPush, SOPInstance: commitmentInstance, Type: event, Data: &b}, nil)
	}()
	return dicomnet.Reply{}
}

func TestWhatIsNotCommittedIsSentAgainAndWhatIsNotReportedAskedAgain(t *testing.T) {
	b := newBench(t)
	const lazy, bad = "1.2.826.0.1.3680043.8.498.7.2", "1.2.826.0.1.3680043.8.498.7.3"
	peer := newCommitter(t, func(n int, uid string) (bool, bool) {
		switch {
		case uid == lazy:
			return n > 2, true
		case uid == bad:
			return true, n > 2
		}
		return true, true
	})
	d := quick("pacs", peer.port)
	d.Commitment, d.CommitWithin = true, 50*time.Millisecond
	b.start(d)
	var all []instance.Record
	for n := range 5 {
		all = append(all, b.bring(n))
	}
	for _, r := range all {
		got := b.becomes(r.Number, instance.Committed)
		if r.SOPInstance == bad && got.Attempts < 2 {
			t.Errorf("%+v", got)
		}
	}
	counts := map[string]int{}
	for _, a := range peer.list() {
		counts[a.uid]++
	}
	if counts[bad] < 2 || counts[lazy] != 1 {
		t.Errorf("%v", counts)
	}
	if err := b.f.CommitmentReport(t.Context(), "1.2.3", nil, nil); !errors.Is(err, ErrTransaction) {
		t.Error(err)
	}
}

func TestADestinationWithRoomForOneAssociationIsNotDown(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0", func(s *dicomnet.Server) { s.MaxAssociations = 1 })
	d := quick("pacs", peer.port)
	d.Associations = 4
	b.start(d)
	first := b.bring(1000)
	b.becomes(first.Number, instance.Delivered)
	for n := range 60 {
		b.bring(n)
	}
	gatewaytest.Until(t, "all are delivered", func() bool { return b.f.Destinations()[0].Sent == 61 })
	if s := b.f.Destinations()[0]; !s.Failure.IsZero() {
		t.Errorf("%+v", s)
	}
}

func TestOneInstanceThatADestinationHasNoRoomForDoesNotHoldUpOthers(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0")
	const large = "1.2.826.0.1.3680043.8.498.7.1"
	peer.status = func(_ int, uid string) dimse.Status {
		if uid == large {
			return 0xA700
		}
		return 0
	}
	b.start(quick("pacs", peer.port))
	r := b.bring(1)
	for n := range 20 {
		b.becomes(b.bring(n+2).Number, instance.Delivered)
	}
	if d := b.get(r.Number).Deliveries[0]; d.State != instance.Waiting || d.Attempts != 0 {
		t.Errorf("%+v", d)
	}
}

func TestALedgerThatIsAwayFromTheStartHoldsClosedRoutes(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0")
	b.book.broken(errAway)
	b.start(quick("pacs", peer.port))
	gatewaytest.Until(t, "the route is closed", func() bool { return b.f.Routes()[0].State == "closed" })
	r := b.bring(1)
	gatewaytest.Until(t, "it is in the queue", func() bool { return b.f.Destinations()[0].Waiting == 1 })
	if len(peer.list()) != 0 {
		t.Error("it went, and nobody could record it")
	}
	b.book.broken(nil)
	b.becomes(r.Number, instance.Delivered)
	if s := b.f.Routes()[0]; s.State != "ok" {
		t.Errorf("%+v", s)
	}
}
