// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/asepsis/asepsis/see/detect/rule"
)

func uniquer(t testing.TB, over int) *player {
	return &player{m: matcher(t, rule.Match{Unique: &rule.Unique{On: dnsOn, By: []string{"src.id"}, Of: "dns.query", Window: time.Minute, Over: over}}, deps())}
}

func TestUniqueCountsValuesNotEvents(t *testing.T) {
	p := uniquer(t, 4)
	for i := range 100 {
		p.feed(0, dns(time.Duration(i)*100*time.Millisecond, "a", fmt.Sprint("n", i%3)))
	}
	if len(p.hits) != 0 {
		t.Fatalf("three names are four: %+v", p.hits)
	}
	p.feed(0, dns(11*time.Second, "a", "n3"))
	if len(p.hits) != 1 || p.hits[0].Values["count"] != "4" || p.hits[0].Values["values"] != "n0, n1, n2, n3" || p.hits[0].Count != 101 {
		t.Fatalf("hits %+v", p.hits)
	}
}

func TestUniqueForgetsValuesWithTheWindow(t *testing.T) {
	p := uniquer(t, 4)
	for i := range 60 {
		p.feed(0, dns(time.Duration(i)*21*time.Second, "a", fmt.Sprint("n", i)))
	}
	if len(p.hits) != 0 {
		t.Fatalf("three new names a minute: %+v", p.hits)
	}
}

func TestUniqueSaysItAgainWhenTheValuesDouble(t *testing.T) {
	p := uniquer(t, 10)
	for i := range 200 {
		p.feed(0, dns(time.Duration(i)*10*time.Millisecond, "a", fmt.Sprint("n", i)))
	}
	p.wait(3 * time.Minute)
	if len(p.news()) != 1 || len(p.hits) < 4 || len(p.hits) > 9 || p.sum() != 200 {
		t.Fatalf("%d hits, %d of them news, for %d events", len(p.hits), len(p.news()), p.sum())
	}
}

func TestManyValuesAreEstimatedWithinTheStatedError(t *testing.T) {
	for _, n := range []int{300, 1000, 5000, 50_000} {
		var d Distinct
		secret := [16]byte{9}
		now := at(0)
		for i := range n {
			d.Add(&secret, []byte("value-"+strconv.Itoa(i)), now+int64(i)*int64(30*time.Second)/int64(n), int64(time.Minute))
		}
		got := float64(d.Count(now+int64(30*time.Second), int64(time.Minute)))
		if diff := math.Abs(got-float64(n)) / float64(n); diff > 4*0.065 {
			t.Errorf("%d values are estimated as %.0f", n, got)
		}
		if d.Size() > 8<<10 {
			t.Errorf("%d values take %d bytes", n, d.Size())
		}
	}
}

func TestSipHashGivesThePublishedValues(t *testing.T) {
	var key [16]byte
	for i := range key {
		key[i] = byte(i)
	}
	// SipHash-1-3 of 00, 00 01 ... under the key 00 01 .. 0f, as in the reference's vectors.
	for n, want := range map[int]uint64{0: 0xabac0158050fc4dc, 1: 0xc9f49bf37d57ca93} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i)
		}
		if got := siphash(&key, b); got != want {
			t.Errorf("of %d bytes: %016x, want %016x", n, got, want)
		}
	}
}
