// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
)

// outcome reads a Store Instances Response as "stored:n failed:reason,... other:reason,...".
func outcome(t *testing.T, rsp answered, answer string) string {
	t.Helper()
	v, err := parseStored(rsp.Header.Get("Content-Type"), []byte(answer))
	if err != nil {
		t.Fatalf("%d: %v: %s", rsp.StatusCode, err, answer)
	}
	var failed []string
	for n := range 20 {
		if r, ok := v.failed[uid(n)]; ok {
			failed = append(failed, fmt.Sprintf("%04X", r))
		}
	}
	return fmt.Sprintf("%d stored:%d failed:%s other:%04X", rsp.StatusCode, len(v.stored), strings.Join(failed, ","), v.other)
}

func TestCurlStoresOverMutualTLS(t *testing.T) {
	gatewaytest.Need(t, "curl")
	g := open(t, nil)
	ca, cert, key := g.files()
	dir := t.TempDir()
	args := []string{"-sS", "--cacert", ca, "--cert", cert, "--key", key, "-w", "\n%{http_code}", "-H", `Content-Type: multipart/related; type="application/dicom"`, "-H", "Accept: application/dicom+json"}
	for n := range 3 {
		path := filepath.Join(dir, fmt.Sprint(n, ".dcm"))
		if err := os.WriteFile(path, file(uid(n), ct(uid(n), 500_000)), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-F", fmt.Sprintf("f%d=@%s;type=application/dicom", n, path))
	}
	out, err := gatewaytest.Run(t, "curl", append(args, g.url+"/studies")...)
	if err != nil || !strings.HasSuffix(out, "\n200") || strings.Count(out, `"00081150"`) != 3 {
		t.Fatalf("%v: %s", err, out)
	}
	for n := range 3 {
		if got := g.shelf.data(uid(n)); !bytes.Equal(got, ct(uid(n), 500_000)) {
			t.Errorf("instance %d arrived as %s", n, sum(got))
		}
	}
	a := g.shelf.arrivals[0]
	if a.Sender.Device != "ct-or-3" || a.Sender.TLS != "TLSv1.3" || a.Sender.Way != instance.STOW || a.Sender.Address != "127.0.0.1" || len(a.Sender.Certificate) != 64 || a.Sender.CallingAE != "CT_OR3" ||
		a.TransferSyntax != dicom.ExplicitVRLittleEndian || a.SOPClass != ctStorage || a.Preamble == nil || a.Sender.Theatre != "OR 3" {
		t.Errorf("the arrival is %+v", a)
	}
	if n := g.last(1); n.Instances != 3 || n.Status != 200 || n.Service != "stow" || n.Problem != "" || n.Sender.Association != a.Sender.Association {
		t.Errorf("noted: %+v", n)
	}
	if l := g.Associations(); len(l) != 1 || l[0].Device != "ct-or-3" || l[0].Instances != 3 || l[0].Way != "dicomweb" {
		t.Errorf("associations: %+v", l)
	}
	// Without a certificate there is no connection, and with another's no right.
	if out, err := gatewaytest.Run(t, "curl", "-sS", "--cacert", ca, g.url+"/studies"); err == nil {
		t.Errorf("without a certificate: %s", out)
	}
}

func TestWhatEachPartBecomesIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		path    string
		files   [][]byte
		answers map[string]uint16
		errs    map[string]error
		want    string
	}{
		"everything is stored":                     {"/studies", [][]byte{file(uid(1), ct(uid(1), 10)), file(uid(2), ct(uid(2), 10))}, nil, nil, "200 stored:2 failed: other:0000"},
		"to the study that it is of":               {"/studies/" + study1, [][]byte{file(uid(1), ct(uid(1), 10))}, nil, nil, "200 stored:1 failed: other:0000"},
		"a warning":                                {"/studies", [][]byte{file(uid(1), ct(uid(1), 10))}, map[string]uint16{uid(1): 0xB000}, nil, "202 stored:1 failed: other:0000"},
		"one of two is refused":                    {"/studies", [][]byte{file(uid(1), ct(uid(1), 10)), file(uid(2), ct(uid(2), 10))}, map[string]uint16{uid(2): 0xC123}, nil, "202 stored:1 failed:C123 other:0000"},
		"all are refused":                          {"/studies", [][]byte{file(uid(1), ct(uid(1), 10))}, map[string]uint16{uid(1): 0xA900}, nil, "409 stored:0 failed:A900 other:0000"},
		"the disk is full":                         {"/studies", [][]byte{file(uid(1), ct(uid(1), 10))}, nil, map[string]error{uid(1): instance.ErrFull}, "503 stored:0 failed:A700 other:0000"},
		"the gateway fails":                        {"/studies", [][]byte{file(uid(1), ct(uid(1), 10))}, nil, map[string]error{uid(1): errTest}, "409 stored:0 failed:0110 other:0000"},
		"to another study":                         {"/studies/1.2.3", [][]byte{file(uid(1), ct(uid(1), 10))}, nil, nil, "409 stored:0 failed:A900 other:0000"},
		"a data set without a study, to a study":   {"/studies/1.2.3", [][]byte{file(uid(1), nil)}, nil, nil, "409 stored:0 failed:A900 other:0000"},
		"no DICOM file, and one":                   {"/studies", [][]byte{[]byte("<html>"), file(uid(1), ct(uid(1), 10))}, nil, nil, "202 stored:1 failed: other:C000"},
		"a file whose meta information is cut off": {"/studies", [][]byte{file(uid(1), nil)[:200]}, nil, nil, "409 stored:0 failed: other:C000"},
		"a class that is no storage class":         {"/studies", [][]byte{bytes.Replace(file(uid(1), nil), []byte(ctStorage), []byte("1.2.840.10008.5.1.4.1.9.9"), 1)}, nil, nil, "409 stored:0 failed:0122 other:0000"},
	} {
		t.Run(name, func(t *testing.T) {
			g := open(t, nil)
			g.shelf.answers, g.shelf.errs = c.answers, c.errs
			for _, media := range []string{jsonType, xmlType} {
				rsp, answer := g.do("POST", c.path, http.Header{"Content-Type": {stowType}, "Accept": {media}}, bytes.NewReader(body(c.files...)))
				if got := outcome(t, rsp, answer); got != c.want || rsp.Header.Get("Content-Type") != media {
					t.Errorf("%s: %s, want %s\n%s", media, got, c.want, answer)
				}
				if c.want[:3] == "503" && rsp.Header.Get("Retry-After") == "" {
					t.Error("it does not say when to try again")
				}
			}
		})
	}
}

