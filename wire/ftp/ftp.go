// SPDX-License-Identifier: Apache-2.0

// Package ftp reads the control connection of the File Transfer Protocol: the
// commands and replies of RFC 959, with RFC 2228 (AUTH), RFC 2428 (EPRT, EPSV),
// RFC 3659 (MLSD and others) and RFC 7151 (HOST).
//
// # Limits
//
// A line has at most MaxLine octets, Telnet commands within it are dropped
// (RFC 959 §4). Text is cut to 256 bytes.
//
// # What is not done
//
// Data connections are not read; ParsePort tells where they go.
package ftp

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// MaxLine is the longest line, its end included.
const MaxLine = 4096

// Command is what a client sends. Arg of USER, PASS and ACCT names a person or
// is a secret.
type Command struct {
	Verb string // upper case
	Arg  string
}

// Line cuts the first line of b: its text, without end and Telnet commands,
// and how many octets it took. n is 0 while the line is not complete.
func Line(b []byte) (line []byte, n int, err error) {
	i := bytes.IndexByte(b[:min(len(b), MaxLine)], '\n')
	if i < 0 {
		if len(b) >= MaxLine {
			return nil, 0, &octet.Error{Offset: MaxLine, What: "line too long"}
		}
		return nil, 0, nil
	}
	line = bytes.TrimSuffix(b[:i], []byte{'\r'})
	for len(line) >= 2 && line[0] == 0xff && line[1] >= 0xf0 { // IAC IP, IAC DM before ABOR
		if line = line[2:]; len(line) > 0 && line[0] == 0xf2 {
			line = line[1:]
		}
	}
	return line, i + 1, nil
}

// ParseCommand reads a line of a client: three or four letters, then a space
// and the argument.
func ParseCommand(line []byte) (Command, error) {
	n := 0
	for n < len(line) && isLetter(line[n]) {
		n++
	}
	if n < 3 || n > 4 || n < len(line) && line[n] != ' ' {
		return Command{}, &octet.Error{Offset: n, What: "not a command"}
	}
	return Command{Verb: strings.ToUpper(string(line[:n])), Arg: printable.Text(bytes.TrimLeft(line[n:], " "), printable.Max)}, nil
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// Known reports a command that a standard has.
func Known(verb string) bool {
	switch verb {
	case "USER", "PASS", "ACCT", "CWD", "CDUP", "SMNT", "QUIT", "REIN", "PORT", "PASV", "TYPE", "STRU", "MODE", "RETR", "STOR", "STOU", "APPE", "ALLO", "REST",
		"RNFR", "RNTO", "ABOR", "DELE", "RMD", "MKD", "PWD", "LIST", "NLST", "SITE", "SYST", "STAT", "HELP", "NOOP",
		"AUTH", "ADAT", "PROT", "PBSZ", "CCC", "MIC", "CONF", "ENC", "EPRT", "EPSV", "FEAT", "OPTS", "LANG", "MDTM", "MLSD", "MLST", "SIZE", "HOST", "CLNT",
		"XCUP", "XCWD", "XMKD", "XPWD", "XRMD", "MFMT", "XCRC", "HASH", "LPRT", "LPSV":
		return true
	}
	return false
}

// Own reports a command that only FTP has, unlike USER, which POP3 has too.
func Own(verb string) bool {
	switch verb {
	case "USER", "PASS", "QUIT", "RETR", "STAT", "LIST", "HELP", "NOOP", "DELE", "AUTH", "STOR", "LANG", "HOST", "CONF", "ENC", "MIC", "SITE", "MODE", "SIZE", "HASH", "CCC":
		return false
	}
	return Known(verb)
}

// Reply is a reply of the server, of its last line.
type Reply struct {
	Code int
	Text string
	More bool // the first line of several: the rest follows until the same code with a space
}

// ParseReply reads the first or only line of a reply (RFC 959 §4.2).
func ParseReply(line []byte) (Reply, error) {
	if len(line) < 3 || line[0] < '1' || line[0] > '6' || line[1] < '0' || line[1] > '9' || line[2] < '0' || line[2] > '9' {
		return Reply{}, &octet.Error{What: "not a reply code"}
	}
	r := Reply{Code: int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')}
	if len(line) == 3 {
		return r, nil
	}
	switch line[3] {
	case ' ':
	case '-':
		r.More = true
	default:
		return Reply{}, &octet.Error{Offset: 3, What: "reply code without a space"}
	}
	r.Text = printable.Text(line[4:], printable.Max)
	return r, nil
}

// Ends reports whether a line is the last of a reply of several lines.
func Ends(line []byte, code int) bool {
	return len(line) >= 3 && string(line[:3]) == strconv.Itoa(code) && (len(line) == 3 || line[3] == ' ')
}

// ParsePort finds the address of a data connection in the argument of PORT or
// EPRT or the text of a 227 or 229 reply. The address is invalid where EPSV
// leaves it out.
func ParsePort(code int, verb, text string) (netip.AddrPort, bool) {
	switch {
	case verb == "PORT" || code == 227:
		i := strings.IndexFunc(text, func(r rune) bool { return r >= '0' && r <= '9' })
		if i < 0 {
			return netip.AddrPort{}, false
		}
		var v [6]byte
		for k := range v {
			n, digits := 0, 0
			for i < len(text) && text[i] >= '0' && text[i] <= '9' && digits < 3 {
				n, i, digits = n*10+int(text[i]-'0'), i+1, digits+1
			}
			if digits == 0 || n > 255 || k < 5 && (i >= len(text) || text[i] != ',') {
				return netip.AddrPort{}, false
			}
			v[k] = byte(n)
			i++
		}
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(v[:4])), uint16(v[4])<<8|uint16(v[5])), true
	case verb == "EPRT" || code == 229: // <d><proto><d><address><d><port><d>
		i := strings.IndexAny(text, "|!#")
		if code == 229 {
			if i = strings.IndexByte(text, '('); i < 0 {
				return netip.AddrPort{}, false
			}
			i++
		}
		if i < 0 || i >= len(text) {
			return netip.AddrPort{}, false
		}
		f := strings.SplitN(text[i+1:], text[i:i+1], 4)
		if len(f) < 4 {
			return netip.AddrPort{}, false
		}
		p, err := strconv.ParseUint(f[2], 10, 16)
		if err != nil || p == 0 {
			return netip.AddrPort{}, false
		}
		a, _ := netip.ParseAddr(f[1])
		return netip.AddrPortFrom(a.WithZone(""), uint16(p)), true
	}
	return netip.AddrPort{}, false
}
