// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

const (
	studyFind    = "1.2.840.10008.5.1.4.1.2.2.1"
	studyMove    = "1.2.840.10008.5.1.4.1.2.2.2"
	studyGet     = "1.2.840.10008.5.1.4.1.2.2.3"
	worklistFind = dicom.UIDModalityWorklistFind
)

// dataset writes a data set in the transfer syntax of a presentation context.
func dataset(t testing.TB, syntax string, f func(w *dicom.Writer)) []byte {
	t.Helper()
	s, _ := dicom.SyntaxOf(syntax)
	var b bytes.Buffer
	w := dicom.NewWriter(&b, s)
	f(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// values reads the text values of a data set by keyword.
func values(t testing.TB, src io.Reader, syntax string) map[string]string {
	t.Helper()
	s, _ := dicom.SyntaxOf(syntax)
	out := map[string]string{}
	r := dicom.NewReader(src, s, dicom.DefaultLimits())
	for {
		tok, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Errorf("data set: %v", err)
			return out
		}
		if tok.Kind == dicom.Element {
			v, err := r.Value(1024)
			if err != nil {
				t.Errorf("data set: %v", err)
			}
			out[dicom.Keyword(tok.Tag)] = dicom.TrimString(v)
		}
	}
}

// archive is an SCP of query and retrieve with three fictional instances.
type archive struct {
	t         testing.TB
	instances map[string][]byte
	moveTo    string // address of every move destination
	endless   bool   // C-FIND has matches until it is cancelled
}

func newArchive(t testing.TB) *archive {
	a := &archive{t: t, instances: map[string][]byte{}}
	for i := range 3 {
		uid := fmt.Sprintf("1.2.826.0.1.3680043.8.498.7.%d", i)
		a.instances[uid] = instance(uid, 50_000*i)
	}
	return a
}

func (a *archive) services() []Service {
	return []Service{{AbstractSyntax: studyFind}, {AbstractSyntax: studyMove}, {AbstractSyntax: studyGet}, {AbstractSyntax: dicom.UIDVerification},
		{AbstractSyntax: AnyStorage, PeerSCP: true, TransferSyntaxes: UncompressedSyntaxes()}}
}

func (a *archive) Handle(ctx context.Context, r *Request) Reply {
	keys := values(a.t, r.Data, r.Context.TransferSyntax)
	if keys["QueryRetrieveLevel"] == "" {
		return Reply{Status: 0xA900, Comment: "no level", Offending: []dicom.Tag{dicom.TagQueryRetrieveLevel}}
	}
	switch r.Command.Field {
	case dimse.CFindRQ:
		for n := 0; n < 2 || a.endless; n++ {
			id := dataset(a.t, r.Context.TransferSyntax, func(w *dicom.Writer) {
				w.Text(dicom.TagQueryRetrieveLevel, dicom.CS, keys["QueryRetrieveLevel"])
				w.Text(dicom.TagPatientID, dicom.LO, fmt.Sprintf("FICT-%04d", n))
			})
			if err := r.Pending(ctx, Reply{Status: 0xFF00, Data: bytes.NewReader(id)}); err != nil {
				if errors.Is(err, ErrCancelled) {
					return Reply{Status: 0xFE00}
				}
				return Reply{Status: 0xC000}
			}
		}
		return Reply{}
	case dimse.CGetRQ:
		return a.send(ctx, r, r.Association)
	case dimse.CMoveRQ:
		if r.Command.MoveDestination == "NOWHERE" {
			return Reply{Status: 0xA801}
		}
		d := Dialer{CallingAE: "ARCHIVE", CalledAE: r.Command.MoveDestination, Contexts: []Proposal{{AbstractSyntax: ctStorage, TransferSyntaxes: UncompressedSyntaxes()}}}
		to, err := d.Dial(ctx, a.moveTo)
		if err != nil {
			a.t.Error(err)
			return Reply{Status: 0xA702}
		}
		defer to.Release(ctx)
		return a.send(ctx, r, to)
	}
	return Reply{Status: statusUnrecognised}
}

func (a *archive) send(ctx context.Context, r *Request, to *Association) Reply {
	p := &Progress{Remaining: uint16(len(a.instances))}
	for uid, data := range a.instances {
		pc, err := to.Info().Select(ctStorage, false)
		if err != nil {
			a.t.Error(err)
			return Reply{Status: 0xA702, Progress: p}
		}
		to1, _ := dicom.SyntaxOf(pc.TransferSyntax)
		var body bytes.Buffer
		if err := dicom.Transcode(&body, bytes.NewReader(data), dicom.Syntax{Explicit: true}, to1, dicom.DefaultLimits()); err != nil {
			a.t.Error(err)
		}
		i := Instance{SOPClass: ctStorage, SOPInstance: uid, TransferSyntax: pc.TransferSyntax, Data: &body}
		if r.Command.Field == dimse.CMoveRQ {
			i.MoveOriginator, i.MoveMessageID = r.Association.Info().CallingAE, r.Command.MessageID
		}
		if _, err := to.Store(ctx, i); err != nil {
			a.t.Errorf("sub-operation: %v", err)
			p.Failed++
		} else {
			p.Completed++
		}
		p.Remaining--
		if err := r.Pending(ctx, Reply{Status: 0xFF00, Progress: p}); err != nil {
			return Reply{Status: 0xFE00, Progress: p}
		}
	}
	return Reply{Progress: p}
}

func TestDCMTKQueriesAndRetrievesFromUs(t *testing.T) {
	need(t, "findscu", "movescu", "getscu")
	ar, r := newArchive(t), newReceiver()
	port := serve(t, &Server{Handler: ar, Services: ar.services()}, r)
	dir, back := t.TempDir(), freePort(t)
	ar.moveTo = "127.0.0.1:" + back
	out, err := run(t, dir, "findscu", "-v", "-S", "-aet", "WS_OR3", "-aec", "ARCHIVE", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID", "127.0.0.1", port)
	if err != nil || !strings.Contains(out, "FICT-0000") || !strings.Contains(out, "FICT-0001") {
		t.Errorf("findscu: %v\n%s", err, out)
	}
	out, err = run(t, dir, "findscu", "-v", "-S", "-aet", "WS_OR3", "-aec", "ARCHIVE", "-k", "PatientID", "127.0.0.1", port)
	if !strings.Contains(out, "DataSetDoesNotMatchSOPClass") {
		t.Errorf("findscu without a level: %v\n%s", err, out)
	}
	ar.endless = true
	out, err = run(t, dir, "findscu", "-v", "-S", "--cancel", "3", "-aet", "WS_OR3", "-aec", "ARCHIVE", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID", "127.0.0.1", port)
	if err != nil || !strings.Contains(strings.ToLower(out), "cancel") {
		t.Errorf("findscu --cancel: %v\n%s", err, out)
	}
	for _, retrieve := range [][]string{
		{"movescu", "-v", "-S", "-aet", "WS_OR3", "-aec", "ARCHIVE", "-aem", "WS_OR3", "+P", back, "-od", dir, "-k", "QueryRetrieveLevel=STUDY", "127.0.0.1", port},
		{"getscu", "-v", "-S", "-aet", "WS_OR3", "-aec", "ARCHIVE", "-od", dir, "-k", "QueryRetrieveLevel=STUDY", "127.0.0.1", port},
	} {
		out, err = run(t, dir, retrieve[0], retrieve[1:]...)
		if err != nil {
			t.Errorf("%s: %v\n%s", retrieve[0], err, out)
		}
		for uid, want := range ar.instances {
			path := filepath.Join(dir, "CT."+uid)
			if got := dataSetOf(t, path); !bytes.Equal(got, want) {
				t.Errorf("%s: %s differs", retrieve[0], uid)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, _ = run(t, dir, "movescu", "-v", "-S", "-aet", "WS_OR3", "-aec", "ARCHIVE", "-aem", "NOWHERE", "+P", back, "-k", "QueryRetrieveLevel=STUDY", "127.0.0.1", port)
	if !strings.Contains(out, "MoveDestinationUnknown") {
		t.Errorf("movescu to nowhere:\n%s", out)
	}
}

// qrscp starts DCMTK's archive with the instances of a, and returns its port.
func qrscp(t *testing.T, a *archive, moveTo string) string {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	db := filepath.Join(dir, "db")
	if err := os.Mkdir(db, 0o700); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("NetworkTCPPort = %s\nMaxPDUSize = 16384\nMaxAssociations = 16\nHostTable BEGIN\nws = (WS_OR3, localhost, %s)\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"+
		"AETable BEGIN\nARCHIVE %s RW (200, 1024mb) ANY\nAETable END\n", port, moveTo, db)
	if err := os.WriteFile(filepath.Join(dir, "qrscp.cfg"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir, "dcmqrscp", "-v", "-c", filepath.Join(dir, "qrscp.cfg"), port)
	listening(t, port)
	as := dial(t, &Dialer{CallingAE: "WS_OR3", CalledAE: "ARCHIVE"}, port)
	for uid, data := range a.instances {
		if _, err := as.Store(t.Context(), Instance{SOPClass: ctStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(data)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := as.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	return port
}

func query(t *testing.T, as *Association, class string, f func(w *dicom.Writer)) Query {
	t.Helper()
	pc, err := as.Info().Select(class, false)
	if err != nil {
		t.Fatal(err)
	}
	return Query{SOPClass: class, Identifier: bytes.NewReader(dataset(t, pc.TransferSyntax, f))}
}

func TestWeQueryAndRetrieveFromDCMTK(t *testing.T) {
	need(t, "dcmqrscp")
	ar, r := newArchive(t), newReceiver()
	back := serve(t, &Server{}, r)
	port := qrscp(t, ar, back)
	got := newReceiver()
	d := &Dialer{CallingAE: "WS_OR3", CalledAE: "ARCHIVE", Handler: got, Contexts: []Proposal{
		{AbstractSyntax: studyFind, TransferSyntaxes: UncompressedSyntaxes()}, {AbstractSyntax: studyMove, TransferSyntaxes: UncompressedSyntaxes()},
		{AbstractSyntax: studyGet, TransferSyntaxes: UncompressedSyntaxes()}, {AbstractSyntax: ctStorage, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}, SCP: true}}}
	as := dial(t, d, port)
	matches := 0
	q := query(t, as, studyFind, func(w *dicom.Writer) {
		w.Text(dicom.TagSOPInstanceUID, dicom.UI)
		w.Text(dicom.TagQueryRetrieveLevel, dicom.CS, "IMAGE")
		w.Text(dicom.TagStudyInstanceUID, dicom.UI, "1.2.826.0.1.3680043.8.498.1")
		w.Text(dicom.TagSeriesInstanceUID, dicom.UI, "1.2.826.0.1.3680043.8.498.1.1")
	})
	rsp, err := as.Find(t.Context(), q, func(m *Response) error {
		v := values(t, m.Data, dicom.ExplicitVRLittleEndian)
		if ar.instances[v["SOPInstanceUID"]] == nil {
			t.Errorf("a match that was not stored: %v", v)
		}
		matches++
		return nil
	})
	if err != nil || rsp.Status != 0 || matches != 3 {
		t.Errorf("find: %d matches, %v, %v", matches, rsp.Status, err)
	}
	study := func(w *dicom.Writer) {
		w.Text(dicom.TagQueryRetrieveLevel, dicom.CS, "STUDY")
		w.Text(dicom.TagStudyInstanceUID, dicom.UI, "1.2.826.0.1.3680043.8.498.1")
	}
	rsp, err = as.Get(t.Context(), query(t, as, studyGet, study), nil)
	if err != nil || rsp.Completed != 3 || got.count() != 3 {
		t.Errorf("get: %+v, %v, %d instances", rsp, err, got.count())
	}
	move := query(t, as, studyMove, study)
	move.Destination = "WS_OR3"
	rsp, err = as.Move(t.Context(), move, nil)
	if err != nil || rsp.Completed != 3 || r.count() != 3 {
		t.Errorf("move: %+v, %v, %d instances", rsp, err, r.count())
	}
	move = query(t, as, studyMove, study)
	move.Destination = "NOWHERE"
	var status *StatusError
	if _, err = as.Move(t.Context(), move, nil); !errors.As(err, &status) || status.Status != 0xA801 || !strings.Contains(err.Error(), "move destination unknown") {
		t.Errorf("move to nowhere: %v", err)
	}
	if err := as.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAQueryThatIsCancelledLeavesTheAssociationUsable is about both sides: C-CANCEL is sent, understood, and answered.
func TestAQueryThatIsCancelledLeavesTheAssociationUsable(t *testing.T) {
	ar, r := newArchive(t), newReceiver()
	ar.endless = true
	port := serve(t, &Server{Handler: ar, Services: ar.services()}, r)
	as := dial(t, &Dialer{Contexts: []Proposal{{AbstractSyntax: studyFind, TransferSyntaxes: UncompressedSyntaxes()}}}, port)
	level := func(w *dicom.Writer) { w.Text(dicom.TagQueryRetrieveLevel, dicom.CS, "STUDY") }
	enough := errors.New("enough")
	n := 0
	rsp, err := as.Find(t.Context(), query(t, as, studyFind, level), func(*Response) error {
		if n++; n == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || rsp.Status != 0xFE00 || n != 3 {
		t.Errorf("%d matches, %v, %v", n, rsp.Status, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	rsp, err = as.Find(ctx, query(t, as, studyFind, level), func(*Response) error { cancel(enough); return nil })
	if !errors.Is(err, enough) || rsp.Status != 0xFE00 {
		t.Errorf("by context: %v, %v", rsp.Status, err)
	}
	if err := as.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWeQueryTheWorklistOfDCMTK(t *testing.T) {
	need(t, "wlmscpfs", "dump2dcm")
	dir, port := t.TempDir(), freePort(t)
	aet := filepath.Join(dir, "WORKLIST")
	if err := os.Mkdir(aet, 0o700); err != nil {
		t.Fatal(err)
	}
	dump := "(0008,0050) SH FICT-A1\n(0010,0010) PN Fictional^Petra\n(0010,0020) LO FICT-0001\n(0020,000d) UI 1.2.3\n(0032,1060) LO knee\n(0040,0100) SQ\n(fffe,e000) na\n" +
		"(0008,0060) CS CT\n(0040,0001) AE CT_OR3\n(0040,0002) DA 20260102\n(0040,0003) TM 0800\n(0040,0006) PN Fictional^Doctor\n(0040,0007) LO knee\n(0040,0009) SH S1\n(fffe,e00d) na\n(fffe,e0dd) na\n(0040,1001) SH P1\n(0040,1003) SH LOW\n"
	if err := os.WriteFile(filepath.Join(dir, "item.txt"), []byte(dump), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, dir, "dump2dcm", "-F", "item.txt", filepath.Join(aet, "item.wl")); err != nil {
		t.Fatalf("dump2dcm: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(aet, "lockfile"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir, "wlmscpfs", "-v", "-dfp", dir, "-dfr", port)
	listening(t, port)
	as := dial(t, &Dialer{CallingAE: "CT_OR3", CalledAE: "WORKLIST", Contexts: []Proposal{{AbstractSyntax: worklistFind, TransferSyntaxes: UncompressedSyntaxes()}}}, port)
	var found []map[string]string
	pc, _ := as.Info().Select(worklistFind, false)
	_, err := as.Find(t.Context(), query(t, as, worklistFind, func(w *dicom.Writer) {
		w.Text(0x00100010, dicom.PN)
		w.Text(dicom.TagPatientID, dicom.LO)
		w.Sequence(dicom.TagScheduledProcedureStepSequence, func() {
			w.Text(dicom.TagModality, dicom.CS, "CT")
			w.Text(0x00400001, dicom.AE, "CT_OR3")
			w.Text(0x00400002, dicom.DA, "20260101-20260131")
		})
	}), func(m *Response) error {
		found = append(found, values(t, m.Data, pc.TransferSyntax))
		return nil
	})
	if err != nil || len(found) != 1 || found[0]["PatientID"] != "FICT-0001" || found[0]["ScheduledProcedureStepStartDate"] != "20260102" {
		t.Errorf("%v, %v", found, err)
	}
	if err := as.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestSubOperationsFollowEachOtherWithoutAPause is about the moment between a response and the next request: the place in
// the window must be free when the peer has the response.
func TestSubOperationsFollowEachOtherWithoutAPause(t *testing.T) {
	ar, got := newArchive(t), newReceiver()
	for i := range 300 {
		uid := fmt.Sprintf("1.2.3.%d", i)
		ar.instances[uid] = instance(uid, 10)
	}
	port := serve(t, &Server{Handler: ar, Services: ar.services()}, newReceiver())
	as := dial(t, &Dialer{Handler: got, Contexts: []Proposal{{AbstractSyntax: studyGet, TransferSyntaxes: UncompressedSyntaxes()},
		{AbstractSyntax: ctStorage, TransferSyntaxes: UncompressedSyntaxes(), SCP: true}}}, port)
	pending := 0
	rsp, err := as.Get(t.Context(), query(t, as, studyGet, func(w *dicom.Writer) { w.Text(dicom.TagQueryRetrieveLevel, dicom.CS, "STUDY") }), func(r *Response) error {
		if r.Command.Has(dimse.HasRemaining) {
			pending++
		}
		return nil
	})
	if err != nil || rsp.Completed != 303 || rsp.Has(dimse.HasRemaining) || got.count() != 303 || pending != 303 {
		t.Errorf("%+v, %v, %d instances, %d pending responses", rsp, err, got.count(), pending)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := as.Echo(cancelled); err == nil || !as.Usable() {
		t.Errorf("an operation that was never begun: %v, usable %v", err, as.Usable())
	}
	if err := as.Release(t.Context()); err != nil {
		t.Error(err)
	}
}
