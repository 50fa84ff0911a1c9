// SPDX-License-Identifier: Apache-2.0

package dicomtool

import (
	"bytes"
	"context"
	"errors"
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
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

const ctStorage = "1.2.840.10008.5.1.4.1.1.2"

// archive is a peer that keeps what is stored and finds two studies.
type archive struct {
	mu     sync.Mutex
	stored map[string][]byte // data sets
	syntax map[string]string
	abort  string // SOP instance at which it aborts
	refuse string // SOP instance that it refuses
}

func (a *archive) Handle(ctx context.Context, r *dicomnet.Request) dicomnet.Reply {
	switch r.Command.Field {
	case dimse.CStoreRQ:
		b, err := io.ReadAll(r.Data)
		if err != nil {
			return dicomnet.Reply{Status: 0xA700}
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		switch uid := r.Command.AffectedSOPInstance; uid {
		case a.abort:
			go r.Association.Abort()
			<-ctx.Done()
		case a.refuse:
			return dicomnet.Reply{Status: 0xA900}
		default:
			a.stored[uid], a.syntax[uid] = b, r.Context.TransferSyntax
		}
	case dimse.CFindRQ:
		s, _ := dicom.SyntaxOf(r.Context.TransferSyntax)
		for i := range 2 {
			var id bytes.Buffer
			w := dicom.NewWriter(&id, s)
			w.Text(dicom.TagSpecificCharacterSet, dicom.CS, "ISO_IR 192")
			w.Text(0x00100010, dicom.PN, "Fiktiv^Jürgen"+strings.Repeat("\u202e", i))
			w.Text(dicom.TagPatientID, dicom.LO, fmt.Sprintf("FICT-%04d", i))
			w.Sequence(dicom.TagScheduledProcedureStepSequence, func() { w.Text(dicom.TagModality, dicom.CS, "CT") }, func() { w.Text(dicom.TagModality, dicom.CS, "MR") })
			if err := w.Close(); err != nil {
				return dicomnet.Reply{Status: 0xC000, Comment: "bad sample"}
			}
			if r.Pending(ctx, dicomnet.Reply{Status: 0xFF00, Data: &id}) != nil {
				return dicomnet.Reply{Status: 0xFE00}
			}
		}
	}
	return dicomnet.Reply{}
}

// serve runs the archive, which takes storage in the given transfer syntaxes only.
func serve(t *testing.T, a *archive, syntaxes ...string) Peer {
	t.Helper()
	a.stored, a.syntax = map[string][]byte{}, map[string]string{}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dicomnet.Server{Handler: a, Services: []dicomnet.Service{{AbstractSyntax: dicom.UIDVerification}, {AbstractSyntax: "1.2.840.10008.5.1.4.1.2.2.1"},
		{AbstractSyntax: dicom.UIDModalityWorklistFind}, {AbstractSyntax: dicomnet.AnyStorage, TransferSyntaxes: syntaxes}}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, ln, time.Second) }()
	t.Cleanup(func() { cancel(); <-done })
	return Peer{Address: ln.Addr().String(), CallingAE: "CT_OR3", CalledAE: "ARCHIVE"}
}

// write makes a file with a data set of explicit VR little endian.
func write(t *testing.T, path, uid, syntax string) []byte {
	t.Helper()
	s, _ := dicom.SyntaxOf(syntax)
	var data bytes.Buffer
	w := dicom.NewWriter(&data, s)
	w.Text(dicom.TagSOPClassUID, dicom.UI, ctStorage)
	w.Text(dicom.TagSOPInstanceUID, dicom.UI, uid)
	if s.Encapsulated {
		w.Fragments(dicom.TagPixelData, []byte{1, 2, 3, 4})
	} else {
		w.Uint16(dicom.TagPixelData, dicom.OW, 1, 2, 3)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	head, err := dicom.AppendFileHead(nil, dicom.Preamble{}, &dicom.FileMeta{SOPClass: ctStorage, SOPInstance: uid, TransferSyntax: syntax, ImplUID: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(head, data.Bytes()...), 0o600); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

func TestEveryFileOfADirectoryIsAccountedFor(t *testing.T) {
	a := &archive{abort: "1.2.3.7", refuse: "1.2.3.9"}
	p := serve(t, a)
	dir := t.TempDir()
	want := map[string][]byte{}
	for i := range 20 {
		uid := fmt.Sprintf("1.2.3.%d", i)
		data := write(t, filepath.Join(dir, fmt.Sprint(i%3), uid), uid, dicom.ExplicitVRLittleEndian)
		if uid != a.abort && uid != a.refuse {
			want[uid] = data
		}
	}
	for name, content := range map[string]string{"README": "no DICOM", "empty": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	named := filepath.Join(dir, "README")
	for _, associations := range []int{1, 3} {
		clear(a.stored)
		steps := 0
		r, err := Send(t.Context(), p, SendOptions{Paths: []string{dir, named}, Associations: associations, Progress: func(done, total int, _ int64) {
			if steps++; done != steps || total != 21 {
				t.Errorf("progress %d of %d at step %d", done, total, steps)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Stored != 18 || r.Failed != 3 || r.Ignored != 2 || len(r.Outcomes) != 21 || len(a.stored) != 18 {
			t.Errorf("%d associations: %+v", associations, r)
		}
		for uid, data := range want {
			if !bytes.Equal(a.stored[uid], data) {
				t.Errorf("%s differs", uid)
			}
		}
		for _, o := range r.Outcomes {
			var status *dicomnet.StatusError
			var aborted *dicomnet.AbortedError
			switch {
			case o.SOPInstance == a.abort && !errors.As(o.Err, &aborted), o.SOPInstance == a.refuse && (!errors.As(o.Err, &status) || o.Status != 0xA900),
				o.Path == named && (o.Err == nil || !strings.Contains(o.Err.Error(), "not a DICOM file")):
				t.Errorf("%s: %v", o.Path, o.Err)
			}
		}
		var out bytes.Buffer
		if err := WriteSent(&out, r); err != nil || !strings.Contains(out.String(), "18 of 21 files stored") || strings.Count(out.String(), "FAILED ") != 3 {
			t.Errorf("%v\n%s", err, out.String())
		}
		if b, err := r.MarshalJSON(); err != nil || !bytes.Contains(b, []byte(`"stored":18`)) || !bytes.Contains(b, []byte(`"status":"0xA900"`)) {
			t.Errorf("%v\n%s", err, b)
		}
	}
}

func TestFilesAreRewrittenOnlyWhereNoPixelIsTouched(t *testing.T) {
	a := &archive{}
	p := serve(t, a, dicom.ImplicitVRLittleEndian)
	dir := t.TempDir()
	const jpeg = "1.2.840.10008.1.2.4.70"
	write(t, filepath.Join(dir, "1"), "1.2.3.1", dicom.ExplicitVRBigEndian)
	write(t, filepath.Join(dir, "2"), "1.2.3.2", jpeg)
	plain := write(t, filepath.Join(dir, "3"), "1.2.3.3", dicom.ImplicitVRLittleEndian)
	r, err := Send(t.Context(), p, SendOptions{Paths: []string{dir}})
	if err != nil || r.Stored != 2 || r.Failed != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	var refused *dicomnet.ContextError
	if !errors.As(r.FirstError(), &refused) || !strings.Contains(r.FirstError().Error(), "transfer-syntaxes-not-supported") {
		t.Errorf("%v", r.FirstError())
	}
	// The rewritten one is the same data set in another syntax; the other is the very same bytes.
	if want := bytes.Replace(plain, []byte("1.2.3.3"), []byte("1.2.3.1"), 1); !bytes.Equal(a.stored["1.2.3.1"], want) || !bytes.Equal(a.stored["1.2.3.3"], plain) {
		t.Errorf("% x\nwant\n% x", a.stored["1.2.3.1"], want)
	}
}

func TestManySyntaxesGoOverSeveralAssociations(t *testing.T) {
	a := &archive{}
	p := serve(t, a, dicom.ExplicitVRLittleEndian)
	dir := t.TempDir()
	var files []file
	for i := range 200 { // SOP classes: two contexts each, so at most 64 on an association
		files = append(files, file{meta: dicom.FileMeta{SOPClass: fmt.Sprintf("1.2.9.%d", i), TransferSyntax: dicom.ExplicitVRLittleEndian}})
	}
	batches := plan(files)
	n := 0
	for _, b := range batches {
		if len(b.proposals) > 128 {
			t.Errorf("%d contexts", len(b.proposals))
		}
		n += len(b.files)
	}
	if len(batches) != 4 || n != 200 {
		t.Errorf("%d batches, %d files", len(batches), n)
	}
	if r, err := Send(t.Context(), p, SendOptions{Paths: []string{dir}}); err != nil || len(r.Outcomes) != 0 {
		t.Errorf("an empty directory: %+v, %v", r, err)
	}
	if _, err := Send(t.Context(), p, SendOptions{Paths: []string{filepath.Join(dir, "none")}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestKeysAreReadAsPeopleWriteThem(t *testing.T) {
	for in, want := range map[string]string{
		"PatientID": "[(0010,0020)] ", "PatientID=FICT*": "[(0010,0020)] FICT*", "0010,0020=a=b": "[(0010,0020)] a=b", "(0010,0020)": "[(0010,0020)] ", "00100020": "[(0010,0020)] ",
		"ScheduledProcedureStepSequence[0].Modality=CT": "[(0040,0100) (0008,0060)] CT", "ScheduledProcedureStepSequence": "[(0040,0100)] ",
	} {
		k, err := ParseKey(in)
		if got := fmt.Sprint(k.Path, " ", k.Value); err != nil || got != want {
			t.Errorf("%q: %s, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{"PatientsName": "neither a keyword nor a tag", "": "neither a keyword nor a tag", "PatientID.Modality": "PatientID is no sequence",
		"ScheduledProcedureStepSequence=1": "a sequence has no value", strings.Repeat("ScheduledProcedureStepSequence.", 8) + "Modality": "more than 8 levels"} {
		if _, err := ParseKey(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
	for in, want := range map[string]string{"Rows=many": "no number of 16 bits", "RegionLocationMinX0=x": "no number of 32 bits", "PixelData=1": "cannot be asked for", "PatientID=a\x01": "a control character"} {
		k, err := ParseKey(in)
		if err == nil {
			err = Identifier(io.Discard, dicom.Syntax{}, []Key{k})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func keys(t *testing.T, in ...string) (out []Key) {
	t.Helper()
	for _, s := range in {
		k, err := ParseKey(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, k)
	}
	return out
}

func TestMatchesAreATableLinesOrJSON(t *testing.T) {
	p := serve(t, &archive{})
	o := FindOptions{Model: "study", Keys: keys(t, "PatientID", "PatientName", "ScheduledProcedureStepSequence.Modality")}
	for format, want := range map[string]string{
		"table": "PatientID  PatientName     Modality\nFICT-0000  Fiktiv^Jürgen   CT\nFICT-0001  Fiktiv^Jürgen·  CT\n2 matches",
		"text":  "# match 2\n(0008,0005) CS [ISO_IR 192]",
		"json":  `"00100020":{"vr":"LO","Value":["FICT-0000"]}`,
	} {
		var out bytes.Buffer
		complete, err := WriteFound(t.Context(), &out, p, o, format)
		if err != nil || !complete || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v, %v\n%s", format, complete, err, out.String())
		}
	}
	o.Limit = 1
	var out bytes.Buffer
	if complete, err := WriteFound(t.Context(), &out, p, o, "table"); err != nil || complete || !strings.Contains(out.String(), "1 matches") {
		t.Errorf("%v, %v\n%s", complete, err, out.String())
	}
	o.Model = "series"
	if _, err := Find(t.Context(), p, o, nil); err == nil || !strings.Contains(err.Error(), "no information model") {
		t.Errorf("%v", err)
	}
}

func TestEchoSaysWhoAnswers(t *testing.T) {
	p := serve(t, &archive{})
	r, err := Echo(t.Context(), p, 3)
	if err != nil || len(r.Echoes) != 3 || r.Version != dicomnet.ImplementationVersionName || r.TLS != "" || r.CalledAE != "ARCHIVE" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestDumpsShowWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.dcm")
	data := write(t, path, "1.2.3", dicom.ExplicitVRLittleEndian)
	bare := filepath.Join(dir, "bare")
	lying := filepath.Join(dir, "lying")
	if err := os.WriteFile(bare, data, 0o600); err != nil {
		t.Fatal(err)
	}
	head, _ := dicom.AppendFileHead(nil, dicom.Preamble{}, &dicom.FileMeta{SOPClass: ctStorage, SOPInstance: "1.2.3", TransferSyntax: dicom.ImplicitVRLittleEndian, ImplUID: "1.2.3"})
	if err := os.WriteFile(lying, append(head, data...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		paths []string
		o     DumpOptions
		want  []string
	}{
		{"a file", []string{path}, DumpOptions{}, []string{"# preamble: zero", "(0002,0010) UI =ExplicitVRLittleEndian", "# data set: Explicit VR Little Endian", "(7fe0,0010) OW 0001\\0002\\0003 "}},
		{"a data set alone", []string{bare}, DumpOptions{}, []string{"# data set: guessed", "(0008,0018) UI [1.2.3]"}},
		{"a file that lies about its syntax", []string{lying}, DumpOptions{}, []string{"Implicit VR Little Endian is what it says, but not what it is", "(0008,0018) UI [1.2.3]"}},
		{"one element", []string{path}, DumpOptions{Quiet: true, Tags: []dicom.Tag{dicom.TagSOPInstanceUID}}, []string{"(0008,0018) UI [1.2.3]"}},
		{"JSON of two", []string{path, bare}, DumpOptions{JSON: true}, []string{"[\n{\"00080016\"", ",\n{", `"InlineBinary":"AQACAAMA"`, "\n]\n"}},
	} {
		var out, complaints bytes.Buffer
		if err := Dump(&out, &complaints, nil, tc.paths, tc.o); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		for _, w := range tc.want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: no %q in\n%s", tc.name, w, out.String())
			}
		}
	}
	var out, complaints bytes.Buffer
	err := Dump(&out, &complaints, bytes.NewReader(data[:20]), []string{filepath.Join(dir, "none"), path, "-"}, DumpOptions{})
	if err == nil || !strings.Contains(complaints.String(), "no such file") || !strings.Contains(out.String(), "[1.2.3]") || !errors.Is(err, dicom.ErrTruncated) {
		t.Errorf("%v\n%s", err, complaints.String())
	}
}
