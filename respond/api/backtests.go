// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/suppress"
)

// Bounds of backtests: they are kept in memory for a day.
const (
	maxBacktests     = 50
	runningBacktests = 2
	keepBacktests    = 24 * time.Hour
)

// BacktestList answers GET /backtests.
type BacktestList struct {
	Backtests []Backtest `json:"backtests"`
}

// Backtest says what a rule would have found, or a suppression hidden.
type Backtest struct {
	ID          string           `json:"id"`
	Kind        string           `json:"kind"`
	Subject     string           `json:"subject"`
	State       string           `json:"state"`
	Problem     string           `json:"problem"`
	By          string           `json:"by"`
	Started     string           `json:"started"`
	Ended       *string          `json:"ended"`
	From        string           `json:"from"`
	To          string           `json:"to"`
	Progress    float64          `json:"progress"`
	Complete    bool             `json:"complete"`
	Reached     string           `json:"reached"`
	Events      uint64           `json:"events"`
	Findings    int              `json:"findings"`
	Occurrences uint64           `json:"occurrences"`
	StillOpen   int              `json:"still_open"`
	TrueHidden  int              `json:"true_hidden"`
	ByDay       []BacktestDay    `json:"by_day"`
	ByDevice    []BacktestDevice `json:"by_device"`
	BySeverity  map[string]int   `json:"by_severity"`
	Examples    []Finding        `json:"examples"`
}

// BacktestDay counts a day.
type BacktestDay struct {
	Day         string `json:"day"`
	Findings    int    `json:"findings"`
	Occurrences uint64 `json:"occurrences"`
}

// BacktestDevice counts a device.
type BacktestDevice struct {
	Device      string `json:"device"`
	Name        string `json:"name"`
	Findings    int    `json:"findings"`
	Occurrences uint64 `json:"occurrences"`
}

// backtests are those that run and ran in this process.
type backtests struct {
	s       *Server
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu  sync.Mutex
	all map[string]*backtest
}

type backtest struct {
	Backtest
	started time.Time
	cancel  context.CancelFunc
}

