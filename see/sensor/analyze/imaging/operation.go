// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// operation is a request that waits for its (last) response.
type operation struct {
	d        *event.DICOMOperation
	field    dimse.Field // of the request
	from     analyze.Dir // who invoked it
	start    int64
	answered int64    // when the last response was seen
	bytes    uint64   // of the request's data set
	data     *dataset // of the request, while it is under way
	answer   *dataset // of a response that is read
	dataDone bool
	narrowed bool // a key of the query says whom or what it is for
	orphan   bool // its response came before its request, which may still come
	status   dimse.Status
	object   object
}

// object is what a data set says that must be kept until the end of the operation.
// The patient's identifiers are in clear here and nowhere else.
type object struct {
	patientID, issuer, accession                             string
	modality, manufacturer, model, station, serial, software string
	udi, institution, department, document                   string
	performedAE, performedStation, stepStatus                string
}

// kept returns where an attribute at the top level is kept, nil for one that is
// not.
func (op *operation) kept(t dicom.Tag) *string {
	o := &op.object
	switch t {
	case dicom.TagPatientID:
		return &o.patientID
	case dicom.TagIssuerOfPatientID:
		return &o.issuer
	case dicom.TagAccessionNumber:
		return &o.accession
	case dicom.TagModality:
		return &o.modality
	case dicom.TagManufacturer:
		return &o.manufacturer
	case dicom.TagManufacturerModelName:
		return &o.model
	case dicom.TagStationName:
		return &o.station
	case dicom.TagDeviceSerialNumber:
		return &o.serial
	case dicom.TagSoftwareVersions:
		return &o.software
	case dicom.TagInstitutionName:
		return &o.institution
	case dicom.TagInstitutionalDepartmentName:
		return &o.department
	case dicom.TagMIMETypeOfEncapsulatedDocument:
		return &o.document
	case dicom.TagPerformedStationAETitle:
		return &o.performedAE
	case dicom.TagPerformedStationName:
		return &o.performedStation
	case dicom.TagPerformedProcedureStepStatus:
		return &o.stepStatus
	}
	return nil
}

// activities are the activity numbers of event.DICOMOperation.
var activities = map[dimse.Field]uint8{
	dimse.CEchoRQ: 1, dimse.CStoreRQ: 2, dimse.CFindRQ: 3, dimse.CMoveRQ: 4, dimse.CGetRQ: 5, dimse.CCancelRQ: 6,
	dimse.NEventReportRQ: 7, dimse.NGetRQ: 8, dimse.NSetRQ: 9, dimse.NActionRQ: 10, dimse.NCreateRQ: 11, dimse.NDeleteRQ: 12,
}

func (op *operation) suspect(what string) {
	if len(op.d.Suspicious) < maxSuspicious && !slices.Contains(op.d.Suspicious, what) {
		op.d.Suspicious = append(op.d.Suspicious, what)
	}
}

// uid returns a UID for an event. What is none (PS3.5 §9.1) does not leave: it may
// be a path, a command or a name.
func (op *operation) uid(value []byte) string {
	return op.uidString(dicom.TrimString(value))
}

func (op *operation) uidString(s string) string {
	if s == "" || dicom.ValidUID(s) {
		return s
	}
	op.suspect("invalid-uid")
	for i := range len(s) {
		if s[i] != '.' && (s[i] < '0' || s[i] > '9') {
			return ""
		}
	}
	return s[:min(len(s), dicom.MaxUID)]
}

// command takes a complete command set.
func (s *stream) command(c *analyze.Conn, dir analyze.Dir, m *dimse.Message) {
	cmd := &m.Command
	a := &s.assoc
	if !a.known {
		a.requestor = dir
		if (cmd.Field.Request() == dimse.NEventReportRQ) != cmd.Field.IsResponse() {
			a.requestor = dir.Other()
		}
		a.known = true
	}
	if !a.established {
		a.established = true
		a.announceRequest(c) // its answer was not captured
		a.incomplete = true
	}
	s.service(c, a.requestor)
	h := &s.halves[dir]
	d := h.slots[m.Slot]
	if d != nil && d.op != nil { // its data set never ended
		d.op.d.Incomplete = true
		d.abandon()
	}
	op := s.match(c, dir, m)
	if op == nil || !cmd.HasDataSet() || cmd.Field.IsResponse() && !op.worklist(c, cmd) {
		return
	}
	if d == nil {
		d = new(dataset)
		h.slots[m.Slot] = d
	}
	if cmd.Field.IsResponse() {
		d.begin(op, modeScheduled, op.d.TransferSyntax)
		op.answer = d
		return
	}
	kind := modeObject
	switch cmd.Field {
	case dimse.CFindRQ, dimse.CMoveRQ, dimse.CGetRQ:
		kind = modeQuery
	}
	d.begin(op, kind, op.d.TransferSyntax)
	op.data = d
}

