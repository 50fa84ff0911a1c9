// SPDX-License-Identifier: Apache-2.0

package udi

import (
	"net/url"
	"strings"
)

const fnc1 = "\x1d"

// ai gives, for an application identifier at the start of s, its length and the
// length of its value; variable says that the value may be shorter and ends
// with FNC1. Only those that occur in device identifiers are known.
func ai(s string) (n, size int, variable bool) {
	switch {
	case strings.HasPrefix(s, "01"), strings.HasPrefix(s, "02"):
		return 2, 14, false
	case strings.HasPrefix(s, "11"), strings.HasPrefix(s, "13"), strings.HasPrefix(s, "15"), strings.HasPrefix(s, "17"):
		return 2, 6, false
	case strings.HasPrefix(s, "20"):
		return 2, 2, false
	case strings.HasPrefix(s, "10"), strings.HasPrefix(s, "21"), strings.HasPrefix(s, "22"):
		return 2, 20, true
	case strings.HasPrefix(s, "30"), strings.HasPrefix(s, "37"):
		return 2, 8, true
	case strings.HasPrefix(s, "240"), strings.HasPrefix(s, "241"), strings.HasPrefix(s, "250"):
		return 3, 30, true
	case strings.HasPrefix(s, "8012"):
		return 4, 20, true
	}
	return 0, 0, false
}

func (u *UDI) set(id, v string) bool {
	switch id {
	case "01":
		if len(v) != 14 || !digits(v) {
			return false
		}
		u.DI, u.CheckOK = v, checkMod10(v)
	case "10":
		u.Lot = v
	case "11", "17":
		if len(v) != 6 || !digits(v) {
			return false
		}
		d := date(v[:2], v[2:4], v[4:])
		if id == "11" {
			u.Manufactured = d
		} else {
			u.Expires = d
		}
	case "21":
		u.Serial = v
	case "8012":
		u.Software = v
	}
	return true
}

func parseBracketed(s string) (UDI, error) {
	u := UDI{Agency: GS1}
	for len(s) > 0 {
		end := strings.IndexByte(s, ')')
		if s[0] != '(' || end < 3 || end > 5 || !digits(s[1:end]) {
			return UDI{}, ErrForm
		}
		id := s[1:end]
		s = s[end+1:]
		// A value may contain brackets of its own: it ends where a known
		// application identifier stands in brackets.
		v, i := s, 0
		for {
			j := strings.IndexByte(s[i:], '(')
			if j < 0 {
				s = ""
				break
			}
			i += j
			if e := strings.IndexByte(s[i:], ')'); e >= 3 && e <= 5 {
				if n, _, _ := ai(s[i+1 : i+e]); n == e-1 {
					v, s = s[:i], s[i:]
					break
				}
			}
			i++
		}
		v = strings.Trim(v, " "+fnc1)
		if v == "" || !printable(v) || !u.set(id, v) {
			return UDI{}, ErrForm
		}
	}
	if u.DI == "" {
		return UDI{}, ErrForm
	}
	return u, nil
}

// parsePlain reads element strings without brackets. Without a symbology
// identifier only a value that begins with a GTIN whose check digit is right
// is taken: sixteen digits alone are too common.
func parsePlain(s string) (UDI, error) {
	u := UDI{Agency: GS1}
	s = strings.TrimPrefix(s, fnc1)
	for first := true; len(s) > 0; first = false {
		n, size, variable := ai(s)
		if n == 0 || first && !strings.HasPrefix(s, "01") {
			return UDI{}, ErrForm
		}
		id := s[:n]
		s = s[n:]
		end := strings.Index(s, fnc1)
		if !variable {
			if len(s) < size {
				return UDI{}, ErrForm
			}
			end = size
		} else if end < 0 {
			end = len(s)
		}
		v := s[:end]
		s = strings.TrimPrefix(s[end:], fnc1)
		if v == "" || len(v) > size || !printable(v) || !u.set(id, v) {
			return UDI{}, ErrForm
		}
		if first && !u.CheckOK {
			return UDI{}, ErrForm
		}
	}
	if u.DI == "" {
		return UDI{}, ErrForm
	}
	return u, nil
}

// parseLink reads a GS1 Digital Link URI: .../01/<GTIN>[/10/..][/21/..][?17=..].
func parseLink(s string) (UDI, error) {
	l, err := url.Parse(s)
	if err != nil {
		return UDI{}, ErrForm
	}
	parts := strings.Split(strings.Trim(l.Path, "/"), "/")
	for len(parts) > 0 && parts[0] != "01" {
		parts = parts[1:]
	}
	u := UDI{Agency: GS1}
	for i := 0; i+1 < len(parts); i += 2 {
		if !printable(parts[i+1]) || !u.set(parts[i], parts[i+1]) {
			return UDI{}, ErrForm
		}
	}
	for _, id := range []string{"10", "11", "17", "21", "8012"} {
		if v := l.Query().Get(id); v != "" && (!printable(v) || !u.set(id, v)) {
			return UDI{}, ErrForm
		}
	}
	if u.DI == "" {
		return UDI{}, ErrForm
	}
	return u, nil
}

// checkMod10 is GS1 General Specifications §7.9.1.
func checkMod10(s string) bool {
	sum := 0
	for i := len(s) - 2; i >= 0; i-- {
		d := int(s[i] - '0')
		if (len(s)-2-i)%2 == 0 {
			d *= 3
		}
		sum += d
	}
	return (10-sum%10)%10 == int(s[len(s)-1]-'0')
}
