// SPDX-License-Identifier: Apache-2.0

package eventlog

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/segment"
)

// Kind is a kind of sum or of definition. The numbers are kept.
type Kind uint8

// The kinds. A definition is immutable; its A is a hash of its body. Events
// without a device on either end are in no sum by device.
const (
	KindCombination Kind = 1 // definition of what minutes and hours count by
	KindEnd         Kind = 2 // definition of a device
	KindLink        Kind = 3 // definition of a link
	KindMinute      Kind = 4 // A: minutes since the epoch; counts by combination
	KindHour        Kind = 5 // A: hours since the epoch; counts by combination
	KindDevice      Kind = 6 // A: deviceStep since the epoch, B: device; counts by class and severity
	KindLinkDay     Kind = 7 // A: link; what it said in the whole shard
	KindLinkStep    Kind = 8 // A: store.LinkStep since the epoch, B: link

	// In shards that have KindRollups, see there.
	KindRollups        Kind = 9  // A: 0; its body is a version
	KindSeverityMinute Kind = 10 // A: minutes since the epoch; counts by severity
	KindSeverityHour   Kind = 11 // A: hours since the epoch; counts by severity
	KindLinkHour       Kind = 12 // A: hours since the epoch, B: link
)

// Sums over time have the time first, so that an append writes beside what was
// written last, however many devices and links there are.

// ByTime reports whether A is a time, so that the sums of one B over a range of A
// lie far apart.
func (k Kind) ByTime() bool { return k == KindDevice || k == KindLinkStep || k == KindLinkHour }

// unit is the length of what a sum by time is about, 0 for others.
func (k Kind) unit() int64 {
	switch k {
	case KindMinute, KindSeverityMinute:
		return minute
	case KindHour, KindSeverityHour, KindLinkHour:
		return hour
	case KindDevice:
		return deviceStep
	case KindLinkStep:
		return linkStep
	}
	return 0
}

const (
	minute     = int64(time.Minute)
	hour       = int64(time.Hour)
	deviceStep = 5 * minute
	linkStep   = int64(store.LinkStep)
)

// Key is the place of a sum.
type Key struct {
	Kind Kind
	A, B int64
}

// Sum is a sum or definition. A nil body removes it.
type Sum struct {
	Key
	Body []byte
}

// Combination is what minutes and hours count by.
type Combination struct {
	Class    uint32
	Activity uint8
	Severity uint8
	Status   uint8
	Protocol string
	Theatre  string
	Sensor   string
}

func (c *Combination) append(b []byte) []byte {
	b = appendUvarint(b, uint64(c.Class))
	b = append(b, c.Activity, c.Severity, c.Status)
	b = appendString(b, c.Protocol)
	b = appendString(b, c.Theatre)
	return appendString(b, c.Sensor)
}

func parseCombination(b []byte) (Combination, error) {
	r := &reader{b: b}
	c := Combination{Class: uint32(r.uvarint())}
	if len(r.b) < 3 {
		return c, errDamagedSum
	}
	c.Activity, c.Severity, c.Status = r.b[0], r.b[1], r.b[2]
	r.b = r.b[3:]
	c.Protocol, c.Theatre, c.Sensor = r.string(), r.string(), r.string()
	if r.bad || len(r.b) > 0 {
		return c, errDamagedSum
	}
	return c, nil
}

var errDamagedSum = fmt.Errorf("%w: sum", segment.ErrDamaged)

// linkDef is who talks to whom: the definition of a link.
type linkDef struct {
	From, To, Protocol, Transport string
	Port                          uint16
}

func (l *linkDef) append(b []byte) []byte {
	b = appendString(b, l.From)
	b = appendString(b, l.To)
	b = appendString(b, l.Protocol)
	b = appendString(b, l.Transport)
	return appendUvarint(b, uint64(l.Port))
}

func parseLinkDef(b []byte) (linkDef, error) {
	r := &reader{b: b}
	l := linkDef{From: r.string(), To: r.string(), Protocol: r.string(), Transport: r.string(), Port: uint16(r.uvarint())}
	if r.bad || len(r.b) > 0 {
		return l, errDamagedSum
	}
	return l, nil
}

// counts is a sum of the kinds that count events: by combination, or by class and
// severity.
type counts map[uint64]uint64

