// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/astm"
)

// LIS2 is the analyser of LIS2-A2 (ASTM E1394) with the link layer of E1381.
func LIS2() analyze.Protocol {
	return analyze.Protocol{
		Name:      "lis2-a2",
		Probe:     probeLIS2,
		NewStream: func(*analyze.Conn) analyze.Stream { return new(lis2Stream) },
	}
}

// probeLIS2 accepts ENQ followed by a frame (as far as one direction shows it),
// a frame with a record in it, or a bare header record. A lone ENQ is too
// little: the frame that follows decides.
func probeLIS2(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	b := bytes.TrimLeft(head, "\x05\x04\x06\x15\r\n")
	if len(b) == 0 {
		return analyze.Maybe
	}
	if b[0] == astm.STX {
		if len(b) < 5 {
			return analyze.Maybe
		}
		if b[1] < '0' || b[1] > '7' || bytes.IndexByte([]byte("HPORCQMSL"), b[2]) < 0 {
			return analyze.No
		}
		if b[2] == 'H' {
			if astm.IsHeader(b[2:]) {
				return analyze.Yes
			}
			if len(b) < 9 {
				return analyze.Maybe
			}
			return analyze.No
		}
		// In the middle of a transfer: a whole frame with a right checksum.
		yes := analyze.Maybe
		i := bytes.IndexAny(b, "\x03\x17")
		if i > 0 && len(b) >= i+3 && checksumOK(b[1:i+1], b[i+1:i+3]) {
			yes = analyze.Yes
		} else if i > 0 && len(b) >= i+3 {
			yes = analyze.No
		}
		return yes
	}
	if b[0] == 'H' {
		if len(b) < 6 {
			return analyze.Maybe
		}
		// Bare: without the link layer the usual delimiters are demanded.
		if astm.IsHeader(b) && string(b[:5]) == `H|\^&` {
			return analyze.Yes
		}
	}
	return analyze.No
}

func checksumOK(frame, sum []byte) bool {
	var n byte
	for _, c := range frame {
		n += c
	}
	return strings.EqualFold(string(sum), fmt.Sprintf("%02X", n))
}

// lis2Stream holds a link per direction. Instruments and hosts both send.
type lis2Stream struct {
	link    [2]astm.Link
	msg     astm.Message
	frames  [2]int
	naks    [2]int // sent by a direction
	checks  [2]int
	bare    [2]bool
	started [2]bool
	buf     [2][]byte // bare records
	long    [2]bool
	certain bool
}

// Data implements analyze.Stream.
func (s *lis2Stream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	n := int64(len(data))
	if !s.started[dir] {
		if b := bytes.TrimLeft(data, "\r\n"); len(b) > 0 {
			s.started[dir] = true
			s.bare[dir] = b[0] == 'H'
		}
	}
	if !s.bare[dir] {
		s.link[dir].Write(data, func(i astm.Item) { s.item(c, dir, i) })
		return n, analyze.More
	}
	for len(data) > 0 {
		i := bytes.IndexByte(data, '\r')
		line := data
		if i >= 0 {
			line, data = data[:i+1], data[i+1:]
		} else {
			data = nil
		}
		if room := astm.MaxMessage - len(s.buf[dir]); room >= len(line) {
			s.buf[dir] = append(s.buf[dir], line...)
		} else {
			s.long[dir] = true
		}
		if i >= 0 && lastRecord(s.buf[dir]) == 'L' {
			s.message(c, dir, s.buf[dir], s.long[dir], 0)
			s.buf[dir], s.long[dir] = s.buf[dir][:0], false
		}
	}
	return n, analyze.More
}

