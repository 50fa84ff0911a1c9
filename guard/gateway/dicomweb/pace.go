// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// grace is how long a request may be slow before its rate counts.
const grace = 30 * time.Second

var (
	errSlow     = errors.New("the client is too slow")
	errTooMuch  = errors.New("the body is larger than a request may be")
	errNotTaken = errors.New("the client takes no answer")
)

// pace holds a peer to a deadline for each read or write and to a rate. Only the time that the
// peer takes counts, not ours.
type pace struct {
	rc      *http.ResponseController
	stall   time.Duration
	minRate int64
	waited  time.Duration
	n       int64
	now     func() time.Time
}

func (p *pace) count(began time.Time, n int) error {
	p.waited += p.now().Sub(began)
	p.n += int64(n)
	if p.waited > grace && float64(p.n) < float64(p.minRate)*p.waited.Seconds() {
		return errSlow
	}
	return nil
}

// pacedBody reads the body of a request.
type pacedBody struct {
	pace
	src  io.Reader
	left int64 // of the bytes that a request may have
	err  error
}

func (b *pacedBody) Read(dst []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	// One byte more than may be shows that there is more.
	if int64(len(dst)) > b.left+1 {
		dst = dst[:b.left+1]
	}
	_ = b.rc.SetReadDeadline(b.now().Add(b.stall))
	began := b.now()
	n, err := b.src.Read(dst)
	slow := b.count(began, n)
	if b.left -= int64(n); b.left < 0 {
		n, err = max(0, n-1), errTooMuch
	}
	if err == nil {
		err = slow
	}
	switch b.err = err; {
	case err == nil:
	case errors.Is(err, io.EOF):
		// The server goes on reading behind the body to notice a client that leaves; that has no deadline.
		_ = b.rc.SetReadDeadline(time.Time{})
	default:
		// The server would read over the rest of the body, and wait for it.
		_ = b.rc.SetReadDeadline(b.now())
	}
	return n, err
}

// pacedAnswer writes the body of an answer.
type pacedAnswer struct {
	pace
	dst io.Writer
	err error
}

// writePiece is how much is written under one deadline.
const writePiece = 64 << 10

func (a *pacedAnswer) Write(src []byte) (int, error) {
	done := 0
	for done < len(src) {
		if a.err != nil {
			return done, a.err
		}
		piece := src[done:min(len(src), done+writePiece)]
		_ = a.rc.SetWriteDeadline(a.now().Add(a.stall))
		began := a.now()
		n, err := a.dst.Write(piece)
		done += n
		if slow := a.count(began, n); err == nil {
			err = slow
		}
		if err != nil {
			a.err = errors.Join(errNotTaken, err)
		}
	}
	return done, a.err
}
