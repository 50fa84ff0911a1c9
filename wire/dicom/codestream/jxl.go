// SPDX-License-Identifier: Apache-2.0

package codestream

// jxl follows frames of JPEG XL: bare codestreams, in which nothing is looked for, and files of boxes (ISO/IEC 18181-2). A codestream does not say
// where it ends, so that each fragment of an image of several frames is a frame.
type jxl struct {
	*report
	form jxlForm
	file boxes
	opening
}

type jxlForm uint8

const (
	noXL   jxlForm = iota // before a frame
	xlSign                // behind FF
	bareXL
	fileXL
)

var jxlBoxes = map[string]deed{"JXL ": keepBox, "ftyp": keepBox, "jxll": keepBox, "jxli": keepBox, "jxlc": keepBox, "jxlp": keepBox}

// jxlSignature is how a file of JPEG XL begins (ISO/IEC 18181-2 §9.1).
const jxlSignature = "\x00\x00\x00\x0CJXL \r\n\x87\n"

func (j *jxl) fragment() error {
	if j.n = 0; j.form == noXL || j.declared == 1 {
		return nil
	}
	err := j.whole()
	j.form = noXL
	return err
}

func (j *jxl) walk(p []byte) error {
	if j.form != noXL && j.is(p, jxlSignature) {
		return cut("a frame begins before the one before it has ended")
	}
	if j.form == noXL {
		j.frames++
		j.n = len(j.bytes)
		switch p[0] {
		case 0xFF:
			j.form, p = xlSign, p[1:]
		case 0:
			j.form, j.file = fileXL, boxes{report: j.report, first: "JXL ", does: jxlBoxes}
		default:
			return foreign("a frame does not begin as JPEG XL does")
		}
	}
	if j.form == xlSign && len(p) > 0 {
		if p[0] != 0x0A {
			return foreign("a frame does not begin as JPEG XL does")
		}
		j.form = bareXL
	}
	if j.form == fileXL {
		_, err := j.file.walk(p)
		return err
	}
	return nil
}

// whole reports whether a frame may end here.
func (j *jxl) whole() error {
	if j.form == xlSign || j.form == fileXL && !j.file.top() && !j.file.endless() {
		return cut("a frame ends within a box of JPEG XL")
	}
	return nil
}

func (j *jxl) end() error { return j.whole() }
