// SPDX-License-Identifier: Apache-2.0

package dicomtool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// Kept is what became of one instance that the peer sent.
type Kept struct {
	Path           string `json:"path,omitempty"`
	SOPClass       string `json:"sop_class"`
	SOPInstance    string `json:"sop_instance"`
	TransferSyntax string `json:"transfer_syntax"`
	Bytes          int64  `json:"bytes"` // of the data set
	Err            error  `json:"-"`     // nil: it is in the file
}

// keeper writes instances that come into files: DIR/SOPINSTANCEUID.dcm, or DIR/STUDY/SERIES/SOPINSTANCEUID.dcm. A file appears
// under its name when it is whole and on the disk, and replaces what was there; only then the peer is told that it was stored. What a peer
// sends cannot choose a place outside of the directory: names are UIDs or nothing.
type keeper struct {
	dir    string
	tree   bool
	source string // AE title, for the file meta information
	touch  func() // called while bytes arrive

	mu     sync.Mutex
	files  []Kept
	stored map[string]bool // SOP instances
	failed map[string]int  // SOP instances, and where they are in files
	bytes  int64
}

func newKeeper(dir string, tree bool, source string, touch func()) (*keeper, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &keeper{dir: dir, tree: tree, source: source, touch: touch, stored: map[string]bool{}, failed: map[string]int{}}, nil
}

// Handle implements dicomnet.Handler.
func (k *keeper) Handle(_ context.Context, r *dicomnet.Request) dicomnet.Reply {
	k.touch()
	defer k.touch()
	switch {
	case r.Command.Field == dimse.CEchoRQ:
		return dicomnet.Reply{}
	case r.Command.Field != dimse.CStoreRQ || r.Data == nil:
		return dicomnet.Reply{Status: 0x0211} // unrecognised operation (PS3.7 §C.5.24)
	}
	f := Kept{SOPClass: r.Command.AffectedSOPClass, SOPInstance: r.Command.AffectedSOPInstance, TransferSyntax: r.Context.TransferSyntax}
	if k.has(f.SOPInstance) { // once more: an archive that is asked again sends what it can
		if _, err := io.Copy(io.Discard, r.Data); err != nil {
			return dicomnet.Reply{Status: 0xA700}
		}
		return dicomnet.Reply{}
	}
	f.Err = k.keep(&f, r.Data)
	k.note(f)
	if f.Err != nil {
		return dicomnet.Reply{Status: 0xA700} // out of resources: the peer counts it as failed
	}
	return dicomnet.Reply{}
}

// keep writes one instance.
func (k *keeper) keep(f *Kept, data io.Reader) (err error) {
	head, err := dicom.AppendFileHead(nil, dicom.Preamble{}, &dicom.FileMeta{SOPClass: f.SOPClass, SOPInstance: f.SOPInstance, TransferSyntax: f.TransferSyntax,
		ImplUID: dicomnet.ImplementationClassUID, ImplVersion: dicomnet.ImplementationVersionName, SourceAE: k.source})
	if err != nil {
		return err
	}
	part, err := os.CreateTemp(k.dir, ".part-*")
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, part.Close()); err != nil {
			err = errors.Join(err, os.Remove(part.Name()))
		}
	}()
	if _, err := part.Write(head); err != nil {
		return err
	}
	if f.Bytes, err = io.Copy(&touching{part, k.touch}, data); err != nil {
		return err
	}
	if err := part.Sync(); err != nil {
		return err
	}
	dir := k.dir
	if k.tree {
		if dir, err = k.branch(part); err != nil {
			return err
		}
	}
	f.Path = filepath.Join(dir, f.SOPInstance+".dcm")
	return os.Rename(part.Name(), f.Path)
}

// branch makes the directory of the series of an instance.
func (k *keeper) branch(part *os.File) (string, error) {
	if _, err := part.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	d, err := dicom.OpenFile(part)
	if err != nil {
		return "", err
	}
	study, series := "", ""
	r := dicom.NewReader(d.Data, d.Syntax, dicom.DefaultLimits())
	for {
		t, err := r.Next()
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if err != nil || t.Depth == 0 && t.Tag > dicom.TagSeriesInstanceUID {
			break
		}
		if t.Depth == 0 && t.Kind == dicom.Element && (t.Tag == dicom.TagStudyInstanceUID || t.Tag == dicom.TagSeriesInstanceUID) {
			v, err := r.Value(dicom.MaxUID)
			if err != nil {
				return "", err
			}
			if t.Tag == dicom.TagStudyInstanceUID {
				study = dicom.TrimString(v)
			} else {
				series = dicom.TrimString(v)
			}
		}
	}
	if !dicom.ValidUID(study) || !dicom.ValidUID(series) {
		return "", errors.New("it has no study or no series instance UID to be filed under")
	}
	dir := filepath.Join(k.dir, study, series)
	return dir, os.MkdirAll(dir, 0o700)
}

func (k *keeper) has(uid string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stored[uid]
}

func (k *keeper) note(f Kept) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at, again := k.failed[f.SOPInstance]
	if again {
		k.files[at] = f
	} else {
		at, k.files = len(k.files), append(k.files, f)
	}
	if f.Err != nil {
		k.failed[f.SOPInstance] = at
		return
	}
	delete(k.failed, f.SOPInstance)
	k.stored[f.SOPInstance] = true
	k.bytes += f.Bytes
}

// failures returns how many instances came and could not be kept.
func (k *keeper) failures() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.failed)
}

// all returns what came. An association that was ended may still be bringing something, which then fails.
func (k *keeper) all() []Kept {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.files)
}

// count returns how many instances are kept, and their bytes.
func (k *keeper) count() (int, int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.stored), k.bytes
}

// sync makes the names of the files durable.
func (k *keeper) sync() error {
	dirs := map[string]bool{k.dir: true}
	for _, f := range k.all() {
		if f.Err == nil {
			dirs[filepath.Dir(f.Path)], dirs[filepath.Dir(filepath.Dir(f.Path))] = true, true
		}
	}
	var all error
	for d := range dirs {
		h, err := os.Open(d) //nolint:gosec // a directory that was named by the user, or below it
		if err == nil {
			err = errors.Join(h.Sync(), h.Close())
		}
		if err != nil {
			all = errors.Join(all, fmt.Errorf("make %s durable: %w", d, err))
		}
	}
	return all
}

// touching calls f with every write.
type touching struct {
	w io.Writer
	f func()
}

func (t *touching) Write(b []byte) (int, error) {
	t.f()
	return t.w.Write(b)
}
