// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/dicomweb/related"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Destination is a server that takes instances by STOW-RS.
type Destination struct {
	URL          string            `yaml:"url" doc:"Its DICOMweb root, as in https://xr.st-example.internal/dicom-web. http:// is for the loopback only."`
	Username     string            `yaml:"username" doc:"For a server that wants HTTP Basic authentication besides TLS."`
	PasswordFile config.SecretFile `yaml:"password_file" doc:"The password of username, mode 0600."`
	TokenFile    config.SecretFile `yaml:"token_file" doc:"A bearer token for the server, mode 0600. Not together with username."`
	Stall        time.Duration     `yaml:"stall" doc:"How long the server may not take a byte in the middle of a request."`
	Wait         time.Duration     `yaml:"wait" doc:"How long the server may take to answer when it has everything."`
}

// DefaultDestination returns the defaults.
func DefaultDestination() Destination {
	return Destination{Stall: 30 * time.Second, Wait: 2 * time.Minute}
}

// Validate implements config.Validator. A Destination without an address is none: it is a part of configurations
// that may have one.
func (d Destination) Validate() error {
	if d == (Destination{Stall: d.Stall, Wait: d.Wait}) {
		return nil
	}
	if _, err := rootOf(d.URL); err != nil {
		return config.Invalid("url", "write https://HOST/dicom-web; http:// is only for a server on this machine", "%v", err)
	}
	if err := (Upstream{Username: d.Username, PasswordFile: d.PasswordFile, TokenFile: d.TokenFile, Wait: time.Second}).Validate(); err != nil {
		return err
	}
	switch {
	case d.Stall <= 0:
		return config.Invalid("stall", "", "must be positive, is %v", d.Stall)
	case d.Wait <= 0:
		return config.Invalid("wait", "", "must be positive, is %v", d.Wait)
	}
	return nil
}

// Client sends instances to a Destination. It may be used concurrently.
type Client struct {
	d    Destination
	root *url.URL
	auth string
	rt   http.RoundTripper
}

// NewClient makes one. rt carries the requests, see Transport. It must follow no redirection, as no
// RoundTripper does.
func NewClient(d Destination, rt http.RoundTripper) (*Client, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("STOW-RS: %w", err)
	}
	root, err := rootOf(d.URL)
	if err != nil {
		return nil, err
	}
	auth, err := authorization(d.Username, d.PasswordFile, d.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("STOW-RS: %w", err)
	}
	return &Client{d: d, root: root, auth: auth, rt: rt}, nil
}

// Outgoing is an instance to be sent.
type Outgoing struct {
	SOPClass, SOPInstance, TransferSyntax string
	SourceAE                              string // goes into the file meta information; may be ""
	Preamble                              dicom.Preamble
	// Data is the data set, Size its length; -1 when it is not known. It is read once.
	Data io.Reader
	Size int64
}

// Result is what the server said of one instance.
type Result struct {
	SOPInstance string
	Stored      bool
	// Reason is 0, a WarningReason of an instance that was stored, or the FailureReason of one that was not
	// (PS3.18 annex I.2): statuses of C-STORE.
	Reason uint16
	// Why is in words, without any text of the server.
	Why string
}

// MaxOutgoing is how many instances one request may carry.
const MaxOutgoing = 1000

// Send stores instances with one request and returns what the server said of each, in their order.
// Stored is only what the server lists as stored: not being listed is a failure. The error is that
// of the request as a whole, a *StatusError where the server refused it; nothing is known of any instance then
// but that sending again does no harm.
func (c *Client) Send(ctx context.Context, items ...Outgoing) ([]Result, error) {
	if len(items) == 0 {
		return nil, nil
	}
	if len(items) > MaxOutgoing {
		return nil, fmt.Errorf("STOW-RS: %d instances in one request, at most %d", len(items), MaxOutgoing)
	}
	boundary := related.NewBoundary()
	body, size, err := outgoingBody(boundary, items)
	if err != nil {
		return nil, fmt.Errorf("STOW-RS: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := newProgress(body, c.d.Stall, c.d.Wait, cancel)
	defer p.stop()
	r := c.request(ctx, http.MethodPost, "/studies")
	r.Header.Set("Content-Type", `multipart/related; type="application/dicom"; boundary=`+boundary)
	r.Header.Set("Accept", jsonType) // alone: Orthanc takes a list for one unknown type
	// No Expect: 100-continue. Servers that do not know it cost its whole timeout, and one that refuses early is heard anyway.
	r.Body, r.ContentLength = io.NopCloser(p), size
	rsp, err := c.rt.RoundTrip(r)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	defer func() { _ = rsp.Body.Close() }()
	p.answering()
	results, err := readStored(rsp, items)
	if err != nil && ctx.Err() != nil {
		return nil, c.failed(ctx, err)
	}
	return results, err
}

func (c *Client) request(ctx context.Context, method, path string) *http.Request {
	u := *c.root
	u.Path += path
	r := &http.Request{Method: method, URL: &u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"User-Agent": {"asepsis"}}}
	if c.auth != "" {
		r.Header.Set("Authorization", c.auth)
	}
	return r.WithContext(ctx)
}

// failed says why a request came to nothing.
func (c *Client) failed(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errStalled) || errors.Is(cause, errNoAnswer) {
		err = cause
	}
	return fmt.Errorf("STOW-RS to %s: %w", c.root.Host, err)
}

