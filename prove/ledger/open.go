// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api/layout"
	"k8s.io/klog/v2"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/prove/ledger/internal/oslock"
	"github.com/asepsis/asepsis/prove/ledger/internal/wal"
	"github.com/asepsis/asepsis/prove/receipt"
)

// Ledger records statements in a log of its own. One process at a time writes a
// log; any number reads it, see [Reader].
//
// Its methods are safe for use by several goroutines.
type Ledger struct {
	*Reader
	cfg  Config
	deps Deps
	key  signingKey
	lock *os.File

	queue   chan *request
	running chan struct{} // closed when Run takes requests
	stopped chan struct{} // closed when it takes none any more
	kick    chan struct{} // something was recorded, for the integrator
	room    chan struct{} // something was integrated or failed, for the sequencer

	gate    *gate
	wal     *wal.Log
	ahead   ahead
	tree    *compact.Range        // as of opening; then the integrator's
	blocked atomic.Pointer[error] // why nothing can be recorded, set by the integrator

	rate    rate
	heads   heads // the sequencer's alone
	size    atomic.Uint64
	witness witnessing
	audit   auditor
	notices notices
}

var _ Recorder = (*Ledger)(nil)

// New opens a log, or makes one, and checks it: the signing key is the log's, what is
// published and witnessed is signed and not longer than what is recorded, the
// newest entries are whole, and what the write-ahead log holds goes on from the tree and agrees
// with it. It reads the newest entries into the index, which takes about a second for 65,536.
//
// Nothing is written to the log before Run.
func New(c Config, deps Deps) (*Ledger, error) { return newLedger(c, deps, hooks{per: blockEntries}) }

// hooks are what tests hold in their hands.
type hooks struct {
	per  uint64 // entries of a block of the index
	sync func(*os.File) error
}

