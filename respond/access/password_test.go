// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
)

func TestPasswordsThatAreRefused(t *testing.T) {
	for name, tt := range map[string]struct{ password, want string }{
		"eleven characters":               {"abz91kw0s,x", "at least 12"},
		"eleven characters of two bytes":  {"äöüßéèêñçøå", "at least 12"},
		"257 characters":                  {strings.Repeat("correct horse ", 19)[:257], "at most 256"},
		"bytes that are no text":          {"abcdefghijk\xff\xfe", "must be text"},
		"one character":                   {strings.Repeat("a", 20), "repeats"},
		"a few characters":                {"ababcababcabab", "repeats"},
		"a piece again and again":         {"gecko1gecko1gecko1", "repeats"},
		"a piece again, decorated":        {"geckogeckogecko!1", "repeats"},
		"digits in a row":                 {"123456789012", "row"},
		"letters in a row, backwards":     {"zyxwvutsrqpon", "row"},
		"keys in a row":                   {"QWERTZUIOPAS", "row"},
		"the well-known phrase":           {"CorrectHorseBatteryStaple", "tried first"},
		"a common one with decoration":    {"P@ssw0rdP@ssw0rd!2026", "tried first"},
		"a common one with digits":        {"letmeinplease1984", "tried first"},
		"the product's name":              {"Asepsis-2026!!", "little more"},
		"the account's name":              {"grace.hopper-99", "little more"},
		"the account's name and a letter": {"grace.hopperX12", "little more"},
	} {
		t.Run(name, func(t *testing.T) {
			got := checkPassword("password", tt.password, "grace.hopper", "Grace Hopper")
			if len(got) != 1 || !strings.Contains(got[0].Message, tt.want) || got[0].Field != "password" {
				t.Errorf("got %+v, want %q", got, tt.want)
			}
			if len(got) > 0 && strings.Contains(fmt.Sprint(got), tt.password) {
				t.Error("the answer repeats the password")
			}
		})
	}
	for _, good := range []string{"violet anchor tumbles", "äöüßéèêñçøåœ", "Tr0ub4dor&3 on Mars", "grace likes kettles", strings.Repeat("correct horse ", 19)[:256], "日本語のパスワードはこれだよ"} {
		if got := checkPassword("password", good, "grace.hopper", "Grace Hopper"); got != nil {
			t.Errorf("%q: %+v", good, got)
		}
	}
}

func TestPasswordHashes(t *testing.T) {
	ctx := context.Background()
	h := newHasher(argon{memory: 64, time: 1, lanes: 1}, 2)
	stored, err := h.hash(ctx, "pässword of ada")
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.hash(ctx, "pässword of ada")
	if err != nil || again == stored {
		t.Error("no salt")
	}
	for password, want := range map[string]bool{"pässword of ada": true, "pa\u0308ssword of ada": true, "pässword of adA": false, "": false} {
		if ok, stale, err := h.verify(ctx, password, stored); ok != want || stale || err != nil {
			t.Errorf("%q: %v, stale %v, %v", password, ok, stale, err)
		}
	}
	if ok, _, err := h.verify(ctx, "", ""); ok || err != nil {
		t.Errorf("nobody's password: %v, %v", ok, err)
	}
	if ok, stale, err := newHasher(argon{memory: 128, time: 1, lanes: 1}, 1).verify(ctx, "pässword of ada", stored); !ok || !stale || err != nil {
		t.Errorf("other parameters: %v, stale %v, %v", ok, stale, err)
	}
	for _, bad := range []string{
		"$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ", "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OTAxMjM0NQ", "$argon2id$v=16$m=64,t=1,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OTAxMjM0NQ",
		"$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OTAxMjM0NQ", "$argon2id$v=19$m=64,t=0,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OTAxMjM0NQ", "$argon2id$v=19$m=64,t=1,p=0$c2FsdHNhbHQ$MDEyMzQ1Njc4OTAxMjM0NQ",
		"$argon2id$v=19$m=64,t=1,p=1 $c2FsdHNhbHQ$MDEyMzQ1Njc4OTAxMjM0NQ", "$argon2id$v=19$m=64,t=1,p=1$$MDEyMzQ1Njc4OTAxMjM0NQ", "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$", "plain text",
	} {
		if ok, _, err := h.verify(ctx, "x", bad); ok || err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestHashesAsTheReferenceImplementationMakesThem compares with the argon2
// program of Debian.
func TestHashesAsTheReferenceImplementationMakesThem(t *testing.T) {
	path, err := exec.LookPath("argon2")
	if err != nil {
		t.Skip("argon2 (Debian package argon2) is not installed")
	}
	cmd := exec.Command(path, "saltsaltsaltsalt", "-id", "-t", "2", "-k", "19456", "-p", "1", "-l", "32", "-e")
	cmd.Stdin = strings.NewReader("violet anchor tumbles")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	h := newHasher(argon{memory: 19456, time: 2, lanes: 1}, 1)
	if ok, stale, err := h.verify(context.Background(), "violet anchor tumbles", strings.TrimSpace(string(out))); !ok || stale || err != nil {
		t.Errorf("%s: %v, stale %v, %v", out, ok, stale, err)
	}
}

func TestHashesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(argon{memory: 64, time: 1, lanes: 1}, 1)
		release, err := h.acquire(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		got := make(chan error)
		for range 15 {
			go func() {
				_, err := h.acquire(ctx)
				got <- err
			}()
		}
		synctest.Wait()
		if _, err := h.acquire(ctx); !errors.Is(err, errBusyHashing) {
			t.Errorf("the queue has no end: %v", err)
		}
		cancel()
		for range 15 {
			if err := <-got; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		release()
		if release, err = h.acquire(context.Background()); err != nil {
			t.Error(err)
		}
		release()
	})
}

func BenchmarkPassword(b *testing.B) {
	c := Default()
	h := newHasher(argon{memory: uint32(c.HashMemory >> 10), time: uint32(c.HashTime), lanes: 1}, 1)
	for b.Loop() {
		if _, _, err := h.verify(context.Background(), "violet anchor tumbles", ""); err != nil {
			b.Fatal(err)
		}
	}
}
