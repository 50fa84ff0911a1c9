// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/wire/packet"
)

// recordedDigit is the theatre that was recorded.
const recordedDigit = '3'

// etherIPv4 and etherIPv6 begin frames whose conversations are kept together.
const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
)

// strangerMAC is the machine in the recording that does not belong there.
var strangerMAC = []byte{0xdc, 0xa6, 0x32, 0x0a, 0x10, 0x66}

func isStranger(data []byte) bool {
	return len(data) >= 12 && (bytes.Equal(data[:6], strangerMAC) || bytes.Equal(data[6:12], strangerMAC))
}

// scheduled begins the name of the conversation in which the interface engine tells the
// theatre of its case: the patient comes, the case is planned, an examination is ordered.
const scheduled = "6 10.20.1.50 "

// flowOf names the TCP or UDP conversation of an Ethernet frame, "" for none.
func flowOf(data []byte) string {
	if len(data) < 14 {
		return ""
	}
	if t := binary.BigEndian.Uint16(data[12:]); t != etherIPv4 && t != etherIPv6 {
		return ""
	}
	var p packet.Packet
	packet.Decode(&p, 1, data, len(data))
	if p.Err != nil || p.Proto != packet.ProtoTCP && p.Proto != packet.ProtoUDP {
		return ""
	}
	a := p.Src.String() + " " + strconv.Itoa(int(p.SrcPort))
	b := p.Dst.String() + " " + strconv.Itoa(int(p.DstPort))
	if b < a {
		a, b = b, a
	}
	return strconv.Itoa(int(p.Proto)) + " " + a + " " + b
}

// in returns the recording as it would be in another theatre.
func (r *recording) in(digit byte) []frame {
	out := make([]frame, len(r.frames))
	to := replacer(digit)
	for i, f := range r.frames {
		f.data = bytes.Clone(f.data)
		if digit != recordedDigit {
			to.replace(f.data)
		}
		out[i] = f
	}
	return out
}

// wakes counts the frames before the first imaging: machines that greet their
// neighbours, ask for addresses and names.
func wakes(frames []frame) int {
	for i, f := range frames {
		var p packet.Packet
		packet.Decode(&p, 1, f.data, len(f.data))
		if p.Proto == packet.ProtoTCP && (p.SrcPort == 104 || p.DstPort == 104) {
			return i
		}
	}
	return len(frames)
}

// pair is bytes and what stands for them, of the same length.
type pair struct{ from, to []byte }

// shared are machines that all theatres have in common: the archive and the server
// of the operating rooms keep their addresses.
var shared = [][]byte{{10, 20, recordedDigit - '0', 101}, {10, 20, recordedDigit - '0', 2}}

// names are texts by which the recording's machines are told apart. The # is
// the theatre's digit in what stands for them; the rest keeps its length.
var names = [][2]string{
	{"OR3", "OR#"}, {"or3", "or#"}, {"Or3", "Or#"}, {"OR 3", "OR #"},
	{"0A10", "0A#0"}, {"0a10", "0a#0"}, // addresses within EUI-64, host names and UUIDs
	{"0a:10:", "0a:#0:"}, {"0A:10:", "0A:#0:"},
	{"MR_1", "MR_#"}, {"MR-1", "MR-#"},
	{"FICT-PUMP-21", "FICT-PUMP-#1"}, {"pump-21", "pump-#1"}, {"PLUM360-FICT21", "PLUM360-FICT#1"},
	{"FICT-MON-9", "FICT-MON-#"}, {"FICT-VENT-7", "FICT-VENT-#"}, {"FICT-BGA-4", "FICT-BG#-4"}, {"FICT-SW-3", "FICT-SW-#"},
	{"IVP_FICT", "IVP_OR_#"}, {"MX800_FICT", "MX800_OR_#"}, {"MONITOR_GW", "MONITOR_G#"}, {"VENT_GW", "VENT_G#"}, {"CT_BROKER", "CT_BROKE#"},
	{"Android-ML2-FICT", "Android-ML2-FIC#"}, {"Galaxy-S21-fict", "Galaxy-S21-fic#"},
	{"FICT-APP-1", "FICT-APP-#"},
	{"XR_PROC", "XR_PRO#"}, {"xr-proc", "xr-pro#"},
	{"26db3e94-e268", "#6db3e94-e268"}, {"c63f4cb0-163c", "#63f4cb0-163c"}, {"0dd4ffa0-cfbe", "#dd4ffa0-cfbe"},
	{"10.20.3.", "10.20.#."},
	{"\x013\x0220\x0210\x07in-addr", "\x01#\x0220\x0210\x07in-addr"},
}

