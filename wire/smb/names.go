// SPDX-License-Identifier: Apache-2.0

package smb

import (
	"fmt"

	"github.com/asepsis/asepsis/wire/printable"
)

// Status codes that decide what follows ([MS-ERREF] §2.3.1).
const (
	StatusSuccess        = 0
	StatusPending        = 0x00000103
	StatusMoreProcessing = 0xc0000016
	StatusBufferOverflow = 0x80000005
)

// StatusName returns the name of a status code, or its number.
func StatusName(s uint32) string {
	switch s {
	case StatusSuccess:
		return "STATUS_SUCCESS"
	case StatusPending:
		return "STATUS_PENDING"
	case 0x0000010b:
		return "STATUS_NOTIFY_CLEANUP"
	case 0x0000010c:
		return "STATUS_NOTIFY_ENUM_DIR"
	case StatusBufferOverflow:
		return "STATUS_BUFFER_OVERFLOW"
	case 0x80000006:
		return "STATUS_NO_MORE_FILES"
	case 0xc0000001:
		return "STATUS_UNSUCCESSFUL"
	case 0xc0000002:
		return "STATUS_NOT_IMPLEMENTED"
	case 0xc0000003:
		return "STATUS_INVALID_INFO_CLASS"
	case 0xc0000008:
		return "STATUS_INVALID_HANDLE"
	case 0xc000000d:
		return "STATUS_INVALID_PARAMETER"
	case 0xc000000f:
		return "STATUS_NO_SUCH_FILE"
	case 0xc0000010:
		return "STATUS_INVALID_DEVICE_REQUEST"
	case 0xc0000011:
		return "STATUS_END_OF_FILE"
	case StatusMoreProcessing:
		return "STATUS_MORE_PROCESSING_REQUIRED"
	case 0xc0000022:
		return "STATUS_ACCESS_DENIED"
	case 0xc0000033:
		return "STATUS_OBJECT_NAME_INVALID"
	case 0xc0000034:
		return "STATUS_OBJECT_NAME_NOT_FOUND"
	case 0xc0000035:
		return "STATUS_OBJECT_NAME_COLLISION"
	case 0xc000003a:
		return "STATUS_OBJECT_PATH_NOT_FOUND"
	case 0xc0000043:
		return "STATUS_SHARING_VIOLATION"
	case 0xc0000061:
		return "STATUS_PRIVILEGE_NOT_HELD"
	case 0xc0000064:
		return "STATUS_NO_SUCH_USER"
	case 0xc000006a:
		return "STATUS_WRONG_PASSWORD"
	case 0xc000006d:
		return "STATUS_LOGON_FAILURE"
	case 0xc000006e:
		return "STATUS_ACCOUNT_RESTRICTION"
	case 0xc0000071:
		return "STATUS_PASSWORD_EXPIRED"
	case 0xc0000072:
		return "STATUS_ACCOUNT_DISABLED"
	case 0xc000007f:
		return "STATUS_DISK_FULL"
	case 0xc00000ac:
		return "STATUS_PIPE_NOT_AVAILABLE"
	case 0xc00000ba:
		return "STATUS_FILE_IS_A_DIRECTORY"
	case 0xc00000bb:
		return "STATUS_NOT_SUPPORTED"
	case 0xc00000c9:
		return "STATUS_NETWORK_NAME_DELETED"
	case 0xc00000cb:
		return "STATUS_BAD_DEVICE_TYPE"
	case 0xc00000cc:
		return "STATUS_BAD_NETWORK_NAME"
	case 0xc0000103:
		return "STATUS_NOT_A_DIRECTORY"
	case 0xc0000120:
		return "STATUS_CANCELLED"
	case 0xc0000128:
		return "STATUS_FILE_CLOSED"
	case 0xc000015b:
		return "STATUS_LOGON_TYPE_NOT_GRANTED"
	case 0xc0000203:
		return "STATUS_USER_SESSION_DELETED"
	case 0xc0000225:
		return "STATUS_NOT_FOUND"
	case 0xc0000234:
		return "STATUS_ACCOUNT_LOCKED_OUT"
	case 0xc0000257:
		return "STATUS_PATH_NOT_COVERED"
	case 0xc000035c:
		return "STATUS_NETWORK_SESSION_EXPIRED"
	}
	return fmt.Sprintf("0x%08X", s)
}

