// SPDX-License-Identifier: Apache-2.0

package capture

import "io"

const (
	windowFirst = 64 << 10
	windowUsual = 1 << 20
	viewUsual   = 4 << 20 // costs no memory of its own, and moving it does cost
)

// window is the stretch of the input that is in memory. Frames are slices of
// it, so that nothing is copied twice. Positions are relative to start.
//
// It begins small, so that hundreds of files can be merged, and grows while
// reads fill it. Beyond windowUsual it grows only for a caller who needs more
// bytes at once, and only when it is full of bytes that came. A view is wider than
// what is read: viewUsual.
type window struct {
	r          io.Reader
	view       View // instead of r
	buf        []byte
	start, end int
	base       int64 // input offset of buf[0]
	err        error // why no more bytes come
}

func newWindow(r io.Reader) window {
	return window{r: r, buf: make([]byte, windowFirst)}
}

func (w *window) offset() int64 { return w.base + int64(w.start) }
func (w *window) have() int     { return w.end - w.start }

// at returns n bytes at position pos, which a call of need made available.
func (w *window) at(pos, n int) []byte {
	i := w.start + pos
	return w.buf[i : i+n : i+n]
}

// need reads until n bytes are in the window and reports whether they are. It
// may move the bytes, so slices taken before become invalid.
func (w *window) need(n int) bool {
	for w.end-w.start < n {
		if w.err != nil {
			return false
		}
		w.fill()
	}
	return true
}

func (w *window) fill() {
	if w.view != nil {
		w.look()
		return
	}
	if w.start > 0 {
		copy(w.buf, w.buf[w.start:w.end])
		w.base += int64(w.start)
		w.end -= w.start
		w.start = 0
	}
	if w.end == len(w.buf) {
		w.grow()
	}
	for range 100 {
		room := len(w.buf) - w.end
		n, err := w.r.Read(w.buf[w.end:])
		w.end += n
		w.err = err
		if n == room && len(w.buf) < windowUsual {
			w.grow()
		}
		if n > 0 || err != nil {
			return
		}
	}
	w.err = io.ErrNoProgress
}

// look moves the view so that it begins at start, and doubles it as fill does
// the buffer.
func (w *window) look() {
	n := max(windowFirst, min(2*len(w.buf), viewUsual), 2*w.have())
	off := w.offset()
	b, err := w.view(off, n)
	if err == nil && len(b) <= w.have() {
		err = io.ErrNoProgress
	}
	w.buf, w.base, w.start, w.end, w.err = b, off, 0, len(b), err
}

func (w *window) grow() {
	bigger := make([]byte, 2*len(w.buf))
	copy(bigger, w.buf[:w.end])
	w.buf = bigger
}

// skip passes over n bytes without holding them and reports whether they came.
func (w *window) skip(n int64) bool {
	for {
		if have := int64(w.have()); have >= n {
			w.start += int(n)
			return true
		} else {
			n -= have
		}
		w.start = w.end
		if w.err != nil {
			return false
		}
		w.fill()
	}
}

// guessed is how many records beyond the next are brought nearer.
const guessed = 2

// ahead has the heads of the coming records brought nearer while the present
// one is worked on: of the next one, at buf[i], and of those behind it, which
// are guessed to be n bytes long each, as records in a transfer are. What a
// record and its frame's headers say lies within two lines of the cache.
func (w *window) ahead(i, n int) {
	for range 1 + guessed {
		if i >= w.end {
			return
		}
		prefetch(&w.buf[i])
		i += n
	}
}
