// SPDX-License-Identifier: Apache-2.0

package smb

import (
	"bytes"
	"fmt"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Commands of SMB1 ([MS-CIFS] §2.2.2.1).
const (
	Cmd1CreateDirectory = 0x00
	Cmd1DeleteDirectory = 0x01
	Cmd1Close           = 0x04
	Cmd1Delete          = 0x06
	Cmd1Rename          = 0x07
	Cmd1Transaction     = 0x25
	Cmd1Echo            = 0x2b
	Cmd1OpenAndX        = 0x2d
	Cmd1ReadAndX        = 0x2e
	Cmd1WriteAndX       = 0x2f
	Cmd1Transaction2    = 0x32
	Cmd1TreeDisconnect  = 0x71
	Cmd1Negotiate       = 0x72
	Cmd1SessionSetup    = 0x73
	Cmd1Logoff          = 0x74
	Cmd1TreeConnect     = 0x75
	Cmd1NTTransact      = 0xa0
	Cmd1NTCreate        = 0xa2
	noAndX              = 0xff
)

// Header1Size is the length of an SMB1 header.
const Header1Size = 32

const maxChain = 8

// Header1 is the header of an SMB1 message (§2.2.3.1).
type Header1 struct {
	Command  uint8
	Status   uint32 // NTSTATUS when NTStatus, else class and code of DOS errors
	NTStatus bool
	Response bool
	Unicode  bool
	Signed   bool
	TID, UID uint16
	MID      uint16
	PID      uint32
}

// ParseHeader1 reads the header at the start of b.
func ParseHeader1(b []byte) (Header1, error) {
	if len(b) < Header1Size {
		return Header1{}, &octet.Error{Offset: len(b), What: "SMB1 header cut off"}
	}
	if KindOf(b) != SMB1 {
		return Header1{}, &octet.Error{What: "not an SMB1 header"}
	}
	f2 := le16(b, 10)
	return Header1{
		Command: b[4], Status: le32(b, 5), Response: b[9]&0x80 != 0, NTStatus: f2&0x4000 != 0, Unicode: f2&0x8000 != 0, Signed: f2&0x4 != 0,
		TID: le16(b, 24), PID: uint32(le16(b, 12))<<16 | uint32(le16(b, 26)), UID: le16(b, 28), MID: le16(b, 30),
	}, nil
}

// CommandName1 returns the name of a command without the prefix SMB_COM_.
func CommandName1(c uint8) string {
	switch c {
	case Cmd1CreateDirectory:
		return "CREATE_DIRECTORY"
	case Cmd1DeleteDirectory:
		return "DELETE_DIRECTORY"
	case Cmd1Close:
		return "CLOSE"
	case Cmd1Delete:
		return "DELETE"
	case Cmd1Rename:
		return "RENAME"
	case Cmd1Transaction:
		return "TRANSACTION"
	case Cmd1Echo:
		return "ECHO"
	case Cmd1OpenAndX:
		return "OPEN_ANDX"
	case Cmd1ReadAndX:
		return "READ_ANDX"
	case Cmd1WriteAndX:
		return "WRITE_ANDX"
	case Cmd1Transaction2:
		return "TRANSACTION2"
	case Cmd1TreeDisconnect:
		return "TREE_DISCONNECT"
	case Cmd1Negotiate:
		return "NEGOTIATE"
	case Cmd1SessionSetup:
		return "SESSION_SETUP"
	case Cmd1Logoff:
		return "LOGOFF"
	case Cmd1TreeConnect:
		return "TREE_CONNECT"
	case Cmd1NTTransact:
		return "NT_TRANSACT"
	case Cmd1NTCreate:
		return "NT_CREATE"
	}
	return fmt.Sprintf("0x%02X", c)
}

// Block1 is one command of a message: its parameter words and data bytes,
// which point into the message.
type Block1 struct {
	Command uint8
	Words   []byte
	Data    []byte
	DataAt  int // offset of Data from the header, for alignment
}

// Blocks1 calls do for each command of a message, following the AndX chain
// (§2.2.3.4). Data that is cut off is given as far as it is there.
func Blocks1(msg []byte, h Header1, do func(Block1) error) error {
	at, cmd := Header1Size, h.Command
	for range maxChain {
		if at >= len(msg) {
			return &octet.Error{Offset: at, What: "WordCount cut off"}
		}
		n := int(msg[at]) * 2
		if at+1+n > len(msg) {
			return &octet.Error{Offset: at, What: "parameter words cut off"}
		}
		bl := Block1{Command: cmd, Words: msg[at+1 : at+1+n], DataAt: at + 3 + n}
		bl.Data = within(msg, bl.DataAt, int(le16(msg, at+1+n)))
		if err := do(bl); err != nil {
			return err
		}
		if !andX(cmd) || len(bl.Words) < 4 || bl.Words[0] == noAndX {
			return nil
		}
		next := int(le16(bl.Words, 2))
		if next <= at { // only forwards, so that this ends
			return nil
		}
		at, cmd = next, bl.Words[0]
	}
	return nil
}

func andX(c uint8) bool {
	switch c {
	case Cmd1SessionSetup, Cmd1TreeConnect, Cmd1NTCreate, Cmd1OpenAndX, Cmd1ReadAndX, Cmd1WriteAndX, Cmd1Logoff, 0x24:
		return true
	}
	return false
}

// strings1 reads consecutive strings of a block's data.
type strings1 struct {
	b       []byte
	at      int // offset of b from the header
	unicode bool
}

// next reads one NUL-terminated string; Unicode is aligned to the header.
func (s *strings1) next(limit int) string {
	if s.unicode {
		if s.at&1 != 0 && len(s.b) > 0 {
			s.b, s.at = s.b[1:], s.at+1
		}
		n := 0
		for n+1 < len(s.b) && s.b[n]|s.b[n+1] != 0 {
			n += 2
		}
		v := printable.UTF16(s.b[:min(n, len(s.b))], limit)
		k := min(n+2, len(s.b))
		s.b, s.at = s.b[k:], s.at+k
		return v
	}
	n := bytes.IndexByte(s.b, 0)
	if n < 0 {
		n = len(s.b)
	}
	v := printable.Text(s.b[:n], limit)
	k := min(n+1, len(s.b))
	s.b, s.at = s.b[k:], s.at+k
	return v
}

func (s *strings1) skip(n int) {
	n = min(n, len(s.b))
	s.b, s.at = s.b[n:], s.at+n
}

func (bl *Block1) strings(h Header1) strings1 {
	return strings1{b: bl.Data, at: bl.DataAt, unicode: h.Unicode}
}

// Dialects1 reads the dialects of a NEGOTIATE request ([MS-CIFS] §2.2.4.52.1).
func Dialects1(bl Block1) (out []string) {
	b := bl.Data
	for len(b) > 1 && b[0] == 2 && len(out) < maxDialects {
		n := bytes.IndexByte(b[1:], 0)
		if n < 0 {
			break
		}
		out = append(out, printable.Text(b[1:1+n], 64))
		b = b[n+2:]
	}
	return out
}

// NoDialect is the index with which a server refuses all dialects.
const NoDialect = 0xffff

// ParseNegotiateResponse1 reads a NEGOTIATE response; the index is that of the
// dialect in the request ([MS-CIFS] §2.2.4.52.2, [MS-SMB] §2.2.4.5.2).
func ParseNegotiateResponse1(bl Block1, h Header1) (index uint16, n *Negotiate, err error) {
	if len(bl.Words) < 2 {
		return 0, nil, &octet.Error{Offset: Header1Size, What: "NEGOTIATE response without words"}
	}
	index, n = le16(bl.Words, 0), &Negotiate{}
	if len(bl.Words) < 34 {
		return index, n, nil // core protocol or LANMAN
	}
	n.SigningEnabled, n.SigningRequired = bl.Words[2]&4 != 0, bl.Words[2]&8 != 0
	n.Capabilities, n.SystemTime = le32(bl.Words, 19), le64(bl.Words, 23)
	s := bl.strings(h)
	if n.Capabilities&0x80000000 != 0 {
		n.ExtendedSec = true
		if len(bl.Data) >= 16 {
			n.GUID, n.Token = GUID(bl.Data[:16]), bl.Data[16:]
		}
		return index, n, nil
	}
	s.skip(int(bl.Words[33]))
	if s.unicode { // the names behind the challenge are not aligned
		s.at &^= 1
	}
	n.Domain, n.Server = s.next(printable.Max), s.next(printable.Max)
	return index, n, nil
}

// ParseSessionSetup1 reads a SESSION_SETUP_ANDX request or response ([MS-CIFS]
// §2.2.4.53, [MS-SMB] §2.2.4.6).
func ParseSessionSetup1(bl Block1, h Header1) (*SessionSetup, error) {
	w, s, out := bl.Words, bl.strings(h), &SessionSetup{}
	switch {
	case h.Response && len(w) >= 8: // extended security
		n := int(le16(w, 6))
		out.Guest, out.Token = le16(w, 4)&1 != 0, within(bl.Data, 0, n)
		s.skip(n)
		out.NativeOS, out.NativeLanMan = s.next(printable.Max), s.next(printable.Max)
	case h.Response && len(w) >= 6:
		out.Guest = le16(w, 4)&1 != 0
		out.NativeOS, out.NativeLanMan, out.Domain = s.next(printable.Max), s.next(printable.Max), s.next(printable.Max)
	case h.Response:
		return out, nil // an error
	case len(w) == 24: // extended security
		n := int(le16(w, 14))
		out.Token = within(bl.Data, 0, n)
		s.skip(n)
		out.NativeOS, out.NativeLanMan = s.next(printable.Max), s.next(printable.Max)
	case len(w) == 26:
		oem, uni := int(le16(w, 14)), int(le16(w, 16))
		s.skip(oem + uni)
		out.Account, out.Domain, out.NativeOS, out.NativeLanMan = s.next(printable.Max), s.next(printable.Max), s.next(printable.Max), s.next(printable.Max)
		out.LegacyNTLM = uni == 24 || uni == 0 && oem == 24
		out.Plain = oem+uni > 1 && oem != 24 && uni < 24
	case len(w) == 20: // LANMAN
		n := int(le16(w, 14))
		s.unicode = false
		s.skip(n)
		out.Account, out.Domain, out.NativeOS, out.NativeLanMan = s.next(printable.Max), s.next(printable.Max), s.next(printable.Max), s.next(printable.Max)
		out.LegacyNTLM, out.Plain = n == 24, n > 1 && n != 24
	default:
		return nil, &octet.Error{Offset: Header1Size, What: "SESSION_SETUP_ANDX with an unknown number of words"}
	}
	return out, nil
}

// TreeConnect1 reads the path of a TREE_CONNECT_ANDX request ([MS-CIFS] §2.2.4.55.1).
func TreeConnect1(bl Block1, h Header1) (path string, err error) {
	if len(bl.Words) < 8 {
		return "", &octet.Error{Offset: Header1Size, What: "TREE_CONNECT_ANDX words cut off"}
	}
	s := bl.strings(h)
	s.skip(int(le16(bl.Words, 6)))
	return s.next(printable.Max), nil
}

// ParseShare1 reads a TREE_CONNECT_ANDX response: the service decides the type.
func ParseShare1(bl Block1) Share {
	n := bytes.IndexByte(bl.Data, 0)
	if n < 0 {
		return Share{}
	}
	switch string(bl.Data[:n]) {
	case "A:":
		return Share{Type: "disk"}
	case "IPC":
		return Share{Type: "pipe"}
	case "LPT1:":
		return Share{Type: "printer"}
	}
	return Share{}
}

// ParseCreate1 reads an NT_CREATE_ANDX request ([MS-CIFS] §2.2.4.64.1).
func ParseCreate1(bl Block1, h Header1) (OpenRequest, error) {
	w := bl.Words
	if len(w) < 48 {
		return OpenRequest{}, &octet.Error{Offset: Header1Size, What: "NT_CREATE_ANDX words cut off"}
	}
	s := bl.strings(h)
	o := le32(w, 39)
	return OpenRequest{Path: s.next(MaxPath), Access: le32(w, 15), Disposition: le32(w, 35), Options: o,
		DeleteOnClose: o&optionDeleteOnClose != 0, Directory: o&optionDirectory != 0}, nil
}

// ParseOpened1 reads a successful NT_CREATE_ANDX response: its FID and action.
func ParseOpened1(bl Block1) (fid uint16, o Opened, err error) {
	w := bl.Words
	if len(w) < 68 {
		return 0, o, &octet.Error{Offset: Header1Size, What: "NT_CREATE_ANDX response words cut off"}
	}
	return le16(w, 5), Opened{Action: le32(w, 7), Size: le64(w, 55), Directory: w[67] != 0}, nil
}

// File1 returns the FID that a CLOSE, READ_ANDX or WRITE_ANDX request is about.
func File1(bl Block1) (fid uint16, ok bool) {
	switch bl.Command {
	case Cmd1Close:
		return le16(bl.Words, 0), len(bl.Words) >= 2
	case Cmd1ReadAndX, Cmd1WriteAndX:
		return le16(bl.Words, 4), len(bl.Words) >= 6
	}
	return 0, false
}

// Transfer1 returns how much a READ_ANDX response or WRITE_ANDX request
// carries, and what of it is there.
func Transfer1(msg []byte, bl Block1, response bool) (Transfer, bool) {
	w := bl.Words
	switch {
	case bl.Command == Cmd1ReadAndX && response && len(w) >= 24:
		n := uint32(le16(w, 10)) | uint32(le16(w, 14))<<16
		return Transfer{n, within(msg, int(le16(w, 12)), int(min(n, 1<<20)))}, true
	case bl.Command == Cmd1WriteAndX && !response && len(w) >= 24:
		n := uint32(le16(w, 20)) | uint32(le16(w, 18))<<16
		return Transfer{n, within(msg, int(le16(w, 22)), int(min(n, 1<<20)))}, true
	}
	return Transfer{}, false
}

// Paths1 reads the names of DELETE, RENAME and directory requests, each behind
// an octet that says that it is a string (§2.2.4.7, §2.2.4.8).
func Paths1(bl Block1, h Header1) (first, second string) {
	s := bl.strings(h)
	read := func() string {
		if len(s.b) == 0 || s.b[0] != 4 {
			return ""
		}
		s.skip(1)
		return s.next(MaxPath)
	}
	return read(), read()
}
