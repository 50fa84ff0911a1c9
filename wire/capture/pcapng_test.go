// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

// order is the byte order of a hand-made section.
type order interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// ng builds pcapng blocks that no writer at hand produces.
type ng struct{ order }

func (o ng) block(kind uint32, body ...[]byte) []byte {
	b := bytes.Join(body, nil)
	b = append(b, make([]byte, -len(b)&3)...)
	out := o.AppendUint32(nil, kind)
	out = o.AppendUint32(out, uint32(12+len(b)))
	out = append(out, b...)
	return o.AppendUint32(out, uint32(12+len(b)))
}

func (o ng) words(w ...uint32) (b []byte) {
	for _, v := range w {
		b = o.AppendUint32(b, v)
	}
	return b
}

func (o ng) option(code uint16, v []byte) []byte {
	b := o.AppendUint16(nil, code)
	b = o.AppendUint16(b, uint16(len(v)))
	b = append(b, v...)
	return append(b, make([]byte, -len(v)&3)...)
}

func (o ng) u64(v uint64) []byte { return o.AppendUint64(nil, v) }

func (o ng) section() []byte {
	return o.block(blockSHB, o.words(byteOrderMagic), o.AppendUint16(nil, 1), o.AppendUint16(nil, 0), o.u64(math.MaxUint64))
}

func (o ng) iface(link LinkType, snap uint32, options ...[]byte) []byte {
	return o.block(blockIDB, o.AppendUint16(nil, uint16(link)), []byte{0, 0}, o.words(snap), bytes.Join(options, nil))
}

func (o ng) packet(iface uint32, ts uint64, data string) []byte {
	n := uint32(len(data))
	return o.block(blockEPB, o.words(iface, uint32(ts>>32), uint32(ts), n, n), []byte(data))
}

var (
	little = ng{binary.LittleEndian}
	bigEnd = ng{binary.BigEndian}
)

func TestSectionsOfBothByteOrdersWithTheirOwnInterfaces(t *testing.T) {
	var in []byte
	for _, o := range []ng{little, bigEnd} {
		in = append(in, o.section()...)
		in = append(in, o.iface(LinkEthernet, 0, o.option(optIfName, []byte("eth0")), o.option(optEnd, nil))...)
		in = append(in, o.block(4, []byte("name resolution"))...)
		in = append(in, o.iface(LinkRaw, 100, o.option(optIfName, []byte("tun0")), o.option(optIfDescription, []byte("a\x00b")), o.option(optIfTSResol, []byte{9}), o.option(optIfFCSLen, []byte{4}))...)
		in = append(in, o.block(10, []byte("decryption secrets"))...)
		in = append(in, o.packet(0, 5, "micro")...)
		in = append(in, o.packet(1, 5, "nano")...)
		in = append(in, o.block(0xbad, []byte("custom"))...)
		in = append(in, o.block(blockISB, o.words(1, 0, 0), o.option(optISBReceived, o.u64(1000)), o.option(optISBDropped, o.u64(3)), o.option(optISBOSDrop, o.u64(4)))...)
	}
	s := openSource(t, bytes.NewReader(in), Options{})
	got, err := collect(t, s)
	if err != nil {
		t.Fatal(err)
	}
	sameFrames(t, got, []Frame{
		{Time: 5000, Data: []byte("micro"), OrigLen: 5, Link: LinkEthernet, Interface: 0},
		{Time: 5, Data: []byte("nano"), OrigLen: 4, Link: LinkRaw, Interface: 1},
		{Time: 5000, Data: []byte("micro"), OrigLen: 5, Link: LinkEthernet, Interface: 2},
		{Time: 5, Data: []byte("nano"), OrigLen: 4, Link: LinkRaw, Interface: 3},
	})
	st := s.Stats()
	want := []InterfaceInfo{
		{Name: "eth0", Link: LinkEthernet},
		{Name: "tun0", Description: "a", Link: LinkRaw, SnapLen: 100, FCSLen: 4, Received: 1000, Dropped: 7},
	}
	for i, info := range append(want, want...) {
		if st.Interfaces[i] != info {
			t.Errorf("interface %d: %+v, want %+v", i, st.Interfaces[i], info)
		}
	}
	if st.Dropped != 14 || st.Damaged != 0 || st.Offset != int64(len(in)) {
		t.Errorf("stats %+v", st)
	}
}

func TestALaterStatisticsBlockReplacesAnEarlierOne(t *testing.T) {
	o := little
	drops := func(n uint64) []byte {
		return o.block(blockISB, o.words(0, 0, 0), o.option(optISBDropped, o.u64(n)))
	}
	s := openSource(t, bytes.NewReader(bytes.Join([][]byte{o.section(), o.iface(LinkEthernet, 0), drops(5), drops(9), drops(math.MaxUint64), drops(7)}, nil)), Options{})
	if _, err := collect(t, s); err != nil || s.Stats().Dropped != 7 {
		t.Errorf("%+v %v", s.Stats(), err)
	}
}