func parseCounts(b []byte, yield func(key, n uint64)) error {
	r := &reader{b: b}
	for len(r.b) > 0 {
		k, n := r.uvarint(), r.uvarint()
		if r.bad {
			return errDamagedSum
		}
		yield(k, n)
	}
	return nil
}

func (c counts) append(b []byte) []byte {
	for _, k := range slices.Sorted(maps.Keys(c)) {
		b = appendUvarint(b, k)
		b = appendUvarint(b, c[k])
	}
	return b
}

// traffic is a sum of the kinds that add up links. Steps has a bit for each step
// of a day that has something; not in Odd, whose steps are anywhere.
type traffic struct {
	Reports, Flows, Failed, Out, In uint64
	Steps                           [12]byte
}

func (t *traffic) append(b []byte, day bool) []byte {
	for _, v := range [...]uint64{t.Reports, t.Flows, t.Failed, t.Out, t.In} {
		b = appendUvarint(b, v)
	}
	if day {
		b = append(b, t.Steps[:]...)
	}
	return b
}

func parseTraffic(b []byte, day bool) (t traffic, err error) {
	r := &reader{b: b}
	for _, v := range []*uint64{&t.Reports, &t.Flows, &t.Failed, &t.Out, &t.In} {
		*v = r.uvarint()
	}
	if day {
		if len(r.b) < len(t.Steps) {
			return t, errDamagedSum
		}
		r.b = r.b[copy(t.Steps[:], r.b):]
	}
	if r.bad || len(r.b) > 0 {
		return t, errDamagedSum
	}
	return t, nil
}

func (t *traffic) step(i int) bool { return t.Steps[i>>3]&(1<<(i&7)) != 0 }

// first returns the first step of a day that has something.
func (t *traffic) first() int {
	first, _ := t.bounds()
	return int(first)
}

func (t *traffic) setStep(i int, on bool) {
	if on {
		t.Steps[i>>3] |= 1 << (i & 7)
	} else {
		t.Steps[i>>3] &^= 1 << (i & 7)
	}
}

// sums is the working copy of the sums of one shard: what was touched lately,
// and what of it has changed since the last commit.
type sums struct {
	shard   Shard
	until   int64            // no stored event is later: there is no sum of what begins after it
	defs    map[string]int64 // kind and body to A
	counts  map[Key]counts
	traffic map[Key]*traffic
	changed map[Key]struct{}
	newDefs []Sum
	since   []Since
	rollups rollups
}

func newSums(s Shard) *sums {
	return &sums{shard: s, until: maxTime, defs: map[string]int64{}, counts: map[Key]counts{}, traffic: map[Key]*traffic{}, changed: map[Key]struct{}{}}
}

// maxCached bounds what is kept of sums between commits.
const maxCached = 100_000

// committed forgets what is written, and everything when it has become much.
func (s *sums) committed() {
	clear(s.changed)
	s.newDefs, s.since = nil, nil
	if len(s.counts)+len(s.traffic) > maxCached {
		clear(s.counts)
		clear(s.traffic)
	}
	if len(s.defs) > maxCached {
		clear(s.defs)
	}
}

// take returns what has changed, to be written.
func (s *sums) take() []Sum {
	out := slices.Clone(s.newDefs)
	for _, k := range slices.SortedFunc(maps.Keys(s.changed), compareKeys) {
		sum := Sum{Key: k}
		switch k.Kind {
		case KindLinkDay, KindLinkStep, KindLinkHour:
			if t := s.traffic[k]; t.Reports > 0 {
				sum.Body = t.append(nil, k.Kind == KindLinkDay)
			}
		default:
			if c := s.counts[k]; len(c) > 0 {
				sum.Body = c.append(nil)
			}
		}
		out = append(out, sum)
	}
	return out
}

func compareKeys(a, b Key) int {
	switch {
	case a.Kind != b.Kind:
		return int(a.Kind) - int(b.Kind)
	case a.A != b.A:
		return cmpInt(a.A, b.A)
	}
	return cmpInt(a.B, b.B)
}

