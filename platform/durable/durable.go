// SPDX-License-Identifier: Apache-2.0

// Package durable replaces small files as a whole: after a kill or a power cut a file is the
// old one or the new one, never a part of either, and when Write has returned, it is the new one.
//
// What is not done: two writers of one file at once. Whoever writes has a lock for that.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// suffix is that of a file that is being written. What a kill leaves of one is written over.
const suffix = ".new"

// Write makes b the content of a file, with mode 0600. Where it fails, the file is as it was.
func Write(path string, b []byte) error {
	next := path + suffix
	f, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		_ = os.Remove(next)
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir has the names in a directory on the disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