// match joins a command to its operation, or begins one.
func (s *stream) match(c *analyze.Conn, dir analyze.Dir, m *dimse.Message) *operation {
	cmd := &m.Command
	switch {
	case cmd.Field == dimse.CCancelRQ:
		s.cancel(c, dir, m)
		return nil
	case cmd.Field.IsResponse():
		op := s.find(dir.Other(), cmd.RespondedTo)
		if op != nil && op.field != cmd.Field.Request() {
			s.end(c, op)
			op = nil
		}
		if op == nil {
			s.makeRoom(c, dir.Other())
			op = s.begin(c, dir.Other(), m, cmd.RespondedTo)
			op.orphan, op.d.Incomplete = true, true
		}
		s.respond(c, op, cmd)
		return op
	}
	old := s.find(dir, cmd.MessageID)
	if old != nil && old.orphan && old.field == cmd.Field {
		return s.adopt(c, old, m)
	}
	if old != nil {
		s.end(c, old)
	}
	s.makeRoom(c, dir)
	op := s.begin(c, dir, m, cmd.MessageID)
	s.count(cmd.Field)
	return op
}

// adopt takes a request whose response was already there, as it happens when the
// direction of the request has a hole that is waited for.
func (s *stream) adopt(c *analyze.Conn, op *operation, m *dimse.Message) *operation {
	seen := op.d
	op.d = s.newDetail(op, m, seen.MessageID)
	op.d.Answered, op.d.Results, op.d.ErrorComment, op.d.Scheduled = seen.Answered, seen.Results, seen.ErrorComment, seen.Scheduled
	op.d.Remaining, op.d.Completed, op.d.Failed, op.d.Warning = seen.Remaining, seen.Completed, seen.Failed, seen.Warning
	op.orphan = false
	s.count(op.field)
	if !m.Command.HasDataSet() && op.final() {
		s.end(c, op)
		return nil
	}
	return op
}

// final reports whether the last response was seen.
func (op *operation) final() bool {
	return op.d.Answered && op.status.Category() != dimse.Pending
}

func (s *stream) count(f dimse.Field) {
	for i := range s.assoc.operations {
		if o := &s.assoc.operations[i]; o.service == f {
			o.times++
			return
		}
	}
	s.assoc.operations = append(s.assoc.operations, counted{f, 1})
}

// window is how many operations may be outstanding. Without asynchronous
// operations it would be one (PS3.7 §D.3.3.3); a few more are waited for, because
// the two directions of a capture do not arrive in step.
func (s *stream) window() int {
	if ac := s.assoc.ac; ac != nil && ac.User.Async {
		n := int(max(ac.User.AsyncInvoked, ac.User.AsyncPerformed))
		if n == 0 || n > MaxOutstanding { // 0: unlimited
			n = MaxOutstanding
		}
		return max(n, 8)
	}
	return 8
}

// makeRoom gives up the operation of one direction that has waited longest, when
// as many wait as may.
func (s *stream) makeRoom(c *analyze.Conn, from analyze.Dir) {
	var oldest *operation
	n := 0
	for _, op := range s.ops {
		if op.from != from {
			continue
		}
		if n++; oldest == nil {
			oldest = op
		}
	}
	if n >= s.window() {
		s.end(c, oldest)
	}
}

func (s *stream) find(from analyze.Dir, id uint16) *operation {
	for _, op := range s.ops {
		if op.from == from && op.d.MessageID == id {
			return op
		}
	}
	return nil
}

func (s *stream) begin(c *analyze.Conn, from analyze.Dir, m *dimse.Message, id uint16) *operation {
	cmd := &m.Command
	op := &operation{field: cmd.Field.Request(), from: from, start: c.Now}
	op.d = s.newDetail(op, m, id)
	s.roles(c, op, s.assoc.context(m.Context))
	s.ops = append(s.ops, op)
	return op
}

