// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/steer/steertest"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/respond/api"
)

func TestAStepThatADeviceLeftOpenIsEnded(t *testing.T) {
	h := newImaging(t)
	s := newSchemas(t)
	viewer := h.as("viewer")
	steps := func(query string, n int) []api.ImagingProcedureStep {
		t.Helper()
		a := viewer.do("GET", "/imaging/steps"+query, nil)
		s.hold("ImagingSteps", false, a.body, "GET /imaging/steps"+query)
		list := read[api.ImagingSteps](t, a, http.StatusOK).Steps
		if len(list) != n {
			t.Errorf("%s: %+v, want %d", query, list, n)
		}
		return list
	}
	if list := steps("", 2); list[0].UID != steertest.StepOpen || list[0].Held != 3 || list[1].How != control.StepCompleted {
		t.Errorf("the steps are %+v", list)
	}
	steps("?only=open", 1)
	steps("?theatre=OR-4", 0)
	biomed, at := h.as("biomed"), "/imaging/steps/"+steertest.StepOpen+"/end"
	word := map[string]string{"reason": "the C-arm was switched off"}
	for name, x := range map[string]struct {
		who    client
		path   string
		body   any
		status int
		want   string
	}{
		"an analyst":               {h.as("analyst"), at, word, 403, "quarantine.decide"},
		"without a reason":         {biomed, at, map[string]string{"reason": " "}, 400, "reason"},
		"one that is none":         {biomed, "/imaging/steps/1.2.3/end", word, 404, "no such procedure step"},
		"one longer than a UID is": {biomed, "/imaging/steps/" + strings.Repeat("1", 65) + "/end", word, 404, "no such procedure step"},
		"one that ended":           {biomed, "/imaging/steps/" + steertest.StepEnded + "/end", word, 409, "ended already"},
	} {
		a := x.who.do("POST", x.path, x.body)
		if a.status != x.status || !strings.Contains(string(a.body), x.want) {
			t.Errorf("%s: %s, want %d about %q", name, a, x.status, x.want)
		}
		s.hold("Problem", false, a.body, name)
	}
	a := biomed.do("POST", at, word)
	s.hold("ImagingProcedureStep", false, a.body, "POST "+at)
	if x := read[api.ImagingProcedureStep](t, a, http.StatusOK); x.By != "biomed1" || x.How != control.StepByPerson || x.Ended.IsZero() {
		t.Errorf("ended, it is %+v", x)
	}
	steps("?only=open", 0)
	list, err := h.ledger.Find(t.Context(), ledger.Query{Kind: custody.Override, Limit: 10})
	if err != nil || len(list) != 1 || list[0].Statement.Predicate.Actor.User != "biomed1" || list[0].Statement.Predicate.Reason != word["reason"] {
		t.Errorf("the ledger has %+v, %v", list, err)
	}
}
