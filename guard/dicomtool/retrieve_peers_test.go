// SPDX-License-Identifier: Apache-2.0

package dicomtool_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/dicomtool"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/wire/dicom"
)

const samples = "/usr/lib/python3/dist-packages/pydicom/data/test_files/"

// sample reads a file of pydicom.
func sample(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(samples + name)
	if err != nil {
		t.Skip("peer missing: test files of Debian's python3-pydicom")
	}
	return b
}

// ask reads keys as people write them.
func ask(t *testing.T, keys ...string) (o dicomtool.RetrieveOptions) {
	t.Helper()
	o.Model, o.Wait = "study", gatewaytest.Patience
	for _, s := range keys {
		k, err := dicomtool.ParseKey(s)
		if err != nil {
			t.Fatal(err)
		}
		o.Keys = append(o.Keys, k)
	}
	return o
}

// TestCompressedImagesComeAsOrthancHasThem retrieves images in four compressions, by C-GET and by C-MOVE.
func TestCompressedImagesComeAsOrthancHasThem(t *testing.T) {
	t.Parallel()
	here := gatewaytest.FreePort(t)
	pacs := gatewaytest.NewOrthanc(t, gatewaytest.OrthancConfig{AE: "PACS", Modalities: []gatewaytest.Modality{{Name: "me", AE: "ME", Port: here}}})
	peer := dicomtool.Peer{Address: "127.0.0.1:" + pacs.DICOM, CallingAE: "ME", CalledAE: "PACS"}
	want, syntax := map[string][]byte{}, map[string]string{}
	for _, name := range []string{"JPEG2000.dcm", "SC_rgb_jpeg_dcmtk.dcm", "MR_small_RLE.dcm", "CT_small.dcm"} {
		b := sample(t, name)
		pacs.Put(b)
		data, meta := gatewaytest.DataSet(t, b)
		want[meta.SOPInstance], syntax[meta.SOPInstance] = pixels(t, data, meta.TransferSyntax), meta.TransferSyntax
	}
	check := func(name string, r *dicomtool.Retrieved, err error) {
		t.Helper()
		if err != nil || r.Whole() != nil || r.Stored != len(want) || len(r.Missing) != 0 {
			t.Fatalf("%s: %+v %v", name, r, err)
		}
		for _, f := range r.Files {
			b, err := os.ReadFile(f.Path)
			if err != nil {
				t.Fatal(err)
			}
			if data, meta := gatewaytest.DataSet(t, b); f.TransferSyntax != syntax[f.SOPInstance] || meta.TransferSyntax != f.TransferSyntax || !bytes.Equal(pixels(t, data, meta.TransferSyntax), want[f.SOPInstance]) {
				t.Errorf("%s: %s came in %s, or its pixel data differs", name, f.SOPInstance, dicom.UIDName(f.TransferSyntax))
			}
		}
	}
	o := dicomtool.GetOptions{RetrieveOptions: ask(t, "PatientID=*"), Dir: filepath.Join(t.TempDir(), "got"), Classes: []string{"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.7"},
		TransferSyntaxes: []string{"1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5", dicom.ExplicitVRLittleEndian}}
	r, err := dicomtool.Get(t.Context(), peer, o)
	check("get", r, err)
	r, err = dicomtool.Move(t.Context(), peer, dicomtool.MoveOptions{RetrieveOptions: ask(t, "PatientID=*"), Destination: "ME", Listen: "127.0.0.1:" + here, Dir: filepath.Join(t.TempDir(), "moved"), Tree: true})
	check("move", r, err)
	if r.Completed != len(want) {
		t.Errorf("%+v", r)
	}
	// With nothing said about transfer syntaxes all of it arrives too, and as it is.
	r, err = dicomtool.Get(t.Context(), peer, dicomtool.GetOptions{RetrieveOptions: ask(t, "PatientID=*"), Dir: t.TempDir()})
	check("get as it is", r, err)
	// Nothing matches: nothing is asked for, and that is no error.
	r, err = dicomtool.Get(t.Context(), peer, dicomtool.GetOptions{RetrieveOptions: ask(t, "PatientID=NOBODY*"), Dir: t.TempDir()})
	if err != nil || r.Whole() != nil || r.Requests != 0 || r.Stored != 0 {
		t.Errorf("%+v %v", r, err)
	}
}

