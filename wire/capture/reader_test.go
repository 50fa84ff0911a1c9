// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func TestRealCapturesAreReadAsTsharkReadsThem(t *testing.T) {
	needTool(t, "tshark")
	for _, path := range sharedCaptures(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src := openSource(t, bytes.NewReader(readFile(t, path)), Options{})
			frames, err := collect(t, src)
			if err != nil {
				t.Fatal(err)
			}
			out := run(t, nil, "tshark", "-n", "-r", path, "-T", "fields",
				"-e", "frame.time_epoch", "-e", "frame.cap_len", "-e", "frame.len", "-e", "frame.interface_id")
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			if len(lines) != len(frames) {
				t.Fatalf("%d frames, tshark reads %d", len(frames), len(lines))
			}
			for i, line := range lines {
				iface := ""
				if src.Stats().Format == "pcapng" { // some are, whatever their names end in
					iface = strconv.Itoa(frames[i].Interface)
				}
				f := frames[i]
				got := fmt.Sprintf("%d.%09d\t%d\t%d\t%s", f.Time/1e9, f.Time%1e9, len(f.Data), f.OrigLen, iface)
				if strings.TrimRight(got, "\t") != strings.TrimRight(line, "\t") {
					t.Fatalf("frame %d: %q, tshark says %q", i+1, got, line)
				}
			}
		})
	}
}

// tcpdump writes what libpcap read, in one form that is parsed here by hand.
func TestRealCapturesHoldTheBytesThatLibpcapReads(t *testing.T) {
	needTool(t, "tcpdump")
	for _, path := range sharedCaptures(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			frames := readAll(t, readFile(t, path))
			b := run(t, nil, "tcpdump", "-r", path, "--time-stamp-precision=nano", "-w", "-")
			link := binary.LittleEndian.Uint32(b[20:])
			b = b[24:]
			for i, f := range frames {
				if len(b) < 16 {
					t.Fatalf("libpcap reads %d frames, we read %d", i, len(frames))
				}
				sec, nsec := int64(binary.LittleEndian.Uint32(b)), int64(binary.LittleEndian.Uint32(b[4:]))
				n, orig := int(binary.LittleEndian.Uint32(b[8:])), int(binary.LittleEndian.Uint32(b[12:]))
				if f.Time != sec*1e9+nsec || f.OrigLen != orig || !bytes.Equal(f.Data, b[16:16+n]) || uint32(f.Link) != link {
					t.Fatalf("frame %d: %+v, libpcap read %d.%09d %d of %d link %d %x", i, f, sec, nsec, n, orig, link, b[16:16+n])
				}
				b = b[16+n:]
			}
			if len(b) != 0 {
				t.Fatalf("libpcap reads %d bytes more", len(b))
			}
		})
	}
}

func TestEveryPcapFormThatEditcapWritesGivesTheSameFrames(t *testing.T) {
	needTool(t, "editcap")
	want := sampleFrames()
	dir := t.TempDir()
	src := filepath.Join(dir, "src.pcapng")
	if err := os.WriteFile(src, ngBytes(t, want), 0o600); err != nil {
		t.Fatal(err)
	}
	for form, format := range map[string]string{
		"pcap":        "pcap",
		"nsecpcap":    "pcap, nanoseconds",
		"modpcap":     "modified pcap",
		"nokiapcap":   "Nokia pcap",
		"rh6_1pcap":   "Red Hat 6.1 pcap",
		"suse6_3pcap": "SuSE 6.3 pcap",
		"pcapng":      "pcapng",
	} {
		t.Run(form, func(t *testing.T) {
			dst := filepath.Join(dir, form)
			run(t, nil, "editcap", "-F", form, src, dst)
			s := openSource(t, bytes.NewReader(readFile(t, dst)), Options{})
			got, err := collect(t, s)
			if err != nil {
				t.Fatal(err)
			}
			sameFrames(t, got, want)
			if st := s.Stats(); st.Format != format || st.Resyncs != 0 || st.Damaged != 0 {
				t.Errorf("stats %+v, want format %q and no damage", st, format)
			}
		})
	}
}

func TestTheFilesWeWriteAreReadByTshark(t *testing.T) {
	needTool(t, "tshark")
	for name, b := range map[string][]byte{"pcap": pcapBytes(t, sampleFrames()), "pcapng": ngBytes(t, sampleFrames())} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			out := run(t, nil, "tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.cap_len", "-e", "frame.len")
			var want strings.Builder
			for _, f := range sampleFrames() {
				fmt.Fprintf(&want, "%d.%09d\t%d\t%d\n", f.Time/1e9, f.Time%1e9, len(f.Data), f.OrigLen)
			}
			if string(out) != want.String() {
				t.Errorf("tshark reads\n%swant\n%s", out, want.String())
			}
		})
	}
}

