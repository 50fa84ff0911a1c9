// SPDX-License-Identifier: Apache-2.0

package http1

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// read drives a parser over b in portions and writes down what it found.
func read(p *Parser, b []byte, step int) (string, error) {
	var out strings.Builder
	var skip int64
	for len(b) > 0 {
		part := b[:min(step, len(b))]
		b = b[len(part):]
		k := min(skip, int64(len(part)))
		part, skip = part[k:], skip-k
		for {
			n, ev, err := p.Next(part)
			if err != nil {
				return out.String(), err
			}
			if n > int64(len(part)) {
				skip += n - int64(len(part))
				n = int64(len(part))
			}
			part = part[n:]
			h := p.Head()
			switch ev {
			case GotHead:
				fmt.Fprintf(&out, "[%s %s %d %s %d fields %d]", h.Method, h.Target, h.Status, h.Version, len(h.Fields), h.Anomalies)
			case GotMessage:
				fmt.Fprintf(&out, "(%d %d %.20q)", p.Length(), len(p.Body()), p.Body())
			case GotTunnel:
				return out.String() + "tunnel", nil
			}
			if ev == None {
				break
			}
		}
	}
	if p.Close() == GotMessage {
		fmt.Fprintf(&out, "(%d at close)", p.Length())
	}
	return out.String(), nil
}

func TestMessagesAreReadTheSameInAnyPortions(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string
		response       bool
		method         string
	}{
		{"two requests", "GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST /x HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", "[GET / 0 1.1 1 fields 0](0 0 \"\")[POST /x 0 1.0 1 fields 0](2 2 \"ab\")", false, ""},
		{"an empty line before a request", "\r\nGET / HTTP/1.1\r\n\r\n", "[GET / 0 1.1 0 fields 0](0 0 \"\")", false, ""},
		{"a folded field", "GET / HTTP/1.1\r\nA: b\r\n  c\r\n\r\n", fmt.Sprintf("[GET / 0 1.1 1 fields %d](0 0 \"\")", Folded), false, ""},
		{"bare line feeds", "GET / HTTP/1.1\nA: b\n\n", fmt.Sprintf("[GET / 0 1.1 1 fields %d](0 0 \"\")", BareLF), false, ""},
		{"a target with spaces", "GET /a b c HTTP/1.1\r\n\r\n", "[GET /a b c 0 1.1 0 fields 0](0 0 \"\")", false, ""},
		{"chunks with extension and trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n", "[  200 1.1 1 fields 0](5 5 \"abcde\")", true, "GET"},
		{"until close", "HTTP/1.0 200 OK\r\n\r\nabc", "[  200 1.0 0 fields 0](3 at close)", true, "GET"},
		{"an answer to HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "[  200 1.1 1 fields 0](0 0 \"\")", true, "HEAD"},
		{"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 No\r\n\r\n", "[  304 1.1 1 fields 0](0 0 \"\")[  204 1.1 0 fields 0](0 0 \"\")", true, "GET"},
		{"continue, then the answer", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "[  100 1.1 0 fields 0](0 0 \"\")[  200 1.1 1 fields 0](1 1 \"x\")", true, "POST"},
		{"an answer without reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "[  200 1.1 1 fields 0](0 0 \"\")", true, "GET"},
		{"a tunnel", "HTTP/1.1 200 OK\r\n\r\nrest", "[  200 1.1 0 fields 0]tunnel", true, "CONNECT"},
		{"an upgrade", "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x81\x00", "[  101 1.1 1 fields 0]tunnel", true, "GET"},
	} {
		for _, step := range []int{1, 2, 5, 1 << 20} {
			p := &Parser{Response: tc.response, RequestMethod: func() string { return tc.method }}
			if got, err := read(p, []byte(tc.in), step); got != tc.want || err != nil {
				t.Errorf("%s, in portions of %d: %s %v\nwant %s", tc.name, step, got, err, tc.want)
			}
		}
	}
}

func TestLimitsAreHeldOnePastTheEdge(t *testing.T) {
	for _, n := range []int{MaxFields, MaxFields + 1} {
		p := &Parser{}
		read(p, []byte("GET / HTTP/1.1\r\n"+strings.Repeat("a: b\r\n", n)+"\r\n"), 1000)
		var q Parser
		in := []byte("GET / HTTP/1.1\r\n" + strings.Repeat("a: b\r\n", n) + "\r\n")
		q.Next(in)
		if h := q.Head(); len(h.Fields) != MaxFields || (h.Anomalies&TruncatedHead != 0) != (n > MaxFields) {
			t.Errorf("%d fields: %d kept, anomalies %v", n, len(h.Fields), h.Anomalies.Names())
		}
	}
	for _, n := range []int{MaxLine, MaxLine + 1} {
		var p Parser
		in := []byte("GET / HTTP/1.1\r\n")
		in = append(in, "a:"...)
		in = append(in, bytes.Repeat([]byte{'x'}, n-3)...) // with the CR, n bytes before LF
		in = append(in, "\r\n\r\n"...)
		for i := 0; i < len(in); i += 999 {
			p.Next(in[i:min(len(in), i+999)])
		}
		if h := p.Head(); len(h.Fields) != 1 || len(h.Fields[0].Value) > MaxLine || (h.Anomalies&TruncatedHead != 0) != (n > MaxLine) {
			t.Errorf("line of %d: %v", n, h.Anomalies.Names())
		}
	}
	for _, n := range []int{KeepBody, KeepBody + 1} {
		var p Parser
		in := append([]byte(fmt.Sprintf("PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n", n)), make([]byte, n)...)
		if got, err := read(&p, in, 1<<20); err != nil || !strings.Contains(got, fmt.Sprintf("(%d %d ", n, KeepBody)) {
			t.Errorf("body of %d: %s %v", n, got, err)
		}
	}
	var p Parser
	if _, err := read(&p, []byte("GET / HTTP/1.1\r\n"+strings.Repeat("a: b\r\n", 16*MaxHead/6+10)), 1<<20); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a head without end: %v", err)
	}
}

