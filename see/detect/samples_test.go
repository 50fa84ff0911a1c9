// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"os"
	"testing"

	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/detect"
)

// TestEverySampleOfEveryRuleHolds is the proof of the rules that are shipped.
func TestEverySampleOfEveryRuleHolds(t *testing.T) {
	content, err := detect.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	if len(content.Rules) == 0 {
		t.Fatal("there are no rules")
	}
	for _, r := range detect.RunSamples(t.Context(), content, content.Rules, os.DirFS("../../testdata/captures")) {
		if r.Err != nil {
			t.Errorf("%s: %s: %v (expected %s)", r.Rule, r.Sample, r.Err, r.Expected)
		}
	}
}
