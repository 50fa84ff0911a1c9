// SPDX-License-Identifier: Apache-2.0

package dicomtool_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/dicomtool"
)

// TestRetrieveFromDCMTK stores images in DCMTK's dcmqrscp and retrieves them with C-GET and with C-MOVE.
func TestRetrieveFromDCMTK(t *testing.T) {
	qrscp, err := exec.LookPath("dcmqrscp")
	if err != nil {
		t.Skip("no dcmqrscp")
	}
	const samples = "/usr/lib/python3/dist-packages/pydicom/data/test_files/"
	files := []string{samples + "CT_small.dcm", samples + "MR_small.dcm"}
	for _, f := range files {
		if _, err := os.Stat(f); err != nil {
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	archive, here := freePort(t), freePort(t)
	db := filepath.Join(dir, "db")
	config := fmt.Sprintf("NetworkTCPPort = %s\nMaxPDUSize = 16384\nMaxAssociations = 16\nHostTable BEGIN\nme = (ME, 127.0.0.1, %s)\nHostTable END\nVendorTable BEGIN\nVendorTable END\nAETable BEGIN\nARCHIVE %s RW (200, 1024mb) ANY\nAETable END\n", archive, here, db)
	if err := errors.Join(os.Mkdir(db, 0o700), os.WriteFile(filepath.Join(dir, "qr.cfg"), []byte(config), 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, qrscp, "-c", filepath.Join(dir, "qr.cfg")) //nolint:gosec // a test peer
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = c.Wait() }()
	peer := dicomtool.Peer{Address: "127.0.0.1:" + archive, CallingAE: "ME", CalledAE: "ARCHIVE"}
	for {
		if _, err = dicomtool.Echo(ctx, peer, 1); err == nil || ctx.Err() != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if s, err := dicomtool.Send(ctx, peer, dicomtool.SendOptions{Paths: files}); err != nil || s.Failed != 0 {
		t.Fatal(s, err)
	}
	ask := func(keys ...string) (o dicomtool.RetrieveOptions) {
		o.Model = "study"
		for _, s := range keys {
			k, err := dicomtool.ParseKey(s)
			if err != nil {
				t.Fatal(err)
			}
			o.Keys = append(o.Keys, k)
		}
		return o
	}
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

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
