// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/wire/dicom"
)

// vault is a journal in memory, for tests that are not about the journal.
type vault struct {
	mu      sync.Mutex
	last    uint64
	records map[uint64]instance.Record
	bytes   map[uint64][]byte
	full    bool // Create and Seal fail
	sealErr error
}

func newVault() *vault {
	return &vault{records: map[uint64]instance.Record{}, bytes: map[uint64][]byte{}}
}

func (v *vault) Create(context.Context) (instance.Draft, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.full {
		return nil, instance.ErrFull
	}
	v.last++
	return &draft{v: v, n: v.last}, nil
}

func (v *vault) Get(_ context.Context, n uint64) (instance.Record, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r, ok := v.records[n]
	if !ok {
		return r, instance.ErrNotFound
	}
	return own(r), nil
}

// own is a record that shares nothing with the vault's.
func own(r instance.Record) instance.Record {
	r.Entries, r.Deliveries, r.Hits = slices.Clone(r.Entries), slices.Clone(r.Deliveries), slices.Clone(r.Hits)
	return r
}

type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func (v *vault) Open(_ context.Context, n uint64) (instance.Content, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	b, ok := v.bytes[n]
	if !ok {
		return nil, instance.ErrNotFound
	}
	return memory{bytes.NewReader(b)}, nil
}

func (v *vault) sorted() []instance.Record {
	out := make([]instance.Record, 0, len(v.records))
	for _, r := range v.records {
		out = append(out, own(r))
	}
	slices.SortFunc(out, func(a, b instance.Record) int { return int(a.Number) - int(b.Number) })
	return out
}

func (v *vault) BySOP(_ context.Context, uid string) ([]instance.Record, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.DeleteFunc(v.sorted(), func(r instance.Record) bool { return r.SOPInstance != uid || r.State == instance.Refused }), nil
}

func (v *vault) List(_ context.Context, q instance.Query) ([]instance.Record, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := slices.DeleteFunc(v.sorted(), func(r instance.Record) bool { return q.Before != 0 && r.Number >= q.Before })
	slices.Reverse(out)
	if q.Limit > 0 {
		out = out[:min(q.Limit, len(out))]
	}
	return out, nil
}

func (v *vault) Change(_ context.Context, n uint64, f func(*instance.Record) error) (instance.Record, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r, ok := v.records[n]
	if !ok {
		return r, instance.ErrNotFound
	}
	r = own(r)
	if err := f(&r); err != nil {
		return own(v.records[n]), err
	}
	r.Revision++
	v.records[n] = r
	if r.State == instance.Refused || r.State == instance.Destroyed {
		delete(v.bytes, n)
	}
	return own(r), nil
}

// all returns the records, oldest first.
func (v *vault) all() []instance.Record {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sorted()
}

func (v *vault) content(n uint64) []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.bytes[n]
}

func (v *vault) set(f func(*vault)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f(v)
}

type draft struct {
	v    *vault
	n    uint64
	b    []byte
	done bool
}

func (d *draft) Write(p []byte) (int, error) {
	d.b = append(d.b, p...)
	return len(p), nil
}
func (d *draft) Content() (instance.Content, error) { return memory{bytes.NewReader(d.b)}, nil }
func (d *draft) Number() uint64                     { return d.n }
func (d *draft) Discard()                           {}

func (d *draft) Seal(_ context.Context, r instance.Record) (instance.Record, error) {
	d.v.mu.Lock()
	defer d.v.mu.Unlock()
	if d.v.sealErr != nil {
		return r, d.v.sealErr
	}
	d.done = true
	r.Revision = 1
	d.v.records[d.n] = own(r)
	if r.State != instance.Refused {
		d.v.bytes[d.n] = d.b
	}
	return r, nil
}

// wall is a firewall that decides by the patient's ID, which is enough to see what the gateway makes of verdicts.
type wall struct {
	mu    sync.Mutex
	panic bool
}

func (w *wall) Policy() string { return hexOf("the policy") }

func hexOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return custody.SHA256("x", sum).Digest["sha256"]
}

type look struct {
	w *wall
	x dicom.Extractor
	h instance.Header
}

func (w *wall) Begin(a instance.Arrival) instance.Inspection {
	l := &look{w: w}
	s, _ := dicom.SyntaxOf(a.TransferSyntax)
	l.x.Reset(s, dicom.DefaultLimits(), l)
	return l
}

