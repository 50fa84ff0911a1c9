// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// content reads the bytes of an instance. Its segments are not used anew before Close.
type content struct {
	j       *Journal
	extents []extent
	files   map[uint64]*os.File
	size    int64
	tail    []byte // of a draft: what is not on the disk yet
	pos     int64
	once    sync.Once
	closed  func()
}

var (
	_ instance.Content = (*content)(nil)
	_ io.WriterTo      = (*content)(nil)
)

// Open implements instance.Vault.
func (j *Journal) Open(ctx context.Context, number uint64) (instance.Content, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		c, e, err := j.reader(ctx, number)
		if try < 5 && errors.Is(err, instance.ErrNotFound) && e != nil {
			// It may have been moved in between, and the segment that it was in used anew.
			if again, err := j.envelope(ctx, number); err == nil && !slices.Equal(again.Extents, e.Extents) {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		return c, nil
	}
}

func (j *Journal) reader(ctx context.Context, number uint64) (*content, *envelope, error) {
	unlock := j.reading(number) // Destroyed waits for readers
	e, err := j.envelope(ctx, number)
	if err != nil {
		unlock()
		return nil, nil, err
	}
	if e.Record.State == instance.Destroyed || e.Record.State == instance.Refused || len(e.Extents) == 0 && e.Record.Bytes > 0 {
		unlock()
		return nil, e, instance.ErrNotFound
	}
	if j.damaged(number) {
		unlock()
		return nil, e, ErrDamaged
	}
	c, err := j.content(e.Extents, e.Record.Bytes, unlock)
	if err != nil {
		unlock()
		return nil, e, err
	}
	return c, e, nil
}

// content opens size bytes at extents. An error leaves closed uncalled.
func (j *Journal) content(extents []extent, size int64, closed func()) (*content, error) {
	if !j.segs.pin(extents) {
		return nil, instance.ErrNotFound
	}
	c := &content{j: j, extents: extents, size: size, files: map[uint64]*os.File{}}
	for _, e := range extents {
		if c.files[e.segment] != nil {
			continue
		}
		f, err := os.Open(j.segs.path(e.segment))
		if err != nil {
			_ = c.Close()
			return nil, fmt.Errorf("open an instance: %w", err)
		}
		c.files[e.segment] = f
	}
	c.closed = closed
	return c, nil
}

// Size implements instance.Content.
func (c *content) Size() int64 { return c.size }

// ReadAt implements io.ReaderAt.
func (c *content) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("read an instance: a negative offset")
	}
	n := 0
	for len(p) > 0 {
		m, err := c.part(p, off)
		n += m
		if err != nil {
			return n, err
		}
		p, off = p[m:], off+int64(m)
	}
	return n, nil
}

// part reads what is in one piece.
func (c *content) part(p []byte, off int64) (int, error) {
	if off >= c.size {
		return 0, io.EOF
	}
	at := int64(0)
	for _, e := range c.extents {
		if off < at+e.n {
			p = p[:min(int64(len(p)), at+e.n-off)]
			n, err := c.files[e.segment].ReadAt(p, e.off+off-at)
			if n == len(p) {
				return n, nil
			}
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return n, fmt.Errorf("read an instance: %w", err)
		}
		at += e.n
	}
	if off-at < int64(len(c.tail)) {
		return copy(p, c.tail[off-at:]), nil
	}
	return 0, fmt.Errorf("read an instance: %w", io.ErrUnexpectedEOF)
}

// Read implements io.Reader.
func (c *content) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.part(p, c.pos)
	c.pos += int64(n)
	return n, err
}

// WriteTo implements io.WriterTo.
func (c *content) WriteTo(w io.Writer) (int64, error) {
	buf := c.j.buffers.Get().(*[]byte)
	defer c.j.buffers.Put(buf)
	b := (*buf)[:cap(*buf)]
	var total int64
	for {
		n, err := c.Read(b)
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		m, err := w.Write(b[:n])
		total += int64(m)
		if err != nil {
			return total, err
		}
	}
}

// Close implements io.Closer.
func (c *content) Close() error {
	c.once.Do(func() {
		for _, f := range c.files {
			_ = f.Close() // it was only read
		}
		c.j.segs.unpin(c.extents)
		if c.closed != nil {
			c.closed()
		}
	})
	return nil
}
