// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/steer/steertest"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/respond/api"
)

// statements are what the gateway's ledger has about an instance, by kind.
func (m *imaging) statements(kind custody.Kind, digest string) []custody.Statement {
	m.t.Helper()
	list, err := m.ledger.Find(context.Background(), ledger.Query{Kind: kind, Digest: digest, Limit: 100})
	if err != nil {
		m.t.Fatal(err)
	}
	var out []custody.Statement
	for _, e := range list {
		out = append(out, e.Statement)
	}
	return out
}

func (m *imaging) item() api.ImagingHeld {
	m.t.Helper()
	l := get[api.ImagingQuarantine](m.admin, "/imaging/quarantine").Held
	if len(l) != 1 {
		m.t.Fatalf("in quarantine: %+v", l)
	}
	return l[0]
}

func TestTwoPeopleReleaseWhatIsHeld(t *testing.T) {
	h := newImaging(t)
	s := newSchemas(t)
	biomed, engineer, analyst := h.as("biomed"), h.as("engineer"), h.as("analyst")
	x := h.item()
	at := fmt.Sprintf("/imaging/quarantine/%d/", x.Number)
	word := func(reason string, revision uint64) map[string]any {
		return map[string]any{"reason": reason, "revision": revision}
	}
	refuse := func(c client, path string, body any, status int, want string) {
		t.Helper()
		a := c.do("POST", path, body)
		if a.status != status || !strings.Contains(string(a.body), want) {
			t.Errorf("POST %s %v: %s, want %d about %q", path, body, a, status, want)
		}
		s.hold("Problem", false, a.body, "POST "+path)
	}
	refuse(analyst, at+"release", word("looks fine", x.Revision), 403, "quarantine.decide")
	refuse(biomed, at+"release", word("  ", x.Revision), 400, "reason")
	refuse(biomed, at+"release", word(strings.Repeat("x", 501), x.Revision), 400, "reason")
	refuse(biomed, at+"release", map[string]any{"reason": "fine"}, 400, "revision")
	refuse(biomed, at+"release", word("two\nlines", x.Revision), 400, "plain words")
	refuse(biomed, at+"release", word("fine", x.Revision+1), 409, "meanwhile")
	refuse(biomed, at+"withdraw", word("fine", x.Revision), 409, "Nobody asked")
	refuse(biomed, "/imaging/quarantine/999/release", word("fine", 1), 404, "no such instance")
	refuse(biomed, fmt.Sprintf("/imaging/quarantine/%d/release", h.passed.Number), word("fine", h.passed.Revision), 409, "not in quarantine")

	a := biomed.do("POST", at+"release", word("a legend of the workstation", x.Revision))
	s.hold("ImagingHeld", false, a.body, "the first word")
	first := read[api.ImagingHeld](t, a, 200)
	if first.State != instance.Quarantined || first.Asked == nil || first.Asked.By != "biomed1" || !first.Own {
		t.Fatalf("after the first word it is %+v", first)
	}
	if seen := get[api.ImagingQuarantine](engineer, "/imaging/quarantine").Held[0]; seen.Own || seen.Asked.Reason != "a legend of the workstation" {
		t.Errorf("the second person sees %+v", seen)
	}
	refuse(biomed, at+"release", word("again", first.Revision), 409, "another person must agree")
	refuse(engineer, at+"destroy", word("no", first.Revision), 409, "asked to release it: biomed1")
	refuse(engineer, at+"release", word("agreed", x.Revision), 409, "meanwhile")

	// A token of the first person is the first person.
	token := read[struct{ Secret string }](t, biomed.do("POST", "/tokens", map[string]any{"name": "tool", "permissions": []string{"read", "quarantine.decide"}, "expires_in_days": 1}), 201)
	refuse(client{h: h.house, token: token.Secret}, at+"release", word("by a tool", first.Revision), 409, "another person must agree")

	done := read[api.ImagingHeld](t, engineer.do("POST", at+"release", word("seen it too", first.Revision)), 200)
	if done.State != instance.Released || done.Asked != nil || len(done.Deliveries) != 1 || done.Deliveries[0].State != instance.Waiting {
		t.Fatalf("released it is %+v", done)
	}
	refuse(engineer, at+"release", word("once more", done.Revision), 409, "not in quarantine")
	over := h.statements(custody.Override, x.DataSet)
	if len(over) != 1 || over[0].Predicate.Actor.User != "biomed1" || over[0].Predicate.Detail["approved_by"] != "engineer1" || over[0].Predicate.Detail["outcome"] != "released" ||
		over[0].Predicate.Reason != "biomed1: a legend of the workstation; engineer1: seen it too" {
		t.Errorf("the override in the ledger is %+v", over)
	}
	line := get[api.ImagingTimeline](h.admin, "/imaging/studies/"+x.Study+"/timeline")
	if ev := line.Instances[0].Events; ev[len(ev)-2].What != "released" && ev[len(ev)-1].What != "released" {
		t.Errorf("its life is %+v", ev)
	}
	var said []string
	for _, e := range get[api.ImagingInstanceDetail](h.admin, fmt.Sprintf("/imaging/instances/%d", x.Number)).Entries {
		said = append(said, e.Sentence)
	}
	if got := strings.Join(said, "\n"); got != "asepsis/gateway received an image from dev-ct\nasepsis/gateway put an image of dev-ct into quarantine\n"+
		"biomed1 asked to release an image of dev-ct from quarantine: a legend of the workstation\nbiomed1 and engineer1 released an image of dev-ct in quarantine (biomed1: a legend of the workstation; engineer1: seen it too)" {
		t.Errorf("the ledger says\n%s", got)
	}
	audit := h.admin.do("GET", "/audit", nil)
	for _, want := range []string{"imaging.quarantine.release.ask", `"imaging.quarantine.release"`, "another person must agree", "token:biomed1/tool"} {
		if !strings.Contains(string(audit.body), want) {
			t.Errorf("the audit trail has no %s: %s", want, audit.body)
		}
	}
}

