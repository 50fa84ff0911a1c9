// SPDX-License-Identifier: Apache-2.0

// Package sigma imports a subset of Sigma, the generic format for detections
// (sigma-specification 2.1), as rules of ours.
//
// # What is read
//
// Log sources of the network: category dns, proxy, webserver, firewall, and product
// zeek with the services conn, dns, http, ssl, smb_files, smb_mapping, ssh, rdp, ftp
// and dhcp. Their fields are mapped as docs/rules.md lists. Detections: maps, lists of maps, values and
// lists of values, wildcards, null, and the modifiers contains, startswith, endswith, re, cidr, all, cased,
// exists, lt, lte, gt and gte. Conditions: and, or, not, brackets, "1 of", "all of", them and patterns of
// names. Correlations: event_count, value_count and temporal_ordered.
//
// # What is refused
//
// Everything else, by name and with its line: other log sources and fields, keywords without a
// field, other modifiers, aggregations after a pipe, unordered correlations. A rule is
// imported as it is meant or not at all.
//
// Text compares without regard to case, as in Sigma. Input is hostile: it is at most
// MaxFile bytes, 16 deep, and a condition at most 100 terms long.
package sigma

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/rule"
)

// MaxFile bounds a file of Sigma rules, in bytes.
const MaxFile = 1 << 20

// Error is one thing that cannot be imported.
type Error struct {
	File    string
	Line    int
	Message string
}

// Error gives place and reason.
func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message) }

// Import reads a file, which may have several documents. Rules that only serve a
// correlation are not returned by themselves. What is wrong with one document does not keep the
// others from being returned; the error names everything.
func Import(name string, data []byte, env *expr.Env) ([]*rule.Rule, error) {
	docs, err := documents(name, data)
	if err != nil {
		return nil, err
	}
	im := &importer{file: name, env: env, bases: map[string]*base{}}
	var out []*rule.Rule
	var errs []error
	var plain []*base
	for _, d := range docs {
		if d.get("correlation") != nil {
			continue
		}
		b, err := im.base(d)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		plain = append(plain, b)
		for _, key := range []string{d.text("id"), d.text("name"), d.text("title")} {
			if key != "" {
				im.bases[key] = b
			}
		}
	}
	for _, d := range docs {
		c := d.get("correlation")
		if c == nil {
			continue
		}
		r, err := im.correlation(d, c)
		if err == nil {
			err = im.finish(r, d)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, r)
	}
	for _, b := range plain {
		if b.used {
			continue
		}
		b.rule.Match.Trigger = &rule.Trigger{On: b.on}
		if err := im.finish(b.rule, b.doc); err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, b.rule)
	}
	slices.SortFunc(out, func(a, b *rule.Rule) int { return strings.Compare(a.ID, b.ID) })
	return out, errors.Join(errs...)
}

type importer struct {
	file  string
	env   *expr.Env
	bases map[string]*base
}

// base is a rule before it is known whether it stands alone.
type base struct {
	rule   *rule.Rule
	on     rule.On
	source *source
	doc    *node
	used   bool // by a correlation
}

func (im *importer) fail(n *node, format string, args ...any) error {
	line := 0
	if n != nil {
		line = n.line
	}
	return &Error{im.file, line, fmt.Sprintf(format, args...)}
}

var topLevel = []string{"title", "id", "name", "related", "taxonomy", "status", "description", "license", "author", "references", "date", "modified",
	"logsource", "detection", "correlation", "fields", "falsepositives", "level", "tags", "scope", "generate"}

func (im *importer) base(d *node) (*base, error) {
	r, err := im.about(d)
	if err != nil {
		return nil, err
	}
	src, err := im.source(d)
	if err != nil {
		return nil, err
	}
	det := d.get("detection")
	if det == nil || det.kind != mapping {
		return nil, im.fail(d, "there is no detection")
	}
	when, err := im.detection(src, det)
	if err != nil {
		return nil, err
	}
	if src.when != "" {
		when = src.when + " && (" + when + ")"
	}
	return &base{rule: r, on: rule.On{Class: []string{src.class}, When: when}, source: src, doc: d}, nil
}

