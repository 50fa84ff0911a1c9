// SPDX-License-Identifier: Apache-2.0

package tlsmeta

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// published is the example that the authors of JA4 give.
func published() *ClientHello {
	return &ClientHello{
		Version:  TLS12,
		Versions: []uint16{0x2a2a, TLS13, TLS12},
		Ciphers:  []uint16{0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035},
		Extensions: []uint16{0x8a8a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b,
			0xff01, 0x000b, 0x000a, 0x0015},
		SigAlgs: []uint16{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601},
		ALPN:    []string{"h2", "http/1.1"}, HasSNI: true, HasALPN: true, SNI: "example.com",
	}
}

func TestJA4GivesThePublishedFingerprint(t *testing.T) {
	h := published()
	if got := h.JA4(OverTCP); got != "t13d1516h2_8daaf6152771_e5627efa2ab1" {
		t.Errorf("JA4 %s", got)
	}
	if got := h.JA4Raw(OverTCP); got != "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_0403,0804,0401,0503,0805,0501,0806,0601" {
		t.Errorf("JA4_r %s", got)
	}
	h.SigAlgs = nil
	if got := h.JA4(OverQUIC); got != "q13d1516h2_8daaf6152771_6d807ffa2a79" {
		t.Errorf("without signature algorithms %s", got)
	}
}

func TestJA4EdgesOfThePublishedSpecification(t *testing.T) {
	for alpn, want := range map[string]string{
		"": "00", "h2": "h2", "http/1.1": "h1", "h": "hh",
		"\xab": "ab", "\xab\xcd": "ad", "0\xab": "3b", "01\xab\xcd": "3d", "0\xab\xcd1": "01",
	} {
		h := &ClientHello{ALPN: []string{alpn}}
		if got := h.ja4ALPN(); got != want {
			t.Errorf("ALPN %q: %s, want %s", alpn, got, want)
		}
	}
	for v, want := range map[uint16]string{TLS13: "13", TLS12: "12", TLS11: "11", TLS10: "10", SSL30: "s3", SSL20: "s2", DTLS10: "d1", DTLS12: "d2", DTLS13: "d3", 0x0305: "00"} {
		h := &ClientHello{Version: v}
		if got := h.JA4(OverTCP)[1:3]; got != want {
			t.Errorf("version %04x: %s", v, got)
		}
	}
	empty := &ClientHello{Version: TLS12}
	if got := empty.JA4(OverDTLS); got != "d12i000000_000000000000_000000000000" {
		t.Errorf("nothing offered: %s", got)
	}
	many := &ClientHello{Version: TLS12, Ciphers: make([]uint16, 150), Extensions: make([]uint16, 120)}
	if got := many.JA4(OverTCP); !strings.HasPrefix(got, "t12i999900_") {
		t.Errorf("more than 99: %s", got)
	}
}

func TestNamesAgreeWithGo(t *testing.T) {
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if got := CipherName(s.ID); got != s.Name {
			t.Errorf("0x%04x: %s, Go says %s", s.ID, got, s.Name)
		}
	}
	if !slices.IsSortedFunc(suites, func(a, b suite) int { return int(a.id) - int(b.id) }) {
		t.Error("suites are not in order")
	}
	if CipherName(0xfefe) != "0xfefe" || VersionName(0x7f1c) != "TLSv1.3-draft28" {
		t.Error("unknown numbers")
	}
}

// handshake runs Go's client against Go's server and returns what went over,
// alternating: client, server, client ...
func handshake(t testing.TB, client, server *tls.Config) (flights [][]byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	rec := make(chan []byte, 64)
	srv := tls.Server(&tap{Conn: b, rec: rec, mark: 1}, server)
	cli := tls.Client(&tap{Conn: a, rec: rec, mark: 0}, client)
	done := make(chan error, 1)
	go func() {
		err := srv.Handshake()
		if err == nil {
			buf := make([]byte, 5)
			_, err = srv.Read(buf)
		}
		b.Close()
		done <- err
	}()
	if err := cli.Handshake(); err == nil {
		cli.Write([]byte("hello"))
	}
	a.Close()
	<-done
	close(rec)
	for r := range rec {
		flights = append(flights, r)
	}
	return flights
}

