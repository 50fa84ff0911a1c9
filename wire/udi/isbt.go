// SPDX-License-Identifier: Apache-2.0

package udi

import "strings"

// parseISBT reads the ISBT 128 data structures that make up an ICCBBA UDI.
// Each begins with two data identifier characters; the first is '=' or '&'.
func parseISBT(s string) (UDI, error) {
	u := UDI{Agency: ICCBBA, CheckOK: true}
	for len(s) >= 2 {
		// A structure reaches to the next data identifier. Its own two
		// characters are skipped: "&," and "=," may not end at once.
		end := len(s)
		if i := strings.IndexAny(s[2:], "=&"); i >= 0 {
			end = 2 + i
		}
		id, v := s[:2], s[2:end]
		s = s[end:]
		if !printable(v) {
			return UDI{}, ErrForm
		}
		switch {
		case id == "=/": // 034 processor product identification code: FIN(P), FPC, PDC
			if len(v) != 16 {
				return UDI{}, ErrForm
			}
			u.DI = v
		case id == "=,": // 021 serial number within the product
			u.Serial = v
		case id == "=>" && len(v) == 6: // 004 expiration date cYYJJJ
			u.Expires = julian(v[1:3], v[3:])
		case id == "=}" && len(v) == 6: // 008 production date
			u.Manufactured = julian(v[1:3], v[3:])
		case id == "&,": // 031 lot number
			u.Lot = strings.TrimLeft(strings.TrimPrefix(v, "1"), "0")
		}
	}
	if u.DI == "" {
		return UDI{}, ErrForm
	}
	return u, nil
}
