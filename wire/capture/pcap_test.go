// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestPcapInTheOtherByteOrderGivesTheSameFrames(t *testing.T) {
	b := swapPCAP(pcapBytes(t, sampleFrames()))
	if binary.BigEndian.Uint32(b) != 0xa1b23c4d {
		t.Fatalf("not swapped: %x", b[:4])
	}
	sameFrames(t, readAll(t, b), sampleFrames())
}

// plainPCAP has microseconds and the given records.
func plainPCAP(major, minor uint16, network uint32, records ...[]byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = le.AppendUint16(b, major)
	b = le.AppendUint16(b, minor)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(b, 65535)
	b = le.AppendUint32(b, network)
	return append(b, bytes.Join(records, nil)...)
}

func pcapRecord(sec, sub, capLen, origLen uint32, data ...byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, sec)
	b = le.AppendUint32(b, sub)
	b = le.AppendUint32(b, capLen)
	b = le.AppendUint32(b, origLen)
	return append(b, data...)
}

func TestTheOrderOfTheLengthsDependsOnTheVersion(t *testing.T) {
	for _, c := range []struct {
		major, minor     uint16
		first, second    uint32
		captured, length int
	}{
		{2, 4, 3, 9, 3, 9},
		{2, 3, 3, 9, 3, 9},
		{2, 3, 9, 3, 3, 9},
		{2, 2, 9, 3, 3, 9},
		{543, 0, 9, 3, 3, 9},
	} {
		t.Run(fmt.Sprintf("version %d.%d %d %d", c.major, c.minor, c.first, c.second), func(t *testing.T) {
			r := pcapRecord(1e9, 1, c.first, c.second, 1, 2, 3)
			f := readAll(t, plainPCAP(c.major, c.minor, 1, r, r))
			if len(f) != 2 || len(f[0].Data) != c.captured || f[0].OrigLen != c.length {
				t.Errorf("%+v", f)
			}
		})
	}
	_, err := NewReader(bytes.NewReader(plainPCAP(3, 0, 1)), Options{})
	if err == nil || err.Error() != "capture at byte 0: pcap version 3.0, known are 2.x" {
		t.Errorf("version 3.0: %v", err)
	}
}

func TestTheUpperBitsOfThePcapLinkTypeAreNotPartOfIt(t *testing.T) {
	s := openSource(t, bytes.NewReader(plainPCAP(2, 4, 0x24000001)), Options{})
	if i := s.Stats().Interfaces[0]; i.Link != LinkEthernet || i.FCSLen != 4 || i.SnapLen != 65535 {
		t.Errorf("%+v", i)
	}
	if _, err := NewReader(bytes.NewReader(plainPCAP(2, 4, 0x00010001)), Options{}); err == nil {
		t.Error("reserved bits are taken for a link type")
	}
}

func TestAPcapOfNoFramesIsAnEmptyStream(t *testing.T) {
	if f := readAll(t, plainPCAP(2, 4, 1)); len(f) != 0 {
		t.Errorf("%+v", f)
	}
}

func TestAnOriginalLengthOfZeroIsTakenFromTheCapturedOne(t *testing.T) {
	r := pcapRecord(1e9, 5, 4, 0, 1, 2, 3, 4)
	f := readAll(t, plainPCAP(2, 4, 1, r, r, r))
	if len(f) != 3 || f[2].OrigLen != 4 || len(f[2].Data) != 4 {
		t.Errorf("%+v", f)
	}
}

func TestPcapFilesLaidEndToEndAreReadAsOne(t *testing.T) {
	a, b := sampleFrames(), sampleFrames()
	nullType := plainPCAP(2, 4, 0, pcapRecord(1e9, 7, 2, 2, 8, 9))
	joined := append(append(pcapBytes(t, a), swapPCAP(pcapBytes(t, b))...), nullType...)
	got := readAll(t, joined)
	for i := range b {
		b[i].Interface = 1
	}
	want := append(append(a, b...), Frame{Time: 1e18 + 7000, Data: []byte{8, 9}, OrigLen: 2, Link: LinkNull, Interface: 2})
	sameFrames(t, got, want)

	// A first file without frames must not confuse the choice of the form.
	sameFrames(t, readAll(t, append(plainPCAP(2, 4, 1), nullType...)), []Frame{{Time: 1e18 + 7000, Data: []byte{8, 9}, OrigLen: 2, Link: LinkNull, Interface: 1}})
}

