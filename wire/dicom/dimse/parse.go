// SPDX-License-Identifier: Apache-2.0

package dimse

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/asepsis/asepsis/wire/dicom"
)

// What can be wrong with a command set. An *Error wraps one of these.
var (
	ErrElement = errors.New("bad command element")
	ErrMissing = errors.New("required command element missing")
	ErrLimit   = errors.New("limit exceeded")
	ErrOrder   = errors.New("bad message order")
)

// Error is what broke the standard, where.
type Error struct {
	Offset  int // in the command set
	Tag     dicom.Tag
	Section string
	What    string
	Err     error
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%v at offset %d, element %v: %s (%s)", e.Err, e.Offset, e.Tag, e.What, e.Section)
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }

// ParseCommand reads a command set, which is always implicit VR little endian
// (PS3.7 §6.3.1). It checks what every message must have: the command field, and
// the message ID or the one responded to.
func ParseCommand(b []byte) (Command, error) {
	var c Command
	if len(b) > MaxCommand {
		return c, &Error{Section: "PS3.7 §6.3.1", What: "command set too long", Err: ErrLimit}
	}
	c.DataSetType = NoDataSet
	for i := 0; i < len(b); {
		if len(b)-i < 8 {
			return c, &Error{Offset: i, Section: "PS3.7 §6.3.1", What: "ends inside an element header", Err: ErrElement}
		}
		tag := dicom.MakeTag(binary.LittleEndian.Uint16(b[i:]), binary.LittleEndian.Uint16(b[i+2:]))
		n := binary.LittleEndian.Uint32(b[i+4:])
		if tag.Group() != 0 {
			return c, &Error{Offset: i, Tag: tag, Section: "PS3.7 §6.3.1", What: "an element of another group", Err: ErrElement}
		}
		if uint64(n) > uint64(len(b)-i-8) {
			return c, &Error{Offset: i, Tag: tag, Section: "PS3.7 §6.3.1", What: "a value longer than the command set", Err: ErrElement}
		}
		if !c.set(tag, b[i+8:i+8+int(n)]) {
			return c, &Error{Offset: i, Tag: tag, Section: "PS3.7 §E.1", What: "a number of the wrong length", Err: ErrElement}
		}
		i += 8 + int(n)
	}
	return c, c.check()
}

func (c *Command) check() error {
	switch {
	case c.Field == 0:
		return &Error{Tag: 0x00000100, Section: "PS3.7 §E.1", What: "no command field", Err: ErrMissing}
	case !c.Field.Valid():
		return &Error{Tag: 0x00000100, Section: "PS3.7 §E.1", What: "no such command", Err: ErrElement}
	case (c.Field.IsResponse() || c.Field == CCancelRQ) && !c.Has(HasRespondedTo):
		return &Error{Tag: 0x00000120, Section: "PS3.7 §9.3, §10.3", What: "no message ID being responded to", Err: ErrMissing}
	case !c.Field.IsResponse() && c.Field != CCancelRQ && !c.Has(HasMessageID):
		return &Error{Tag: 0x00000110, Section: "PS3.7 §9.3, §10.3", What: "no message ID", Err: ErrMissing}
	case c.Field.IsResponse() && !c.Has(HasStatus):
		return &Error{Tag: 0x00000900, Section: "PS3.7 §9.3, §10.3", What: "no status", Err: ErrMissing}
	}
	return nil
}

// set stores one element. It is false when a number has another length than two.
func (c *Command) set(tag dicom.Tag, v []byte) bool {
	if p, has := c.number(tag); p != nil {
		if len(v) != 2 {
			return false
		}
		*p = binary.LittleEndian.Uint16(v)
		c.Present |= has
		return true
	}
	switch tag.Element() {
	case 0x0000: // group length
	case 0x0002:
		c.AffectedSOPClass = short(v, dicom.MaxUID)
	case 0x0003:
		c.RequestedSOPClass = short(v, dicom.MaxUID)
	case 0x1000:
		c.AffectedSOPInstance = short(v, dicom.MaxUID)
	case 0x1001:
		c.RequestedSOPInstance = short(v, dicom.MaxUID)
	case 0x0600:
		c.MoveDestination = short(v, 16)
	case 0x1030:
		c.MoveOriginator = short(v, 16)
	case 0x0902:
		c.ErrorComment = short(v, maxComment)
	case 0x0901:
		c.OffendingElement = tags(v)
	case 0x1005:
		c.AttributeList = tags(v)
	default:
		c.Unknown++
	}
	return true
}