var (
	slugForm    = regexp.MustCompile(`[^a-z0-9]+`)
	techniqueOf = regexp.MustCompile(`^attack\.(t[0-9]{4}(\.[0-9]{3})?)$`)
)

// about makes what a rule says of itself.
func (im *importer) about(d *node) (*rule.Rule, error) {
	for _, p := range d.pairs {
		if !slices.Contains(topLevel, p.name) {
			return nil, im.fail(p.value, "the field %q is not supported", p.name)
		}
	}
	title := strings.TrimSpace(d.text("title"))
	if title == "" {
		return nil, im.fail(d, "there is no title")
	}
	slug := strings.Trim(slugForm.ReplaceAllString(strings.ToLower(title), "-"), "-")
	if len(slug) > 80 {
		slug = strings.Trim(slug[:80], "-")
	}
	r := &rule.Rule{ID: "sigma." + slug, Version: 1, Origin: "sigma", Family: "sigma", Confidence: 50,
		Title:   "{src}: " + braces(cut(title, 160)),
		Analyst: cut(strings.TrimSpace(d.text("description")), 1800),
		Room:    "The security system saw something on the network that is worth a look. The case can go on. Medical IT is told.",
		Playbook: []string{
			"Read the evidence: what did {src} do, and is that part of its work?",
			"Follow the references of the rule for what else to look at.",
			"If it is normal here, suppress it for these devices with a reason and an end.",
		},
		Group: rule.Group{Devices: []string{"src", "dst"}},
	}
	r.Playbook[0] = "Read the evidence: what did the device do, and is that part of its work?"
	if r.Analyst == "" {
		r.Analyst = title
	}
	switch level := d.text("level"); level {
	case "informational":
		r.Severity.Base = finding.Info
	case "", "low", "medium", "high", "critical":
		r.Severity.Base = finding.Medium
		if s, err := finding.ParseSeverity(level); err == nil {
			r.Severity.Base = s
		}
	default:
		return nil, im.fail(d.get("level"), "the level %q is not supported", level)
	}
	switch status := d.text("status"); status {
	case "stable":
		r.Confidence = 70
	case "test", "":
	case "experimental":
		r.Confidence = 40
	case "deprecated", "unsupported":
		return nil, im.fail(d.get("status"), "the rule says of itself that it is %s", status)
	default:
		return nil, im.fail(d.get("status"), "the status %q is not supported", status)
	}
	for _, t := range d.texts("tags") {
		if m := techniqueOf.FindStringSubmatch(strings.ToLower(t)); m != nil {
			r.Attack = append(r.Attack, strings.ToUpper(m[1]))
		}
	}
	for _, t := range []struct{ name, label string }{{"id", "Sigma rule "}, {"author", "Author: "}, {"license", "Licence: "}} {
		if v := d.text(t.name); v != "" {
			r.References = append(r.References, t.label+cut(v, 300))
		}
	}
	for _, v := range d.texts("references") {
		r.References = append(r.References, cut(v, 500))
	}
	for _, v := range d.texts("falsepositives") {
		r.FalsePositives = append(r.FalsePositives, cut(v, 500))
	}
	if len(r.FalsePositives) == 0 {
		r.FalsePositives = []string{"Unknown: the rule's author named none"}
	}
	return r, nil
}

// finish checks the rule as ours are checked.
func (im *importer) finish(r *rule.Rule, d *node) error {
	if err := rule.Check(r, im.env); err != nil {
		return im.fail(d, "%v", err)
	}
	return nil
}

// braces keeps a text from being taken for a template.
func braces(s string) string { return strings.NewReplacer("{", "{{", "}", "}}").Replace(s) }

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
