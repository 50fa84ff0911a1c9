// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/charset"
	"github.com/asepsis/asepsis/wire/hl7"
	"github.com/asepsis/asepsis/wire/mllp"
)

// maxValue is how much of a field is read.
const maxValue = 512

// value decodes a field: escapes replaced, made fit for events.
func (s *hl7Stream) value(f hl7.Field) string {
	if f.Empty() || f.Null() {
		return ""
	}
	s.text, _ = f.AppendText(s.text[:0], maxValue)
	for _, b := range s.text {
		if b >= 0x80 || b == 0x1B {
			return analyze.Clean(s.inUTF8())
		}
	}
	return analyze.Clean(s.text)
}

// inUTF8 converts the text that was just read from the character set of its message.
func (s *hl7Stream) inUTF8() []byte {
	var names [4][]byte
	n := min(s.declared.Reps(), len(names))
	for i := range n {
		names[i] = s.declared.Rep(i + 1).Raw()
	}
	s.utf8, _ = charset.HL7(names[:n]...).Append(s.utf8[:0], s.text, charset.Text)
	return s.utf8
}

// hd gives the name of a hierarchic designator: its namespace, or else its
// universal ID.
func (s *hl7Stream) hd(f hl7.Field) string {
	if v := s.value(f.Comp(1)); v != "" {
		return v
	}
	return s.value(f.Comp(2))
}

// parties reads the sender and receiver, which stand in the same fields of MSH,
// FHS and BHS.
func (s *hl7Stream) parties(d *event.HL7Message, h hl7.Segment) {
	d.SendingApp, d.SendingFacility = s.hd(h.Field(3)), s.hd(h.Field(4))
	d.ReceivingApp, d.ReceivingFacility = s.hd(h.Field(5)), s.hd(h.Field(6))
}

// describe reads a message into an event's detail and gives its evidence.
func (s *hl7Stream) describe(c *analyze.Conn, dir analyze.Dir, m *hl7.Message) *event.HL7Message {
	h := m.Header()
	d := new(event.HL7Message)
	full := c.Full() // else only evidence is wanted, and what tells messages apart
	s.declared = h.Field(18)
	s.parties(d, h)
	f := h.Field(9)
	d.Type, d.Trigger = code(s.value(f.Comp(1))), code(s.value(f.Comp(2)))
	d.ControlID = analyze.CleanN(h.Field(10).Raw(), short)
	if full {
		d.Structure = code(s.value(f.Comp(3)))
		d.ProcessingID = code(s.value(h.Field(11).Comp(1)))
		d.Version = analyze.CleanN(h.Field(12).Comp(1).Raw(), 16)
		d.CharacterSet = analyze.CleanN(h.Field(18).Rep(1).Raw(), 32)
		if m.Delimiters != hl7.Usual {
			d.Delimiters = m.Delimiters.String()
		}
		d.Segments = segmentNames(m)
	}
	r := deviceReader{s: s}
	s.codes = s.codes[:0]
	answer := false
	for _, seg := range m.Segments {
		if full {
			s.content(c, d, seg)
		}
		switch {
		case seg.Is("MSA"):
			answer = true
		case seg.Is("PV1"):
			s.visit(c, d, seg) // its location is evidence, too
		case seg.Is("OBR"):
			r.service(seg)
		case seg.Is("OBX"):
			r.observation(seg)
		case seg.Is("PRT"):
			r.participation(seg)
		case seg.Is("DEV"):
			r.device(seg)
		case seg.Is("EQU"):
			r.equipment(seg)
		}
	}
	if full && bytes.IndexByte(h.Raw(), m.Escape) >= 0 {
		s.suspect(d, h)
	}
	s.applications(c, dir, d, answer)
	d.Devices = r.devices()
	s.deviceEvidence(c, dir, d, &r, h)
	return d
}

