// SPDX-License-Identifier: Apache-2.0

package smb

import (
	"encoding/hex"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Commands of SMB2 ([MS-SMB2] §2.2.1.2).
const (
	Cmd2Negotiate = iota
	Cmd2SessionSetup
	Cmd2Logoff
	Cmd2TreeConnect
	Cmd2TreeDisconnect
	Cmd2Create
	Cmd2Close
	Cmd2Flush
	Cmd2Read
	Cmd2Write
	Cmd2Lock
	Cmd2Ioctl
	Cmd2Cancel
	Cmd2Echo
	Cmd2QueryDirectory
	Cmd2ChangeNotify
	Cmd2QueryInfo
	Cmd2SetInfo
	Cmd2OplockBreak
)

// Header2Size is the length of an SMB2 header.
const Header2Size = 64

// Header2 is the header of an SMB2 message (§2.2.1).
type Header2 struct {
	Command   uint16
	Status    uint32 // responses only
	Credits   uint16 // requested or granted
	Next      int    // offset of the next message of a compound, 0 in the last
	MessageID uint64
	AsyncID   uint64 // when Async
	TreeID    uint32 // when not Async
	SessionID uint64
	Response  bool
	Async     bool
	Related   bool
	Signed    bool
}

// ParseHeader2 reads the header at the start of b.
func ParseHeader2(b []byte) (Header2, error) {
	if len(b) < Header2Size {
		return Header2{}, &octet.Error{Offset: len(b), What: "SMB2 header cut off"}
	}
	if KindOf(b) != SMB2 || le16(b, 4) != Header2Size {
		return Header2{}, &octet.Error{What: "not an SMB2 header"}
	}
	flags := le32(b, 16)
	h := Header2{
		Command: le16(b, 12), Credits: le16(b, 14), MessageID: le64(b, 24), SessionID: le64(b, 40),
		Response: flags&1 != 0, Async: flags&2 != 0, Related: flags&4 != 0, Signed: flags&8 != 0,
	}
	if h.Response {
		h.Status = le32(b, 8)
	}
	if h.Async {
		h.AsyncID = le64(b, 32)
	} else {
		h.TreeID = le32(b, 36)
	}
	if h.Command > Cmd2OplockBreak {
		return h, &octet.Error{Offset: 12, What: "unknown SMB2 command"}
	}
	next := le32(b, 20)
	if next != 0 && (next < Header2Size || next&7 != 0 || next >= 1<<24) { // §3.2.4.1.4: aligned to 8
		return h, &octet.Error{Offset: 20, What: "NextCommand impossible"}
	}
	h.Next = int(next)
	return h, nil
}

var commands2 = [...]string{"NEGOTIATE", "SESSION_SETUP", "LOGOFF", "TREE_CONNECT", "TREE_DISCONNECT", "CREATE", "CLOSE", "FLUSH", "READ", "WRITE",
	"LOCK", "IOCTL", "CANCEL", "ECHO", "QUERY_DIRECTORY", "CHANGE_NOTIFY", "QUERY_INFO", "SET_INFO", "OPLOCK_BREAK"}

// CommandName2 returns the name of a command as the standard writes it.
func CommandName2(c uint16) string {
	if int(c) < len(commands2) {
		return commands2[c]
	}
	return ""
}

// GUID is an identifier in the mixed order of [MS-DTYP] §2.3.4.2.
type GUID [16]byte

// IsZero reports an identifier that was not sent.
func (g GUID) IsZero() bool { return g == GUID{} }

// String returns the usual form, "" for the zero GUID.
func (g GUID) String() string {
	if g.IsZero() {
		return ""
	}
	b := [16]byte{g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]}
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// body returns the structure behind the header after checking StructureSize,
// of which the low bit means that a variable part follows (§2.2).
func body(msg []byte, size uint16, what string) ([]byte, error) {
	n := int(size &^ 1)
	if len(msg) < Header2Size+n {
		return nil, &octet.Error{Offset: len(msg), What: what + " cut off"}
	}
	if le16(msg, Header2Size) != size {
		return nil, &octet.Error{Offset: Header2Size, What: what + ": wrong StructureSize"}
	}
	return msg[Header2Size:], nil
}

// TreeConnect2 reads the path of a TREE_CONNECT request (§2.2.9).
func TreeConnect2(msg []byte) (path string, err error) {
	b, err := body(msg, 9, "TREE_CONNECT request")
	if err != nil {
		return "", err
	}
	return printable.UTF16(within(msg, int(le16(b, 4)), int(le16(b, 6))), printable.Max), nil
}

// Share is what a TREE_CONNECT response says (§2.2.10).
type Share struct {
	Type    string // "disk", "pipe", "printer"
	Encrypt bool   // SMB2_SHAREFLAG_ENCRYPT_DATA
}

// ParseShare2 reads a successful TREE_CONNECT response.
func ParseShare2(msg []byte) (Share, error) {
	b, err := body(msg, 16, "TREE_CONNECT response")
	if err != nil {
		return Share{}, err
	}
	return Share{Type: shareType(b[2]), Encrypt: le32(b, 4)&0x8000 != 0}, nil
}

func shareType(t uint8) string {
	switch t {
	case 1:
		return "disk"
	case 2:
		return "pipe"
	case 3:
		return "printer"
	}
	return ""
}

// Dispositions of CREATE, which is also how OCSF orders its activities.
const (
	Supersede = iota
	Open
	Create
	OpenIf
	Overwrite
	OverwriteIf
)

// OpenRequest is a CREATE request of SMB2 (§2.2.13) or an NT_CREATE_ANDX of SMB1.
type OpenRequest struct {
	Path          string // relative to the share, "" for its root
	Access        uint32 // DesiredAccess
	Disposition   uint32
	Options       uint32
	DeleteOnClose bool
	Directory     bool
}

// CreateOptions that matter here (§2.2.13).
const (
	optionDirectory     = 0x1
	optionDeleteOnClose = 0x1000
)

// MaxPath is the longest path in bytes that is kept.
const MaxPath = 1024

// ParseCreate2 reads a CREATE request.
func ParseCreate2(msg []byte) (OpenRequest, error) {
	b, err := body(msg, 57, "CREATE request")
	if err != nil {
		return OpenRequest{}, err
	}
	o := le32(b, 40)
	return OpenRequest{
		Access: le32(b, 24), Disposition: le32(b, 36), Options: o, DeleteOnClose: o&optionDeleteOnClose != 0, Directory: o&optionDirectory != 0,
		Path: printable.UTF16(within(msg, int(le16(b, 44)), int(le16(b, 46))), MaxPath),
	}, nil
}

// FileID names an open file.
type FileID [16]byte

// Related is the FileID that stands for the file of the message before in a
// compound (§3.3.5.2.7.2).
var related = FileID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// IsRelated reports the FileID that stands for that of the message before.
func (f FileID) IsRelated() bool { return f == related }

// Opened is a successful CREATE response (§2.2.14).
type Opened struct {
	Action    uint32 // 0 superseded, 1 opened, 2 created, 3 overwritten
	Size      uint64
	Directory bool
	File      FileID
}

// ParseOpened2 reads a successful CREATE response.
func ParseOpened2(msg []byte) (Opened, error) {
	b, err := body(msg, 89, "CREATE response")
	if err != nil {
		return Opened{}, err
	}
	return Opened{Action: le32(b, 4), Size: le64(b, 48), Directory: le32(b, 56)&0x10 != 0, File: FileID(b[64:80])}, nil
}

// FileOf returns the file that a CLOSE, READ, WRITE, SET_INFO, IOCTL, FLUSH,
// QUERY_DIRECTORY, QUERY_INFO, CHANGE_NOTIFY or LOCK request is about.
func FileOf(command uint16, msg []byte) (f FileID, ok bool) {
	at := 0
	switch command {
	case Cmd2Close, Cmd2Flush, Cmd2Ioctl, Cmd2QueryDirectory, Cmd2ChangeNotify, Cmd2Lock:
		at = 8
	case Cmd2Read, Cmd2Write, Cmd2SetInfo:
		at = 16
	case Cmd2QueryInfo:
		at = 24
	default:
		return f, false
	}
	if len(msg) < Header2Size+at+16 {
		return f, false
	}
	return FileID(msg[Header2Size+at:]), true
}

// Transfer is a READ response or a WRITE request: how much and, as far as it
// is there, what.
type Transfer struct {
	Length uint32
	Data   []byte // points into the message
}

// ParseReadResponse2 reads a READ response (§2.2.20).
func ParseReadResponse2(msg []byte) (Transfer, error) {
	b, err := body(msg, 17, "READ response")
	if err != nil {
		return Transfer{}, err
	}
	n := le32(b, 4)
	return Transfer{Length: n, Data: within(msg, int(b[2]), int(min(n, 1<<20)))}, nil
}

// ParseWrite2 reads a WRITE request (§2.2.21).
func ParseWrite2(msg []byte) (Transfer, error) {
	b, err := body(msg, 49, "WRITE request")
	if err != nil {
		return Transfer{}, err
	}
	n := le32(b, 4)
	return Transfer{Length: n, Data: within(msg, int(le16(b, 2)), int(min(n, 1<<20)))}, nil
}

// ParseWriteResponse2 reads how many octets were written (§2.2.22).
func ParseWriteResponse2(msg []byte) (uint32, error) {
	b, err := body(msg, 17, "WRITE response")
	if err != nil {
		return 0, err
	}
	return le32(b, 4), nil
}

// Change is what a SET_INFO request does to a file, as far as it matters here.
type Change struct {
	Rename string // new path
	Delete bool   // marked to be deleted on close
}

// ParseSetInfo2 reads a SET_INFO request (§2.2.39; classes of [MS-FSCC] §2.4).
func ParseSetInfo2(msg []byte) (Change, error) {
	b, err := body(msg, 33, "SET_INFO request")
	if err != nil {
		return Change{}, err
	}
	var c Change
	if b[2] != 1 { // SMB2_0_INFO_FILE
		return c, nil
	}
	info := within(msg, int(le16(b, 8)), int(min(le32(b, 4), 1<<16)))
	switch b[3] {
	case 10, 65: // FileRenameInformation, FileRenameInformationEx
		if len(info) > 20 {
			c.Rename = printable.UTF16(within(info, 20, int(min(le32(info, 16), 1<<16))), MaxPath)
		}
	case 13: // FileDispositionInformation
		c.Delete = len(info) > 0 && info[0] != 0
	case 64: // FileDispositionInformationEx
		c.Delete = len(info) > 0 && info[0]&1 != 0
	}
	return c, nil
}

// Ioctl is an IOCTL request or response (§2.2.31, §2.2.32).
type Ioctl struct {
	Code uint32
	Data []byte // input of a request, output of a response
}

// Control codes that matter here (§2.2.31).
const (
	PipeTransceive = 0x0011c017
)

// ParseIoctl2 reads an IOCTL.
func ParseIoctl2(msg []byte, response bool) (Ioctl, error) {
	size := uint16(57)
	if response {
		size = 49
	}
	b, err := body(msg, size, "IOCTL")
	if err != nil {
		return Ioctl{}, err
	}
	i := Ioctl{Code: le32(b, 4)}
	at, n := le32(b, 24), le32(b, 28)
	if response {
		at, n = le32(b, 32), le32(b, 36)
	}
	i.Data = within(msg, int(min(at, 1<<24)), int(min(n, 1<<20)))
	return i, nil
}

// IoctlName returns the name of a control code, "" for rare ones.
func IoctlName(code uint32) string {
	switch code {
	case 0x00060194, 0x000601b0:
		return "FSCTL_DFS_GET_REFERRALS"
	case 0x0011400c:
		return "FSCTL_PIPE_PEEK"
	case 0x00110018:
		return "FSCTL_PIPE_WAIT"
	case PipeTransceive:
		return "FSCTL_PIPE_TRANSCEIVE"
	case 0x001440f2, 0x001480f2:
		return "FSCTL_SRV_COPYCHUNK"
	case 0x00144064:
		return "FSCTL_SRV_ENUMERATE_SNAPSHOTS"
	case 0x00140078:
		return "FSCTL_SRV_REQUEST_RESUME_KEY"
	case 0x001401d4:
		return "FSCTL_LMR_REQUEST_RESILIENCY"
	case 0x001401fc:
		return "FSCTL_QUERY_NETWORK_INTERFACE_INFO"
	case 0x000900a4:
		return "FSCTL_SET_REPARSE_POINT"
	case 0x00140204:
		return "FSCTL_VALIDATE_NEGOTIATE_INFO"
	}
	return ""
}

// TransformSize is the length of the header of an encrypted message.
const TransformSize = 52

// ParseTransform returns the session and the length in clear of an encrypted
// message (§2.2.41).
func ParseTransform(b []byte) (session uint64, size uint32, err error) {
	if len(b) < TransformSize {
		return 0, 0, &octet.Error{Offset: len(b), What: "transform header cut off"}
	}
	return le64(b, 44), le32(b, 36), nil
}
