// SPDX-License-Identifier: Apache-2.0

package service

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
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/wire/dicom"
)

// stopFree is what the journal leaves free of its disk.
const stopFree = 4 * config.MiB

// smallDisk mounts a file system of so many MiB. Without the right to do so the disk is the machine's, and does
// not become full.
func smallDisk(t testing.TB, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=700", size)); err != nil {
		t.Logf("a small file system cannot be mounted here (%v): the disk does not become full", err)
		return dir
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// small reports whether a directory is on a disk that may be filled.
func small(t testing.TB, dir string) bool {
	t.Helper()
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	return s.Type == unix.TMPFS_MAGIC && int64(s.Blocks)*s.Bsize <= 2<<30
}

func free(t testing.TB, dir string) int64 {
	t.Helper()
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}

// hog is something else on the gateway's disk: it leaves so much of it, whatever the gateway gives up.
type hog struct {
	path  string
	leave atomic.Int64
	stop  chan struct{}
	ended chan error
}

func newHog(dir string, leave int64) *hog {
	h := &hog{path: filepath.Join(dir, "others"), stop: make(chan struct{}), ended: make(chan error, 1)}
	h.leave.Store(leave)
	go func() { h.ended <- h.run() }()
	return h
}

func (h *hog) run() error {
	f, err := os.Create(h.path)
	if err != nil {
		return err
	}
	defer f.Close()
	piece := make([]byte, 64<<10)
	for {
		select {
		case <-h.stop:
			return os.Remove(h.path)
		default:
		}
		var s unix.Statfs_t
		if err := unix.Fstatfs(int(f.Fd()), &s); err != nil {
			return err
		}
		if left := int64(s.Bavail)*s.Bsize - h.leave.Load(); left > 0 {
			if _, err := f.Write(piece[:min(left, int64(len(piece)))]); err != nil && !errors.Is(err, unix.ENOSPC) {
				return err
			}
			continue
		}
		time.Sleep(time.Millisecond)
	}
}

// fillTheDisk has the gateway refuse before its disk is full, when it is, and after it was killed and came back to
// a disk that still is; and take instances again when there is room. more has the modalities go on.
func fillTheDisk(t *testing.T, g *gatewayProcess, w *wards, m *modality, more func()) {
	t.Helper()
	if !small(t, g.dir) {
		return
	}
	gatewaytest.Until(t, "something to be acknowledged", func() bool { n, _ := w.count(); return n > 10 })
	w.mu.Lock()
	for uid := range w.acknowledged {
		if m.asked = append(m.asked, uid); len(m.asked) == 10 {
			break
		}
	}
	w.mu.Unlock()
	if err := ask(t, w, m.asked, "1.2.3.4.1"); err != nil {
		t.Fatalf("before the disk is full, commitment cannot be asked for: %v", err)
	}
	refusals := func(what string) {
		t.Helper()
		_, before := w.count()
		gatewaytest.Until(t, "instances to be refused "+what, func() bool { _, n := w.count(); return n >= before+8 })
	}
	h := newHog(g.dir, int64(stopFree-config.MiB))
	gatewaytest.Until(t, "the disk to be nearly full", func() bool { return free(t, g.dir) <= int64(stopFree) })
	more()
	refusals("before the disk is full")
	h.leave.Store(0)
	refusals("on a full disk")
	if err := ask(t, w, m.asked, "1.2.3.4.2"); err == nil {
		m.twice = true // there was a page left for it
	}
	g.end(syscall.SIGKILL)
	g.start()
	refusals("by a gateway that was started on a full disk")
	before, _ := w.count()
	close(h.stop)
	if err := <-h.ended; err != nil {
		t.Fatalf("the disk could not be filled: %v", err)
	}
	gatewaytest.Until(t, "instances to be taken again", func() bool { n, _ := w.count(); return n > before+10 })
	w.mu.Lock()
	defer w.mu.Unlock()
	for why := range w.refused {
		if !strings.Contains(why, "disk is almost full") && !strings.Contains(why, "ledger does not record") {
			t.Errorf("a modality is told %q", why)
		}
	}
}

// modality listens for reports of storage commitment.
type modality struct {
	port  string
	asked []string // instances
	twice bool     // the second request was taken, too

	reports chan string // transactions, and what was reported of them
}

func listen(t testing.TB) *modality {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &modality{reports: make(chan string, 8)}
	_, m.port, _ = net.SplitHostPort(ln.Addr().String())
	srv := &dicomnet.Server{Services: []dicomnet.Service{{AbstractSyntax: dicom.UIDStorageCommitmentPush, PeerSCP: true}}, Handler: m}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = srv.Serve(ctx, ln, 0) }()
	t.Cleanup(func() { cancel(); <-ended })
	return m
}

// Handle implements dicomnet.Handler.
func (m *modality) Handle(_ context.Context, r *dicomnet.Request) dicomnet.Reply {
	b, err := io.ReadAll(r.Data)
	if err != nil {
		return dicomnet.Reply{Status: 0x0110}
	}
	text := fmt.Sprintf("type %d", r.Command.EventType)
	for _, uid := range m.asked {
		if !bytes.Contains(b, []byte(uid)) {
			text += ", without " + uid
		}
	}
	select {
	case m.reports <- text:
	default: // told before
	}
	return dicomnet.Reply{}
}

// ask requests storage commitment, and does not wait for the report.
func ask(t testing.TB, w *wards, uids []string, transaction string) error {
	t.Helper()
	var b bytes.Buffer
	s, _ := dicom.SyntaxOf(dicom.ExplicitVRLittleEndian)
	d := dicom.NewWriter(&b, s)
	d.Text(0x00081195, dicom.UI, transaction)
	var items []func()
	for _, uid := range uids {
		items = append(items, func() {
			d.Text(0x00081150, dicom.UI, gatewaytest.CTStorage)
			d.Text(0x00081155, dicom.UI, uid)
		})
	}
	d.Sequence(0x00081199, items...)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := w.dialer().Dial(t.Context(), "127.0.0.1:"+w.port)
	if err != nil {
		return err
	}
	defer a.Abort()
	_, err = a.Action(t.Context(), dicomnet.Object{SOPClass: dicom.UIDStorageCommitmentPush, SOPInstance: "1.2.840.10008.1.20.1.1", Type: 1, Data: &b}, nil)
	return err
}
