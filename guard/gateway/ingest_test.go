// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/wire/dicom"
)

// send has storescu send files over TLS as ct-1.
func (p *place) send(d gatewaytest.Credentials, files ...string) (string, error) {
	p.t.Helper()
	return gatewaytest.Run(p.t, "storescu", slices.Concat([]string{"-v"}, d.TLS(), []string{"-aet", "CT1", "-aec", "ASEPSIS", "127.0.0.1", p.port(KindTLS)}, files)...)
}

func TestAnAcknowledgedInstanceIsInTheJournalAndInTheLedger(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	p := newPlace(t, options{})
	d := p.enrol(identity.DICOMNode, "ct-1")
	path, data := image(t, "1.2.3.1", "FICT-0001")
	out, err := p.send(d, path)
	if err != nil || !strings.Contains(out, "Success") {
		t.Fatalf("%v\n%s", err, out)
	}
	r := p.vault.all()[0]
	sum := sha256.Sum256(data)
	if !bytes.Equal(p.vault.content(r.Number), data) || r.DataSet != hex.EncodeToString(sum[:]) || r.Bytes != int64(len(data)) {
		t.Errorf("what is kept is not what was sent: %+v", r)
	}
	if r.State != instance.Accepted || r.Sender.Device != "ct-1" || r.Sender.TLS != "TLSv1.3" || r.Sender.Certificate == "" || r.Sender.Theatre != "or-3" || len(r.Deliveries) != 1 || r.Study == "" || r.Modality != "CT" {
		t.Errorf("record %+v", r)
	}
	if !strings.HasPrefix(r.Patient, "p:") || strings.Contains(r.Patient, "FICT") {
		t.Errorf("the patient is %q", r.Patient)
	}
	gatewaytest.Until(t, "the record to name its entry", func() bool { return len(p.vault.all()[0].Entries) == 1 })
	s := p.log.entries[0]
	if s.Kind() != custody.Received || s.Subject[0].Digest["sha256"] != r.DataSet || s.Predicate.Device != "ct-1" || s.Predicate.Detail["verdict"] != "pass" || s.Predicate.Detail["peer_certificate"] != r.Sender.Certificate {
		t.Errorf("statement %+v", s)
	}
	for _, e := range p.seen() {
		if strings.Contains(e.Message+e.StatusDetail, "FICT") || strings.Contains(e.Message, "Petra") {
			t.Errorf("an event names the patient: %+v", e)
		}
	}
}

func TestTheVerdictDecidesWhatBecomesOfAnInstance(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	for _, c := range []struct {
		verdict string
		answer  string // of storescu
		states  []instance.State
		kinds   []custody.Kind
	}{
		{"pass", "Success", []instance.State{instance.Accepted}, []custody.Kind{custody.Received}},
		{"flag", "Success", []instance.State{instance.Accepted}, []custody.Kind{custody.Received}},
		{"sanitise", "Success", []instance.State{instance.Replaced, instance.Accepted}, []custody.Kind{custody.Received, custody.Decision, custody.Altered}},
		{"quarantine", "0x124", []instance.State{instance.Quarantined}, []custody.Kind{custody.Received, custody.Decision}},
		{"refuse", "CannotUnderstand", []instance.State{instance.Refused}, []custody.Kind{custody.Decision}},
	} {
		t.Run(c.verdict, func(t *testing.T) {
			p := newPlace(t, options{})
			d := p.enrol(identity.DICOMNode, "ct-1")
			path, data := image(t, "1.2.3.1", "FICT-"+c.verdict)
			out, _ := p.send(d, path)
			if !strings.Contains(strings.ReplaceAll(out, " ", ""), c.answer) {
				t.Errorf("want %s, the sender says\n%s", c.answer, out)
			}
			var states []instance.State
			for _, r := range p.vault.all() {
				states = append(states, r.State)
			}
			if !slices.Equal(states, c.states) {
				t.Errorf("states %v, want %v", states, c.states)
			}
			if kinds := p.log.kinds(); !slices.Equal(kinds, c.kinds) {
				t.Errorf("statements %v, want %v", kinds, c.kinds)
			}
			gatewaytest.Until(t, "the records to name their entries", func() bool {
				return !slices.ContainsFunc(p.vault.all(), func(r instance.Record) bool { return !told(&r) })
			})
			if c.verdict == "sanitise" {
				was, is := p.vault.all()[0], p.vault.all()[1]
				if was.Copy != is.Number || is.Original != was.Number || len(was.Deliveries) != 0 || len(is.Deliveries) != 1 || is.SOPInstance != "2.25.1" {
					t.Errorf("original %+v\ncopy %+v", was, is)
				}
				if !bytes.Equal(p.vault.content(was.Number), data) || bytes.Contains(p.vault.content(is.Number), []byte("sanitise")) {
					t.Error("the bytes of original or copy are not what they should be")
				}
			}
		})
	}
}