// content reads what only events show of a segment.
func (s *hl7Stream) content(c *analyze.Conn, d *event.HL7Message, seg hl7.Segment) {
	switch seg.Name() {
	case "PID":
		s.patient(c, d, seg)
	case "ORC":
		if d.OrderControl == "" {
			d.OrderControl = code(s.value(seg.Field(1)))
		}
		s.order(c, d, seg)
	case "OBR":
		s.order(c, d, seg)
	case "OBX":
		d.ObservationCount++
		if raw := seg.Field(3).Raw(); !s.known(raw) {
			d.Observations = addOnce(d.Observations, s.observationCode(seg), maxList)
		}
		s.suspect(d, seg)
	case "NTE":
		s.suspect(d, seg)
	case "SCH", "AIL", "AIS", "TQ1":
		s.schedule(c, d, seg)
	}
}

// code accepts what can be a code: no spaces, no more than the standard allows.
// Anything else may be text that was put into the wrong field.
func code(v string) string {
	if len(v) > 32 || strings.ContainsAny(v, " ,;") {
		return ""
	}
	return v
}

// known reports whether an OBX-3 was read in this message, and remembers it.
func (s *hl7Stream) known(raw []byte) bool {
	for _, c := range s.codes {
		if bytes.Equal(c, raw) {
			return true
		}
	}
	if len(s.codes) < maxList {
		s.codes = append(s.codes, raw)
	}
	return false
}

// observationCode is OBX-3 as "code^system". The text and the alternates are
// left out, and so is a code that looks like free text.
func (s *hl7Stream) observationCode(obx hl7.Segment) string {
	f := obx.Field(3)
	v := s.value(f.Comp(1))
	if v == "" || len(v) > short || strings.Contains(v, " ") {
		return ""
	}
	if sys := code(s.value(f.Comp(3))); sys != "" {
		v += "^" + sys
	}
	return v
}

// patient reads PID: the identifier with its authority, the medical record
// number (MR) before others (PID-3), or the older PID-2 and PID-4.
func (s *hl7Stream) patient(c *analyze.Conn, d *event.HL7Message, pid hl7.Segment) {
	if d.PatientRef != "" {
		return
	}
	ids := pid.Field(3)
	pick := ids.Rep(1)
	for i := 1; i <= min(ids.Reps(), 16); i++ {
		if r := ids.Rep(i); string(r.Comp(5).Raw()) == "MR" {
			pick = r
			break
		}
	}
	for _, f := range []hl7.Field{pick, pid.Field(2), pid.Field(4)} {
		if d.PatientRef = patientRef(c, s.value(f.Comp(1)), s.value(f.Comp(4).Sub(1))); d.PatientRef != "" {
			break
		}
	}
	if d.VisitRef == "" {
		d.VisitRef = c.Pseudonym(pseudonym.Visit, s.value(pid.Field(18).Comp(1)))
	}
}

// visit reads PV1. PV1-3 is point of care ^ room ^ bed: the bed is left out.
func (s *hl7Stream) visit(c *analyze.Conn, d *event.HL7Message, pv1 hl7.Segment) {
	d.PatientClass = code(s.value(pv1.Field(2)))
	loc := pv1.Field(3)
	room := s.value(loc.Comp(2))
	if !wordOnly(room) && !wordOnly(s.value(loc.Comp(3))) {
		d.Location = s.value(loc.Comp(1))
		if room != "" {
			d.Location = strings.TrimPrefix(d.Location+"/"+room, "/")
		}
	}
	if v := s.value(pv1.Field(19).Comp(1)); v != "" {
		d.VisitRef = c.Pseudonym(pseudonym.Visit, v)
	}
}

// wordOnly reports a value that is a word in mixed or lower case. Rooms and beds
// have numbers or codes; senders that shift a field put a physician's name here.
func wordOnly(v string) bool {
	lower := false
	for _, r := range v {
		if r >= '0' && r <= '9' {
			return false
		}
		lower = lower || unicode.IsLower(r)
	}
	return lower
}

// order reads the placer's or else the filler's number of ORC or OBR.
func (s *hl7Stream) order(c *analyze.Conn, d *event.HL7Message, seg hl7.Segment) {
	for _, n := range []int{2, 3} {
		if d.OrderRef == "" {
			d.OrderRef = c.Pseudonym(pseudonym.Order, s.value(seg.Field(n).Comp(1)))
		}
	}
}

