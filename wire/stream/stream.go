// SPDX-License-Identifier: Apache-2.0

// Package stream puts the segments of one direction of a TCP connection in
// order (RFC 9293), as a passive observer that may have missed some.
//
// # Policy
//
//   - Overlaps: the bytes that were seen first win. Bytes already delivered
//     are never delivered again; where waiting segments overlap with different
//     content it is counted (Stats.Conflicts), since honest stacks do not do so.
//   - Loss: a hole is reported as a gap when the receiver acknowledged bytes
//     beyond it and GraceSegments more segments or GraceTime came, when more than the
//     half's bound of bytes or segments waits behind it, when the budget that
//     all halves share is used up, or at the end.
//   - Mid-stream: without SYN the first segment with payload sets the start.
//   - Sequence numbers more than MaxWindow away from the expected one are not
//     believed until InvalidLimit of them came in a row; then the stream starts anew
//     there, behind a gap.
//
// # Cost
//
// A segment in order costs no copy and no allocation. Waiting segments are
// copied, at most MaxWaiting bytes and MaxSegments segments a half, and
// insertion is O(MaxSegments) at the worst. Bytes that the reader asked to skip
// are never stored, in order or not.
package stream

// Bounds of one Half.
const (
	MaxWaiting    = 256 << 10  // bytes behind a hole
	MaxSegments   = 256        // segments behind a hole
	MaxWindow     = 1 << 28    // distance from the expected sequence number that is believed
	GraceSegments = 8          // segments after an acknowledgement beyond a hole
	GraceTime     = int64(1e9) // ns after an acknowledgement beyond a hole
	InvalidLimit  = 8          // out-of-window segments in a row that restart the stream
)

// SkipAll makes a Half skip everything that follows.
const SkipAll = int64(1) << 62

// Budget is the memory that all halves of a worker share. It belongs to one
// goroutine.
type Budget struct {
	Max  int64 // bytes
	used int64
}

// Used returns the bytes that wait behind holes.
func (b *Budget) Used() int64 { return b.used }

// Stats counts what happened to segments, summed over the halves that were
// given the same Stats.
type Stats struct {
	Segments    uint64 // with payload, SYN or FIN
	InOrder     uint64
	OutOfOrder  uint64
	Retransmits uint64 // segments that brought nothing new
	Conflicts   uint64 // overlapping segments with different content
	Invalid     uint64 // out of any believable window
	Gaps        uint64
	GapBytes    uint64
	Evicted     uint64 // holes given up because of a bound
}

// Half is one direction of a connection. The zero value is ready. It belongs
// to one goroutine.
type Half struct {
	next    uint32 // sequence number of the next byte to deliver
	started bool
	fin     bool // FIN delivered
	finSeen bool
	invalid uint8
	grace   uint8 // segments since the receiver acknowledged beyond the hole
	acked   bool
	ackedAt int64
	finSeq  uint32
	skip    int64
	wait    *waiting
}

type waiting struct {
	segs  []seg // by sequence number, not overlapping
	bytes int
}

type seg struct {
	seq  uint32
	data []byte // nil for a range whose bytes are missing (cut by the snap length)
	n    uint32 // length; len(data) unless data is nil
}

// Chunk is what a Half delivers: bytes in order, or a gap.
type Chunk struct {
	Data []byte // valid until the next call on the Half
	Gap  int64  // bytes lost before anything that follows; Data is nil
}

// diff is the signed distance from b to a in sequence space.
func diff(a, b uint32) int64 { return int64(int32(a - b)) }

// Started reports whether the position in the stream is known.
func (h *Half) Started() bool { return h.started }

// Next returns the sequence number expected next.
func (h *Half) Next() uint32 { return h.next }

// Finished reports whether everything up to the sender's FIN was delivered.
func (h *Half) Finished() bool { return h.fin }

// Waiting returns the bytes held behind holes.
func (h *Half) Waiting() int {
	if h.wait == nil {
		return 0
	}
	return h.wait.bytes
}

// Skip asks to pass over the next n bytes of the stream, holes included.
// They are not delivered and not reported as gaps.
func (h *Half) Skip(n int64, b *Budget) {
	h.skip += n
	if h.skip > SkipAll {
		h.skip = SkipAll
	}
	if h.skip == SkipAll {
		h.Drop(b)
	}
}

// Unskip takes back n of the bytes to be passed over, because the caller held
// them already.
func (h *Half) Unskip(n int64) { h.skip = max(0, h.skip-n) }

// Skipping returns how many bytes are still to be passed over.
func (h *Half) Skipping() int64 { return h.skip }

