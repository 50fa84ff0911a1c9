// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// scripted is a connection whose peer sends fixed bytes, in pieces of cut, and takes everything.
type scripted struct {
	in   *bytes.Reader
	cut  int
	sent bytes.Buffer
}

func (s *scripted) Read(p []byte) (int, error) {
	return s.in.Read(p[:min(len(p), max(s.cut, 1))])
}
func (s *scripted) Write(p []byte) (int, error)      { return s.sent.Write(p) }
func (*scripted) Close() error                       { return nil }
func (*scripted) LocalAddr() net.Addr                { return &net.TCPAddr{} }
func (*scripted) RemoteAddr() net.Addr               { return &net.TCPAddr{} }
func (*scripted) SetDeadline(time.Time) error        { return nil }
func (*scripted) SetReadDeadline(t time.Time) error  { return nil }
func (*scripted) SetWriteDeadline(t time.Time) error { return nil }

// FuzzPeer is a peer that may send anything to a server, from its first byte. Nothing may panic, hang, or
// look like a data set that is complete and is not; what is answered must be PDUs.
func FuzzPeer(f *testing.F) {
	request := requestPDU(f, nil)
	echo := ul.AppendPData(nil, 1, true, echoCommand(1), 0)
	store := ul.AppendPData(nil, 3, true, storeCommand(2), 0)
	data := ul.AppendPData(nil, 3, false, instance("1.2.3", 100), 100)
	for _, seed := range [][]byte{
		bytes.Join([][]byte{request, echo, store, data, ul.AppendReleaseRQ(nil)}, nil),
		bytes.Join([][]byte{request, store, data[:150]}, nil),
		bytes.Join([][]byte{request, store, echo}, nil),
		bytes.Join([][]byte{request, store, store}, nil),
		bytes.Join([][]byte{request, ul.AppendAbort(nil, ul.Abort{})}, nil),
		request[:90], []byte("GET / HTTP/1.1\r\n\r\n"), {0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3},
	} {
		f.Add(seed, 1500)
	}
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		c := &scripted{in: bytes.NewReader(in), cut: cut % 5000}
		s := &serving{Server: &Server{Services: []Service{{AbstractSyntax: dicom.UIDVerification}, {AbstractSyntax: AnyStorage}}, Handler: HandlerFunc(func(_ context.Context, r *Request) Reply {
			if r.Data == nil {
				return Reply{}
			}
			n, err := io.Copy(io.Discard, r.Data)
			if err == nil && int(n) > len(in) {
				t.Errorf("%d bytes of data set from %d bytes", n, len(in))
			}
			return Reply{}
		})}, limits: Limits{}.withDefaults(), timeouts: Timeouts{}.withDefaults(), places: make(chan struct{}, 1), open: map[*Association]bool{}}
		s.ctx, s.cancel = context.WithCancelCause(context.Background())
		defer s.cancel(nil)
		a, err := s.serve(c)
		if a != nil && a.Err() == nil {
			t.Error("an association ended for no reason")
		}
		_ = err
		var out ul.Scanner
		for b := c.sent.Bytes(); ; {
			ev, n, err := out.Next(b)
			b = b[n:]
			if errors.Is(err, ul.ErrTLS) || errors.Is(err, ul.ErrHTTP) {
				break // answered in the peer's own language
			}
			if err != nil {
				t.Fatalf("what was answered is no PDU: %v", err)
			}
			if ev.Kind == ul.Need {
				break
			}
		}
	})
}
