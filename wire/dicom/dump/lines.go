// SPDX-License-Identifier: Apache-2.0

package dump

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/asepsis/asepsis/wire/charset"
	"github.com/asepsis/asepsis/wire/dicom"
)

const nameKind = charset.Name

// Lines writes a data set as lines, one for each element, item, fragment and delimiter:
//
//	(0008,0060) CS [CT]                                     #   2, 1 Modality
//
// tag, VR, value, length in bytes ("u/l" when undefined), number of values, keyword. It returns
// what is wrong with the data set after writing what could be read of it.
func Lines(dst io.Writer, src io.Reader, s dicom.Syntax, o Options) error {
	if o.MaxValue <= 0 {
		o.MaxValue = DefaultMaxValue
	}
	l := &liner{walker: newWalker(src, s, o.MaxValue), o: o, out: bufio.NewWriter(dst)}
	err := l.run()
	return errors.Join(err, l.out.Flush())
}

type liner struct {
	*walker
	o       Options
	out     *bufio.Writer
	inside  int    // sequences open within one that was asked for
	depth   int    // items and sequences around the line
	defined []bool // open items and sequences: their length was defined
}

func (l *liner) run() error {
	for {
		v, err := l.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch v.Kind {
		case dicom.Element:
			if l.inside > 0 || l.o.wants(v.Tag) {
				text, vm := shown(&v)
				l.line(v.Tag, v.VR, text, v.Length, vm, l.name(v.Tag))
			}
		case dicom.SequenceStart, dicom.FragmentsStart:
			l.open(&v)
		case dicom.ItemStart:
			if l.inside > 0 {
				l.line(dicom.TagItem, 0, "(Item with "+lengthWord(v.Length)+" length)", v.Length, 1, "Item")
			}
			l.push(v.Length)
		case dicom.Fragment:
			if l.inside > 0 {
				text, _ := shown(&value{Token: dicom.Token{VR: dicom.OB, Length: v.Length}, data: v.data, cut: v.cut})
				l.line(dicom.TagItem, 0, text, v.Length, 1, "Item")
			}
		case dicom.ItemEnd:
			l.closing(dicom.TagItemDelimitation, "ItemDelimitationItem", "ItemDelimitationItem for re-encoding")
		case dicom.SequenceEnd, dicom.FragmentsEnd:
			l.closing(dicom.TagSequenceDelimitation, "SequenceDelimitationItem", "SequenceDelimitationItem for re-encod.")
			if l.inside > 0 {
				l.inside--
			}
		}
	}
}

func (l *liner) open(v *value) {
	if l.inside > 0 || l.o.wants(v.Tag) {
		l.inside++
		text := "(Sequence with " + lengthWord(v.Length) + " length)"
		if v.Kind == dicom.FragmentsStart {
			text = "(PixelSequence)"
		}
		l.line(v.Tag, v.VR, text, v.Length, 1, l.name(v.Tag))
	}
	l.push(v.Length)
}

func (l *liner) push(length uint32) {
	l.defined = append(l.defined, length != dicom.UndefinedLength)
	l.depth++
}

func (l *liner) closing(t dicom.Tag, keyword, implied string) {
	n := len(l.defined) - 1
	text := keyword
	if l.defined[n] {
		text = implied
	}
	l.defined = l.defined[:n]
	l.depth--
	if l.inside > 0 {
		l.line(t, 0, "("+text+")", 0, 0, keyword)
	}
}

func lengthWord(n uint32) string {
	if n == dicom.UndefinedLength {
		return "undefined"
	}
	return "explicit"
}

func (l *liner) line(t dicom.Tag, vr dicom.VR, text string, length uint32, vm int, keyword string) {
	name := "na"
	if vr != 0 {
		name = vr.String()
	} else if t == dicom.TagItem && !strings.HasPrefix(text, "(Item") {
		name = "pi"
	}
	size := fmt.Sprintf("%3d", length)
	if length == dicom.UndefinedLength {
		size = "u/l"
	}
	_, _ = fmt.Fprintf(l.out, "%*s%s %s %-40s # %s, %d %s\n", 2*l.depth, "", strings.ToLower(t.String()), name, text, size, vm, keyword)
}

// shown returns a value as it stands in a line, and how many values it is.
func shown(v *value) (string, int) {
	if v.Length == 0 {
		return "(no value available)", 0
	}
	dots := ""
	if v.cut {
		dots = "..."
	}
	switch {
	case v.VR == dicom.UI:
		parts := v.strings()
		for i, p := range parts {
			if info, ok := dicom.LookupUID(p); ok && info.Keyword != "" && !v.cut {
				parts[i] = "=" + info.Keyword
			}
		}
		text := clean(strings.Join(parts, `\`))
		if len(parts) == 1 && strings.HasPrefix(text, "=") {
			return text, 1
		}
		return "[" + text + "]" + dots, len(parts)
	case v.VR.Text():
		parts := v.strings()
		return "[" + clean(strings.Join(parts, `\`)) + "]" + dots, len(parts)
	}
	if n := v.numbers(); n != nil {
		size := v.VR.WordSize()
		if v.VR == dicom.AT {
			size = 4
		}
		return strings.Join(n, `\`) + dots, int(v.Length) / size
	}
	return hexadecimal(v) + dots, 1
}

// hexadecimal writes words of OW as words and everything else as bytes, as many as fit in a line.
func hexadecimal(v *value) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	data := v.data
	if v.VR == dicom.OW {
		for ; len(data) >= 2; data = data[2:] {
			if b.Len() > 0 {
				b.WriteByte('\\')
			}
			fmt.Fprintf(&b, "%04x", v.order().Uint16(data))
		}
		return b.String()
	}
	for i, c := range data {
		if i > 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}
