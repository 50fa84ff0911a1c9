// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"time"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/see/clock"
	"github.com/asepsis/asepsis/see/detect/match"
)

// Config says how live detection works.
type Config struct {
	Name       string        `yaml:"name" doc:"Name of this process among several that detect. Empty: the machine's."`
	RulesDir   string        `yaml:"rules_dir" doc:"Directory with rules of the site, beside those that are shipped. It is read again when a file changes."`
	Policy     string        `yaml:"policy" doc:"File with zones and conduits. Empty: the one that is kept in the store, else zones proposed from what is seen."`
	WriteDelay time.Duration `yaml:"write_delay" doc:"How long a finding may wait for others before it is written."`
	StateEvery time.Duration `yaml:"state_every" doc:"How often what rules remember is saved. A restart reads events again from the last time."`
	Keys       int           `yaml:"keys" doc:"How many addresses, devices or names each rule may keep count of."`
	Bytes      int64         `yaml:"bytes" doc:"How much memory each rule may use for that."`
	First      uint64        `yaml:"first" doc:"How many of the newest events are looked at when detection starts for the first time."`
	KeepClosed time.Duration `yaml:"keep_closed" doc:"How long a closed finding is kept. Open ones are always."`
	Cases      clock.Config  `yaml:"cases" doc:"How it is known whether a case is in progress."`
}

// Default holds the documented defaults.
func Default() Config {
	return Config{WriteDelay: 10 * time.Millisecond, StateEvery: 30 * time.Second, Keys: 50_000, Bytes: 32 << 20, First: 1_000_000, KeepClosed: 180 * 24 * time.Hour, Cases: clock.Default()}
}

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	switch {
	case len(c.Name) > 100:
		return config.Invalid("name", "the machine's name is usual", "is longer than 100 bytes")
	case c.WriteDelay < 0 || c.WriteDelay > time.Second:
		return config.Invalid("write_delay", "10ms is usual", "%s is not within 0s..1s", c.WriteDelay)
	case c.StateEvery < time.Second || c.StateEvery > time.Hour:
		return config.Invalid("state_every", "30s is usual", "%s is not within 1s..1h", c.StateEvery)
	case c.Keys < 100 || c.Keys > 5_000_000:
		return config.Invalid("keys", "50000 is usual", "%d is not within 100..5000000", c.Keys)
	case c.Bytes < 1<<20 || c.Bytes > 4<<30:
		return config.Invalid("bytes", "32 MiB is usual", "%d is not within 1 MiB..4 GiB", c.Bytes)
	case c.KeepClosed < leastKept || c.KeepClosed > 20*366*24*time.Hour:
		return config.Invalid("keep_closed", "4320h, which is 180 days, is usual", "%s is not within 24h..20 years", c.KeepClosed)
	}
	return c.Cases.Validate()
}

func (c Config) limits() match.Limits { return match.Limits{Keys: c.Keys, Bytes: int(c.Bytes)} }
