// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/recorder"
)

// board is a store that has theatres, or is away.
type board struct {
	store.Documents
	list []store.Document
	away error
}

func (b *board) DocumentsOf(_ context.Context, kind, _ string, _ int) ([]store.Document, error) {
	if kind != recorder.TheatreKind {
		return nil, errors.New("asked for " + kind)
	}
	return b.list, b.away
}

func TestTheGatewayKnowsWhatTheTheatreBoardHas(t *testing.T) {
	b := &board{list: []store.Document{
		{Body: []byte(`{"id": "or-1", "state": "in-case", "since": "2027-01-31T08:00:00Z"}`)},
		{Body: []byte(`{"id": "or-2", "state": "idle", "since": "2027-01-31T09:00:00.5+01:00"}`)},
		{Body: []byte(`{"id": "or-3", "state": "maintenance"}`)},
		{Body: []byte(`{`)},
	}}
	c := &caseStates{docs: b}
	is := func(when, id string, state theatre.State, since time.Time, inCase bool) {
		t.Helper()
		if s, at := c.stateOf(id); s != state || !at.Equal(since) || c.inProgress(id) != inCase {
			t.Errorf("%s, %q is %q since %v, in case %v", when, id, s, at, c.inProgress(id))
		}
	}
	is("before anything is known", "or-1", "", time.Time{}, false)
	c.look(t.Context())
	began := time.Date(2027, 1, 31, 8, 0, 0, 0, time.UTC)
	is("at first", "or-1", theatre.InCase, began, true)
	is("at first", "or-2", theatre.Idle, began.Add(500*time.Millisecond), false)
	is("without a time", "or-3", theatre.Maintenance, time.Time{}, false)
	is("of which nothing is known", "or-4", "", time.Time{}, false)
	is("of no room", "", "", time.Time{}, false)
	b.away, b.list = errors.New("the store is away"), nil
	c.look(t.Context())
	is("while the store is away", "or-1", theatre.InCase, began, true)
}
