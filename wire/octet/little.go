// SPDX-License-Identifier: Apache-2.0

package octet

import "encoding/binary"

// LE16 reads two octets, least significant first.
func (r *Reader) LE16(what string) uint16 {
	if s := r.Bytes(2, what); s != nil {
		return binary.LittleEndian.Uint16(s)
	}
	return 0
}

// LE24 reads three octets, least significant first.
func (r *Reader) LE24(what string) uint32 {
	if s := r.Bytes(3, what); s != nil {
		return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16
	}
	return 0
}

// LE32 reads four octets, least significant first.
func (r *Reader) LE32(what string) uint32 {
	if s := r.Bytes(4, what); s != nil {
		return binary.LittleEndian.Uint32(s)
	}
	return 0
}

// LE64 reads eight octets, least significant first.
func (r *Reader) LE64(what string) uint64 {
	if s := r.Bytes(8, what); s != nil {
		return binary.LittleEndian.Uint64(s)
	}
	return 0
}
