// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"strings"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// unknownSequence is a sequence as UN with one item.
func unknownSequence(tag dicom.Tag, p part) part {
	return el(tag, "UN", "\xfe\xff\x00\xe0"+u32s(uint32(len(p.b)))+string(p.b))
}

// textAttacks are about what stands in texts.
func textAttacks() []attack {
	described := func(s string) []byte { return object(el(0x00081030, "LO", s)) }
	commented := func(s string) []byte { return object(el(0x00204000, "LT", s)) }
	in := func(set, s string) []byte { return object(el(0x00080005, "CS", set), el(0x00081030, "LO", s)) }
	return []attack{
		{name: "a script", rule: "text.script", data: described("<script>alert(1)</script>"), sender: "dcmsend"},
		{name: "a script in capitals", rule: "text.script", data: described("<ScRiPt >alert(1)"), sender: "dcmsend"},
		{name: "a picture with a handler in a name", rule: "text.script", data: object(el(0x00100010, "PN", "Doe<img src=x onerror=alert(1)>")), sender: "dcmsend"},
		{name: "a handler that ends an attribute", rule: "text.script", data: described(`x" onmouseover="alert(1)`), sender: "dcmsend"},
		{name: "an address that runs", rule: "text.script", data: object(el(0x00081190, "UR", "javascript:alert(1)")), sender: "dcmsend"},
		{name: "an address with a tab in it", rule: "text.script", data: commented("java\tscript:alert(1)"), sender: "dcmsend"},
		{name: "a page in an address", rule: "text.script", data: commented("data:text/html;base64,AAAA"), sender: "dcmsend"},
		{name: "a script as entities", rule: "text.script", data: commented("&lt;script&gt;alert(1)"), sender: "dcmsend"},
		{name: "a script in UTF-7", rule: "text.script", data: commented("+ADw-script+AD4-alert(1)"), sender: "dcmsend"},
		{name: "a script, percent-encoded", rule: "text.script", data: commented("%3Cscript%3Ealert(1)"), sender: "dcmsend"},
		{name: "an entity declaration", rule: "text.script", data: commented("<!ENTITY x SYSTEM 'y'>"), sender: "dcmsend"},
		{name: "a script in an item of an item", rule: "text.script", data: object(sq(0x0040A730, []part{sq(0x0040A730, []part{el(0x0040A160, "UT", "<iframe src=x>")})})), sender: "dcmsend"},
		{name: "a script in a sequence that is sent as unknown", rule: "text.script", data: object(unknownSequence(0x0040A730, implicit(0x0040A160, "<iframe src=x> "))), sender: "own"},
		{name: "a script in one of those in an item", rule: "text.script", data: object(sq(0x00081140, []part{unknownSequence(0x0040A170, implicit(0x00080104, "<script>"))})), sender: "own"},
		{name: "a script in a long text", rule: "text.script", data: object(el(0x00204000, "LT", strings.Repeat("All is well. ", 400)+"<script>")), sender: "dcmsend"},
		{name: "a script across two windows", rule: "text.script", data: object(el(0x0040A160, "UT", strings.Repeat("x", hold-5)+"<script>"+strings.Repeat("y", 9000))), sender: "dcmsend"},
		{name: "a script hidden by ISO 2022 escapes", rule: "text.script", data: in(`ISO 2022 IR 6\ISO 2022 IR 87`, "<scr\x1b(Bipt>alert(1)"), sender: "own"},
		{name: "a script that is ideographs to who reads escapes", rule: "text.script", data: in(`ISO 2022 IR 6\ISO 2022 IR 87`, "\x1b$B<script>;3\x1b(B"), sender: "dcmsend"},
		{name: "a script in a character set of Japan", rule: "text.script", data: in(`ISO 2022 IR 6\ISO 2022 IR 87`, "\x1b$B;3\x1b(B<script>"), sender: "dcmsend"},
		{name: "a script after a pair of GB18030 that ends in a bracket's neighbour", rule: "text.script", data: in("GB18030", "\xcd\xf5<script>"), sender: "dcmsend"},
		{name: "a script in private text of implicit VR", rule: "text.script", syntax: dicom.ImplicitVRLittleEndian, data: implicitObject(implicit(0x00290010, "SIEMENS CSA "), implicit(0x00291010, "<script>alert(1)")), sender: "own"},
		{name: "a script in wide letters", rule: "text.script", data: described("\uff1cscript\uff1ealert(1)"), sender: "dcmsend"},
		{name: "a script with nothing in between", rule: "text.script", data: described("<scr\u200bipt>alert(1)"), sender: "dcmsend"},
		{name: "a script with a NUL in it", rule: "text.script", data: described("<scr\x00ipt>alert(1)"), sender: "own"},
		{name: "a wide look-up", rule: "text.template", data: described("\uff04\uff5bjndi:x"), sender: "dcmsend"},
		{name: "markup", rule: "text.markup", data: commented("<b>left</b>"), sender: "dcmsend"},
		{name: "a template", rule: "text.template", data: described("{{7*7}}"), sender: "dcmsend"},
		{name: "a look-up by a logger", rule: "text.template", cve: "CVE-2021-44228", data: described("${jndi:ldap://x/a}"), sender: "dcmsend"},
		{name: "a nested look-up", rule: "text.template", cve: "CVE-2021-44228", data: described("${${lower:j}ndi"), sender: "dcmsend"},
		{name: "a server page", rule: "text.template", data: described("<%= 7 %>"), sender: "dcmsend"},
		{name: "a formula", rule: "text.formula", data: described(`=HYPERLINK("x")`), sender: "dcmsend"},
		{name: "a formula that calls", rule: "text.formula", data: described("=cmd|'/c x'!A1"), sender: "dcmsend"},
		{name: "a title for a terminal", rule: "text.terminal", data: described("\x1b]0;x\x07"), sender: "own"},
		{name: "colours for a terminal", rule: "text.terminal", data: described("\x1b[31mred"), sender: "own"},
		{name: "a control sequence of one character", rule: "text.terminal", data: described("a\u009b31mred"), sender: "dcmsend"},
		{name: "a forged line of a log", rule: "text.control", data: object(el(0x00100010, "PN", "Doe\r\nadmin logged in")), sender: "dcmsend"},
		{name: "a NUL in a name", rule: "text.control", data: object(el(0x00100010, "PN", "Doe\x00^Jane")), sender: "own"},
		{name: "a name written from right to left", rule: "text.bidi", data: object(el(0x00100010, "PN", "Doe\u202eenaJ")), sender: "dcmsend"},
		{name: "an override in GB18030", rule: "text.bidi", data: object(el(0x00080005, "CS", "GB18030"), el(0x00100010, "PN", "Doe\x81\x36\xa7\x31")), sender: "dcmsend"},
		{name: "an isolate", rule: "text.invisible", data: object(el(0x00100010, "PN", "Doe\u2067enaJ\u2069")), sender: "dcmsend"},
		{name: "a patient ID with nothing in it", rule: "text.invisible", data: object(el(0x00100020, "LO", "P\u200b-1")), sender: "dcmsend"},
		{name: "a tag character", rule: "text.invisible", data: object(el(0x00100020, "LO", "P-1\U000E0041")), sender: "dcmsend"},
		{name: "Latin-1 announced as UTF-8", rule: "text.charset", data: described("M\xfcller"), sender: "dcmsend"},
		{name: "an overlong bracket", rule: "text.charset", data: described("\xc0\xbcscript"), sender: "dcmsend"},
		{name: "a character set that nobody knows", rule: "text.charset", data: object(el(0x00080005, "CS", "ISO_IR 999")), sender: "dcmsend"},
		{name: "a local file", rule: "text.uri", data: object(el(0x00081190, "UR", "file:///etc/passwd")), sender: "dcmsend"},
		{name: "a share", rule: "text.uri", data: commented(`see \\10.0.0.1\share\x`), sender: "dcmsend"},
		{name: "a directory service", rule: "text.uri", data: commented("ldap://10.0.0.1/x"), sender: "dcmsend"},
		{name: "a description of 80 characters", rule: "text.length", data: described(strings.Repeat("x", 80)), sender: "dcmsend"},
		{name: "an AE title of 2000 characters", rule: "text.overlong", data: object(el(0x00080055, "AE", strings.Repeat("A", 2000))), sender: "dcmsend"},
		{name: "UIDs without end", rule: "text.overlong", data: object(el(0x00081167, "UI", strings.Repeat("1", 5000))), sender: "dcmsend"},
		{name: "a patient ID that climbs", rule: "path.traversal", data: object(el(0x00100020, "LO", "../../x")), sender: "dcmsend"},
		{name: "a percent-encoded climb", rule: "path.traversal", data: described("..%2f..%2fetc"), sender: "dcmsend"},
		{name: "a file ID that climbs", rule: "path.traversal", cve: "CVE-2026-32711", data: object(el(0x00041500, "CS", `..\..\X`)), sender: "own"},
		{name: "an AE title that is a path", rule: "path.traversal", data: object(el(0x00080055, "AE", "/etc/x")), sender: "dcmsend"},
		{name: "an AE title of the association that is a path", rule: "path.traversal", data: object(), sender: "own", change: func(a *instance.Arrival) { a.Sender.CallingAE = "../../x" }},
		{name: "a command as calling AE title", rule: "path.shell", cve: "CVE-2026-5663", data: object(), sender: "own", change: func(a *instance.Arrival) { a.Sender.CallingAE = "CT;touch x" }},
		{name: "a command as AE title", rule: "path.shell", cve: "CVE-2026-5663", data: object(el(0x00080055, "AE", "CT`id`")), sender: "dcmsend"},
		{name: "a command as modality", rule: "path.shell", cve: "CVE-2026-5663", data: object(el(0x00080060, "CS", "CT;ID")), sender: "dcmsend"},
		{name: "a command in a patient's name", rule: "path.shell", cve: "CVE-2026-5663", data: object(el(0x00100010, "PN", "Doe; rm -rf x")), sender: "dcmsend"},
		{name: "a substitution in a description", rule: "path.shell", data: described("Head $(id)"), sender: "dcmsend"},
		{name: "a download in a description", rule: "path.shell", data: described("Head && curl x"), sender: "dcmsend"},
	}
}
