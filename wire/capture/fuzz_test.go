// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// outcome is what a stream gave, in a form that can be compared.
type outcome struct {
	frames uint64
	sum    uint64
	stats  [4]uint64
	end    string
}

func outcomeOf(t *testing.T, r io.Reader, size int, opts Options) outcome {
	s, err := NewReader(r, opts)
	if err != nil {
		return outcome{end: err.Error()}
	}
	var o outcome
	h := fnv.New64a()
	var f Frame
	for {
		err := s.Next(&f)
		if err != nil {
			var ce *CorruptError
			if err != io.EOF && !errors.As(err, &ce) {
				t.Fatalf("the end is no *CorruptError: %T %v", err, err)
			}
			if again := s.Next(&f); again != err {
				t.Fatalf("the end is not final: %v, then %v", err, again)
			}
			o.end = err.Error()
			break
		}
		if len(f.Data) > opts.MaxFrame || f.OrigLen < len(f.Data) || f.Time < 0 {
			t.Fatalf("frame out of bounds: %d of %d bytes at %d", len(f.Data), f.OrigLen, f.Time)
		}
		o.frames++
		var n [24]byte
		binary.LittleEndian.PutUint64(n[:], uint64(f.Time))
		binary.LittleEndian.PutUint32(n[8:], uint32(f.OrigLen))
		binary.LittleEndian.PutUint32(n[12:], uint32(f.Interface))
		binary.LittleEndian.PutUint32(n[16:], uint32(f.Link))
		binary.LittleEndian.PutUint32(n[20:], uint32(len(f.Data)))
		h.Write(n[:])
		h.Write(f.Data)
	}
	st := s.Stats()
	if st.Frames != o.frames {
		t.Fatalf("%d frames counted, %d delivered", st.Frames, o.frames)
	}
	for _, info := range st.Interfaces {
		if len(info.Name) > maxText || len(info.Description) > maxText {
			t.Fatalf("long name %q %q", info.Name, info.Description)
		}
	}
	window := 0
	switch s := s.(type) {
	case *pcapSource:
		window = len(s.w.buf)
	case *ngSource:
		window = len(s.w.buf)
	}
	if limit := max(windowUsual, 2*(opts.MaxFrame+blockSlack+resyncSpan)); window > limit {
		t.Fatalf("a window of %d bytes for %d bytes of input", window, size)
	}
	o.sum = h.Sum64()
	o.stats = [4]uint64{st.Resyncs, st.Skipped, st.Damaged, st.Dropped}
	return o
}

// FuzzReader: whatever the input is, reading ends, frames are within their
// bounds, and the result does not depend on how the input is cut into reads.
func FuzzReader(f *testing.F) {
	plain := pcapBytes(f, sampleFrames())
	ngFile := ngBytes(f, sampleFrames(), InterfaceInfo{Name: "eth0", Link: LinkEthernet})
	f.Add(plain)
	f.Add(swapPCAP(plain))
	f.Add(ngFile)
	f.Add(append(bytes.Clone(plain), plain...))
	hole := bytes.Clone(plain)
	clear(hole[100:300])
	f.Add(hole)
	for _, o := range []ng{little, bigEnd} {
		f.Add(bytes.Join([][]byte{o.section(), o.iface(LinkEthernet, 96, o.option(optIfTSResol, []byte{0xbf}), o.option(optIfTSOffset, o.u64(1))),
			o.packet(0, 1<<63, "packet"), o.block(blockSPB, o.words(4), []byte("four")), o.block(blockPB, o.words(0, 0, 1, 3, 3), []byte("old")),
			o.block(blockISB, o.words(0, 0, 0), o.option(optISBDropped, o.u64(3))), o.block(4, []byte("names"))}, nil))
	}
	modified := plainPCAP(2, 4, 1, pcapRecord(1e9, 1, 4, 4, make([]byte, 12)...), pcapRecord(1e9, 1, 4, 4, make([]byte, 12)...))
	binary.LittleEndian.PutUint32(modified, 0xa1b2cd34)
	f.Add(modified)
	f.Add(plainPCAP(2, 4, 1, pcapRecord(1e9, 1, 4, 4, make([]byte, 8)...), pcapRecord(1e9, 1, 4, 4, make([]byte, 8)...)))
	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	gz.Write(plain)
	gz.Close()
	f.Add(bytes.Clone(packed.Bytes()))
	packed.Reset()
	zs, err := zstd.NewWriter(&packed, zstd.WithEncoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	zs.Write(ngFile)
	zs.Close()
	f.Add(packed.Bytes())
	shared, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "captures", "*", "*.pcap*"))
	for _, path := range shared { // more seeds where they are at hand
		b := readFile(f, path)
		f.Add(b[:min(len(b), 4096)])
	}
	f.Add([]byte("plain text\n"))
	f.Add([]byte{})

	f.Fuzz(func(t *testing.T, in []byte) {
		opts := Options{Name: "fuzz", MaxFrame: 4096, MaxZstdWindow: 1 << 20, MaxDecompressRatio: 100}
		whole := outcomeOf(t, bytes.NewReader(in), len(in), opts)
		bytewise := outcomeOf(t, iotest.OneByteReader(bytes.NewReader(in)), len(in), opts)
		if whole != bytewise {
			t.Fatalf("read whole %+v, byte by byte %+v", whole, bytewise)
		}
		opts.NoResync = true
		if strict := outcomeOf(t, bytes.NewReader(in), len(in), opts); strict.stats[0]+strict.stats[1]+strict.stats[2] != 0 {
			t.Fatalf("strict reading tolerated damage: %+v", strict)
		}
	})
}

// FuzzRoundTrip: what is written is read back, in both formats.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("some frames of some bytes, and a few more"), int64(1.7e18), uint16(1), uint8(7), uint16(0))
	f.Add([]byte{}, int64(0), uint16(276), uint8(1), uint16(9000))
	f.Add(bytes.Repeat([]byte{0}, 300), int64(-1), uint16(0), uint8(64), uint16(1))
	f.Fuzz(func(t *testing.T, in []byte, at int64, link uint16, step uint8, more uint16) {
		at &= 1<<62 - 1
		if at > 4e18 {
			at = 4e18
		}
		var frames []Frame
		for i := 0; len(in) > 0; i++ {
			n := min(int(step)+i, len(in))
			frames = append(frames, Frame{Time: at + int64(i), Data: in[:n], OrigLen: n + int(more), Link: LinkType(link)})
			in = in[n:]
			if n == 0 {
				break
			}
		}
		// A pcap record of zeros alone is what a hole in a file looks like.
		if len(frames) > 0 && len(frames[len(frames)-1].Data) == 0 {
			frames = frames[:len(frames)-1]
		}
		var pcap, ngFile bytes.Buffer
		for _, w := range []*Writer{NewWriter(&pcap, LinkType(link)), NewNGWriter(&ngFile)} {
			for _, fr := range frames {
				if err := w.WriteFrame(fr); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		sameFrames(t, readAll(t, pcap.Bytes()), frames)
		sameFrames(t, readAll(t, ngFile.Bytes()), frames)
	})
}
