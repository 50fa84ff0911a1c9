// SPDX-License-Identifier: Apache-2.0

package watch

import "github.com/prometheus/client_golang/prometheus"

// gauges and counters of one sensor; each has the sensor's name as a label.
type metric struct {
	name, help string
	counter    bool
	value      func(*Report) float64
}

var metrics = []metric{
	{"asepsis_sensor_watching", "1 while frames are watched, or all were read.", false, func(r *Report) float64 {
		if r.State == Gone {
			return 0
		}
		return 1
	}},
	{"asepsis_sensor_packets_total", "Packets seen.", true, func(r *Report) float64 { return float64(r.Stats.Packets) }},
	{"asepsis_sensor_bytes_total", "Bytes seen, on the wire.", true, func(r *Report) float64 { return float64(r.Stats.Bytes) }},
	{"asepsis_sensor_dropped_packets_total", "Packets lost before they were seen.", true, func(r *Report) float64 { return float64(r.Stats.Dropped) }},
	{"asepsis_sensor_undecoded_packets_total", "Packets whose headers could not be followed.", true, func(r *Report) float64 { return float64(r.Stats.Undecoded) }},
	{"asepsis_sensor_stream_gaps_total", "Holes in TCP streams.", true, func(r *Report) float64 { return float64(r.Stats.TCP.Gaps) }},
	{"asepsis_sensor_stream_gap_bytes_total", "Bytes in holes of TCP streams.", true, func(r *Report) float64 { return float64(r.Stats.TCP.GapBytes) }},
	{"asepsis_sensor_flows_evicted_total", "Flows ended early by the bound on memory.", true, func(r *Report) float64 { return float64(r.Stats.FlowsEvicted) }},
	{"asepsis_sensor_analyses_evicted_total", "Flows whose analysis was given up by the bound on memory.", true, func(r *Report) float64 { return float64(r.Stats.AnalysesEvicted) }},
	{"asepsis_sensor_analyser_panics_total", "Analysers that failed; each cost its flow.", true, func(r *Report) float64 { return float64(r.Stats.Panics) }},
	{"asepsis_sensor_over_budget_total", "Flows given up because their analysis took too much work.", true, func(r *Report) float64 { return float64(r.Stats.OverBudget) }},
	{"asepsis_sensor_active_flows", "Flows followed now.", false, func(r *Report) float64 { return float64(r.Stats.ActiveFlows) }},
	{"asepsis_sensor_blind_spots", "Things that the sensor knows it cannot see.", false, func(r *Report) float64 { return float64(len(r.BlindSpots)) }},
	{"asepsis_sensor_events_total", "Events made.", true, func(r *Report) float64 { return float64(r.Publisher.Events) }},
	{"asepsis_sensor_events_lost_total", "Events given up because the bus did not take them.", true, func(r *Report) float64 { return float64(r.Publisher.Lost) }},
	{"asepsis_sensor_events_queued", "Events that wait for the bus.", false, func(r *Report) float64 { return float64(r.Publisher.Queued) }},
}

func (w *Watch) desc(m *metric) *prometheus.Desc {
	return prometheus.NewDesc(m.name, m.help, nil, prometheus.Labels{"sensor": w.cfg.Name})
}

// Describe implements prometheus.Collector.
func (w *Watch) Describe(to chan<- *prometheus.Desc) {
	for i := range metrics {
		to <- w.desc(&metrics[i])
	}
}

// Collect implements prometheus.Collector.
func (w *Watch) Collect(to chan<- prometheus.Metric) {
	r := w.Report()
	for i := range metrics {
		m := &metrics[i]
		kind := prometheus.GaugeValue
		if m.counter {
			kind = prometheus.CounterValue
		}
		to <- prometheus.MustNewConstMetric(w.desc(m), kind, m.value(&r))
	}
}

var _ prometheus.Collector = (*Watch)(nil)
