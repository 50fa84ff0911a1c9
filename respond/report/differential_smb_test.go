// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/event"
)

var smbComparison = comparison{
	name:   "smb",
	fields: "SMB 2 and 3: dialect agreed, shares connected to with their status, NTLMSSP workstation and domain of each logon with its status. File names are left out: the sensor withholds them",
	ours: func(events []*event.Event) (out []string) {
		details(events, func(e *event.Event, d *event.SMB) {
			if strings.HasPrefix(d.Dialect, "NT ") {
				return
			}
			switch d.Command {
			case "NEGOTIATE":
				out = append(out, "dialect "+d.Dialect)
			case "TREE_CONNECT":
				out = append(out, fmt.Sprintf("share %s %s", strings.ToLower(d.Share), d.NTStatus))
			case "SESSION_SETUP":
				out = append(out, fmt.Sprintf("logon from %q domain %q %s", d.Workstation, d.Domain, d.NTStatus))
			}
		})
		return out
	},
	theirs: smbTheirs,
	set:    true,
}

func smbTheirs(packets []*dissected) (out []string) {
	type key struct{ conv, id string }
	shares, logons := map[key]string{}, map[key]string{}
	for _, p := range packets {
		conv, _ := p.conversation()
		for _, n := range p.of("smb2") {
			k := key{conv, n.get("smb2.msg_id")}
			status := ""
			for _, s := range n.all("smb2.nt_status") {
				_, status, _ = strings.Cut(s.showname, "NT Status: ")
				status, _, _ = strings.Cut(status, " (")
			}
			response := n.get("smb2.flags.response") == "1"
			switch cmd := n.get("smb2.cmd"); {
			case cmd == "0" && response:
				if d := dialectName(n.get("smb2.dialect")); d != "" {
					out = append(out, "dialect "+d)
				}
			case cmd == "3" && !response:
				shares[k] = n.get("smb2.tree")
			case cmd == "3":
				if s, ok := shares[k]; ok {
					out = append(out, fmt.Sprintf("share %s %s", strings.ToLower(s), status))
				}
			case cmd == "1" && !response:
				if slices.Contains(n.shows("ntlmssp.messagetype"), "0x00000003") {
					logons[k] = fmt.Sprintf("logon from %q domain %q", null(n.get("ntlmssp.auth.hostname")), null(n.get("ntlmssp.auth.domain")))
				}
			case cmd == "1":
				if l, ok := logons[k]; ok {
					out = append(out, l+" "+status)
				}
			}
		}
	}
	return out
}

func null(s string) string {
	if s == "NULL" || s == "Null" {
		return ""
	}
	return s
}

// dialectName names a revision as the sensor does; 2.?? only asks to go on.
func dialectName(s string) string {
	switch number(s) {
	case 0x0202:
		return "2.0.2"
	case 0x0210:
		return "2.1"
	case 0x0300:
		return "3.0"
	case 0x0302:
		return "3.0.2"
	case 0x0311:
		return "3.1.1"
	case 0x02ff:
		return "2.???"
	}
	return s
}
