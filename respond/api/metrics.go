// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the server's own, in the registry that all rooms share.
type metrics struct {
	all      *prometheus.Registry
	requests *prometheus.HistogramVec
	busy     prometheus.Counter
	panics   prometheus.Counter
	sent     prometheus.Counter
	cut      *prometheus.CounterVec
}

func newMetrics(s *Server) (*metrics, error) {
	m := &metrics{
		all: s.dep.Metrics,
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "asepsis_api_request_seconds", Help: "How long requests took, by route, method and status class.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .2, .5, 1, 2.5, 10},
		}, []string{"route", "method", "status"}),
		busy:   prometheus.NewCounter(prometheus.CounterOpts{Name: "asepsis_api_refused_busy_total", Help: "Requests refused because too many were under way."}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "asepsis_api_panics_total", Help: "Panics in requests, each of which cost that request alone."}),
		sent:   prometheus.NewCounter(prometheus.CounterOpts{Name: "asepsis_api_stream_events_total", Help: "Events sent on live streams."}),
		cut: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "asepsis_api_streams_ended_total", Help: "Live streams that ended, by why."},
			[]string{"why"}),
	}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "asepsis_api_streams", Help: "Live streams that are open."}, func() float64 { return float64(s.streams.open()) })
	for _, c := range []prometheus.Collector{m.requests, m.busy, m.panics, m.sent, m.cut, open} {
		if err := m.all.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// observe counts a request. The route is a pattern, so that there are few of them.
func (m *metrics) observe(route, method string, status int, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method = "other"
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(status/100)+"xx").Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.all, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 20 * time.Second})
}
