// SPDX-License-Identifier: Apache-2.0

package record_test

import (
	"bytes"
	"path/filepath"
	"reflect"
	"testing"
	"unsafe"

	"github.com/fxamacker/cbor/v2"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/event/eventtest"
	"github.com/asepsis/asepsis/platform/record"
)

// likeTheLibrary checks Decode against a library of CBOR: what it gives the library
// gives too, and what it refuses the library refuses, or Encode would never have
// written it.
func likeTheLibrary(t *testing.T, data []byte) {
	t.Helper()
	e, err := record.Decode(data)
	want, libErr := record.DecodeWithLibrary(data)
	if err != nil {
		if libErr != nil {
			return
		}
		if written, encErr := record.Encode(nil, want); encErr == nil && bytes.Equal(written, data) {
			t.Fatalf("refused with %v what Encode writes: %x", err, data)
		}
		return
	}
	if libErr != nil {
		t.Fatalf("decoded as %+v, the library refuses it: %v", e, libErr)
	}
	mine, err := record.Encode(nil, e)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := record.Encode(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	// Not a number differs from itself.
	if n, ok := e.Detail.(*event.NTP); !bytes.Equal(mine, theirs) || !reflect.DeepEqual(e, want) && (!ok || n.Delay == n.Delay && n.Dispersion == n.Dispersion) {
		t.Fatalf("decoded as\n%+v %+v %+v\nby the library as\n%+v %+v %+v", e, e.Flow, e.Detail, want, want.Flow, want.Detail)
	}
}

// TestDecodeReadsWhatALibraryReads changes every byte of events in many ways, and cuts
// them off at every place. Events as they are: TestEveryEventOfEveryCaptureComesBackAsItWas.
func TestDecodeReadsWhatALibraryReads(t *testing.T) {
	for _, s := range eventtest.Samples() {
		data, err := record.Encode(nil, s.Event)
		if err != nil {
			t.Fatal(err)
		}
		for i := range data {
			likeTheLibrary(t, data[:i])
			for k, to := range []byte{0x00, 0x17, 0x18, 0x20, 0x40, 0x60, 0x78, 0x80, 0xa0, 0xa1, 0xc0, 0xf4, 0xf6, 0xf7, 0xf8, 0xfb, 0xff, data[i] + 1, data[i] - 1, data[i] ^ 0x20} {
				if k%5 != i%5 {
					continue // each with some of them
				}
				changed := bytes.Clone(data)
				changed[i] = to
				likeTheLibrary(t, changed)
			}
		}
	}
}

func TestADecoderGivesWhatDecodeGivesAndSharesTexts(t *testing.T) {
	var d record.Decoder
	var last *event.Event
	for _, e := range eventsOf(t, filepath.Join(recordedDir, "theatre.pcapng")) {
		data, err := record.Encode(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		back, err := d.Decode(data)
		if err != nil || !reflect.DeepEqual(e, back) {
			t.Fatalf("%v: %+v, want %+v", err, back, e)
		}
		for i := range data {
			data[i] = 'X'
		}
		if !reflect.DeepEqual(e, back) {
			t.Fatal("the event changed with the bytes that it was read from")
		}
		if last != nil && last.Protocol == back.Protocol && back.Protocol != "" && unsafe.StringData(last.Protocol) != unsafe.StringData(back.Protocol) {
			t.Fatalf("two events in a row have a %q of their own", back.Protocol)
		}
		last = back
	}
}

func TestKeysInAnotherOrderAreRead(t *testing.T) {
	for _, s := range eventtest.Samples() {
		data, err := record.Encode(nil, s.Event)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]cbor.RawMessage
		if err := cbor.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			other := []byte{0xa0 | byte(len(m))}
			for k, v := range m { // in any order
				key, err := cbor.Marshal(k)
				if err != nil {
					t.Fatal(err)
				}
				other = append(append(other, key...), v...)
			}
			if back, err := record.Decode(other); err != nil || !reflect.DeepEqual(back, s.Event) {
				t.Fatalf("%s: %v: %+v", s.Name, err, back)
			}
		}
	}
}

