// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// storeCommand is a C-STORE request as somebody makes it who does not keep to the rules.
func storeCommand(class, uid string) dimse.Command {
	return dimse.Command{Field: dimse.CStoreRQ, AffectedSOPClass: class, AffectedSOPInstance: uid, Present: dimse.HasPriority}
}

// informed makes a gateway whose proxy asks according to cfg.
func informed(t testing.TB, cfg query.Config, d query.Deps, bindings []control.Binding) (*place, *query.Proxy) {
	t.Helper()
	g := &late{}
	var proxy *query.Proxy
	p := newPlace(t, options{bindings: bindings, deps: func(x *Deps) {
		d.AETitle, d.Ingest, d.Vault, d.Custody, d.Key, d.Name, d.Software, d.Dir = "ASEPSIS", g, x.Vault, g, x.Key, "gateway", x.Software, x.Dir
		var err error
		if proxy, err = query.New(cfg, d); err != nil {
			t.Fatal(err)
		}
		x.Queries = proxy
	}})
	g.g = p.g
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = proxy.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return p, proxy
}

func TestAWorklistIsPassedOnAndItsPatientsAreExpected(t *testing.T) {
	gatewaytest.Need(t, "wlmscpfs", "findscu")
	dir, port := t.TempDir(), gatewaytest.FreePort(t)
	if err := os.MkdirAll(filepath.Join(dir, "RIS"), 0o700); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	s, _ := dicom.SyntaxOf(dicom.ExplicitVRLittleEndian)
	w := dicom.NewWriter(&b, s)
	w.Text(0x00080050, dicom.SH, "A-1")
	w.Text(0x00100010, dicom.PN, "Fictional^Petra")
	w.Text(dicom.TagPatientID, dicom.LO, "FICT-0007")
	w.Text(dicom.TagStudyInstanceUID, dicom.UI, "1.2.3")
	w.Text(0x00321060, dicom.LO, "Head")
	w.Sequence(0x00400100, func() {
		w.Text(dicom.TagModality, dicom.CS, "CT")
		w.Text(0x00400001, dicom.AE, "CT1")
		w.Text(0x00400002, dicom.DA, "20270131")
		w.Text(0x00400003, dicom.TM, "0800")
	})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	head, err := dicom.AppendFileHead(nil, dicom.Preamble{}, &dicom.FileMeta{SOPClass: dicom.UIDModalityWorklistFind, SOPInstance: "1.2.3.4", TransferSyntax: dicom.ExplicitVRLittleEndian, ImplUID: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"one.wl": append(head, b.Bytes()...), "lockfile": nil} {
		if err := os.WriteFile(filepath.Join(dir, "RIS", name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gatewaytest.Start(t, dir, "wlmscpfs", "-dfr", "-dfp", dir, port).Listening(port)
	cfg := query.Default()
	cfg.Archives = []query.Archive{{Name: "ris", Address: "127.0.0.1:" + port, CalledAE: "RIS", Operations: []string{"worklist"}}}
	bound := ct()
	bound.Operations = append(bound.Operations, "worklist")
	p, proxy := informed(t, cfg, query.Deps{}, []control.Binding{bound})
	d := p.enrol(identity.DICOMNode, "ct-1")
	out, err := gatewaytest.Run(t, "findscu", append(append([]string{"-v", "-W"}, d.TLS()...), "-aet", "CT1", "-aec", "ASEPSIS", "-k", "PatientName", "-k", "PatientID", "-k", "(0040,0100)[0].Modality=CT", "-k", "(0040,0100)[0].ScheduledStationAETitle=CT1", "127.0.0.1", p.port(KindTLS))...)
	if err != nil || !strings.Contains(out, "FICT-0007") {
		t.Fatalf("%v\n%s", err, out)
	}
	a := instance.Arrival{Sender: instance.Sender{Device: "ct-1"}}
	list, known := proxy.Patients().Expected(a)
	if want := query.Pseudonym(p.g.d.Key, "", "FICT-0007"); !known || len(list) != 1 || list[0] != want {
		t.Errorf("expected are %v, %v, want %s", list, known, want)
	}
	a.Sender.Device = "ct-2"
	if _, known := proxy.Patients().Expected(a); known {
		t.Error("another device is said to have read a worklist")
	}
}

// provider is an archive or information system of ours, for services that no Debian peer has.
type provider struct {
	mu   sync.Mutex
	seen []string
	data [][]byte
}

func (x *provider) Handle(_ context.Context, r *dicomnet.Request) dicomnet.Reply {
	var b []byte
	if r.Data != nil {
		b, _ = io.ReadAll(r.Data)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seen = append(x.seen, fmt.Sprintf("%s %s %s", r.Command.Field.Service(), r.Command.SOPInstance(), r.Association.Info().CallingAE))
	x.data = append(x.data, b)
	return dicomnet.Reply{}
}

func (x *provider) list() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]string(nil), x.seen...)
}

// serve runs a provider until the test ends, and returns its address.
func serve(t testing.TB, h dicomnet.Handler, services ...dicomnet.Service) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	s := &dicomnet.Server{Services: services, Handler: h, Timeouts: dicomnet.Timeouts{Close: time.Second}}
	go func() { defer close(ended); _ = s.Serve(ctx, ln, time.Second) }()
	t.Cleanup(func() { cancel(); <-ended })
	return ln.Addr().String()
}

func TestAProcedureStepIsPassedOn(t *testing.T) {
	ris := &provider{}
	cfg := query.Default()
	cfg.Archives = []query.Archive{{Name: "ris", Address: serve(t, ris, dicomnet.Service{AbstractSyntax: dicom.UIDMPPS, TransferSyntaxes: []string{dicom.ImplicitVRLittleEndian}}), CalledAE: "RIS", CallingAE: "GW", Operations: []string{"mpps"}}}
	bound := ct()
	bound.Operations = append(bound.Operations, "mpps")
	p, proxy := informed(t, cfg, query.Deps{}, []control.Binding{bound})
	d := p.dialer("ct-1")
	d.Contexts = []dicomnet.Proposal{{AbstractSyntax: dicom.UIDMPPS, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}}}
	a, err := d.Dial(t.Context(), p.g.Addr(KindTLS).String())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Abort()
	step := func(status string) io.Reader {
		var b bytes.Buffer
		s, _ := dicom.SyntaxOf(dicom.ExplicitVRLittleEndian)
		w := dicom.NewWriter(&b, s)
		w.Text(dicom.TagPatientID, dicom.LO, "FICT-0001")
		w.Text(0x00400252, dicom.CS, status)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return &b
	}
	if rsp, err := a.Create(t.Context(), dicomnet.Object{SOPClass: dicom.UIDMPPS, SOPInstance: "1.2.3.77", Data: step("IN PROGRESS")}, nil); err != nil || rsp.Status != 0 {
		t.Fatalf("%v, %v", rsp.Status, err)
	}
	room := instance.Arrival{Sender: instance.Sender{Device: "xr-1", Theatre: "or-3"}}
	if who, running := proxy.Patients().InRoom(room); !running || len(who) != 1 || who[0] != query.Pseudonym(p.g.d.Key, "", "FICT-0001") {
		t.Errorf("in the room is %v, %v", who, running)
	}
	if rsp, err := a.Set(t.Context(), dicomnet.Object{SOPClass: dicom.UIDMPPS, SOPInstance: "1.2.3.77", Data: step("COMPLETED")}, nil); err != nil || rsp.Status != 0 {
		t.Fatalf("%v, %v", rsp.Status, err)
	}
	if who, running := proxy.Patients().InRoom(room); running || len(who) != 1 {
		t.Errorf("after it, in the room is %v, %v", who, running)
	}
	want := []string{"N-CREATE 1.2.3.77 GW", "N-SET 1.2.3.77 GW"}
	if got := ris.list(); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("the information system saw %v", got)
	}
	if !bytes.Contains(ris.data[1], []byte("COMPLETED")) || bytes.Contains(ris.data[1], []byte("CS")) {
		t.Errorf("it was not written in its transfer syntax: %q", ris.data[1])
	}
}

