// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/prove/receipt"
)

// SegmentEntries is how many entries a sealed segment has.
const SegmentEntries = 1 << 16

// SegmentFormat is the format of a segment's manifest.
const SegmentFormat = "asepsis-segment/v1"

// Segment is a run of entries that proves itself: with the roots of what is before and
// behind it, its entries lead to the root of the checkpoint in it. As a file it is a tar
// archive with manifest.json, checkpoint, and the entry bundles under their names of C2SP
// tlog-tiles; it is written once, readable by all and writable by none.
type Segment struct {
	Format string   `json:"format"`
	Origin string   `json:"origin"`
	From   uint64   `json:"from"`
	To     uint64   `json:"to"`
	Before [][]byte `json:"before"` // compact range of the entries before
	After  [][]byte `json:"after"`  // and of those behind, up to the checkpoint's size
}

// SegmentName is the file name of a segment; names sort by their place in the log.
func SegmentName(from, to uint64) string {
	return fmt.Sprintf("segment-%016d-%016d.tar", from, to)
}

// Export writes the segments of a log that are not in a directory yet, the last up to
// the newest checkpoint (witnessed, where witnesses are required). What is there is never
// changed. It may run beside the process that writes the log.
func Export(ctx context.Context, dir, to string) ([]string, error) {
	return export(ctx, dir, to, SegmentEntries)
}

func export(ctx context.Context, dir, to string, per uint64) ([]string, error) {
	r, err := OpenReaderBare(dir)
	if err != nil {
		return nil, err
	}
	c, note, err := r.newest()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(to, 0o755); err != nil { //nolint:gosec // segments are public
		return nil, fmt.Errorf("ledger: export: %w", err)
	}
	made := []string{}
	for from := uint64(0); from < c.Size; from += per {
		end := min(from+per, c.Size)
		file := filepath.Join(to, SegmentName(from, end))
		if _, err := os.Stat(file); err == nil {
			continue
		}
		if err := r.writeSegment(ctx, file, from, end, c, note); err != nil {
			return made, fmt.Errorf("ledger: export %s: %w", filepath.Base(file), diskError(err))
		}
		made = append(made, file)
	}
	return made, nil
}

// newest returns the newest checkpoint that the policy accepts.
func (r *Reader) newest() (receipt.Checkpoint, []byte, error) {
	if r.trust.Required > 0 {
		c, note, err := r.witnessed()
		if err == nil && note == nil {
			err = ErrNotYet
		}
		return c, note, err
	}
	note, err := r.tiles.checkpoint()
	if err != nil || note == nil {
		return receipt.Checkpoint{}, nil, errors.Join(err, ErrNotYet)
	}
	c, err := r.trust.Open(note)
	return c, note, err
}

func (r *Reader) writeSegment(ctx context.Context, file string, from, to uint64, c receipt.Checkpoint, note []byte) error {
	m := Segment{Format: SegmentFormat, Origin: c.Origin, From: from, To: to}
	var err error
	if m.Before, err = r.rangeHashes(ctx, 0, from, c.Size); err != nil {
		return err
	}
	if m.After, err = r.rangeHashes(ctx, to, c.Size, c.Size); err != nil {
		return err
	}
	manifest, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return durable.CreateFrom(file, 0o444, func(w io.Writer) error {
		t := tar.NewWriter(w)
		put := func(name string, data []byte) error {
			if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o444, Size: int64(len(data)), Format: tar.FormatUSTAR}); err != nil {
				return err
			}
			_, err := t.Write(data)
			return err
		}
		if err := errors.Join(put("manifest.json", append(manifest, '\n')), put("checkpoint", note)); err != nil {
			return err
		}
		for n := from / bundleWidth; n*bundleWidth < to; n++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			entries, err := r.tiles.bundle(n, to)
			if err != nil {
				return err
			}
			if err := put(layout.EntriesPath(n, uint8(len(entries)%bundleWidth)), marshalBundle(entries)); err != nil {
				return err
			}
		}
		return t.Close()
	})
}

