// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// Deps are what a journal needs besides its configuration; every field may be left out.
type Deps struct {
	Log *slog.Logger
	Now func() time.Time
}

// Journal is an instance.Vault on a local disk. It may be used as soon as New returned; Run
// looks after its room. Its methods may be called from several goroutines.
type Journal struct {
	cfg  Config
	log  *slog.Logger
	now  func() time.Time
	lock *os.File
	segs *segments
	wal  *wal
	hist *history
	idx  *index

	buffers sync.Pool
	drafts  gate
	stripes [256]sync.Mutex // a record is changed by one at a time: by number

	numbers    sync.Mutex
	nextNumber uint64
	reserved   uint64 // numbers below may be given out

	space     space
	calendar  calendar
	pins      pins
	faults    faults
	closed    atomic.Bool
	kick      chan struct{} // something may be to do for Run
	recovered Recovery
	opened    time.Time
	expired   atomic.Int64 // when it was looked for originals whose time is over, ns

	watch    sync.RWMutex
	watchers map[int]func(instance.Record)
	watchID  int
}

var _ instance.Vault = (*Journal)(nil)

// envelope is what a frame of the log says of a record.
type envelope struct {
	Record  instance.Record `json:"r"`
	Extents []extent        `json:"x,omitempty"`
	At      int64           `json:"t"` // ms since the epoch
}

// awaited reports whether something is awaited of a record's bytes.
func (e *envelope) awaited(now time.Time, originals time.Duration) bool {
	r := &e.Record
	switch r.State {
	case instance.Quarantined:
		return true
	case instance.Replaced:
		return now.Sub(r.Received) < originals
	case instance.Accepted, instance.Released:
		for i := range r.Deliveries {
			if Open(&r.Deliveries[i]) {
				return true
			}
		}
	}
	return false
}

// Open reports whether a delivery still needs the instance's bytes: it waits, was given up and
// nobody has decided, or was delivered and storage commitment is awaited, which Next says.
func Open(d *instance.Delivery) bool {
	switch d.State {
	case instance.Waiting, instance.Dead:
		return true
	case instance.Delivered:
		return !d.Next.IsZero()
	}
	return false
}

// numberBlock is how many numbers are reserved at a time.
const numberBlock = 1 << 14

// number gives out the next number. One that was given out is never given out again,
// because the log says first that a block of them is in use.
func (j *Journal) number() (uint64, error) {
	j.numbers.Lock()
	defer j.numbers.Unlock()
	if j.nextNumber >= j.reserved {
		upTo := j.nextNumber + numberBlock
		j.space.reserved.Store(upTo)
		body, err := json.Marshal(reservation{upTo})
		if err == nil {
			var at place
			if at, _, err = j.wal.append(numberFrame, body); err == nil {
				j.wal.settled(at)
			}
		}
		if err != nil {
			return 0, err
		}
		j.reserved = upTo
	}
	n := j.nextNumber
	j.nextNumber++
	return n, nil
}

type reservation struct {
	Numbers uint64 `json:"numbers"`
}

func (j *Journal) usable() error {
	if j.closed.Load() {
		return ErrClosed
	}
	return nil
}

func (j *Journal) stripe(number uint64) *sync.Mutex { return &j.stripes[number%uint64(len(j.stripes))] }

// keep makes a new record durable, with the bytes at extents.
func (j *Journal) keep(r *instance.Record, extents []extent) error {
	r.Received = r.Received.UTC()
	e := &envelope{Record: clone(r), Extents: extents, At: j.now().UnixMilli()}
	mu := j.stripe(r.Number)
	mu.Lock()
	defer mu.Unlock()
	at, sequence, err := j.write(e, j.segs.of(extents)...)
	if err != nil {
		return fmt.Errorf("keep instance %d: %w", r.Number, err)
	}
	j.segs.sealed(extents)
	j.settle(nil, e, at, sequence)
	j.wal.settled(at)
	return nil
}

// write appends a record's state to the log.
func (j *Journal) write(e *envelope, segs ...*segment) (place, uint64, error) {
	if err := j.usable(); err != nil {
		return place{}, 0, err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return place{}, 0, err
	}
	at, sequence, err := j.wal.append(recordFrame, body, segs...)
	if errors.Is(err, instance.ErrFull) {
		j.refused(err)
	}
	return at, sequence, err
}

