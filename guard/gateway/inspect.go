// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// digester is SHA-256 beside the goroutine that reads: an image of half a megabyte
// is hashed while its next part arrives. The first bytes are hashed where they are, since
// a small instance costs less so than to wake somebody.
type digester struct {
	h     hash.Hash
	n     int64
	work  chan []byte
	free  chan []byte
	ended chan struct{}
}

// Sizes of a digester: what it does by itself, and what it holds besides.
const (
	digestInline = 64 << 10
	digestPiece  = 128 << 10
	digestPieces = 3
)

// pieces are buffers of digestPiece bytes.
var pieces = sync.Pool{New: func() any { b := make([]byte, digestPiece); return &b }}

func newDigester() *digester { return &digester{h: sha256.New()} }

// Write implements io.Writer. It keeps nothing of p.
func (d *digester) Write(p []byte) (int, error) {
	all := len(p)
	d.n += int64(all)
	if d.work == nil && d.n <= digestInline {
		d.h.Write(p)
		return all, nil
	}
	if d.work == nil {
		d.start()
	}
	for len(p) > 0 {
		b := <-d.free
		n := copy(b[:digestPiece], p)
		d.work <- b[:n]
		p = p[n:]
	}
	return all, nil
}

func (d *digester) start() {
	d.work, d.free, d.ended = make(chan []byte, digestPieces), make(chan []byte, digestPieces), make(chan struct{})
	for range digestPieces {
		d.free <- *pieces.Get().(*[]byte)
	}
	go func() {
		defer close(d.ended)
		for b := range d.work {
			d.h.Write(b)
			d.free <- b
		}
	}()
}

// Sum ends the digester.
func (d *digester) Sum() (sum [sha256.Size]byte) {
	d.close()
	d.h.Sum(sum[:0])
	return sum
}

// close gives back what it holds. It may be called more than once.
func (d *digester) close() {
	if d.work == nil {
		return
	}
	close(d.work)
	<-d.ended
	for range digestPieces {
		b := (<-d.free)[:digestPiece]
		pieces.Put(&b)
	}
	d.work = nil
}

// errFirewall is a firewall that failed: it panicked.
var errFirewall = errors.New("the content firewall failed")

// inspector runs an inspection so that a fault in it costs one verdict, not the association.
type inspector struct {
	i      instance.Inspection
	failed error
}

func begin(f instance.Inspector, a instance.Arrival) (x *inspector) {
	x = &inspector{}
	defer x.recover()
	x.i = f.Begin(a)
	return x
}

func (x *inspector) recover() {
	if p := recover(); p != nil {
		x.failed = fmt.Errorf("%w: BUG: %T", errFirewall, p) // the value may hold what was inspected
	}
}

// Write implements io.Writer.
func (x *inspector) Write(p []byte) (int, error) {
	if x.failed == nil {
		x.write(p)
	}
	return len(p), nil
}

func (x *inspector) write(p []byte) {
	defer x.recover()
	_, _ = x.i.Write(p) // it never fails
}

func (x *inspector) stop() (stop bool) {
	if x.failed != nil {
		return false
	}
	defer x.recover()
	return x.i.Stop()
}

func (x *inspector) finish() (r instance.Result, policy string, err error) {
	if x.failed == nil {
		func() {
			defer x.recover()
			policy = x.i.Policy()
			r = x.i.Finish()
		}()
	}
	if x.failed != nil {
		r = instance.Result{}
	}
	return r, policy, x.failed
}

// intake is where a data set goes while it arrives.
type intake struct {
	draft   instance.Draft
	digest  *digester
	inspect *inspector
	full    error // the draft takes no more
	stopped bool  // the verdict is known, and the bytes are not needed
}

// Write implements io.Writer. It fails only where nothing can be kept.
func (t *intake) Write(p []byte) (int, error) {
	_, _ = t.digest.Write(p)
	_, _ = t.inspect.Write(p)
	if !t.stopped && t.inspect.stop() {
		t.stopped = true
	}
	if !t.stopped {
		if _, err := t.draft.Write(p); err != nil {
			t.full = err
			return 0, err
		}
	}
	return len(p), nil
}

// read takes a data set to its end.
func (t *intake) read(data io.Reader) error {
	if w, ok := data.(io.WriterTo); ok {
		_, err := w.WriteTo(t)
		return err
	}
	b := *pieces.Get().(*[]byte)
	defer pieces.Put(&b)
	_, err := io.CopyBuffer(struct{ io.Writer }{t}, data, b)
	return err
}
