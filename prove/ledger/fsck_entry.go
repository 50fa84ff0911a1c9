// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/asepsis/asepsis/core/custody"
)

// entry judges one statement: its form, its ID, its place in its case.
func (f *fsck) entry(i uint64, data []byte) {
	where := fmt.Sprintf("entry %d", i)
	if _, err := custody.Decode(data, custody.MaxDepth+4); err != nil {
		f.problem(where, "%v", err)
		return
	}
	s, err := custody.Logged(data)
	if err != nil {
		f.problem(where, "%v", err)
		return
	}
	sum := sha256.Sum256([]byte(s.Predicate.ID))
	id := [16]byte(sum[:16])
	if _, twice := f.ids[id]; twice {
		f.problem(where, "has an ID that an earlier entry has")
	}
	f.ids[id] = struct{}{}
	link := s.Predicate.Case
	if link == nil {
		return
	}
	c := f.chains[link.Case]
	if c == nil {
		c = &chain{}
		f.chains[link.Case] = c
	}
	hash := custody.Digest(data)
	switch {
	case link.Sequence <= c.sequence:
		f.problem(where, "is number %d of its case, as an earlier entry is", link.Sequence)
	case link.Sequence > c.sequence+1:
		// A disk that was full for a moment can change the order; the chain must close.
		if c.early == nil {
			c.early = map[uint64][2]string{}
		}
		c.early[link.Sequence] = [2]string{link.Previous, hash}
	default:
		f.follow(where, c, link.Previous, hash)
		for {
			e, ok := c.early[c.sequence+1]
			if !ok {
				return
			}
			delete(c.early, c.sequence+1)
			f.follow(where, c, e[0], e[1])
		}
	}
}

func (f *fsck) follow(where string, c *chain, previous, hash string) {
	if previous != c.hash {
		f.problem(where, "does not name the statement before it in its case")
	}
	c.sequence++
	c.hash = hash
}

// chainsEnd reports cases whose chain has a gap.
func (f *fsck) chainsEnd() {
	f.report.Cases = len(f.chains)
	for name, c := range f.chains {
		if len(c.early) == 0 {
			continue
		}
		var numbers []uint64
		for n := range c.early {
			numbers = append(numbers, n)
		}
		f.problem("case "+string(name), "number %d is missing, number %d is there", c.sequence+1, slices.Min(numbers))
	}
}
