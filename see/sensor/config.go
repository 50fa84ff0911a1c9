// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"fmt"
	"runtime"
	"time"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/wire/packet"
)

// Config is what can be set about the sensor.
type Config struct {
	Workers          int             `yaml:"workers" doc:"Goroutines that analyse flows; each flow belongs to one. 0 means one less than the processors."`
	MaxFlows         int             `yaml:"max_flows" doc:"The most flows followed at once, about 320 bytes each. Beyond it the flow that matters least is ended early, which is counted and shown."`
	MaxStreamBytes   config.ByteSize `yaml:"max_stream_bytes" doc:"The most bytes that wait behind holes of TCP streams, all workers together."`
	MaxAnalysisBytes config.ByteSize `yaml:"max_analysis_bytes" doc:"The most bytes of unfinished messages that analysers keep, all workers together. Beyond it the flows silent longest are no longer analysed, which is counted and shown."`
	TCPIdle          time.Duration   `yaml:"tcp_idle" doc:"Silence after which an open TCP connection is over, in capture time, like all idle times."`
	TCPOpening       time.Duration   `yaml:"tcp_opening" doc:"Silence after which a TCP connection that was never answered is over."`
	TCPClosed        time.Duration   `yaml:"tcp_closed" doc:"How long a closed TCP connection is remembered, for late packets. The live sensor of a running system at most half a second."`
	UDPIdle          time.Duration   `yaml:"udp_idle" doc:"Silence after which a UDP flow is over."`
	OtherIdle        time.Duration   `yaml:"other_idle" doc:"Silence after which a flow of another protocol (ICMP, ESP ...) is over."`
	ReportInterval   time.Duration   `yaml:"report_interval" doc:"How often a flow that goes on is reported. 0s reports only its end."`
	ReportOpen       bool            `yaml:"report_open" doc:"Report a TCP connection when it opens, too. The live sensor always does."`
	EvidenceInterval time.Duration   `yaml:"evidence_interval" doc:"How long equal device evidence is folded before it is reported again, with its count."`
	Disabled         []string        `yaml:"disabled" doc:"Names of analysers that are not to run."`
}

// Default returns the defaults for analysing captures.
func Default() Config {
	return Config{
		Workers:          0,
		MaxFlows:         400_000,
		MaxStreamBytes:   64 * config.MiB,
		MaxAnalysisBytes: 128 * config.MiB,
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
		return config.Invalid("workers", "write 0 to use all processors but one", "%d is not between 0 and 256", c.Workers)
	case c.MaxFlows < 16 || c.MaxFlows > 1<<28:
		return config.Invalid("max_flows", "", "%d is not between 16 and %d", c.MaxFlows, 1<<28)
	case c.MaxStreamBytes < 64*config.KiB:
		return config.Invalid("max_stream_bytes", "", "%v is less than 64KiB", c.MaxStreamBytes)
	case c.MaxAnalysisBytes < config.MiB:
		return config.Invalid("max_analysis_bytes", "", "%v is less than 1MiB", c.MaxAnalysisBytes)
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{{"tcp_idle", c.TCPIdle}, {"tcp_opening", c.TCPOpening}, {"udp_idle", c.UDPIdle}, {"other_idle", c.OtherIdle}, {"evidence_interval", c.EvidenceInterval}} {
		if d.v < time.Second {
			return config.Invalid(d.name, "", "%v is less than 1s", d.v)
		}
	}
	if c.TCPClosed < 100*time.Millisecond {
		return config.Invalid("tcp_closed", "5s is usual for captures", "%v is less than 100ms", c.TCPClosed)
	}
	if c.ReportInterval != 0 && c.ReportInterval < time.Second {
		return config.Invalid("report_interval", "write 0s to report only the end of flows", "%v is neither 0s nor at least 1s", c.ReportInterval)
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
