// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/receipt"
)

// Reader reads a log, also while another process writes it. Its methods are safe for
// use by several goroutines.
type Reader struct {
	dir   string
	tiles *tiles
	trust *receipt.Trust
	index *index
	// What is recorded and not in the tree is in the memory of the process that writes the
	// log, or else in its write-ahead log.
	live *ahead
	view *walView

	published, cosigned opened
}

// opened remembers the last checkpoint whose signatures were checked.
type opened struct {
	mu   sync.Mutex
	note []byte
	c    receipt.Checkpoint
}

// open checks a note, or knows that it did.
func (o *opened) open(t *receipt.Trust, note []byte) (receipt.Checkpoint, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if bytes.Equal(o.note, note) {
		return o.c, nil
	}
	c, err := t.Open(note)
	if err == nil {
		o.note, o.c = note, c
	}
	return c, err
}

// OpenReader opens a log for reading, with its index. It writes nothing.
func OpenReader(dir string) (*Reader, error) {
	r, err := OpenReaderBare(dir)
	if err != nil {
		return nil, err
	}
	return r, r.Refresh()
}

// OpenReaderBare opens a log for reading by number alone: Find finds what the index's
// files have until Refresh is called.
func OpenReaderBare(dir string) (*Reader, error) {
	if _, err := os.Stat(filepath.Join(dir, logDir)); err != nil {
		return nil, &hinted{fmt.Errorf("ledger %s: %w", dir, err), "the directory with log/ and trust.json in it, usually ledger in the data directory"}
	}
	r, err := openReader(dir, openTiles(filepath.Join(dir, logDir)))
	if err != nil {
		return nil, err
	}
	size, err := r.Size()
	if err != nil {
		return nil, err
	}
	r.index = openIndex(filepath.Join(dir, indexDir), blockEntries, size)
	r.index.readOnly = true
	return r, nil
}

// openReader opens a log without its index.
func openReader(dir string, t *tiles) (*Reader, error) {
	b, err := os.ReadFile(filepath.Join(dir, trustFile))
	if err != nil {
		return nil, fmt.Errorf("ledger: read the trust file: %w", err)
	}
	r := &Reader{dir: dir, tiles: t}
	if r.trust, err = receipt.ParseTrust(b); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	r.view = &walView{dir: filepath.Join(dir, walDir), id: walID(r.trust.Log)}
	return r, nil
}

// Trust returns whom a verifier of this log's receipts should believe, as the
// configuration has it.
func (r *Reader) Trust() *receipt.Trust { return r.trust }

// Size returns how many entries are recorded.
func (r *Reader) Size() (uint64, error) {
	_, n, err := r.sizes()
	return n, err
}

// sizes returns how many entries are in the tree, and how many are recorded.
func (r *Reader) sizes() (tree, recorded uint64, err error) {
	if r.live != nil {
		tree, recorded = r.live.sizes()
		return tree, recorded, nil
	}
	tail, tree, err := r.view.read(r.treeSize)
	if err != nil {
		return 0, 0, fmt.Errorf("ledger: %w", err)
	}
	return tree, max(tree, tail.End()), nil
}

func (r *Reader) treeSize() (uint64, error) {
	n, _, err := r.tiles.state()
	return n, err
}

// data returns the data of one entry that is recorded.
func (r *Reader) data(i uint64) ([]byte, error) {
	if r.live != nil {
		data, tree, ok := r.live.entry(i)
		if ok {
			return data, nil
		}
		return r.tiles.entry(i, tree)
	}
	// Most are in the tree: the write-ahead log is read for the others alone.
	tree, err := r.treeSize()
	if err != nil {
		return nil, err
	}
	if i >= tree {
		if data, ok := r.view.known(i); ok {
			return data, nil
		}
		tail, now, err := r.view.read(r.treeSize)
		if err != nil {
			return nil, err
		}
		if data, ok := tail.Entry(i); ok {
			return data, nil
		}
		tree = now
	}
	return r.tiles.entry(i, tree)
}

// Refresh takes up what another process recorded since.
func (r *Reader) Refresh() error {
	size, err := r.Size()
	if err != nil {
		return err
	}
	return r.catchUp(size)
}

// catchUp brings the index up to size from the log.
func (r *Reader) catchUp(size uint64) error {
	for i := r.index.size(); i < size; i++ {
		data, err := r.data(i)
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
		s, err := custody.Logged(data)
		if err != nil {
			// Recording goes on beside a damaged entry; the self-audit says what it is.
			r.index.add(i, keys{}, 0)
			continue
		}
		r.index.add(i, keysOf(&s, custody.Digest(data)), nano(s.Predicate.Time))
	}
	return nil
}

// Published returns the newest signed checkpoint, its zero value when there is none.
func (r *Reader) Published() (receipt.Checkpoint, error) {
	b, err := r.tiles.checkpoint()
	if err != nil || b == nil {
		return receipt.Checkpoint{}, err
	}
	return r.published.open(r.trust, b)
}

// WitnessedCheckpoint returns the newest checkpoint that enough witnesses signed, its
// zero value when there is none.
func (r *Reader) WitnessedCheckpoint() (receipt.Checkpoint, error) {
	c, _, err := r.witnessed()
	return c, err
}

func (r *Reader) witnessed() (receipt.Checkpoint, []byte, error) {
	b, err := os.ReadFile(filepath.Join(r.dir, witnessedFile))
	if err != nil {
		if notExist(err) {
			err = nil
		}
		return receipt.Checkpoint{}, nil, err
	}
	c, err := r.cosigned.open(r.trust, b)
	if err != nil {
		return receipt.Checkpoint{}, nil, err
	}
	if len(c.Cosigned) < r.trust.Required || r.trust.Required == 0 {
		return receipt.Checkpoint{}, nil, nil // the configuration demands more now
	}
	return c, b, nil
}

