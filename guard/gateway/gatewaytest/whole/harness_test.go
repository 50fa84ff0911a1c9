// SPDX-License-Identifier: Apache-2.0

package whole

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/forward"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/service"
)

// scanner is a CT that sends over TLS.
func scanner() control.Binding {
	return control.Binding{Device: "ct-1", CallingAE: []string{"CT1"}, SOPClasses: []string{"ct", "encapsulated"}, Operations: []string{"echo", "store", "commitment"}, Theatre: "or-3"}
}

// all sends everything to the destinations.
func all(list ...forward.Destination) func(*service.Config) {
	return func(c *service.Config) {
		r := forward.Route{Name: "all", Fail: forward.FailClosed}
		for _, d := range list {
			r.To = append(r.To, d.Name)
		}
		c.Forward.Destinations, c.Forward.Routes = list, []forward.Route{r}
	}
}

// uid is a SOP instance UID of the tests.
func uid(n int) string { return fmt.Sprintf("%s.77.%d", gatewaytest.Study, n) }

// becomes waits until every delivery of as many records is in a state.
func (h *House) becomes(t *testing.T, n int, want instance.DeliveryState) []instance.Record {
	t.Helper()
	var list []instance.Record
	gatewaytest.Until(t, fmt.Sprintf("%d instances to be %s", n, want), func() bool {
		list = h.Records()
		done := 0
		for _, r := range list {
			for _, d := range r.Deliveries {
				if d.State == want {
					done++
				}
			}
		}
		return len(list) == n && done >= n
	})
	return list
}

// told are the ledger's statements of a kind about a data set.
func (h *House) told(t *testing.T, kind custody.Kind, data []byte) []custody.Statement {
	t.Helper()
	sum := sha256.Sum256(data)
	list, err := h.Service.Control().Entries(t.Context(), control.EntryQuery{Digest: hex.EncodeToString(sum[:])})
	if err != nil {
		t.Fatal(err)
	}
	var out []custody.Statement
	for _, e := range list {
		if e.Statement.Kind() == kind {
			out = append(out, e.Statement)
		}
	}
	return out
}

// decide has two people decide over the one instance in quarantine.
func (h *House) decide(t *testing.T, action string) {
	t.Helper()
	gatewaytest.Until(t, "the ledger's entries to be in the record", func() bool { // which is behind the answer, and changes it
		list, err := h.Service.Control().Quarantine(t.Context(), 0, 10)
		return err == nil && len(list) == 1 && len(list[0].Entries) == 2
	})
	for _, user := range []string{"anna", "boris"} {
		list, err := h.Service.Control().Quarantine(t.Context(), 0, 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%v: %+v", err, list)
		}
		if _, err := h.Service.Control().Decide(t.Context(), control.Decide{Number: list[0].Number, Action: action, Reason: "the alert only greets", User: user, Revision: list[0].Revision}); err != nil {
			t.Fatal(err)
		}
	}
}

// same fails the test where data sets by SOP instance are not those that are wanted, bit for bit.
func same(t *testing.T, who string, got, want map[string][]byte) {
	t.Helper()
	for uid, data := range want {
		if !bytes.Equal(got[uid], data) {
			t.Errorf("%s has %d bytes of %s, and not the %d that were sent", who, len(got[uid]), uid, len(data))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s has %d instances, want %d", who, len(got), len(want))
	}
}

func sprint(list []instance.Record) string {
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "%d %s %s of %s: %s %v %+v\n", r.Number, r.State, r.SOPInstance, r.Sender.Device, r.Verdict, r.Hits, r.Deliveries)
	}
	return b.String()
}