// schedule reads what SIU messages say about the room.
func (s *hl7Stream) schedule(c *analyze.Conn, d *event.HL7Message, seg hl7.Segment) {
	if d.Schedule == nil {
		if seg.Is("TQ1") {
			return // of an order, not of an appointment
		}
		d.Schedule = new(event.HL7Schedule)
	}
	p := d.Schedule
	set := func(to *string, v string) {
		if *to == "" {
			*to = v
		}
	}
	switch seg.Name() {
	case "SCH":
		for _, n := range []int{2, 1} { // filler's before placer's
			if p.Appointment == "" {
				p.Appointment = c.Pseudonym(pseudonym.Order, s.value(seg.Field(n).Comp(1)))
			}
		}
		set(&p.Status, code(s.value(seg.Field(25).Comp(1))))
		set(&p.Start, dtm(s.value(seg.Field(11).Comp(4))))
		set(&p.End, dtm(s.value(seg.Field(11).Comp(5))))
	case "TQ1":
		set(&p.Start, dtm(s.value(seg.Field(7).Comp(1))))
		set(&p.End, dtm(s.value(seg.Field(8).Comp(1))))
	case "AIL":
		room := seg.Field(3)
		set(&p.Room, s.value(room.Comp(1)))
		set(&p.Start, dtm(s.value(seg.Field(6).Comp(1))))
	case "AIS":
		set(&p.Service, code(s.value(seg.Field(3).Comp(1))))
		set(&p.Start, dtm(s.value(seg.Field(4).Comp(1))))
	}
}

// dtm accepts an HL7 date and time (§2.A.22), as sent.
func dtm(v string) string {
	if len(v) < 4 || len(v) > 26 {
		return ""
	}
	for i := 0; i < len(v); i++ {
		if (v[i] < '0' || v[i] > '9') && v[i] != '.' && v[i] != '+' && v[i] != '-' {
			return ""
		}
	}
	return v
}

// segmentNames lists the segments in order, runs collapsed.
func segmentNames(m *hl7.Message) []string {
	var out []string
	for i := 0; i < len(m.Segments) && len(out) < maxList; {
		name := m.Segments[i].Name()
		j := i + 1
		for j < len(m.Segments) && m.Segments[j].Is(name) {
			j++
		}
		if j-i > 1 {
			name += "*" + strconv.Itoa(j-i)
		}
		out = append(out, name)
		i = j
	}
	return out
}

var queries = map[string]bool{"QRY": true, "QBP": true, "QVR": true, "QSB": true, "QCN": true, "QSX": true, "EQQ": true, "SPQ": true, "VQQ": true, "RQQ": true, "QCK": true, "RQC": true, "RQI": true, "RQP": true, "UDM": false}

func isQuery(m *hl7.Message, typ string) bool {
	if queries[typ] {
		return true
	}
	for _, n := range []string{"QPD", "QRD"} {
		if _, ok := m.Find(n); ok {
			return true
		}
	}
	return false
}

// malformed names the first thing that breaks the standard.
func malformed(m *hl7.Message, d *event.HL7Message, f mllp.Frame) string {
	switch {
	case f.End == mllp.Broken:
		return "incomplete: bytes were not captured"
	case f.End == mllp.Unended:
		return "frame without an end block (MLLP)"
	case f.End == mllp.Closed && !f.Bare:
		return "connection ended within the frame"
	case d.Type == "" && d.BatchMessages == 0:
		return "MSH-9 message type missing"
	case d.ControlID == "" && d.BatchMessages == 0:
		return "MSH-10 message control ID missing"
	case m.Odd > 0:
		return strconv.Itoa(m.Odd) + " lines are no segments"
	case m.Truncated:
		return "more than " + strconv.Itoa(hl7.MaxSegments) + " segments"
	}
	return ""
}

