// SPDX-License-Identifier: Apache-2.0

package deid

import (
	"strings"
	"time"

	"github.com/asepsis/asepsis/wire/dicom"
)

// moveDates moves each value of DA or DT so many days into the past, and keeps TM. ok is false when a value is
// none of its VR.
func moveDates(vr dicom.VR, value string, days int) (_ string, ok bool) {
	parts := strings.Split(value, `\`)
	for i, v := range parts {
		v = strings.Trim(v, " \x00")
		ok = true
		switch {
		case v == "":
		case vr == dicom.DA:
			v, ok = moveDate(v, days)
		case vr == dicom.DT:
			v, ok = moveDateTime(v, days)
		default:
			ok = isTime(v)
		}
		if !ok {
			return "", false
		}
		parts[i] = v
	}
	return strings.Join(parts, `\`), true
}

// moveDate reads YYYYMMDD, and YYYY.MM.DD of before DICOM (PS3.5 §6.2 note to DA).
func moveDate(v string, days int) (string, bool) {
	layout := "20060102"
	if len(v) == 10 {
		layout = "2006.01.02"
	}
	t, err := time.Parse(layout, v)
	if err != nil {
		return "", false
	}
	return format(t.AddDate(0, 0, -days), layout)
}

// moveDateTime reads YYYYMMDDHHMMSS.FFFFFF&ZZXX, of which what is right of the year may be missing. A year or a month
// alone moves as its middle does.
func moveDateTime(v string, days int) (string, bool) {
	date, rest := v, ""
	if i := strings.IndexAny(v, "+-"); i >= 0 {
		date, rest = v[:i], v[i:]
		if len(rest) != 5 || !digits(rest[1:]) {
			return "", false
		}
	}
	if len(date) > 8 {
		if !isTime(date[8:]) {
			return "", false
		}
		date, rest = date[:8], date[8:]+rest
	}
	layout, middle := "20060102", time.Duration(0)
	switch len(date) {
	case 4:
		layout, middle = "2006", 182*24*time.Hour
	case 6:
		layout, middle = "200601", 14*24*time.Hour
	}
	t, err := time.Parse(layout, date)
	if err != nil {
		return "", false
	}
	moved, ok := format(t.Add(middle).AddDate(0, 0, -days), layout)
	return moved + rest, ok
}

func format(t time.Time, layout string) (string, bool) {
	if t.Year() < 1 {
		return "", false
	}
	return t.Format(layout), true
}

// isTime reports HH, HHMM, HHMMSS or HHMMSS.F to .FFFFFF, with the colons of before DICOM.
func isTime(v string) bool {
	v = strings.ReplaceAll(v, ":", "")
	whole, fraction, dot := strings.Cut(v, ".")
	if dot && (len(whole) != 6 || len(fraction) == 0 || len(fraction) > 6 || !digits(fraction)) {
		return false
	}
	return (len(whole) == 2 || len(whole) == 4 || len(whole) == 6) && digits(whole)
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
