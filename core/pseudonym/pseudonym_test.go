// SPDX-License-Identifier: Apache-2.0

package pseudonym_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/pseudonym"
)

func key(t testing.TB, fill byte) pseudonym.Key {
	t.Helper()
	k, err := pseudonym.New(bytes.Repeat([]byte{fill}, pseudonym.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAPseudonymIsTheTruncatedHMACOfKindAndValue(t *testing.T) {
	m := hmac.New(sha256.New, bytes.Repeat([]byte{7}, 32))
	m.Write([]byte("patient-id\x00PID-4711"))
	want := "p:" + hex.EncodeToString(m.Sum(nil)[:16])
	if got := key(t, 7).Of(pseudonym.PatientID, "PID-4711"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPseudonymsJoinWhatBelongsTogetherAndNothingElse(t *testing.T) {
	k := key(t, 1)
	p := k.Of(pseudonym.PatientID, "4711")
	if !regexp.MustCompile(`^p:[0-9a-f]{32}$`).MatchString(p) {
		t.Errorf("form: %q", p)
	}
	for name, same := range map[string]string{
		"the same again": k.Of(pseudonym.PatientID, "4711"), "white space around": k.Of(pseudonym.PatientID, " 4711\r\n"), "the same key made again": key(t, 1).Of(pseudonym.PatientID, "4711"),
	} {
		if same != p {
			t.Errorf("%s differs", name)
		}
	}
	for name, other := range map[string]string{
		"another value": k.Of(pseudonym.PatientID, "4712"), "another kind": k.Of(pseudonym.Accession, "4711"), "another key": key(t, 2).Of(pseudonym.PatientID, "4711"),
		"kind and value shifted": k.Of("patient-id\x004", "711"),
	} {
		if other == p {
			t.Errorf("%s is the same", name)
		}
	}
	if k.Of(pseudonym.PatientName, "") != "" || k.Of(pseudonym.PatientName, " \t") != "" {
		t.Error("nothing has a pseudonym")
	}
	if strings.Contains(p, "4711") {
		t.Error("the value shows")
	}
}

func TestAKeyHasTheRightLength(t *testing.T) {
	for _, n := range []int{0, pseudonym.KeySize - 1, pseudonym.KeySize + 1} {
		if _, err := pseudonym.New(make([]byte, n)); err == nil {
			t.Errorf("%d bytes were accepted", n)
		}
	}
}

func TestAKeyDoesNotFollowItsSource(t *testing.T) {
	secret := bytes.Repeat([]byte{3}, pseudonym.KeySize)
	k, err := pseudonym.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	before := k.Of(pseudonym.Visit, "1")
	clear(secret)
	if k.Of(pseudonym.Visit, "1") != before {
		t.Error("clearing the caller's slice changed the key")
	}
}

func TestAKeyNeverShowsItsSecret(t *testing.T) {
	k := key(t, 'S')
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %s", k, k, k, k), k.String(), k.GoString()} {
		if strings.Contains(s, "SSS") || strings.Contains(s, "83 83") || strings.Contains(s, "0x53") {
			t.Errorf("shown as %s", s)
		}
	}
}

func TestTheZeroKeyPanicsRatherThanPseudonymise(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "BUG:") {
			t.Errorf("recovered %v", r)
		}
	}()
	pseudonym.Key{}.Of(pseudonym.PatientID, "4711")
}

func BenchmarkOf(b *testing.B) {
	k := key(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		k.Of(pseudonym.PatientID, "PID-4711")
	}
}
