// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/watch"
	"github.com/asepsis/asepsis/wire/capture"
)

// Bounds of the packets of one finding.
const (
	maxPacketBytes  = 16 << 20
	packetsDeadline = 30 * time.Second
)

// packetsOf says which packets a finding's evidence is about, by sensor.
type packetsOf struct {
	sensor string
	query  watch.PacketQuery
}

// getFindingPackets answers with the packets behind the evidence, as far as sensors keep
// them. Each answer is in the audit trail before a byte of it is sent.
func (s *Server) getFindingPackets(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	margin := time.Duration(p.number("margin", 0, 3600, 60)) * time.Second
	if err := p.end(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), packetsDeadline)
	defer cancel()
	id := r.PathValue("id")
	doc, err := s.dep.Store.Document(ctx, alert.Kind, id)
	if errors.Is(err, store.ErrNotFound) {
		return noFinding()
	}
	if err != nil {
		return err
	}
	d, err := alert.Read(doc.Body)
	if err != nil {
		return problem.Internal(err)
	}
	about, err := s.packetsBehind(ctx, d, margin)
	if err != nil {
		return err
	}
	frames, err := s.askPackets(ctx, about)
	if err != nil {
		return err
	}
	if len(frames) == 0 {
		p := problem.NotFound("No sensor has packets of this finding (any more).")
		p.Hint = "sensors keep packets only where watch.keep_packets is set, as long as the memory lasts"
		return p
	}
	body, n, err := pcapOf(frames)
	if err != nil {
		return problem.Internal(err)
	}
	audit := s.audit(r, "finding.packets", "finding:"+id)
	audit.Note = fmt.Sprintf("%d packets, %d bytes", n, len(body))
	if err := s.dep.Store.Commit(ctx, nil, audit); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/vnd.tcpdump.pcap")
	h.Set("Content-Disposition", `attachment; filename="finding-`+alert.KeyOf(id)+`.pcap"`)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // who went away does not read it
	return nil
}

// packetsBehind finds the flows of the evidence's events that are still stored.
func (s *Server) packetsBehind(ctx context.Context, d *alert.Document, margin time.Duration) ([]packetsOf, error) {
	var out []packetsOf
	for _, e := range d.Alert.Evidence {
		if e.Seq == 0 {
			continue
		}
		rec, err := s.dep.Store.Get(ctx, e.Seq)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ev, err := record.Decode(rec.Data)
		if err != nil || ev.Flow == nil || !ev.Flow.Src.IP.IsValid() && !ev.Flow.Dst.IP.IsValid() {
			continue
		}
		from, to := ev.Time, ev.Time
		if c, ok := ev.Detail.(*event.Connection); ok && c.Start > 0 {
			from, to = min(from, c.Start), max(to, c.End)
		}
		any := func(a netip.Addr) netip.Addr { // a group's members answer for themselves
			if a.IsMulticast() {
				return netip.Addr{}
			}
			return a.Unmap()
		}
		out = append(out, packetsOf{rec.Sensor, watch.PacketQuery{From: from - int64(margin), To: to + int64(margin),
			A: any(ev.Flow.Src.IP), B: any(ev.Flow.Dst.IP), APort: ev.Flow.Src.Port, BPort: ev.Flow.Dst.Port}})
	}
	return out, nil
}

// askPackets asks the sensors, page by page, and gives each frame once, in the order of time.
func (s *Server) askPackets(ctx context.Context, about []packetsOf) ([]watch.KeptFrame, error) {
	type name struct {
		sensor string
		id     uint64
	}
	var out []watch.KeptFrame
	had := map[name]bool{}
	size := 0
	for _, a := range about {
		for size < maxPacketBytes {
			body, err := json.Marshal(a.query)
			if err != nil {
				return nil, problem.Internal(err)
			}
			got, err := s.dep.Bus.Ask(ctx, watch.PacketsSubject(a.sensor), body)
			if errors.Is(err, bus.ErrNobody) {
				break // it keeps none, or is gone
			}
			if err != nil {
				return nil, err
			}
			var page watch.PacketAnswer
			if err := json.Unmarshal(got, &page); err != nil {
				return nil, problem.Internal(err)
			}
			for _, f := range page.Frames {
				if k := (name{a.sensor, f.ID}); !had[k] && size+len(f.Data) <= maxPacketBytes {
					had[k] = true
					size += len(f.Data)
					out = append(out, f)
				}
			}
			if page.Next == 0 || page.Next <= a.query.After {
				break
			}
			a.query.After = page.Next
		}
	}
	slices.SortStableFunc(out, func(a, b watch.KeptFrame) int { return int(min(max(a.Time-b.Time, -1), 1)) })
	return out, nil
}

// pcapOf writes frames as a pcap, which has one link type: that of the first.
func pcapOf(frames []watch.KeptFrame) (file []byte, n int, err error) {
	var b bytes.Buffer
	link := frames[0].Link
	w := capture.NewWriter(&b, capture.LinkType(link))
	for _, f := range frames {
		if f.Link != link {
			continue
		}
		if err := w.WriteFrame(capture.Frame{Time: f.Time, Data: f.Data, OrigLen: f.Wire, Link: capture.LinkType(f.Link)}); err != nil {
			return nil, 0, err
		}
		n++
	}
	if err := w.Flush(); err != nil {
		return nil, 0, err
	}
	return b.Bytes(), n, nil
}
