// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/asepsis/asepsis/wire/octet"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// answer makes a response with one question for "a" and one record for it.
func answer(typ uint16, data []byte) []byte {
	b := []byte{0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1, 0xc0, 12}
	b = binary.BigEndian.AppendUint16(b, typ)
	b = append(b, 0, 1, 0, 0, 0, 60)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

func TestRecordDataIsReadable(t *testing.T) {
	for _, tc := range []struct {
		name string
		typ  uint16
		in   string
		want string
	}{
		{"A", TypeA, "0a1e0132", "10.30.1.50"},
		{"A of five octets is not an address", TypeA, "0a1e013200", `\# 5 0a1e013200`},
		{"AAAA", TypeAAAA, "fd300000000000000000000000000050", "fd30::50"},
		{"CNAME through a pointer", TypeCNAME, "0162c00c", "b.a"},
		{"MX", TypeMX, "000a0162c00c", "10 b.a"},
		{"SOA", TypeSOA, "c00cc00c0000000100000002000000030000000400000005", "a a 1 2 3 4 5"},
		{"TXT with two strings", TypeTXT, "0161026262", `"a" "bb"`},
		{"TXT whose last string is cut", TypeTXT, "0561", `\# 2 0561`},
		{"SRV", TypeSRV, "0005000a0068c00c", "5 10 104 a"},
		{"NAPTR", TypeNAPTR, "0064003201730468747470 0121 c00c", `100 50 "s" "http" "!" a`},
		{"DS", TypeDS, "30390f0201020304", "12345 15 2 01020304"},
		{"CAA", TypeCAA, "00056973737565 63612e6578616d706c65", `0 issue "ca.example"`},
		{"HTTPS", TypeHTTPS, "000100 0001 0006 026832 026833 0003 0002 01bb 0004 0004 0a1e0132", "1 . alpn=h2,h3 port=443 ipv4hint=10.30.1.50"},
		{"NSEC", TypeNSEC, "c00c 0004 40000008", "a A AAAA"},
		{"SSHFP", TypeSSHFP, "0402aabb", "4 2 aabb"},
		{"an unknown type", 4321, "0102", `\# 2 0102`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, err := Parse(answer(tc.typ, unhex(t, tc.in)))
			if err != nil || len(m.Answers) != 1 {
				t.Fatal(m, err)
			}
			if m.Answers[0].Data != tc.want || m.Answers[0].Name != "a" {
				t.Errorf("got %q, want %q", m.Answers[0].Data, tc.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	long := bytes.Repeat(append([]byte{63}, bytes.Repeat([]byte{'x'}, 63)...), 3)
	for _, tc := range []struct {
		name, in string
		off      int
		want     string
		n        int
		ok       bool
	}{
		{"the root", "\x00", 0, ".", 1, true},
		{"dots and backslashes in a label are escaped", "\x05a.b\\c\x00", 0, `a\.b\\c`, 7, true},
		{"control characters are escaped", "\x03a\n\xff\x00", 0, `a\010\255`, 5, true},
		{"UTF-8 stays", "\x08OP-Säle\x00", 0, "OP-Säle", 10, true},
		{"a pointer back", "\x01a\x00\x01b\xc0\x00", 3, "b.a", 4, true},
		{"a pointer to itself", "\xc0\x00", 0, "", 0, false},
		{"a pointer forward", "\xc0\x02\x01a\x00", 0, "", 0, false},
		{"two pointers at each other", "\xc0\x02\xc0\x00", 2, "", 0, false},
		{"a pointer into the name it is in", "\x01a\x01b\xc0\x02", 0, "", 0, false},
		{"a label of 64", "\x40" + strings.Repeat("x", 64) + "\x00", 0, "", 0, false},
		{"255 octets", string(long) + "\x3d" + strings.Repeat("x", 61) + "\x00", 0, "-", 255, true},
		{"256 octets", string(long) + "\x3e" + strings.Repeat("x", 62) + "\x00", 0, "", 0, false},
		{"no end", "\x01a", 0, "", 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, n, ok := Name([]byte(tc.in), tc.off)
			if ok != tc.ok || n != tc.n || tc.want != "-" && s != tc.want {
				t.Errorf("got %q %d %v", s, n, ok)
			}
		})
	}
}

func TestEDNSGivesTheUpperBitsOfTheResponseCode(t *testing.T) {
	m, err := Parse(unhex(t, "1234 8180 0001 0000 0000 0001 01610000010001 00 0029 04d0 01 00 8000 000c 000a 0008 0102030405060708"))
	if err != nil || m.RCode != 16 || m.EDNS == nil || !m.EDNS.DNSSECOK || m.EDNS.UDPSize != 1232 || len(m.EDNS.Options) != 1 || m.EDNS.Options[0] != 10 {
		t.Errorf("%+v %+v %v", m, m.EDNS, err)
	}
}

func TestMulticastBitsAreNotPartOfTheClass(t *testing.T) {
	m, err := Parse(unhex(t, "0000 8400 0001 0001 0000 0000 0161000001 8001 c00c 0001 8001 00000078 0004 0a000001"))
	if err != nil || !m.Questions[0].Unicast || !m.Answers[0].Flush || m.Answers[0].Class != 1 {
		t.Errorf("%+v %v", m, err)
	}
}

func TestRecordsAreBounded(t *testing.T) {
	one := unhex(t, "c00c 0001 0001 00000078 0004 0a000001")
	b := unhex(t, "0000 8400 0001 0000 0000 0000 01610000010001")
	b = append(b, bytes.Repeat(one, MaxRecords+1)...)
	binary.BigEndian.PutUint16(b[6:], MaxRecords)
	if m, _ := Parse(b); len(m.Answers) != MaxRecords || m.More {
		t.Errorf("at the limit: %d", len(m.Answers))
	}
	binary.BigEndian.PutUint16(b[6:], MaxRecords+1)
	if m, _ := Parse(b); len(m.Answers) != MaxRecords || !m.More {
		t.Errorf("one past the limit: %d", len(m.Answers))
	}
}

func TestLooks(t *testing.T) {
	good := answer(TypeA, []byte{10, 0, 0, 1})
	if !Looks(good, 0) {
		t.Error("a real answer was refused")
	}
	if Looks(good[:len(good)-1], 0) || !Looks(good[:len(good)-1], 1) {
		t.Error("what the snap length cut off decides")
	}
	if Looks(append(good, 0), 0) {
		t.Error("a message with something behind it was accepted")
	}
	if Looks(make([]byte, 64), 0) {
		t.Error("zeros were accepted")
	}
	if n := testing.AllocsPerRun(10, func() { Looks(good, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(answer(TypeHTTPS, unhex(f, "000100 0001 0006 026832 026833")))
	f.Add(answer(TypeNSEC, unhex(f, "c00c 0004 40000008")))
	f.Add(unhex(f, "0000 8400 0001 0001 0000 0000 0161000001 8001 c00c 0010 8001 00000078 0004 036b3d76"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		var e *octet.Error
		if err != nil && (!errors.As(err, &e) || e.Offset > len(b)) {
			t.Fatalf("error without a place: %v", err)
		}
		if Looks(b, 0) && err != nil && len(m.Answers)+len(m.Questions) == 0 && m.Counts[0] > 0 {
			_, _, ok := Name(b, HeaderSize)
			if ok {
				t.Fatalf("looks like DNS but cannot be read: %v", err)
			}
		}
		n := 0
		for _, s := range [][]Record{m.Answers, m.Authority, m.Additional} {
			n += len(s)
			for _, r := range s {
				if len(r.Data) > MaxData || len(r.Name) > 1024 || !utf8.ValidString(r.Data) || !utf8.ValidString(r.Name) {
					t.Fatalf("%+v", r)
				}
				for _, c := range r.Data + r.Name {
					if !unicode.IsPrint(c) {
						t.Fatalf("not printable: %q %q", r.Name, r.Data)
					}
				}
			}
		}
		if n > MaxRecords || n*11 > len(b) {
			t.Fatalf("%d records from %d bytes", n, len(b))
		}
	})
}