// modality takes reports of storage commitment.
type modality struct{ reports chan string }

func (m *modality) Handle(_ context.Context, r *dicomnet.Request) dicomnet.Reply {
	b, _ := io.ReadAll(r.Data)
	m.reports <- fmt.Sprintf("%d failed=%v", r.Command.EventType, bytes.Contains(b, []byte{0x08, 0x00, 0x98, 0x11}))
	return dicomnet.Reply{}
}

func commitRequest(t testing.TB, uids ...string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	s, _ := dicom.SyntaxOf(dicom.ExplicitVRLittleEndian)
	w := dicom.NewWriter(&b, s)
	w.Text(0x00081195, dicom.UI, "1.2.3.999")
	var items []func()
	for _, uid := range uids {
		items = append(items, func() {
			w.Text(0x00081150, dicom.UI, gatewaytest.CTStorage)
			w.Text(0x00081155, dicom.UI, uid)
		})
	}
	w.Sequence(0x00081199, items...)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestResponsibilityIsTakenWhenEveryDestinationHasIt(t *testing.T) {
	bound := ct()
	bound.Operations = append(bound.Operations, "commitment")
	for _, c := range []struct {
		name  string
		must  bool
		state instance.DeliveryState
		want  string // "" while it must wait
	}{
		{"it was delivered, and nobody has to commit", false, instance.Delivered, "1 failed=false"},
		{"it was delivered, and the destination has yet to commit", true, instance.Delivered, ""},
		{"the destination has committed", true, instance.Committed, "1 failed=false"},
		{"it was given up", false, instance.Dead, "2 failed=true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := query.Default()
			p, _ := informed(t, cfg, query.Deps{MustCommit: func(string) bool { return c.must }}, []control.Binding{bound})
			m := &modality{reports: make(chan string, 1)}
			d := p.dialer("ct-1")
			d.Handler = m
			d.Contexts = append(d.Contexts, dicomnet.Proposal{AbstractSyntax: dicom.UIDStorageCommitmentPush, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}})
			a, err := d.Dial(t.Context(), p.g.Addr(KindTLS).String())
			if err != nil {
				t.Fatal(err)
			}
			defer a.Abort()
			if _, err := a.Store(t.Context(), dicomnet.Instance{SOPClass: gatewaytest.CTStorage, SOPInstance: "1.2.3.1", TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(dataset(t, gatewaytest.CTStorage, "1.2.3.1", "FICT-0001", 512))}); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Action(t.Context(), dicomnet.Object{SOPClass: dicom.UIDStorageCommitmentPush, SOPInstance: "1.2.840.10008.1.20.1.1", Type: 1, Data: commitRequest(t, "1.2.3.1")}, nil); err != nil {
				t.Fatal(err)
			}
			kept, err := os.ReadDir(filepath.Join(p.dir, "commitments"))
			if err != nil || len(kept) != 1 {
				t.Errorf("the request is not on the disk: %v, %v", kept, err)
			}
			p.vault.set(func(v *vault) {
				r := v.records[1]
				r.Deliveries = []instance.Delivery{{Destination: "xr", Route: "all", State: c.state}}
				v.records[1] = r
			})
			if c.want == "" {
				p.vault.set(func(v *vault) {
					r := v.records[1]
					r.Deliveries = []instance.Delivery{{Destination: "xr", Route: "all", State: instance.Committed}}
					v.records[1] = r
				})
				c.want = "1 failed=false"
			}
			select {
			case got := <-m.reports:
				if got != c.want {
					t.Errorf("reported %s, want %s", got, c.want)
				}
			case <-time.After(gatewaytest.Patience):
				t.Fatal("nothing was reported")
			}
			gatewaytest.Until(t, "the request to be forgotten", func() bool {
				kept, _ := os.ReadDir(filepath.Join(p.dir, "commitments"))
				return len(kept) == 0
			})
		})
	}
}

