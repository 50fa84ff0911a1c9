// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"errors"

	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

var _ analyze.Stream = (*stream)(nil)

// stream analyses one connection. Associations follow each other on it only when
// peers break PS3.8; each is then reported by itself.
type stream struct {
	halves  [2]half
	assoc   association
	ops     []*operation // outstanding, oldest first
	certain bool         // the service was reported
	pool    *analyze.Pool[stream]
}

// half is one direction.
type half struct {
	scan     ul.Scanner
	asm      dimse.Assembler
	slots    [dimse.MaxOpen]*dataset
	current  *dataset // of the PDV under way, nil when nobody reads it
	part     dimse.Part
	hunting  bool   // looking for a PDU header
	started  bool   // something was presented
	passOver uint64 // bytes left of a PDU whose inside was lost
	hunted   uint64
	largest  uint32 // longest P-DATA-TF
}

// Held implements analyze.Holder: association PDUs are all that can grow; data
// sets keep bounded values of a few elements.
func (s *stream) Held() int { return s.halves[0].scan.Held() + s.halves[1].scan.Held() }

// Data implements analyze.Stream.
func (s *stream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	h := &s.halves[dir]
	if !h.started {
		h.started = true
		s.assoc.incomplete = s.assoc.incomplete || c.MidStream
		h.hunting = c.MidStream && header(data, nil) != analyze.Yes
	}
	total := 0
	for {
		if h.passOver > 0 {
			k := min(h.passOver, uint64(len(data)-total))
			h.passOver -= k
			total += int(k)
			if h.passOver > 0 {
				k = h.passOver
				h.passOver = 0
				return int64(total) + int64(k), analyze.More
			}
		}
		if h.hunting {
			n, found := nextHeader(data[total:], s.accepted(dir))
			total += n
			h.hunted += uint64(n)
			if !found {
				if h.hunted > maxHunt {
					s.assoc.malformed("no PDU header found again (PS3.8 §9.3.1)")
					return int64(total), analyze.Reject
				}
				return int64(total), analyze.More
			}
			h.hunting = false
			h.scan.Resume(0)
		}
		ev, n, err := h.scan.Next(data[total:])
		total += n
		if err != nil {
			if v := s.broken(c, dir, err); v != analyze.More {
				return int64(total), v
			}
			continue
		}
		switch ev.Kind {
		case ul.Need:
			return int64(total), analyze.More
		case ul.PDU:
			s.pdu(c, dir, ev.Type, ev.Body)
		case ul.PDataStart:
			h.largest = max(h.largest, ev.Length)
		case ul.PDVStart:
			s.fragment(c, dir, ev.PDV)
		case ul.PDVData:
			s.fragmentData(c, dir, ev)
			if total == len(data) && !ev.End {
				return int64(total) + h.skip(), analyze.More
			}
		}
	}
}

// skip returns how many bytes need not be presented, and takes them as gone. The
// last byte of a PDV is never among them: with it arrives the certainty that the
// PDV was sent.
func (h *half) skip() int64 {
	if h.part == dimse.CommandPart || h.scan.Skippable() < 2 {
		return 0
	}
	n := uint64(h.scan.Skippable() - 1)
	if h.current != nil {
		n = min(n, h.current.x.Skippable())
		h.current.x.Skip(n)
	}
	h.scan.Skip(uint32(n))
	return int64(n)
}

// broken takes an error of the upper layer. The direction is searched for the next
// header, for one damaged PDU need not end what can be seen of a connection.
func (s *stream) broken(c *analyze.Conn, dir analyze.Dir, err error) analyze.Verdict {
	var e *ul.Error
	if errors.As(err, &e) {
		s.assoc.malformed(e.What + " (" + e.Section + ")")
	}
	if errors.Is(err, ul.ErrTLS) || errors.Is(err, ul.ErrHTTP) || !s.assoc.begun() {
		return analyze.Reject
	}
	s.lost(dir)
	s.halves[dir].hunting = true
	return analyze.More
}

// lost forgets what was being put together in one direction.
func (s *stream) lost(dir analyze.Dir) {
	h := &s.halves[dir]
	h.asm.Lost()
	h.asm.Open(func(m *dimse.Message) {
		if d := h.slots[m.Slot]; d != nil {
			d.loseRest()
		}
	})
	h.current, h.part = nil, dimse.Ignored
}

// Gap implements analyze.Stream.
func (s *stream) Gap(c *analyze.Conn, dir analyze.Dir, n int64) analyze.Verdict {
	h := &s.halves[dir]
	if n <= 0 || h.hunting {
		return analyze.More
	}
	left := uint64(n)
	s.assoc.incomplete = true
	if h.passOver > 0 { // the skip was ended early
		k := min(left, h.passOver)
		h.passOver -= k
		if left -= k; left == 0 {
			return analyze.More
		}
	}
	if k := min(left, uint64(h.scan.Skippable())); k > 0 {
		switch {
		case h.part == dimse.CommandPart:
			h.asm.Lost()
			h.part = dimse.Ignored
		case h.current != nil && h.current.x.Skippable() >= k:
			h.current.x.Skip(k)
		case h.current != nil:
			h.current.loseRest()
		}
		h.scan.Skip(uint32(k))
		left -= k
		if h.scan.Skippable() == 0 {
			if ev, _, err := h.scan.Next(nil); err == nil && ev.Kind == ul.PDVData {
				s.fragmentData(c, dir, ev)
			}
		}
		if left == 0 {
			return analyze.More
		}
	}
	if in := uint64(h.scan.PDULeft()); in > 0 && left <= in {
		// PDVs of this PDU are lost, but its end is known.
		s.lost(dir)
		h.passOver = in - left
		h.scan.Resume(0)
		return analyze.More
	}
	s.lost(dir)
	h.scan.Resume(0)
	h.hunting = true
	return analyze.More
}

