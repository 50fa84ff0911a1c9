// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/asepsis/asepsis/core/device"
)

func TestWhatWasHeardIsWhatTheExpressionSays(t *testing.T) {
	ct, some := regexp.MustCompile(`^ct\d`), regexp.MustCompile(`.`)
	h := heard{}
	for round := range 2 {
		for k := range maxHeard + 10 {
			for _, v := range []string{fmt.Sprintf("ct%d", k), fmt.Sprintf("mr%d", k), ""} {
				if got, want := h.match(ct, v), ct.MatchString(v); got != want {
					t.Fatalf("round %d: %s of %q is %t, wanted %t", round, ct, v, got, want)
				}
			}
			if len(h) > maxHeard {
				t.Fatalf("%d answers are remembered, more than %d", len(h), maxHeard)
			}
		}
	}
	if h.match(some, "") || !h.match(some, "ct1") || !h.match(ct, "ct1") {
		t.Fatal("answers of two expressions are mixed up")
	}
}

func TestAFactIsFoundWhereverTheSearchBegins(t *testing.T) {
	n := &node{}
	for k := range 5 {
		n.facts = append(n.facts, fact{attr: device.AttrService, value: fmt.Sprintf("http/%d", k), source: "http"})
	}
	for begin := range 8 { // also where facts were once and are no longer
		for k := range n.facts {
			n.after = begin
			want := &n.facts[k]
			if got := n.find(want.attr, want.value, want.source); got != want {
				t.Errorf("from %d: %q is not found", begin, want.value)
			}
			n.after = begin
			if got := n.find(want.attr, want.value, "sip"); got != nil {
				t.Errorf("from %d: %q of another source is found", begin, want.value)
			}
		}
	}
	if (&node{after: 3}).find(device.AttrService, "http/1", "http") != nil {
		t.Error("something is found in a node without facts")
	}
}

func TestOnlyAttributesThatAreUnknownAreLeftOut(t *testing.T) {
	rules := builtinRules().rules
	for k := range rules {
		for _, list := range [][]Condition{rules[k].All, rules[k].Any, rules[k].Not} {
			for j := range list {
				if c := &list[j]; c.attrs&setOf(c.Attr) == 0 {
					t.Errorf("%s: a condition on %s overlooks it", rules[k].ID, c.Attr)
				} else if c.Attr == device.AttrHostname && c.attrs&setOf(attrNameOnly) == 0 {
					t.Errorf("%s: a condition on host names overlooks those of full names", rules[k].ID)
				}
			}
		}
	}
}
