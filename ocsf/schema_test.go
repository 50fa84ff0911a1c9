// SPDX-License-Identifier: Apache-2.0

package ocsf_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/event/eventtest"
	"github.com/asepsis/asepsis/ocsf"
	"github.com/asepsis/asepsis/ocsf/validate"
)

// schemaDir is where the OCSF 1.8.0 schema is read from, relative to the module root.
const schemaDir = "../../shared/knowledge/ocsf-1.8.0"

func load(t *testing.T) *validate.Schema {
	t.Helper()
	if _, err := os.Stat(schemaDir); err != nil {
		t.Skip("skipped: the OCSF 1.8.0 schema is not at ../shared/knowledge/ocsf-1.8.0")
	}
	s, err := validate.Load(os.DirFS(filepath.FromSlash(schemaDir)), ocsf.Files)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryEmittedEventIsValidOCSF(t *testing.T) {
	s := load(t)
	for _, sample := range eventtest.Samples() {
		t.Run(sample.Name, func(t *testing.T) { mustValidate(t, s, sample.Event, eventtest.Producer()) })
	}
}

func TestEventsAreValidWhateverTheyLack(t *testing.T) {
	s := load(t)
	for _, d := range eventtest.Details() {
		name := typeName(d)
		if v, ok := d.(*event.DeviceEvidence); ok {
			v.Evidence.Attribute = "udi" // a closed vocabulary, never empty
		}
		e := &event.Event{Detail: d}
		t.Run("empty "+name, func(t *testing.T) { mustValidate(t, s, e, event.Producer{}) })
		for _, f := range []*event.Flow{{}, {Guessed: true, Tunnel: "vxlan:42", VLANs: []uint16{10, 20}}} {
			for activity := range 16 {
				e := &event.Event{Detail: d, Flow: f, Activity: uint8(activity), Encrypted: true}
				t.Run(name+" with an empty flow", func(t *testing.T) { mustValidate(t, s, e, eventtest.Producer()) })
			}
		}
	}
	mustValidate(t, s, &event.Event{}, event.Producer{})
}

func TestEventsAreValidWhenEveryFieldIsSet(t *testing.T) {
	s := load(t)
	for _, d := range eventtest.Details() {
		e := &event.Event{Flow: &event.Flow{}}
		eventtest.Fill(e.Flow)
		eventtest.Fill(d)
		if v, ok := d.(*event.DeviceEvidence); ok {
			v.Evidence.Attribute = "udi"
		}
		e.Detail, e.Activity, e.Status, e.Encrypted = d, 1, 1, true
		e.UID, e.StatusCode, e.StatusDetail, e.Message, e.Protocol = "u", "c", "d", "m", "p"
		t.Run(typeName(d), func(t *testing.T) { mustValidate(t, s, e, eventtest.Producer()) })
	}
}

func mustValidate(t *testing.T, s *validate.Schema, e *event.Event, p event.Producer) {
	t.Helper()
	b, err := e.AppendOCSF(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(b) {
		t.Fatalf("not JSON: %s", b)
	}
	for _, p := range s.Event(b) {
		t.Errorf("%s", p)
	}
	if t.Failed() {
		t.Logf("%s", b)
	}
}

func typeName(v any) string { return strings.TrimPrefix(reflect.TypeOf(v).String(), "*event.") }
