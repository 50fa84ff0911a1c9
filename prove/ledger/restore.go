// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/prove/ledger/internal/wal"
	"github.com/asepsis/asepsis/prove/receipt"
)

// ErrNotEmpty: there is something where a log should be made.
var ErrNotEmpty error = &refusal{"the directory is not empty", "name a new directory: a log is never written over"}

// Import makes a log directory for reading from segments that follow each other from
// the first entry on; where segments overlap the longer is taken. Each is checked
// against the trust file first. The last must reach the size of its checkpoint, as Export
// makes it.
func Import(ctx context.Context, files []string, trust []byte, dir string) (receipt.Checkpoint, error) {
	t, err := receipt.ParseTrust(trust)
	if err != nil {
		return receipt.Checkpoint{}, err
	}
	if names, err := os.ReadDir(dir); err == nil && len(names) > 0 {
		return receipt.Checkpoint{}, fmt.Errorf("ledger: import into %s: %w", dir, ErrNotEmpty)
	}
	type found struct {
		file string
		Segment
	}
	var all []found
	for _, f := range files {
		s, err := readManifest(f)
		if err != nil {
			return receipt.Checkpoint{}, err
		}
		all = append(all, found{f, s})
	}
	b := newBuilder(filepath.Join(dir, logDir))
	var c receipt.Checkpoint
	var note []byte
	for b.tree.End() < c.Size || note == nil {
		best := -1
		for i, x := range all {
			if x.From == b.tree.End() && (best < 0 || x.To > all[best].To) {
				best = i
			}
		}
		if best < 0 {
			return c, &hinted{fmt.Errorf("ledger: import: no segment begins at entry %d", b.tree.End()), "name all segments of the export, and its last"}
		}
		if _, c, note, err = ReadSegment(all[best].file, t, func(name string, bundle []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return b.add(name, bundle)
		}); err != nil {
			return c, fmt.Errorf("ledger: import: %w", err)
		}
		all = slices.Delete(all, best, best+1)
	}
	root, err := b.finish()
	if err != nil {
		return c, fmt.Errorf("ledger: import: %w", diskError(err))
	}
	if root != c.Root {
		return c, fmt.Errorf("ledger: import: %w: the segments together lead to another root", ErrDamaged)
	}
	if err := b.write(layout.CheckpointPath, note); err != nil {
		return c, err
	}
	if len(c.Cosigned) >= t.Required && t.Required > 0 {
		if err := durable.WriteMode(filepath.Join(dir, witnessedFile), note, 0o644); err != nil {
			return c, err
		}
	}
	return c, durable.WriteMode(filepath.Join(dir, trustFile), trust, 0o644)
}

func readManifest(file string) (Segment, error) {
	var s Segment
	stop := errors.New("read")
	err := eachFile(file, func(_ string, data []byte) error {
		if err := json.Unmarshal(data, &s); err != nil {
			return errors.New("its manifest cannot be read")
		}
		return stop
	})
	if errors.Is(err, stop) {
		return s, nil
	}
	return s, fmt.Errorf("segment %s: %w", filepath.Base(file), errors.Join(err, errors.New("it has no manifest")))
}

// builder writes the files of a log from its entries.
type builder struct {
	dir    string
	tree   *compact.Range
	levels []tileLevel
}

func newBuilder(dir string) *builder {
	return &builder{dir: dir, tree: (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)}
}

func (b *builder) write(name string, data []byte) error {
	file := filepath.Join(b.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // what is below log/ is public
		return err
	}
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, data) {
		return nil // of an earlier backup
	}
	return durable.WriteMode(file, data, 0o644)
}

func (b *builder) add(name string, bundle []byte) error {
	entries, err := parseBundle(bundle, 1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		leaf := rfc6962.DefaultHasher.HashLeaf(e)
		if err := b.tree.Append(leaf, nil); err != nil {
			return err
		}
		if err := b.node(0, leaf); err != nil {
			return err
		}
	}
	return b.write(name, bundle)
}

func (b *builder) node(level int, hash []byte) error {
	if level == len(b.levels) {
		b.levels = append(b.levels, tileLevel{})
	}
	l := &b.levels[level]
	l.nodes = append(l.nodes, hash...)
	if len(l.nodes) < layout.TileWidth*32 {
		return nil
	}
	nodes, index := l.nodes, l.index
	l.index, l.nodes = l.index+1, nil
	if err := b.write(layout.TilePath(uint64(level), index, 0), nodes); err != nil {
		return err
	}
	r := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for i := 0; i < len(nodes); i += 32 {
		if err := r.Append(nodes[i:i+32], nil); err != nil {
			return err
		}
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		return err
	}
	return b.node(level+1, root)
}

// finish writes the partial tiles and the state, and returns the root.
func (b *builder) finish() ([32]byte, error) {
	for level, l := range b.levels {
		if len(l.nodes) > 0 {
			if err := b.write(layout.TilePath(uint64(level), l.index, uint8(len(l.nodes)/32)), l.nodes); err != nil {
				return [32]byte{}, err
			}
		}
	}
	root := rfc6962.DefaultHasher.EmptyRoot()
	if b.tree.End() > 0 {
		var err error
		if root, err = b.tree.GetRootHash(nil); err != nil {
			return [32]byte{}, err
		}
	}
	if err := b.write(".state/version", []byte("1")); err != nil {
		return [32]byte{}, err
	}
	return [32]byte(root), writeTreeState(b.dir, b.tree.End(), [32]byte(root))
}

// BackupOptions say what goes into a backup.
type BackupOptions struct {
	// Secrets are the signing key and the salts. With them a backup can be run as the
	// ledger; whoever has it can sign as the log, and what is erased here later is still
	// there.
	Secrets bool
}

