// SPDX-License-Identifier: Apache-2.0

package firewall

import "encoding/binary"

// codec is how the frames of a transfer syntax are compressed.
type codec uint8

const (
	codecOther    codec = iota
	codecJPEG           // also JPEG-LS
	codecJPEG2000       // also high throughput
	codecRLE
)

func codecOf(syntax string) codec {
	switch syntax {
	case "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81":
		return codecJPEG
	case "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203":
		return codecJPEG2000
	case "1.2.840.10008.1.2.5":
		return codecRLE
	}
	return codecOther
}

// codestream judges how a frame begins: its magic, and the size that it claims.
func (x *inspection) codestream(b []byte) {
	f := &x.frags
	if f.table || !f.first || x.val.t.Length == 0 || x.val.t.Depth > 0 {
		return
	}
	g := &f.geo
	var rows, cols, parts int
	var ok bool
	switch codecOf(x.a.TransferSyntax) {
	case codecRLE:
		if why := rle(b, uint64(x.val.t.Length), g); why != "" {
			x.hit(pixelCodestream, why)
		}
		return
	case codecJPEG:
		if ok = len(b) >= 2 && b[0] == 0xFF && b[1] == 0xD8; ok {
			rows, cols, parts = sizeJPEG(b)
		}
	case codecJPEG2000:
		if ok = len(b) >= 4 && (string(b[:4]) == "\xff\x4f\xff\x51" || string(b[:4]) == "\x00\x00\x00\x0c"); ok {
			rows, cols, parts = sizeJPEG2000(b)
		}
	default:
		return
	}
	if !ok {
		x.hit(pixelCodestream, "the frame does not begin as its transfer syntax says")
		return
	}
	if rows == 0 && cols == 0 {
		return // not within the first bytes
	}
	if g.has&(geoRows|geoCols) == geoRows|geoCols && (rows != int(g.rows) && rows != 0 || cols != int(g.cols)) {
		x.hit(pixelCodestreamSize, "the compressed frame has another size than rows and columns")
	}
	if g.has&geoSamples != 0 && parts != int(g.samples) {
		x.hit(pixelCodestreamSize, "the compressed frame has another number of components than samples")
	}
}

// sizeJPEG reads the frame header (ITU-T T.81 §B.2.2). Zeros mean that it is not within b. Lines may be 0 there, and follow later.
func sizeJPEG(b []byte) (rows, cols, parts int) {
	for i := 2; i+4 <= len(b); {
		if b[i] != 0xFF {
			return 0, 0, 0
		}
		m := b[i+1]
		switch {
		case m == 0xFF:
			i++
			continue
		case m == 0x01 || m >= 0xD0 && m <= 0xD8:
			i += 2
			continue
		case m >= 0xC0 && m <= 0xCF && m != 0xC4 && m != 0xC8 && m != 0xCC, m == 0xF7:
			if i+10 > len(b) {
				return 0, 0, 0
			}
			return int(binary.BigEndian.Uint16(b[i+5:])), int(binary.BigEndian.Uint16(b[i+7:])), int(b[i+9])
		case m == 0xDA || m == 0xD9:
			return 0, 0, 0
		}
		n := int(binary.BigEndian.Uint16(b[i+2:]))
		if n < 2 {
			return 0, 0, 0
		}
		i += 2 + n
	}
	return 0, 0, 0
}

// sizeJPEG2000 reads the SIZ marker (ITU-T T.800 §A.5.1) of a codestream, or of one in boxes.
func sizeJPEG2000(b []byte) (rows, cols, parts int) {
	for i := 0; i+42 <= len(b); i++ {
		if b[i] != 0xFF || b[i+1] != 0x4F || b[i+2] != 0xFF || b[i+3] != 0x51 {
			continue
		}
		s := b[i+4:] // length, capabilities, Xsiz, Ysiz, XOsiz, YOsiz, four of tiles, components
		w := int64(binary.BigEndian.Uint32(s[4:])) - int64(binary.BigEndian.Uint32(s[12:]))
		h := int64(binary.BigEndian.Uint32(s[8:])) - int64(binary.BigEndian.Uint32(s[16:]))
		return int(max(h, 1)), int(max(w, 1)), int(binary.BigEndian.Uint16(s[36:]))
	}
	return 0, 0, 0
}

// rle judges the header of an RLE frame (PS3.5 §G.5).
func rle(b []byte, length uint64, g *geometry) string {
	if len(b) < 64 {
		return "an RLE frame without its header"
	}
	n := binary.LittleEndian.Uint32(b)
	if n == 0 || n > 15 {
		return "an RLE header of an impossible number of segments"
	}
	if g.alloc >= 8 && g.has&geoSamples != 0 && n != uint32(g.samples)*uint32(g.alloc/8) {
		return "an RLE header of another number of segments than samples and bits say"
	}
	last := uint32(0)
	for i := range n {
		o := binary.LittleEndian.Uint32(b[4+4*i:])
		if o < 64 || o <= last || uint64(o) >= length {
			return "an RLE header that points out of its frame"
		}
		last = o
	}
	return ""
}
