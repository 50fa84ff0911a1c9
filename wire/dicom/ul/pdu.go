// SPDX-License-Identifier: Apache-2.0

package ul

import (
	"errors"
	"fmt"
)

// Type is a PDU type (PS3.8 §9.3.1).
type Type uint8

// The PDU types.
const (
	TypeAssociateRQ Type = 1 + iota
	TypeAssociateAC
	TypeAssociateRJ
	TypePData
	TypeReleaseRQ
	TypeReleaseRP
	TypeAbort
)

var typeNames = [...]string{"", "A-ASSOCIATE-RQ", "A-ASSOCIATE-AC", "A-ASSOCIATE-RJ", "P-DATA-TF", "A-RELEASE-RQ", "A-RELEASE-RP", "A-ABORT"}

// String returns the standard's name.
func (t Type) String() string {
	if t >= 1 && int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("PDU type 0x%02X", uint8(t))
}

// Sizes that PS3.8 fixes.
const (
	HeaderSize    = 6  // type, reserved, length
	PDVHeaderSize = 6  // item length, context ID, message control header (§9.3.5.1, §E.2)
	fixedSize     = 68 // of an association PDU, before its items (§9.3.2)
)

// Bounds of this package.
const (
	MaxAssociate        = 64 << 10 // bytes of an association PDU after its header
	MaxContexts         = 128      // every odd ID from 1 to 255
	MaxTransferSyntaxes = 64       // of one presentation context; PS3.6 has about sixty
	MaxSubItems         = 256      // role selections, extended negotiations, each
	MaxValue            = 256      // bytes kept of any other value
)

// What can be wrong with a PDU. An *Error wraps one of these.
var (
	ErrType   = errors.New("unknown PDU type")
	ErrLength = errors.New("bad length")
	ErrItem   = errors.New("bad item")
	ErrLimit  = errors.New("limit exceeded")
	ErrTLS    = errors.New("this is TLS, not a DICOM PDU")
	ErrHTTP   = errors.New("this is HTTP, not a DICOM PDU")
)

// Error is what broke the standard, where.
type Error struct {
	PDU     Type
	Offset  uint64 // from the first byte that was scanned, or of the PDU when parsing one
	Section string // "PS3.8 §9.3.2"
	What    string
	Err     error
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%v at offset %d, %v: %s (%s)", e.Err, e.Offset, e.PDU, e.What, e.Section)
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }

// PDV is the header of a presentation data value (PS3.8 §9.3.5.1, §E.2).
type PDV struct {
	Context uint8  // presentation context ID
	Command bool   // command, else data set
	Last    bool   // last fragment of the command or data set
	Length  uint32 // bytes of the fragment, without this header
}

// Result of an association's rejection (PS3.8 §9.3.4).
type Reject struct{ Result, Source, Reason uint8 }

// ResultName returns "rejected-permanent" or "rejected-transient".
func (r Reject) ResultName() string {
	switch r.Result {
	case 1:
		return "rejected-permanent"
	case 2:
		return "rejected-transient"
	}
	return unassigned(r.Result)
}

// SourceName returns who rejected.
func (r Reject) SourceName() string {
	switch r.Source {
	case 1:
		return "service-user"
	case 2:
		return "service-provider-acse"
	case 3:
		return "service-provider-presentation"
	}
	return unassigned(r.Source)
}

// ReasonName returns why, which depends on the source.
func (r Reject) ReasonName() string {
	switch r.Source<<4 | r.Reason&15 {
	case 1<<4 | 1, 2<<4 | 1:
		return "no-reason-given"
	case 1<<4 | 2:
		return "application-context-name-not-supported"
	case 1<<4 | 3:
		return "calling-ae-title-not-recognized"
	case 1<<4 | 7:
		return "called-ae-title-not-recognized"
	case 2<<4 | 2:
		return "protocol-version-not-supported"
	case 3<<4 | 1:
		return "temporary-congestion"
	case 3<<4 | 2:
		return "local-limit-exceeded"
	}
	return unassigned(r.Reason)
}

// Abort is the reason of an A-ABORT (PS3.8 §9.3.8).
type Abort struct{ Source, Reason uint8 }

// SourceName returns who aborted.
func (a Abort) SourceName() string {
	switch a.Source {
	case 0:
		return "service-user"
	case 2:
		return "service-provider"
	}
	return unassigned(a.Source)
}

// ReasonName returns why; "" when a service user aborted, who gives no reason.
func (a Abort) ReasonName() string {
	if a.Source == 0 {
		return ""
	}
	switch a.Reason {
	case 0:
		return "reason-not-specified"
	case 1:
		return "unrecognized-pdu"
	case 2:
		return "unexpected-pdu"
	case 4:
		return "unrecognized-pdu-parameter"
	case 5:
		return "unexpected-pdu-parameter"
	case 6:
		return "invalid-pdu-parameter-value"
	}
	return unassigned(a.Reason)
}

func unassigned(v uint8) string { return fmt.Sprintf("unassigned-%d", v) }
