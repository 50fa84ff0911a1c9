// SPDX-License-Identifier: Apache-2.0

package service

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/wire/dicom"
)

// peak is the most memory that a process had, in bytes.
func peak(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// zeros reads as so many zeros.
type zeros struct{ n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), z.n))
	clear(p[:n])
	z.n -= int64(n)
	return n, nil
}

// frames is the data set of a multi-frame image, made while it is read.
func frames(t *testing.T, uid string, n int) io.Reader {
	t.Helper()
	const side = 1024
	var b bytes.Buffer
	s, _ := dicom.SyntaxOf(dicom.ExplicitVRLittleEndian)
	w := dicom.NewWriter(&b, s)
	w.Text(dicom.TagSOPClassUID, dicom.UI, gatewaytest.CTStorage)
	w.Text(dicom.TagSOPInstanceUID, dicom.UI, uid)
	w.Text(dicom.TagModality, dicom.CS, "CT")
	w.Text(dicom.TagPatientID, dicom.LO, "FICT-0001")
	w.Text(dicom.TagStudyInstanceUID, dicom.UI, "1.2.826.0.1.3680043.8.498.1")
	w.Text(0x0020000E, dicom.UI, "1.2.826.0.1.3680043.8.498.1.1")
	w.Uint16(0x00280002, dicom.US, 1)
	w.Text(0x00280004, dicom.CS, "MONOCHROME2")
	w.Text(0x00280008, dicom.IS, strconv.Itoa(n))
	w.Uint16(0x00280010, dicom.US, side)
	w.Uint16(0x00280011, dicom.US, side)
	w.Uint16(0x00280100, dicom.US, 16)
	w.Uint16(0x00280101, dicom.US, 16)
	w.Uint16(0x00280102, dicom.US, 15)
	w.Uint16(0x00280103, dicom.US, 0)
	w.Bytes(0x7FE00010, dicom.OW, nil)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	head := b.Bytes() // ends with the length of the pixel data, which is 0 as yet
	size := int64(n) * side * side * 2
	for i := range 4 {
		head[len(head)-4+i] = byte(size >> (8 * i))
	}
	return io.MultiReader(bytes.NewReader(head), &zeros{size})
}

// TestAnInstanceOfAnySizeCostsTheSameMemory sends a large instance through a gateway in a process of its own, on to its processor.
func TestAnInstanceOfAnySizeCostsTheSameMemory(t *testing.T) {
	n := 48 // 96 MiB
	if os.Getenv("ASEPSIS_TEST_SLOW") != "" {
		n = 1023 // 2 GiB
	}
	x := gatewaytest.NewStoreSCP(t, "XR1")
	x.Up("--fork")
	g := &gatewayProcess{t: t, dir: t.TempDir(), port: gatewaytest.FreePort(t), to: x.Port}
	g.start()
	t.Cleanup(func() { g.end(syscall.SIGKILL) })
	d := &dicomnet.Dialer{CallingAE: "US1", CalledAE: "ASEPSIS", Contexts: []dicomnet.Proposal{{AbstractSyntax: gatewaytest.CTStorage, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}}}}
	send := func(uid string, n int) {
		t.Helper()
		a, err := d.Dial(t.Context(), "127.0.0.1:"+g.port)
		if err != nil {
			t.Fatal(err)
		}
		status, err := a.Store(t.Context(), dicomnet.Instance{SOPClass: gatewaytest.CTStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, Data: frames(t, uid, n)})
		if err != nil || status != 0 {
			t.Fatalf("%v, %v\n%.2000s", status, err, &g.out)
		}
		if err := a.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	arrived := func(uid string) bool {
		st, err := os.Stat(x.Dir + "/CT." + uid)
		return err == nil && st.Size() > int64(n)<<21
	}
	for i := range 5 {
		send("1.2.3."+strconv.Itoa(i+1), 1)
	}
	before := peak(t, g.cmd.Process.Pid)
	send("1.2.3.99", n)
	for end := time.Now().Add(2 * time.Minute); !arrived("1.2.3.99"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(errors.New("it did not arrive"))
		}
	}
	after := peak(t, g.cmd.Process.Pid)
	t.Logf("%d MiB through %d MiB, %d MiB before", 2*n, after>>20, before>>20)
	if grown := after - before; grown > 24<<20 {
		t.Errorf("an instance of %d MiB made the gateway grow by %d MiB", 2*n, grown>>20)
	}
}
