// SPDX-License-Identifier: Apache-2.0

package sdc

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/asepsis/asepsis/wire/xmltok"
)

// Looks reports whether b may begin a SOAP envelope: enough for a probe.
func Looks(b []byte) bool {
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(b) > 0 && b[0] == '<' && bytes.Contains(b[:min(len(b), 1024)], []byte("Envelope"))
}

// usualText is how long a text that is read mostly is, at most.
const usualText = 128

type reader struct {
	t    xmltok.Tokenizer
	e    *Envelope
	path [xmltok.MaxDepth][]byte
	text []byte // of the element that is open

	match   *Match
	mds     *MDS
	patient int      // depth of the patient context state, 0 outside
	state   int      // depth of the state that is open, 0 outside
	idents  []string // identifications of that state, until it is known whose
}

// Parse reads an envelope. It fails only when the root is none; a message that
// is cut gives what was readable, with Err and Truncated.
func Parse(b []byte) (*Envelope, error) {
	r := &reader{e: new(Envelope)}
	r.text = make([]byte, 0, usualText)
	r.t.Reset(b)
	t := &r.t
	if t.Next() != xmltok.Start || !t.Is("Envelope") {
		return nil, ErrNotSOAP
	}
	if s := string(t.Space()); s != NSEnvelope12 && s != NSEnvelope11 {
		return nil, ErrNotSOAP
	}
	r.path[0] = t.Local()
	for k := t.Next(); k != xmltok.None; k = t.Next() {
		switch k {
		case xmltok.Start:
			r.path[t.Depth()-1] = t.Local()
			r.text = r.text[:0]
			r.start()
		case xmltok.Text:
			if len(r.text) < MaxText {
				r.text = t.AppendText(r.text)
			}
		case xmltok.End:
			r.end()
			r.text = r.text[:0]
		}
	}
	if r.e.Err = t.Err(); r.e.Err != nil {
		r.e.Truncated = true
	}
	return r.e, nil
}

// up gives the name of the n-th ancestor of the element, nothing when there is
// none.
func (r *reader) up(n int) []byte {
	if i := r.t.Depth() - 1 - n; i >= 0 {
		return r.path[i]
	}
	return nil
}

func (r *reader) attr(name string) string {
	v := r.t.Attr(name)
	if bytes.IndexByte(v, '&') >= 0 {
		v = xmltok.AppendUnescaped(nil, v)
	}
	return clip(v)
}

func clip(b []byte) string {
	b = bytes.TrimSpace(b)
	if len(b) > MaxText {
		b = b[:MaxText]
	}
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\ufffd")
}

// spaceName is clip for the name of a namespace. The usual ones are shared.
func spaceName(b []byte) string {
	for _, s := range [...]string{NSDiscovery, NSDPWS, NSMDPWS, NSMessage, NSParticipant, NSEventing, NSTransfer, NSMetadata, NSDiscovery05, NSDPWS06, NSWindowsWSDP, NSPrinterWSD} {
		if string(b) == s {
			return s
		}
	}
	return clip(b)
}

func (r *reader) start() {
	t, e := &r.t, r.e
	if !e.SDC && bytes.HasPrefix(t.Space(), []byte(ieee11073)) {
		e.SDC = true
	}
	if t.Depth() == 3 && string(r.up(1)) == "Body" && e.Body.Local == "" {
		e.Body = QName{spaceName(t.Space()), clip(t.Local())}
		e.MdibVersion = r.attr("MdibVersion")
	}
	switch string(t.Local()) {
	case "Hello", "Bye", "Probe", "Resolve", "ProbeMatch", "ResolveMatch":
		if space := t.Space(); string(space) != NSDiscovery && string(space) != NSDiscovery05 {
			break
		}
		if len(e.Matches) >= MaxMatches {
			e.Truncated, r.match = true, nil
			break
		}
		e.Matches = append(e.Matches, Match{})
		r.match = &e.Matches[len(e.Matches)-1]
	case "Mds":
		if len(e.MDS) >= MaxList {
			e.Truncated, r.mds = true, nil
			break
		}
		e.MDS = append(e.MDS, MDS{Handle: r.attr("Handle")})
		r.mds = &e.MDS[len(e.MDS)-1]
	case "Type":
		if r.mds != nil && string(r.up(1)) == "Mds" && r.mds.Code == "" {
			r.mds.Code, r.mds.CodingSystem, r.mds.Symbol = r.attr("Code"), r.attr("CodingSystem"), r.attr("SymbolicCodeName")
		}
	case "LocationDetail":
		e.Location = Location{r.attr("Facility"), r.attr("Building"), r.attr("Floor"), r.attr("PoC"), r.attr("Room"), r.attr("Bed")}
	case "State", "ContextState", "MetricState", "AlertState", "ComponentState", "OperationalState", "ProposedContextState", "ProposedMetricState":
		e.States++
		if t.Is("AlertState") {
			e.Alerts++
		}
		_, typ := t.Resolve(t.Attr("type"))
		r.state, r.idents = t.Depth(), r.idents[:0]
		switch string(typ) {
		case "PatientContextState":
			r.patient = t.Depth()
		case "AlertConditionState", "LimitAlertConditionState", "AlertSignalState", "AlertSystemState":
			if t.Is("State") {
				e.Alerts++
			}
		case "RealTimeSampleArrayMetricState", "DistributionSampleArrayMetricState":
			e.Waveforms++
		}
	case "CoreData":
		// Only patients have core data: senders that leave out xsi:type are
		// known by it.
		if r.state > 0 {
			r.patient = r.state
		}
	case "Identification":
		if x := r.attr("Extension"); x != "" && r.state > 0 && len(r.idents) < MaxList {
			r.idents = append(r.idents, x)
		}
	}
}

