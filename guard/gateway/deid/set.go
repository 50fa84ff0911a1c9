// SPDX-License-Identifier: Apache-2.0

package deid

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Set holds the profiles of a Config, ready to be used. It does not change.
type Set struct{ profiles map[string]*profile }

// New makes the profiles. The key is the site's; the zero key panics.
func New(cfg Config, key pseudonym.Key) (*Set, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Set{profiles: map[string]*profile{}}
	for name, p := range cfg.Profiles {
		made, err := newProfile(name, p, key)
		if err != nil {
			return nil, fmt.Errorf("profile %q: %w", name, err)
		}
		s.profiles[name] = made
	}
	return s, nil
}

// Names returns the names of the profiles, in order.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.profiles)) }

// Profile returns the transformer of a profile.
func (s *Set) Profile(name string) (instance.Transformer, error) {
	if p, ok := s.profiles[name]; ok {
		return p, nil
	}
	names := s.Names()
	hint := "none is configured"
	if len(names) > 0 {
		hint = "there is " + strings.Join(names, ", ")
	}
	return nil, &unknownProfile{name, hint}
}

type unknownProfile struct{ name, hint string }

func (e *unknownProfile) Error() string {
	return fmt.Sprintf("no de-identification profile %q", e.name)
}
func (e *unknownProfile) Hint() string { return e.hint }

// profile is a Profile, compiled. It does not change.
type profile struct {
	cfg   Profile
	name  string
	keys  keys
	opts  map[Option]bool
	steps map[dicom.Tag]step
	vocab map[string]bool
	safe  map[safeKey]map[uint8]dicom.VR
}

var _ instance.Transformer = (*profile)(nil)

func newProfile(name string, cfg Profile, key pseudonym.Key) (*profile, error) {
	p := &profile{cfg: cfg, name: name, opts: map[Option]bool{}}
	for _, o := range cfg.Options {
		p.opts[o] = true
	}
	domain := cfg.Domain
	if domain == "" {
		domain = name
	}
	p.keys = newKeys(key, domain, cfg.ShiftDays)
	p.steps = steps(&cfg, p.has)
	p.vocab = vocabulary(cfg.Words)
	if p.has(RetainSafePrivate) {
		var err error
		if p.safe, err = safePrivate(cfg.SafePrivate); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *profile) has(o Option) bool { return p.opts[o] }

// Refusal is the error of a data set of which no safe copy can be made.
type Refusal struct {
	Code string // "burned-in", "compressed", "directory" ...
	Why  string // a sentence without any value
	hint string
	drop bool
}

// Error implements error.
func (r *Refusal) Error() string { return "no de-identified copy: " + r.Why }

// Hint says what a person can do.
func (r *Refusal) Hint() string { return r.hint }

// Drop reports that the profile wants such instances given up without asking anybody.
func (r *Refusal) Drop() bool { return r.drop }
