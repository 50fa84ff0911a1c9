// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/fxamacker/cbor/v2"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
)

// Bounds of an encoded event. What Encode gives is within them, and Decode and
// Texts refuse what is not.
const (
	MaxSize  = 512 << 10 // bytes of one event
	MaxItems = 16 << 10  // elements of one list, entries of one map
	MaxDepth = 8         // nested lists and maps; an event of today has 4
)

// ErrTooLarge says that an event is beyond the bounds of the encoding.
var ErrTooLarge = errors.New("event is too large")

// UnknownClassError is returned for an event of a class that this version of
// the program does not know: a newer version wrote it.
type UnknownClassError event.Class

// Error names the class.
func (c UnknownClassError) Error() string {
	return fmt.Sprintf("event class %d is not known to this version", uint32(c))
}

// Hint says what to do about it.
func (c UnknownClassError) Hint() string { return "update this program to the version of the sensors" }

// received is an encoded event as it is read; Encode writes the same keys. They
// are part of the format: they are never renamed, and a key that is given up is
// never used again. Details have the names of their fields as keys, or those of their
// JSON tags where they have them.
type received struct {
	Class        event.Class      `cbor:"class"`
	Kind         string           `cbor:"kind"` // tells details of one class apart
	UID          string           `cbor:"uid"`
	Time         int64            `cbor:"time"`
	Activity     uint8            `cbor:"activity"`
	Severity     finding.Severity `cbor:"severity"`
	Status       event.Status     `cbor:"status"`
	StatusCode   string           `cbor:"status_code"`
	StatusDetail string           `cbor:"status_detail"`
	Protocol     string           `cbor:"protocol"`
	Message      string           `cbor:"message"`
	Flow         *flow            `cbor:"flow"`
	Encrypted    bool             `cbor:"encrypted"`
	Detail       cbor.RawMessage  `cbor:"detail"` // for the second step, which the class and the kind decide on
}

type flow struct {
	ID          uint64   `cbor:"id"`
	Proto       uint8    `cbor:"proto"`
	Src         endpoint `cbor:"src"`
	Dst         endpoint `cbor:"dst"`
	VLANs       []uint16 `cbor:"vlans"`
	Tunnel      string   `cbor:"tunnel"`
	CommunityID string   `cbor:"community_id"`
	Guessed     bool     `cbor:"guessed"`
	SrcHops     uint8    `cbor:"src_hops"`
	DstHops     uint8    `cbor:"dst_hops"`
}

type endpoint struct {
	MAC  device.MAC `cbor:"mac"`
	IP   netip.Addr `cbor:"ip"`
	Port uint16     `cbor:"port"`
}

// Kinds of detail of one class. A class with one kind of detail has "".
const (
	kindNone = "none" // no detail at all
	kindTLS  = "tls"
)

func kindOf(d event.Detail) string {
	switch d.(type) {
	case nil:
		return kindNone
	case *event.TLS:
		return kindTLS
	}
	return ""
}

// newDetail returns an empty detail to decode into; nil for kindNone.
func newDetail(c event.Class, kind string) (event.Detail, error) {
	switch {
	case c == event.ClassNetwork && kind == kindNone:
		return nil, nil
	case c == event.ClassNetwork && kind == kindTLS:
		return new(event.TLS), nil
	case kind != "":
		return nil, fmt.Errorf("kind %.32q: %w", kind, UnknownClassError(c))
	}
	switch c {
	case event.ClassNetwork:
		return new(event.Connection), nil
	case event.ClassHTTP:
		return new(event.HTTP), nil
	case event.ClassDNS:
		return new(event.DNS), nil
	case event.ClassDHCP:
		return new(event.DHCP), nil
	case event.ClassRDP:
		return new(event.RDP), nil
	case event.ClassSMB:
		return new(event.SMB), nil
	case event.ClassSSH:
		return new(event.SSH), nil
	case event.ClassFTP:
		return new(event.FTP), nil
	case event.ClassNTP:
		return new(event.NTP), nil
	case event.ClassDICOMAssociation:
		return new(event.DICOMAssociation), nil
	case event.ClassDICOMOperation:
		return new(event.DICOMOperation), nil
	case event.ClassHL7Message:
		return new(event.HL7Message), nil
	case event.ClassMedicalDevice:
		return new(event.MedicalDevice), nil
	case event.ClassFHIR:
		return new(event.Rest), nil
	case event.ClassApplication:
		return new(event.Application), nil
	case event.ClassDeviceEvidence:
		return new(event.DeviceEvidence), nil
	case event.ClassSensorHealth:
		return new(event.SensorHealth), nil
	}
	return nil, UnknownClassError(c)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic("BUG: CBOR options: " + err.Error())
	}
	return v
}

// decoding is immutable and may be used concurrently.
var decoding = must(cbor.DecOptions{
	MaxNestedLevels:   MaxDepth,
	MaxArrayElements:  MaxItems,
	MaxMapPairs:       MaxItems,
	IndefLength:       cbor.IndefLengthForbidden,
	TagsMd:            cbor.TagsForbidden,
	UTF8:              cbor.UTF8DecodeInvalid, // what was on the wire is not always UTF-8
	FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
}.DecMode())

// Decode gives back an encoded event. What it returns shares no memory with
// data. It is an UnknownClassError when a newer version wrote a class that this
// one does not know. What it allocates is bounded by the size of data, which is
// at most MaxSize, and not by lengths that stand in it.
func Decode(data []byte) (*event.Event, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("decode event: %w: %d bytes, at most %d", ErrTooLarge, len(data), MaxSize)
	}
	var in received
	if err := decoding.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	e := &event.Event{UID: in.UID, Time: in.Time, Activity: in.Activity, Severity: in.Severity, Status: in.Status, StatusCode: in.StatusCode,
		StatusDetail: in.StatusDetail, Protocol: in.Protocol, Message: in.Message, Encrypted: in.Encrypted}
	if f := in.Flow; f != nil {
		e.Flow = &event.Flow{ID: f.ID, Proto: f.Proto, Src: event.Endpoint(f.Src), Dst: event.Endpoint(f.Dst), VLANs: f.VLANs, Tunnel: f.Tunnel,
			CommunityID: f.CommunityID, Guessed: f.Guessed, SrcHops: f.SrcHops, DstHops: f.DstHops}
	}
	d, err := newDetail(in.Class, in.Kind)
	if err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	if d == nil {
		return e, nil
	}
	if len(in.Detail) > 0 {
		if err := decoding.Unmarshal(in.Detail, d); err != nil {
			return nil, fmt.Errorf("decode event of class %d: %w", uint32(in.Class), err)
		}
	}
	e.Detail = d
	return e, nil
}

// Of makes the record of an event that a sensor saw: the columns that are in
// the event itself and the encoding. The devices, the theatre and the link are
// left empty: whoever records knows them.
func Of(e *event.Event, sensor string) (Record, error) {
	data, err := Encode(nil, e)
	if err != nil {
		return Record{}, err
	}
	r := Record{Time: e.Time, Class: e.Class(), Activity: e.Activity, Severity: e.Severity, Status: e.Status, Protocol: e.Protocol, Sensor: sensor, Data: data}
	if e.Flow != nil {
		r.Src, r.Dst = e.Flow.Src.IP, e.Flow.Dst.IP
	} else if d, ok := e.Detail.(*event.DeviceEvidence); ok {
		r.Src = d.Evidence.Subject.IP // so that a search by address finds what was learnt about it
	}
	return r, nil
}
