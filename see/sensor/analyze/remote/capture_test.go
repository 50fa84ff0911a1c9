// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/analyze/remote"
	"github.com/asepsis/asepsis/see/sensor/analyze/web"
	"github.com/asepsis/asepsis/wire/capture"
)

const (
	recorded = "../../../../testdata/captures"
	outside  = "../../../../../shared/captures" // not part of the repository
)

// seen is what the sensor made of a capture.
type seen struct {
	events []*event.Event
	flows  []*event.Connection
	facts  []device.Evidence
}

// Emit implements sensor.Sink.
func (s *seen) Emit(e *event.Event) {
	switch d := e.Detail.(type) {
	case *event.Connection:
		s.flows = append(s.flows, d)
	case *event.DeviceEvidence:
		s.facts = append(s.facts, d.Evidence)
	case *event.SensorHealth:
	default:
		s.events = append(s.events, e)
	}
}

// watch runs the sensor with the analysers of this package and those of TLS
// and the web over a capture. A panic of an analyser fails the test.
func watch(t testing.TB, file string) *seen {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Skipf("%s is not here", file)
	}
	defer f.Close()
	src, err := capture.NewReader(f, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := pseudonym.New([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	out := &seen{}
	cfg := sensor.Default()
	cfg.Workers = 1
	s, err := sensor.New(cfg, sensor.Deps{Protocols: slices.Concat(remote.Protocols(), web.Protocols()), Sink: out, Key: key, Seed: 1, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background(), src); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Panics > 0 || st.OverBudget > 0 {
		t.Fatalf("%d panics, %d flows over budget", st.Panics, st.OverBudget)
	}
	return out
}

// has reports whether an event has all of the words in its message or detail.
func (s *seen) has(words ...string) bool {
	for _, e := range s.events {
		b, _ := json.Marshal(e.Detail)
		text := e.Message + " " + e.StatusCode + " " + string(b)
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			return true
		}
	}
	return false
}

// knows reports evidence.
func (s *seen) knows(attr device.Attribute, value string) bool {
	for _, f := range s.facts {
		if f.Attribute == attr && f.Value == value {
			return true
		}
	}
	return false
}

// apps are the protocols of the flows.
func (s *seen) apps() (out []string) {
	for _, f := range s.flows {
		if f.App != "" {
			out = append(out, f.App)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *seen) dump(t testing.TB) {
	for _, e := range s.events {
		b, _ := json.Marshal(e.Detail)
		t.Logf("%s %d/%d %s | %s %s", e.Protocol, e.Activity, e.Status, e.Message, e.StatusCode, b)
	}
	for _, f := range s.facts {
		t.Logf("  %s %s=%s (%s)", f.Subject.IP, f.Attribute, f.Value, f.Source)
	}
	t.Log(s.apps())
}

// TestDump prints what is made of a capture: -run TestDump with ASEPSIS_DUMP=FILE.
func TestDump(t *testing.T) {
	file := os.Getenv("ASEPSIS_DUMP")
	if file == "" {
		t.Skip("ASEPSIS_DUMP names no capture")
	}
	for f := range strings.SplitSeq(file, ",") {
		if !filepath.IsAbs(f) {
			f = filepath.Join(recorded, f)
		}
		t.Log("== " + f)
		watch(t, f).dump(t)
	}
}
