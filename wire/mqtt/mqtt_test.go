// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func read(in []byte, step int, level uint8) (out []Packet, err error) {
	r := Reader{Level: level}
	var skip int64
	for len(in) > 0 {
		part := in[:min(step, len(in))]
		in = in[len(part):]
		k := min(skip, int64(len(part)))
		part, skip = part[k:], skip-k
		for len(part) > 0 {
			n, p, ok, err := r.Next(part)
			if err != nil {
				return out, err
			}
			if n > int64(len(part)) {
				skip += n - int64(len(part))
				n = int64(len(part))
			}
			part = part[n:]
			if ok {
				out = append(out, p)
				if p.Type == Connect {
					r.Level = p.Level
				}
			}
		}
	}
	return out, nil
}

const session = "\x10\x2c\x00\x04MQTT\x04\xee\x00\x3c\x00\x06pump-7\x00\x06ward/g\x00\x03bye\x00\x05nurse\x00\x04pass" +
	"\x20\x02\x00\x05" + "\x82\x0c\x00\x01\x00\x01#\x01\x00\x03a/b\x02" + "\x90\x04\x00\x01\x01\x80" + "\x33\x09\x00\x03x/y\x00\x07hi" + "\xc0\x00" + "\xe0\x00"

func TestASessionIsReadTheSameInAnyPortions(t *testing.T) {
	for _, step := range []int{1, 2, 9, len(session)} {
		p, err := read([]byte(session), step, 0)
		if err != nil || len(p) != 7 {
			t.Fatalf("in portions of %d: %d packets, %v", step, len(p), err)
		}
		c := p[0]
		if c.ClientID != "pump-7" || c.UserName != "nurse" || !c.HasPassword || c.WillTopic != "ward/g" || c.WillQoS != 1 || !c.WillRetain || !c.Clean || c.KeepAlive != 60 || Version(c.Level) != "3.1.1" {
			t.Errorf("CONNECT %+v", c)
		}
		if p[1].Code != 5 || CodeName(4, 5) != "not authorized" || !reflect.DeepEqual(p[2].Filters, []Filter{{"#", 1}, {"a/b", 2}}) || p[3].Code != 0x80 {
			t.Errorf("%+v", p[1:4])
		}
		if p[4].Topic != "x/y" || p[4].QoS != 1 || !p[4].Retain || p[4].Payload != 2 || p[6].Type != Disconnect {
			t.Errorf("%+v", p[4])
		}
	}
}

func TestALargePayloadIsSkipped(t *testing.T) {
	var r Reader
	head := []byte{0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 'a'} // 256 MiB, the greatest length there is
	n, _, ok, err := r.Next(append(head, make([]byte, MaxKeep)...))
	if err != nil || !ok || n != 5+268435455 {
		t.Errorf("%d %v %v", n, ok, err)
	}
}

func TestOtherBytesAreRefused(t *testing.T) {
	for name, in := range map[string]string{
		"reserved type":       "\x00\x00",
		"flags of a PINGREQ":  "\xc1\x00",
		"QoS 3":               "\x36\x05\x00\x01a\x00\x01",
		"length of five":      "\x30\xff\xff\xff\xff\x01",
		"unknown name":        "\x10\x0c\x00\x04HTTP\x04\x02\x00\x3c\x00\x00",
		"string beyond":       "\x82\x05\x00\x01\x00\xff#",
		"publish to no topic": "\x30\x02\x00\x00",
	} {
		if _, err := read([]byte(in), 3, 4); !errors.Is(err, ErrPacket) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for in, want := range map[string]string{session: "yes", "\x10": "maybe", "\x10\x2d\x00\x04MQ": "maybe", "\x10\x2d\x00\x04HTTP\x04": "no", "\x20\x02": "no", "\x10\xff\xff\xff\xff": "no", "": "maybe"} {
		yes, maybe := Looks([]byte(in))
		got := map[bool]string{true: "yes", false: map[bool]string{true: "maybe", false: "no"}[maybe]}[yes]
		if got != want {
			t.Errorf("%.12q: %s, want %s", in, got, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(session), uint8(2), uint8(4))
	f.Add([]byte("\x30\x08\x00\x01a\x02\x01\x00hi"), uint8(1), uint8(5))
	f.Fuzz(func(t *testing.T, in []byte, step, level uint8) {
		if yes, maybe := LooksWithin(in); yes && maybe {
			t.Error("yes and maybe")
		}
		a, errA := read(in, 1<<20, level)
		b, errB := read(in, int(step)%16+1, level)
		if !reflect.DeepEqual(a, b) || fmt.Sprint(errA) != fmt.Sprint(errB) {
			t.Errorf("%v %v\n%v %v", a, errA, b, errB)
		}
		for _, p := range a {
			if len(p.Filters) > MaxFilters || len(p.Topic) > MaxString || strings.Contains(p.UserName, "\x00") && len(p.UserName) > MaxString {
				t.Errorf("%+v", p)
			}
		}
	})
}
