// SPDX-License-Identifier: Apache-2.0

package dicomtool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dump"
)

// DumpOptions say how files are shown.
type DumpOptions struct {
	Tags        []dicom.Tag // only these elements; none: all
	JSON        bool        // the DICOM JSON model; of several files an array
	Quiet       bool        // no headings
	Long        bool        // values in full, to maxLong bytes
	DataSetOnly bool        // files are data sets without a head
}

const maxLong = 1 << 20

// Dump writes what is in files to out; "-" is in. It goes on after a file that cannot be read, and
// returns the error of the last such; those of others are written to complain.
func Dump(out, complain io.Writer, in io.Reader, paths []string, o DumpOptions) error {
	w := bufio.NewWriter(out)
	if o.JSON && len(paths) > 1 {
		_, _ = w.WriteString("[\n")
	}
	var failed error
	for i, p := range paths {
		if o.JSON && i > 0 {
			_, _ = w.WriteString(",\n")
		}
		if len(paths) > 1 && !o.JSON && !o.Quiet {
			_, _ = fmt.Fprintf(w, "# %s\n", p)
		}
		if err := dumpFile(w, in, p, o); err != nil {
			if failed != nil {
				_, _ = fmt.Fprintf(complain, "asepsis: %v\n", failed)
			}
			failed = fmt.Errorf("dicom dump: %s: %w", p, err)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if o.JSON {
		if len(paths) > 1 {
			_, _ = w.WriteString("\n]")
		}
		_ = w.WriteByte('\n')
	}
	return errors.Join(failed, w.Flush())
}

// headless is how many bytes of a data set without a head are looked at to guess its syntax.
const headless = 132 + dicom.GuessSyntaxBytes

func dumpFile(w *bufio.Writer, in io.Reader, path string, o DumpOptions) error {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	r := bufio.NewReaderSize(in, 64<<10)
	start, err := r.Peek(headless)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	bare := len(start) < 132 || string(start[128:132]) != "DICM"
	if bare {
		s, ok := dicom.GuessSyntax(start)
		if !ok {
			return &tagError{"neither a DICOM file nor a data set (PS3.10 §7.1: no prefix DICM)", "check what it is, for example with file(1)"}
		}
		return show(w, r, s, "guessed: no file meta information", 0, path, o)
	}
	if o.DataSetOnly {
		return errors.New("it has file meta information, so it is more than a data set")
	}
	f, err := dicom.OpenFile(r)
	if err != nil {
		return err
	}
	if !o.JSON {
		if !o.Quiet {
			_, _ = fmt.Fprintf(w, "# preamble: %v\n# file meta information\n", f.Preamble.Kind())
		}
		if err := lines(w, bytes.NewReader(f.RawMeta), dicom.Syntax{Explicit: true}, o); err != nil {
			return err
		}
	}
	// Files that say one thing and are another exist; the first element tells.
	data := bufio.NewReaderSize(f.Data, 4096)
	first, _ := data.Peek(dicom.GuessSyntaxBytes)
	name := dicom.UIDName(f.Meta.TransferSyntax)
	if name == "" {
		name = "unknown transfer syntax " + f.Meta.TransferSyntax
	}
	s := f.Syntax
	if g, ok := dicom.GuessSyntax(first); ok && !s.Deflated && (g.Explicit != s.Explicit || g.BigEndian != s.BigEndian) {
		s, name = g, name+" is what it says, but not what it is: read as it is"
	}
	return show(w, data, s, name, uint64(132+len(f.RawMeta)), path, o)
}

func show(w *bufio.Writer, data io.Reader, s dicom.Syntax, name string, base uint64, path string, o DumpOptions) error {
	if o.JSON {
		options := dump.Options{Tags: o.Tags, Base: base}
		if path != "-" {
			options.BulkURI = "file:" + path
		}
		if o.Long {
			options.MaxValue = maxLong
		}
		return dump.JSON(w, data, s, options)
	}
	if !o.Quiet {
		_, _ = fmt.Fprintf(w, "# data set: %s\n", name)
	}
	return lines(w, data, s, o)
}

func lines(w io.Writer, data io.Reader, s dicom.Syntax, o DumpOptions) error {
	options := dump.Options{Tags: o.Tags}
	if o.Long {
		options.MaxValue = maxLong
	}
	return dump.Lines(w, data, s, options)
}
