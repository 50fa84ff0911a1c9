// SPDX-License-Identifier: Apache-2.0

package packet

import "encoding/binary"

// transport decodes what an IP packet carries.
func (d *decoder) transport(proto uint8) error {
	b, p := d.data, d.p
	switch proto {
	case ProtoTCP:
		if len(b) < 20 {
			if len(b) >= 4 {
				p.SrcPort, p.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
			}
			return ErrTruncated
		}
		p.SrcPort, p.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		p.Seq, p.Ack = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
		p.Flags = b[13]
		p.Window = binary.BigEndian.Uint16(b[14:])
		n := int(b[12]>>4) * 4
		if n < 20 {
			return ErrMalformed
		}
		if n > len(b) {
			return ErrTruncated
		}
		d.data = b[n:]
		d.payload()
		return nil
	case ProtoUDP:
		if len(b) < 8 {
			return ErrTruncated
		}
		p.SrcPort, p.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		n := int(binary.BigEndian.Uint16(b[4:]))
		d.data = b[8:]
		if n >= 8 && n-8 <= len(d.data)+d.missing {
			d.limit(n - 8)
		}
		if isVXLAN(p.SrcPort, p.DstPort, d.data) {
			p.TunnelID = binary.BigEndian.Uint32(d.data[4:]) >> 8
			if d.enter(TunnelVXLAN) == nil {
				d.data = d.data[8:]
				return d.ethernet()
			}
		}
		d.payload()
		return nil
	case ProtoICMP, ProtoICMPv6:
		if len(b) < 4 {
			return ErrTruncated
		}
		p.ICMPType, p.ICMPCode = b[0], b[1]
		d.data = b[4:]
		d.payload()
		return nil
	case ProtoSCTP:
		if len(b) < 12 {
			return ErrTruncated
		}
		p.SrcPort, p.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		d.data = b[12:]
		d.payload()
		return nil
	case ProtoGRE:
		return d.gre()
	case ProtoIPIP, ProtoIPv6:
		if err := d.enter(TunnelIPIP); err != nil {
			return err
		}
		return d.ip()
	case ProtoAH: // IPv4; RFC 4302
		if len(b) < 12 {
			return ErrTruncated
		}
		n := (int(b[1]) + 2) * 4
		if n < 12 || n > len(b) {
			return ErrTruncated
		}
		if err := d.deeper(); err != nil {
			return err
		}
		p.Proto = b[0]
		d.data = b[n:]
		return d.transport(b[0])
	}
	d.payload()
	return nil
}