func TestABodyOfManyTinyChunksIsNoHead(t *testing.T) {
	var p Parser
	in := "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 300_000) + "0\r\n\r\n"
	if got, err := read(&p, []byte(in), 1460); err != nil || !strings.Contains(got, "(300000 65536") {
		t.Errorf("%.80s %v", got, err)
	}
}

func TestReadingGoesOnAfterAHole(t *testing.T) {
	p := &Parser{}
	read(p, []byte("GET / HTTP/1.1\r\nHost"), 1<<20)
	if p.Lost(100) {
		t.Error("a hole in the head survived")
	}
	if got, err := read(p, []byte("junk: x\r\n\r\nGET /b HTTP/1.1\r\n\r\n"), 3); got != "[GET /b 0 1.1 0 fields 0](0 0 \"\")" || err != nil {
		t.Errorf("%s %v", got, err)
	}
}

func TestLooks(t *testing.T) {
	for in, want := range map[string]Answer{
		"": NeedMore, "GET": NeedMore, "GET / HT": NeedMore, "GET / HTTP/1.1\r\n": Request, "OPTIONS * HTTP/1.0\n": Request, "HTTP/1.1 200 OK": Response, "HTTP/1.": NeedMore,
		"HTTP/2 200": NotHTTP, "get / HTTP/1.1\r\n": NotHTTP, "GET / HTTP/9.1\r\n": NotHTTP, "GET /\r\n": NotHTTP, "\x16\x03\x01": NotHTTP, "AB / HTTP/1.1\r\n": NotHTTP,
		"SUBSCRIBE /ev HTTP/1.1\r\n": Request, "GET /" + strings.Repeat("a", 3000): Request, "GET \x00\x01": NotHTTP, "\r\nGET / HTTP/1.1\r\n": Request, "HTTPS": NeedMore,
	} {
		if got := Looks([]byte(in), "HTTP"); got != want {
			t.Errorf("%.30q: %d, want %d", in, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Looks([]byte("GET /index.html HTTP/1.1\r\n"), "HTTP") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRequest(b *testing.B) {
	in := []byte("GET /index.html HTTP/1.1\r\nHost: pacs.example\r\nUser-Agent: Viewer/1\r\nAccept: */*\r\n\r\n")
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	var p Parser
	for b.Loop() {
		data := in
		for {
			n, ev, err := p.Next(data)
			if err != nil {
				b.Fatal(err)
			}
			data = data[n:]
			if ev == None {
				break
			}
		}
	}
}

func FuzzParser(f *testing.F) {
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nabcde\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"), false, uint8(3))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.0 200 OK\r\n\r\nuntil close"), true, uint8(1))
	f.Add([]byte("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n$\x00\x00\x03abcPLAY rtsp://a RTSP/1.0\r\n\r\n"), true, uint8(200))
	f.Fuzz(func(t *testing.T, in []byte, response bool, step uint8) {
		mk := func() *Parser {
			if step >= 128 {
				return &Parser{Protocol: "RTSP", Either: true, Interleaved: true}
			}
			return &Parser{Response: response, RequestMethod: func() string { return "GET" }}
		}
		a, errA := read(mk(), in, 1<<20)
		p := mk()
		b, errB := read(p, in, int(step)%32+1)
		if a != b || (errA == nil) != (errB == nil) {
			t.Errorf("in portions %s %v\nat once %s %v", b, errB, a, errA)
		}
		if len(p.body) > KeepBody || len(p.head.Fields) > MaxFields || len(p.line) > MaxLine {
			t.Error("bounds exceeded")
		}
	})
}
