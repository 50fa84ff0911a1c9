// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/ocsf/downlevel"
)

// OCSF writes events as newline-delimited JSON.
type OCSF struct {
	producer event.Producer
	convert  func([]byte) ([]byte, error) // to an older version, nil for the current one

	mu   sync.Mutex
	w    *bufio.Writer
	buf  []byte
	err  error
	stop chan struct{}
	done sync.WaitGroup
}

// OCSFVersions returns the versions that NewOCSF can write, newest first.
func OCSFVersions() []string { return append([]string{event.SchemaVersion}, downlevel.Versions()...) }

// NewOCSF makes a sink that writes to w, which stays the caller's. What was
// written reaches w when 64 KiB have come together, at Close, and, unless
// flush is 0, at that interval: a reader of a live sensor's pipe sees events
// no later.
func NewOCSF(w io.Writer, version string, p event.Producer, flush time.Duration) (*OCSF, error) {
	if !slices.Contains(OCSFVersions(), version) {
		return nil, fmt.Errorf("OCSF version %q: not one that can be written", version)
	}
	o := &OCSF{producer: p, w: bufio.NewWriterSize(w, 64<<10), stop: make(chan struct{})}
	if version != event.SchemaVersion {
		o.convert = func(b []byte) ([]byte, error) { return downlevel.Convert(b, version) }
	}
	if flush > 0 {
		o.done.Go(func() { o.flushEvery(flush) })
	}
	return o, nil
}

func (o *OCSF) flushEvery(d time.Duration) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-o.stop:
			return
		case <-t.C:
			o.mu.Lock()
			o.keep(o.w.Flush())
			o.mu.Unlock()
		}
	}
}

func (o *OCSF) keep(err error) {
	if o.err == nil {
		o.err = err
	}
}

// Emit implements Sink.
func (o *OCSF) Emit(e *event.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return
	}
	b, err := e.AppendOCSF(o.buf[:0], o.producer)
	o.keep(err)
	o.buf = b
	if o.convert != nil && err == nil {
		b, err = o.convert(b)
		o.keep(err)
	}
	if err != nil {
		return
	}
	_, err = o.w.Write(b)
	o.keep(err)
	o.keep(o.w.WriteByte('\n'))
}

// Close implements Sink.
func (o *OCSF) Close() error {
	close(o.stop)
	o.done.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep(o.w.Flush())
	return o.err
}