func (s *stream) newDetail(op *operation, m *dimse.Message, id uint16) *event.DICOMOperation {
	cmd := &m.Command
	op.d = &event.DICOMOperation{
		Command: op.field.Service(), MessageID: id,
		CallingAE: s.assoc.callingAE(), CalledAE: s.assoc.calledAE(),
		EventType: cmd.EventType, ActionType: cmd.ActionType,
		MoveDestination: cmd.MoveDestination, MoveOriginator: cmd.MoveOriginator,
		FromAcceptor: op.from != s.assoc.requestor,
	}
	d := op.d
	d.SOPClass = op.uidString(cmd.SOPClass())
	d.SOPInstance = op.uidString(cmd.SOPInstance())
	if x := s.assoc.context(m.Context); x != nil {
		d.TransferSyntax = x.transfer
		if d.SOPClass == "" {
			d.SOPClass = op.uidString(x.abstract)
		}
		if x.answer && !x.accepted {
			d.Malformed = "a presentation context is used that was not accepted (PS3.8 §7.6)"
		}
	}
	d.SOPClassName = dicom.UIDName(d.SOPClass)
	for _, t := range cmd.AttributeList {
		d.QueryKeys = addKey(d.QueryKeys, t)
	}
	if shellMeta(d.CallingAE) || shellMeta(d.CalledAE) || shellMeta(d.MoveDestination) || shellMeta(d.MoveOriginator) {
		op.suspect("shell-metacharacters-in-ae-title")
	}
	if dicom.IsEncapsulatedDocument(d.SOPClass) && op.field == dimse.CStoreRQ {
		op.suspect(documentName(d.SOPClass))
	}
	return d
}

// documentName names an encapsulated document class: "encapsulated-pdf".
func documentName(class string) string {
	name := strings.TrimSuffix(strings.TrimPrefix(dicom.UIDName(class), "Encapsulated "), " Storage")
	if name == "" {
		name = "document"
	}
	return "encapsulated-" + strings.ToLower(name)
}

func other(s analyze.Side) analyze.Side { return s ^ 1 }

// respond takes a response. The last one ends the operation.
func (s *stream) respond(c *analyze.Conn, op *operation, cmd *dimse.Command) {
	d := op.d
	op.status, op.answered, d.Answered = cmd.Status, c.Now, true
	d.Remaining = nil // told only while operations remain
	if d.SOPInstance == "" {
		d.SOPInstance = op.uidString(cmd.SOPInstance())
	}
	for _, n := range []struct {
		has dimse.Present
		p   **uint16
		v   uint16
	}{
		{dimse.HasRemaining, &d.Remaining, cmd.Remaining}, {dimse.HasCompleted, &d.Completed, cmd.Completed},
		{dimse.HasFailed, &d.Failed, cmd.Failed}, {dimse.HasWarning, &d.Warning, cmd.Warning},
	} {
		if cmd.Has(n.has) {
			v := n.v
			*n.p = &v
		}
	}
	if cmd.ErrorComment != "" {
		d.ErrorComment = analyze.Clean([]byte(safeComment(cmd.ErrorComment)))
	}
	if cmd.Status.Category() == dimse.Pending {
		if cmd.HasDataSet() {
			d.Results++
		}
		return
	}
	if !op.orphan {
		s.end(c, op)
	}
}

// cancel reports a C-CANCEL, which has no response of its own (PS3.7 §9.3.2.3).
func (s *stream) cancel(c *analyze.Conn, dir analyze.Dir, m *dimse.Message) {
	op := s.begin(c, dir, m, m.Command.RespondedTo)
	s.ops = s.ops[:len(s.ops)-1]
	s.count(dimse.CCancelRQ)
	s.emitOperation(c, op)
}

// flush ends every outstanding operation.
func (s *stream) flush(c *analyze.Conn) {
	for len(s.ops) > 0 {
		s.end(c, s.ops[0])
	}
}

// end takes an operation from the outstanding ones and reports it.
func (s *stream) end(c *analyze.Conn, op *operation) {
	s.ops = slices.DeleteFunc(s.ops, func(o *operation) bool { return o == op })
	if op.data != nil { // its data set is still under way
		op.d.Incomplete = op.d.Incomplete || !op.d.Answered
		op.data.op = nil
		op.data = nil
	}
	if op.answer != nil {
		op.answer.op, op.answer = nil, nil
	}
	s.emitOperation(c, op)
}