func TestInputPackedByTheRealToolsGivesTheSameFrames(t *testing.T) {
	want := sampleFrames()
	plain := pcapBytes(t, want)
	for _, pack := range [][]string{{"gzip", "-c"}, {"gzip", "-1c"}, {"zstd", "-qc"}, {"zstd", "-19qc"}, {"zstd", "--long", "-qc"}} {
		t.Run(strings.Join(pack, " "), func(t *testing.T) {
			needTool(t, pack[0])
			packed := run(t, bytes.NewReader(plain), pack[0], pack[1:]...)
			s := openSource(t, bytes.NewReader(packed), Options{})
			got, err := collect(t, s)
			if err != nil {
				t.Fatal(err)
			}
			sameFrames(t, got, want)
			st := s.Stats()
			if st.Format != "pcap, nanoseconds, "+pack[0] || st.InputOffset != int64(len(packed)) || st.Offset != int64(len(plain)) {
				t.Errorf("stats %+v", st)
			}

			halves := append(run(t, bytes.NewReader(plain[:100]), pack[0], pack[1:]...), run(t, bytes.NewReader(plain[100:]), pack[0], pack[1:]...)...)
			sameFrames(t, readAll(t, halves), want)

			if pack[0] == "zstd" { // as parallel compressors begin
				skippable := []byte{0x5e, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 'n', 'o', 't', 'e'}
				sameFrames(t, readAll(t, append(skippable, packed...)), want)
			}

			cut, err := NewReader(bytes.NewReader(packed[:len(packed)-9]), Options{})
			if err == nil {
				_, err = collect(t, cut)
			}
			if !errors.Is(err, ErrTruncated) {
				t.Errorf("cut by 9 bytes: %v, want ErrTruncated", err)
			}
		})
	}
}

func TestResultsDoNotDependOnHowTheInputIsCut(t *testing.T) {
	for _, b := range [][]byte{pcapBytes(t, sampleFrames()), swapPCAP(pcapBytes(t, sampleFrames())), ngBytes(t, sampleFrames())} {
		want := readAll(t, b)
		for _, r := range []io.Reader{iotest.OneByteReader(bytes.NewReader(b)), iotest.HalfReader(bytes.NewReader(b)), iotest.DataErrReader(bytes.NewReader(b))} {
			got, err := collect(t, openSource(t, r, Options{}))
			if err != nil {
				t.Fatal(err)
			}
			sameFrames(t, got, want)
		}
	}
}

// A live pipe must not wait for a full buffer.
func TestAFrameIsDeliveredBeforeTheNextOneIsWritten(t *testing.T) {
	frames := sampleFrames()
	for name, b := range map[string][]byte{"pcapng": ngBytes(t, frames), "pcap": pcapBytes(t, frames)} {
		t.Run(name, func(t *testing.T) {
			pr, pw := io.Pipe()
			ahead := len(b) - len(pcapBytes(t, frames[6:])) + pcapHeaderLen // before the last record
			if name == "pcapng" {
				ahead = len(b) - (32 + 200)
			}
			wrote := make(chan error, 1)
			go func() {
				_, err := pw.Write(b[:ahead])
				wrote <- err
			}()
			s := openSource(t, pr, Options{})
			var f Frame
			for i := range 6 {
				if err := s.Next(&f); err != nil || !bytes.Equal(f.Data, frames[i].Data) {
					t.Fatalf("frame %d: %v %x", i, err, f.Data)
				}
			}
			if err := <-wrote; err != nil {
				t.Fatal(err)
			}
			pw.Close()
			if err := s.Next(&f); err != io.EOF {
				t.Fatal(err)
			}
		})
	}
}

func TestInputThatIsNoCaptureIsNamed(t *testing.T) {
	gz := func(b []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		w.Write(b)
		w.Close()
		return out.Bytes()
	}
	tar := make([]byte, 512)
	copy(tar[257:], "ustar")
	dicom := make([]byte, 200)
	copy(dicom[128:], "DICM")
	for _, c := range []struct {
		name  string
		in    []byte
		is    error
		error string
	}{
		{"nothing at all", nil, ErrEmpty, "capture x: the input is empty"},
		{"gzip of nothing", gz(nil), ErrEmpty, "capture x: the input is empty"},
		{"two bytes", []byte{0x01, 0x02}, ErrUnknownFormat, "capture x: not a capture file"},
		{"printed packets", []byte("12:00:00.1 IP 10.0.0.1 > 10.0.0.2: ICMP echo request\n"), ErrUnknownFormat, "capture x: not a capture file: it looks like a text file"},
		{"text that ends inside a character", append(bytes.Repeat([]byte("a"), 511), "é"...), ErrUnknownFormat, "capture x: not a capture file: it looks like a text file"},
		{"a log-in page", []byte("\n<!DOCTYPE HTML><html>"), ErrUnknownFormat, "capture x: not a capture file: it looks like a web page"},
		{"snoop", []byte("snoop\x00\x00\x00\x00\x00\x00\x02"), ErrUnknownFormat, "capture x: not a capture file: it looks like a Sun snoop capture"},
		{"a program", []byte("\x7fELF\x02\x01\x01"), ErrUnknownFormat, "capture x: not a capture file: it looks like an ELF program"},
		{"zip", []byte("PK\x03\x04...."), ErrUnknownFormat, "capture x: not a capture file: it looks like a zip archive"},
		{"xz", []byte("\xfd7zXZ\x00\x00"), ErrUnknownFormat, "capture x: not a capture file: it looks like xz-compressed data"},
		{"a packed tar", gz(tar), ErrUnknownFormat, "capture x: not a capture file: it looks like a tar archive inside gzip"},
		{"packed twice", gz(gz([]byte("x"))), ErrUnknownFormat, "capture x: not a capture file: it looks like gzip-compressed data inside gzip"},
		{"a DICOM file", dicom, ErrUnknownFormat, "capture x: not a capture file: it looks like a DICOM file"},
		{"zeros", make([]byte, 4096), ErrUnknownFormat, "capture x: not a capture file: it looks like nothing but zero bytes"},
		{"noise", bytes.Repeat([]byte{0x9d, 0x03, 0xe1, 0x77, 0x00}, 300), ErrUnknownFormat, "capture x: not a capture file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewReader(bytes.NewReader(c.in), Options{Name: "x"})
			var fe *FormatError
			if !errors.Is(err, c.is) || !errors.As(err, &fe) {
				t.Fatalf("%v, want %v", err, c.is)
			}
			if err.Error() != c.error {
				t.Errorf("error %q, want %q", err, c.error)
			}
			if fe.Hint() == "" {
				t.Error("no hint")
			}
		})
	}
}

