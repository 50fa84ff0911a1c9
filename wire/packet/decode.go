// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Reasons for which decoding stops early (Packet.Err).
var (
	ErrTruncated    = errors.New("header cut off")
	ErrMalformed    = errors.New("header contradicts itself")
	ErrLinkType     = errors.New("link type not supported")
	ErrTooDeep      = errors.New("more headers than the decoder follows")
	ErrNotSupported = errors.New("protocol not followed")
)

// Link types that Decode understands, LINKTYPE_ values of the tcpdump.org registry.
const (
	linkNull     = 0
	linkEthernet = 1
	linkRawBSD   = 12
	linkRawOpen  = 14
	linkRaw      = 101
	linkLoop     = 108
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
	linkMPLS     = 219
)

// Supported reports whether Decode understands a link type.
func Supported(link uint16) bool {
	switch link {
	case linkNull, linkEthernet, linkRawBSD, linkRawOpen, linkRaw, linkLoop, linkSLL, linkIPv4, linkIPv6, linkSLL2, linkMPLS:
		return true
	}
	return false
}

// decoder is the state of one Decode: what is left of the frame and how much
// of its tail the snap length cut off.
type decoder struct {
	p       *Packet
	frame   int // length of the captured frame
	data    []byte
	missing int
	layers  int
}

// off is the offset of the unread data in the frame.
func (d *decoder) off() int { return d.frame - len(d.data) }

// Decode fills p from one frame. frame must stay unchanged as long as p is
// used. wireLen is the length on the wire; a smaller value than len(frame) is
// taken as len(frame). It always leaves p usable: p.Err says whether decoding
// stopped before the payload, and all fields decoded until then are set.
func Decode(p *Packet, link uint16, frame []byte, wireLen int) {
	*p = Packet{Time: p.Time, WireLen: max(wireLen, len(frame))}
	d := decoder{p: p, frame: len(frame), data: frame, missing: p.WireLen - len(frame)}
	switch link {
	case linkEthernet:
		p.Err = d.ethernet()
	case linkRaw, linkRawBSD, linkRawOpen, linkIPv4, linkIPv6:
		p.Err = d.ip()
	case linkSLL:
		p.Err = d.sll()
	case linkSLL2:
		p.Err = d.sll2()
	case linkNull, linkLoop:
		p.Err = d.null(link == linkLoop)
	case linkMPLS:
		p.Err = d.mpls()
	default:
		p.Err = ErrLinkType
	}
}

// limit says that the current header's content is n bytes long: anything after
// is padding or a trailer. It keeps missing right.
func (d *decoder) limit(n int) {
	if n <= len(d.data) {
		d.frame -= len(d.data) - n
		d.data = d.data[:n:n]
		d.missing = 0
		return
	}
	d.missing = n - len(d.data)
}

func (d *decoder) deeper() error {
	d.layers++
	if d.layers > MaxLayers {
		return ErrTooDeep
	}
	return nil
}

func (d *decoder) payload() {
	d.p.Payload = d.data
	d.p.Missing = d.missing
}

// ethernet decodes Ethernet II and IEEE 802.3 (IEEE 802.3 §3.2).
func (d *decoder) ethernet() error {
	if err := d.deeper(); err != nil {
		return err
	}
	b := d.data
	if len(b) < 14 {
		return ErrTruncated
	}
	p := d.p
	copy(p.DstMAC[:], b)
	copy(p.SrcMAC[:], b[6:])
	p.HasMAC = true
	p.NVLAN = 0
	// Cisco ISL and similar prefixes are not decoded.
	t := binary.BigEndian.Uint16(b[12:])
	d.data = b[14:]
	return d.etherType(t)
}

// etherType follows what a link header announces, including VLAN tags.
func (d *decoder) etherType(t uint16) error {
	p := d.p
	for {
		if err := d.deeper(); err != nil {
			return err
		}
		switch t {
		case EtherTypeVLAN, EtherTypeQinQ, EtherTypeQinQ2:
			if len(d.data) < 4 {
				return ErrTruncated
			}
			if vid := binary.BigEndian.Uint16(d.data) & 0x0fff; p.NVLAN < MaxVLANs {
				p.VLANs[p.NVLAN] = vid
				p.NVLAN++
			}
			t = binary.BigEndian.Uint16(d.data[2:])
			d.data = d.data[4:]
			continue
		case EtherTypeIPv4, EtherTypeIPv6:
			p.EtherType = t
			return d.ip()
		case EtherTypeMPLS, EtherTypeMPLSMc:
			p.EtherType = t
			return d.mpls()
		case EtherTypePPPoE:
			return d.pppoe()
		}
		if t < 0x0600 {
			return d.llc(int(t))
		}
		p.EtherType = t
		d.payload()
		return nil
	}
}