// number returns where a 16-bit element is stored.
func (c *Command) number(tag dicom.Tag) (*uint16, Present) {
	switch tag.Element() {
	case 0x0100:
		return (*uint16)(&c.Field), 0
	case 0x0110:
		return &c.MessageID, HasMessageID
	case 0x0120:
		return &c.RespondedTo, HasRespondedTo
	case 0x0700:
		return &c.Priority, HasPriority
	case 0x0800:
		return &c.DataSetType, 0
	case 0x0900:
		return (*uint16)(&c.Status), HasStatus
	case 0x0903:
		return &c.ErrorID, HasErrorID
	case 0x1002:
		return &c.EventType, HasEventType
	case 0x1008:
		return &c.ActionType, HasActionType
	case 0x1020:
		return &c.Remaining, HasRemaining
	case 0x1021:
		return &c.Completed, HasCompleted
	case 0x1022:
		return &c.Failed, HasFailed
	case 0x1023:
		return &c.Warning, HasWarning
	case 0x1031:
		return &c.MoveMessageID, HasMoveMessageID
	}
	return nil, 0
}

func short(v []byte, limit int) string {
	s := dicom.TrimString(v[:min(len(v), limit+1)])
	return s[:min(len(s), limit)]
}

func tags(v []byte) []dicom.Tag {
	n := min(len(v)/4, MaxList)
	out := make([]dicom.Tag, n)
	for i := range out {
		out[i] = dicom.MakeTag(binary.LittleEndian.Uint16(v[4*i:]), binary.LittleEndian.Uint16(v[4*i+2:]))
	}
	return out
}

// Append appends the command set with its group length.
func (c *Command) Append(dst []byte) []byte {
	start := len(dst)
	dst = appendElement(dst, 0x0000, 0, 0, 0, 0)
	text := func(element uint16, s string, pad byte) {
		if s == "" {
			return
		}
		if len(s)&1 != 0 {
			dst = appendElement(dst, element, append([]byte(s), pad)...)
			return
		}
		dst = appendElement(dst, element, []byte(s)...)
	}
	number := func(element uint16, has Present, v uint16) {
		if has == 0 || c.Present&has != 0 {
			dst = appendElement(dst, element, byte(v), byte(v>>8))
		}
	}
	list := func(element uint16, l []dicom.Tag) {
		if len(l) == 0 {
			return
		}
		var v []byte
		for _, t := range l {
			v = append(v, byte(t.Group()), byte(t.Group()>>8), byte(t), byte(t>>8))
		}
		dst = appendElement(dst, element, v...)
	}
	text(0x0002, c.AffectedSOPClass, 0)
	text(0x0003, c.RequestedSOPClass, 0)
	number(0x0100, 0, uint16(c.Field))
	number(0x0110, HasMessageID, c.MessageID)
	number(0x0120, HasRespondedTo, c.RespondedTo)
	text(0x0600, c.MoveDestination, ' ')
	number(0x0700, HasPriority, c.Priority)
	number(0x0800, 0, c.DataSetType)
	number(0x0900, HasStatus, uint16(c.Status))
	list(0x0901, c.OffendingElement)
	text(0x0902, c.ErrorComment, ' ')
	number(0x0903, HasErrorID, c.ErrorID)
	text(0x1000, c.AffectedSOPInstance, 0)
	text(0x1001, c.RequestedSOPInstance, 0)
	number(0x1002, HasEventType, c.EventType)
	list(0x1005, c.AttributeList)
	number(0x1008, HasActionType, c.ActionType)
	number(0x1020, HasRemaining, c.Remaining)
	number(0x1021, HasCompleted, c.Completed)
	number(0x1022, HasFailed, c.Failed)
	number(0x1023, HasWarning, c.Warning)
	text(0x1030, c.MoveOriginator, ' ')
	number(0x1031, HasMoveMessageID, c.MoveMessageID)
	binary.LittleEndian.PutUint32(dst[start+8:], uint32(len(dst)-start-12))
	return dst
}

func appendElement(dst []byte, element uint16, v ...byte) []byte {
	dst = append(dst, 0, 0, byte(element), byte(element>>8))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v)))
	return append(dst, v...)
}
