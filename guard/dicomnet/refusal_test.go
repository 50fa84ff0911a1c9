// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

func echoDialer(called string) *Dialer {
	return &Dialer{CallingAE: "CT_OR3", CalledAE: called, Contexts: []Proposal{{AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: UncompressedSyntaxes()}}}
}

func TestRefusalsOfDCMTKAreNamed(t *testing.T) {
	need(t, "storescp", "dcmqrscp")
	for _, tc := range []struct {
		name string
		args []string
		want string
		hint string
	}{
		{"it refuses every association", []string{"storescp", "--refuse"}, "no-reason-given (rejected-permanent, service-user)", ""},
		{"it has no such called AE title", nil, "called-ae-title-not-recognized", "AE titles are case-sensitive"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			port := freePort(t)
			if tc.args == nil {
				port = qrscp(t, &archive{t: t}, "104")
			} else {
				start(t, t.TempDir(), tc.args[0], append(tc.args[1:], port)...)
				listening(t, port)
			}
			_, err := echoDialer("WRONG").Dial(t.Context(), "127.0.0.1:"+port)
			var r *RejectedError
			if !errors.As(err, &r) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(hint(err), tc.hint) {
				t.Errorf("%v (hint %q)", err, hint(err))
			}
		})
	}
	t.Run("nothing listens", func(t *testing.T) {
		_, err := echoDialer("ARCHIVE").Dial(t.Context(), "127.0.0.1:"+freePort(t))
		if err == nil || !strings.Contains(hint(err), "nothing listens on that port") {
			t.Errorf("%v (hint %q)", err, hint(err))
		}
	})
	t.Run("it takes no context that we propose", func(t *testing.T) {
		port := freePort(t)
		start(t, t.TempDir(), "storescp", port)
		listening(t, port)
		d := echoDialer("ARCHIVE")
		d.Contexts[0].AbstractSyntax = "1.2.3.4"
		_, err := d.Dial(t.Context(), "127.0.0.1:"+port)
		var c *ContextError
		if !errors.As(err, &c) || !strings.Contains(err.Error(), "abstract-syntax-not-supported") {
			t.Errorf("%v", err)
		}
	})
}

func TestAbortsOfDCMTKAreNamed(t *testing.T) {
	need(t, "storescp")
	for _, when := range []string{"--abort-after", "--abort-during"} {
		port := freePort(t)
		start(t, t.TempDir(), "storescp", when, "-aet", "ARCHIVE", port)
		listening(t, port)
		a := dial(t, &Dialer{}, port)
		_, err := a.Store(t.Context(), Instance{SOPClass: ctStorage, SOPInstance: "1.2.3", TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(instance("1.2.3", 8<<20))})
		var aborted *AbortedError
		if err == nil { // it aborts after the response
			<-a.Done()
			err = a.Err()
		}
		if !errors.As(err, &aborted) || aborted.SourceName() != "service-user" {
			t.Errorf("%s: %v", when, err)
		}
		if err := a.Echo(t.Context()); !errors.As(err, &aborted) {
			t.Errorf("%s: afterwards: %v", when, err)
		}
	}
}

func TestDCMTKIsToldWhyItIsRefused(t *testing.T) {
	need(t, "echoscu")
	r := newReceiver()
	s := &Server{MaxAssociations: 1, Negotiate: func(_ context.Context, n *Negotiation) error {
		switch {
		case n.Request.CalledAE != "ARCHIVE":
			return &RejectedError{Reject: RejectCalledAE, Why: "there is no such AE here"}
		case n.Request.CallingAE == "STRANGER":
			return &RejectedError{Reject: RejectCallingAE}
		case n.Request.CallingAE == "BROKEN":
			return errors.New("the directory of devices cannot be read")
		}
		return nil
	}}
	port := serve(t, s, r)
	first := dial(t, &Dialer{}, port)
	for _, tc := range []struct{ calling, called, dcmtk, ours string }{
		{"CT_OR3", "WRONG", "Called AE Title Not Recognized", "there is no such AE here"},
		{"STRANGER", "ARCHIVE", "Calling AE Title Not Recognized", "calling-ae-title-not-recognized"},
		{"BROKEN", "ARCHIVE", "No Reason", "the directory of devices cannot be read"},
		{"CT_OR4", "ARCHIVE", "Local Limit Exceeded", "as many associations are open as may be"},
	} {
		before := len(r.ends())
		out, err := run(t, "", "echoscu", "-v", "-aet", tc.calling, "-aec", tc.called, "127.0.0.1", port)
		if err == nil || !strings.Contains(out, tc.dcmtk) {
			t.Errorf("%s to %s: %v\n%s", tc.calling, tc.called, err, out)
		}
		until(t, "the end", func() bool { return len(r.ends()) > before })
		e := r.ends()[before]
		var rejected *RejectedError
		if !errors.As(e.Err, &rejected) || !rejected.ByUs || !strings.Contains(e.Err.Error(), tc.ours) || e.Association != nil {
			t.Errorf("%s to %s: %v", tc.calling, tc.called, e.Err)
		}
	}
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the place to be free", func() bool {
		_, err := run(t, "", "echoscu", "-aet", "CT_OR4", "-aec", "ARCHIVE", "127.0.0.1", port)
		return err == nil
	})
}