// llc decodes IEEE 802.2 LLC and SNAP.
func (d *decoder) llc(length int) error {
	p := d.p
	if length <= len(d.data)+d.missing {
		d.limit(length)
	}
	b := d.data
	if len(b) < 3 {
		return ErrTruncated
	}
	p.LLC, p.DSAP, p.SSAP, p.Ctrl = true, b[0], b[1], b[2]
	p.EtherType = 0
	d.data = b[3:]
	if p.DSAP == 0xff && p.SSAP == 0xff { // IPX raw 802.3, no LLC header
		d.data = b
		d.payload()
		return nil
	}
	if p.Ctrl&3 != 3 { // I and S frames carry a second control byte
		if len(b) < 4 {
			return ErrTruncated
		}
		d.data = b[4:]
	}
	if p.DSAP&0xfe == 0xaa && p.SSAP&0xfe == 0xaa && p.Ctrl == 3 {
		if len(d.data) < 5 {
			return ErrTruncated
		}
		p.SNAPOUI = uint32(d.data[0])<<16 | uint32(d.data[1])<<8 | uint32(d.data[2])
		p.SNAPPID = binary.BigEndian.Uint16(d.data[3:])
		d.data = d.data[5:]
		if p.SNAPOUI == 0 && p.SNAPPID >= 0x0600 {
			return d.etherType(p.SNAPPID)
		}
	}
	d.payload()
	return nil
}

// sll decodes LINKTYPE_LINUX_SLL.
func (d *decoder) sll() error {
	b := d.data
	if len(b) < 16 {
		return ErrTruncated
	}
	if binary.BigEndian.Uint16(b[4:]) == 6 {
		copy(d.p.SrcMAC[:], b[6:12])
		d.p.HasMAC = true
	}
	t := binary.BigEndian.Uint16(b[14:])
	d.data = b[16:]
	return d.cooked(t)
}

// sll2 decodes LINKTYPE_LINUX_SLL2.
func (d *decoder) sll2() error {
	b := d.data
	if len(b) < 20 {
		return ErrTruncated
	}
	if b[11] == 6 {
		copy(d.p.SrcMAC[:], b[12:18])
		d.p.HasMAC = true
	}
	t := binary.BigEndian.Uint16(b)
	d.data = b[20:]
	return d.cooked(t)
}

// cooked follows the protocol field of the cooked headers: an EtherType, or
// one of Linux' own small numbers.
func (d *decoder) cooked(t uint16) error {
	switch t {
	case 0x0001: // Novell raw 802.3
		d.payload()
		return nil
	case 0x0004: // 802.2 LLC
		return d.llc(len(d.data) + d.missing)
	}
	if t < 0x0600 {
		d.payload()
		return ErrNotSupported
	}
	return d.etherType(t)
}

// null decodes LINKTYPE_NULL (family in the byte order of the capturing host)
// and LINKTYPE_LOOP (network order).
func (d *decoder) null(loop bool) error {
	if len(d.data) < 4 {
		return ErrTruncated
	}
	f := binary.BigEndian.Uint32(d.data)
	if !loop && f > 0xffff {
		f = binary.LittleEndian.Uint32(d.data)
	}
	d.data = d.data[4:]
	switch f {
	case 2, 10, 23, 24, 28, 30: // AF_INET, and AF_INET6 of Linux, Windows, NetBSD, FreeBSD, Darwin
		return d.ip()
	}
	d.payload()
	return ErrNotSupported
}

// mpls pops labels (RFC 3032) and guesses what follows, as routers do: the
// first nibble says IP version, 0 a pseudowire control word (RFC 4385).
func (d *decoder) mpls() error {
	p := d.p
	for {
		if err := d.deeper(); err != nil {
			return err
		}
		if len(d.data) < 4 {
			return ErrTruncated
		}
		e := binary.BigEndian.Uint32(d.data)
		d.data = d.data[4:]
		if e&0x100 != 0 {
			p.TunnelID = e >> 12
			break
		}
	}
	if err := d.enter(TunnelMPLS); err != nil {
		return err
	}
	if len(d.data) == 0 {
		return ErrTruncated
	}
	switch d.data[0] >> 4 {
	case 4, 6:
		return d.ip()
	case 0:
		if len(d.data) < 4 {
			return ErrTruncated
		}
		d.data = d.data[4:]
	}
	return d.ethernet()
}

// pppoe decodes a PPPoE session header (RFC 2516) with PPP's IP protocols.
func (d *decoder) pppoe() error {
	b := d.data
	if len(b) < 8 {
		return ErrTruncated
	}
	d.data = b[6:]
	if n := int(binary.BigEndian.Uint16(b[4:])); n <= len(d.data)+d.missing {
		d.limit(n)
	}
	if len(d.data) < 2 {
		return ErrTruncated
	}
	t := binary.BigEndian.Uint16(d.data)
	d.data = d.data[2:]
	switch t {
	case 0x0021, 0x0057:
		return d.ip()
	}
	d.p.EtherType = EtherTypePPPoE
	d.payload()
	return nil
}

