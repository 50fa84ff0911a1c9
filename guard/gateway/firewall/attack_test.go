// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// attacks are made once: some are large.
var attacks = sync.OnceValue(func() []attack {
	return slices.Concat(formAttacks(), textAttacks(), contentAttacks())
})

func (a *attack) arrival() instance.Arrival {
	class, syntax := a.class, a.syntax
	if class == "" {
		class = classCT
	}
	if syntax == "" {
		syntax = explicitLE
	}
	out := arrivalOf(class, syntax)
	if a.change != nil {
		a.change(&out)
	}
	return out
}

func (a *attack) firewall(t testing.TB) *Firewall {
	p := Default()
	if a.policy != "" {
		var err error
		if p, err = Parse("test.yaml", []byte(a.policy)); err != nil {
			t.Fatal(err)
		}
	}
	return New(p, a.deps)
}

// wanted is the verdict that the attack's rule has under its policy.
func (a *attack) wanted(f *Firewall) instance.Verdict {
	v, _ := f.Current().Verdict(a.rule, a.arrival())
	return v
}

// refusing is a policy under which every rule refuses.
var refusingPolicy = sync.OnceValues(func() (*Policy, error) {
	var b strings.Builder
	b.WriteString("rules:\n")
	for i := range table {
		b.WriteString("  " + table[i].Name + ": {verdict: refuse}\n")
	}
	return Parse("refuse.yaml", []byte(b.String()))
})

func refusing(t testing.TB) *Policy {
	p, err := refusingPolicy()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func met(r *instance.Result, rule string) *instance.Hit {
	for i := range r.Hits {
		if r.Hits[i].Rule == rule {
			return &r.Hits[i]
		}
	}
	return nil
}

func TestEachAttackMeetsItsRuleHoweverItIsCut(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range attacks() {
		seen[a.rule] = true
		t.Run(a.rule+"/"+a.name, func(t *testing.T) {
			f := a.firewall(t)
			whole := inspect(f, a.arrival(), a.data, 0)
			h := met(&whole, a.rule)
			if h == nil {
				t.Fatalf("the rule did not meet: %v %v", whole.Verdict, whole.Hits)
			}
			if want := a.wanted(f); h.Verdict != want || whole.Verdict < want {
				t.Errorf("verdict %v, of the whole %v, want %v", h.Verdict, whole.Verdict, want)
			}
			if whole.Verdict == instance.Refuse && (whole.Status.Category().String() != "failure" || whole.Comment == "" || len(whole.Comment) > 64) {
				t.Errorf("refused with status %v and comment %q", whole.Status, whole.Comment)
			}
			if len(a.data) > 1<<16 {
				return
			}
			strict := New(refusing(t), a.deps) // stops in the middle
			first := inspect(strict, a.arrival(), a.data, 0)
			if first.Verdict != instance.Refuse && a.policy == "" {
				t.Errorf("where every rule refuses it is %v", first.Verdict)
			}
			for cut := 1; cut <= 17; cut++ {
				if len(a.data) > 1<<12 && cut != 1 && cut != 13 {
					continue
				}
				if r := inspect(f, a.arrival(), a.data, cut); !reflect.DeepEqual(r, whole) {
					t.Fatalf("in pieces of %d bytes:\n%+v\nwhole:\n%+v", cut, r, whole)
				}
				if r := inspect(strict, a.arrival(), a.data, cut); !reflect.DeepEqual(r, first) {
					t.Fatalf("where every rule refuses, in pieces of %d bytes:\n%+v\nwhole:\n%+v", cut, r, first)
				}
			}
		})
	}
	for i := range table {
		if !seen[table[i].Name] && rule(i) != sanitiseImpossible {
			t.Errorf("no attack for %s", table[i].Name)
		}
	}
}

// TestNoHitHoldsAValue looks for the values of the attacks in what is said about them.
func TestNoHitHoldsAValue(t *testing.T) {
	for _, a := range attacks() {
		r := inspect(a.firewall(t), a.arrival(), a.data, 0)
		b, _ := json.Marshal(r.Hits)
		for _, value := range []string{"Doe", "P-1", "alert", "evil", "etc/passwd", theUID, "Fictional"} {
			if strings.Contains(string(b), value) || strings.Contains(r.Comment, value) {
				t.Errorf("%s: %q stands in %s", a.name, value, b)
			}
		}
	}
}