func (l *look) Header(t *dicom.Token, parent dicom.Tag) int {
	if parent == 0 && t.Kind == dicom.Element && t.Tag.Group() <= 0x0020 {
		return 64
	}
	return 0
}

func (l *look) Value(t *dicom.Token, _ dicom.Tag, b []byte) {
	v := dicom.TrimString(b)
	switch t.Tag {
	case dicom.TagPatientID:
		l.h.PatientID = v
	case dicom.TagStudyInstanceUID:
		l.h.Study = v
	case dicom.TagModality:
		l.h.Modality = v
	}
}

func (l *look) Write(p []byte) (int, error) {
	l.w.mu.Lock()
	bad := l.w.panic
	l.w.mu.Unlock()
	if bad {
		panic("the firewall")
	}
	_ = l.x.Feed(p)
	return len(p), nil
}

func (l *look) Stop() bool     { return false }
func (l *look) Policy() string { return l.w.Policy() }

func (l *look) Finish() instance.Result {
	r := instance.Result{Header: l.h}
	for v := instance.Flag; v <= instance.Refuse; v++ {
		if l.h.PatientID == "FICT-"+v.String() {
			r.Verdict = v
			r.Hits = []instance.Hit{{Rule: "test." + v.String(), Verdict: v, Path: "(0010,0020)", Why: "The test wants it."}}
		}
	}
	if r.Verdict == instance.Refuse {
		r.Status, r.Comment = 0xC000, "refused by test.refuse"
	}
	return r
}

// Sanitiser replaces the patient's ID by one that passes, of the same length.
func (w *wall) Sanitiser(a instance.Arrival, _ instance.Result) instance.Transformer {
	return transformer(func(dst io.Writer, src io.Reader, syntax string) (instance.Altered, error) {
		b, err := io.ReadAll(src)
		if err != nil {
			return instance.Altered{}, err
		}
		b = bytes.Replace(b, []byte("FICT-sanitise"), []byte("FICT-harmless"), 1)
		if bytes.Contains(b, []byte("FICT-sanitise")) {
			return instance.Altered{}, errors.New("it resists")
		}
		_, err = dst.Write(b)
		return instance.Altered{SOPInstance: "2.25.1", TransferSyntax: syntax}, err
	})
}

type transformer func(io.Writer, io.Reader, string) (instance.Altered, error)

func (f transformer) Transform(dst io.Writer, src io.Reader, syntax string) (instance.Altered, error) {
	return f(dst, src, syntax)
}

// router sends everything to one place.
type router struct {
	mu    sync.Mutex
	open  bool
	none  bool
	woken int
}

func (r *router) Route(instance.Record, instance.Arrival, instance.Header) []instance.Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.none {
		return nil
	}
	return []instance.Delivery{{Destination: "xr", Route: "all", State: instance.Waiting}}
}

func (r *router) Open(string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

func (r *router) Wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.woken++
}

func (r *router) set(f func(*router)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r)
}

// log is a ledger in memory that can be away.
type memoryLog struct {
	mu      sync.Mutex
	away    bool
	deaf    custody.Kind // to statements of this kind
	hang    chan struct{}
	entries []custody.Statement
}

func (l *memoryLog) Record(ctx context.Context, s custody.Statement) (ledger.Entry, error) {
	l.mu.Lock()
	away, hang := l.away || l.deaf != "" && s.Kind() == l.deaf, l.hang
	l.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return ledger.Entry{}, ctx.Err()
		}
	}
	if away {
		return ledger.Entry{}, ledger.ErrClosed
	}
	if _, err := s.Canonical(); err != nil {
		return ledger.Entry{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.entries {
		if e := &l.entries[i]; e.Predicate.ID == s.Predicate.ID {
			if e.ContentHash() != s.ContentHash() {
				return ledger.Entry{}, ledger.ErrConflict
			}
			return ledger.Entry{Index: uint64(i), Again: true, Recorded: time.Now()}, nil
		}
	}
	l.entries = append(l.entries, s)
	return ledger.Entry{Index: uint64(len(l.entries) - 1), Recorded: time.Now()}, nil
}

func (l *memoryLog) set(f func(*memoryLog)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l)
}

// kinds are the kinds of what was recorded, in their order.
func (l *memoryLog) kinds() []custody.Kind {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []custody.Kind
	for i := range l.entries {
		out = append(out, l.entries[i].Kind())
	}
	return out
}
