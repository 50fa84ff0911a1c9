// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// TestEveryRecordMakesStatementsThatTheLedgerTakes has records as large as they become.
func TestEveryRecordMakesStatementsThatTheLedgerTakes(t *testing.T) {
	g := &Gateway{cfg: Default(), d: Deps{Site: "site-north", Software: "asepsis/gateway test"}}
	var hits []instance.Hit
	for i := range instance.MaxHits + 1 {
		hits = append(hits, instance.Hit{Rule: fmt.Sprintf("family.rule-%d-%s", i, strings.Repeat("x", 40)), Verdict: instance.Sanitise, Path: strings.Repeat("(0040,A730)[12].", 8) + fmt.Sprintf("(0040,%04X)", i), Why: "Because."})
	}
	full := instance.Record{Number: 1<<53 - 1, Received: time.Date(2027, 1, 31, 8, 0, 0, 1, time.UTC), SOPClass: gatewaytest.CTStorage, SOPInstance: "1.2.3", TransferSyntax: "1.2.840.10008.1.2.1", DataSet: strings.Repeat("ab", 32), Pixel: strings.Repeat("cd", 32),
		Bytes: 1 << 40, Policy: strings.Repeat("ef", 32), Hits: hits, Verdict: instance.Quarantine,
		Sender: instance.Sender{Way: instance.DIMSE, Device: strings.Repeat("d", 128), Certificate: strings.Repeat("01", 32), CallingAE: "CT 1 (OLD)", CalledAE: "ASEPSIS", Address: "10.0.0.7", TLS: "TLSv1.3", Association: random(8), Theatre: strings.Repeat("t", 128)}}
	for _, state := range []instance.State{instance.Accepted, instance.Quarantined, instance.Released, instance.Destroyed, instance.Replaced, instance.Refused} {
		for _, r := range []instance.Record{full, {Number: 1, Received: full.Received, DataSet: full.DataSet, Sender: instance.Sender{Way: instance.STOW, Device: "d", Association: "a"}}} {
			r.State = state
			list, err := g.statements(&r, nil)
			if err != nil || len(list) == 0 {
				t.Fatalf("%s: %v", state, err)
			}
			for _, s := range list {
				if _, err := s.Canonical(); err != nil {
					t.Errorf("%s, %s: %v", state, s.Kind(), err)
				}
				if strings.Contains(s.Predicate.ID, " ") || s.Kind() == custody.Received != (state != instance.Refused) && len(list) == 1 {
					t.Errorf("%s: %s %s", state, s.Kind(), s.Predicate.ID)
				}
			}
		}
	}
	copied := full
	copied.Original, copied.Number, copied.State = full.Number, 7, instance.Accepted
	list, err := g.statements(&copied, &full)
	if err != nil || len(list) != 1 || list[0].Kind() != custody.Altered {
		t.Fatalf("%v: %+v", err, list)
	}
	if _, err := list[0].Canonical(); err != nil {
		t.Error(err)
	}
	if _, err := g.statements(&copied, nil); err == nil {
		t.Error("a copy without its original")
	}
}
