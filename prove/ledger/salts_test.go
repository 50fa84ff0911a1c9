// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/asepsis/asepsis/core/custody"
)

func mustSalts(t *testing.T, file string) *Salts {
	t.Helper()
	s, err := OpenSalts(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSaltsAreKeptAndErased(t *testing.T) {
	file := filepath.Join(t.TempDir(), "salts")
	s := mustSalts(t, file)
	first := map[string]custody.Commitment{}
	for i := range 60 {
		holder := fmt.Sprint("case ", i)
		c, err := s.Commit(holder, "patient", "PID 1")
		if err != nil {
			t.Fatal(err)
		}
		first[holder] = c
	}
	salt, err := s.Salt("case 7", "patient")
	if err != nil || !first["case 7"].Opens(salt, "PID 1") {
		t.Errorf("it does not open: %v", err)
	}
	if _, err := OpenSalts(file); !errors.Is(err, ErrLocked) {
		t.Errorf("a second process: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	s = mustSalts(t, file)
	distinct := map[custody.Commitment]bool{}
	for holder, want := range first {
		if got, err := s.Lookup(holder, "patient", "PID 1"); err != nil || got != want {
			t.Fatalf("%s: %s, %v, want %s", holder, got, err, want)
		}
		distinct[want] = true
	}
	if len(distinct) != len(first) {
		t.Error("the same value under different holders is the same commitment")
	}
	if _, err := s.Lookup("case 9999", "patient", "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	secret, err := s.secret("case 7", false)
	if err != nil {
		t.Fatal(err)
	}
	if done, err := s.Erase("case 7"); !done || err != nil {
		t.Fatalf("%v, %v", done, err)
	}
	if b, err := os.ReadFile(file); err != nil || bytes.Contains(b, secret) || bytes.Contains(b, []byte("case")) {
		t.Errorf("the secret, or a name, is still in the file (%v)", err)
	}
	check := func(s *Salts) {
		t.Helper()
		if _, err := s.Commit("case 7", "patient", "PID 1"); !errors.Is(err, ErrErased) {
			t.Errorf("after erasing: %v", err)
		}
		if done, err := s.Erase("case 7"); done || err != nil {
			t.Errorf("erased again: %v, %v", done, err)
		}
		if got, err := s.Lookup("case 8", "patient", "PID 1"); err != nil || got != first["case 8"] {
			t.Errorf("its neighbour: %s, %v", got, err)
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(mustSalts(t, file))
}

func TestAFileOfSaltsThatWasCutGoesOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "salts")
	s := mustSalts(t, file)
	want, err := s.Commit("a", "f", "v")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit("b", "f", "v"); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if err := os.Truncate(file, saltHeader+saltSlot+10); err != nil { // in the middle of b's slot
		t.Fatal(err)
	}
	s = mustSalts(t, file)
	if got, err := s.Lookup("a", "f", "v"); err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := s.Lookup("b", "f", "v"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := s.Commit("b", "f", "v"); err != nil {
		t.Error(err)
	}
	_ = s.Close()
	if err := os.WriteFile(file, bytes.Repeat([]byte("x"), 200), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSalts(file); err == nil {
		t.Error("what is no file of salts is opened")
	}
}
