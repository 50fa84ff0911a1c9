// SPDX-License-Identifier: Apache-2.0

package service

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/store"
)

// away is a store that cannot be reached.
type away struct{ asked atomic.Int64 }

var errAway = errors.New("the store is away")

func (s *away) Document(context.Context, string, string) (store.Document, error) {
	s.asked.Add(1)
	return store.Document{}, errAway
}

func (s *away) DocumentsOf(context.Context, string, string, int) ([]store.Document, error) {
	s.asked.Add(1)
	return nil, errAway
}

func (s *away) Commit(context.Context, []store.Write, ...store.Audit) error {
	s.asked.Add(1)
	return errAway
}

func (s *away) AuditTrail(context.Context, store.AuditQuery) ([]store.Audit, error) {
	return nil, errAway
}

// Images do not wait for the store: that somebody cannot be told of what needs a person is no reason to stop them.
func TestWithoutTheStoreImagesGoOn(t *testing.T) {
	need(t, "storescu")
	x := newProcessor(t)
	x.up()
	docs := &away{}
	h := newHouseWith(t, x, docs, nil)
	until(t, "the store to be asked", func() bool { return docs.asked.Load() > 0 })
	data := image(t, "1.2.3.1", 64)
	if out, err := h.send(h.enrol("ct-1"), file(t, ctStorage, "1.2.3.1", data)); err != nil || !strings.Contains(out, "Success") {
		t.Fatalf("%v\n%s", err, out)
	}
	until(t, "the processor to have it", func() bool { return bytes.Equal(x.received()["1.2.3.1"], data) })
	until(t, "the journal to know", func() bool { return h.records()[0].Deliveries[0].State == instance.Delivered })
}
