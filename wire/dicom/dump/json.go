// SPDX-License-Identifier: Apache-2.0

package dump

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/wire/dicom"
)

// DefaultInline is how many bytes of a binary value JSON holds; longer ones are named by BulkDataURI.
const DefaultInline = 4096

// maxText bounds a value that the model cannot leave out: text, numbers, and everything where there is no
// place in a file to name.
const maxText = 16 << 20

// JSON writes a data set as one object of the DICOM JSON model (PS3.18 §F.2). Group lengths are left
// out, as the model demands. Of Options.Tags those at the top level count. When it returns an error
// because of the data set, what was written before is no whole object.
func JSON(dst io.Writer, src io.Reader, s dicom.Syntax, o Options) error {
	if o.MaxValue <= 0 {
		o.MaxValue = DefaultInline
	}
	j := &jsoner{r: dicom.NewReader(src, s, dicom.DefaultLimits()), o: o, out: bufio.NewWriter(dst), deflated: s.Deflated}
	j.levels = []level{{big: s.BigEndian}}
	j.puts("{")
	err := j.run()
	if err == nil {
		j.puts("}")
	}
	return errors.Join(err, j.out.Flush())
}

type jsoner struct {
	r        *dicom.Reader
	o        Options
	out      *bufio.Writer
	levels   []level
	begun    []bool // by depth: an element or item was written
	skipping int    // sequences open inside one that is not wanted
	deflated bool
}

// puts writes a piece. The buffer keeps an error until it is flushed.
func (j *jsoner) puts(s string) { _, _ = j.out.WriteString(s) }

// comma separates elements and items of the same depth.
func (j *jsoner) comma(depth int) {
	for len(j.begun) <= depth {
		j.begun = append(j.begun, false)
	}
	if j.begun[depth] {
		j.puts(",")
	}
	j.begun[depth] = true
	j.begun = j.begun[:depth+1]
}

func (j *jsoner) run() error {
	depth := 0 // of objects and arrays
	for {
		t, err := j.r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if j.skipping > 0 {
			switch t.Kind {
			case dicom.SequenceStart, dicom.FragmentsStart:
				j.skipping++
			case dicom.SequenceEnd, dicom.FragmentsEnd:
				j.skipping--
			}
			continue
		}
		top := &j.levels[len(j.levels)-1]
		unwanted := t.Tag.Element() == 0 || depth == 0 && !j.o.wants(t.Tag)
		switch t.Kind {
		case dicom.Element:
			v := value{Token: t, charset: top.charset, big: top.big}
			if err := j.element(&v, depth, unwanted); err != nil {
				return err
			}
			if t.Tag == dicom.TagSpecificCharacterSet {
				top.charset = dicom.ParseCharacterSet(v.data)
			}
		case dicom.SequenceStart:
			if unwanted {
				j.skipping = 1
				continue
			}
			j.comma(depth)
			j.puts(fmt.Sprintf(`"%08X":{"vr":"SQ","Value":[`, uint32(t.Tag)))
			next := *top
			next.big = next.big && t.VR != dicom.UN
			j.levels = append(j.levels, next)
			depth++
		case dicom.SequenceEnd:
			j.puts(`]}`)
			j.levels = j.levels[:len(j.levels)-1]
			depth--
		case dicom.ItemStart:
			j.comma(depth)
			j.puts("{")
			j.levels = append(j.levels, level{charset: top.charset, big: top.big})
			depth++
		case dicom.ItemEnd:
			j.puts("}")
			j.levels = j.levels[:len(j.levels)-1]
			depth--
		case dicom.FragmentsStart:
			if !unwanted {
				j.comma(depth)
				j.puts(fmt.Sprintf(`"%08X":{"vr":%q%s}`, uint32(t.Tag), t.VR.String(), j.bulk(t.Offset, "")))
			}
			j.skipping = 1
		}
		if len(j.begun) > depth+1 {
			j.begun = j.begun[:depth+1]
		}
	}
}

// bulk names a value that is not in the JSON.
func (j *jsoner) bulk(offset uint64, length string) string {
	if j.o.BulkURI == "" || j.deflated {
		return ""
	}
	uri, _ := json.Marshal(fmt.Sprintf("%s?offset=%d%s", j.o.BulkURI, j.o.Base+offset, length))
	return `,"BulkDataURI":` + string(uri)
}

