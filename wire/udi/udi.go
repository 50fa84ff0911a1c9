// SPDX-License-Identifier: Apache-2.0

// Package udi parses unique device identifiers as they are printed on devices
// and carried in messages, and parts the device identifier (DI: which product)
// from the production identifiers (PI: which piece of it).
//
// The three issuing agencies accredited by the FDA and named in Regulation (EU)
// 2017/745 are read: GS1 (General Specifications §3, element strings in their
// human-readable form "(01)...", as scanned with FNC1 as 0x1D or a symbology
// identifier in front, and as a GS1 Digital Link), HIBCC (ANSI/HIBC 2.6,
// primary and secondary data structure) and ICCBBA (ISBT 128 data structures
// 034, 021, 031/033 and 019).
//
// # Limits
//
// MaxLength bytes; a longer value is not an identifier. Check digits (GS1
// modulo 10, HIBC modulo 43) are computed; a wrong one is reported in CheckOK
// and does not reject the value, since people mistype. Dates keep the precision
// that they have. The IFA form (PPN) is not read.
package udi

import (
	"errors"
	"strings"
)

// MaxLength bounds the length of an identifier in bytes.
const MaxLength = 256

// Agency is who issued an identifier.
type Agency string

// The issuing agencies.
const (
	GS1    Agency = "GS1"
	HIBCC  Agency = "HIBCC"
	ICCBBA Agency = "ICCBBA"
)

// UDI is a parsed identifier.
type UDI struct {
	Agency       Agency
	DI           string // device identifier: GTIN-14, HIBC primary data without check and unit, ISBT product code
	Serial       string
	Lot          string
	Expires      string // ISO 8601: "2025-03-31", "2025-03" when the day is not given
	Manufactured string
	Software     string // GS1 AI 8012
	CheckOK      bool   // the check digit is right (always true for ICCBBA, which has none here)
}

// ErrForm is returned for a value that has none of the known forms.
var ErrForm = errors.New("udi: not a GS1, HIBCC or ICCBBA identifier")

// Parse reads an identifier.
func Parse(s string) (UDI, error) {
	s = strings.TrimSpace(s)
	if len(s) < 6 || len(s) > MaxLength {
		return UDI{}, ErrForm
	}
	switch {
	case s[0] == '(':
		return parseBracketed(s)
	case s[0] == '+':
		return parseHIBC(s[1:])
	case strings.HasPrefix(s, "=/"), strings.HasPrefix(s, "=+"):
		return parseISBT(s)
	case strings.HasPrefix(s, "http://"), strings.HasPrefix(s, "https://"):
		return parseLink(s)
	case s[0] == ']':
		// ISO/IEC 15424: ]C1 GS1-128, ]d2 GS1 DataMatrix, ]Q3 GS1 QR Code.
		if len(s) > 3 && (s[1:3] == "C1" || s[1:3] == "d2" || s[1:3] == "Q3" || s[1:3] == "e0") {
			return parsePlain(s[3:])
		}
		return UDI{}, ErrForm
	}
	return parsePlain(s)
}

// String gives the identifier in the human-readable form of its agency, GS1
// only; others give the DI.
func (u UDI) String() string {
	if u.Agency != GS1 {
		return u.DI
	}
	var b strings.Builder
	b.WriteString("(01)" + u.DI)
	for _, e := range []struct{ ai, v string }{{"(11)", compact(u.Manufactured)}, {"(17)", compact(u.Expires)}, {"(10)", u.Lot}, {"(21)", u.Serial}, {"(8012)", u.Software}} {
		if e.v != "" {
			b.WriteString(e.ai + e.v)
		}
	}
	return b.String()
}

// compact turns an ISO date into GS1's YYMMDD.
func compact(d string) string {
	switch len(d) {
	case 7:
		return d[2:4] + d[5:7] + "00"
	case 10:
		return d[2:4] + d[5:7] + d[8:10]
	}
	return ""
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) > 0
}

// date turns a year of two digits, a month and a day into ISO 8601, "" when it
// is none. Day 00 is the month itself (GS1) and gives no day.
func date(yy, mm, dd string) string {
	if !digits(yy+mm+dd) || mm < "01" || mm > "12" || dd > "31" {
		return ""
	}
	if len(yy) == 2 {
		yy = "20" + yy
	}
	if dd == "00" {
		return yy + "-" + mm
	}
	return yy + "-" + mm + "-" + dd
}

// printable accepts the characters that an identifier may have.
func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
