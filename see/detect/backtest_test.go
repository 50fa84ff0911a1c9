// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/suppress"
	"github.com/asepsis/asepsis/see/inventory"
)

// month fills a store with n events over 30 days: connections, and among them an echo in
// every five hundred.
func month(t testing.TB, st store.Store, n int) (from, to int64, echoes int) {
	t.Helper()
	release, err := st.Lead(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	to = time.Now().UnixNano()
	from = to - int64(30*days)
	step := int64(30*days) / int64(n)
	server := netip.MustParseAddr("10.0.0.99")
	const batch = 5000
	recs := make([]record.Record, 0, batch)
	for i := range n {
		src := netip.AddrFrom4([4]byte{10, 0, byte(i / 200 % 20), byte(i%200 + 1)})
		e := &event.Event{UID: "u" + strconv.Itoa(i), Time: from + int64(i)*step, Activity: 2, Protocol: "tls", Severity: finding.Info,
			Flow:   &event.Flow{ID: uint64(i + 1), Proto: 6, Src: event.Endpoint{IP: src, Port: 40000}, Dst: event.Endpoint{IP: server, Port: 443}},
			Detail: &event.Connection{Start: from + int64(i)*step, PayloadOut: 100, PayloadIn: 100}}
		if i%500 == 0 {
			echoes++
			e.Activity, e.Protocol, e.Detail = 1, "dicom", &event.DICOMOperation{Command: "C-ECHO-RQ"}
		}
		data, err := record.Encode(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		recs = append(recs, record.Record{Time: e.Time, Class: e.Class(), Activity: e.Activity, Severity: finding.Info, Protocol: e.Protocol, Sensor: "s", Src: src, Dst: server, Data: data})
		if len(recs) == batch || i == n-1 {
			if err := st.Append(t.Context(), store.Position{Stream: "s", Seq: uint64(i) + 1}, recs); err != nil {
				t.Fatal(err)
			}
			recs = recs[:0]
		}
	}
	return from, to, echoes
}

// backtestEvents is how many events a backtest of a month runs over: a million when
// ASEPSIS_TEST_LARGE is set, which takes a minute to store.
func backtestEvents() int {
	if os.Getenv("ASEPSIS_TEST_LARGE") != "" {
		return 1_000_000
	}
	return 30_000
}

func TestABacktestOfAMonthFindsWhatTheRuleWouldHave(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	n := backtestEvents()
	from, to, want := month(t, st, n)
	content, err := detect.Load(testRules)
	if err != nil {
		t.Fatal(err)
	}
	world, err := detect.WorldOf(t.Context(), st, "")
	if err != nil {
		t.Fatal(err)
	}
	last := 0.0
	in := detect.BacktestInput{Store: st, Content: content, World: world, From: from, To: to + 1, Progress: func(done float64, _ uint64) {
		if done < last {
			t.Errorf("progress goes back from %v to %v", last, done)
		}
		last = done
	}}
	began := time.Now()
	res, err := detect.Backtest(t.Context(), in, content.Rule("dicom.echo"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("one rule over 30 days of %d events: %s, %d events read", n, time.Since(began).Round(time.Millisecond), res.Events)
	if !res.Complete || res.Occurrences != uint64(want) || res.Events != uint64(want) || len(res.ByDay) < 30 || len(res.Examples) == 0 || res.BySeverity[finding.Medium] != res.Findings {
		t.Errorf("%d of %d echoes were found in %d events, on %d days: %+v", res.Occurrences, want, res.Events, len(res.ByDay), res.BySeverity)
	}
	all, err := content.ParseRule("dicom.any", strings.NewReplacer("dicom.echo", "dicom.any", "class: [dicom_operation]\n    when: op.dimse_command == \"C-ECHO-RQ\"", "class: [network_activity, dicom_operation]\n    when: dst.port == 443 && event.protocol == \"dicom\"").Replace(string(testRules["dicom/echo.yaml"].Data)))
	if err != nil {
		t.Fatal(err)
	}
	began, last = time.Now(), 0
	if res, err = detect.Backtest(t.Context(), in, all); err != nil {
		t.Fatal(err)
	}
	t.Logf("one rule that asks for every event: %s", time.Since(began).Round(time.Millisecond))
	if res.Events != uint64(n) || res.Occurrences != uint64(want) {
		t.Errorf("%d of %d were found in %d events", res.Occurrences, want, res.Events)
	}
	in.MaxEvents, last = uint64(n)/3, 0
	if res, err = detect.Backtest(t.Context(), in, all); err != nil || res.Complete || res.Reached >= to {
		t.Errorf("within a third of the events it came to the end: %+v, %v", res.Complete, err)
	}
}

func TestABacktestOfASuppressionSaysWhatItWouldHide(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	appendAll(t, st, echoes(t, 60), 0)
	run(t, roomConfig(), st, t.Context(), reached(t, st, 60))
	content, err := detect.Load(testRules)
	if err != nil {
		t.Fatal(err)
	}
	world, err := detect.WorldOf(t.Context(), st, "")
	if err != nil {
		t.Fatal(err)
	}
	in := detect.BacktestInput{Store: st, Content: content, World: world, From: 0, To: time.Now().UnixNano()}
	found := alerts(t, st)
	for _, c := range []struct {
		name string
		s    suppress.Suppression
		want func(rule string) bool
	}{
		{"of one rule", suppress.Suppression{Rules: []string{"dicom.echo"}}, func(r string) bool { return r == "dicom.echo" }},
		{"of a family", suppress.Suppression{Rules: []string{"dicom.*"}}, func(string) bool { return true }},
		{"by an expression that holds", suppress.Suppression{Rules: []string{"dicom.echo"}, Expression: `dst.ip == "10.0.0.99"`}, func(r string) bool { return r == "dicom.echo" }},
		{"by one that does not", suppress.Suppression{Rules: []string{"dicom.echo"}, Expression: `dst.ip == "10.0.0.98"`}, func(string) bool { return false }},
		{"of another device", suppress.Suppression{Devices: []string{"dev-none"}}, func(string) bool { return false }},
	} {
		c.s.ID = "draft"
		want := 0
		for _, a := range found {
			if c.want(a.Rule) {
				want++
			}
		}
		res, err := detect.BacktestSuppression(t.Context(), in, c.s)
		if err != nil || res.Findings != want || res.StillOpen != want || !res.Complete {
			t.Errorf("%s: %d hidden, %d of them open, want %d: %v", c.name, res.Findings, res.StillOpen, want, err)
		}
	}
}

func TestRulesOfTheSiteAreReadAgainWhenTheirFilesChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, "dicom"), 0o755); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, "dicom", "own.yaml")
		if err := os.WriteFile(name+".new", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	own := func(command string) string {
		return strings.NewReplacer("dicom.echo", "dicom.own", "C-ECHO-RQ", command).Replace(string(testRules["dicom/echo.yaml"].Data))
	}
	write(own("C-FIND-RQ"))
	st := openStore(t)
	events := echoes(t, 30)
	appendAll(t, st, events[:10], 0)
	cfg := roomConfig()
	cfg.RulesDir = dir
	step, fed := 0, 0
	run(t, cfg, st, t.Context(), func() bool {
		a := alerts(t, st)
		switch step {
		case 0: // the first rule asks for what does not come
			if total(a, "dicom.echo") == 10 {
				write(own("C-ECHO-RQ"))
				step = 1
			}
		case 1: // events come until the changed one is in use
			if total(a, "dicom.own") > 0 {
				write("id: dicom.own\nmatch: {")
				step = 2
			} else if fed < 10 && total(a, "dicom.echo") == uint64(10+fed) {
				appendAll(t, st, events[10+fed:11+fed], uint64(10+fed))
				fed++
				time.Sleep(300 * time.Millisecond)
			}
		case 2: // one with a mistake is a finding, and the one before goes on
			if total(a, "sensor.rules-not-loaded") > 0 {
				appendAll(t, st, events[20:30], 20)
				step = 3
			}
		case 3:
			return total(a, "dicom.own") > 10
		}
		return false
	})
}

func TestEventsThatDoNotFitIntoMemoryGoThroughAFile(t *testing.T) {
	content, err := detect.Load(testRules)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.New(inventory.Default())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	found := func(memory int) (out string, files int) {
		s := detect.Spool{Memory: memory}
		for _, r := range echoes(t, 400) {
			e, err := record.Decode(r.Data)
			if err != nil {
				t.Fatal(err)
			}
			s.Emit(e)
		}
		l, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		alerts, err := s.Run(content, inv, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range alerts {
			out += fmt.Sprintln(a.ID, a.Count, a.First, a.Last)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return out, len(l)
	}
	inMemory, none := found(0)
	inFile, one := found(4000)
	if inMemory == "" || inMemory != inFile || none != 0 || one != 1 {
		t.Errorf("in memory, with %d files:\n%s\nthrough a file, with %d:\n%s", none, inMemory, one, inFile)
	}
	if l, _ := filepath.Glob(filepath.Join(dir, "*")); len(l) != 0 {
		t.Errorf("left behind: %v", l)
	}
}
