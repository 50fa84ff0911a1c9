// SPDX-License-Identifier: Apache-2.0

// Package client asks a running server over its API: what the commands devices
// and events print, and what other Go programs of ours need.
//
// A client shows an API token. Off loopback it speaks HTTPS only. Answers are read up
// to a bound, and every request has a deadline.
package client

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
)

// maxAnswer bounds what is read of one answer.
const maxAnswer = 256 << 20

// Options say which server and as whom.
type Options struct {
	Server string // "https://host:port"
	Token  string
	CAFile string // certificates (PEM) that the server's must come from; "" for the system's
	Agent  string
}

// Client asks one server.
type Client struct {
	base  *url.URL
	token string
	agent string
	http  *http.Client
}

// Error is an answer that says what is wrong.
type Error struct {
	Status int
	Title  string
	Detail string
	Help   string
	Fields []string // what is wrong with each parameter: "is: there is no field protokol"
}

func (e *Error) Error() string {
	s := e.Title
	if e.Detail != "" && e.Detail != e.Title {
		s += ": " + e.Detail
	}
	if len(e.Fields) > 0 {
		s += " " + strings.Join(e.Fields, "; ")
	}
	return s
}

// Hint says what to do, "" when the server does not know.
func (e *Error) Hint() string {
	if e.Help == "" && e.Status == http.StatusUnauthorized {
		return "make a token in the console under Settings, Tokens, and name its file with --token-file"
	}
	return e.Help
}

// New makes a client.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.Server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("server %q: want https://host:port", o.Server)
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return nil, fmt.Errorf("server %s: a token goes over HTTPS only, unless the server is on this machine", o.Server)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CA file: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %s: there is no certificate in it", o.CAFile)
		}
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return &Client{base: u, token: o.Token, agent: o.Agent, http: &http.Client{Transport: &http.Transport{
		TLSClientConfig: conf, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute, ForceAttemptHTTP2: true,
		HTTP2:       &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second}, // a server that vanished is noticed
		DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
	}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// Get asks for /api/v1 and path and decodes the answer. Into a *json.RawMessage it
// gives it as it came.
func (c *Client) Get(ctx context.Context, path string, query url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	resp, err := c.do(ctx, path, query, "application/json", "")
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("the answer is larger than %d MB", maxAnswer>>20)
	}
	if raw, ok := into.(*json.RawMessage); ok {
		*raw = body
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the answer is not what this program understands: %w", err)
	}
	return nil
}

// Stream reads server-sent events until ctx ends, the server closes or f fails.
func (c *Client) Stream(ctx context.Context, path string, query url.Values, f func(kind, id string, data []byte) error) error {
	return c.stream(ctx, path, query, "", func() {}, f)
}

// stream is Stream from after the event with an ID on, "" for none. Connected is
// called when the server has begun to answer.
func (c *Client) stream(ctx context.Context, path string, query url.Values, last string, connected func(), f func(kind, id string, data []byte) error) error {
	resp, err := c.do(ctx, path, query, "text/event-stream", last)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	connected()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 64<<10), 16<<20)
	var kind, id string
	var data []byte
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			kind = value
		case "id":
			id = value
		case "data":
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, value...)
		case "":
			if lines.Text() == "" && data != nil {
				if err := f(kind, id, data); err != nil {
					return err
				}
			}
			if lines.Text() == "" {
				kind, data = "", nil
			}
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return lines.Err()
}

func (c *Client) do(ctx context.Context, path string, query url.Values, accept, lastEvent string) (*http.Response, error) {
	u := *c.base
	u.Path += "/api/v1" + path
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	if lastEvent != "" {
		req.Header.Set("Last-Event-ID", lastEvent)
	}
	return c.send(req)
}

// Post sends JSON to /api/v1 and path, and decodes the answer, if any is expected.
func (c *Client) Post(ctx context.Context, path string, body, into any) error {
	return c.Send(ctx, http.MethodPost, path, nil, body, into)
}

// Send is Post with any method and a query.
func (c *Client) Send(ctx context.Context, method, path string, query url.Values, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	u := *c.base
	u.Path += "/api/v1" + path
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.send(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil || into == nil {
		return err
	}
	if raw, ok := into.(*json.RawMessage); ok {
		*raw = answer
		return nil
	}
	return json.Unmarshal(answer, into)
}

// Download copies what /api/v1 and path answer, whatever it is, into dst. At most limit
// bytes are taken.
func (c *Client) Download(ctx context.Context, path string, query url.Values, dst io.Writer, limit int64) error {
	resp, err := c.do(ctx, path, query, "*/*", "")
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	n, err := io.Copy(dst, io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer: %w", err)
	case n > limit:
		return fmt.Errorf("the answer is larger than %d MB", limit>>20)
	}
	return nil
}

// send sends a request with who asks. An answer that is no success is an *Error.
func (c *Client) send(req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", c.agent)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // the address is in the message below
		}
		return nil, fmt.Errorf("%s: %w", c.base.Host, err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	e := &Error{Status: resp.StatusCode, Title: resp.Status}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var p struct {
		Title, Detail, Hint string
		Errors              []struct{ Field, Message, Hint string }
	}
	if err == nil && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") && json.Unmarshal(body, &p) == nil && p.Title != "" {
		e.Title, e.Detail, e.Help = p.Title, p.Detail, p.Hint
		for _, f := range p.Errors {
			e.Fields = append(e.Fields, f.Field+": "+f.Message)
			e.Help = cmp.Or(e.Help, f.Hint)
		}
	}
	return nil, e
}