// rawPeer is a requestor that sends what no real peer sends.
type rawPeer struct {
	net.Conn
	t *testing.T
}

func rawDial(t *testing.T, port string) *rawPeer {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &rawPeer{c, t}
}

func requestPDU(t testing.TB, change func(*ul.Associate)) []byte {
	t.Helper()
	rq := &ul.Associate{Type: ul.TypeAssociateRQ, ProtocolVersion: 1, CalledAE: "ARCHIVE", CallingAE: "RAW", ApplicationContext: dicom.UIDDICOMApplicationContext,
		Contexts: []ul.PresentationContext{{ID: 1, AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: UncompressedSyntaxes()}, {ID: 3, AbstractSyntax: ctStorage, TransferSyntaxes: UncompressedSyntaxes()},
			{ID: 5, AbstractSyntax: "1.2.840.10008.1.20.1", TransferSyntaxes: UncompressedSyntaxes()}}, User: ul.UserInformation{MaxLength: 16384, ImplUID: "1.2.3"}}
	if change != nil {
		change(rq)
	}
	b, err := ul.AppendAssociate(nil, rq)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// associate asks for an association and reads the answer.
func (p *rawPeer) associate(change func(*ul.Associate)) {
	p.t.Helper()
	p.send(requestPDU(p.t, change))
	if typ, _ := p.pdu(); typ != ul.TypeAssociateAC {
		p.t.Fatalf("the answer to the association is %v", typ)
	}
}

func (p *rawPeer) send(b []byte) {
	p.t.Helper()
	if _, err := p.Write(b); err != nil {
		p.t.Error(err)
	}
}

// pdu reads the next PDU; type 0 is the end of the connection.
func (p *rawPeer) pdu() (ul.Type, []byte) {
	p.t.Helper()
	var h [6]byte
	if _, err := io.ReadFull(p, h[:]); err != nil {
		return 0, nil
	}
	body := make([]byte, uint32(h[2])<<24|uint32(h[3])<<16|uint32(h[4])<<8|uint32(h[5]))
	if _, err := io.ReadFull(p, body); err != nil {
		p.t.Error(err)
	}
	return ul.Type(h[0]), body
}

func echoCommand(id uint16) []byte {
	c := dimse.Command{Field: dimse.CEchoRQ, MessageID: id, Present: dimse.HasMessageID, AffectedSOPClass: dicom.UIDVerification, DataSetType: dimse.NoDataSet}
	return c.Append(nil)
}

func storeCommand(id uint16) []byte {
	c := dimse.Command{Field: dimse.CStoreRQ, MessageID: id, Present: dimse.HasMessageID, AffectedSOPClass: ctStorage, AffectedSOPInstance: "1.2.3", DataSetType: 1}
	return c.Append(nil)
}

// TestBrokenPeersAreAbortedWithTheReason is what no DCMTK program can be made to send.
func TestBrokenPeersAreAbortedWithTheReason(t *testing.T) {
	cmd := func(context uint8, b []byte) []byte { return ul.AppendPData(nil, context, true, b, 0) }
	data := func(context uint8, n int) []byte { return ul.AppendPData(nil, context, false, make([]byte, n), 0) }
	notLast := func(b []byte) []byte { b[11] &^= 2; return b }
	for _, tc := range []struct {
		name  string
		bytes []byte
		abort []byte // source and reason
		want  string
	}{
		{"a second association request", requestPDU(t, nil), []byte{2, 2}, "a PDU that may not come now"},
		{"an answer to a release that was not asked for", ul.AppendReleaseRP(nil), []byte{2, 2}, "a PDU that may not come now"},
		{"a PDU of unknown type", []byte{0x42, 0, 0, 0, 0, 4, 0, 0, 0, 0}, []byte{2, 1}, "the peer does not speak DICOM"},
		{"a release of the wrong length", []byte{5, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0}, []byte{2, 6}, "length is not 4"},
		{"a PDU longer than the maximum", []byte{4, 0, 0, 2, 0, 17, 0, 0, 0, 4, 1, 3}, []byte{2, 6}, "P-DATA-TF PDU too long"},
		{"a PDV longer than its PDU", []byte{4, 0, 0, 0, 0, 8, 0, 0, 0, 9, 1, 3, 0, 0}, []byte{2, 6}, "longer than its PDU"},
		{"a data set without a command", data(1, 10), []byte{2, 6}, "a data set without a command"},
		{"a context that was not accepted", cmd(5, echoCommand(1)), []byte{2, 6}, "presentation context 5, which was not accepted"},
		{"a context that was not proposed", cmd(99, echoCommand(1)), []byte{2, 6}, "presentation context 99"},
		{"a command that ends in an element", cmd(1, []byte{0, 0, 0, 1, 2}), []byte{2, 6}, "a command that cannot be read"},
		{"a command set that never ends", bytes.Repeat(notLast(cmd(1, make([]byte, 16000))), 2), []byte{2, 6}, "a command set longer than 16384 bytes"},
		{"a response to nothing", cmd(1, (&dimse.Command{Field: dimse.CEchoRQ | dimse.ResponseBit, RespondedTo: 7, Present: dimse.HasRespondedTo | dimse.HasStatus, DataSetType: dimse.NoDataSet}).Append(nil)), []byte{2, 6}, "C-ECHO-RSP to message 7"},
		{"messages that are interleaved", bytes.Join([][]byte{cmd(3, storeCommand(1)), notLast(data(3, 10)), cmd(1, echoCommand(2))}, nil), []byte{2, 6}, "interleaved"},
		{"a cancel with a data set", cmd(1, (&dimse.Command{Field: dimse.CCancelRQ, RespondedTo: 7, Present: dimse.HasRespondedTo, DataSetType: 1}).Append(nil)), []byte{2, 6}, "C-CANCEL-RQ with a data set"},
		{"TLS in the middle", []byte{0x16, 3, 1, 2, 0, 1}, []byte{2, 6}, "the peer speaks TLS"},
		{"a release in the middle of a message", append(cmd(3, storeCommand(1)), ul.AppendReleaseRQ(nil)...), []byte{2, 6}, "A-RELEASE-RQ inside a message"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newReceiver()
			port := serve(t, &Server{Timeouts: Timeouts{Close: time.Second, PDU: 5 * time.Second}}, r)
			p := rawDial(t, port)
			p.associate(nil)
			p.send(tc.bytes)
			for {
				typ, body := p.pdu()
				if typ == ul.TypePData {
					continue
				}
				if tc.abort != nil && (typ != ul.TypeAbort || !bytes.Equal(body[2:], tc.abort)) {
					t.Errorf("it is told %v % x", typ, body)
				}
				break
			}
			_ = p.Close()
			until(t, "the end", func() bool { return len(r.ends()) == 1 })
			if e := r.ends()[0]; e.Err == nil || !strings.Contains(e.Err.Error(), tc.want) {
				t.Errorf("%v, want %q", e.Err, tc.want)
			}
		})
	}
}

