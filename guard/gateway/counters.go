// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// Counts is what a gateway did since it was started.
type Counts struct {
	Associations uint64
	Instances    uint64 // that were acknowledged
	Bytes        uint64 // of these
	Again        uint64 // of these: were there already
	Flagged      uint64
	Sanitised    uint64
	Quarantined  uint64
	Refused      uint64
	Faults       uint64 // of the firewall
	Problems     map[string]uint64
}

type counters struct {
	mu sync.Mutex
	n  Counts
}

func (c *counters) association() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n.Associations++
}

func (c *counters) problem(code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n.Problems == nil {
		c.n.Problems = map[string]uint64{}
	}
	c.n.Problems[code]++ // codes are ours
}

func (c *counters) fault() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n.Faults++
}

func (c *counters) instance(o *instance.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := &c.n
	if dimse.Status(o.Status).Category() != dimse.Failure {
		n.Instances++
		n.Bytes += uint64(o.Record.Bytes)
	}
	switch {
	case o.Again:
		n.Again++
	case o.Record.State == instance.Refused:
		n.Refused++
	case o.Record.State == instance.Quarantined:
		n.Quarantined++
	case o.Record.State == instance.Replaced:
		n.Sanitised++
	case o.Record.Verdict == instance.Flag:
		n.Flagged++
	}
}

// Counts returns what was counted so far.
func (g *Gateway) Counts() Counts {
	g.counts.mu.Lock()
	defer g.counts.mu.Unlock()
	out := g.counts.n
	out.Problems = make(map[string]uint64, len(g.counts.n.Problems))
	for k, v := range g.counts.n.Problems {
		out.Problems[k] = v
	}
	return out
}

// metrics describes what Collect gives.
type metric struct {
	desc  *prometheus.Desc
	value func(*Counts) uint64
}

func metrics() []metric {
	m := func(name, help string, f func(*Counts) uint64) metric {
		return metric{prometheus.NewDesc("asepsis_gateway_"+name, help, nil, nil), f}
	}
	return []metric{
		m("associations_total", "Associations that were established with the gateway.", func(c *Counts) uint64 { return c.Associations }),
		m("instances_total", "Instances that were acknowledged.", func(c *Counts) uint64 { return c.Instances }),
		m("bytes_total", "Bytes of instances that were acknowledged.", func(c *Counts) uint64 { return c.Bytes }),
		m("instances_again_total", "Instances that were there already with the same content.", func(c *Counts) uint64 { return c.Again }),
		m("instances_flagged_total", "Instances that passed with a flag.", func(c *Counts) uint64 { return c.Flagged }),
		m("instances_sanitised_total", "Instances that were replaced by a sanitised copy.", func(c *Counts) uint64 { return c.Sanitised }),
		m("instances_quarantined_total", "Instances that were put into quarantine.", func(c *Counts) uint64 { return c.Quarantined }),
		m("instances_refused_total", "Instances that were refused.", func(c *Counts) uint64 { return c.Refused }),
		m("firewall_faults_total", "Instances over which the content firewall failed.", func(c *Counts) uint64 { return c.Faults }),
	}
}

var _ prometheus.Collector = (*Gateway)(nil)

func problemsDesc() *prometheus.Desc {
	return prometheus.NewDesc("asepsis_gateway_problems_total", "Associations and requests that went wrong, by the code of docs/gateway.md.", []string{"code"}, nil)
}

func owedDesc() *prometheus.Desc {
	return prometheus.NewDesc("asepsis_gateway_ledger_owed", "Instances of which the ledger must still be told.", nil, nil)
}

// Describe implements prometheus.Collector.
func (g *Gateway) Describe(out chan<- *prometheus.Desc) {
	for _, m := range metrics() {
		out <- m.desc
	}
	out <- problemsDesc()
	out <- owedDesc()
}

// Collect implements prometheus.Collector.
func (g *Gateway) Collect(out chan<- prometheus.Metric) {
	c := g.Counts()
	for _, m := range metrics() {
		out <- prometheus.MustNewConstMetric(m.desc, prometheus.CounterValue, float64(m.value(&c)))
	}
	for code, n := range c.Problems {
		out <- prometheus.MustNewConstMetric(problemsDesc(), prometheus.CounterValue, float64(n), code)
	}
	_, owed, _ := g.books.state()
	out <- prometheus.MustNewConstMetric(owedDesc(), prometheus.GaugeValue, float64(owed))
}
