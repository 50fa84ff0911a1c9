// SPDX-License-Identifier: Apache-2.0

// Package durable replaces small files as a whole, and makes those that must not be replaced: after a
// kill or a power cut a file is the old one or the new one, never a part of either, and when Write has
// returned, it is the new one.
//
// What is written stands beside the file until it is whole, as a new file with mode 0600, whatever was left
// there: a link is not followed. Where it fails, nothing of it stays behind; what a kill leaves of it is
// removed by the next who writes that file.
//
// Two who write one file, in one process or in two, do so one after another, where the operating system
// has locks (flock); the last one's content stays.
//
// What is not done: keeping the owner of a file that root replaces.
package durable

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// suffix is that of a file that is being written.
const suffix = ".new"

// Beside is where a file lies while it is being written, and what a kill left of it.
func Beside(path string) string { return path + suffix }

// Write makes b the content of a file, with mode 0600. Where it fails, the file is as it was, or,
// where only its directory could not be flushed, the new one.
func Write(path string, b []byte) error { return WriteMode(path, b, 0o600) }

// WriteMode is Write of a file that others may read too.
func WriteMode(path string, b []byte, mode fs.FileMode) error {
	return put(path, mode, whole(b), os.Rename)
}

// Create writes a file that must not be there: fs.ErrExist where it is, and it stays as it is.
// It is for keys, of which one that is lost cannot be made again.
func Create(path string, b []byte, mode fs.FileMode) error {
	return CreateFrom(path, mode, whole(b))
}

// CreateFrom is Create of a file that is too large to be held. An error of write is returned as it is.
func CreateFrom(path string, mode fs.FileMode, write func(io.Writer) error) error {
	if err := absent(path); err != nil {
		return err
	}
	return put(path, mode, write, renameNew)
}

func whole(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

// absent is fs.ErrExist where something has the name, even a link that leads nowhere.
func absent(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// renameChecked is renameNew where the system knows no such thing: nobody who writes with this
// package can come in between, since whoever does has the lock of from.
func renameChecked(from, to string) error {
	if err := absent(to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func put(path string, mode fs.FileMode, write func(io.Writer) error, rename func(from, to string) error) error {
	next := Beside(path)
	f, err := begin(next)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil && mode != 0o600 { // not before: half a file is nobody's to read
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if !locks { // such a system renames no open file
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		err = rename(next, path)
	}
	if err != nil {
		_ = os.Remove(next)
	}
	if locks { // until here: the next writer finds the name free
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// begin makes a file that is new, empty and locked.
func begin(next string) (*os.File, error) {
	for {
		f, err := os.OpenFile(next, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrExist) {
			if err = free(next); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		lock(f)
		ours, err := has(f, next)
		if ours {
			return f, nil
		}
		_ = f.Close() // taken for one that a kill left, before it was locked
		if err != nil {
			return nil, err
		}
	}
}

// free waits until nobody writes a file, and removes what is left of it.
func free(next string) error {
	st, err := os.Lstat(next)
	if err == nil && st.Mode().IsRegular() { // a pipe would be waited for
		var f *os.File
		if f, err = os.OpenFile(next, os.O_WRONLY, 0); err == nil {
			defer func() { _ = f.Close() }()
			lock(f)
			if left, err := has(f, next); !left {
				return err // nil: it was finished, or removed
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // so that what comes there now is not removed
	}
	// What cannot be opened is another account's, in a directory that is ours.
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// has says whether a name is still that of an open file.
func has(f *os.File, name string) (bool, error) {
	open, err := f.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(open, named), err
}

// SyncDir has the names in a directory on the disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
