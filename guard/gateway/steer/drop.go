// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// Drop implements control.Control.
//
// Ordering: of as many instances as a statement is about, the ledger first, then their records; then
// the next ones. What ended in between, or was retried meanwhile, is not given up, and the same request again does the
// rest under a statement of its own.
func (s *Steer) Drop(ctx context.Context, d control.Drop) (control.Dropped, error) {
	if err := needed(d.User, d.Reason); err != nil {
		return control.Dropped{}, err
	}
	if _, err := s.destination(d.Destination); err != nil {
		return control.Dropped{}, err
	}
	s.dropping.Lock()
	defer s.dropping.Unlock()
	numbers := s.d.Forward.Stuck(d.Destination)
	var out control.Dropped
	var err error
	for part := range slices.Chunk(numbers, custody.MaxSubjects) {
		if err = ctx.Err(); err != nil {
			break
		}
		var n int
		if n, err = s.dropPart(ctx, &d, part); err != nil {
			break
		}
		out.Deliveries += n
	}
	if out.Deliveries > 0 {
		s.log.Warn("deliveries were given up for good", "destination", d.Destination, "deliveries", out.Deliveries, "of", len(numbers), "user", d.User, "in_case", d.InCase)
		s.d.Live.Changed()
	}
	if err != nil {
		return out, s.half(out.Deliveries, len(numbers), refused(err))
	}
	return out, nil
}

// half says of what failed in between what was done.
func (s *Steer) half(done, of int, err error) error {
	if done == 0 {
		return err
	}
	var r *control.Refused
	if errors.As(err, &r) {
		return &control.Refused{Code: r.Code, What: fmt.Sprintf("%d of %d were given up, then: %s", done, of, r.What), Tip: "see to that, then do the same again for the rest"}
	}
	s.log.Error("not all that was to be given up for good was", "done", done, "of", of, "why", err)
	return &control.Refused{Code: control.Unavailable, What: fmt.Sprintf("%d of %d were given up", done, of), Tip: "do the same again for the rest"}
}

// dropPart gives up as many deliveries as a statement has room for.
func (s *Steer) dropPart(ctx context.Context, d *control.Drop, part []uint64) (int, error) {
	var records []instance.Record
	for _, n := range part {
		r, err := s.d.Vault.Get(ctx, n)
		if errors.Is(err, instance.ErrNotFound) {
			continue
		}
		if err != nil {
			return 0, err
		}
		records = append(records, r)
	}
	if len(records) == 0 {
		return 0, nil
	}
	e, err := s.record(ctx, s.dropStatement(custody.Decision, "drop", d, records))
	if err != nil {
		return 0, err
	}
	if d.InCase {
		if _, err := s.record(ctx, s.dropStatement(custody.Override, "drop-in-case", d, records)); err != nil {
			return 0, err
		}
	}
	if e != nil {
		e.Destination = d.Destination
	}
	numbers := make([]uint64, len(records))
	for i := range records {
		numbers[i] = records[i].Number
	}
	return s.d.Forward.Drop(ctx, d.Destination, numbers, e)
}

// dropStatement is about the data sets that a destination does not get.
func (s *Steer) dropStatement(kind custody.Kind, deed string, d *control.Drop, records []instance.Record) custody.Statement {
	first := &records[0].Sender
	device, theatre := first.Device, first.Theatre
	subjects := make([]custody.Subject, 0, len(records))
	for i := range records {
		if records[i].Sender.Device != device {
			device = ""
		}
		if records[i].Sender.Theatre != theatre {
			theatre = ""
		}
		if sum, err := hex.DecodeString(records[i].DataSet); err == nil && len(sum) == sha256.Size {
			subjects = append(subjects, custody.SHA256(subject, [sha256.Size]byte(sum)))
		}
	}
	now := s.now().UTC()
	st := custody.New(kind, fmt.Sprintf("%s/%s/%d/%d/%d", s.d.Name, deed, records[0].Number, len(records), now.UnixNano()), now, subjects...)
	p := &st.Predicate
	p.Site, p.Theatre, p.Device, p.Reason = s.d.Site, theatre, device, d.Reason
	p.Actor = custody.Actor{Software: s.d.Software, User: d.User}
	p.Detail = map[string]any{"what": "case-in-progress", "outcome": "dropped"}
	if kind == custody.Decision {
		p.Detail = map[string]any{"what": "delivery-drop", "outcome": "cut", "why": "not sent to " + d.Destination + " any more"}
	}
	return st
}
