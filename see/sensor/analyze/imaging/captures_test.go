// SPDX-License-Identifier: Apache-2.0

package imaging_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/analyze/imaging"
	"github.com/asepsis/asepsis/wire/capture"
)

const module = "../../../.."

type sink struct {
	mu     sync.Mutex
	events []*event.Event
}

func (s *sink) Emit(e *event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// run analyses a capture with this family only.
func run(t *testing.T, path string) []*event.Event {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("capture missing: %s", filepath.Base(path))
	}
	defer f.Close()
	src, err := capture.NewReader(f, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := pseudonym.New([]byte("imaging-captures-test-key-32-by!"))
	if err != nil {
		t.Fatal(err)
	}
	out := &sink{}
	s, err := sensor.New(sensor.Default(), sensor.Deps{Protocols: imaging.Protocols(), Sink: out, Key: key, Seed: 1, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	return out.events
}

var show = flag.Bool("show", false, "print what captures give")
var only = flag.String("only", "", "part of the name")

func TestShow(t *testing.T) {
	if !*show {
		t.Skip("only with -show")
	}
	files, _ := filepath.Glob(module + "/testdata/captures/dicom*" + *only + "*")
	for _, f := range files {
		t.Log("=====", filepath.Base(f))
		for _, e := range run(t, f) {
			switch d := e.Detail.(type) {
			case *event.DICOMAssociation, *event.DICOMOperation:
				b, _ := json.Marshal(d)
				t.Logf("%s\n      %s", e.Message, b)
			case *event.DeviceEvidence:
				x := d.Evidence
				if x.Attribute != device.AttrDICOMRole {
					t.Logf("  evidence %v %s=%s (%s %d) x%d", x.Subject.IP, x.Attribute, x.Value, x.Source, x.Confidence, x.Count)
				}
			}
		}
	}
	_ = bytes.MinRead
	_ = strings.Contains
}
