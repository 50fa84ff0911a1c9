// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/see/advisory/csaf"
)

// maxFiles bounds what one directory can hold.
const maxFiles = 100_000

// FileError says which file is wrong, and where.
type FileError struct {
	File string
	Err  error
}

// Error implements error.
func (e *FileError) Error() string { return e.File + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *FileError) Unwrap() error { return e.Err }

// Gather makes an index of all files in a directory and below it: CSAF documents and the
// KEV catalogue, told apart by their content. One file that is neither or cannot be read is
// an error, and then there is no index: nothing is taken in by half. Files whose names do not
// end with .json, .xml, .spdx or .csv, and hidden ones, are passed over. other is given each
// file that is neither; it may take it, or return an error.
func Gather(dir string, other func(file string, data []byte) error) (*Index, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := e.Name()
		if path != dir && strings.HasPrefix(name, ".") {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if e.Type().IsRegular() && slices.Contains([]string{".json", ".xml", ".spdx", ".csv"}, strings.ToLower(filepath.Ext(name))) {
			files = append(files, path)
		}
		if len(files) > maxFiles {
			return fmt.Errorf("%s: has more than %d files", dir, maxFiles)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	x := &Index{KEV: KEV{CVEs: map[string]Exploited{}}}
	from := map[string]string{}
	var wrong []error
	fail := func(file string, err error) { wrong = append(wrong, &FileError{file, err}) }
	for _, f := range files {
		if len(wrong) >= 20 {
			break
		}
		data, err := readBounded(f)
		if err != nil {
			fail(f, err)
			continue
		}
		switch sniff(data) {
		case "csaf":
			d, err := csaf.Read(data)
			if err != nil {
				fail(f, err)
				continue
			}
			a := FromCSAF(d)
			if was, twice := from[a.ID]; twice {
				at := slices.IndexFunc(x.Advisories, func(o Advisory) bool { return o.ID == a.ID })
				if x.Advisories[at].Updated == a.Updated && x.Advisories[at].Revision == a.Revision {
					continue // the same, twice in the directory
				}
				if x.Advisories[at].Updated < a.Updated {
					x.Advisories[at], from[a.ID] = a, f
				}
				_ = was
				continue
			}
			from[a.ID] = f
			x.Advisories = append(x.Advisories, a)
		case "kev":
			k, err := ReadKEV(data)
			if err != nil {
				fail(f, err)
			} else if k.Released > x.KEV.Released {
				x.KEV = k
			}
		default:
			if other == nil {
				fail(f, errors.New("is neither a CSAF document nor the KEV catalogue"))
			} else if err := other(f, data); err != nil {
				fail(f, err)
			}
		}
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	if len(x.Advisories) == 0 {
		return nil, fmt.Errorf("%s: has no CSAF document", dir)
	}
	if len(x.Advisories) > MaxAdvisories {
		return nil, fmt.Errorf("%s: has more than %d advisories", dir, MaxAdvisories)
	}
	return x, nil
}

func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file) //nolint:gosec // a file that the person names
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, MaxKEV+1))
	if err == nil && len(data) > MaxKEV {
		err = fmt.Errorf("is larger than %d MiB", MaxKEV>>20)
	}
	return data, err
}

// GatherAll makes an index of a directory as Gather does, with the SBOMs and MDS2 forms in
// it that say themselves which model they are about.
func GatherAll(dir string, now time.Time) (*Index, error) {
	var imports []Import
	x, err := Gather(dir, func(file string, data []byte) error {
		m, err := ReadImport(file, data, Scope{})
		if err != nil {
			var f *FileError
			if errors.As(err, &f) {
				return f.Err // the caller names the file, with its folder
			}
			return err
		}
		m.Who, m.At = "knowledge", now.UnixNano()
		if slices.ContainsFunc(imports, func(o Import) bool { return o.ID == m.ID }) {
			return fmt.Errorf("is about the same as another file: %s", m.Title)
		}
		imports = append(imports, m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(imports) > MaxImports {
		return nil, fmt.Errorf("%s: has more than %d SBOMs and forms", dir, MaxImports)
	}
	x.Imports = imports
	return x, nil
}

// sniff tells what a JSON file is by the names in it.
func sniff(data []byte) string {
	head := data
	switch {
	case bytes.Contains(head, []byte(`"csaf_version"`)):
		return "csaf"
	case bytes.Contains(head[:min(len(head), 4096)], []byte(`"catalogVersion"`)):
		return "kev"
	}
	return ""
}
