// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"errors"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// bySort routes CT to the first destination and MR to the second.
func bySort(b *bench, ct, mr string) {
	b.cfg.Routes = []Route{{Name: "ct", Modalities: []string{"CT"}, To: []string{ct}}, {Name: "mr", Modalities: []string{"MR"}, To: []string{mr}}}
}

func mr(_ *instance.Record, _ *instance.Arrival, h *instance.Header) { h.Modality = "MR" }

func TestDestinationsOfASystemThatServesOneAssociationTakeTurnsUnderLoad(t *testing.T) {
	load := func(t *testing.T, b *bench, port string, waiting, rounds int) {
		one, other := quick("pacs", port), quick("pacs-research", port)
		one.Timeouts.Associate, other.Timeouts.Associate = 500*time.Millisecond, 500*time.Millisecond
		b.deps.turn = 20 * time.Millisecond
		bySort(b, one.Name, other.Name)
		b.start(one, other)
		if err := b.f.Steer(one.Name, ActionPause); err != nil {
			t.Fatal(err)
		}
		for n := range waiting {
			b.bring(n)
		}
		if err := b.f.Steer(one.Name, ActionResume); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Until(t, "the one is being served", func() bool { return b.f.Destinations()[0].Sent > 0 })
		for n := range rounds {
			b.becomes(b.bring(waiting+n, mr).Number, instance.Delivered)
			if s := b.f.Destinations(); s[0].Waiting == 0 || !s[1].Failure.IsZero() {
				t.Errorf("the load was over, or a system that works was called down: %+v", s)
			}
		}
		sent := b.f.Destinations()[0].Sent
		gatewaytest.Until(t, "the one goes on", func() bool { return b.f.Destinations()[0].Sent > sent })
	}
	t.Run("one that lets others wait", func(t *testing.T) {
		gatewaytest.Need(t, "storescp")
		dir, port := t.TempDir(), gatewaytest.FreePort(t)
		gatewaytest.Start(t, dir, "storescp", "-aet", "ARCHIVE", "-od", dir, "+B", "--sleep-after", "1", port).Listening(port)
		load(t, newBench(t), port, 40, 1)
	})
	t.Run("one that refuses others", func(t *testing.T) {
		peer := newSCP(t, "0", func(s *dicomnet.Server) { s.MaxAssociations = 1 })
		slow := time.Tick(5 * time.Millisecond)
		peer.status = func(int, string) dimse.Status {
			<-slow
			return 0
		}
		load(t, newBench(t), peer.port, 300, 3)
	})
}

func TestWhoHasWhatIsUrgentHasLongerTurnsAndWaitsForNobodyElses(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	s := &system{turn: turn}
	a, b, c := s.party(nil), s.party(nil), s.party(nil)
	full := &dicomnet.RejectedError{Reject: dicomnet.RejectCongestion}
	enter := func(p *party, urgent, want bool) {
		t.Helper()
		if p.enter(now, urgent) != want {
			t.Fatalf("it enters: %v", !want)
		}
	}
	over := func(p *party, urgent, want bool) {
		t.Helper()
		if p.over(now, urgent) != want {
			t.Fatalf("its turn is over: %v", !want)
		}
	}
	enter(a, false, true)
	enter(b, false, true) // nothing is known yet
	if !b.refused(now, full, false) {
		t.Fatal("it is down, though another works")
	}
	b.leave(now)
	enter(b, false, false)
	enter(c, false, false)
	over(a, false, false)
	now = now.Add(turn)
	over(a, false, true)
	a.leave(now)
	enter(a, true, false) // b was promised it
	enter(c, false, false)
	enter(b, false, true)
	over(b, false, true) // for what is urgent, at once
	b.leave(now)
	enter(b, false, false)
	enter(a, true, true)
	now = now.Add(turn)
	over(a, true, false)
	now = now.Add(longTurn * turn)
	over(a, true, true)
	now = now.Add(keptOff)
	over(a, true, false) // the bound is forgotten by now
	enter(c, false, true)
	if c.refused(now, errors.New("refused"), false) {
		t.Fatal("what says nothing of room is taken for it")
	}
	if !c.refused(now, full, false) {
		t.Fatal("it is down, though another works")
	}
	c.leave(now)
	over(a, true, true)
	a.leave(now)
	now = now.Add(claim + 1) // b, who is first, does not come
	enter(c, false, true)
	if len(s.line) > 0 {
		t.Errorf("%d stand in the line", len(s.line))
	}
}

func TestNobodyWaitsForWhoWantsNothingAnyMore(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	s := &system{turn: turn}
	told := 0
	a, b := s.party(nil), s.party(func() { told++ })
	a.enter(now, false)
	b.enter(now, false)
	if b.refused(now, dicomnet.ErrTimeout, false) {
		t.Fatal("a system that answers nobody is not down")
	}
	a.works(now)
	if !b.refused(now, dicomnet.ErrTimeout, false) {
		t.Fatal("a system that serves another is down")
	}
	b.leave(now)
	b.enter(now, false)
	b.withdraw()
	now = now.Add(time.Hour / 10)
	if a.over(now, false) {
		t.Error("it is given back for nobody")
	}
	b.enter(now, false)
	told = 0
	a.leave(now)
	if told != 1 || !b.enter(now, false) {
		t.Errorf("told %d times", told)
	}
	b.leave(now)
	if b.enter(now, false); b.refused(now, dicomnet.ErrTimeout, false) {
		t.Error("a system that serves nobody is not down")
	}
	if !a.enter(now, false) {
		t.Error("what is down is believed to serve one at a time")
	}
}
