// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
)

// byMinute are repeats with intervals of a minute.
func byMinute(emit func(*event.Event)) *repeats {
	r := newRepeats(emit)
	r.every = int64(time.Minute)
	return r
}

// flood feeds a repetition at seconds and returns what came out, with its time.
func flood(r *repeats, got *[]string, name string, seconds ...int) {
	r.emit = func(e *event.Event) {
		s := fmt.Sprintf("%s@%d", e.Message, e.Time/1e9)
		if d := e.Detail.(*event.MedicalDevice); d.Records > 0 {
			s += fmt.Sprintf(" %d records", d.Records)
		}
		*got = append(*got, s)
	}
	k := analyze.Repetition{What: name}
	for _, s := range seconds {
		t := int64(s) * 1e9
		e := &event.Event{Time: t, Message: name, Detail: &event.MedicalDevice{Records: 10}}
		switch r.repeat(k, t, 10) {
		case analyze.First:
			r.emit(e)
		case analyze.Second:
			r.sum(k, e)
		}
	}
}

func TestAFloodIsItsFirstEventAndOnePerIntervalWithTheNumber(t *testing.T) {
	for _, tt := range []struct {
		name    string
		seconds []int
		want    []string
	}{
		{"one", []int{1}, []string{"a@1 10 records"}},
		{"two are two", []int{1, 2}, []string{"a@1 10 records", "a@2 10 records"}},
		{"several", []int{1, 2, 3, 4}, []string{"a@1 10 records", "a, 3 times@4 30 records"}},
		{"an interval later", []int{1, 2, 3, 70, 71, 72}, []string{"a@1 10 records", "a, 2 times@3 20 records", "a, 3 times@72 30 records"}},
		{"after silence it is a first one", []int{1, 100, 200, 300}, []string{"a@1 10 records", "a@100 10 records", "a@200 10 records", "a@300 10 records"}},
	} {
		var got []string
		r := byMinute(nil)
		flood(r, &got, "a", tt.seconds...)
		r.flush()
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestTheSumOfAFloodComesWithoutAnother(t *testing.T) {
	var got []string
	r := byMinute(nil)
	flood(r, &got, "a", 1, 2, 3)
	r.due(30 * 1e9)
	if len(got) != 1 {
		t.Errorf("within the interval: %q", got)
	}
	r.due(62 * 1e9)
	if want := []string{"a@1 10 records", "a, 2 times@3 20 records"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	r.due(200 * 1e9)
	if len(r.known) != 0 {
		t.Error("what ended is not forgotten")
	}
}

func TestRepetitionsAreBoundedAndNothingIsLost(t *testing.T) {
	events, told := 0, uint64(0)
	r := byMinute(func(e *event.Event) {
		events++
		told++
		for _, kv := range e.Detail.(*event.Application).Attributes {
			if kv.Name == "repeated" {
				var n uint64
				_, _ = fmt.Sscan(kv.Value, &n)
				told += n - 1
			}
		}
	})
	const each, keys = 5, 3 * maxRepeats
	for k := range keys {
		key := analyze.Repetition{What: "icmp", From: netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k)})}
		for range each {
			e := &event.Event{Time: 1, Detail: new(event.Application)}
			switch r.repeat(key, int64(time.Second), 0) {
			case analyze.First:
				r.emit(e)
			case analyze.Second:
				r.sum(key, e)
			}
		}
		if len(r.known) > maxRepeats {
			t.Fatalf("%d are known", len(r.known))
		}
	}
	r.flush()
	if told != each*keys || events != 2*keys {
		t.Errorf("%d events tell of %d, want %d of %d", events, told, 2*keys, each*keys)
	}
}
