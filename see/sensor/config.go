// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"fmt"
	"runtime"
	"time"

	"github.com/asepsis/asepsis/wire/packet"
)

// Config is what can be set about the sensor.
type Config struct {
	// Workers is how many goroutines analyse flows; each flow belongs to one.
	// 0 means one less than the processors, at least one.
	Workers int `yaml:"workers"`
	// MaxFlows bounds the flows followed at once, all workers together. When
	// it is reached the least recently active flow is ended early and counted.
	MaxFlows int `yaml:"max_flows"`
	// MaxStreamBytes bounds the bytes that wait behind holes of TCP streams,
	// all workers together.
	MaxStreamBytes int64 `yaml:"max_stream_bytes"`
	// Idle times after which a flow is over, in capture time.
	TCPIdle    time.Duration `yaml:"tcp_idle"`
	TCPOpening time.Duration `yaml:"tcp_opening"` // no answer to SYN
	TCPClosed  time.Duration `yaml:"tcp_closed"`  // after FIN or RST
	UDPIdle    time.Duration `yaml:"udp_idle"`
	OtherIdle  time.Duration `yaml:"other_idle"`
	// ReportInterval is how often a flow that goes on is reported (Traffic).
	// 0 reports only at the end.
	ReportInterval time.Duration `yaml:"report_interval"`
	// ReportOpen emits an event when a connection opens, for live use.
	ReportOpen bool `yaml:"report_open"`
	// EvidenceInterval is how long equal evidence is folded before it is
	// reported again with its count.
	EvidenceInterval time.Duration `yaml:"evidence_interval"`
	// Disabled names analysers that are not to run.
	Disabled []string `yaml:"disabled"`
}

// Default returns the defaults for analysing captures.
func Default() Config {
	return Config{
		Workers:          0,
		MaxFlows:         400_000,
		MaxStreamBytes:   64 << 20,
		TCPIdle:          time.Hour,
		TCPOpening:       30 * time.Second,
		TCPClosed:        5 * time.Second,
		UDPIdle:          time.Minute,
		OtherIdle:        time.Minute,
		ReportInterval:   5 * time.Minute,
		EvidenceInterval: 10 * time.Minute,
	}
}

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	switch {
	case c.Workers < 0 || c.Workers > 256:
		return fmt.Errorf("workers: %d is not between 0 and 256", c.Workers)
	case c.MaxFlows < 16 || c.MaxFlows > 1<<28:
		return fmt.Errorf("max_flows: %d is not between 16 and %d", c.MaxFlows, 1<<28)
	case c.MaxStreamBytes < 1<<16:
		return fmt.Errorf("max_stream_bytes: %d is less than 64 KiB", c.MaxStreamBytes)
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{{"tcp_idle", c.TCPIdle}, {"tcp_opening", c.TCPOpening}, {"tcp_closed", c.TCPClosed}, {"udp_idle", c.UDPIdle}, {"other_idle", c.OtherIdle}, {"evidence_interval", c.EvidenceInterval}} {
		if d.v < time.Second {
			return fmt.Errorf("%s: %v is less than 1s", d.name, d.v)
		}
	}
	if c.ReportInterval != 0 && c.ReportInterval < time.Second {
		return fmt.Errorf("report_interval: %v is neither 0 nor at least 1s", c.ReportInterval)
	}
	return nil
}

func (c Config) workers() int {
	if c.Workers > 0 {
		return c.Workers
	}
	return max(1, runtime.GOMAXPROCS(0)-1)
}

// idle returns the idle time of each list.
func (c Config) idle() [lists]int64 {
	return [lists]int64{
		listTCPOpening: int64(c.TCPOpening), listTCP: int64(c.TCPIdle), listTCPClosed: int64(c.TCPClosed),
		listUDP: int64(c.UDPIdle), listOther: int64(c.OtherIdle),
	}
}

func tunnelName(k packet.TunnelKind, id uint32) string {
	name := [...]string{"", "gre", "erspan1", "erspan2", "erspan3", "vxlan", "ipip", "mpls"}
	if int(k) >= len(name) || name[k] == "" {
		return "tunnel"
	}
	if id == 0 {
		return name[k]
	}
	return fmt.Sprintf("%s:%d", name[k], id)
}
