// SPDX-License-Identifier: Apache-2.0

package related

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
)

// NewBoundary makes a boundary that content meets by accident as seldom as two random
// numbers of 128 bits are equal.
func NewBoundary() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return "asepsis-" + hex.EncodeToString(b[:])
}

// AppendDelimiter appends the delimiter before a part, and the part's header. first is
// set for the first part. location may be "".
func AppendDelimiter(dst []byte, boundary string, first bool, contentType, location string) []byte {
	if !first {
		dst = append(dst, "\r\n"...)
	}
	dst = fmt.Appendf(dst, "--%s\r\nContent-Type: %s\r\n", boundary, contentType)
	if location != "" {
		dst = fmt.Appendf(dst, "Content-Location: %s\r\n", location)
	}
	return append(dst, "\r\n"...)
}

// AppendClose appends the delimiter behind the last part.
func AppendClose(dst []byte, boundary string) []byte {
	return append(append(append(dst, "\r\n--"...), boundary...), "--\r\n"...)
}

// Writer writes a body part by part.
type Writer struct {
	dst      io.Writer
	boundary string
	begun    bool
}

// NewWriter writes to dst.
func NewWriter(dst io.Writer, boundary string) *Writer { return &Writer{dst: dst, boundary: boundary} }

// Part begins a part: what is written to dst after it is its content.
func (w *Writer) Part(contentType, location string) error {
	if !printable(contentType) || !printable(location) {
		return fmt.Errorf("%w: a control character in a header field", ErrFraming)
	}
	_, err := w.dst.Write(AppendDelimiter(nil, w.boundary, !w.begun, contentType, location))
	w.begun = true
	return err
}

// Close ends the body.
func (w *Writer) Close() error {
	_, err := w.dst.Write(AppendClose(nil, w.boundary))
	return err
}