func TestRequestsThatCannotBeServedAreRejected(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*ul.Associate)
		want   ul.Reject
	}{
		{"no protocol version 1", func(a *ul.Associate) { a.ProtocolVersion = 2 }, RejectVersion},
		{"another application context", func(a *ul.Associate) { a.ApplicationContext = "1.2.3" }, RejectApplication},
		{"no calling AE title", func(a *ul.Associate) { a.CallingAE = "" }, RejectCallingAE},
		{"no presentation context", func(a *ul.Associate) { a.Contexts = nil }, RejectNoReason},
		{"an even context ID", func(a *ul.Associate) { a.Contexts[0].ID = 2 }, RejectNoReason},
		{"a context ID twice", func(a *ul.Associate) { a.Contexts[1].ID = 1 }, RejectNoReason},
		{"129 contexts", func(a *ul.Associate) {
			a.Contexts = nil
			for i := range 129 {
				a.Contexts = append(a.Contexts, ul.PresentationContext{ID: uint8(2*i + 1), AbstractSyntax: ctStorage, TransferSyntaxes: UncompressedSyntaxes()})
			}
		}, RejectLimit},
	} {
		port := serve(t, &Server{}, newReceiver())
		p := rawDial(t, port)
		p.send(requestPDU(t, tc.change))
		typ, body := p.pdu()
		if typ != ul.TypeAssociateRJ || (ul.Reject{Result: body[1], Source: body[2], Reason: body[3]}) != tc.want {
			t.Errorf("%s: %v % x", tc.name, typ, body)
		}
		p.Close()
	}
	p := rawDial(t, serve(t, &Server{}, newReceiver()))
	p.associate(func(a *ul.Associate) { // one inside the edge
		a.Contexts = nil
		for i := range 128 {
			a.Contexts = append(a.Contexts, ul.PresentationContext{ID: uint8(2*i + 1), AbstractSyntax: ctStorage, TransferSyntaxes: UncompressedSyntaxes()})
		}
	})
}

