// SPDX-License-Identifier: Apache-2.0

package dicomtool_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/dicomtool"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
)

// TestRetrieveFromDCMTK stores images in DCMTK's dcmqrscp and retrieves them with C-GET and with C-MOVE.
func TestRetrieveFromDCMTK(t *testing.T) {
	t.Parallel()
	files := []string{samples + "CT_small.dcm", samples + "MR_small.dcm"}
	sample(t, "CT_small.dcm")
	ctx, dir, here := t.Context(), t.TempDir(), gatewaytest.FreePort(t)
	archive := gatewaytest.NewQRSCP(t, "ARCHIVE", map[string]string{"ME": here})
	peer := dicomtool.Peer{Address: "127.0.0.1:" + archive.Port, CallingAE: "ME", CalledAE: "ARCHIVE"}
	if s, err := dicomtool.Send(ctx, peer, dicomtool.SendOptions{Paths: files}); err != nil || s.Failed != 0 {
		t.Fatal(s, err)
	}
	ask := func(keys ...string) dicomtool.RetrieveOptions { return ask(t, keys...) }
	// What matches is asked for first; the files are whole, and in the tree of the studies.
	got := filepath.Join(dir, "got")
	r, err := dicomtool.Get(ctx, peer, dicomtool.GetOptions{RetrieveOptions: ask("PatientID=*"), Dir: got, Tree: true})
	if err != nil || r.Whole() != nil || r.Stored != 2 || r.Requests != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	if m, _ := filepath.Glob(filepath.Join(got, "*", "*", "*.dcm")); len(m) != 2 {
		t.Error(m)
	}
	// A study alone, by its UID.
	r, err = dicomtool.Get(ctx, peer, dicomtool.GetOptions{RetrieveOptions: ask("StudyInstanceUID=1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"), Dir: filepath.Join(dir, "one")})
	if err != nil || r.Whole() != nil || r.Stored != 1 {
		t.Errorf("%+v %v", r, err)
	}
	// A class that is not taken is said to be missing.
	r, err = dicomtool.Get(ctx, peer, dicomtool.GetOptions{RetrieveOptions: ask("PatientID=1CT1"), Dir: filepath.Join(dir, "mr"), Classes: []string{"1.2.840.10008.5.1.4.1.1.4"}})
	if err != nil || r.Whole() == nil || r.Stored != 0 {
		t.Errorf("%+v %v", r, err)
	}
	// Nothing that matches too much.
	o := ask("PatientID=*")
	o.Limit = 1
	if r, err = dicomtool.Get(ctx, peer, dicomtool.GetOptions{RetrieveOptions: o, Dir: dir}); err == nil || r != nil || !strings.Contains(err.Error(), "more than 1") {
		t.Errorf("%+v %v", r, err)
	}
	r, err = dicomtool.Move(ctx, peer, dicomtool.MoveOptions{RetrieveOptions: ask("PatientID=*"), Destination: "ME", Listen: "127.0.0.1:" + here, Dir: filepath.Join(dir, "moved")})
	if err != nil || r.Whole() != nil || r.Stored != 2 || r.Completed != 2 {
		t.Errorf("%+v %v", r, err)
	}
	r, err = dicomtool.Move(ctx, peer, dicomtool.MoveOptions{RetrieveOptions: ask("PatientID=1CT1"), Destination: "NOBODY"})
	if err != nil || r.Whole() == nil || !strings.Contains(r.Whole().Error(), "0xA801") {
		t.Errorf("%+v %v", r, err)
	}
}

// listen serves until the test ends.
func listen(t *testing.T, s *dicomnet.Server) dicomtool.Peer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, ln, time.Second) }()
	t.Cleanup(func() { cancel(); <-done })
	return dicomtool.Peer{Address: ln.Addr().String(), CallingAE: "WS_OR3", CalledAE: "ARCHIVE"}
}
