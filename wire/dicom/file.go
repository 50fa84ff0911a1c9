// SPDX-License-Identifier: Apache-2.0

package dicom

// FileMeta is the file meta information of PS3.10 §7.1.
type FileMeta struct {
	SOPClass       string // (0002,0002)
	SOPInstance    string // (0002,0003)
	TransferSyntax string // (0002,0010)
	ImplUID        string // (0002,0012)
	ImplVersion    string // (0002,0013)
	SourceAE       string // (0002,0016)
	// PreambleUsed: the 128 bytes before the prefix are not all zero. A preamble
	// can make the file valid in a second format, TIFF or executable (CVE-2019-11687).
	PreambleUsed bool
}

// PreambleSize is the length of the preamble with the prefix "DICM" (PS3.10 §7.1).
const PreambleSize = 132

// maxFileMeta bounds the bytes read before the data set.
const maxFileMeta = 64 << 10

// ReadFileMeta reads preamble and file meta information from the start of a file
// and returns the offset of the data set. ErrTruncated means that data does not
// reach to the data set.
func ReadFileMeta(data []byte) (m FileMeta, n int, err error) {
	if len(data) < PreambleSize {
		return m, 0, &Error{Section: "PS3.10 §7.1", What: "shorter than a preamble", Err: ErrTruncated}
	}
	if string(data[128:PreambleSize]) != "DICM" {
		return m, 0, &Error{Offset: 128, Section: "PS3.10 §7.1", What: "no DICM prefix", Err: ErrStructure}
	}
	for _, b := range data[:128] {
		m.PreambleUsed = m.PreambleUsed || b != 0
	}
	v := metaVisitor{meta: &m}
	var x Extractor
	x.Reset(Syntax{Explicit: true}, DefaultLimits(), &v)
	n = PreambleSize
	for {
		if len(data)-n < 12 {
			// PS3.10 §7.1: a data set of fewer bytes cannot follow, but none at all can.
			if n == len(data) && m.TransferSyntax != "" {
				return m, n, nil
			}
			return m, n, &Error{Offset: uint64(n), Section: "PS3.10 §7.1", What: "ends in the file meta information", Err: ErrTruncated}
		}
		if MakeTag(u16(data[n:], false), 0).Group() != 2 {
			return m, n, nil
		}
		size := 8 + int(u16(data[n+6:], false))
		if VR(u16(data[n+4:], true)).Long() {
			l := u32(data[n+8:], false)
			if l > maxFileMeta {
				return m, n, &Error{Offset: uint64(n), Section: "PS3.10 §7.1", What: "file meta information too long", Err: ErrLimit}
			}
			size = 12 + int(l)
		}
		if n+size > maxFileMeta+PreambleSize {
			return m, n, &Error{Offset: uint64(n), Section: "PS3.10 §7.1", What: "file meta information too long", Err: ErrLimit}
		}
		if n+size > len(data) {
			return m, n, &Error{Offset: uint64(n), Section: "PS3.10 §7.1", What: "ends in the file meta information", Err: ErrTruncated}
		}
		if err := x.Feed(data[n : n+size]); err != nil {
			return m, n, err
		}
		n += size
	}
}

type metaVisitor struct{ meta *FileMeta }

func (v *metaVisitor) Header(t *Token, _ Tag) int {
	if t.VR == UI || t.VR == SH || t.VR == AE {
		return MaxUID
	}
	return 0
}

func (v *metaVisitor) Value(t *Token, _ Tag, value []byte) {
	s := TrimString(value)
	switch t.Tag {
	case 0x00020002:
		v.meta.SOPClass = s
	case 0x00020003:
		v.meta.SOPInstance = s
	case TagTransferSyntaxUID:
		v.meta.TransferSyntax = s
	case 0x00020012:
		v.meta.ImplUID = s
	case 0x00020013:
		v.meta.ImplVersion = s
	case 0x00020016:
		v.meta.SourceAE = s
	}
}
