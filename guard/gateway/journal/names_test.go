// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/journal/vaulttest"
)

// went says that a destination has an instance under another UID and with other content.
func went(t testing.TB, v instance.Vault, number uint64, uid, sum string) {
	t.Helper()
	if _, err := v.Change(t.Context(), number, func(r *instance.Record) error {
		d := &r.Deliveries[0]
		d.State, d.SOPInstance, d.Forwarded = instance.Delivered, uid, sum
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func sumOf(n int) string { return fmt.Sprintf("%064x", n) }

// found lists the numbers that a query finds.
func found(t testing.TB, v instance.Vault, q instance.Query) []uint64 {
	t.Helper()
	list, err := v.List(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	out := []uint64{}
	for i := range list {
		out = append(out, list[i].Number)
	}
	return out
}

// TestAnInstanceIsFoundByEveryNameWhereverItsRecordIs looks for instances while they wait, when the history has
// them, when they have come back from there, and each time after a crash.
func TestAnInstanceIsFoundByEveryNameWhereverItsRecordIs(t *testing.T) {
	c := small(t.TempDir())
	j := must(t, c)
	var all []instance.Record
	for n := range 40 {
		data := vaulttest.Bytes(n, 500)
		all = append(all, vaulttest.Put(t, j, vaulttest.Record(n, data, "research"), data))
	}
	look := func(when string, as func(n int) (uid, sum string)) {
		t.Helper()
		for n, r := range all {
			for _, q := range []instance.Query{{SOPInstance: r.SOPInstance}, {SHA256: r.DataSet}, {SHA256: strings.ToUpper(r.DataSet)}, {SOPInstance: r.SOPInstance, SHA256: r.DataSet}} {
				if got := found(t, j, q); !slices.Equal(got, []uint64{r.Number}) {
					t.Fatalf("%s: %+v finds %v, not %d", when, q, got, r.Number)
				}
			}
			if as == nil {
				continue
			}
			uid, sum := as(n)
			for _, q := range []instance.Query{{SOPInstance: uid}, {SHA256: sum}, {SOPInstance: r.SOPInstance, SHA256: sum}, {SHA256: sum, Delivery: instance.Delivered}} {
				if got := found(t, j, q); !slices.Equal(got, []uint64{r.Number}) {
					t.Fatalf("%s: %+v finds %v, not %d", when, q, got, r.Number)
				}
			}
			if list, err := j.BySOP(t.Context(), uid); err != nil || len(list) != 0 {
				t.Fatalf("%s: %s came under none, and %v, %v", when, uid, list, err)
			}
		}
		for n, r := range all {
			want := []uint64{}
			for _, o := range all {
				if o.Series == r.Series {
					want = append(want, o.Number)
				}
			}
			slices.Reverse(want)
			if got := found(t, j, instance.Query{Series: r.Series}); !slices.Equal(got, want) || len(want) != 5 {
				t.Fatalf("%s: the series of %d has %v, want %v", when, n, got, want)
			}
		}
		for _, q := range []instance.Query{{Series: "1.2.999"}, {SOPInstance: all[0].Series}, {Series: all[0].SOPInstance}, {Series: all[0].Series, SHA256: all[9].DataSet}, {SOPInstance: "1.2.999"}, {SHA256: sumOf(999)}, {SOPInstance: all[0].SOPInstance, SHA256: all[1].DataSet}, {SHA256: all[0].DataSet, Before: all[0].Number}} {
			if got := found(t, j, q); len(got) != 0 {
				t.Fatalf("%s: %+v finds %v", when, q, got)
			}
		}
	}
	look("while they wait", nil)
	first := func(n int) (string, string) { return fmt.Sprintf("2.25.%d", n), sumOf(n) }
	for n, r := range all {
		uid, sum := first(n)
		went(t, j, r.Number, uid, sum)
	}
	look("when they went", first)
	j.pay(t.Context())
	if n := j.Counts(); n.Records != 0 || len(j.idx.byName.one)+len(j.idx.byName.more) != 0 {
		t.Fatalf("%+v, and %d names", n, len(j.idx.byName.one))
	}
	look("in the history", first)
	crash(j)
	j = must(t, c)
	look("in the history, opened again", first)
	// They are sent again, and become something else.
	second := func(n int) (string, string) { return fmt.Sprintf("2.26.%d", n), sumOf(n + 100) }
	for n, r := range all {
		uid, sum := second(n)
		went(t, j, r.Number, uid, sum)
	}
	look("changed after they were in the history", second)
	crash(j)
	j = must(t, c)
	look("made of the log", second)
	j.pay(t.Context())
	look("in the history once more", second)
	for n, r := range all {
		uid, _ := first(n)
		if got := found(t, j, instance.Query{SOPInstance: uid}); len(got) != 0 {
			t.Errorf("%d is found by a UID that it had once: %v", r.Number, got)
		}
	}
	// Of the names there are as many as records have.
	names := 0
	if err := j.hist.db.QueryRow("SELECT count(*) FROM names").Scan(&names); err != nil || names != 4*len(all) {
		t.Errorf("the history has %d names for %d records, %v", names, len(all), err)
	}
}

func TestWhatRetentionForgetsIsNotFoundByAnyName(t *testing.T) {
	c := small(t.TempDir())
	c.History = 30 * 24 * time.Hour
	j, k := timed(t, c)
	var all []instance.Record
	for n := range 520 { // more than are forgotten at once
		data := vaulttest.Bytes(n, 100)
		r := vaulttest.Record(n, data, "research")
		r.Received = k.now()
		if n == 519 {
			r.Received = k.now().Add(48 * time.Hour)
		}
		all = append(all, vaulttest.Put(t, j, r, data))
		went(t, j, all[n].Number, fmt.Sprintf("2.25.%d", n), sumOf(n))
	}
	j.pay(t.Context())
	k.turn(31 * 24 * time.Hour)
	for range 3 {
		j.Tidy(t.Context())
	}
	for _, q := range []instance.Query{{SOPInstance: "2.25.5"}, {SHA256: sumOf(5)}, {SHA256: all[5].DataSet}, {SOPInstance: all[5].SOPInstance}, {Series: all[5].Series}} {
		if got := found(t, j, q); len(got) != 0 {
			t.Errorf("%+v finds %v", q, got)
		}
	}
	if got := found(t, j, instance.Query{SHA256: sumOf(519)}); !slices.Equal(got, []uint64{all[519].Number}) {
		t.Errorf("what is not over yet: %v", got)
	}
	records, names := 0, 0
	if err := j.hist.db.QueryRow("SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM names)").Scan(&records, &names); err != nil || records != 1 || names != 4 {
		t.Errorf("%d records and %d names are left, %v", records, names, err)
	}
}

// TestAHistoryOfAnEarlierVersionIsIndexed takes the names from a history, as it was before there were any.
func TestAHistoryOfAnEarlierVersionIsIndexed(t *testing.T) {
	c := small(t.TempDir())
	j := must(t, c)
	var all []instance.Record
	for n := range 700 {
		data := vaulttest.Bytes(n, 100)
		all = append(all, vaulttest.Put(t, j, vaulttest.Record(n, data, "research"), data))
		went(t, j, all[n].Number, fmt.Sprintf("2.25.%d", n), sumOf(n))
	}
	j.pay(t.Context())
	for _, do := range []string{"DROP TABLE names", "DROP TABLE naming", "PRAGMA user_version = 1"} {
		if _, err := j.hist.dbw.Exec(do); err != nil {
			t.Fatal(err)
		}
	}
	crash(j)
	if err := os.RemoveAll(j.wal.dir); err != nil { // it has given them up long ago
		t.Fatal(err)
	}
	j = must(t, c)
	for _, q := range []instance.Query{{SOPInstance: "2.25.5"}, {SHA256: sumOf(5)}} {
		if list, err := j.List(t.Context(), q); !errors.Is(err, instance.ErrIndexing) {
			t.Errorf("before it is indexed, %+v finds %v, %v", q, list, err)
		}
	}
	if got := found(t, j, instance.Query{SOPInstance: all[5].SOPInstance}); len(got) != 1 {
		t.Errorf("by the UID under which it came: %v", got)
	}
	if err := j.hist.nameSome(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := found(t, j, instance.Query{SHA256: sumOf(699)}); len(got) != 1 {
		t.Errorf("the newest are indexed first: %v", got)
	}
	// It ends in between, and goes on where it was.
	crash(j)
	j = must(t, c)
	if err := j.hist.name(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n, r := range all {
		if got := found(t, j, instance.Query{SHA256: sumOf(n)}); !slices.Equal(got, []uint64{r.Number}) {
			t.Fatalf("%d is found as %v", r.Number, got)
		}
	}
	if got := found(t, j, instance.Query{SHA256: sumOf(5000)}); len(got) != 0 {
		t.Errorf("nobody's: %v", got)
	}
}

// TestAHistoryFromBeforeSeriesWereIndexedIsIndexedAnew takes the series from a history, and leaves it where the version
// before had not indexed all of it either. What is found of a series until then would be some of it, and is not told.
func TestAHistoryFromBeforeSeriesWereIndexedIsIndexedAnew(t *testing.T) {
	c := small(t.TempDir())
	j := must(t, c)
	var all []instance.Record
	for n := range 700 {
		data := vaulttest.Bytes(n, 100)
		r := vaulttest.Record(n, data, "research")
		r.Series = fmt.Sprintf("1.2.5.%d", n%2)
		all = append(all, vaulttest.Put(t, j, r, data))
		went(t, j, all[n].Number, fmt.Sprintf("2.25.%d", n), sumOf(n))
	}
	j.pay(t.Context())
	for _, do := range []string{fmt.Sprintf("DELETE FROM names WHERE key IN (%d, %d)", seriesKey("1.2.5.0"), seriesKey("1.2.5.1")), fmt.Sprintf("INSERT INTO naming VALUES (%d)", all[50].Number), "PRAGMA user_version = 2"} {
		if _, err := j.hist.dbw.Exec(do); err != nil {
			t.Fatal(err)
		}
	}
	crash(j)
	if err := os.RemoveAll(j.wal.dir); err != nil {
		t.Fatal(err)
	}
	j = must(t, c)
	ask := instance.Query{Series: "1.2.5.1", Limit: 1000}
	for range 2 {
		if list, err := j.List(t.Context(), ask); !errors.Is(err, instance.ErrIndexing) {
			t.Errorf("before all is indexed, %d of the series, %v", len(list), err)
		}
		if got := found(t, j, instance.Query{SHA256: sumOf(5)}); len(got) != 1 {
			t.Errorf("what the version before had indexed: %v", got)
		}
		if err := j.hist.nameSome(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.hist.name(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := found(t, j, ask); len(got) != 350 {
		t.Errorf("%d of 350", len(got))
	}
	crash(j)
	j = must(t, c)
	if !j.hist.named.Load() {
		t.Error("it is indexed once more when it is opened again")
	}
}

// The names against the plainest thing that does the same, over random operations.
func TestNamesOfManyNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x := newNames()
	model := map[uint64]map[uint64]bool{}
	for range 20000 {
		h, n := r.Uint64N(50)+1, r.Uint64N(30)+1
		if model[h] == nil {
			model[h] = map[uint64]bool{}
		}
		if model[h][n] {
			x.drop(h, n)
			delete(model[h], n)
		} else {
			x.add(h, n)
			model[h][n] = true
		}
		got := x.of(h)
		slices.Sort(got)
		want := []uint64{}
		for n := range model[h] {
			want = append(want, n)
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%d has %v, want %v", h, got, want)
		}
		x.drop(h, 99) // which has no such name
	}
	x.add(0, 1)
	if len(x.of(0)) != 0 {
		t.Error("something has the name that there is none of")
	}
}

// BenchmarkIndex says what a million instances take in memory: as they came, and de-identified for one destination.
func BenchmarkIndex(b *testing.B) {
	for _, changed := range []bool{false, true} {
		b.Run(map[bool]string{false: "as they came", true: "de-identified"}[changed], func(b *testing.B) {
			const many = 1_000_000
			for b.Loop() {
				x := newIndex()
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				f := &logFile{}
				for n := range uint64(many) {
					e := &envelope{Record: instance.Record{Number: n + 1, State: instance.Accepted, SOPInstance: fmt.Sprintf("1.2.3.%d", n), DataSet: sumOf(int(n)), Study: "1.2.3", Series: "1.2.4", //nolint:gosec // a million
						Deliveries: []instance.Delivery{{Destination: "pacs", State: instance.Waiting}}}}
					if changed {
						d := &e.Record.Deliveries[0]
						d.State, d.SOPInstance, d.Forwarded = instance.Delivered, fmt.Sprintf("2.25.%d", n), sumOf(int(n)+many) //nolint:gosec // a million
					}
					x.put(newEntry(e, place{f, 0, 1}, n, true), e)
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/many, "B/instance")
				began := time.Now()
				if got := x.candidates(&instance.Query{SHA256: sumOf(many / 2)}); len(got) != 1 {
					b.Fatal(got)
				}
				b.ReportMetric(float64(time.Since(began).Nanoseconds()), "ns/find")
				runtime.KeepAlive(x)
			}
		})
	}
}

// BenchmarkHistory writes records into the history, a thousand at a time, de-identified for one destination.
func BenchmarkHistory(b *testing.B) {
	j := must(b, small(b.TempDir()))
	n := uint64(0)
	for b.Loop() {
		list := make([]*envelope, 1000)
		for i := range list {
			n++
			r := vaulttest.Record(int(n), []byte(fmt.Sprint(n)), "research") //nolint:gosec // it is small
			r.Number = n
			d := &r.Deliveries[0]
			d.State, d.SOPInstance, d.Forwarded = instance.Delivered, fmt.Sprintf("2.25.%d", n), sumOf(rand.IntN(1<<60))
			list[i] = &envelope{Record: r}
		}
		if err := j.hist.write(b.Context(), list); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
