// SPDX-License-Identifier: Apache-2.0

package astm

import (
	"fmt"
	"strings"
	"testing"
)

const records = "H|\\^&|||cobas^SN77^4.2|||||HOST||P|LIS2-A2|20260101120000\r" +
	"P|1|PRAC7|LAB8|ID9|MOUSE^MICKEY||19281118|M\r" +
	"O|1|SP123||^^^687|R\r" +
	"R|1|^^^687|28.6|mmol/L||N||F||||20260101\r" +
	"C|1|I|text &F& &X41&|G\r" +
	"L|1|N\r"

func run(l *Link, parts ...string) string {
	var out []string
	f := func(i Item) {
		switch i.Kind {
		case Control:
			out = append(out, map[byte]string{ENQ: "ENQ", ACK: "ACK", NAK: "NAK", EOT: "EOT"}[i.Byte])
		case Frame:
			out = append(out, fmt.Sprintf("frame %c %q final=%v ok=%v again=%v long=%v", i.Number, i.Text, i.Final, i.ChecksumOK, i.Again, i.Truncated))
		case MessageEnd:
			out = append(out, fmt.Sprintf("message of %d %q bad=%v", i.Frames, i.Text, i.Truncated))
		}
	}
	for _, p := range parts {
		l.Write([]byte(p), f)
	}
	l.Close(f)
	return strings.Join(out, "; ")
}

func frame(n byte, text string, final bool) string {
	return string(AppendFrame(nil, n, []byte(text), final))
}

