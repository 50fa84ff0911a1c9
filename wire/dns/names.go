// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Record types (IANA DNS parameters).
const (
	TypeA      = 1
	TypeNS     = 2
	TypeCNAME  = 5
	TypeSOA    = 6
	TypePTR    = 12
	TypeHINFO  = 13
	TypeMX     = 15
	TypeTXT    = 16
	TypeAAAA   = 28
	TypeSRV    = 33
	TypeNAPTR  = 35
	TypeDNAME  = 39
	TypeOPT    = 41
	TypeDS     = 43
	TypeSSHFP  = 44
	TypeRRSIG  = 46
	TypeNSEC   = 47
	TypeDNSKEY = 48
	TypeTLSA   = 52
	TypeSVCB   = 64
	TypeHTTPS  = 65
	TypeAXFR   = 252
	TypeANY    = 255
	TypeURI    = 256
	TypeCAA    = 257
)

// TypeName is a type's mnemonic, or "TYPE123" (RFC 3597 §5).
func TypeName(t uint16) string {
	switch t {
	case 1:
		return "A"
	case 2:
		return "NS"
	case 5:
		return "CNAME"
	case 6:
		return "SOA"
	case 10:
		return "NULL"
	case 11:
		return "WKS"
	case 12:
		return "PTR"
	case 13:
		return "HINFO"
	case 15:
		return "MX"
	case 16:
		return "TXT"
	case 17:
		return "RP"
	case 18:
		return "AFSDB"
	case 24:
		return "SIG"
	case 25:
		return "KEY"
	case 28:
		return "AAAA"
	case 29:
		return "LOC"
	case 32:
		return "NB"
	case 33:
		return "SRV"
	case 35:
		return "NAPTR"
	case 36:
		return "KX"
	case 37:
		return "CERT"
	case 39:
		return "DNAME"
	case 41:
		return "OPT"
	case 42:
		return "APL"
	case 43:
		return "DS"
	case 44:
		return "SSHFP"
	case 45:
		return "IPSECKEY"
	case 46:
		return "RRSIG"
	case 47:
		return "NSEC"
	case 48:
		return "DNSKEY"
	case 49:
		return "DHCID"
	case 50:
		return "NSEC3"
	case 51:
		return "NSEC3PARAM"
	case 52:
		return "TLSA"
	case 53:
		return "SMIMEA"
	case 55:
		return "HIP"
	case 59:
		return "CDS"
	case 60:
		return "CDNSKEY"
	case 61:
		return "OPENPGPKEY"
	case 62:
		return "CSYNC"
	case 63:
		return "ZONEMD"
	case 64:
		return "SVCB"
	case 65:
		return "HTTPS"
	case 99:
		return "SPF"
	case 108:
		return "EUI48"
	case 109:
		return "EUI64"
	case 249:
		return "TKEY"
	case 250:
		return "TSIG"
	case 251:
		return "IXFR"
	case 252:
		return "AXFR"
	case 255:
		return "ANY"
	case 256:
		return "URI"
	case 257:
		return "CAA"
	case 32769:
		return "DLV"
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// ClassName is a class's mnemonic, or "CLASS123".
func ClassName(c uint16) string {
	switch c {
	case 1:
		return "IN"
	case 3:
		return "CH"
	case 4:
		return "HS"
	case 254:
		return "NONE"
	case 255:
		return "ANY"
	}
	return "CLASS" + strconv.Itoa(int(c))
}

var rcodes = [...]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE", "DSOTYPENI"}

// RCodeName is a response code's mnemonic, or "RCODE123".
func RCodeName(c uint16) string {
	if int(c) < len(rcodes) {
		return rcodes[c]
	}
	switch c {
	case 16:
		return "BADVERS"
	case 17:
		return "BADKEY"
	case 18:
		return "BADTIME"
	case 22:
		return "BADTRUNC"
	case 23:
		return "BADCOOKIE"
	}
	return "RCODE" + strconv.Itoa(int(c))
}

// OpcodeName is an operation's name.
func OpcodeName(o uint8) string {
	switch o {
	case 0:
		return "QUERY"
	case 1:
		return "IQUERY"
	case 2:
		return "STATUS"
	case 4:
		return "NOTIFY"
	case 5:
		return "UPDATE"
	case 6:
		return "DSO"
	}
	return "OPCODE" + strconv.Itoa(int(o))
}

// appendLabel writes one label in presentation form.
func appendLabel(dst, label []byte) []byte {
	for len(label) > 0 {
		c := label[0]
		if c < utf8.RuneSelf {
			label = label[1:]
			switch {
			case c == '.' || c == '\\':
				dst = append(dst, '\\', c)
			case c < 0x20 || c == 0x7f:
				dst = append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
			default:
				dst = append(dst, c)
			}
			continue
		}
		r, n := utf8.DecodeRune(label)
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			for _, c := range label[:n] {
				dst = append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
			}
		} else {
			dst = append(dst, label[:n]...)
		}
		label = label[n:]
	}
	return dst
}

// Labels splits a name in presentation form at its dots, leaving escapes as
// they are.
func Labels(name string) (out []string) {
	start := 0
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '\\':
			i++
		case '.':
			out = append(out, name[start:i])
			start = i + 1
		}
	}
	return append(out, name[start:])
}

// Unescape turns a label in presentation form back into its characters, leaving
// \DDD of what does not print.
func Unescape(label string) string {
	for i := 0; i < len(label); i++ {
		if label[i] == '\\' {
			b := []byte(label[:i])
			for ; i < len(label); i++ {
				if label[i] == '\\' && i+1 < len(label) && (label[i+1] == '.' || label[i+1] == '\\') {
					i++
				}
				b = append(b, label[i])
			}
			return string(b)
		}
	}
	return label
}
