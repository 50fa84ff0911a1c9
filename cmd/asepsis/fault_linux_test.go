// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"crypto/tls"

	"github.com/asepsis/asepsis/platform/store"
)

// person makes changes over the API, one after the other, whatever happens to the
// server, and remembers what was confirmed.
type person struct {
	h      *house
	device string
	stop   func()

	mu        sync.Mutex
	names     []string // of the device, tried in this order
	confirmed int      // index of the last that was confirmed, -1 for none
	notes     []string // confirmed
	theatres  []string // confirmed
	refused   map[string]int
}

// change begins to make changes.
func change(h *house, device string) *person {
	p := &person{h: h, device: device, confirmed: -1, refused: map[string]int{}}
	done, end := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			select {
			case <-end:
				return
			default:
			}
			p.once(n)
		}
	}()
	p.stop = sync.OnceFunc(func() { close(end); <-done })
	h.t.Cleanup(p.stop)
	return p
}

func (p *person) once(n int) {
	var a answer
	var err error
	var ok func()
	switch n % 3 {
	case 0:
		name := fmt.Sprintf("pump %d", n)
		p.mu.Lock()
		p.names = append(p.names, name)
		at := len(p.names) - 1
		p.mu.Unlock()
		a, err = p.h.try(http.MethodPatch, "/api/v1/devices/"+p.device, map[string]string{"name": name})
		ok = func() { p.confirmed = at }
	case 1:
		note := fmt.Sprintf("note %d", n)
		a, err = p.h.try(http.MethodPost, "/api/v1/devices/"+p.device+"/notes", map[string]string{"text": note})
		ok = func() { p.notes = append(p.notes, note) }
	case 2:
		id := fmt.Sprintf("ROOM-%d", n)
		if n/3 > 900 {
			return // there is a bound on theatres
		}
		a, err = p.h.try(http.MethodPost, "/api/v1/theatres", map[string]any{"id": id, "name": id, "vlans": []int{}, "prefixes": []string{}})
		ok = func() { p.theatres = append(p.theatres, id) }
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil && a.status/100 == 2:
		ok()
		return
	case err == nil:
		var said problemOf
		_ = json.Unmarshal(a.body, &said)
		p.refused[fmt.Sprintf("%d %s / %s", a.status, cmp.Or(said.Detail, said.Title), said.Hint)]++
	default:
		p.refused["no answer"]++
	}
	pause := time.NewTimer(20 * time.Millisecond)
	defer pause.Stop()
	<-pause.C
}

func (p *person) done() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.notes) + len(p.theatres) + p.confirmed + 1
}

// kept checks that everything that was confirmed is there.
func (p *person) kept(h *house) {
	h.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	var d struct{ Name string }
	// A device is published a moment after an edit.
	names := map[string]bool{}
	for i := max(0, p.confirmed); i < len(p.names); i++ {
		names[p.names[i]] = true
	}
	eventuallyIn(h.t, 30*time.Second, "the device has the name that was confirmed last", func() bool {
		d = get[struct{ Name string }](h, "/devices/"+p.device)
		return names[d.Name]
	})
	gone := p.notes
	eventuallyIn(h.t, 30*time.Second, "the device has the notes that were confirmed", func() bool {
		has := map[string]bool{}
		for _, n := range get[struct{ Notes []struct{ Text string } }](h, "/devices/"+p.device).Notes {
			has[n.Text] = true
		}
		gone = slices.DeleteFunc(slices.Clone(gone), func(n string) bool { return has[n] })
		return len(gone) == 0
	})
	there := map[string]bool{}
	for _, r := range get[[]struct{ ID string }](h, "/theatres") {
		there[r.ID] = true
	}
	for _, id := range p.theatres {
		if !there[id] {
			h.t.Errorf("a confirmed theatre is gone: %s", id)
		}
	}
	h.t.Logf("%d names, %d notes and %d theatres were confirmed, and are there; refused: %v", p.confirmed+1, len(p.notes), len(p.theatres), p.refused)
}