// enter notes an encapsulation that is about to be followed.
func (d *decoder) enter(k TunnelKind) error {
	p := d.p
	if p.NTunnel >= MaxTunnels {
		return ErrTooDeep
	}
	p.NTunnel++
	p.Tunnel = k
	if p.IPVersion != 0 && !p.OuterSrc.IsValid() {
		p.OuterSrc, p.OuterDst = p.Src, p.Dst
	}
	p.IPVersion, p.Proto, p.SrcPort, p.DstPort, p.Fragment = 0, 0, 0, 0, false
	p.Src, p.Dst = netip.Addr{}, netip.Addr{}
	return nil
}

// ip decodes IPv4 or IPv6 by the version nibble.
func (d *decoder) ip() error {
	if err := d.deeper(); err != nil {
		return err
	}
	if len(d.data) == 0 {
		return ErrTruncated
	}
	switch d.data[0] >> 4 {
	case 4:
		return d.ipv4()
	case 6:
		return d.ipv6()
	}
	return ErrMalformed
}

func (d *decoder) ipv4() error {
	b, p := d.data, d.p
	if len(b) < 20 {
		return ErrTruncated
	}
	ihl := int(b[0]&15) * 4
	if ihl < 20 {
		return ErrMalformed
	}
	p.IPVersion = 4
	p.ipStart = d.off()
	p.TTL = b[8]
	p.Proto = b[9]
	p.Src = netip.AddrFrom4([4]byte(b[12:16]))
	p.Dst = netip.AddrFrom4([4]byte(b[16:20]))
	total := int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case total == 0: // segmentation offload: the length was to be filled in later
		total = len(b) + d.missing
	case total < ihl:
		return ErrMalformed
	}
	p.IPLen = total
	if total <= len(b)+d.missing {
		d.limit(total)
		b = d.data
	} else {
		d.missing = total - len(b)
	}
	if len(b) < ihl {
		return ErrTruncated
	}
	d.data = b[ihl:]
	if ff := binary.BigEndian.Uint16(b[6:]); ff&0x3fff != 0 {
		p.Fragment = true
		p.FragOffset = int(ff&0x1fff) * 8
		p.FragMore = ff&0x2000 != 0
		p.FragID = uint32(binary.BigEndian.Uint16(b[4:]))
		p.FragData = d.data
		p.fragHdr = d.off()
		d.payload()
		return nil
	}
	return d.transport(p.Proto)
}

func (d *decoder) ipv6() error {
	b, p := d.data, d.p
	if len(b) < 40 {
		return ErrTruncated
	}
	p.IPVersion = 6
	p.ipStart = d.off()
	p.TTL = b[7]
	p.Src = netip.AddrFrom16([16]byte(b[8:24]))
	p.Dst = netip.AddrFrom16([16]byte(b[24:40]))
	next := b[6]
	p.nhPos = p.ipStart + 6
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n == 0 { // jumbogram or segmentation offload
		n = len(b) - 40 + d.missing
	}
	p.IPLen = 40 + n
	d.data = b[40:]
	if n <= len(d.data)+d.missing {
		d.limit(n)
	} else {
		d.missing = n - len(d.data)
	}
	for {
		if err := d.deeper(); err != nil {
			return err
		}
		b = d.data
		switch next {
		case 0, 43, 60, 135, 139, 140, 51:
			if len(b) < 8 {
				return ErrTruncated
			}
			n := (int(b[1]) + 1) * 8
			if next == 51 { // RFC 4302 §2.2: in 4-byte units, minus 2
				n = (int(b[1]) + 2) * 4
			}
			if n > len(b) {
				return ErrTruncated
			}
			p.nhPos = d.off()
			next = b[0]
			d.data = b[n:]
		case 44:
			if len(b) < 8 {
				return ErrTruncated
			}
			ff := binary.BigEndian.Uint16(b[2:])
			p.Proto = b[0]
			if ff&0xfff9 != 0 { // RFC 6946: an atomic fragment is a whole packet
				p.Fragment = true
				p.FragOffset = int(ff &^ 7)
				p.FragMore = ff&1 != 0
				p.FragID = binary.BigEndian.Uint32(b[4:])
				p.fragHdr = d.off()
				d.data = b[8:]
				p.FragData = d.data
				d.payload()
				return nil
			}
			p.nhPos = d.off()
			next = b[0]
			d.data = b[8:]
		default:
			p.Proto = next
			return d.transport(next)
		}
	}
}