// suspect looks for content that no honest sender needs: segments smuggled in
// by an escape sequence, markup that a viewer could run, programs.
func (s *hl7Stream) suspect(d *event.HL7Message, seg hl7.Segment) {
	raw := seg.Raw()
	if len(raw) > 64<<10 {
		raw = raw[:64<<10]
	}
	add := func(v string) { d.Suspicious = addOnce(d.Suspicious, v, 8) }
	if seg.HasEscape() {
		s.fields = seg.Fields(s.fields[:0])
		for _, f := range s.fields {
			var bad int
			if s.text, bad = f.AppendText(s.text[:0], 4096); bad > 0 && !seg.IsHeader() {
				add("bad-escape")
			}
			if smuggled(s.text, s.msg.Field) {
				add("embedded-segment")
			}
		}
	}
	if containsFold(raw, "<script") || containsFold(raw, "javascript:") {
		add("markup")
	}
	if seg.Is("OBX") && string(seg.Field(2).Raw()) == "ED" {
		v := seg.Field(5)
		for i := 1; i <= min(v.Comps(), 5); i++ {
			b := v.Comp(i).Raw()
			if bytes.HasPrefix(b, []byte("TVqQ")) || bytes.HasPrefix(b, []byte("f0VMR")) { // MZ and ELF in base64
				add("executable")
			}
		}
	}
}

// smuggled reports a decoded line end that is followed by a segment: a name and the
// field separator, or, at the end of the field, the name of a usual segment, since
// the separator that follows need not be escaped. A line end alone is how many
// systems write paragraphs.
func smuggled(b []byte, separator byte) bool {
	for {
		i := bytes.IndexAny(b, "\r\x0b")
		if i < 0 || len(b) < i+4 {
			return false
		}
		b = b[i+1:]
		named := b[0] >= 'A' && b[0] <= 'Z'
		for _, c := range b[1:3] {
			named = named && (c >= 'A' && c <= 'Z' || c >= '0' && c <= '9')
		}
		if named && (len(b) > 3 && b[3] == separator || len(b) == 3 && usualSegment(string(b))) {
			return true
		}
	}
}

func usualSegment(name string) bool {
	switch name {
	case "MSH", "PID", "PV1", "ORC", "OBR", "OBX", "NTE", "RXE", "RXO", "RXA", "RXR", "AL1", "DG1", "PRT":
		return true
	}
	return false
}

func containsFold(b []byte, what string) bool {
	first := what[0]
	for {
		i := bytes.IndexByte(b, first)
		if i < 0 || len(b)-i < len(what) {
			return false
		}
		if bytes.EqualFold(b[i:i+len(what)], []byte(what)) {
			return true
		}
		b = b[i+1:]
	}
}

// errorCodes reads ERR-3 (2.5 and later), ERR-1 component 4 (before) and MSA-6.
func (s *hl7Stream) errorCodes(msa hl7.Segment) []string {
	var out []string
	for _, seg := range s.msg.Segments {
		if !seg.Is("ERR") {
			continue
		}
		v := code(s.value(seg.Field(3).Comp(1)))
		if v == "" {
			v = code(s.value(seg.Field(1).Comp(4).Sub(1)))
		}
		out = addOnce(out, v, 8)
	}
	return addOnce(out, code(s.value(msa.Field(6).Comp(1))), 8)
}

// errorName gives the meaning of the first code (HL7 table 0357). The peer's own
// text (MSA-3, ERR-8) often names the patient: it is not used.
func errorName(codes []string) string {
	if len(codes) == 0 {
		return ""
	}
	switch codes[0] {
	case "100":
		return "segment sequence error"
	case "101":
		return "required field missing"
	case "102":
		return "data type error"
	case "103":
		return "table value not found"
	case "200":
		return "unsupported message type"
	case "201":
		return "unsupported event code"
	case "202":
		return "unsupported processing ID"
	case "203":
		return "unsupported version ID"
	case "204":
		return "unknown key identifier"
	case "205":
		return "duplicate key identifier"
	case "206":
		return "application record locked"
	case "207":
		return "application internal error"
	}
	return ""
}
