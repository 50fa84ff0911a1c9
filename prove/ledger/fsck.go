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
	"sort"
	"strings"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/ledger/internal/wal"
	"github.com/asepsis/asepsis/prove/receipt"
)

// Report is what Fsck found.
type Report struct {
	Origin    string    `json:"origin"`
	Size      uint64    `json:"size"`  // recorded
	Ahead     uint64    `json:"ahead"` // of them in the write-ahead log alone, not in the tree yet
	Published uint64    `json:"published"`
	Witnessed uint64    `json:"witnessed"`
	Cases     int       `json:"cases"`
	Files     int       `json:"files"` // that were read and compared
	Bytes     int64     `json:"bytes"`
	Problems  []Problem `json:"problems"`
	More      int       `json:"more,omitempty"` // problems beyond the first MaxProblems
	// Leftovers are files that a crash left and that the log does not use, and groups of the
	// write-ahead log that were being written when it came.
	Leftovers []string `json:"leftovers,omitempty"`
}

// Problem is one thing that is not as it was signed.
type Problem struct {
	Where string `json:"where"` // a file below the ledger's directory, or an entry
	What  string `json:"what"`
}

// MaxProblems bounds a report.
const MaxProblems = 100

// fsck is one check of a whole log.
type fsck struct {
	dir    string
	tiles  *tiles
	trust  *receipt.Trust
	report Report
	size   uint64
	heads  map[uint64][]head2 // roots to compare, by size
	levels []tileLevel
	chains map[custody.Commitment]*chain
	ids    map[[16]byte]struct{}
	used   map[string]bool // files below log/ that were compared
	ahead  wal.Tail        // what the write-ahead log holds
}

// head2 is a root that somebody signed, and where that is written.
type head2 struct {
	where string
	root  [32]byte
}

// tileLevel collects the hashes of the newest tile of one level.
type tileLevel struct {
	index uint64
	nodes []byte
}

// chain is what was seen of a case.
type chain struct {
	sequence uint64
	hash     string
	early    map[uint64][2]string // previous and own hash of statements that came before their predecessor
}

// Fsck reads a whole log and compares everything with everything: entries with
// tiles, tiles with the signed roots, statements with their form, cases with
// their chains, files with what should be there. It writes nothing, and may run
// beside the process that writes the log.
//
// Memory: 16 bytes for each entry and some for each case.
func Fsck(ctx context.Context, dir string, progress func(done, all uint64)) (Report, error) {
	f := &fsck{dir: dir, tiles: openTiles(filepath.Join(dir, logDir)), heads: map[uint64][]head2{}, chains: map[custody.Commitment]*chain{}, ids: map[[16]byte]struct{}{}, used: map[string]bool{}}
	b, err := os.ReadFile(filepath.Join(dir, trustFile))
	if err != nil {
		return f.report, fmt.Errorf("ledger: %w", err)
	}
	if f.trust, err = receipt.ParseTrust(b); err != nil {
		return f.report, fmt.Errorf("ledger: %w", err)
	}
	f.report.Origin, f.report.Problems = f.trust.Log.Name, []Problem{}
	f.readAhead(ctx)
	f.signed()
	if err := f.entries(ctx, progress); err != nil {
		return f.report, err
	}
	f.waiting()
	f.chainsEnd()
	err = f.files(ctx)
	return f.report, err
}

func (f *fsck) problem(where, format string, args ...any) {
	if len(f.report.Problems) >= MaxProblems {
		f.report.More++
		return
	}
	f.report.Problems = append(f.report.Problems, Problem{where, fmt.Sprintf(format, args...)})
}

// signed reads what was signed, and the log's own state.
func (f *fsck) signed() {
	add := func(name string, note []byte, err error, witnesses bool) uint64 {
		if err != nil {
			if !notExist(err) {
				f.problem(name, "cannot be read: %v", err)
			}
			return 0
		}
		c, err := f.trust.Open(note)
		if err != nil {
			f.problem(name, "%v", err)
			return 0
		}
		if witnesses && len(c.Cosigned) < f.trust.Required {
			f.problem(name, "has %d signatures of witnesses, %d are required", len(c.Cosigned), f.trust.Required)
		}
		f.heads[c.Size] = append(f.heads[c.Size], head2{name, c.Root})
		return c.Size
	}
	const published = logDir + "/" + layout.CheckpointPath
	note, err := f.tiles.read(layout.CheckpointPath)
	f.report.Published = add(published, note, err, false)
	if notExist(err) {
		f.problem(published, "is missing")
	}
	f.used[layout.CheckpointPath] = true
	note, err = os.ReadFile(filepath.Join(f.dir, witnessedFile))
	f.report.Witnessed = add(witnessedFile, note, err, true)
	f.stamps(add)
	f.state()
	for size, heads := range f.heads {
		if size > f.size {
			f.problem(heads[0].where, "was signed for %d entries, %d are there", size, f.size)
		}
	}
}