func TestRequestsThatAreRefusedAsAWhole(t *testing.T) {
	one := body(file(uid(1), ct(uid(1), 10)))
	bomb := func() []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.CopyN(z, zeros{}, 64<<20)
		_ = z.Close()
		return b.Bytes()
	}()
	g := open(t, func(c *Config, _ *Deps) {
		c.Store = Store{MaxInstance: 2000, MaxRequest: 6000, MaxInstances: 3}
	})
	for name, c := range map[string]struct {
		method, path, media string
		header              http.Header
		body                []byte
		status              int
		code                string
	}{
		"a gzip bomb":                     {"POST", "/studies", stowType, http.Header{"Content-Encoding": {"gzip"}}, bomb, 415, "content-encoding"},
		"deflate":                         {"POST", "/studies", stowType, http.Header{"Content-Encoding": {"deflate"}}, one, 415, "content-encoding"},
		"two codings":                     {"POST", "/studies", stowType, http.Header{"Content-Encoding": {"identity, br"}}, one, 415, "content-encoding"},
		"metadata in JSON":                {"POST", "/studies", `multipart/related; type="application/dicom+json"; boundary=b`, nil, one, 415, "metadata"},
		"metadata in XML":                 {"POST", "/studies", `multipart/related; type="application/dicom+xml"; boundary=b`, nil, one, 415, "metadata"},
		"a form":                          {"POST", "/studies", `multipart/form-data; boundary=b`, nil, one, 415, "media-type"},
		"an instance alone":               {"POST", "/studies", dicomType, nil, file(uid(1), nil), 415, "media-type"},
		"no type":                         {"POST", "/studies", `multipart/related; boundary=b`, nil, one, 415, "media-type"},
		"a type twice":                    {"POST", "/studies", `multipart/related; type="application/dicom"; type="text/html"; boundary=b`, nil, one, 415, "media-type"},
		"no media type":                   {"POST", "/studies", "", nil, one, 415, "media-type"},
		"no boundary":                     {"POST", "/studies", `multipart/related; type="application/dicom"`, nil, one, 400, "multipart"},
		"another boundary":                {"POST", "/studies", `multipart/related; type="application/dicom"; boundary=c`, nil, one, 400, "truncated"},
		"a body without an end":           {"POST", "/studies", stowType, nil, one[:len(one)-8], 400, "truncated"},
		"a body without parts":            {"POST", "/studies", stowType, nil, []byte("--b--"), 400, "empty"},
		"a body of nothing":               {"POST", "/studies", stowType, nil, nil, 400, "truncated"},
		"an answer that cannot be":        {"POST", "/studies", stowType, http.Header{"Accept": {"text/html"}}, one, 406, "accept"},
		"a request that is too large":     {"POST", "/studies", stowType, nil, bytes.Repeat([]byte("x"), 7000), 413, "size"},
		"a header without end":            {"POST", "/studies", stowType, nil, []byte("--b\r\nX: " + strings.Repeat("x", 5500)), 400, "multipart"},
		"PUT":                             {"PUT", "/studies", stowType, nil, one, 405, "method"},
		"DELETE of a study":               {"DELETE", "/studies/1.2.3", "", nil, nil, 405, "method"},
		"POST to a series":                {"POST", "/studies/1.2.3/series/1.2", stowType, nil, one, 405, "method"},
		"a path that is none":             {"POST", "/workitems", stowType, nil, one, 404, "path"},
		"a study that is no UID":          {"POST", "/studies/1.2.3;x", stowType, nil, one, 404, "path"},
		"a path that climbs":              {"GET", "/studies/1.2.3/../../admin", "", nil, nil, 404, "path"},
		"a path that climbs, encoded":     {"GET", "/studies/%2e%2e/admin", "", nil, nil, 404, "path"},
		"a UID with an encoded slash":     {"GET", "/studies/1.2%2f3", "", nil, nil, 404, "path"},
		"a UID with an encoded zero byte": {"GET", "/studies/1.2%003", "", nil, nil, 404, "path"},
		"an encoded digit":                {"GET", "/studies/1.2.%33", "", nil, nil, 404, "path"},
		"an empty segment":                {"GET", "/studies//1.2.3", "", nil, nil, 404, "path"},
		"a closing slash":                 {"GET", "/studies/", "", nil, nil, 404, "path"},
		"no archive to ask":               {"GET", "/studies", "", nil, nil, 404, "no-upstream"},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			for k, v := range c.header {
				h[k] = v
			}
			if c.media != "" {
				h.Set("Content-Type", c.media)
			}
			rsp, answer := g.do(c.method, c.path, h, bytes.NewReader(c.body))
			var p Problem
			if err := json.Unmarshal([]byte(answer), &p); err != nil || rsp.StatusCode != c.status || p.Code != c.code || p.Status != c.status || rsp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s, want %d %s: %v", rsp.StatusCode, answer, c.status, c.code, err)
			}
		})
	}
	if n := g.shelf.count(); n != 0 {
		t.Errorf("%d instances were stored", n)
	}
}

