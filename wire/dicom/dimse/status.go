// SPDX-License-Identifier: Apache-2.0

package dimse

import "fmt"

// Status is a status code (0000,0900) (PS3.7 annex C).
type Status uint16

// Category is what a status says about the operation (PS3.7 §C.1).
type Category uint8

// The categories.
const (
	Success Category = iota
	Pending
	Cancel
	Warning
	Failure
)

// String returns the lower-case name.
func (c Category) String() string {
	return [...]string{"success", "pending", "cancel", "warning", "failure"}[c]
}

// Category returns what the status says, from the ranges of PS3.7 §C.1.
func (s Status) Category() Category {
	switch {
	case s == 0:
		return Success
	case s == 0xFF00 || s == 0xFF01:
		return Pending
	case s == 0xFE00:
		return Cancel
	case s == 0x0001 || s == 0x0107 || s == 0x0116 || s>>12 == 0xB:
		return Warning
	}
	return Failure
}

// String returns the form of the standard: "0xA700".
func (s Status) String() string { return fmt.Sprintf("0x%04X", uint16(s)) }

// Name returns what the status means in answer to a command, in the standard's
// words: the general codes of PS3.7 annex C, and the codes of the services of
// PS3.4 (storage §B.2.3, query and retrieve §C.4.1 to §C.4.3, worklist §K.4.1,
// procedure step §F.7.2, print §H.4).
func (s Status) Name(f Field) string {
	switch f.Request() {
	case CStoreRQ:
		switch {
		case s>>8 == 0xA7:
			return "out of resources"
		case s>>8 == 0xA9:
			return "data set does not match SOP class"
		case s>>12 == 0xC:
			return "cannot understand"
		case s == 0xB000:
			return "coercion of data elements"
		case s == 0xB006:
			return "elements discarded"
		case s == 0xB007:
			return "data set does not match SOP class"
		}
	case CFindRQ:
		switch {
		case s>>8 == 0xA7:
			return "out of resources"
		case s>>8 == 0xA9:
			return "identifier does not match SOP class"
		case s>>12 == 0xC:
			return "unable to process"
		case s == 0xFF01:
			return "pending, optional keys not supported"
		}
	case CMoveRQ, CGetRQ:
		switch {
		case s == 0xA701:
			return "out of resources, unable to calculate number of matches"
		case s == 0xA702:
			return "out of resources, unable to perform sub-operations"
		case s == 0xA801:
			return "move destination unknown"
		case s>>8 == 0xA9:
			return "identifier does not match SOP class"
		case s == 0xAA00:
			return "none of the frames requested were found"
		case s == 0xAA01:
			return "unable to create new object for this SOP class"
		case s == 0xAA02:
			return "unable to extract frames"
		case s == 0xAA03:
			return "time-based request for a non-time-based original"
		case s == 0xAA04:
			return "invalid request"
		case s>>12 == 0xC:
			return "unable to process"
		case s == 0xB000:
			return "sub-operations complete, one or more failures"
		}
	case NActionRQ, NCreateRQ, NSetRQ:
		switch s {
		case 0xB600:
			return "memory allocation not supported"
		case 0xC600:
			return "film session has no film boxes"
		case 0xC601:
			return "print queue is full"
		case 0xC603, 0xC613:
			return "image size is larger than image box size"
		case 0xC605:
			return "insufficient memory in printer"
		}
	}
	return s.general()
}

// general names the codes of PS3.7 annex C.
func (s Status) general() string {
	switch s {
	case 0x0000:
		return "success"
	case 0x0001:
		return "requested optional attributes not supported"
	case 0x0105:
		return "no such attribute"
	case 0x0106:
		return "invalid attribute value"
	case 0x0107:
		return "attribute list error"
	case 0x0110:
		return "processing failure"
	case 0x0111:
		return "duplicate SOP instance"
	case 0x0112:
		return "no such SOP instance"
	case 0x0113:
		return "no such event type"
	case 0x0114:
		return "no such argument"
	case 0x0115:
		return "invalid argument value"
	case 0x0116:
		return "attribute value out of range"
	case 0x0117:
		return "invalid SOP instance"
	case 0x0118:
		return "no such SOP class"
	case 0x0119:
		return "class-instance conflict"
	case 0x0120:
		return "missing attribute"
	case 0x0121:
		return "missing attribute value"
	case 0x0122:
		return "SOP class not supported"
	case 0x0123:
		return "no such action type"
	case 0x0124:
		return "not authorised"
	case 0x0210:
		return "duplicate invocation"
	case 0x0211:
		return "unrecognised operation"
	case 0x0212:
		return "mistyped argument"
	case 0x0213:
		return "resource limitation"
	case 0xFE00:
		return "cancelled"
	case 0xFF00, 0xFF01:
		return "pending"
	}
	return s.Category().String()
}
