// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/asepsis/asepsis/core/device"
)

var update = flag.Bool("update", false, "rewrite the generated part of docs/devices.md")

const docs = "../../docs/devices.md"

func TestTheRulesAreDocumented(t *testing.T) {
	b, err := os.ReadFile(docs)
	must(t, err)
	const begin, end = "<!-- rules:begin -->\n", "<!-- rules:end -->"
	head, rest, ok := strings.Cut(string(b), begin)
	got, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the markers are gone")
	}
	var want strings.Builder
	for _, c := range device.Classes() {
		n := 0
		for _, r := range builtinRules().rules {
			if r.Class != c {
				continue
			}
			if n++; n == 1 {
				fmt.Fprintf(&want, "### %s\n\n| weight | it ... | rule |\n|---|---|---|\n", c)
			}
			fmt.Fprintf(&want, "| %d | %s | `%s` |\n", r.Weight, strings.ReplaceAll(r.Why, "{value}", "*value*"), r.ID)
		}
		if n > 0 {
			want.WriteString("\n")
		}
	}
	if *update {
		must(t, os.WriteFile(docs, []byte(head+begin+want.String()+end+tail), 0o644))
		return
	}
	if got != want.String() {
		t.Error("docs/devices.md is out of date; hint: go test ./see/inventory -run Documented -update")
	}
}

func TestEveryClassAndBehaviourIsExplained(t *testing.T) {
	b, err := os.ReadFile(docs)
	must(t, err)
	for _, c := range device.Classes() {
		if !strings.Contains(string(b), "`"+string(c)+"`") {
			t.Errorf("docs/devices.md does not explain the class %s", c)
		}
	}
	for _, r := range builtinRules().rules {
		for _, l := range [][]Condition{r.All, r.Any, r.Not} {
			for _, c := range l {
				if c.Attr != attrBehaviour {
					continue
				}
				for _, v := range c.Is {
					if !strings.Contains(string(b), "`"+v+"`") {
						t.Errorf("docs/devices.md does not explain the behaviour %s", v)
					}
				}
			}
		}
	}
}

// Every class that the taxonomy has can be reached by some rule or product.
func TestEveryClassHasARule(t *testing.T) {
	has := map[device.Class]bool{}
	for _, r := range builtinRules().rules {
		has[r.Class] = true
	}
	for _, c := range device.Classes() {
		if !has[c] && c != device.ClassUnknown {
			t.Errorf("no rule leads to %s", c)
		}
	}
}

func TestItIsSafeForConcurrentUse(t *testing.T) {
	i := inv(t, nil)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := range 200 {
				i.Observe(evidence(device.Subject{MAC: floodMAC(k), IP: floodIP(k)}, device.AttrHostname, fmt.Sprintf("h%d-%d", w, k), t0+int64(k)))
				if k%50 == w {
					i.Devices()
					i.Conversations()
					i.Stats()
				}
				i.Resolve(device.Subject{IP: floodIP(k)}, 0)
			}
		}()
	}
	wg.Wait()
	if n := len(i.Devices()); n != 200 {
		t.Errorf("%d devices", n)
	}
}