// pixels returns the bytes of pixel data, fragment after fragment: Orthanc writes what is around it anew.
func pixels(t *testing.T, data []byte, syntax string) (out []byte) {
	t.Helper()
	s, _ := dicom.SyntaxOf(syntax)
	r := dicom.NewReader(bytes.NewReader(data), s, dicom.DefaultLimits())
	for {
		tok, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return out
		case err != nil:
			t.Fatal(err)
		case tok.Tag == dicom.TagPixelData && (tok.Kind == dicom.Element || tok.Kind == dicom.Fragment):
			v, err := r.Value(1 << 24)
			if err != nil {
				t.Fatal(err)
			}
			out = append(append(out, '|'), v...)
		}
	}
}

// TestWhatThePeerBreaksOffOverIsAskedForAgain: Orthanc ends the association over an image in a compression that has no context on
// it and that it cannot decode.
func TestWhatThePeerBreaksOffOverIsAskedForAgain(t *testing.T) {
	t.Parallel()
	pacs := gatewaytest.NewOrthanc(t, gatewaytest.OrthancConfig{AE: "PACS"})
	peer := dicomtool.Peer{Address: "127.0.0.1:" + pacs.DICOM, CallingAE: "ME", CalledAE: "PACS"}
	b := sample(t, "JPEG2000.dcm")
	as := func(syntax string) {
		pacs.Put(bytes.Replace(b, []byte("1.2.840.10008.1.2.4.91"), []byte(syntax), 1))
	}
	// One study, so that what comes behind is not lost with what the peer breaks off over; and others before and behind.
	pacs.Put(sample(t, "CT_small.dcm"))
	pacs.Put(sample(t, "MR_small.dcm"))
	for _, uid := range []string{"1.3.6.1.4.1.5962.1.1.8.1.3.20040826185059.5451", "1.3.6.1.4.1.5962.1.1.8.1.3.20040826185059.5459"} {
		pacs.Put(bytes.ReplaceAll(b, []byte("1.3.6.1.4.1.5962.1.1.8.1.3.20040826185059.5457"), []byte(uid)))
	}
	as("1.2.840.10008.1.2.4.81") // is not on the first association
	r, err := dicomtool.Get(t.Context(), peer, dicomtool.GetOptions{RetrieveOptions: ask(t, "PatientID=*"), Dir: t.TempDir()})
	if err != nil || r.Whole() != nil || r.Stored != 5 {
		t.Errorf("%+v %v", r, err)
	}
	as("1.2.840.10008.1.2.4.93") // is on none
	r, err = dicomtool.Get(t.Context(), peer, dicomtool.GetOptions{RetrieveOptions: ask(t, "PatientID=*"), Dir: t.TempDir()})
	if r == nil || r.Stored < 2 || r.Stored > 4 || err == nil && r.Whole() == nil {
		t.Errorf("what no context was asked for: %+v %v", r, err)
	}
}

