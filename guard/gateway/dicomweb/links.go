// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
)

// maxEnded is how many ended connections are remembered.
const maxEnded = 200

// link is a connection on which requests came.
type link struct {
	mu      sync.Mutex
	shown   control.Association
	running int
	last    time.Time
}

// links knows the connections that are open, by the address at their other end, and those that
// ended lately.
type links struct {
	prefix string
	idle   time.Duration

	mu    sync.Mutex
	next  uint64
	open  map[string]*link
	ended []control.Association // oldest first
}

func newLinks(idle time.Duration) *links {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return &links{prefix: "w-" + hex.EncodeToString(b[:]), idle: idle, open: make(map[string]*link)}
}

// request finds the connection of a request.
func (l *links) request(remote string, now time.Time) *link {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	k := l.open[remote]
	if k == nil {
		l.next++
		id := fmt.Sprintf("%s-%d", l.prefix, l.next)
		k = &link{shown: control.Association{ID: id, Way: "dicomweb", Direction: "in", Address: remote, Since: now}}
		l.open[remote] = k
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running++
	k.last = now
	return k
}

// end says that a connection was closed. ok is false where no request came on it.
func (l *links) end(remote string, now time.Time) (a control.Association, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.drop(remote, now)
}

// drop needs mu.
func (l *links) drop(remote string, now time.Time) (a control.Association, ok bool) {
	k := l.open[remote]
	if k == nil {
		return a, false
	}
	delete(l.open, remote)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.shown.Ended, k.shown.Doing = now, ""
	if l.ended = append(l.ended, k.shown); len(l.ended) > maxEnded {
		l.ended = slices.Delete(l.ended, 0, len(l.ended)-maxEnded)
	}
	return k.shown, true
}

// sweep ends connections on which nothing has come for so long that the server has closed them, for a
// server that does not tell. It needs mu.
func (l *links) sweep(now time.Time) {
	for remote, k := range l.open {
		k.mu.Lock()
		over := k.running == 0 && now.Sub(k.last) > l.idle
		k.mu.Unlock()
		if over {
			l.drop(remote, now)
		}
	}
}

// list returns the open connections, newest first, then the ended ones.
func (l *links) list(now time.Time) []control.Association {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	out := make([]control.Association, 0, len(l.open)+len(l.ended))
	for _, k := range l.open {
		k.mu.Lock()
		out = append(out, k.shown)
		k.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b control.Association) int { return b.Since.Compare(a.Since) })
	for _, e := range slices.Backward(l.ended) {
		out = append(out, e)
	}
	return out
}

// change changes what is shown of a connection.
func (k *link) change(f func(a *control.Association)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f(&k.shown)
}

// done says that a request has ended.
func (k *link) done(now time.Time, f func(a *control.Association)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running--
	k.last = now
	if k.running == 0 {
		k.shown.Doing = ""
	}
	f(&k.shown)
}
