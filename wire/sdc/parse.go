// SPDX-License-Identifier: Apache-2.0

package sdc

import (
	"bytes"
	"strings"

	"github.com/asepsis/asepsis/wire/xmltok"
)

// Looks reports whether b may begin a SOAP envelope: enough for a probe.
func Looks(b []byte) bool {
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(b) > 0 && b[0] == '<' && bytes.Contains(b[:min(len(b), 1024)], []byte("Envelope"))
}

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

// up gives the name of the n-th ancestor of the element, "" when there is none.
func (r *reader) up(n int) string {
	if i := r.t.Depth() - 1 - n; i >= 0 {
		return string(r.path[i])
	}
	return ""
}

func (r *reader) attr(name string) string { return clip(xmltok.AppendUnescaped(nil, r.t.Attr(name))) }

func clip(b []byte) string {
	b = bytes.TrimSpace(b)
	if len(b) > MaxText {
		b = b[:MaxText]
	}
	return strings.ToValidUTF8(string(b), "\ufffd")
}

func (r *reader) start() {
	t, e := &r.t, r.e
	space := string(t.Space())
	if strings.HasPrefix(space, ieee11073) {
		e.SDC = true
	}
	local := string(t.Local())
	if t.Depth() == 3 && r.up(1) == "Body" && e.Body.Local == "" {
		e.Body = QName{clip([]byte(space)), clip(t.Local())}
		e.MdibVersion = r.attr("MdibVersion")
	}
	switch local {
	case "Hello", "Bye", "Probe", "Resolve", "ProbeMatch", "ResolveMatch":
		if space != NSDiscovery && space != NSDiscovery05 {
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
		if r.mds != nil && r.up(1) == "Mds" && r.mds.Code == "" {
			r.mds.Code, r.mds.CodingSystem, r.mds.Symbol = r.attr("Code"), r.attr("CodingSystem"), r.attr("SymbolicCodeName")
		}
	case "LocationDetail":
		e.Location = Location{r.attr("Facility"), r.attr("Building"), r.attr("Floor"), r.attr("PoC"), r.attr("Room"), r.attr("Bed")}
	case "State", "ContextState", "MetricState", "AlertState", "ComponentState", "OperationalState", "ProposedContextState", "ProposedMetricState":
		e.States++
		if local == "AlertState" {
			e.Alerts++
		}
		_, typ := t.Resolve(t.Attr("type"))
		r.state, r.idents = t.Depth(), r.idents[:0]
		switch string(typ) {
		case "PatientContextState":
			r.patient = t.Depth()
		case "AlertConditionState", "LimitAlertConditionState", "AlertSignalState", "AlertSystemState":
			if local == "State" {
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

func (r *reader) list(p *[]string, s string) {
	for _, f := range strings.Fields(s) {
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
		*p = append(*p, QName{clip(space), clip(local)})
	}
}

func set(p *string, v string) {
	if *p == "" {
		*p = v
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
	long := string(text)
	v := clip(text)
	parent := r.up(1)
	switch local := string(t.Local()); {
	case parent == "Header":
		switch local {
		case "Action":
			set(&e.Action, v)
		case "MessageID":
			set(&e.MessageID, v)
		case "RelatesTo":
			set(&e.RelatesTo, v)
		case "To":
			set(&e.To, v)
		}
	case r.patient > 0:
		if local == "Givenname" || local == "Familyname" || local == "Birthname" || local == "Middlename" {
			e.PatientName = true
		}
	case local == "Address" && parent == "EndpointReference":
		if r.match != nil {
			set(&r.match.Endpoint, v)
		}
	case local == "Types" && (parent == "Host" || parent == "Hosted"):
		r.qnames(&e.HostTypes, text)
	case r.match != nil && local == "Types":
		r.qnames(&r.match.Types, text)
	case r.match != nil && local == "Scopes":
		r.list(&r.match.Scopes, long)
	case r.match != nil && local == "XAddrs":
		r.list(&r.match.XAddrs, long)
	case r.match != nil && local == "MetadataVersion":
		set(&r.match.MetadataVersion, v)
	case parent == "ThisDevice" || parent == "ThisModel":
		switch local {
		case "FriendlyName":
			set(&e.FriendlyName, v)
		case "FirmwareVersion":
			set(&e.Firmware, v)
		case "SerialNumber":
			set(&e.Serial, v)
		case "Manufacturer":
			set(&e.Manufacturer, v)
		case "ModelName":
			set(&e.Model, v)
		case "ModelNumber":
			set(&e.ModelNumber, v)
		}
	case r.mds != nil && parent == "MetaData":
		switch local {
		case "Manufacturer":
			set(&r.mds.Manufacturer, v)
		case "ModelName":
			set(&r.mds.Model, v)
		case "ModelNumber":
			set(&r.mds.ModelNumber, v)
		case "SerialNumber":
			set(&r.mds.Serial, v)
		case "LotNumber":
			set(&r.mds.Lot, v)
		}
	case r.mds != nil && parent == "Udi":
		switch local {
		case "HumanReadableForm":
			set(&r.mds.UDI, v)
		case "DeviceIdentifier":
			set(&r.mds.DI, v)
		}
	case r.mds != nil && parent == "Type" && local == "ConceptDescription" && r.up(2) == "Mds":
		set(&r.mds.Concept, v)
	case local == "OperationHandleRef":
		set(&e.Operation, v)
	case local == "InvocationState":
		set(&e.Invocation, v)
	case local == "Filter" && parent == "Subscribe":
		r.list(&e.Filter, long)
	case local == "Expires":
		set(&e.Expires, v)
	case local == "Value" && (parent == "Code" || parent == "Subcode"), local == "faultcode":
		if i := strings.LastIndexByte(v, ':'); i >= 0 {
			v = v[i+1:]
		}
		e.Fault = v
	}
}
