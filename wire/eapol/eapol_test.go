// SPDX-License-Identifier: Apache-2.0

package eapol

import (
	"encoding/hex"
	"testing"
)

func TestFrames(t *testing.T) {
	for _, tc := range []struct{ name, in, typ, code, method, identity string }{
		{"a supplicant starts", "01010000", "start", "", "", ""},
		{"the authenticator asks who is there", "020000050111000501", "eap", "request", "identity", ""},
		{"the supplicant says who it is", "0100000b0211000b0170756d702d37", "eap", "response", "identity", "pump-7"},
		{"a supplicant prefers another method", "0100000602120006030d", "eap", "response", "nak", ""},
		{"PEAP starts", "02000006013300061921", "eap", "request", "peap", ""},
		{"success has no method", "0200000403330004", "eap", "success", "", ""},
		{"padding is not part of the frame", "02000004033300040000000000", "eap", "success", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, _ := hex.DecodeString(tc.in)
			f, err := Parse(b)
			if err != nil || f.TypeName() != tc.typ {
				t.Fatalf("%+v %v", f, err)
			}
			if tc.code != "" && CodeName(f.EAP.Code) != tc.code || tc.method != "" && MethodName(f.EAP.Method) != tc.method || string(f.EAP.Identity) != tc.identity {
				t.Errorf("%+v", f.EAP)
			}
		})
	}
	if f, err := Parse([]byte{1, 0, 0, 9, 2, 1, 0, 9, 1}); err == nil {
		t.Errorf("a body that is cut off was accepted: %+v", f)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"01010000", "0100000b0211000b0170756d702d37", "0203005f02010000", "0305001001"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, err := Parse(b)
		if err == nil && len(fr.Body) > len(b)-4 || len(fr.EAP.Wanted) > 8 || len(fr.EAP.Identity) > len(b) {
			t.Fatal("more than there is")
		}
	})
}
