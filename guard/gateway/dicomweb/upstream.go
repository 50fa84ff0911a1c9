// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/dicomweb/related"
)

// reply is the archive's answer.
type reply struct {
	status int
	media  string            // in lower case; "" of an answer without a body
	types  map[string]string // parameters of the media type
	body   io.ReadCloser
	length int64
}

// ask sends a request to the archive. Nothing of the client's request is in it but what the caller
// read out of that and gives here. The caller closes the body.
func (x *exchange) ask(t *target, query url.Values, accept string) (*reply, *Problem) {
	ctx, cancel := context.WithCancelCause(x.r.Context())
	u := *x.s.root
	u.Path += t.path()
	u.RawQuery = encode(query)
	r := (&http.Request{Method: http.MethodGet, URL: &u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Accept": {accept}, "User-Agent": {"asepsis"}}}).WithContext(ctx)
	if x.s.auth != "" {
		r.Header.Set("Authorization", x.s.auth)
	}
	w := &waiting{wait: x.s.cfg.Upstream.Wait}
	w.timer = time.AfterFunc(w.wait, func() { w.over.Store(true); cancel(errNoAnswer) })
	rsp, err := x.s.d.Upstream.RoundTrip(r) //nolint:bodyclose // the caller of ask closes it
	if err != nil {
		w.timer.Stop()
		cancel(nil)
		if w.over.Load() || isTimeout(err) {
			return nil, problem(http.StatusGatewayTimeout, "upstream", "the archive does not answer in time", "look at the archive, and at the network to it").because(err)
		}
		return nil, problem(http.StatusBadGateway, "upstream", "the archive cannot be reached", "look at the archive, its certificate, and the network to it").because(err)
	}
	w.src, w.end = rsp.Body, func() { w.timer.Stop(); cancel(nil) }
	out := &reply{status: rsp.StatusCode, body: w, length: rsp.ContentLength}
	if p := refusal(rsp); p != nil {
		_ = out.body.Close()
		return nil, p
	}
	if rsp.StatusCode == http.StatusNoContent {
		return out, nil
	}
	if rsp.Header.Get("Content-Encoding") != "" {
		_ = out.body.Close()
		return nil, foreign("the archive's answer is compressed, which was not asked for")
	}
	if out.media, out.types, err = related.ParseMediaType(rsp.Header.Get("Content-Type")); err != nil {
		_ = out.body.Close()
		return nil, foreign("the archive's answer has no media type that can be read")
	}
	return out, nil
}

// encode writes a query, escaping only what RFC 3986 §3.4 demands: Orthanc 1.10 reads "%2A" as three
// characters.
func encode(query url.Values) string {
	var b strings.Builder
	put := func(s string) {
		for i := range len(s) {
			if c := s[i]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~*,:@/?!$'()", c) >= 0 {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
	}
	for _, name := range sorted(query) {
		for _, v := range query[name] {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			put(name)
			b.WriteByte('=')
			put(v)
		}
	}
	return b.String()
}

func foreign(detail string) *Problem {
	return problem(http.StatusBadGateway, "upstream", detail, "check that upstream.url leads to the DICOMweb root of the archive")
}

// refusal is what the archive's status becomes. Its text stays here: it may name a patient.
func refusal(rsp *http.Response) *Problem {
	switch s := rsp.StatusCode; {
	case s == http.StatusOK, s == http.StatusNoContent, s == http.StatusPartialContent:
		return nil
	case s == http.StatusNotFound || s == http.StatusGone:
		return problem(http.StatusNotFound, "not-found", "the archive does not have it", "")
	case s == http.StatusNotAcceptable || s == http.StatusUnsupportedMediaType:
		return problem(http.StatusNotAcceptable, "accept", "the archive cannot give it in a media type that the client accepts", "accept more media types or transfer syntaxes")
	case s == http.StatusBadRequest:
		return problem(http.StatusBadRequest, "upstream", "the archive does not understand the request", "it may not know a parameter")
	case s == http.StatusRequestEntityTooLarge:
		return problem(http.StatusRequestEntityTooLarge, "upstream", "the archive says that there are too many results", "narrow the query")
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		return problem(http.StatusBadGateway, "upstream", fmt.Sprintf("the archive does not let the gateway do this (%d)", s), "allow the gateway's certificate or account at the archive")
	case s == http.StatusServiceUnavailable || s == http.StatusTooManyRequests:
		p := problem(http.StatusServiceUnavailable, "upstream", "the archive is busy", "try again later")
		p.retryAfter = 30
		if n, err := strconv.Atoi(rsp.Header.Get("Retry-After")); err == nil && n > 0 && n < 3600 {
			p.retryAfter = n
		}
		return p
	}
	return problem(http.StatusBadGateway, "upstream", "the archive answers with status "+strconv.Itoa(rsp.StatusCode), "look at the archive's log")
}

// waiting ends a request when the archive pauses for too long.
type waiting struct {
	src   io.ReadCloser
	timer *time.Timer
	wait  time.Duration
	over  atomic.Bool
	end   func()
}

func (w *waiting) Read(dst []byte) (int, error) {
	w.timer.Reset(w.wait)
	n, err := w.src.Read(dst)
	// What follows is our time, and the client's.
	w.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", errUpstream, err)
	}
	return n, err
}

func (w *waiting) Close() error {
	defer w.end()
	return w.src.Close()
}

var errUpstream = errors.New("the archive's answer broke off")

// query is QIDO-RS (PS3.18 §10.6).
func (x *exchange) query() *Problem {
	media, p := documentsType(x.r)
	if p != nil {
		return p
	}
	q, p := x.policy()
	if p != nil {
		return p
	}
	x.a.Keys = q.keys
	rsp, p := x.ask(&x.t, q.values, media)
	if p != nil {
		return p
	}
	defer func() { _ = rsp.body.Close() }()
	if q.literal {
		// In the words of PS3.18 §8.3.4.1.
		x.w.Header().Set("Warning", `299 asepsis "The fuzzymatching parameter is not supported. Only literal matching has been performed."`)
	}
	n, p := x.documents(rsp, media, q.limit, true)
	x.a.Matches = n
	return p
}

// xmlParts is how the documents of an answer come in XML.
const xmlParts = `multipart/related; type="application/dicom+xml"`

// documentsType chooses between JSON and XML for an answer that is several documents.
func documentsType(r *http.Request) (string, *Problem) {
	list, p := ranges(r)
	if p != nil {
		return "", p
	}
	for _, m := range list {
		switch {
		case m.media == jsonType || m.media == "application/json" || m.media == "*/*" || m.media == "application/*":
			return jsonType, nil
		case m.media == relatedType && m.inner == xmlType:
			return xmlParts, nil
		}
	}
	return "", notAcceptable(jsonType + " or " + xmlParts)
}

// documents relays data sets in JSON or XML, at most limit of them, with the archive's addresses in them
// changed. cut says that more are left out; otherwise more are an error.
func (x *exchange) documents(rsp *reply, media string, limit int, cut bool) (n int, p *Problem) {
	h := x.w.Header()
	if rsp.status == http.StatusNoContent {
		x.a.Status = http.StatusNoContent
		x.w.WriteHeader(http.StatusNoContent)
		return 0, nil
	}
	src := &capped{src: rsp.body, left: int64(x.s.cfg.Retrieve.MaxBytes)}
	out := x.answer()
	var err error
	switch {
	case media == jsonType && (rsp.media == jsonType || rsp.media == "application/json"):
		h.Set("Content-Type", jsonType)
		n, err = rewriteJSON(out, src, x.base, limit)
	case media != jsonType && rsp.media == relatedType:
		boundary := related.NewBoundary()
		h.Set("Content-Type", xmlParts+"; boundary="+boundary)
		n, err = x.xmlDocuments(out, src, rsp.types["boundary"], boundary, limit)
	case media != jsonType && rsp.media == jsonType:
		return 0, notAcceptable(jsonType + ": the archive has no XML")
	default:
		return 0, foreign("the archive answers in a media type that was not asked for")
	}
	if errors.Is(err, errEnough) && cut {
		err = nil
	}
	return n, x.finish(out, err)
}

// xmlDocuments relays parts of XML.
func (x *exchange) xmlDocuments(out io.Writer, src io.Reader, theirs, ours string, limit int) (int, error) {
	parts, err := related.NewReader(src, theirs, related.Limits{Parts: limit + 1, Part: maxXML})
	if err != nil {
		return 0, err
	}
	defer parts.Close()
	w := related.NewWriter(out, ours)
	for n := 0; ; n++ {
		part, err := parts.Next()
		switch {
		case errors.Is(err, io.EOF):
			epilogue(src)
			return n, w.Close()
		case err != nil:
			return n, err
		case n == limit:
			return n, errors.Join(errEnough, w.Close())
		}
		if media, _, err := related.ParseMediaType(part.ContentType); err != nil || media != xmlType && media != "application/xml" && media != "text/xml" {
			return n, errors.New("a part is not XML")
		}
		doc, err := io.ReadAll(part)
		if err != nil {
			return n, err
		}
		if doc, err = rewriteXML(doc, x.base); err != nil {
			return n, err
		}
		if err := w.Part(xmlType, ""); err != nil {
			return n, err
		}
		if _, err := out.Write(doc); err != nil {
			return n, err
		}
	}
}

// epilogue reads what follows the last part, so that the connection to the archive can be used again.
func epilogue(src io.Reader) { _, _ = io.CopyN(io.Discard, src, maxEpilogue) }

// capped ends an answer that is too large.
type capped struct {
	src  io.Reader
	left int64
}

var errCapped = errors.New("the archive's answer is larger than may be")

func (c *capped) Read(dst []byte) (int, error) {
	if int64(len(dst)) > c.left+1 {
		dst = dst[:c.left+1]
	}
	n, err := c.src.Read(dst)
	if c.left -= int64(n); c.left < 0 {
		return max(0, n-1), errCapped
	}
	return n, err
}

// answer is the body of a good answer. Its first bytes are held back, so that what goes wrong early can
// still be said with a status.
func (x *exchange) answer() *answer {
	return &answer{x: x, held: make([]byte, 0, heldBack), out: &pacedAnswer{pace: x.pace(), dst: x.w}}
}

const heldBack = 64 << 10

type answer struct {
	x     *exchange
	held  []byte
	begun bool
	out   *pacedAnswer
}

func (a *answer) Write(p []byte) (int, error) {
	a.x.a.Bytes += int64(len(p))
	if !a.begun && len(a.held)+len(p) <= heldBack {
		a.held = append(a.held, p...)
		return len(p), nil
	}
	if err := a.begin(); err != nil {
		return 0, err
	}
	return a.out.Write(p)
}

func (a *answer) begin() error {
	if a.begun {
		return nil
	}
	a.begun = true
	a.x.a.Status = http.StatusOK
	a.x.w.WriteHeader(http.StatusOK)
	_, err := a.out.Write(a.held)
	a.held = nil
	return err
}

// finish ends an answer, or says why it cannot be given. What has begun can only be broken off.
func (x *exchange) finish(a *answer, err error) *Problem {
	if err == nil {
		if !a.begun {
			x.w.Header().Set("Content-Length", strconv.Itoa(len(a.held)))
		}
		err = a.begin()
	}
	if err == nil {
		return nil
	}
	p := foreign("the archive's answer cannot be passed on").because(err)
	switch {
	case errors.Is(err, errNotTaken):
		p = problem(http.StatusOK, "slow", "the client did not take the answer", "").because(err)
	case errors.Is(err, errCapped), errors.Is(err, errEnough), errors.Is(err, related.ErrParts), errors.Is(err, related.ErrTooLarge):
		p = problem(http.StatusRequestEntityTooLarge, "too-large", "the archive's answer is larger than may be", "ask for less at once, series by series").because(err)
	case errors.Is(err, errUpstream):
		p.Detail = "the archive's answer broke off"
	}
	if !a.begun {
		for _, name := range []string{"Content-Length", "Warning"} {
			x.w.Header().Del(name)
		}
		return p
	}
	x.a.Problem, x.a.What, x.a.Hint, x.a.Cause = p.Code, p.Detail, p.Hint, err
	panic(http.ErrAbortHandler)
}