func TestOlderAndSimplerPacketBlocks(t *testing.T) {
	for _, o := range []ng{little, bigEnd} {
		old := o.block(blockPB, o.AppendUint16(nil, 0), o.AppendUint16(nil, 9), o.words(0, 8, 3, 1500), []byte("old"))
		simple := func(orig uint32, data string) []byte { return o.block(blockSPB, o.words(orig), []byte(data)) }
		in := bytes.Join([][]byte{o.section(), o.iface(LinkEthernet, 6), o.iface(LinkRaw, 0), simple(3, "abc"), old, simple(5, "abcde"), simple(100, "abcdef"), simple(100, "abcd")}, nil)
		sameFrames(t, readAll(t, in), []Frame{
			{Time: 0, Data: []byte("abc"), OrigLen: 3, Link: LinkEthernet},
			{Time: 8000, Data: []byte("old"), OrigLen: 1500, Link: LinkEthernet},
			{Time: 8000, Data: []byte("abcde"), OrigLen: 5, Link: LinkEthernet},
			{Time: 8000, Data: []byte("abcdef"), OrigLen: 100, Link: LinkEthernet},
			{Time: 8000, Data: []byte("abcd"), OrigLen: 100, Link: LinkEthernet},
		})
	}
}

func TestABlockWithUnusableContentIsPassedOver(t *testing.T) {
	o := little
	frame := o.packet(0, 1, "good")
	for _, c := range []struct {
		name string
		bad  []byte
		why  string
	}{
		{"a packet of an unknown interface", o.packet(1, 1, "lost"), "packet of an interface that was not described"},
		{"a packet longer than its block", o.block(blockEPB, o.words(0, 0, 0, 5, 5), []byte("four")), "packet longer than its block or than the limit"},
		{"a packet one over the limit", o.packet(0, 1, strings.Repeat("x", 1001)), "packet longer than its block or than the limit"},
		{"a block over the limit", o.packet(0, 1, strings.Repeat("x", blockSlack+1000)), "block of type 0x6: length 1049608 is over the limit of 1049576"},
		{"an enhanced packet block without its fields", o.block(blockEPB, o.words(0, 0, 0, 0)), "enhanced packet block: too short"},
		{"an old packet block without its fields", o.block(blockPB, o.words(0, 0, 0, 0)), "packet block: too short"},
		{"a simple packet block without its field", o.block(blockSPB), "simple packet block: too short"},
		{"statistics of an unknown interface", o.block(blockISB, o.words(1, 0, 0)), "statistics of an interface that was not described"},
		{"statistics without their fields", o.block(blockISB, o.words(0, 0)), "interface statistics block: too short"},
		{"an interface without its fields", o.block(blockIDB, o.words(1)), "interface description block: too short"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := bytes.Join([][]byte{o.section(), o.iface(LinkEthernet, 0), frame, c.bad, frame}, nil)
			s := openSource(t, bytes.NewReader(in), Options{MaxFrame: 1000})
			got, err := collect(t, s)
			if err != nil || len(got) != 2 || s.Stats().Damaged != 1 {
				t.Errorf("%d frames, %v, %d damaged", len(got), err, s.Stats().Damaged)
			}
			got, err = collect(t, openSource(t, bytes.NewReader(in), Options{MaxFrame: 1000, NoResync: true}))
			var ce *CorruptError
			if len(got) != 1 || !errors.As(err, &ce) || ce.Reason != c.why || ce.Offset != 28+20+36 {
				t.Errorf("strict: %d frames, %v", len(got), err)
			}
		})
	}
	if f := readAll(t, bytes.Join([][]byte{o.section(), o.block(blockIDB, o.words(1)), frame}, nil)); len(f) != 1 || f[0].Link.String() != "LINKTYPE_65535" {
		t.Errorf("a packet of an interface without its fields: %+v", f)
	}
	if f := readAll(t, bytes.Join([][]byte{o.section(), o.block(blockSPB, o.words(4), []byte("four"))}, nil)); len(f) != 0 {
		t.Errorf("a simple packet without an interface: %+v", f)
	}
}

