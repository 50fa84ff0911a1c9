// SPDX-License-Identifier: Apache-2.0

package mllp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func scan(max int, parts ...string) (string, Stats) {
	var out []string
	s := Scanner{Max: max}
	f := func(fr Frame) {
		how := [...]string{"ended", "unended", "broken", "closed"}[fr.End]
		if fr.Bare {
			how += " bare"
		}
		out = append(out, fmt.Sprintf("%q/%d %s", fr.Head, fr.Size, how))
	}
	for _, p := range parts {
		s.Write([]byte(p), f)
	}
	s.Flush(f, Closed)
	return strings.Join(out, " | "), s.Stats
}

func TestFrames(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		stats          Stats
	}{
		{"one frame", "\vMSH|a\r\x1c\r", `"MSH|a\r"/6 ended`, Stats{Frames: 1}},
		{"two frames in one segment", "\vMSH|a\x1c\r\vMSH|b\x1c\r", `"MSH|a"/5 ended | "MSH|b"/5 ended`, Stats{Frames: 2}},
		{"a missing carriage return", "\vMSH|a\x1c\vMSH|b\x1c", `"MSH|a"/5 ended | "MSH|b"/5 ended`, Stats{Frames: 2, MissingCR: 1}},
		{"line feeds between frames are no junk", "\vMSH|a\x1c\r\n\vMSH|b\x1c\r", `"MSH|a"/5 ended | "MSH|b"/5 ended`, Stats{Frames: 2}},
		{"junk between frames", "xx\vMSH|a\x1c\ryyM\vMSH|b\x1c\r", `"MSH|a"/5 ended | "MSH|b"/5 ended`, Stats{Frames: 2, Junk: 5}},
		{"a frame that is never ended before the next", "\vMSH|a\r\vMSH|b\x1c\r", `"MSH|a\r"/6 unended | "MSH|b"/5 ended`, Stats{Frames: 2, Unended: 1}},
		{"a frame that is never ended at all", "\vMSH|a", `"MSH|a"/5 closed`, Stats{Frames: 1}},
		{"a vertical tab in text is text", "\vMSH|a\vb\v\vMS\x1c\r", `"MSH|a\vb\v\vMS"/11 ended`, Stats{Frames: 1}},
		{"a commit acknowledgement of release 2", "\v\x06\x1c\r", `"\x06"/1 ended`, Stats{Frames: 1}},
		{"a message without framing", "MSH|a\rPID|1\r", `"MSH|a\rPID|1\r"/12 closed bare`, Stats{Frames: 1}},
		{"two messages without framing", "MSH|a\rPID|1\rMSH|b\r", `"MSH|a\rPID|1\r"/12 ended bare | "MSH|b\r"/6 closed bare`, Stats{Frames: 2}},
		{"a batch frame", "\vFHS|x\rBHS|y\rMSH|a\x1c\r", `"FHS|x\rBHS|y\rMSH|a"/17 ended`, Stats{Frames: 1}},
		{"a bare message that ends with an end block only", "MSH|a\r\x1c\r\vMSH|b\x1c\r", `"MSH|a\r"/6 ended bare | "MSH|b"/5 ended`, Stats{Frames: 2}},
		{"an empty frame is given", "\v\x1c\r", `""/0 ended`, Stats{Frames: 1}},
	} {
		got, stats := scan(0, c.in)
		if got != c.want || stats != c.stats {
			t.Errorf("%s:\n got %s %+v\nwant %s %+v", c.name, got, stats, c.want, c.stats)
		}
		got, stats = scan(0, strings.Split(c.in, "")...)
		if got != c.want || stats != c.stats {
			t.Errorf("%s, byte by byte:\n got %s %+v\nwant %s %+v", c.name, got, stats, c.want, c.stats)
		}
	}
}

func TestAFrameOverTheBoundIsCountedNotKept(t *testing.T) {
	content := "MSH|" + strings.Repeat("x", 96)
	for _, max := range []int{99, 100} {
		got, _ := scan(max, "\v"+content+"\x1c\r")
		if want := fmt.Sprintf("%q/100 ended", content[:max]); got != want {
			t.Errorf("bound %d:\n got %s\nwant %s", max, got, want)
		}
	}
	s := Scanner{Max: 64}
	for range 1000 {
		s.Write(bytes.Repeat([]byte("\vMSx"), 100), func(Frame) {})
	}
	if cap(s.buf) > 128 {
		t.Errorf("%d bytes kept with a bound of 64", cap(s.buf))
	}
}

func TestAGapEndsTheFrameAndTheNextIsFound(t *testing.T) {
	var got []string
	f := func(fr Frame) { got = append(got, fmt.Sprintf("%s %d", fr.Head, fr.End)) }
	var s Scanner
	s.Write([]byte("\vMSH|a"), f)
	s.Gap(f)
	s.Write([]byte("tail\x1c\r\vMSH|b\x1c\r"), f)
	if want := fmt.Sprintf("[MSH|a %d MSH|b %d]", Broken, Ended); fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// FuzzMLLP: the frames do not depend on how the stream is cut, every byte is
// in a frame, junk or framing, and the bound is kept.
func FuzzMLLP(f *testing.F) {
	for _, s := range []string{"\vMSH|a\r\x1c\r", "\vMSH|a\vMSH|b\x1c\r", "MSH|a\rMSH|b\r", "\v\v\vMSH", "x\x1c\r\v\x1c\x1c\v", "MSMSH|\r\rMSH|\x1cMSH|", "\vMSH|" + strings.Repeat("y", 100) + "\vMSH\x1c"} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		run := func(n int) string {
			var parts []string
			for i := 0; i < len(b); i += n {
				parts = append(parts, string(b[i:min(i+n, len(b))]))
			}
			got, stats := scan(32, parts...)
			return fmt.Sprintf("%s %+v", got, stats)
		}
		whole := run(len(b) + 1)
		if got := run(int(step) + 1); got != whole {
			t.Fatalf("cut every %d:\n%s\nwhole:\n%s", int(step)+1, got, whole)
		}
		var s Scanner
		total := int64(0)
		s.Write(b, func(fr Frame) { total += fr.Size })
		s.Flush(func(fr Frame) { total += fr.Size }, Closed)
		if total > int64(len(b)) || uint64(total)+s.Stats.Junk > uint64(len(b)) {
			t.Fatalf("%d bytes in frames and %d junk of %d", total, s.Stats.Junk, len(b))
		}
		if len(b) > 0 && !bytes.ContainsAny(b, "\v\x1c") {
			got := ""
			s := Scanner{}
			s.Write(Append(nil, b), func(fr Frame) { got = string(fr.Head) })
			if got != string(b) {
				t.Fatalf("%q came back as %q", b, got)
			}
		}
	})
}

func BenchmarkScan(b *testing.B) {
	p := bytes.Repeat(Append(nil, []byte("MSH|"+strings.Repeat("OBX|1|NM|8867-4||72\r", 50))), 20)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	var s Scanner
	for b.Loop() {
		s.Write(p, func(Frame) {})
	}
}
