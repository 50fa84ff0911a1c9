// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/respond/triage"
)

// prefix stands before every path of the API.
const prefix = "/api/v1"

// handler answers a request, or returns why not; what it returns is sent as a
// problem. After it has begun to write, it returns nil.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is one method of one path.
type route struct {
	method string
	path   string // with prefix, as http.ServeMux writes patterns
	need   access.Permission
	open   bool // for everybody, also who is not logged in
	long   bool // a stream or an export: no slot for a request and no time limit
	h      http.Handler
}

// table returns every route of the API, its own and those of access.
func (s *Server) table() []route {
	const (
		read         = access.Read
		viewEdit     = access.ViewEdit
		theatreState = access.TheatreState
		deviceEdit   = access.DeviceEdit
		theatreEdit  = access.TheatreEdit
		settingsEdit = access.SettingsEdit
		findingEdit  = access.FindingEdit
		ruleEdit     = access.RuleEdit
	)
	var out []route
	add := func(method, path string, need access.Permission, h handler) *route {
		out = append(out, route{method: method, path: prefix + path, need: need, h: s.answer(h)})
		return &out[len(out)-1]
	}
	add("GET", "/status", read, s.getStatus)
	add("GET", "/board", read, s.getBoard)

	add("GET", "/theatres", read, s.getTheatres)
	add("POST", "/theatres", theatreEdit, s.postTheatre)
	add("GET", "/theatres/{id}", read, s.getTheatre)
	add("PUT", "/theatres/{id}", theatreEdit, s.putTheatre)
	add("DELETE", "/theatres/{id}", theatreEdit, s.deleteTheatre)
	add("PUT", "/theatres/{id}/state", theatreState, s.putTheatreState)
	add("GET", "/theatres/{id}/room", read, s.getRoom)

	add("GET", "/devices", read, s.getDevices)
	add("GET", "/devices/{id}", read, s.getDevice)
	add("PATCH", "/devices/{id}", deviceEdit, s.patchDevice)
	add("GET", "/devices/{id}/conversations", read, s.getConversations)
	add("GET", "/devices/{id}/activity", read, s.getActivity)
	add("GET", "/devices/{id}/edits", read, s.getEdits)
	add("POST", "/devices/{id}/notes", deviceEdit, s.postNote)
	add("POST", "/devices/{id}/merge", deviceEdit, s.postMerge)
	add("POST", "/devices/{id}/split", deviceEdit, s.postSplit)
	add("POST", "/edits/{seq}/undo", deviceEdit, s.postUndo)

	add("GET", "/map", read, s.getMap)

	add("GET", "/events", read, s.getEvents)
	add("GET", "/events/{id}", read, s.getEvent)
	add("GET", "/events/histogram", read, s.getHistogram)
	add("GET", "/events/top", read, s.getTop)
	add("GET", "/events/stream", read, s.getEventStream).long = true
	add("GET", "/events/export", read, s.getExport).long = true
	add("GET", "/stream", read, s.getStream).long = true

	add("GET", "/findings", read, s.getFindings)
	add("POST", "/findings/bulk", findingEdit, s.postBulk)
	add("GET", "/findings/{id}", read, s.getFinding)
	add("GET", "/findings/{id}/packets.pcap", access.PacketRead, s.getFindingPackets).long = true
	for _, a := range triage.Actions() {
		add("POST", "/findings/{id}/"+string(a), findingEdit, s.decide(a))
	}
	add("GET", "/rules", read, s.getRules)
	add("POST", "/rules", ruleEdit, s.postRule)
	add("POST", "/rules/test", read, s.postRuleTest)
	add("GET", "/events/{id}/explain", read, s.getExplain)
	add("GET", "/rules/{id}", read, s.getRule)
	add("PUT", "/rules/{id}", ruleEdit, s.putRule)
	add("DELETE", "/rules/{id}", ruleEdit, s.deleteRule)
	add("POST", "/rules/{id}/enable", ruleEdit, s.switchRule(false))
	add("POST", "/rules/{id}/disable", ruleEdit, s.switchRule(true))
	add("GET", "/backtests", read, s.getBacktests)
	add("POST", "/backtests", findingEdit, s.postBacktest)
	add("GET", "/backtests/{id}", read, s.getBacktest)
	add("DELETE", "/backtests/{id}", findingEdit, s.deleteBacktest)
	add("GET", "/suppressions", read, s.getSuppressions)
	add("POST", "/suppressions", findingEdit, s.postSuppression)
	add("GET", "/suppressions/{id}", read, s.getSuppression)
	add("PUT", "/suppressions/{id}", findingEdit, s.putSuppression)
	add("DELETE", "/suppressions/{id}", findingEdit, s.deleteSuppression)
	add("GET", "/maintenance", read, s.getMaintenance)
	add("POST", "/maintenance", deviceEdit, s.postMaintenance)
	add("PUT", "/maintenance/{id}", deviceEdit, s.putMaintenance)
	add("DELETE", "/maintenance/{id}", deviceEdit, s.deleteMaintenance)
	add("GET", "/baselines", read, s.getBaselines)
	add("POST", "/baselines", findingEdit, s.postBaseline)
	add("GET", "/alert-budget", read, s.getBudget)
	add("PUT", "/alert-budget", settingsEdit, s.putBudget)
	add("GET", "/alert-budget/status", read, s.getBudgetStatus)
	s.advisoryRoutes(add)
	s.ledgerRoutes(add)
	s.identityRoutes(add)
	s.imagingRoutes(add)
	add("GET", "/sensors", read, s.getSensors)
	add("GET", "/sensors/{name}/series", read, s.getSeries)
	add("GET", "/storage", read, s.getStorage)
	add("GET", "/settings", read, s.getSettings)
	add("PUT", "/settings", settingsEdit, s.putSettings)
	add("GET", "/views", read, s.getViews)
	add("POST", "/views", viewEdit, s.postView)
	add("PUT", "/views/{id}", viewEdit, s.putView)
	add("DELETE", "/views/{id}", viewEdit, s.deleteView)
	add("GET", "/search", read, s.getSearch)

	add("GET", "/openapi.yaml", "", s.getOpenAPIYAML).open = true
	add("GET", "/openapi.json", "", s.getOpenAPIJSON).open = true

	for i := range out {
		if !out[i].open {
			out[i].h = s.dep.Access.Require(out[i].need, out[i].h)
		}
		if out[i].path == prefix+"/status" {
			out[i].h = s.storeAway(out[i].h)
		}
	}
	for _, r := range s.dep.Access.Routes() {
		path := r.Path
		if !strings.HasPrefix(path, prefix) {
			path = prefix + path
		}
		out = append(out, route{method: r.Method, path: path, need: r.Permission, open: true, h: r.Handler})
	}
	return out
}