// Drop frees all that waits.
func (h *Half) Drop(b *Budget) {
	if h.wait != nil {
		b.used -= int64(h.wait.bytes)
		h.wait = nil
	}
}

// Quiet reports whether nothing waits behind a hole.
func (h *Half) Quiet() bool { return !h.acked && (h.wait == nil || len(h.wait.segs) == 0) }

// Continue is Push for the segment that most segments are: whole, without SYN or FIN, the
// next one of a half in which nothing waits. It returns the bytes that are to
// be delivered, after which there is nothing to pull. It reports false, and has
// changed nothing, where Push is needed.
func (h *Half) Continue(seq uint32, payload []byte, st *Stats) (data []byte, ok bool) {
	if seq != h.next || !h.started || h.finSeen || len(payload) == 0 || !h.Quiet() {
		return nil, false
	}
	st.Segments++
	st.InOrder++
	h.invalid = 0
	h.next += uint32(len(payload))
	k := min(h.skip, int64(len(payload)))
	h.skip -= k
	return payload[k:], true
}

// Push takes a segment: its sequence number, flags and payload, of which
// missing bytes at the end were not captured. It returns the first chunk that
// can be delivered; the caller then calls Pull until it reports false. ok is
// false when there is nothing to deliver yet.
func (h *Half) Push(seq uint32, syn, fin bool, payload []byte, missing int, b *Budget, st *Stats) (c Chunk, ok bool) {
	n := len(payload) + missing
	if n == 0 && !syn && !fin {
		return Chunk{}, false
	}
	st.Segments++
	if syn {
		if !h.started {
			h.started = true
			h.next = seq + 1
		}
		seq++
	}
	if !h.started {
		if n == 0 {
			return Chunk{}, false
		}
		h.started = true
		h.next = seq
	}
	if fin && !h.finSeen {
		if d := diff(seq+uint32(n), h.next); d >= 0 && d < MaxWindow {
			h.finSeen = true
			h.finSeq = seq + uint32(n)
		}
	}
	if n == 0 {
		h.checkFin()
		return Chunk{}, false
	}
	d := diff(seq, h.next)
	if d > MaxWindow || d < -MaxWindow {
		st.Invalid++
		h.invalid++
		if h.invalid < InvalidLimit {
			return Chunk{}, false
		}
		h.Drop(b)
		h.invalid = 0
		h.next = seq
		h.skip = min(h.skip, 0)
		st.Gaps++
		h.store(seq, payload, missing, b, st)
		return Chunk{Gap: 1}, true // how much is lost cannot be known
	}
	h.invalid = 0
	end := d + int64(n)
	if end <= 0 {
		st.Retransmits++
		return Chunk{}, false
	}
	if d < 0 { // starts with bytes already delivered
		cut := int(min(-d, int64(len(payload))))
		missing -= int(-d) - cut
		payload = payload[cut:]
		seq, d = h.next, 0
	}
	if d > 0 && d <= h.skip { // a hole in what nobody wants to read
		h.skip -= d
		h.next += uint32(d)
		h.dropOld(b)
		d = 0
	}
	if h.skip > 0 && d == 0 {
		k := min(h.skip, int64(len(payload)))
		payload = payload[k:]
		h.skip -= k
		h.next += uint32(k)
		seq += uint32(k)
		if len(payload) == 0 {
			k = min(h.skip, int64(missing))
			missing -= int(k)
			h.skip -= k
			h.next += uint32(k)
			seq += uint32(k)
			if missing == 0 {
				st.InOrder++
				h.dropOld(b)
				h.checkFin()
				return Chunk{}, h.ready()
			}
		}
	}
	if d == 0 && (h.wait == nil || len(h.wait.segs) == 0) {
		st.InOrder++
		h.next += uint32(len(payload))
		if missing > 0 {
			h.store(h.next, nil, missing, b, st)
		}
		h.checkFin()
		return Chunk{Data: payload}, len(payload) > 0 || missing > 0
	}
	if d > 0 {
		st.OutOfOrder++
	} else {
		st.InOrder++
	}
	h.store(seq, payload, missing, b, st)
	if h.acked && d > 0 {
		h.grace++
	}
	return Chunk{}, true
}

// ready reports whether Pull could deliver something.
func (h *Half) ready() bool {
	return h.wait != nil && len(h.wait.segs) > 0 && h.wait.segs[0].seq == h.next
}

