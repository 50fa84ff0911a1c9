// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"os"
	"path/filepath"
	"strconv"

	"github.com/transparency-dev/tessera/api/layout"
)

// maxTilesAhead is how many tiles of a level one batch can reach beyond the newest.
const maxTilesAhead = 4096/layout.TileWidth + 2

// sweep removes what a batch wrote that never became part of the log: a crash, or a full
// disk, came before the state of the tree was written. Left where it is, it would look
// as if the log had been changed when other entries take its place.
//
// Preconditions: this process has the log's lock, and nothing is being written.
func sweep(dir string, size uint64) error {
	beyond := func(path func(index uint64, p uint8) string, nodes uint64) error {
		newest, width := nodes/layout.TileWidth, nodes%layout.TileWidth
		for i := range uint64(maxTilesAhead) {
			full := filepath.Join(dir, filepath.FromSlash(path(newest+i, 0)))
			if err := os.Remove(full); err != nil && !notExist(err) {
				return err
			}
			partial := full + ".p"
			if i > 0 || width == 0 {
				if err := os.RemoveAll(partial); err != nil {
					return err
				}
				continue
			}
			names, err := os.ReadDir(partial)
			if err != nil && !notExist(err) {
				return err
			}
			for _, n := range names {
				if w, err := strconv.ParseUint(n.Name(), 10, 8); err == nil && w <= width && strconv.FormatUint(w, 10) == n.Name() {
					continue
				}
				if err := os.Remove(filepath.Join(partial, n.Name())); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := beyond(layout.EntriesPath, size); err != nil {
		return err
	}
	for level := range uint64(8) {
		tile := func(index uint64, p uint8) string { return layout.TilePath(level, index, p) }
		if err := beyond(tile, size>>(8*level)); err != nil {
			return err
		}
	}
	return nil
}
