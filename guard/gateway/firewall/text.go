// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"unicode/utf8"

	"github.com/asepsis/asepsis/wire/charset"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Bytes that make a text worth a closer look.
const (
	hasControl uint16 = 1 << iota
	hasHigh
	hasAngle   // <
	hasBrace   // {
	hasPercent // %
	hasColon   // :
	hasShell   // ` | ; & $ > and quotes
	hasDot     // . / \
	hasParen   // ( | after a letter: formulas
	hasEquals  // = of event handlers
	hasEscape  // & \ of encoded markup
)

var classes = [256]uint16{
	'<': hasAngle | hasShell, '>': hasShell, '{': hasBrace, '%': hasPercent, ':': hasColon, '`': hasShell, '|': hasShell | hasParen, ';': hasShell,
	'&': hasShell | hasEscape, '$': hasShell, '"': hasShell, '\'': hasShell, '*': hasShell, '?': hasShell, '.': hasDot, '/': hasDot, '\\': hasDot | hasEscape, '(': hasParen, '=': hasEquals, '+': hasEscape,
	0: hasControl, 1: hasControl, 2: hasControl, 3: hasControl, 4: hasControl, 5: hasControl, 6: hasControl, 7: hasControl, 8: hasControl, 9: hasControl, 10: hasControl, 11: hasControl,
	12: hasControl, 13: hasControl, 14: hasControl, 15: hasControl, 16: hasControl, 17: hasControl, 18: hasControl, 19: hasControl, 20: hasControl, 21: hasControl, 22: hasControl,
	23: hasControl, 24: hasControl, 25: hasControl, 26: hasControl, 27: hasControl, 28: hasControl, 29: hasControl, 30: hasControl, 31: hasControl, 127: hasControl,
}

func classify(b []byte) (m uint16) {
	for _, c := range b {
		if c >= 0x80 {
			m |= hasHigh
		} else {
			m |= classes[c]
		}
	}
	return m
}

// text judges a window of a text: first is that of the beginning, whole the only one.
func (x *inspection) text(raw []byte, first, whole bool) {
	t := &x.val.t
	raw = bytes.TrimRight(raw, " \x00")
	if t.Tag == dicom.TagSpecificCharacterSet {
		x.characterSet(t, raw)
	}
	vr := t.VR
	if vr == dicom.UN && t.Tag.IsPrivateCreator() {
		vr = dicom.LO
	} else if vr == dicom.UN {
		vr = dicom.VROf(t.Tag)
	}
	if vr == dicom.UI {
		x.uid(t, raw, whole)
		return
	}
	m := classify(raw)
	s, set := raw, charset.Set{}
	if m&hasHigh != 0 || bytes.IndexByte(raw, 0x1B) >= 0 {
		kind := charset.Text
		if vr == dicom.PN {
			kind = charset.Name
		}
		if vr.Free() {
			set = x.chars
		}
		if !first && m&hasHigh != 0 {
			for len(raw) > 1 && raw[0]&0xC0 == 0x80 { // the rest of a character of UTF-8
				raw = raw[1:]
			}
		}
		var exact bool
		x.scratch, exact = set.Append(x.scratch[:0], raw, kind)
		s = x.scratch
		if !exact && whole || !set.Known() {
			x.hit(textCharset, "text that cannot be read in the character set that is declared")
		}
		m |= classify(s)
	}
	if whole || first {
		x.length(vr, s)
	}
	if m != 0 {
		x.controls(vr, raw, m)
		if m&hasHigh != 0 {
			x.marks(s)
		}
		if bytes.IndexByte(raw, 0x1B) >= 0 && activeTag(raw) { // what is ideographs to a reader of ISO 2022 is a script to one that is none
			x.hit(textScript, "an active element of HTML, for who does not read the escape sequences")
		}
		seen, m := x.folded(s, m)
		x.active(seen, m)
		if short(vr) {
			x.paths(vr, seen, m)
		}
		x.addresses(vr, seen, m)
	}
	if t.Tag.IsPrivateCreator() {
		x.creator(t, string(bytes.TrimSpace(s)))
		return
	}
	if first {
		x.format(vr, s, whole)
		if t.Depth == 0 {
			x.headerText(t.Tag, s)
		}
		if t.Tag.Group() == 0x0028 || t.Tag.Group()&0xFF01 == 0x6000 {
			x.pictureText(t, s)
		}
	}
}

// characterSet takes (0008,0005) into account for the item that it stands in.
func (x *inspection) characterSet(t *dicom.Token, raw []byte) {
	set := dicom.ParseCharacterSet(raw)
	x.levels[t.Depth].chars = set
	if !set.Known() {
		x.hit(textCharset, "a character set that the standard does not know")
	}
}

// short reports representations whose values are names and codes, of one line.
func short(v dicom.VR) bool {
	switch v {
	case dicom.LT, dicom.ST, dicom.UT, dicom.UR, dicom.UC:
		return false
	}
	return true
}

// most is the most characters of one value (PS3.5 table 6.2-1); 0 where there is no such bound.
func most(v dicom.VR) int {
	switch v {
	case dicom.AE, dicom.CS, dicom.SH, dicom.DS:
		return 16
	case dicom.AS:
		return 4
	case dicom.DA:
		return 18
	case dicom.DT:
		return 54
	case dicom.IS:
		return 12
	case dicom.LO:
		return 64
	case dicom.LT:
		return 10240
	case dicom.PN:
		return 3*64 + 2
	case dicom.ST:
		return 1024
	case dicom.TM:
		return 28
	}
	return 0
}