func TestABlockWithWrongLengthsEndsTheStream(t *testing.T) {
	o := little
	frame := o.packet(0, 1, "good")
	change := func(b []byte, at int, v uint32) []byte {
		b = bytes.Clone(b)
		o.PutUint32(b[(at+len(b))%len(b):], v)
		return b
	}
	newer := o.section()
	o.PutUint16(newer[12:], 2)
	for _, c := range []struct {
		name string
		bad  []byte
		why  string
	}{
		{"the lengths differ", change(frame, -4, 40), "block of type 0x6: length 36 at the front, 40 at the end"},
		{"the lengths of a skipped block differ", change(o.block(4, []byte("name")), -4, 20), "block of type 0x4: length 16 at the front, 20 at the end"},
		{"a length under the least", change(frame, 4, 8), "block of type 0x6: length 8"},
		{"a length of an uneven number of words", change(frame, 4, 37), "block of type 0x6: length 37"},
		{"a section of a newer version", newer, "pcapng version 2.0, known is 1.x"},
		{"a section of no byte order", change(o.section(), 8, 0x11223344), "section header: unknown byte-order magic 44332211"},
		{"a section too short", change(o.section(), 4, 24), "section header: block length 24"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := bytes.Join([][]byte{o.section(), o.iface(LinkEthernet, 0), frame, c.bad, frame}, nil)
			got, err := collect(t, openSource(t, bytes.NewReader(in), Options{}))
			var ce *CorruptError
			if len(got) != 1 || !errors.As(err, &ce) || ce.Reason != c.why || ce.Offset != 28+20+36 {
				t.Errorf("%d frames, %v, want %q", len(got), err, c.why)
			}
		})
	}
}

func TestPcapngCutAnywhereGivesTheFramesBeforeTheCut(t *testing.T) {
	o := bigEnd
	parts := [][]byte{o.section(), o.iface(LinkEthernet, 0), o.packet(0, 1, "one"), o.block(4, []byte("names")), o.packet(0, 1, "two")}
	clean := map[int]bool{}
	n := 0
	for _, p := range parts {
		n += len(p)
		clean[n] = true
	}
	in := bytes.Join(parts, nil)
	for cut := 4; cut < len(in); cut++ {
		s, err := NewReader(bytes.NewReader(in[:cut]), Options{})
		var got []Frame
		if err == nil {
			got, err = collect(t, s)
		}
		if clean[cut] != (err == nil) || err != nil && !errors.Is(err, ErrTruncated) {
			t.Errorf("cut at %d: %v", cut, err)
		}
		want := 0
		if cut >= 28+20+36 {
			want = 1
		}
		if len(got) != want {
			t.Errorf("cut at %d: %d frames, want %d", cut, len(got), want)
		}
	}
}

func TestASkippedBlockIsNotHeldInMemory(t *testing.T) {
	o := little
	const size = 200 << 20
	head := append(o.section(), o.words(0xbad, size)...)
	tail := bytes.Join([][]byte{o.words(size), o.iface(LinkEthernet, 0), o.packet(0, 1, "after")}, nil)
	s := openSource(t, io.MultiReader(bytes.NewReader(head), io.LimitReader(zeros{}, size-12), bytes.NewReader(tail)), Options{})
	if got, err := collect(t, s); err != nil || len(got) != 1 || string(got[0].Data) != "after" {
		t.Fatalf("%+v %v", got, err)
	}
	if n := len(s.(*ngSource).w.buf); n > windowUsual {
		t.Errorf("the window grew to %d", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A length that is only announced must not become an allocation.
func TestTheWindowGrowsOnlyWithWhatCame(t *testing.T) {
	o := little
	in := append(append(o.section(), o.iface(LinkEthernet, 0)...), o.words(blockEPB, 64<<20)...)
	s := openSource(t, bytes.NewReader(in), Options{MaxFrame: 128 << 20})
	if _, err := collect(t, s); !errors.Is(err, ErrTruncated) {
		t.Fatal(err)
	}
	if n := len(s.(*ngSource).w.buf); n > windowFirst {
		t.Errorf("the window grew to %d for %d bytes", n, len(in))
	}
}

func TestInterfacesAreLimited(t *testing.T) {
	o := little
	one := o.iface(LinkEthernet, 0)
	in := append(o.section(), bytes.Repeat(one, maxInterfaces)...)
	s := openSource(t, bytes.NewReader(append(in, o.packet(maxInterfaces-1, 1, "last")...)), Options{})
	if got, err := collect(t, s); err != nil || len(got) != 1 || got[0].Interface != maxInterfaces-1 {
		t.Errorf("at the limit: %v %v", got, err)
	}
	if _, err := collect(t, openSource(t, bytes.NewReader(append(in, one...)), Options{})); err == nil {
		t.Error("one over is accepted")
	}
}

func TestNamesAreCutAndPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"eth0":                   "eth0",
		"eth0\x00junk":           "eth0",
		"\x1b[31mred\r\n":        "\ufffd[31mred\ufffd\ufffd",
		"Säge\xff":               "Säge\ufffd",
		strings.Repeat("a", 300): strings.Repeat("a", 256),
	} {
		if got := text([]byte(in)); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	if got := text(bytes.Repeat([]byte{0xff}, 300)); len(got) > maxText {
		t.Errorf("%d bytes", len(got))
	}
}