func newBacktests(s *Server) *backtests {
	b := &backtests{s: s, all: map[string]*backtest{}}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// end ends all of them and waits for that.
func (b *backtests) end() {
	b.cancel()
	b.running.Wait()
}

// get returns one as it is now.
func (b *backtests) get(id string) (Backtest, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, ok := b.all[id]
	if !ok {
		return Backtest{}, false
	}
	return x.Backtest, true
}

// start begins one.
func (b *backtests) start(x Backtest, run func(context.Context, func(float64, uint64)) (detect.BacktestResult, error), w *world) (Backtest, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.s.now()
	busy := 0
	for id, o := range b.all {
		if o.State == "running" {
			busy++
		} else if now.Sub(o.started) > keepBacktests || len(b.all) >= maxBacktests {
			delete(b.all, id)
		}
	}
	if busy >= runningBacktests {
		return x, problem.TooMany("Two backtests run already.", 5*time.Second)
	}
	ctx, cancel := context.WithCancel(b.ctx)
	x.ID, x.State, x.Started = strings.ToLower(rand.Text()), "running", stamp(now.UnixNano())
	x.Reached, x.ByDay, x.ByDevice, x.BySeverity, x.Examples = x.From, []BacktestDay{}, []BacktestDevice{}, map[string]int{}, []Finding{}
	t := &backtest{Backtest: x, started: now, cancel: cancel}
	b.all[x.ID] = t
	b.running.Go(func() {
		defer cancel()
		res, err := run(ctx, func(done float64, events uint64) {
			b.mu.Lock()
			defer b.mu.Unlock()
			t.Progress, t.Events = min(max(done, 0), 1), events
		})
		b.mu.Lock()
		defer b.mu.Unlock()
		t.fill(&res, w)
		t.State, t.Ended = "done", stampOrNil(b.s.now().UnixNano())
		switch {
		case ctx.Err() != nil:
			t.State = "cancelled"
		case err != nil:
			t.State, t.Problem = "failed", oneOf(err)
		default:
			t.Progress = 1
		}
	})
	return t.Backtest, nil
}

func (t *backtest) fill(res *detect.BacktestResult, w *world) {
	t.Complete, t.Reached, t.Events, t.Findings, t.Occurrences = res.Complete, stamp(res.Reached), res.Events, res.Findings, res.Occurrences
	t.StillOpen, t.TrueHidden = res.StillOpen, res.TrueHidden
	for _, d := range res.ByDay {
		t.ByDay = append(t.ByDay, BacktestDay{d.Key, d.Findings, d.Occurrences})
	}
	for _, d := range res.ByDevice {
		t.ByDevice = append(t.ByDevice, BacktestDevice{d.Key, cmp.Or(w.deviceName(d.Key), d.Key), d.Findings, d.Occurrences})
	}
	for sev, n := range res.BySeverity {
		t.BySeverity[sev.String()] = n
	}
	for i := range res.Examples {
		f := ofRow(&alert.Row{Alert: res.Examples[i]})
		for j := range f.Devices {
			f.Devices[j].Name = cmp.Or(w.deviceName(f.Devices[j].ID), f.Devices[j].ID)
		}
		t.Examples = append(t.Examples, f)
	}
}

type backtestRequest struct {
	Text        string              `json:"text"`
	Rule        string              `json:"rule"`
	Suppression *suppressionRequest `json:"suppression"`
	From        string              `json:"from"`
	To          string              `json:"to"`
}

// postBacktest starts one.
func (s *Server) postBacktest(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[backtestRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	n := 0
	for _, set := range []bool{q.Text != "", q.Rule != "", q.Suppression != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return fields([]problem.Field{{Field: "text", Message: "or rule or suppression is needed, exactly one"}})
	}
	now := s.now()
	from, ok := parseTime(q.From, now)
	if !ok {
		return fields([]problem.Field{{Field: "from", Message: "must be a time such as 2026-03-16T08:30:00Z, or a time ago such as -7d"}})
	}
	to := now.UnixNano()
	if q.To != "" {
		if to, ok = parseTime(q.To, now); !ok {
			return fields([]problem.Field{{Field: "to", Message: "must be a time"}})
		}
	}
	if from >= to {
		return fields([]problem.Field{{Field: "from", Message: "must be before the end"}})
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	content, err := s.rules.content(r.Context())
	if err != nil {
		return err
	}
	seen, err := detect.WorldOf(r.Context(), s.dep.Store, s.dep.Policy)
	if err != nil {
		return err
	}
	in := detect.BacktestInput{Store: s.dep.Store, Content: content, World: seen, From: from, To: to}
	x := Backtest{By: s.decider(r).Name, From: stamp(from), To: stamp(to), Kind: "rule"}
	var run func(context.Context, detect.BacktestInput) (detect.BacktestResult, error)
	if q.Suppression != nil {
		if q.Suppression.Reason == "" {
			q.Suppression.Reason = "backtest"
		}
		if q.Suppression.Expires == "" {
			q.Suppression.Expires = "+1d"
		}
		sup, err := s.suppression(r, q.Suppression)
		if err != nil {
			return err
		}
		sup.ID = "draft"
		x.Kind, x.Subject = "suppression", suppressionInWords(&sup)
		run = func(ctx context.Context, in detect.BacktestInput) (detect.BacktestResult, error) {
			return detect.BacktestSuppression(ctx, in, sup)
		}
	} else {
		var one *rule.Rule
		if q.Rule != "" {
			i := slices.IndexFunc(content.Rules, func(y *rule.Rule) bool { return y.ID == q.Rule })
			if i < 0 {
				return noRule()
			}
			one = content.Rules[i]
		} else if one, _, err = s.parsed(r.Context(), q.Text); err != nil {
			return err
		}
		x.Subject = one.ID
		run = func(ctx context.Context, in detect.BacktestInput) (detect.BacktestResult, error) {
			return detect.Backtest(ctx, in, one)
		}
	}
	out, err := s.backtests.start(x, func(ctx context.Context, progress func(float64, uint64)) (detect.BacktestResult, error) {
		in.Progress = progress
		return run(ctx, in)
	}, world)
	if err != nil {
		return err
	}
	w.Header().Set("Location", prefix+"/backtests/"+out.ID)
	return send(w, r, http.StatusAccepted, out)
}

// suppressionInWords says what a suppression hides.
func suppressionInWords(s *suppress.Suppression) string {
	var parts []string
	for _, x := range []struct {
		what string
		l    []string
	}{{"rules", s.Rules}, {"devices", s.Devices}, {"theatres", s.Theatres}} {
		if len(x.l) > 0 {
			parts = append(parts, x.what+" "+strings.Join(x.l[:min(len(x.l), 5)], ", "))
		}
	}
	for k, v := range s.Entities {
		parts = append(parts, k+" "+v)
	}
	slices.Sort(parts)
	if s.Expression != "" {
		parts = append(parts, s.Expression)
	}
	return strings.Join(parts, "; ")
}

func noBacktest() error {
	return problem.NotFound("There is no backtest with this ID; they are kept for a day.")
}

func (s *Server) getBacktests(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	out := BacktestList{Backtests: []Backtest{}}
	s.backtests.mu.Lock()
	for _, x := range s.backtests.all {
		out.Backtests = append(out.Backtests, x.Backtest)
	}
	s.backtests.mu.Unlock()
	slices.SortFunc(out.Backtests, func(a, b Backtest) int { return cmp.Or(cmp.Compare(b.Started, a.Started), cmp.Compare(a.ID, b.ID)) })
	return send(w, r, http.StatusOK, out)
}

func (s *Server) getBacktest(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	x, ok := s.backtests.get(r.PathValue("id"))
	if !ok {
		return noBacktest()
	}
	return send(w, r, http.StatusOK, x)
}

func (s *Server) deleteBacktest(w http.ResponseWriter, r *http.Request) error {
	s.backtests.mu.Lock()
	x, ok := s.backtests.all[r.PathValue("id")]
	s.backtests.mu.Unlock()
	if !ok {
		return noBacktest()
	}
	x.cancel()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// mediumUp is from where on a finding counts for the budget.
const mediumUp = Severity(finding.Medium)
