// SPDX-License-Identifier: Apache-2.0

package service

import (
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/forward"
	"github.com/asepsis/asepsis/guard/gateway/query"
)

// Both sorts of route are in one list, and a route of instances must not open what devices retrieve.
func TestRoutesOfRetrievalsHaveNamesOfTheirOwn(t *testing.T) {
	for name, c := range map[string]struct {
		route, retrieval, want string
	}{
		"each its own":                   {"all", "viewers", ""},
		"the same":                       {"viewers", "viewers", `retrievals.routes[0].name: "viewers" is a route of gateway.forward too`},
		"a route called as C-MOVE's is":  {query.RouteMove, "viewers", `forward.routes[0].name: "c-move" is the route of what devices retrieve`},
		"a route called as C-GET's is":   {query.RouteGet, "viewers", `forward.routes[0].name: "c-get" is the route`},
		"a route called as WADO-RS's is": {gateway.RouteRetrieve, "viewers", `forward.routes[0].name: "wado-rs" is the route`},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Default()
			cfg.Forward.Routes = []forward.Route{{Name: c.route, To: []string{"xr"}, Fail: forward.FailOpen}}
			cfg.Retrievals.Routes = []gateway.RetrievalRoute{{Name: c.retrieval, Fail: gateway.FailOpen}}
			err := cfg.Validate()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