func TestDuringACaseADecisionIsMeantTwiceAndRecordedAsAnOverride(t *testing.T) {
	h := newImaging(t)
	if a := h.admin.do("POST", "/theatres", map[string]any{"id": "OR-3", "name": "Theatre 3"}); a.status != 201 {
		t.Fatal(a)
	}
	if a := h.admin.do("PUT", "/theatres/OR-3/state", map[string]any{"state": "in-case"}); a.status != 200 {
		t.Fatal(a)
	}
	h.until("the API knows of the case", func() bool { return h.item().InCase })
	x := h.item()
	biomed, engineer := h.as("biomed"), h.as("engineer")
	at := fmt.Sprintf("/imaging/quarantine/%d/destroy", x.Number)
	body := map[string]any{"reason": "a worm", "revision": x.Revision}
	if a := biomed.do("POST", at, body); a.status != 409 || !strings.Contains(string(a.body), "confirm_in_case") {
		t.Errorf("without a word about the case: %s", a)
	}
	body["confirm_in_case"] = true
	body["revision"] = read[api.ImagingHeld](t, biomed.do("POST", at, body), 200).Revision
	if x := read[api.ImagingHeld](t, engineer.do("POST", at, body), 200); x.State != instance.Destroyed {
		t.Errorf("destroyed it is %+v", x)
	}
	var what []any
	for _, st := range h.statements(custody.Override, x.DataSet) {
		what = append(what, st.Predicate.Detail["what"])
	}
	if fmt.Sprint(what) != "[case-in-progress quarantine]" {
		t.Errorf("the overrides are about %v", what)
	}
	if a := h.admin.do("GET", fmt.Sprintf("/imaging/instances/%d/header", x.Number), nil); a.status != 404 {
		t.Errorf("the header of what was destroyed: %s", a)
	}
	if a := engineer.do("POST", "/imaging/destinations/xr-3/pause", map[string]any{}); a.status != 409 || !strings.Contains(string(a.body), "keeps images") {
		t.Errorf("pausing during a case: %s", a)
	}
	if a := engineer.do("POST", "/imaging/destinations/xr-3/pause", map[string]any{"confirm_in_case": true}); a.status != 200 {
		t.Errorf("pausing during a case, meant: %s", a)
	}
}