// Backup copies a log into a directory, also while it is written: the tree as of its newest
// checkpoint, and what was recorded beyond it as a write-ahead log. What is there from an
// earlier backup of the same log is not copied again. The copy is built from its entries, tile by
// tile, and is only accepted when it leads to the signed root.
func Backup(ctx context.Context, dir, to string, o BackupOptions) (receipt.Checkpoint, error) {
	r, err := OpenReaderBare(dir)
	if err != nil {
		return receipt.Checkpoint{}, err
	}
	note, err := r.tiles.checkpoint()
	if err != nil || note == nil {
		return receipt.Checkpoint{}, fmt.Errorf("ledger: backup: %w", errors.Join(err, ErrNotYet))
	}
	c, err := r.trust.Open(note)
	if err != nil {
		return c, fmt.Errorf("ledger: backup: %w", err)
	}
	trust, err := os.ReadFile(filepath.Join(dir, trustFile))
	if err != nil {
		return c, fmt.Errorf("ledger: backup: %w", err)
	}
	if err := sameLog(to, r.trust.Log.Name); err != nil {
		return c, err
	}
	if err := os.MkdirAll(to, 0o700); err != nil { // before its log, which others may read
		return c, fmt.Errorf("ledger: backup: %w", err)
	}
	b := newBuilder(filepath.Join(to, logDir))
	if err := b.copy(ctx, r, c); err != nil {
		return c, fmt.Errorf("ledger: backup: %w", diskError(err))
	}
	if err := b.write(layout.CheckpointPath, note); err != nil {
		return c, fmt.Errorf("ledger: backup: %w", diskError(err))
	}
	files := map[string]os.FileMode{witnessedFile: 0o644}
	if o.Secrets {
		files[keyFile], files[saltFile] = 0o600, 0o600
	}
	names, err := os.ReadDir(filepath.Join(dir, stampDir))
	if err != nil && !notExist(err) {
		return c, fmt.Errorf("ledger: backup: %w", err)
	}
	for _, n := range names {
		if strings.HasSuffix(n.Name(), stampSuffix) { // not what is being written
			files[filepath.Join(stampDir, n.Name())] = 0o644
		}
	}
	if err := os.MkdirAll(filepath.Join(to, stampDir), 0o700); err != nil {
		return c, fmt.Errorf("ledger: backup: %w", err)
	}
	for name, mode := range files {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if notExist(err) {
			continue
		}
		if err == nil && name == witnessedFile {
			if w, werr := r.trust.Open(data); werr != nil || w.Size > c.Size {
				continue // written since: the copy would look as if entries were missing
			}
		}
		if err == nil {
			err = durable.WriteMode(filepath.Join(to, name), data, mode)
		}
		if err != nil {
			return c, fmt.Errorf("ledger: backup: %w", diskError(err))
		}
	}
	if err := r.copyAhead(to, c.Size); err != nil {
		return c, fmt.Errorf("ledger: backup: %w", diskError(err))
	}
	return c, durable.WriteMode(filepath.Join(to, trustFile), trust, 0o644)
}

// copyAhead writes what is recorded beyond a checkpoint as the write-ahead log of a copy, up
// to what one file may hold.
func (r *Reader) copyAhead(to string, from uint64) error {
	size, err := r.Size()
	if err != nil {
		return err
	}
	var entries [][]byte
	for i, total := from, 0; i < size && total < wal.MaxSlot/2; i++ {
		data, err := r.data(i)
		if err != nil {
			return err
		}
		entries = append(entries, data)
		total += len(data)
	}
	dir := filepath.Join(to, walDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if n.Name() != wal.CopyName && n.Name() != durable.Beside(wal.CopyName) { // a backup that was killed left that
			return &hinted{fmt.Errorf("%w: %s/%s is of a ledger that runs there", ErrNotEmpty, walDir, n.Name()), "a copy that was run is a log of its own: name a new directory"}
		}
	}
	return durable.Write(filepath.Join(dir, wal.CopyName), wal.Copy(r.view.id, from, entries))
}

// sameLog refuses to mix two logs in one directory.
func sameLog(dir, origin string) error {
	b, err := os.ReadFile(filepath.Join(dir, trustFile))
	if err != nil {
		if names, derr := os.ReadDir(dir); derr == nil && len(names) > 0 {
			return fmt.Errorf("ledger: backup into %s: %w", dir, ErrNotEmpty)
		}
		return nil //nolint:nilerr // nothing is there
	}
	t, err := receipt.ParseTrust(b)
	if err != nil || t.Log.Name != origin {
		return fmt.Errorf("ledger: backup into %s: %w with another log", dir, ErrNotEmpty)
	}
	return nil
}

// copy takes every bundle up to a checkpoint and builds the tree over what it took.
func (b *builder) copy(ctx context.Context, r *Reader, c receipt.Checkpoint) error {
	own := openTiles(b.dir)
	for n := uint64(0); n*bundleWidth < c.Size; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := layout.EntriesPath(n, layout.PartialTileSize(0, n, c.Size))
		data, err := own.read(name) // of an earlier backup; the root shows whether it is right
		if err != nil {
			entries, err := r.tiles.bundle(n, c.Size)
			if err != nil {
				return err
			}
			data = marshalBundle(entries)
		}
		if err := b.add(name, data); err != nil {
			return err
		}
	}
	root, err := b.finish()
	if err == nil && root != c.Root {
		err = fmt.Errorf("%w: the copy leads to another root than the checkpoint's", ErrDamaged)
	}
	return err
}
