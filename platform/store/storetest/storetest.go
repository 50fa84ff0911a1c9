// SPDX-License-Identifier: Apache-2.0

// Package storetest is the conformance suite of store.Store: what every
// implementation must do, sentence by sentence of its contract. Answers to
// queries are compared with those of a plain list of records.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
)

// Run tests a store. Open returns a new, empty one with the clock Clock, and
// closes it when the test ends. Reopen, which may be nil, returns a second handle
// of the same data, as another process would have it.
func Run(t *testing.T, open func(t *testing.T) store.Store, reopen func(t *testing.T, s store.Store) store.Store) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"documents", documentTests},
		{"audit", auditTests},
		{"devices", deviceTests},
		{"append", appendTests},
		{"query", queryTests},
		{"sums", sumTests},
		{"retain", retainTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, one := range group.tests {
				t.Run(one.name, func(t *testing.T) { one.run(&env{T: t, Store: open(t), reopen: reopen}) })
			}
		})
	}
}

type test struct {
	name string
	run  func(e *env)
}

// env is one test with its store.
type env struct {
	*testing.T
	store.Store
	reopen func(t *testing.T, s store.Store) store.Store

	all  []record.Record // what was appended, with sequence numbers
	seq  uint64
	pos  uint64
	lead func() // gives the lead back, nil without it
}

func (e *env) ctx() context.Context { return e.Context() }

// other returns a second handle of the same store.
func (e *env) other() store.Store {
	e.Helper()
	if e.reopen == nil {
		e.Skip("the store has no second handle")
	}
	return e.reopen(e.T, e.Store)
}

// add appends records at the next position of the stream "s" and remembers them.
func (e *env) add(recs []record.Record) {
	e.Helper()
	if e.lead == nil {
		release, err := e.Lead(e.ctx(), true)
		if err != nil {
			e.Fatal(err)
		}
		e.Cleanup(release)
		e.lead = release
	}
	e.append(e.Store, recs)
}

// handOver appends records as another leader, which then gives the lead back.
func (e *env) handOver(s store.Store, recs []record.Record) {
	e.Helper()
	e.lead()
	e.lead = nil
	release, err := s.Lead(e.ctx(), true)
	if err != nil {
		e.Fatal(err)
	}
	defer release()
	e.append(s, recs)
}

func (e *env) append(s store.Store, recs []record.Record) {
	e.Helper()
	e.pos++
	if err := s.Append(e.ctx(), store.Position{Stream: "s", Seq: e.pos}, recs); err != nil {
		e.Fatal(err)
	}
	for _, r := range recs {
		e.seq++
		r.Seq = e.seq
		e.all = append(e.all, r)
	}
}

// fill appends days of events in portions of very different size.
func (e *env) fill() {
	e.Helper()
	sizes := []int{1, 3, 1, 700, 1, 1, 40, 1025, 2, 3000, 5, 1}
	at := Base
	for i, n := range sizes {
		spread := time.Duration(n) * 7 * time.Second
		e.add(Records(e, uint64(i+1), n, at, spread))
		at += int64(spread) - int64(20*time.Second) // portions overlap
	}
}
