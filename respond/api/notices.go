// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"slices"
	"sync"
)

// notice says that something changed; a reader loads it again.
type notice struct {
	What     string `json:"what"`
	Revision uint64 `json:"revision"`
}

var noticeKinds = []string{"devices", "theatres", "status", "findings", "rules", "settings", "views", "imaging"}

// notices gives notices to the streams that are open. A stream that is slow misses
// none: what it has not read yet is kept as one notice of each kind.
type notices struct {
	mu    sync.Mutex
	count uint64
	subs  map[*subscriber]bool
}

type subscriber struct {
	wake chan struct{} // capacity 1

	mu      sync.Mutex
	waiting map[string]notice
}

func newNotices() *notices { return &notices{subs: map[*subscriber]bool{}} }

func (n *notices) subscribe() (s *subscriber, end func()) {
	s = &subscriber{wake: make(chan struct{}, 1), waiting: map[string]notice{}}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.subs[s] = true
	return s, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.subs, s)
	}
}

// tell gives a notice to everybody. Without a revision it gets one that is higher
// than those before.
func (n *notices) tell(x notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count++
	if x.Revision == 0 {
		x.Revision = n.count
	}
	for s := range n.subs {
		s.mu.Lock()
		s.waiting[x.What] = x
		s.mu.Unlock()
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// take returns what waits, in a fixed order.
func (s *subscriber) take() []notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []notice
	for _, what := range noticeKinds {
		if x, ok := s.waiting[what]; ok {
			out = append(out, x)
		}
	}
	clear(s.waiting)
	return out
}

// heard is called with notices from the bus, also with those that this process
// sent. What is kept in memory is looked at first, and told when the look found the
// change: who hears of it and asks shall get what is new.
func (s *Server) heard(body []byte) {
	var x notice
	if len(body) > 1024 || json.Unmarshal(body, &x) != nil || !slices.Contains(noticeKinds, x.What) {
		return
	}
	switch x.What {
	case "views", "status", "rules", "imaging":
		s.notices.tell(x)
	default:
		s.know.noticed(x.What != "devices")
	}
}

// tell sends a notice to every process. It comes back by heard.
func (s *Server) tell(what string) {
	body, err := json.Marshal(notice{What: what})
	if err == nil {
		err = s.dep.Bus.Tell("changed", body)
	}
	if err != nil {
		s.log.Debug("a notice was not sent to other processes", "what", what, "error", err)
		s.notices.tell(notice{What: what})
	}
}
