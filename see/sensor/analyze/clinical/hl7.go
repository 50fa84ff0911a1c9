// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"bytes"
	"hash/maphash"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/hl7"
	"github.com/asepsis/asepsis/wire/mllp"
)

// maxWaiting bounds the messages of one direction that wait for an answer.
const maxWaiting = 32

// maxBatchIDs bounds the control IDs of a batch by which it is found again.
const maxBatchIDs = 256

// HL7 is the analyser of HL7 v2 over MLLP or bare TCP.
func HL7() analyze.Protocol {
	return analyze.Protocol{
		Name:      "hl7",
		Probe:     probeHL7,
		NewStream: func(*analyze.Conn) analyze.Stream { return &hl7Stream{seed: maphash.MakeSeed()} },
	}
}

// probeHL7 accepts a header with plausible delimiters at the start, framed or
// bare, and in the middle of a connection after a start block.
func probeHL7(c *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	b := bytes.TrimLeft(head, "\r\n \x1c")
	if len(b) > 0 && b[0] == mllp.StartBlock {
		b = b[1:]
	} else if len(b) == 0 {
		return analyze.Maybe
	}
	if m := probeHeader(b); m != analyze.No {
		return m
	}
	if !c.MidStream {
		return analyze.No
	}
	for rest := head; ; {
		i := bytes.IndexByte(rest, mllp.StartBlock)
		if i < 0 {
			return analyze.Maybe
		}
		rest = rest[i+1:]
		if probeHeader(rest) == analyze.Yes {
			return analyze.Yes
		}
	}
}

func probeHeader(b []byte) analyze.Match {
	if len(b) < 9 {
		for _, h := range []string{"MSH", "FHS", "BHS"} {
			if n := min(len(b), 3); string(b[:n]) == h[:n] {
				return analyze.Maybe
			}
		}
		return analyze.No
	}
	// At least two encoding characters and the separator after them: the odds
	// of anything else are nil.
	if hl7.IsHeader(b) && bytes.IndexByte(b[4:min(len(b), 10)], b[3]) >= 2 {
		return analyze.Yes
	}
	return analyze.No
}

// waiting is a message whose answer has not come.
type waiting struct {
	e   *event.Event
	m   *event.HL7Message
	ids []uint64 // of the messages in a batch
	app bool     // an application acknowledgement is due after the commit one
}

type hl7Stream struct {
	seed    maphash.Seed
	scan    [2]mllp.Scanner
	msg     hl7.Message
	wait    [2][]waiting
	bad     int
	good    int
	devices [2]behind
	fields  []hl7.Field
	codes   [][]byte // OBX-3 of the message being read
	text    []byte

	declared hl7.Field // MSH-18 of the message being read, valid that long
	utf8     []byte    // text converted
}

// Held implements analyze.Holder.
func (s *hl7Stream) Held() int { return s.scan[0].Held() + s.scan[1].Held() }

// Data implements analyze.Stream.
func (s *hl7Stream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	// A bare message has no end of its own: the peer's answer is its end.
	if peer := dir.Other(); s.scan[peer].InFrame() {
		s.flushBare(c, peer)
	}
	s.scan[dir].Write(data, func(f mllp.Frame) { s.frame(c, dir, f) })
	if s.good == 0 && s.bad > 4 {
		return int64(len(data)), analyze.Reject
	}
	return int64(len(data)), analyze.More
}

func (s *hl7Stream) flushBare(c *analyze.Conn, dir analyze.Dir) {
	if s.scan[dir].Bare() {
		s.scan[dir].Flush(func(f mllp.Frame) { s.frame(c, dir, f) }, mllp.Ended)
	}
}

// Gap implements analyze.Stream: the frame that lost bytes is given up as it
// is, the next one is found by its start block.
func (s *hl7Stream) Gap(c *analyze.Conn, dir analyze.Dir, _ int64) analyze.Verdict {
	s.scan[dir].Gap(func(f mllp.Frame) { s.frame(c, dir, f) })
	return analyze.More
}

// Close implements analyze.Stream.
func (s *hl7Stream) Close(c *analyze.Conn, _ analyze.End) {
	for _, dir := range []analyze.Dir{analyze.ToServer, analyze.ToClient} {
		s.scan[dir].Flush(func(f mllp.Frame) { s.frame(c, dir, f) }, mllp.Closed)
	}
	for dir := range s.wait {
		for _, w := range s.wait[dir] {
			c.Emit(w.e)
		}
		s.wait[dir] = nil
	}
}