// Bind returns the interfaces that a DCE/RPC bind or alter_context proposes,
// by name, at most 8 (C706 §12.6.4.3). b begins with the PDU's header.
func Bind(b []byte) (names []string, ok bool) {
	if len(b) < 28 || b[0] != 5 || b[1] > 1 || b[2] != 11 && b[2] != 14 || b[4]&0xf0 != 0x10 {
		return nil, false // not version 5, not a bind, or not little-endian
	}
	at := 28
	for range min(int(b[24]), 8) {
		if at+24 > len(b) {
			break
		}
		names = append(names, InterfaceName(GUID(b[at+4:at+20])))
		at += 24 + 20*int(b[at+2])
	}
	return names, true
}

// InterfaceName returns the usual name of an RPC interface, or its UUID.
func InterfaceName(g GUID) string {
	s := g.String()
	switch s {
	case "367abb81-9844-35f1-ad32-98f038001003":
		return "svcctl"
	case "1ff70682-0a51-30e8-076d-740be8cee98b":
		return "atsvc"
	case "86d35949-83c9-4044-b424-db363231fd0c":
		return "ITaskSchedulerService"
	case "338cd001-2244-31f1-aaaa-900038001003":
		return "winreg"
	case "12345778-1234-abcd-ef00-0123456789ab":
		return "lsarpc"
	case "12345778-1234-abcd-ef00-0123456789ac":
		return "samr"
	case "12345678-1234-abcd-ef00-01234567cffb":
		return "netlogon"
	case "12345678-1234-abcd-ef00-0123456789ab":
		return "spoolss"
	case "4b324fc8-1670-01d3-1278-5a47bf6ee188":
		return "srvsvc"
	case "6bffd098-a112-3610-9833-46c3f87e345a":
		return "wkssvc"
	case "e3514235-4b06-11d1-ab04-00c04fc2dcd2":
		return "drsuapi"
	case "3919286a-b10c-11d0-9ba8-00c04fd92ef5":
		return "dssetup"
	case "c681d488-d850-11d0-8c52-00c04fd90f7e", "df1941c5-fe89-4e79-bf10-463657acf44d":
		return "efsrpc"
	case "4fc742e0-4a10-11cf-8273-00aa004ae673":
		return "netdfs"
	case "82273fdc-e32a-18c3-3f78-827929dc23ea":
		return "eventlog"
	case "e1af8308-5d1f-11c9-91a4-08002b14a0fa":
		return "epmapper"
	case "894de0c0-0d55-11d3-a322-00c04fa321a1":
		return "initshutdown"
	case "5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc":
		return "msgsvc"
	case "a8e0653c-2744-4389-a61d-7373df8b2292":
		return "fssagentrpc"
	}
	return s
}

// CalledNames decodes the two NetBIOS names of a session request (RFC 1002
// §4.3.2): the name called and the name of the caller.
func CalledNames(b []byte) (called, calling string) {
	if len(b) < 34 {
		return "", ""
	}
	called = netbiosName(b)
	if len(b) >= 68 {
		calling = netbiosName(b[34:])
	}
	return called, calling
}

func netbiosName(b []byte) string {
	if len(b) < 33 || b[0] != 32 || !isEncoded(b[1:33]) {
		return ""
	}
	var n [15]byte
	for i := range n {
		n[i] = (b[1+2*i]-'A')<<4 | (b[2+2*i] - 'A')
	}
	return printable.Text(n[:], 15)
}
