// SPDX-License-Identifier: Apache-2.0

// Package communityid computes Community ID version 1, the flow hash that
// Zeek, Suricata and others share (github.com/corelight/community-id-spec):
// "1:" and the base64 of SHA-1 over seed, addresses, protocol and ports, with
// the smaller endpoint first.
package communityid

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the specification's hash; not used for security
	"encoding/base64"
	"encoding/binary"
	"net/netip"
)

// V1 returns the Community ID of a flow. For ICMP and ICMPv6, srcPort is the
// type and dstPort the code. Protocols without ports are hashed without them.
func V1(seed uint16, src, dst netip.Addr, proto uint8, srcPort, dstPort uint16) string {
	oneWay := false
	hasPorts := false
	switch proto {
	case 1, 58:
		hasPorts = true
		srcPort, dstPort, oneWay = icmp(proto, uint8(srcPort), uint8(dstPort))
	case 6, 17, 132:
		hasPorts = true
	}
	a, b := src.AsSlice(), dst.AsSlice()
	if !oneWay {
		if c := bytes.Compare(a, b); c > 0 || c == 0 && srcPort > dstPort {
			a, b = b, a
			srcPort, dstPort = dstPort, srcPort
		}
	}
	var buf [2 + 16 + 16 + 2 + 4]byte
	m := binary.BigEndian.AppendUint16(buf[:0], seed)
	m = append(m, a...)
	m = append(m, b...)
	m = append(m, proto, 0)
	if hasPorts {
		m = binary.BigEndian.AppendUint16(m, srcPort)
		m = binary.BigEndian.AppendUint16(m, dstPort)
	}
	sum := sha1.Sum(m) //nolint:gosec // see above
	var out [2 + 28]byte
	copy(out[:], "1:")
	base64.StdEncoding.Encode(out[2:], sum[:])
	return string(out[:])
}

// icmp maps type and code to the specification's port equivalents: a request
// and its reply form one flow, anything else is one way.
func icmp(proto, typ, code uint8) (src, dst uint16, oneWay bool) {
	var peer int
	if proto == 1 {
		peer = counterpart(typ, []uint8{8, 0, 13, 14, 15, 16, 17, 18, 10, 9})
	} else {
		peer = counterpart(typ, []uint8{128, 129, 133, 134, 135, 136, 130, 131, 144, 145, 139, 140})
	}
	if peer < 0 {
		return uint16(typ), uint16(code), true
	}
	return uint16(typ), uint16(peer), false
}

func counterpart(typ uint8, pairs []uint8) int {
	for i, t := range pairs {
		if t == typ {
			return int(pairs[i^1])
		}
	}
	return -1
}
