// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"sync/atomic"

	"github.com/asepsis/asepsis/wire/capture"
)

// kept is a stretch of a capture that several goroutines look at in place. It
// goes when the last of them released it. It begins with one holder.
type kept struct {
	holders atomic.Int32
	free    func()
}

func newKept(free func()) *kept {
	k := &kept{free: free}
	k.holders.Store(1)
	return k
}

func (k *kept) hold() { k.holders.Add(1) }

func (k *kept) release() {
	if k.holders.Add(-1) == 0 {
		k.free()
	}
}

// keeper is a source whose frames can be looked at for longer than until the
// next one.
type keeper interface {
	// keptBy returns the stretch that the frame given last lies in, nil when it
	// has to be copied.
	keptBy() *kept
}

// keeperOf finds the keeper behind sources that hand on another's frames as
// they are and say so by a method Unwrap.
func keeperOf(src capture.Source) keeper {
	for src != nil {
		if k, ok := src.(keeper); ok {
			return k
		}
		u, ok := src.(interface{ Unwrap() capture.Source })
		if !ok {
			return nil
		}
		src = u.Unwrap()
	}
	return nil
}
