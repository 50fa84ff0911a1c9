// SPDX-License-Identifier: Apache-2.0

package steer_test

import (
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/steer/steertest"
)

// TestADryRunKnowsThePreamblesOfWhatCame has files with preambles of each kind, and tries policies about them.
func TestADryRunKnowsThePreamblesOfWhatCame(t *testing.T) {
	f := newFixture(t)
	var numbers []uint64
	for i, begin := range []string{"MZ\x90\x00", "II*\x00", "written by somebody", ""} {
		b := new([128]byte)
		copy(b[:], begin)
		r, err := f.Put(t.Context(), steertest.Image(20+i, 1, ""), func(r *instance.Record) {
			r.Preamble = instance.PreambleOf(b)
			switch r.Preamble.Kind { // as under the policy that is in force
			case instance.PreambleExecutable:
				r.State, r.Verdict, r.Deliveries = instance.Quarantined, instance.Quarantine, nil
				r.Hits = []instance.Hit{{Rule: "preamble.executable", Verdict: instance.Quarantine, Why: "so"}}
			case instance.PreambleOther:
				r.Verdict, r.Hits = instance.Flag, []instance.Hit{{Rule: "preamble.other", Verdict: instance.Flag, Why: "so"}}
			case instance.PreambleTIFF:
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if kept := r.Preamble.SHA256; (len(kept) == 64) != (begin != "") {
			t.Errorf("of %q it is kept %+v", begin, r.Preamble)
		}
		numbers = append(numbers, r.Number)
	}
	// One of before preambles were kept: its hits tell.
	old, err := f.Put(t.Context(), steertest.Image(30, 1, ""), func(r *instance.Record) {
		r.State, r.Verdict, r.Deliveries = instance.Quarantined, instance.Quarantine, nil
		r.Hits = []instance.Hit{{Rule: "preamble.executable", Verdict: instance.Quarantine, Why: "so"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	would := func(policy string) map[uint64]instance.Verdict {
		t.Helper()
		r, err := f.DryRun(t.Context(), control.DryRun{YAML: policy, Limit: 100})
		if err != nil || len(r.Problems) > 0 || r.Examined != 6 || r.Same+len(r.Changed) != 6 {
			t.Fatalf("%+v, %v", r, err)
		}
		out := map[uint64]instance.Verdict{}
		for _, c := range r.Changed {
			out[c.Number] = c.Would
		}
		return out
	}
	is := func(policy string, want map[uint64]instance.Verdict) {
		t.Helper()
		got := would(policy)
		if len(got) != len(want) {
			t.Errorf("%s: %v, want %v", policy, got, want)
		}
		for n, v := range want {
			if got[n] != v {
				t.Errorf("%s: %d would be %v, want %v", policy, n, got[n], v)
			}
		}
	}
	is("mode: enforce\n", nil)
	is("rules: {preamble.executable: {verdict: flag}}\n", map[uint64]instance.Verdict{numbers[0]: instance.Flag, old.Number: instance.Flag})
	is("rules: {preamble.executable: {verdict: refuse}}\n", map[uint64]instance.Verdict{numbers[0]: instance.Refuse, old.Number: instance.Refuse})
	is("rules: {preamble.tiff: {verdict: quarantine}}\n", map[uint64]instance.Verdict{numbers[1]: instance.Quarantine})
	is("rules: {preamble.other: {verdict: pass}}\n", map[uint64]instance.Verdict{numbers[2]: instance.Pass})
}

// TestADryRunAsksNobodyAboutThen has what depended on others when it came, and on whether a case was in progress.
func TestADryRunAsksNobodyAboutThen(t *testing.T) {
	f := newFixture(t)
	other, err := f.Put(t.Context(), steertest.Image(21, 1, ""), func(r *instance.Record) {
		r.State, r.Verdict, r.Deliveries, r.Case = instance.Quarantined, instance.Quarantine, nil, true
		r.Hits = []instance.Hit{{Rule: "patient.other-case", Verdict: instance.Quarantine, Path: "(0010,0020)", Why: "the procedure in the room is another patient's"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	for policy, want := range map[string]instance.Verdict{
		"mode: enforce\n": instance.Quarantine,
		"rules: {patient.other-case: {verdict: flag}}\n":                                                                       instance.Flag,
		"rules: {patient.other-case: {verdict: quarantine, except: [PatientID]}}\n":                                            instance.Pass,
		"rules: {patient.other-case: {verdict: flag, overrides: [{case: in-progress, verdict: refuse}]}}\n":                    instance.Refuse,
		"rules: {patient.other-case: {verdict: quarantine, overrides: [{case: none, verdict: refuse}]}}\n":                     instance.Quarantine,
		"rules: {patient.other-case: {verdict: quarantine, overrides: [{theatre: OR-3, case: in-progress, verdict: pass}]}}\n": instance.Pass,
	} {
		r, err := f.DryRun(t.Context(), control.DryRun{YAML: policy, Limit: 1})
		if err != nil || r.Examined != 1 {
			t.Fatalf("%s: %+v, %v", policy, r, err)
		}
		got := instance.Quarantine
		if len(r.Changed) == 1 && r.Changed[0].Number == other.Number {
			got = r.Changed[0].Would
			if got > instance.Pass && !strings.Contains(r.Changed[0].Hits[0].Why, "another patient's") {
				t.Errorf("%s: because of %+v", policy, r.Changed[0].Hits)
			}
		}
		if got != want {
			t.Errorf("%s: it would be %v, want %v", policy, got, want)
		}
	}
}
