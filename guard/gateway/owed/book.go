// SPDX-License-Identifier: Apache-2.0

package owed

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/platform/durable"
)

// Note is a statement that is owed.
type Note struct {
	Statement custody.Statement
	// Number is that of the instance in the journal whose record names the entry, Destination who it went to; 0
	// where no record does.
	Number      uint64
	Destination string
}

// Limits bound what is owed.
type Limits struct {
	Statements int   // at most
	Device     int   // of those about one device; 0: as many as all
	Bytes      int64 // of the disk, at most
}

// Why a statement was not taken. What the ledger would never take is a *custody.Invalid.
var (
	// ErrFull: as much is owed as may be.
	ErrFull = errors.New("as much is owed to the ledger as may be")
	// ErrDevice: as much is owed about this device as may be.
	ErrDevice = errors.New("as much is owed to the ledger about this device as may be")
	// ErrClosed: the book was closed.
	ErrClosed = errors.New("what is owed to the ledger is closed")
)

// Book is what is owed.
type Book struct {
	path   string
	limits Limits
	f      *os.File

	mu       sync.Mutex
	cond     *sync.Cond // of flushed and writing
	pending  []byte
	waiting  int    // statements that are pending or being written
	bytes    int64  // of them
	group    uint64 // that pending is
	flushed  uint64 // last group that is on the disk, or could not be
	failed   map[uint64]error
	writing  bool
	tail     bool // something stands behind end that must not be found
	closed   bool
	end      int64 // behind the last line that is on the disk
	paid     int64 // up to there the ledger knows all
	count    int   // on the disk and not told
	since    time.Time
	full     bool            // the last one was refused
	of       map[string]int  // statements about each device, on the disk or on their way
	over     map[string]bool // devices that were refused since all was told last
	opened   int64           // how long the file was
	unusable int
}

// maxLine bounds a line: a statement with what stands around it.
const maxLine = custody.MaxStatement + 4<<10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Open opens the file in dir, which is made, and counts what is in it.
func Open(dir string, limits Limits) (b *Book, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("what is owed to the ledger: %w", err)
	}
	b = &Book{path: filepath.Join(dir, "owed"), limits: limits, group: 1, failed: map[uint64]error{}, of: map[string]int{}, over: map[string]bool{}}
	b.cond = sync.NewCond(&b.mu)
	if b.f, err = os.OpenFile(b.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("what is owed to the ledger: %w", err)
	}
	defer func() {
		if err != nil {
			_ = b.f.Close()
		}
	}()
	if err := durable.SyncDir(dir); err != nil {
		return nil, fmt.Errorf("what is owed to the ledger: %w", err)
	}
	size, err := b.f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("what is owed to the ledger: %w", err)
	}
	b.end, err = b.read(0, size, func(n *Note, _ int64) error {
		if n == nil {
			b.unusable++
			return nil
		}
		if b.count++; b.count == 1 {
			b.since = n.Statement.Predicate.Time
		}
		b.of[n.Statement.Predicate.Device]++
		return nil
	})
	if b.opened = b.end; err == nil && b.end < size {
		err = b.f.Truncate(b.end)
	}
	if err != nil {
		return nil, fmt.Errorf("what is owed to the ledger: %w", err)
	}
	return b, nil
}

// line is a Note in the file.
type line struct {
	Number      uint64          `json:"number,omitempty"`
	Destination string          `json:"destination,omitempty"`
	Statement   json.RawMessage `json:"statement"`
}

func appendNote(b []byte, n *Note) ([]byte, error) {
	text, err := n.Statement.Canonical()
	if err != nil {
		return b, err
	}
	text, err = json.Marshal(line{n.Number, n.Destination, text})
	if err != nil {
		return b, err
	}
	b = fmt.Appendf(b, "%08x ", crc32.Checksum(text, castagnoli))
	return append(append(b, text...), '\n'), nil
}

// parse reads a line without its end; nil where it cannot be read.
func parse(text []byte) *Note {
	sum, text, ok := bytes.Cut(text, []byte{' '})
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if !ok || len(sum) != 8 || err != nil || uint32(want) != crc32.Checksum(text, castagnoli) {
		return nil
	}
	var l line
	if json.Unmarshal(text, &l) != nil {
		return nil
	}
	s, err := custody.Parse(l.Statement)
	if err != nil {
		return nil
	}
	return &Note{Statement: s, Number: l.Number, Destination: l.Destination}
}

// read calls f with each line between two places, nil for one that cannot be read, and the place behind it. It returns
// the place behind the last line that has an end.
func (b *Book) read(from, to int64, f func(n *Note, behind int64) error) (int64, error) {
	r := bufio.NewReaderSize(io.NewSectionReader(b.f, from, to-from), maxLine)
	at, long := from, false
	for {
		text, err := r.ReadSlice('\n')
		at += int64(len(text))
		switch {
		case errors.Is(err, bufio.ErrBufferFull): // no line of ours
			long = true
			continue
		case errors.Is(err, io.EOF):
			return from, nil
		case err != nil:
			return from, err
		}
		var n *Note
		if !long {
			n = parse(text[:len(text)-1])
		}
		from, long = at, false
		if err := f(n, at); err != nil {
			return from, err
		}
	}
}

