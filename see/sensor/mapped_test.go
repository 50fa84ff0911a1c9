// SPDX-License-Identifier: Apache-2.0

//go:build linux

package sensor

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
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
