// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"fmt"
	"testing"
	"time"
)

func TestWhoFailsTooOftenWaitsAndOthersDoNot(t *testing.T) {
	now := time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	l := New(func() time.Time { return now }, 10*time.Second, 3, time.Second, 10)
	for n := range 3 {
		if _, ok := l.Allowed("mallory"); !ok {
			t.Fatalf("after %d failures", n)
		}
		l.Failed("mallory")
	}
	if wait, ok := l.Allowed("mallory"); ok || wait < 9*time.Second || wait > 10*time.Second {
		t.Errorf("allowed %v, wait %s", ok, wait)
	}
	if _, ok := l.Allowed("anna"); !ok {
		t.Error("another one has to wait")
	}
	now = now.Add(10 * time.Second)
	if _, ok := l.Allowed("mallory"); !ok {
		t.Error("ten seconds were not enough")
	}
}

func TestAllTogetherAreLimitedToo(t *testing.T) {
	now := time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	l := New(func() time.Time { return now }, 10*time.Second, 3, time.Second, 10)
	for n := range 10 {
		l.Failed(fmt.Sprint("bot-", n))
	}
	if _, ok := l.Allowed("bot-11"); ok {
		t.Error("an eleventh address may go on")
	}
	for n := range maxWatched + 1 {
		l.Failed(fmt.Sprint("more-", n))
	}
	if len(l.one) > maxWatched {
		t.Errorf("%d addresses are remembered", len(l.one))
	}
}