// Add takes a statement, and returns when it is on the disk.
func (b *Book) Add(n Note) error {
	text, err := appendNote(nil, &n)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	if len(text) > maxLine {
		return fmt.Errorf("a statement of %d bytes", len(text))
	}
	if b.full = b.count+b.waiting >= b.limits.Statements || b.end+b.bytes+int64(len(text)) > b.limits.Bytes; b.full {
		return ErrFull
	}
	device := n.Statement.Predicate.Device
	if b.limits.Device > 0 && b.of[device] >= b.limits.Device {
		b.over[device] = true
		return ErrDevice
	}
	b.of[device]++
	if b.count+b.waiting == 0 {
		b.since = n.Statement.Predicate.Time
	}
	group := b.group
	b.pending = append(b.pending, text...)
	b.waiting, b.bytes = b.waiting+1, b.bytes+int64(len(text))
	for b.flushed < group {
		if b.writing {
			b.cond.Wait()
			continue
		}
		b.flush()
	}
	if err = b.failed[group]; err != nil {
		b.less(device)
	}
	return err
}

// less counts one less about a device. It needs mu.
func (b *Book) less(device string) {
	if b.of[device]--; b.of[device] <= 0 {
		delete(b.of, device)
	}
}

// flush writes what is pending. It needs mu, and gives it back meanwhile.
func (b *Book) flush() {
	group, text, n, at, tail := b.group, b.pending, b.waiting, b.end, b.tail
	b.group++
	b.pending, b.writing = nil, true
	b.mu.Unlock()
	err := b.write(text, at, tail)
	b.mu.Lock()
	b.flushed, b.writing = group, false
	b.waiting, b.bytes = b.waiting-n, b.bytes-int64(len(text))
	b.tail = err != nil
	if err == nil {
		b.end, b.count = at+int64(len(text)), b.count+n
	} else {
		b.failed[group] = fmt.Errorf("what is owed to the ledger: %w", err)
	}
	delete(b.failed, group-1024) // nobody waits for it any more
	b.cond.Broadcast()
}

// write writes to the end of the file. Where that fails nothing of it may be found later, as who brought it is told that it
// is not there.
func (b *Book) write(text []byte, at int64, tail bool) error {
	if tail {
		if err := b.f.Truncate(at); err != nil {
			return err
		}
	}
	_, err := b.f.WriteAt(text, at)
	if err == nil {
		err = b.f.Sync()
	}
	if err != nil {
		err = errors.Join(err, b.f.Truncate(at))
	}
	return err
}

// Due is the place behind what is owed now.
type Due int64

// Due returns it, for Pay.
func (b *Book) Due() Due {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Due(b.end)
}

// Pay tells what was owed at a moment, in its order. It stops at the first error of tell, and returns it: that and what follows
// is owed as before.
func (b *Book) Pay(ctx context.Context, due Due, tell func(context.Context, Note) error) error {
	b.mu.Lock()
	from := b.paid
	b.mu.Unlock()
	_, err := b.read(from, int64(due), func(n *Note, behind int64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if n != nil {
			if err := tell(ctx, *n); err != nil {
				return err
			}
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.paid = behind; n != nil {
			b.count--
			b.less(n.Statement.Predicate.Device)
		} else if behind > b.opened { // Open has counted the others
			b.unusable++
		}
		return nil
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.paid < b.end || b.writing || b.closed || b.end == 0 {
		return err
	}
	// It may come back after a power cut: then it is told again.
	if cut := b.f.Truncate(0); cut != nil {
		return errors.Join(err, fmt.Errorf("what is owed to the ledger: %w", cut))
	}
	b.end, b.paid, b.opened, b.count, b.full = 0, 0, 0, 0, false
	clear(b.over)
	if b.waiting == 0 {
		clear(b.of) // also of what could not be read
	}
	return err
}

// State is how much is owed.
type State struct {
	Statements int
	Since      time.Time // when the first of them was true; zero where there is none
	Full       bool      // the last one that came was not taken
	Over       []string  // devices of which one was not taken since all was told last, by name
	Unusable   int       // lines that could not be read since the file was opened: a fault of the disk
}

// State returns it.
func (b *Book) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := State{Statements: b.count, Full: b.full, Over: slices.Sorted(maps.Keys(b.over)), Unusable: b.unusable}
	if b.count > 0 {
		out.Since = b.since
	}
	return out
}

// Close closes the file when what is being written is there.
func (b *Book) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	for b.writing || b.waiting > 0 {
		b.cond.Wait()
	}
	return b.f.Close()
}
