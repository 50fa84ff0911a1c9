// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"

	"github.com/asepsis/asepsis/wire/dicom"
)

// paths judges what a receiver that makes names of files, or commands, of a short text would stumble over.
func (x *inspection) paths(vr dicom.VR, s []byte, m uint16) {
	if m&(hasDot|hasPercent) != 0 && traversal(s) {
		x.hit(pathTraversal, "a value that climbs out of a directory")
	}
	if vr == dicom.AE && len(s) > 0 && (s[0] == '/' || s[0] == '.' && len(s) > 1 && s[1] == '.') {
		x.hit(pathTraversal, "an AE title that is a path")
	}
	if m&(hasShell|hasBrace) == 0 {
		return
	}
	// Devices write lists into code strings with semicolons; the modality is what programs are started with.
	if (vr == dicom.AE || vr == dicom.CS) && bytes.ContainsAny(s, "`|<>$\"") || (vr == dicom.AE || x.val.t.Tag == dicom.TagModality) && bytes.IndexByte(s, ';') >= 0 || vr == dicom.AE && bytes.ContainsAny(s, "'*?\\") {
		x.hit(pathShell, "characters of a shell in a name or code")
		return
	}
	if shell(s) {
		x.hit(pathShell, "a value that a shell would run")
	}
}

// traversal reports "..", as a step of a path, and the percent-encodings of dots, slashes and NUL.
func traversal(s []byte) bool {
	for i := range s {
		switch s[i] {
		case '.':
			if i+1 >= len(s) || s[i+1] != '.' || i+2 < len(s) && s[i+2] == '.' || i > 0 && s[i-1] == '.' {
				continue
			}
			before := i == 0 || s[i-1] == '/' || s[i-1] == '\\'
			after := i+2 >= len(s) || s[i+2] == '/' || s[i+2] == '\\'
			if before && after {
				return true
			}
		case '%':
			if i+2 >= len(s) {
				return false
			}
			switch a, b := s[i+1], lower(s[i+2]); {
			case a == '2' && (b == 'e' || b == 'f'), a == '5' && b == 'c', a == '0' && b == '0', a == '2' && b == '5' && i+4 < len(s) && (s[i+3] == '2' || s[i+3] == '5'), lower(a) == 'c' && b == '0':
				return true
			}
		}
	}
	return false
}

// commands are programs that an injected command begins with. Those of needy are words of other languages too, or of
// radiology ("; rm cerebral", "& cat"): they count when what follows looks like an option or a path.
var (
	commands = [...]string{"bash", "chmod", "chown", "cmd", "curl", "mkfifo", "ncat", "nslookup", "perl", "powershell", "pwsh", "python", "python3", "reboot", "sh", "shutdown", "socat", "sudo", "wget", "whoami"}
	needy    = [...]string{"cat", "cp", "dd", "echo", "id", "kill", "ln", "ls", "mv", "nc", "ping", "rm", "sleep", "tee", "touch"}
)

// shell reports what a shell would run within a text that is pasted into a command.
func shell(s []byte) bool {
	if bytes.Contains(s, []byte("$(")) || bytes.Contains(s, []byte("${IFS")) {
		return true
	}
	if i := bytes.IndexByte(s, '`'); i >= 0 {
		if j := bytes.IndexByte(s[i+1:], '`'); j > 0 {
			return true
		}
	}
	for i := range s {
		switch s[i] {
		case ';', '|', '&', '\n':
		default:
			continue
		}
		rest := bytes.TrimLeft(s[i+1:], " &|;\t")
		if j := bytes.LastIndexByte(rest[:min(len(rest), wordEnd(rest))], '/'); j >= 0 {
			rest = rest[j+1:]
		}
		n := wordEnd(rest)
		if n < len(rest) && bytes.IndexByte([]byte(" ;\t<>|&"), rest[n]) < 0 {
			continue
		}
		word, then := rest[:n], bytes.TrimLeft(rest[n:], " \t")
		if one(word, commands[:]) || len(then) > 0 && bytes.IndexByte([]byte("-/.~$>"), then[0]) >= 0 && one(word, needy[:]) {
			return true
		}
	}
	return false
}

func wordEnd(s []byte) int {
	for i, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '/' || c == '_' || c == '-' && i > 0) {
			return i
		}
	}
	return len(s)
}

// schemes are those of addresses that name files and shares, or that open programs. After the first group two slashes must follow.
var schemes = [...]string{"file://", "smb://", "ldap://", "ldaps://", "rmi://", "jar:", "gopher://", "dict://", "nfs://", "afp://", "ms-msdt:", "search-ms:", "ms-officecmd:", "shell:::", "view-source:", "php://", "phar://"}

// addresses judges addresses that a receiver should not follow.
func (x *inspection) addresses(vr dicom.VR, s []byte, m uint16) {
	if m&hasColon != 0 {
		for i := range s {
			switch lower(s[i]) {
			case 'f', 's', 'l', 'r', 'j', 'g', 'd', 'n', 'a', 'm', 'v', 'p':
			default:
				continue
			}
			if i > 0 && lower(s[i-1]) >= 'a' && lower(s[i-1]) <= 'z' {
				continue
			}
			for _, scheme := range &schemes {
				if hasPrefixFold(s[i:], scheme) && (scheme != "jar:" || bytes.Contains(s[i:], []byte("!/"))) {
					x.hit(textURI, "an address of a local file, a share or a program")
					return
				}
			}
		}
	}
	// A share (\\host\name) can stand only where a backslash parts no values.
	if m&hasDot != 0 && !short(vr) && vr != dicom.UC {
		if i := bytes.Index(s, []byte(`\\`)); i >= 0 && i+3 < len(s) && (i == 0 || s[i-1] <= ' ' || s[i-1] == '"' || s[i-1] == '\'') && alphanumeric(s[i+2]) && bytes.IndexByte(s[i+3:], '\\') > 0 {
			x.hit(textURI, "the name of a share")
		}
	}
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || lower(c) >= 'a' && lower(c) <= 'z'
}

// uid judges the value of a UI.
func (x *inspection) uid(t *dicom.Token, raw []byte, whole bool) {
	if !whole {
		x.hit(textOverlong, "a value of UIDs of more than 4096 bytes")
	}
	single := identifies(t.Tag)
	rest, more := raw, true
	for more {
		var one []byte
		one, rest, more = bytes.Cut(rest, []byte{'\\'})
		if len(one) == 0 {
			continue
		}
		if dangerous(one) || single && more {
			x.hit(uidPath, "a UID with characters of paths or shells")
		} else if !validUID(one) {
			x.hit(uidInvalid, "no UID by PS3.5 §9.1")
		}
	}
	if t.Depth == 0 {
		x.headerText(t.Tag, raw)
	}
}

// identifies reports UIDs that have one value, of which names of files are made.
func identifies(t dicom.Tag) bool {
	switch t {
	case dicom.TagSOPClassUID, dicom.TagSOPInstanceUID, dicom.TagStudyInstanceUID, dicom.TagSeriesInstanceUID, 0x00200052, 0x00081150, 0x00081155:
		return true
	}
	return false
}

// dangerous reports a UID that is not made of digits, dots and harmless letters.
func dangerous(uid []byte) bool {
	for i, c := range uid {
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == ' ', c == '-', c == '_':
		case c == '.':
			if i+1 < len(uid) && uid[i+1] == '.' && (i == 0 || len(uid) == 2) {
				return true
			}
		default:
			return true
		}
	}
	return false
}

func validUID(uid []byte) bool {
	if len(uid) > dicom.MaxUID {
		return false
	}
	return dicom.ValidUID(string(uid)) // does not escape: no allocation
}
