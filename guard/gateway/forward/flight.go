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
	"sync"

	"github.com/asepsis/asepsis/platform/durable"
)

// flight remembers which instances are being sent, or were and are not written down, in a file that is not
// flushed: it survives a kill, and only counts.
type flight struct {
	f *os.File

	mu    sync.Mutex
	free  []int
	slots int
}

// maxSlots bounds the file; it begins with firstSlots.
const (
	maxSlots   = 1 << 14
	firstSlots = 1 << 9
)

// openFlight returns what was being sent when the last process ended.
func openFlight(dir string) (*flight, []uint64, error) {
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
	b := make([]byte, 8*maxSlots)
	n, _ := f.ReadAt(b, 0) // what cannot be read is not counted
	var out []uint64
	for at := 0; at+8 <= n; at += 8 {
		if v := binary.LittleEndian.Uint64(b[at:]); v != 0 {
			out = append(out, v)
		}
	}
	// Its room is kept: on a disk that is full, too, it is written down what is being sent.
	if _, err := f.WriteAt(make([]byte, max(n, firstSlots*8)), 0); err != nil && n > 0 {
		if err := f.Truncate(0); err != nil {
			_ = f.Close()
			return nil, nil, err
		}
	}
	return &flight{f: f}, out, nil
}

// begin notes that an instance is sent, and where.
func (f *flight) begin(number uint64) (slot int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.free); n > 0 {
		slot, f.free = f.free[n-1], f.free[:n-1]
	} else {
		slot = f.slots
		f.slots++
	}
	f.write(slot, number)
	return slot
}

// end notes that what became of it is written down, or that it was not sent.
func (f *flight) end(slot int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free = append(f.free, slot)
	f.write(slot, 0)
}

func (f *flight) write(slot int, number uint64) {
	if f.f == nil || slot >= maxSlots {
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
	f.steering.Lock()
	defer f.steering.Unlock()
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
		err = durable.Write(f.pausedFile(), b)
	}
	if err != nil {
		return fmt.Errorf("what is paused cannot be kept: %w", err)
	}
	return nil
}
