// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"sync"
	"testing"
	"unsafe"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
)

// collector is a sink that keeps events.
type collector struct {
	mu     sync.Mutex
	events []*event.Event
}

func (c *collector) Emit(e *event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
}

func testKey(t testing.TB) pseudonym.Key {
	t.Helper()
	k, err := pseudonym.New(make([]byte, pseudonym.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newSensor(t testing.TB, cfg Config, protos ...analyze.Protocol) (*Sensor, *collector) {
	t.Helper()
	c := &collector{}
	s, err := New(cfg, Deps{Protocols: protos, Sink: c, Key: testKey(t), Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func TestAnIdleFlowCostsLessThan400Bytes(t *testing.T) {
	const bucket, order = 8, 0 // two buckets of four bytes a flow at worst, lists are within the flow
	if n := unsafe.Sizeof(flow{}) + bucket + order; n > 400 {
		t.Errorf("a flow takes %d bytes, more than 400", n)
	} else {
		t.Logf("a flow takes %d bytes", n)
	}
}
