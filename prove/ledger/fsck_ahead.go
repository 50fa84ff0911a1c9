// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/asepsis/asepsis/prove/ledger/internal/wal"
)

// readAhead reads what the write-ahead log holds beyond the tree, before anything else is
// read: beside a process that takes the one into the other nothing is missed. Its slots are read one
// after the other, so what looks like a gap is looked at again.
func (f *fsck) readAhead(ctx context.Context) {
	for tries := 0; ; tries++ {
		c, err := wal.Read(filepath.Join(f.dir, walDir), walID(f.trust.Log))
		if err != nil {
			f.problem(walDir, "cannot be read: %v", err)
			return
		}
		tree, _, err := f.tiles.state()
		if err != nil {
			tree = 1 << 53 // is reported where it is read
		}
		var gap *wal.GapError
		if f.ahead, err = c.Tail(tree); errors.As(err, &gap) && tries < 10 && ctx.Err() == nil {
			<-time.After(10 * time.Millisecond)
			continue
		}
		if err != nil {
			f.problem(walDir, "%v", err)
		}
		break
	}
	for _, u := range f.ahead.Unfinished {
		f.report.Leftovers = append(f.report.Leftovers, fmt.Sprintf("%s/%s: %d entries from %d on that were being written", walDir, u.File, u.Count, u.First))
	}
}

// same compares an entry of the tree with what the write-ahead log still has of it.
func (f *fsck) same(i uint64, data []byte) {
	if was, ok := f.ahead.Entry(i); ok && !bytes.Equal(was, data) {
		f.problem(fmt.Sprintf("entry %d", i), "is not the one that was acknowledged, as the write-ahead log has it")
	}
}

// waiting judges the entries that are not in the tree yet.
func (f *fsck) waiting() {
	for i := max(f.size, f.ahead.First); i < f.ahead.End(); i++ {
		data, _ := f.ahead.Entry(i)
		f.report.Bytes += int64(len(data))
		f.entry(i, data)
		f.report.Ahead++
	}
	f.report.Size = f.size + f.report.Ahead
}
