// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/platform/porttest"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// TestDICOMCommands runs the scripts in testdata/dicom against an archive that the test serves at $PEER. It is
// called ARCHIVE, refuses SOP instance 1.2.3.13, and finds two fictional studies. One of them, 1.2.3, can be retrieved; of 1.2.4 an
// instance is lost. It knows the AE title WS_OR3, at port $HERE.
func TestDICOMCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/dicom",
		Setup: func(e *testscript.Env) error {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			host, port, err := net.SplitHostPort(ln.Addr().String())
			if err != nil {
				return err
			}
			e.Setenv("PEER", ln.Addr().String())
			e.Setenv("PEERHOST", host)
			e.Setenv("PEERPORT", port)
			here, err := porttest.Free()
			if err != nil {
				return err
			}
			known := net.JoinHostPort(host, strconv.Itoa(here))
			e.Setenv("HERE", known)
			s := &dicomnet.Server{Handler: archive(known), Services: []dicomnet.Service{{AbstractSyntax: dicom.UIDVerification},
				{AbstractSyntax: "1.2.840.10008.5.1.4.1.2.2.1"}, {AbstractSyntax: "1.2.840.10008.5.1.4.1.2.2.2"}, {AbstractSyntax: "1.2.840.10008.5.1.4.1.2.2.3"},
				{AbstractSyntax: dicomnet.AnyStorage, TransferSyntaxes: dicomnet.UncompressedSyntaxes(), PeerSCP: true}},
				Negotiate: func(_ context.Context, n *dicomnet.Negotiation) error {
					if n.Request.CalledAE != "ARCHIVE" {
						return &dicomnet.RejectedError{Reject: dicomnet.RejectCalledAE}
					}
					return nil
				}}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error)
			go func() { done <- s.Serve(ctx, ln, time.Second) }()
			e.Defer(func() { cancel(); <-done })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// dcm FILE UID SYNTAX makes a file with an image of two pixels.
			"dcm": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 3 {
					ts.Fatalf("usage: dcm FILE UID SYNTAX")
				}
				b, err := sample(args[1], args[2])
				ts.Check(err)
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
			},
		},
	})
}

const ctImageStorage = "1.2.840.10008.5.1.4.1.1.2"

func sample(uid, syntax string) ([]byte, error) {
	s, _ := dicom.SyntaxOf(syntax)
	head, err := dicom.AppendFileHead(nil, dicom.Preamble{}, &dicom.FileMeta{SOPClass: ctImageStorage, SOPInstance: uid, TransferSyntax: syntax, ImplUID: "1.2.3", ImplVersion: "TEST"})
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(head)
	w := dicom.NewWriter(b, s)
	w.Text(dicom.TagSpecificCharacterSet, dicom.CS, "ISO_IR 192")
	w.Text(dicom.TagSOPClassUID, dicom.UI, ctImageStorage)
	w.Text(dicom.TagSOPInstanceUID, dicom.UI, uid)
	w.Text(0x00100010, dicom.PN, "Fiktiv^Jürgen")
	w.Text(dicom.TagPatientID, dicom.LO, "FICT-0001")
	if s.Encapsulated {
		w.Fragments(dicom.TagPixelData, []byte{0xFF, 0xD8, 0xFF, 0xD9})
	} else {
		w.Uint16(dicom.TagPixelData, dicom.OW, 1, 2)
	}
	err = w.Close()
	return b.Bytes(), err
}

func archive(known string) dicomnet.HandlerFunc {
	return func(ctx context.Context, r *dicomnet.Request) dicomnet.Reply {
		switch r.Command.Field {
		case dimse.CStoreRQ:
			if _, err := io.Copy(io.Discard, r.Data); err != nil {
				return dicomnet.Reply{Status: 0xA700}
			}
			if r.Command.AffectedSOPInstance == "1.2.3.13" {
				return dicomnet.Reply{Status: 0xA700, Comment: "FICT-0001 is not wanted"}
			}
		case dimse.CFindRQ:
			return found(ctx, r)
		case dimse.CGetRQ:
			return sent(ctx, r, r.Association)
		case dimse.CMoveRQ:
			if r.Command.MoveDestination != "WS_OR3" {
				return dicomnet.Reply{Status: 0xA801}
			}
			d := dicomnet.Dialer{CallingAE: "ARCHIVE", CalledAE: "WS_OR3", Contexts: []dicomnet.Proposal{{AbstractSyntax: ctImageStorage, TransferSyntaxes: dicomnet.UncompressedSyntaxes()}}}
			to, err := d.Dial(ctx, known)
			if err != nil {
				return dicomnet.Reply{Status: 0xA702, Progress: &dicomnet.Progress{Failed: 1}}
			}
			defer func() { _ = to.Release(ctx) }()
			return sent(ctx, r, to)
		}
		return dicomnet.Reply{}
	}
}

func found(ctx context.Context, r *dicomnet.Request) dicomnet.Reply {
	s, _ := dicom.SyntaxOf(r.Context.TransferSyntax)
	for _, id := range []string{"FICT-0001", "FICT-0002"} {
		var b bytes.Buffer
		w := dicom.NewWriter(&b, s)
		w.Text(dicom.TagPatientID, dicom.LO, id)
		w.Text(dicom.TagStudyInstanceUID, dicom.UI, "1.2.3")
		if w.Close() != nil || r.Pending(ctx, dicomnet.Reply{Status: 0xFF00, Data: &b}) != nil {
			return dicomnet.Reply{Status: 0xFE00}
		}
	}
	return dicomnet.Reply{}
}

// sent does a retrieval.
func sent(ctx context.Context, r *dicomnet.Request, to *dicomnet.Association) dicomnet.Reply {
	id, err := io.ReadAll(r.Data)
	if err != nil {
		return dicomnet.Reply{Status: 0xC000}
	}
	p := &dicomnet.Progress{Remaining: 2}
	for _, uid := range []string{"1.2.3.1", "1.2.3.2"} {
		file, err := sample(uid, dicom.ExplicitVRLittleEndian)
		if err != nil {
			return dicomnet.Reply{Status: 0xC000}
		}
		f, err := dicom.OpenFile(bytes.NewReader(file))
		if err != nil {
			return dicomnet.Reply{Status: 0xC000}
		}
		p.Remaining--
		if uid == "1.2.3.2" && bytes.Contains(id, []byte("1.2.4")) {
			p.Failed++
		} else if _, err := to.Store(ctx, dicomnet.Instance{SOPClass: ctImageStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, Data: f.Data}); err != nil {
			p.Failed++
		} else {
			p.Completed++
		}
		if r.Pending(ctx, dicomnet.Reply{Status: 0xFF00, Progress: p}) != nil {
			return dicomnet.Reply{Status: 0xFE00, Progress: p}
		}
	}
	if p.Failed == 0 {
		return dicomnet.Reply{Progress: p}
	}
	s, _ := dicom.SyntaxOf(r.Context.TransferSyntax)
	var lost bytes.Buffer
	w := dicom.NewWriter(&lost, s)
	w.Text(0x00080058, dicom.UI, "1.2.3.2")
	if w.Close() != nil {
		return dicomnet.Reply{Status: 0xC000}
	}
	return dicomnet.Reply{Status: 0xB000, Progress: p, Data: &lost}
}