// TestRetrievingOverTLS has both sides of a C-MOVE and of a C-GET show certificates, and listens to nobody who has none.
func TestRetrievingOverTLS(t *testing.T) {
	t.Parallel()
	site := identitytest.New(t, identitytest.Options{})
	theirs, own := gatewaytest.Enrol(t, site, identity.DICOMNode, "pacs"), gatewaytest.Enrol(t, site, identity.DICOMNode, "ws-1")
	here := gatewaytest.FreePort(t)
	pacs := gatewaytest.NewOrthanc(t, gatewaytest.OrthancConfig{AE: "PACS", TLS: &theirs, Modalities: []gatewaytest.Modality{{Name: "me", AE: "ME", Port: here, TLS: true}}})
	pacs.Put(sample(t, "CT_small.dcm"))
	pacs.Put(sample(t, "MR_small.dcm"))
	files := dicomtool.TLSFiles{Cert: own.Cert, Key: own.Key, CA: own.CA}
	config, err := files.Config()
	if err != nil {
		t.Fatal(err)
	}
	peer := dicomtool.Peer{Address: "127.0.0.1:" + pacs.DICOM, CallingAE: "ME", CalledAE: "PACS", TLS: config}
	r, err := dicomtool.Get(t.Context(), peer, dicomtool.GetOptions{RetrieveOptions: ask(t, "PatientID=*"), Dir: t.TempDir()})
	if err != nil || r.Whole() != nil || r.Stored != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	o := dicomtool.MoveOptions{RetrieveOptions: ask(t, "PatientID=1CT1"), Destination: "ME", Listen: "127.0.0.1:" + here, Dir: t.TempDir()}
	if o.ListenTLS, err = files.Listener(); err != nil {
		t.Fatal(err)
	}
	if r, err = dicomtool.Move(t.Context(), peer, o); err != nil || r.Whole() != nil || r.Stored != 1 || r.Completed != 1 {
		t.Errorf("%+v %v", r, err)
	}
	// A certificate of another site is nobody's here, whoever it says it is.
	other := gatewaytest.Enrol(t, identitytest.New(t, identitytest.Options{}), identity.DICOMNode, "pacs")
	if o.ListenTLS, err = (dicomtool.TLSFiles{Cert: own.Cert, Key: own.Key, CA: other.CA}).Listener(); err != nil {
		t.Fatal(err)
	}
	o.Dir = t.TempDir()
	if r, err = dicomtool.Move(t.Context(), peer, o); err != nil || r.Whole() == nil || r.Stored != 0 {
		t.Errorf("a sender of another site: %+v %v", r, err)
	}
	stranger := peer
	if stranger.TLS, err = (dicomtool.TLSFiles{Cert: other.Cert, Key: other.Key, CA: own.CA}).Config(); err != nil {
		t.Fatal(err)
	}
	if r, err = dicomtool.Get(t.Context(), stranger, dicomtool.GetOptions{RetrieveOptions: ask(t, "PatientID=1CT1"), Dir: t.TempDir()}); err == nil {
		t.Errorf("the archive took a stranger: %+v", r)
	}
	if stranger.TLS, err = (dicomtool.TLSFiles{Cert: own.Cert, Key: own.Key, CA: other.CA}).Config(); err != nil {
		t.Fatal(err)
	}
	if r, err = dicomtool.Get(t.Context(), stranger, dicomtool.GetOptions{RetrieveOptions: ask(t, "PatientID=1CT1"), Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an archive that nobody vouches for: %+v %v", r, err)
	}
}

// TestWhoListensWithTLSNeedsACertificate shows what is asked of those who connect.
func TestWhoListensWithTLSNeedsACertificate(t *testing.T) {
	t.Parallel()
	own := gatewaytest.Enrol(t, identitytest.New(t, identitytest.Options{}), identity.DICOMNode, "ws-1")
	_, err := dicomtool.TLSFiles{CA: own.CA}.Listener()
	if h := hintOf(err); err == nil || !strings.Contains(h, "--tls-cert") || !strings.Contains(h, "--listen-plain") {
		t.Errorf("%v (%s)", err, h)
	}
	c, err := dicomtool.TLSFiles{Cert: own.Cert, Key: own.Key}.Listener()
	if err != nil || c.ClientCAs != nil || c.ClientAuth != 0 {
		t.Errorf("without authorities: %+v %v", c, err)
	}
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// silent serves a peer that takes a retrieval and says nothing more. A deaf one does not even hear that it is cancelled.
func silent(t *testing.T, deaf bool) dicomtool.Peer {
	t.Helper()
	over := make(chan struct{})
	services := []dicomnet.Service{}
	for _, uid := range []string{"1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.5.1.4.1.2.2.3"} {
		services = append(services, dicomnet.Service{AbstractSyntax: uid})
	}
	peer := listen(t, &dicomnet.Server{Services: services, Handler: dicomnet.HandlerFunc(func(ctx context.Context, r *dicomnet.Request) dicomnet.Reply {
		if _, err := io.Copy(io.Discard, r.Data); err != nil || deaf {
			<-over
			return dicomnet.Reply{}
		}
		<-ctx.Done()
		return dicomnet.Reply{Status: 0xFE00}
	})})
	t.Cleanup(func() { close(over) }) // before the server ends
	return peer
}

func TestAPeerThatGoesSilentIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, deaf := range map[string]bool{"it hears C-CANCEL": false, "it does not even hear C-CANCEL": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peer := silent(t, deaf)
			peer.Timeouts.Cancel, peer.Timeouts.Close = 50*time.Millisecond, 50*time.Millisecond
			if !deaf {
				peer.Timeouts.Cancel = gatewaytest.Patience
			}
			o := ask(t, "StudyInstanceUID=1.2.3")
			o.Wait = 100 * time.Millisecond
			_, get := dicomtool.Get(t.Context(), peer, dicomtool.GetOptions{RetrieveOptions: o, Dir: t.TempDir()})
			_, move := dicomtool.Move(t.Context(), peer, dicomtool.MoveOptions{RetrieveOptions: o, Destination: "WS_OR3"})
			for what, err := range map[string]error{"get": get, "move": move} {
				if !errors.Is(err, dicomnet.ErrTimeout) || !strings.Contains(err.Error(), "said and sent nothing for 100ms") || !strings.Contains(hintOf(err), "--wait") {
					t.Errorf("%s: %v (%s)", what, err, hintOf(err))
				}
			}
		})
	}
}

