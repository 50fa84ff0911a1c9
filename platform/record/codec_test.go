// SPDX-License-Identifier: Apache-2.0

package record_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/event/eventtest"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/protocols"
)

const recordedDir = "../../testdata/captures"

// collector keeps every event.
type collector struct {
	mu     sync.Mutex
	events []*event.Event
}

func (c *collector) Emit(e *event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
}

// eventsOf runs the sensor over captures and returns all that it emits.
func eventsOf(t testing.TB, names ...string) []*event.Event {
	t.Helper()
	key, err := pseudonym.New([]byte("golden-files-key-of-32-bytes-xyz"))
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{}
	for _, name := range names {
		cfg := sensor.Default()
		cfg.Workers = 1
		s, err := sensor.New(cfg, sensor.Deps{Protocols: protocols.All(), Sink: c, Key: key, Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		f, err := sensor.OpenFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(context.Background(), f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = f.Close()
	}
	return c.events
}

// captures lists the recorded captures.
func captures(t testing.TB) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(recordedDir, func(p string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(p); err == nil && !d.IsDir() && (ext == ".pcap" || ext == ".pcapng") {
			out = append(out, p)
		}
		return err
	})
	if err != nil || len(out) < 50 {
		t.Fatalf("%d captures below %s: %v", len(out), recordedDir, err)
	}
	return out
}

// roundTrip checks that an event comes back as it was, and so does its OCSF.
func roundTrip(t *testing.T, e *event.Event) {
	t.Helper()
	data, err := record.Encode([]byte("before"), e)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	back, err := record.Decode(data[len("before"):])
	if err != nil {
		t.Fatalf("decode: %v\n%+v", err, e)
	}
	if !reflect.DeepEqual(e, back) {
		t.Errorf("came back changed:\n%+v %+v %+v\n%+v %+v %+v", e, e.Flow, e.Detail, back, back.Flow, back.Detail)
	}
	p := eventtest.Producer()
	was, err := e.AppendOCSF(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	is, err := back.AppendOCSF(nil, p)
	if err != nil || !bytes.Equal(was, is) {
		t.Errorf("OCSF differs: %v\n%s\n%s", err, was, is)
	}
}

func TestEveryEventOfEveryCaptureComesBackAsItWas(t *testing.T) {
	n, classes := 0, map[event.Class]int{}
	for _, name := range captures(t) {
		for _, e := range eventsOf(t, name) {
			roundTrip(t, e)
			data, err := record.Encode(nil, e)
			if err != nil {
				t.Fatal(err)
			}
			likeTheLibrary(t, data)
			n++
			classes[e.Class()]++
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
	if n < 2000 || len(classes) < 15 {
		t.Errorf("only %d events of %d classes", n, len(classes))
	}
}

func TestEverySampleComesBackAsItWas(t *testing.T) {
	for _, s := range eventtest.Samples() {
		t.Run(s.Name, func(t *testing.T) { roundTrip(t, s.Event) })
	}
}

// TestNoFieldIsForgotten fills each exported field of the event, the flow and
// each detail: one that is added later and not encoded fails here.
func TestNoFieldIsForgotten(t *testing.T) {
	for _, d := range eventtest.Details() {
		t.Run(reflect.TypeOf(d).Elem().Name(), func(t *testing.T) {
			eventtest.Fill(d)
			e := &event.Event{Flow: &event.Flow{}}
			for _, v := range []reflect.Value{reflect.ValueOf(e).Elem(), reflect.ValueOf(e.Flow).Elem()} {
				for i := range v.NumField() {
					if v.Type().Field(i).IsExported() && v.Field(i).IsZero() && v.Field(i).Kind() != reflect.Interface && v.Field(i).Kind() != reflect.Struct {
						eventtest.Fill(v.Field(i).Addr().Interface())
					}
				}
			}
			eventtest.Fill(&e.Flow.Src)
			eventtest.Fill(&e.Flow.Dst)
			e.Detail = d
			roundTrip(t, e)
		})
	}
}

func TestAnEventWithoutDetailComesBackWithoutOne(t *testing.T) {
	roundTrip(t, &event.Event{UID: "u", Time: 5, Protocol: "tcp"})
}

func TestTextThatIsNotUTF8ComesBackByteForByte(t *testing.T) {
	roundTrip(t, &event.Event{StatusDetail: "caf\xe9 \xff\x00", Detail: &event.Application{Name: "x", Attributes: []event.KV{{Name: "a", Value: "\x80"}}}})
}

func TestADecodedEventSharesNoMemoryWithItsBytes(t *testing.T) {
	s := eventtest.Samples()[1].Event
	data, err := record.Encode(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	back, err := record.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		data[i] = 'X'
	}
	if !reflect.DeepEqual(back, s) {
		t.Error("the event changed with the bytes that it was read from")
	}
}

func TestUnknownFieldsArePassedOver(t *testing.T) {
	data, err := cbor.Marshal(map[string]any{"class": 4003, "uid": "a", "of_a_later_version": map[string]any{"x": []int{1}},
		"detail": map[string]any{"Query": "pacs.example", "Later": true}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := record.Decode(data)
	if err != nil || e.UID != "a" || e.Detail.(*event.DNS).Query != "pacs.example" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestAnUnknownClassIsItsOwnErrorWithAHint(t *testing.T) {
	for name, in := range map[string]map[string]any{
		"class":      {"class": 76109999},
		"kind":       {"class": 4001, "kind": "later"},
		"other kind": {"class": 4003, "kind": "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			data, _ := cbor.Marshal(in)
			_, err := record.Decode(data)
			var unknown record.UnknownClassError
			if !errors.As(err, &unknown) || unknown.Hint() == "" || uint32(unknown) != uint32(in["class"].(int)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWhatIsBeyondTheBoundsIsRefused(t *testing.T) {
	deep := any("end")
	for range record.MaxDepth + 1 {
		deep = []any{deep}
	}
	encode := func(v any) []byte {
		data, err := cbor.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, data := range map[string][]byte{
		"nothing":                            {},
		"not CBOR":                           []byte("hello, world"),
		"cut off":                            encode(map[string]any{"class": 4003, "uid": "abc"})[:12],
		"something follows":                  append(encode(map[string]any{"class": 4003}), 0),
		"too deep":                           encode(map[string]any{"class": 4003, "x": deep}),
		"too many elements":                  encode(map[string]any{"class": 4003, "x": make([]int, record.MaxItems+1)}),
		"too large":                          encode(map[string]any{"class": 4003, "x": strings.Repeat("x", record.MaxSize)}),
		"a list announced that is not there": {0xa1, 0x61, 'x', 0x9a, 0xff, 0xff, 0xff, 0xff},
		"a length of 64 bits":                {0xa1, 0x61, 'x', 0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"indefinite length":                  {0xbf, 0x61, 'x', 0x01, 0xff},
		"a tag":                              {0xa1, 0x61, 'x', 0xc0, 0x60},
	} {
		t.Run(name, func(t *testing.T) {
			if e, err := record.Decode(data); err == nil {
				t.Errorf("decoded as %+v", e)
			}
			if err := record.Texts(data, func(string) bool { return true }); err == nil {
				t.Error("gave texts without an error")
			}
		})
	}
}

func TestAnEventTooLargeIsNotEncoded(t *testing.T) {
	e := &event.Event{Detail: &event.DNS{Query: strings.Repeat("a", record.MaxSize)}}
	out, err := record.Encode([]byte("before"), e)
	if !errors.Is(err, record.ErrTooLarge) || string(out) != "before" {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	e.Detail = &event.DNS{Answers: make([]event.DNSAnswer, record.MaxItems+1)}
	if _, err := record.Encode(nil, e); !errors.Is(err, record.ErrTooLarge) {
		t.Errorf("a list that Decode refuses: %v", err)
	}
}

// strings lists the texts of an event by reflection, as Texts should find them.
func stringsOf(v reflect.Value, out *[]string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			stringsOf(v.Elem(), out)
		}
	case reflect.Struct:
		if s, ok := v.Interface().(interface {
			IsValid() bool
			String() string
		}); ok {
			if s.IsValid() {
				*out = append(*out, s.String())
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				stringsOf(v.Field(i), out)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			stringsOf(v.Index(i), out)
		}
	case reflect.Array:
		if m, ok := v.Interface().(device.MAC); ok && !m.IsZero() {
			*out = append(*out, m.String())
		}
	case reflect.String:
		if v.String() != "" {
			*out = append(*out, v.String())
		}
	}
}

func TestTextsGivesEveryTextOfAnEventAndNoKey(t *testing.T) {
	for _, e := range eventsOf(t, filepath.Join(recordedDir, "theatre.pcapng")) {
		var want, got []string
		stringsOf(reflect.ValueOf(e), &want)
		data, err := record.Encode(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		if err := record.Texts(data, func(s string) bool { got = append(got, strings.Clone(s)); return true }); err != nil {
			t.Fatal(err)
		}
		switch e.Detail.(type) { // the kind is a text of the encoding
		case *event.TLS:
			want = append(want, "tls")
		case nil:
			want = append(want, "none")
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Fatalf("want %q\ngot  %q", want, got)
		}
	}
}

func TestTextsEndsWhenItsReaderHasEnough(t *testing.T) {
	data, err := record.Encode(nil, eventtest.Samples()[1].Event)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := record.Texts(data, func(string) bool { n++; return n < 3 }); err != nil || n != 3 {
		t.Errorf("%d texts, %v", n, err)
	}
}

func TestTheRecordHasTheColumnsOfTheEvent(t *testing.T) {
	for _, s := range eventtest.Samples() {
		e := s.Event
		r, err := record.Of(e, "or-3-span")
		if err != nil {
			t.Fatal(err)
		}
		if r.Time != e.Time || r.Class != e.Class() || r.Activity != e.Activity || r.Severity != e.Severity || r.Status != e.Status ||
			r.Protocol != e.Protocol || r.Sensor != "or-3-span" || r.Link != nil || r.SrcDevice+r.DstDevice+r.Theatre != "" || r.Seq != 0 {
			t.Errorf("%s: %+v", s.Name, r)
		}
		if e.Flow != nil && (r.Src != e.Flow.Src.IP || r.Dst != e.Flow.Dst.IP) {
			t.Errorf("%s: %v to %v", s.Name, r.Src, r.Dst)
		}
		if back, err := record.Decode(r.Data); err != nil || !reflect.DeepEqual(back, e) {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}