// zeros is a source of them.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestWhatWasStoredBeforeABodyBrokeIsSaid(t *testing.T) {
	g := open(t, func(c *Config, _ *Deps) { c.Store = Store{MaxInstance: 2000, MaxRequest: 8000, MaxInstances: 3} })
	good, large := file(uid(1), ct(uid(1), 10)), file(uid(2), ct(uid(2), 2048))
	whole := body(good, file(uid(3), ct(uid(3), 10)))
	for name, c := range map[string]struct {
		body []byte
		want string
		code string
	}{
		"cut off":                      {whole[:len(whole)-20], "202 stored:1 failed:C000 other:0000", "truncated"},
		"a part that is too large":     {body(good, large, file(uid(3), ct(uid(3), 10))), "202 stored:2 failed:A700 other:0000", "refused"},
		"one part too many":            {body(good, good, good, good), "202 stored:1 failed: other:0000", "parts"},
		"more than a request may have": {body(good, bytes.Repeat([]byte("x"), 300), bytes.Repeat([]byte("x"), 9000)), "202 stored:1 failed: other:A700", "size"},
	} {
		t.Run(name, func(t *testing.T) {
			g.mu.Lock()
			before := len(g.notes)
			g.mu.Unlock()
			// Its length is not told, so that the bound is met on the way.
			rsp, answer := g.do("POST", "/studies", http.Header{"Content-Type": {stowType}}, io.MultiReader(bytes.NewReader(c.body)))
			if got := outcome(t, rsp, answer); got != c.want {
				t.Errorf("%s, want %s\n%s", got, c.want, answer)
			}
			if n := g.last(before + 1); n.Problem != c.code {
				t.Errorf("noted as %q: %s", n.Problem, n.What)
			}
		})
	}
}

