// SPDX-License-Identifier: Apache-2.0

package live

import (
	"errors"
	"testing"
	"time"
)

func TestTheDefaultsNeedOnlyAnInterface(t *testing.T) {
	c := Default()
	if err := c.check(); err == nil {
		t.Error("no interface is accepted")
	}
	c.Interface = "eth0"
	if err := c.check(); err != nil {
		t.Error(err)
	}
}

func TestConfigIsCheckedAtItsEdges(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*Config)
		err  string
	}{
		{"an interface name of 15 bytes", func(c *Config) { c.Interface = "abcdefghijklmno" }, ""},
		{"an interface name of 16 bytes", func(c *Config) { c.Interface = "abcdefghijklmnop" }, "live capture on abcdefghijklmnop: invalid configuration: interface: abcdefghijklmnop is longer than the 15 bytes that Linux allows"},
		{"no worker", func(c *Config) { c.Workers = 0 }, "live capture on eth0: invalid configuration: workers: 0 is not within 1..64"},
		{"64 workers", func(c *Config) { c.Workers = 64 }, ""},
		{"65 workers", func(c *Config) { c.Workers = 65 }, "live capture on eth0: invalid configuration: workers: 65 is not within 1..64"},
		{"the least ring", func(c *Config) { c.RingBytes = 2 << 20 }, ""},
		{"a ring too small", func(c *Config) { c.RingBytes = 2<<20 - 1 }, "live capture on eth0: invalid configuration: ring_bytes: 2097151 is not within 2097152..1073741824"},
		{"a ring too big", func(c *Config) { c.RingBytes = 1<<30 + 1 }, "live capture on eth0: invalid configuration: ring_bytes: 1073741825 is not within 2097152..1073741824"},
		{"a short timeout", func(c *Config) { c.BlockTimeout = time.Microsecond }, "live capture on eth0: invalid configuration: block_timeout: 1µs is not within 1ms..10s"},
		{"a snap length too small", func(c *Config) { c.SnapLen = 63 }, "live capture on eth0: invalid configuration: snap_len: 63 is not within 64..262144"},
		{"a snap length too great", func(c *Config) { c.SnapLen = 262145 }, "live capture on eth0: invalid configuration: snap_len: 262145 is not within 64..262144"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Default()
			cfg.Interface = "eth0"
			c.set(&cfg)
			err := cfg.check()
			if c.err == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *Error
			if !errors.Is(err, ErrConfig) || !errors.As(err, &e) || e.Hint() == "" || err.Error() != c.err {
				t.Errorf("error %q, want %q", err, c.err)
			}
		})
	}
}
