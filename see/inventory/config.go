// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"net/netip"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/config"
)

// Config bounds the inventory and holds its notions of time. Every time is
// time of the capture, never of this machine's clock.
type Config struct {
	MaxNodes          int               `yaml:"max_nodes" doc:"The most attachments (a MAC, an address with its MAC, an address behind a router) that are remembered. Beyond it the least valuable are forgotten, which is counted and shown. A device usually has two to four."`
	MaxFacts          int               `yaml:"max_facts" doc:"The most distinct pieces of evidence of one attachment."`
	MaxValues         int               `yaml:"max_values" doc:"The most distinct values of one attribute of one attachment; of roles and services five times as many."`
	MaxEvidenceTotal  int               `yaml:"max_evidence_total" doc:"The most pieces of evidence in all, about 80 bytes and the value each. Beyond it whole attachments are forgotten as with max_nodes."`
	MaxEvidence       int               `yaml:"max_evidence" doc:"The most pieces of evidence that a device shows, best first."`
	MaxConversations  int               `yaml:"max_conversations" doc:"The most pairs of who talks to whom that are remembered."`
	MaxNamed          int               `yaml:"max_named" doc:"The most devices that the messages of one sender name."`
	MaxEdits          int               `yaml:"max_edits" doc:"The most changes by people that are recorded. Beyond it further ones are refused."`
	ReuseGap          time.Duration     `yaml:"reuse_gap" doc:"How long an address without a known MAC must be silent before what speaks next from it may be another device. All times are those of the traffic."`
	DuplicateWindow   time.Duration     `yaml:"duplicate_window" doc:"How soon after another MAC's claim of an address its former holder must claim it again to be a duplicate and not a hand-over."`
	EstablishAfter    time.Duration     `yaml:"establish_after" doc:"How long a device must be known before it is no longer among the first to be forgotten."`
	RouterAddresses   int               `yaml:"router_addresses" doc:"How many addresses that it never claimed make a MAC a router's, whatever the TTL says."`
	ProxyARPAddresses int               `yaml:"proxy_arp_addresses" doc:"How many addresses a router may claim by ARP or neighbour discovery before its claims are taken for proxying."`
	External          bool              `yaml:"external" doc:"List devices outside the site's networks too. Without it only those with medical evidence are listed."`
	UnknownBelow      device.Confidence `yaml:"unknown_below" doc:"The confidence, in percent, under which a class is not stated."`
}

// Default returns the documented defaults.
func Default() Config {
	return Config{
		MaxNodes:          60000,
		MaxFacts:          256,
		MaxValues:         24,
		MaxEvidenceTotal:  1_500_000,
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

// Validate reports the first field that is out of range.
func (c Config) Validate() error {
	for _, f := range []struct {
		name        string
		v, min, max int
	}{
		{"max_nodes", c.MaxNodes, 16, 10_000_000},
		{"max_facts", c.MaxFacts, 8, 4096},
		{"max_values", c.MaxValues, 2, 1024},
		{"max_evidence_total", c.MaxEvidenceTotal, 1000, 1_000_000_000},
		{"max_evidence", c.MaxEvidence, 8, 100_000},
		{"max_conversations", c.MaxConversations, 16, 10_000_000},
		{"max_named", c.MaxNamed, 2, 100_000},
		{"max_edits", c.MaxEdits, 1, 10_000_000},
		{"router_addresses", c.RouterAddresses, 2, 10_000},
		{"proxy_arp_addresses", c.ProxyARPAddresses, 1, 100_000},
	} {
		if f.v < f.min || f.v > f.max {
			return config.Invalid(f.name, "leave it out to use the default", "%d is not between %d and %d", f.v, f.min, f.max)
		}
	}
	for _, f := range []struct {
		name string
		v    time.Duration
	}{
		{"reuse_gap", c.ReuseGap}, {"duplicate_window", c.DuplicateWindow}, {"establish_after", c.EstablishAfter},
	} {
		if f.v <= 0 {
			return config.Invalid(f.name, "write a time such as 10m or 720h", "must be more than zero")
		}
	}
	if c.UnknownBelow > 100 {
		return config.Invalid("unknown_below", "30 is usual", "%d is not between 0 and 100", c.UnknownBelow)
	}
	return nil
}

// Network is a network of the site. Addresses inside one belong to the site
// even when they are public; the longest prefix gives the zone.
type Network struct {
	Prefix netip.Prefix `yaml:"prefix" doc:"The network's prefix, such as 10.20.0.0/16."`
	Zone   string       `yaml:"zone" doc:"The zone that its addresses belong to."`
}

// Match selects a device by something that does not change. All given parts
// must fit.
type Match struct {
	MAC      device.MAC `yaml:"mac" doc:"A MAC of the device."`
	IP       netip.Addr `yaml:"ip" doc:"An address of the device."`
	AETitle  string     `yaml:"ae_title" doc:"An AE title of the device."`
	Hostname string     `yaml:"hostname" doc:"A host name of the device; its first label counts."`
	Serial   string     `yaml:"serial" doc:"The device's serial number."`
}

// Override is what a person wrote about a device in the configuration. An edit
// made later in the console wins over it.
type Override struct {
	Match       Match              `yaml:"match" doc:"Which device is meant. Everything given must fit."`
	Name        string             `yaml:"name" doc:"What to call it."`
	Class       device.Class       `yaml:"class" doc:"What it is for, see docs/devices.md."`
	Vendor      string             `yaml:"vendor" doc:"Its manufacturer."`
	Model       string             `yaml:"model" doc:"Its model."`
	Theatre     string             `yaml:"theatre" doc:"The ID of the theatre it belongs to."`
	Criticality device.Criticality `yaml:"criticality" doc:"How much care depends on it: low, medium, high or life-supporting."`
}

// Validate reports the first field that cannot be.
func (o Override) Validate() error {
	if o.Match == (Match{}) {
		return config.Invalid("match", "give mac, ip, ae_title, hostname or serial", "selects nothing")
	}
	if o.Class != "" && !o.Class.Valid() {
		return config.Invalid("class", "docs/devices.md lists the classes", "%q is not in the taxonomy", o.Class)
	}
	if !validCriticality(o.Criticality) {
		return config.Invalid("criticality", "write low, medium, high or life-supporting", "%q is not a level", o.Criticality)
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
				return config.Invalid("prefix", "write a prefix such as 10.20.0.0/16", "is not a prefix")
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
			if err := w.Validate(); err != nil {
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
