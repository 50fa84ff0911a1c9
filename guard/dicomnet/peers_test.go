// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/porttest"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

const ctStorage = "1.2.840.10008.5.1.4.1.1.2"

// patience is how long a test waits for a peer before it fails.
const patience = 20 * time.Second

// need skips the test where a real peer is missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("peer missing: %s", p)
		}
	}
}

// freePort returns a port of the loopback on which nobody listens, and which nobody is given who asks for any.
func freePort(t *testing.T) string {
	t.Helper()
	port, err := porttest.Free()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}

// output collects what a program prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// start runs a peer until the test ends.
func start(t *testing.T, dir, name string, args ...string) *output {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, out)
		}
	})
	return out
}

// run runs a peer to its end.
func run(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// listening waits until somebody listens on a port.
func listening(t *testing.T, port string) {
	t.Helper()
	until(t, "port "+port, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

// until waits for a condition.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// instance makes the data set of a fictional CT image with so many bytes of pixels.
func instance(uid string, pixels int) []byte {
	var b []byte
	add := func(tag dicom.Tag, vr string, v string) {
		if len(v)&1 != 0 {
			v += map[bool]string{true: "\x00", false: " "}[vr == "UI"]
		}
		b = append(b, byte(tag.Group()), byte(tag.Group()>>8), byte(tag.Element()), byte(tag.Element()>>8))
		b = append(append(b, vr...), byte(len(v)), byte(len(v)>>8))
		b = append(b, v...)
	}
	add(dicom.TagSOPClassUID, "UI", ctStorage)
	add(dicom.TagSOPInstanceUID, "UI", uid)
	add(dicom.TagModality, "CS", "CT")
	add(0x00100010, "PN", "Fictional^Petra")
	add(dicom.TagPatientID, "LO", "FICT-0001")
	add(dicom.TagStudyInstanceUID, "UI", "1.2.826.0.1.3680043.8.498.1")
	add(dicom.TagSeriesInstanceUID, "UI", "1.2.826.0.1.3680043.8.498.1.1")
	b = append(b, 0xE0, 0x7F, 0x10, 0x00, 'O', 'W', 0, 0, byte(pixels), byte(pixels>>8), byte(pixels>>16), byte(pixels>>24))
	for i := range pixels {
		b = append(b, byte(i*7))
	}
	return b
}

// part10 writes a data set in explicit VR little endian as a file.
func part10(t *testing.T, path, uid string, data []byte) {
	t.Helper()
	var meta []byte
	add := func(element uint16, vr, v string) {
		if len(v)&1 != 0 {
			v += "\x00"
		}
		meta = append(append(meta, 2, 0, byte(element), byte(element>>8)), vr...)
		if vr == "OB" {
			meta = append(meta, 0, 0, byte(len(v)), 0, 0, 0)
		} else {
			meta = append(meta, byte(len(v)), 0)
		}
		meta = append(meta, v...)
	}
	add(1, "OB", "\x00\x01")
	add(2, "UI", ctStorage)
	add(3, "UI", uid)
	add(0x10, "UI", dicom.ExplicitVRLittleEndian)
	add(0x12, "UI", ImplementationClassUID)
	n := len(meta)
	file := append(make([]byte, 128), "DICM\x02\x00\x00\x00UL\x04\x00"...)
	file = append(file, byte(n), byte(n>>8), 0, 0)
	file = append(append(file, meta...), data...)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
}

// dataSetOf returns the bytes of a file's data set.
func dataSetOf(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, n, err := dicom.ReadFileMeta(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[n:]
}

// receiver is an SCP that keeps the hash of each data set.
type receiver struct {
	mu     sync.Mutex
	hashes map[string][32]byte
	ended  []End
	status dimse.Status
}

func (r *receiver) Handle(_ context.Context, rq *Request) Reply {
	switch rq.Command.Field {
	case dimse.CEchoRQ:
		return Reply{}
	case dimse.CStoreRQ:
		h := sha256.New()
		if _, err := io.Copy(h, rq.Data); err != nil {
			return Reply{Status: 0xA700}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.hashes[rq.Command.AffectedSOPInstance] = [32]byte(h.Sum(nil))
		return Reply{Status: r.status}
	}
	return Reply{Status: statusUnrecognised}
}

// count returns how many instances were stored.
func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.hashes)
}

func (r *receiver) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.hashes)
}

func (r *receiver) ends() []End {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]End(nil), r.ended...)
}

