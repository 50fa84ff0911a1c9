// SPDX-License-Identifier: Apache-2.0

package smb

import (
	"encoding/binary"
	"strings"
	"testing"
)

// message2 builds an SMB2 message: a header and a body.
func message2(command uint16, flags, status uint32, body string) []byte {
	b := make([]byte, Header2Size)
	copy(b, "\xfeSMB")
	b[4] = Header2Size
	binary.LittleEndian.PutUint32(b[8:], status)
	binary.LittleEndian.PutUint16(b[12:], command)
	binary.LittleEndian.PutUint32(b[16:], flags)
	return append(b, body...)
}

// message1 builds an SMB1 message of one command.
func message1(command uint8, response bool, words, data string) []byte {
	b := make([]byte, Header1Size)
	copy(b, "\xffSMB")
	b[4] = command
	if response {
		b[9] = 0x80
	}
	binary.LittleEndian.PutUint16(b[10:], 0xc001)
	b = append(b, byte(len(words)/2))
	b = append(b, words...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

func wide(s string) string {
	var sb strings.Builder
	for i := range len(s) {
		sb.WriteByte(s[i])
		sb.WriteByte(0)
	}
	return sb.String()
}

func TestHeadersOfSMB2(t *testing.T) {
	h, err := ParseHeader2(message2(Cmd2Read, 1|2|8, StatusPending, ""))
	if err != nil || !h.Response || !h.Async || !h.Signed || h.Status != StatusPending || CommandName2(h.Command) != "READ" {
		t.Errorf("%+v, %v", h, err)
	}
	for _, tc := range []struct {
		name string
		next uint32
		ok   bool
	}{{"the last", 0, true}, {"the nearest", 64, true}, {"within the header", 56, false}, {"not aligned", 68, false}, {"beyond any message", 1 << 24, false}} {
		b := message2(Cmd2Close, 0, 0, "")
		binary.LittleEndian.PutUint32(b[20:], tc.next)
		if _, err := ParseHeader2(b); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if _, err := ParseHeader2(message2(Cmd2OplockBreak+1, 0, 0, "")); err == nil {
		t.Error("an unknown command is accepted")
	}
}

func TestCreateRenameAndDelete(t *testing.T) {
	body := make([]byte, 56)
	body[0] = 57
	binary.LittleEndian.PutUint32(body[36:], OpenIf)
	binary.LittleEndian.PutUint32(body[40:], 0x1000)
	binary.LittleEndian.PutUint16(body[44:], Header2Size+56)
	binary.LittleEndian.PutUint16(body[46:], 10)
	o, err := ParseCreate2(message2(Cmd2Create, 0, 0, string(body)+wide("a.dcm")))
	if err != nil || o.Path != "a.dcm" || !o.DeleteOnClose || o.Disposition != OpenIf {
		t.Errorf("%+v, %v", o, err)
	}
	info := strings.Repeat("\x00", 16) + "\x0a\x00\x00\x00" + wide("b.dcm")
	set := make([]byte, 32)
	set[0], set[2], set[3], set[4] = 33, 1, 10, byte(len(info))
	binary.LittleEndian.PutUint16(set[8:], Header2Size+32)
	if c, err := ParseSetInfo2(message2(Cmd2SetInfo, 0, 0, string(set)+info)); err != nil || c.Rename != "b.dcm" {
		t.Errorf("%+v, %v", c, err)
	}
	set[3], set[4] = 13, 1
	if c, err := ParseSetInfo2(message2(Cmd2SetInfo, 0, 0, string(set)+"\x01")); err != nil || !c.Delete {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestNegotiation(t *testing.T) {
	body := make([]byte, 36)
	body[0], body[2], body[4] = 36, 2, 3
	binary.LittleEndian.PutUint32(body[28:], Header2Size+40)
	body[32] = 1
	b := message2(Cmd2Negotiate, 0, 0, string(body)+"\x10\x02\x11\x03"+"\x02\x00\x06\x00\x00\x00\x00\x00\x02\x00\x02\x00\x04\x00")
	n, err := ParseNegotiateRequest2(b)
	if err != nil || strings.Join(n.Dialects, " ") != "2.1 3.1.1" || n.SigningMode() != "required" || strings.Join(n.Ciphers, " ") != "AES-128-GCM AES-256-GCM" {
		t.Errorf("%+v, %v", n, err)
	}
	msg := message1(Cmd1Negotiate, false, "", "\x02NT LM 0.12\x00\x02SMB 2.???\x00")
	h, err := ParseHeader1(msg)
	if err != nil {
		t.Fatal(err)
	}
	err = Blocks1(msg, h, func(bl Block1) error {
		if d := Dialects1(bl); len(d) != 2 || d[1] != "SMB 2.???" {
			t.Errorf("%q", d)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAnAndXChainOnlyGoesForward(t *testing.T) {
	msg := message1(Cmd1TreeConnect, false, "\x75\x00\x20\x00\x00\x00\x01\x00", "\x00")
	h, _ := ParseHeader1(msg)
	n := 0
	if err := Blocks1(msg, h, func(Block1) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d commands, %v", n, err)
	}
}

func TestABindNamesItsInterface(t *testing.T) {
	b := "\x05\x00\x0b\x03\x10\x00\x00\x00\x48\x00\x00\x00\x01\x00\x00\x00\xb8\x10\xb8\x10\x00\x00\x00\x00\x01\x00\x00\x00" + "\x00\x00\x01\x00" +
		"\x81\xbb\x7a\x36\x44\x98\xf1\x35\xad\x32\x98\xf0\x38\x00\x10\x03\x02\x00\x00\x00" + strings.Repeat("t", 20)
	if names, ok := Bind([]byte(b)); !ok || len(names) != 1 || names[0] != "svcctl" {
		t.Error(names, ok)
	}
	if _, ok := Bind([]byte("\x05\x00\x00\x03" + b[4:])); ok {
		t.Error("a request is taken for a bind")
	}
}

func TestProbe(t *testing.T) {
	m := message2(Cmd2Negotiate, 0, 0, strings.Repeat("\x00", 40))
	b := append([]byte{0, 0, 0, byte(len(m))}, m...)
	for n := range b {
		yes, maybe := Looks(b[:n])
		if yes != (n >= 8) || !yes && !maybe {
			t.Fatalf("%d octets: %t, %t", n, yes, maybe)
		}
	}
	for name, other := range map[string]string{"HTTP": "GET / HTTP/1.1\r\n", "zeros": "\x00\x00\x00\x40\x00\x00\x00\x00", "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01"} {
		if yes, _ := Looks([]byte(other)); yes {
			t.Errorf("%s is taken for SMB", name)
		}
	}
}

func FuzzSMB2(f *testing.F) {
	f.Add(message2(Cmd2Negotiate, 0, 0, "\x24\x00\x02\x00\x01\x00"+strings.Repeat("\x00", 30)+"\x02\x02\x11\x03"))
	f.Add(message2(Cmd2Create, 0, 0, "\x39"+strings.Repeat("\x00", 60)))
	f.Add(message2(Cmd2Ioctl, 1, 0, "\x31"+strings.Repeat("\x00", 60)))
	f.Add(message2(Cmd2Write, 0, 0, "\x31\x00\x70\x00\x04"+strings.Repeat("\x00", 60)))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader2(b)
		if err != nil {
			return
		}
		if n, err := ParseNegotiateRequest2(b); err == nil && (len(n.Dialects) > maxDialects || len(n.Ciphers) > maxIDs) {
			t.Fatal("negotiation beyond its bounds")
		}
		if n, err := ParseNegotiateResponse2(b); err == nil && len(n.Token) > len(b) {
			t.Fatal("token beyond the message")
		}
		for _, response := range []bool{false, true} {
			_, _ = ParseSessionSetup2(b, response)
			if i, err := ParseIoctl2(b, response); err == nil {
				Bind(i.Data)
			}
		}
		if o, err := ParseCreate2(b); err == nil && len(o.Path) > MaxPath {
			t.Fatal("path beyond its bound")
		}
		_, _ = TreeConnect2(b)
		_, _ = ParseShare2(b)
		_, _ = ParseOpened2(b)
		_, _ = FileOf(h.Command, b)
		_, _ = ParseReadResponse2(b)
		_, _ = ParseWrite2(b)
		_, _ = ParseWriteResponse2(b)
		_, _ = ParseSetInfo2(b)
	})
}

func FuzzSMB1(f *testing.F) {
	f.Add(message1(Cmd1Negotiate, false, "", "\x02NT LM 0.12\x00"))
	f.Add(message1(Cmd1SessionSetup, false, "\xff\x00\x00\x00"+strings.Repeat("\x00", 22), wide("petra")))
	f.Add(message1(Cmd1NTCreate, false, "\xff\x00\x00\x00"+strings.Repeat("\x00", 44), wide("\x00a.dcm")))
	f.Add(message1(Cmd1Rename, false, "\x00\x00", "\x04a\x00\x04b\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader1(b)
		if err != nil {
			return
		}
		n := 0
		_ = Blocks1(b, h, func(bl Block1) error {
			if n++; n > maxChain {
				t.Fatal("the chain is longer than its bound")
			}
			if len(Dialects1(bl)) > maxDialects {
				t.Fatal("too many dialects")
			}
			_, _, _ = ParseNegotiateResponse1(bl, h)
			_, _ = ParseSessionSetup1(bl, h)
			_, _ = TreeConnect1(bl, h)
			ParseShare1(bl)
			if o, err := ParseCreate1(bl, h); err == nil && len(o.Path) > MaxPath {
				t.Fatal("path beyond its bound")
			}
			_, _, _ = ParseOpened1(bl)
			File1(bl)
			Transfer1(b, bl, h.Response)
			Paths1(bl, h)
			return nil
		})
	})
}
