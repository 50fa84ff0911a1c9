// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/problem"
)

const (
	streamBatch = 200                    // events of one message
	streamPause = 100 * time.Millisecond // between full messages: at most 2,000 events a second
	stillEvery  = 1500 * time.Millisecond
	lagEvery    = 2 * time.Second
	lagFrom     = 2 * streamBatch // events behind from which a stream says so
	maxEventID  = 1 << 62
)

// sse writes server-sent events (WHATWG HTML §9.2) to one reader. It never holds
// back what the reader does not take: a write that does not end in time ends the
// stream, which resumes by itself.
type sse struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	timeout time.Duration
	buf     []byte
}

// begin sends the head and how long a reader waits before it comes back.
func (e *sse) begin() error {
	h := e.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	e.w.WriteHeader(http.StatusOK)
	return e.write([]byte("retry: 2000\n\n"))
}

func (e *sse) write(b []byte) error {
	_ = e.rc.SetWriteDeadline(time.Now().Add(e.timeout))
	if _, err := e.w.Write(b); err != nil {
		return err
	}
	if err := e.rc.Flush(); err != nil {
		return err
	}
	// HTTP/2 ends a stream when its deadline passes, also when nothing is being
	// written: silence is no reader that takes nothing.
	return e.rc.SetWriteDeadline(time.Time{})
}

// send writes one event; id is left out when it is "".
func (e *sse) send(name, id string, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	b := append(e.buf[:0], "event: "...)
	b = append(append(b, name...), '\n')
	if id != "" {
		b = append(append(append(b, "id: "...), id...), '\n')
	}
	b = append(append(append(b, "data: "...), body...), "\n\n"...)
	e.buf = b
	return e.write(b)
}

func (e *sse) alive() error { return e.write([]byte(": alive\n\n")) }

// open takes a place for a stream and sends its head.
func (s *Server) open(w http.ResponseWriter, r *http.Request) (e *sse, who access.Actor, free func(), err error) {
	who, _ = access.ActorOf(r.Context())
	free, which := s.streams.take(string(who.Via) + ":" + who.ID)
	switch which {
	case "all":
		return nil, who, nil, problem.Unavailable("There are too many live views now.", "try again in a moment", 10*time.Second, nil)
	case "session":
		return nil, who, nil, problem.TooMany("This login has too many live views open: close other windows of the console.", 10*time.Second)
	}
	return &sse{w: w, rc: http.NewResponseController(w), timeout: s.cfg.Streams.WriteTimeout}, who, free, nil
}

// lasting calls stop when a stream must end: the session has expired or was
// revoked, the server drains. The returned function waits for it.
func (s *Server) lasting(ctx context.Context, who access.Actor) (context.Context, func()) {
	ctx, stop := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(stillEvery)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.draining:
				stop(errDraining)
				return
			case <-t.C:
				now, err := s.dep.Access.Still(ctx, who)
				if err == nil && !now.May(access.Read) {
					err = errRevoked
				}
				if p := problem.From(err); err != nil && p.Status < 500 {
					stop(errRevoked)
					return
				}
			}
		}
	}()
	return ctx, func() { stop(nil); <-done }
}

type streamEnd string

func (e streamEnd) Error() string { return string(e) }

const (
	errDraining = streamEnd("drain")
	errRevoked  = streamEnd("revoked")
	errSlow     = streamEnd("reader")
)

// ended counts why a stream ended.
func (s *Server) ended(ctx context.Context, err error) {
	why := "client"
	var end streamEnd
	if errors.As(context.Cause(ctx), &end) {
		why = string(end)
	} else if err != nil && ctx.Err() == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		why = string(errSlow) // over HTTP/1 a write that failed ends the request's context, too
	}
	s.metrics.cut.WithLabelValues(why).Inc()
}

// lagNotice, gapNotice are what a stream of events says besides events.
type lagNotice struct {
	Behind  uint64  `json:"behind"`
	Seconds float64 `json:"seconds"`
}

type gapNotice struct {
	From string `json:"from"`
	To   string `json:"to"`
	Why  string `json:"why"`
}

// getEventStream sends events as they are stored, from the ID that the reader has
// seen last on.
func (s *Server) getEventStream(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	q := p.events()
	site := p.text("site", maxName)
	at, given := p.eventID("after")
	if last := r.Header.Get("Last-Event-ID"); last != "" { // a browser that comes back
		n, ok := parseUint(last)
		if !ok || n > maxEventID {
			p.fail("Last-Event-ID", "", "is no ID of an event")
		}
		at, given = n, true
	}
	if err := p.end(); err != nil {
		return err
	}
	if err := s.inSite(r.Context(), site, &q); err != nil {
		return err
	}
	first, last, err := s.dep.Store.Last(r.Context())
	if err != nil {
		return err
	}
	// A question that the store refuses is refused before the stream begins.
	if _, _, err := s.dep.Store.After(r.Context(), last, q, 1); err != nil {
		return storeProblem(err, "q")
	}
	e, who, free, err := s.open(w, r)
	if err != nil {
		return err
	}
	defer free()
	if r.Method == http.MethodHead {
		return nil
	}
	ctx, wait := s.lasting(r.Context(), who)
	defer wait()
	err = e.begin()
	if !given {
		at = last
		if err == nil {
			// So that a reader that is cut off before the first event misses none.
			err = e.write([]byte("id: " + strconv.FormatUint(at, 10) + "\nevent: events\ndata: {\"events\":[]}\n\n"))
		}
	}
	if err == nil {
		err = s.follow(ctx, e, q, at, first, last)
	}
	s.ended(ctx, err)
	return nil
}

