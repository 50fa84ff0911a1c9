// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/platform/standing"
	"github.com/asepsis/asepsis/prove/identity/order"
	"github.com/asepsis/asepsis/prove/identity/self"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// defaultSkew is how far an order's time may be from the gateway's.
const defaultSkew = 2 * time.Minute

// newOrders makes what says who may steer the gateway over the bus. A gateway that cannot
// verify orders runs all the same, and nobody changes it over the bus: images must flow.
func (s *Service) newOrders(ctx context.Context) error {
	s.orders = &control.Orders{Accept: s.cfg.Orders, Site: s.d.Bus, Judged: s.judged}
	ground, err := s.orderGround(ctx)
	if ground == nil || err != nil {
		return err
	}
	memory, damaged, err := order.OpenMemory(filepath.Join(s.dir, "orders"), s.now(), s.cfg.OrdersSkew)
	if err != nil {
		return fmt.Errorf("the gateway's orders: %w", err)
	}
	if damaged {
		s.log.Warn("what was known of the orders that came could not be read and is begun anew; orders are refused for as long as old ones may come again", "for", s.cfg.OrdersSkew)
	}
	s.closers = append(s.closers, func() { _ = memory.Close() })
	s.orders.Verifier = order.NewVerifier(order.Rules{To: s.cfg.Name, Site: s.d.Bus, Services: s.cfg.OrdersFrom, Skew: s.cfg.OrdersSkew}, ground, memory, s.now)
	s.orders.Signer = order.NewSigner(ground, s.now)
	return nil
}

// ground is what orders are verified and answers are signed with.
type ground interface {
	order.Own
	order.Checker
}

// orderGround is that of TLS, where there is one. A gateway without TLS has one for orders
// alone, where others reach the bus; its images do not wait for that.
func (s *Service) orderGround(ctx context.Context) (ground, error) {
	var open order.OpenGround
	switch {
	case s.trust != nil:
		return s.trust, nil
	case !s.d.Reached || s.cfg.Orders == control.OrdersBus:
		return nil, nil
	case s.cfg.Trust.CAFile != "":
		open = func(ctx context.Context) (*trust.Trust, func(context.Context, *trust.Trust) error, error) {
			t, err := trust.New(ctx, s.cfg.Trust, s.trustDeps())
			return t, nil, err
		}
	case s.d.Authority != nil:
		open = self.Ground(s.d.Authority, s.request(), s.cfg.Trust, s.trustDeps(), s.log)
	default:
		return nil, nil
	}
	g, err := order.NewGround(ctx, open, s.log)
	if err != nil {
		return nil, fmt.Errorf("gateway.trust: %w", err)
	}
	s.ground = g
	return g, nil
}

// wrongName is to whom the gateway's certificate is made out, where that is not its name:
// consoles do not know its answers by it.
func (s *Service) wrongName() string {
	if s.orders.Signer == nil {
		return ""
	}
	g, err := s.orderOwn()
	if err != nil || g.Leaf == nil || g.Leaf.Subject.CommonName == s.cfg.Name {
		return ""
	}
	return g.Leaf.Subject.CommonName
}

func (s *Service) orderOwn() (*tls.Certificate, error) {
	if s.trust != nil {
		return s.trust.Certificate()
	}
	return s.ground.Certificate()
}

// Orders says who may steer the gateway over the bus.
func (s *Service) Orders() *control.Orders { return s.orders }

// alone reports whether the console is in another process: a gateway beside it writes that
// process's ledger.
func (s *Service) alone() bool { return s.d.Ledger == nil }

// forgetRefusals is how long refused orders are a matter.
const forgetRefusals = time.Hour

// refusals are the orders over the bus that were refused lately, and all that came.
type refusals struct {
	mu          sync.Mutex
	taken       uint64
	refused     map[string]uint64 // since the start, by code
	lately      int               // since first
	first, last time.Time
	logged      time.Time
	why         string // of the last
}

