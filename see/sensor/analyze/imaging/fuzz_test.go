// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// FuzzAnalysers feeds bytes, cut and with holes, to the analyser: no panic, no
// more than MaxPending unconsumed, and no more events than the bytes can hold.
func FuzzAnalysers(f *testing.F) {
	k := &talk{t: f}
	k.open(explicitLE, ctImage).store(toServer, 1, 1, ctImage, image("S-1", 300)).answer(toClient, 1, dimse.CStoreRQ, 1, 0).release()
	var seed []byte
	for _, s := range k.segs {
		for len(s.Data) > 0 {
			n := min(len(s.Data), 255)
			seed = append(append(seed, byte(s.Dir), byte(n)), s.Data[:n]...)
			s.Data = s.Data[n:]
		}
	}
	f.Add(seed, false)
	f.Add(append([]byte{2, 200}, seed...), true)
	f.Fuzz(func(t *testing.T, script []byte, mid bool) {
		h := analyzetest.NewHost()
		c := analyzetest.Conn(h, 6, 104)
		c.MidStream = mid
		p := Protocols()[0]
		s := p.NewStream(c)
		var pending [2][]byte
		var skip [2]int64
		total := 0
		for len(script) >= 2 {
			op, n := script[0], int(script[1])
			script = script[2:]
			dir := analyze.Dir(op & 1)
			if op&2 != 0 { // a hole
				g := int64(n)*7 + 1
				k := min(g, skip[dir])
				skip[dir] -= k
				if g -= k; g > 0 {
					pending[dir] = nil
					if s.Gap(c, dir, g) != analyze.More {
						break
					}
				}
				continue
			}
			n = min(n, len(script))
			d := script[:n]
			script = script[n:]
			total += n
			kk := min(skip[dir], int64(len(d)))
			skip[dir] -= kk
			pending[dir] = append(pending[dir], d[kk:]...)
			if len(pending[dir]) == 0 {
				continue
			}
			used, v := s.Data(c, dir, pending[dir])
			if used < 0 {
				t.Fatal("consumed less than nothing")
			}
			if used > int64(len(pending[dir])) {
				skip[dir] = used - int64(len(pending[dir]))
				used = int64(len(pending[dir]))
			}
			pending[dir] = append([]byte(nil), pending[dir][used:]...)
			if len(pending[dir]) > p.MaxPending {
				t.Fatalf("%d bytes are left unconsumed", len(pending[dir]))
			}
			if v != analyze.More {
				break
			}
		}
		s.Close(c, analyze.Finished)
		// The smallest things that are told are an A-ABORT and a C-CANCEL.
		if limit := 16 + total/8; len(h.Events) > limit {
			t.Fatalf("%d events from %d bytes", len(h.Events), total)
		}
		for _, e := range h.Events {
			if d, ok := e.Detail.(*event.DICOMOperation); ok && (len(d.QueryKeys) > MaxKeys || len(d.Suspicious) > maxSuspicious) {
				t.Fatalf("out of bounds: %+v", d)
			}
		}
	})
}
