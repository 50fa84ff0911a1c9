// SPDX-License-Identifier: Apache-2.0

package sdc

import (
	"errors"
	"strings"

	"github.com/asepsis/asepsis/wire/xmltok"
)

// The limits.
const (
	MaxMatches = 32
	MaxList    = 32
	MaxText    = 512
)

// Namespaces and URIs that messages are told by.
const (
	NSEnvelope12   = "http://www.w3.org/2003/05/soap-envelope"
	NSEnvelope11   = "http://schemas.xmlsoap.org/soap/envelope/"
	NSDiscovery    = "http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01"
	NSDiscovery05  = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
	NSDPWS         = "http://docs.oasis-open.org/ws-dd/ns/dpws/2009/01"
	NSDPWS06       = "http://schemas.xmlsoap.org/ws/2006/02/devprof"
	NSMDPWS        = "http://standards.ieee.org/downloads/11073/11073-20702-2016"
	NSMessage      = "http://standards.ieee.org/downloads/11073/11073-10207-2017/message"
	NSParticipant  = "http://standards.ieee.org/downloads/11073/11073-10207-2017/participant"
	ActionBase     = "http://standards.ieee.org/downloads/11073/11073-20701-2018/"
	ieee11073      = "http://standards.ieee.org/downloads/11073/"
	NSEventing     = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
	NSTransfer     = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
	NSMetadata     = "http://schemas.xmlsoap.org/ws/2004/09/mex"
	NSPrinterWSD   = "http://schemas.microsoft.com/windows/2006/08/wdp/print"
	NSWindowsWSDP  = "http://schemas.microsoft.com/windows/pub/2005/07"
	ProviderScope  = "sdc.mds.pkp:1.2.840.10004.20701.1.1" // key purpose of a service provider
	locationPrefix = "sdc.ctxt.loc:"
)

// ErrNotSOAP is returned for a document whose root is no SOAP envelope.
var ErrNotSOAP = errors.New("sdc: root element is no SOAP envelope")

// QName is a resolved qualified name.
type QName struct{ Space, Local string }

// Match describes one endpoint in a discovery message.
type Match struct {
	Endpoint        string
	Types           []QName
	Scopes          []string
	XAddrs          []string
	MetadataVersion string
}

// IsSDC reports whether the endpoint is a medical device, or is looked for as one.
func (m *Match) IsSDC() bool {
	for _, t := range m.Types {
		if strings.HasPrefix(t.Space, ieee11073) {
			return true
		}
	}
	for _, s := range m.Scopes {
		if strings.HasPrefix(s, "sdc.") {
			return true
		}
	}
	return false
}

// Secure reports whether every transport address is https; false without any.
func (m *Match) Secure() bool {
	for _, x := range m.XAddrs {
		if !strings.HasPrefix(strings.ToLower(x), "https://") {
			return false
		}
	}
	return len(m.XAddrs) > 0
}

// MDS is a medical device system of an MDIB description.
type MDS struct {
	Handle       string
	Code         string // of its type, in CodingSystem (11073-10101 when "")
	CodingSystem string
	Symbol       string // SymbolicCodeName, for example "MDC_DEV_SYS_PT_VENT_MDS"
	Concept      string // ConceptDescription
	UDI          string // human readable form
	DI           string
	Manufacturer string
	Model        string
	ModelNumber  string
	Serial       string
	Lot          string
}

// Location is a location context (IEEE 11073-10207 LocationDetail).
type Location struct{ Facility, Building, Floor, PoC, Room, Bed string }

// String gives facility, building, floor, point of care, room and bed, those
// that are given, with slashes between.
func (l Location) String() string {
	var parts []string
	for _, p := range []string{l.Facility, l.Building, l.Floor, l.PoC, l.Room, l.Bed} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, "/")
}

// Envelope is one message.
type Envelope struct {
	Action    string
	MessageID string
	RelatesTo string
	To        string
	Body      QName // first element of the body

	Matches []Match // discovery

	FriendlyName, Firmware, Serial, Manufacturer, Model, ModelNumber string // DPWS ThisDevice and ThisModel
	HostTypes                                                        []QName

	MDS         []MDS
	MdibVersion string
	Location    Location
	Patients    []string // extensions of patient identifications
	PatientName bool     // a name of a patient was there
	States      int      // states in a report or description
	Alerts      int      // of them, alert states
	Waveforms   int      // of them, sample arrays

	Operation  string // OperationHandleRef of a set or activate request
	Invocation string // InvocationState of its answer
	Filter     []string
	Expires    string
	Fault      string // SOAP fault code or subcode, local part

	SDC       bool // a namespace of IEEE 11073 was used
	Truncated bool
	Err       *xmltok.Error
}

// Name is what the message is, by the last part of its action or by its body.
func (e *Envelope) Name() string {
	a := strings.TrimRight(e.Action, "/")
	if i := strings.LastIndexAny(a, "/:"); i >= 0 {
		a = a[i+1:]
	}
	if a == "" || a == "fault" || a == "soap" {
		if e.Body.Local != "" {
			return e.Body.Local
		}
	}
	return a
}

// IsDiscovery reports whether the body is a WS-Discovery message.
func (e *Envelope) IsDiscovery() bool {
	return e.Body.Space == NSDiscovery || e.Body.Space == NSDiscovery05
}

// IsSDC reports whether the message belongs to a medical device conversation.
func (e *Envelope) IsSDC() bool {
	if e.SDC || strings.HasPrefix(e.Action, ieee11073) {
		return true
	}
	for i := range e.Matches {
		if e.Matches[i].IsSDC() {
			return true
		}
	}
	for _, t := range e.HostTypes {
		if strings.HasPrefix(t.Space, ieee11073) {
			return true
		}
	}
	for _, f := range e.Filter {
		if strings.HasPrefix(f, ieee11073) {
			return true
		}
	}
	return false
}

// LocationOf decodes the location in a scope "sdc.ctxt.loc:...?fac=..&poc=.."
// (IEEE 11073-20701 §9.4.1.2).
func LocationOf(scope string) (Location, bool) {
	if len(scope) > MaxText || !strings.HasPrefix(strings.ToLower(scope), locationPrefix) {
		return Location{}, false
	}
	_, query, _ := strings.Cut(scope, "?")
	var l Location
	for _, kv := range strings.Split(query, "&") {
		k, v, _ := strings.Cut(kv, "=")
		v = unescape(v)
		switch k {
		case "fac":
			l.Facility = v
		case "bldng":
			l.Building = v
		case "flr":
			l.Floor = v
		case "poc":
			l.PoC = v
		case "rm":
			l.Room = v
		case "bed":
			l.Bed = v
		}
	}
	return l, true
}

// unescape decodes %xx; what is malformed stays.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			h, l := hexDigit(s[i+1]), hexDigit(s[i+2])
			if h >= 0 && l >= 0 {
				b.WriteByte(byte(h<<4 | l))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
