// SPDX-License-Identifier: Apache-2.0

package shamir

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
)

func TestAnyThresholdOfSharesGivesTheSecretBack(t *testing.T) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	for _, c := range []struct{ k, n int }{{2, 2}, {2, 3}, {3, 5}, {5, 8}, {32, 32}} {
		shares, err := Split(secret, c.k, c.n)
		if err != nil {
			t.Fatal(err)
		}
		subsets := 0
		for mask := range 1 << min(c.n, 8) {
			var some []string
			for i := range min(c.n, 8) {
				if mask>>i&1 == 1 {
					some = append(some, shares[i])
				}
			}
			some = append(some, shares[min(c.n, 8):]...)
			got, err := Combine(some)
			if len(some) >= c.k {
				subsets++
				if err != nil || !bytes.Equal(got, secret) {
					t.Fatalf("%d of %d with %d shares: %v", c.k, c.n, len(some), err)
				}
			} else if err == nil {
				t.Fatalf("%d of %d: %d shares were enough", c.k, c.n, len(some))
			}
		}
		if subsets == 0 {
			t.Errorf("%d of %d: nothing was combined", c.k, c.n)
		}
	}
}

// TestTooFewSharesFitEverySecret is what "say nothing" means: for each value
// that the secret could have there is a last share which gives it.
func TestTooFewSharesFitEverySecret(t *testing.T) {
	shares, err := Split([]byte{0x42}, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	first, err := parse(shares[0])
	if err != nil {
		t.Fatal(err)
	}
	found := map[byte]bool{}
	for y := range 256 {
		body := strings.Join([]string{"asepsis", "share", "1", first.set, "2of2", "2", letters.EncodeToString([]byte{byte(y)})}, "-")
		s, err := Combine([]string{shares[0], body + "-" + check(body)})
		if err != nil {
			t.Fatal(err)
		}
		found[s[0]] = true
	}
	if len(found) != 256 {
		t.Errorf("one share of two leaves %d secrets, want 256", len(found))
	}
}

func TestTheFieldIsAField(t *testing.T) {
	if mul(0x57, 0x83) != 0xc1 { // FIPS 197 §4.2
		t.Errorf("{57}·{83} = %#x, want {c1}", mul(0x57, 0x83))
	}
	for a := 1; a < 256; a++ {
		if mul(byte(a), inverse(byte(a))) != 1 {
			t.Fatalf("%#x has no inverse", a)
		}
	}
}

func TestBadSharesAreRefusedWithAReason(t *testing.T) {
	shares, _ := Split([]byte("0123456789abcdef"), 2, 3)
	other, _ := Split([]byte("0123456789abcdef"), 2, 3)
	typo := strings.Replace(shares[1], "of3-2-", "of3-3-", 1)
	for _, c := range []struct {
		name, want string
		shares     []string
	}{
		{"none", "no shares", nil},
		{"the same twice", "1 different shares, want 2", []string{shares[0], shares[0]}},
		{"of two splits", "another split", []string{shares[0], other[1]}},
		{"with a typing error", "typing error", []string{shares[0], typo}},
		{"that are something else", "not a share", []string{shares[0], "hello"}},
	} {
		if _, err := Combine(c.shares); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("shares %s: %v", c.name, err)
		}
	}
	if got, err := Combine([]string{strings.ToUpper(shares[0]), " " + shares[2] + "\n"}); err != nil || string(got) != "0123456789abcdef" {
		t.Errorf("case and white space count: %v", err)
	}
	for _, c := range []struct{ k, n, size int }{{1, 3, 8}, {3, 2, 8}, {2, 33, 8}, {2, 3, 0}, {2, 3, 65}} {
		if _, err := Split(make([]byte, c.size), c.k, c.n); err == nil {
			t.Errorf("split %d of %d with %d bytes was made", c.k, c.n, c.size)
		}
	}
}
