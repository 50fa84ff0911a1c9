// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// studyRoot is the study root query model (PS3.4 §C.6.2).
const studyRoot = "1.2.840.10008.5.1.4.1.2.2.1"

// needDCMJS skips the test where the stack in JavaScript is missing, and returns its program.
func needDCMJS(t *testing.T) string {
	t.Helper()
	need(t, "node")
	dir, err := filepath.Abs(filepath.Join("testdata", "dcmjs"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "dcmjs-dimse")); err != nil {
		t.Skip("peer missing: dcmjs-dimse (npm ci in guard/dicomnet/testdata/dcmjs)")
	}
	return filepath.Join(dir, "peer.js")
}

// images writes files of fictional images, and returns their names and what their data
// sets hash to.
func images(t *testing.T, dir string, sizes ...int) (files []string, want map[string][32]byte) {
	t.Helper()
	want = map[string][32]byte{}
	for i, pixels := range sizes {
		uid := fmt.Sprintf("1.2.826.0.1.3680043.8.498.7.%d", i+1)
		data := instance(uid, pixels)
		want[uid] = sha256.Sum256(data)
		files = append(files, filepath.Join(dir, uid+".dcm"))
		part10(t, files[i], uid, data)
	}
	return files, want
}

// finder answers a query with one match.
type finder struct{ *receiver }

func (f finder) Handle(ctx context.Context, rq *Request) Reply {
	if rq.Command.Field != dimse.CFindRQ {
		return f.receiver.Handle(ctx, rq)
	}
	if _, err := io.Copy(io.Discard, rq.Data); err != nil {
		return Reply{Status: 0xC000}
	}
	study := element(0x0020000D, "UI", "1.2.826.0.1.3680043.8.498.1\x00", rq.Context.TransferSyntax)
	if err := rq.Pending(ctx, Reply{Status: 0xFF00, Data: bytes.NewReader(study)}); err != nil {
		return Reply{Status: 0xC000}
	}
	return Reply{}
}

// element encodes one element of even length in little endian.
func element(tag dicom.Tag, vr, value, syntax string) []byte {
	b := []byte{byte(tag.Group()), byte(tag.Group() >> 8), byte(tag.Element()), byte(tag.Element() >> 8)}
	if syntax == dicom.ImplicitVRLittleEndian {
		b = append(b, byte(len(value)), byte(len(value)>>8), 0, 0)
	} else {
		b = append(append(b, vr...), byte(len(value)), byte(len(value)>>8))
	}
	return append(b, value...)
}

func TestAStackInJavaScriptEchoesStoresAndAsksUs(t *testing.T) {
	program := needDCMJS(t)
	r := newReceiver()
	port := serve(t, &Server{Handler: finder{r}, Services: []Service{
		{AbstractSyntax: dicom.UIDVerification}, {AbstractSyntax: AnyStorage, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}}, {AbstractSyntax: studyRoot},
	}}, r)
	dir := t.TempDir()
	files, want := images(t, dir, 100, 40<<10, 3<<20)
	out, err := run(t, dir, "node", append([]string{program, "scu", port}, files...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, all := strings.Fields(out), "echo 0 store 0 store 0 store 0 match 1.2.826.0.1.3680043.8.498.1 find 0 closed"; strings.Join(got, " ") != all {
		t.Errorf("it says %q, want %q", got, all)
	}
	for uid := range want { // it writes data sets anew, with what it thinks of lengths: they need not be ours bit for bit
		if _, ok := r.hashes[uid]; !ok {
			t.Errorf("%s did not arrive", uid)
		}
	}
	until(t, "the association is released", func() bool { return len(r.ends()) == 1 })
	if e := r.ends()[0]; e.Err != nil {
		t.Errorf("it ended with %v", e.Err)
	}
}

func TestWeEchoStoreAndAskAStackInJavaScript(t *testing.T) {
	program := needDCMJS(t)
	dir, port := t.TempDir(), freePort(t)
	out := start(t, dir, "node", program, "scp", port)
	listening(t, port)
	a := dial(t, &Dialer{Contexts: []Proposal{
		{AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: UncompressedSyntaxes()}, {AbstractSyntax: ctStorage, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}},
		{AbstractSyntax: studyRoot, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}},
	}}, port)
	if err := a.Echo(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, pixels := range []int{2, 16384, 1 << 20} {
		uid := fmt.Sprintf("1.2.826.0.1.3680043.8.498.6.%d", i)
		status, err := a.Store(t.Context(), Instance{SOPClass: ctStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(instance(uid, pixels))})
		if err != nil || status != 0 {
			t.Fatalf("%d bytes of pixels: %v, %v", pixels, status, err)
		}
		line := fmt.Sprintf("stored %s FICT-0001 %d\n", uid, pixels)
		until(t, "it has read "+line, func() bool { return strings.Contains(out.String(), line) })
	}
	var matches []byte
	_, err := a.Find(t.Context(), Query{SOPClass: studyRoot, Identifier: bytes.NewReader(element(0x00080052, "CS", "STUDY ", dicom.ExplicitVRLittleEndian))}, func(r *Response) error {
		if r.Data == nil {
			return nil
		}
		b, err := io.ReadAll(r.Data)
		matches = append(matches, b...)
		return err
	})
	if err != nil || !bytes.Contains(matches, []byte("1.2.826.0.1.3680043.8.498.1")) {
		t.Errorf("it answered %q, %v", matches, err)
	}
	if err := a.Release(t.Context()); err != nil {
		t.Error(err)
	}
	until(t, "it saw the release", func() bool { return strings.Contains(out.String(), "released\n") })

	_, err = (&Dialer{CallingAE: "CT_OR3", CalledAE: "ELSEWHERE", Contexts: []Proposal{{AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: UncompressedSyntaxes()}}}).Dial(t.Context(), "127.0.0.1:"+port)
	if err == nil || !strings.Contains(err.Error(), "called-ae-title-not-recognized") {
		t.Errorf("a title that it does not know: %v", err)
	}
}
