// SPDX-License-Identifier: Apache-2.0

// Package match holds the matchers: what turns events into hits of a rule.
//
// State is kept by key, bounded in keys and bytes for each rule, with the
// least recently used key given up first, and counted when that happens. Keys belong
// to partitions, so that several instances can share the work; what a partition has in memory
// can be saved and loaded.
//
// Time is the events' own. Windows slide; an event that comes late is put where
// it belongs as long as its window is still open. What a matcher finds depends on
// the events and their order only: saved, loaded and fed on, it finds the same.
package match

import (
	"io"
	"strings"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// Partitions is into how many parts the keys of all rules fall.
const Partitions = keyed.Partitions

// PartitionOf is the partition of a key; the same in every process and version.
func PartitionOf(key string) int { return keyed.PartitionOf(key) }

// separator stands between the parts of a key.
const separator = '\x1f'

// Parts returns the parts of a key, in the order of the rule's "by".
func Parts(key string) []string { return strings.Split(key, string(separator)) }

// Hit says that a rule matched.
type Hit struct {
	Time    int64
	Key     string            // of the matcher's state; "" for a matcher without
	Values  map[string]string // what the rule's values and the matcher give: "count", "window", "rate", "usual" ...
	Devices []string          // IDs; empty: the ends of the event as the rule's group says
	Theatre string            // "" for the scene's
	// Evidence are occurrences beside the event itself; the engine adds that one.
	Evidence []finding.Evidence
	Expected string // what would have been normal, in words
	Count    uint64 // events that this hit stands for, 0 for 1
	// Learning says that the baseline was not ready: the hit is counted, not an alert.
	Learning bool
	// More says that it adds to what an earlier hit of the same key said: the burst goes
	// on, the new value came again.
	More bool
}

// Matcher is the state of one rule. It is used by one goroutine.
type Matcher interface {
	// Feed shows it an event that an On of the rule selected; step is the index of
	// that On in Selects. hit is called for each match before Feed returns.
	Feed(s *scene.Scene, step int, hit func(Hit))
	// Advance tells it the time, in steps of at most a second, for what happens
	// when nothing comes. What such a hit is about, Devices, Theatre and the last
	// event as Evidence, is in the hit.
	Advance(now int64, hit func(Hit))
	// Save writes the state of one partition, Load reads it back and replaces that
	// partition. A state that a changed rule cannot use is dropped with an error that says so.
	Save(partition int, w io.Writer) error
	Load(partition int, r io.Reader) error
	// Drop forgets a partition that another instance took over.
	Drop(partition int)
	// Own says which partitions are this instance's, bit p for partition p; all
	// unless said otherwise. Keys of others are passed over. A matcher without keys
	// ignores it: its hits have no Key.
	Own(mask uint32)
	Stats() Stats
}

// Stats says what a matcher holds and gave up.
type Stats struct {
	Keys      int
	Bytes     int    // about
	Evicted   uint64 // keys given up to stay within the bound
	Hits      uint64
	Learning  int // keys whose baseline is not ready
	Ready     int
	Distrusts int    // values that were learned during an open alert and are not trusted
	Errors    uint64 // expressions that could not be evaluated; the event was passed over
	Flood     bool   // more than a fifth of the keys that fit were given up within a minute
}

// Limits bounds one matcher.
type Limits struct {
	Keys   int // 0 for 50,000
	Bytes  int // 0 for 32 MiB
	Values int // different values of one key, 0 for 1000
}
