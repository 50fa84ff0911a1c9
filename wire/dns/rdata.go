// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// rdata makes data readable. at is its offset in the message, for compressed names.
func (p *parser) rdata(rec *Record, data []byte, at int) {
	d := rd{msg: p.msg[:at+len(data)], r: octet.At(data, at)}
	s := d.text(rec)
	if d.bad || d.r.Err() != nil || d.r.Len() > 0 {
		rec.Addr, rec.Target, rec.Port, rec.Text = netip.Addr{}, "", 0, nil
		s = `\# ` + strconv.Itoa(len(data)) + " " + printable.Hex(data, 128)
	}
	if len(s) > MaxData {
		s = strings.ToValidUTF8(s[:MaxData], "")
	}
	rec.Data = s
}

// rd reads the data of one record.
type rd struct {
	msg []byte
	r   octet.Reader
	bad bool
}

func (d *rd) name() string {
	s, n, ok := Name(d.msg, d.r.Offset())
	if !ok || n > d.r.Len() {
		d.bad = true
		return ""
	}
	d.r.Skip(n, "name")
	return s
}

// str reads a character-string (RFC 1035 §3.3).
func (d *rd) str() string {
	return printable.Text(d.r.Bytes(int(d.r.U8("string length")), "string"), 255)
}

func (d *rd) u8() string  { return strconv.Itoa(int(d.r.U8("number"))) }
func (d *rd) u16() string { return strconv.Itoa(int(d.r.U16("number"))) }
func (d *rd) u32() string { return strconv.FormatUint(uint64(d.r.U32("number")), 10) }

func (d *rd) text(rec *Record) string {
	r := &d.r
	switch rec.Type {
	case TypeA:
		rec.Addr = r.IPv4("address")
		return rec.Addr.String()
	case TypeAAAA:
		rec.Addr = r.IPv6("address")
		return rec.Addr.String()
	case TypeNS, TypeCNAME, TypePTR, TypeDNAME:
		rec.Target = d.name()
		return rec.Target
	case TypeMX, 18, 36: // MX, AFSDB, KX
		pref := d.u16()
		rec.Target = d.name()
		return pref + " " + rec.Target
	case TypeSOA:
		s := d.name() + " " + d.name()
		for range 5 {
			s += " " + d.u32()
		}
		return s
	case 17: // RP
		return d.name() + " " + d.name()
	case TypeTXT, 99, TypeHINFO:
		var sb strings.Builder
		for r.Len() > 0 {
			s := d.str()
			if len(rec.Text) < MaxStrings {
				rec.Text = append(rec.Text, s)
				if sb.Len() < MaxData {
					if sb.Len() > 0 {
						sb.WriteByte(' ')
					}
					sb.WriteString(strconv.Quote(s))
				}
			}
		}
		return sb.String()
	case TypeSRV:
		s := d.u16() + " " + d.u16()
		rec.Port = r.U16("port")
		rec.Target = d.name()
		return s + " " + strconv.Itoa(int(rec.Port)) + " " + rec.Target
	case TypeNAPTR:
		return d.u16() + " " + d.u16() + " " + strconv.Quote(d.str()) + " " + strconv.Quote(d.str()) + " " + strconv.Quote(d.str()) + " " + d.name()
	case TypeDS, 59, 32769:
		return d.u16() + " " + d.u8() + " " + d.u8() + " " + d.hex()
	case TypeSSHFP:
		return d.u8() + " " + d.u8() + " " + d.hex()
	case TypeTLSA, 53:
		return d.u8() + " " + d.u8() + " " + d.u8() + " " + d.hex()
	case TypeDNSKEY, 60:
		return d.u16() + " " + d.u8() + " " + d.u8() + " " + d.base64()
	case TypeRRSIG:
		s := TypeName(r.U16("type covered")) + " " + d.u8() + " " + d.u8() + " " + d.u32()
		s += " " + stamp(r.U32("expiration")) + " " + stamp(r.U32("inception")) + " " + d.u16() + " " + d.name()
		return s + " " + d.base64()
	case TypeNSEC:
		return d.name() + d.bitmap()
	case 50: // NSEC3
		s := d.u8() + " " + d.u8() + " " + d.u16()
		salt := r.Bytes(int(r.U8("salt length")), "salt")
		next := r.Bytes(int(r.U8("hash length")), "hash")
		return s + " " + hexOr(salt) + " " + hexOr(next) + d.bitmap()
	case TypeSVCB, TypeHTTPS:
		return d.svcb()
	case TypeURI:
		return d.u16() + " " + d.u16() + " " + strconv.Quote(printable.Text(r.Rest(), MaxData))
	case TypeCAA:
		flags := d.u8()
		tag := d.str()
		return flags + " " + tag + " " + strconv.Quote(printable.Text(r.Rest(), printable.Max))
	case 108, 109: // EUI48, EUI64
		return d.hex()
	}
	d.bad = true
	return ""
}

func (d *rd) hex() string { return printable.Hex(d.r.Rest(), 256) }

func (d *rd) base64() string {
	b := d.r.Rest()
	return base64.StdEncoding.EncodeToString(b[:min(len(b), 192)])
}

func hexOr(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	return hex.EncodeToString(b)
}

// stamp writes a signature's time (RFC 4034 §3.2).
func stamp(v uint32) string { return time.Unix(int64(v), 0).UTC().Format("20060102150405") }

// bitmap writes the types of an NSEC record (RFC 4034 §4.1.2).
func (d *rd) bitmap() string {
	var sb strings.Builder
	for d.r.Len() > 0 && d.r.Err() == nil {
		window, n := int(d.r.U8("window")), int(d.r.U8("bitmap length"))
		if n > 32 {
			d.bad = true
			return ""
		}
		for i, c := range d.r.Bytes(n, "bitmap") {
			for bit := range 8 {
				if c&(0x80>>bit) != 0 && sb.Len() < MaxData {
					sb.WriteByte(' ')
					sb.WriteString(TypeName(uint16(window<<8 | i<<3 | bit)))
				}
			}
		}
	}
	return sb.String()
}

var svcKeys = [...]string{"mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath"}

// svcb writes SVCB and HTTPS records (RFC 9460 §2.2).
func (d *rd) svcb() string {
	var sb strings.Builder
	sb.WriteString(d.u16() + " " + d.name())
	for n := 0; d.r.Len() > 0 && d.r.Err() == nil && n < MaxStrings; n++ {
		key := d.r.U16("key")
		v := d.r.Bytes(int(d.r.U16("value length")), "value")
		sb.WriteByte(' ')
		if int(key) < len(svcKeys) {
			sb.WriteString(svcKeys[key])
		} else {
			fmt.Fprintf(&sb, "key%d", key)
		}
		o := octet.New(v)
		var list []string
		switch key {
		case 1:
			for o.Len() > 0 && len(list) < 16 {
				list = append(list, printable.Text(o.Bytes(int(o.U8("length")), "protocol"), 64))
			}
		case 3:
			list = append(list, strconv.Itoa(int(o.U16("port"))))
		case 4:
			for o.Len() >= 4 && len(list) < 16 {
				list = append(list, o.IPv4("hint").String())
			}
		case 6:
			for o.Len() >= 16 && len(list) < 16 {
				list = append(list, o.IPv6("hint").String())
			}
		case 7:
			list = append(list, printable.Text(v, 128))
		case 2:
		default:
			list = append(list, printable.Hex(v, 64))
		}
		if len(list) > 0 {
			sb.WriteString("=" + strings.Join(list, ","))
		}
	}
	return sb.String()
}
