// SPDX-License-Identifier: Apache-2.0

// Package modbus reads Modbus/TCP: the MBAP header of the Modbus Messaging on
// TCP/IP Implementation Guide V1.0b §3.1.3 and the requests and responses of the
// Modbus Application Protocol Specification V1.1b3 §6, §7.
//
// # Limits
//
// An ADU has at most 260 octets (§4.1). At most 16 identification objects.
//
// # What is not done
//
// Register values are not kept: what they mean only the device's manual says.
// Modbus/TCP Security (TLS) is TLS. RTU over TCP is not recognised.
package modbus

import (
	"encoding/binary"
	"fmt"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Bounds (§4.1).
const (
	HeaderSize = 7
	MaxADU     = 260
	maxObjects = 16
)

// ADU is one message with its header.
type ADU struct {
	Transaction uint16
	Unit        uint8
	Function    uint8 // without the bit that marks an exception
	Exception   uint8 // the exception code, 0 when there is none
	IsException bool
	Data        []byte // behind the function code; points into the input
}

// Size returns the length of the ADU that b begins with; 0 while unknown.
func Size(b []byte) (int, error) {
	if len(b) >= 4 && binary.BigEndian.Uint16(b[2:]) != 0 {
		return 0, &octet.Error{Offset: 2, What: "protocol identifier not 0"}
	}
	if len(b) < 6 {
		return 0, nil
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n < 2 || n > MaxADU-6 {
		return 0, &octet.Error{Offset: 4, What: "impossible length"}
	}
	return 6 + n, nil
}

// Parse reads one ADU, which b must hold exactly.
func Parse(b []byte) (ADU, error) {
	n, err := Size(b)
	if err != nil {
		return ADU{}, err
	}
	if n == 0 || len(b) < n {
		return ADU{}, &octet.Error{Offset: len(b), What: "ADU cut off"}
	}
	a := ADU{Transaction: binary.BigEndian.Uint16(b), Unit: b[6], Function: b[7] & 0x7f, Data: b[8:n]}
	if b[7]&0x80 != 0 {
		if len(a.Data) != 1 {
			return a, &octet.Error{Offset: 8, What: "exception of wrong length"}
		}
		a.IsException, a.Exception = true, a.Data[0]
	}
	if a.Function == 0 {
		return a, &octet.Error{Offset: 7, What: "function code 0"}
	}
	return a, nil
}

// Function codes (§5.1).
const (
	ReadCoils              = 1
	ReadDiscreteInputs     = 2
	ReadHolding            = 3
	ReadInput              = 4
	WriteCoil              = 5
	WriteRegister          = 6
	ReadExceptionStatus    = 7
	Diagnostics            = 8
	CommEventCounter       = 11
	CommEventLog           = 12
	WriteCoils             = 15
	WriteRegisters         = 16
	ReportServerID         = 17
	ReadFile               = 20
	WriteFile              = 21
	MaskWrite              = 22
	ReadWriteRegisters     = 23
	ReadFIFO               = 24
	EncapsulatedInterface  = 43
	ReadDeviceIDType       = 14 // MEI type of function 43
	identificationOverhead = 6
)

// FunctionName returns the name of a function.
func FunctionName(f uint8) string {
	switch f {
	case ReadCoils:
		return "read_coils"
	case ReadDiscreteInputs:
		return "read_discrete_inputs"
	case ReadHolding:
		return "read_holding_registers"
	case ReadInput:
		return "read_input_registers"
	case WriteCoil:
		return "write_single_coil"
	case WriteRegister:
		return "write_single_register"
	case ReadExceptionStatus:
		return "read_exception_status"
	case Diagnostics:
		return "diagnostics"
	case CommEventCounter:
		return "get_comm_event_counter"
	case CommEventLog:
		return "get_comm_event_log"
	case WriteCoils:
		return "write_multiple_coils"
	case WriteRegisters:
		return "write_multiple_registers"
	case ReportServerID:
		return "report_server_id"
	case ReadFile:
		return "read_file_record"
	case WriteFile:
		return "write_file_record"
	case MaskWrite:
		return "mask_write_register"
	case ReadWriteRegisters:
		return "read_write_multiple_registers"
	case ReadFIFO:
		return "read_fifo_queue"
	case EncapsulatedInterface:
		return "encapsulated_interface"
	case 90:
		return "schneider_unity" // reserved by the specification, used by Schneider Electric's programming tools
	}
	return fmt.Sprintf("function_%d", f)
}

// Writes reports a function that changes the device.
func Writes(f uint8) bool {
	switch f {
	case WriteCoil, WriteRegister, WriteCoils, WriteRegisters, WriteFile, MaskWrite, ReadWriteRegisters, 90:
		return true
	}
	return false
}

// ExceptionName returns the name of an exception code (§7).
func ExceptionName(c uint8) string {
	switch c {
	case 1:
		return "illegal function"
	case 2:
		return "illegal data address"
	case 3:
		return "illegal data value"
	case 4:
		return "server device failure"
	case 5:
		return "acknowledge"
	case 6:
		return "server device busy"
	case 8:
		return "memory parity error"
	case 10:
		return "gateway path unavailable"
	case 11:
		return "gateway target device failed to respond"
	}
	return fmt.Sprintf("exception %d", c)
}

// Range returns what a request addresses: the first item and how many.
func (a *ADU) Range() (address, quantity uint16, ok bool) {
	d := a.Data
	switch a.Function {
	case ReadCoils, ReadDiscreteInputs, ReadHolding, ReadInput, WriteCoils, WriteRegisters:
		if len(d) >= 4 {
			return binary.BigEndian.Uint16(d), binary.BigEndian.Uint16(d[2:]), true
		}
	case WriteCoil, WriteRegister, MaskWrite:
		if len(d) >= 4 {
			return binary.BigEndian.Uint16(d), 1, true
		}
	case ReadWriteRegisters: // the part that is written
		if len(d) >= 8 {
			return binary.BigEndian.Uint16(d[4:]), binary.BigEndian.Uint16(d[6:]), true
		}
	case ReadFIFO:
		if len(d) >= 2 {
			return binary.BigEndian.Uint16(d), 1, true
		}
	}
	return 0, 0, false
}

// IsRequest reports whether the lengths are those of a request of the function
// (§6). IsResponse does so for a response. Both may hold (write single ...).
func (a *ADU) IsRequest() bool {
	d := a.Data
	if a.IsException {
		return false
	}
	n := func(at int) int { return int(binary.BigEndian.Uint16(d[at:])) }
	switch a.Function {
	case ReadCoils, ReadDiscreteInputs:
		return len(d) == 4 && n(2) >= 1 && n(2) <= 2000
	case ReadHolding, ReadInput:
		return len(d) == 4 && n(2) >= 1 && n(2) <= 125
	case WriteCoil:
		return len(d) == 4 && d[3] == 0 && (d[2] == 0 || d[2] == 0xff)
	case WriteRegister:
		return len(d) == 4
	case ReadExceptionStatus, CommEventCounter, CommEventLog, ReportServerID:
		return len(d) == 0
	case Diagnostics:
		return len(d) >= 4
	case WriteCoils:
		return len(d) >= 6 && int(d[4]) == len(d)-5 && int(d[4]) == (n(2)+7)/8
	case WriteRegisters:
		return len(d) >= 7 && int(d[4]) == len(d)-5 && int(d[4]) == 2*n(2)
	case ReadFile, WriteFile:
		return len(d) >= 8 && int(d[0]) == len(d)-1 && d[1] == 6
	case MaskWrite:
		return len(d) == 6
	case ReadWriteRegisters:
		return len(d) >= 11 && int(d[8]) == len(d)-9 && int(d[8]) == 2*n(6)
	case ReadFIFO:
		return len(d) == 2
	case EncapsulatedInterface:
		return len(d) == 3 && d[0] == ReadDeviceIDType && d[1] >= 1 && d[1] <= 4 || len(d) >= 1 && d[0] == 13
	}
	return false
}

// IsResponse reports whether the lengths are those of a response.
func (a *ADU) IsResponse() bool {
	d := a.Data
	if a.IsException {
		return a.Exception >= 1 && a.Exception <= 11
	}
	switch a.Function {
	case ReadCoils, ReadDiscreteInputs, ReportServerID, CommEventLog:
		return len(d) >= 2 && int(d[0]) == len(d)-1
	case ReadHolding, ReadInput, ReadWriteRegisters:
		return len(d) >= 3 && int(d[0]) == len(d)-1 && d[0]&1 == 0
	case WriteCoil:
		return len(d) == 4 && d[3] == 0 && (d[2] == 0 || d[2] == 0xff)
	case WriteRegister, WriteCoils, WriteRegisters, CommEventCounter:
		return len(d) == 4
	case ReadExceptionStatus:
		return len(d) == 1
	case Diagnostics:
		return len(d) >= 4
	case ReadFile, WriteFile:
		return len(d) >= 3 && int(d[0]) == len(d)-1
	case MaskWrite:
		return len(d) == 6
	case ReadFIFO:
		return len(d) >= 4 && int(binary.BigEndian.Uint16(d)) == len(d)-2
	case EncapsulatedInterface:
		return len(d) >= 6 && d[0] == ReadDeviceIDType && d[1] >= 1 && d[1] <= 4 || len(d) >= 1 && d[0] == 13
	}
	return false
}

// Identification is what a device says of itself (§6.21).
type Identification struct {
	Vendor, ProductCode, Revision    string // mandatory
	URL, ProductName, Model, UserApp string // regular
	Conformity                       uint8
}

// ParseIdentification reads a response to function 43, MEI type 14.
func ParseIdentification(a ADU) (Identification, error) {
	var id Identification
	d := a.Data
	if a.Function != EncapsulatedInterface || len(d) < identificationOverhead || d[0] != ReadDeviceIDType {
		return id, &octet.Error{Offset: HeaderSize + 1, What: "not a device identification"}
	}
	id.Conformity = d[2]
	r := octet.At(d[identificationOverhead:], HeaderSize+1+identificationOverhead)
	for range min(int(d[5]), maxObjects) {
		kind := r.U8("object id")
		v := printable.Text(r.Bytes(int(r.U8("object length")), "object value"), printable.Max)
		if r.Err() != nil {
			return id, r.Err()
		}
		switch kind {
		case 0:
			id.Vendor = v
		case 1:
			id.ProductCode = v
		case 2:
			id.Revision = v
		case 3:
			id.URL = v
		case 4:
			id.ProductName = v
		case 5:
			id.Model = v
		case 6:
			id.UserApp = v
		}
	}
	return id, nil
}