// eventID reads the ID of an event.
func (p *params) eventID(name string) (uint64, bool) {
	s := p.one(name)
	if s == "" {
		return 0, false
	}
	n, ok := parseUint(s)
	if !ok || n > maxEventID {
		p.fail(name, "", "is no ID of an event")
	}
	return n, true
}

// follow sends what is stored after at until ctx ends or the reader is gone.
func (s *Server) follow(ctx context.Context, e *sse, q store.Query, at, first, last uint64) error {
	if gap, from := gapBefore(at, first, last); gap != nil {
		at = from
		if err := e.send("gap", strconv.FormatUint(at, 10), gap); err != nil {
			return err
		}
	}
	lagging, lagAt, sentAt := false, time.Time{}, time.Now()
	pause := 200 * time.Millisecond // after an error of the store
	for ctx.Err() == nil {
		recs, next, err := s.dep.Store.After(ctx, at, q, streamBatch)
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			// The store is away: the stream stays, and says that it is alive.
			if err := e.alive(); err != nil {
				return err
			}
			sentAt = time.Now()
			sleep(ctx, pause)
			pause = min(2*pause, 5*time.Second)
			continue
		}
		pause = 200 * time.Millisecond
		if first, last, err = s.dep.Store.Last(ctx); err != nil {
			sleep(ctx, pause)
			continue
		}
		if len(recs) > 0 && recs[0].Seq > at+1 && first > at+1 {
			// Retention was faster than this reader.
			if gap, _ := gapBefore(at, first, last); gap != nil {
				if err := e.send("gap", "", gap); err != nil {
					return err
				}
			}
		}
		moved := next > at
		at = max(at, next)
		if len(recs) > 0 {
			world, err := s.know.get(ctx)
			if err != nil {
				world = &world0
			}
			rows := make([]EventRow, 0, len(recs))
			for i := range recs {
				row, _ := eventRow(&recs[i], world)
				rows = append(rows, row)
			}
			if err := e.send("events", strconv.FormatUint(at, 10), struct {
				Events []EventRow `json:"events"`
			}{rows}); err != nil {
				return err
			}
			s.metrics.sent.Add(float64(len(rows)))
			sentAt = time.Now()
		}
		behind := last - min(at, last)
		if late := behind > lagFrom; late != lagging && (late || behind == 0) || lagging && time.Since(lagAt) >= lagEvery {
			lagging, lagAt = behind > lagFrom, time.Now()
			n := lagNotice{Behind: behind}
			if behind > 0 && len(recs) > 0 {
				n.Seconds = math.Round(max(0, s.now().Sub(time.Unix(0, recs[len(recs)-1].Time)).Seconds())*10) / 10
			}
			if err := e.send("lag", "", n); err != nil {
				return err
			}
			sentAt = time.Now()
		}
		switch {
		case len(recs) >= streamBatch:
			sleep(ctx, streamPause)
			continue
		case moved && behind > 0:
			continue
		}
		left := s.cfg.Streams.Heartbeat - time.Since(sentAt)
		if left <= 0 {
			// The ID moves on also when nothing matched: who comes back starts here.
			if err := e.write([]byte("id: " + strconv.FormatUint(at, 10) + "\nevent: events\ndata: {\"events\":[]}\n\n")); err != nil {
				return err
			}
			sentAt, left = time.Now(), s.cfg.Streams.Heartbeat
		}
		inner, cancel := context.WithTimeout(ctx, left)
		err = s.dep.Store.Wait(inner, at)
		cancel()
		if err == nil {
			sleep(ctx, streamPause/2) // what comes together is sent together
		} else if ctx.Err() == nil && time.Since(sentAt) < s.cfg.Streams.Heartbeat {
			sleep(ctx, pause) // the store cannot wait now
		}
	}
	return nil //nolint:nilerr // the stream's end is no error
}

// world0 names nothing.
var world0 world

// gapBefore says what a reader asked for that is not there any more, and from where
// on it can be served.
func gapBefore(at, first, last uint64) (*gapNotice, uint64) {
	id := func(n uint64) string { return strconv.FormatUint(n, 10) }
	switch {
	case at > last:
		// Another store: the reader's numbers mean nothing here.
		return &gapNotice{From: id(at), To: id(last), Why: "The store was made anew, or is another one: what the reader saw is not part of it."}, last
	case first > at+1 && at > 0:
		return &gapNotice{From: id(at + 1), To: id(first - 1), Why: "These events were removed by the retention before they were read."}, first - 1
	}
	return nil, at
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// getStream sends what changed of everything else.
func (s *Server) getStream(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	e, who, free, err := s.open(w, r)
	if err != nil {
		return err
	}
	defer free()
	if r.Method == http.MethodHead {
		return nil
	}
	sub, end := s.notices.subscribe()
	defer end()
	ctx, wait := s.lasting(r.Context(), who)
	defer wait()
	err = e.begin()
	beat := time.NewTicker(s.cfg.Streams.Heartbeat)
	defer beat.Stop()
	// A reader that comes back may have missed anything: it loads all again.
	if err == nil && r.Header.Get("Last-Event-ID") != "" {
		for _, what := range noticeKinds {
			if err = e.send("changed", "0", notice{What: what}); err != nil {
				break
			}
		}
	}
	for n := 0; err == nil && ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-beat.C:
			err = e.alive()
		case <-sub.wake:
			for _, x := range sub.take() {
				n++
				if err = e.send("changed", fmt.Sprint(n), x); err != nil {
					break
				}
			}
			sleep(ctx, streamPause)
		}
	}
	s.ended(ctx, err)
	return nil
}
