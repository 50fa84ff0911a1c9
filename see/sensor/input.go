// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/asepsis/asepsis/wire/capture"
)

// InputError says why a capture cannot be opened, with what to do about it.
type InputError struct {
	Name string
	Why  string
	hint string
	Err  error
}

func (e *InputError) Error() string { return e.Name + ": " + e.Why }

// Unwrap returns the cause.
func (e *InputError) Unwrap() error { return e.Err }

// Hint says what a person can do.
func (e *InputError) Hint() string { return e.hint }

// File is an opened capture.
type File struct {
	capture.Source
	Name string
	Size int64 // bytes, 0 when it is not known (a pipe)
	c    []io.Closer
	m    mapped
}

// mapped is a file that is looked at in place.
type mapped interface {
	keeper
	io.Closer
}

func (f *File) keptBy() *kept {
	if f.m == nil {
		return nil
	}
	return f.m.keptBy()
}

// Close closes the file. Frames that it gave are gone.
func (f *File) Close() error {
	var err error
	for _, c := range f.c {
		err = errors.Join(err, c.Close())
	}
	return err
}

// OpenFile opens a capture file, or standard input for "-". Errors are
// *InputError or *capture.FormatError.
func OpenFile(name string) (*File, error) {
	in := io.NopCloser(os.Stdin)
	opts := capture.Options{Name: name}
	var closers []io.Closer
	var m mapped
	var size int64
	if name == "-" {
		name = "standard input"
		opts.Name = name
	} else {
		st, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, &InputError{Name: name, Why: "no such file", hint: "give the path of a pcap or pcapng file, or - for standard input", Err: err}
		case err != nil:
			return nil, &InputError{Name: name, Why: "cannot be read: " + cause(err), hint: "check the path and its permissions", Err: err}
		case st.IsDir():
			return nil, &InputError{Name: name, Why: "is a directory", hint: fmt.Sprintf("name the captures in it: %s/*.pcap*", name)}
		}
		if st.Mode().IsRegular() {
			size = st.Size()
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, &InputError{Name: name, Why: "cannot be read: " + cause(err), hint: "check its permissions", Err: err}
		}
		in = f
		if size > 0 {
			if opts.View, m = mapFile(f); m != nil {
				closers = append(closers, m)
			}
		}
	}
	file := &File{Name: name, Size: size, c: append(closers, in), m: m}
	var err error
	if file.Source, err = capture.NewReader(in, opts); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
