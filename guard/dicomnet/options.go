// SPDX-License-Identifier: Apache-2.0

package dicomnet

import "time"

// Timeouts bound every wait of an association. Zero fields are replaced by those of DefaultTimeouts.
type Timeouts struct {
	Connect   time.Duration `yaml:"connect" doc:"TCP connection and TLS handshake"`
	Associate time.Duration `yaml:"associate" doc:"from the connection to the whole A-ASSOCIATE-RQ, and from the request to its answer (ARTIM, PS3.8 §9.1.5)"`
	Idle      time.Duration `yaml:"idle" doc:"an association without any operation"`
	PDU       time.Duration `yaml:"pdu" doc:"from the first byte of a PDU to its last, and between the PDUs of one message"`
	Write     time.Duration `yaml:"write" doc:"until the peer takes what is written, each time at most one buffer"`
	Response  time.Duration `yaml:"response" doc:"until the next response to an operation; pending responses count"`
	Cancel    time.Duration `yaml:"cancel" doc:"after C-CANCEL, until the final response"`
	Close     time.Duration `yaml:"close" doc:"from A-RELEASE or A-ABORT to the end of the connection (ARTIM)"`
}

// DefaultTimeouts suit devices on a hospital's network.
func DefaultTimeouts() Timeouts {
	return Timeouts{Connect: 10 * time.Second, Associate: 30 * time.Second, Idle: 10 * time.Minute, PDU: 60 * time.Second,
		Write: 60 * time.Second, Response: 5 * time.Minute, Cancel: 10 * time.Second, Close: 5 * time.Second}
}

func (t Timeouts) withDefaults() Timeouts {
	d := DefaultTimeouts()
	for _, f := range [...][2]*time.Duration{{&t.Connect, &d.Connect}, {&t.Associate, &d.Associate}, {&t.Idle, &d.Idle}, {&t.PDU, &d.PDU},
		{&t.Write, &d.Write}, {&t.Response, &d.Response}, {&t.Cancel, &d.Cancel}, {&t.Close, &d.Close}} {
		if *f[0] <= 0 {
			*f[0] = *f[1]
		}
	}
	return t
}

// Limits bound what an association may cost. Zero fields are replaced by those of DefaultLimits.
type Limits struct {
	MaxPDU    uint32 `yaml:"max_pdu" doc:"bytes of a P-DATA-TF PDU that this side takes (PS3.8 §D.1), and the most it sends in one"`
	Associate uint32 `yaml:"associate" doc:"bytes of an A-ASSOCIATE-RQ or -AC"`
	Buffer    int    `yaml:"buffer" doc:"bytes of each of the two buffers of an association"`
	DataSet   int64  `yaml:"data_set" doc:"bytes of one data set"`
	MinRate   int64  `yaml:"min_rate" doc:"bytes a second that a peer must send of a data set, on average, after the time of one PDU"`
	Invoke    uint16 `yaml:"invoke" doc:"operations in flight that this side proposes to invoke"`
	Perform   uint16 `yaml:"perform" doc:"operations in flight that this side performs for the peer"`
}

// Bounds of Limits.
const (
	minPDU    = 4096
	maxPDU    = 1 << 20
	minBuffer = 16 << 10
	maxWindow = 64 // operations in flight where a peer says "unlimited"
)

// DefaultLimits hold an association under half a megabyte.
func DefaultLimits() Limits {
	return Limits{MaxPDU: 128 << 10, Associate: 256 << 10, Buffer: 128 << 10, DataSet: 16 << 30, MinRate: 1024, Invoke: 1, Perform: 1}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	if l.MaxPDU == 0 {
		l.MaxPDU = d.MaxPDU
	}
	if l.Associate == 0 {
		l.Associate = d.Associate
	}
	if l.Buffer == 0 {
		l.Buffer = d.Buffer
	}
	if l.DataSet == 0 {
		l.DataSet = d.DataSet
	}
	if l.MinRate == 0 {
		l.MinRate = d.MinRate
	}
	if l.Invoke == 0 {
		l.Invoke = d.Invoke
	}
	if l.Perform == 0 {
		l.Perform = d.Perform
	}
	l.MaxPDU = min(max(l.MaxPDU, minPDU), maxPDU)
	l.Buffer = max(l.Buffer, minBuffer)
	l.Invoke, l.Perform = min(l.Invoke, maxWindow), min(l.Perform, maxWindow)
	return l
}
