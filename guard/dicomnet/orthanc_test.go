// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// orthanc starts Orthanc, which knows WS_OR3 at moveTo, and returns its DICOM port.
func orthanc(t *testing.T, moveTo, more string) string {
	t.Helper()
	need(t, "Orthanc")
	dir, port := t.TempDir(), freePort(t)
	config := fmt.Sprintf(`{"Name": "Lindenhof PACS (fictional)", "StorageDirectory": %q, "IndexDirectory": %q, "DicomAet": "PACS", "DicomPort": %s, "HttpServerEnabled": false, "Plugins": [],
		"DicomCheckCalledAet": true, "DicomAlwaysAllowFind": true, "DicomAlwaysAllowGet": true, "DicomAlwaysAllowMove": true, "DefaultEncoding": "Utf8", "SynchronousCMove": true,
		"DicomModalities": {"ws": {"AET": "WS_OR3", "Host": "127.0.0.1", "Port": %s, "AllowStorageCommitment": true}}%s}`, dir, dir, port, moveTo, more)
	path := filepath.Join(dir, "orthanc.json")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out := start(t, dir, "Orthanc", path)
	until(t, "Orthanc", func() bool { return strings.Contains(out.String(), "Orthanc has started") })
	return port
}

// TestOrthancAsAPeer stores, asks, gets, moves and has the storage committed.
func TestOrthancAsAPeer(t *testing.T) {
	ar, moved, got := newArchive(t), newReceiver(), newReceiver()
	reports := make(chan string, 1)
	back := serve(t, &Server{Services: []Service{{AbstractSyntax: AnyStorage}, {AbstractSyntax: commitment, PeerSCP: true}}, Handler: HandlerFunc(func(ctx context.Context, r *Request) Reply {
		if r.Command.Field == dimse.NEventReportRQ {
			v := values(t, r.Data, r.Context.TransferSyntax)
			reports <- fmt.Sprintf("%d %s", r.Command.EventType, v["TransactionUID"])
			return Reply{}
		}
		return moved.Handle(ctx, r)
	})}, moved)
	port := orthanc(t, back, "")
	d := &Dialer{CallingAE: "WS_OR3", CalledAE: "PACS", Handler: got, Contexts: []Proposal{
		{AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: UncompressedSyntaxes()}, {AbstractSyntax: studyFind, TransferSyntaxes: UncompressedSyntaxes()},
		{AbstractSyntax: studyMove, TransferSyntaxes: UncompressedSyntaxes()}, {AbstractSyntax: studyGet, TransferSyntaxes: UncompressedSyntaxes()}, {AbstractSyntax: commitment, TransferSyntaxes: UncompressedSyntaxes()}}}
	get := *d
	get.Contexts = append(get.Contexts[:len(get.Contexts):len(get.Contexts)], Proposal{AbstractSyntax: ctStorage, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}, SCP: true})
	d.Contexts = append(d.Contexts, Proposal{AbstractSyntax: ctStorage, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}})
	a := dial(t, d, port)
	if err := a.Echo(t.Context()); err != nil {
		t.Fatal(err)
	}
	for uid, data := range ar.instances {
		if _, err := a.Store(t.Context(), Instance{SOPClass: ctStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(data)}); err != nil {
			t.Fatal(err)
		}
	}
	study := func(w *dicom.Writer) {
		w.Text(dicom.TagQueryRetrieveLevel, dicom.CS, "STUDY")
		w.Text(dicom.TagPatientID, dicom.LO)
		w.Text(dicom.TagStudyInstanceUID, dicom.UI, "1.2.826.0.1.3680043.8.498.1")
	}
	found := 0
	if _, err := a.Find(t.Context(), query(t, a, studyFind, study), func(*Response) error { found++; return nil }); err != nil || found != 1 {
		t.Errorf("find: %d, %v", found, err)
	}
	move := query(t, a, studyMove, study)
	move.Destination = "WS_OR3"
	if rsp, err := a.Move(t.Context(), move, nil); err != nil || rsp.Failed != 0 || moved.count() != 3 {
		t.Errorf("move: %+v, %v, %d instances", rsp, err, moved.count())
	}
	request := dataset(t, dicom.ExplicitVRLittleEndian, func(w *dicom.Writer) {
		w.Text(0x00081195, dicom.UI, "1.2.3.99")
		w.Sequence(dicom.TagReferencedSOPSequence, func() {
			w.Text(0x00081150, dicom.UI, ctStorage)
			w.Text(0x00081155, dicom.UI, "1.2.826.0.1.3680043.8.498.7.1")
		})
	})
	pc, err := a.Info().Select(commitment, false, dicom.ExplicitVRLittleEndian)
	if err != nil {
		t.Fatalf("%v, %+v", err, pc)
	}
	if _, err := a.Action(t.Context(), Object{SOPClass: commitment, SOPInstance: "1.2.840.10008.1.20.1.1", Type: 1, Data: bytes.NewReader(request)}, nil); err != nil {
		t.Errorf("storage commitment: %v", err)
	}
	select {
	case r := <-reports:
		if r != "1 1.2.3.99" {
			t.Errorf("storage commitment is reported as %q", r)
		}
	case <-time.After(patience):
		t.Error("storage commitment is not reported")
	}
	if err := a.Release(t.Context()); err != nil {
		t.Error(err)
	}
	g := dial(t, &get, port)
	if rsp, err := g.Get(t.Context(), query(t, g, studyGet, study), nil); err != nil || rsp.Completed != 3 || got.count() != 3 {
		t.Errorf("get: %+v, %v, %d instances", rsp, err, got.count())
	}
	if err := g.Release(t.Context()); err != nil {
		t.Error(err)
	}
	wrong := echoDialer("WRONG")
	if _, err := wrong.Dial(t.Context(), "127.0.0.1:"+port); err == nil || !strings.Contains(err.Error(), "called-ae-title-not-recognized") {
		t.Errorf("a wrong called AE title: %v", err)
	}
}

func TestOrthancOverTLS(t *testing.T) {
	p := newPKI(t)
	port := orthanc(t, "104", fmt.Sprintf(`, "DicomTlsEnabled": true, "DicomTlsCertificate": %q, "DicomTlsPrivateKey": %q, "DicomTlsTrustedCertificates": %q`, p.cert, p.key, p.ca))
	d := echoDialer("PACS")
	d.TLS = p.client()
	a := dial(t, d, port)
	if err := a.Echo(t.Context()); err != nil {
		t.Error(err)
	}
	if err := a.Release(t.Context()); err != nil {
		t.Error(err)
	}
}
