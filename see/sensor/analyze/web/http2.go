// SPDX-License-Identifier: Apache-2.0

package web

import (
	"sort"
	"strconv"

	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/http1"
	"github.com/asepsis/asepsis/wire/http2"
)

// maxStreams bounds the HTTP/2 streams followed at a time.
const maxStreams = 100

// h2Conn follows an HTTP/2 connection in clear text.
type h2Conn struct {
	r       *reporter
	client  analyze.Dir
	reader  [2]http2.Reader
	preface int
	streams map[uint32]*exchange
	held    int
}

func newH2(r *reporter, client analyze.Dir) *h2Conn {
	return &h2Conn{r: r, client: client, streams: map[uint32]*exchange{}}
}

// upgraded takes over the request that asked for HTTP/2; its answer is stream 1.
func (h *h2Conn) upgraded(x *exchange, client analyze.Dir) {
	h.client = client
	x.version = "2"
	x.answered, x.responding, x.responseSeen = false, false, false
	x.asked = true
	x.x.Status, x.x.Response = 0, nil
	h.streams[1] = x
}

func (h *h2Conn) data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	used := int64(0)
	if dir == h.client && h.preface < len(http1.Preface) {
		k := min(len(data), len(http1.Preface)-h.preface)
		if string(data[:k]) != http1.Preface[h.preface:h.preface+k] {
			return 0, analyze.Reject
		}
		h.preface += k
		used, data = int64(k), data[k:]
	}
	for len(data) > 0 {
		n, f, ok, err := h.reader[dir].Next(data)
		used += n
		if err != nil {
			return used, analyze.Reject
		}
		data = data[min(n, int64(len(data))):]
		if ok {
			h.frame(c, dir, &f)
		}
	}
	return used, analyze.More
}

// gap gives up: with a hole, the header tables of both ends differ from ours.
func (h *h2Conn) gap(*analyze.Conn) analyze.Verdict { return analyze.Done }

func (h *h2Conn) frame(c *analyze.Conn, dir analyze.Dir, f *http2.Frame) {
	switch f.Type {
	case http2.Headers:
		if dir == h.client {
			h.request(c, f)
		} else {
			h.response(c, f)
		}
	case http2.Data:
		x := h.streams[f.Stream]
		if x == nil {
			return
		}
		body, length := &x.x.ResponseBody, &x.x.ResponseLength
		if dir == h.client {
			body, length = &x.x.RequestBody, &x.x.RequestLength
		}
		*length += int64(f.Length)
		if k := min(len(f.Data), analyze.MaxExchangeBody-len(*body), maxHeld-h.held); k > 0 {
			*body = append(*body, f.Data[:k]...)
			x.held += k
			h.held += k
		}
		h.end(c, dir, f)
	case http2.RSTStream:
		if x := h.streams[f.Stream]; x != nil {
			h.drop(c, f.Stream, x)
		}
	}
}

func (h *h2Conn) request(c *analyze.Conn, f *http2.Frame) {
	x := h.streams[f.Stream]
	if x == nil {
		x = &exchange{version: "2", requestSeen: true}
		x.x.Time = c.Now
		h.streams[f.Stream] = x
		for _, v := range f.Fields {
			x.held += len(v.Name) + len(v.Value)
			switch v.Name {
			case ":method":
				x.x.Method = v.Value
			case ":path":
				x.x.Target = v.Value
			case ":authority":
				x.x.Host = v.Value
			case ":scheme", ":protocol":
			default:
				x.x.Request = append(x.x.Request, analyze.Header(v))
			}
		}
		if x.x.Host == "" {
			x.x.Host = analyze.Get(x.x.Request, "host")
		}
		h.held += x.held
		h.bound(c)
	}
	h.end(c, h.client, f)
}

func (h *h2Conn) response(c *analyze.Conn, f *http2.Frame) {
	x := h.streams[f.Stream]
	if x == nil {
		return
	}
	if !x.responding {
		status := 0
		var fields []analyze.Header
		for _, v := range f.Fields {
			if v.Name == ":status" {
				status, _ = strconv.Atoi(v.Value)
				continue
			}
			fields = append(fields, analyze.Header(v))
		}
		if status >= 200 && status <= 999 {
			x.responding, x.responseSeen = true, true
			x.x.Status, x.x.Response, x.x.ResponseTime = status, fields, c.Now
		}
	}
	h.end(c, h.client.Other(), f)
}

// end notes the end of a stream's direction and reports a complete exchange.
func (h *h2Conn) end(c *analyze.Conn, dir analyze.Dir, f *http2.Frame) {
	x := h.streams[f.Stream]
	if x == nil || !f.EndStream {
		return
	}
	if dir == h.client {
		x.asked = true
	} else {
		x.answered = true
	}
	if x.asked && x.answered {
		h.drop(c, f.Stream, x)
	}
}

func (h *h2Conn) drop(c *analyze.Conn, stream uint32, x *exchange) {
	delete(h.streams, stream)
	h.held -= x.held
	h.r.report(c, x)
}

// bound keeps the streams followed within the limits: the oldest go first.
func (h *h2Conn) bound(c *analyze.Conn) {
	for len(h.streams) > 1 && (len(h.streams) > maxStreams || h.held > maxHeld) {
		oldest := ^uint32(0)
		for id := range h.streams {
			oldest = min(oldest, id)
		}
		h.drop(c, oldest, h.streams[oldest])
	}
}

func (h *h2Conn) close(c *analyze.Conn) {
	ids := make([]uint32, 0, len(h.streams))
	for id := range h.streams {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	for _, id := range ids {
		h.drop(c, id, h.streams[id])
	}
}
