// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/journal/vaulttest"
)

func logOf(n int) []byte {
	var b []byte
	for i := range n {
		b = appendFrame(b, &frame{sequence: uint64(i + 1), durable: uint64(i), kind: markFrame, payload: fmt.Appendf(nil, "payload %d", i)})
	}
	return b
}

func TestFramesAreReadAsTheyWereWritten(t *testing.T) {
	b := append(logOf(20), make([]byte, 5000)...)
	n := 0
	end, err := scan(b, 1, func(f frame, at, gap int) error {
		if f.sequence != uint64(n+1) || string(f.payload) != fmt.Sprintf("payload %d", n) || gap != 0 {
			t.Errorf("frame %d: %+v, gap %d", n, f, gap)
		}
		n++
		return nil
	})
	if err != nil || n != 20 || end != len(b)-5000 {
		t.Errorf("%d frames to %d, %v", n, end, err)
	}
}

func TestEveryDamagedByteIsNoticed(t *testing.T) {
	whole := logOf(5)
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0xff
		var got []uint64
		if _, err := scan(b, 1, func(f frame, _, _ int) error {
			if string(f.payload) != fmt.Sprintf("payload %d", f.sequence-1) {
				t.Fatalf("byte %d: frame %d has payload %q", i, f.sequence, f.payload)
			}
			got = append(got, f.sequence)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		at := i / (len(whole) / 5)
		if padding := i%(len(whole)/5) >= frameHeader+len("payload 0"); len(got) != 4 && !padding || len(got) == 4 && bytes.Contains(fmt.Append(nil, got), fmt.Append(nil, at+1)) {
			t.Errorf("byte %d: frames %v", i, got)
		}
	}
}

func TestFramesOfAnEarlierUseAreNotTaken(t *testing.T) {
	b := append(appendFrame(nil, &frame{sequence: 100, kind: markFrame}), logOf(20)...)
	n := 0
	if _, err := scan(b, 100, func(frame, int, int) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d frames, %v", n, err)
	}
}

// Whatever a log holds, opening it ends, with an error or with a journal that works.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	j := must(f, small(dir))
	for n := range 3 {
		data := vaulttest.Bytes(n, 3000)
		r := vaulttest.Put(f, j, vaulttest.Record(n, data, "pacs"), data)
		vaulttest.Deliver(f, j, r.Number, "pacs")
	}
	crash(j)
	b, err := os.ReadFile(filepath.Join(dir, "log", logName(1)))
	if err != nil {
		f.Fatal(err)
	}
	b = bytes.TrimRight(b, "\x00")
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Add([]byte{})
	f.Add(appendFrame(appendFrame(nil, &frame{sequence: 1, kind: headFrame, payload: []byte(`{"format":"asepsis-journal","version":1,"numbers":18446744073709551615,"segments":[[1,-5,1],[-1,2,3]]}`)}),
		&frame{sequence: 1, kind: recordFrame, payload: []byte(`{"r":{"number":18446744073709551615,"state":"accepted","bytes":-4},"x":[[9223372036854775807,4096,9223372036854775807]],"t":1}`)}))
	f.Fuzz(func(t *testing.T, log []byte) {
		if len(log) > 1<<20 {
			return
		}
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "log"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "log", logName(1)), log, 0o600); err != nil {
			t.Fatal(err)
		}
		c := small(dir)
		c.Segment = minSegment
		j, err := New(c, Deps{})
		if err != nil {
			return
		}
		defer crash(j)
		if _, err := j.List(t.Context(), instance.Query{}); err != nil {
			return
		}
		d, err := j.Create(t.Context())
		if err != nil {
			return // numbers are used up
		}
		data := []byte("data set")
		if _, err := d.Write(data); err != nil {
			t.Fatal(err)
		}
		r, err := d.Seal(t.Context(), vaulttest.Record(1, data, "pacs"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(vaulttest.Read(t, j, r.Number), data) {
			t.Error("what is read differs")
		}
	})
}