// frame takes the content of one frame.
func (s *hl7Stream) frame(c *analyze.Conn, dir analyze.Dir, f mllp.Frame) {
	if len(f.Head) == 1 && (f.Head[0] == 0x06 || f.Head[0] == 0x15) {
		s.commit(c, dir, f.Head[0] == 0x06)
		return
	}
	if err := s.msg.Parse(f.Head); err != nil {
		s.bad++
		if s.good > 0 && f.Size > 0 && s.bad <= 16 {
			c.Emit(&event.Event{
				Activity: 1, Severity: finding.Low, Status: event.StatusFailure,
				Message: "A frame that is no HL7 message was sent on an HL7 connection",
				Detail:  &event.HL7Message{Bytes: uint64(f.Size), Malformed: err.Error()},
			})
		}
		return
	}
	if s.good++; s.good == 1 {
		s.roles(c, dir)
		c.Service("hl7")
	}
	m := &s.msg
	if m.IsBatch() {
		s.batch(c, dir, f)
		return
	}
	if !m.Header().Is("MSH") {
		return // batch headers without a message
	}
	d := s.describe(c, dir, m)
	d.Bytes = uint64(f.Size)
	d.Malformed = malformed(m, d, f)
	if msa, ok := m.Find("MSA"); ok {
		s.answer(c, dir, d, msa)
		return
	}
	s.send(c, dir, m, d, nil)
}

// roles corrects who is the client in a connection whose opening was not seen:
// the side that sends messages opened it, the side that answers was opened.
func (s *hl7Stream) roles(c *analyze.Conn, dir analyze.Dir) {
	if !c.MidStream {
		return
	}
	_, answer := s.msg.Find("MSA")
	if (c.SideOf(dir) == analyze.Client) == answer {
		c.Flip()
	}
}

// send keeps a message until its answer comes, or emits it when none is due.
func (s *hl7Stream) send(c *analyze.Conn, dir analyze.Dir, m *hl7.Message, d *event.HL7Message, ids []uint64) {
	e := &event.Event{Time: c.Now, Activity: 1, Detail: d}
	if c.Full() {
		e.Message = s.sentence(d)
	}
	switch {
	case ids != nil:
		e.Activity = 4
	case isQuery(m, d.Type):
		e.Activity = 2
	}
	if d.Malformed != "" || len(d.Suspicious) > 0 {
		e.Severity = finding.Low
	}
	msh := m.Header()
	// §2.9.2: AL, ER, SU or NE, empty in the original mode.
	accept, app := string(msh.Field(15).Raw()), string(msh.Field(16).Raw())
	if msh.Is("MSH") && accept == "NE" && app == "NE" {
		c.Emit(e)
		return
	}
	if len(s.wait[dir]) >= maxWaiting {
		c.Emit(s.wait[dir][0].e)
		s.wait[dir] = append(s.wait[dir][:0], s.wait[dir][1:]...)
	}
	s.wait[dir] = append(s.wait[dir], waiting{e: e, m: d, ids: ids, app: app == "AL" || app == "SU"})
}

// answer takes a message with an MSA segment: an acknowledgement or a response.
func (s *hl7Stream) answer(c *analyze.Conn, dir analyze.Dir, d *event.HL7Message, msa hl7.Segment) {
	code := analyze.CleanN(msa.Field(1).Raw(), 8)
	id := analyze.CleanN(msa.Field(2).Raw(), short)
	errs := s.errorCodes(msa)
	from := s.wait[dir.Other()]
	at, matches := -1, false
	h := maphash.String(s.seed, id)
	for i := range from {
		if matches = from[i].m.ControlID == id && id != ""; !matches {
			for _, k := range from[i].ids {
				matches = matches || k == h
			}
		}
		if matches {
			at = i
			break
		}
	}
	if at < 0 && len(from) == 1 && id != "" {
		at = 0 // the only message that waits, with another's number
	}
	if at < 0 {
		d.AckCode, d.AckControlID, d.ErrorCodes, d.Answered = code, id, errs, true
		e := &event.Event{Activity: 3, Detail: d, StatusCode: code, Status: ackStatus(code), Message: "An acknowledgement " + code + " was sent for a message that was not seen"}
		c.Emit(e)
		return
	}
	w := from[at]
	w.m.AckCode, w.m.AckControlID, w.m.AckMatches, w.m.Answered = code, id, matches, true
	w.m.ErrorCodes = errs
	w.m.LatencyMS = (c.Now - w.e.Time) / 1_000_000
	w.e.StatusCode, w.e.Status = code, ackStatus(code)
	w.e.StatusDetail = errorName(errs)
	if w.e.Status == event.StatusFailure {
		w.e.Severity = max(w.e.Severity, finding.Low)
	}
	if code == "CA" && w.app && matches {
		return // the application's acknowledgement is still due
	}
	if c.Full() {
		w.e.Message = w.e.Message + ", answered " + code
		if d.Type != "ACK" && d.Type != "" {
			w.e.Message += " with " + messageName(d)
		}
	}
	c.Emit(w.e)
	s.wait[dir.Other()] = append(from[:at], from[at+1:]...)
}

