// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// Vault is an instance.Vault in memory. It is as durable as the process.
type Vault struct {
	mu      sync.Mutex
	records []instance.Record // by number
	data    map[uint64][]byte
	next    uint64
	fail    error
}

var _ instance.Vault = (*Vault)(nil)

// NewVault returns an empty one.
func NewVault() *Vault { return &Vault{data: map[uint64][]byte{}} }

// Fail makes every change fail until it is called with nil.
func (v *Vault) Fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fail = err
}

// Create implements instance.Vault.
func (v *Vault) Create(context.Context) (instance.Draft, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.next++
	return &draft{vault: v, number: v.next}, nil
}

// clone keeps what is stored apart from what is given away.
func clone(r instance.Record) instance.Record {
	r.Hits, r.Entries, r.Deliveries = slices.Clone(r.Hits), slices.Clone(r.Entries), slices.Clone(r.Deliveries)
	if r.Asked != nil {
		asked := *r.Asked
		r.Asked = &asked
	}
	return r
}

// at is the place of a number. The caller holds mu.
func (v *Vault) at(number uint64) (int, error) {
	i, ok := slices.BinarySearchFunc(v.records, number, func(r instance.Record, n uint64) int {
		switch {
		case r.Number < n:
			return -1
		case r.Number > n:
			return 1
		}
		return 0
	})
	if !ok {
		return 0, instance.ErrNotFound
	}
	return i, nil
}

// Get implements instance.Vault.
func (v *Vault) Get(_ context.Context, number uint64) (instance.Record, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i, err := v.at(number)
	if err != nil {
		return instance.Record{}, err
	}
	return clone(v.records[i]), nil
}

// Open implements instance.Vault.
func (v *Vault) Open(_ context.Context, number uint64) (instance.Content, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	b, ok := v.data[number]
	if !ok {
		return nil, instance.ErrNotFound
	}
	return content{bytes.NewReader(b)}, nil
}

// content is a data set in memory.
type content struct{ *bytes.Reader }

// Close implements io.Closer.
func (content) Close() error { return nil }

// BySOP implements instance.Vault.
func (v *Vault) BySOP(ctx context.Context, uid string) ([]instance.Record, error) {
	list, err := v.List(ctx, instance.Query{SOPInstance: uid, Limit: 1000})
	slices.Reverse(list)
	return slices.DeleteFunc(list, func(r instance.Record) bool { return r.State == instance.Refused || r.SOPInstance != uid }), err
}

// Held implements steer.Vault.
func (v *Vault) Held() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := 0
	for i := range v.records {
		if v.records[i].State == instance.Quarantined {
			n++
		}
	}
	return n
}

// List implements instance.Vault.
func (v *Vault) List(_ context.Context, q instance.Query) ([]instance.Record, error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []instance.Record
	for i := len(v.records) - 1; i >= 0 && len(out) < min(q.Limit, 1000); i-- {
		if r := &v.records[i]; asked(r, &q) {
			out = append(out, clone(*r))
		}
	}
	return out, nil
}

// asked reports whether a record is what a query asks for.
func asked(r *instance.Record, q *instance.Query) bool {
	delivery := func(ok func(*instance.Delivery) bool) bool {
		for i := range r.Deliveries {
			if ok(&r.Deliveries[i]) {
				return true
			}
		}
		return false
	}
	switch {
	case q.Before != 0 && r.Number >= q.Before,
		q.Study != "" && r.Study != q.Study,
		q.Series != "" && r.Series != q.Series,
		q.SOPInstance != "" && r.SOPInstance != q.SOPInstance && !delivery(func(d *instance.Delivery) bool { return d.SOPInstance == q.SOPInstance }),
		q.SHA256 != "" && r.DataSet != q.SHA256 && !delivery(func(d *instance.Delivery) bool { return d.Forwarded == q.SHA256 }),
		q.Device != "" && r.Sender.Device != q.Device,
		q.Theatre != "" && r.Sender.Theatre != q.Theatre,
		len(q.States) > 0 && !slices.Contains(q.States, r.State),
		!q.From.IsZero() && r.Received.Before(q.From),
		!q.To.IsZero() && !r.Received.Before(q.To),
		q.Destination != "" && !delivery(func(d *instance.Delivery) bool { return d.Destination == q.Destination }),
		q.Delivery != "" && !delivery(func(d *instance.Delivery) bool {
			return d.State == q.Delivery && (q.Destination == "" || d.Destination == q.Destination)
		}):
		return false
	}
	return true
}

// Change implements instance.Vault.
func (v *Vault) Change(_ context.Context, number uint64, change func(*instance.Record) error) (instance.Record, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i, err := v.at(number)
	if err != nil {
		return instance.Record{}, err
	}
	if v.fail != nil {
		return instance.Record{}, v.fail
	}
	was := v.records[i]
	r := clone(was)
	if err := change(&r); err != nil {
		return instance.Record{}, err
	}
	r.Number, r.DataSet, r.Pixel, r.Bytes, r.Sender, r.Revision = was.Number, was.DataSet, was.Pixel, was.Bytes, was.Sender, was.Revision+1
	v.records[i] = clone(r)
	if r.State == instance.Destroyed || r.State == instance.Refused {
		delete(v.data, number)
	}
	return r, nil
}

// draft is an instance that is being written.
type draft struct {
	vault  *Vault
	number uint64
	b      bytes.Buffer
	sealed bool
}

// Write implements io.Writer.
func (d *draft) Write(p []byte) (int, error) {
	if d.sealed {
		return 0, errSealed
	}
	return d.b.Write(p)
}

var errSealed = errors.New("the draft is sealed or discarded")

// Content implements instance.Draft.
func (d *draft) Content() (instance.Content, error) {
	return content{bytes.NewReader(slices.Clone(d.b.Bytes()))}, nil
}

// Number implements instance.Draft.
func (d *draft) Number() uint64 { return d.number }

// Seal implements instance.Draft.
func (d *draft) Seal(_ context.Context, r instance.Record) (instance.Record, error) {
	if d.sealed {
		return r, errSealed
	}
	d.sealed = true
	r.Number, r.Bytes, r.Revision = d.number, int64(d.b.Len()), 1
	v := d.vault
	v.mu.Lock()
	defer v.mu.Unlock()
	i, _ := slices.BinarySearchFunc(v.records, r.Number, func(x instance.Record, n uint64) int {
		if x.Number < n {
			return -1
		}
		return 1
	})
	v.records = slices.Insert(v.records, i, clone(r))
	if r.State != instance.Refused {
		v.data[r.Number] = slices.Clone(d.b.Bytes())
	}
	return r, nil
}

// Discard implements instance.Draft.
func (d *draft) Discard() { d.sealed = true }

var _ io.ReaderAt = content{}