func TestWhoReadsAHeaderInClearIsOnRecord(t *testing.T) {
	h := newImaging(t)
	at := fmt.Sprintf("/imaging/instances/%d/header", h.held.Number)
	hidden := get[control.Header](h.as("viewer"), at)
	var comment, name control.HeaderElement
	for _, e := range hidden.Elements {
		switch e.Path {
		case "(0010,4000)":
			comment = e
		case "(0010,0010)":
			name = e
		}
	}
	if !name.Hidden || name.Value != "" || name.Length == 0 || comment.Rule == "" {
		t.Errorf("the name is %+v, the comment %+v", name, comment)
	}
	if a := h.as("engineer").do("POST", at+"/clear", map[string]any{"reason": "curious"}); a.status != 403 {
		t.Errorf("an engineer reads a patient's name: %s", a)
	}
	if a := h.admin.do("POST", at+"/clear", map[string]any{"reason": ""}); a.status != 400 {
		t.Errorf("without a reason: %s", a)
	}
	a := h.admin.do("POST", at+"/clear", map[string]any{"reason": "to call the ward"})
	newSchemas(t).hold("ImagingHeader", false, a.body, "the header in clear")
	if !strings.Contains(string(a.body), "Example^Ada") {
		t.Errorf("in clear: %s", a)
	}
	st := h.statements(custody.Decision, h.held.DataSet)
	if len(st) != 2 || st[0].Predicate.Actor.User != "ada" || st[0].Predicate.Reason != "to call the ward" || st[0].Predicate.Detail["what"] != "header-read-in-clear" {
		t.Errorf("the ledger has %+v", st)
	}
	if audit := h.admin.do("GET", "/audit", nil); !strings.Contains(string(audit.body), "imaging.header.clear") {
		t.Errorf("the audit trail has %s", audit)
	}
	if strings.Contains(h.log.String(), "Example^Ada") || strings.Contains(h.log.String(), "to call the ward") {
		t.Error("the log has what was read, or why")
	}
}

func TestThePolicyIsCheckedTriedAndReplaced(t *testing.T) {
	h := newImaging(t)
	s := newSchemas(t)
	c := h.as("engineer")
	was := get[api.ImagingPolicy](c, "/imaging/policy")
	a := c.do("POST", "/imaging/policy/check", map[string]any{"yaml": "rules:\n  no.such.rule: {verdict: pass}\n"})
	s.hold("ImagingPolicyCheck", false, a.body, "checking")
	if p := read[api.ImagingPolicyCheck](t, a, 200).Problems; len(p) != 1 || p[0].Line != 2 || p[0].Hint == "" {
		t.Errorf("what is wrong is %+v", p)
	}
	observe := "mode: observe\n"
	if a := c.do("POST", "/imaging/policy/check", map[string]any{"yaml": observe}); string(a.body) != "{\"problems\":[]}\n" {
		t.Errorf("a policy without fault: %s", a)
	}
	a = c.do("POST", "/imaging/policy/dry-run", map[string]any{"yaml": observe, "limit": 100})
	s.hold("ImagingDryRun", false, a.body, "trying")
	if d := read[api.ImagingDryRun](t, a, 200); d.Examined != 3 || d.Same != 2 || len(d.Changed) != 1 || d.Changed[0].Would != instance.Flag || d.Changed[0].Was != instance.Quarantine {
		t.Errorf("tried, it is %+v", d)
	}
	for _, x := range []struct {
		body   map[string]any
		status int
		want   string
	}{
		{map[string]any{"yaml": "", "sha256": was.SHA256}, 400, "yaml"},
		{map[string]any{"yaml": observe, "sha256": "x"}, 400, "sha256"},
		{map[string]any{"yaml": observe, "sha256": strings.Repeat("ab", 32)}, 409, "meanwhile"},
		{map[string]any{"yaml": "mode: dream\n", "sha256": was.SHA256}, 400, "line 1"},
		{map[string]any{"yaml": strings.Repeat("#", 257<<10), "sha256": was.SHA256}, 400, "longer"},
	} {
		if a := c.do("PUT", "/imaging/policy", x.body); a.status != x.status || !strings.Contains(string(a.body), x.want) {
			t.Errorf("PUT %.60v: %s, want %d about %q", x.body, a, x.status, x.want)
		}
	}
	if a := h.as("biomed").do("PUT", "/imaging/policy", map[string]any{"yaml": observe, "sha256": was.SHA256}); a.status != 403 {
		t.Errorf("a biomed sets the policy: %s", a)
	}
	if now := read[api.ImagingPolicy](t, c.do("PUT", "/imaging/policy", map[string]any{"yaml": observe, "sha256": was.SHA256}), 200); now.YAML != observe || now.SHA256 == was.SHA256 || now.State.File == "" {
		t.Errorf("set, it is %+v", now)
	}
	if st := h.statements(custody.Configuration, ""); len(st) != 1 || st[0].Predicate.Actor.User != "engineer1" || st[0].Predicate.Detail["what"] != "gateway/gateway-or-3/policy" {
		t.Errorf("the ledger has %+v", st)
	}
}

