// SPDX-License-Identifier: Apache-2.0

// Package vaulttest holds every instance.Vault to what the interface promises. It is
// for tests of implementations, and keeps nothing itself.
package vaulttest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// Bytes makes a data set of a size, the same for the same seed.
func Bytes(seed, size int) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	_, _ = r.Read(b)
	return b
}

// morning is when the records of a test begin: not so long ago that a vault would forget them.
var morning = time.Now().UTC().Truncate(24 * time.Hour).Add(8 * time.Hour)

// Record makes the record of a data set, with a delivery that waits for each destination.
func Record(n int, data []byte, destinations ...string) instance.Record {
	sum := sha256.Sum256(data)
	r := instance.Record{State: instance.Accepted, Received: morning.Add(time.Duration(n) * time.Second), SOPClass: "1.2.840.10008.5.1.4.1.1.2",
		SOPInstance: fmt.Sprintf("1.2.3.%d", n), TransferSyntax: "1.2.840.10008.1.2.1", Study: fmt.Sprintf("1.2.4.%d", n/10), Series: fmt.Sprintf("1.2.5.%d", n/5), Modality: "CT",
		Sender:  instance.Sender{Way: instance.DIMSE, Device: fmt.Sprintf("dev-%d", n%3), CallingAE: "CT_1", CalledAE: "ASEPSIS", Address: "192.0.2.7", Theatre: fmt.Sprintf("OR-%d", n%2)},
		DataSet: hex.EncodeToString(sum[:]), Policy: hex.EncodeToString(sum[:])}
	for _, d := range destinations {
		r.Deliveries = append(r.Deliveries, instance.Delivery{Destination: d, Route: "all", State: instance.Waiting})
	}
	return r
}

