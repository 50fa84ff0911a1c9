// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
)

const exportPage = 1000

// csvColumns are the columns of an export as CSV.
var csvColumns = []string{"id", "time", "class", "class_name", "activity", "activity_name", "severity", "status", "protocol", "sensor", "theatre", "message",
	"src_ip", "src_port", "src_mac", "src_device", "src_name", "dst_ip", "dst_port", "dst_mac", "dst_device", "dst_name"}

// getExport sends matching events as a file, a page of the store at a time. An
// export that is not whole says so: in its last line, and in the trailer
// Asepsis-Complete.
func (s *Server) getExport(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	q := p.events()
	site := p.text("site", maxName)
	format := p.choice("format", "ndjson", "csv", "ocsf")
	limit := p.number("limit", 1, s.cfg.Export.MaxEvents, s.cfg.Export.MaxEvents)
	q.Oldest = p.choice("order", "newest", "oldest") == "oldest"
	if format == "" && len(p.fields) == 0 {
		p.fail("format", "", "is needed: one of ndjson, csv, ocsf")
	}
	if err := p.end(); err != nil {
		return err
	}
	if err := s.inSite(r.Context(), site, &q); err != nil {
		return err
	}
	select {
	case s.exports <- struct{}{}:
		defer func() { <-s.exports }()
	default:
		return problem.Unavailable("Too many exports are under way.", "try again when one of them is done", 30*time.Second, nil)
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Export.Timeout)
	defer cancel()
	q.Limit = min(exportPage, limit)
	page, err := s.dep.Store.Query(ctx, q) // what is refused is refused before anything is sent
	if err != nil {
		return storeProblem(err, "q")
	}
	audit := s.audit(r, "events.export", "events")
	audit.Note = "format " + format
	if err := s.dep.Store.Commit(ctx, nil, audit); err != nil {
		return err // who took what away is on record, or nothing is taken away
	}

	kind, ext := "application/x-ndjson", format+".ndjson"
	switch format {
	case "csv":
		kind, ext = "text/csv; charset=utf-8; header=present", "csv"
	case "ndjson":
		ext = "ndjson"
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="asepsis-events-`+s.now().UTC().Format("20060102T150405Z")+"."+ext+`"`)
	h.Set("Cache-Control", "no-store")
	h.Set("Trailer", "Asepsis-Complete")
	h.Add("Vary", "Accept-Encoding")
	out := &exporter{s: s, rc: http.NewResponseController(w), format: format, left: limit}
	out.w = bufio.NewWriterSize(deadlineWriter{w, out.rc, s.cfg.Streams.WriteTimeout}, 64<<10)
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		out.z = gzip.NewWriter(out.w)
		out.text = bufio.NewWriterSize(out.z, 64<<10)
	} else {
		out.text = out.w
	}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	complete, err := out.all(ctx, q, page)
	h.Set("Asepsis-Complete", strconv.FormatBool(complete))
	if err != nil {
		s.log.Info("an export was not finished", "events", out.events, "error", err)
	}
	return nil
}

// deadlineWriter gives each write a time within which the reader must take it.
type deadlineWriter struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	timeout time.Duration
}

func (d deadlineWriter) Write(b []byte) (int, error) {
	_ = d.rc.SetWriteDeadline(time.Now().Add(d.timeout))
	n, err := d.w.Write(b)
	if err == nil {
		_ = d.rc.SetWriteDeadline(time.Time{}) // a long search is no reader that takes nothing, see sse.write
	}
	return n, err
}

// exporter writes events in one format.
type exporter struct {
	s      *Server
	rc     *http.ResponseController
	format string
	w      *bufio.Writer
	z      *gzip.Writer
	text   *bufio.Writer
	csv    *csv.Writer
	buf    []byte
	left   int
	events int
}

// all writes page after page, and at the end what is missing. It reports whether
// nothing is.
func (x *exporter) all(ctx context.Context, q store.Query, page store.Page) (complete bool, err error) {
	if x.format == "csv" {
		x.csv = csv.NewWriter(x.text)
		x.csv.UseCRLF = true // RFC 4180
		if err := x.csv.Write(csvColumns); err != nil {
			return false, err
		}
	}
	why := ""
	for {
		world, kerr := x.s.know.get(ctx)
		if kerr != nil {
			world = &world0
		}
		for i := range page.Records {
			if x.left == 0 {
				break
			}
			if err := x.one(&page.Records[i], world); err != nil {
				return false, err
			}
			x.left--
		}
		if page.Next == "" {
			break
		}
		if x.left == 0 {
			why = fmt.Sprintf("the limit of %d events is reached", x.events)
			break
		}
		q.Cursor, q.Limit = page.Next, min(exportPage, x.left)
		if page, err = x.s.dep.Store.Query(ctx, q); err != nil {
			why = "the store did not answer in time"
			if ctx.Err() != nil {
				why = "the time for one export is over"
			}
			break
		}
		select {
		case <-x.s.draining:
			why = "the server is shutting down"
		default:
		}
		if why != "" {
			break
		}
	}
	if why != "" {
		if terr := x.truncated(why); terr != nil {
			return false, terr
		}
	}
	if x.csv != nil {
		x.csv.Flush()
		if err := x.csv.Error(); err != nil {
			return false, err
		}
	}
	if err := x.text.Flush(); err != nil {
		return false, err
	}
	if x.z != nil {
		if err := x.z.Close(); err != nil {
			return false, err
		}
	}
	if ferr := x.w.Flush(); ferr != nil {
		return false, ferr
	}
	return why == "", err
}

// truncated says in the file itself that it is not whole.
func (x *exporter) truncated(why string) error {
	if x.csv != nil {
		return x.csv.Write([]string{"# not complete: " + why})
	}
	b, err := json.Marshal(struct {
		Complete bool   `json:"complete"`
		Events   int    `json:"events"`
		Why      string `json:"why"`
	}{false, x.events, why})
	if err != nil {
		return err
	}
	_, err = x.text.Write(append(b, '\n'))
	return err
}

func (x *exporter) one(rec *record.Record, world *world) error {
	row, e := eventRow(rec, world)
	x.events++
	switch x.format {
	case "ocsf":
		if e == nil {
			return nil // it cannot be decoded; its row is in the other formats
		}
		b, err := e.AppendOCSF(x.buf[:0], x.s.producer(rec.Sensor))
		if err != nil {
			return err
		}
		x.buf = append(b, '\n')
		_, err = x.text.Write(x.buf)
		return err
	case "ndjson":
		b, err := json.Marshal(row)
		if err != nil {
			return err
		}
		_, err = x.text.Write(append(b, '\n'))
		return err
	}
	src, dst := row.Src, row.Dst
	if src == nil {
		src = &EventEnd{}
	}
	if dst == nil {
		dst = &EventEnd{}
	}
	line := []string{row.ID, row.Time, itoa(row.Class), row.ClassName, itoa(uint16(row.Activity)), row.ActivityName, row.Severity.String(), row.Status, row.Protocol, row.Sensor,
		row.Theatre, row.Message, src.IP, portText(src.Port), src.MAC, src.Device, src.Name, dst.IP, portText(dst.Port), dst.MAC, dst.Device, dst.Name}
	for i := range line {
		line[i] = guardCell(line[i])
	}
	return x.csv.Write(line)
}

func portText(n uint16) string {
	if n == 0 {
		return ""
	}
	return itoa(n)
}

// guardCell keeps a spreadsheet from taking a value for a formula: what devices
// call themselves is not ours (CWE-1236). A leading apostrophe makes it text.
func guardCell(s string) string {
	if s == "" {
		return s
	}
	switch s[0] {
	case '=', '+', '-', '@', '\t', '\r', '\n':
		return "'" + s
	}
	return s
}
