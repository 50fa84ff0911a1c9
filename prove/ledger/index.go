// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/custody"
)

// index finds entries by what they are about. It is made from the log alone and can be
// deleted: what is missing is made again at the next start.
//
// Entries fall into blocks. The newest is in memory; when it is full it becomes an
// immutable file of sorted postings (a hash of what is looked for, and where). A
// posting is a hint: whoever reads it compares the entry itself, so that equal hashes
// cost a read and never a wrong answer. A Bloom filter for each block says in memory
// that an ID was never seen, which is what recording asks most.
//
// Memory: 128 KiB for each block of 65,536 entries, and the newest block.
type index struct {
	dir      string
	per      uint64         // entries of a block
	readOnly bool           // full blocks stay in memory
	wait     sync.WaitGroup // for blocks being written

	mu     sync.RWMutex
	blocks []*block
	live   *live
	err    error // of writing a block; the index goes on in memory
}

const blockEntries = 1 << 16

// facet is the kind of thing that is looked for; it is hashed with it.
type facet byte

const (
	byID      facet = 'i'
	byHash    facet = 'h'
	byDigest  facet = 'd'
	byDevice  facet = 'v'
	byCase    facet = 'c'
	byTheatre facet = 't'
	byKind    facet = 'k'
)

type facetKey uint64

func keyOf(f facet, value string) facetKey {
	var b [257]byte
	b[0] = byte(f)
	n := copy(b[1:], value)
	h := sha256.Sum256(b[:1+n])
	return facetKey(binary.BigEndian.Uint64(h[:]))
}

// posting says that the entry at an offset of its block has a facet.
type posting struct {
	key facetKey
	at  uint32
}

// live is the block that is being filled.
type live struct {
	number   uint64
	postings []posting
	ids      map[facetKey]uint32 // the newest entry with an ID or in a case
	count    int
	from, to int64 // range of Predicate.Time
	bloom    *bloom
}

func newLive(number uint64) *live {
	return &live{number: number, ids: map[facetKey]uint32{}, bloom: newBloom(), from: 1<<63 - 1, to: -1 << 63}
}

// openIndex reads the blocks that are there. The rest comes with add.
func openIndex(dir string, per, size uint64) *index {
	x := &index{dir: dir, per: per}
	missing := false
	for n := uint64(0); (n+1)*per <= size && !missing; n++ {
		b, err := openBlock(filepath.Join(dir, blockName(n)), n)
		if err != nil {
			missing = true // it and what follows are made again
			continue
		}
		x.blocks = append(x.blocks, b)
	}
	x.live = newLive(uint64(len(x.blocks)))
	return x
}

func blockName(n uint64) string { return fmt.Sprintf("%08d.postings", n) }

// size is how many entries are in the index.
func (x *index) size() uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.sizeLocked()
}

func (x *index) sizeLocked() uint64 { return x.live.number*x.per + uint64(x.live.count) }

// keys are by what an entry can be found: first its hash, then its ID, then the rest. None
// is for an entry that cannot be read.
type keys struct {
	all []facetKey
	// ofCase is the place of the case's key in all, 0 where there is no case.
	ofCase int
}

// id is the key of the entry's ID.
func (k *keys) id() facetKey { return k.all[1] }

// setHash fills in the hash of an entry that had none yet.
func (k *keys) setHash(hash string) { k.all[0] = keyOf(byHash, hash) }

// keysOf makes the keys of all that a statement can be found by.
func keysOf(s *custody.Statement, hash string) keys {
	p := &s.Predicate
	k := keys{all: make([]facetKey, 0, 8+len(s.Subject))}
	k.all = append(k.all, keyOf(byHash, hash), keyOf(byID, p.ID))
	put := func(f facet, value string) {
		if value != "" {
			k.all = append(k.all, keyOf(f, value))
		}
	}
	if p.Case != nil {
		k.ofCase = len(k.all)
		put(byCase, string(p.Case.Case))
	}
	for _, sub := range s.Subject {
		put(byDigest, sub.Digest["sha256"])
	}
	put(byDevice, p.Device)
	if p.Actor.Device != p.Device {
		put(byDevice, p.Actor.Device)
	}
	put(byTheatre, p.Theatre)
	put(byKind, string(s.Kind()))
	return k
}

// add takes the next entry, with its time. Entries come in the order of the log, without
// gaps.
func (x *index) add(number uint64, k keys, t int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if number != x.sizeLocked() {
		if number < x.sizeLocked() {
			return
		}
		panic(fmt.Sprintf("BUG: entry %d is indexed after %d", number, x.sizeLocked()))
	}
	l, at := x.live, uint32(x.live.count)
	for i, key := range k.all {
		l.postings = append(l.postings, posting{key, at})
		if i == 1 || i > 0 && i == k.ofCase {
			l.ids[key] = at
			l.bloom.add(key)
		}
	}
	if len(k.all) > 0 {
		l.from, l.to = min(l.from, t), max(l.to, t)
	}
	if l.count++; uint64(l.count) == x.per {
		b := &block{number: l.number, from: l.from, to: l.to, bloom: l.bloom, count: len(l.postings), fresh: l}
		x.blocks = append(x.blocks, b)
		x.live = newLive(l.number + 1)
		if !x.readOnly {
			x.wait.Go(func() { x.seal(b, l) })
		}
	}
}

