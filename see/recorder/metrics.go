// SPDX-License-Identifier: Apache-2.0

package recorder

import "github.com/prometheus/client_golang/prometheus"

var (
	descEvents     = prometheus.NewDesc("asepsis_recorder_events_total", "Events stored since the process started.", nil, nil)
	descLost       = prometheus.NewDesc("asepsis_recorder_lost_events_total", "Events given up by sensors because the bus did not take them.", nil, nil)
	descMissing    = prometheus.NewDesc("asepsis_recorder_missing_batches_total", "Batches of events removed from the bus before they were read.", nil, nil)
	descUnreadable = prometheus.NewDesc("asepsis_recorder_unreadable_events_total", "Events that could not be decoded.", nil, nil)
	descBehind     = prometheus.NewDesc("asepsis_recorder_behind_batches", "Batches of events that wait on the bus.", nil, nil)
	descLag        = prometheus.NewDesc("asepsis_recorder_lag_seconds", "How long the oldest of them has waited.", nil, nil)
	descDevices    = prometheus.NewDesc("asepsis_recorder_devices", "Devices of the inventory.", nil, nil)
	descWriting    = prometheus.NewDesc("asepsis_recorder_writing", "1 while events are being written, 0 while something keeps it from that.", nil, nil)
)

// Describe implements prometheus.Collector.
func (r *Recorder) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descEvents, descLost, descMissing, descUnreadable, descBehind, descLag, descDevices, descWriting} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (r *Recorder) Collect(to chan<- prometheus.Metric) {
	rep := r.Report()
	writing := 0.0
	if rep.Error == "" && !rep.Waiting {
		writing = 1
	}
	counter := func(d *prometheus.Desc, v uint64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	gauge := func(d *prometheus.Desc, v float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	counter(descEvents, rep.Events)
	counter(descLost, rep.LostEvents)
	counter(descMissing, rep.MissingBatches)
	counter(descUnreadable, rep.Unreadable)
	gauge(descBehind, float64(rep.BehindBatches))
	gauge(descLag, float64(rep.BehindMS)/1000)
	gauge(descDevices, float64(rep.Devices))
	gauge(descWriting, writing)
}

var _ prometheus.Collector = (*Recorder)(nil)
