// SPDX-License-Identifier: Apache-2.0

package ledger

import (
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

	"github.com/transparency-dev/tessera"
	"k8s.io/klog/v2"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/ledger/internal/oslock"
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
	kick    chan struct{} // something was recorded

	rate    rate
	heads   heads // the sequencer's alone
	size    atomic.Uint64
	witness witnessing
	audit   auditor
	notices notices
}

var _ Recorder = (*Ledger)(nil)

// New opens a log, or makes one, and checks it: the signing key is the log's, what is
// published and witnessed is signed and not longer than what is recorded, and the
// newest entries are whole. It reads the newest entries into the index, which takes
// about a second for 65,536.
//
// Nothing is written to the log before Run.
func New(c Config, deps Deps) (*Ledger, error) { return newLedger(c, deps, blockEntries) }

func newLedger(c Config, deps Deps, per uint64) (*Ledger, error) {
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
	l := &Ledger{cfg: c, deps: deps.withDefaults(), queue: make(chan *request, c.Waiting), running: make(chan struct{}), stopped: make(chan struct{}), kick: make(chan struct{}, 1), heads: heads{}}
	var err error
	if l.lock, err = lockDir(c.Dir); err != nil {
		return nil, err
	}
	if err := l.open(per); err != nil {
		_ = l.lock.Close()
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

func (l *Ledger) open(per uint64) error {
	c := l.cfg
	t := openTiles(filepath.Join(c.Dir, logDir))
	size, _, err := t.recorded()
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	cp, err := t.checkpoint()
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if l.key, err = loadKey(cmp.Or(c.KeyFile, filepath.Join(c.Dir, keyFile)), c.Origin, size > 0 || cp != nil); err != nil {
		return err
	}
	trust, err := c.trust(l.key.vkey)
	if err != nil {
		return err
	}
	if err := writeDurable(filepath.Join(c.Dir, trustFile), trust, 0o644); err != nil {
		return fmt.Errorf("ledger: write the trust file: %w", diskError(err))
	}
	if l.Reader, err = openReader(c.Dir, t, per); err != nil {
		return err
	}
	l.size.Store(size)
	if err := l.startupCheck(); err != nil {
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

// startupCheck holds what is there against what was signed.
func (l *Ledger) startupCheck() error {
	size := l.size.Load()
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
	return l.Reader.catchUp(size)
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
// wait, and returns.
func (l *Ledger) Run(ctx context.Context) error {
	defer func() { _ = l.lock.Close() }()
	// The storage outlives ctx: what was accepted is finished.
	storage, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	driver, err := newDriver(storage, l.cfg.Dir, l.deps.HTTP)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	opts := tessera.NewAppendOptions().WithCheckpointSigner(l.key.Signer).
		WithBatching(uint(l.cfg.BatchSize), l.cfg.BatchAge).
		WithPushback(uint(l.cfg.Waiting + l.cfg.BatchSize)).
		WithCheckpointInterval(l.cfg.Checkpoint).
		WithCheckpointRepublishInterval(0)
	appender, shutdown, _, err := tessera.NewAppender(storage, driver, opts)
	if err != nil {
		return fmt.Errorf("ledger: open the log: %w", diskError(err))
	}
	var rooms sync.WaitGroup
	side, stopSide := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSide()
	rooms.Go(func() { l.runWitnesses(side) })
	rooms.Go(func() { l.runAudit(side) })
	rooms.Go(func() { l.runStamps(side) })
	close(l.running)
	l.sequence(ctx, appender.Add)
	// What was recorded is published before the end, if it can be.
	end, done := context.WithTimeout(storage, 5*time.Second)
	if err := shutdown(end); err != nil {
		l.deps.Log.Warn("the last checkpoint will be published at the next start", "err", err)
	}
	done()
	stopSide()
	rooms.Wait()
	l.index.wait.Wait()
	return nil
}

// Close gives back a log that was opened and not run. After Run it does nothing.
func (l *Ledger) Close() error {
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
		return l.hasRoom()
	default:
		return ErrClosed
	}
}

// hasRoom refuses when less than the reserve is free, so that checkpoints and
// witnessed state can still be written.
func (l *Ledger) hasRoom() error {
	free, err := freeBytes(l.cfg.Dir)
	if err == nil && free < uint64(l.cfg.Reserve) {
		return ErrFull
	}
	return nil // where it cannot be told, the write itself will say what is wrong
}

// head is the newest statement of a case.
type head struct {
	sequence uint64
	hash     string
}

// heads remembers the cases that are in progress.
type heads map[custody.Commitment]head

const maxHeads = 4096
