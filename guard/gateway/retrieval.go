// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/platform/config"
)

// What happens when something fails, as routes of instances have it.
const (
	FailClosed = "closed"
	FailOpen   = "open-and-alarm"
)

// Whether a case is in progress, as routes of instances have it.
const (
	caseInProgress = "in-progress"
	caseNone       = "none"
)

// Retrievals is what happens when the ledger fails while devices retrieve.
type Retrievals struct {
	Routes    []RetrievalRoute `yaml:"routes" doc:"By who asks, whichever way (C-GET, C-MOVE, WADO-RS): the first that matches counts. What none matches fails closed."`
	Owed      int              `yaml:"max_owed" doc:"How many statements about what was given out may wait for the ledger, a quarter of them about one device. Beyond that, all of these routes are closed until it records again."`
	OwedBytes config.ByteSize  `yaml:"max_owed_bytes" doc:"How many bytes of the gateway's disk they may take."`
}

// RetrievalRoute is how images go to devices that ask for them. All fields that are there must match, within a field one
// of the values.
type RetrievalRoute struct {
	Name     string   `yaml:"name" doc:"What the console calls it."`
	Devices  []string `yaml:"devices" doc:"Device IDs of who asks. Empty: all."`
	Theatres []string `yaml:"theatres" doc:"Theatres, by the binding of who asks. Empty: all, and devices that are in none."`
	Case     string   `yaml:"case" doc:"in-progress: only while a case is in progress in that theatre. none: only while there is none. Empty: both."`
	Fail     string   `yaml:"fail" doc:"What happens when the ledger fails: closed gives nothing out, open-and-alarm gives it out and tells people, and the ledger later. What the firewall could not inspect is given out in neither."`
}

// defaultRetrievals is what holds where nothing else is written.
func defaultRetrievals() Retrievals {
	return Retrievals{Owed: 100_000, OwedBytes: 256 * config.MiB}
}

// owedShares is what part of Retrievals.Owed may be about one device.
const owedShares = 4

// maxRetrievalRoutes bounds a configuration.
const maxRetrievalRoutes = 1000

// Validate implements config.Validator.
func (c Retrievals) Validate() error {
	switch {
	case len(c.Routes) > maxRetrievalRoutes:
		return config.Invalid("routes", "", "has %d entries, more than %d", len(c.Routes), maxRetrievalRoutes)
	case c.Owed < 1 || c.Owed > 10_000_000:
		return config.Invalid("max_owed", "100000 is usual", "%d is not within 1..10000000", c.Owed)
	case c.OwedBytes < config.MiB:
		return config.Invalid("max_owed_bytes", "256MiB is usual", "must be at least 1MiB, is %v", c.OwedBytes)
	}
	names := map[string]bool{}
	for i, r := range c.Routes {
		if names[r.Name] {
			return config.Invalid(fmt.Sprintf("routes[%d].name", i), "names tell routes apart", "%q is there twice", r.Name)
		}
		names[r.Name] = true
	}
	return nil
}

// Validate implements config.Validator.
func (r RetrievalRoute) Validate() error {
	switch {
	case r.Name == "" || len(r.Name) > 64 || strings.ContainsFunc(r.Name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(".-_", c)
	}):
		return config.Invalid("name", "such as viewers-in-theatres", "%q is not a name of letters, digits, dots, dashes and underscores", r.Name)
	case slices.Contains(r.Devices, ""):
		return config.Invalid("devices", "as asepsis devices list shows them", "has an empty entry")
	case slices.Contains(r.Theatres, ""):
		return config.Invalid("theatres", "as bindings name them", "has an empty entry")
	case !slices.Contains([]string{"", caseInProgress, caseNone}, r.Case):
		return config.Invalid("case", "in-progress or none", "%q is neither", r.Case)
	case !slices.Contains([]string{"", FailClosed, FailOpen}, r.Fail):
		return config.Invalid("fail", "closed or open-and-alarm", "%q is neither", r.Fail)
	}
	return nil
}

// matches reports whether it is the route of what a device asks for.
func (r *RetrievalRoute) matches(device, theatre string, inCase bool) bool {
	return (len(r.Devices) == 0 || slices.Contains(r.Devices, device)) && (len(r.Theatres) == 0 || slices.Contains(r.Theatres, theatre)) &&
		(r.Case == "" || inCase == (r.Case == caseInProgress))
}

// words says what it matches.
func (r *RetrievalRoute) words() string {
	parts := []string{"images that are asked for"}
	if len(r.Devices) > 0 {
		parts = append(parts, "by "+strings.Join(r.Devices, " or "))
	}
	if len(r.Theatres) > 0 {
		parts = append(parts, "in "+strings.Join(r.Theatres, " or "))
	}
	switch r.Case {
	case caseInProgress:
		parts = append(parts, "during a case")
	case caseNone:
		parts = append(parts, "while there is no case")
	}
	return strings.Join(parts, " ")
}

// Retrieval implements query.Custody.
func (g *Gateway) Retrieval(device, theatre string) (route string, open bool) {
	inCase := theatre != "" && g.d.Case(theatre)
	for i := range g.cfg.Retrievals.Routes {
		if r := &g.cfg.Retrievals.Routes[i]; r.matches(device, theatre, inCase) {
			return r.Name, r.Fail == FailOpen
		}
	}
	return "", false
}

// OpenMove reports whether a route of deliveries is that of a C-MOVE whose requestor gets its images also where the ledger does
// not record.
func (c Retrievals) OpenMove(route string) bool {
	name, is := strings.CutPrefix(route, query.RouteMove+"/")
	return is && slices.ContainsFunc(c.Routes, func(r RetrievalRoute) bool { return r.Name == name && r.Fail == FailOpen })
}

// Names of the last route, which takes what the others do not.
const (
	everyRetrieval = "retrievals"
	otherRetrieval = "other-retrievals"
)

// Retrievals says how the routes of retrievals are, that of what no other takes last.
func (g *Gateway) Retrievals() []control.RouteState {
	_, _, why := g.books.state()
	full := g.books.notes != nil && g.books.notes.State().Full
	last := RetrievalRoute{Name: everyRetrieval}
	if len(g.cfg.Retrievals.Routes) > 0 {
		last.Name = otherRetrieval
	}
	var out []control.RouteState
	for _, r := range append(slices.Clone(g.cfg.Retrievals.Routes), last) {
		s := control.RouteState{Name: r.Name, Match: r.words(), Destinations: []string{control.WhoAsks}, Fail: cmp.Or(r.Fail, FailClosed), State: "ok"}
		switch {
		case why == nil:
		case s.Fail == FailClosed:
			s.State, s.Why = "closed", "the ledger does not record: "+why.Error()
		case full:
			s.State, s.Why = "closed", "as many statements wait for the ledger as may; it does not record: "+why.Error()
		default:
			s.State, s.Why = "open", "the ledger does not record: "+why.Error()
		}
		out = append(out, s)
	}
	return out
}
