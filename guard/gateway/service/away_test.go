// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
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
	gatewaytest.Need(t, "storescu")
	h, x := house(t, nil)
	x.Up()
	docs := &away{}
	h.Stop()
	h.Documents = docs
	h.Start()
	gatewaytest.Until(t, "the store to be asked", func() bool { return docs.asked.Load() > 0 })
	data := gatewaytest.Image(t, "1.2.3.1", "FICT-0001", 64)
	if out, err := h.Send(h.Enrol("ct-1"), "CT1", gatewaytest.File(t, gatewaytest.CTStorage, "1.2.3.1", data)); err != nil || !strings.Contains(out, "Success") {
		t.Fatalf("%v\n%s", err, out)
	}
	gatewaytest.Until(t, "the processor to have it", func() bool { return bytes.Equal(x.Received()["1.2.3.1"], data) })
	gatewaytest.Until(t, "the journal to know", func() bool { return h.Records()[0].Deliveries[0].State == instance.Delivered })
}
