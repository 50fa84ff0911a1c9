// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/wire/capture"
)

// logger writes warnings and errors for people.
func logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// progress shows how much of the files was read, on a terminal only.
type progress struct {
	bar *progressbar.ProgressBar // nil when nothing is shown
}

func newProgress(out io.Writer, files []*sensor.File, quiet bool) *progress {
	f, ok := out.(*os.File)
	if quiet || !ok || !term.IsTerminal(int(f.Fd())) {
		return &progress{}
	}
	var total int64
	for _, f := range files {
		if f.Size == 0 {
			total = -1 // a pipe: nobody knows
			break
		}
		total += f.Size
	}
	return &progress{progressbar.NewOptions64(total, progressbar.OptionSetWriter(out), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription("analysing"), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())}
}

// watch returns a source that reports what it reads.
func (p *progress) watch(src capture.Source) capture.Source {
	if p.bar == nil {
		return src
	}
	return &watched{Source: src, bar: p.bar}
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

type watched struct {
	capture.Source
	bar  *progressbar.ProgressBar
	n    int
	last int64
}

// Unwrap says that the frames are handed on as they are.
func (w *watched) Unwrap() capture.Source { return w.Source }

// Next looks at the position every 4096 frames, which costs nothing.
func (w *watched) Next(f *capture.Frame) error {
	if w.n++; w.n&4095 == 0 {
		at := w.Stats().InputOffset
		_ = w.bar.Add64(at - w.last)
		w.last = at
	}
	return w.Source.Next(f)
}
