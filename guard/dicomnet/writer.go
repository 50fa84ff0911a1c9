// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// pdvOverhead is what stands before the bytes of a PDV that is alone in its PDU.
const pdvOverhead = ul.HeaderSize + ul.PDVHeaderSize

// writer writes PDUs. One message is written at a time.
type writer struct {
	conn    net.Conn
	timeout time.Duration
	max     int // bytes of a PDV's fragment
	sent    atomic.Uint64
	partial atomic.Bool // a message is being written of which more is to come

	turn chan struct{} // capacity 1: whoever has put something in may use what follows
	buf  []byte
	bad  error // a write failed, and what the peer got ends in the middle of a PDU; or all was said
}

func newWriter(c net.Conn, l Limits, t Timeouts) *writer {
	return &writer{conn: c, timeout: t.Write, turn: make(chan struct{}, 1), buf: make([]byte, 0, l.Buffer)}
}

// negotiated sets how long PDUs may be, by the peer's maximum length (PS3.8 §D.1; 0 is no limit).
func (w *writer) negotiated(peer uint32, l Limits) {
	n := l.MaxPDU
	if peer > 0 {
		n = min(n, peer)
	}
	n = min(n, uint32(cap(w.buf)-pdvOverhead-512))
	w.max = max(int(n)-ul.PDVHeaderSize, 2) &^ 1 // fragments are of even length
}

// pdu writes a PDU that is not data.
func (w *writer) pdu(b []byte) error {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	w.buf = append(w.buf[:0], b...)
	return w.flush()
}

// lastWrite bounds how long an A-ABORT waits for the end of what is before it.
const lastWrite = time.Second

// abort writes an A-ABORT, after which nothing is written. Inside of a message it could not be told from data: it is left
// out where there is more to come of one. It waits for what was written to its end, because a peer may have all of a
// response, and have said the next thing, before the write returns here.
func (w *writer) abort(b []byte) {
	late := time.NewTimer(lastWrite)
	defer late.Stop()
	select {
	case w.turn <- struct{}{}:
	default:
		if w.partial.Load() {
			return
		}
		select {
		case w.turn <- struct{}{}:
		case <-late.C:
			return
		}
	}
	defer func() { <-w.turn }()
	w.buf = append(w.buf[:0], b...)
	if w.flush() == nil {
		w.bad = errAborted
	}
}

// errAborted is why nothing is written after an A-ABORT (PS3.8 table 9-10, Sta13).
var errAborted = errors.New("the association was aborted")

func (w *writer) flush() error {
	if w.bad != nil {
		return w.bad
	}
	if len(w.buf) == 0 {
		return nil
	}
	err := w.conn.SetWriteDeadline(time.Now().Add(w.timeout))
	if err == nil {
		var n int
		n, err = w.conn.Write(w.buf)
		w.sent.Add(uint64(n))
	}
	w.buf = w.buf[:0]
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("%w: the peer took nothing for %v", ErrTimeout, w.timeout)
	}
	w.bad = err
	return err
}

// sourceError is a failure of what is being sent, not of the connection.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return "read what is to be sent: " + e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// message writes a command set and, when data is not nil, the data set. The command and
// the first fragment leave together, so that Nagle's algorithm has nothing to hold back.
func (w *writer) message(context uint8, c *dimse.Command, data io.Reader) error {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	if w.bad != nil {
		return w.bad
	}
	w.buf = ul.AppendPData(w.buf[:0], context, true, c.Append(nil), uint32(w.max+ul.PDVHeaderSize))
	if data == nil {
		return w.flush()
	}
	w.partial.Store(true)
	defer w.partial.Store(false)
	// One byte is read ahead: which fragment is the last must be known before it is sent.
	var ahead [1]byte
	have, err := io.ReadFull(data, ahead[:])
	for last := false; !last; {
		if cap(w.buf)-len(w.buf) < pdvOverhead+w.max+1 {
			if err := w.flush(); err != nil {
				return err
			}
		}
		start := len(w.buf)
		room := w.buf[start+pdvOverhead : start+pdvOverhead+w.max+1]
		n := copy(room, ahead[:have])
		if err == nil {
			var m int
			m, err = io.ReadFull(data, room[n:])
			n += m
		}
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			w.bad = &sourceError{err} // the message cannot be completed
			w.buf = w.buf[:0]
			return w.bad
		}
		if n > w.max {
			n = w.max
			have = copy(ahead[:], room[w.max:])
		} else {
			last = true
		}
		w.header(start, context, n, last)
	}
	w.partial.Store(false)
	return w.flush()
}

// header completes the PDU at start, whose fragment of n bytes is in place.
func (w *writer) header(start int, context uint8, n int, last bool) {
	w.buf = w.buf[:start+pdvOverhead+n]
	h := w.buf[start:]
	h[0], h[1] = byte(ul.TypePData), 0
	binary.BigEndian.PutUint32(h[2:], uint32(n+ul.PDVHeaderSize))
	binary.BigEndian.PutUint32(h[6:], uint32(n+2))
	h[10], h[11] = context, 0
	if last {
		h[11] = 2
	}
}
