// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/asepsis/asepsis/prove/ledger/internal/wal"
	"github.com/asepsis/asepsis/prove/receipt"
)

// ahead is what is recorded and not in the tree yet, as the process that writes the log has
// it in memory. It is in the write-ahead log, too.
type ahead struct {
	mu   sync.RWMutex
	base uint64 // entries in the tree, durably
	list []waiting
	size int64 // bytes of them
}

// waiting is an entry that waits for the tree.
type waiting struct {
	data []byte
	leaf [32]byte
}

// entry returns an entry that is not in the tree, and how many are.
func (a *ahead) entry(i uint64) (data []byte, tree uint64, ok bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if i < a.base || i-a.base >= uint64(len(a.list)) {
		return nil, a.base, false
	}
	return a.list[i-a.base].data, a.base, true
}

// sizes returns how many entries are in the tree and how many are recorded.
func (a *ahead) sizes() (tree, recorded uint64) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.base, a.base + uint64(len(a.list))
}

func (a *ahead) add(w []waiting) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, w...)
	for i := range w {
		a.size += int64(len(w[i].data))
	}
}

// oldest returns the next entries for the tree and their first index.
func (a *ahead) oldest(most int) (uint64, []waiting) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.base, a.list[:min(most, len(a.list))]
}

func (a *ahead) len() int {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return len(a.list)
}

// bytes is how much data waits.
func (a *ahead) bytes() int64 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.size
}

// integrated takes out what is in the tree now.
func (a *ahead) integrated(size uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := size - a.base
	for i := range a.list[:n] {
		a.size -= int64(len(a.list[i].data))
	}
	clear(a.list[:n]) // what is appended next may keep the array
	a.base, a.list = size, a.list[n:]
}

// walID names a log in its write-ahead log.
func walID(k receipt.Key) uint64 {
	h := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(k.Name+"\n"), k.ID))
	return binary.BigEndian.Uint64(h[:])
}

// walView reads the write-ahead log of another process.
type walView struct {
	dir string
	id  uint64

	mu   sync.Mutex
	seen map[string]time.Time // when each slot was changed last, as of the last scan
	tail wal.Tail
}

// known returns an entry as an earlier read found it.
func (v *walView) known(i uint64) ([]byte, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.tail.Entry(i)
}

// read returns what is there beyond the tree, whose size the function tells: it is asked after
// the write-ahead log was read, so that nothing is missed in between.
func (v *walView) read(tree func() (uint64, error)) (wal.Tail, uint64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for tries := 0; ; tries++ {
		now := v.changes()
		if !sameTimes(now, v.seen) {
			tail, err := v.scan(tree)
			var gap *wal.GapError
			if errors.As(err, &gap) && tries < 10 {
				// Slots are read one after the other, while they may be written.
				<-time.After(10 * time.Millisecond)
				continue
			}
			if err != nil {
				v.seen = nil
				if gap != nil {
					err = errInconsistent("%w", err)
				}
				return wal.Tail{}, 0, err
			}
			v.tail, v.seen = tail, now
		}
		size, err := tree()
		return v.tail, size, err
	}
}

// scan reads the slots before it asks for the size: what was in the write-ahead log is
// in it or in the tree.
func (v *walView) scan(tree func() (uint64, error)) (wal.Tail, error) {
	c, err := wal.Read(v.dir, v.id)
	if err != nil {
		return wal.Tail{}, err
	}
	size, err := tree()
	if err != nil {
		return wal.Tail{}, err
	}
	return c.Tail(size)
}

// recently is how long a slot counts as being written: times of files are coarse.
const recently = 2 * time.Second

// changes returns when each slot was changed, nil when one was a moment ago.
func (v *walView) changes() map[string]time.Time {
	out := map[string]time.Time{}
	names, err := os.ReadDir(v.dir)
	if err != nil {
		return out
	}
	for _, n := range names {
		st, err := os.Stat(filepath.Join(v.dir, n.Name()))
		if err != nil || time.Since(st.ModTime()) < recently {
			return nil
		}
		out[n.Name()] = st.ModTime()
	}
	return out
}

func sameTimes(a, b map[string]time.Time) bool {
	if a == nil || b == nil || len(a) != len(b) {
		return false
	}
	for k, t := range a {
		if !t.Equal(b[k]) {
			return false
		}
	}
	return true
}
