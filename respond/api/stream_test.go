// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/api"
)

// sseEvent is one server-sent event.
type sseEvent struct{ name, id, data string }

// subscription is an open stream.
type subscription struct {
	t      testing.TB
	resp   *http.Response
	events chan sseEvent
	cancel context.CancelFunc
}

func (c client) subscribe(path, lastID string) *subscription {
	c.h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req := c.request("GET", path, nil).WithContext(ctx)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultTransport.RoundTrip(req) //nolint:bodyclose // the subscription closes it
	if err != nil {
		c.h.t.Fatal(err)
	}
	if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		b, _ := io.ReadAll(resp.Body)
		c.h.t.Fatalf("%s: %d %s", path, resp.StatusCode, b)
	}
	s := &subscription{c.h.t, resp, make(chan sseEvent, 10_000), cancel}
	c.h.t.Cleanup(s.end)
	go func() {
		defer close(s.events)
		var e sseEvent
		r := bufio.NewScanner(resp.Body)
		r.Buffer(nil, 8<<20)
		for r.Scan() {
			key, v, _ := strings.Cut(r.Text(), ": ")
			switch key {
			case "event":
				e.name = v
			case "id":
				e.id = v
			case "data":
				e.data = v
			case "":
				if e.name != "" {
					s.events <- e
				}
				e = sseEvent{}
			}
		}
	}()
	return s
}

func (s *subscription) end() {
	s.cancel()
	_ = s.resp.Body.Close()
}

// next returns the next event, false when the stream has ended.
func (s *subscription) next() (sseEvent, bool) {
	s.t.Helper()
	select {
	case e, ok := <-s.events:
		return e, ok
	case <-time.After(20 * time.Second):
		s.t.Fatal("nothing came on the stream")
		return sseEvent{}, false
	}
}

// writer appends events of a test's own to a store.
type writer struct {
	t   testing.TB
	h   *house
	pos uint64
}

func (w *writer) append(n int) {
	w.t.Helper()
	var recs []record.Record
	for range n {
		w.pos++
		e := &event.Event{UID: fmt.Sprint("e", w.pos), Time: time.Now().UnixNano(), Activity: 6, Severity: finding.Info, Protocol: "dns", Message: fmt.Sprintf("=event %d, \"quoted\"", w.pos), Detail: &event.DNS{Query: "pacs.example"}}
		r, err := record.Of(e, "made")
		if err != nil {
			w.t.Fatal(err)
		}
		recs = append(recs, r)
	}
	if err := w.h.store.Append(context.Background(), store.Position{Stream: "made", Seq: w.pos}, recs); err != nil {
		w.t.Fatal(err)
	}
}