// tap notes what is written; the first byte tells by whom.
type tap struct {
	net.Conn
	rec  chan []byte
	mark byte
}

func (c *tap) Write(b []byte) (int, error) {
	c.rec <- append([]byte{c.mark}, b...)
	return c.Conn.Write(b)
}

func feed(t testing.TB, flights [][]byte, step int) *Session {
	t.Helper()
	s := new(Session)
	var skip [2]int64
	for _, f := range flights {
		dir := int(f[0])
		for b := f[1:]; len(b) > 0 && !s.Done(); {
			part := b[:min(step, len(b))]
			b = b[len(part):]
			if k := min(skip[dir], int64(len(part))); k > 0 {
				part, skip[dir] = part[k:], skip[dir]-k
			}
			if len(part) == 0 {
				continue
			}
			n, err := s.Feed(dir, part)
			if err != nil {
				t.Fatal(err)
			}
			if n > int64(len(part)) {
				skip[dir] += n - int64(len(part))
			} else if n < int64(len(part)) && !s.Done() {
				t.Fatalf("%d of %d bytes consumed", n, len(part))
			}
		}
	}
	return s
}

func TestHandshakesOfGoAreReadInAnyPortions(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		server := &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version, Certificates: []tls.Certificate{certificate(t)}, NextProtos: []string{"dicom"}, ClientAuth: tls.RequestClientCert}
		client := &tls.Config{MinVersion: tls.VersionTLS10, InsecureSkipVerify: true, ServerName: "pacs.example", NextProtos: []string{"dicom"}}
		flights := handshake(t, client, server)
		whole := feed(t, flights, 1<<20)
		if whole.Version() != version || !whole.Complete || whole.Client.SNI != "pacs.example" || whole.ALPN() != "dicom" || whole.CertAsked != (version < tls.VersionTLS13) {
			t.Errorf("%s: %s, complete %v, %+v", VersionName(version), VersionName(whole.Version()), whole.Complete, whole.Client)
		}
		if n := len(whole.Chains[1]); (n == 1) != (version < tls.VersionTLS13) {
			t.Errorf("%s: %d certificates", VersionName(version), n)
		}
		for _, step := range []int{1, 3, 50} {
			if s := feed(t, flights, step); !reflect.DeepEqual(s.Account, whole.Account) {
				t.Errorf("%s in portions of %d differs:\n%+v\n%+v", VersionName(version), step, s.Account, whole.Account)
			}
		}
	}
}