// TestNothingIsLostThoughUpIsKilledTwentyTimes kills asepsis up while a sensor of
// another process sends events and a person makes changes: while it starts for the
// first time, while it starts again, and while it works.
func TestNothingIsLostThoughUpIsKilledTwentyTimes(t *testing.T) {
	t.Parallel()
	s := newPlace(t, shortDir(t), "")
	kills := 20
	for i := range 4 { // while it starts for the first time
		p := s.launch(nil)
		wait := time.NewTimer(time.Duration(40+90*i) * time.Millisecond)
		<-wait.C
		p.kill()
		kills--
	}
	h := s.up()
	h.setUp()
	f := connect(t, "nats://"+s.bus, s.tokenFile, "or3")
	f.devices()
	f.load(1000)
	p := change(h, idOf(h, pump.IP.String()))
	for ; kills > 0; kills-- {
		before, changes := f.pub.Stats().Stored, p.done()
		eventually(t, "events and changes go on", func() bool { return f.pub.Stats().Stored > before+300 && p.done() > changes+3 })
		h.kill()
		h.program = s.launch(nil)
		if kills%4 == 0 {
			wait := time.NewTimer(time.Duration(rand.IntN(800)) * time.Millisecond) // while it starts again
			<-wait.C
			h.kill()
			h.program = s.launch(nil)
			kills--
		}
	}
	f.stopGen()
	p.stop()
	f.drained()
	h.line("Asepsis is at ")
	eventually(t, "every event is stored", func() bool { return h.events("") >= f.count() })
	p.kept(h)
	if st := get[status](h, "/status"); st.Lost != 0 {
		t.Errorf("the status counts %d lost events", st.Lost)
	}
	if code := h.stop(); code != 0 {
		t.Errorf("ended with code %d", code)
	}
	exactlyOnce(t, stored(t, store.Default(), filepath.Join(s.data, "store")), f)
}

// TestAFullDiskStopsNothingForGood fills the disk under a running server and makes
// room again.
func TestAFullDiskStopsNothingForGood(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("a small file system needs root")
	}
	disk := shortDir(t)
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=160m,mode=0700"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	data := filepath.Join(disk, "data")
	s := newPlace(t, data, "")
	h := s.up()
	h.setUp()
	f := connect(t, "nats://"+s.bus, s.tokenFile, "or3")
	f.devices()
	f.load(1000)
	id := idOf(h, pump.IP.String())
	eventually(t, "events are stored", func() bool { return h.events("") > 1000 })
	p := change(h, id)
	eventually(t, "changes are confirmed", func() bool { return p.done() > 10 })

	balloon := filepath.Join(disk, "balloon")
	if err := inflate(balloon); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the status says that the disk is full", func() bool {
		st := get[status](h, "/status")
		return strings.Contains(st.of("store"), "stop: ") && strings.Contains(st.of("store"), "full")
	})
	eventually(t, "a change is refused with what to do", func() bool {
		_ = inflate(balloon) // what was given back meanwhile
		p.mu.Lock()
		defer p.mu.Unlock()
		rooms, devices := false, false
		for why := range p.refused {
			code, hint, _ := strings.Cut(why, " / ")
			good := (strings.HasPrefix(code, "507 ") || strings.HasPrefix(code, "503 ")) && hint != ""
			rooms = rooms || good && strings.Contains(code, "disk is full")
			devices = devices || good && strings.Contains(code, "not made")
		}
		return rooms && devices
	})
	eventually(t, "the status shows that nothing is stored, why, and for how long", func() bool {
		st := get[status](h, "/status")
		return st.State == "down" && strings.Contains(st.Sentence, "disk is full") && st.Lag > 3
	})
	st := get[status](h, "/status")
	t.Logf("while it was full: %s: %s; %v", st.State, st.Sentence, st.Components)

	if err := os.Remove(balloon); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it goes on by itself", func() bool {
		st := get[status](h, "/status")
		return st.Lag < 2 && strings.HasPrefix(st.of("recorder"), "ok")
	})
	changes := p.done()
	eventually(t, "changes are confirmed again", func() bool { return p.done() > changes+10 })
	f.stopGen()
	p.stop()
	f.drained()
	eventually(t, "every event is stored", func() bool { return h.events("") >= f.count() })
	p.kept(h)
	if code := h.stop(); code != 0 {
		t.Errorf("ended with code %d", code)
	}
	exactlyOnce(t, stored(t, store.Default(), filepath.Join(data, "store")), f)
}

// inflate takes all room that a file system has.
func inflate(file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for size := 1 << 20; size >= 512; size /= 2 {
		for {
			if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
				break
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// listener reads a stream of events as a browser does.
type listener struct {
	ids  []string
	last string // of the stream
	gaps int
}

// listen reads until a condition holds, or the server closes.
func (l *listener) listen(r io.Reader, until func() bool) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 64<<10), 16<<20)
	var id, kind string
	for sc.Scan() {
		field, value, _ := strings.Cut(sc.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			if kind == "gap" {
				l.gaps++
			}
			var m struct{ Events []struct{ ID string } }
			if err := json.Unmarshal([]byte(value), &m); err != nil {
				return nil // cut off in the middle: not an event
			}
			for _, e := range m.Events {
				l.ids = append(l.ids, e.ID)
			}
			if id != "" { // dispatched with its data
				l.last = id
			}
		case "":
			id, kind = "", ""
			if until() {
				return nil
			}
		}
	}
	return sc.Err()
}

