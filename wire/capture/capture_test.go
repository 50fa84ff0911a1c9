// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// sharedCaptures are real captures of public projects, which are not part of
// this repository. Tests that need them are skipped by name without them.
func sharedCaptures(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, ext := range []string{"*.pcap", "*.pcapng"} {
		more, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "captures", "*", ext))
		files = append(files, more...)
	}
	if len(files) == 0 {
		t.Skip("skipped: no captures in ../shared/captures")
	}
	return files
}

func needTool(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("skipped: peer %s is not installed", name)
	}
}

func run(t testing.TB, stdin io.Reader, name string, args ...string) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.Bytes())
	}
	return stdout.Bytes()
}

// collect reads a source to its end. Frames are copied; err is nil at io.EOF.
func collect(t testing.TB, s Source) (frames []Frame, err error) {
	t.Helper()
	var f Frame
	for {
		switch err := s.Next(&f); err {
		case nil:
		case io.EOF:
			return frames, nil
		default:
			if again := s.Next(&f); again != err {
				t.Errorf("the end is not final: first %v, then %v", err, again)
			}
			return frames, err
		}
		f.Data = bytes.Clone(f.Data)
		frames = append(frames, f)
	}
}

func openSource(t testing.TB, r io.Reader, opts Options) Source {
	t.Helper()
	s, err := NewReader(r, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func readAll(t testing.TB, b []byte) []Frame {
	t.Helper()
	frames, err := collect(t, openSource(t, bytes.NewReader(b), Options{}))
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sameFrames(t testing.TB, got, want []Frame) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d frames, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		if g.Time != w.Time || g.OrigLen != w.OrigLen || g.Link != w.Link || g.Interface != w.Interface || !bytes.Equal(g.Data, w.Data) {
			t.Fatalf("frame %d:\n got %+v\nwant %+v", i, g, w)
		}
	}
}

// sampleFrames are frames of different lengths, one of them cut and one empty.
func sampleFrames() []Frame {
	var out []Frame
	for i, n := range []int{60, 61, 62, 63, 1514, 0, 200} {
		data := make([]byte, n)
		for j := range data {
			data[j] = byte(i*31 + j)
		}
		out = append(out, Frame{Time: 1700000000_000000000 + int64(i)*1_000_001_000, Data: data, OrigLen: n, Link: LinkEthernet})
	}
	out[6].OrigLen = 9000
	out[5].OrigLen = 14
	return out
}

func pcapBytes(t testing.TB, frames []Frame) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, LinkEthernet)
	for _, f := range frames {
		if err := w.WriteFrame(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func ngBytes(t testing.TB, frames []Frame, ifaces ...InterfaceInfo) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewNGWriter(&b, ifaces...)
	for _, f := range frames {
		if err := w.WriteFrame(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// swapPCAP returns a pcap in the other byte order.
func swapPCAP(b []byte) []byte {
	b = slices.Clone(b)
	swap := func(at, n int) { slices.Reverse(b[at : at+n]) }
	for _, field := range [][2]int{{0, 4}, {4, 2}, {6, 2}, {8, 4}, {12, 4}, {16, 4}, {20, 4}} {
		swap(field[0], field[1])
	}
	for at := 24; at < len(b); {
		n := int(binary.LittleEndian.Uint32(b[at+8:]))
		for range 4 {
			swap(at, 4)
			at += 4
		}
		at += n
	}
	return b
}
