// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/bench/store/replay"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/storetest"
)

// recorded returns records of the recorded theatre, numbered.
func recorded(t testing.TB, n int) []record.Record {
	t.Helper()
	src, err := replay.Load("../../../testdata/captures/theatre.pcapng", 3, time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC), 100)
	if err != nil {
		t.Fatal(err)
	}
	return numbered(src.Next(n))
}

func numbered(recs []record.Record) []record.Record {
	for i := range recs {
		recs[i].Seq = uint64(1000 + i)
	}
	return recs
}

func newCodec(t testing.TB) *Codec {
	t.Helper()
	c, err := NewCodec(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	c := newCodec(t)
	gaps := numbered(storetest.Records(t, 2, 700, storetest.Base, time.Hour))
	for i := range gaps {
		gaps[i].Seq += uint64(i * i)
		if i%5 == 0 {
			gaps[i].Data = nil
		}
	}
	gaps[3].Time, gaps[4].Time = 1<<63-1, -1<<63
	gaps[5].Seq = gaps[4].Seq + 1
	for name, recs := range map[string][]record.Record{
		"recorded": recorded(t, MaxRows), "one": recorded(t, 1), "made up": numbered(storetest.Records(t, 1, MaxRows, storetest.Base, time.Hour)), "with gaps": gaps,
	} {
		s, err := c.Encode(recs)
		if err != nil {
			t.Fatal(name, err)
		}
		if s.First != recs[0].Seq || s.Last != recs[len(recs)-1].Seq || s.N != len(recs) {
			t.Errorf("%s: head %+v", name, s.Head)
		}
		cols, err := c.DecodeColumns(s.Columns)
		if err != nil {
			t.Fatal(name, err)
		}
		data, err := c.DecodeData(s.Data)
		if err != nil {
			t.Fatal(name, err)
		}
		for i := range recs {
			r, err := cols.Record(i, data)
			if err != nil {
				t.Fatal(name, err)
			}
			want := recs[i]
			if len(want.Data) == 0 {
				want.Data, r.Data = nil, nil
			}
			if !reflect.DeepEqual(r, want) {
				t.Fatalf("%s: record %d is\n%+v, want\n%+v", name, i, r, want)
			}
			if r.Time < s.MinTime || r.Time > s.MaxTime || !s.HasSeverity(r.Severity) {
				t.Errorf("%s: record %d is outside of its head", name, i)
			}
		}
		if s.HasSeverity(finding.Critical + 1) {
			t.Errorf("%s: has what is above critical", name)
		}
	}
}

func TestASegmentThatCannotBeIsRefused(t *testing.T) {
	c := newCodec(t)
	recs := numbered(storetest.Records(t, 1, MaxRows+1, storetest.Base, time.Hour))
	twice := append([]record.Record(nil), recs[:5]...)
	twice[3].Seq = twice[2].Seq
	long := append([]record.Record(nil), recs[:1]...)
	long[0].Data = make([]byte, MaxData+1)
	for name, r := range map[string][]record.Record{"empty": nil, "too many": recs, "numbers twice": twice, "too long": long} {
		if _, err := c.Encode(r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTheFilterHasEverythingAndLittleElse(t *testing.T) {
	c := newCodec(t)
	recs := recorded(t, MaxRows)
	s, err := c.Encode(recs)
	if err != nil {
		t.Fatal(err)
	}
	query := func(q store.Query) *Matcher {
		t.Helper()
		m, err := Compile(q)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for i := range recs {
		r := &recs[i]
		for f, v := range map[store.Field]string{
			store.FieldClass: fmt.Sprint(uint32(r.Class)), store.FieldActivity: fmt.Sprintf("%d/%d", r.Class, r.Activity), store.FieldSeverity: r.Severity.String(),
			store.FieldStatus: StatusName(r.Status), store.FieldProtocol: r.Protocol, store.FieldSensor: r.Sensor, store.FieldTheatre: r.Theatre,
			store.FieldDevice: r.DstDevice, store.FieldSrcDevice: r.SrcDevice,
		} {
			if !query(store.Query{Terms: []store.Term{{Field: f, Values: []string{v}}}}).MayFilter(s.Filter) {
				t.Fatalf("%s %q is not in the filter", f, v)
			}
		}
		err := record.Texts(r.Data, func(text string) bool {
			for _, w := range strings.Fields(text) {
				if w = strings.Trim(w, `"*-`); w == "" || len(w) > 500 {
					continue
				}
				if m := query(store.Query{Text: w}); !m.MayFilter(s.Filter) {
					t.Fatalf("%q of %q is not in the filter", w, text)
				}
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	wrong := 0
	const tries = 20_000
	for i := range tries {
		if query(store.Query{Text: fmt.Sprintf("absent%d", i)}).MayFilter(s.Filter) {
			wrong++
		}
	}
	t.Logf("%d of %d absent words may be there; %.1f bytes an event", wrong, tries, float64(len(s.Filter))/float64(len(recs)))
	if wrong > tries/50 {
		t.Errorf("%d of %d absent words may be there", wrong, tries)
	}
	addresses := 0
	for i := range 1000 {
		if query(store.Query{Text: fmt.Sprintf("172.%d.%d.%d", 16+i%16, i%251, i%199)}).MayFilter(s.Filter) {
			addresses++
		}
	}
	if addresses > 50 {
		t.Errorf("%d of 1000 absent addresses may be there", addresses)
	}
}

func TestWordsStandBetweenSeparators(t *testing.T) {
	for _, c := range []struct {
		query, text string
		want        bool
	}{
		{"storage", "Storage Commitment", true},
		{"stor", "Storage", false},
		{"stor*", "Storage", true},
		{"age", "Storage", false},
		{"10.1.2.3", "10.1.2.3", true},
		{"10.1.2.3", "tcp:10.1.2.3:104", true},
		{"10.1.2.3", "10.1.2.30", false},
		{"10.1.2.3", "110.1.2.3", false},
		{"10.1.2", "10.1.2.3", true},
		{"1.2.3", "10.1.2.3", true},
		{"10.1.2.*", "10.1.2.34", true},
		{"pacs", "or1-pacs.hospital.example", true},
		{"pacs.hospital", "or1-pacs.hospital.example", true},
		{"OR1_CT", "or1_ct_scu", true},
		{"00:08:02:1c:ae:a4", "00:08:02:1C:AE:A4", true},
		{`"storage commitment"`, "Storage   Commitment", true},
		{`"storage commitment"`, "Commitment Storage", false},
		{`"storage commitment"*`, "storage commitments", true},
		{"größe", "GRÖSSE", false},
		{"größe", "GRÖßE", true},
		{"röße", "größe", false},
		{"e\u0301cho", "E\u0301CHO", true},
		{"cho", "e\u0301cho", false},
		{"-storage", "Storage", false},
		{"-stor", "Storage", true},
		{"::1", "fe80::1", true},
		{"::", "fe80::1", true},
		{"日本", "日本 語", true},
		{"日", "日本 語", false},
		{"日*", "日本 語", true},
		{"\u00a0echo\u00a0", "an echo", true},
		{"a\xffb", "a\xffb", false}, // not UTF-8: refused
	} {
		text, err := ParseText(c.query)
		if err != nil {
			if c.want || !errors.Is(err, store.ErrInvalid) {
				t.Errorf("%q: %v", c.query, err)
			}
			continue
		}
		var buf []byte
		got := text.match(&record.Record{Protocol: c.text}, &buf)
		if got != c.want {
			t.Errorf("%q in %q: %v", c.query, c.text, got)
		}
		var w wordSet
		w.text(c.text)
		if got && !text.may(w.filter()) {
			t.Errorf("%q is in %q, but not in its filter", c.query, c.text)
		}
	}
}

// FuzzDecode holds decoding to its bounds, whatever it is given.
func FuzzDecode(f *testing.F) {
	c := newCodec(f)
	s, err := c.Encode(numbered(storetest.Records(f, 1, 20, storetest.Base, time.Hour)))
	if err != nil {
		f.Fatal(err)
	}
	raw, err := c.dec.DecodeAll(s.Columns, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte{layoutVersion, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		cols, err := parseColumns(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		m, err := Compile(store.Query{Terms: []store.Term{{Field: store.FieldDevice, Values: []string{"x"}}, {Field: store.FieldIP, Values: []string{""}}}})
		if err != nil {
			t.Fatal(err)
		}
		rows := m.Rows(cols)
		for i := range cols.N {
			rows.Columns(i)
			if _, err := cols.Record(i, make([]byte, 100)); err != nil && !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
		}
	})
}

// FuzzText compares what is found by the filter and by looking: the filter may say
// yes to what is not there, never no to what is.
func FuzzText(f *testing.F) {
	f.Add("storage 10.1.2.3", "Storage of 10.1.2.3:104")
	f.Add(`"a b"* -c`, "A  B c\u00e9\u0301 \xff")
	f.Add("İ ß ſ K", "i̇ SS s k")
	f.Fuzz(func(t *testing.T, query, text string) {
		q, err := ParseText(query)
		if err != nil {
			return
		}
		var buf []byte
		r := &record.Record{Protocol: text}
		var w wordSet
		w.text(text)
		if q.match(r, &buf) && text != "" && !q.may(w.filter()) {
			t.Errorf("%q is in %q, but not in its filter", query, text)
		}
	})
}

func TestWhatIsRuledOutDoesNotMatch(t *testing.T) {
	c := newCodec(t)
	s, err := c.Encode(recorded(t, MaxRows))
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.DecodeData(s.Data)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := c.DecodeColumns(s.Columns)
	if err != nil {
		t.Fatal(err)
	}
	out := 0
	for _, q := range []string{"storage", "echo", "10.20.3.20", "theatre-07", "stor* dicom", "dev-*", "north", "abs*", "laparoscope", "ab:cd", "-north tls", "a"} {
		text, err := ParseText(q)
		if err != nil {
			t.Fatal(err)
		}
		ruled := text.ruleOut(rows, data)
		var buf []byte
		for i := range ruled {
			r, err := rows.Record(i, data)
			if err != nil {
				t.Fatal(err)
			}
			if ruled[i] {
				out++
			}
			if ruled[i] && text.match(&r, &buf) {
				t.Errorf("%q: row %d matches", q, i)
			}
		}
	}
	if out < MaxRows {
		t.Errorf("only %d rows ruled out", out)
	}
}

func BenchmarkEncode(b *testing.B) {
	c := newCodec(b)
	recs := recorded(b, MaxRows)
	size := 0
	b.ReportAllocs()
	for b.Loop() {
		s, err := c.Encode(recs)
		if err != nil {
			b.Fatal(err)
		}
		size = s.Size()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(recs)), "ns/event")
	b.ReportMetric(float64(size)/float64(len(recs)), "B/event")
}

func BenchmarkDecode(b *testing.B) {
	c := newCodec(b)
	s, err := c.Encode(recorded(b, MaxRows))
	if err != nil {
		b.Fatal(err)
	}
	raw, _ := c.dec.DecodeAll(s.Columns, nil)
	b.Logf("filter %d, columns %d of %d, data %d", len(s.Filter), len(s.Columns), len(raw), len(s.Data))
	b.Run("columns", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.DecodeColumns(s.Columns); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("columns/decompression", func(b *testing.B) {
		buf := make([]byte, 0, len(raw))
		for b.Loop() {
			if _, err := c.dec.DecodeAll(s.Columns, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("data", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.DecodeData(s.Data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