// Entry returns one entry. Its state is as of now.
func (r *Reader) Entry(i uint64) (Entry, error) {
	data, err := r.data(i)
	if err != nil {
		return Entry{}, err
	}
	s, err := custody.Logged(data)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: entry %d: %w", ErrDamaged, i, err)
	}
	leaf := receipt.LeafHash(data)
	return Entry{Index: i, State: r.state(i), Leaf: hex.EncodeToString(leaf[:]), Hash: custody.Digest(data), Recorded: s.Predicate.Recorded, Statement: s}, nil
}

func (r *Reader) state(i uint64) State {
	if c, err := r.WitnessedCheckpoint(); err == nil && i < c.Size {
		return Witnessed
	}
	if c, err := r.Published(); err == nil && i < c.Size {
		return Published
	}
	return Recorded
}

// MaxLimit is the most entries that one query returns.
const MaxLimit = 1000

// Find returns the entries that a query asks for, newest first. A query that names
// neither artefact, statement, device, case, theatre nor kind reads entries until it
// has enough, and ends with the context.
func (r *Reader) Find(ctx context.Context, q Query) ([]Entry, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	q.Digest, q.Hash = strings.ToLower(q.Digest), strings.ToLower(q.Hash)
	out := []Entry{}
	err := r.index.candidates(&q, func(i uint64) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		e, err := r.Entry(i)
		if errors.Is(err, ErrDamaged) {
			return true, nil // found by the self-audit, and not what was asked for
		}
		if err != nil {
			return false, err
		}
		if q.matches(&e.Statement, e.Hash) {
			out = append(out, e)
		}
		return len(out) < q.Limit, nil
	})
	return out, err
}

// Validate reports the first field of a query that cannot be used.
func (q *Query) Validate() error {
	hash := func(s string) bool {
		b, err := hex.DecodeString(s)
		return err == nil && len(b) == 32
	}
	switch {
	case q.Limit < 1 || q.Limit > MaxLimit:
		return config.Invalid("limit", "100 is usual", "%d is not within 1..%d", q.Limit, MaxLimit)
	case q.Digest != "" && !hash(q.Digest):
		return config.Invalid("digest", "sha256sum FILE prints it", "is no SHA-256 in hexadecimal")
	case q.Hash != "" && !hash(q.Hash):
		return config.Invalid("hash", "", "is no SHA-256 in hexadecimal")
	case q.Case != "" && !q.Case.Valid():
		return config.Invalid("case", "a case is asked for by its commitment", "is no commitment")
	case q.Kind != "" && !slices.Contains(custody.Kinds(), q.Kind):
		return config.Invalid("kind", "", "is none of the known kinds")
	case len(q.Device) > custody.MaxName || len(q.Theatre) > custody.MaxName:
		return config.Invalid("device", "", "is longer than %d bytes", custody.MaxName)
	}
	return nil
}

// Receipt makes the receipt of an entry that has come at least as far as want, as
// the bytes of its file. Of the checkpoints that cover it, the oldest with a
// timestamp is taken, else the newest. The error is ErrNotYet when there is none.
func (r *Reader) Receipt(ctx context.Context, i uint64, want State) ([]byte, error) {
	size, err := r.Size()
	if err != nil {
		return nil, err
	}
	if i >= size {
		return nil, ErrNotFound
	}
	note, token, err := r.noteFor(i, want)
	if err != nil {
		return nil, err
	}
	c, err := r.trust.Open(note)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	data, err := r.tiles.entry(i, c.Size)
	if err != nil {
		return nil, err
	}
	proof, err := r.tiles.inclusion(ctx, i, c.Size)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	out := receipt.Receipt{Statement: data, Index: i, Proof: proof, Checkpoint: note, Timestamp: token}
	// A receipt that does not verify would put the blame on whoever holds it.
	if _, err := out.Verify(r.trust, receipt.Options{Unwitnessed: want != Witnessed}); err != nil {
		return nil, fmt.Errorf("ledger: %w: entry %d: %w", ErrDamaged, i, err)
	}
	return out.Encode()
}

// noteFor chooses the checkpoint of a receipt.
func (r *Reader) noteFor(i uint64, want State) (note, token []byte, err error) {
	c, signed, err := r.witnessed()
	if err == nil && i < c.Size {
		note = signed
	}
	stamped, err := r.stampFor(i, want == Witnessed)
	if err != nil {
		return nil, nil, err
	}
	if stamped != nil {
		return []byte(stamped.Checkpoint), stamped.Token, nil
	}
	if note != nil {
		return note, nil, nil
	}
	if want == Witnessed {
		return nil, nil, ErrNotYet
	}
	if note, err = r.tiles.checkpoint(); err != nil {
		return nil, nil, err
	}
	if p, err := r.Published(); err != nil || i >= p.Size {
		return nil, nil, cmp.Or(err, ErrNotYet)
	}
	return note, nil, nil
}

func splitPEM(b []byte) []string {
	var out []string
	for {
		block, rest := pem.Decode(b)
		if block == nil {
			return out
		}
		out = append(out, string(bytes.TrimSpace(pem.EncodeToMemory(block))))
		b = rest
	}
}

func padded(n uint64) string { return fmt.Sprintf("%016s", strconv.FormatUint(n, 10)) }
