// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/policy"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/see/detect/scene"
	"github.com/asepsis/asepsis/see/inventory"
)

// spoolMemory is how many bytes of events wait in memory before a file is used.
const spoolMemory = 64 << 20

// Spool keeps the events of an analysis until its inventory is final, so that rules
// see each with the devices that it belongs to: 64 MB of them in memory, more in a temporary
// file that nobody else reads. It implements sensor.Sink.
type Spool struct {
	Memory int // bytes that wait in memory; 0 for 64 MB

	mu    sync.Mutex
	buf   []byte
	one   []byte
	file  *os.File
	w     *bufio.Writer
	n     uint64
	err   error
	every uint64 // events that could not be encoded
}

// Emit keeps an event.
func (s *Spool) Emit(e *event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	var err error
	if s.one, err = record.Encode(s.one[:0], e); err != nil {
		s.every++
		return
	}
	s.n++
	var head [binary.MaxVarintLen64]byte
	h := head[:binary.PutUvarint(head[:], uint64(len(s.one)))]
	if s.file == nil && len(s.buf)+len(s.one)+len(h) <= cmp.Or(s.Memory, spoolMemory) {
		s.buf = append(append(s.buf, h...), s.one...)
		return
	}
	if s.file == nil {
		if s.file, s.err = os.CreateTemp("", "asepsis-events-*"); s.err != nil {
			s.err = fmt.Errorf("events do not fit into memory: %w", s.err)
			return
		}
		s.w = bufio.NewWriterSize(s.file, 1<<20)
	}
	if _, s.err = s.w.Write(h); s.err == nil {
		_, s.err = s.w.Write(s.one)
	}
}

// Close removes what was kept.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = nil
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.file.Close(), os.Remove(s.file.Name()))
	s.file = nil
	return err
}

// Run shows all events to the rules, in the order of their arrival, and returns what they
// found, the worst first. pol may be nil: zones are then proposed from the devices.
func (s *Spool) Run(content *Content, inv *inventory.Inventory, pol *policy.Policy) ([]finding.Alert, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	devs := inv.Devices()
	if pol == nil {
		pol = proposed(devs)
	}
	world := scene.NewWorld(devs, nil, pol)
	c := NewCollector()
	cases, err := newClock(Default())
	if err != nil {
		return nil, err
	}
	e, err := NewEngine(Deps{Content: content, Learner: c, Emit: c.Add, Clock: cases})
	if err != nil {
		return nil, err
	}
	e.World = world
	seq := uint64(0)
	var dec record.Decoder
	feed := func(data []byte) error {
		ev, err := dec.Decode(data)
		if err != nil {
			return err
		}
		seq++
		rec := FileUnder(inv, ev, "analyze", seq)
		rec.Seq = 0 // it is not kept
		sc := world.Scene(&rec, ev)
		e.Feed(&sc)
		return nil
	}
	for b := s.buf; len(b) > 0; {
		n, k := binary.Uvarint(b)
		if err := feed(b[k : k+int(n)]); err != nil { //nolint:gosec // written above
			return nil, err
		}
		b = b[k+int(n):] //nolint:gosec // written above
	}
	if s.file == nil {
		return c.Alerts(), nil
	}
	if err := s.w.Flush(); err != nil {
		return nil, fmt.Errorf("events do not fit: %w", err)
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(s.file, 1<<20)
	var data []byte
	for {
		n, err := binary.ReadUvarint(r)
		if errors.Is(err, io.EOF) {
			return c.Alerts(), nil
		}
		if err != nil || n > record.MaxSize {
			return nil, fmt.Errorf("read events again: %w", errors.Join(err, errState))
		}
		if uint64(cap(data)) < n {
			data = make([]byte, n)
		}
		data = data[:n]
		if _, err := io.ReadFull(r, data); err != nil {
			return nil, fmt.Errorf("read events again: %w", err)
		}
		if err := feed(data); err != nil {
			return nil, err
		}
	}
}

// proposed is the policy that is made of the devices alone.
func proposed(devs []device.Device) *policy.Policy {
	p, wrong := policy.Compile(policy.Propose(devs))
	if len(wrong) > 0 {
		return nil
	}
	return p
}