func TestAPeerThatCannotBeRetrievedFromIsSaidSo(t *testing.T) {
	t.Parallel()
	o := ask(t, "StudyInstanceUID=1.2.3")
	peer := listen(t, &dicomnet.Server{Services: []dicomnet.Service{{AbstractSyntax: dicom.UIDVerification}}, Handler: dicomnet.HandlerFunc(func(context.Context, *dicomnet.Request) dicomnet.Reply { return dicomnet.Reply{} })})
	_, get := dicomtool.Get(t.Context(), peer, dicomtool.GetOptions{RetrieveOptions: o, Dir: t.TempDir()})
	_, move := dicomtool.Move(t.Context(), peer, dicomtool.MoveOptions{RetrieveOptions: o, Destination: "WS_OR3"})
	if get == nil || !strings.Contains(hintOf(get), "dicom move") || move == nil || !strings.Contains(hintOf(move), "dicom get") {
		t.Errorf("%v (%s), %v (%s)", get, hintOf(get), move, hintOf(move))
	}
	// An address that is taken, or no address.
	_, err := dicomtool.Move(t.Context(), peer, dicomtool.MoveOptions{RetrieveOptions: o, Destination: "WS_OR3", Listen: peer.Address, Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("%v", err)
	}
	for name, tc := range map[string]struct {
		keys []string
		want string
	}{
		"no key":                      {nil, "nothing says what to retrieve"},
		"keys without a value":        {[]string{"StudyInstanceUID"}, "nothing says what to retrieve"},
		"a level that there is not":   {[]string{"QueryRetrieveLevel=SLICE", "StudyInstanceUID=1.2"}, `no level "SLICE"`},
		"a key below the level":       {[]string{"QueryRetrieveLevel=STUDY", "SOPInstanceUID=1.2"}, "is below the level STUDY"},
		"patients in the study model": {[]string{"QueryRetrieveLevel=PATIENT", "PatientID=1"}, `no level "PATIENT"`},
	} {
		if _, err := dicomtool.Get(t.Context(), peer, dicomtool.GetOptions{RetrieveOptions: ask(t, tc.keys...), Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
