// SPDX-License-Identifier: Apache-2.0

package packet

import "encoding/binary"

// isVXLAN knows the ports of IANA and of early Linux kernels. The header alone
// is too weak to tell (RFC 7348 §5), so port and reserved bits must both fit.
func isVXLAN(src, dst uint16, b []byte) bool {
	if dst != 4789 && dst != 8472 {
		return false
	}
	return len(b) >= 8+14 && b[0]&0xf7 == 0 && b[0]&8 != 0 && b[1] == 0 && b[2] == 0 && b[3] == 0 && b[7] == 0
}

// gre decodes GRE version 0 (RFC 2784, 2890) and what it may carry here.
func (d *decoder) gre() error {
	b, p := d.data, d.p
	if len(b) < 4 {
		return ErrTruncated
	}
	flags := binary.BigEndian.Uint16(b)
	if flags&7 != 0 { // version 1 is PPTP's
		d.payload()
		return nil
	}
	t := binary.BigEndian.Uint16(b[2:])
	n := 4
	if flags&0x8000 != 0 {
		n += 4
	}
	key := uint32(0)
	if flags&0x2000 != 0 {
		if len(b) < n+4 {
			return ErrTruncated
		}
		key = binary.BigEndian.Uint32(b[n:])
		n += 4
	}
	sequenced := flags&0x1000 != 0
	if sequenced {
		n += 4
	}
	if len(b) < n {
		return ErrTruncated
	}
	d.data = b[n:]
	b = d.data
	switch t {
	case EtherTypeERSPAN2:
		if !sequenced { // type I: the mirrored frame follows at once
			if err := d.enter(TunnelERSPAN1); err != nil {
				return err
			}
			return d.ethernet()
		}
		if len(b) < 8 {
			return ErrTruncated
		}
		if b[0]>>4 != 1 {
			return ErrMalformed
		}
		p.TunnelID = uint32(binary.BigEndian.Uint16(b[2:]) & 0x3ff)
		if err := d.enter(TunnelERSPAN2); err != nil {
			return err
		}
		d.data = b[8:]
		return d.ethernet()
	case EtherTypeERSPAN3:
		if len(b) < 12 {
			return ErrTruncated
		}
		if b[0]>>4 != 2 {
			return ErrMalformed
		}
		p.TunnelID = uint32(binary.BigEndian.Uint16(b[2:]) & 0x3ff)
		last := binary.BigEndian.Uint16(b[10:])
		d.data = b[12:]
		if last&1 != 0 { // O: platform-specific subheader
			if len(d.data) < 8 {
				return ErrTruncated
			}
			d.data = d.data[8:]
		}
		if err := d.enter(TunnelERSPAN3); err != nil {
			return err
		}
		if last>>10&0x1f == 2 { // frame type: IP
			return d.ip()
		}
		return d.ethernet()
	case EtherTypeTEB:
		p.TunnelID = key
		if err := d.enter(TunnelGRE); err != nil {
			return err
		}
		return d.ethernet()
	case EtherTypeIPv4, EtherTypeIPv6, EtherTypeMPLS, EtherTypeMPLSMc, EtherTypeVLAN:
		p.TunnelID = key
		if err := d.enter(TunnelGRE); err != nil {
			return err
		}
		return d.etherType(t)
	}
	d.payload()
	return nil
}
