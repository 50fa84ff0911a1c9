// SPDX-License-Identifier: Apache-2.0

package order

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/durable"
)

// maxNonces bounds a memory. Beyond it the oldest are forgotten, and with them all orders
// that are no newer.
const maxNonces = 10_000

// Memory knows which orders came. It forgets those that are too old to be taken, and takes
// nothing any more that is no newer than what it forgot: whatever clocks do, no order counts
// twice.
//
// With a file it is durable: Once returns after the order is on the disk. A file that was
// damaged is begun anew, and then nothing is taken that may have been given before.
type Memory struct {
	path string

	mu    sync.Mutex
	file  *os.File // nil: in memory only
	lines int      // of the file
	whole bool     // the file is the one that has the name, all of it is on the disk, and it ends with a line
	seen  map[[nonceSize]byte]int64
	least int64 // nothing in seen is older
	floor int64 // orders of this moment and before are not taken; ms since 1970
}

// NewMemory makes one that ends with the process.
func NewMemory() *Memory { return &Memory{seen: map[[nonceSize]byte]int64{}} }

// OpenMemory opens the memory in a file, or makes it. damaged says that it could not be
// read and was begun anew.
func OpenMemory(path string, now time.Time, skew time.Duration) (m *Memory, damaged bool, err error) {
	m = NewMemory()
	m.path = path
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, false, fmt.Errorf("memory of orders: %w", err)
	default:
		if !m.read(b) {
			clear(m.seen)
			m.floor, damaged = now.Add(skew).UnixMilli(), true
		}
	}
	if err := m.rewrite(); err != nil {
		return nil, damaged, fmt.Errorf("memory of orders: %w", err)
	}
	return m, damaged, nil
}

// read takes what a file holds: one order a line, its nonce and its time, and lines with
// the floor. A last line without its end is of an order that was not carried out.
func (m *Memory) read(b []byte) bool {
	if len(b) > maxNonces*64*2 {
		return false
	}
	if i := bytes.LastIndexByte(b, '\n'); i < len(b)-1 {
		b = b[:i+1]
	}
	for line := range bytes.Lines(b) {
		name, text, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
		at, err := strconv.ParseInt(string(text), 10, 64)
		if !ok || err != nil {
			return false
		}
		if string(name) == "floor" {
			m.floor = max(m.floor, at)
			continue
		}
		var nonce [nonceSize]byte
		if len(name) != 2*nonceSize {
			return false
		}
		if _, err := hex.Decode(nonce[:], name); err != nil {
			return false
		}
		m.seen[nonce] = at
	}
	return true
}

// Once is nil the first time that an order comes.
func (m *Memory) Once(nonce [nonceSize]byte, given, now time.Time, skew time.Duration) error {
	at := given.UnixMilli()
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, again := m.seen[nonce]; again {
		return refuse(Replayed, "where nobody tried again, somebody on the bus repeats orders", "it came before, and counts once; whether it was carried out then shows what is there now")
	}
	if at <= m.floor {
		return refuse(Stale, "try again in a moment; if it lasts, compare the clocks of both machines", "it was given before what is remembered here of orders begins")
	}
	m.forget(now.Add(-skew).UnixMilli())
	if m.file != nil {
		if err := m.append(nonce, at); err != nil {
			return refuse(Unkept, "see to the disk that the gateway's directory is on", "that it came cannot be written down: %w", err)
		}
	}
	m.seen[nonce], m.least = at, min(m.least, at)
	return nil
}

// forget drops what is older, and the oldest where there are too many.
func (m *Memory) forget(before int64) {
	if len(m.seen) < maxNonces && before <= m.least {
		return
	}
	if len(m.seen) >= maxNonces {
		times := make([]int64, 0, len(m.seen))
		for _, at := range m.seen {
			times = append(times, at)
		}
		slices.Sort(times)
		before = max(before, times[len(times)/10]+1)
	}
	m.least = before
	for nonce, at := range m.seen {
		if at < before {
			delete(m.seen, nonce)
			m.floor = max(m.floor, at)
		}
	}
}

// append writes one order down, durably. Where it cannot, the file is written anew before the next:
// it may end within a line, or hold what is not on the disk.
func (m *Memory) append(nonce [nonceSize]byte, at int64) error {
	if !m.whole || m.lines >= 2*maxNonces {
		if err := m.rewrite(); err != nil {
			return err
		}
	}
	m.whole = false
	if _, err := m.file.WriteString(hex.EncodeToString(nonce[:]) + " " + strconv.FormatInt(at, 10) + "\n"); err != nil {
		return err
	}
	if err := m.file.Sync(); err != nil {
		return err
	}
	m.whole = true
	m.lines++
	return nil
}

// rewrite writes a new file with what is known, and puts it in the place of the old.
func (m *Memory) rewrite() error {
	m.whole = false // the open file may not be the one of that name any more
	var b bytes.Buffer
	_, _ = fmt.Fprintf(&b, "floor %d\n", m.floor)
	for nonce, at := range m.seen {
		_, _ = fmt.Fprintf(&b, "%x %d\n", nonce, at)
	}
	if err := durable.Write(m.path, b.Bytes()); err != nil {
		return err
	}
	f, err := os.OpenFile(m.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	if m.file != nil {
		_ = m.file.Close()
	}
	m.file, m.lines, m.whole = f, len(m.seen)+1, true
	return nil
}

// Close closes the file.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return nil
	}
	return m.file.Close()
}

// Len is how many orders are remembered.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.seen)
}