func cmpInt(a, b int64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// define returns the A of a definition, which is its hash, or the next number
// that is free where two definitions have the same.
func (s *sums) define(ctx context.Context, v View, kind Kind, body []byte) (id int64, isNew bool, err error) {
	name := string(append([]byte{byte(kind)}, body...))
	if id, ok := s.defs[name]; ok {
		return id, false, nil
	}
	id, found, err := lookup(ctx, v, s.shard, kind, body)
	if err != nil {
		return 0, false, err
	}
	if !found {
		for slices.ContainsFunc(s.newDefs, func(d Sum) bool { return d.Kind == kind && d.A == id }) {
			id++
		}
		s.newDefs = append(s.newDefs, Sum{Key{Kind: kind, A: id}, bytes.Clone(body)})
	}
	s.defs[name] = id
	return id, !found, nil
}

// lookup finds a stored definition, or the number it would have.
func lookup(ctx context.Context, v View, shard Shard, kind Kind, body []byte) (id int64, found bool, err error) {
	h := fnv.New64a()
	_, _ = h.Write(body)
	id = int64(h.Sum64() >> 2) // room to count up
	for ; ; id++ {
		b, err := v.Sum(ctx, shard, Key{Kind: kind, A: id})
		if err != nil || b == nil {
			return id, false, err
		}
		if bytes.Equal(b, body) {
			return id, true, nil
		}
	}
}

func (s *sums) count(ctx context.Context, v View, k Key) (counts, error) {
	s.changed[k] = struct{}{}
	if c, ok := s.counts[k]; ok {
		return c, nil
	}
	c := counts{}
	if s.isNew(k) {
		s.counts[k] = c
		return c, nil
	}
	b, err := v.Sum(ctx, s.shard, k)
	if err == nil {
		err = parseCounts(b, func(key, n uint64) { c[key] = n })
	}
	if err != nil {
		return nil, shardError(s.shard, err)
	}
	s.counts[k] = c
	return c, nil
}

// isNew reports whether nothing is stored about a time.
func (s *sums) isNew(k Key) bool {
	u := k.Kind.unit()
	return u > 0 && s.until < maxTime && k.A > floorDiv(s.until, u)
}

func (s *sums) link(ctx context.Context, v View, k Key, isNew bool) (*traffic, error) {
	s.changed[k] = struct{}{}
	if t, ok := s.traffic[k]; ok {
		return t, nil
	}
	t := &traffic{}
	if !isNew && !s.isNew(k) {
		b, err := v.Sum(ctx, s.shard, k)
		if err == nil && b != nil {
			*t, err = parseTraffic(b, k.Kind == KindLinkDay)
		}
		if err != nil {
			return nil, shardError(s.shard, err)
		}
	}
	s.traffic[k] = t
	return t, nil
}

func (c counts) add(key, n uint64, sign int) {
	if sign > 0 {
		c[key] += n
		return
	}
	if c[key] <= n {
		delete(c, key)
		return
	}
	c[key] -= n
}

// tally is what the rows of one segment add, by codes of its dictionaries. It
// is made without the sums, so that segments can be tallied side by side.
type tally struct {
	rows    *segment.Columns
	minutes map[minuteKey]uint64
	devices map[deviceKey]uint64
	links   map[linkKey]*traffic
}

type minuteKey struct {
	minute                           int64
	class, protocol, theatre, sensor uint16
	activity, severity, status       uint8
}

type deviceKey struct {
	step          int64
	device, class uint16
	severity      uint8
}

type linkKey struct {
	step int64
	def  linkDef
}

// tallyOf counts the rows for which keep is nil or says so.
func tallyOf(c *segment.Columns, keep func(row int) bool) *tally {
	t := &tally{rows: c, minutes: map[minuteKey]uint64{}, devices: map[deviceKey]uint64{}, links: map[linkKey]*traffic{}}
	for i := range c.N {
		if keep != nil && !keep(i) {
			continue
		}
		t.minutes[minuteKey{floorDiv(c.Time[i], minute), c.Class[i], c.Protocol[i], c.Theatre[i], c.Sensor[i], c.Activity[i], c.Severity[i], c.Status[i]}]++
		src, dst := c.SrcDev[i], c.DstDev[i]
		k := deviceKey{floorDiv(c.Time[i], deviceStep), src, c.Class[i], c.Severity[i]}
		if c.Devices[src] != "" {
			t.devices[k]++
		}
		if src != dst && c.Devices[dst] != "" {
			k.device = dst
			t.devices[k]++
		}
	}
	for i := range c.Links {
		l := &c.Links[i]
		if keep != nil && !keep(l.Row) {
			continue
		}
		k := linkKey{step: floorDiv(c.Time[l.Row], linkStep), def: linkDef{
			From: endOf(c.Devices[c.SrcDev[l.Row]], c.Addrs[c.Src[l.Row]]), To: endOf(c.Devices[c.DstDev[l.Row]], c.Addrs[c.Dst[l.Row]]),
			Protocol: c.Protocols[c.Protocol[l.Row]], Transport: l.Transport, Port: l.Port,
		}}
		s := t.links[k]
		if s == nil {
			s = &traffic{}
			t.links[k] = s
		}
		s.Reports++
		s.Flows += l.Flows
		s.Failed += l.Failed
		s.Out += l.BytesOut
		s.In += l.BytesIn
	}
	return t
}

func endOf(device string, a netip.Addr) string {
	if device != "" || !a.IsValid() {
		return device
	}
	return a.String()
}

// apply adds a tally to the sums, or subtracts it.
func (s *sums) apply(ctx context.Context, v View, t *tally, sign int) error {
	if err := s.knowRollups(ctx, v); err != nil {
		return err
	}
	var body []byte
	combination := map[minuteKey]uint64{}
	for k, n := range t.minutes {
		at := k.minute
		k.minute = 0
		id, ok := combination[k]
		if !ok {
			c := Combination{t.rows.Classes[k.class], k.activity, k.severity, k.status,
				t.rows.Protocols[k.protocol], t.rows.Theatres[k.theatre], t.rows.Sensors[k.sensor]}
			body = c.append(body[:0])
			i, _, err := s.define(ctx, v, KindCombination, body)
			if err != nil {
				return err
			}
			id = uint64(i)
			combination[k] = id
		}
		for _, key := range [...]Key{{Kind: KindMinute, A: at}, {Kind: KindHour, A: floorDiv(at, 60)}} {
			c, err := s.count(ctx, v, key)
			if err != nil {
				return err
			}
			c.add(id, n, sign)
		}
		if err := s.rollUpSeverity(ctx, v, at, k.severity, n, sign); err != nil {
			return err
		}
	}
	for k, n := range t.devices {
		id, _, err := s.define(ctx, v, KindEnd, []byte(t.rows.Devices[k.device]))
		if err != nil {
			return err
		}
		c, err := s.count(ctx, v, Key{Kind: KindDevice, A: k.step, B: id})
		if err != nil {
			return err
		}
		c.add(uint64(t.rows.Classes[k.class])<<8|uint64(k.severity), n, sign)
	}
	for k, add := range t.links {
		body = k.def.append(body[:0])
		if err := s.applyLink(ctx, v, body, k.step, add, sign); err != nil {
			return err
		}
	}
	return nil
}

func (s *sums) applyLink(ctx context.Context, v View, def []byte, at int64, add *traffic, sign int) error {
	id, isNew, err := s.define(ctx, v, KindLink, def)
	if err != nil {
		return err
	}
	total, err := s.link(ctx, v, Key{Kind: KindLinkDay, A: id}, isNew)
	if err != nil {
		return err
	}
	// What the bits of the day say is not there need not be looked for.
	newLink := isNew
	isNew = isNew || s.shard != Odd && !total.step(stepOfDay(s.shard, at))
	step, err := s.link(ctx, v, Key{Kind: KindLinkStep, A: at, B: id}, isNew)
	if err != nil {
		return err
	}
	// Only what comes before everything of the day can be the first of all days.
	if sign > 0 && step.Reports == 0 && (s.shard == Odd || total.Reports == 0 || stepOfDay(s.shard, at) < total.first()) {
		s.since = append(s.since, Since{bytes.Clone(def), at * linkStep})
	}
	if err := s.rollUpLink(ctx, v, id, at, total, add, sign, newLink); err != nil {
		return err
	}
	step.add(add, sign)
	total.add(add, sign)
	if s.shard != Odd {
		total.setStep(stepOfDay(s.shard, at), step.Reports > 0)
	}
	return nil
}

// stepOfDay returns the place of a link step in a day, 0 to 95.
func stepOfDay(s Shard, at int64) int {
	return int(min(max(at-s.Start()/linkStep, 0), 95))
}

func (t *traffic) add(o *traffic, sign int) {
	for _, p := range [...]struct {
		to *uint64
		n  uint64
	}{{&t.Reports, o.Reports}, {&t.Flows, o.Flows}, {&t.Failed, o.Failed}, {&t.Out, o.Out}, {&t.In, o.In}} {
		switch {
		case sign > 0:
			*p.to += p.n
		case *p.to < p.n:
			*p.to = 0
		default:
			*p.to -= p.n
		}
	}
}
