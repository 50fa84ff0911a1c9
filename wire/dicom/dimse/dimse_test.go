// SPDX-License-Identifier: Apache-2.0

package dimse

import (
	"errors"
	"reflect"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

const ctImage = "1.2.840.10008.5.1.4.1.1.2"

var commands = []Command{
	{Field: CEchoRQ, Present: HasMessageID, MessageID: 1, AffectedSOPClass: "1.2.840.10008.1.1", DataSetType: NoDataSet},
	{Field: CStoreRQ, Present: HasMessageID | HasPriority | HasMoveMessageID, MessageID: 7, Priority: 1, AffectedSOPClass: ctImage,
		AffectedSOPInstance: "2.25.1", MoveOriginator: "WS_OR3", MoveMessageID: 3, DataSetType: 1},
	{Field: CMoveRQ, Present: HasMessageID | HasPriority, MessageID: 2, AffectedSOPClass: "1.2.840.10008.5.1.4.1.2.2.2", MoveDestination: "XR_PROC", DataSetType: 0},
	{Field: CMoveRQ | ResponseBit, Present: HasRespondedTo | HasStatus | HasRemaining | HasCompleted | HasFailed | HasWarning, RespondedTo: 2, Status: 0xFF00,
		Remaining: 3, Completed: 2, Failed: 1, Warning: 0, DataSetType: NoDataSet},
	{Field: CStoreRQ | ResponseBit, Present: HasRespondedTo | HasStatus | HasErrorID, RespondedTo: 7, Status: 0xA900, ErrorComment: "no",
		ErrorID: 4, OffendingElement: []dicom.Tag{dicom.TagModality, dicom.TagPatientID}, DataSetType: NoDataSet},
	{Field: CCancelRQ, Present: HasRespondedTo, RespondedTo: 9, DataSetType: NoDataSet},
	{Field: NEventReportRQ, Present: HasMessageID | HasEventType, MessageID: 1, EventType: 2, AffectedSOPClass: dicom.UIDStorageCommitmentPush,
		AffectedSOPInstance: "1.2.840.10008.1.20.1.1", DataSetType: 1},
	{Field: NGetRQ, Present: HasMessageID, MessageID: 5, RequestedSOPClass: "1.2.840.10008.5.1.1.16", RequestedSOPInstance: "1.2.840.10008.5.1.1.17",
		AttributeList: []dicom.Tag{0x21100010}, DataSetType: NoDataSet},
	{Field: NActionRQ, Present: HasMessageID | HasActionType, MessageID: 5, ActionType: 1, RequestedSOPClass: dicom.UIDStorageCommitmentPush, DataSetType: 1},
}

func TestCommandsComeBackAsTheyWereWritten(t *testing.T) {
	for _, c := range commands {
		got, err := ParseCommand(c.Append(nil))
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%v:\n%+v\nwant\n%+v\n%v", c.Field, got, c, err)
		}
	}
}

