// SPDX-License-Identifier: Apache-2.0

package steer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/journal"
	"github.com/asepsis/asepsis/guard/gateway/journal/vaulttest"
	"github.com/asepsis/asepsis/guard/gateway/steer"
	"github.com/asepsis/asepsis/guard/gateway/steer/steertest"
	"github.com/asepsis/asepsis/prove/ledger"
)

// The Vault that the tests stand on keeps what every Vault promises.
func TestTheVaultInMemoryIsAVault(t *testing.T) {
	vaulttest.Run(t, func(*testing.T) instance.Vault { return steertest.NewVault() })
}

// fixture is a gateway with a ledger, and something in quarantine.
type fixture struct {
	*steertest.Gateway
	ledger *ledger.Ledger
	flaky  *flaky
	held   instance.Record
}

// flaky is a ledger that can be away.
type flaky struct {
	*ledger.Ledger
	mu   sync.Mutex
	away error
	left int // how often it records before
}

func (f *flaky) Record(ctx context.Context, s custody.Statement) (ledger.Entry, error) {
	f.mu.Lock()
	err := f.away
	if f.left > 0 {
		f.left--
		err = nil
	}
	f.mu.Unlock()
	if err != nil {
		return ledger.Entry{}, err
	}
	return f.Ledger.Record(ctx, s)
}

func (f *flaky) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away, f.left = err, 0
}

// after has it be away when it recorded n times more.
func (f *flaky) after(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away, f.left = err, n
}

func newFixture(t *testing.T) *fixture { return fixtureOver(t, nil) }

