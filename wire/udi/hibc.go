// SPDX-License-Identifier: Apache-2.0

package udi

import "strings"

const hibcAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"

// parseHIBC reads ANSI/HIBC 2.6 without the leading '+': a labeler code of four
// characters, a product number, a unit of measure, secondary data after '/'
// and a check character over all.
func parseHIBC(s string) (UDI, error) {
	u := UDI{Agency: HIBCC}
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(hibcAlphabet, s[i]) < 0 {
			return UDI{}, ErrForm
		}
	}
	sum := strings.IndexByte(hibcAlphabet, '+')
	for i := 0; i < len(s)-1; i++ {
		sum += strings.IndexByte(hibcAlphabet, s[i])
	}
	u.CheckOK = hibcAlphabet[sum%43] == s[len(s)-1]
	s = s[:len(s)-1]
	if s == "" {
		return UDI{}, ErrForm
	}

	primary, rest, more := strings.Cut(s, "/")
	// Without a good check character one cannot tell the last character of the
	// product from the check: it is taken for the check all the same.
	if len(primary) < 6 || len(primary) > 23 || primary[0] < 'A' || primary[0] > 'Z' {
		return UDI{}, ErrForm
	}
	unit := primary[len(primary)-1]
	if unit < '0' || unit > '9' {
		return UDI{}, ErrForm
	}
	u.DI = primary[:len(primary)-1]
	if strings.ContainsAny(u.DI, "-. $+%") {
		return UDI{}, ErrForm // the labeler code and the product number are letters and digits
	}
	for more {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		u.secondary(part)
	}
	return u, nil
}

func (u *UDI) secondary(p string) {
	switch {
	case strings.HasPrefix(p, "$$"):
		p = p[2:]
		serial := strings.HasPrefix(p, "+")
		p = strings.TrimPrefix(p, "+")
		switch { // a quantity may come first
		case strings.HasPrefix(p, "8") && len(p) >= 3:
			p = p[3:]
		case strings.HasPrefix(p, "9") && len(p) >= 6:
			p = p[6:]
		}
		p = u.expiry(p)
		if serial {
			u.Serial = p
		} else {
			u.Lot = p
		}
	case strings.HasPrefix(p, "$+"):
		u.Serial = p[2:]
	case strings.HasPrefix(p, "$"):
		u.Lot = p[1:]
	case strings.HasPrefix(p, "S"):
		u.Serial = p[1:]
	case strings.HasPrefix(p, "16D") && len(p) == 11:
		u.Manufactured = date(p[3:7], p[7:9], p[9:])
	case strings.HasPrefix(p, "14D") && len(p) == 11:
		u.Expires = date(p[3:7], p[7:9], p[9:])
	case len(p) > 5 && digits(p[:5]): // YYJJJ and lot
		u.Lot = p[5:]
	}
}

// expiry takes the date that its first digit announces and returns what follows.
func (u *UDI) expiry(p string) string {
	if p == "" {
		return p
	}
	n := map[byte]int{'0': 4, '1': 4, '2': 7, '3': 7, '4': 9, '5': 6, '6': 8, '7': 1}[p[0]]
	if n == 0 || len(p) < n {
		return p
	}
	switch p[0] {
	case '0', '1': // MMYY
		u.Expires = date(p[2:4], p[:2], "00")
	case '2': // MMDDYY
		u.Expires = date(p[5:7], p[1:3], p[3:5])
	case '3', '4': // YYMMDD, YYMMDDHH
		u.Expires = date(p[1:3], p[3:5], p[5:7])
	case '5', '6': // YYJJJ, YYJJJHH
		u.Expires = julian(p[1:3], p[3:6])
	}
	return p[n:]
}

// julian turns a year and a day of the year into ISO 8601's ordinal form.
func julian(yy, ddd string) string {
	if !digits(yy+ddd) || ddd < "001" || ddd > "366" {
		return ""
	}
	return "20" + yy + "-" + ddd
}
