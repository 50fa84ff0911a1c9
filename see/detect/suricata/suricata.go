// SPDX-License-Identifier: Apache-2.0

// Package suricata imports a subset of Suricata's rules (rule language of 7.0) as
// rules of ours.
//
// # What is read
//
// Alerts over tcp, udp, icmp, ip, http, dns, tls, ssh, smb, ftp, rdp and dhcp, with
// addresses, ports, lists, negations and variables; flow; the buffers of what the sensor keeps (dns.query,
// tls.sni, http.uri ..., see Buffers) with content, nocase, startswith, endswith, bsize, dotprefix,
// distance:0 and pcre; threshold and detection_filter; msg, classtype, priority, reference, metadata, sid and rev.
//
// # What is refused
//
// Everything else, by name and with its line. Above all content on the payload of
// packets: the sensor keeps what a protocol says and not its bytes. A rule is imported
// as it is meant or not at all.
//
// HOME_NET, EXTERNAL_NET and the *_SERVERS are known: ours, the others, and ours.
// Other variables are given. A rule that looks at answers (flow:to_client) has its two ends
// turned, since here src is always who asked.
package suricata

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/rule"
)

// Bounds of what is read.
const (
	MaxFile    = 64 << 20 // bytes of a file
	maxLine    = 32 << 10 // bytes of a rule
	maxOptions = 200
)

// Error is one rule that cannot be imported, or a file that cannot be read.
type Error struct {
	File    string
	Line    int
	SID     string // "" when it was not reached
	Message string
}

