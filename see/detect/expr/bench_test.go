// SPDX-License-Identifier: Apache-2.0

package expr_test

import (
	"testing"

	"github.com/asepsis/asepsis/core/event"
)

var conditions = []struct{ name, text string }{
	{"a chain that is false", `op.dimse_command == "C-MOVE" && op.query_level == "STUDY" && src.class in ["pacs", "workstation"]`},
	{"a chain that is true", `op.dimse_command == "C-MOVE" && op.results > 5 && !dst.internal`},
	{"a network", `cidr(src.ip, ["192.168.0.0/16", "172.16.0.0/12"])`},
	{"a part of a text in any case", `lower(op.move_destination_ae_title).contains("orthanc")`},
	{"a loop", `op.query_keys.exists(k, k.startsWith("Series"))`},
	{"a regular expression", `op.move_destination_ae_title.matches("^(ORTHANC|DCM4CHE)$")`},
	{"another kind of event", `conn.bytes_out > 1000`},
	{"an error", `op.query_keys[9] == "x"`},
}

func BenchmarkCondition(b *testing.B) {
	env, s := newEnv(b), move()
	for _, c := range conditions {
		cond, err := env.Bool([]event.Class{event.ClassDICOMOperation, event.ClassNetwork}, c.text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = cond.Eval(s)
			}
		})
	}
}

func TestAnEvaluationAllocatesNothing(t *testing.T) {
	env, s := newEnv(t), move()
	for _, c := range conditions {
		cond, err := env.Bool([]event.Class{event.ClassDICOMOperation, event.ClassNetwork}, c.text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cond.Eval(s); err != nil && c.name != "an error" {
			t.Errorf("%s: %v", c.name, err)
		}
		if n := testing.AllocsPerRun(100, func() { _, _ = cond.Eval(s) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
	key, err := env.Text(nil, `src.ip`)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { buf, _ = key.Append(buf[:0], s) }); n != 0 || string(buf) != "10.0.0.5" {
		t.Errorf("key %q with %v allocations", buf, n)
	}
}
