// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/guarded"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
	"github.com/asepsis/asepsis/see/detect/suppress"
	"github.com/asepsis/asepsis/see/recorder"
)

// Kinds of the documents that people write about detection.
const (
	// RuleKind holds a SiteRule, by the rule's ID.
	RuleKind = "detect-rule"
	// TallyKind says what a suppression or window hid, by its ID.
	TallyKind = "detect-tally"
	// maxRules bounds how many rules a site writes or switches.
	maxRules = 2000
)

// SiteRule is what people of a site decided about a rule: that it is off, or a text
// of their own, or both.
type SiteRule struct {
	Text   string `json:"text,omitempty"` // YAML; "" for a rule of ours
	Off    bool   `json:"off,omitempty"`
	Reason string `json:"reason,omitempty"`
	Who    string `json:"who"`
	At     int64  `json:"at"`
}

// ParseRule reads the text of one rule.
func (c *Content) ParseRule(id, text string) (*rule.Rule, error) {
	family, name, ok := strings.Cut(id, ".")
	if !ok || !fs.ValidPath(family+"/"+name) || strings.ContainsAny(id, "/\\") {
		return nil, fmt.Errorf("%q is no ID of a rule: it is family.name", id)
	}
	return rule.Parse(family+"/"+name+".yaml", []byte(text), c.Env)
}

// SiteRules reads what people decided about rules, by ID, and a revision of all of it.
func SiteRules(ctx context.Context, st store.Documents) (map[string]SiteRule, map[string]uint64, string, error) {
	docs, err := st.DocumentsOf(ctx, RuleKind, "", maxRules)
	if err != nil {
		return nil, nil, "", err
	}
	out, revs := map[string]SiteRule{}, map[string]uint64{}
	var all strings.Builder
	for _, d := range docs {
		var r SiteRule
		if err := json.Unmarshal(d.Body, &r); err != nil {
			return nil, nil, "", fmt.Errorf("rule %s: %w", d.ID, err)
		}
		out[d.ID], revs[d.ID] = r, d.Revision
		all.WriteString(d.ID + " " + strconv.FormatUint(d.Revision, 10) + "\n")
	}
	return out, revs, all.String(), nil
}

// ForSite returns base with what the site's people decided. A text that is not right
// any more is left out and named in broken.
func (c *Content) ForSite(site map[string]SiteRule) (out *Content, broken map[string]error) {
	var more []*rule.Rule
	off := map[string]bool{}
	for id, s := range site {
		off[id] = s.Off
		if s.Text == "" {
			continue
		}
		r, err := c.ParseRule(id, s.Text)
		if err != nil {
			if broken == nil {
				broken = map[string]error{}
			}
			broken[id] = err
			continue
		}
		r.Origin = strings.TrimPrefix(r.Origin+" own", " ")
		more = append(more, r)
	}
	return c.With(more, off), broken
}

// DirFingerprint changes with the files of a directory of rules.
func DirFingerprint(dir string) (string, error) {
	var b strings.Builder
	n := 0
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if n++; n > 10_000 {
			return errors.New("there are more than 10,000 files")
		}
		i, err := d.Info()
		if err == nil {
			fmt.Fprintf(&b, "%s %d %d\n", path, i.Size(), i.ModTime().UnixNano())
		}
		return err
	})
	return b.String(), err
}

// Theatres reads the theatres that people made.
func Theatres(ctx context.Context, st store.Documents) ([]theatre.Theatre, string, error) {
	docs, err := st.DocumentsOf(ctx, recorder.TheatreKind, "", 1000)
	if err != nil {
		return nil, "", err
	}
	var out []theatre.Theatre
	var all strings.Builder
	for _, d := range docs {
		var t recorder.Theatre
		if err := json.Unmarshal(d.Body, &t); err != nil {
			return nil, "", fmt.Errorf("theatre %s: %w", d.ID, err)
		}
		out = append(out, theatre.Theatre{ID: d.ID, Name: t.Name, State: t.State, Since: sinceOf(t.Since), Source: t.Source, Site: t.Site})
		all.WriteString(d.ID + " " + strconv.FormatUint(d.Revision, 10) + "\n")
	}
	return out, all.String(), nil
}

// Hidings reads suppressions and windows. What cannot be read is left out and named.
func Hidings(ctx context.Context, st store.Documents) (sups []suppress.Suppression, windows []suppress.Window, rev string, bad error, err error) {
	var all strings.Builder
	docs, err := st.DocumentsOf(ctx, suppress.Kind, "", suppress.MaxEntries)
	if err != nil {
		return nil, nil, "", nil, err
	}
	for _, d := range docs {
		all.WriteString(d.ID + " " + strconv.FormatUint(d.Revision, 10) + "\n")
		var s suppress.Suppression
		if err := json.Unmarshal(d.Body, &s); err != nil {
			bad = errors.Join(bad, fmt.Errorf("suppression %s: %w", d.ID, err))
			continue
		}
		s.ID = d.ID
		sups = append(sups, s)
	}
	if docs, err = st.DocumentsOf(ctx, suppress.WindowKind, "", suppress.MaxEntries); err != nil {
		return nil, nil, "", nil, err
	}
	for _, d := range docs {
		all.WriteString(d.ID + " " + strconv.FormatUint(d.Revision, 10) + "\n")
		var w suppress.Window
		if err := json.Unmarshal(d.Body, &w); err != nil {
			bad = errors.Join(bad, fmt.Errorf("maintenance window %s: %w", d.ID, err))
			continue
		}
		w.ID = d.ID
		if err := w.Prepare(); err != nil {
			bad = errors.Join(bad, fmt.Errorf("maintenance window %s: %w", d.ID, err))
			continue
		}
		windows = append(windows, w)
	}
	return sups, windows, all.String(), bad, nil
}

// WorldOf makes the world from what is stored.
func WorldOf(ctx context.Context, st store.Store, policyFile string) (*scene.World, error) {
	devs, _, err := st.DeviceList(ctx)
	if err != nil {
		return nil, err
	}
	rooms, _, err := Theatres(ctx, st)
	if err != nil {
		return nil, err
	}
	pol, _, err := Policy(ctx, st, policyFile, devs)
	if err != nil {
		return nil, err
	}
	guards, _, err := guarded.All(ctx, st)
	if err != nil {
		return nil, err
	}
	w := scene.NewWorld(devs, rooms, pol)
	w.Guard(guards)
	return w, nil
}
