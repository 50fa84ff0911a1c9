// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"github.com/asepsis/asepsis/prove/receipt"
)

// Bounds of a bundle of receipts.
const (
	maxBundle     = 1 << 30
	maxBundleFile = 64 << 20 // its index
	maxBundled    = 100_000
)

// bundled are the names that a bundle has; nothing else is written.
var bundled = regexp.MustCompile(`^(README\.txt|trust\.json|index\.json|receipts/receipt-[0-9]{1,20}\.json)$`)

// unpackReceipts writes the files of a bundle into a directory and says how many
// receipts there are. What is there already is not overwritten: somebody may have
// verified it.
func unpackReceipts(f *os.File, dir string) (int, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	z, err := zip.NewReader(f, st.Size())
	if err != nil {
		return 0, fmt.Errorf("the bundle: %w", err)
	}
	if len(z.File) > maxBundled {
		return 0, fmt.Errorf("the bundle has more than %d files", maxBundled)
	}
	if err := os.MkdirAll(filepath.Join(dir, "receipts"), 0o750); err != nil {
		return 0, err
	}
	n := 0
	for _, x := range z.File {
		if !bundled.MatchString(x.Name) {
			return n, fmt.Errorf("the bundle has a file %.80q, which no bundle of receipts has", x.Name)
		}
		limit := int64(receipt.MaxReceipt)
		if filepath.Dir(x.Name) == "receipts" {
			n++
		} else {
			limit = maxBundleFile
		}
		if err := unpackOne(x, filepath.Join(dir, filepath.FromSlash(x.Name)), limit); err != nil {
			return n, err
		}
	}
	return n, nil
}

func unpackOne(x *zip.File, name string, limit int64) error {
	src, err := x.Open()
	if err != nil {
		return fmt.Errorf("the bundle: %w", err)
	}
	defer func() { _ = src.Close() }()
	dst, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return withHint(err, "name a directory that is empty")
	}
	if err != nil {
		return err
	}
	n, err := io.Copy(dst, io.LimitReader(src, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("%s is larger than %d bytes", x.Name, limit)
	}
	return errors.Join(err, dst.Close())
}
