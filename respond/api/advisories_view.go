// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/advisory"
)

// maxMatched bounds the devices whose verdicts are kept in memory.
const maxMatched = 200_000

// advisoryShelf keeps what the store says of advisories in memory, and reads it again when
// one of three revisions moved: of the verdicts, of what people changed, of the devices.
type advisoryShelf struct {
	library *advisory.Library
	docs    store.Documents

	mu      sync.Mutex
	read    uint64 // revision of the verdicts
	matches map[string]advisory.Matches
	view    *advisoryView
}

func newAdvisoryShelf(docs store.Documents) *advisoryShelf {
	return &advisoryShelf{library: advisory.NewLibrary(docs), docs: docs}
}

// advisoryView is all verdicts with what people decided, at one moment. It never changes.
type advisoryView struct {
	shelf     advisory.Shelf
	state     advisory.State
	read      uint64
	devices   uint64
	until     time.Time // when the next decision expires, zero for never
	decisions map[string][]advisory.Decision
	byID      map[string][]*decided // by advisory
	byDevice  map[string][]*decided
}

// decided is a match with what counts.
type decided struct {
	advisory.Match
	dev     *device.Device
	row     *DeviceRow
	counts  advisory.Verdict
	because *advisory.Decision
}

// get returns what is known now.
func (a *advisoryShelf) get(ctx context.Context, w *world, now time.Time) (*advisoryView, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	shelf, err := a.library.Get(ctx)
	if err != nil {
		return nil, err
	}
	state, rev, err := advisory.ReadState(ctx, a.docs)
	if err != nil {
		return nil, err
	}
	if v := a.view; v != nil && v.read == rev && v.shelf.Changed == shelf.Changed && v.devices == w.revision && (v.until.IsZero() || now.Before(v.until)) {
		return v, nil
	}
	if a.matches == nil || a.read != rev {
		if a.matches, err = advisory.AllMatches(ctx, a.docs, maxMatched); err != nil {
			return nil, err
		}
		a.read = rev
	}
	a.view = newAdvisoryView(shelf, state, rev, a.matches, w, now)
	return a.view, nil
}

func newAdvisoryView(shelf advisory.Shelf, state advisory.State, rev uint64, matches map[string]advisory.Matches, w *world, now time.Time) *advisoryView {
	v := &advisoryView{shelf: shelf, state: state, read: rev, devices: w.revision, decisions: map[string][]advisory.Decision{}, byID: map[string][]*decided{}, byDevice: map[string][]*decided{}}
	for _, d := range shelf.Decisions {
		v.decisions[d.Advisory] = append(v.decisions[d.Advisory], d)
		if d.Until != 0 && !d.Expired(now) {
			if t := time.Unix(0, d.Until); v.until.IsZero() || t.Before(v.until) {
				v.until = t
			}
		}
	}
	for i := range w.devices {
		d := &w.devices[i]
		for _, m := range matches[d.ID].Matches {
			if _, ok := shelf.Base.Advisory(m.Advisory); !ok {
				continue // of an index that was replaced a moment ago
			}
			x := &decided{Match: m, dev: d, row: &w.rows[i]}
			x.counts, x.because = advisory.Decide(m, d, v.decisions[m.Advisory], now)
			v.byID[m.Advisory] = append(v.byID[m.Advisory], x)
			v.byDevice[d.ID] = append(v.byDevice[d.ID], x)
		}
	}
	for _, l := range v.byID {
		slices.SortFunc(l, func(a, b *decided) int {
			if a.counts != b.counts {
				return int(b.counts) - int(a.counts)
			}
			if a.Confidence != b.Confidence {
				return b.Confidence - a.Confidence
			}
			return strings.Compare(a.row.Name+a.dev.ID, b.row.Name+b.dev.ID)
		})
	}
	return v
}

// worst is the worst verdict of a list; 0 for none.
func worst(l []*decided) advisory.Verdict {
	out := advisory.Verdict(0)
	for _, x := range l {
		out = max(out, x.counts)
	}
	return out
}

// row is an advisory in a list.
func (v *advisoryView) row(a *advisory.Advisory) AdvisoryRow {
	out := AdvisoryRow{ID: a.ID, Title: a.Title, Vendors: []string{}, CVSS: a.Score(), CVEs: []string{}, Published: timeText(a.Published), Updated: timeText(a.Updated), Imported: a.Imported}
	out.Severity = Severity(advisory.SeverityOf(out.CVSS))
	for _, e := range v.shelf.Base.EntriesOf(a.ID) {
		for _, m := range e.Makers {
			if !slices.Contains(out.Vendors, m.Name) {
				out.Vendors = append(out.Vendors, m.Name)
			}
		}
	}
	for _, k := range a.Vulnerabilities {
		if !slices.Contains(out.CVEs, k.CVE) {
			out.CVEs = append(out.CVEs, k.CVE)
		}
	}
	known, due, _ := v.shelf.Base.Index.Exploitation(out.CVEs)
	out.Exploited, out.Due = len(known) > 0, due
	for _, x := range v.byID[a.ID] {
		switch x.counts {
		case advisory.Affected:
			out.Affected++
		case advisory.Unknown:
			out.Unknown++
		case advisory.NotAffected:
			out.NotAffected++
		}
		if x.because != nil {
			out.Decided++
		}
	}
	return out
}

// match is a verdict as it is sent.
func (v *advisoryView) match(x *decided, now time.Time) AdvisoryMatch {
	a, _ := v.shelf.Base.Advisory(x.Advisory)
	known, due, _ := v.shelf.Base.Index.Exploitation(x.CVEs)
	out := AdvisoryMatch{Advisory: x.Advisory, Title: a.Title, CVSS: a.ScoreOf(x.CVEs), Exploited: len(known) > 0, Due: due, Device: x.dev.ID, DeviceName: x.row.Name, DeviceClass: string(x.dev.Class),
		Theatre: x.dev.Theatre, Product: x.Product, CVEs: orEmpty(x.CVEs), Verdict: x.counts, Found: x.Verdict, Confidence: x.Confidence, Evidence: orEmpty(x.Evidence), Missing: orEmpty(x.Missing), Since: stamp(x.Since)}
	out.Severity = Severity(advisory.SeverityOf(out.CVSS))
	if x.because != nil {
		d := decisionOf(x.because, now)
		out.Decision = &d
	}
	return out
}

// knowledge says what is known.
func (v *advisoryView) knowledge() Knowledge {
	x, b := v.shelf.Base.Index, v.shelf.Base
	out := Knowledge{Date: stamp(x.Date().UnixNano()), Built: timeText(x.Made), Source: x.Source, Origin: "shipped", Advisories: len(x.Advisories), CVEs: x.CVEs(),
		Products: len(b.Entries), NotUnderstood: len(b.NotUnderstood()), KEV: x.KEV.Version, KEVCVEs: len(x.KEV.CVEs)}
	if v.shelf.Updated {
		out.Origin = "updated"
	}
	for _, m := range v.shelf.Imports {
		if m.Advisory != nil {
			out.Imported++
		}
	}
	if v.state.At != 0 {
		out.Matched = stamp(v.state.At)
	}
	return out
}
