// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"fmt"
	"io"
	"sync"

	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// Data is the data set of a message, as transferred, read from the connection
// while it arrives. It belongs to one goroutine. Until it was read to the end
// or closed nothing else of the association is read.
type Data struct {
	a       *Association
	context uint8
	limit   int64

	cur  []byte // aliases the reader's buffer
	last bool   // cur holds the end of the data set
	n    int64
	err  error // io.EOF after the end

	release sync.Once
	over    chan struct{} // closed when the association may read on
}

var (
	_ io.ReadCloser = (*Data)(nil)
	_ io.WriterTo   = (*Data)(nil)
)

func newData(a *Association, context uint8) *Data {
	return &Data{a: a, context: context, limit: a.limits.DataSet, over: make(chan struct{})}
}

// Read implements io.Reader. io.EOF means that the data set is complete: a
// connection that ends before gives another error.
func (d *Data) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := d.more(); err != nil {
		return 0, err
	}
	n := copy(p, d.cur)
	d.took(n)
	return n, nil
}

// WriteTo implements io.WriterTo. w is given slices of the read buffer, which it must not keep.
func (d *Data) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		if err := d.more(); err != nil {
			if err == io.EOF { //nolint:errorlint // more returns it bare
				err = nil
			}
			return total, err
		}
		n, err := w.Write(d.cur)
		d.took(n)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

// Size returns how many bytes were read so far.
func (d *Data) Size() int64 { return d.n }

// Close passes over what was not read. It is not needed after io.EOF.
func (d *Data) Close() error {
	for {
		if err := d.more(); err != nil {
			if err == io.EOF { //nolint:errorlint // more returns it bare
				return nil
			}
			return err
		}
		d.took(len(d.cur))
	}
}

func (d *Data) took(n int) {
	d.cur = d.cur[n:]
	d.n += int64(n)
	if len(d.cur) == 0 && d.last {
		d.end(io.EOF)
	}
}

func (d *Data) end(err error) {
	if d.err == nil {
		d.err = err
	}
	d.cur = nil
	d.release.Do(func() { close(d.over) })
}

// more makes sure that cur has bytes.
func (d *Data) more() error {
	for len(d.cur) == 0 && d.err == nil {
		ev, err := d.a.rd.next()
		if err == nil {
			err = d.take(ev)
		}
		if err != nil {
			d.end(err)
		}
	}
	return d.err
}

func (d *Data) take(ev ul.Event) error {
	switch ev.Kind {
	case ul.PDataStart:
		return d.a.received(ul.ReceivedPData)
	case ul.PDVStart:
		if ev.PDV.Command || ev.PDV.Context != d.context {
			return violation("fragments of two messages are interleaved (PS3.8 §E.1)")
		}
		return nil
	case ul.PDVData:
		d.cur = ev.Body
		if d.n+int64(len(d.cur)) > d.limit {
			return fmt.Errorf("a data set longer than %d bytes: %w", d.limit, ul.ErrLimit)
		}
		if ev.End && ev.PDV.Last {
			d.last = true
			if len(d.cur) == 0 {
				d.end(io.EOF)
			}
		}
		return nil
	}
	return &interruption{ev.Type, append([]byte(nil), ev.Body...)}
}
