// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// slowConn takes what is written at once, and lets the writer go on only after a while.
type slowConn struct {
	net.Conn
	slow   time.Duration
	closed atomic.Bool
	got    bytes.Buffer
}

func (c *slowConn) SetWriteDeadline(time.Time) error { return nil }

func (c *slowConn) Write(b []byte) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	n, _ := c.got.Write(b)
	time.Sleep(c.slow)
	return n, nil
}

// endless is a data set that does not end, and of which nothing comes for a while.
type endless struct{ wait time.Duration }

func (r endless) Read(b []byte) (int, error) {
	time.Sleep(r.wait)
	return len(b), nil
}

func TestAnAbortComesAfterWhatWasWrittenAndNotInsideOfIt(t *testing.T) {
	response := &dimse.Command{Field: dimse.CEchoRQ | dimse.ResponseBit, DataSetType: dimse.NoDataSet}
	abort := ul.AppendAbort(nil, ul.Abort{})
	for name, tt := range map[string]struct {
		slow    time.Duration
		data    io.Reader
		took    time.Duration // with the writing of the abort
		aborted bool
	}{
		"the peer has all of a response before the write returns":      {100 * time.Millisecond, nil, 200 * time.Millisecond, true},
		"the peer has all of a data set before the write returns":      {100 * time.Millisecond, bytes.NewReader([]byte{1, 2}), 200 * time.Millisecond, true},
		"the peer takes no more, and may have a part of a response":    {time.Hour, nil, lastWrite, false},
		"of a data set more is to come, for which the source is asked": {0, endless{time.Hour}, 0, false},
		"of a data set more is to come, which the peer does not take":  {time.Hour, endless{0}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &slowConn{slow: tt.slow}
				w := newWriter(c, Limits{Buffer: minBuffer}, Timeouts{Write: time.Minute})
				w.negotiated(minPDU, Limits{MaxPDU: minPDU})
				sent := make(chan error, 1)
				go func() { sent <- w.message(1, response, tt.data) }()
				synctest.Wait() // it is being written, or the source is being asked
				before, began := c.got.Len(), time.Now()
				w.abort(abort)
				if took := time.Since(began); took != tt.took {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
				if got := c.got.Bytes()[before:]; bytes.Equal(got, abort) != tt.aborted {
					t.Errorf("after %d bytes the peer got % x", before, got)
				}
				c.closed.Store(true)
				if err := <-sent; tt.aborted && err != nil {
					t.Error(err)
				}
				if err := w.message(1, response, nil); tt.aborted && !errors.Is(err, errAborted) {
					t.Errorf("a message after the abort: %v", err)
				}
			})
		})
	}
}