// Put seals an instance.
func Put(t testing.TB, v instance.Vault, r instance.Record, data []byte) instance.Record {
	t.Helper()
	d, err := v.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(d, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	out, err := d.Seal(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Read reads an instance's bytes.
func Read(t testing.TB, v instance.Vault, number uint64) []byte {
	t.Helper()
	c, err := v.Open(t.Context(), number)
	if err != nil {
		t.Fatalf("open %d: %v", number, err)
	}
	defer func() { _ = c.Close() }()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("read %d: %v", number, err)
	}
	if int64(len(b)) != c.Size() {
		t.Fatalf("instance %d has %d bytes and says %d", number, len(b), c.Size())
	}
	return b
}

// Deliver says that a destination took an instance.
func Deliver(t testing.TB, v instance.Vault, number uint64, destination string) instance.Record {
	t.Helper()
	r, err := v.Change(t.Context(), number, func(r *instance.Record) error {
		for i := range r.Deliveries {
			if r.Deliveries[i].Destination == destination {
				r.Deliveries[i].State = instance.Delivered
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Run runs the suite on vaults that open makes.
func Run(t *testing.T, open func(t *testing.T) instance.Vault) {
	t.Run("what is sealed is read back bit for bit", func(t *testing.T) { readBack(t, open(t)) })
	t.Run("a draft can be read before it is sealed", func(t *testing.T) { drafts(t, open(t)) })
	t.Run("a discarded draft leaves nothing", func(t *testing.T) { discarded(t, open(t)) })
	t.Run("a change is seen by everybody, and some fields cannot be changed", func(t *testing.T) { changes(t, open(t)) })
	t.Run("changes of one record come one after the other", func(t *testing.T) { concurrent(t, open(t)) })
	t.Run("a reader is not affected by destruction", func(t *testing.T) { destroyed(t, open(t)) })
	t.Run("a refused instance leaves its record alone", func(t *testing.T) { refused(t, open(t)) })
	t.Run("lists are newest first, and ask for what they were asked", func(t *testing.T) { lists(t, open(t)) })
	t.Run("records of a SOP instance are oldest first", func(t *testing.T) { bySOP(t, open(t)) })
}

func readBack(t *testing.T, v instance.Vault) {
	last := uint64(0)
	for i, size := range []int{0, 1, 39 << 10, 4096, 4095, 4097, 128 << 10, 128<<10 + 1, 530 << 10, 3 << 20, 11<<20 + 3} {
		data := Bytes(i, size)
		r := Put(t, v, Record(i, data, "pacs"), data)
		if r.Number <= last || r.Revision != 1 || r.Bytes != int64(size) {
			t.Errorf("%d bytes: number %d after %d, revision %d, %d bytes", size, r.Number, last, r.Revision, r.Bytes)
		}
		last = r.Number
		if got := Read(t, v, r.Number); !bytes.Equal(got, data) {
			t.Errorf("%d bytes: what is read differs", size)
		}
		got, err := v.Get(t.Context(), r.Number)
		if err != nil || got.DataSet != r.DataSet || len(got.Deliveries) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		c, err := v.Open(t.Context(), r.Number)
		if err != nil {
			t.Fatal(err)
		}
		if size > 10 {
			part := make([]byte, 7)
			if _, err := c.ReadAt(part, int64(size-7)); err != nil || !bytes.Equal(part, data[size-7:]) {
				t.Errorf("%d bytes: the end differs: %v", size, err)
			}
		}
		if _, err := c.ReadAt(make([]byte, 1), int64(size)); !errors.Is(err, io.EOF) {
			t.Errorf("behind the end: %v", err)
		}
		_ = c.Close()
	}
	if _, err := v.Get(t.Context(), 1<<40); !errors.Is(err, instance.ErrNotFound) {
		t.Errorf("a record that is not there: %v", err)
	}
	if _, err := v.Open(t.Context(), 1<<40); !errors.Is(err, instance.ErrNotFound) {
		t.Errorf("bytes that are not there: %v", err)
	}
}

func drafts(t *testing.T, v instance.Vault) {
	for _, size := range []int{100, 300 << 10, 9 << 20} {
		data := Bytes(size, size)
		d, err := v.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 10000)
			if m, err := d.Write(rest[:n]); m != n || err != nil {
				t.Fatal(m, err)
			}
			rest = rest[n:]
		}
		c, err := d.Content()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, data) || c.Size() != int64(size) {
			t.Errorf("%d bytes of a draft differ: %v", size, err)
		}
		r, err := d.Seal(t.Context(), Record(1, data))
		if err != nil || r.Number != d.Number() {
			t.Fatal(r.Number, d.Number(), err)
		}
		if _, err := d.Write([]byte("more")); err == nil {
			t.Error("a sealed draft takes more")
		}
		d.Discard()
		part := make([]byte, 50)
		if _, err := c.ReadAt(part, 50); err != nil || !bytes.Equal(part, data[50:100]) {
			t.Errorf("after sealing: %v", err)
		}
		_ = c.Close()
		if got := Read(t, v, r.Number); !bytes.Equal(got, data) {
			t.Error("what was sealed differs")
		}
	}
}

func discarded(t *testing.T, v instance.Vault) {
	d, err := v.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write(Bytes(1, 6<<20)); err != nil {
		t.Fatal(err)
	}
	d.Discard()
	d.Discard()
	if _, err := v.Get(t.Context(), d.Number()); !errors.Is(err, instance.ErrNotFound) {
		t.Error(err)
	}
	if _, err := d.Seal(t.Context(), Record(1, nil)); err == nil {
		t.Error("a discarded draft was sealed")
	}
	data := Bytes(2, 1000)
	if r := Put(t, v, Record(2, data), data); r.Number <= d.Number() {
		t.Errorf("number %d was given out again", r.Number)
	}
}

func changes(t *testing.T, v instance.Vault) {
	data := Bytes(1, 5000)
	r := Put(t, v, Record(1, data, "pacs", "xr"), data)
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	got, err := v.Change(t.Context(), r.Number, func(c *instance.Record) error {
		c.Entries = append(c.Entries, instance.Entry{Index: 7, Kind: "artefact-received", At: at})
		c.Deliveries[0].State = instance.Delivered
		c.Number, c.DataSet, c.Bytes, c.Sender.Device, c.Revision = 99, "", 1, "somebody", 50
		return nil
	})
	if err != nil || got.Number != r.Number || got.DataSet != r.DataSet || got.Bytes != r.Bytes || got.Sender.Device != r.Sender.Device || got.Revision != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	got.Deliveries[0].State = instance.Dead // a copy
	again, err := v.Get(t.Context(), r.Number)
	if err != nil || again.Revision != 2 || len(again.Entries) != 1 || !again.Entries[0].At.Equal(at) || again.Deliveries[0].State != instance.Delivered {
		t.Fatalf("%+v, %v", again, err)
	}
	stop := errors.New("not today")
	if _, err := v.Change(t.Context(), r.Number, func(c *instance.Record) error { c.State = instance.Destroyed; return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	if again, err := v.Get(t.Context(), r.Number); err != nil || again.State != instance.Accepted || again.Revision != 2 {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := v.Change(t.Context(), 1<<40, func(*instance.Record) error { return nil }); !errors.Is(err, instance.ErrNotFound) {
		t.Error(err)
	}
}

func concurrent(t *testing.T, v instance.Vault) {
	data := Bytes(1, 5000)
	r := Put(t, v, Record(1, data, "pacs"), data)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if _, err := v.Change(t.Context(), r.Number, func(c *instance.Record) error { c.Deliveries[0].Attempts++; return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got, err := v.Get(t.Context(), r.Number); err != nil || got.Deliveries[0].Attempts != 160 || got.Revision != 161 {
		t.Errorf("%+v, %v", got, err)
	}
}

func destroyed(t *testing.T, v instance.Vault) {
	data := Bytes(1, 700<<10)
	rec := Record(1, data)
	rec.State = instance.Quarantined
	r := Put(t, v, rec, data)
	c, err := v.Open(t.Context(), r.Number)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Change(t.Context(), r.Number, func(c *instance.Record) error { c.State = instance.Destroyed; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Open(t.Context(), r.Number); !errors.Is(err, instance.ErrNotFound) {
		t.Errorf("opened after destruction: %v", err)
	}
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, data) {
		t.Errorf("who read before reads something else: %v", err)
	}
	_ = c.Close()
	if got, err := v.Get(t.Context(), r.Number); err != nil || got.State != instance.Destroyed {
		t.Errorf("%+v, %v", got, err)
	}
}

func refused(t *testing.T, v instance.Vault) {
	data := Bytes(1, 70<<10)
	rec := Record(1, data)
	rec.State, rec.Bytes = instance.Refused, int64(len(data))
	r := Put(t, v, rec, data)
	if got, err := v.Get(t.Context(), r.Number); err != nil || got.State != instance.Refused || got.Bytes != int64(len(data)) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := v.Open(t.Context(), r.Number); !errors.Is(err, instance.ErrNotFound) {
		t.Error(err)
	}
	if list, err := v.BySOP(t.Context(), rec.SOPInstance); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func lists(t *testing.T, v instance.Vault) {
	var all []instance.Record
	for i := range 30 {
		data := Bytes(i, 100)
		rec := Record(i, data, []string{"pacs", "xr"}[i%2])
		if i == 7 {
			rec.State = instance.Quarantined
		}
		r := Put(t, v, rec, data)
		if i >= 20 {
			r = Deliver(t, v, r.Number, rec.Deliveries[0].Destination)
		}
		all = append(all, r)
	}
	at := func(n int) time.Time { return morning.Add(time.Duration(n) * time.Second) }
	for _, c := range []struct {
		name string
		q    instance.Query
		want func(i int) bool
	}{
		{"all", instance.Query{}, func(int) bool { return true }},
		{"a study", instance.Query{Study: "1.2.4.1"}, func(i int) bool { return i/10 == 1 }},
		{"a series", instance.Query{Series: "1.2.5.3"}, func(i int) bool { return i/5 == 3 }},
		{"a series of another study", instance.Query{Study: "1.2.4.0", Series: "1.2.5.3"}, func(int) bool { return false }},
		{"a series, by the UID of its study", instance.Query{Series: "1.2.4.1"}, func(int) bool { return false }},
		{"a SOP instance", instance.Query{SOPInstance: "1.2.3.4"}, func(i int) bool { return i == 4 }},
		{"a device", instance.Query{Device: "dev-2"}, func(i int) bool { return i%3 == 2 }},
		{"a theatre", instance.Query{Theatre: "OR-1"}, func(i int) bool { return i%2 == 1 }},
		{"quarantine", instance.Query{States: []instance.State{instance.Quarantined, instance.Released}}, func(i int) bool { return i == 7 }},
		{"a destination", instance.Query{Destination: "xr"}, func(i int) bool { return i%2 == 1 }},
		{"what waits", instance.Query{Delivery: instance.Waiting}, func(i int) bool { return i < 20 }},
		{"what was delivered to a destination", instance.Query{Destination: "pacs", Delivery: instance.Delivered}, func(i int) bool { return i >= 20 && i%2 == 0 }},
		{"a time", instance.Query{From: at(5), To: at(8)}, func(i int) bool { return i >= 5 && i < 8 }},
		{"older ones", instance.Query{Before: all[12].Number}, func(i int) bool { return i < 12 }},
		{"nothing", instance.Query{Destination: "nowhere"}, func(int) bool { return false }},
	} {
		var want []uint64
		for i := range all {
			if c.want(i) {
				want = append(want, all[i].Number)
			}
		}
		slices.Reverse(want)
		for _, limit := range []int{0, 3} {
			c.q.Limit = limit
			list, err := v.List(t.Context(), c.q)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			var got []uint64
			for _, r := range list {
				got = append(got, r.Number)
			}
			w := want
			if limit > 0 {
				w = w[:min(limit, len(w))]
			}
			if !slices.Equal(got, w) {
				t.Errorf("%s, limit %d: %v, want %v", c.name, limit, got, w)
			}
		}
	}
}

func bySOP(t *testing.T, v instance.Vault) {
	var want []uint64
	for i := range 3 {
		data := Bytes(i, 100)
		rec := Record(5, data, "pacs")
		r := Put(t, v, rec, data)
		if i == 1 {
			Deliver(t, v, r.Number, "pacs")
		}
		want = append(want, r.Number)
	}
	list, err := v.BySOP(t.Context(), "1.2.3.5")
	if err != nil {
		t.Fatal(err)
	}
	var got []uint64
	for _, r := range list {
		got = append(got, r.Number)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if list, err := v.BySOP(t.Context(), "1.2.3.6"); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}
