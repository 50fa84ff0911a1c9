// SPDX-License-Identifier: Apache-2.0

package telnet

import (
	"bytes"
	"fmt"
	"testing"
)

// record is a Handler that keeps everything.
type record struct {
	text bytes.Buffer
	log  []string
}

func (r *record) Text(b []byte)         { r.text.Write(b) }
func (r *record) Option(v, o uint8)     { r.log = append(r.log, fmt.Sprint(v, o)) }
func (r *record) Sub(o uint8, b []byte) { r.log = append(r.log, fmt.Sprintf("sub %d %q", o, b)) }
func (r *record) String() string        { return fmt.Sprintf("%q %v", r.text.String(), r.log) }

func TestTextAndCommandsAreParted(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"text", "login: ", `"login: " []`},
		{"options between text", "a\xff\xfb\x01b", `"ab" [251 1]`},
		{"an escaped 255", "a\xff\xffb", `"a\xffb" []`},
		{"a subnegotiation", "\xff\xfa\x18\x00XTERM\xff\xf0x", `"x" [sub 24 "\x00XTERM"]`},
		{"an escaped 255 in one", "\xff\xfa\x1f\x00\xff\xff\x00\x18\xff\xf0", `"" [sub 31 "\x00\xff\x00\x18"]`},
		{"other commands are dropped", "a\xff\xf9b", `"ab" []`},
	} {
		var r Reader
		var h record
		r.Feed([]byte(tc.in), &h)
		if h.String() != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, h.String(), tc.want)
		}
	}
}

func TestASubnegotiationIsBounded(t *testing.T) {
	var r Reader
	var h record
	r.Feed(append([]byte{IAC, SB, 24}, bytes.Repeat([]byte{'x'}, MaxSub+1)...), &h)
	r.Feed([]byte{IAC, SE}, &h)
	if want := fmt.Sprintf("sub 24 %q", bytes.Repeat([]byte{'x'}, MaxSub)); len(h.log) != 1 || h.log[0] != want {
		t.Error("not cut to MaxSub")
	}
}

func FuzzFeedIsTheSameHoweverCut(f *testing.F) {
	f.Add([]byte("a\xff\xfb\x01b\xff\xfa\x18\x00XTERM\xff\xf0\xff\xffx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var whole, cut Reader
		var a, c record
		whole.Feed(b, &a)
		for i := range b {
			cut.Feed(b[i:i+1], &c)
		}
		if a.String() != c.String() {
			t.Fatalf("whole %s, cut %s", a.String(), c.String())
		}
		if a.text.Len() > len(b) {
			t.Fatal("more text than came")
		}
		Looks(b)
	})
}
