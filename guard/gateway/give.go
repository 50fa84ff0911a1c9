// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/owed"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/platform/standing"
	"github.com/asepsis/asepsis/prove/ledger"
)

var _ query.Custody = (*Gateway)(nil)

// Give implements query.Custody: it tells the ledger that an instance is about to be given to a device, and returns when that is
// recorded. What an open route's ledger does not record is on the disk when it returns, without an entry, and is told later
// as of now. An error means that the instance must not be given out.
func (g *Gateway) Give(ctx context.Context, n owed.Note, open bool) (*instance.Entry, error) {
	entries, err := g.books.record(ctx, []custody.Statement{n.Statement}, open)
	if err == nil {
		return &entries[0], nil
	}
	if !open || never(err) {
		return nil, err
	}
	if kept := g.books.note(n); kept != nil {
		return nil, errors.Join(err, kept)
	}
	return nil, nil
}

// never reports whether the ledger will not take a statement, however often it is told.
func never(err error) bool {
	var invalid *custody.Invalid
	return errors.As(err, &invalid) || errors.Is(err, ledger.ErrConflict)
}

// errNoNotes: what was given out cannot be remembered.
var errNoNotes = errors.New("the gateway has no directory to remember it in")

// note keeps what the ledger must be told of a retrieval, durably.
func (b *books) note(n owed.Note) error {
	if b.notes == nil {
		return errNoNotes
	}
	before := b.notes.State()
	err := b.notes.Add(n)
	switch {
	case err == nil && before.Statements == 0:
		b.g.log.Warn("images are given out that the ledger does not know of; it is told when it records again", "first_to", n.Statement.Predicate.Device)
	case errors.Is(err, owed.ErrFull) && !before.Full:
		b.g.log.Error("as many statements about what was given out wait for the ledger as may; nothing more is given out until it records", "statements", before.Statements)
	case errors.Is(err, owed.ErrDevice):
		if device := n.Statement.Predicate.Device; !slices.Contains(before.Over, device) {
			b.g.log.Error("as many statements about what a device was given wait for the ledger as may; it is given nothing more until the ledger records", "device", device)
		}
	case err != nil && !errors.Is(err, owed.ErrFull):
		b.g.log.Error("what is given out cannot be remembered for the ledger, and is not given out", "why", err)
	}
	return err
}

func (b *books) close() {
	if b.notes != nil {
		_ = b.notes.Close() // all that was promised is on the disk
	}
}

// noted is how much is owed of retrievals.
func (b *books) noted() owed.State {
	if b.notes == nil {
		return owed.State{}
	}
	return b.notes.State()
}

// payNotes tells the ledger what devices were given while it was away.
func (b *books) payNotes(ctx context.Context, due owed.Due) bool {
	if b.notes == nil {
		return true
	}
	before := b.notes.State()
	err := b.notes.Pay(ctx, due, b.payNote)
	after := b.notes.State()
	if n := after.Unusable - before.Unusable; n > 0 {
		b.g.log.Error("what the ledger was to be told of retrievals cannot be read; these are lost to it", "statements", n, "hint", "the gateway's disk has a fault")
	}
	if before.Statements > 0 && after.Statements == 0 {
		b.g.log.Info("the ledger was told of all that was given out while it was away", "statements", before.Statements)
	}
	if err != nil && b.problem() == nil && ctx.Err() == nil {
		b.g.log.Error("what the ledger must be told of retrievals cannot be worked off; it is tried again", "why", err)
	}
	return err == nil
}

func (b *books) payNote(ctx context.Context, n owed.Note) error {
	limit, cancel := context.WithTimeout(ctx, payMost)
	defer cancel()
	entries, err := b.tell(limit, []custody.Statement{n.Statement})
	if never(err) {
		b.g.log.Error("BUG: a statement that the ledger does not take", "id", n.Statement.Predicate.ID, "why", err)
		return nil
	}
	if err != nil || n.Number == 0 {
		return err
	}
	e := entries[0]
	e.Destination = n.Destination
	_, err = b.g.d.Vault.Change(ctx, n.Number, func(r *instance.Record) error {
		if slices.ContainsFunc(r.Entries, func(x instance.Entry) bool { return x.Index == e.Index && x.Kind == e.Kind }) {
			return errNoted
		}
		r.Entries = append(r.Entries[:len(r.Entries):len(r.Entries)], e)
		return nil
	})
	if err != nil && !errors.Is(err, errNoted) && !errors.Is(err, instance.ErrNotFound) {
		// The ledger has it. One record must not hold up what follows.
		b.g.log.Error("the journal could not note the ledger's entry of what was given out", "number", n.Number, "entry", e.Index, "why", err)
	}
	return nil
}

// errNoted: the record names the entry already.
var errNoted = errors.New("the entry is noted")

// retrievalMatters say what is given out that the ledger does not know of.
func (g *Gateway) retrievalMatters(away bool) []standing.Matter {
	var out []standing.Matter
	s := g.books.noted()
	switch {
	case !away:
	case s.Full:
		m := Matter("retrievals-full", "retrievals", finding.High, s.Since, "Nothing is given to devices that ask for images: as many statements wait for the ledger as may",
			"Earlier images may not open. Call the security engineer.", "The ledger does not record. What open routes gave out meanwhile is remembered for it, and there is no room for more; they are closed until it records again.",
			"See asepsis ledger status, and the disk that the ledger is on.", "gateway.retrievals.max_owed and max_owed_bytes bound what may wait.")
		m.Evidence = []string{fmt.Sprintf("%d statements wait", s.Statements)}
		out = append(out, m)
	case s.Statements > 0:
		m := Matter("retrievals-unrecorded", "retrievals", finding.High, s.Since, "Images are given to devices that ask for them, and the ledger does not know of it yet",
			"", "Their route says open-and-alarm. What was given to whom is on the gateway's disk and is told to the ledger, with the time of then, as soon as it records.",
			"See asepsis ledger status, and the disk that the ledger is on.", "Until then no receipt says who has these images.")
		m.Evidence = []string{fmt.Sprintf("%d statements wait", s.Statements)}
		out = append(out, m)
	}
	for _, device := range s.Over {
		if !away {
			break
		}
		m := Matter("retrievals-share", device, finding.High, s.Since, device+" is given no more images: as many statements about it wait for the ledger as may",
			"Earlier images may not open on one device. Call the security engineer.", "The ledger does not record. A quarter of what may wait for it may be about one device, and this one has asked for that many; others are not touched.",
			"Does the device ask for the same again and again?", "See asepsis ledger status, and the disk that the ledger is on.")
		m.Devices = []string{device}
		out = append(out, m)
	}
	if s.Unusable > 0 {
		m := Matter("retrievals-lost", "retrievals-lost", finding.High, s.Since, "The ledger cannot be told of some images that were given out while it was away", "",
			"What was remembered for it cannot be read any more: the gateway's disk has a fault. The gateway's log and the events of that time say who asked.", "Check the gateway's disk.")
		m.Evidence = []string{fmt.Sprintf("%d statements cannot be read", s.Unusable)}
		out = append(out, m)
	}
	return out
}