// accepted returns which presentation context IDs may occur, nil when any may.
func (s *stream) accepted(analyze.Dir) func(uint8) bool {
	if s.assoc.ac == nil || len(s.assoc.contexts) == 0 {
		return nil
	}
	return s.assoc.isAccepted
}

// pdu takes a whole association PDU, release or abort.
func (s *stream) pdu(c *analyze.Conn, dir analyze.Dir, t ul.Type, body []byte) {
	switch t {
	case ul.TypeAssociateRQ:
		s.finishAsSeen(c)
		s.halves[0].largest, s.halves[1].largest = 0, 0
		s.assoc.request(c, dir, proposalOf(c, t, body))
	case ul.TypeAssociateAC:
		s.assoc.accept(c, dir, proposalOf(c, t, body))
		s.service(c, dir.Other())
	case ul.TypeAssociateRJ:
		if r, err := ul.ParseReject(body); err == nil {
			s.assoc.reject(c, dir, r)
			s.service(c, dir.Other())
		}
	case ul.TypeReleaseRQ:
		s.assoc.releaseRQ = true
		if s.assoc.releaseRP { // it had been waited for
			s.finish(c, endRelease)
		}
	case ul.TypeReleaseRP:
		s.assoc.releaseRP = true
		if s.assoc.releaseRQ {
			s.finish(c, endRelease)
		}
	case ul.TypeAbort:
		if a, err := ul.ParseAbort(body); err == nil && !s.assoc.ended {
			s.assoc.abort, s.assoc.abortBy = &a, dir
			s.finish(c, endAbort)
		}
	}
}

// service reports, once, that the side which answers speaks DICOM.
func (s *stream) service(c *analyze.Conn, requestor analyze.Dir) {
	if s.certain {
		return
	}
	s.certain = true
	if c.MidStream && c.SideOf(requestor) == analyze.Server {
		c.Flip()
	}
	c.Service("dicom")
}

// fragment takes the header of a presentation data value.
func (s *stream) fragment(c *analyze.Conn, dir analyze.Dir, p ul.PDV) {
	h := &s.halves[dir]
	part, m, err := h.asm.Begin(p)
	h.part, h.current = part, nil
	if err != nil && !s.assoc.incomplete && !c.MidStream {
		var e *dimse.Error
		if errors.As(err, &e) {
			s.assoc.malformed(e.What + " (" + e.Section + ")")
		}
	}
	if part == dimse.DataPart {
		h.current = h.slots[m.Slot]
		if h.current != nil && h.current.op == nil {
			h.current = nil
		}
	}
}

// fragmentData takes the next bytes of a fragment, and its end.
func (s *stream) fragmentData(c *analyze.Conn, dir analyze.Dir, ev ul.Event) {
	h := &s.halves[dir]
	switch h.part {
	case dimse.CommandPart:
		if err := h.asm.Command(ev.Body); err != nil {
			s.assoc.malformed("command set too long (PS3.7 §6.3.1)")
			h.part = dimse.Ignored
		}
	case dimse.DataPart:
		if h.current != nil && h.current.op == nil {
			h.current = nil // a response ended the operation early
		}
		if h.current != nil {
			h.current.feed(ev.Body)
			if ev.End && h.current.mode != modeScheduled {
				h.current.op.bytes += uint64(ev.PDV.Length)
			}
		}
	}
	if !ev.End {
		return
	}
	m, commandDone, messageDone, err := h.asm.End()
	switch {
	case err != nil:
		var e *dimse.Error
		if errors.As(err, &e) && !s.assoc.incomplete {
			s.assoc.malformed(e.What + " (" + e.Section + ")")
		}
	case commandDone:
		s.command(c, dir, m)
	case messageDone && h.current != nil:
		if op := h.current.end(); op.final() && op.data == nil {
			s.end(c, op) // adopted
		}
	}
}

// Close implements analyze.Stream.
func (s *stream) Close(c *analyze.Conn, _ analyze.End) {
	s.finishAsSeen(c)
	if pool := s.pool; pool != nil {
		s.reset()
		pool.Give(s)
	}
}

// reset forgets everything but room for the next connection.
func (s *stream) reset() {
	contexts := s.assoc.contexts[:0]
	slots := [2][dimse.MaxOpen]*dataset{s.halves[0].slots, s.halves[1].slots}
	*s = stream{}
	s.assoc.contexts = contexts
	for i := range slots {
		for k, d := range slots[i] {
			if d != nil && !d.deflated { // an inflater is large
				d.op = nil
				s.halves[i].slots[k] = d
			}
		}
	}
}