// serve runs a server on a port of the loopback until the test ends, and returns the port.
func serve(t *testing.T, s *Server, r *receiver) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if s.Handler == nil {
		s.Handler = r
	}
	if s.Services == nil {
		s.Services = []Service{{AbstractSyntax: dicom.UIDVerification}, {AbstractSyntax: AnyStorage}}
	}
	s.Ended = func(e End) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = append(r.ended, e)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, ln, time.Second) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

func newReceiver() *receiver { return &receiver{hashes: map[string][32]byte{}} }

func dial(t *testing.T, d *Dialer, port string) *Association {
	t.Helper()
	if d.CallingAE == "" {
		d.CallingAE, d.CalledAE = "CT_OR3", "ARCHIVE"
	}
	if d.Contexts == nil {
		d.Contexts = []Proposal{{AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: UncompressedSyntaxes()}, {AbstractSyntax: ctStorage, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}}}
	}
	a, err := d.Dial(t.Context(), "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Abort)
	return a
}

func TestWeEchoAndStoreToDCMTK(t *testing.T) {
	need(t, "storescp")
	dir, port := t.TempDir(), freePort(t)
	start(t, dir, "storescp", "-v", "-aet", "ARCHIVE", "-od", dir, "+B", port)
	listening(t, port)
	a := dial(t, &Dialer{}, port)
	if err := a.Echo(t.Context()); err != nil {
		t.Fatal(err)
	}
	// sizes around the peer's maximum PDU length of 16384
	for i, pixels := range []int{0, 2, 16384 - 6 - 300, 16384, 3 << 20} {
		uid := fmt.Sprintf("1.2.826.0.1.3680043.8.498.9.%d", i)
		data := instance(uid, pixels)
		status, err := a.Store(t.Context(), Instance{SOPClass: ctStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(data)})
		if err != nil || status != 0 {
			t.Fatalf("%d bytes of pixels: %v, %v", pixels, status, err)
		}
		if got := dataSetOf(t, filepath.Join(dir, "CT."+uid)); !bytes.Equal(got, data) {
			t.Errorf("%d bytes of pixels: what arrived differs", pixels)
		}
	}
	if err := a.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Err(); !errors.Is(err, ErrReleased) {
		t.Errorf("the association ended with %v", err)
	}
}

func TestDCMTKEchoesAndStoresToUs(t *testing.T) {
	need(t, "echoscu", "storescu", "dcmsend")
	r := newReceiver()
	port := serve(t, &Server{}, r)
	dir := t.TempDir()
	want := map[string][32]byte{}
	var files []string
	for i, pixels := range []int{0, 100, 40 << 10, 5 << 20} {
		uid := fmt.Sprintf("1.2.826.0.1.3680043.8.498.8.%d", i)
		data := instance(uid, pixels)
		want[uid] = sha256.Sum256(data)
		files = append(files, filepath.Join(dir, uid+".dcm"))
		part10(t, files[i], uid, data)
	}
	for _, cmd := range [][]string{
		{"echoscu", "-v", "-aet", "CT_OR3", "-aec", "ARCHIVE", "--repeat", "3", "127.0.0.1", port},
		append([]string{"storescu", "-v", "-R", "-xe", "-aet", "CT_OR3", "-aec", "ARCHIVE", "127.0.0.1", port}, files...),
		append([]string{"dcmsend", "-v", "-aet", "CT_OR3", "-aec", "ARCHIVE", "127.0.0.1", port}, files...),
	} {
		r.reset()
		out, err := run(t, dir, cmd[0], cmd[1:]...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", cmd[0], err, out)
		}
		if cmd[0] == "echoscu" {
			continue
		}
		r.mu.Lock()
		for uid, h := range want {
			if r.hashes[uid] != h {
				t.Errorf("%s: %s did not arrive bit for bit", cmd[0], uid)
			}
		}
		r.mu.Unlock()
	}
	until(t, "three associations to end", func() bool { return len(r.ends()) >= 3 })
	for _, e := range r.ends() {
		if e.Err != nil {
			t.Errorf("an association ended with %v", e.Err)
		}
		if e.Association.Info().CallingAE != "CT_OR3" || !strings.HasPrefix(e.Association.Info().PeerImplVersion, "OFFIS_DCMTK") {
			t.Errorf("info %+v", e.Association.Info())
		}
	}
}