// rangeHashes returns the compact range of [from, to) in the tree of size entries.
func (r *Reader) rangeHashes(ctx context.Context, from, to, size uint64) ([][]byte, error) {
	out := [][]byte{}
	if from == to {
		return out, nil
	}
	for _, id := range compact.RangeNodes(from, to, nil) {
		h, err := r.node(ctx, id, size)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}

// node computes the root of a perfect subtree from the tile that has its highest
// hashes.
func (r *Reader) node(ctx context.Context, id compact.NodeID, size uint64) ([]byte, error) {
	level := uint64(id.Level / layout.TileHeight)
	depth := id.Level % layout.TileHeight // levels of the subtree within the tile
	first := id.Index << depth
	count := uint64(1) << depth
	index := first / layout.TileWidth
	raw, err := r.tiles.tile(ctx, level, index, layout.PartialTileSize(level, index, size))
	if err != nil {
		return nil, err
	}
	at := first % layout.TileWidth
	if uint64(len(raw)) < (at+count)*32 {
		return nil, errInconsistent("tile %d/%d is too short", level, index)
	}
	f := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	x := f.NewEmptyRange(0)
	for i := at; i < at+count; i++ {
		if err := x.Append(raw[i*32:(i+1)*32], nil); err != nil {
			return nil, err
		}
	}
	return x.GetRootHash(nil)
}

func marshalBundle(entries [][]byte) []byte {
	var b bytes.Buffer
	for _, e := range entries {
		b.Write([]byte{byte(len(e) >> 8), byte(len(e))})
		b.Write(e)
	}
	return b.Bytes()
}

// ReadSegment reads a segment's file, checks it against a trust file, and gives its
// bundles to visit, which must not keep them. Nothing is given before everything was
// checked: the file is read twice.
func ReadSegment(file string, t *receipt.Trust, visit func(name string, bundle []byte) error) (Segment, receipt.Checkpoint, []byte, error) {
	s, c, note, err := checkSegment(file, t)
	if err != nil || visit == nil {
		return s, c, note, err
	}
	err = eachFile(file, func(name string, data []byte) error {
		if !strings.HasPrefix(name, "tile/entries/") {
			return nil
		}
		return visit(name, data)
	})
	return s, c, note, err
}

func checkSegment(file string, t *receipt.Trust) (s Segment, c receipt.Checkpoint, note []byte, err error) {
	f := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	var tree *compact.Range
	next := uint64(0)
	err = eachFile(file, func(name string, data []byte) error {
		switch {
		case name == "manifest.json" && tree == nil:
			d := json.NewDecoder(bytes.NewReader(data))
			d.DisallowUnknownFields()
			if err := d.Decode(&s); err != nil || s.Format != SegmentFormat || s.From >= s.To || s.To > 1<<53 || s.From%bundleWidth != 0 {
				return errors.New("its manifest cannot be read")
			}
			next = s.From
			var err error
			tree, err = f.NewRange(0, s.From, s.Before)
			return err
		case name == "checkpoint" && note == nil:
			note = bytes.Clone(data)
			var err error
			c, err = t.Open(note)
			return err
		case tree == nil || note == nil:
			return fmt.Errorf("%s comes before manifest and checkpoint", name)
		}
		want := min(bundleWidth, s.To-min(next, s.To))
		if name != layout.EntriesPath(next/bundleWidth, uint8(want%bundleWidth)) || want == 0 {
			return fmt.Errorf("%s does not belong there", name)
		}
		entries, err := parseBundle(data, int(want))
		if err != nil || len(entries) != int(want) {
			return fmt.Errorf("%s is no bundle of %d entries", name, want)
		}
		for _, e := range entries {
			if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(e), nil); err != nil {
				return err
			}
		}
		next += want
		return nil
	})
	switch {
	case err != nil:
	case tree == nil || note == nil:
		err = errors.New("it has no manifest or no checkpoint")
	case next != s.To || c.Size < s.To:
		err = fmt.Errorf("it ends at entry %d, not %d", next, s.To)
	default:
		var after *compact.Range
		if after, err = f.NewRange(s.To, c.Size, s.After); err == nil {
			err = tree.AppendRange(after, nil)
		}
		var root []byte
		if err == nil {
			root, err = tree.GetRootHash(nil)
		}
		if err == nil && !bytes.Equal(root, c.Root[:]) {
			err = errors.New("its entries do not lead to the root of its checkpoint")
		}
	}
	if err != nil {
		return s, c, nil, fmt.Errorf("segment %s: %w", filepath.Base(file), err)
	}
	return s, c, note, nil
}

// eachFile reads a tar archive of regular files within the bounds of a segment.
func eachFile(file string, visit func(name string, data []byte) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || h.Size > maxResource {
			return fmt.Errorf("%q is no file, or too long", h.Name)
		}
		data, err := io.ReadAll(io.LimitReader(r, maxResource+1))
		if err != nil {
			return err
		}
		if err := visit(h.Name, data); err != nil {
			return err
		}
	}
}
