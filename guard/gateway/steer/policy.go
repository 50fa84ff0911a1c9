// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"context"
	"fmt"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/firewall"
	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// Bounds of a policy and of trying it.
const (
	maxPolicy     = 256 << 10
	maxExamined   = 1000
	maxChanges    = 200
	maxHits       = 8         // shown of one instance
	maxTried      = 512 << 20 // bytes of one instance; longer ones are left out
	dryRunTime    = 2 * time.Minute
	listedAtATime = 200
)

// Policy implements control.Control.
func (s *Steer) Policy(context.Context) (control.Policy, error) {
	return control.Policy{YAML: s.d.Firewall.Text(), SHA256: s.d.Firewall.Policy()}, nil
}

// SetPolicy implements control.Control.
func (s *Steer) SetPolicy(ctx context.Context, p control.Policy, user string) (control.Policy, []control.Problem, error) {
	switch {
	case user == "":
		return control.Policy{}, nil, &control.Refused{Code: control.Invalid, What: "a user is needed"}
	case len(p.YAML) > maxPolicy:
		return control.Policy{}, nil, tooLong()
	case p.SHA256 != s.d.Firewall.Policy():
		return control.Policy{}, nil, &control.Refused{Code: control.Changed, What: "somebody else changed the policy meanwhile", Tip: "load it again, and see whether the change is still meant"}
	}
	if _, problems := s.d.Firewall.Try(p.YAML); len(problems) > 0 {
		return control.Policy{}, problems, nil
	}
	if err := s.configured(ctx, "policy", []byte(s.d.Firewall.Text()), []byte(p.YAML), user); err != nil {
		return control.Policy{}, nil, err
	}
	if err := s.d.Firewall.Set(p.YAML, p.SHA256); err != nil {
		return control.Policy{}, nil, refused(err)
	}
	s.log.Info("the content firewall's policy was set", "sha256", s.d.Firewall.Policy(), "user", user)
	s.d.Live.Changed()
	out, err := s.Policy(ctx)
	return out, nil, err
}

func tooLong() error {
	return &control.Refused{Code: control.Invalid, What: fmt.Sprintf("a policy is at most %d bytes long", maxPolicy)}
}

// DryRun implements control.Control. It reads what is stored from the newest on and
// inspects it again; nothing is changed.
func (s *Steer) DryRun(ctx context.Context, d control.DryRun) (control.DryRunResult, error) {
	out := control.DryRunResult{Changed: []control.DryRunChange{}}
	if len(d.YAML) > maxPolicy {
		return out, tooLong()
	}
	began := s.now()
	trial, problems := s.d.Firewall.Try(d.YAML)
	if out.Problems = problems; len(problems) > 0 || d.Limit <= 0 {
		return out, nil
	}
	if !s.trying.TryLock() {
		return out, &control.Refused{Code: control.Unavailable, What: "another dry run is under way", Tip: "wait for its end"}
	}
	defer s.trying.Unlock()
	ctx, cancel := context.WithTimeout(ctx, dryRunTime)
	defer cancel()
	q := instance.Query{States: []instance.State{instance.Accepted, instance.Quarantined, instance.Released, instance.Replaced}, Limit: listedAtATime}
	for left := min(d.Limit, maxExamined); left > 0; {
		q.Limit = min(left, listedAtATime)
		list, err := s.d.Vault.List(ctx, q)
		if err != nil {
			return out, refused(err)
		}
		for i := range list {
			if err := s.try(ctx, trial, &list[i], &out); err != nil {
				return out, err
			}
		}
		if left -= len(list); len(list) < q.Limit {
			break
		}
		q.Before = list[len(list)-1].Number
	}
	out.Took = s.now().Sub(began).Milliseconds()
	return out, nil
}

// try inspects one instance. What the gateway made itself, and what is not there any more,
// is left out.
func (s *Steer) try(ctx context.Context, trial *firewall.Trial, r *instance.Record, out *control.DryRunResult) error {
	if r.Original != 0 || r.Bytes > maxTried {
		return nil
	}
	c, err := s.d.Vault.Open(ctx, r.Number)
	if err != nil {
		return nil //nolint:nilerr // its bytes were given back: kept for a time only
	}
	defer func() { _ = c.Close() }()
	x := trial.Begin(r)
	if err := inspect(ctx, x, c); err != nil {
		if ctx.Err() != nil {
			return &control.Refused{Code: control.Unavailable, What: "the dry run took too long", Tip: "examine fewer instances"}
		}
		return refused(err)
	}
	res := x.Finish()
	out.Examined++
	if res.Verdict == r.Verdict {
		out.Same++
		return nil
	}
	if len(out.Changed) == maxChanges {
		out.More++
		return nil
	}
	out.Changed = append(out.Changed, control.DryRunChange{Number: r.Number, Received: r.Received.UTC(), Device: r.Sender.Device, Modality: r.Modality, Was: r.Verdict, Would: res.Verdict, Hits: worst(res.Hits, res.Verdict)})
	return nil
}

// worst are the hits that made the verdict, then others, as many as are shown.
func worst(hits []instance.Hit, v instance.Verdict) []instance.Hit {
	var out []instance.Hit
	for pass := range 2 {
		for _, h := range hits {
			if (h.Verdict == v) == (pass == 0) && len(out) < maxHits {
				out = append(out, h)
			}
		}
	}
	return out
}
