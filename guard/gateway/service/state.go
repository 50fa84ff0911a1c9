// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/forward"
	"github.com/asepsis/asepsis/platform/standing"
)

// fill adds to an overview what the gateway's parts know.
func (s *Service) fill(o *control.Overview) {
	o.Listeners = s.gateway.Listeners()
	o.Disk = s.journal.Disk()
	since, owed, why := s.gateway.Ledger()
	if why != nil {
		o.Ledger = control.Dependency{State: "down", Why: why.Error(), Hint: "see asepsis ledger status, and the disk that the ledger is on", Since: since}
	} else if owed > 0 && o.Ledger.State == "ok" {
		o.Ledger.State, o.Ledger.Why = "degraded", "it is being told of what passed or was given out while it was away"
	}
	o.Ledger.Lag = owed
	if s.trust != nil {
		o.Trust = control.Dependency{State: "ok"}
		if err := s.trust.Ready(); err != nil {
			o.Trust = control.Dependency{State: "degraded", Why: err.Error(), Hint: "is the authority running, and can its CRL be fetched from here?"}
		}
	}
	if s.audit != nil {
		o.Audit = s.audit.Status()
	}
	o.Advice = append(o.Advice, s.orderAdvice()...)
	o.Routes = s.forward.Routes()
	failed := s.gateway.Fault()
	if why != nil {
		failed = why
	}
	for i := range o.Routes {
		if r := &o.Routes[i]; failed != nil && r.State == "ok" {
			r.State, r.Why = "closed", failed.Error()
			if r.Fail == forward.FailOpen {
				r.State = "open"
			}
		}
	}
	if s.retrieves() {
		o.Routes = append(o.Routes, s.gateway.Retrievals()...)
	}
}

// retrieves reports whether there is an archive that devices could get images from.
func (s *Service) retrieves() bool {
	return s.cfg.Web.Upstream.URL != "" || s.query.Serves(binding.Get) || s.query.Serves(binding.Move)
}

// seen adds to a binding what was seen of its device.
func (s *Service) seen(b *control.Binding) {
	s.gateway.Seen(b)
	switch {
	case b.Plain && b.LastSeen == "":
		b.Identification = "by address and AE title alone"
	case b.Plain:
		b.Identification = "by address and AE title alone, unless it comes over TLS"
	case s.trust == nil:
		b.Identification = "no listener with TLS is open"
	default:
		b.Identification = "by its certificate"
		for _, c := range s.trust.Live(b.Device) {
			b.Identification = "by its certificate until " + c.Peer.Expires.UTC().Format(time.DateOnly)
		}
	}
}

// family is under what name this gateway's matters stand: each gateway has a list of its own.
func (s *Service) family() string {
	switch {
	case s.cfg.Name == gateway.Family, strings.HasPrefix(s.cfg.Name, gateway.Family+"-"):
		return s.cfg.Name
	}
	return gateway.Family + "-" + s.cfg.Name
}

// Matters says what needs a person now.
func (s *Service) Matters() []standing.Matter {
	out := slices.Concat(s.gateway.Matters(), s.journal.Matters(s.now()), s.forward.Matters(), s.orderMatters())
	if s.audit != nil {
		if a := s.audit.Status(); a.State == "down" && s.now().Sub(a.Since) > auditAlarm {
			out = append(out, gateway.Matter("audit", "audit", finding.Medium, a.Since, "The gateway's audit messages do not reach the audit repository: "+a.Why, "",
				"They wait on the gateway's disk; when there is no more room for them, the newest are lost, and that is counted.", a.Hint, "See the audit repository, and its certificate."))
		}
	}
	if f := s.family(); f != gateway.Family {
		for i := range out {
			out[i].Rule = f + strings.TrimPrefix(out[i].Rule, gateway.Family)
		}
	}
	return out
}

// auditAlarm is how long audit messages may wait before a person is told.
const auditAlarm = 10 * time.Minute

// tellEvery is how often matters are put.
const tellEvery = 10 * time.Second

// tell puts the matters until ctx ends.
func (s *Service) tell(ctx context.Context) error {
	t := time.NewTicker(tellEvery)
	defer t.Stop()
	for {
		if err := standing.Put(ctx, s.d.Documents, s.family(), s.Matters()); err != nil && ctx.Err() == nil {
			s.log.Warn("what needs a person could not be told; it is tried again", "why", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}
