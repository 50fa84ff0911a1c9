// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/see/sensor/analyze"
)

// Attack patterns in a request, as event.HTTP.Suspicious names them. They are looked
// for before the request is redacted, and only their names leave the analyser.
const (
	log4Shell        = "log4shell"
	pathTraversal    = "path-traversal"
	sqlInjection     = "sql-injection"
	commandInjection = "command-injection"
	scriptInjection  = "script-injection"
	// Not an attack on the server, but on whoever opens the file (CVE-2019-11687).
	executablePreamble = "executable-preamble"
)

// Bounds of the search: parts of a request beyond them are not looked at.
const (
	maxSuspect  = 4096
	maxFiles    = 64
	maxUnescape = 2 // an attacker escapes twice, an application never needs to
)

// suspicious names the attack patterns of a request. The common request costs one
// search for a few rare characters.
func suspicious(x *analyze.Exchange) []string {
	var out []string
	if strings.ContainsAny(x.Target[:min(len(x.Target), maxSuspect)], "%$<'\"`;|\\.+") {
		out = inTarget(x.Target[:min(len(x.Target), maxSuspect)])
	}
	if !slices.Contains(out, log4Shell) {
		for i := range x.Request {
			if v := x.Request[i].Value; strings.Contains(v, "${") && isLookup(v[:min(len(v), maxSuspect)]) {
				return append(out, log4Shell)
			}
		}
		if b := x.RequestBody[:min(len(x.RequestBody), maxSuspect)]; len(b) > 0 && strings.Contains(string(b), "${") && isLookup(string(b)) {
			out = append(out, log4Shell)
		}
	}
	if runsAsProgram(x.Request, x.RequestBody) || runsAsProgram(x.Response, x.ResponseBody) {
		out = append(out, executablePreamble)
	}
	return out
}

// runsAsProgram reports a DICOM file in a body (PS3.10 §7.1: 128 bytes of preamble, then
// "DICM") whose preamble begins a program or a script. Nothing and TIFF are what
// belongs there. Over DIMSE a preamble is not transferred at all.
func runsAsProgram(h []analyze.Header, body []byte) bool {
	const preamble = 128
	if len(body) < preamble+4 || !strings.Contains(analyze.Get(h, "content-type"), "dicom") {
		return false
	}
	for at, files := 0, 0; files < maxFiles; files++ {
		i := bytes.Index(body[at:], []byte("DICM"))
		if i < 0 {
			return false
		}
		if at += i; at >= preamble {
			p := body[at-preamble:]
			for _, sign := range [...]string{"MZ", "\x7fELF", "#!/", "\xfe\xed\xfa", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe", "PK\x03\x04", "<?php", "<script"} {
				if bytes.HasPrefix(p, []byte(sign)) {
					return true
				}
			}
		}
		at += 4
	}
	return false
}

// inTarget looks at a request target, as sent and with its escapes resolved.
func inTarget(t string) (out []string) {
	add := func(name string) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for i := 0; ; i++ {
		low := strings.ToLower(t)
		path, query, _ := strings.Cut(low, "?")
		if climbs(path) || climbs(query) {
			add(pathTraversal)
		}
		if isLookup(low) {
			add(log4Shell)
		}
		for _, v := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' }) {
			_, v, _ = strings.Cut(v, "=")
			v = strings.ReplaceAll(v, "+", " ")
			if isSQL(v) {
				add(sqlInjection)
			}
			if isCommand(v) {
				add(commandInjection)
			}
		}
		if strings.Contains(low, "<script") || strings.Contains(low, "javascript:") || strings.Contains(low, "onerror=") && strings.Contains(low, "<") {
			add(scriptInjection)
		}
		plain := unescape(t)
		if i == maxUnescape || plain == t {
			return out
		}
		t = plain
	}
}

// climbs reports a path that leaves its root: more steps up than down, at least
// two of them. One step up is a relative link.
func climbs(p string) bool {
	if !strings.Contains(p, "..") {
		return false
	}
	up := 0
	for _, seg := range strings.FieldsFunc(p, func(r rune) bool { return r == '/' || r == '\\' || r == '=' || r == '&' }) {
		if seg == ".." {
			up++
		}
	}
	return up >= 2 || up == 1 && (strings.Contains(p, "/etc/passwd") || strings.Contains(p, "win.ini") || strings.Contains(p, "..\\"))
}

// isLookup reports a JNDI lookup of Log4j (CVE-2021-44228), also with the nested
// lookups by which it is hidden: ${${lower:j}ndi:...}, ${j${::-n}di:...}.
func isLookup(s string) bool {
	s = strings.ToLower(s)
	if !strings.Contains(s, "${") {
		return false
	}
	if strings.Contains(s, "${jndi:") {
		return true
	}
	return strings.Contains(s, "ndi:") && strings.Contains(lettersOfLookups(s), "jndi:") ||
		(strings.Contains(s, "${lower:") || strings.Contains(s, "${upper:") || strings.Contains(s, "${::-")) && strings.Contains(lettersOfLookups(s), "jndi:")
}

// lettersOfLookups resolves nested lookups to their letters.
func lettersOfLookups(s string) string {
	for _, p := range []string{"${lower:", "${upper:", "${::-", "${env:env_name:-", "${"} {
		s = strings.ReplaceAll(s, p, "")
	}
	return strings.ReplaceAll(s, "}", "")
}

// isSQL reports a value that ends a literal and goes on with SQL.
func isSQL(v string) bool {
	for _, p := range []string{"union select", "union all select", "' or '1'='1", "' or 1=1", "\" or 1=1", "'; drop table", "; drop table", "waitfor delay '", "' and sleep(", "information_schema.", "' or ''='", "xp_cmdshell"} {
		if strings.Contains(v, p) {
			return true
		}
	}
	return false
}

// isCommand reports a value that goes on with a command of a shell.
func isCommand(v string) bool {
	i := strings.IndexAny(v, ";|`&$")
	if i < 0 {
		return false
	}
	rest := v[i:]
	for _, p := range []string{"cat /", "/bin/sh", "/bin/bash", "wget http", "curl http", "nc -e", "powershell", "cmd.exe", "whoami", "$(id)", "`id`", ";id", "|id", "ping -c", "rm -rf"} {
		if strings.Contains(strings.ReplaceAll(rest, "${ifs}", " "), p) {
			return true
		}
	}
	return false
}