// alone is a house whose only writer is the test.
func alone(t testing.TB, change func(*api.Config, *api.Deps)) (*house, *writer) {
	t.Helper()
	h := newHouse(t, options{noRecorder: true, change: change})
	release, err := h.store.Lead(context.Background(), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return h, &writer{t: t, h: h}
}

func TestAStreamThatIsCutAndResumedMissesNothingAndRepeatsNothing(t *testing.T) {
	h, w := alone(t, nil)
	w.append(10)
	var got []string
	last := ""
	const all = 700
	s := h.admin.subscribe("/events/stream?after=0", "")
	written := make(chan struct{})
	go func() {
		defer close(written)
		for w.pos < all {
			w.append(23)
		}
	}()
	for cut := 0; len(got) < all; {
		e, ok := s.next()
		if !ok {
			t.Fatal("the stream ended by itself")
		}
		if e.name != "events" {
			continue
		}
		var rows api.EventPage
		if err := json.Unmarshal([]byte(e.data), &rows); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows.Events {
			got = append(got, row.ID)
		}
		last = e.id
		if cut++; cut%3 == 0 { // the browser loses its connection
			s.end()
			s = h.admin.subscribe("/events/stream?after=0", last)
		}
	}
	<-written
	for i, id := range got {
		if id != strconv.Itoa(i+1) {
			t.Fatalf("event %d on the stream has the ID %s", i+1, id)
		}
	}
}

func TestAStreamCarriesWhatMatchesAndItsIDMovesOn(t *testing.T) {
	h, w := alone(t, func(c *api.Config, _ *api.Deps) { c.Streams.Heartbeat = time.Second })
	s := h.admin.subscribe("/events/stream?is=protocol:dicom", "")
	if e, _ := s.next(); e.name != "events" || e.id != "0" || e.data != `{"events":[]}` {
		t.Fatalf("begins with %+v", e)
	}
	w.append(5)
	h.until("the ID moves on though nothing matched", func() bool { e, ok := s.next(); return ok && e.id == "5" && e.data == `{"events":[]}` })
}

func TestWhatIsNotKeptAnyMoreIsAGap(t *testing.T) {
	h, w := alone(t, nil)
	w.append(3)
	s := h.admin.subscribe("/events/stream", "777") // of another store
	e, _ := s.next()
	if e.name != "gap" || !strings.Contains(e.data, `"from":"777","to":"3"`) || e.id != "3" {
		t.Errorf("%+v", e)
	}
	w.append(1)
	if e, _ := s.next(); e.name != "events" || e.id != "4" {
		t.Errorf("%+v", e)
	}
}

func TestStreamsEndWithTheSessionAndAreCounted(t *testing.T) {
	h, _ := alone(t, func(c *api.Config, _ *api.Deps) { c.Streams.MaxPerSession = 2 })
	who := h.as("analyst")
	a, b := who.subscribe("/events/stream", ""), who.subscribe("/stream", "")
	if c := who.do("GET", "/stream", nil); c.status != 429 || c.head.Get("Retry-After") == "" {
		t.Errorf("a third stream: %s", c)
	}
	if c := (client{h: h}).do("GET", "/stream", nil); c.status != 401 {
		t.Errorf("a stream for nobody: %s", c)
	}
	if c := h.admin.do("DELETE", "/users/analyst1", nil); c.status != 204 {
		t.Fatalf("%s", c)
	}
	for _, s := range []*subscription{a, b} {
		for {
			if _, ok := s.next(); !ok {
				break // it ended
			}
		}
	}
	if c := who.do("GET", "/stream", nil); c.status != 401 {
		t.Errorf("afterwards: %s", c)
	}
}

func TestChangesAreToldToOtherWindows(t *testing.T) {
	h, _ := alone(t, nil)
	s := h.admin.subscribe("/stream", "")
	wait := func(what string) {
		t.Helper()
		for {
			e, ok := s.next()
			if !ok {
				t.Fatal("the stream ended")
			}
			if e.name == "changed" && strings.Contains(e.data, `"what":"`+what+`"`) {
				return
			}
		}
	}
	if a := h.admin.do("POST", "/theatres", map[string]any{"name": "Theatre 1"}); a.status != 201 || a.head.Get("Location") != "/api/v1/theatres/Theatre-1" {
		t.Fatalf("%s", a)
	}
	wait("theatres")
	if a := h.admin.do("POST", "/views", map[string]any{"page": "map", "name": "All", "query": ""}); a.status != 201 {
		t.Fatalf("%s", a)
	}
	wait("views")
	set := get[api.Settings](h.admin, "/settings")
	set.SilenceMinutes = 20
	if a := h.admin.do("PUT", "/settings", set); a.status != 200 {
		t.Fatalf("%s", a)
	}
	wait("settings")
	// Whoever comes back is told of everything.
	s = h.admin.subscribe("/stream", "1")
	for _, what := range []string{"devices", "theatres", "status", "findings", "settings", "views"} {
		wait(what)
	}
}

func TestExportsAreWholeOrSayThatTheyAreNot(t *testing.T) {
	h, w := alone(t, nil)
	for range 3 {
		w.append(1000)
	}
	a := h.admin.do("GET", "/events/export?format=csv&order=oldest", nil)
	lines, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
	if err != nil || len(lines) != 3001 || lines[0][0] != "id" {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if !strings.HasPrefix(lines[1][11], "'=event 1") {
		t.Errorf("a formula is left in %q", lines[1][11])
	}
	if d := a.head.Get("Content-Disposition"); !strings.HasPrefix(d, `attachment; filename="asepsis-events-`) || !strings.HasSuffix(d, `.csv"`) {
		t.Errorf("Content-Disposition is %q", d)
	}
	for _, format := range []string{"ndjson", "ocsf"} {
		req := h.admin.request("GET", "/events/export?format="+format+"&limit=1500", nil)
		resp, err := http.DefaultTransport.RoundTrip(req) //nolint:bodyclose // the subscription closes it
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		l := strings.Split(strings.TrimSpace(string(b)), "\n")
		if len(l) != 1501 || !strings.HasPrefix(l[1500], `{"complete":false,"events":1500,"why":"the limit`) || resp.Trailer.Get("Asepsis-Complete") != "false" {
			t.Errorf("%s: %d lines, the last %s, trailer %v", format, len(l), l[len(l)-1], resp.Trailer)
		}
		if !json.Valid([]byte(l[0])) {
			t.Errorf("%s: %s", format, l[0])
		}
	}
	if a := h.admin.do("GET", "/audit?action=events.export", nil); strings.Count(string(a.body), "events.export") != 3 {
		t.Errorf("the audit trail has %s", a)
	}
	for in, want := range map[string]string{"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "x=1": "x=1", "": ""} {
		if got := api.GuardCell(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestStepsOfAHistogramAreUsualOnesAndStayWhereTheyAre(t *testing.T) {
	at := time.Date(2026, 3, 16, 8, 3, 27, 5, time.UTC).UnixNano()
	for _, tt := range []struct {
		span time.Duration
		n    int
		step time.Duration
	}{
		{time.Hour, 120, time.Minute}, {time.Hour, 60, 2 * time.Minute}, {24 * time.Hour, 120, 15 * time.Minute}, {time.Second, 100, 20 * time.Millisecond}, {time.Microsecond, 10, time.Millisecond},
		{365 * 24 * time.Hour, 12, 56 * 24 * time.Hour},
	} {
		from, to, step := api.StepsOf(at-int64(tt.span), at, tt.n)
		if time.Duration(step) != tt.step || from%step != 0 || (to-from)%step != 0 || from > at-int64(tt.span) || to < at || (to-from)/step > int64(tt.n) {
			t.Errorf("%s in %d steps: from %d to %d by %s, want by %s", tt.span, tt.n, from, to, time.Duration(step), tt.step)
		}
	}
}