func TestBindingsDecide(t *testing.T) {
	g := open(t, nil)
	ask := func() string {
		rsp, answer := g.do("POST", "/studies", http.Header{"Content-Type": {stowType}, "X-Ssl-Client-Dn": {"CN=somebody-else"}}, bytes.NewReader(body(file(uid(1), ct(uid(1), 10)))))
		var p Problem
		_ = json.Unmarshal([]byte(answer), &p)
		return fmt.Sprint(rsp.StatusCode, " ", p.Code)
	}
	g.bind("ct-or-3", "qido")
	if got := ask(); got != "403 operation" {
		t.Errorf("a device that may only ask: %s", got)
	}
	delete(g.desk.list, "ct-or-3")
	if got := ask(); got != "403 no-binding" {
		t.Errorf("a device without a binding: %s", got)
	}
	if g.shelf.count() != 0 {
		t.Error("something was stored")
	}
	g.bind("ct-or-3", "stow")
	if got := ask(); got != "200 " {
		t.Errorf("a device that may: %s", got)
	}
	if _, err := g.site.Revoke(t.Context(), identity.Revocation{Serials: []string{g.serial}, Reason: identity.KeyCompromise}); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Until(t, "the revoked device to be kept out", func() bool {
		r, err := http.NewRequestWithContext(t.Context(), "GET", g.url+"/studies", nil)
		if err != nil {
			t.Fatal(err)
		}
		rsp, err := g.client().Do(r)
		if err == nil {
			_ = rsp.Body.Close()
		}
		return err != nil
	})
}

// TestTheEndLetsWhatHasBegunFinish ends the server while a request is under way: once it goes on in time, once
// it does not.
func TestTheEndLetsWhatHasBegunFinish(t *testing.T) {
	for name, c := range map[string]struct {
		drain    time.Duration
		finishes bool
	}{"in time": {gatewaytest.Patience, true}, "not in time": {50 * time.Millisecond, false}} {
		t.Run(name, func(t *testing.T) {
			shelf, desk := newShelf(), &desk{list: map[string]control.Binding{"ct-or-3": {Device: "ct-or-3", Operations: []string{"stow"}}}}
			told := make(chan control.Association, 10)
			s, err := New(Default(), Deps{Ingest: shelf, Bindings: desk, Ended: func(a control.Association) { told <- a }})
			if err != nil {
				t.Fatal(err)
			}
			s.peerOf = func(context.Context) (trust.Peer, bool) { return trust.Peer{Device: "ct-or-3"}, true }
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.serve(ctx, ln, s, nil, c.drain) }()
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			whole := body(file(uid(1), ct(uid(1), 1000)))
			if _, err := fmt.Fprintf(conn, "POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", stowType, len(whole), whole[:500]); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Until(t, "the request to begin", func() bool { return len(s.Associations()) == 1 })
			cancel()
			gatewaytest.Until(t, "the listener to close", func() bool {
				c, err := net.Dial("tcp", ln.Addr().String())
				if err == nil {
					_ = c.Close()
				}
				return err != nil
			})
			if c.finishes {
				if _, err := conn.Write(whole[500:]); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if (shelf.count() == 1) != c.finishes {
				t.Errorf("%d instances are stored", shelf.count())
			}
			if a := <-told; a.Ended.IsZero() || a.Device != "ct-or-3" {
				t.Errorf("told: %+v", a)
			}
			if l := s.Associations(); len(l) != 1 || l[0].Ended.IsZero() {
				t.Errorf("associations: %+v", l)
			}
		})
	}
}

// raw opens a connection on which anything can be written.
func (g *gate) raw() *tls.Conn {
	g.t.Helper()
	c, err := tls.Dial("tcp", g.address, g.tls(g.pair))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(gatewaytest.Patience)); err != nil {
		g.t.Fatal(err)
	}
	return c
}