func fixtureOver(t *testing.T, v steer.Vault) *fixture {
	t.Helper()
	cfg := ledger.Default()
	cfg.Dir, cfg.Origin, cfg.Checkpoint, cfg.Reserve = t.TempDir(), "ledger.example/gateway", 100*time.Millisecond, 0
	l, err := ledger.New(cfg, ledger.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	f := &fixture{ledger: l, flaky: &flaky{Ledger: l}}
	if f.Gateway, err = steertest.Open(steertest.Options{Dir: t.TempDir(), Ledger: f.flaky, Vault: v}); err != nil {
		t.Fatal(err)
	}
	f.held, err = f.Put(t.Context(), steertest.Image(7, 1, steertest.Script), func(r *instance.Record) { r.State, r.Verdict = instance.Quarantined, instance.Quarantine })
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) kinds(t *testing.T) string {
	t.Helper()
	list, err := f.ledger.Find(t.Context(), ledger.Query{Digest: f.held.DataSet, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i := len(list) - 1; i >= 0; i-- {
		out = append(out, string(list[i].Statement.Kind()))
	}
	return strings.Join(out, " ")
}

func code(err error) string {
	var r *control.Refused
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

func TestOfManyWhoAgreeAtOnceOneCarriesItOut(t *testing.T) {
	f := newFixture(t)
	h, err := f.Decide(t.Context(), control.Decide{Number: f.held.Number, Action: "release", Reason: "fine", User: "ada", Revision: f.held.Revision})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	done, refused := 0, map[string]int{}
	for i := range 16 {
		wg.Go(func() {
			_, err := f.Decide(context.Background(), control.Decide{Number: f.held.Number, Action: "release", Reason: "fine", User: fmt.Sprint("user", i), Revision: h.Revision})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				done++
			} else {
				refused[code(err)]++
			}
		})
	}
	wg.Wait()
	if done != 1 || refused[control.Conflict] != 15 || f.Forward.Woken != 1 {
		t.Errorf("%d carried it out, refused: %v, the forwarder was woken %d times", done, refused, f.Forward.Woken)
	}
	if got := f.kinds(t); got != "artefact-received decision decision override" {
		t.Errorf("the ledger has %s", got)
	}
}

// TestWithoutTheLedgerNothingIsDecided has the ledger away at each step, and sees that
// the same word counts when it is back.
func TestWithoutTheLedgerNothingIsDecided(t *testing.T) {
	f := newFixture(t)
	d := control.Decide{Number: f.held.Number, Action: "destroy", Reason: "a worm", User: "ada", Revision: f.held.Revision}
	f.flaky.set(ledger.ErrClosed)
	if _, err := f.Decide(t.Context(), d); code(err) != control.Unavailable {
		t.Fatalf("asking without a ledger: %v", err)
	}
	if r, _ := f.Instance(t.Context(), f.held.Number); r.Asked != nil || r.Revision != f.held.Revision {
		t.Errorf("it is %+v", r)
	}
	if _, err := f.HeaderOf(t.Context(), control.HeaderRequest{Number: f.held.Number, Clear: true, User: "ada", Reason: "to see"}); code(err) != control.Unavailable {
		t.Errorf("reading in clear without a ledger: %v", err)
	}
	if _, _, err := f.SetPolicy(t.Context(), control.Policy{YAML: "mode: observe\n", SHA256: f.Wall.Firewall.Policy()}, "ada"); code(err) != control.Unavailable || f.Wall.Text() == "mode: observe\n" {
		t.Errorf("setting the policy without a ledger: %v", err)
	}
	f.flaky.set(nil)
	h, err := f.Decide(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	d.User, d.Revision = "ben", h.Revision
	f.flaky.set(ledger.ErrBusy)
	if _, err := f.Decide(t.Context(), d); code(err) != control.Unavailable {
		t.Fatalf("agreeing without a ledger: %v", err)
	}
	f.flaky.set(nil)
	if h, err = f.Decide(t.Context(), d); err != nil || h.State != instance.Destroyed {
		t.Fatalf("agreeing with it: %+v, %v", h, err)
	}
	if _, err := f.Vault.Open(t.Context(), f.held.Number); !errors.Is(err, instance.ErrNotFound) {
		t.Errorf("the bytes of what was destroyed: %v", err)
	}
}

func TestADecisionThatWasRecordedAndNotCarriedOutIsCarriedOutOnce(t *testing.T) {
	f := newFixture(t)
	d := control.Decide{Number: f.held.Number, Action: "release", Reason: "fine", User: "ada", Revision: f.held.Revision}
	h, err := f.Decide(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	d.User, d.Revision = "ben", h.Revision
	// The journal fails after the ledger has the statement, as in a crash between the two.
	f.Vault.(*steertest.Vault).Fail(errors.New("the disk is away"))
	if _, err := f.Decide(t.Context(), d); err == nil {
		t.Fatal("it was carried out without a journal")
	}
	f.Vault.(*steertest.Vault).Fail(nil)
	if h, err = f.Decide(t.Context(), d); err != nil || h.State != instance.Released {
		t.Fatalf("again: %+v, %v", h, err)
	}
	if got := f.kinds(t); got != "artefact-received decision decision override" {
		t.Errorf("the ledger has %s", got)
	}
	if n := len(h.Entries); n != 4 || h.Entries[3].Kind != "override" {
		t.Errorf("its entries are %+v", h.Entries)
	}
}

func TestWhatWasAskedIsWithdrawn(t *testing.T) {
	f := newFixture(t)
	d := control.Decide{Number: f.held.Number, Action: "release", Reason: "fine", User: "ada", Revision: f.held.Revision}
	h, err := f.Decide(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	h, err = f.Decide(t.Context(), control.Decide{Number: f.held.Number, Action: "withdraw", Reason: "not fine", User: "ben", Revision: h.Revision})
	if err != nil || h.Asked != nil || h.State != instance.Quarantined {
		t.Fatalf("withdrawn it is %+v, %v", h, err)
	}
	// The second of two people is the first again, after a withdrawal.
	if h, err = f.Decide(t.Context(), control.Decide{Number: f.held.Number, Action: "release", Reason: "fine", User: "ben", Revision: h.Revision}); err != nil || h.State != instance.Quarantined {
		t.Errorf("asked again it is %+v, %v", h, err)
	}
	f.Forward.Nowhere = true
	if _, err := f.Decide(t.Context(), control.Decide{Number: f.held.Number, Action: "release", Reason: "fine", User: "ada", Revision: h.Revision}); code(err) != control.Conflict || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("released to nowhere: %v", err)
	}
}

func TestAHeaderWithoutLeaveShowsNobody(t *testing.T) {
	f := newFixture(t)
	h, err := f.HeaderOf(t.Context(), control.HeaderRequest{Number: f.held.Number})
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, e := range h.Elements {
		if e.Hidden != (e.Value == "") && e.Length > 0 && e.Name != "PixelData" {
			t.Errorf("%s is %+v", e.Path, e)
		}
		if e.Value != "" {
			shown[e.Name] = e.Value
		}
	}
	for _, name := range []string{"PatientName", "PatientID", "PatientBirthDate", "PatientComments", "AccessionNumber", "StudyDate", "StudyID"} {
		if shown[name] != "" {
			t.Errorf("%s is shown as %q", name, shown[name])
		}
	}
	if shown["Modality"] != "CT" || shown["Rows"] != "8" || shown["SOPInstanceUID"] == "" || shown["PhotometricInterpretation"] != "MONOCHROME2" {
		t.Errorf("shown are %v", shown)
	}
	if last := h.Elements[len(h.Elements)-1]; last.Name != "PixelData" || last.Length != 128 {
		t.Errorf("it ends with %+v", last)
	}
}

func TestAHeaderThatIsBrokenIsShownAsFarAsItGoes(t *testing.T) {
	f := newFixture(t)
	data := steertest.Image(8, 1, "")
	r, err := f.Put(t.Context(), append(data[:90:90], 0x08, 0, 0x70, 0, 'L', 'O', 0xF0, 0xFF, 'x'), func(r *instance.Record) { r.State = instance.Quarantined })
	if err != nil {
		t.Fatal(err)
	}
	h, err := f.HeaderOf(t.Context(), control.HeaderRequest{Number: r.Number})
	if err != nil || !h.Cut || len(h.Elements) == 0 {
		t.Errorf("it is %+v, %v", h, err)
	}
}

// TestOverTheRealJournal has what is decided and tried over the gateway's journal on a disk.
func TestOverTheRealJournal(t *testing.T) {
	cfg := journal.Default()
	cfg.Dir = t.TempDir()
	cfg.Warn, cfg.Stop = 2, 1
	j, err := journal.New(cfg, journal.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	f := fixtureOver(t, j)
	if l, err := f.Quarantine(t.Context(), 0, 10); err != nil || len(l) != 1 || l[0].DeviceName != "CT of theatre 3" {
		t.Fatalf("in quarantine: %+v, %v", l, err)
	}
	if r, err := f.DryRun(t.Context(), control.DryRun{YAML: "mode: observe\n", Limit: 10}); err != nil || r.Examined != 1 || len(r.Changed) != 1 || r.Changed[0].Would != instance.Flag || len(r.Changed[0].Hits) == 0 {
		t.Errorf("tried: %+v, %v", r, err)
	}
	if h, err := f.HeaderOf(t.Context(), control.HeaderRequest{Number: f.held.Number, Clear: true, User: "ada", Reason: "to see"}); err != nil || len(h.Elements) < 20 {
		t.Errorf("the header: %+v, %v", h, err)
	}
	h, err := f.Decide(t.Context(), control.Decide{Number: f.held.Number, Action: "release", Reason: "fine", User: "ada", Revision: f.held.Revision})
	if err != nil {
		t.Fatal(err)
	}
	if h, err = f.Decide(t.Context(), control.Decide{Number: f.held.Number, Action: "release", Reason: "yes", User: "ben", Revision: h.Revision}); err != nil || h.State != instance.Released || len(h.Deliveries) != 1 {
		t.Fatalf("released: %+v, %v", h, err)
	}
	if l, err := f.Quarantine(t.Context(), 0, 10); err != nil || len(l) != 0 {
		t.Errorf("afterwards in quarantine: %+v, %v", l, err)
	}
	if l, err := f.Instances(t.Context(), instance.Query{Delivery: instance.Waiting}); err != nil || len(l) != 1 || len(l[0].Entries) != 4 {
		t.Errorf("what waits to be sent: %+v, %v", l, err)
	}
}

func TestAnInstanceIsFoundByTheUIDUnderWhichItWent(t *testing.T) {
	f := newFixture(t)
	for n := range 3 {
		r, err := f.Put(t.Context(), steertest.Image(9, n+1, ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Vault.Change(t.Context(), r.Number, func(x *instance.Record) error {
			x.Deliveries[0].State, x.Deliveries[0].SOPInstance = instance.Delivered, fmt.Sprintf("2.25.%d", n)
			if n == 2 {
				x.Deliveries[0].State = instance.Committed
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for uid, want := range map[string]int{"2.25.0": 1, "2.25.2": 1, "2.25.9": 0} {
		list, err := f.Instances(t.Context(), instance.Query{SOPInstance: uid})
		if err != nil || len(list) != want || want == 1 && list[0].Deliveries[0].SOPInstance != uid {
			t.Errorf("%s: %d, %v", uid, len(list), err)
		}
	}
	if list, err := f.Instances(t.Context(), instance.Query{SOPInstance: "2.25.0", Delivery: instance.Committed}); err != nil || len(list) != 0 {
		t.Errorf("of what was committed: %v, %v", list, err)
	}
}
