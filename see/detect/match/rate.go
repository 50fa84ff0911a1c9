// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// rate fires when the sum of a bucket of time is off the level that was learned for
// the key: Deviations robust deviations (1.4826 times the median absolute deviation, and
// at least a tenth of the median) above the median, and at least Min. It
// is said as soon as the bucket passes the limit, once a bucket. With Below it
// also fires at the end of a bucket that lies as far below, for keys that usually
// have something in every bucket.
//
// The level is that of the latest 64 buckets in which something was; once 7 days are
// learned, that of the hours of day beside the present one (UTC) counts as well, and the
// higher limit wins: what happens every night is usual at night. Buckets that passed the
// limit, and those of a time in which an alert was open, are kept apart until it is settled.
type rate struct {
	*base
	table[flow]
	deps   *Deps
	value  *expr.Number
	r      *rule.Rate
	bucket int64
	readyN int
}

const (
	rateBuckets = 64
	hourBuckets = 14
	maxDoubted  = 16
	hourly      = int64(time.Hour)
	weekly      = 7 * 24 * hourly
)

type flow struct {
	learned
	bucket  int64 // number of the present bucket
	sum     float64
	fired   bool
	limit   float64 // of the present bucket, NaN where none is known
	recent  []float32
	head    int
	hours   *[24]hourLevel
	active  uint32 // of the latest 32 buckets, those with something in them
	doubted []doubt
	who     subject
}

// hourLevel is the latest buckets of one hour of the day.
type hourLevel struct {
	n, head uint8
	sum     [hourBuckets]float32
}

type doubt struct {
	bucket int64
	sum    float32
}

func newRate(b *base, r *rule.Rate, d *Deps) (*rate, error) {
	if err := learnable(&r.Learn); err != nil {
		return nil, err
	}
	if r.Bucket < time.Second || r.Bucket > 24*time.Hour {
		return nil, fmt.Errorf("bucket %v is not between 1s and 24h", r.Bucket)
	}
	if r.Deviations < 0 || r.Min < 0 || math.IsNaN(r.Deviations+r.Min) {
		return nil, fmt.Errorf("deviations %v or min %v cannot be", r.Deviations, r.Min)
	}
	m := &rate{base: b, deps: d, r: r, bucket: int64(r.Bucket)}
	if r.Value != "" {
		n, err := d.Env.Number(b.classes[0], r.Value)
		if err != nil {
			return nil, fmt.Errorf("value: %w", err)
		}
		m.value = n
	}
	m.table = newTable(d.Limits, keyed.Config[flow]{
		Kind: signature("rate1", b.text[0], r.Value, r.Bucket.String()), Fixed: 320,
		Encode: encodeFlow,
		Decode: func(r *keyed.Reader, v *flow) {
			decodeFlow(r, v)
			v.limit = math.NaN()
			if v.ready != 0 {
				m.readyN++
				_, v.limit, _ = m.level(v, v.bucket)
			}
		},
		Extra: func(v *flow) int { return v.size() },
		Reset: func(v *flow) {
			if v.ready != 0 {
				m.readyN--
			}
			*v = flow{recent: v.recent[:0]}
		},
	})
	return m, nil
}

func (v *flow) size() int {
	n := 4*cap(v.recent) + 16*cap(v.doubted) + v.who.size()
	if v.hours != nil {
		n += 24 * (4*hourBuckets + 2)
	}
	return n
}

func (m *rate) deviations() float64 {
	if m.r.Deviations == 0 {
		return 6
	}
	return m.r.Deviations
}