func TestBodiesThatLieOrStop(t *testing.T) {
	g := open(t, func(c *Config, _ *Deps) { c.Stall = 300 * time.Millisecond })
	whole := body(file(uid(1), ct(uid(1), 1000)))
	head := func(more string) string {
		return "POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + stowType + "\r\n" + more + "\r\n"
	}
	for name, c := range map[string]struct {
		send  string
		close bool
		want  string // of the status line; "" when there is nobody to tell
	}{
		"a Content-Length that is too long, then silence": {head("Content-Length: 99999999\r\n") + string(whole), false, "HTTP/1.1 202"},
		"a Content-Length that is too long, then the end": {head("Content-Length: 99999999\r\n") + string(whole[:900]), true, ""},
		"a Content-Length that is too short":              {head("Content-Length: 700\r\n") + string(whole), false, "HTTP/1.1 400"},
		"a Content-Length beyond all bounds":              {head("Content-Length: 9223372036854775807\r\n"), false, "HTTP/1.1 413"},
		"a Content-Length that is no number":              {head("Content-Length: 9223372036854775808\r\n"), false, "HTTP/1.1 400"},
		"two lengths":                                     {head("Content-Length: 5\r\nContent-Length: 6\r\n") + "hello", false, "HTTP/1.1 400"},
		"a body that stops":                               {head("Content-Length: 2000\r\n") + string(whole[:900]), false, "HTTP/1.1 408"},
		"a refused body that stops":                       {strings.Replace(head("Content-Length: 2000\r\n"), "multipart/related", "text/html", 1), false, "HTTP/1.1 415"},
		"a header that stops":                             {"POST /dicom-web/studies HTTP/1.1\r\nHost: lo", false, ""},
		"chunks of a length that is none":                 {head("Transfer-Encoding: chunked\r\n") + "zz\r\n", false, "HTTP/1.1 400"},
		"a chunk of 16 EB":                                {head("Transfer-Encoding: chunked\r\n") + "ffffffffffffffff\r\n" + string(whole[:500]), false, "HTTP/1.1 4"},
		"a header of 64 KB":                               {head("X: " + strings.Repeat("x", 64<<10) + "\r\n"), false, "HTTP/1.1 431"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := g.raw()
			if _, err := io.WriteString(conn, c.send); err != nil {
				t.Fatal(err)
			}
			if c.close {
				if err := conn.CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			answer, _ := io.ReadAll(conn) // the server closes
			if !strings.HasPrefix(string(answer), c.want) {
				t.Errorf("the answer is %.200q, want %s", answer, c.want)
			}
		})
	}
	gatewaytest.Until(t, "the connections to end", func() bool { return g.Open() == 0 })
}

func TestASlowSenderIsCutOff(t *testing.T) {
	// The clock is moved by the body: each byte takes 20 s.
	now := time.Unix(0, 0)
	b := &pacedBody{pace: pace{rc: http.NewResponseController(nil), stall: time.Minute, minRate: 1024, now: func() time.Time { return now }}, left: 1 << 30,
		src: readerFunc(func(p []byte) (int, error) { now = now.Add(20 * time.Second); p[0] = 'x'; return 1, nil })}
	n, err := io.Copy(io.Discard, b)
	if n != 2 || err != errSlow {
		t.Errorf("%d bytes, %v", n, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestMemoryDoesNotDependOnTheInstance(t *testing.T) {
	if testing.Short() {
		t.Skip("it moves 256 MB")
	}
	g := open(t, nil)
	counted := &counter{}
	g.Server.d.Ingest = counted
	const size = 256 << 20
	head := related256(t)
	r, err := http.NewRequestWithContext(t.Context(), "POST", g.url+"/studies", io.MultiReader(bytes.NewReader(head), io.LimitReader(zeros{}, size), strings.NewReader("\r\n--b--\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", stowType)
	rsp, err := g.client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = rsp.Body.Close()
	if rsp.StatusCode != 200 || counted.n != size {
		t.Errorf("%d, %d bytes", rsp.StatusCode, counted.n)
	}
	if counted.largest > 256<<10 {
		t.Errorf("%d bytes were handed over at once", counted.largest)
	}
}

func related256(t *testing.T) []byte {
	t.Helper()
	whole := body(file(uid(1), nil))
	return whole[:len(whole)-len("\r\n--b--\r\n")]
}

// counter is an Ingest that counts.
type counter struct {
	n       int64
	largest int
}

func (c *counter) Store(_ context.Context, a instance.Arrival, data io.Reader) (instance.Outcome, error) {
	b := make([]byte, 256<<10)
	for {
		n, err := data.Read(b)
		c.n += int64(n)
		c.largest = max(c.largest, n)
		if errors.Is(err, io.EOF) {
			return instance.Outcome{Record: instance.Record{SOPClass: a.SOPClass, SOPInstance: a.SOPInstance, Study: study1, Series: series1}}, nil
		}
		if err != nil {
			return instance.Outcome{}, err
		}
	}
}
