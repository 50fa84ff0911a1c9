// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"errors"
	"fmt"
)

// What can be wrong with bytes. An *Error wraps one of these.
var (
	// ErrLimit: a bound of this package was reached; the bytes may be legal.
	ErrLimit = errors.New("limit exceeded")
	// ErrStructure: items, delimiters or fragments stand where they may not.
	ErrStructure = errors.New("bad structure")
	// ErrLength: a length contradicts what encloses it.
	ErrLength = errors.New("bad length")
	// ErrVR: the bytes of the value representation are none.
	ErrVR = errors.New("bad value representation")
	// ErrTruncated: the bytes end inside an element, item or sequence.
	ErrTruncated = errors.New("truncated")
	// ErrDeflate: the deflated bytes break RFC 1951.
	ErrDeflate = errors.New("bad deflated data")
)

// Error is what broke the standard, where.
type Error struct {
	Offset  uint64 // of the element's header, from the start of the data set
	Tag     Tag
	Section string // "PS3.5 §7.1"
	What    string
	Err     error // one of the sentinels
}

// Error implements error. It holds no value of any element.
func (e *Error) Error() string {
	return fmt.Sprintf("%v at offset %d, element %v: %s (%s)", e.Err, e.Offset, e.Tag, e.What, e.Section)
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }
