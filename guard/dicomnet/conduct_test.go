// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

const commitment = "1.2.840.10008.1.20.1"

func TestTheRequestorOfAReleaseCollisionAnswersFirst(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	peer := make(chan *rawPeer)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		p := &rawPeer{c, t}
		_ = c.SetDeadline(time.Now().Add(patience))
		p.pdu()
		ac := &ul.Associate{Type: ul.TypeAssociateAC, ProtocolVersion: 1, CalledAE: "ARCHIVE", CallingAE: "CT_OR3", ApplicationContext: dicom.UIDDICOMApplicationContext,
			Contexts: []ul.PresentationContext{{ID: 1, TransferSyntaxes: []string{dicom.ImplicitVRLittleEndian}}}, User: ul.UserInformation{MaxLength: 16384, ImplUID: "1.2.3"}}
		b, _ := ul.AppendAssociate(nil, ac)
		p.send(b)
		peer <- p
	}()
	a, err := echoDialer("ARCHIVE").Dial(t.Context(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := <-peer
	// The requestor's release must be out before it reads the peer's.
	action, err := a.step(ul.RequestRelease)
	if err != nil || action != ul.AR1 {
		t.Fatalf("%v, %v", action, err)
	}
	if err := a.wr.pdu(ul.AppendReleaseRQ(nil)); err != nil {
		t.Fatal(err)
	}
	p.send(ul.AppendReleaseRQ(nil))
	if typ, _ := p.pdu(); typ != ul.TypeReleaseRQ {
		t.Errorf("got %v", typ)
	}
	// The acceptor of the collision (Sta10) waits for the requestor's answer, then answers itself.
	if typ, _ := p.pdu(); typ != ul.TypeReleaseRP {
		t.Errorf("the requestor does not answer first: %v", typ)
	}
	p.send(ul.AppendReleaseRP(nil))
	p.Close()
	<-a.Done()
	if !errors.Is(a.Err(), ErrReleased) {
		t.Error(a.Err())
	}
	ln.Close()
}

func TestTheAcceptorOfAReleaseCollisionAnswersLast(t *testing.T) {
	r := newReceiver()
	established := make(chan *Association, 1)
	port := serve(t, &Server{Established: func(a *Association) { established <- a }}, r)
	p := rawDial(t, port)
	p.associate(nil)
	a := <-established
	released := make(chan error, 1)
	go func() { released <- a.Release(context.Background()) }()
	if typ, _ := p.pdu(); typ != ul.TypeReleaseRQ {
		t.Fatalf("got %v", typ)
	}
	p.send(ul.AppendReleaseRQ(nil)) // Sta7, Evt12: collision
	p.send(ul.AppendReleaseRP(nil)) // Sta10, Evt13
	if typ, _ := p.pdu(); typ != ul.TypeReleaseRP {
		t.Errorf("the answer is %v", typ)
	}
	p.Close()
	if err := <-released; err != nil {
		t.Error(err)
	}
}

// TestAPeerThatStopsIsCutOff lets every wait of an association run out.
func TestAPeerThatStopsIsCutOff(t *testing.T) {
	quick := Timeouts{Associate: 50 * time.Millisecond, PDU: 50 * time.Millisecond, Idle: 50 * time.Millisecond, Close: 20 * time.Millisecond}
	store := ul.AppendPData(nil, 3, true, storeCommand(1), 0)
	part := ul.AppendPData(nil, 3, false, make([]byte, 1000), 0)
	part[11] = 0 // not the last fragment
	for _, tc := range []struct {
		name string
		play func(p *rawPeer)
		want string
	}{
		{"before the association request", func(*rawPeer) {}, "waiting for an association request"},
		{"in the association request", func(p *rawPeer) { p.send(requestPDU(t, nil)[:20]) }, "waiting for an association request"},
		{"after the association", func(p *rawPeer) { p.associate(nil) }, "nothing was asked for in 50ms"},
		{"in a PDU", func(p *rawPeer) { p.associate(nil); p.send(store[:30]) }, "a PDU was not complete after 50ms"},
		{"between the PDUs of a message", func(p *rawPeer) { p.associate(nil); p.send(store); p.send(part) }, "a message did not go on for 50ms"},
		{"after each byte", func(p *rawPeer) {
			p.associate(nil)
			for _, b := range store {
				if _, err := p.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Millisecond) // the slowness is what is tested
			}
		}, "a PDU was not complete after 50ms"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newReceiver()
			p := rawDial(t, serve(t, &Server{Timeouts: quick}, r))
			tc.play(p)
			until(t, "the end", func() bool { return len(r.ends()) == 1 })
			if e := r.ends()[0]; !errors.Is(e.Err, ErrTimeout) || !strings.Contains(e.Err.Error(), tc.want) {
				t.Errorf("%v, want %q", e.Err, tc.want)
			}
		})
	}
	t.Run("without answering an operation", func(t *testing.T) {
		silent := make(chan struct{})
		defer close(silent)
		port := serve(t, &Server{Handler: HandlerFunc(func(ctx context.Context, _ *Request) Reply {
			select {
			case <-silent:
			case <-ctx.Done():
			}
			return Reply{}
		})}, newReceiver())
		a := dial(t, &Dialer{Timeouts: Timeouts{Response: 50 * time.Millisecond}}, port)
		if err := a.Echo(t.Context()); !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "no response to C-ECHO in 50ms") {
			t.Errorf("%v", err)
		}
		if err := a.Echo(t.Context()); !errors.Is(err, ErrTimeout) {
			t.Errorf("an association that was left in the middle of an operation is used again: %v", err)
		}
	})
}

