// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"strings"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
)

// maxParts bounds the parts of a path that are kept.
const maxParts = 16

// redactPath makes a path fit for events. File servers of hospitals name files
// and folders after patients, so a part is kept only when it is one of the
// names that systems use for themselves (systemNames), ends in an extension of
// programs and their settings, or is a single dot, drive or wildcard. Any other
// part becomes a pseudonym of kind Other, its extension stays.
func redactPath(c *analyze.Conn, path string) string {
	path = path[:min(len(path), 1024)]
	var sb strings.Builder
	parts := 0
	for path != "" {
		i := strings.IndexAny(path, `\/`)
		part, sep := path, ""
		if i >= 0 {
			part, sep, path = path[:i], path[i:i+1], path[i+1:]
		} else {
			path = ""
		}
		if parts++; parts > maxParts {
			sb.WriteString("~")
			break
		}
		sb.WriteString(redactPart(c, part))
		sb.WriteString(sep)
	}
	return analyze.CleanN([]byte(sb.String()), 512)
}

func redactPart(c *analyze.Conn, part string) string {
	if part == "" || strings.Trim(part, ".*?") == "" || len(part) == 2 && part[1] == ':' {
		return part
	}
	low := strings.ToLower(part)
	if systemNames[low] {
		return part
	}
	base, ext := part, ""
	if i := strings.LastIndexByte(part, '.'); i > 0 && isExtension(part[i+1:]) {
		base, ext = part[:i], part[i:]
		if programs[low[i+1:]] {
			return part
		}
	}
	return c.Pseudonym(pseudonym.Other, base) + ext
}

// isExtension reports up to five letters and digits with a letter among them.
func isExtension(s string) bool {
	if len(s) == 0 || len(s) > 5 {
		return false
	}
	letter := false
	for i := range len(s) {
		c := s[i] | 0x20
		switch {
		case c >= 'a' && c <= 'z':
			letter = true
		case s[i] >= '0' && s[i] <= '9':
		default:
			return false
		}
	}
	return letter
}

// programs are extensions of what runs or decides what runs: what somebody who
// looks into an intrusion must see.
var programs = map[string]bool{
	"exe": true, "dll": true, "sys": true, "bat": true, "cmd": true, "ps1": true, "psm1": true, "vbs": true, "vbe": true, "js": true, "jse": true, "wsf": true,
	"hta": true, "msi": true, "msp": true, "scr": true, "cpl": true, "com": true, "jar": true, "ini": true, "inf": true, "reg": true, "job": true, "pol": true,
	"cfg": true, "conf": true, "sh": true, "so": true, "elf": true, "ko": true, "apk": true, "cab": true, "bin": true, "img": true, "iso": true, "lnk": true,
}

// systemNames are names of folders, files and pipes that systems use for
// themselves, in lower case.
var systemNames = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range strings.Fields(`windows system32 syswow64 drivers temp tmp users public programdata desktop documents downloads appdata local roaming
		sysvol policies scripts netlogon machine user gpt.ini gpttmpl.inf registry.pol startup tasks windowstemp inetpub wwwroot perflogs recovery
		$recycle.bin .recycle .trash .snapshot .ssh .config etc bin sbin usr var lib opt home root dev proc sys srv mnt media log logs spool pub
		incoming outgoing upload uploads download in out inbox outbox archive backup backups images image dicom dicomdir export exports import imports data share shares
		shared common scan scans results orders reports hl7 firmware update updates install software config configuration calibration database db sql
		svcctl atsvc winreg lsarpc lsass samr netlogon spoolss srvsvc wkssvc browser epmapper eventlog drsuapi netdfs efsrpc protected_storage initshutdown
		ntsvcs plugplay mgmtapi router trkwks keysvc psexesvc thumbs.db autorun.inf .ds_store readme.txt welcome.msg sdcard android storage emulated obb
		autoexec.bat hosts passwd shadow authorized_keys index.html`) {
		m[n] = true
	}
	m["program files"], m["program files (x86)"], m["documents and settings"], m["system volume information"], m["all users"] = true, true, true, true, true
	m["start menu"], m["default"] = true, true
	return m
}()

// redactShare shows the name of a share when it is a name that servers use for
// what many share.
func redactShare(c *analyze.Conn, name string) string {
	low := strings.ToLower(name)
	if systemNames[low] || strings.HasSuffix(name, "$") && len(name) <= 7 {
		return name
	}
	for _, w := range [...]string{"dicom", "pacs", "image", "scan", "data", "archiv", "backup", "share", "public", "hl7", "export", "import", "log", "soft", "transfer", "print", "lab", "results", "sysvol", "netlogon"} {
		if strings.Contains(low, w) {
			return name
		}
	}
	return c.Pseudonym(pseudonym.Other, name)
}
