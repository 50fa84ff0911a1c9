// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"encoding/binary"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/smb"
)

// Traces of attacks on SMB servers, as event.SMB.Suspicious gives them. They are
// properties of single messages that no client needs.
const (
	// traceMS17Probe is a PeekNamedPipe with FID 0: the question by which scanners
	// tell whether MS17-010 is applied.
	traceMS17Probe = "ms17-010-probe"
	// traceDoublePulsar is a TRANS2_SESSION_SETUP, which [MS-CIFS] §2.2.6.15 reserves and
	// no implementation sends: the implant answers to it.
	traceDoublePulsar = "doublepulsar-ping"
	// traceEternalBlue is an NT_TRANSACT that announces more than 64 KiB of data and
	// goes on as TRANSACTION2_SECONDARY, whose counts have 16 bits (CVE-2017-0144).
	traceEternalBlue = "eternalblue"
	// traceSMBGhost is a compression header whose offset and size cannot be (CVE-2020-0796).
	traceSMBGhost = "smbghost"
)

const (
	cmd1Transaction2Secondary = 0x33
	transPeekNamedPipe        = 0x0023
	trans2SessionSetup        = 0x000e
)

// probes remembers what was seen of an attack on one connection.
type probes struct {
	told  []string
	large bool // an NT_TRANSACT with more data than a TRANSACTION2 can have
}

// trace reports a trace, once a connection.
func (s *smbStream) trace(c *analyze.Conn, what, command, message string) {
	for _, t := range s.probes.told {
		if t == what {
			return
		}
	}
	s.probes.told = append(s.probes.told, what)
	s.emit(c, 99, 0, &event.SMB{Command: command, Suspicious: []string{what}}, message)
}

// probe1 looks for traces in an SMB1 request.
func (s *smbStream) probe1(c *analyze.Conn, bl smb.Block1) {
	w := bl.Words
	switch bl.Command {
	case smb.Cmd1Transaction: // SetupCount at 26, Setup[] behind it
		if len(w) >= 32 && w[26] == 2 && binary.LittleEndian.Uint16(w[28:]) == transPeekNamedPipe && binary.LittleEndian.Uint16(w[30:]) == 0 {
			s.trace(c, traceMS17Probe, "TRANSACTION", "SMB1 asks for a pipe that nobody opened, as scanners for MS17-010 do")
		}
	case smb.Cmd1Transaction2:
		if len(w) >= 30 && w[26] == 1 && binary.LittleEndian.Uint16(w[28:]) == trans2SessionSetup {
			s.trace(c, traceDoublePulsar, "TRANSACTION2", "SMB1 TRANS2_SESSION_SETUP, which only the DOUBLEPULSAR implant answers")
		}
	case smb.Cmd1NTTransact: // TotalDataCount at 7
		if len(w) >= 11 && binary.LittleEndian.Uint32(w[7:]) > 0xffff {
			s.probes.large = true
		}
	case cmd1Transaction2Secondary:
		if s.probes.large {
			s.trace(c, traceEternalBlue, "TRANSACTION2_SECONDARY", "SMB1 continues a large NT_TRANSACT as TRANSACTION2, as the exploit of CVE-2017-0144 does")
		}
	}
}

// probeCompressed looks for traces in a compressed message ([MS-SMB2] §2.2.42):
// size before compression, algorithm, flags, offset.
func (s *smbStream) probeCompressed(c *analyze.Conn, in []byte) {
	if len(in) < 16 {
		return
	}
	size, flags, offset := uint64(binary.LittleEndian.Uint32(in[4:])), binary.LittleEndian.Uint16(in[10:]), uint64(binary.LittleEndian.Uint32(in[12:]))
	if flags&1 == 0 && (size+offset > 1<<32-1 || offset > maxSMBOffset) { // unchained: the last field is an offset
		s.trace(c, traceSMBGhost, "COMPRESSED", "SMB3 compression header with sizes that cannot be, as the exploit of CVE-2020-0796 sends")
	}
}

// maxSMBOffset is more than any message of SMB3 has in front of its compressed part.
const maxSMBOffset = 16 << 20
