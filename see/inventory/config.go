// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/asepsis/asepsis/core/device"
)

// Config bounds the inventory and holds its notions of time. Every time is
// time of the capture, never of this machine's clock.
type Config struct {
	// MaxNodes bounds how many attachments (a MAC, an address with its MAC, an
	// address behind a router) are remembered. Beyond it the least valuable are
	// forgotten and counted. A device usually has two to four.
	MaxNodes int `yaml:"max_nodes"`
	// MaxFacts bounds the distinct pieces of evidence of one attachment.
	MaxFacts int `yaml:"max_facts"`
	// MaxValues bounds the distinct values of one attribute of one attachment.
	MaxValues int `yaml:"max_values"`
	// MaxEvidence bounds the evidence that a Device shows, best first.
	MaxEvidence int `yaml:"max_evidence"`
	// MaxConversations bounds the remembered pairs of who talks to whom.
	MaxConversations int `yaml:"max_conversations"`
	// MaxNamed bounds the devices that one sender's messages name.
	MaxNamed int `yaml:"max_named"`
	// MaxEdits bounds the record of what people set.
	MaxEdits int `yaml:"max_edits"`

	// ReuseGap is how long an address without a known MAC must be silent
	// before what speaks next from it may be another device.
	ReuseGap time.Duration `yaml:"reuse_gap"`
	// DuplicateWindow is how soon after another MAC's claim of an address the
	// former holder must claim it again to be a duplicate and not a hand-over.
	DuplicateWindow time.Duration `yaml:"duplicate_window"`
	// EstablishAfter is how long a device must be known before it is no longer
	// among the first to be forgotten.
	EstablishAfter time.Duration `yaml:"establish_after"`

	// RouterAddresses is how many addresses that it never claimed make a MAC a
	// router's, whatever the TTL says.
	RouterAddresses int `yaml:"router_addresses"`
	// ProxyARPAddresses is how many addresses a router may claim by ARP or ND
	// before its claims are taken for proxying.
	ProxyARPAddresses int `yaml:"proxy_arp_addresses"`
	// External lists devices outside the site's networks too. Without it only
	// those with medical evidence are listed.
	External bool `yaml:"external"`
	// UnknownBelow is the confidence under which a class is not stated.
	UnknownBelow device.Confidence `yaml:"unknown_below"`
}

// Default returns the documented defaults.
func Default() Config {
	return Config{
		MaxNodes:          60000,
		MaxFacts:          128,
		MaxValues:         24,
		MaxEvidence:       256,
		MaxConversations:  100000,
		MaxNamed:          512,
		MaxEdits:          100000,
		ReuseGap:          30 * 24 * time.Hour,
		DuplicateWindow:   10 * time.Minute,
		EstablishAfter:    10 * time.Minute,
		RouterAddresses:   6,
		ProxyARPAddresses: 16,
		UnknownBelow:      30,
	}
}

// ConfigError names the field that is wrong and what to do.
type ConfigError struct{ Field, Why, Hint string }

// Error implements error.
func (e *ConfigError) Error() string { return fmt.Sprintf("inventory: %s: %s", e.Field, e.Why) }

// Validate reports the first field that is out of range.
func (c Config) Validate() error {
	for _, f := range []struct {
		name        string
		v, min, max int
	}{
		{"max_nodes", c.MaxNodes, 16, 10_000_000},
		{"max_facts", c.MaxFacts, 8, 4096},
		{"max_values", c.MaxValues, 2, 1024},
		{"max_evidence", c.MaxEvidence, 8, 100_000},
		{"max_conversations", c.MaxConversations, 16, 10_000_000},
		{"max_named", c.MaxNamed, 2, 100_000},
		{"max_edits", c.MaxEdits, 1, 10_000_000},
		{"router_addresses", c.RouterAddresses, 2, 10_000},
		{"proxy_arp_addresses", c.ProxyARPAddresses, 1, 100_000},
	} {
		if f.v < f.min || f.v > f.max {
			return &ConfigError{f.name, fmt.Sprintf("%d is not in %d to %d", f.v, f.min, f.max), "leave it out to use the default"}
		}
	}
	for _, f := range []struct {
		name string
		v    time.Duration
	}{
		{"reuse_gap", c.ReuseGap}, {"duplicate_window", c.DuplicateWindow}, {"establish_after", c.EstablishAfter},
	} {
		if f.v <= 0 {
			return &ConfigError{f.name, "must be more than zero", "for example 10m or 720h"}
		}
	}
	if c.UnknownBelow > 100 {
		return &ConfigError{"unknown_below", "a confidence is 0 to 100", "30 is usual"}
	}
	return nil
}

// Network is a network of the site. Addresses inside one belong to the site
// even when they are public; the longest prefix gives the zone.
type Network struct {
	Prefix netip.Prefix `yaml:"prefix"`
	Zone   string       `yaml:"zone"`
}

// Match selects a device by something that does not change. All given parts
// must fit.
type Match struct {
	MAC      device.MAC `yaml:"mac"`
	IP       netip.Addr `yaml:"ip"`
	AETitle  string     `yaml:"ae_title"`
	Hostname string     `yaml:"hostname"`
	Serial   string     `yaml:"serial"`
}

// Override is what a person wrote about a device in the configuration. An edit
// made later in the console wins over it.
type Override struct {
	Match       Match              `yaml:"match"`
	Name        string             `yaml:"name"`
	Class       device.Class       `yaml:"class"`
	Vendor      string             `yaml:"vendor"`
	Model       string             `yaml:"model"`
	Theatre     string             `yaml:"theatre"`
	Criticality device.Criticality `yaml:"criticality"`
}

func (o Override) validate() error {
	if o.Match == (Match{}) {
		return &ConfigError{"overrides.match", "selects nothing", "give mac, ip, ae_title, hostname or serial"}
	}
	if o.Class != "" && !o.Class.Valid() {
		return &ConfigError{"overrides.class", fmt.Sprintf("%q is not in the taxonomy", o.Class), "see docs/devices.md"}
	}
	if !validCriticality(o.Criticality) {
		return &ConfigError{"overrides.criticality", fmt.Sprintf("%q is not a level", o.Criticality), "low, medium, high or life-supporting"}
	}
	return nil
}

func validCriticality(c device.Criticality) bool {
	switch c {
	case device.CriticalityUnset, device.CriticalityLow, device.CriticalityMedium, device.CriticalityHigh, device.CriticalityLife:
		return true
	}
	return false
}

// Option changes how an inventory is made.
type Option func(*Inventory) error

// WithNetworks states the site's networks and their zones. Private, unique
// local, link-local and loopback addresses always belong to the site.
func WithNetworks(n ...Network) Option {
	return func(i *Inventory) error {
		for _, w := range n {
			if !w.Prefix.IsValid() {
				return &ConfigError{"networks.prefix", "not a prefix", "for example 10.20.0.0/16"}
			}
			i.networks = append(i.networks, Network{Prefix: w.Prefix.Masked(), Zone: w.Zone})
		}
		return nil
	}
}

// WithOverrides states what is known about devices beforehand.
func WithOverrides(o ...Override) Option {
	return func(i *Inventory) error {
		for _, w := range o {
			if err := w.validate(); err != nil {
				return err
			}
			i.overrides = append(i.overrides, w)
		}
		return nil
	}
}

// WithRules adds classification rules of the site, in the form of rules.yaml.
// A rule with the id of a built-in one replaces it.
func WithRules(yaml []byte) Option {
	return func(i *Inventory) error {
		r, err := parseRules(yaml)
		if err != nil {
			return err
		}
		i.rules = i.rules.with(r)
		return nil
	}
}