// Error gives place and reason.
func (e *Error) Error() string {
	if e.SID != "" {
		return fmt.Sprintf("%s:%d: sid %s: %s", e.File, e.Line, e.SID, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

// Import reads a file of rules. What is wrong with one does not keep the others from being
// returned; the error, where there is one, is all of them joined. Vars are variables
// with their values as suricata.yaml has them: "HTTP_PORTS": "[80,8080]".
func Import(name string, data []byte, vars map[string]string, env *expr.Env) ([]*rule.Rule, error) {
	if len(data) > MaxFile {
		return nil, &Error{File: name, Line: 1, Message: fmt.Sprintf("longer than %d bytes", MaxFile)}
	}
	var out []*rule.Rule
	var errs []error
	seen := map[string]int{}
	for _, l := range lines(string(data)) {
		im := &importer{vars: vars, env: env}
		r, err := im.rule(l.text)
		if err == nil && seen[r.ID] != 0 {
			err = fmt.Errorf("the same sid as in line %d", seen[r.ID])
		}
		if err != nil {
			errs = append(errs, &Error{name, l.number, im.sid, err.Error()})
			continue
		}
		seen[r.ID] = l.number
		out = append(out, r)
	}
	return out, errors.Join(errs...)
}

type line struct {
	number int
	text   string
}

// lines joins what a backslash at the end continues, and leaves out comments.
func lines(s string) []line {
	var out []line
	var b strings.Builder
	begin, n := 0, 0
	for l := range strings.SplitSeq(s, "\n") {
		n++
		l = strings.TrimRight(l, "\r")
		if begin == 0 {
			begin = n
		}
		if rest, more := strings.CutSuffix(l, `\`); more && b.Len() < maxLine {
			b.WriteString(rest + " ")
			continue
		}
		b.WriteString(l)
		if t := strings.TrimSpace(b.String()); t != "" && !strings.HasPrefix(t, "#") {
			out = append(out, line{begin, t})
		}
		b.Reset()
		begin = 0
	}
	return out
}

// importer makes one rule.
type importer struct {
	vars map[string]string
	env  *expr.Env

	sid, msg, rev string
	answers       bool // the rule looks at what the server sends
	meta          []option
	conds         []string // from buffers and options
	class         string   // of the buffers that are used
	kind          string   // event.kind, where the class has several
	buffer        *buffer  // that content and pcre are about
	dotPrefix     bool
	contents      []*content
	limit         *threshold
}

func (im *importer) rule(text string) (*rule.Rule, error) {
	if len(text) > maxLine {
		return nil, fmt.Errorf("longer than %d bytes", maxLine)
	}
	h, opts, err := split(text)
	if err != nil {
		return nil, err
	}
	for _, o := range opts {
		if o.name == "sid" {
			im.sid = cut(o.value, 20)
		}
	}
	if h.action != "alert" {
		return nil, fmt.Errorf("the action %q is not supported: only alert", h.action)
	}
	for _, o := range opts {
		if err := im.option(o); err != nil {
			return nil, err
		}
	}
	if err := im.flush(); err != nil {
		return nil, err
	}
	on, err := im.on(h)
	if err != nil {
		return nil, err
	}
	r, err := im.about()
	if err != nil {
		return nil, err
	}
	if t := im.limit; t != nil && t.counts {
		r.Match.Count = &rule.Count{On: on, By: t.by(im.answers), Window: t.window, Over: t.count}
	} else {
		r.Match.Trigger = &rule.Trigger{On: on}
	}
	if err := rule.Check(r, im.env); err != nil {
		return nil, err
	}
	return r, nil
}

// severities of the usual classtypes (classification.config); the others are medium.
var severities = map[string]finding.Severity{
	"attempted-admin": finding.High, "successful-admin": finding.High, "attempted-user": finding.High, "successful-user": finding.High,
	"trojan-activity": finding.High, "web-application-attack": finding.High, "shellcode-detect": finding.High, "command-and-control": finding.High,
	"exploit-kit": finding.High, "domain-c2": finding.High, "targeted-activity": finding.High, "credential-theft": finding.High, "coin-mining": finding.High,
	"policy-violation": finding.Medium, "attempted-recon": finding.Medium, "attempted-dos": finding.Medium, "bad-unknown": finding.Medium, "default-login-attempt": finding.Medium,
	"misc-activity": finding.Low, "not-suspicious": finding.Info, "protocol-command-decode": finding.Low, "network-scan": finding.Low, "unknown": finding.Low, "string-detect": finding.Low,
}

// about makes what the rule says of itself.
func (im *importer) about() (*rule.Rule, error) {
	if im.sid == "" || strings.Trim(im.sid, "0123456789") != "" {
		return nil, errors.New("there is no sid")
	}
	if im.msg == "" {
		return nil, errors.New("there is no msg")
	}
	r := &rule.Rule{ID: "suricata.sid-" + im.sid, Family: "suricata", Version: 1, Origin: "suricata", Confidence: 50,
		Title:    "{src} and {dst}: " + strings.NewReplacer("{", "{{", "}", "}}").Replace(cut(im.msg, 150)),
		Analyst:  cut(im.msg, 1000) + ". Imported from the Suricata rule " + im.sid + ", revision " + im.rev + ".",
		Room:     "The security system saw something on the network that is worth a look. The case can go on. Medical IT is told.",
		Severity: rule.Severity{Base: finding.Medium},
		Playbook: []string{
			"Read the evidence: what did the two devices do, and is that part of their work?",
			"Follow the references of the rule for what else to look at.",
			"If it is normal here, suppress it for these devices with a reason and an end.",
		},
		FalsePositives: []string{"Unknown: the rule's author named none"},
		References:     []string{"Suricata rule " + im.sid},
		Group:          rule.Group{Devices: []string{"src", "dst"}},
	}
	if im.rev == "" {
		r.Analyst = strings.Replace(r.Analyst, ", revision .", ".", 1)
	}
	for _, o := range im.meta {
		switch o.name {
		case "classtype":
			if s, ok := severities[o.value]; ok {
				r.Severity.Base = s
			}
		case "priority":
			if i := strings.Index("1234", o.value); i >= 0 && len(o.value) == 1 {
				r.Severity.Base = []finding.Severity{finding.High, finding.Medium, finding.Low, finding.Info}[i]
			}
		case "reference":
			kind, ref, _ := strings.Cut(o.value, ",")
			switch strings.TrimSpace(kind) {
			case "cve":
				ref = "CVE-" + strings.TrimPrefix(strings.TrimSpace(ref), "CVE-")
			case "url":
				ref = "https://" + strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(ref), "https://"), "http://")
			}
			r.References = append(r.References, cut(strings.TrimSpace(ref), 500))
		case "metadata":
			metadata(r, o.value)
		}
	}
	return r, nil
}

// metadata reads what has a meaning here of "key value, key value".
func metadata(r *rule.Rule, s string) {
	for kv := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(kv), " ")
		switch name {
		case "mitre_technique_id":
			r.Attack = append(r.Attack, strings.TrimSpace(value))
		case "confidence":
			if i := slices.Index([]string{"Low", "Medium", "High"}, value); i >= 0 {
				r.Confidence = []uint8{30, 50, 80}[i]
			}
		case "signature_severity":
			if i := slices.Index([]string{"Informational", "Minor", "Major", "Critical"}, value); i >= 0 {
				r.Severity.Base = []finding.Severity{finding.Info, finding.Low, finding.Medium, finding.High}[i]
			}
		}
	}
}

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