// TestWhatAServerMayNotAnswer is about our requestor and a broken acceptor.
func TestWhatAServerMayNotAnswer(t *testing.T) {
	ac := func(change func(*ul.Associate)) []byte {
		a := &ul.Associate{Type: ul.TypeAssociateAC, ProtocolVersion: 1, CalledAE: "ARCHIVE", CallingAE: "CT_OR3", ApplicationContext: dicom.UIDDICOMApplicationContext,
			Contexts: []ul.PresentationContext{{ID: 1, TransferSyntaxes: []string{dicom.ImplicitVRLittleEndian}}}, User: ul.UserInformation{MaxLength: 16384, ImplUID: "1.2.3"}}
		change(a)
		b, err := ul.AppendAssociate(nil, a)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, tc := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"a context that was not proposed", ac(func(a *ul.Associate) { a.Contexts[0].ID = 7 }), "presentation context 7, which was not proposed"},
		{"a transfer syntax that was not proposed", ac(func(a *ul.Associate) { a.Contexts[0].TransferSyntaxes[0] = "1.2.3" }), "a transfer syntax that was not proposed"},
		{"two transfer syntaxes", ac(func(a *ul.Associate) { a.Contexts[0].TransferSyntaxes = UncompressedSyntaxes() }), "a transfer syntax that was not proposed"},
		{"a maximum length without room", ac(func(a *ul.Associate) { a.User.MaxLength = 7 }), "leaves no room for data"},
		{"data before the answer", ul.AppendPData(nil, 1, true, echoCommand(1), 0), "instead of an answer to the association request"},
		{"a release", ul.AppendReleaseRQ(nil), "instead of an answer to the association request"},
		{"nothing at all", nil, "closed the connection instead of answering"},
		{"HTTP", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), "the peer speaks HTTP"},
		{"a TLS alert", []byte{21, 3, 1, 0, 2, 2, 10}, "the peer speaks TLS"},
		{"SSH", []byte("SSH-2.0-OpenSSH\r\n"), "the peer does not speak DICOM"},
		{"an abort", ul.AppendAbort(nil, ul.Abort{Source: 2, Reason: 2}), "unexpected-pdu) while answering the association request"},
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			c, err := ln.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			p := &rawPeer{c, t}
			p.pdu()
			_, _ = c.Write(tc.bytes)
		}()
		_, err = echoDialer("ARCHIVE").Dial(t.Context(), ln.Addr().String())
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
		<-done
		ln.Close()
	}
}

func TestDialersRefuseWhatCannotBeProposed(t *testing.T) {
	many := make([]Proposal, 129)
	for i := range many {
		many[i] = Proposal{AbstractSyntax: ctStorage, TransferSyntaxes: UncompressedSyntaxes()}
	}
	for want, d := range map[string]*Dialer{
		"an AE title is empty":            {CalledAE: "A", Contexts: many[:1]},
		"no presentation context":         {CallingAE: "A", CalledAE: "A"},
		"129 presentation contexts":       {CallingAE: "A", CalledAE: "A", Contexts: many},
		"no transfer syntax":              {CallingAE: "A", CalledAE: "A", Contexts: []Proposal{{AbstractSyntax: ctStorage}}},
		"AE title longer than 16 charact": {CallingAE: "12345678901234567", CalledAE: "A", Contexts: many[:1]},
	} {
		if _, err := d.Dial(t.Context(), "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
