// SPDX-License-Identifier: Apache-2.0

package dhcp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/wire/printable"
)

func cString(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

func addr4(b []byte) netip.Addr {
	if len(b) != 4 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(b))
}

func addrs4(out []netip.Addr, b []byte) []netip.Addr {
	for len(b) >= 4 && len(out) < MaxList {
		out = append(out, netip.AddrFrom4([4]byte(b)))
		b = b[4:]
	}
	return out
}

func addrs6(b []byte) (out []netip.Addr) {
	for len(b) >= 16 && len(out) < MaxList {
		out = append(out, netip.AddrFrom16([16]byte(b)))
		b = b[16:]
	}
	return out
}

// userClass reads option 77: RFC 3004 says length-prefixed pieces, but most
// clients send one plain string.
func userClass(v []byte) string {
	var parts []string
	for rest := v; ; {
		if len(rest) == 0 && len(parts) > 0 {
			return strings.Join(parts, ",")
		}
		if len(rest) == 0 || rest[0] == 0 || int(rest[0]) > len(rest)-1 || len(parts) >= MaxList {
			return printable.TextOrHex(v, printable.Max)
		}
		n := int(rest[0])
		parts = append(parts, printable.TextOrHex(rest[1:1+n], 64))
		rest = rest[1+n:]
	}
}

// fqdn reads a name in DNS wire form or as plain text (RFC 4702 §2.3).
func fqdn(v []byte, wire bool) string {
	if wire {
		n, _ := name(v, nil)
		return n
	}
	return strings.TrimSuffix(printable.Text(v, 253), ".")
}

// name reads one domain name; all is what compression pointers refer to, nil
// where they are not allowed. It returns what follows the name.
func name(v, all []byte) (string, []byte) {
	var sb []byte
	rest := v
	jumped := false
	for hops := 0; ; {
		if len(v) == 0 {
			return printable.Text(sb, 253), nil
		}
		n := int(v[0])
		switch {
		case n == 0:
			if !jumped {
				rest = v[1:]
			}
			return printable.Text(sb, 253), rest
		case n&0xc0 == 0xc0:
			if len(v) < 2 || all == nil || hops >= 16 {
				return printable.Text(sb, 253), nil
			}
			if !jumped {
				rest = v[2:]
			}
			hops++
			jumped = true
			to := int(binary.BigEndian.Uint16(v) & 0x3fff)
			if to >= len(all) {
				return printable.Text(sb, 253), nil
			}
			v = all[to:]
			continue
		case n > 63 || n > len(v)-1 || len(sb)+n > 253:
			return printable.Text(sb, 253), nil
		}
		if len(sb) > 0 {
			sb = append(sb, '.')
		}
		sb = append(sb, v[1:1+n]...)
		v = v[1+n:]
	}
}

// names reads a list of domain names (RFC 3397 §2).
func names(v []byte) (out []string) {
	rest := v
	for len(rest) > 0 && len(out) < MaxList {
		var s string
		before := len(rest)
		s, rest = name(rest, v)
		if s != "" {
			out = append(out, s)
		}
		if len(rest) >= before {
			return out
		}
	}
	return out
}

// names6 is names without compression, which version 6 forbids (RFC 8415 §10).
func names6(v []byte) (out []string) {
	for len(v) > 0 && len(out) < MaxList {
		var s string
		s, v = name(v, nil)
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// routes reads classless static routes (RFC 3442).
func routes(v []byte) (out []Route) {
	for len(v) > 0 && len(out) < MaxList {
		bits := int(v[0])
		n := (bits + 7) / 8
		if bits > 32 || len(v) < 1+n+4 {
			return out
		}
		var a [4]byte
		copy(a[:], v[1:1+n])
		out = append(out, Route{To: netip.PrefixFrom(netip.AddrFrom4(a), bits), Via: netip.AddrFrom4([4]byte(v[1+n:]))})
		v = v[1+n+4:]
	}
	return out
}

// vendors reads options 124 and 125 (RFC 3925 §3, §4).
func vendors(v []byte) (out []Vendor) {
	for len(v) >= 5 && len(out) < MaxList {
		n := int(v[4])
		if n > len(v)-5 {
			return out
		}
		d := v[5 : 5+n]
		if len(d) > 1 && int(d[0]) == len(d)-1 { // vendor-class-data with its own length
			d = d[1:]
		}
		out = append(out, Vendor{Enterprise: binary.BigEndian.Uint32(v), Data: printable.TextOrHex(d, printable.Max)})
		v = v[5+n:]
	}
	return out
}

// archName names a client system architecture (RFC 4578 §2.1, IANA).
func archName(v uint16) string {
	switch v {
	case 0:
		return "x86 BIOS"
	case 6:
		return "x86 UEFI"
	case 7, 9:
		return "x64 UEFI"
	case 10:
		return "ARM 32-bit UEFI"
	case 11:
		return "ARM 64-bit UEFI"
	case 16:
		return "x64 UEFI HTTP"
	}
	return strconv.Itoa(int(v))
}

// List writes option codes as fingerprints are written: "1,3,6,15".
func List(codes []byte) string {
	b := make([]byte, 0, 4*len(codes))
	for i, c := range codes {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(c), 10)
	}
	return string(b)
}