// stream opens the stream of events after an ID.
func (l *listener) stream(ctx context.Context, h *house) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+"/api/v1/events/stream", http.NoBody)
	if err != nil {
		return nil, err
	}
	h.sign(req)
	if l.last != "" {
		req.Header.Set("Last-Event-ID", l.last)
	} else {
		req.URL.RawQuery = "after=0"
	}
	client := *h.http
	client.Timeout = 0
	resp, err := client.Do(req)
	if err == nil && resp.StatusCode != 200 {
		err = fmt.Errorf("%s", resp.Status)
	}
	return resp, err
}

// numbered checks that a listener got so many events, in order and each once: IDs
// are numbers without gaps.
func (l *listener) numbered(t *testing.T, n int) {
	t.Helper()
	for i, id := range l.ids {
		if id != strconv.Itoa(i+1) {
			t.Fatalf("event %d of the stream has the ID %s", i+1, id)
		}
	}
	if len(l.ids) != n || l.gaps > 0 {
		t.Errorf("%d events and %d gaps, want %d events", len(l.ids), l.gaps, n)
	}
}

// memory is what a process has in memory, in MiB.
func (p *program) memory() int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return n >> 10
}

// heapGoal is the size at which the heap is collected next, in MiB: it follows what is
// live, not what is garbage.
func (h *house) heapGoal() int {
	h.t.Helper()
	_, rest, _ := strings.Cut(string(h.ask(http.MethodGet, "/metrics", nil, 200).body), "\ngo_memstats_next_gc_bytes ")
	value, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseFloat(value, 64)
	if err != nil {
		h.t.Fatalf("the metrics have no goal of the heap: %v", err)
	}
	return int(n) >> 20
}

// TestABrowserThatDoesNotReadHoldsUpNobody opens live views that take nothing,
// beside one that does.
func TestABrowserThatDoesNotReadHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := newPlace(t, shortDir(t), "")
	h := s.up()
	h.setUp()
	f := connect(t, "nats://"+s.bus, s.tokenFile, "or3")
	f.devices()
	const events = 12_000
	f.message = strings.Repeat("more than the buffers of a connection hold; ", 30)
	f.numbers(events, now)
	f.drained()
	eventually(t, "the events are stored", func() bool { return h.events("") >= f.count() })
	before, goalBefore := h.memory(), h.heapGoal()

	u, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	const lazy = 8
	conns := make([]net.Conn, lazy)
	for i := range conns {
		d := net.Dialer{Timeout: 10 * time.Second, Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
		}}
		raw, err := d.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		conf := h.http.Transport.(*http.Transport).TLSClientConfig.Clone()
		conf.ServerName, conf.NextProtos = u.Hostname(), []string{"http/1.1"}
		c := tls.Client(raw, conf)
		t.Cleanup(func() { _ = c.Close() })
		if _, err := fmt.Fprintf(c, "GET /api/v1/events/stream?after=0 HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n\r\n", u.Host, h.cookie); err != nil {
			t.Fatal(err)
		}
		conns[i] = c
	}

	// One that reads has everything, meanwhile.
	good := &listener{}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	resp, err := good.stream(ctx, h)
	if err != nil {
		t.Fatal(err)
	}
	if err := good.listen(resp.Body, func() bool { return len(good.ids) >= f.count() }); err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	good.numbered(t, f.count())

	// Those that do not were cut off.
	said := ""
	eventually(t, "the views that take nothing are ended", func() bool {
		all := ""
		defer func() {
			if all != said {
				said = all
				t.Log(strings.TrimSpace(all))
			}
		}()
		for line := range strings.Lines(string(h.ask(http.MethodGet, "/metrics", nil, 200).body)) {
			if strings.HasPrefix(line, "asepsis_api_streams") {
				all += line
			}
		}
		_, n, _ := strings.Cut(all, `asepsis_api_streams_ended_total{why="reader"} `)
		cut, _, _ := strings.Cut(n, "\n")
		ended, err := strconv.Atoi(cut)
		return err == nil && ended >= lazy
	})
	// They hold nothing: what the collector aims at after they came is no larger, and what is
	// resident is, as soon as it has given back what was garbage.
	if goal := h.heapGoal(); goal > goalBefore+96 {
		t.Errorf("the heap's goal grew from %d to %d MiB", goalBefore, goal)
	}
	eventually(t, fmt.Sprintf("at most %d MiB are resident, as before and 96", before+96), func() bool { return h.memory() <= before+96 })

	// One of them wakes up, reads what is on the way, and goes on where that ends.
	slow := &listener{}
	if err := slow.listen(conns[0], func() bool { return false }); err == nil {
		t.Log("the stream ended in order")
	}
	if len(slow.ids) >= f.count() {
		t.Fatalf("the view that takes nothing got all %d events", len(slow.ids))
	}
	first := len(slow.ids)
	if resp, err = slow.stream(ctx, h); err != nil {
		t.Fatal(err)
	}
	f.numbers(100, now) // and what comes new, too
	if err := slow.listen(resp.Body, func() bool { return len(slow.ids) >= f.count() }); err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Logf("%d events came before it was cut off, %d after it came back", first, len(slow.ids)-first)
	slow.numbered(t, f.count())
}