// mux puts the routes behind one handler, with precise answers for what is not
// there: 404 with the path that was probably meant, 405 with the methods.
func (s *Server) mux() http.Handler {
	byPath := map[string]map[string]*route{}
	for i := range s.routes {
		r := &s.routes[i]
		if byPath[r.path] == nil {
			byPath[r.path] = map[string]*route{}
		}
		if byPath[r.path][r.method] != nil {
			panic("BUG: two handlers for " + r.method + " " + r.path)
		}
		byPath[r.path][r.method] = r
	}
	mux := http.NewServeMux()
	for path, methods := range byPath {
		allow := allowed(methods)
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			method := r.Method
			if method == http.MethodHead && methods[method] == nil {
				method = http.MethodGet
			}
			to, ok := methods[method]
			switch {
			case ok:
				s.serve(to, w, r)
			case r.Method == http.MethodOptions:
				w.Header().Set("Allow", allow)
				w.WriteHeader(http.StatusNoContent)
			default:
				problem.Write(w, r, problem.MethodNotAllowed(allow))
			}
		})
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		p := problem.NotFound("There is no such address in this API.")
		p.Hint = "GET " + prefix + "/openapi.yaml describes what there is"
		problem.Write(w, r, p)
	})
	mux.HandleFunc("/healthz", s.getHealth)
	mux.Handle("/readyz", s.answer(s.getReady))
	mux.Handle("/metrics", s.dep.Access.Require(access.Read, s.metrics.handler()))
	mux.Handle("/", s.static)
	return mux
}

func allowed(methods map[string]*route) string {
	var out []string
	for m := range methods {
		out = append(out, m)
		if m == http.MethodGet {
			out = append(out, http.MethodHead)
		}
	}
	out = append(out, http.MethodOptions)
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// answer turns a handler that may fail into one that says so.
func (s *Server) answer(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.refuse(w, r, err)
		}
	})
}

// refuse sends what went wrong, and logs what only the log may know.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.From(err)
	if p.Status >= 500 && p.Cause != nil {
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "status", p.Status, "error", p.Cause)
	}
	problem.Write(w, r, p)
}