func (f *fsck) stamps(add func(string, []byte, error, bool) uint64) {
	names, err := os.ReadDir(filepath.Join(f.dir, stampDir))
	if err != nil {
		return
	}
	for _, e := range names {
		name := stampDir + "/" + e.Name()
		if !strings.HasSuffix(name, stampSuffix) { // being written, or its writer was killed
			f.report.Leftovers = append(f.report.Leftovers, name)
			continue
		}
		b, err := os.ReadFile(filepath.Join(f.dir, name))
		var s stamp
		if err == nil {
			err = json.Unmarshal(b, &s)
		}
		if again, _ := json.Marshal(s); err == nil && !bytes.Equal(again, b) {
			err = errors.New("it is not as it was written")
		}
		add(name, []byte(s.Checkpoint), err, false)
		if c, err := f.trust.Open([]byte(s.Checkpoint)); err == nil {
			if err := receipt.CheckTimestamp(s.Token, c.Body, f.trust); err != nil {
				f.problem(name, "%v", err)
			}
		}
	}
}

// state reads .state/treeState strictly: Go's decoder would take "Size" for "size".
func (f *fsck) state() {
	const where = logDir + "/" + treeStateFile
	f.used[treeStateFile] = true
	raw, err := f.tiles.read(treeStateFile)
	if err != nil {
		f.problem(where, "cannot be read: %v", err)
		f.size = f.report.Published
		return
	}
	var st struct {
		Size uint64 `json:"size"`
		Root []byte `json:"root"`
	}
	err = json.Unmarshal(raw, &st)
	if again, _ := json.Marshal(st); err != nil || !bytes.Equal(again, raw) || st.Size > 1<<53 || len(st.Root) != 32 {
		f.problem(where, "is not as it was written")
		f.size = f.report.Published
		return
	}
	f.size, f.report.Size = st.Size, st.Size
	f.heads[st.Size] = append(f.heads[st.Size], head2{where, [32]byte(st.Root)})
}

// entries reads every bundle, builds the tree again, and compares tiles and roots on
// the way.
func (f *fsck) entries(ctx context.Context, progress func(done, all uint64)) error {
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	tree := factory.NewEmptyRange(0)
	f.compareRoot(tree)
	for n := uint64(0); n*bundleWidth < f.size; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := layout.PartialTileSize(0, n, f.size)
		want := bundleWidth
		if p > 0 {
			want = int(p)
		}
		raw, name, err := f.inUse(p, func(p uint8) string { return layout.EntriesPath(n, p) })
		if err != nil {
			f.problem(logDir+"/"+name, "cannot be read: %v", err)
			return nil // nothing behind it can be compared
		}
		bundle, err := parseBundle(raw, want)
		if err != nil {
			f.problem(logDir+"/"+name, "is no bundle: %v", err)
			return nil
		}
		f.report.Bytes += int64(len(raw))
		for i, data := range bundle[:want] {
			f.same(n*bundleWidth+uint64(i), data)
			f.entry(n*bundleWidth+uint64(i), data)
			leaf := rfc6962.DefaultHasher.HashLeaf(data)
			if err := tree.Append(leaf, nil); err != nil {
				return err
			}
			f.node(0, leaf)
			f.compareRoot(tree)
		}
		if progress != nil {
			progress(min((n+1)*bundleWidth, f.size), f.size)
		}
	}
	for level := range f.levels {
		f.compareTile(level)
	}
	return nil
}

// inUse reads a file that the log uses at its size.
func (f *fsck) inUse(p uint8, path func(uint8) string) ([]byte, string, error) {
	name := path(p)
	b, err := f.tiles.read(name)
	if p > 0 && notExist(err) {
		name = path(0)
		b, err = f.tiles.read(name)
	}
	f.used[name] = true
	f.report.Files++
	return b, name, err
}

func (f *fsck) compareRoot(tree *compact.Range) {
	heads := f.heads[tree.End()]
	if len(heads) == 0 {
		return
	}
	root := rfc6962.DefaultHasher.EmptyRoot()
	if tree.End() > 0 {
		var err error
		if root, err = tree.GetRootHash(nil); err != nil {
			return
		}
	}
	for _, h := range heads {
		if !bytes.Equal(root, h.root[:]) {
			f.problem(h.where, "was signed for another content of the first %d entries", tree.End())
		}
	}
}

