// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// readyFor is how long an answer of /readyz is given again: whoever asks more
// often costs nothing.
const (
	readyFor     = time.Second
	readyTimeout = 3 * time.Second
)

// getHealth says that the process runs and answers. It touches nothing else, so
// that a supervisor does not restart the console because a database is away.
func (s *Server) getHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte("ok\n"))
}

// Readiness answers GET /readyz.
type Readiness struct {
	Ready bool        `json:"ready"`
	Rooms []RoomReady `json:"rooms"`
}

// RoomReady is one room of the program. Why is told only to who may read.
type RoomReady struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
	Why   string `json:"why,omitempty"`
}

type readyCache struct {
	mu   sync.Mutex
	at   time.Time
	last Readiness
}

// getReady asks every room whether it can do its work now.
func (s *Server) getReady(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	if err := p.end(); err != nil {
		return err
	}
	out := s.readiness(r.Context())
	if _, err := s.dep.Access.Authenticate(r); err != nil {
		// Who is not logged in learns that a room is not ready, and not why.
		out.Rooms = slices.Clone(out.Rooms)
		for i := range out.Rooms {
			out.Rooms[i].Why = ""
		}
	}
	status := http.StatusOK
	if !out.Ready {
		status = http.StatusServiceUnavailable
	}
	return send(w, r, status, out)
}

func (s *Server) readiness(ctx context.Context) Readiness {
	c := &s.ready
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := s.now().Sub(c.at); age >= 0 && age < readyFor {
		return c.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	out := Readiness{Ready: true, Rooms: []RoomReady{}}
	for name := range s.dep.Ready {
		out.Rooms = append(out.Rooms, RoomReady{Name: name})
	}
	slices.SortFunc(out.Rooms, func(a, b RoomReady) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	var all sync.WaitGroup
	for i := range out.Rooms {
		all.Go(func() {
			room := &out.Rooms[i]
			if err := s.dep.Ready[room.Name](ctx); err != nil {
				room.Why = err.Error()
				return
			}
			room.Ready = true
		})
	}
	all.Wait()
	for _, room := range out.Rooms {
		out.Ready = out.Ready && room.Ready
	}
	c.at, c.last = s.now(), out
	return out
}
