// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
)

// Files of a ledger's directory. What is public is in logDir, and can be served as
// it is (C2SP tlog-tiles).
const (
	logDir        = "log"
	treeStateFile = ".state/treeState"
	keyFile       = "key"
	trustFile     = "trust.json"
	witnessedFile = "witnessed"
	stampDir      = "stamps"
	indexDir      = "index"
	walDir        = "wal"
	saltFile      = "salts"
	auditFile     = "audit.json"
	lockFile      = "lock"
)

const bundleWidth = layout.EntryBundleWidth

// maxResource bounds what is read of a tile or a bundle: 256 entries of 64 KiB.
const maxResource = bundleWidth * (2 + 1<<16)

// tiles reads the files of a log. It needs no lock: files do not change, they are
// replaced. Safe for use by several goroutines.
type tiles struct {
	dir string

	mu    sync.Mutex
	cache map[uint64]cached // bundles by index
}

type cached struct {
	entries [][]byte
}

const maxCached = 64 // bundles

func openTiles(dir string) *tiles { return &tiles{dir: dir, cache: map[uint64]cached{}} }

// recorded returns how many entries are in the tree, durably, and its root.
func (t *tiles) state() (uint64, []byte, error) {
	raw, err := t.read(treeStateFile)
	if err != nil {
		if notExist(err) {
			return 0, nil, nil
		}
		return 0, nil, err
	}
	var state struct {
		Size uint64 `json:"size"`
		Root []byte `json:"root"`
	}
	if err := json.Unmarshal(raw, &state); err != nil || state.Size > 1<<53 {
		return 0, nil, fmt.Errorf("%w: %s cannot be read", ErrDamaged, treeStateFile)
	}
	return state.Size, state.Root, nil
}

func (t *tiles) read(name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(t.dir, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxResource+1))
	if err == nil && len(b) > maxResource {
		err = fmt.Errorf("%w: %s has more than %d bytes", ErrDamaged, name, maxResource)
	}
	return b, err
}

// checkpoint returns the published checkpoint, nil when there is none.
func (t *tiles) checkpoint() ([]byte, error) {
	b, err := t.read(layout.CheckpointPath)
	if notExist(err) {
		return nil, nil
	}
	return b, err
}

// tile is a client.TileFetcherFunc: a partial tile may have been replaced by the full one.
func (t *tiles) tile(_ context.Context, level, index uint64, p uint8) ([]byte, error) {
	return t.partialOrFull(p, func(p uint8) string { return layout.TilePath(level, index, p) })
}

func (t *tiles) rawBundle(index uint64, p uint8) ([]byte, error) {
	return t.partialOrFull(p, func(p uint8) string { return layout.EntriesPath(index, p) })
}

func (t *tiles) partialOrFull(p uint8, path func(uint8) string) ([]byte, error) {
	b, err := t.read(path(p))
	if p > 0 && notExist(err) {
		b, err = t.read(path(0))
	}
	return b, err
}

// bundle returns the entries of bundle number index in a log of size entries.
func (t *tiles) bundle(index, size uint64) ([][]byte, error) {
	p := layout.PartialTileSize(0, index, size)
	want := int(p)
	if p == 0 {
		want = bundleWidth
	}
	t.mu.Lock()
	c, ok := t.cache[index]
	t.mu.Unlock()
	if ok && len(c.entries) >= want {
		return c.entries[:want], nil
	}
	raw, err := t.rawBundle(index, p)
	if err != nil {
		return nil, err
	}
	entries, err := parseBundle(raw, want)
	if err != nil {
		return nil, fmt.Errorf("%w: bundle %d: %w", ErrDamaged, index, err)
	}
	t.mu.Lock()
	if len(t.cache) >= maxCached {
		clear(t.cache)
	}
	t.cache[index] = cached{entries}
	t.mu.Unlock()
	return entries[:want], nil
}

func parseBundle(raw []byte, want int) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(raw); err != nil {
		return nil, err
	}
	if len(b.Entries) < want || len(b.Entries) > bundleWidth {
		return nil, fmt.Errorf("it has %d entries, want %d", len(b.Entries), want)
	}
	return b.Entries, nil
}

// entry returns the data of one entry.
func (t *tiles) entry(index, size uint64) ([]byte, error) {
	if index >= size {
		return nil, ErrNotFound
	}
	b, err := t.bundle(index/bundleWidth, size)
	if err != nil {
		return nil, fmt.Errorf("read entry %d: %w", index, err)
	}
	return b[index%bundleWidth], nil
}

// inclusion builds the proof of an entry in the tree of size entries.
func (t *tiles) inclusion(ctx context.Context, index, size uint64) ([][32]byte, error) {
	pb, err := client.NewProofBuilder(ctx, size, t.tile)
	if err != nil {
		return nil, err
	}
	proof, err := pb.InclusionProof(ctx, index)
	return hashes(proof, err)
}

// consistency builds the proof that the tree of larger entries begins with that of
// smaller.
func (t *tiles) consistency(ctx context.Context, smaller, larger uint64) ([][32]byte, error) {
	if smaller == 0 || smaller == larger {
		return nil, nil
	}
	pb, err := client.NewProofBuilder(ctx, larger, t.tile)
	if err != nil {
		return nil, err
	}
	proof, err := pb.ConsistencyProof(ctx, smaller, larger)
	return hashes(proof, err)
}

func hashes(proof [][]byte, err error) ([][32]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("build a proof: %w", err)
	}
	out := make([][32]byte, len(proof))
	for i, h := range proof {
		if len(h) != 32 {
			return nil, errors.New("build a proof: a hash is not 32 bytes")
		}
		out[i] = [32]byte(h)
	}
	return out, nil
}