// lastRecord is the type of the last complete record.
func lastRecord(b []byte) byte {
	b = bytes.TrimRight(b, "\r\n")
	if i := bytes.LastIndexAny(b[max(0, len(b)-256):], "\r\n"); i >= 0 {
		b = b[max(0, len(b)-256)+i+1:]
	}
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

// Gap implements analyze.Stream.
func (s *lis2Stream) Gap(c *analyze.Conn, dir analyze.Dir, _ int64) analyze.Verdict {
	s.link[dir].Close(func(i astm.Item) {
		i.Truncated = true
		s.item(c, dir, i)
	})
	if len(s.buf[dir]) > 0 {
		s.message(c, dir, s.buf[dir], true, 0)
		s.buf[dir] = s.buf[dir][:0]
	}
	return analyze.More
}

// Close implements analyze.Stream.
func (s *lis2Stream) Close(c *analyze.Conn, _ analyze.End) {
	for _, dir := range []analyze.Dir{analyze.ToServer, analyze.ToClient} {
		s.link[dir].Close(func(i astm.Item) { s.item(c, dir, i) })
		if len(s.buf[dir]) > 0 {
			s.message(c, dir, s.buf[dir], true, 0)
		}
		if s.frames[dir] > 0 { // frames that never made a message
			s.message(c, dir, nil, true, 0)
		}
	}
}

func (s *lis2Stream) item(c *analyze.Conn, dir analyze.Dir, i astm.Item) {
	switch i.Kind {
	case astm.Control:
		if i.Byte == astm.NAK {
			s.naks[dir]++
		}
	case astm.Frame:
		s.frames[dir]++
		if !i.ChecksumOK {
			s.checks[dir]++
		}
	case astm.MessageEnd:
		s.message(c, dir, i.Text, i.Truncated, i.Frames)
	}
}

func (s *lis2Stream) text(b []byte) string {
	return analyze.Clean(s.msg.AppendText(nil, b[:min(len(b), maxValue)]))
}

// message emits one message: the header says who sent it, the records what sort
// of content it has.
func (s *lis2Stream) message(c *analyze.Conn, dir analyze.Dir, b []byte, cut bool, frames int) {
	d := &event.MedicalDevice{Standard: "lis2-a2", Message: "message", Frames: max(s.frames[dir], frames), Naks: s.naks[dir.Other()], ChecksumErrors: s.checks[dir]}
	s.frames[dir], s.naks[dir.Other()], s.checks[dir] = 0, 0, 0
	e := &event.Event{Activity: 4, Detail: d}
	if s.msg.Parse(b) != nil {
		if !s.certain && d.ChecksumErrors == 0 {
			return
		}
		d.Attributes = append(d.Attributes, event.KV{Name: "incomplete", Value: "true"})
		e.Activity, e.Status = 99, event.StatusFailure
		e.Message = "A LIS2-A2 transfer without a readable header record"
		c.Emit(e)
		return
	}
	if !s.certain {
		s.certain = true
		c.Service("lis2-a2")
	}
	results, orders, queries, patients, qc := 0, 0, 0, 0, 0
	sender := ""
	for _, r := range s.msg.Records {
		switch r.Type() {
		case 'H':
			sender = s.header(d, r)
		case 'P':
			patients++
			if d.PatientRef == "" {
				// P-4 laboratory-assigned, P-3 practice-assigned, P-5 the third.
				for _, n := range []int{3, 4, 5} {
					if d.PatientRef = patientRef(c, s.text(r.Comp(n, 1)), ""); d.PatientRef != "" {
						break
					}
				}
			}
		case 'O':
			orders++
			if d.SpecimenRef == "" {
				d.SpecimenRef = c.Pseudonym(pseudonym.Accession, firstOf(s.text(r.Comp(3, 1)), s.text(r.Comp(4, 1))))
			}
			s.test(d, r, 5)
			if string(r.Comp(12, 1)) == "Q" {
				qc++
			}
		case 'R':
			results++
			s.test(d, r, 3)
		case 'Q':
			queries++
			s.test(d, r, 5)
		}
	}
	d.Records = len(s.msg.Records)
	kv := func(name string, n int) {
		if n > 0 {
			d.Attributes = append(d.Attributes, event.KV{Name: name, Value: fmt.Sprint(n)})
		}
	}
	kv("result_count", results)
	kv("order_count", orders)
	kv("query_count", queries)
	kv("patient_count", patients)
	kv("quality_control_count", qc)
	if cut {
		d.Attributes = append(d.Attributes, event.KV{Name: "incomplete", Value: "true"})
	}
	if s.msg.Odd > 0 {
		kv("malformed_record_count", s.msg.Odd)
		e.Severity = finding.Low
	}
	if d.ChecksumErrors > 0 || d.Naks > 0 {
		e.Severity = finding.Low
	}
	if sender == "" {
		sender = "A system"
	}
	switch {
	case results > 0:
		d.Message = "results"
		e.Message = fmt.Sprintf("%s sent %d results over LIS2-A2", sender, results)
	case queries > 0:
		d.Message, e.Activity = "query", 2
		e.Message = sender + " asked for orders over LIS2-A2"
	case orders > 0:
		d.Message, e.Activity = "orders", 5
		e.Message = fmt.Sprintf("%s sent %d orders over LIS2-A2", sender, orders)
	default:
		d.Message, e.Activity = "header", 8
		e.Message = sender + " opened a LIS2-A2 session"
	}
	// Results come from the instrument and orders go to it: that says which
	// side is the analyser. A query comes from an instrument as well.
	if results > 0 || queries > 0 && orders == 0 {
		c.Evidence(source(c, dir), device.AttrClass, string(device.ClassLabAnalyser), "lis2-a2.records", device.Claimed)
		evidence(c, source(c, dir), device.Structured, string(device.AttrVendor), d.Vendor, "lis2-a2.h-5", string(device.AttrModel), d.Model, "lis2-a2.h-5",
			string(device.AttrSerial), d.Serial, "lis2-a2.h-5", string(device.AttrFirmware), d.Firmware, "lis2-a2.h-5")
	} else if orders > 0 {
		c.Evidence(destination(c, dir), device.AttrClass, string(device.ClassLabAnalyser), "lis2-a2.records", device.Hint)
	}
	c.Emit(e)
}

// header reads H-5, which by custom is name^serial^version or
// name^version^serial: what has dots between digits is the version. It is the
// identity of an instrument; an information system names itself there too, and
// which of the two it is the records tell.
func (s *lis2Stream) header(d *event.MedicalDevice, h astm.Record) string {
	name := s.text(h.Comp(5, 1))
	for _, n := range []int{2, 3} {
		v := s.text(h.Comp(5, n))
		switch {
		case isVersion(v):
			d.Firmware = firstOf(d.Firmware, v)
		case len(v) >= 3:
			d.Serial = firstOf(d.Serial, v)
		}
	}
	d.Vendor, d.Model = makerOf(name)
	if v := s.text(h.Field(13)); v != "" {
		d.Attributes = append(d.Attributes, event.KV{Name: "version", Value: v})
	}
	if v := s.text(h.Comp(10, 1)); v != "" {
		d.Attributes = append(d.Attributes, event.KV{Name: "receiver", Value: v})
	}
	return name
}

// isVersion: digits with a dot between, perhaps after a V.
func isVersion(v string) bool {
	v = strings.TrimLeft(v, "vV")
	dot := false
	for i := 0; i < len(v); i++ {
		switch {
		case v[i] == '.' && i > 0:
			dot = true
		case v[i] >= '0' && v[i] <= '9':
		case i > 0 && dot:
		default:
			return false
		}
	}
	return dot
}

// test reads a universal test ID: ^^^manufacturer's code, or a LOINC code first.
func (s *lis2Stream) test(d *event.MedicalDevice, r astm.Record, field int) {
	for _, n := range []int{1, 4, 2} {
		v := s.text(r.Comp(field, n))
		if v != "" && len(v) <= short && !strings.Contains(v, " ") {
			d.Observations = addOnce(d.Observations, v, maxList)
			return
		}
	}
}