func TestCommandSetsThatCannotBeReadAreTypedErrors(t *testing.T) {
	echo := commands[0].Append(nil)
	for _, c := range []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, ErrMissing},
		{"a header cut off", echo[:len(echo)-5], ErrElement},
		{"a value longer than the set", append(append([]byte{}, echo...), 0, 0, 0, 6, 0xff, 0xff, 0xff, 0xff), ErrElement},
		{"another group", append(append([]byte{}, echo...), 8, 0, 5, 0, 0, 0, 0, 0), ErrElement},
		{"a number of four bytes", []byte{0, 0, 0, 1, 4, 0, 0, 0, 1, 0, 0, 0}, ErrElement},
		{"no such command", (&Command{Field: 0x42, Present: HasMessageID, MessageID: 1}).Append(nil), ErrElement},
		{"a response to C-CANCEL, which has none", (&Command{Field: CCancelRQ | ResponseBit, Present: HasRespondedTo | HasStatus}).Append(nil), ErrElement},
		{"a request without message ID", (&Command{Field: CEchoRQ}).Append(nil), ErrMissing},
		{"a response without status", (&Command{Field: CEchoRQ | ResponseBit, Present: HasRespondedTo}).Append(nil), ErrMissing},
		{"one byte too many", make([]byte, MaxCommand+1), ErrLimit},
	} {
		_, err := ParseCommand(c.data)
		var e *Error
		if !errors.Is(err, c.want) || !errors.As(err, &e) || e.Section == "" {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestStatusNames(t *testing.T) {
	for _, c := range []struct {
		status   Status
		field    Field
		category Category
		name     string
	}{
		{0, CEchoRQ, Success, "success"},
		{0xA700, CStoreRQ, Failure, "out of resources"},
		{0xA9FF, CStoreRQ | ResponseBit, Failure, "data set does not match SOP class"},
		{0xC123, CStoreRQ, Failure, "cannot understand"},
		{0xB006, CStoreRQ, Warning, "elements discarded"},
		{0xC123, CFindRQ, Failure, "unable to process"},
		{0xFF00, CFindRQ, Pending, "pending"},
		{0xFF01, CFindRQ, Pending, "pending, optional keys not supported"},
		{0xFE00, CMoveRQ, Cancel, "cancelled"},
		{0xA801, CMoveRQ, Failure, "move destination unknown"},
		{0xB000, CGetRQ, Warning, "sub-operations complete, one or more failures"},
		{0x0122, NActionRQ, Failure, "SOP class not supported"},
		{0x0107, NSetRQ, Warning, "attribute list error"},
		{0x0124, NActionRQ, Failure, "not authorised"},
		{0xD000, CEchoRQ, Failure, "failure"},
	} {
		if c.status.Category() != c.category || c.status.Name(c.field) != c.name {
			t.Errorf("%v of %v: %v %q", c.status, c.field, c.status.Category(), c.status.Name(c.field))
		}
	}
}

// give feeds one fragment.
func give(t *testing.T, a *Assembler, p ul.PDV, b []byte) (part Part, m *Message, commandDone, messageDone bool, err error) {
	t.Helper()
	part, _, err = a.Begin(p)
	if part == CommandPart {
		if cerr := a.Command(b); cerr != nil {
			err = cerr
		}
	}
	m, commandDone, messageDone, eerr := a.End()
	return part, m, commandDone, messageDone, errors.Join(err, eerr)
}

func TestMessagesOfSeveralContextsMayInterleave(t *testing.T) {
	var a Assembler
	for i := range MaxOpen {
		ctx := uint8(2*i + 1)
		b := commands[1].Append(nil)
		if _, _, done, _, err := give(t, &a, ul.PDV{Context: ctx, Command: true}, b[:20]); done || err != nil {
			t.Fatal("a command is done before its last fragment", err)
		}
		_, m, done, all, err := give(t, &a, ul.PDV{Context: ctx, Command: true, Last: true}, b[20:])
		if !done || all || err != nil || m.Command.MessageID != 7 || m.Slot != i {
			t.Fatalf("context %d: %v %v %v %+v", ctx, done, all, err, m)
		}
	}
	for i := MaxOpen - 1; i >= 0; i-- {
		ctx := uint8(2*i + 1)
		if part, m, _, all, err := give(t, &a, ul.PDV{Context: ctx}, nil); part != DataPart || all || err != nil || m.Context != ctx {
			t.Fatal("data set fragment", part, all, err)
		}
		if _, m, _, all, err := give(t, &a, ul.PDV{Context: ctx, Last: true}, nil); !all || err != nil || m.Slot != i {
			t.Fatal("last data set fragment", all, err)
		}
	}
	open := 0
	a.Open(func(*Message) { open++ })
	if open != 0 {
		t.Errorf("%d messages are still open", open)
	}
}

func TestBreaksOfOrderAreReportedAndSurvived(t *testing.T) {
	var a Assembler
	if part, _, _, _, err := give(t, &a, ul.PDV{Context: 1, Last: true}, nil); part != Ignored || !errors.Is(err, ErrOrder) {
		t.Error("a data set without a command:", part, err)
	}
	give(t, &a, ul.PDV{Context: 1, Command: true, Last: true}, commands[1].Append(nil))
	_, m, done, all, err := give(t, &a, ul.PDV{Context: 1, Command: true, Last: true}, commands[0].Append(nil))
	if !errors.Is(err, ErrOrder) || !done || !all || m.Command.Field != CEchoRQ {
		t.Error("a command before the end of the data set:", done, all, err)
	}
	long := make([]byte, MaxCommand)
	if _, _, _, _, err := give(t, &a, ul.PDV{Context: 1, Command: true}, long); err != nil {
		t.Error("as long as may be:", err)
	}
	if _, _, _, _, err := give(t, &a, ul.PDV{Context: 1, Command: true}, []byte{0}); !errors.Is(err, ErrLimit) {
		t.Error("one byte more:", err)
	}
}

// FuzzCommand: what parses is written and parsed again the same, and bounds hold.
func FuzzCommand(f *testing.F) {
	for _, c := range commands {
		f.Add(c.Append(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCommand(data)
		if len(c.OffendingElement) > MaxList || len(c.AttributeList) > MaxList || len(c.ErrorComment) > maxComment || len(c.AffectedSOPClass) > dicom.MaxUID {
			t.Fatalf("out of bounds: %+v", c)
		}
		var e *Error
		if err != nil {
			if !errors.As(err, &e) || e.Offset > len(data) {
				t.Fatal(err)
			}
			return
		}
		c.Unknown = 0
		if len(c.OffendingElement) == 0 {
			c.OffendingElement = nil
		}
		if len(c.AttributeList) == 0 {
			c.AttributeList = nil
		}
		again, err := ParseCommand(c.Append(nil))
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%+v\nthen\n%+v\n%v", c, again, err)
		}
	})
}
