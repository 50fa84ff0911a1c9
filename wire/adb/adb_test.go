// SPDX-License-Identifier: Apache-2.0

package adb

import (
	"encoding/binary"
	"testing"
)

func message(command, arg0, arg1 uint32, data string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, command)
	for _, v := range []uint32{arg0, arg1, uint32(len(data)), 0, ^command} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return append(b, data...)
}

func TestHeadersAreExact(t *testing.T) {
	b := message(CNXN, 0x01000001, 4096, "host::")
	h, err := ParseHeader(b)
	if err != nil || h.Name() != "CNXN" || h.Length != 6 || Version(h) != "01000001" {
		t.Fatal(h, err)
	}
	b[20]++
	if _, err := ParseHeader(b); err == nil {
		t.Error("a wrong magic is accepted")
	}
	big := message(WRTE, 1, 2, "")
	binary.LittleEndian.PutUint32(big[12:], MaxPayload)
	if _, err := ParseHeader(big); err != nil {
		t.Errorf("the longest payload: %v", err)
	}
	binary.LittleEndian.PutUint32(big[12:], MaxPayload+1)
	if _, err := ParseHeader(big); err == nil {
		t.Error("one octet more is accepted")
	}
}

func TestADeviceIdentifiesItself(t *testing.T) {
	id := ParseIdentity([]byte("device::ro.product.name=eureka;ro.product.model=Quest 3;ro.product.device=eureka;features=cmd,shell_v2\x00"))
	if id.Type != "device" || id.Model != "Quest 3" || id.Product != "eureka" || len(id.Features) != 2 {
		t.Errorf("%+v", id)
	}
	if k, a := Service([]byte("shell,v2,TERM=xterm:id\x00")); k != "shell" || a != "id" {
		t.Error(k, a)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(message(CNXN, 0x01000001, 4096, "device::ro.product.model=Quest 3;features=cmd"))
	f.Add(message(OPEN, 1, 0, "shell:id\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b)
		if yes, _ := Looks(b); yes != (err == nil) {
			t.Fatal("Looks and ParseHeader differ")
		}
		if err != nil {
			return
		}
		if h.Length > MaxPayload {
			t.Fatal("payload beyond the limit")
		}
		id := ParseIdentity(b[HeaderSize:])
		if len(id.Features) > maxFeatures || len(id.Model) > 128 {
			t.Fatal("identity beyond its bounds")
		}
		Service(b[HeaderSize:])
	})
}