// Feed implements Matcher.
func (m *rate) Feed(s *scene.Scene, step int, hit func(Hit)) {
	x := 1.0
	if m.value != nil {
		var err error
		if x, err = m.value.Eval(s); err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			m.errs++
			return
		}
	}
	key, ok := m.key(step, s)
	if !ok {
		return
	}
	e, fresh := m.At(key)
	if e == nil {
		return
	}
	v, bucket := &e.Val, s.Event.Time/m.bucket
	switch {
	case fresh:
		v.since, v.bucket, v.limit = s.Event.Time, bucket, math.NaN()
	case bucket > v.bucket:
		m.close(e, bucket, hit)
	case bucket < v.bucket:
		return // its bucket is closed
	}
	v.sum += x
	v.who.set(s)
	if fresh {
		m.Resize(e, v.size())
	}
	if e.Wakes() == 0 {
		m.Wake(e, (bucket+1)*m.bucket+int64(10*time.Second)) // late events have so long
	}
	if !v.fired && v.sum > v.limit && v.sum >= m.r.Min {
		v.fired = true
		usual, limit, _ := m.level(v, v.bucket)
		m.say(hit, m.off(e, s.Event.Time, usual, limit, "at most "))
	}
}

func (m *rate) off(e *keyed.Entry[flow], t int64, usual, limit float64, word string) Hit {
	v := &e.Val
	return Hit{Time: t, Key: e.Key, Expected: word + number(limit) + " in " + Span(m.r.Bucket) + ", usually " + number(usual),
		Values: map[string]string{"rate": number(v.sum), "usual": number(usual), "limit": number(limit), "window": Span(m.r.Bucket)}}
}

func number(v float64) string {
	if v >= 100 || v == math.Trunc(v) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', 2, 64), "0"), ".")
}

// close ends the present bucket and begins another; the empty ones between are counted.
func (m *rate) close(e *keyed.Entry[flow], next int64, hit func(Hit)) {
	v := &e.Val
	m.below(e, (v.bucket+1)*m.bucket, hit)
	switch doubtful := m.doubted(v); {
	case v.frozen:
	case doubtful || v.fired && v.ready != 0:
		if len(v.doubted) < maxDoubted && v.sum > 0 {
			v.doubted = append(v.doubted, doubt{v.bucket, float32(v.sum)})
		}
	case v.sum > 0:
		m.learnBucket(v, v.bucket, v.sum)
	}
	v.shift(v.sum > 0)
	for i := v.bucket + 1; i < min(next, v.bucket+33); i++ {
		v.shift(false)
	}
	v.bucket, v.sum, v.fired = next, 0, false
	if v.ready == 0 && (next*m.bucket-v.since >= int64(m.r.Learn.For) && v.samples >= uint64(max(m.r.Learn.Samples, 4)) ||
		m.deps.Trained != nil && m.deps.Trained(next*m.bucket) && len(v.recent) > 0) {
		v.ready = max(next*m.bucket, 1)
		m.readyN++
	}
	v.limit = math.NaN()
	if v.ready != 0 {
		_, v.limit, _ = m.level(v, next)
	}
	m.Resize(e, v.size())
}

func (v *flow) shift(active bool) {
	v.active <<= 1
	if active {
		v.active |= 1
	}
}

func (m *rate) doubted(v *flow) bool {
	l := m.deps.Learner
	return l != nil && (v.who.src != "" && l.Open(v.who.src) || v.who.dst != "" && l.Open(v.who.dst))
}

// below fires when the bucket that ends lies far below its level.
func (m *rate) below(e *keyed.Entry[flow], t int64, hit func(Hit)) {
	v := &e.Val
	if !m.r.Below || v.ready == 0 || v.fired || v.active&0xffff != 0xffff {
		return
	}
	usual, _, low := m.level(v, v.bucket)
	if usual >= m.r.Min && v.sum < low && v.sum >= m.r.Floor {
		v.fired = true
		m.say(hit, m.later(m.off(e, t, usual, low, "at least "), &v.who))
	}
}

// learnBucket takes the sum of a bucket as usual.
func (m *rate) learnBucket(v *flow, bucket int64, sum float64) {
	v.samples++
	if len(v.recent) < rateBuckets {
		v.recent = append(v.recent, float32(sum))
	} else {
		v.recent[v.head] = float32(sum)
		v.head = (v.head + 1) % rateBuckets
	}
	if v.hours == nil {
		v.hours = new([24]hourLevel)
	}
	h := &v.hours[bucket*m.bucket/hourly%24]
	h.sum[h.head] = float32(sum)
	h.head = (h.head + 1) % hourBuckets
	h.n = min(h.n+1, hourBuckets)
}

