// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// kexinit makes a KEXINIT packet of ten name-lists.
func kexinit(lists ...string) string {
	p := "\x14" + strings.Repeat("\x00", 16)
	for _, l := range lists {
		p += string([]byte{0, 0, byte(len(l) >> 8), byte(len(l))}) + l
	}
	p += "\x00\x00\x00\x00\x00"
	pad := 8 - (len(p)+5)%8 + 4
	n := 1 + len(p) + pad
	return string([]byte{0, 0, byte(n >> 8), byte(n), byte(pad)}) + p + strings.Repeat("\x00", pad)
}

var client = kexinit("curve25519-sha256,diffie-hellman-group14-sha1,ext-info-c", "ssh-ed25519,ssh-rsa", "aes128-ctr,aes128-cbc", "aes128-ctr", "hmac-sha2-256", "hmac-sha1", "none", "none,zlib", "", "")
var server = kexinit("ecdh-sha2-nistp256,diffie-hellman-group14-sha1", "ssh-rsa", "aes128-cbc,aes128-ctr", "aes128-gcm@openssh.com,aes128-ctr", "hmac-sha2-256", "hmac-sha1", "none", "none", "", "")

func feed(t testing.TB, in string, step int) (*Reader, error) {
	r := new(Reader)
	for len(in) > 0 {
		k := min(step, len(in))
		if err := r.Feed([]byte(in[:k])); err != nil {
			return r, err
		}
		in = in[k:]
	}
	return r, nil
}

func TestNegotiationFollowsTheClientsOrder(t *testing.T) {
	for _, step := range []int{1, 7, 1 << 20} {
		c, err := feed(t, "SSH-2.0-OpenSSH_9.2p1 Debian\r\n"+client, step)
		s, err2 := feed(t, "welcome\r\nSSH-2.0-dropbear_2022.83\r\n"+server, step)
		if err != nil || err2 != nil || !c.Done() || !s.Done() {
			t.Fatal(err, err2)
		}
		want := Agreed{Kex: "diffie-hellman-group14-sha1", HostKey: "ssh-rsa", CipherCS: "aes128-ctr", CipherSC: "aes128-ctr", MACCS: "hmac-sha2-256", MACSC: "hmac-sha1"}
		if got := Negotiate(c.Init, s.Init); got != want {
			t.Errorf("in portions of %d: %+v", step, got)
		}
		if s.Banner != "SSH-2.0-dropbear_2022.83" || !slices.Equal(s.Before, []string{"welcome"}) || !c.Init.FromClient() || s.Init.FromServer() {
			t.Errorf("%+v", s)
		}
	}
	if w := Weak([]string{"aes128-ctr", "3des-cbc", "aes256-cbc", "ssh-rsa", "rsa-sha2-256", "hmac-md5"}); !slices.Equal(w, []string{"3des-cbc", "aes256-cbc", "ssh-rsa", "hmac-md5"}) {
		t.Errorf("weak: %v", w)
	}
}

func TestHASSHTakesEachSidesOwnDirection(t *testing.T) {
	c, _ := feed(t, "SSH-2.0-a\r\n"+client, 1<<20)
	if got, want := c.Init.HASSH(), hassh("curve25519-sha256,diffie-hellman-group14-sha1,ext-info-c", "aes128-ctr,aes128-cbc", "hmac-sha2-256", "none"); got != want {
		t.Errorf("client %s, want %s", got, want)
	}
	if got, want := c.Init.HASSHServer(), hassh("curve25519-sha256,diffie-hellman-group14-sha1,ext-info-c", "aes128-ctr", "hmac-sha1", "none,zlib"); got != want {
		t.Errorf("server %s, want %s", got, want)
	}
	if got := hassh("a", "b", "c", "d"); got != "845425be4f77f4097e014a6591497010" { // MD5 of "a;b;c;d"
		t.Errorf("%s", got)
	}
}

func TestMalformedStreamsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		in  string
		err error
	}{
		"banner without end":     {"SSH-2.0-" + strings.Repeat("a", MaxBanner), ErrBanner},
		"packet too long":        {"SSH-2.0-a\r\n\x00\x01\x00\x00\x04", ErrPacket},
		"padding beyond packet":  {"SSH-2.0-a\r\n\x00\x00\x00\x08\x09", ErrPacket},
		"list beyond packet":     {"SSH-2.0-a\r\n\x00\x00\x00\x20\x04\x14" + strings.Repeat("\xff", 40), ErrPacket},
		"not a transport number": {"SSH-2.0-a\r\n\x00\x00\x00\x08\x04\x5a\x00\x00\x00\x00\x00\x00", ErrPacket},
	} {
		if _, err := feed(t, tc.in, 5); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("SSH-2.0-x\r\n"+client), uint8(3))
	f.Add([]byte("hello\nSSH-1.99-x\n"+server), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		a, errA := feed(t, string(in), 1<<20)
		b, errB := feed(t, string(in), int(step)%16+1)
		if fmt.Sprint(errA) != fmt.Sprint(errB) || a.Banner != b.Banner || !reflect.DeepEqual(a.Init, b.Init) {
			t.Errorf("%v %v\n%+v\n%+v", errA, errB, a, b)
		}
		if len(b.buf) > MaxPacket+4 || len(b.Before) > 8 {
			t.Error("bounds exceeded")
		}
		if a.Init != nil {
			Negotiate(a.Init, a.Init)
			Weak(a.Init.Kex)
		}
	})
}
