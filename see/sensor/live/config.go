// SPDX-License-Identifier: Apache-2.0

package live

import (
	"errors"
	"fmt"
	"time"

	"github.com/asepsis/asepsis/platform/config"
)

const (
	// blockBytes is the size of a ring block: several of the longest frames.
	blockBytes = 1 << 20
	maxWorkers = 64
	maxSnapLen = 262144
	maxRing    = 1 << 30
	minTimeout = time.Millisecond
	maxTimeout = 10 * time.Second
	minSnapLen = 64
	minRing    = 2 * blockBytes
)

// DefaultUser is the account that DropPrivileges takes when none is named.
const DefaultUser = "nobody"

// Config says what to capture and with how much memory. [Default] documents the
// defaults.
type Config struct {
	Interface    string          `yaml:"interface" doc:"Name of the network interface, for example eth1; --iface overrides it."`
	Workers      int             `yaml:"workers" doc:"Sources that share the interface's frames by flow, 1 to 64."`
	RingBytes    config.ByteSize `yaml:"ring_bytes" doc:"Memory of each worker for frames not yet taken, 2MiB to 1GiB. The kernel reserves it and it cannot be swapped."`
	BlockTimeout time.Duration   `yaml:"block_timeout" doc:"How long a frame may wait in a block that is not full, 1ms to 10s."`
	SnapLen      int             `yaml:"snap_len" doc:"Bytes of a frame that are taken, 64 to 262144."`
	Promiscuous  bool            `yaml:"promiscuous" doc:"Take frames for any receiver, as a mirror port needs it."`
	Rollover     bool            `yaml:"rollover" doc:"Send frames to another worker when a worker's ring is full: fewer are lost, but those of a flow may come out of order."`
}

// Default is one worker with a ring of 32 MiB, blocks handed over after 20 ms,
// whole frames, promiscuous, no rollover.
func Default() Config {
	return Config{
		Workers:      1,
		RingBytes:    32 * config.MiB,
		BlockTimeout: 20 * time.Millisecond,
		SnapLen:      maxSnapLen,
		Promiscuous:  true,
	}
}

// Validate checks the fields without looking at the host. An empty interface is
// left to Open: the command line may name one.
func (c Config) Validate() error {
	switch {
	case len(c.Interface) > 15:
		return config.Invalid("interface", "ip -br link lists the interfaces", "%s is longer than the 15 bytes that Linux allows", c.Interface)
	case c.Workers < 1 || c.Workers > maxWorkers:
		return config.Invalid("workers", "use at most one for each core", "%d is not within 1..%d", c.Workers, maxWorkers)
	case c.RingBytes < minRing || c.RingBytes > maxRing:
		return config.Invalid("ring_bytes", fmt.Sprintf("the default is %v", Default().RingBytes), "%d is not within %d..%d", c.RingBytes, minRing, maxRing)
	case c.BlockTimeout < minTimeout || c.BlockTimeout > maxTimeout:
		return config.Invalid("block_timeout", fmt.Sprintf("the default is %v", Default().BlockTimeout), "%v is not within %v..%v", c.BlockTimeout, minTimeout, maxTimeout)
	case c.SnapLen < minSnapLen || c.SnapLen > maxSnapLen:
		return config.Invalid("snap_len", fmt.Sprintf("the default, %d, takes whole frames", maxSnapLen), "%d is not within %d..%d", c.SnapLen, minSnapLen, maxSnapLen)
	}
	return nil
}

// check is Validate for Open, which needs an interface.
func (c Config) check() error {
	err := c.Validate()
	if err == nil && c.Interface == "" {
		err = config.Invalid("interface", "name the interface of the mirror port; ip -br link lists them", "is empty")
	}
	if err == nil {
		return nil
	}
	e := &Error{Interface: c.Interface}
	var f *config.FieldError
	if errors.As(err, &f) {
		e.Err, e.hint = fmt.Errorf("%w: %s: %s", ErrConfig, f.Field, f.Message), f.Hint
	}
	return e
}