func (s *stream) emitOperation(c *analyze.Conn, op *operation) {
	d, o := op.d, &op.object
	if op.field == dimse.CFindRQ {
		op.judgeQuery()
	}
	d.Bytes = op.bytes
	d.Modality, d.Manufacturer, d.ModelName = o.modality, o.manufacturer, o.model
	d.StationName, d.DeviceSerial, d.SoftwareVersions, d.DeviceUDI = o.station, o.serial, o.software, o.udi
	if d.StationName == "" {
		d.StationName = o.performedStation
	}
	d.DocumentType, d.StepStatus, d.PerformedAE = o.document, o.stepStatus, o.performedAE
	id := o.patientID
	if id != "" && o.issuer != "" {
		id += "^^^" + o.issuer // as HL7 writes an identifier with its assigning authority (CX)
	}
	d.PatientRef = c.Pseudonym(pseudonym.PatientID, id)
	d.AccessionRef = c.Pseudonym(pseudonym.Accession, o.accession)
	s.learn(c, op)
	*o = object{}
	if !c.Full() {
		c.Note(event.ClassDICOMOperation)
		return
	}
	e := &event.Event{Activity: activities[op.field], Severity: finding.Info, Detail: d}
	if d.Answered {
		d.Status, d.StatusName = uint16(op.status), op.status.Name(op.field)
		if op.answered > op.start { // not for a request that came after its response
			d.DurationMS = (op.answered - op.start) / 1e6
		}
		e.StatusCode, e.StatusDetail = op.status.String(), d.StatusName
		switch op.status.Category() {
		case dimse.Success, dimse.Warning:
			e.Status = event.StatusSuccess
		case dimse.Failure:
			e.Status, e.Severity = event.StatusFailure, finding.Low
		}
	}
	for _, what := range d.Suspicious {
		if strings.HasPrefix(what, "executable-") || strings.HasPrefix(what, "script-") {
			e.Severity = finding.Medium
		}
	}
	e.Message = s.sentence(op)
	c.Emit(e)
}

// learn takes from an operation what it says about devices, and the totals.
func (s *stream) learn(c *analyze.Conn, op *operation) {
	switch op.field {
	case dimse.CStoreRQ:
		cat := op.status.Category()
		if op.d.Answered && (cat == dimse.Success || cat == dimse.Warning) || !op.d.Answered && op.dataDone {
			s.assoc.objects++
			s.assoc.bytes += op.bytes
			if op.object != (object{}) {
				// Objects that a retrieve brings were made by somebody else (PS3.4 §C.4.2, §C.4.3).
				forwarded := op.d.MoveOriginator != "" || op.d.FromAcceptor
				s.assoc.made.add(op.from, &op.object, forwarded)
			}
		}
	case dimse.NCreateRQ, dimse.NSetRQ:
		if op.d.SOPClass != dicom.UIDMPPS {
			return
		}
		// PS3.4 §F.7: the SCU of a performed procedure step is the modality that performs it.
		side := c.SideOf(op.from)
		c.Evidence(side, device.AttrModality, op.object.modality, "dicom.mpps.modality", device.Claimed)
		c.Evidence(side, device.AttrAETitle, op.object.performedAE, "dicom.mpps.performed-station-ae", device.Claimed)
		c.Evidence(side, device.AttrHostname, op.object.performedStation, "dicom.mpps.performed-station-name", device.Claimed)
	}
}

// sentence tells an operation to a person.
func (s *stream) sentence(op *operation) string {
	d := op.d
	from, to := s.assoc.calling(), s.assoc.called()
	if d.FromAcceptor {
		from, to = to, from
	}
	what := named(d.SOPClassName, "a private SOP class")
	var m string
	switch op.field {
	case dimse.CEchoRQ:
		m = fmt.Sprintf("%s echoed %s", from, to)
	case dimse.CStoreRQ:
		m = fmt.Sprintf("%s stored an object (%s, %d bytes) at %s", from, what, d.Bytes, to)
	case dimse.CFindRQ:
		m = fmt.Sprintf("%s queried %s by %s, %d results", from, to, named(strings.Join(d.MatchingKeys, ", "), "no key"), d.Results)
	case dimse.CMoveRQ:
		m = fmt.Sprintf("%s asked %s to send objects to %s", from, to, named(d.MoveDestination, "an unnamed destination"))
	case dimse.CGetRQ:
		m = fmt.Sprintf("%s retrieved objects from %s", from, to)
	case dimse.CCancelRQ:
		return fmt.Sprintf("%s cancelled operation %d at %s", from, d.MessageID, to)
	default:
		m = fmt.Sprintf("%s sent %s to %s for %s", from, d.Command, to, what)
	}
	if d.Completed != nil {
		m += fmt.Sprintf(", %d sub-operations completed", *d.Completed)
	}
	if d.Failed != nil && *d.Failed > 0 {
		m += fmt.Sprintf(", %d failed", *d.Failed)
	}
	if !d.Answered {
		return m + ": no answer was seen"
	}
	return m + ": " + d.StatusName
}