func TestAMessageSlowerThanTheMinimumRateIsCutOff(t *testing.T) {
	r := newReceiver()
	p := rawDial(t, serve(t, &Server{Timeouts: Timeouts{PDU: 100 * time.Millisecond, Close: 20 * time.Millisecond}, Limits: Limits{MinRate: 1 << 20}}, r))
	p.associate(nil)
	p.send(ul.AppendPData(nil, 3, true, storeCommand(1), 0))
	part := ul.AppendPData(nil, 3, false, make([]byte, 10), 0)
	part[11] = 0
	for len(r.ends()) == 0 { // every PDU is in time
		if _, err := p.Write(part); err != nil {
			break
		}
		time.Sleep(5 * time.Millisecond) // the slowness is what is tested
	}
	until(t, "the end", func() bool { return len(r.ends()) == 1 })
	if e := r.ends()[0]; !errors.Is(e.Err, ErrTimeout) || !strings.Contains(e.Err.Error(), "slower than 1048576 bytes a second") {
		t.Errorf("%v", e.Err)
	}
}

func TestAHalfClosedPeerIsAnsweredAndNamed(t *testing.T) {
	r := newReceiver()
	p := rawDial(t, serve(t, &Server{}, r))
	p.associate(nil)
	p.send(ul.AppendPData(nil, 1, true, echoCommand(1), 0))
	if err := p.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if typ, _ := p.pdu(); typ != ul.TypePData {
		t.Errorf("the request before the close is answered with %v", typ)
	}
	until(t, "the end", func() bool { return len(r.ends()) == 1 })
	if e := r.ends()[0]; !strings.Contains(e.Err.Error(), "closed the connection without releasing") {
		t.Errorf("%v", e.Err)
	}
}