func TestTheSameAgainIsAcknowledgedAndNotKeptTwice(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	p := newPlace(t, options{})
	d := p.enrol(identity.DICOMNode, "ct-1")
	path, _ := image(t, "1.2.3.1", "FICT-0001")
	for range 2 {
		if out, err := p.send(d, path, path); err != nil || strings.Count(out, "Received Store Response (Success)") != 2 {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if n := len(p.vault.all()); n != 1 {
		t.Errorf("%d are kept", n)
	}
	if c := p.g.Counts(); c.Instances != 4 || c.Again != 3 {
		t.Errorf("counted %+v", c)
	}
	p.vault.set(func(v *vault) {
		r := v.records[1]
		r.Received = r.Received.Add(-2 * time.Hour)
		v.records[1] = r
	})
	if out, err := p.send(d, path); err != nil || len(p.vault.all()) != 2 {
		t.Errorf("after a while it is not taken anew: %v\n%s", err, out)
	}
}

func TestWhatWasGivenUpIsTriedAgainWhenItIsSentAgain(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	p := newPlace(t, options{})
	d := p.enrol(identity.DICOMNode, "ct-1")
	path, _ := image(t, "1.2.3.1", "FICT-0001")
	if out, err := p.send(d, path); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p.vault.set(func(v *vault) {
		r := v.records[1]
		r.Deliveries = []instance.Delivery{{Destination: "xr", Route: "all", State: instance.Dead, Attempts: 9}}
		v.records[1] = r
	})
	if out, err := p.send(d, path); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := p.vault.all()[0].Deliveries[0]; got.State != instance.Waiting || got.Attempts != 0 {
		t.Errorf("delivery %+v", got)
	}
}

func TestTheAnswerForWhatIsHeldIsConfigured(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	for answer, want := range map[string]string{AnswerWarning: "Warning: ElementsDiscarded", AnswerSuccess: "Success", AnswerRefuse: "0x124"} {
		t.Run(answer, func(t *testing.T) {
			p := newPlace(t, options{config: func(c *Config) { c.Ingest.Quarantine = answer }})
			path, _ := image(t, "1.2.3.1", "FICT-quarantine")
			out, _ := p.send(p.enrol(identity.DICOMNode, "ct-1"), path)
			if !strings.Contains(strings.ReplaceAll(out, " ", ""), strings.ReplaceAll(want, " ", "")) {
				t.Errorf("want %q\n%s", want, out)
			}
		})
	}
}

func TestAnInstanceThatNoRouteTakes(t *testing.T) {
	gatewaytest.Need(t, "storescu")
	for unrouted, want := range map[string]instance.State{UnroutedRefuse: instance.Refused, UnroutedKeep: instance.Accepted} {
		t.Run(unrouted, func(t *testing.T) {
			p := newPlace(t, options{config: func(c *Config) { c.Ingest.Unrouted = unrouted }})
			p.router.set(func(r *router) { r.none = true })
			path, _ := image(t, "1.2.3.1", "FICT-0001")
			out, _ := p.send(p.enrol(identity.DICOMNode, "ct-1"), path)
			if got := p.vault.all(); len(got) != 1 || got[0].State != want {
				t.Errorf("%+v\n%s", got, out)
			}
		})
	}
}

func TestOneInstanceThatComesTwiceAtOnceIsDecidedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		second string // patient of the second, which is its content
		states []instance.State
	}{
		"with the same content": {"FICT-0001", []instance.State{instance.Accepted}},
		"with other content":    {"FICT-0002", []instance.State{instance.Accepted, instance.Quarantined}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, options{})
			a := instance.Arrival{Sender: instance.Sender{Way: instance.STOW, Device: "ct-1", Association: "a"}, SOPClass: gatewaytest.CTStorage, SOPInstance: "1.2.3.1", TransferSyntax: dicom.ExplicitVRLittleEndian}
			slow := dataset(t, gatewaytest.CTStorage, "1.2.3.1", c.second, 512)
			h := &halfway{first: bytes.NewReader(slow[:100]), rest: bytes.NewReader(slow[100:]), reached: make(chan struct{}), on: make(chan struct{})}
			outcome := make(chan instance.Outcome, 1)
			go func() {
				out, err := p.g.Store(t.Context(), a, h)
				if err != nil {
					t.Error(err)
				}
				outcome <- out
			}()
			<-h.reached
			if out, err := p.g.Store(t.Context(), a, bytes.NewReader(dataset(t, gatewaytest.CTStorage, "1.2.3.1", "FICT-0001", 512))); err != nil || out.Status != 0 || out.Again {
				t.Fatalf("%v: %+v", err, out)
			}
			close(h.on)
			if out := <-outcome; out.Again != (len(c.states) == 1) {
				t.Errorf("%+v", out)
			}
			var states []instance.State
			for _, r := range p.vault.all() {
				states = append(states, r.State)
			}
			slices.Sort(states)
			if !slices.Equal(states, c.states) {
				t.Errorf("%v, want %v", states, c.states)
			}
		})
	}
}

func TestWhatBreaksOffLeavesNothing(t *testing.T) {
	p := newPlace(t, options{})
	a := instance.Arrival{Sender: instance.Sender{Way: instance.STOW, Device: "ct-1", Association: "a"}, SOPClass: gatewaytest.CTStorage, SOPInstance: "1.2.3.1", TransferSyntax: dicom.ExplicitVRLittleEndian}
	_, err := p.g.Store(t.Context(), a, io.MultiReader(bytes.NewReader(dataset(t, gatewaytest.CTStorage, "1.2.3.1", "FICT-0001", 512)[:300]), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if err == nil || len(p.vault.all()) != 0 || len(p.log.kinds()) != 0 {
		t.Errorf("%v; kept %d, recorded %v", err, len(p.vault.all()), p.log.kinds())
	}
}
