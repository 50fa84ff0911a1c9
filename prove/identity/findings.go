// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/finding"
)

// Rules of the findings about certificates.
const (
	RuleRenewal   = "identity.renewal-overdue" // a device should have renewed by itself, and did not
	RuleExpiry    = "identity.expiring"        // a long life comes to its end
	RuleExpired   = "identity.expired"         // ended, and the device has no newer one
	RuleAuthority = "identity.authority"       // an issuing authority or the root's CRL comes to its end
)

// overdueWithin is how long before its end a certificate can be overdue for its
// renewal: less than a third of the longest usual life.
const overdueWithin = 5 * 24 * time.Hour

// expiredFor is how long an ended certificate without a successor is a finding:
// after that the device is taken to be gone.
const expiredFor = 14 * 24 * time.Hour

// Findings says what needs a person now. Whoever keeps findings compares it with
// what was said before: what is not in it any more is done.
func (a *Authority) Findings(ctx context.Context) ([]finding.Finding, error) {
	now := a.deps.Now()
	var out []finding.Finding
	list, err := a.ending(ctx, now, now.Add(max(a.cfg.WarnExpiry, overdueWithin)))
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		left := c.NotAfter.Sub(now)
		switch {
		case c.LongLife && left < a.cfg.WarnExpiry:
			out = append(out, c.finding(RuleExpiry, finding.Medium, now, fmt.Sprintf("The certificate of %s ends on %s and has to be replaced by hand", c.owner(), day(c.NotAfter)),
				"The device works. Its certificate has to be replaced before "+c.NotAfter.Format("2 January 2006")+"; ask clinical engineering.",
				"it was given a long life: "+cmp.Or(c.Note, "no reason was kept")))
		case !c.LongLife && now.After(c.overdueFrom()):
			sev := finding.Medium
			if left < c.NotAfter.Sub(c.NotBefore)/10 {
				sev = finding.High
			}
			out = append(out, c.finding(RuleRenewal, sev, now, fmt.Sprintf("%s has not renewed its certificate, which ends on %s", c.owner(), c.NotAfter.UTC().Format("2 January, 15:04 (UTC)")),
				"The device works now and stops being let in on "+c.NotAfter.Format("2 January, 15:04")+" (UTC). Call clinical engineering.",
				"renewal was due from "+c.RenewFrom.Format(time.RFC3339)))
		}
	}
	ended, err := a.ended(ctx, now.Add(-expiredFor), now)
	if err != nil {
		return nil, err
	}
	for _, c := range ended {
		out = append(out, c.finding(RuleExpired, finding.High, now, fmt.Sprintf("The certificate of %s has ended, and it has no newer one", c.owner()),
			"The device is no longer let in by those who check certificates. Call clinical engineering.", "it ended "+c.NotAfter.Format(time.RFC3339)))
	}
	return append(out, a.authorityFindings(ctx, now)...), nil
}

// ended returns certificates that came to their end and were still those of
// their device.
func (a *Authority) ended(ctx context.Context, from, to time.Time) ([]Certificate, error) {
	var out []Certificate
	last := to.UTC().Format(time.RFC3339)
	for after := from.UTC().Format(time.RFC3339); ; {
		docs, err := a.deps.Documents.DocumentsOf(ctx, kindEnd, after, 500)
		if err != nil {
			return nil, fmt.Errorf("list certificates: %w", err)
		}
		for _, d := range docs {
			at, serial, _ := strings.Cut(d.ID, "/")
			if at > last { // RFC 3339 in UTC sorts by time
				return out, nil
			}
			after = d.ID
			doc, err := a.deps.Documents.Document(ctx, kindCert, serial)
			if err != nil {
				return nil, fmt.Errorf("read certificate %s: %w", serial, err)
			}
			// Superseded and revoked ones are written as such; what is still "good"
			// ended as the newest of its device.
			if c, err := stored(doc); err != nil {
				return nil, err
			} else if c.Status == Good {
				out = append(out, c)
			}
		}
		if len(docs) < 500 {
			return out, nil
		}
	}
}

func (a *Authority) authorityFindings(ctx context.Context, now time.Time) []finding.Finding {
	var out []finding.Finding
	add := func(title, evidence string, sev finding.Severity) {
		out = append(out, finding.Finding{Rule: RuleAuthority, Severity: sev, Title: title, Devices: []string{}, Attack: []string{}, Count: 1, First: now.UnixNano(), Last: now.UnixNano(),
			Room: "Nothing changes in the theatre. Whoever runs this server has to act.", Evidence: []string{evidence}})
	}
	severity := func(left time.Duration) finding.Severity {
		if left < a.cfg.WarnIssuing/4 {
			return finding.High
		}
		return finding.Medium
	}
	if i, _, err := a.active(); err != nil {
		add("The issuing authority has ended: no certificate can be issued", err.Error(), finding.Critical)
	} else if left := i.cert.NotAfter.Sub(now); left < a.cfg.WarnIssuing {
		add(fmt.Sprintf("The issuing authority ends on %s", day(i.cert.NotAfter)), "asepsis ca rotate makes a new one; it needs the root's key", severity(left))
	}
	der, next, err := a.CRL(ctx, KeyID(a.Root().SubjectKeyId), false)
	if err != nil {
		add("The root's CRL cannot be read: who relies on it refuses connections", err.Error(), finding.Critical)
	} else if _, err := x509.ParseRevocationList(der); err == nil {
		if left := next.Sub(now); left < a.cfg.WarnIssuing {
			add(fmt.Sprintf("The root's CRL ends on %s", day(next)), "asepsis ca root-crl signs a new one; it needs the root's key", severity(left))
		}
	}
	return out
}

// owner is whose certificate it is, for people.
func (c *Certificate) owner() string {
	if c.Device != "" {
		return c.Device
	}
	_, name, _ := strings.Cut(strings.TrimPrefix(c.SPIFFE, "spiffe://"), "/")
	return name
}

func (c *Certificate) finding(rule string, s finding.Severity, now time.Time, title, room, why string) finding.Finding {
	f := finding.Finding{Rule: rule, Severity: s, Title: title, Room: room, Devices: []string{}, Attack: []string{}, Count: 1, First: now.UnixNano(), Last: now.UnixNano(),
		Evidence: []string{"certificate " + c.Serial + ", " + string(c.Profile), why}}
	if c.Device != "" {
		f.Devices = append(f.Devices, c.Device)
	}
	return f
}

// day is a date as people say it. A title that counted down would be another one each
// day, and a finding that is open keeps its own.
func day(t time.Time) string { return t.UTC().Format("2 January 2006") }
