// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// bufferSize is what a draft collects before it writes. A small image is one write.
const bufferSize = 128 << 10

// early is how much of a large instance is written before the disk is asked to begin with it.
const early = 1 << 20

// draft is an instance being received. A stretch of a segment is its own meanwhile.
type draft struct {
	j      *Journal
	number uint64
	lane   *lane
	began  int64    // where in the lane this instance begins
	whole  []*lane  // stretches that it filled, given back when it is discarded
	done   []extent // in them
	buf    []byte   // not written yet; what is in front of it is a multiple of pageSize
	wrote  int64
	kicked int64         // up to where in the lane the disk was asked to write
	opened *atomic.Int32 // readers of it
	err    error
	over   bool
}

var _ instance.Draft = (*draft)(nil)

var errOver = errors.New("the draft was sealed or discarded")

// Create implements instance.Vault.
func (j *Journal) Create(ctx context.Context) (instance.Draft, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if err := j.usable(); err != nil {
		return nil, err
	}
	if !j.drafts.enter() {
		return nil, ErrClosed
	}
	d, err := j.draft()
	if err != nil {
		j.drafts.leave()
		return nil, err
	}
	return d, nil
}

func (j *Journal) draft() (*draft, error) {
	number, err := j.number()
	if err != nil {
		return nil, err
	}
	l, err := j.segs.lane()
	if err != nil {
		j.refused(err)
		return nil, err
	}
	buf := j.buffers.Get().(*[]byte)
	return &draft{j: j, number: number, lane: l, began: l.pos, kicked: l.pos, buf: (*buf)[:0], opened: &atomic.Int32{}}, nil
}

// Number implements instance.Draft.
func (d *draft) Number() uint64 { return d.number }

// Write implements io.Writer.
func (d *draft) Write(p []byte) (int, error) {
	if d.over {
		return 0, errOver
	}
	if d.err != nil {
		return 0, d.err
	}
	n := len(p)
	for len(p) > 0 {
		if len(d.buf) == 0 && len(p) >= bufferSize/2 {
			direct := len(p) &^ (pageSize - 1)
			if d.err = d.flush(p[:direct]); d.err != nil {
				return n - len(p), d.err
			}
			p = p[direct:]
			continue
		}
		m := min(bufferSize-len(d.buf), len(p))
		d.buf = append(d.buf, p[:m]...)
		p = p[m:]
		if len(d.buf) == bufferSize {
			if d.err = d.flush(d.buf); d.err != nil {
				return n - len(p), d.err
			}
			d.buf = d.buf[:0]
		}
	}
	return n, nil
}

// flush writes whole pages.
func (d *draft) flush(p []byte) error {
	for len(p) > 0 {
		if d.lane.pos == d.lane.end {
			if err := d.grow(); err != nil {
				d.j.refused(err)
				return err
			}
		}
		m := min(int64(len(p)), d.lane.end-d.lane.pos)
		if _, err := d.lane.seg.file.WriteAt(p[:m], d.lane.pos); err != nil {
			return fmt.Errorf("write an instance: %w", diskError(err))
		}
		d.lane.pos += m
		d.wrote += m
		p = p[m:]
	}
	if n := d.lane.pos - d.kicked; n >= early {
		writeback(d.lane.seg.file, d.kicked, n)
		d.kicked = d.lane.pos
	}
	return nil
}

// grow makes the lane longer, or goes on in another.
func (d *draft) grow() error {
	want := min(max(chunkSize, d.wrote), maxChunk)
	if d.j.segs.extend(d.lane, want) {
		return nil
	}
	next, err := d.j.segs.take(want)
	if err != nil {
		return err
	}
	d.leave()
	d.lane, d.began, d.kicked = next, next.pos, next.pos
	return nil
}

// leave closes the extent that is being written.
func (d *draft) leave() {
	if d.lane.pos > d.began {
		d.done = append(d.done, extent{d.lane.seg.id, d.began, d.lane.pos - d.began})
		d.whole = append(d.whole, &lane{d.lane.seg, d.began, d.lane.end})
		return
	}
	d.j.segs.giveBack(d.lane)
}

// extents is where what was written is, once the rest is written too; the last page is padded with zeros.
func (d *draft) extents() ([]extent, error) {
	pad := int64(0)
	if tail := int64(len(d.buf)); tail > 0 {
		pad = pages(tail) - tail
		if err := d.flush(append(d.buf, zeros[:pad]...)); err != nil {
			return nil, err
		}
	}
	out := d.done
	if n := d.lane.pos - d.began; n > 0 {
		out = append(out, extent{d.lane.seg.id, d.began, n - pad})
	}
	return out, nil
}

// Content implements instance.Draft.
func (d *draft) Content() (instance.Content, error) {
	if d.over {
		return nil, errOver
	}
	if d.err != nil {
		return nil, d.err
	}
	tail := append([]byte(nil), d.buf...)
	out := append([]extent{}, d.done...)
	if n := d.lane.pos - d.began; n > 0 {
		out = append(out, extent{d.lane.seg.id, d.began, n})
	}
	opened := d.opened
	c, err := d.j.content(out, d.wrote, func() { opened.Add(-1) })
	if err != nil {
		return nil, err
	}
	opened.Add(1)
	c.tail = tail
	c.size += int64(len(tail))
	return c, nil
}

// Seal implements instance.Draft.
func (d *draft) Seal(ctx context.Context, r instance.Record) (instance.Record, error) {
	if d.over {
		return instance.Record{}, errOver
	}
	if d.err == nil {
		d.err = context.Cause(ctx)
	}
	if d.err != nil {
		err := d.err
		d.Discard()
		return instance.Record{}, err
	}
	r.Number, r.Revision = d.number, 1
	var extents []extent
	if r.State != instance.Refused && r.State != instance.Destroyed {
		size := d.wrote + int64(len(d.buf))
		err := sealable(&r, size)
		if err == nil {
			extents, err = d.extents()
		}
		if err != nil {
			d.Discard()
			return instance.Record{}, err
		}
		r.Bytes = size
	}
	err := d.j.keep(&r, extents)
	if err != nil || len(extents) == 0 {
		d.Discard()
		return r, err
	}
	d.keepBytes()
	return r, nil
}

// keepBytes ends the draft; what it wrote stays.
func (d *draft) keepBytes() {
	d.finish()
	d.j.segs.give(d.lane)
	for _, l := range d.whole {
		d.j.segs.giveUp(l)
	}
}

// sealable checks what a record must say.
func sealable(r *instance.Record, size int64) error {
	switch {
	case r.State == "":
		return errors.New("seal an instance: it has no state")
	case r.Bytes != 0 && r.Bytes != size:
		return fmt.Errorf("seal an instance: its record says %d bytes, and %d were written", r.Bytes, size)
	case !digest(r.DataSet):
		return errors.New("seal an instance: the SHA-256 of its data set is missing") // what is found after a crash is compared with it
	}
	return nil
}

func digest(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Discard implements instance.Draft.
func (d *draft) Discard() {
	if d.over {
		return
	}
	if d.opened.Load() > 0 {
		d.keepBytes() // somebody may still read what was written: nothing else is written there
		return
	}
	d.finish()
	d.lane.pos = d.began
	d.j.segs.give(d.lane)
	for _, l := range d.whole {
		d.j.segs.giveBack(l)
	}
}

func (d *draft) finish() {
	d.over = true
	buf := d.buf[:0]
	d.j.buffers.Put(&buf)
	d.buf = nil
	d.j.drafts.leave()
}
