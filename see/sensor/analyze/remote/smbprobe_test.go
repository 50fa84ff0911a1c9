// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
)

// smb1 is an SMB1 request with parameter words.
func smb1(command byte, words []byte) string {
	m := make([]byte, 4+32)
	copy(m[4:], "\xffSMB")
	m[8] = command
	m = append(m, byte(len(words)/2))
	m = append(m, words...)
	m = append(m, 0, 0)
	binary.BigEndian.PutUint16(m[2:], uint16(len(m)-4))
	return string(m)
}

func words(n int, set map[int]uint16) []byte {
	w := make([]byte, n)
	for at, v := range set {
		binary.LittleEndian.PutUint16(w[at:], v)
	}
	return w
}

func compressed(size, offset uint32, flags uint16) string {
	m := make([]byte, 4+16+64)
	copy(m[4:], "\xfcSMB")
	binary.LittleEndian.PutUint32(m[8:], size)
	binary.LittleEndian.PutUint16(m[12:], 1)
	binary.LittleEndian.PutUint16(m[14:], flags)
	binary.LittleEndian.PutUint32(m[16:], offset)
	binary.BigEndian.PutUint16(m[2:], uint16(len(m)-4))
	return string(m)
}

func TestTracesOfAttacksOnSMBAreNamedOnceAndNothingElseIs(t *testing.T) {
	peek := smb1(0x25, words(32, map[int]uint16{26: 2, 28: 0x23, 30: 0}))
	large := words(38, nil)
	binary.LittleEndian.PutUint32(large[7:], 0x10000)
	small := words(38, nil)
	binary.LittleEndian.PutUint32(small[7:], 0xffff)
	for name, c := range map[string]struct {
		send []string
		want string
	}{
		"the question of a scanner":             {[]string{peek, peek}, "[ms17-010-probe]"},
		"a pipe that is open":                   {[]string{smb1(0x25, words(32, map[int]uint16{26: 2, 28: 0x23, 30: 0x4000}))}, "[]"},
		"another transaction":                   {[]string{smb1(0x25, words(32, map[int]uint16{26: 2, 28: 0x26, 30: 0}))}, "[]"},
		"the ping of an implant":                {[]string{smb1(0x32, words(30, map[int]uint16{26: 1, 28: 0x0e}))}, "[doublepulsar-ping]"},
		"a question for a file":                 {[]string{smb1(0x32, words(30, map[int]uint16{26: 1, 28: 0x05}))}, "[]"},
		"a large transaction that changes kind": {[]string{smb1(0xa0, large), smb1(0x33, words(18, nil))}, "[eternalblue]"},
		"a small one":                           {[]string{smb1(0xa0, small), smb1(0x33, words(18, nil))}, "[]"},
		"a secondary alone":                     {[]string{smb1(0x33, words(18, nil))}, "[]"},
		"sizes that overflow":                   {[]string{compressed(0xffffffff, 0x10, 0)}, "[smbghost]"},
		"an offset beyond all messages":         {[]string{compressed(100, 0x7fffffff, 0)}, "[smbghost]"},
		"honest compression":                    {[]string{compressed(4096, 0, 0), compressed(4096, 80, 0)}, "[]"},
		"a chain, whose field is a length":      {[]string{compressed(4096, 0x7fffffff, 1)}, "[]"},
		"words that are cut off":                {[]string{smb1(0x25, words(8, nil)), smb1(0x32, nil), smb1(0xa0, nil)}, "[]"},
	} {
		var segs []analyzetest.Segment
		for _, s := range c.send {
			segs = append(segs, analyzetest.C(s))
		}
		h, _ := analyzetest.Stream(t, byName(t, "smb", false), 445, segs)
		got := []string{}
		for _, e := range h.Events {
			if d, ok := e.Detail.(*event.SMB); ok {
				got = append(got, d.Suspicious...)
			}
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}
