// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// Stuck lists, oldest first, the instances whose delivery Drop would give up: those that were given up for
// a destination, and where it is gone, those that wait for it too. A name that nobody knows has none.
func (f *Forwarder) Stuck(name string) []uint64 {
	var list []uint64
	if d := f.byName[name]; d != nil {
		d.mu.Lock()
		for n := range d.dead {
			list = append(list, n)
		}
		d.mu.Unlock()
	} else {
		list = f.orphans.numbers(name)
	}
	slices.Sort(list)
	return list
}

// Drop gives up for good the deliveries of instances to a destination, as far as they are still what Stuck
// lists, and counts them. The ledger's entry about it, if there is one, is noted in each record.
func (f *Forwarder) Drop(ctx context.Context, name string, numbers []uint64, e *instance.Entry) (int, error) {
	configured := f.byName[name] != nil
	return f.each(ctx, numbers, name, func(r *instance.Record, v *instance.Delivery) bool {
		if v.State != instance.Dead && (configured || v.State != instance.Waiting) {
			return false // it was retried meanwhile
		}
		v.State, v.Next = instance.Dropped, time.Time{}
		if e != nil {
			r.Entries = append(r.Entries, *e)
		}
		return true
	})
}

// each changes the deliveries of instances to a destination, many at a time, and counts those that change said
// it has changed.
func (f *Forwarder) each(ctx context.Context, numbers []uint64, destination string, change func(*instance.Record, *instance.Delivery) bool) (int, error) {
	work := make(chan uint64)
	errs := make(chan error, bookers)
	var changed atomic.Int64
	for range bookers {
		go func() { // ends when work is closed; its error is received below
			var first error
			for n := range work {
				_, err := f.d.Vault.Change(ctx, n, func(r *instance.Record) error {
					if v := deliveryTo(r, destination); v == nil || !change(r, v) {
						return errNotWaiting
					}
					return nil
				})
				if err == nil {
					changed.Add(1)
				}
				if err != nil && !errors.Is(err, errNotWaiting) && !errors.Is(err, instance.ErrNotFound) && first == nil {
					first = err
				}
			}
			errs <- first
		}()
	}
	for _, n := range numbers {
		work <- n
	}
	close(work)
	var err error
	for range bookers {
		err = cmp.Or(err, <-errs) // one says what is wrong
	}
	return int(changed.Load()), err
}

// orphans are the deliveries that wait for, or were given up for, destinations that are not configured. It
// may be used concurrently.
type orphans struct {
	mu sync.Mutex
	of map[string]map[uint64]orphan
}

// orphan is what is known of one without reading it.
type orphan struct {
	received int64 // ns
	bytes    int64
	theatre  unique.Handle[string] // of the sender
	dead     bool
}

// seen is told what the journal has of a delivery to a destination that is not configured.
func (o *orphans) seen(r *instance.Record, d *instance.Delivery, alive bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	set := o.of[d.Destination]
	if !alive || d.State != instance.Waiting && d.State != instance.Dead {
		if delete(set, r.Number); len(set) == 0 {
			delete(o.of, d.Destination)
		}
		return
	}
	if set == nil {
		set = map[uint64]orphan{}
		o.of[d.Destination] = set
	}
	set[r.Number] = orphan{received: r.Received.UnixNano(), bytes: r.Bytes, theatre: unique.Make(r.Sender.Theatre), dead: d.State == instance.Dead}
}

// numbers are those of a destination, in no order.
func (o *orphans) numbers(name string) []uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]uint64, 0, len(o.of[name]))
	for n := range o.of[name] {
		out = append(out, n)
	}
	return out
}

// destinations are those that something waits for, by name.
func (o *orphans) destinations(urgent func(theatre string) bool) []control.Destination {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]control.Destination, 0, len(o.of))
	for name, set := range o.of {
		d := control.Destination{Name: name, State: control.Gone, Commitment: "off", Why: "it is not configured any more", Hint: "configure it again, or give up for good what waits for it"}
		first := int64(0)
		theatres := map[unique.Handle[string]]int{}
		for _, x := range set {
			if first == 0 || x.received < first {
				first = x.received
			}
			if x.dead {
				d.Dead++
				continue
			}
			d.Waiting++
			d.Bytes += x.bytes
			theatres[x.theatre]++
		}
		for theatre, n := range theatres {
			if urgent(theatre.Value()) {
				d.Urgent += n
			}
		}
		d.Oldest = time.Unix(0, first).UTC()
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b control.Destination) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func waitFor(n int) string {
	if n == 1 {
		return "1 instance waits"
	}
	return fmt.Sprintf("%d instances wait", n)
}
