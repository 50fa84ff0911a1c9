// SPDX-License-Identifier: Apache-2.0

package sip

import (
	"testing"

	"github.com/asepsis/asepsis/wire/http1"
)

const invite = "INVITE sip:200@pbx.example SIP/2.0\r\nf: \"Ward 3\" <sip:300@pbx.example;user=phone>;tag=1\r\nTo: <sip:200@pbx.example>\r\nCSeq: 7 INVITE\r\nc: application/sdp\r\nl: 57\r\n\r\nv=0\r\ns=-\r\nm=audio 4000 RTP/AVP 8 0\r\na=rtpmap:8 PCMA/8000\r\n\r\n"

func TestAnInviteIsRead(t *testing.T) {
	m, err := Parse([]byte(invite))
	if err != nil || m.Method() != "INVITE" || !m.SDP || m.Media.Summary(99) != "audio PCMA,0" {
		t.Fatalf("%+v %v", m, err)
	}
	if u, h := Address(m.Get("from", "f")); u != "300" || h != "pbx.example" {
		t.Errorf("from %q %q", u, h)
	}
	m, err = Parse([]byte("SIP/2.0 180 Ringing\r\nCSeq: 7 INVITE\r\n\r\n"))
	if err != nil || m.Head.Status != 180 || m.Method() != "INVITE" {
		t.Errorf("%+v %v", m, err)
	}
	if m, err = Parse([]byte(invite[:60])); err != nil || m.Head.Method != "INVITE" {
		t.Errorf("cut by the snap length: %+v %v", m, err)
	}
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string][2]string{
		"sip:300@host:5060;tag=1": {"300", "host:5060"}, "<tel:+4930123;phone-context=x>": {"+4930123", ""}, "sips:host": {"", "host"},
		"\"A\" <sip:a:secret@h?x=y>": {"a", "h"}, "*": {"", ""}, "": {"", ""},
	} {
		if u, h := Address(in); u != want[0] || h != want[1] {
			t.Errorf("%s: %q %q", in, u, h)
		}
	}
}

func TestOtherBytesAreRefused(t *testing.T) {
	for _, in := range []string{"", "GET / HTTP/1.1\r\n\r\n", "\x00\x00", "SIP/2.0\r\n"} {
		if _, err := Parse([]byte(in)); err == nil {
			t.Errorf("%q accepted", in)
		}
	}
	if Looks([]byte(invite)) != http1.Request || Looks([]byte("SIP/2.0 200 OK\r\n")) != http1.Response {
		t.Error("recognition")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(invite))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		if (m.Head.Status == 0) == (m.Head.Method == "") {
			t.Errorf("neither request nor response: %+v", m.Head)
		}
		u, h := Address(m.Get("from", "f"))
		if len(u)+len(h) > len(b) {
			t.Error("address longer than the message")
		}
	})
}
