// SPDX-License-Identifier: Apache-2.0

// Package standing is how a room that is not detection says what needs a person
// for as long as it is so: a certificate that nobody renewed, witnesses that do
// not answer.
//
// A room puts the whole list of what is so now, under a family's name of its own.
// Detection makes a finding of each matter that is new, closes those that are gone,
// and opens them again when they come back; what people decide about them in
// between is kept. The last list that was put counts, also over restarts.
//
// # Limits
//
// A family has at most MaxMatters; the worst are kept. A list is one document, so a
// Put is seen whole or not at all.
package standing

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
)

// Kind is the kind of the documents; their IDs are families.
const Kind = "standing"

// MaxMatters bounds a family.
const MaxMatters = 1000

// Matter is one thing that needs a person.
type Matter struct {
	finding.Finding
	// Key tells matters of one rule apart: a certificate's serial number, a
	// witness's name. The same key is the same finding.
	Key      string   `json:"key"`
	Theatre  string   `json:"theatre,omitempty"`
	Analyst  string   `json:"analyst,omitempty"`
	Playbook []string `json:"playbook,omitempty"`
}

// List is what a family says.
type List struct {
	Family   string   `json:"family"` // rules begin with it and a dot
	Matters  []Matter `json:"matters"`
	revision uint64
}

// Put replaces what a family says. It writes only what is new: the same list again
// costs one read.
func Put(ctx context.Context, docs store.Documents, family string, matters []Matter) error {
	if family == "" || strings.Contains(family, ".") {
		return fmt.Errorf("standing matters: %q is no name of a family", family)
	}
	matters = slices.Clone(matters)
	for _, m := range matters {
		if !strings.HasPrefix(m.Rule, family+".") {
			return fmt.Errorf("standing matters: the rule %q is not of the family %s", m.Rule, family)
		}
	}
	slices.SortStableFunc(matters, func(a, b Matter) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Key, b.Key))
	})
	if len(matters) > MaxMatters {
		matters = matters[:MaxMatters]
	}
	body, err := json.Marshal(List{Family: family, Matters: matters})
	if err != nil {
		return err
	}
	switch doc, err := docs.Document(ctx, Kind, family); {
	case err == nil && bytes.Equal(doc.Body, body):
		return nil
	case errors.Is(err, store.ErrNotFound) && len(matters) == 0:
		return nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("standing matters of %s: %w", family, err)
	}
	if err := docs.Commit(ctx, []store.Write{{Kind: Kind, ID: family, Expect: store.AnyRevision, Body: body}}); err != nil {
		return fmt.Errorf("standing matters of %s: %w", family, err)
	}
	return nil
}

// All reads what all families say.
func All(ctx context.Context, docs store.Documents) ([]List, error) {
	list, err := docs.DocumentsOf(ctx, Kind, "", 1000)
	if err != nil {
		return nil, fmt.Errorf("standing matters: %w", err)
	}
	out := make([]List, 0, len(list))
	for _, d := range list {
		l := List{}
		if err := json.Unmarshal(d.Body, &l); err != nil || l.Family != d.ID {
			return nil, fmt.Errorf("standing matters of %s cannot be read", d.ID)
		}
		l.revision = d.Revision
		out = append(out, l)
	}
	return out, nil
}

// Revision changes whenever the list is put with other matters.
func (l *List) Revision() uint64 { return l.revision }