// seal writes a full block beside the recording of the next.
func (x *index) seal(b *block, l *live) {
	file := filepath.Join(x.dir, blockName(b.number))
	err := os.MkdirAll(x.dir, 0o700)
	if err == nil {
		err = writeBlock(file, l)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if err != nil {
		x.err = err // stays in memory; made again at the next start
		return
	}
	b.file, b.fresh = file, nil
}

// newest returns the entries that may have an ID or be in a case, newest first; of the
// newest block only the newest.
func (x *index) newest(k facetKey) (candidates []uint64, err error) {
	x.mu.RLock()
	l := x.live
	at, ok := l.ids[k]
	base := l.number * x.per
	blocks := x.blocks
	x.mu.RUnlock()
	if ok {
		candidates = append(candidates, base+uint64(at))
	}
	for i := len(blocks) - 1; i >= 0; i-- {
		if !blocks[i].bloom.has(k) {
			continue
		}
		found, err := x.in(blocks[i], k)
		if err != nil {
			return nil, err
		}
		for j := len(found) - 1; j >= 0; j-- {
			candidates = append(candidates, blocks[i].number*x.per+uint64(found[j]))
		}
	}
	return candidates, nil
}

// all returns the entries that may have an ID or be in a case, oldest first.
func (x *index) all(k facetKey) ([]uint64, error) {
	x.mu.RLock()
	base, postings, blocks := x.live.number*x.per, x.live.postings, x.blocks
	x.mu.RUnlock()
	var out []uint64
	for _, b := range blocks {
		if !b.bloom.has(k) {
			continue
		}
		found, err := x.in(b, k)
		if err != nil {
			return nil, err
		}
		for _, at := range found {
			out = append(out, b.number*x.per+uint64(at))
		}
	}
	for _, at := range scan(postings, k) {
		out = append(out, base+uint64(at))
	}
	return out, nil
}

// in returns the offsets in a block, ascending.
func (x *index) in(b *block, k facetKey) ([]uint32, error) {
	x.mu.RLock()
	fresh := b.fresh
	x.mu.RUnlock()
	if fresh != nil {
		return scan(fresh.postings, k), nil
	}
	return b.lookup(k)
}

func scan(p []posting, k facetKey) []uint32 {
	var out []uint32
	for _, e := range p {
		if e.key == k {
			out = append(out, e.at)
		}
	}
	return out
}

// facetOf picks what a query is looked up by, the most telling first.
func (q *Query) facetOf() (facetKey, bool) {
	switch {
	case q.Hash != "":
		return keyOf(byHash, q.Hash), true
	case q.Digest != "":
		return keyOf(byDigest, q.Digest), true
	case q.Case != "":
		return keyOf(byCase, string(q.Case)), true
	case q.Device != "":
		return keyOf(byDevice, q.Device), true
	case q.Theatre != "":
		return keyOf(byTheatre, q.Theatre), true
	case q.Kind != "":
		return keyOf(byKind, string(q.Kind)), true
	}
	return 0, false
}

// matches holds an entry against a query.
func (q *Query) matches(s *custody.Statement, hash string) bool {
	p := &s.Predicate
	switch {
	case q.Hash != "" && q.Hash != hash,
		q.Device != "" && q.Device != p.Device && q.Device != p.Actor.Device,
		q.Case != "" && (p.Case == nil || p.Case.Case != q.Case),
		q.Theatre != "" && q.Theatre != p.Theatre,
		q.Kind != "" && q.Kind != s.Kind(),
		!q.From.IsZero() && p.Time.Before(q.From),
		!q.To.IsZero() && !p.Time.Before(q.To):
		return false
	}
	if q.Digest == "" {
		return true
	}
	for _, sub := range s.Subject {
		for _, h := range sub.Digest {
			if strings.EqualFold(h, q.Digest) {
				return true
			}
		}
	}
	return false
}

// candidates calls visit with the entries that may match, newest first, until it
// returns false.
func (x *index) candidates(q *Query, visit func(uint64) (bool, error)) error {
	k, has := q.facetOf()
	x.mu.RLock()
	l := *x.live // the header of postings is copied: what is appended later is not seen
	blocks := x.blocks
	x.mu.RUnlock()
	end := l.number*x.per + uint64(l.count)
	if q.Before != 0 {
		end = min(end, q.Before)
	}
	walk := func(number uint64, at []uint32, count int) (bool, error) {
		base := number * x.per
		n := count
		if has {
			n = len(at)
		}
		for i := n - 1; i >= 0; i-- {
			e := base + uint64(i)
			if has {
				e = base + uint64(at[i])
			}
			if e >= end {
				continue
			}
			if more, err := visit(e); !more || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	if q.overlaps(l.from, l.to) {
		var at []uint32
		if has {
			at = scan(l.postings, k)
		}
		if more, err := walk(l.number, at, l.count); !more || err != nil {
			return err
		}
	}
	for i := len(blocks) - 1; i >= 0; i-- {
		b := blocks[i]
		if b.number*x.per >= end || !q.overlaps(b.from, b.to) {
			continue
		}
		var at []uint32
		if has {
			var err error
			if at, err = x.in(b, k); err != nil {
				return err
			}
		}
		if more, err := walk(b.number, at, int(x.per)); !more || err != nil {
			return err
		}
	}
	return nil
}

// overlaps reports whether a range of times can hold what the query asks for.
func (q *Query) overlaps(from, to int64) bool {
	return (q.From.IsZero() || to >= nano(q.From)) && (q.To.IsZero() || from < nano(q.To))
}

// nano is UnixNano for the times that statements may have; what is beyond int64 comes
// out as its bound.
func nano(t time.Time) int64 {
	if t.Year() > 2261 {
		return 1<<63 - 1
	}
	if t.Year() < 1678 {
		return -1 << 63
	}
	return t.UnixNano()
}