// TestTheWindowIsWhatWasNegotiated counts how many requests are served at once.
func TestTheWindowIsWhatWasNegotiated(t *testing.T) {
	for _, tc := range []struct{ propose, perform, want int }{{1, 8, 1}, {4, 8, 4}, {8, 3, 3}} {
		var mu sync.Mutex
		now, most := 0, 0
		full := make(chan struct{})
		h := HandlerFunc(func(ctx context.Context, r *Request) Reply {
			if _, err := io.Copy(io.Discard, r.Data); err != nil {
				return Reply{Status: 0xA700}
			}
			mu.Lock()
			now++
			if most = max(most, now); most == tc.want {
				select {
				case <-full:
				default:
					close(full)
				}
			}
			mu.Unlock()
			select {
			case <-full:
			case <-ctx.Done():
			}
			mu.Lock()
			now--
			mu.Unlock()
			return Reply{}
		})
		port := serve(t, &Server{Handler: h, Limits: Limits{Perform: uint16(tc.perform)}}, newReceiver())
		a := dial(t, &Dialer{Limits: Limits{Invoke: uint16(tc.propose)}}, port)
		if a.Info().Invoke != tc.want {
			t.Errorf("window %d, want %d", a.Info().Invoke, tc.want)
		}
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				uid := fmt.Sprintf("1.2.3.%d", i)
				if _, err := a.Store(t.Context(), Instance{SOPClass: ctStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(instance(uid, 20_000))}); err != nil {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		if most != tc.want {
			t.Errorf("%d requests were served at once, want %d", most, tc.want)
		}
		if err := a.Release(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestNormalisedServicesGoThereAndBack(t *testing.T) {
	attributes := dataset(t, dicom.ExplicitVRLittleEndian, func(w *dicom.Writer) { w.Text(dicom.TagPerformedProcedureStepStatus, dicom.CS, "IN PROGRESS") })
	var seen []string
	reported := make(chan error, 1)
	h := HandlerFunc(func(ctx context.Context, r *Request) Reply {
		got := ""
		if r.Data != nil {
			got = values(t, r.Data, r.Context.TransferSyntax)["PerformedProcedureStepStatus"]
		}
		c := r.Command
		seen = append(seen, fmt.Sprintf("%v %s %d %v %s", c.Field, c.SOPInstance(), c.ActionType, c.AttributeList, got))
		switch c.Field {
		case dimse.NCreateRQ:
			return Reply{SOPInstance: "1.2.3.4"}
		case dimse.NGetRQ:
			return Reply{Data: bytes.NewReader(attributes)}
		case dimse.NSetRQ:
			return Reply{Status: 0x0107, Offending: []dicom.Tag{dicom.TagPatientID}, Comment: "one was ignored"}
		case dimse.NDeleteRQ:
			return Reply{Status: 0x0112}
		case dimse.NActionRQ:
			_, err := r.Association.EventReport(ctx, Object{SOPClass: commitment, SOPInstance: "1.2.840.10008.1.20.1.1", Type: 1, Data: bytes.NewReader(attributes)}, nil)
			reported <- err
		}
		return Reply{}
	})
	port := serve(t, &Server{Handler: h, Services: []Service{{AbstractSyntax: commitment}}}, newReceiver())
	events := make(chan string, 1)
	a := dial(t, &Dialer{Contexts: []Proposal{{AbstractSyntax: commitment, TransferSyntaxes: UncompressedSyntaxes()}}, Handler: HandlerFunc(func(_ context.Context, r *Request) Reply {
		events <- fmt.Sprintf("%v %d %s", r.Command.Field, r.Command.EventType, values(t, r.Data, r.Context.TransferSyntax)["PerformedProcedureStepStatus"])
		return Reply{}
	})}, port)
	o := Object{SOPClass: commitment, SOPInstance: "1.2.3"}
	with := o
	with.Data = bytes.NewReader(attributes)
	create := with
	create.SOPInstance = ""
	if rsp, err := a.Create(t.Context(), create, nil); err != nil || rsp.AffectedSOPInstance != "1.2.3.4" {
		t.Errorf("create: %+v, %v", rsp, err)
	}
	with.Data = bytes.NewReader(attributes)
	if rsp, err := a.Set(t.Context(), with, nil); err != nil || rsp.Status != 0x0107 || len(rsp.OffendingElement) != 1 || rsp.ErrorComment != "one was ignored" {
		t.Errorf("set: %+v, %v", rsp, err)
	}
	get := o
	get.Attributes = []dicom.Tag{dicom.TagPerformedProcedureStepStatus}
	status := ""
	if _, err := a.GetAttributes(t.Context(), get, func(r *Response) error {
		status = values(t, r.Data, dicom.ExplicitVRLittleEndian)["PerformedProcedureStepStatus"]
		return nil
	}); err != nil || status != "IN PROGRESS" {
		t.Errorf("get: %q, %v", status, err)
	}
	action := o
	action.Type = 1
	if _, err := a.Action(t.Context(), action, nil); err != nil {
		t.Errorf("action: %v", err)
	}
	if err := <-reported; err != nil {
		t.Errorf("event report: %v", err)
	}
	if e := <-events; e != "N-EVENT-REPORT-RQ 1 IN PROGRESS" {
		t.Errorf("event %q", e)
	}
	var failure *StatusError
	if _, err := a.Delete(t.Context(), o); !errors.As(err, &failure) || failure.Status != 0x0112 {
		t.Errorf("delete: %v", err)
	}
	want := []string{"N-CREATE-RQ  0 [] IN PROGRESS", "N-SET-RQ 1.2.3 0 [] IN PROGRESS", "N-GET-RQ 1.2.3 0 [(0040,0252)] ", "N-ACTION-RQ 1.2.3 1 [] ", "N-DELETE-RQ 1.2.3 0 [] "}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("seen\n%q\nwant\n%q", seen, want)
	}
	// What only the SCP may ask for is refused from the SCU, and the other way round.
	pc, _ := a.Info().Select(commitment, false)
	if rsp, err := a.Do(t.Context(), pc.ID, dimse.Command{Field: dimse.NEventReportRQ, AffectedSOPClass: commitment}, nil, nil); err != nil || rsp.Status != statusUnrecognised {
		t.Errorf("an event report of the SCU: %v, %v", rsp.Status, err)
	}
	if err := a.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAHandlerThatFailsCostsItsAssociationOnly(t *testing.T) {
	r := newReceiver()
	h := HandlerFunc(func(ctx context.Context, rq *Request) Reply {
		if rq.Command.Field == dimse.CStoreRQ {
			panic("FICT-0001 is in this message")
		}
		return Reply{}
	})
	port := serve(t, &Server{Handler: h}, r)
	a, other := dial(t, &Dialer{}, port), dial(t, &Dialer{}, port)
	_, err := a.Store(t.Context(), Instance{SOPClass: ctStorage, SOPInstance: "1.2.3", TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(instance("1.2.3", 100))})
	var aborted *AbortedError
	if !errors.As(err, &aborted) {
		t.Errorf("%v", err)
	}
	until(t, "the end", func() bool { return len(r.ends()) == 1 })
	var bug *PanicError
	if e := r.ends()[0]; !errors.As(e.Err, &bug) || strings.Contains(e.Err.Error(), "FICT") || len(bug.Stack) == 0 {
		t.Errorf("%v", e.Err)
	}
	if err := other.Echo(t.Context()); err != nil {
		t.Errorf("another association: %v", err)
	}
}

func TestADataSetThatNobodyReadsIsPassedOver(t *testing.T) {
	port := serve(t, &Server{Handler: HandlerFunc(func(context.Context, *Request) Reply { return Reply{Status: 0xA700, Comment: "no"} })}, newReceiver())
	a := dial(t, &Dialer{}, port)
	for range 3 {
		_, err := a.Store(t.Context(), Instance{SOPClass: ctStorage, SOPInstance: "1.2.3", TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(instance("1.2.3", 1<<20))})
		var failure *StatusError
		if !errors.As(err, &failure) || failure.Status != 0xA700 || failure.Comment != "no" || strings.Contains(err.Error(), "no:") {
			t.Fatalf("%v", err)
		}
	}
	if err := a.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestASenderThatFailsInTheMiddleNeverLooksComplete: the receiver must not take the part for the whole.
func TestASenderThatFailsInTheMiddleNeverLooksComplete(t *testing.T) {
	got := make(chan error, 1)
	port := serve(t, &Server{Handler: HandlerFunc(func(_ context.Context, r *Request) Reply {
		_, err := io.Copy(io.Discard, r.Data)
		got <- err
		return Reply{}
	})}, newReceiver())
	a := dial(t, &Dialer{}, port)
	broken := errors.New("the disk is on fire")
	_, err := a.Store(t.Context(), Instance{SOPClass: ctStorage, SOPInstance: "1.2.3", TransferSyntax: dicom.ExplicitVRLittleEndian,
		Data: io.MultiReader(bytes.NewReader(instance("1.2.3", 1<<20)), &failing{broken})})
	if !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
	if err := <-got; err == nil {
		t.Error("the receiver saw a complete data set")
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func TestADataSetBeyondTheLimitIsAborted(t *testing.T) {
	r := newReceiver()
	data := instance("1.2.3", 100_000)
	for _, over := range []int{0, 1} {
		port := serve(t, &Server{Limits: Limits{DataSet: int64(len(data) - over)}}, r)
		a := dial(t, &Dialer{}, port)
		_, err := a.Store(t.Context(), Instance{SOPClass: ctStorage, SOPInstance: "1.2.3", TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(data)})
		if (err != nil) != (over > 0) {
			t.Errorf("%d bytes too many: %v", over, err)
		}
	}
}

func TestAServerThatIsStoppedFinishesWhatItServes(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	busy, finish := make(chan struct{}), make(chan struct{})
	s := &Server{Services: []Service{{AbstractSyntax: dicom.UIDVerification}, {AbstractSyntax: AnyStorage}}, Handler: HandlerFunc(func(context.Context, *Request) Reply {
		close(busy)
		<-finish
		return Reply{}
	})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, ln, patience) }()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	idle, working := dial(t, &Dialer{}, port), dial(t, &Dialer{}, port)
	answer := make(chan error)
	go func() { answer <- working.Echo(context.Background()) }()
	<-busy
	cancel()
	<-idle.Done()
	var aborted *AbortedError
	if !errors.As(idle.Err(), &aborted) {
		t.Errorf("the idle association ended with %v", idle.Err())
	}
	close(finish)
	if err := <-answer; err != nil {
		t.Errorf("the request under way: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-working.Done()
}

// TestTwoGigabytesAreStreamedInBoundedMemory sends an instance of 2 GB through both sides of this package.
func TestTwoGigabytesAreStreamedInBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("2 GB over the loopback: not in short mode")
	}
	const size = 2 << 30
	got := make(chan int64, 1)
	port := serve(t, &Server{Handler: HandlerFunc(func(_ context.Context, r *Request) Reply {
		n, err := io.Copy(io.Discard, r.Data)
		if err != nil {
			t.Error(err)
		}
		got <- n
		return Reply{}
	})}, newReceiver())
	a := dial(t, &Dialer{}, port)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := a.Store(t.Context(), Instance{SOPClass: ctStorage, SOPInstance: "1.2.3", TransferSyntax: dicom.ExplicitVRLittleEndian, Data: io.LimitReader(zeros{}, size)})
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := <-got; n != size {
		t.Errorf("%d bytes arrived, want %d", n, int64(size))
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
		t.Errorf("%d bytes were allocated on the way", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestReadingInAnyPiecesGivesTheSameBytes is about Data: Read, WriteTo and both mixed.
func TestReadingInAnyPiecesGivesTheSameBytes(t *testing.T) {
	data := instance("1.2.3", 300_000)
	want := sha256.Sum256(data)
	for _, piece := range []int{1, 7, 4096, 1 << 20} {
		got := make(chan [32]byte, 1)
		port := serve(t, &Server{Limits: Limits{MaxPDU: 4096, Buffer: 16 << 10}, Handler: HandlerFunc(func(_ context.Context, r *Request) Reply {
			h := sha256.New()
			buf := make([]byte, piece)
			for range 1000 {
				n, err := r.Data.Read(buf)
				h.Write(buf[:n])
				if err != nil {
					break
				}
			}
			if _, err := io.Copy(h, r.Data); err != nil {
				t.Error(err)
			}
			if r.Data.Size() != int64(len(data)) {
				t.Errorf("%d bytes", r.Data.Size())
			}
			got <- [32]byte(h.Sum(nil))
			return Reply{}
		})}, newReceiver())
		a := dial(t, &Dialer{}, port)
		if _, err := a.Store(t.Context(), Instance{SOPClass: ctStorage, SOPInstance: "1.2.3", TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(data)}); err != nil {
			t.Fatal(err)
		}
		if <-got != want {
			t.Errorf("pieces of %d bytes: what was read differs", piece)
		}
	}
}
