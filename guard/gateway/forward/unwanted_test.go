// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"errors"
	"io"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// refusing is a profile that can make no copy.
type refusing struct{ drop bool }

func (r refusing) Error() string { return "its pixel data is encapsulated" }
func (r refusing) Drop() bool    { return r.drop }
func (r refusing) Transform(io.Writer, io.Reader, string) (instance.Altered, error) {
	return instance.Altered{}, r
}

func TestWhatAProfileDropsAsksForNobodyAndWhatItRefusesDoes(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0")
	b.deps.Deid = func(profile string) (instance.Transformer, error) {
		switch profile {
		case "dropping":
			return refusing{true}, nil
		case "asking":
			return refusing{false}, nil
		}
		return nil, errors.New("no such profile")
	}
	without, asked := quick("teaching", peer.port), quick("research", peer.port)
	without.Deid, asked.Deid = "dropping", "asking"
	f := b.start(without, asked)
	r := b.bring(1)
	gatewaytest.Until(t, "both deliveries are decided", func() bool {
		for _, d := range b.get(r.Number).Deliveries {
			if d.State == instance.Waiting {
				return false
			}
		}
		return true
	})
	states := map[string]instance.DeliveryState{}
	for _, d := range b.get(r.Number).Deliveries {
		states[d.Destination] = d.State
		if d.Why == "" {
			t.Errorf("why nothing goes to %s is not said", d.Destination)
		}
	}
	if states["teaching"] != instance.Dropped || states["research"] != instance.Dead {
		t.Errorf("%v", states)
	}
	for _, d := range f.Destinations() {
		if want := map[string]int{"teaching": 0, "research": 1}[d.Name]; d.Dead != want || d.Waiting != 0 {
			t.Errorf("%s: %d given up, %d waiting", d.Name, d.Dead, d.Waiting)
		}
	}
	if list := peer.list(); len(list) != 0 {
		t.Errorf("%d went all the same", len(list))
	}
}
