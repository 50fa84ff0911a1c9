// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// SecretFile is the path of a file that holds a secret: a key, a password, a
// token. A configuration never holds a secret itself; fields of this type have
// names that end with _file. The file must be a regular one that only its owner
// can read or write (mode 0600 or 0400); Load checks that it is, Read again.
type SecretFile string

// MaxSecret is the largest secret in bytes.
const MaxSecret = 64 << 10

// errTooOpen is a secret that others can read.
type errTooOpen struct {
	path string
	mode fs.FileMode
}

func (e errTooOpen) Error() string {
	return fmt.Sprintf("%s can be read by others (mode %04o)", e.path, e.mode.Perm())
}

func secretHint(err error) string {
	var open errTooOpen
	if errors.As(err, &open) {
		return "chmod 600 " + open.path
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "the path is taken from the directory of the configuration file"
	}
	return ""
}

// in resolves a relative path.
func (f SecretFile) in(dir string) SecretFile {
	if filepath.IsAbs(string(f)) {
		return f
	}
	return SecretFile(filepath.Join(dir, string(f)))
}

func (f SecretFile) check() error {
	s, err := os.Stat(string(f))
	if err != nil {
		return f.why(err)
	}
	return f.checkInfo(s)
}

func (f SecretFile) checkInfo(s fs.FileInfo) error {
	switch {
	case !s.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", string(f))
	case s.Mode().Perm()&0o077 != 0:
		return errTooOpen{string(f), s.Mode()}
	case s.Size() == 0:
		return fmt.Errorf("%s is empty", string(f))
	case s.Size() > MaxSecret:
		return fmt.Errorf("%s is longer than %d bytes", string(f), MaxSecret)
	}
	return nil
}

func (f SecretFile) why(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("%s: %w", string(f), err)
}

// Read returns the secret, without one line end at its end. An empty
// path gives nil.
func (f SecretFile) Read() ([]byte, error) {
	if f == "" {
		return nil, nil
	}
	h, err := os.Open(string(f))
	if err != nil {
		return nil, f.why(err)
	}
	defer func() { _ = h.Close() }()
	s, err := h.Stat()
	if err != nil {
		return nil, f.why(err)
	}
	if err := f.checkInfo(s); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(h, MaxSecret+1))
	if err != nil {
		return nil, f.why(err)
	}
	if len(b) > MaxSecret {
		return nil, fmt.Errorf("%s is longer than %d bytes", string(f), MaxSecret)
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r")), nil
}