// level is the usual sum of a bucket and the limits above and below.
func (m *rate) level(v *flow, bucket int64) (usual, most, least float64) {
	if len(v.recent) == 0 {
		return 0, math.NaN(), 0
	}
	var mem [rateBuckets]float64
	all := mem[:0]
	for _, x := range v.recent {
		all = append(all, float64(x))
	}
	usual, most, least = m.bounds(all)
	if v.hours == nil || bucket*m.bucket-v.since < weekly {
		return usual, most, least
	}
	hour := bucket * m.bucket / hourly % 24
	for d := int64(23); d <= 25; d++ { // a clock change moves it by one
		all = mem[:0]
		h := &v.hours[(hour+d)%24]
		for _, x := range h.sum[:h.n] {
			all = append(all, float64(x))
		}
		if len(all) < 4 {
			continue
		}
		u, mo, le := m.bounds(all)
		if d == 24 {
			usual = u
		}
		most, least = max(most, mo), min(least, le)
	}
	return usual, most, least
}

func (m *rate) bounds(list []float64) (median, most, least float64) {
	median, spread := spreadOf(list)
	d := m.deviations() * max(1.4826*spread, median/10, 1e-9)
	return median, median + d, median - d
}

// spreadOf is the median and the median absolute deviation. It changes the order of list.
func spreadOf(list []float64) (median, mad float64) {
	slices.Sort(list)
	median = list[len(list)/2]
	for i, x := range list {
		list[i] = math.Abs(x - median)
	}
	slices.Sort(list)
	return median, list[len(list)/2]
}

// Advance implements Matcher.
func (m *rate) Advance(now int64, hit func(Hit)) {
	m.Due(now, func(e *keyed.Entry[flow], at int64) {
		v := &e.Val
		bucket := (at - int64(10*time.Second)) / m.bucket
		if v.bucket < bucket {
			m.close(e, bucket, hit)
		}
		if v.active != 0 { // silent for 32 buckets: nothing more to say
			m.Wake(e, (v.bucket+1)*m.bucket+int64(10*time.Second))
		}
	})
}

// Stats implements Matcher.
func (m *rate) Stats() Stats {
	st := m.stats(m.Table.Stats())
	st.Ready, st.Learning = m.readyN, st.Keys-m.readyN
	return st
}

func encodeFlow(w *keyed.Writer, v *flow) {
	v.encode(w)
	w.Int(v.bucket)
	w.Float(v.sum)
	w.Bool(v.fired)
	w.Uint(uint64(len(v.recent)))
	for i := range v.recent {
		w.Float(float64(v.recent[(v.head+i)%len(v.recent)]))
	}
	w.Bool(v.hours != nil)
	if v.hours != nil {
		for i := range v.hours {
			h := &v.hours[i]
			w.Uint(uint64(h.n))
			for k := range h.n {
				w.Float(float64(h.sum[(int(h.head)+hourBuckets-int(h.n)+int(k))%hourBuckets]))
			}
		}
	}
	w.Uint(uint64(v.active))
	w.Uint(uint64(len(v.doubted)))
	for _, d := range v.doubted {
		w.Int(d.bucket)
		w.Float(float64(d.sum))
	}
	v.who.encode(w)
}

func decodeFlow(r *keyed.Reader, v *flow) {
	v.learned.decode(r)
	v.bucket, v.sum, v.fired = r.Time(), r.Float(), r.Bool()
	for n := r.Len(rateBuckets); n > 0; n-- {
		v.recent = append(v.recent, float32(r.Float()))
	}
	if r.Bool() {
		v.hours = new([24]hourLevel)
		for i := range v.hours {
			n := r.Len(hourBuckets)
			for k := range n {
				v.hours[i].sum[k] = float32(r.Float())
			}
			v.hours[i].n, v.hours[i].head = uint8(n), uint8(n%hourBuckets)
		}
	}
	v.active = uint32(r.Uint())
	for n := r.Len(maxDoubted); n > 0; n-- {
		v.doubted = append(v.doubted, doubt{r.Time(), float32(r.Float())})
	}
	v.who.decode(r)
}