func TestPcapCutAnywhereGivesTheFramesBeforeTheCut(t *testing.T) {
	b := pcapBytes(t, sampleFrames())
	ends := map[int]int{24: 0} // length of the file -> frames
	at, n := 24, 0
	for _, f := range sampleFrames() {
		at += 16 + len(f.Data)
		n++
		ends[at] = n
	}
	frames := 0
	for cut := 1; cut < len(b); cut++ {
		s, err := NewReader(bytes.NewReader(b[:cut]), Options{Name: "c"})
		if cut < 4 {
			if !errors.Is(err, ErrUnknownFormat) {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			continue
		}
		if cut < 24 {
			if !errors.Is(err, ErrTruncated) {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			continue
		}
		got, err := collect(t, s)
		if n, clean := ends[cut]; clean {
			frames = n
			if err != nil {
				t.Fatalf("cut at %d, between records: %v", cut, err)
			}
		} else if !errors.Is(err, ErrTruncated) {
			t.Fatalf("cut at %d: %v, want ErrTruncated", cut, err)
		}
		sameFrames(t, got, sampleFrames()[:frames])
	}
	_, err := collect(t, openSource(t, bytes.NewReader(b[:len(b)-1]), Options{Name: "c"}))
	want := fmt.Sprintf("capture c at byte %d: record of 216 bytes, 215 are there: truncated", len(b)-216)
	if err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

// damaged returns a pcap of 20 frames of 100 bytes and the offset of record i.
func damaged(t *testing.T) (b []byte, record func(i int) int) {
	var frames []Frame
	for i := range 20 {
		frames = append(frames, Frame{Time: 1.7e18 + int64(i)*1e6, Data: bytes.Repeat([]byte{byte(0x80 + i)}, 100), OrigLen: 100, Link: LinkEthernet})
	}
	return pcapBytes(t, frames), func(i int) int { return 24 + i*116 }
}

func TestReadingGoesOnAfterDamageInAPcap(t *testing.T) {
	for _, c := range []struct {
		name    string
		damage  func(b []byte, record func(int) int) []byte
		frames  int
		skipped uint64
	}{
		{"an overwritten captured length", func(b []byte, r func(int) int) []byte {
			binary.LittleEndian.PutUint32(b[r(5)+8:], 0xdeadbeef)
			return b
		}, 19, 116},
		{"a captured length one over the limit", func(b []byte, r func(int) int) []byte {
			binary.LittleEndian.PutUint32(b[r(5)+8:], DefaultMaxFrame+1)
			return b
		}, 19, 116},
		{"a damaged fraction", func(b []byte, r func(int) int) []byte {
			binary.LittleEndian.PutUint32(b[r(5)+4:], 0xffffffff)
			return b
		}, 19, 116},
		{"a hole of zeros over two and a half records", func(b []byte, r func(int) int) []byte {
			clear(b[r(5) : r(7)+50])
			return b
		}, 17, 348},
		{"40 lost bytes inside a frame", func(b []byte, r func(int) int) []byte {
			return append(b[:r(5)+50], b[r(5)+90:]...)
		}, 19, 76},
		{"foreign bytes between records", func(b []byte, r func(int) int) []byte {
			return append(append(append([]byte{}, b[:r(5)]...), bytes.Repeat([]byte{0xff}, 1001)...), b[r(5):]...)
		}, 20, 1001},
		{"damage before the last record", func(b []byte, r func(int) int) []byte {
			binary.LittleEndian.PutUint32(b[r(18)+8:], 0xdeadbeef)
			return b
		}, 19, 116},
		{"damage in the first record", func(b []byte, r func(int) int) []byte {
			binary.LittleEndian.PutUint32(b[r(0)+8:], 0xdeadbeef)
			return b
		}, 19, 116},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := c.damage(damaged(t))
			s := openSource(t, bytes.NewReader(b), Options{})
			frames, err := collect(t, s)
			if err != nil {
				t.Fatal(err)
			}
			st := s.Stats()
			if len(frames) != c.frames || st.Resyncs != 1 || st.Skipped != c.skipped {
				t.Errorf("%d frames, %d resyncs over %d bytes, want %d, 1, %d", len(frames), st.Resyncs, st.Skipped, c.frames, c.skipped)
			}
			last := frames[len(frames)-1]
			if !bytes.Equal(last.Data, bytes.Repeat([]byte{0x80 + 19}, 100)) || last.Time != 1.7e18+19e6 {
				t.Errorf("last frame %+v", last)
			}

			strict, err := collect(t, openSource(t, bytes.NewReader(b), Options{NoResync: true}))
			if err == nil || errors.Is(err, ErrTruncated) || len(strict) >= c.frames {
				t.Errorf("without resync: %d frames, %v", len(strict), err)
			}
		})
	}
}

func TestAResyncLooksNoFurtherThanItsSpan(t *testing.T) {
	b, record := damaged(t)
	with := func(n int) []byte {
		return append(append(append([]byte{}, b[:record(5)]...), bytes.Repeat([]byte{0xff}, n)...), b[record(5):]...)
	}
	frames, err := collect(t, openSource(t, bytes.NewReader(with(resyncSpan)), Options{}))
	if err != nil || len(frames) != 20 {
		t.Errorf("at the edge: %d frames, %v", len(frames), err)
	}
	frames, err = collect(t, openSource(t, bytes.NewReader(with(resyncSpan+1)), Options{}))
	var ce *CorruptError
	if len(frames) != 5 || !errors.As(err, &ce) || ce.Offset != int64(record(5)) || !strings.HasPrefix(ce.Reason, "record header: ") {
		t.Errorf("one past: %d frames, %v", len(frames), err)
	}
}

func TestAUsualPcapCutInItsSecondHeaderIsNotTakenForARareForm(t *testing.T) {
	b := plainPCAP(2, 4, 1, pcapRecord(1e9, 1, 60, 60, bytes.Repeat([]byte{7}, 60)...), make([]byte, 16))
	for extra := 1; extra < 16; extra++ {
		frames, err := collect(t, openSource(t, bytes.NewReader(b[:24+76+extra]), Options{}))
		if len(frames) != 1 || !errors.Is(err, ErrTruncated) || frames[0].Data[59] != 7 {
			t.Errorf("%d bytes of the second header: %+v %v", extra, frames, err)
		}
	}
}

func TestAFrameIsAtMostMaxFrameLong(t *testing.T) {
	r := func(n uint32) []byte { return pcapRecord(1e9, 1, n, n, make([]byte, n)...) }
	opts := Options{MaxFrame: 1000, NoResync: true}
	if f, err := collect(t, openSource(t, bytes.NewReader(plainPCAP(2, 4, 1, r(1000), r(1000))), opts)); err != nil || len(f) != 2 {
		t.Errorf("at the limit: %d frames, %v", len(f), err)
	}
	if f, err := collect(t, openSource(t, bytes.NewReader(plainPCAP(2, 4, 1, r(1000), r(1001))), opts)); err == nil || len(f) != 1 {
		t.Errorf("one over: %d frames, %v", len(f), err)
	}
}
