// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"context"
	"sync/atomic"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
)

// switched is a store that a test can exchange for another while it is used.
type switched struct{ to atomic.Pointer[store.Store] }

func newSwitched(s store.Store) *switched {
	x := &switched{}
	x.to.Store(&s)
	return x
}

func (x *switched) s() store.Store { return *x.to.Load() }

func (x *switched) Stats(ctx context.Context) (store.Stats, error) {
	return x.s().Stats(ctx)
}

func (x *switched) Ping(ctx context.Context) error {
	return x.s().Ping(ctx)
}

func (x *switched) Close() error {
	return x.s().Close()
}

func (x *switched) Lead(ctx context.Context, wait bool) (release func(), err error) {
	return x.s().Lead(ctx, wait)
}

func (x *switched) Append(ctx context.Context, pos store.Position, recs []record.Record) error {
	return x.s().Append(ctx, pos, recs)
}

func (x *switched) Position(ctx context.Context, stream string) (uint64, error) {
	return x.s().Position(ctx, stream)
}

func (x *switched) Query(ctx context.Context, q store.Query) (store.Page, error) {
	return x.s().Query(ctx, q)
}

func (x *switched) Get(ctx context.Context, seq uint64) (record.Record, error) {
	return x.s().Get(ctx, seq)
}

func (x *switched) After(ctx context.Context, seq uint64, q store.Query, limit int) (recs []record.Record, next uint64, err error) {
	return x.s().After(ctx, seq, q, limit)
}

func (x *switched) Wait(ctx context.Context, seq uint64) error {
	return x.s().Wait(ctx, seq)
}

func (x *switched) Last(ctx context.Context) (first, last uint64, err error) {
	return x.s().Last(ctx)
}

func (x *switched) Histogram(ctx context.Context, q store.Query, n int) (store.Histogram, error) {
	return x.s().Histogram(ctx, q, n)
}

func (x *switched) Top(ctx context.Context, q store.Query, f store.Field, n int) (store.TopValues, error) {
	return x.s().Top(ctx, q, f, n)
}

func (x *switched) Links(ctx context.Context, from, to int64, limit int) (links []store.Link, more bool, err error) {
	return x.s().Links(ctx, from, to, limit)
}

func (x *switched) Activity(ctx context.Context, device string, from, to int64, n int) ([]store.ActivityStep, error) {
	return x.s().Activity(ctx, device, from, to, n)
}

func (x *switched) Retain(ctx context.Context, r store.Retention) (store.Removed, error) {
	return x.s().Retain(ctx, r)
}

func (x *switched) PutDevices(ctx context.Context, changed []device.Device, removed []string) error {
	return x.s().PutDevices(ctx, changed, removed)
}

func (x *switched) DeviceList(ctx context.Context) (list []device.Device, revision uint64, err error) {
	return x.s().DeviceList(ctx)
}

func (x *switched) DevicesRevision(ctx context.Context) (uint64, error) {
	return x.s().DevicesRevision(ctx)
}

func (x *switched) Device(ctx context.Context, id string) (device.Device, error) {
	return x.s().Device(ctx, id)
}

func (x *switched) Document(ctx context.Context, kind, id string) (store.Document, error) {
	return x.s().Document(ctx, kind, id)
}

func (x *switched) DocumentsOf(ctx context.Context, kind, after string, limit int) ([]store.Document, error) {
	return x.s().DocumentsOf(ctx, kind, after, limit)
}

func (x *switched) Commit(ctx context.Context, writes []store.Write, audit ...store.Audit) error {
	return x.s().Commit(ctx, writes, audit...)
}

func (x *switched) AuditTrail(ctx context.Context, q store.AuditQuery) ([]store.Audit, error) {
	return x.s().AuditTrail(ctx, q)
}
