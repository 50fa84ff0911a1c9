// SPDX-License-Identifier: Apache-2.0

// Package telemetry is how a process says what it does: structured logs,
// Prometheus metrics, and profiles on a private socket.
//
// Logs go to standard error, as text on a terminal and as JSON elsewhere. They
// carry no patient data and no secret: what is logged are counts, names of rooms and
// devices, and errors. Metrics are exposed by whoever serves HTTP; their names begin
// with asepsis_ and are listed in docs/operate.md.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/asepsis/asepsis/platform/config"
)

// Config says how much is said and how.
type Config struct {
	LogLevel    string `yaml:"log_level" doc:"The least that is logged: debug, info, warn or error."`
	LogFormat   string `yaml:"log_format" doc:"text, json, or auto: text on a terminal, JSON elsewhere."`
	DebugSocket string `yaml:"debug_socket" doc:"Path of a Unix socket, readable by its owner alone, that serves profiles (net/http/pprof). Empty: none."`
}

// Default logs info and above, in the form that fits.
func Default() Config { return Config{LogLevel: "info", LogFormat: "auto"} }

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return config.Invalid("log_level", "write debug, info, warn or error", "there is no level %q", c.LogLevel)
	}
	switch c.LogFormat {
	case "auto", "text", "json":
		return nil
	}
	return config.Invalid("log_format", "write auto, text or json", "there is no format %q", c.LogFormat)
}

// Logger makes the process's logger. terminal says that a person reads along.
func (c Config) Logger(w io.Writer, terminal bool) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.LogLevel)); err != nil {
		l = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: l}
	if c.LogFormat == "json" || c.LogFormat == "auto" && !terminal {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			a.Value = slog.StringValue(a.Value.Time().Format(time.TimeOnly))
		}
		return a
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// Registry makes a registry with what every Go process knows about itself.
func Registry(version string) (*prometheus.Registry, error) {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "asepsis_build_info", Help: "1, with the version as a label.", ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	for _, c := range []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// ServeDebug serves profiles on the socket until ctx ends.
func (c Config) ServeDebug(ctx context.Context) error {
	if c.DebugSocket == "" {
		<-ctx.Done()
		return nil
	}
	if st, err := os.Lstat(c.DebugSocket); err == nil && st.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(c.DebugSocket); err != nil {
			return fmt.Errorf("debug socket: %w", err)
		}
	}
	l, err := net.Listen("unix", c.DebugSocket)
	if err != nil {
		return fmt.Errorf("debug socket: %w", err)
	}
	if err := os.Chmod(c.DebugSocket, 0o600); err != nil {
		_ = l.Close()
		return fmt.Errorf("debug socket: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 2 * time.Minute}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case <-ctx.Done():
		_ = s.Close()
		<-done
		return nil
	case err := <-done:
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	}
}
