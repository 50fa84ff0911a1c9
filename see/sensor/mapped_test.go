// SPDX-License-Identifier: Apache-2.0

//go:build linux

package sensor

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/wire/capture"
)

type nowhere struct{}

func (nowhere) Emit(*event.Event) {}

// cutter cuts the file short once the first frame was taken.
type cutter struct {
	*File
	t    *testing.T
	path string
}

func (c *cutter) Next(f *capture.Frame) error {
	err := c.File.Next(f)
	if c.path != "" {
		if err := os.Truncate(c.path, 0); err != nil {
			c.t.Fatal(err)
		}
		c.path = ""
	}
	return err
}

func written(t *testing.T, frames int) string {
	t.Helper()
	var b bytes.Buffer
	w := capture.NewWriter(&b, capture.LinkEthernet)
	data := make([]byte, 1000)
	for i := range frames {
		data[0] = byte(i)
		if err := w.WriteFrame(capture.Frame{Time: int64(i + 1), Data: data, OrigLen: len(data), Link: capture.LinkEthernet}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.pcap")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileThatIsCutWhileItIsReadIsDamagedAndNothingWorse(t *testing.T) {
	for _, workers := range []int{1, 2} {
		path := written(t, 5000)
		f, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		cfg := Default()
		cfg.Workers = workers
		s, err := New(cfg, Deps{Sink: nowhere{}})
		if err != nil {
			t.Fatal(err)
		}
		var corrupt *capture.CorruptError
		if err := s.Run(t.Context(), &cutter{File: f, t: t, path: path}); !errors.As(err, &corrupt) {
			t.Errorf("%d workers: %v, want a *capture.CorruptError", workers, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// wrapped hands frames on as they are.
type wrapped struct{ capture.Source }

func (w wrapped) Unwrap() capture.Source { return w.Source }

// filter hands on what it likes.
type filter struct{ capture.Source }

func TestSeveralWorkersLookAtAMappedFileInPlace(t *testing.T) {
	tr := &trace{}
	var talks []*talk
	for p := range uint16(64) {
		k := tr.tcp(20000+p, 104)
		k.open()
		talks = append(talks, k)
	}
	for i := range 300 {
		for _, k := range talks {
			k.say(i&1, "LINE "+strings.Repeat("content ", 100)+"\n")
		}
	}
	var b bytes.Buffer
	w := capture.NewWriter(&b, capture.LinkEthernet)
	for _, f := range ether(tr.frames) {
		if err := w.WriteFrame(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.pcap")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, c := range []struct {
		name    string
		workers int
		wrap    func(capture.Source) capture.Source
		inPlace bool
	}{
		{"one worker", 1, func(s capture.Source) capture.Source { return s }, true},
		{"three workers", 3, func(s capture.Source) capture.Source { return s }, true},
		{"three workers behind a wrapper that hands frames on", 3, func(s capture.Source) capture.Source { return wrapped{wrapped{s}} }, true},
		{"three workers behind one that does not say so", 3, func(s capture.Source) capture.Source { return filter{s} }, false},
	} {
		f, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		src := c.wrap(f)
		if inPlace := keeperOf(src) != nil; inPlace != c.inPlace {
			t.Errorf("%s: in place: %v", c.name, inPlace)
		}
		cfg := Default()
		cfg.Workers = c.workers
		s, sink := newSensor(t, cfg, linesProtocol())
		if err := s.Run(t.Context(), src); err != nil {
			t.Fatal(err)
		}
		last := f.keptBy()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if n := last.holders.Load(); n != 0 {
			t.Errorf("%s: %d still look at the last stretch", c.name, n)
		}
		got := said(sink)
		slices.Sort(got)
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) || len(got) < 300*64 {
			t.Errorf("%s: %d lines were read, with one worker %d", c.name, len(got), len(want))
		}
	}
}

func TestAStretchGoesWithItsLastHolder(t *testing.T) {
	gone := 0
	k := newKept(func() { gone++ })
	k.hold()
	k.release()
	if gone != 0 {
		t.Error("it went while it was held")
	}
	k.release()
	if gone != 1 {
		t.Errorf("it went %d times", gone)
	}
}

func TestAMappedFileGivesTheFramesThatReadingItGives(t *testing.T) {
	path := written(t, 5000)
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read, err := capture.NewReader(bytes.NewReader(b), capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var x, y capture.Frame
	for n := 0; ; n++ {
		errX, errY := f.Next(&x), read.Next(&y)
		if errX != nil || errY != nil {
			if errX != errY || n != 5000 { //nolint:errorlint // io.EOF itself
				t.Fatalf("after %d frames: %v and %v", n, errX, errY)
			}
			break
		}
		if x.Time != y.Time || !bytes.Equal(x.Data, y.Data) {
			t.Fatalf("frame %d differs", n)
		}
	}
	if s, r := f.Stats(), read.Stats(); s.Offset != r.Offset || s.InputOffset != r.InputOffset || s.InputOffset != int64(len(b)) {
		t.Errorf("%+v and %+v", s, r)
	}
}