func (j *jsoner) element(v *value, depth int, unwanted bool) (err error) {
	keep := j.o.MaxValue
	switch {
	case v.Tag == dicom.TagSpecificCharacterSet:
		keep = max(keep, 256)
	case unwanted:
		keep = 0
	case v.VR.Text() || v.VR == dicom.UI || v.numeric() || j.o.BulkURI == "" || j.deflated:
		keep = maxText
	}
	if v.data, err = j.r.Value(keep); err != nil || unwanted {
		return err
	}
	v.cut = uint64(len(v.data)) < uint64(v.Length)
	if v.cut && keep == maxText {
		return &dicom.Error{Offset: v.Offset, Tag: v.Tag, Section: "PS3.18 §F.2", What: "a value too long to be a part of JSON", Err: dicom.ErrLimit}
	}
	j.comma(depth)
	j.puts(fmt.Sprintf(`"%08X":{"vr":%q`, uint32(v.Tag), v.VR.String()))
	switch {
	case v.Length == 0:
	case v.VR.Text() || v.VR == dicom.UI:
		j.text(v)
	case v.numeric():
		j.numbers(v)
	case v.cut:
		j.puts(j.bulk(j.r.Tokenizer().Offset()-uint64(v.Length), fmt.Sprintf("&length=%d", v.Length)))
	default:
		j.puts(`,"InlineBinary":"`)
		swap(v)
		e := base64.NewEncoder(base64.StdEncoding, j.out)
		_, _ = e.Write(v.data)
		_ = e.Close()
		j.puts(`"`)
	}
	j.puts("}")
	return nil
}

func (v *value) numeric() bool {
	switch v.VR {
	case dicom.US, dicom.SS, dicom.UL, dicom.SL, dicom.FL, dicom.FD, dicom.AT, dicom.SV, dicom.UV:
		return true
	}
	return false
}

// swap gives the words the byte order that the model demands, little endian.
func swap(v *value) {
	n := v.VR.WordSize()
	if !v.big || n < 2 {
		return
	}
	for b := v.data; len(b) >= n; b = b[n:] {
		for i, k := 0, n-1; i < k; i, k = i+1, k-1 {
			b[i], b[k] = b[k], b[i]
		}
	}
}

func (j *jsoner) array(n int, f func(i int)) {
	j.puts(`,"Value":[`)
	for i := range n {
		if i > 0 {
			j.puts(",")
		}
		f(i)
	}
	j.puts("]")
}

// jsonNumber is the grammar of RFC 8259 §6.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

func (j *jsoner) text(v *value) {
	parts := v.strings()
	if len(parts) == 1 && parts[0] == "" {
		return
	}
	j.array(len(parts), func(i int) {
		p := parts[i]
		switch {
		case p == "":
			j.puts("null")
		case v.VR == dicom.PN:
			j.name(p)
		case (v.VR == dicom.DS || v.VR == dicom.IS) && jsonNumber.MatchString(decimal(p)):
			j.puts(decimal(p))
		default:
			j.quote(p)
		}
	})
}

// decimal writes a DS or IS as JSON writes numbers: without "+", leading zeros and a bare point.
func decimal(p string) string {
	sign := ""
	if strings.HasPrefix(p, "-") {
		sign = "-"
	}
	p = strings.TrimLeft(p, "+-")
	whole, rest := p, ""
	if i := strings.IndexAny(p, ".eE"); i >= 0 {
		whole, rest = p[:i], p[i:]
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if rest == "." {
		rest = ""
	}
	return sign + whole + strings.Replace(rest, ".e", "e", 1)
}

// name writes the groups of a person's name (PS3.18 §F.2.2).
func (j *jsoner) name(p string) {
	groups := strings.SplitN(p, "=", 3)
	j.puts("{")
	first := true
	for i, key := range [...]string{"Alphabetic", "Ideographic", "Phonetic"} {
		if i >= len(groups) || groups[i] == "" {
			continue
		}
		if !first {
			j.puts(",")
		}
		first = false
		j.puts(fmt.Sprintf(`"%s":`, key))
		j.quote(groups[i])
	}
	j.puts("}")
}

func (j *jsoner) quote(s string) {
	b, _ := json.Marshal(s)
	_, _ = j.out.Write(b)
}

func (j *jsoner) numbers(v *value) {
	n := v.numbers()
	if len(n) == 0 {
		return
	}
	j.array(len(n), func(i int) {
		s := n[i]
		switch {
		case v.VR == dicom.AT:
			j.quote(strings.ToUpper(s[1:5] + s[6:10]))
		case v.VR == dicom.FL || v.VR == dicom.FD:
			f, _ := strconv.ParseFloat(s, 64)
			switch {
			case f != f:
				j.quote("NaN")
			case strings.HasSuffix(s, "Inf"):
				j.quote(strings.ToLower(strings.TrimPrefix(s, "+")))
			default:
				j.puts(s)
			}
		default:
			j.puts(s)
		}
	})
}