func TestBindingsAreReplacedFromTheRevisionThatWasRead(t *testing.T) {
	h := newImaging(t)
	c := h.as("engineer")
	was := get[api.ImagingBindings](c, "/imaging/bindings")
	set := []map[string]any{{"device": "dev-ct", "calling_ae": []string{"CT_OR3"}, "operations": []string{"echo", "store"}}}
	for _, x := range []struct {
		body   map[string]any
		status int
		want   string
	}{
		{map[string]any{"bindings": set}, 400, "revision"},
		{map[string]any{"bindings": set, "revision": "other"}, 409, "meanwhile"},
		{map[string]any{"bindings": []map[string]any{{"device": "dev-ct", "calling_ae": []string{"A TITLE THAT IS TOO LONG"}, "operations": []string{"fly"}}}, "revision": was.Revision}, 400, "bindings"},
		{map[string]any{"bindings": []map[string]any{{"device": "dev-ct", "identification": "mine"}}, "revision": was.Revision}, 400, "identification"},
	} {
		if a := c.do("PUT", "/imaging/bindings", x.body); a.status != x.status || !strings.Contains(string(a.body), x.want) {
			t.Errorf("PUT %v: %s, want %d about %q", x.body, a, x.status, x.want)
		}
	}
	now := read[api.ImagingBindings](t, c.do("PUT", "/imaging/bindings", map[string]any{"bindings": set, "revision": was.Revision}), 200)
	if len(now.Bindings) != 1 || now.Revision == was.Revision {
		t.Errorf("set, they are %+v", now)
	}
	if st := h.statements(custody.Configuration, ""); len(st) != 1 || st[0].Predicate.Detail["what"] != "gateway/gateway-or-3/bindings" {
		t.Errorf("the ledger has %+v", st)
	}
}

func TestWithoutAGatewayTheAnswerSaysSo(t *testing.T) {
	h := newHouse(t, options{noRecorder: true})
	if a := h.admin.do("GET", "/imaging/overview", nil); a.status != http.StatusNotFound || !strings.Contains(string(a.body), "No imaging gateway runs") {
		t.Errorf("without a gateway: %s", a)
	}
	if l := get[api.ImagingGateways](h.admin, "/imaging/gateways"); len(l.Gateways) != 0 {
		t.Errorf("the gateways are %+v", l)
	}
}

// TestOfSeveralGatewaysOneIsNamed has two, of which one does not answer any more.
func TestOfSeveralGatewaysOneIsNamed(t *testing.T) {
	h := newImaging(t)
	other, err := steertest.Open(steertest.Options{Name: "gateway-or-4", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- control.Serve(ctx, h.bus, "gateway-or-4", other) }()
	h.until("both report", func() bool { return len(get[api.ImagingGateways](h.admin, "/imaging/gateways").Gateways) == 2 })
	if a := h.admin.do("GET", "/imaging/overview", nil); a.status != 400 || !strings.Contains(string(a.body), "gateway-or-3, gateway-or-4") {
		t.Errorf("without a name: %s", a)
	}
	if o := get[control.Overview](h.admin, "/imaging/overview?gateway=gateway-or-4"); o.Name != "gateway-or-4" || o.Received.Instances != 0 {
		t.Errorf("the other one is %+v", o)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if a := h.admin.do("GET", "/imaging/overview?gateway=gateway-or-4", nil); a.status != 503 || !strings.Contains(string(a.body), "does not answer") {
		t.Errorf("one that is away: %s", a)
	}
}
