// SPDX-License-Identifier: Apache-2.0

package octet

import "testing"

func TestLittleEndianFields(t *testing.T) {
	r := New([]byte{1, 2, 1, 2, 3, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	if r.LE16("a") != 0x0201 || r.LE24("b") != 0x030201 || r.LE32("c") != 0x04030201 || r.LE64("d") != 0x0807060504030201 {
		t.Error("wrong values")
	}
	if r.LE16("e") != 0 || r.Err() == nil {
		t.Error("a field that is cut off was read")
	}
}
