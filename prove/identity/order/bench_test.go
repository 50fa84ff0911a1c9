// SPDX-License-Identifier: Apache-2.0

package order_test

import (
	"testing"

	"github.com/asepsis/asepsis/prove/identity/order"
)

// BenchmarkOrder is the way of a reading that is signed: the order, its verification, the answer
// and the verification of that. A deed also costs a flush of the disk.
func BenchmarkOrder(b *testing.B) {
	h := newHospital(b)
	console, own := h.service(order.Console, nil), h.service(gateway, nil)
	asks, answers := h.signer(console), h.signer(own)
	want := order.Answer{From: gateway, Site: site}
	b.ReportAllocs()
	for b.Loop() {
		s, err := asks.Order(asked(), release)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := h.v.Verify(s, "Decide", release, false); err != nil {
			b.Fatal(err)
		}
		a, err := answers.Answer(want, s, "Decide", release, release)
		if err != nil {
			b.Fatal(err)
		}
		if err := order.VerifyAnswer(h.trust, a, want, s, "Decide", release, release, gateway); err != nil {
			b.Fatal(err)
		}
	}
}