// replacements is what is replaced for one theatre.
type replacements struct {
	digit byte
	pairs []pair
}

func replacer(digit byte) *replacements {
	r := &replacements{digit: digit}
	for _, n := range names {
		to := strings.ReplaceAll(n[1], "#", string(digit))
		r.pairs = append(r.pairs, pair{[]byte(n[0]), []byte(to)})
		r.pairs = append(r.pairs, pair{wide(n[0]), wide(to)}) // UTF-16LE, as Windows writes
	}
	r.pairs = append(r.pairs, pair{[]byte{0x02, 0x00, 0x0c, 0xe5}, []byte{0x02, 0x00, 0x0c, 0xe5 + (digit - recordedDigit)}}) // the BACnet device's instance
	return r
}

func wide(s string) []byte {
	out := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		out = append(out, s[i], 0)
	}
	return out
}

// replace writes the other theatre's addresses and names into a frame.
func (r *replacements) replace(data []byte) {
	keep := func(at int) bool {
		for _, s := range shared {
			if bytes.HasPrefix(data[at:], s) {
				return true
			}
		}
		return false
	}
	n := r.digit - '0'
	for at := 0; at+4 <= len(data); at++ {
		switch {
		case data[at] == 10 && data[at+1] == 20 && data[at+2] == recordedDigit-'0' && !keep(at):
			data[at+2] = n
		case at+6 <= len(data) && data[at+3]&^0x60 == 0x0a && data[at+4] == 0x10 && ownMAC(data[at:at+3]):
			data[at+4] = n << 4
		case bytes.HasPrefix(data[at:], ownChoice):
			data[at+5] ^= n
		}
	}
	for _, p := range r.pairs {
		for rest := data; ; {
			i := bytes.Index(rest, p.from)
			if i < 0 {
				break
			}
			if !sharedText(rest[i:]) {
				copy(rest[i:], p.to)
			}
			rest = rest[i+len(p.from):]
		}
	}
}

// sharedText reports an address in text that is one of the shared machines'.
func sharedText(b []byte) bool {
	for _, s := range []string{"10.20.3.101", "10.20.3.2"} {
		if bytes.HasPrefix(b, []byte(s)) && (len(b) == len(s) || b[len(s)] < '0' || b[len(s)] > '9') {
			return true
		}
	}
	return false
}

// ownChoice is the MAC that a visitor's phone chose for itself.
var ownChoice = []byte{0xda, 0x31, 0x7c, 0x5e, 0x92, 0x40}

// makers are the first halves of the MACs of the recording's machines.
var makers = [][3]byte{
	{0x88, 0x4b, 0x39}, {0xa0, 0xf2, 0x17}, {0x00, 0x08, 0xfb}, {0x00, 0x16, 0x86}, {0x60, 0x4b, 0xaa}, {0x70, 0xbc, 0x10}, {0x48, 0xb0, 0x2d},
	{0x34, 0x9b, 0x5b}, {0x00, 0x03, 0xb1}, {0x00, 0x09, 0x5c}, {0x00, 0x30, 0xe6}, {0x00, 0x40, 0x49}, {0x00, 0x24, 0xdd}, {0x9c, 0x7b, 0xef},
	{0x00, 0x1b, 0xa9}, {0xb8, 0xa4, 0x4f}, {0x64, 0x16, 0x7f}, {0xf4, 0xbd, 0x9e}, {0x08, 0x4f, 0xa9}, {0x00, 0x05, 0x19}, {0xf0, 0xe5, 0xc3}, {0xbc, 0x66, 0x41},
}

func ownMAC(oui []byte) bool {
	for _, m := range makers {
		if bytes.Equal(oui, m[:]) {
			return true
		}
	}
	return false
}

// at is when a frame comes in a case that is longer than the recording: its
// connection begins later in proportion, and goes on as fast as it did.
func (f *frame) at(recorded, length time.Duration) time.Duration {
	return time.Duration(float64(f.flow)*float64(length)/float64(recorded)) + f.in
}