// outgoingBody joins delimiters, heads and data sets. size is -1 when that of a data set is not known.
func outgoingBody(boundary string, items []Outgoing) (body io.Reader, size int64, err error) {
	var pieces []io.Reader
	seen := make(map[string]bool, len(items))
	add := func(b []byte) {
		pieces = append(pieces, bytes.NewReader(b))
		if size >= 0 {
			size += int64(len(b))
		}
	}
	for i := range items {
		o := &items[i]
		if seen[o.SOPInstance] {
			return nil, 0, errors.New("the same instance twice in one request")
		}
		seen[o.SOPInstance] = true
		head := related.AppendDelimiter(nil, boundary, i == 0, dicomType, "") // without parameters: Orthanc refuses them
		head, err := dicom.AppendFileHead(head, o.Preamble, &dicom.FileMeta{SOPClass: o.SOPClass, SOPInstance: o.SOPInstance, TransferSyntax: o.TransferSyntax,
			ImplUID: dicomnet.ImplementationClassUID, ImplVersion: dicomnet.ImplementationVersionName, SourceAE: o.SourceAE})
		if err != nil {
			return nil, 0, err
		}
		add(head)
		data := o.Data
		if o.Size >= 0 {
			data = &exact{src: o.Data, left: o.Size}
		}
		pieces = append(pieces, data)
		if size >= 0 && o.Size >= 0 {
			size += o.Size
		} else {
			size = -1
		}
	}
	add(related.AppendClose(nil, boundary))
	return io.MultiReader(pieces...), size, nil
}

var errLength = errors.New("a data set is not as long as was said")

// exact reads a data set that must have its length. One that is too short breaks the request off before the
// delimiter behind it, which would make the server take what there is for all of it.
type exact struct {
	src  io.Reader
	left int64
}

// Read implements io.Reader.
func (e *exact) Read(p []byte) (int, error) {
	if e.left == 0 { // what comes now is too much
		switch n, err := e.src.Read(make([]byte, 1)); {
		case n > 0:
			return 0, errLength
		default:
			return 0, err
		}
	}
	n, err := e.src.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) && e.left > 0 {
		err = errLength
	}
	return n, err
}

var (
	errStalled  = errors.New("the server takes no more bytes")
	errNoAnswer = errors.New("the server does not answer")
)

// progress cancels a request whose body nobody reads on, or that is not answered.
type progress struct {
	timer *time.Timer
	stall time.Duration
	wait  time.Duration
	sent  atomic.Bool

	// A transport may go on reading behind the answer, when the caller has closed the source already.
	mu   sync.Mutex
	src  io.Reader
	over bool
}

var errOver = errors.New("the request is over")

func newProgress(src io.Reader, stall, wait time.Duration, cancel context.CancelCauseFunc) *progress {
	p := &progress{src: src, stall: stall, wait: wait}
	// Connecting and the handshake come first, and have bounds of their own.
	p.timer = time.AfterFunc(stall+wait, func() {
		if p.sent.Load() {
			cancel(errNoAnswer)
		} else {
			cancel(errStalled)
		}
	})
	return p
}

func (p *progress) Read(dst []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return 0, errOver
	}
	n, err := p.src.Read(dst)
	if err != nil {
		p.answering()
		return n, err
	}
	p.timer.Reset(p.stall)
	return n, nil
}

// answering is called when everything was sent, or the answer began before.
func (p *progress) answering() {
	p.sent.Store(true)
	p.timer.Reset(p.wait)
}

// stop returns when nobody reads the source any more.
func (p *progress) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	p.timer.Stop()
}