// Acked tells that the receiver acknowledged everything before ack.
func (h *Half) Acked(ack uint32, now int64) {
	if h.started && !h.acked && h.wait != nil && len(h.wait.segs) > 0 && diff(ack, h.next) > 0 && diff(ack, h.next) < MaxWindow {
		h.acked = true
		h.grace = 0
		h.ackedAt = now
	}
}

// Overdue reports whether a hole will not be filled any more: the receiver has
// the bytes since GraceTime, the capture has not.
func (h *Half) Overdue(now int64) bool { return h.acked && now-h.ackedAt > GraceTime }

// Pull returns the next chunk, false when nothing can be delivered now. With
// flush, holes no longer wait: each is a gap.
func (h *Half) Pull(flush bool, b *Budget, st *Stats) (Chunk, bool) {
	for {
		w := h.wait
		if w == nil || len(w.segs) == 0 {
			h.acked = false
			h.checkFin()
			return Chunk{}, false
		}
		s := w.segs[0]
		d := diff(s.seq, h.next)
		if d > 0 {
			over := w.bytes > MaxWaiting || len(w.segs) > MaxSegments || b.used > b.Max
			if d > h.skip && !flush && !over && !(h.acked && h.grace >= GraceSegments) {
				return Chunk{}, false
			}
			if over {
				st.Evicted++
			}
			h.next = s.seq
			h.acked, h.grace = false, 0
			k := min(d, h.skip)
			h.skip -= k
			if d -= k; d > 0 {
				st.Gaps++
				st.GapBytes += uint64(d)
				return Chunk{Gap: d}, true
			}
			continue
		}
		w.segs = w.segs[1:]
		w.bytes -= len(s.data)
		b.used -= int64(len(s.data))
		data, n := s.data, int64(s.n)
		if d < 0 { // its start was delivered meanwhile
			cut := min(-d, n)
			n -= cut
			if data != nil {
				data = data[cut:]
			}
		}
		h.next += uint32(n)
		k := min(h.skip, n)
		h.skip -= k
		n -= k
		if n == 0 {
			continue
		}
		if data == nil {
			st.Gaps++
			st.GapBytes += uint64(n)
			return Chunk{Gap: n}, true
		}
		return Chunk{Data: data[k:]}, true
	}
}

func (h *Half) checkFin() {
	if h.finSeen && diff(h.next, h.finSeq) >= 0 {
		h.fin = true
	}
}

// dropOld forgets waiting bytes before next.
func (h *Half) dropOld(b *Budget) {
	w := h.wait
	if w == nil {
		return
	}
	for len(w.segs) > 0 && diff(w.segs[0].seq+w.segs[0].n, h.next) <= 0 {
		w.bytes -= len(w.segs[0].data)
		b.used -= int64(len(w.segs[0].data))
		w.segs = w.segs[1:]
	}
}

// store keeps a segment that starts at or after next, without the bytes that
// wait already.
func (h *Half) store(seq uint32, payload []byte, missing int, b *Budget, st *Stats) {
	if h.wait == nil {
		h.wait = &waiting{}
	}
	if len(payload) > 0 {
		h.insert(seq, payload, uint32(len(payload)), b, st)
	}
	if missing > 0 {
		h.insert(seq+uint32(len(payload)), nil, uint32(missing), b, st)
	}
}

func (h *Half) insert(seq uint32, data []byte, n uint32, b *Budget, st *Stats) {
	w := h.wait
	i := len(w.segs)
	for i > 0 && diff(w.segs[i-1].seq, seq) > 0 {
		i--
	}
	brought := false
	for n > 0 {
		if i > 0 {
			prev := w.segs[i-1]
			if over := diff(prev.seq+prev.n, seq); over > 0 {
				k := uint32(min(over, int64(n)))
				if data != nil && prev.data != nil {
					at := uint32(diff(seq, prev.seq))
					if string(data[:k]) != string(prev.data[at:at+k]) {
						st.Conflicts++
					}
				}
				seq += k
				n -= k
				if data != nil {
					data = data[k:]
				}
				if n == 0 {
					break
				}
			}
		}
		part := n
		if i < len(w.segs) {
			part = min(part, uint32(diff(w.segs[i].seq, seq)))
		}
		if part > 0 {
			s := seg{seq: seq, n: part}
			if data != nil {
				s.data = append([]byte(nil), data[:part]...)
				w.bytes += int(part)
				b.used += int64(part)
				data = data[part:]
			}
			w.segs = append(w.segs, seg{})
			copy(w.segs[i+1:], w.segs[i:])
			w.segs[i] = s
			brought = true
			seq += part
			n -= part
		}
		i++
	}
	if !brought {
		st.Retransmits++
	}
}