func TestAReportGoesToWhereTheDeviceListens(t *testing.T) {
	m := &modality{reports: make(chan string, 1)}
	bound := ct()
	bound.Operations = append(bound.Operations, "commitment")
	cfg := query.Default()
	cfg.Callbacks = []query.Callback{{Device: "ct-1", AE: "CT1", Address: serve(t, m, dicomnet.Service{AbstractSyntax: dicom.UIDStorageCommitmentPush, PeerSCP: true})}}
	p, _ := informed(t, cfg, query.Deps{}, []control.Binding{bound})
	d := p.dialer("ct-1")
	d.Contexts = []dicomnet.Proposal{{AbstractSyntax: dicom.UIDStorageCommitmentPush, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}}}
	a, err := d.Dial(t.Context(), p.g.Addr(KindTLS).String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Action(t.Context(), dicomnet.Object{SOPClass: dicom.UIDStorageCommitmentPush, SOPInstance: "1.2.840.10008.1.20.1.1", Type: 1, Data: commitRequest(t, "1.2.3.404")}, nil); err != nil {
		t.Fatal(err)
	}
	a.Abort()
	select {
	case got := <-m.reports:
		if got != "2 failed=true" {
			t.Errorf("of what was never sent it is reported %s", got)
		}
	case <-time.After(gatewaytest.Patience):
		t.Fatal("nothing was reported")
	}
}
