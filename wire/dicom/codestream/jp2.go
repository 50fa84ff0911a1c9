// SPDX-License-Identifier: Apache-2.0

package codestream

import "slices"

// jp2 follows frames of JPEG 2000: codestreams, as PS3.5 §A.4.4 demands, and the JP2 files that some write in their place.
type jp2 struct {
	*report
	stream j2k
	file   boxes
	form   jp2Form
	opening
}

// opening are the first bytes of a fragment.
type opening struct {
	bytes [12]byte
	n     int
}

// is takes the next bytes of the fragment and reports whether it begins with one of these.
func (o *opening) is(p []byte, signatures ...string) bool {
	for i := 0; i < len(p) && o.n < len(o.bytes); i++ {
		o.bytes[o.n] = p[i]
		o.n++
		if slices.Contains(signatures, string(o.bytes[:o.n])) {
			return true
		}
	}
	return false
}

type jp2Form uint8

const (
	noFrame   jp2Form = iota // before the first byte of a frame
	bare2000                 // a codestream
	file2000                 // a file
	afterward                // behind the end of a frame, to the end of the fragment
)

var jp2Boxes = map[string]deed{
	"jP  ": keepBox, "ftyp": keepBox, "jp2h": enterBox, "ihdr": keepBox, "bpcc": keepBox, "colr": keepBox, "pclr": keepBox, "cmap": keepBox, "cdef": keepBox,
	"res ": enterBox, "resc": keepBox, "resd": keepBox, "jp2c": streamBox,
}

// How files and codestreams begin (ISO/IEC 15444-1 §I.5.1, §A.4.1).
const (
	jp2Signature = "\x00\x00\x00\x0CjP  \r\n\x87\n"
	j2kSignature = "\xFF\x4F\xFF\x51"
)

// fragment goes on to the next frame where the one before has ended. Padding ends with its fragment. Behind a tile-part there may be another, or EOC,
// or the next frame where EOC is missing.
func (j *jp2) fragment() error {
	j.n = 0
	switch {
	case j.form == bare2000 && j.stream.state == j2kMarker && j.stream.whole():
		j.n = len(j.bytes)
	case j.form == afterward || j.ended():
		j.form = noFrame
	}
	return nil
}

// ended reports whether the frame may end here.
func (j *jp2) ended() bool {
	switch j.form {
	case bare2000:
		return j.stream.whole()
	case file2000:
		return j.stream.whole() && (j.file.top() || j.file.endless())
	}
	return true
}

func (j *jp2) walk(p []byte) error {
	// In coded data of a length that lies, the header of a frame would be taken for pixels.
	// A file may lie in two fragments where its codestream begins.
	if inside := j.form == file2000 && j.stream.part == outside; j.form != noFrame && !inside && j.is(p, j2kSignature, jp2Signature) {
		return cut("a frame begins before the one before it has ended")
	}
	for len(p) > 0 {
		var n int
		var err error
		if j.form == noFrame {
			if err = j.begin(p[0]); err != nil {
				return err
			}
		}
		switch j.form {
		case bare2000:
			if n, err = j.stream.walk(p); j.stream.state == j2kDone {
				j.form = afterward
			}
		case file2000:
			if n, err = j.file.walk(p); n < len(p) {
				j.form = afterward
			}
		default:
			n, err = len(p), j.behind(p)
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// begin begins a frame by its first byte.
func (j *jp2) begin(b byte) error {
	j.frames++
	j.n, j.doubt = len(j.bytes), false
	j.stream = j2k{report: j.report, left: openEnded, bare: b == 0xFF}
	switch b {
	case 0xFF:
		j.form = bare2000
	case 0:
		j.form = file2000
		j.file = boxes{report: j.report, first: "jP  ", does: jp2Boxes, stream: j.stream.walk}
	default:
		return foreign("a frame does not begin as JPEG 2000 does")
	}
	return nil
}

func (j *jp2) end() error {
	switch {
	case j.form == noFrame || j.form == afterward || j.ended():
		return j.complete(true)
	case j.stream.coded() || j.form == file2000 && j.stream.whole(): // coded data is missing, or a box behind it, in which all was blanked
		return j.complete(false)
	}
	return cut("its last frame ends within a header of JPEG 2000")
}
