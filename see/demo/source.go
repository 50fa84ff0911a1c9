// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"cmp"
	"context"
	"io"
	"slices"
	"time"

	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/wire/capture"
)

// Source gives the day's frames in the order of time: those of the past at once,
// the others when their time has come. It ends when ctx does.
func (d *Day) Source(ctx context.Context) capture.Source {
	s := &source{ctx: ctx, day: d}
	for _, r := range d.rooms {
		s.rooms = append(s.rooms, &player{room: r})
	}
	return s
}

// source merges the players of all rooms.
type source struct {
	ctx   context.Context
	day   *Day
	rooms []*player
	stats capture.Stats
}

// player gives the frames of one room, case after case.
type player struct {
	room  *room
	queue []timed // of the current part, in the order of time
	next  time.Time
	cases int
}

// timed is a frame with the time at which it comes.
type timed struct {
	at   time.Time
	data []byte
}

// Next implements capture.Source.
func (s *source) Next(f *capture.Frame) error {
	var best *player
	for _, p := range s.rooms {
		if len(p.queue) == 0 {
			p.fill(s.day)
		}
		if best == nil || p.queue[0].at.Before(best.queue[0].at) {
			best = p
		}
	}
	x := best.queue[0]
	if wait := time.Until(x.at); wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-s.ctx.Done():
			return io.EOF
		}
	} else if s.ctx.Err() != nil {
		return io.EOF
	}
	best.queue = best.queue[1:]
	*f = capture.Frame{Time: x.at.UnixNano(), Data: x.data, OrigLen: len(x.data), Link: capture.LinkEthernet}
	s.stats.Frames++
	s.stats.Bytes += uint64(len(x.data))
	return nil
}

// Stats implements capture.Source.
func (s *source) Stats() capture.Stats { return s.stats }

// fill queues the next part of a room's day: a case, or quiet time of the
// length of one.
func (p *player) fill(d *Day) {
	r := p.room
	if p.next.IsZero() {
		p.next, _, _ = d.caseAt(r, d.now.Add(-past))
		if p.next.Before(d.now.Add(-past)) {
			p.next = p.next.Add(pastPeriod)
		}
	}
	frames, start, length := r.frames, p.next, pastCase
	p.cases++
	switch {
	case p.next.Add(pastPeriod).Before(d.now):
		p.next = p.next.Add(pastPeriod)
	case p.next.Before(d.now): // the last one of the past is cut where the present begins
		p.next, _, _ = d.caseAt(r, d.now)
		if p.next.Before(d.now) {
			p.next = p.next.Add(livePeriod)
		}
	default:
		length = liveCase
		p.next = p.next.Add(livePeriod)
		if r.now != theatre.InCase {
			frames = r.quiet
		}
	}
	recorded := r.frames[len(r.frames)-1]
	whole := recorded.flow + recorded.in
	last := p.next
	// What went wrong did so in the last case that was over when the present began.
	lastPast := !start.Add(pastCase).After(d.now) && start.Add(pastPeriod+pastCase).After(d.now)
	withStranger := r.stranger && lastPast
	it := &theCase{n: p.cases + 1000*int(r.digit-recordedDigit), from: start.Add(length / 10), to: start.Add(length * 17 / 20)}
	add := func(f *frame, at time.Time) {
		if at.Before(last) {
			p.queue = append(p.queue, timed{at, it.fresh(f.data, at)})
		}
	}
	var came time.Duration
	for i := range frames {
		f := &frames[i]
		switch {
		case f.schedule && len(frames) == len(r.frames):
			add(f, start.Add(length/20+f.in))
		case !f.stranger:
			add(f, start.Add(f.at(whole, length)))
		case withStranger: // comes when the case is half over, and stays for a fifth of it
			if came == 0 {
				came = f.flow + f.in
			}
			flow := max(f.flow, came) // what goes to everybody began before
			add(f, start.Add(length*11/20+time.Duration(float64(flow-came)/float64(max(whole-came, 1))*float64(length)/5)+f.flow+f.in-flow))
		}
	}
	if lastPast {
		for i := range r.incident {
			f := &r.incident[i]
			add(f, start.Add(r.begins+f.flow+f.in))
		}
	}
	slices.SortStableFunc(p.queue, func(a, b timed) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
}
