// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/match"
)

// stateMagic begins what is saved of a partition; the number is that of the layout.
const stateMagic = "asepsis-detect/1\n"

// MaxState bounds what is saved of one partition, and of one rule in it.
const (
	MaxState  = 60 << 20
	maxHeader = 16 << 20
)

// stateHeader stands before the states of the rules.
type stateHeader struct {
	Seq   uint64            `json:"seq"` // everything up to this event is in it
	Clock int64             `json:"clock"`
	Tail  map[string]uint32 `json:"tail,omitempty"` // occurrences by alert key at Seq
	Blind map[string]int64  `json:"blind,omitempty"`
	Rules []stateRule       `json:"rules"`
	// Cases is what the clock of the theatres knows.
	Cases []byte `json:"cases,omitempty"`
}

type stateRule struct {
	ID     string            `json:"id"`
	Hash   string            `json:"hash"`
	Size   int               `json:"size"`
	Recent map[string]int64  `json:"recent,omitempty"`
	Groups map[string]string `json:"groups,omitempty"`
	Last   int64             `json:"last,omitempty"`
}

// Save returns the state of a partition: all that is needed to go on after the event
// that was fed last. A rule whose state is too large is left out and named.
func (e *Engine) Save(p int) (state []byte, skipped []string, err error) {
	h := stateHeader{Seq: e.at, Clock: e.clock, Tail: maps.Clone(e.tail), Blind: e.blind}
	if e.deps.Clock != nil {
		var err error
		if h.Cases, err = e.deps.Clock.Save(); err != nil {
			return nil, nil, fmt.Errorf("save the state of cases: %w", err)
		}
	}
	var bodies, one bytes.Buffer
	for _, c := range e.rules {
		one.Reset()
		if err := c.matcher.Save(p, &one); err != nil {
			return nil, nil, fmt.Errorf("save rule %s: %w", c.rule.ID, err)
		}
		if bodies.Len()+one.Len() > MaxState-maxHeader {
			skipped = append(skipped, c.rule.ID)
			continue
		}
		maps.DeleteFunc(c.recent[p], func(_ string, since int64) bool { return e.clock-since >= 3600e9 })
		h.Rules = append(h.Rules, stateRule{ID: c.rule.ID, Hash: c.hash, Size: one.Len(), Recent: c.recent[p], Groups: c.groups[p], Last: c.last})
		_, _ = bodies.Write(one.Bytes())
	}
	head, err := json.Marshal(h)
	if err != nil {
		return nil, nil, err
	}
	out := make([]byte, 0, len(stateMagic)+4+len(head)+bodies.Len())
	out = append(out, stateMagic...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(head))) //nolint:gosec // a header is far below 4 GiB
	out = append(out, head...)
	return append(out, bodies.Bytes()...), skipped, nil
}

// errState is a state that cannot be read.
var errState = errors.New("the saved state of detection cannot be read")

func readHeader(state []byte) (h stateHeader, bodies []byte, err error) {
	rest, ok := bytes.CutPrefix(state, []byte(stateMagic))
	if !ok || len(rest) < 4 {
		return h, nil, fmt.Errorf("%w: it is of another version", errState)
	}
	n := binary.BigEndian.Uint32(rest)
	rest = rest[4:]
	if n > maxHeader || int(n) > len(rest) {
		return h, nil, fmt.Errorf("%w: it is cut off", errState)
	}
	if err := json.Unmarshal(rest[:n], &h); err != nil {
		return h, nil, fmt.Errorf("%w: %w", errState, err)
	}
	return h, rest[n:], nil
}

// Load puts back the state of a partition and returns the event to go on after. A rule
// that changed since begins anew; dropped says which and why.
func (e *Engine) Load(p int, state []byte) (seq uint64, dropped map[string]error, err error) {
	h, bodies, err := readHeader(state)
	if err != nil {
		return 0, nil, err
	}
	by := make(map[string]*compiled, len(e.rules))
	for _, c := range e.rules {
		by[c.rule.ID] = c
	}
	for _, r := range h.Rules {
		if r.Size < 0 || r.Size > len(bodies) {
			return 0, nil, fmt.Errorf("%w: it is cut off", errState)
		}
		body := bodies[:r.Size]
		bodies = bodies[r.Size:]
		c := by[r.ID]
		if c == nil {
			continue
		}
		if c.last = max(c.last, r.Last); c.hash != r.Hash {
			continue // other keys, other windows: it cannot be used
		}
		c.recent[p], c.groups[p] = r.Recent, r.Groups
		if err := c.matcher.Load(p, bytes.NewReader(body)); err != nil {
			if dropped == nil {
				dropped = map[string]error{}
			}
			dropped[r.ID] = err
			c.matcher.Drop(p)
		}
	}
	if h.Clock > e.clock {
		e.clock = h.Clock
	}
	if h.Seq >= e.at {
		if h.Seq > e.at {
			clear(e.tail)
		}
		e.at = h.Seq
		for k, n := range h.Tail {
			e.tail[k] = max(e.tail[k], n)
		}
	}
	maps.Copy(e.blind, h.Blind)
	if e.deps.Clock != nil && len(h.Cases) > 0 {
		if err := e.deps.Clock.Load(h.Cases); err != nil {
			e.deps.Log.Warn("what was known about cases cannot be read and is learned anew", "err", err)
		}
	}
	return h.Seq, dropped, nil
}

// moveTo hands a partition's state over to another engine that has come to the same
// place.
func (e *Engine) moveTo(other *Engine, p int) error {
	for i, c := range e.rules {
		o := other.rules[i]
		var b bytes.Buffer
		if err := c.matcher.Save(p, &b); err != nil {
			return fmt.Errorf("rule %s: %w", c.rule.ID, err)
		}
		if err := o.matcher.Load(p, &b); err != nil {
			return fmt.Errorf("rule %s: %w", c.rule.ID, err)
		}
		o.recent[p], o.groups[p] = c.recent[p], c.groups[p]
	}
	for k, n := range e.tail {
		other.tail[k] = max(other.tail[k], n)
	}
	return nil
}

// keyOf is the key of an occurrence's alerts.
func keyOf(o *alert.Occurrence) string { return alert.Key(o.Rule.ID, o.Group) }

var _ match.Learner = (*Collector)(nil)
