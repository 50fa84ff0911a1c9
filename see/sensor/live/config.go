// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"time"
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

// Config says what to capture and with how much memory. [Default] documents the
// defaults.
type Config struct {
	// Interface is the name of the network interface, for example "eth1".
	Interface string `yaml:"interface"`
	// Workers is the number of sources that share the interface's frames,
	// 1..64.
	Workers int `yaml:"workers"`
	// RingBytes is the memory of each worker for frames not yet taken, 2 MiB to
	// 1 GiB, rounded up to whole MiB. The kernel reserves it and it cannot
	// be swapped.
	RingBytes int `yaml:"ring_bytes"`
	// BlockTimeout is how long a frame may wait in a block that is not full,
	// 1 ms to 10 s.
	BlockTimeout time.Duration `yaml:"block_timeout"`
	// SnapLen is how many bytes of a frame are taken, 64..262144.
	SnapLen int `yaml:"snap_len"`
	// Promiscuous takes frames for any receiver, as a mirror port needs it.
	Promiscuous bool `yaml:"promiscuous"`
	// Rollover sends frames to another worker when a worker's ring is full.
	// Fewer frames are lost, but the frames of a flow may then come from
	// several sources and out of order.
	Rollover bool `yaml:"rollover"`
}

// Default is one worker with a ring of 32 MiB, blocks handed over after 20 ms,
// whole frames, promiscuous, no rollover.
func Default() Config {
	return Config{
		Workers:      1,
		RingBytes:    32 << 20,
		BlockTimeout: 20 * time.Millisecond,
		SnapLen:      maxSnapLen,
		Promiscuous:  true,
	}
}

// Validate checks the fields without looking at the host.
func (c Config) Validate() error {
	bad := func(field, why, hint string) error {
		return &Error{Interface: c.Interface, Err: fmt.Errorf("%w: %s: %s", ErrConfig, field, why), hint: hint}
	}
	switch {
	case c.Interface == "":
		return bad("interface", "is empty", "name the interface of the mirror port; ip -br link lists them")
	case len(c.Interface) > 15:
		return bad("interface", "is longer than the 15 bytes that Linux allows", "ip -br link lists the interfaces")
	case c.Workers < 1 || c.Workers > maxWorkers:
		return bad("workers", fmt.Sprintf("%d is not within 1..%d", c.Workers, maxWorkers), "use at most one for each core")
	case c.RingBytes < minRing || c.RingBytes > maxRing:
		return bad("ring_bytes", fmt.Sprintf("%d is not within %d..%d", c.RingBytes, minRing, maxRing), fmt.Sprintf("the default is %d", Default().RingBytes))
	case c.BlockTimeout < minTimeout || c.BlockTimeout > maxTimeout:
		return bad("block_timeout", fmt.Sprintf("%v is not within %v..%v", c.BlockTimeout, minTimeout, maxTimeout), fmt.Sprintf("the default is %v", Default().BlockTimeout))
	case c.SnapLen < minSnapLen || c.SnapLen > maxSnapLen:
		return bad("snap_len", fmt.Sprintf("%d is not within %d..%d", c.SnapLen, minSnapLen, maxSnapLen), fmt.Sprintf("the default, %d, takes whole frames", maxSnapLen))
	}
	return nil
}
