// SPDX-License-Identifier: Apache-2.0

package postgres

import "testing"

func TestAServerIsKnownByWhatItSays(t *testing.T) {
	const (
		sasl  = "R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"
		md5   = "R\x00\x00\x00\x0c\x00\x00\x00\x05salt"
		ok    = "R\x00\x00\x00\x08\x00\x00\x00\x00"
		done  = "C\x00\x00\x00\x0dSELECT 1\x00"
		row   = "D\x00\x00\x00\x0b\x00\x01\x00\x00\x00\x011"
		ready = "Z\x00\x00\x00\x05I"
		fail  = "E\x00\x00\x00\x1dSFATAL\x00VFATAL\x00C28P01\x00Mno\x00\x00"
	)
	for _, tt := range []struct {
		name, in   string
		yes, maybe bool
	}{
		{"it asks for SCRAM", sasl, true, false},
		{"it asks for MD5, alone", md5, false, true},
		{"and lets in", md5 + ok, true, false},
		{"it names its version", "S\x00\x00\x00\x17server_version\x00151\x00", true, false},
		{"a result and that it is ready", row + done + ready, true, false},
		{"a row alone", row, false, true},
		{"rows alone", row + row + row, false, true},
		{"ready alone", ready, false, true},
		{"ready in no state", "Z\x00\x00\x00\x05x", false, false},
		{"an error with its code", fail, true, false},
		{"a command tag that is none", "C\x00\x00\x00\x0dSELECTED\x00", false, false},
		{"authentication of no kind", "R\x00\x00\x00\x08\x00\x00\x00\x63", false, false},
		{"what a client asks", "Q\x00\x00\x00\x0dselect 1\x00", false, false},
		{"text", "Server ready\r\n", false, false},
		{"nothing", "", false, true},
	} {
		if yes, maybe := LooksServer([]byte(tt.in)); yes != tt.yes || maybe != tt.maybe {
			t.Errorf("%s: %t, %t", tt.name, yes, maybe)
		}
	}
}
