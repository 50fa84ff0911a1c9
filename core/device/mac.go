// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/hex"
	"fmt"
	"net"
)

// MAC is an IEEE 802 48-bit address (EUI-48), comparable and usable as a map
// key. The zero value means "unknown".
type MAC [6]byte

// ParseMAC reads the forms that net.ParseMAC reads, 48-bit only.
func ParseMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	if err != nil {
		return MAC{}, fmt.Errorf("MAC address %q: %w", s, err)
	}
	if len(hw) != 6 {
		return MAC{}, fmt.Errorf("MAC address %q: %d bits, want 48", s, len(hw)*8)
	}
	return MAC(hw), nil
}

// String returns the lower-case colon form, for example "00:08:02:1c:ae:a4".
func (m MAC) String() string {
	var b [17]byte
	for i, c := range m {
		if i > 0 {
			b[i*3-1] = ':'
		}
		hex.Encode(b[i*3:], []byte{c})
	}
	return string(b[:])
}

// IsZero reports whether the address is unknown.
func (m MAC) IsZero() bool { return m == MAC{} }

// IsGroup reports a multicast or broadcast address (IEEE 802 I/G bit).
func (m MAC) IsGroup() bool { return m[0]&1 != 0 }

// IsLocal reports a locally administered address (U/L bit): randomised,
// virtual or assigned by hand. Such an address names no vendor.
func (m MAC) IsLocal() bool { return m[0]&2 != 0 }

// OUI returns the first 24 bits as a number.
func (m MAC) OUI() uint32 { return uint32(m[0])<<16 | uint32(m[1])<<8 | uint32(m[2]) }

// MarshalText implements encoding.TextMarshaler. The zero address is empty.
func (m MAC) MarshalText() ([]byte, error) {
	if m.IsZero() {
		return nil, nil
	}
	return []byte(m.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *MAC) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*m = MAC{}
		return nil
	}
	v, err := ParseMAC(string(b))
	if err != nil {
		return err
	}
	*m = v
	return nil
}
