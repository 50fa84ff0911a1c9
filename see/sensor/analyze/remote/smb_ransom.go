// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"strings"

	"github.com/asepsis/asepsis/see/sensor/analyze"
)

// maxAppended is the longest extension that is shown where it was appended to a name.
const maxAppended = 16

// renamed shows the new path of a file. What encrypts a share appends the same text to the
// names of all files; that text is of the program and not of a patient, and stays.
func renamed(c *analyze.Conn, from, to string) string {
	if to == "" {
		return ""
	}
	name := baseName(from)
	if added, ok := strings.CutPrefix(baseName(to), name+"."); ok && name != "" && alphanumeric(added) {
		folder := to[:len(to)-len(baseName(to))]
		return redactPath(c, folder+name) + "." + added
	}
	return redactPath(c, to)
}

func alphanumeric(s string) bool {
	if s == "" || len(s) > maxAppended {
		return false
	}
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

func baseName(path string) string { return path[strings.LastIndexAny(path, `\/`)+1:] }

// noteWords are what the names of ransom notes are made of.
var noteWords = [...]string{"decrypt", "ransom", "how_to_recover", "how_to_restore", "restore_files", "recover_files", "recovery_instructions", "your_files", "_readme", "readme_", "help_restore", "unlock"}

// ransomNote reports a name as notes of extortion bear it. It is asked here, since the name
// is replaced before it leaves.
func ransomNote(path string) bool {
	name := strings.ToLower(baseName(path))
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return false
	}
	switch name[i+1:] {
	case "hta":
		return true
	case "txt", "html", "htm", "rtf", "url":
	default:
		return false
	}
	if name == "readme.txt" {
		return true
	}
	name = strings.NewReplacer(" ", "_", "-", "_").Replace(name)
	for _, w := range noteWords {
		if strings.Contains(name, w) {
			return true
		}
	}
	return false
}