func newLedger(c Config, deps Deps, h hooks) (*Ledger, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := supported(); err != nil {
		return nil, err
	}
	if c.Dir == "" {
		return nil, errors.New("ledger: no directory")
	}
	for _, d := range []string{c.Dir, filepath.Join(c.Dir, stampDir)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
	}
	quiet(deps.Log)
	l := &Ledger{cfg: c, deps: deps.withDefaults(), queue: make(chan *request, c.Waiting), running: make(chan struct{}), stopped: make(chan struct{}), kick: make(chan struct{}, 1), room: make(chan struct{}, 1), heads: heads{}}
	var err error
	if l.lock, err = lockDir(c.Dir); err != nil {
		return nil, err
	}
	if err := l.open(h); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// klogOnce sends what Tessera says, through klog, where everything else goes. klog has
// one logger in a process; the first ledger's is taken.
var klogOnce sync.Once

func quiet(log *slog.Logger) {
	klogOnce.Do(func() {
		if log == nil {
			log = slog.New(slog.DiscardHandler)
		}
		klog.SetSlogLogger(slog.New(lowered{log.With("part", "tessera").Handler()}))
	})
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	if err := oslock.Take(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("ledger %s: %w", dir, ErrLocked)
	}
	return f, nil
}

func (l *Ledger) open(h hooks) error {
	c := l.cfg
	t := openTiles(filepath.Join(c.Dir, logDir))
	size, root, err := t.state()
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	cp, err := t.checkpoint()
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	_, err = os.Stat(filepath.Join(c.Dir, walDir))
	if l.key, err = loadKey(cmp.Or(c.KeyFile, filepath.Join(c.Dir, keyFile)), c.Origin, l.deps.Name, size > 0 || cp != nil || err == nil); err != nil {
		return err
	}
	trust, err := c.trust(l.key.vkey)
	if err != nil {
		return err
	}
	// What is there already is not written again: a log opens on a disk that is full.
	if have, err := os.ReadFile(filepath.Join(c.Dir, trustFile)); err != nil || !bytes.Equal(have, trust) {
		if err := durable.WriteMode(filepath.Join(c.Dir, trustFile), trust, 0o644); err != nil {
			return fmt.Errorf("ledger: write the trust file: %w", diskError(err))
		}
	}
	if l.Reader, err = openReader(c.Dir, t); err != nil {
		return err
	}
	l.live, l.ahead.base = &l.ahead, size
	if err := l.startupCheck(size, root); err != nil {
		return err
	}
	if err := l.openAhead(h.sync); err != nil {
		return err
	}
	_, recorded := l.ahead.sizes()
	l.size.Store(recorded)
	l.index = openIndex(filepath.Join(c.Dir, indexDir), h.per, recorded)
	if err := l.catchUp(recorded); err != nil {
		return err
	}
	if err := sweep(filepath.Join(c.Dir, logDir), size); err != nil {
		return fmt.Errorf("ledger: remove what a crash left: %w", err)
	}
	if err := l.witness.open(c, l.Reader); err != nil {
		return err
	}
	return l.audit.open(filepath.Join(c.Dir, auditFile))
}

// walSlots is how many files the write-ahead log has.
const walSlots = 8

// openAhead opens the write-ahead log and takes up what is not in the tree yet. What is in
// both must be the same.
func (l *Ledger) openAhead(sync func(*os.File) error) error {
	tree, _ := l.ahead.sizes()
	c := wal.Config{Dir: filepath.Join(l.cfg.Dir, walDir), ID: l.view.id, Slot: int64(l.cfg.WriteAhead) / walSlots, Slots: walSlots, Sync: sync}
	var tail wal.Tail
	var err error
	l.wal, tail, err = wal.Open(c, tree)
	var gap *wal.GapError
	if errors.As(err, &gap) {
		return &hinted{fmt.Errorf("ledger: %w: %w", ErrDamaged, gap), "acknowledged entries are missing: keep the directory as it is for whoever investigates, and restore a backup elsewhere"}
	}
	if err != nil {
		return fmt.Errorf("ledger: %w", diskError(err))
	}
	for _, u := range tail.Unfinished {
		l.deps.Log.Warn("a group was being written when the ledger was cut off; it was not acknowledged", "file", u.File, "at", u.At, "entry", u.First, "entries", u.Count)
	}
	var tile []byte
	for i := tail.First; i < tail.End(); i++ {
		data, _ := tail.Entry(i)
		leaf := receipt.LeafHash(data)
		if i >= tree {
			l.ahead.add([]waiting{{data, leaf}})
			continue
		}
		n, at := i/layout.TileWidth, i%layout.TileWidth*32
		if tile == nil || at == 0 {
			if tile, err = l.tiles.tile(context.Background(), 0, n, layout.PartialTileSize(0, n, tree)); err != nil {
				return fmt.Errorf("ledger: %w: tile %d: %w", ErrDamaged, n, err)
			}
		}
		if uint64(len(tile)) < at+32 || !bytes.Equal(tile[at:at+32], leaf[:]) {
			return fmt.Errorf("ledger: %w: entry %d in the tree is not the one that was acknowledged", ErrDamaged, i)
		}
	}
	return diskError(l.wal.Release(tree))
}

// trust makes the trust file of this log.
func (c Config) trust(vkey string) ([]byte, error) {
	var keys, roots []string
	for _, w := range c.Witnesses {
		keys = append(keys, w.Key)
	}
	if c.Timestamp.Roots != "" {
		b, err := os.ReadFile(c.Timestamp.Roots)
		if err != nil {
			return nil, fmt.Errorf("ledger: timestamp roots: %w", err)
		}
		roots = splitPEM(b)
	}
	b, err := receipt.WriteTrust(vkey, keys, c.Required, roots)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return b, nil
}

// startupCheck holds what is there against what was signed, and the tree's state against
// its tiles.
func (l *Ledger) startupCheck(size uint64, root []byte) error {
	published, err := l.Published()
	if err != nil {
		return fmt.Errorf("ledger: the published checkpoint: %w: %w", ErrDamaged, err)
	}
	witnessed, err := l.WitnessedCheckpoint()
	if err != nil {
		// Not of the log itself: keys of witnesses change with the configuration.
		l.deps.Log.Warn("the witnessed checkpoint cannot be used, witnesses will be asked again", "err", err)
	}
	if published.Size > size || witnessed.Size > published.Size {
		return &hinted{fmt.Errorf("ledger: %w: %d entries are recorded, %d published, %d witnessed", ErrDamaged, size, published.Size, witnessed.Size),
			"entries are missing that were signed for: restore the newest backup elsewhere, and ask who changed the directory"}
	}
	ctx := context.Background()
	if published.Size > 0 {
		// The newest entry of what is published leads to its root.
		if err := l.proves(ctx, published.Size-1, published); err != nil {
			return fmt.Errorf("ledger: %w: the newest published entry: %w", ErrDamaged, err)
		}
	}
	nodes, err := l.rangeHashes(ctx, 0, size, size)
	if err == nil {
		l.tree, err = rangeFactory().NewRange(0, size, nodes)
	}
	if err != nil {
		return fmt.Errorf("ledger: %w: the tree of %d entries: %w", ErrDamaged, size, err)
	}
	computed, err := rootOf(l.tree)
	if err != nil || size > 0 && !bytes.Equal(root, computed[:]) {
		return fmt.Errorf("ledger: %w: the tiles of %d entries lead to another root than the tree's state has", ErrDamaged, size)
	}
	l.gate = newGate(l.key.Signer)
	l.gate.allow(size, computed)
	return nil
}

// proves checks that an entry as it is on disk is in a checkpoint's tree.
func (r *Reader) proves(ctx context.Context, i uint64, c receipt.Checkpoint) error {
	data, err := r.tiles.entry(i, c.Size)
	if err != nil {
		return err
	}
	proof, err := r.tiles.inclusion(ctx, i, c.Size)
	if err != nil {
		return err
	}
	return receipt.CheckInclusion(receipt.LeafHash(data), i, c.Size, proof, c.Root)
}

// Run records until ctx ends, then refuses new statements, finishes those that
// wait, and returns. The error is ErrDamaged when the tree came to disagree with what was acknowledged:
// nothing was recorded and published from then on.
func (l *Ledger) Run(ctx context.Context) error {
	defer func() { _ = l.Close() }()
	// The storage outlives ctx: what was accepted is finished.
	storage, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	appender, shutdown, err := l.openStorage(storage)
	if err != nil {
		return err
	}
	if err := l.prepareAhead(); err != nil {
		l.deps.Log.Warn("no room is prepared for the write-ahead log", "err", err)
	}
	var rooms, integrating sync.WaitGroup
	side, stopSide := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSide()
	rooms.Go(func() { l.runWitnesses(side) })
	rooms.Go(func() { l.runAudit(side) })
	rooms.Go(func() { l.runStamps(side) })
	ending := make(chan struct{})
	g := &integrator{l: l, add: appender.Add, tree: l.tree}
	integrating.Go(func() { g.run(ending) })
	close(l.running)
	l.sequence(ctx)
	close(ending)
	integrating.Wait()
	// What was recorded is published before the end, if it can be.
	end, done := context.WithTimeout(storage, 5*time.Second)
	if n := l.ahead.len(); n > 0 {
		l.deps.Log.Warn("what is recorded and not in the tree will be at the next start", "entries", n)
	} else if err := shutdown(end); err != nil {
		l.deps.Log.Warn("the last checkpoint will be published at the next start", "err", err)
	}
	done()
	stopSide()
	rooms.Wait()
	l.index.wait.Wait()
	if err := l.blocked.Load(); err != nil && errors.Is(*err, ErrDamaged) {
		return *err
	}
	return nil
}

// openStorage opens the log's storage for the integrator.
func (l *Ledger) openStorage(ctx context.Context) (*tessera.Appender, func(context.Context) error, error) {
	driver, err := newDriver(ctx, l.cfg.Dir, l.deps.HTTP)
	if err != nil {
		return nil, nil, fmt.Errorf("ledger: %w", err)
	}
	opts := tessera.NewAppendOptions().WithCheckpointSigner(l.gate).
		WithBatching(uint(l.cfg.BatchSize), gathered).
		WithPushback(uint(2 * l.cfg.BatchSize)).
		WithCheckpointInterval(l.cfg.Checkpoint).
		WithCheckpointRepublishInterval(0)
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("ledger: open the log: %w", diskError(err))
	}
	return appender, shutdown, nil
}

// Close gives back a log that was opened and not run. After Run it does nothing.
func (l *Ledger) Close() error {
	if l.wal != nil {
		l.wal.Close()
	}
	if err := l.lock.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Key returns the log's verifier key, for witnesses and trust files.
func (l *Ledger) Key() string { return l.key.vkey }

// Ready reports whether statements can be recorded now.
func (l *Ledger) Ready(context.Context) error {
	select {
	case <-l.stopped:
		return ErrClosed
	case <-l.running:
		return l.refused()
	default:
		return ErrClosed
	}
}

// hasRoom refuses when less than the reserve would be free with everything that waits in
// the tree, so that what was recorded can still be published and witnessed.
func (l *Ledger) hasRoom() error {
	if l.cfg.Reserve == 0 {
		return nil
	}
	free, err := freeBytes(l.cfg.Dir)
	// A bundle that is not full yet is written again with what is added to it.
	if need := int64(l.cfg.Reserve) + 2*l.ahead.bytes(); err == nil && free < uint64(need) {
		return ErrFull
	}
	return nil // where it cannot be told, the write itself will say what is wrong
}
