// SPDX-License-Identifier: Apache-2.0

package dimse

import (
	"fmt"

	"github.com/asepsis/asepsis/wire/dicom"
)

// Field is a command field (0000,0100) (PS3.7 table E.1-1).
type Field uint16

// The command fields. A response has bit 15 set.
const (
	CStoreRQ       Field = 0x0001
	CGetRQ         Field = 0x0010
	CFindRQ        Field = 0x0020
	CMoveRQ        Field = 0x0021
	CEchoRQ        Field = 0x0030
	NEventReportRQ Field = 0x0100
	NGetRQ         Field = 0x0110
	NSetRQ         Field = 0x0120
	NActionRQ      Field = 0x0130
	NCreateRQ      Field = 0x0140
	NDeleteRQ      Field = 0x0150
	CCancelRQ      Field = 0x0FFF

	ResponseBit Field = 0x8000
)

// IsResponse reports a response.
func (f Field) IsResponse() bool { return f&ResponseBit != 0 }

// Request returns the field of the request that f belongs to.
func (f Field) Request() Field { return f &^ ResponseBit }

// Valid reports whether PS3.7 defines the field.
func (f Field) Valid() bool { return f.Service() != "" && f != CCancelRQ|ResponseBit }

// Service returns the service's name, the same for request and response: "C-STORE".
func (f Field) Service() string {
	switch f.Request() {
	case CStoreRQ:
		return "C-STORE"
	case CGetRQ:
		return "C-GET"
	case CFindRQ:
		return "C-FIND"
	case CMoveRQ:
		return "C-MOVE"
	case CEchoRQ:
		return "C-ECHO"
	case NEventReportRQ:
		return "N-EVENT-REPORT"
	case NGetRQ:
		return "N-GET"
	case NSetRQ:
		return "N-SET"
	case NActionRQ:
		return "N-ACTION"
	case NCreateRQ:
		return "N-CREATE"
	case NDeleteRQ:
		return "N-DELETE"
	case CCancelRQ:
		return "C-CANCEL"
	}
	return ""
}

// String returns the standard's name: "C-STORE-RQ", "C-STORE-RSP".
func (f Field) String() string {
	s := f.Service()
	switch {
	case s == "":
		return fmt.Sprintf("command 0x%04X", uint16(f))
	case f.IsResponse():
		return s + "-RSP"
	}
	return s + "-RQ"
}

// Present says which optional fields of a Command were there.
type Present uint16

// The optional fields whose zero is a value.
const (
	HasStatus Present = 1 << iota
	HasRemaining
	HasCompleted
	HasFailed
	HasWarning
	HasEventType
	HasActionType
	HasPriority
	HasMoveMessageID
	HasErrorID
	HasMessageID
	HasRespondedTo
)

// NoDataSet is the value of (0000,0800) when no data set follows.
const NoDataSet = 0x0101

// Bounds of a command set.
const (
	MaxCommand = 16 << 10
	MaxList    = 64
	maxComment = 64
)

// Command is a command set (PS3.7 annex E). Field names follow the standard's.
type Command struct {
	Field                Field
	Present              Present
	MessageID            uint16
	RespondedTo          uint16 // message ID being responded to
	DataSetType          uint16
	Priority             uint16 // 0 medium, 1 high, 2 low
	Status               Status
	AffectedSOPClass     string
	RequestedSOPClass    string
	AffectedSOPInstance  string
	RequestedSOPInstance string
	MoveDestination      string
	MoveOriginator       string
	MoveMessageID        uint16 // move originator message ID
	Remaining            uint16 // sub-operations
	Completed            uint16
	Failed               uint16
	Warning              uint16
	EventType            uint16
	ActionType           uint16
	ErrorID              uint16
	ErrorComment         string      // may hold anything, patient data too
	OffendingElement     []dicom.Tag // at most MaxList
	AttributeList        []dicom.Tag // N-GET; at most MaxList
	Unknown              int         // elements that are not of PS3.7 annex E
}

// HasDataSet reports whether a data set follows.
func (c *Command) HasDataSet() bool { return c.DataSetType != NoDataSet }

// Has reports whether optional fields were there.
func (c *Command) Has(p Present) bool { return c.Present&p == p }

// SOPClass returns the affected or requested SOP class.
func (c *Command) SOPClass() string {
	if c.AffectedSOPClass != "" {
		return c.AffectedSOPClass
	}
	return c.RequestedSOPClass
}

// SOPInstance returns the affected or requested SOP instance.
func (c *Command) SOPInstance() string {
	if c.AffectedSOPInstance != "" {
		return c.AffectedSOPInstance
	}
	return c.RequestedSOPInstance
}