// node adds a hash to the tiles of a level (C2SP tlog-tiles): a full tile's root is a
// node of the level above.
func (f *fsck) node(level int, hash []byte) {
	if level == len(f.levels) {
		f.levels = append(f.levels, tileLevel{})
	}
	l := &f.levels[level]
	l.nodes = append(l.nodes, hash...)
	if len(l.nodes) < layout.TileWidth*32 {
		return
	}
	f.compareTile(level)
	up := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r := up.NewEmptyRange(0)
	for i := 0; i < len(l.nodes); i += 32 {
		_ = r.Append(l.nodes[i:i+32], nil) // only fails for a range that does not begin at 0
	}
	root, err := r.GetRootHash(nil)
	l.index++
	l.nodes = nil
	if err == nil {
		f.node(level+1, root)
	}
}

func (f *fsck) compareTile(level int) {
	l := &f.levels[level]
	if len(l.nodes) == 0 {
		return
	}
	p := uint8(len(l.nodes) / 32 % layout.TileWidth)
	raw, name, err := f.inUse(p, func(p uint8) string { return layout.TilePath(uint64(level), l.index, p) })
	switch {
	case err != nil:
		f.problem(logDir+"/"+name, "cannot be read: %v", err)
	case len(raw) < len(l.nodes) || len(raw)%32 != 0 || p > 0 && strings.HasSuffix(name, fmt.Sprintf(".p/%d", p)) && len(raw) != len(l.nodes):
		f.problem(logDir+"/"+name, "has %d bytes, %d belong there", len(raw), len(l.nodes))
	case !bytes.Equal(raw[:len(l.nodes)], l.nodes):
		f.problem(logDir+"/"+name, "does not have the hashes of what is below it")
	}
}

// files looks at what lies around: former partial tiles must agree with what replaced
// them, and nothing else may be there.
func (f *fsck) files(ctx context.Context) error {
	root := filepath.Join(f.dir, logDir)
	var names []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		names = append(names, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	sort.Strings(names)
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !f.used[name] {
			f.file(name)
		}
	}
	return nil
}

func (f *fsck) file(name string) {
	where := logDir + "/" + name
	if strings.HasPrefix(name, ".state/") {
		f.stateFile(name)
		return
	}
	rest, ok := strings.CutPrefix(name, "tile/")
	kind, path, ok2 := strings.Cut(rest, "/")
	index, p, err := layout.ParseTileIndexPartial(path)
	if !ok || !ok2 || err != nil {
		f.report.Leftovers = append(f.report.Leftovers, where)
		return
	}
	var level, width uint64 = 0, 1
	current := func(p uint8) string { return layout.EntriesPath(index, p) }
	if kind != "entries" {
		if level, err = layout.ParseTileLevel(kind); err != nil || level > 7 {
			f.problem(where, "does not belong here")
			return
		}
		width = 1 << (8 * level)
		current = func(p uint8) string { return layout.TilePath(level, index, p) }
	}
	there := f.size/width - min(f.size/width, index*layout.TileWidth)
	if current(p) != name {
		f.problem(where, "does not belong here")
		return
	}
	if there == 0 || p == 0 || uint64(p) > there {
		// Written before a crash, and not part of the log: it will be replaced.
		f.report.Leftovers = append(f.report.Leftovers, where)
		return
	}
	now := uint8(0)
	if there < layout.TileWidth {
		now = uint8(there)
	}
	whole, err := f.tiles.partialOrFull(now, current)
	part, err2 := f.tiles.read(name)
	f.report.Files++
	if err != nil || err2 != nil || !bytes.HasPrefix(whole, part) || kind != "entries" && len(part) != int(p)*32 {
		f.problem(where, "differs from what replaced it")
		return
	}
	if kind == "entries" {
		if b, err := parseBundle(part, int(p)); err != nil || len(b) != int(p) {
			f.problem(where, "differs from what replaced it")
		}
	}
}

// stateFile knows the small files of the storage besides treeState.
func (f *fsck) stateFile(name string) {
	b, err := f.tiles.read(name)
	var gc struct {
		FromSize uint64 `json:"fromSize"`
	}
	ok := err == nil
	switch name {
	case ".state/version":
		ok = ok && string(b) == "1"
	case ".state/gcState":
		ok = ok && json.Unmarshal(b, &gc) == nil && gc.FromSize <= f.size
		again, _ := json.Marshal(gc)
		ok = ok && bytes.Equal(again, b)
	case ".state/publish.lock", ".state/treeState.lock", ".state/gcState.lock":
		ok = ok && len(b) == 0
	default:
		f.report.Leftovers = append(f.report.Leftovers, logDir+"/"+name)
	}
	if !ok {
		f.problem(logDir+"/"+name, "is not as it was written")
	}
}