func TestLink(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"the example checksum of a short frame", "\x05\x021A\x0375\r\n\x04", `ENQ; frame 1 "A" final=true ok=true again=false long=false; message of 1 "A" bad=false; EOT`},
		{"a message over two frames", "\x05" + frame(1, "H|", false) + frame(2, "\\^&\r", true) + "\x04",
			`ENQ; frame 1 "H|" final=false ok=true again=false long=false; frame 2 "\\^&\r" final=true ok=true again=false long=false; message of 2 "H|\\^&\r" bad=false; EOT`},
		{"a frame with a wrong checksum is sent again", "\x05\x021A\x0300\r\n" + frame(1, "A", true) + "\x04",
			`ENQ; frame 1 "A" final=true ok=false again=false long=false; frame 1 "A" final=true ok=true again=false long=false; message of 1 "A" bad=false; EOT`},
		{"a good frame that is sent again replaces itself", "\x05" + frame(1, "A", true) + frame(1, "A", true) + frame(2, "B", true) + "\x04",
			`ENQ; frame 1 "A" final=true ok=true again=false long=false; frame 1 "A" final=true ok=true again=true long=false; frame 2 "B" final=true ok=true again=false long=false; message of 2 "AB" bad=false; EOT`},
		{"the answers", "\x06\x15\x06", "ACK; NAK; ACK"},
		{"a connection that ends within a frame", "\x05" + frame(1, "A", false) + "\x022B", `ENQ; frame 1 "A" final=false ok=true again=false long=false; message of 1 "A" bad=true`},
		{"an abandoned frame", "\x05\x021A" + frame(1, "B", true) + "\x04", `ENQ; frame 1 "B" final=true ok=true again=false long=false; message of 1 "B" bad=true; EOT`},
	} {
		if got := run(new(Link), c.in); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if got := run(new(Link), strings.Split(c.in, "")...); got != c.want {
			t.Errorf("%s, byte by byte:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestRecords(t *testing.T) {
	var m Message
	if err := m.Parse([]byte(records)); err != nil {
		t.Fatal(err)
	}
	types := ""
	for _, r := range m.Records {
		types += string(r.Type())
	}
	if types != "HPORCL" {
		t.Errorf("records %s", types)
	}
	h, p, r := m.Records[0], m.Records[1], m.Records[3]
	for _, c := range []struct{ name, got, want string }{
		{"H-2 delimiters", string(h.Field(2)), `|\^&`},
		{"H-5.1 sender", string(h.Comp(5, 1)), "cobas"},
		{"H-5.3", string(h.Comp(5, 3)), "4.2"},
		{"H-10 receiver", string(h.Field(10)), "HOST"},
		{"H-13 version", string(h.Field(13)), "LIS2-A2"},
		{"P-3", string(p.Field(3)), "PRAC7"},
		{"P-6.2", string(p.Comp(6, 2)), "MICKEY"},
		{"R-3.4 test", string(r.Comp(3, 4)), "687"},
		{"a field that is not there", string(p.Field(40)), ""},
		{"escapes", string(m.AppendText(nil, m.Records[4].Field(4))), "text | A"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
	for _, bad := range []string{"", "H|", "P|1", "H|||||", "HELLO WORLD"} {
		if m.Parse([]byte(bad)) == nil {
			t.Errorf("%q was taken for a message", bad)
		}
	}
}

func TestLimitsOnePastTheEdge(t *testing.T) {
	var m Message
	_ = m.Parse([]byte("H|\\^&\r" + strings.Repeat("R|1\r", MaxRecords-1)))
	if m.Truncated || len(m.Records) != MaxRecords {
		t.Errorf("at the edge: %d, %v", len(m.Records), m.Truncated)
	}
	_ = m.Parse([]byte("H|\\^&\r" + strings.Repeat("R|1\r", MaxRecords)))
	if !m.Truncated || len(m.Records) != MaxRecords {
		t.Errorf("one past: %d, %v", len(m.Records), m.Truncated)
	}
	for n, want := range map[int]bool{MaxFrame: false, MaxFrame + 1: true} {
		var long, bad bool
		l := new(Link)
		l.Write([]byte("\x05"+frame(1, strings.Repeat("x", n), true)+"\x04"), func(i Item) {
			switch i.Kind {
			case Frame:
				long = i.Truncated
				if len(i.Text) > MaxFrame {
					t.Error("frame kept beyond the bound")
				}
			case MessageEnd:
				bad = i.Truncated
			}
		})
		if long != want || bad != want {
			t.Errorf("frame of %d bytes: truncated %v, message %v", n, long, bad)
		}
	}
	for n, want := range map[int]bool{MaxMessage / MaxFrame: false, MaxMessage/MaxFrame + 1: true} {
		l := new(Link)
		for i := range n {
			l.Write([]byte(frame(byte(i+1), strings.Repeat("x", MaxFrame), true)), func(Item) {})
		}
		l.Close(func(i Item) {
			if i.Truncated != want || len(i.Text) > MaxMessage {
				t.Errorf("message of %d frames: truncated %v, %d bytes", n, i.Truncated, len(i.Text))
			}
		})
	}
}

// FuzzASTM: what is found does not depend on how the stream is cut, and the
// bounds are kept; records are read from whatever the link gives.
func FuzzASTM(f *testing.F) {
	f.Add([]byte("\x05"+frame(1, records, true)+"\x04"), uint8(1))
	f.Add([]byte("\x05\x021A\x0300\r\n"+frame(1, "H|\\^&\r", false)+"\x04\x06\x15"), uint8(2))
	f.Add([]byte(records), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		cut := func(n int) string {
			var parts []string
			for i := 0; i < len(b); i += n {
				parts = append(parts, string(b[i:min(i+n, len(b))]))
			}
			l := new(Link)
			return run(l, parts...) + fmt.Sprint(l.Junk)
		}
		whole := cut(len(b) + 1)
		if got := cut(int(step) + 1); got != whole {
			t.Fatalf("cut every %d:\n%s\nwhole:\n%s", int(step)+1, got, whole)
		}
		var m Message
		parse := func(b []byte) {
			if m.Parse(b) != nil {
				return
			}
			for _, r := range m.Records {
				for i := range 10 {
					if v := m.AppendText(nil, r.Comp(i, 1)); len(v) > len(r.Raw()) {
						t.Fatal("text grew")
					}
				}
			}
		}
		parse(b)
		l := new(Link)
		l.Write(b, func(i Item) {
			if i.Kind == MessageEnd {
				parse(i.Text)
			}
		})
	})
}