// judged notes what became of a request over the bus that had to be signed.
func (s *Service) judged(method string, err error) {
	x := &s.refusals
	x.mu.Lock()
	defer x.mu.Unlock()
	var r *control.Refused
	if !errors.As(err, &r) {
		x.taken++
		return
	}
	now := s.now()
	if now.Sub(x.last) > forgetRefusals {
		x.lately, x.first = 0, now
	}
	if x.refused == nil {
		x.refused = map[string]uint64{}
	}
	x.refused[r.Code]++
	if x.lately++; now.Sub(x.logged) > time.Second { // somebody who tries must not fill the log
		x.logged = now
		s.log.Warn("an order over the bus was refused", "request", fmt.Sprintf("%.32q", method), "code", r.Code, "why", r.What, "lately", x.lately)
	}
	x.last, x.why = now, r.What
}

// refusedLately says how many orders were refused in the last hour, since when, and why the
// last one was.
func (s *Service) refusedLately() (n int, since time.Time, why string) {
	x := &s.refusals
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lately == 0 || s.now().Sub(x.last) > forgetRefusals {
		return 0, time.Time{}, ""
	}
	return x.lately, x.first, x.why
}

// Describe implements prometheus.Collector.
func (x *refusals) Describe(out chan<- *prometheus.Desc) { out <- ordersDesc() }

// Collect implements prometheus.Collector.
func (x *refusals) Collect(out chan<- prometheus.Metric) {
	x.mu.Lock()
	defer x.mu.Unlock()
	out <- prometheus.MustNewConstMetric(ordersDesc(), prometheus.CounterValue, float64(x.taken), "taken")
	for code, n := range x.refused {
		out <- prometheus.MustNewConstMetric(ordersDesc(), prometheus.CounterValue, float64(n), code)
	}
}

func ordersDesc() *prometheus.Desc {
	return prometheus.NewDesc("asepsis_gateway_orders_total", "Requests over the bus that had to be signed, by what became of them.", []string{"result"}, nil)
}

// orderAdvice is what to do about who may steer the gateway.
func (s *Service) orderAdvice() []control.Advice {
	var out []control.Advice
	if n, _, why := s.refusedLately(); n > 0 {
		out = append(out, control.Advice{Severity: "medium", What: fmt.Sprintf("Orders over the bus were refused: %d, the last within an hour", n), Why: why, Hint: "where no console of yours did it, somebody else is on the bus: change its token"})
	}
	switch {
	case !s.d.Reached:
	case s.cfg.Orders == control.OrdersBus:
		out = append(out, control.Advice{Severity: "medium", What: anybody, Why: "gateway.orders is bus: the two people of a release may be one program", Hint: "set gateway.orders to signed, and give the console a certificate"})
	case s.orders.Verifier == nil && s.alone():
		out = append(out, control.Advice{Severity: "low", What: nobody, Why: "it takes signed orders only, and has neither a certificate nor the site's root", Hint: "set gateway.trust; asepsis enroll gets what it names"})
	}
	if name := s.wrongName(); name != "" && s.d.Reached && s.alone() {
		out = append(out, control.Advice{Severity: "low", What: "The gateway’s certificate is made out to " + name + ": consoles elsewhere do not know its answers by it", Hint: "enrol the gateway under its own name, or have console.gateways say that it is " + name})
	}
	return out
}

const (
	anybody = "Whoever reaches the bus can steer the gateway in anybody’s name"
	nobody  = "Nobody can steer the gateway over the bus"
)

// orderMatters is what a person should know of it for as long as it is so.
func (s *Service) orderMatters() []standing.Matter {
	var out []standing.Matter
	if s.d.Reached && s.cfg.Orders == control.OrdersBus {
		out = append(out, gateway.Matter("orders", "orders", finding.Medium, time.Time{}, anybody, "",
			"Who has the bus's token or a certificate for it can release images from quarantine as any two people, change the content firewall's policy, and read headers in clear.",
			"Give the console a certificate of the profile infrastructure, and name it in console.trust.", "Then set gateway.orders to signed."))
	}
	if n, since, why := s.refusedLately(); n > 0 {
		m := gateway.Matter("orders-refused", "orders", finding.Medium, since, "Orders to the gateway over the bus were refused", "",
			"Somebody on the bus wanted to steer the gateway and could not prove to be a console of the site.",
			"Was it a console of yours? Its message there says what it lacks.", "If not, somebody has the bus's token: change it, and see who was connected.")
		m.Evidence = []string{fmt.Sprintf("%d refused", n), "the last: " + why}
		out = append(out, m)
	}
	return out
}
