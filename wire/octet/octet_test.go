// SPDX-License-Identifier: Apache-2.0

package octet

import (
	"errors"
	"testing"
)

func TestReaderRemembersTheFirstFailure(t *testing.T) {
	r := At([]byte{1, 2, 3, 4, 5}, 10)
	if r.U8("a") != 1 || r.U16("b") != 0x0203 {
		t.Fatal("wrong values")
	}
	if v := r.U32("length"); v != 0 {
		t.Errorf("a field that is cut off gave %d", v)
	}
	if v := r.U8("next"); v != 0 || r.Len() != 0 {
		t.Error("reading went on after a failure")
	}
	var e *Error
	if !errors.As(r.Err(), &e) || e.Offset != 13 || e.What != "length cut off" {
		t.Errorf("got %v", r.Err())
	}
	if a := r.IPv6("x"); a.IsValid() {
		t.Error("an address that is not there is valid")
	}
}

func TestBytesRefusesNegativeLengths(t *testing.T) {
	r := New([]byte{1})
	if r.Bytes(-1, "x") != nil || r.Err() == nil {
		t.Error("accepted")
	}
}