// settle makes a durable state the one that is seen. Precondition: the record's stripe is held.
func (j *Journal) settle(was *entry, e *envelope, at place, sequence uint64) {
	awaited := e.awaited(j.calendar.at(j.now()), j.cfg.Originals)
	needed := was != nil && was.needed
	if awaited != needed {
		j.segs.need(e.Record.Number, e.Extents, awaited)
	}
	n := newEntry(e, at, sequence, awaited)
	from := place{}
	if was != nil {
		from = was.at
	}
	j.wal.counts(from, at)
	j.idx.put(n, e)
	if !awaited {
		j.hist.owe(n.number, sequence)
		j.nudge()
	}
	j.watch.RLock()
	for _, f := range j.watchers {
		f(clone(&e.Record))
	}
	j.watch.RUnlock()
}

func (j *Journal) nudge() {
	select {
	case j.kick <- struct{}{}:
	default:
	}
}

// Watch has f called after every change of a record and for every new one, when it is durable.
// Calls for one record come in their order. f must not block and not change that
// record. The result ends it.
func (j *Journal) Watch(f func(instance.Record)) (stop func()) {
	j.watch.Lock()
	defer j.watch.Unlock()
	j.watchID++
	id := j.watchID
	j.watchers[id] = f
	return func() {
		j.watch.Lock()
		defer j.watch.Unlock()
		delete(j.watchers, id)
	}
}

// Change implements instance.Vault.
func (j *Journal) Change(ctx context.Context, number uint64, change func(*instance.Record) error) (instance.Record, error) {
	if err := context.Cause(ctx); err != nil {
		return instance.Record{}, err
	}
	mu := j.stripe(number)
	mu.Lock()
	defer mu.Unlock()
	e, err := j.envelope(ctx, number)
	if err != nil {
		return instance.Record{}, err
	}
	next := *e
	next.Record = clone(&e.Record)
	if err := change(&next.Record); err != nil {
		return clone(&e.Record), err
	}
	fixed(&next.Record, &e.Record)
	destroyed := next.Record.State == instance.Destroyed && len(e.Extents) > 0
	next.At = j.now().UnixMilli()
	was := j.idx.get(number)
	at, sequence, err := j.write(&next)
	if err != nil {
		return instance.Record{}, fmt.Errorf("change instance %d: %w", number, err)
	}
	j.settle(was, &next, at, sequence)
	j.wal.settled(at)
	if destroyed {
		j.erase(number, next.Extents)
	}
	return clone(&next.Record), nil
}

// fixed puts back what a change may not touch.
func fixed(r, was *instance.Record) {
	r.Number, r.Received, r.Sender = was.Number, was.Received, was.Sender
	r.SOPClass, r.SOPInstance, r.TransferSyntax = was.SOPClass, was.SOPInstance, was.TransferSyntax
	r.DataSet, r.Pixel, r.Bytes = was.DataSet, was.Pixel, was.Bytes
	r.Revision = was.Revision + 1
}

// Get implements instance.Vault.
func (j *Journal) Get(ctx context.Context, number uint64) (instance.Record, error) {
	e, err := j.envelope(ctx, number)
	if err != nil {
		return instance.Record{}, err
	}
	return clone(&e.Record), nil
}

// envelope finds the state of a record that is in force. It is shared: not to be changed.
func (j *Journal) envelope(ctx context.Context, number uint64) (*envelope, error) {
	if err := j.usable(); err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		n := j.idx.get(number)
		if n == nil {
			e, err := j.hist.get(ctx, number)
			if errors.Is(err, instance.ErrNotFound) && j.idx.get(number) != nil && try < 5 {
				continue // it was changed in between, and is here again
			}
			return e, err
		}
		if e := j.idx.recent(n); e != nil {
			return e, nil
		}
		e, err := j.load(n.at)
		if err == nil && e.Record.Number == number {
			j.idx.remember(n, e)
			return e, nil
		}
		if err == nil {
			err = fmt.Errorf("the log has another record in place of %d", number)
		}
		// The log may have been tidied in between: then it is somewhere else now.
		if again := j.idx.get(number); try >= 5 || again == n {
			return nil, err
		}
	}
}

func (j *Journal) load(at place) (*envelope, error) {
	body, err := j.wal.read(at)
	if err != nil {
		return nil, err
	}
	e := &envelope{}
	if err := json.Unmarshal(body, e); err != nil {
		return nil, fmt.Errorf("read a record: %w", err)
	}
	return e, nil
}

// clone copies what a caller may change.
func clone(r *instance.Record) instance.Record {
	c := *r
	c.Hits = append([]instance.Hit(nil), r.Hits...)
	c.Entries = append([]instance.Entry(nil), r.Entries...)
	c.Deliveries = append([]instance.Delivery(nil), r.Deliveries...)
	if r.Asked != nil {
		asked := *r.Asked
		c.Asked = &asked
	}
	return c
}
