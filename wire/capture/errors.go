// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"strconv"
	"strings"
)

var (
	// ErrEmpty is the cause when the input has no bytes at all.
	ErrEmpty = errors.New("the input is empty")
	// ErrUnknownFormat is the cause when the input is no capture that is read
	// here. The error is a *FormatError, which says what it looks like.
	ErrUnknownFormat = errors.New("not a capture file")
	// ErrTruncated is the cause when the input ends inside a record or block.
	ErrTruncated = errors.New("truncated")
	// ErrDecompressionLimit is the cause when compressed input grows beyond
	// Options.MaxDecompressRatio.
	ErrDecompressionLimit = errors.New("decompresses beyond the limit")
)

// CorruptError says that a capture is unreadable from an offset on.
type CorruptError struct {
	Name   string // Options.Name
	Offset int64  // of the record or block concerned, in decompressed bytes
	Reason string
	Err    error // ErrTruncated, the reader's error, or nil
}

func (e *CorruptError) Error() string {
	var b strings.Builder
	b.WriteString("capture ")
	if e.Name != "" {
		b.WriteString(e.Name)
		b.WriteByte(' ')
	}
	b.WriteString("at byte ")
	b.WriteString(strconv.FormatInt(e.Offset, 10))
	b.WriteString(": ")
	b.WriteString(e.Reason)
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

func (e *CorruptError) Unwrap() error { return e.Err }

// FormatError says why an input cannot be read as a capture at all. Its cause
// is ErrEmpty or ErrUnknownFormat.
type FormatError struct {
	Name  string // Options.Name
	Looks string // what the first bytes look like, "" when that is not known
	Err   error
	hint  string
}

func (e *FormatError) Error() string {
	var b strings.Builder
	b.WriteString("capture ")
	if e.Name != "" {
		b.WriteString(e.Name)
	} else {
		b.WriteString("input")
	}
	b.WriteString(": ")
	b.WriteString(e.Err.Error())
	if e.Looks != "" {
		b.WriteString(": it looks like ")
		b.WriteString(e.Looks)
	}
	return b.String()
}

func (e *FormatError) Unwrap() error { return e.Err }

// Hint says what a person can do about it.
func (e *FormatError) Hint() string { return e.hint }