// commit takes an acknowledgement of MLLP Release 2, which answers the oldest
// frame in flight. An application's acknowledgement follows in its own frame.
func (s *hl7Stream) commit(c *analyze.Conn, dir analyze.Dir, ok bool) {
	from := s.wait[dir.Other()]
	if ok || len(from) == 0 {
		return
	}
	w := from[0]
	w.m.AckCode, w.m.Answered = "MLLP NAK", true
	w.m.LatencyMS = (c.Now - w.e.Time) / 1_000_000
	w.e.StatusCode, w.e.Status, w.e.Severity = "NAK", event.StatusFailure, finding.Low
	c.Emit(w.e)
	s.wait[dir.Other()] = append(from[:0], from[1:]...)
}

func ackStatus(code string) event.Status {
	switch code {
	case "AA", "CA":
		return event.StatusSuccess
	case "AE", "AR", "CE", "CR":
		return event.StatusFailure
	}
	return event.StatusUnknown
}

// batch describes a batch or file as one event: who, which sort of messages,
// how many. Devices and codes are gathered from its messages.
func (s *hl7Stream) batch(c *analyze.Conn, dir analyze.Dir, f mllp.Frame) {
	var d *event.HL7Message
	ids := []uint64{}
	n := 0
	add := func(seg hl7.Segment, field int) {
		if id := analyze.CleanN(seg.Field(field).Raw(), short); id != "" && len(ids) < maxBatchIDs {
			ids = append(ids, maphash.String(s.seed, id))
		}
	}
	for m := range s.msg.Messages() {
		n++
		add(m.Header(), 10)
		if n > maxBatchIDs {
			continue
		}
		one := s.describe(c, dir, m)
		if d == nil {
			d = one
			continue
		}
		for _, o := range one.Observations {
			d.Observations = addOnce(d.Observations, o, maxList)
		}
		d.ObservationCount += one.ObservationCount
		for _, dev := range one.Devices {
			d.Devices = addDevice(d.Devices, dev)
		}
		for _, sus := range one.Suspicious {
			d.Suspicious = addOnce(d.Suspicious, sus, 8)
		}
		if one.PatientRef != d.PatientRef {
			d.PatientRef, d.VisitRef, d.OrderRef = "", "", "" // of several patients
		}
	}
	if d == nil {
		d = new(event.HL7Message)
	}
	head := s.msg.Header()
	if !head.Is("MSH") {
		s.declared = head.Field(18) // neither FHS nor BHS has one: it is empty
		s.parties(d, head)
		d.ControlID = analyze.CleanN(head.Field(11).Raw(), short)
	}
	for _, seg := range s.msg.Segments {
		if seg.Is("FHS") || seg.Is("BHS") {
			add(seg, 11)
		}
	}
	d.Segments = segmentNames(&s.msg)
	d.BatchMessages, d.Bytes = n, uint64(f.Size)
	d.Malformed = malformed(&s.msg, d, f)
	s.send(c, dir, &s.msg, d, ids)
}

func (s *hl7Stream) sentence(d *event.HL7Message) string {
	from, to := d.SendingApp, d.ReceivingApp
	if from == "" {
		from = "A system"
	}
	what := messageName(d)
	if d.BatchMessages > 0 {
		what = "a batch of " + what
	}
	if to == "" {
		return from + " sent " + what
	}
	return from + " sent " + what + " to " + to
}

func messageName(d *event.HL7Message) string {
	switch {
	case d.Type == "":
		return "a message without a type"
	case d.Trigger == "":
		return d.Type
	}
	return d.Type + "^" + d.Trigger
}

// source is the side that sent in a direction.
func source(c *analyze.Conn, dir analyze.Dir) analyze.Side { return c.SideOf(dir) }

func destination(c *analyze.Conn, dir analyze.Dir) analyze.Side { return c.SideOf(dir.Other()) }

var _ analyze.Stream = (*hl7Stream)(nil)

// applications gives the evidence about both ends from the header.
func (s *hl7Stream) applications(c *analyze.Conn, dir analyze.Dir, d *event.HL7Message, answer bool) {
	from, to := source(c, dir), destination(c, dir)
	c.Evidence(from, device.AttrHL7App, d.SendingApp, "hl7.msh-3", device.Claimed)
	c.Evidence(from, device.AttrHL7Facility, d.SendingFacility, "hl7.msh-4", device.Claimed)
	c.Evidence(to, device.AttrHL7App, d.ReceivingApp, "hl7.msh-5", device.Hint)
	c.Evidence(to, device.AttrHL7Facility, d.ReceivingFacility, "hl7.msh-6", device.Hint)
	if !answer && d.Type != "" {
		c.Evidence(from, device.AttrHL7Role, "sends:"+messageName(d), "hl7.msh-9", device.Claimed)
		c.Evidence(to, device.AttrHL7Role, "receives:"+messageName(d), "hl7.msh-9", device.Claimed)
	}
	if isEngine(d.SendingApp) {
		c.Evidence(from, device.AttrClass, string(device.ClassInterfaceEngine), "hl7.msh-3", device.Hint)
	}
}