// TestEventsOfAnotherTimeAreFoundAtTheirTime sends what a sensor sends whose clock
// was set wrong, or is set right at last.
func TestEventsOfAnotherTimeAreFoundAtTheirTime(t *testing.T) {
	t.Parallel()
	s := newPlace(t, shortDir(t), "")
	h := s.up()
	h.setUp()
	right := connect(t, "nats://"+s.bus, s.tokenFile, "right")
	right.devices()
	right.load(200)
	wrong := connect(t, "nats://"+s.bus, s.tokenFile, "wrong")
	begin := time.Now()
	times := map[string]time.Time{
		"six hours ahead":     begin.Add(6 * time.Hour),
		"thirty hours behind": begin.Add(-30 * time.Hour),
		"a year ahead":        begin.AddDate(1, 0, 0),
		"at the epoch":        time.Unix(1, 0),
		"back again":          begin,
	}
	for _, at := range times {
		wrong.numbers(50, func(i int) time.Time { return at.Add(time.Duration(i) * time.Millisecond) })
	}
	wrong.drained()
	eventually(t, "everything is stored", func() bool { return h.events("") >= wrong.count() })
	for name, at := range times {
		q := url.Values{"is": {"sensor:wrong"}, "from": {at.Add(-time.Second).UTC().Format(time.RFC3339Nano)}, "to": {at.Add(time.Minute).UTC().Format(time.RFC3339Nano)}, "limit": {"200"}}
		var page struct{ Events []struct{ UID, Time string } }
		eventually(t, "the events "+name+" are found at their time", func() bool {
			page = get[struct{ Events []struct{ UID, Time string } }](h, "/events?"+q.Encode())
			return len(page.Events) == 50
		})
	}
	// Those whose clocks are right go on, and are seen to.
	seen := func() int {
		return len(get[struct{ Events []struct{ UID string } }](h, "/events?limit=500&is=sensor%3Aright&from="+url.QueryEscape(time.Now().Add(-2*time.Second).UTC().Format(time.RFC3339Nano))).Events)
	}
	eventually(t, "the others go on", func() bool { return seen() > 50 })
	eventually(t, "the status is live", func() bool { st := get[status](h, "/status"); return st.State == "live" && st.Lag < 5 })
	for _, path := range []string{"/board", "/devices", "/map", "/sensors", "/events/histogram", "/events/top?field=protocol", "/findings"} {
		h.ask(http.MethodGet, "/api/v1"+path, nil, 200)
	}
	right.stopGen()
	right.drained()
	eventually(t, "everything is stored", func() bool { return h.events("") >= wrong.count()+right.count() })
	if code := h.stop(); code != 0 {
		t.Errorf("ended with code %d", code)
	}
	exactlyOnce(t, stored(t, store.Default(), filepath.Join(s.data, "store")), right, wrong)
}

// TestAQuietLiveViewStaysOpen waits for longer than a write may take, over HTTP/2 as
// browsers do.
func TestAQuietLiveViewStaysOpen(t *testing.T) {
	t.Parallel()
	s := newPlace(t, shortDir(t), "")
	h := s.up()
	h.setUp()
	f := connect(t, "nats://"+s.bus, s.tokenFile, "or3")
	l := &listener{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	resp, err := l.stream(ctx, h)
	if err != nil {
		t.Fatal(err)
	}
	if resp.ProtoMajor != 2 {
		t.Errorf("the stream came over %s", resp.Proto)
	}
	go func() {
		quiet := time.NewTimer(5 * time.Second) // a write may take two, see newPlace
		<-quiet.C
		f.numbers(1, now)
	}()
	if err := l.listen(resp.Body, func() bool { return len(l.ids) > 0 }); err != nil || len(l.ids) == 0 {
		t.Errorf("the stream ended before the first event: %v", err)
	}
	_ = resp.Body.Close()
}
