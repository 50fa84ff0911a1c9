// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
)

// dialer is a modality of ours, with the certificate of ct-1.
func (p *place) dialer(device string) *dicomnet.Dialer {
	p.t.Helper()
	client, err := p.trust(identity.DICOMNode, device).Client(trust.ClientOptions{Device: "gateway"})
	if err != nil {
		p.t.Fatal(err)
	}
	return &dicomnet.Dialer{CallingAE: "CT1", CalledAE: "ASEPSIS", Handshake: client.Handshake,
		Contexts: []dicomnet.Proposal{{AbstractSyntax: gatewaytest.CTStorage, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}}}}
}

// halfway reads a data set, and stops in the middle until it may go on.
type halfway struct {
	first, rest io.Reader
	reached     chan struct{}
	on          chan struct{}
	over        bool
}

func (h *halfway) Read(p []byte) (int, error) {
	if n, err := h.first.Read(p); n > 0 || !errors.Is(err, io.EOF) {
		return n, err
	}
	if !h.over {
		h.over = true
		close(h.reached)
		<-h.on
	}
	return h.rest.Read(p)
}

func TestARevocationDuringATransferDoesWhatTheBindingSays(t *testing.T) {
	for _, c := range []struct {
		choice      string
		first, next bool // whether the instance under way and the next one are taken
	}{
		{"cut", false, false},
		{"finish", true, false},
		{"alarm", true, true},
	} {
		t.Run(c.choice, func(t *testing.T) {
			b := ct()
			b.OnRevocation = c.choice
			p := newPlace(t, options{bindings: []control.Binding{b}})
			d := p.dialer("ct-1")
			a, err := d.Dial(t.Context(), p.g.Addr(KindTLS).String())
			if err != nil {
				t.Fatal(err)
			}
			defer a.Abort()
			data := dataset(t, gatewaytest.CTStorage, "1.2.3.1", "FICT-0001", 1<<20)
			h := &halfway{first: bytes.NewReader(data[:len(data)/2]), rest: bytes.NewReader(data[len(data)/2:]), reached: make(chan struct{}), on: make(chan struct{})}
			stored := make(chan error, 1)
			go func() {
				_, err := a.Store(t.Context(), dicomnet.Instance{SOPClass: gatewaytest.CTStorage, SOPInstance: "1.2.3.1", TransferSyntax: dicom.ExplicitVRLittleEndian, Data: h})
				stored <- err
			}()
			<-h.reached
			gatewaytest.Until(t, "the transfer to be under way", func() bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				for _, x := range p.shown {
					if x.Doing == "C-STORE" {
						return true
					}
				}
				return false
			})
			live := p.g.d.Trust.Live("ct-1")
			if len(live) != 1 || string(live[0].Choice) != c.choice {
				t.Fatalf("beforehand it is said: %+v", live)
			}
			if _, err := p.site.Revoke(t.Context(), identity.Revocation{Serials: []string{live[0].Peer.Serial}, Reason: identity.KeyCompromise}); err != nil {
				t.Fatal(err)
			}
			close(h.on)
			if err := <-stored; (err == nil) != c.first {
				t.Errorf("the instance under way: %v", err)
			}
			if n := len(p.vault.all()); (n == 1) != c.first {
				t.Errorf("%d instances are kept", n)
			}
			_, err = a.Store(t.Context(), dicomnet.Instance{SOPClass: gatewaytest.CTStorage, SOPInstance: "1.2.3.2", TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(dataset(t, gatewaytest.CTStorage, "1.2.3.2", "FICT-0001", 512))})
			if (err == nil) != c.next {
				t.Errorf("the next instance: %v", err)
			}
			if c.next {
				return
			}
			gatewaytest.Until(t, "the end", func() bool { return len(p.ended()) == 1 })
			if got := p.ended()[0]; got.Problem != CutOff || got.Device != "ct-1" {
				t.Errorf("%+v", got)
			}
			if _, err := d.Dial(t.Context(), p.g.Addr(KindTLS).String()); err == nil {
				t.Error("it is let in again")
			}
		})
	}
}

func TestABindingThatIsTakenAwayEndsTheAssociationWithTheNextRequest(t *testing.T) {
	p := newPlace(t, options{})
	a, err := p.dialer("ct-1").Dial(t.Context(), p.g.Addr(KindTLS).String())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Abort()
	send := func(uid string) error {
		_, err := a.Store(t.Context(), dicomnet.Instance{SOPClass: gatewaytest.CTStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(dataset(t, gatewaytest.CTStorage, uid, "FICT-0001", 512))})
		return err
	}
	if err := send("1.2.3.1"); err != nil {
		t.Fatal(err)
	}
	if problems, err := p.binds.Replace(nil, p.binds.Revision()); err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v", problems, err)
	}
	var status *dicomnet.StatusError
	if err := send("1.2.3.2"); !errors.As(err, &status) || status.Status != statusNotAuthorised {
		t.Errorf("it is told %v", err)
	}
	<-a.Done()
	gatewaytest.Until(t, "the end", func() bool { return len(p.ended()) == 1 })
	if got := p.ended()[0]; got.Problem != UnboundDevice {
		t.Errorf("%+v", got)
	}
	if len(p.vault.all()) != 1 {
		t.Error("it was taken")
	}
}

func TestACommandForAnotherClassThanItsContextIsRefused(t *testing.T) {
	p := newPlace(t, options{})
	a, err := p.dialer("ct-1").Dial(t.Context(), p.g.Addr(KindTLS).String())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Abort()
	pc, err := a.Info().Select(gatewaytest.CTStorage, false)
	if err != nil {
		t.Fatal(err)
	}
	rsp, err := a.Do(t.Context(), pc.ID, storeCommand(gatewaytest.MRStorage, "1.2.3.1"), bytes.NewReader(dataset(t, gatewaytest.MRStorage, "1.2.3.1", "FICT-0001", 512)), nil)
	if err != nil || rsp.Status != statusClass {
		t.Errorf("%v, %v", rsp.Status, err)
	}
	rsp, err = a.Do(t.Context(), pc.ID, storeCommand(gatewaytest.CTStorage, "../../etc/passwd"), bytes.NewReader(dataset(t, gatewaytest.CTStorage, "1.2.3.1", "FICT-0001", 512)), nil)
	if err != nil || rsp.Status != statusInstance {
		t.Errorf("%v, %v", rsp.Status, err)
	}
	if len(p.vault.all()) != 0 {
		t.Error("it was taken")
	}
}
