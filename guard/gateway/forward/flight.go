// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// flight remembers which instances are being sent, in a file that is not flushed: it survives a
// kill, and only counts.
type flight struct{ f *os.File }

// openFlight returns what was being sent when the last process ended.
func openFlight(dir string, slots int) (*flight, []uint64, error) {
	if dir == "" {
		return &flight{}, nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "sending"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	b := make([]byte, 8*maxDestinations*maxAssociations)
	n, _ := f.ReadAt(b, 0) // what cannot be read is not counted
	var out []uint64
	for at := 0; at+8 <= n; at += 8 {
		if v := binary.LittleEndian.Uint64(b[at:]); v != 0 {
			out = append(out, v)
		}
	}
	clear(b)
	_, err = f.WriteAt(b[:max(8*slots, n)], 0)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return &flight{f}, out, nil
}

// set says that a slot sends an instance; 0: nothing.
func (f *flight) set(slot int, number uint64) {
	if f.f == nil {
		return
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], number)
	_, _ = f.f.WriteAt(b[:], int64(8*slot))
}

func (f *flight) close() {
	if f.f != nil {
		_ = f.f.Close()
	}
}

// paused is what is kept over restarts: what a person has paused stays so.
type paused struct {
	Paused []string `json:"paused"`
}

func (f *Forwarder) pausedFile() string { return filepath.Join(f.d.Dir, "paused.json") }

func (f *Forwarder) readPaused() (map[string]bool, error) {
	out := map[string]bool{}
	if f.d.Dir == "" {
		return out, nil
	}
	b, err := os.ReadFile(f.pausedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	var p paused
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		return nil, fmt.Errorf("forward: which destinations are paused cannot be read: %w", err)
	}
	for _, n := range p.Paused {
		out[n] = true
	}
	return out, nil
}

func (f *Forwarder) writePaused() error {
	if f.d.Dir == "" {
		return nil
	}
	var p paused
	for _, d := range f.dests {
		d.mu.Lock()
		if d.paused {
			p.Paused = append(p.Paused, d.cfg.Name)
		}
		d.mu.Unlock()
	}
	slices.Sort(p.Paused)
	b, err := json.Marshal(p)
	if err == nil {
		err = os.MkdirAll(f.d.Dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(f.pausedFile()+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(f.pausedFile()+".new", f.pausedFile())
	}
	return err
}