// RFC 8446 §5.1: a message may be cut into records of any length.
func TestAHelloInRecordsOfOneByte(t *testing.T) {
	flights := handshake(t, &tls.Config{InsecureSkipVerify: true, ServerName: "a.example"}, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	rec := flights[0][1:]
	var b []byte
	for _, c := range rec[5:] {
		b = append(b, TypeHandshake, 3, 1, 0, 1, c)
	}
	s := new(Session)
	if _, err := s.Feed(0, b); err != nil || s.Client == nil || s.Client.SNI != "a.example" {
		t.Errorf("%v, %+v", err, s.Client)
	}
}

func TestMessagesAtTheLimitAndOnePast(t *testing.T) {
	for _, n := range []int{MaxMessage, MaxMessage + 1} {
		b := append([]byte{MsgCertificate, byte(n >> 16), byte(n >> 8), byte(n)}, make([]byte, n)...)
		b = append(b, ServerHelloDone, 0, 0, 0)
		var m Messages
		var got []Message
		for len(b) > 0 {
			k, msg, ok := m.Next(b[:min(1000, len(b))])
			b = b[k:]
			if ok {
				got = append(got, msg)
			}
		}
		if len(got) != 2 || got[0].TooLarge != (n > MaxMessage) || got[1].Type != ServerHelloDone {
			t.Errorf("%d bytes: %d messages, too large %v", n, len(got), got[0].TooLarge)
		}
		if cap(m.buf) > 2*MaxMessage {
			t.Errorf("%d bytes kept", cap(m.buf))
		}
	}
}

func TestChainsAtTheLimitAndOnePast(t *testing.T) {
	for _, n := range []int{MaxChain, MaxChain + 1} {
		list := bytes.Repeat([]byte{0, 0, 2, 0x30, 0}, n)
		body := append([]byte{0, byte(len(list) >> 8), byte(len(list))}, list...)
		certs, cut := Chain(body)
		if len(certs) != MaxChain || cut != (n > MaxChain) {
			t.Errorf("%d certificates: %d kept, cut %v", n, len(certs), cut)
		}
	}
}

func TestADeclaredLengthIsNotAllocated(t *testing.T) {
	s := new(Session)
	s.Feed(0, []byte{TypeHandshake, 3, 1, 0x40, 0, MsgClientHello, 0, 0xff, 0xff})
	if c := cap(s.dirs[0].msgs.buf); c > 1024 {
		t.Errorf("%d bytes allocated for a length alone", c)
	}
	var d DTLSSession
	d.Packet(0, []byte{TypeHandshake, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13, MsgCertificate, 0, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 1, 'x'})
	if c := cap(d.parts[0][0].frags.buf); c > 64 {
		t.Errorf("%d bytes allocated for a fragment of one", c)
	}
}

func TestSSL2HelloIsRead(t *testing.T) {
	hello := append([]byte{0x80, 9 + 6 + 16, 1, 3, 0, 0, 6, 0, 0, 0, 16, 0, 0, 0x35, 7, 0, 0xc0}, make([]byte, 16)...)
	if LooksLikeTLS(hello) != Handshake || LooksLikeTLS(hello[:8]) != NeedMore {
		t.Error("not recognised")
	}
	for _, step := range []int{1, 4, len(hello)} {
		s := new(Session)
		for b := hello; len(b) > 0; {
			k := min(step, len(b))
			if _, err := s.Feed(0, b[:k]); err != nil {
				t.Fatal(err)
			}
			b = b[k:]
		}
		if s.Client == nil || !s.Client.SSL2 || s.Client.Version != SSL30 || !slices.Equal(s.Client.Ciphers, []uint16{0x35}) {
			t.Errorf("in portions of %d: %+v", step, s.Client)
		}
	}
	hello[1]++
	if SSL2Length(hello) != 0 {
		t.Error("lengths that do not add up accepted")
	}
}

func TestOtherBytesAreNotTLS(t *testing.T) {
	for name, b := range map[string][]byte{
		"HTTP":             []byte("GET / HTTP/1.1\r\n"),
		"DICOM":            {1, 0, 0, 0, 0, 0xcd, 0, 1, 0, 0},
		"record too long":  {22, 3, 1, 0xff, 0xff, 1, 0, 0, 50, 3, 3},
		"record of no use": {22, 3, 9, 0, 50, 1, 0, 0, 50, 3, 3},
		"hello too short":  {22, 3, 1, 0, 10, 1, 0, 0, 6, 3, 3, 0},
		"zeros":            make([]byte, 40),
	} {
		if got := LooksLikeTLS(b); got == Handshake || got == Protected {
			t.Errorf("%s: %d", name, got)
		}
		if name != "hello too short" {
			if _, err := new(Session).Feed(0, b); !errors.Is(err, ErrNotTLS) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if LooksLikeTLS(append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...)) != Protected {
		t.Error("application data in mid-stream not recognised")
	}
}

// A segment may end anywhere: whatever the message, what is there is all that
// is looked at.
func TestABeginningCutAnywhereIsNoMoreThanAsked(t *testing.T) {
	for typ := range 256 {
		for msg := range 256 {
			b := [12]byte{byte(typ), 3, 1, 0, 50, byte(msg), 0, 0, 46, 3, 3, 0}
			for n := range b {
				if got := LooksLikeTLS(b[:n:n]); n < 5 && (got == Handshake || got == Protected) {
					t.Errorf("%d bytes of %x are taken for %d", n, b, got)
				}
			}
		}
	}
}

func TestHiddenAlertOfTLS13(t *testing.T) {
	flights := handshake(t, &tls.Config{ServerName: "pacs.example"}, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	s := feed(t, flights, 1<<20)
	if !s.HiddenAlert && s.Alert == "" || s.Complete {
		t.Errorf("a client that distrusts the server: %+v", s.Account)
	}
}

func TestMalformedCertificatesAreReportedNotDropped(t *testing.T) {
	der := certificate(t).Certificate[0]
	good := ParseCertificate(der)
	if good.Err != nil || good.CommonName != "pacs.example" || good.SHA256 == "" || good.KeyType != "ECDSA P-256" || !good.SelfSigned {
		t.Fatalf("%+v", good)
	}
	// A version number that does not exist: crypto/x509 refuses it.
	bad := bytes.Replace(der, []byte{0xa0, 3, 2, 1, 2}, []byte{0xa0, 3, 2, 1, 9}, 1)
	if c := ParseCertificate(bad); c.Err == nil || c.CommonName != "pacs.example" || !c.NotAfter.Equal(good.NotAfter) || c.SHA256 == good.SHA256 || !c.SelfSigned {
		t.Errorf("%+v", c)
	}
	if c := ParseCertificate(der[:20]); c.Err == nil || c.SHA256 == "" {
		t.Errorf("%+v", c)
	}
}

func TestFragmentsJoinInAnyOrder(t *testing.T) {
	text := []byte("the quick brown fox jumps over the lazy dog")
	f := Fragments{Limit: len(text)}
	for _, p := range [][2]int{{30, 43}, {10, 20}, {18, 31}, {0, 5}, {3, 12}} {
		f.Add(uint64(p[0]), text[p[0]:p[1]])
	}
	if !bytes.Equal(f.Bytes(), text) || f.held != 0 || len(f.waiting) != 0 {
		t.Errorf("%q, %d held", f.Bytes(), f.held)
	}
	g := Fragments{Limit: 10}
	g.Add(1<<62, text)
	for i := range 100 {
		g.Add(uint64(2+i%8), []byte{1})
	}
	g.Add(0, text)
	if len(g.Bytes()) != 10 || len(g.waiting) > maxWaiting {
		t.Errorf("limit exceeded: %d, %d", len(g.Bytes()), len(g.waiting))
	}
}

func FuzzSession(f *testing.F) {
	f.Add([]byte{0x80, 0x1f, 1, 3, 0, 0, 6, 0, 0, 0, 16, 0, 0, 0x35, 7, 0, 0xc0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, []byte{21, 3, 1, 0, 2, 2, 40}, uint8(1))
	f.Fuzz(func(t *testing.T, c, s []byte, step uint8) {
		run := func(step int) Account {
			var x Session
			for dir, b := range [][]byte{c, s} {
				for len(b) > 0 && !x.Done() {
					n, err := x.Feed(dir, b[:min(step, len(b))])
					if err != nil {
						break
					}
					b = b[min(max(n, int64(min(step, len(b)))), int64(len(b))):]
				}
			}
			for dir := range x.dirs {
				if cap(x.dirs[dir].msgs.buf) > 2*MaxMessage || len(x.Chains[dir]) > MaxChain {
					t.Error("bounds exceeded")
				}
			}
			return x.Account
		}
		a, b := run(1<<20), run(int(step)%32+1)
		if !reflect.DeepEqual(a, b) {
			t.Errorf("in portions:\n%+v\nat once:\n%+v", b, a)
		}
		if a.Client != nil {
			if j := a.Client.JA4(OverTCP); len(j) != 36 {
				t.Errorf("JA4 %q", j)
			}
		}
	})
}

func FuzzDTLS(f *testing.F) {
	f.Add([]byte{TypeHandshake, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13, MsgClientHello, 0, 0, 50, 0, 1, 0, 0, 0, 0, 0, 1, 'x'}, []byte{0x2f, 1, 2})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var s DTLSSession
		for range 4 {
			s.Packet(0, a)
			s.Packet(1, b)
		}
		for d := range s.parts {
			for i := range s.parts[d] {
				if p := &s.parts[d][i]; len(p.frags.buf)+p.frags.held > 4*(len(a)+len(b)) {
					t.Errorf("%d bytes kept of %d", len(p.frags.buf)+p.frags.held, len(a)+len(b))
				}
			}
		}
		LooksLikeDTLS(a)
	})
}

func FuzzCertificate(f *testing.F) {
	f.Fuzz(func(t *testing.T, der []byte) {
		c := ParseCertificate(der)
		if len(c.SHA256) != 64 || len(c.DNSNames) > MaxNames {
			t.Errorf("%+v", c)
		}
	})
}
