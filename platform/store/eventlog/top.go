// SPDX-License-Identifier: Apache-2.0

package eventlog

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/segment"
)

// MaxTop is how many values Top gives at most.
const MaxTop = 1000

// Top implements store.Events. An event counts once for each of its values: a
// field of both ends counts it for either, and for "" only when it has none.
func (l *Log) Top(ctx context.Context, q store.Query, f store.Field, n int) (store.TopValues, error) {
	m, err := segment.Compile(q)
	if err != nil {
		return store.TopValues{}, err
	}
	if !slices.Contains(store.Fields(), f) {
		return store.TopValues{}, fmt.Errorf("%w: there is no field %q", store.ErrInvalid, f)
	}
	if n < 1 || n > MaxTop {
		return store.TopValues{}, fmt.Errorf("%w: %d values: want 1 to %d", store.ErrInvalid, n, MaxTop)
	}
	v, err := l.open(ctx)
	if err != nil {
		return store.TopValues{}, err
	}
	defer v.Close()
	ix, err := v.Index(ctx)
	if err != nil {
		return store.TopValues{}, err
	}
	st, err := newSteps(q.From, q.To, 1, ix)
	if err != nil {
		return store.TopValues{}, err
	}
	t := &topCount{field: f, numbers: map[uint64]uint64{}, words: map[string]uint64{}, addrs: map[netip.Addr]uint64{}}
	b := newBudget(q.Budget)
	out := store.TopValues{Complete: true, Reached: st.from}
	if m.FromSums() && segment.InSums(f) {
		err = l.sum(ctx, v, ix, m, st, b, false, t.row, func(_ int64, c *Combination, n uint64) { t.combination(c, n) })
	} else {
		var whole func(*segment.Counts)
		if m.Everything() && segment.Counted(f) {
			whole = t.counts
		}
		out.Reached, out.Complete, err = l.scanCounts(ctx, v, m, st.from, st.to, b, t.row, whole)
	}
	if err != nil {
		return store.TopValues{}, err
	}
	out.Values = t.values()
	slices.SortFunc(out.Values, func(a, b store.Value) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	if len(out.Values) > n {
		for _, v := range out.Values[n:] {
			out.Others += v.Count
		}
		out.Values = slices.Clip(out.Values[:n])
	}
	return out, nil
}

// topCount counts by the values of one field. Rows are counted by the codes of
// their segment first.
type topCount struct {
	field   store.Field
	numbers map[uint64]uint64
	words   map[string]uint64
	addrs   map[netip.Addr]uint64

	at    *segment.Columns
	codes []uint64
}

func (t *topCount) combination(c *Combination, n uint64) {
	switch t.field {
	case store.FieldClass:
		t.numbers[uint64(c.Class)] += n
	case store.FieldActivity:
		t.numbers[uint64(c.Class)<<8|uint64(c.Activity)] += n
	case store.FieldSeverity:
		t.numbers[uint64(c.Severity)] += n
	case store.FieldStatus:
		t.numbers[uint64(c.Status)] += n
	case store.FieldProtocol:
		t.words[c.Protocol] += n
	case store.FieldTheatre:
		t.words[c.Theatre] += n
	case store.FieldSensor:
		t.words[c.Sensor] += n
	}
}

// counts adds all rows of a segment.
func (t *topCount) counts(c *segment.Counts) {
	for i, n := range c.Of(t.field) {
		if n == 0 {
			continue
		}
		switch t.field {
		case store.FieldDevice, store.FieldSrcDevice, store.FieldDstDevice:
			t.words[c.Devices[i]] += n
		default:
			t.addrs[c.Addrs[i].Unmap()] += n
		}
	}
}

func (t *topCount) row(c *segment.Columns, row int) {
	if t.at != c {
		t.flush()
		t.at = c
		t.codes = append(t.codes[:0], make([]uint64, t.size(c))...)
	}
	switch t.field {
	case store.FieldActivity:
		t.numbers[uint64(c.Classes[c.Class[row]])<<8|uint64(c.Activity[row])]++
	case store.FieldSeverity:
		t.codes[c.Severity[row]]++
	case store.FieldStatus:
		t.codes[c.Status[row]]++
	default:
		a, b := c.Codes(t.field)
		t.codes[a[row]]++
		if b == nil || a[row] == b[row] {
			return
		}
		t.codes[b[row]]++
		// An end that is none counts only where the other is none as well.
		if none := c.None(t.field); none >= 0 && (int(a[row]) == none || int(b[row]) == none) {
			t.codes[none]--
		}
	}
}

func (t *topCount) size(c *segment.Columns) int {
	switch t.field {
	case store.FieldClass:
		return len(c.Classes)
	case store.FieldProtocol:
		return len(c.Protocols)
	case store.FieldTheatre:
		return len(c.Theatres)
	case store.FieldSensor:
		return len(c.Sensors)
	case store.FieldDevice, store.FieldSrcDevice, store.FieldDstDevice:
		return len(c.Devices)
	case store.FieldIP, store.FieldSrcIP, store.FieldDstIP:
		return len(c.Addrs)
	}
	return 256
}

// flush adds what was counted by the codes of a segment.
func (t *topCount) flush() {
	c := t.at
	for code, n := range t.codes {
		if n == 0 {
			continue
		}
		switch t.field {
		case store.FieldClass:
			t.numbers[uint64(c.Classes[code])] += n
		case store.FieldActivity:
		case store.FieldSeverity, store.FieldStatus:
			t.numbers[uint64(code)] += n
		case store.FieldProtocol:
			t.words[c.Protocols[code]] += n
		case store.FieldTheatre:
			t.words[c.Theatres[code]] += n
		case store.FieldSensor:
			t.words[c.Sensors[code]] += n
		case store.FieldDevice, store.FieldSrcDevice, store.FieldDstDevice:
			t.words[c.Devices[code]] += n
		default:
			t.addrs[c.Addrs[code].Unmap()] += n
		}
	}
	clear(t.codes)
}

func (t *topCount) values() []store.Value {
	t.flush()
	out := make([]store.Value, 0, len(t.numbers)+len(t.words)+len(t.addrs))
	status := map[string]int{}
	for k, n := range t.numbers {
		name := segment.FormatNumber(t.field, k)
		if i, ok := status[name]; ok { // unknown numbers of a status have one name
			out[i].Count += n
			continue
		}
		status[name] = len(out)
		out = append(out, store.Value{Value: name, Count: n})
	}
	for k, n := range t.words {
		out = append(out, store.Value{Value: k, Count: n})
	}
	for k, n := range t.addrs {
		v := store.Value{Count: n}
		if k.IsValid() {
			v.Value = k.String()
		}
		out = append(out, v)
	}
	return out
}
