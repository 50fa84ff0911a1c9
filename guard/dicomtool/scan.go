// SPDX-License-Identifier: Apache-2.0

package dicomtool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

const mediaStorageDirectory = "1.2.840.10008.1.3.10" // a DICOMDIR, which is not sent

// file is a file to send.
type file struct {
	path string
	meta dicom.FileMeta
	size int64
}

// scan reads the heads of files, and of all files in directories. What is no DICOM file is an Outcome
// with an error when it was named, and counted when it was found in a directory.
func scan(paths []string) (files []file, bad []Outcome, ignored int, err error) {
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, nil, 0, err
		}
		if !info.IsDir() {
			f, err := head(p)
			if err != nil {
				bad = append(bad, Outcome{Path: p, Err: err})
				continue
			}
			files = append(files, f)
			continue
		}
		err = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			f, err := head(path)
			var structure *dicom.Error
			switch {
			case err == nil:
				files = append(files, f)
			case errors.As(err, &structure), errors.Is(err, errDirectory):
				ignored++
			default:
				bad = append(bad, Outcome{Path: path, Err: err})
			}
			return nil
		})
		if err != nil {
			return nil, nil, 0, err
		}
	}
	return files, bad, ignored, nil
}

var errDirectory = errors.New("a DICOMDIR is not sent")

func head(path string) (file, error) {
	f, err := os.Open(path)
	if err != nil {
		return file{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return file{}, err
	}
	d, err := dicom.OpenFile(f)
	switch {
	case err != nil:
		return file{}, fmt.Errorf("not a DICOM file: %w", err)
	case d.Meta.SOPClass == mediaStorageDirectory:
		return file{}, errDirectory
	case !dicom.ValidUID(d.Meta.SOPClass) || !dicom.ValidUID(d.Meta.SOPInstance) || !dicom.ValidUID(d.Meta.TransferSyntax):
		return file{}, &dicom.Error{Section: "PS3.10 §7.1", What: "the file meta information names no SOP class, instance or transfer syntax", Err: dicom.ErrStructure}
	}
	return file{path, d.Meta, info.Size()}, nil
}

// batch is files whose presentation contexts fit into one association.
type batch struct {
	files     []file
	proposals []dicomnet.Proposal
}

// plan proposes for each SOP class each transfer syntax of its files by itself, because an acceptor
// chooses one of a context; and those that a file can be rewritten in, in a context of their own.
func plan(files []file) (out []batch) {
	var b batch
	seen := map[string]bool{}
	for _, f := range files {
		var add []dicomnet.Proposal
		for _, ts := range syntaxes(&f) {
			key := f.meta.SOPClass + " " + strings.Join(ts, " ")
			if !seen[key] {
				add = append(add, dicomnet.Proposal{AbstractSyntax: f.meta.SOPClass, TransferSyntaxes: ts})
			}
		}
		if len(b.proposals)+len(add) > ul.MaxContexts {
			out = append(out, b)
			b = batch{}
			clear(seen)
			add = nil
			for _, ts := range syntaxes(&f) {
				add = append(add, dicomnet.Proposal{AbstractSyntax: f.meta.SOPClass, TransferSyntaxes: ts})
			}
		}
		for _, p := range add {
			seen[p.AbstractSyntax+" "+strings.Join(p.TransferSyntaxes, " ")] = true
		}
		b.proposals = append(b.proposals, add...)
		b.files = append(b.files, f)
	}
	if len(b.files) > 0 {
		out = append(out, b)
	}
	return out
}

// syntaxes are the contexts that a file may be sent on.
func syntaxes(f *file) [][]string {
	own := [][]string{{f.meta.TransferSyntax}}
	if s, known := dicom.SyntaxOf(f.meta.TransferSyntax); !known || s.Encapsulated {
		return own
	}
	if others := slices.DeleteFunc(dicomnet.UncompressedSyntaxes(), func(ts string) bool { return ts == f.meta.TransferSyntax }); len(others) > 0 {
		own = append(own, others)
	}
	return own
}
