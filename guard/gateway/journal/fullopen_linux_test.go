// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/journal/vaulttest"
)

func TestAJournalOpensOnAFullDiskAndKeepsItsHistory(t *testing.T) {
	disk := tiny(t, 24<<20)
	c := tinyConfig(disk)
	j := must(t, c)
	data := vaulttest.Bytes(1, 100<<10)
	done := vaulttest.Put(t, j, vaulttest.Record(1, data, "pacs"), data)
	vaulttest.Deliver(t, j, done.Number, "pacs")
	j.pay(t.Context())
	if n := j.Counts(); n.Records != 0 {
		t.Fatalf("%+v: nothing is in the history", n)
	}
	waits := vaulttest.Put(t, j, vaulttest.Record(2, data, "pacs"), data)
	crash(j)
	others := filepath.Join(disk, "others")
	free, err := freeBytes(disk)
	if err == nil {
		err = os.WriteFile(others, make([]byte, free), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if free, err := freeBytes(disk); err != nil || free != 0 {
		t.Fatalf("%d bytes are free, %v", free, err)
	}
	j = must(t, c)
	if list, err := j.List(t.Context(), instance.Query{}); err != nil || len(list) != 2 {
		t.Errorf("%d records, %v", len(list), err)
	}
	for _, m := range j.Matters(time.Now()) {
		if m.Rule == "gateway.history-damaged" {
			t.Error("a full disk is taken for a damaged history")
		}
	}
	if !bytes.Equal(vaulttest.Read(t, j, waits.Number), data) {
		t.Error("what waits differs")
	}
	vaulttest.Deliver(t, j, waits.Number, "pacs") // a change of state has room still
	j.Tidy(t.Context())
	full := 0
	for n := range 40 { // the segment that was begun has room for some
		d, err := j.Create(t.Context())
		if err == nil {
			_, err = d.Write(vaulttest.Bytes(10+n, 100<<10))
			d.Discard()
		}
		if errors.Is(err, instance.ErrFull) {
			full++
		} else if err != nil {
			t.Fatal(err)
		} else {
			data := vaulttest.Bytes(10+n, 100<<10)
			vaulttest.Put(t, j, vaulttest.Record(10+n, data, "pacs"), data)
		}
	}
	if full == 0 {
		t.Error("forty instances were taken on a full disk")
	}
	if err := os.Remove(others); err != nil {
		t.Fatal(err)
	}
	j.Tidy(t.Context())
	data = vaulttest.Bytes(99, 100<<10)
	if r := vaulttest.Put(t, j, vaulttest.Record(99, data, "pacs"), data); !bytes.Equal(vaulttest.Read(t, j, r.Number), data) {
		t.Error("with room again, what is taken differs")
	}
	crash(j)
	if _, err := os.Stat(filepath.Join(c.Dir, "reserve")); err != nil {
		t.Errorf("nothing is held back for the next time: %v", err)
	}
}

func TestAHistoryThatHasNoRoomToBeOpenedIsNotTakenForADamagedOne(t *testing.T) {
	disk := tiny(t, 4<<20)
	path, reserve := filepath.Join(disk, "history.db"), filepath.Join(disk, "reserve")
	log := slog.New(slog.DiscardHandler)
	none := func() bool { return false }
	h, err := openHistory(path, log, time.Now, none)
	if err != nil {
		t.Fatal(err)
	}
	r := vaulttest.Record(1, []byte("data"), "pacs")
	r.Number = 1
	if err := h.write(t.Context(), []*envelope{{Record: r}}); err != nil {
		t.Fatal(err)
	}
	h.close()
	if err := os.WriteFile(reserve, make([]byte, 512<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := freeBytes(disk)
	if err == nil {
		err = os.WriteFile(filepath.Join(disk, "others"), make([]byte, free), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	var hint interface{ Hint() string }
	if h, err := openHistory(path, log, time.Now, none); !errors.Is(err, instance.ErrFull) || !errors.As(err, &hint) {
		t.Fatalf("%v, %v", h, err)
	}
	h, err = openHistory(path, log, time.Now, func() bool { return os.Remove(reserve) == nil })
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if e, err := h.get(t.Context(), 1); err != nil || e.Record.SOPInstance != r.SOPInstance || !h.damage.IsZero() {
		t.Errorf("%+v, %v, set aside %v", e, err, h.damage)
	}
}