func TestAReaderThatFailsAtOnceIsNotCalledEmpty(t *testing.T) {
	_, err := NewReader(iotest.ErrReader(syscall.EISDIR), Options{})
	var fe *FormatError
	if !errors.As(err, &fe) || fe.Looks != "a directory" {
		t.Errorf("directory: %v", err)
	}
	_, err = NewReader(iotest.ErrReader(syscall.EIO), Options{Name: "d"})
	if !errors.Is(err, syscall.EIO) || err.Error() != "read capture d: input/output error" {
		t.Errorf("failing disk: %v", err)
	}
}

func TestAReadErrorComesAfterTheFramesBeforeIt(t *testing.T) {
	b := pcapBytes(t, sampleFrames())
	s := openSource(t, io.MultiReader(bytes.NewReader(b), iotest.ErrReader(syscall.EIO)), Options{})
	frames, err := collect(t, s)
	var ce *CorruptError
	if len(frames) != 7 || !errors.As(err, &ce) || !errors.Is(err, syscall.EIO) || errors.Is(err, ErrTruncated) {
		t.Errorf("%d frames and %v", len(frames), err)
	}
}

func TestAReaderThatNeverDeliversIsGivenUp(t *testing.T) {
	b := pcapBytes(t, sampleFrames())
	s := openSource(t, io.MultiReader(bytes.NewReader(b), lazyReader{}), Options{})
	if _, err := collect(t, s); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("%v, want io.ErrNoProgress", err)
	}
}

type lazyReader struct{}

func (lazyReader) Read([]byte) (int, error) { return 0, nil }

func TestCompressedInputMayNotGrowOutOfProportion(t *testing.T) {
	frame := Frame{Time: 1e18, Data: make([]byte, 65000), OrigLen: 65000, Link: LinkEthernet}
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	w := NewWriter(z, LinkEthernet)
	for range 1200 { // 78 MB, over the grace
		if err := w.WriteFrame(frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Flush(), z.Close()); err != nil {
		t.Fatal(err)
	}
	drain := func(opts Options) (n int, err error) {
		s := openSource(t, bytes.NewReader(packed.Bytes()), opts)
		var f Frame
		for err = s.Next(&f); err == nil; err = s.Next(&f) {
			n++
		}
		return n, err
	}
	n, err := drain(Options{})
	if !errors.Is(err, ErrDecompressionLimit) || n < 1000 || n == 1200 {
		t.Errorf("default: %d frames, %v, want ErrDecompressionLimit after the grace", n, err)
	}
	if n, err := drain(Options{MaxDecompressRatio: -1}); n != 1200 || err != io.EOF {
		t.Errorf("unlimited: %d frames, %v", n, err)
	}
}

func TestAZstdWindowOverTheLimitIsRefused(t *testing.T) {
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed, zstd.WithWindowSize(4<<20))
	if err != nil {
		t.Fatal(err)
	}
	w := NewWriter(z, LinkEthernet)
	for range 100 {
		if err := w.WriteFrame(Frame{Data: make([]byte, 65000), Link: LinkEthernet}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Flush(), z.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := NewReader(bytes.NewReader(packed.Bytes()), Options{MaxZstdWindow: 4<<20 - 1}); !errors.Is(err, zstd.ErrWindowSizeExceeded) {
		t.Errorf("one byte under: %v", err)
	}
	if _, err := collect(t, openSource(t, bytes.NewReader(packed.Bytes()), Options{MaxZstdWindow: 4 << 20})); err != nil {
		t.Errorf("exactly: %v", err)
	}
}
