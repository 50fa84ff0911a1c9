// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/asepsis/asepsis/core/device"
)

func TestTheMemoOfEvidenceChangesNothing(t *testing.T) {
	var with, without []string
	note := func(to *[]string) func(device.Evidence, bool) {
		return func(e device.Evidence, renewed bool) { *to = append(*to, fmt.Sprint(e, renewed)) }
	}
	a, b := newEvidenceCache(1e6, note(&with)), newEvidenceCache(1e6, note(&without))
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range int64(200_000) {
		e := device.Evidence{
			Subject:   device.Subject{IP: netip.AddrFrom4([4]byte{10, 0, byte(rnd.IntN(3)), byte(rnd.IntN(200))}), VLAN: uint16(rnd.IntN(2))},
			Attribute: []device.Attribute{device.AttrUses, device.AttrService}[rnd.IntN(2)], Value: fmt.Sprint("value of some length ", rnd.IntN(8)), Source: "dicom",
			Confidence: []device.Confidence{device.Hint, device.Claimed}[rnd.IntN(2)], First: i * 20, Last: i * 20, Count: 1,
		}
		a.observe(e)
		k := evidenceKey{e.Subject, e.Attribute, e.Value, e.Source}
		b.memo[k.slot()%memoSize] = memoised{}
		b.observe(e)
	}
	a.flush()
	b.flush()
	if !slices.Equal(with, without) {
		t.Errorf("%d emitted with the memo, %d without, or others", len(with), len(without))
	}
}