func (x *inspection) length(vr dicom.VR, s []byte) {
	n := most(vr)
	if n == 0 || len(s) <= n {
		return
	}
	longest := 0
	if vr == dicom.LT || vr == dicom.ST {
		longest = utf8.RuneCount(s)
		if len(s) == hold { // the first window of more
			longest = int(min(x.val.t.Length, 1<<30))
		}
	} else {
		for rest, more := s, true; more; {
			var one []byte
			one, rest, more = bytes.Cut(rest, []byte{'\\'})
			longest = max(longest, utf8.RuneCount(bytes.Trim(one, " ")))
		}
	}
	if longest > 8*n && longest > 1024 {
		x.hit(textOverlong, "a value of many times the length that its value representation allows")
	} else if longest > n {
		x.hit(textLength, "a value longer than its value representation allows")
	}
}

// controls judges control characters and escape sequences.
func (x *inspection) controls(vr dicom.VR, raw []byte, m uint16) {
	if m&hasHigh != 0 && utf8.Valid(raw) && (bytes.Contains(raw, []byte("\u009b")) || bytes.Contains(raw, []byte("\u009d"))) {
		x.hit(textTerminal, "a control sequence for terminals")
	}
	if m&hasControl == 0 {
		return
	}
	lines := !short(vr)
	for i, c := range raw {
		switch {
		case c == 0x1B:
			if i+1 == len(raw) {
				x.hit(textControl, "an escape sequence that was cut")
			} else if bytes.IndexByte([]byte("$()*+,-./"), raw[i+1]) < 0 {
				x.hit(textTerminal, "an escape sequence that is none of ISO 2022")
			}
		case c == '\t' || c == '\n' || c == '\f' || c == '\r':
			if !lines {
				x.hit(textControl, "a line break or tab in a value of one line")
			}
		case c < 0x20 || c == 0x7F:
			x.hit(textControl, "a control character")
		}
	}
}

// marks judges characters that change what a person sees.
func (x *inspection) marks(s []byte) {
	before, leftward, looked := rune(0), false, false
	for i := 0; i < len(s); {
		if s[i] < 0x80 {
			before = rune(s[i])
			i++
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		i += n
		switch {
		case r == 0x202D || r == 0x202E:
			x.hit(textBidi, "a character that overrides the direction of writing")
		case r == 0x200C || r == 0x200D:
			if !joins(before) {
				x.hit(textInvisible, "a character of no width")
			}
		case r == 0x200E || r == 0x200F || r == 0x061C:
			if !looked {
				leftward, looked = rightToLeft(s), true
			}
			if !joins(before) && !leftward {
				x.hit(textInvisible, "a mark of direction where no script needs it")
			}
		case r >= 0x202A && r <= 0x202C || r >= 0x2066 && r <= 0x2069: // programs put them around names and numbers
			x.hit(textInvisible, "a character that sets the direction of writing")
		case r == 0x200B || r >= 0x2060 && r <= 0x2064 || r == 0xFEFF || r == 0x00AD || r == 0x180E || r >= 0xFFF9 && r <= 0xFFFB ||
			r >= 0xE0000 && r <= 0xE007F || r == 0x115F || r == 0x1160 || r == 0x3164 || r == 0xFFA0:
			x.hit(textInvisible, "a character of no width")
		}
		before = r
	}
}

// folded returns a text as the most careless of receivers would compare it: wide forms of ASCII (U+FF01 to U+FF5E) as ASCII, without
// control characters and characters of no width. Without any of them it is the text itself.
func (x *inspection) folded(s []byte, m uint16) ([]byte, uint16) {
	if m&hasHigh == 0 && (m&hasControl == 0 || !plainControls(s)) {
		return s, m
	}
	out := x.fold[:0]
	for i := 0; i < len(s); {
		if c := s[i]; c < 0x80 {
			if c >= 0x20 && c != 0x7F || c == '\t' || c == '\n' || c == '\r' || c == '\f' {
				out = append(out, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		switch {
		case r >= 0xFF01 && r <= 0xFF5E:
			out = append(out, byte(r-0xFF01+0x21))
		case unseen(r):
		default:
			out = append(out, s[i:i+n]...)
		}
		i += n
	}
	x.fold = out
	return out, m | classify(out)
}

// plainControls reports control characters that no receiver shows.
func plainControls(s []byte) bool {
	for _, c := range s {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' || c == 0x7F {
			return true
		}
	}
	return false
}

// joins reports a character of a script that needs joiners: Arabic, the scripts of India and its neighbours, Mongolian, pictures.
func joins(r rune) bool {
	return r >= 0x0600 && r <= 0x08FF || r >= 0x0900 && r <= 0x109F || r >= 0x1780 && r <= 0x18AF || r >= 0xFB50 && r <= 0xFDFF || r >= 0x1F000 || r == 0xFE0F || r == 0x200D
}

// rightToLeft reports a letter of Hebrew or Arabic.
func rightToLeft(s []byte) bool {
	for _, r := range string(s) {
		if r >= 0x0590 && r <= 0x08FF || r >= 0xFB1D && r <= 0xFDFF {
			return true
		}
	}
	return false
}
