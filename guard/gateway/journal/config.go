// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"time"

	"github.com/asepsis/asepsis/platform/config"
)

// Config says where instances are kept, and for how long.
type Config struct {
	Dir       string          `yaml:"dir" doc:"Directory of the journal. Empty: gateway/journal in the data directory. On a disk of its own, if possible, and not on NFS."`
	Segment   config.ByteSize `yaml:"segment" doc:"Size of the files that hold the data sets."`
	Retention time.Duration   `yaml:"retention" doc:"How long a data set is kept after its last delivery, to be looked at or sent again. Its record stays."`
	Retain    config.ByteSize `yaml:"retain" doc:"The most room for data sets that are kept although nothing is awaited of them; the oldest go first. 0: no limit but the disk."`
	Originals time.Duration   `yaml:"originals" doc:"How long the original of a sanitised instance is kept, if nobody destroys it before."`
	Warn      config.ByteSize `yaml:"warn_free" doc:"Free room on the disk below which a person is told, and delivered data sets are given up early."`
	Stop      config.ByteSize `yaml:"stop_free" doc:"Free room that is left: nothing more is taken when it would become less. What was acknowledged goes on."`
	Reserve   config.ByteSize `yaml:"reserve" doc:"Room that is held for changes of state, should something else fill the disk."`
	Log       config.ByteSize `yaml:"log" doc:"Size of the log beyond which it is tidied, if more than half of it is not needed."`
	History   time.Duration   `yaml:"history" doc:"How long records are kept after everything was done. The ledger's entries are not touched."`
	Scrub     config.ByteSize `yaml:"scrub_rate" doc:"Bytes a second that are read again to find damage of the disk. 0: none."`
}

// Default holds the documented defaults.
func Default() Config {
	return Config{Segment: 128 * config.MiB, Retention: 24 * time.Hour, Originals: 30 * 24 * time.Hour, Warn: 8 * config.GiB, Stop: 2 * config.GiB, Reserve: 32 * config.MiB,
		Log: 64 * config.MiB, History: 90 * 24 * time.Hour, Scrub: 4 * config.MiB}
}

// Bounds of a configuration.
const (
	minSegment = 1 * config.MiB
	maxSegment = 4 * config.GiB
	minLog     = 1 * config.MiB
)

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	switch {
	case c.Segment < minSegment || c.Segment > maxSegment || c.Segment%(64*config.KiB) != 0:
		return config.Invalid("segment", "128MiB is usual", "%v is not a multiple of 64KiB within 1MiB..4GiB", c.Segment)
	case c.Retention < 0:
		return config.Invalid("retention", "24h is usual", "%v is negative", c.Retention)
	case c.Originals < 0:
		return config.Invalid("originals", "720h, 30 days, is usual", "%v is negative", c.Originals)
	case c.Retain < 0:
		return config.Invalid("retain", "0 sets no limit", "%v is negative", c.Retain)
	case c.Stop < 0:
		return config.Invalid("stop_free", "2GiB is usual", "%v is negative", c.Stop)
	case c.Warn < c.Stop:
		return config.Invalid("warn_free", "a person must be told before nothing more is taken", "%v is less than stop_free, %v", c.Warn, c.Stop)
	case c.Reserve < 0:
		return config.Invalid("reserve", "32MiB is usual", "%v is negative", c.Reserve)
	case c.Log < minLog:
		return config.Invalid("log", "64MiB is usual", "%v is less than %v", c.Log, minLog)
	case c.History < time.Hour:
		return config.Invalid("history", "2160h, 90 days, is usual", "%v is less than an hour", c.History)
	case c.Scrub < 0:
		return config.Invalid("scrub_rate", "0 switches it off", "%v is negative", c.Scrub)
	}
	return nil
}