func (r *reader) list(p *[]string, text []byte) {
	for _, f := range strings.Fields(string(text)) {
		if len(*p) >= MaxList {
			r.e.Truncated = true
			return
		}
		*p = append(*p, f)
	}
}

func (r *reader) qnames(p *[]QName, s []byte) {
	for _, f := range bytes.Fields(s) {
		if len(*p) >= MaxList {
			r.e.Truncated = true
			return
		}
		space, local := r.t.Resolve(f)
		*p = append(*p, QName{spaceName(space), clip(local)})
	}
}

func set(p *string, text []byte) {
	if *p == "" {
		*p = clip(text)
	}
}

// end takes the text of an element that had no element within.
func (r *reader) end() {
	t, e := &r.t, r.e
	if r.state == t.Depth() {
		if r.patient > 0 {
			e.Patients = append(e.Patients, r.idents[:min(len(r.idents), MaxList-len(e.Patients))]...)
		}
		r.state, r.patient, r.idents = 0, 0, r.idents[:0]
	}
	text := bytes.TrimSpace(r.text)
	if len(text) == 0 {
		return
	}
	above := r.up(1)
	parent := func(name string) bool { return string(above) == name }
	switch {
	case parent("Header"):
		switch string(t.Local()) {
		case "Action":
			set(&e.Action, text)
		case "MessageID":
			set(&e.MessageID, text)
		case "RelatesTo":
			set(&e.RelatesTo, text)
		case "To":
			set(&e.To, text)
		}
	case r.patient > 0:
		if t.Is("Givenname") || t.Is("Familyname") || t.Is("Birthname") || t.Is("Middlename") {
			e.PatientName = true
		}
	case t.Is("Address") && parent("EndpointReference"):
		if r.match != nil {
			set(&r.match.Endpoint, text)
		}
	case t.Is("Types") && (parent("Host") || parent("Hosted")):
		r.qnames(&e.HostTypes, text)
	case r.match != nil && t.Is("Types"):
		r.qnames(&r.match.Types, text)
	case r.match != nil && t.Is("Scopes"):
		r.list(&r.match.Scopes, text)
	case r.match != nil && t.Is("XAddrs"):
		r.list(&r.match.XAddrs, text)
	case r.match != nil && t.Is("MetadataVersion"):
		set(&r.match.MetadataVersion, text)
	case parent("ThisDevice") || parent("ThisModel"):
		switch string(t.Local()) {
		case "FriendlyName":
			set(&e.FriendlyName, text)
		case "FirmwareVersion":
			set(&e.Firmware, text)
		case "SerialNumber":
			set(&e.Serial, text)
		case "Manufacturer":
			set(&e.Manufacturer, text)
		case "ModelName":
			set(&e.Model, text)
		case "ModelNumber":
			set(&e.ModelNumber, text)
		}
	case r.mds != nil && parent("MetaData"):
		switch string(t.Local()) {
		case "Manufacturer":
			set(&r.mds.Manufacturer, text)
		case "ModelName":
			set(&r.mds.Model, text)
		case "ModelNumber":
			set(&r.mds.ModelNumber, text)
		case "SerialNumber":
			set(&r.mds.Serial, text)
		case "LotNumber":
			set(&r.mds.Lot, text)
		}
	case r.mds != nil && parent("Udi"):
		switch string(t.Local()) {
		case "HumanReadableForm":
			set(&r.mds.UDI, text)
		case "DeviceIdentifier":
			set(&r.mds.DI, text)
		}
	case r.mds != nil && t.Is("ConceptDescription") && parent("Type") && string(r.up(2)) == "Mds":
		set(&r.mds.Concept, text)
	case t.Is("OperationHandleRef"):
		set(&e.Operation, text)
	case t.Is("InvocationState"):
		set(&e.Invocation, text)
	case t.Is("Filter") && parent("Subscribe"):
		r.list(&e.Filter, text)
	case t.Is("Expires"):
		set(&e.Expires, text)
	case t.Is("Value") && (parent("Code") || parent("Subcode")), t.Is("faultcode"):
		v := clip(text)
		if i := strings.LastIndexByte(v, ':'); i >= 0 {
			v = v[i+1:]
		}
		e.Fault = v
	}
}
