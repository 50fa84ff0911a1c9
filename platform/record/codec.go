// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"fmt"

	"github.com/asepsis/asepsis/core/event"
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
	case event.ClassTheatre:
		return new(event.TheatreActivity), nil
	}
	return nil, UnknownClassError(c)
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
