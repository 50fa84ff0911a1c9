// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// Bounds of a list.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// List implements instance.Vault.
func (j *Journal) List(ctx context.Context, q instance.Query) ([]instance.Record, error) {
	if err := j.usable(); err != nil {
		return nil, err
	}
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	q.Limit = min(q.Limit, maxLimit)
	q.SHA256 = strings.ToLower(q.SHA256)
	var out []instance.Record
	listed := map[uint64]bool{}
	indexed := j.hist.named.Load() // before the history is asked
	numbers := j.idx.candidates(&q)
	slices.SortFunc(numbers, func(a, b uint64) int { return cmp.Compare(b, a) })
	for _, n := range numbers {
		if len(out) == q.Limit {
			break
		}
		e, err := j.envelope(ctx, n)
		if errors.Is(err, instance.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if matches(&q, &e.Record) {
			listed[n] = true
			out = append(out, clone(&e.Record))
		}
	}
	// What went to the history in between is in both: the history is read last, so that nothing is missed.
	query, args := historyQuery(&q)
	fromHistory := 0
	err := j.hist.each(ctx, query, args, func(e *envelope) bool {
		if listed[e.Record.Number] {
			return true
		}
		if e = j.current(ctx, e); e != nil && matches(&q, &e.Record) {
			out = append(out, clone(&e.Record))
			fromHistory++
		}
		return fromHistory < q.Limit
	})
	if err != nil {
		return nil, err
	}
	if !indexed && (q.Series != "" || len(out) == 0 && (q.SOPInstance != "" || q.SHA256 != "")) {
		return nil, instance.ErrIndexing // that nothing was found says nothing yet, nor do some of a series
	}
	slices.SortFunc(out, func(a, b instance.Record) int { return cmp.Compare(b.Number, a.Number) })
	return out[:min(len(out), q.Limit)], nil
}

// BySOP implements instance.Vault.
func (j *Journal) BySOP(ctx context.Context, uid string) ([]instance.Record, error) {
	if err := j.usable(); err != nil {
		return nil, err
	}
	var out []instance.Record
	listed := map[uint64]bool{}
	take := func(e *envelope) {
		if e.Record.SOPInstance == uid && e.Record.State != instance.Refused && !listed[e.Record.Number] {
			listed[e.Record.Number] = true
			out = append(out, clone(&e.Record))
		}
	}
	for _, n := range j.idx.numbers(uid) {
		e, err := j.envelope(ctx, n)
		if errors.Is(err, instance.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		take(e)
	}
	if j.hist.filter.mayHave(uid) {
		err := j.hist.each(ctx, "SELECT body FROM records WHERE sop = ? ORDER BY number DESC LIMIT 1000", []any{uid}, func(e *envelope) bool {
			if e = j.current(ctx, e); e != nil {
				take(e)
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b instance.Record) int { return cmp.Compare(a.Number, b.Number) })
	return out, nil
}

// current returns what is in force of a record that the history has: it may have changed since.
func (j *Journal) current(ctx context.Context, e *envelope) *envelope {
	if !j.idx.has(e.Record.Number) {
		return e
	}
	now, err := j.envelope(ctx, e.Record.Number)
	if err != nil {
		return nil
	}
	return now
}

// Waiting calls each with every record that has a delivery which is open (see Open), oldest
// first, until each returns an error. A record that changes meanwhile may be given as it is before or after.
func (j *Journal) Waiting(ctx context.Context, each func(instance.Record) error) error {
	numbers := j.idx.find(func(n *entry) bool {
		return n.needed && n.state != instance.Quarantined && n.state != instance.Replaced
	})
	slices.Sort(numbers)
	for _, n := range numbers {
		e, err := j.envelope(ctx, n)
		if errors.Is(err, instance.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := each(clone(&e.Record)); err != nil {
			return err
		}
	}
	return nil
}

// matcher says of entries whether their record may match, names apart.
func (x *index) matcher(q *instance.Query) func(*entry) bool {
	study, series, device, theatre, to := x.half(q.Study), x.half(q.Series), x.hash(q.Device), x.hash(q.Theatre), x.hash(q.Destination)
	return func(n *entry) bool {
		if q.Before != 0 && n.number >= q.Before || study != 0 && n.study != study || series != 0 && n.series != series ||
			device != 0 && n.device != device || theatre != 0 && n.theatre != theatre {
			return false
		}
		if len(q.States) > 0 && !slices.Contains(q.States, n.state) {
			return false
		}
		if !q.From.IsZero() && n.received < q.From.UnixNano() || !q.To.IsZero() && n.received >= q.To.UnixNano() {
			return false
		}
		if to == 0 && q.Delivery == "" {
			return true
		}
		return slices.ContainsFunc(n.to, func(d delivery) bool { return (to == 0 || d.name == to) && (q.Delivery == "" || d.state == q.Delivery) })
	}
}

// matches is the query as it is meant.
func matches(q *instance.Query, r *instance.Record) bool {
	if q.Before != 0 && r.Number >= q.Before || q.Study != "" && r.Study != q.Study || q.Series != "" && r.Series != q.Series || !named(q, r) ||
		q.Device != "" && r.Sender.Device != q.Device || q.Theatre != "" && r.Sender.Theatre != q.Theatre {
		return false
	}
	if len(q.States) > 0 && !slices.Contains(q.States, r.State) {
		return false
	}
	if !q.From.IsZero() && r.Received.Before(q.From) || !q.To.IsZero() && !r.Received.Before(q.To) {
		return false
	}
	if q.Destination == "" && q.Delivery == "" {
		return true
	}
	return slices.ContainsFunc(r.Deliveries, func(d instance.Delivery) bool {
		return (q.Destination == "" || d.Destination == q.Destination) && (q.Delivery == "" || d.State == q.Delivery)
	})
}

// historyQuery asks the history for what may match, newest first.
func historyQuery(q *instance.Query) (string, []any) {
	where, args := []string{"1"}, []any{}
	add := func(cond string, arg any) { where, args = append(where, cond), append(args, arg) }
	if q.Before != 0 {
		add("number < ?", q.Before)
	}
	if q.Study != "" {
		add("study = ?", q.Study)
	}
	if q.SOPInstance != "" {
		where, args = append(where, "number IN (SELECT number FROM records WHERE sop = ? UNION SELECT number FROM names WHERE key = ?)"), append(args, q.SOPInstance, nameKey(q.SOPInstance))
	}
	if q.Series != "" {
		add("number IN (SELECT number FROM names WHERE key = ?)", seriesKey(q.Series))
	}
	if q.SHA256 != "" {
		add("number IN (SELECT number FROM names WHERE key = ?)", nameKey(q.SHA256))
	}
	if q.Device != "" {
		add("device = ?", q.Device)
	}
	if q.Theatre != "" {
		add("theatre = ?", q.Theatre)
	}
	if !q.From.IsZero() {
		add("received >= ?", q.From.UnixMicro())
	}
	if !q.To.IsZero() {
		add("received <= ?", q.To.UnixMicro())
	}
	if len(q.States) > 0 {
		marks := make([]string, len(q.States))
		for i, s := range q.States {
			marks[i], args = "?", append(args, string(s))
		}
		where = append(where, "state IN ("+strings.Join(marks, ",")+")")
	}
	if q.Destination != "" || q.Delivery != "" {
		text := "=" + string(q.Delivery)
		if q.Delivery != "" {
			text += "|"
		}
		if q.Destination != "" {
			text = "|" + q.Destination + text
		}
		add("instr(deliveries, ?) > 0", text)
	}
	return "SELECT body FROM records WHERE " + strings.Join(where, " AND ") + " ORDER BY number DESC", args
}
