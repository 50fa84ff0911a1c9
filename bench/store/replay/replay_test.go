// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"reflect"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/record"
)

const capture = "../../../testdata/captures/theatre.pcapng"

func TestRecordsDecodeAndAreTheSameForASeed(t *testing.T) {
	at := time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)
	a, err := Load(capture, 1, at, 100)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Load(capture, 1, at, 100)
	if err != nil {
		t.Fatal(err)
	}
	recs := a.Next(20_000)
	if !reflect.DeepEqual(recs, b.Next(20_000)) {
		t.Error("two sources of one seed differ")
	}
	uids := map[string]bool{}
	for i := range recs {
		e, err := record.Decode(recs[i].Data)
		if err != nil {
			t.Fatal(err)
		}
		uids[e.UID] = true
		if e.Flow != nil && recs[i].Src.Is4() && e.Flow.Src.IP != recs[i].Src {
			t.Fatalf("record %d is of %v, its event of %v", i, recs[i].Src, e.Flow.Src.IP)
		}
	}
	if len(uids) < 19_000 {
		t.Errorf("only %d event UIDs differ", len(uids))
	}
}
