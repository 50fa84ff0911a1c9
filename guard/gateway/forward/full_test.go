// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

func TestTwoDestinationsShareASystemThatServesOneAssociation(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0", func(s *dicomnet.Server) { s.MaxAssociations = 1 })
	one, other := quick("pacs", peer.port), quick("pacs-research", peer.port)
	one.Linger, other.Linger = time.Hour, time.Hour
	b.start(one, other)
	for n := range 3 { // now the one has the association, now the other
		r := b.bring(n)
		gatewaytest.Until(t, "both have it", func() bool {
			for _, d := range b.get(r.Number).Deliveries {
				if d.State != instance.Delivered {
					return false
				}
			}
			return true
		})
	}
}

func TestASystemThatServesOneAssociationIsAskedForCommitment(t *testing.T) {
	b := newBench(t)
	var asked atomic.Int64
	peer := newSCP(t, "0", func(s *dicomnet.Server) {
		s.MaxAssociations = 1
		s.Services = append(s.Services, dicomnet.Service{AbstractSyntax: dicom.UIDStorageCommitmentPush})
		store := s.Handler
		s.Handler = dicomnet.HandlerFunc(func(ctx context.Context, r *dicomnet.Request) dicomnet.Reply {
			if r.Command.Field == dimse.NActionRQ {
				asked.Add(1)
			}
			return store.Handle(ctx, r)
		})
	})
	d := quick("pacs", peer.port)
	d.Linger, d.Commitment = time.Hour, true
	b.start(d)
	b.becomes(b.bring(1).Number, instance.Delivered)
	gatewaytest.Until(t, "it is asked to commit", func() bool { return asked.Load() > 0 })
}
