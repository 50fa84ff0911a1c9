// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Part says what of a file a statement is about.
type Part string

// The parts.
const (
	Whole Part = "file"
	// DataSet is what follows preamble and file meta information of a DICOM file (PS3.10 §7).
	// Whoever receives an image over DICOM writes these anew, so that a statement about an
	// image names its data set alone: preamble and meta information are not covered.
	DataSet Part = "data-set"
)

// Sums are the SHA-256 of what a statement can be about.
type Sums struct {
	Whole   [sha256.Size]byte
	DataSet [sha256.Size]byte
	DICOM   bool // the file is a DICOM file, so that DataSet is set
}

// maxMeta is how far the data set of a DICOM file may begin.
const maxMeta = 1 << 20

// SumsOf reads a file to its end, whatever its length.
func SumsOf(file io.Reader) (Sums, error) {
	var out Sums
	whole := sha256.New()
	file = io.TeeReader(file, whole)
	head := &headReader{src: file}
	n, err := head.skip()
	var rest hash.Hash
	switch {
	case err == nil && n > 0:
		out.DICOM = true
		rest = sha256.New()
		_, _ = rest.Write(head.ahead)
	case err != nil && !errors.Is(err, errNoMeta):
		return out, fmt.Errorf("read the file: %w", err)
	}
	var to io.Writer = io.Discard
	if rest != nil {
		to = rest
	}
	if _, err := io.Copy(to, file); err != nil {
		return out, fmt.Errorf("read the file: %w", err)
	}
	if rest != nil {
		out.DataSet = [sha256.Size]byte(rest.Sum(nil))
	}
	out.Whole = [sha256.Size]byte(whole.Sum(nil))
	return out, nil
}

// MatchFile says which subject of the statement a file is, and by which part of it: as a
// whole, or as a DICOM file by its data set. The error is an *Error with the code
// WrongFile.
func (r *Result) MatchFile(s Sums) (subject string, part Part, err error) {
	if subject, err = r.Match(s.Whole); err == nil {
		return subject, Whole, nil
	}
	if s.DICOM {
		if subject, err := r.Match(s.DataSet); err == nil {
			return subject, DataSet, nil
		}
	}
	return "", "", err
}

// errNoMeta says that a file does not begin as a DICOM file does.
var errNoMeta = errors.New("no DICOM file")

// headReader finds where the data set of a DICOM file begins.
type headReader struct {
	src   io.Reader
	ahead []byte // read, and of the data set
}

// take reads a few bytes: what it returns with errNoMeta is all that there was.
func (h *headReader) take(n int) ([]byte, error) {
	b := make([]byte, n)
	if k, err := io.ReadFull(h.src, b); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			h.ahead = b[:k]
			return b[:k], errNoMeta
		}
		return nil, err
	}
	return b, nil
}

// skip reads preamble, prefix and file meta information, element by element: explicit VR
// little endian, up to the first tag of another group. Its length, which the first
// element tells, is not relied on. It returns where the data set begins.
func (h *headReader) skip() (n int, err error) {
	b, err := h.take(132)
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(b[128:], []byte("DICM")) {
		return 0, errNoMeta
	}
	for n = 132; n <= maxMeta; {
		tag, err := h.take(4)
		switch {
		case errors.Is(err, errNoMeta) && n > 132 && len(tag) == 0:
			return n, nil // no data set at all
		case err != nil:
			return 0, err
		case binary.LittleEndian.Uint16(tag) != 2:
			if n == 132 {
				return 0, errNoMeta
			}
			h.ahead = tag
			return n, nil
		}
		size, length, err := h.valueLength()
		if err != nil {
			return 0, err
		}
		if length > maxMeta {
			return 0, errNoMeta
		}
		if _, err := io.CopyN(io.Discard, h.src, int64(length)); errors.Is(err, io.EOF) {
			return 0, errNoMeta
		} else if err != nil {
			return 0, err
		}
		n += 4 + size + int(length)
	}
	return 0, errNoMeta
}

// valueLength reads VR and length of an element (PS3.5 §7.1.2).
func (h *headReader) valueLength() (size int, length uint32, err error) {
	b, err := h.take(4)
	if err != nil {
		return 0, 0, err
	}
	switch string(b[:2]) {
	case "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV":
		long, err := h.take(4)
		if err != nil {
			return 0, 0, err
		}
		return 8, binary.LittleEndian.Uint32(long), nil
	}
	return 4, uint32(binary.LittleEndian.Uint16(b[2:])), nil
}