func TestWhatNoVersionWritesIsRefused(t *testing.T) {
	for name, data := range map[string][]byte{
		"a key twice":               {0xa2, 0x63, 'u', 'i', 'd', 0x60, 0x63, 'u', 'i', 'd', 0x60},
		"a key that is no text":     {0xa1, 0x01, 0x01},
		"null":                      {0xa1, 0x63, 'u', 'i', 'd', 0xf6},
		"no map":                    {0x80},
		"a key of a flow twice":     {0xa1, 0x64, 'f', 'l', 'o', 'w', 0xa2, 0x62, 'i', 'd', 0x01, 0x62, 'i', 'd', 0x01},
		"a time beyond 64 bits":     {0xa1, 0x64, 't', 'i', 'm', 'e', 0x1b, 0xff, 0, 0, 0, 0, 0, 0, 0},
		"an activity beyond 8 bits": {0xa1, 0x68, 'a', 'c', 't', 'i', 'v', 'i', 't', 'y', 0x19, 0x01, 0x00},
		"bytes for a text":          {0xa1, 0x63, 'u', 'i', 'd', 0x41, 'x'},
	} {
		t.Run(name, func(t *testing.T) {
			if e, err := record.Decode(data); err == nil {
				t.Errorf("decoded as %+v", e)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range eventtest.Samples() {
		data, err := record.Encode(nil, s.Event)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, e := range eventsOf(f, filepath.Join(recordedDir, "dicom-store.pcap"), filepath.Join(recordedDir, "hl7-siu.pcap")) {
		data, err := record.Encode(nil, e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		likeTheLibrary(t, data)
		terr := record.Texts(data, func(string) bool { return true })
		e, err := record.Decode(data)
		if err != nil {
			return
		}
		if terr != nil {
			t.Fatalf("decoded, but no texts: %v", terr)
		}
		again, err := record.Encode(nil, e)
		if err != nil {
			t.Fatalf("decoded, but not encoded: %v", err)
		}
		back, err := record.Decode(again)
		if err != nil {
			t.Fatalf("encoded, but not decoded: %v", err)
		}
		third, err := record.Encode(nil, back)
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("encoding is not stable: %v\n%x\n%x", err, again, third)
		}
	})
}

func theatre(b *testing.B) (events []*event.Event, data [][]byte, bytes int64) {
	events = eventsOf(b, filepath.Join(recordedDir, "theatre.pcapng"))
	for _, e := range events {
		d, err := record.Encode(nil, e)
		if err != nil {
			b.Fatal(err)
		}
		data = append(data, d)
		bytes += int64(len(d))
	}
	b.ReportMetric(float64(bytes)/float64(len(events)), "bytes/event")
	b.ReportAllocs()
	b.ResetTimer()
	return events, data, bytes
}

func BenchmarkEncode(b *testing.B) {
	events, _, _ := theatre(b)
	var buf []byte
	for i := 0; b.Loop(); i++ {
		buf, _ = record.Encode(buf[:0], events[i%len(events)])
	}
}

func BenchmarkDecode(b *testing.B) {
	_, data, _ := theatre(b)
	for i := 0; b.Loop(); i++ {
		if _, err := record.Decode(data[i%len(data)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecoder(b *testing.B) {
	_, data, _ := theatre(b)
	var d record.Decoder
	for i := 0; b.Loop(); i++ {
		if _, err := d.Decode(data[i%len(data)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeWithLibrary(b *testing.B) {
	_, data, _ := theatre(b)
	for i := 0; b.Loop(); i++ {
		if _, err := record.DecodeWithLibrary(data[i%len(data)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTexts(b *testing.B) {
	_, data, _ := theatre(b)
	for i := 0; b.Loop(); i++ {
		if err := record.Texts(data[i%len(data)], func(string) bool { return true }); err != nil {
			b.Fatal(err)
		}
	}
}
