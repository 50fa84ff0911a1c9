// SPDX-License-Identifier: Apache-2.0

package est

import (
	"bytes"
	"testing"
)

func FuzzReadCerts(f *testing.F) {
	f.Add([]byte("MIIB"))
	f.Add(encode([]byte{0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > MaxRequest {
			return
		}
		if certs, err := readCerts(b); err == nil && (len(certs) == 0 || len(certs) > maxCerts) {
			t.Errorf("%d certificates", len(certs))
		}
	})
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	for _, n := range []int{1, 47, 48, 49, 1000} {
		b := bytes.Repeat([]byte{0xa5}, n)
		if got, err := decode(encode(b)); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
