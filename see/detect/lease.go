// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/detect/match"
)

// LeaseKind is the kind of the documents by which instances share the partitions:
// "member-<name>" is written again and again by each instance, "part-<n>" names the
// instance that has partition n.
const LeaseKind = "detect-lease"

// How instances know of each other. No clock of another machine counts: an instance
// lives while its document changes, as seen from here.
const (
	beatEvery = 2 * time.Second
	deadAfter = 9 * time.Second
)

type beat struct {
	Run string `json:"run"` // of one process
	At  int64  `json:"at"`
	End bool   `json:"end,omitempty"` // it stopped in order
}

type lease struct {
	Owner string `json:"owner"` // "" when it was given back
}

// leases is what one instance knows of all.
type leases struct {
	store store.Documents
	name  string
	run   string
	now   func() time.Time

	seen  map[string]seen // by member
	owner [match.Partitions]string
	revs  [match.Partitions]uint64
}

type seen struct {
	rev  uint64
	at   time.Time
	gone bool
}

// errSameName says that two processes detect under one name.
var errSameName = errors.New("another process detects under the same name")

func newLeases(st store.Documents, name, run string, now func() time.Time) *leases {
	return &leases{store: st, name: name, run: run, now: now, seen: map[string]seen{}}
}

func partID(p int) string { return fmt.Sprintf("part-%02d", p) }

// beat says that this instance lives, and looks who else does.
func (l *leases) beat(ctx context.Context) error {
	if err := l.write(ctx, false); err != nil {
		return err
	}
	docs, err := l.store.DocumentsOf(ctx, LeaseKind, "", 1000)
	if err != nil {
		return err
	}
	now := l.now()
	for p := range match.Partitions {
		l.owner[p], l.revs[p] = "", 0
	}
	for _, d := range docs {
		if name, ok := strings.CutPrefix(d.ID, "member-"); ok {
			var b beat
			if err := json.Unmarshal(d.Body, &b); err != nil {
				continue
			}
			if name == l.name {
				if b.Run != l.run {
					return errSameName
				}
				continue
			}
			if was, known := l.seen[name]; !known || was.rev != d.Revision {
				l.seen[name] = seen{rev: d.Revision, at: now, gone: b.End || !known && b.At < now.Add(-time.Hour).UnixNano()}
			}
			continue
		}
		var p int
		if _, err := fmt.Sscanf(d.ID, "part-%d", &p); err == nil && p >= 0 && p < match.Partitions {
			var x lease
			if err := json.Unmarshal(d.Body, &x); err == nil {
				l.owner[p] = x.Owner
			}
			l.revs[p] = d.Revision
		}
	}
	return nil
}

// write writes this instance's own document.
func (l *leases) write(ctx context.Context, end bool) error {
	body, err := json.Marshal(beat{Run: l.run, At: l.now().UnixNano(), End: end})
	if err != nil {
		return err
	}
	return l.store.Commit(ctx, []store.Write{{Kind: LeaseKind, ID: "member-" + l.name, Expect: store.AnyRevision, Body: body}})
}

// lives reports whether an instance does.
func (l *leases) lives(name string) bool {
	if name == l.name {
		return true
	}
	s, known := l.seen[name]
	return known && !s.gone && l.now().Sub(s.at) < deadAfter
}

// wanted is the instance that shall have a partition: of those that live, the one with
// the highest hash (rendezvous), so that one that comes or goes moves few.
func (l *leases) wanted(p int) string {
	best, score := "", uint64(0)
	for _, name := range append(l.live(), l.name) {
		h := fnv.New64a()
		_, _ = fmt.Fprintf(h, "%s/%d", name, p)
		x := h.Sum64()
		x ^= x >> 33 // FNV's high bits hardly depend on the last byte
		x *= 0xff51afd7ed558ccd
		x ^= x >> 33
		if best == "" || cmp.Or(cmp.Compare(x, score), cmp.Compare(name, best)) > 0 {
			best, score = name, x
		}
	}
	return best
}

func (l *leases) live() []string {
	var out []string
	for name := range l.seen {
		if l.lives(name) {
			out = append(out, name)
		}
	}
	return out
}

// toClaim are partitions that this instance shall have and nobody that lives has.
func (l *leases) toClaim(have uint32) (out []int) {
	for p := range match.Partitions {
		o := l.owner[p]
		free := o == "" || o == l.name || !l.lives(o)
		if have&(1<<p) == 0 && free && l.wanted(p) == l.name {
			out = append(out, p)
		}
	}
	return out
}

// toGive are partitions that another one shall have, and those that another one took.
func (l *leases) toGive(have uint32) (give, lost []int) {
	for p := range match.Partitions {
		switch {
		case have&(1<<p) == 0:
		case l.owner[p] != l.name:
			lost = append(lost, p)
		case l.wanted(p) != l.name:
			give = append(give, p)
		}
	}
	return give, lost
}

// claim makes a partition this instance's; ErrConflict when another one was faster.
func (l *leases) claim(ctx context.Context, p int) error {
	err := l.store.Commit(ctx, []store.Write{l.hold(p, l.name)})
	if err == nil {
		l.owner[p] = l.name
		l.revs[p]++
	}
	return err
}

// hold is the write that fails when a partition is not as it was seen. It stands beside
// writes that only its owner may make; held is called when they were made.
func (l *leases) hold(p int, owner string) store.Write {
	body, err := json.Marshal(lease{owner})
	if err != nil {
		panic("BUG: a text cannot be written as JSON: " + err.Error())
	}
	return store.Write{Kind: LeaseKind, ID: partID(p), Expect: l.revs[p], Body: body}
}

func (l *leases) held(p int, owner string) {
	l.owner[p] = owner
	l.revs[p]++
}
