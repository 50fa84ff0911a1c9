// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// An instance has names: the SOP instance UID and the SHA-256 of the data set with which it came, and those with
// which it went where they differ. It is found by each of them, and with others by the UID of its series.

// also lists the names of a record besides those with which it came, each once.
func also(r *instance.Record) []string {
	var out []string
	add := func(name, came string) {
		if name != "" && name != came && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for i := range r.Deliveries {
		add(r.Deliveries[i].SOPInstance, r.SOPInstance)
		add(r.Deliveries[i].Forwarded, r.DataSet)
	}
	return out
}

// named reports whether a record has all names that a query asks for.
func named(q *instance.Query, r *instance.Record) bool {
	return (q.SOPInstance == "" || r.SOPInstance == q.SOPInstance || slices.ContainsFunc(r.Deliveries, func(d instance.Delivery) bool { return d.SOPInstance == q.SOPInstance })) &&
		(q.SHA256 == "" || r.DataSet == q.SHA256 || slices.ContainsFunc(r.Deliveries, func(d instance.Delivery) bool { return d.Forwarded == q.SHA256 }))
}

// names finds numbers by the hash of a name. Nearly every name is that of one instance, and takes no more than
// its place in a map.
type names struct {
	one  map[uint64]uint64
	more map[uint64][]uint64 // all numbers of a name that several have
}

func newNames() names { return names{one: map[uint64]uint64{}, more: map[uint64][]uint64{}} }

// add gives a number a name; 0 is the hash of none. A number is given a name once.
func (x *names) add(hash, number uint64) {
	if hash == 0 {
		return
	}
	if list := x.more[hash]; list != nil {
		x.more[hash] = append(list, number)
		return
	}
	if first, taken := x.one[hash]; taken {
		delete(x.one, hash)
		x.more[hash] = []uint64{first, number}
		return
	}
	x.one[hash] = number
}

// drop takes a name from a number.
func (x *names) drop(hash, number uint64) {
	list := x.more[hash]
	if list == nil {
		if x.one[hash] == number {
			delete(x.one, hash)
		}
		return
	}
	if i := slices.Index(list, number); i >= 0 {
		list[i] = list[len(list)-1]
		list = list[:len(list)-1]
	}
	if len(list) == 1 {
		delete(x.more, hash)
		x.one[hash] = list[0]
		return
	}
	x.more[hash] = list
}

// of returns the numbers of a name, in no order.
func (x *names) of(hash uint64) []uint64 {
	if list := x.more[hash]; list != nil {
		return slices.Clone(list)
	}
	if n, ok := x.one[hash]; ok {
		return []uint64{n}
	}
	return nil
}

// nameKey is what the history finds a name by. It is not secret: what is found is compared.
func nameKey(name string) int64 {
	sum := sha256.Sum256([]byte(name))
	return int64(binary.BigEndian.Uint64(sum[:8])) //nolint:gosec // any value will do
}

// seriesKey is what the history finds a series by. It is none that another name has: who looks for an instance by the
// UID of a series is not shown all of the series one by one.
func seriesKey(uid string) int64 { return nameKey("series " + uid) }

// nameKeys are those of a record in the history, which finds the SOP instance UID under which it came otherwise, and the study too.
func nameKeys(r *instance.Record) []int64 {
	var out []int64
	if r.DataSet != "" {
		out = append(out, nameKey(r.DataSet))
	}
	if r.Series != "" {
		out = append(out, seriesKey(r.Series))
	}
	for _, name := range also(r) {
		out = append(out, nameKey(name))
	}
	return out
}
