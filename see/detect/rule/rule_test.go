// SPDX-License-Identifier: Apache-2.0

package rule_test

import (
	"testing"

	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/detect/rule"
)

func TestTheRulesOfTheProductAreRight(t *testing.T) {
	l, err := rule.Open(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Rules) < 9 {
		t.Fatalf("only %d rules", len(l.Rules))
	}
}
