// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"

	"github.com/asepsis/asepsis/wire/dicom"
)

// format judges that numbers, dates and times can be read as such (PS3.5 §6.2).
func (x *inspection) format(vr dicom.VR, s []byte, whole bool) {
	var fits func([]byte) bool
	switch vr {
	case dicom.IS:
		fits = integer
	case dicom.DS:
		fits = decimal
	case dicom.DA:
		fits = func(v []byte) bool { return digits(v, ".-", 6, 18) }
	case dicom.TM:
		fits = func(v []byte) bool { return digits(v, ".:-", 2, 28) }
	case dicom.DT:
		fits = func(v []byte) bool { return digits(v, ".+-", 4, 54) }
	case dicom.AS:
		fits = func(v []byte) bool {
			return len(v) == 4 && digits(v[:3], "", 3, 3) && bytes.IndexByte([]byte("DWMY"), v[3]) >= 0
		}
	default:
		return
	}
	n := 0
	for more := true; more && n < 64; n++ {
		var one []byte
		one, s, more = bytes.Cut(s, []byte{'\\'})
		if !more && !whole {
			return // the window may cut the value
		}
		if one = bytes.Trim(one, " \x00"); len(one) > 0 && !fits(one) {
			x.hit(vrFormat, "a value that is not the number, date or time that it must be")
			return
		}
	}
}

func digits(v []byte, others string, least, longest int) bool {
	if len(v) < least || len(v) > longest {
		return false
	}
	for _, c := range v {
		if (c < '0' || c > '9') && bytes.IndexByte([]byte(others), c) < 0 {
			return false
		}
	}
	return true
}

func integer(v []byte) bool {
	if v[0] == '+' || v[0] == '-' {
		v = v[1:]
	}
	return digits(v, "", 1, 12)
}

func decimal(v []byte) bool {
	seen := false
	for i, c := range v {
		switch {
		case c >= '0' && c <= '9':
			seen = true
		case c == '.', c == '+' || c == '-', (c == 'e' || c == 'E') && i > 0:
		default:
			return false
		}
	}
	return seen
}
