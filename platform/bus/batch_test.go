// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/asepsis/asepsis/core/event/eventtest"
	"github.com/asepsis/asepsis/platform/record"
)

// sampleBody is a batch as a theatre fills it.
func sampleBody(t testing.TB, n int) (body []byte, events [][]byte) {
	t.Helper()
	samples := eventtest.Samples()
	for i := range n {
		e := *samples[i%len(samples)].Event
		e.Time += int64(i) * 1e6
		d, err := record.Encode(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		body = appendEvent(body, d)
		events = append(events, d)
	}
	return body, events
}

func TestABatchIsReadAsItWasWritten(t *testing.T) {
	z, u := newCompressor(), newDecompressor()
	defer u.Close()
	for _, n := range []int{0, 1, 2, batchEvents} {
		body, want := sampleBody(t, n)
		h := header{run: [runSize]byte{1, 2, 3}, seq: 7, first: 1 << 40, lost: 3, sensor: "or-3", events: n}
		msg := appendMessage(nil, &h, body, z)
		got, events, err := parseMessage(msg, u)
		if err != nil || got != h || !slices.EqualFunc(events, want, bytes.Equal) {
			t.Errorf("%d events: %+v, %d events, %v", n, got, len(events), err)
		}
		if n == batchEvents && len(msg) > len(body)/2 {
			t.Errorf("%d bytes of %d: not compressed", len(msg), len(body))
		}
		for i := range events { // nothing is shared with the message
			clear(msg)
			if !bytes.Equal(events[i], want[i]) {
				t.Fatal("changed with the message")
			}
		}
	}
}

func TestABatchCutOffAnywhereIsRefused(t *testing.T) {
	z, u := newCompressor(), newDecompressor()
	defer u.Close()
	body, _ := sampleBody(t, 3)
	msg := appendMessage(nil, &header{seq: 1, sensor: "s", events: 3}, body, z)
	for n := range msg {
		if _, _, err := parseMessage(msg[:n:n], u); !errors.Is(err, errForeign) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(msg), err)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	z := newCompressor()
	for _, n := range []int{0, 1, 40} {
		body, _ := sampleBody(f, n)
		f.Add(appendMessage(nil, &header{seq: 1, sensor: "s", events: n}, body, z))
	}
	u := newDecompressor()
	f.Fuzz(func(t *testing.T, msg []byte) {
		h, events, err := parseMessage(msg, u)
		if err != nil {
			return
		}
		var body []byte
		for _, e := range events {
			body = appendEvent(body, e)
		}
		again, more, err := parseMessage(appendMessage(nil, &h, body, z), u)
		if err != nil || again != h || len(more) != len(events) {
			t.Fatalf("%+v, %+v, %v", h, again, err)
		}
	})
}

func BenchmarkWriteBatch(b *testing.B) {
	z := newCompressor()
	body, _ := sampleBody(b, batchEvents)
	h := header{seq: 1, sensor: "s", events: batchEvents}
	msg := appendMessage(nil, &h, body, z)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		msg = appendMessage(msg[:0], &h, body, z)
	}
	b.ReportMetric(float64(len(body))/float64(len(msg)), "ratio")
}

func BenchmarkReadBatch(b *testing.B) {
	body, _ := sampleBody(b, batchEvents)
	msg := appendMessage(nil, &header{seq: 1, sensor: "s", events: batchEvents}, body, newCompressor())
	u := newDecompressor()
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, _, err := parseMessage(msg, u); err != nil {
			b.Fatal(err)
		}
	}
}
