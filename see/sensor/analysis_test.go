// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/packet"
)

// lines is an analyser of a made-up protocol: "LINE " once, then lines. It
// emits each line with its direction; some lines make it misbehave.
type lines struct{ closed int }

func linesProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "lines",
		Probe: func(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
			const magic = "LINE "
			n := min(len(head), len(magic))
			if string(head[:n]) != magic[:n] {
				return analyze.No
			}
			if n < len(magic) {
				return analyze.Maybe
			}
			return analyze.Yes
		},
		NewStream: func(*analyze.Conn) analyze.Stream { return &lines{} },
	}
}

func emit(c *analyze.Conn, what string) {
	c.Emit(&event.Event{Detail: &event.Application{Name: c.App, Operation: what}})
}

func (l *lines) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	i := bytes.IndexByte(data, '\n')
	if i < 0 {
		return 0, analyze.More
	}
	line := string(data[:i])
	n := int64(i + 1)
	emit(c, fmt.Sprintf("%d:%s", dir, line))
	switch {
	case line == "panic":
		panic("as asked")
	case line == "done":
		return n, analyze.Done
	case line == "tls":
		return n, analyze.Handoff
	case line == "flip":
		c.Flip()
	case strings.HasPrefix(line, "skip "):
		var k int64
		_, _ = fmt.Sscanf(line, "skip %d", &k)
		return n + k, analyze.More
	case line == "greedy":
		return 0, analyze.More
	}
	return n, analyze.More
}

func (l *lines) Gap(c *analyze.Conn, dir analyze.Dir, n int64) analyze.Verdict {
	emit(c, fmt.Sprintf("%d:gap %d", dir, n))
	return analyze.More
}

func (l *lines) Close(c *analyze.Conn, why analyze.End) {
	l.closed++
	emit(c, fmt.Sprintf("close %d", why))
}

// said lists what the analyser emitted, in order.
func said(c *collector) []string {
	var out []string
	for _, e := range c.events {
		if a, ok := e.Detail.(*event.Application); ok {
			out = append(out, a.Operation)
		}
	}
	return out
}

func connections(c *collector) (out []*event.Connection) {
	for _, e := range c.events {
		if d, ok := e.Detail.(*event.Connection); ok {
			out = append(out, d)
		}
	}
	return out
}

func one() Config {
	cfg := Default()
	cfg.Workers = 1
	return cfg
}

func TestStreamsReachTheirAnalyser(t *testing.T) {
	big := strings.Repeat("x", 5000)
	tests := []struct {
		name  string
		talk  func(k *talk)
		want  string
		state string
	}{
		{"whole conversation", func(k *talk) {
			k.open()
			k.say(0, "LINE a\n")
			k.say(1, "b\n")
			k.close()
		}, "0:LINE a|1:b|close 0", "SF"},
		{"the magic arrives byte by byte", func(k *talk) {
			k.open()
			for _, b := range "LINE a\nb\n" {
				k.say(0, string(b))
			}
			k.close()
		}, "0:LINE a|0:b|close 0", "SF"},
		{"the server speaks before the client is recognised, order is kept", func(k *talk) {
			k.open()
			k.say(0, "LI")
			k.say(1, "LIN")
			k.say(0, "NE a\n")
			k.say(1, "E b\n")
			k.close()
		}, "0:LINE a|1:LINE b|close 0", "SF"},
		{"out of order and twice", func(k *talk) {
			k.open()
			k.segment(0, packet.ACK, 7, "b\n")
			k.segment(0, packet.ACK, 0, "LINE a\n")
			k.segment(0, packet.ACK, 0, "LINE a\nb\n")
			k.seq[0] += 9
			k.close()
		}, "0:LINE a|0:b|close 0", "SF"},
		{"skipped bytes are not presented, also when they lie in packets to come", func(k *talk) {
			k.open()
			k.say(0, "LINE a\nskip 5003\nABC"+big[:10])
			k.say(0, big[10:])
			k.say(0, "b\n")
			k.close()
		}, "0:LINE a|0:skip 5003|0:b|close 0", "SF"},
		{"a hole in skipped bytes is no gap", func(k *talk) {
			k.open()
			k.say(0, "LINE a\nskip 5000\n")
			k.say(0, big[:1000])
			k.lose(0, big[:1000])
			k.say(0, big[:3000])
			k.say(0, "b\n")
			k.close()
		}, "0:LINE a|0:skip 5000|0:b|close 0", "SF"},
		{"skipping while the beginning is replayed", func(k *talk) {
			k.open()
			k.say(0, "LI")
			k.say(0, "NE a\nskip 3\nxxxb\n")
			k.close()
		}, "0:LINE a|0:skip 3|0:b|close 0", "SF"},
		{"a lost segment is a gap", func(k *talk) {
			k.open()
			k.say(0, "LINE a\n")
			k.lose(0, "lost\n")
			k.say(0, "b\n")
			k.close()
		}, "0:LINE a|0:gap 5|0:b|close 0", "SF"},
		{"done ends the analysis, not the flow", func(k *talk) {
			k.open()
			k.say(0, "LINE a\ndone\nb\n")
			k.say(0, big)
			k.close()
		}, "0:LINE a|0:done|close 6", "SF"},
		{"a handoff begins afresh behind it, in both directions", func(k *talk) {
			k.open()
			k.say(0, "LINE a\n")
			k.say(0, "tls\nLINE c\n")
			k.say(1, "LINE d\n")
			k.close()
		}, "0:LINE a|0:tls|close 5|0:LINE c|1:LINE d|close 0", "SF"},
		{"reset", func(k *talk) {
			k.open()
			k.say(0, "LINE a\n")
			k.segment(1, packet.RST, 0, "")
		}, "0:LINE a|close 4", "RSTR"},
		{"refused", func(k *talk) {
			k.segment(0, packet.SYN, 0, "")
			k.seq[0]++
			k.segment(1, packet.RST|packet.ACK, 0, "")
		}, "", "REJ"},
		{"never answered", func(k *talk) { k.segment(0, packet.SYN, 0, "") }, "", "S0"},
		{"mid-stream", func(k *talk) { k.say(0, "LINE a\n") }, "0:LINE a|close 4", "OTH"},
		{"another protocol", func(k *talk) {
			k.open()
			k.say(0, "GET / HTTP/1.1\r\n\r\n")
			k.close()
		}, "", "SF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := &trace{}
			k := tr.tcp(50000, 1234)
			tt.talk(k)
			for _, workers := range []int{1, 3} {
				cfg := one()
				cfg.Workers = workers
				s, c := newSensor(t, cfg, linesProtocol())
				if err := s.Run(context.Background(), tr.clone()); err != nil {
					t.Fatal(err)
				}
				got := strings.Join(said(c), "|")
				if want := strings.ReplaceAll(tt.want, "close 0", "close 4"); got != want && got != tt.want {
					t.Errorf("%d workers: analyser said %s, want %s", workers, got, tt.want)
				}
				cs := connections(c)
				if len(cs) != 1 || cs[0].State != tt.state {
					t.Fatalf("%d connections, state %q, want 1 with %q", len(cs), cs[0].State, tt.state)
				}
				if cs[0].PayloadOut+cs[0].PayloadIn == 0 && tt.want != "" {
					t.Error("no payload counted")
				}
				if st := s.Stats(); st.Packets != uint64(len(tr.frames)) || st.Panics != 0 {
					t.Errorf("%d packets of %d counted, %d panics", st.Packets, len(tr.frames), st.Panics)
				}
			}
		})
	}
}

func TestAnAnalyserThatPanicsLosesItsFlowOnly(t *testing.T) {
	tr := &trace{}
	bad, good := tr.tcp(50000, 1234), tr.tcp(50001, 1234)
	bad.open()
	good.open()
	bad.say(0, "LINE a\npanic\nb\n")
	good.say(0, "LINE c\n")
	bad.say(0, "d\n")
	good.say(0, "e\n")
	s, c := newSensor(t, one(), linesProtocol())
	if err := s.Run(context.Background(), tr); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(said(c), "|"); !strings.Contains(got, "0:e") || strings.Contains(got, "0:d") {
		t.Errorf("said %s", got)
	}
	st := s.Stats()
	if st.Panics != 1 || len(connections(c)) != 2 {
		t.Errorf("%d panics, %d connections", st.Panics, len(connections(c)))
	}
	if b := st.BlindSpots(); !slicesContain(b, "an analyser failed") {
		t.Errorf("the loss is not among the blind spots: %v", b)
	}
}

func slicesContain(bs []BlindSpot, why string) bool {
	for _, b := range bs {
		if strings.Contains(b.Why, why) {
			return true
		}
	}
	return false
}

func TestAnAnalyserOverBudgetIsCutOff(t *testing.T) {
	t.Run("it consumes nothing and bytes pile up", func(t *testing.T) {
		tr := &trace{}
		k := tr.tcp(50000, 1234)
		k.open()
		k.say(0, "LINE a\n")
		for range analyze.DefaultMaxPending/1000 + 1 {
			k.say(0, strings.Repeat("y", 1000))
		}
		k.say(0, "\n")
		s, c := newSensor(t, one(), linesProtocol())
		if err := s.Run(context.Background(), tr); err != nil {
			t.Fatal(err)
		}
		if s.Stats().OverBudget != 1 || strings.Join(said(c), "|") != "0:LINE a|close 6" {
			t.Errorf("%d over budget, said %s", s.Stats().OverBudget, strings.Join(said(c), "|"))
		}
	})
	t.Run("it looks at the same bytes over and over", func(t *testing.T) {
		tr := &trace{}
		k := tr.tcp(50000, 1234)
		k.open()
		k.say(0, "LINE a\n"+strings.Repeat("z", 15000))
		for range 400 {
			k.say(0, "z")
		}
		s, _ := newSensor(t, one(), linesProtocol())
		if err := s.Run(context.Background(), tr); err != nil {
			t.Fatal(err)
		}
		if s.Stats().OverBudget != 1 {
			t.Errorf("%d over budget, want 1", s.Stats().OverBudget)
		}
	})
}

func TestFlowsAreBoundedAndEvictionIsVisible(t *testing.T) {
	tr := &trace{}
	for i := range 1000 {
		tr.udp(1, 2, uint16(2000+i), 53, "q")
	}
	cfg := one()
	cfg.MaxFlows = 100
	s, c := newSensor(t, cfg, linesProtocol())
	if err := s.Run(context.Background(), tr); err != nil {
		t.Fatal(err)
	}
	st := s.Stats()
	if st.FlowsEvicted != 900 || st.Flows != 1000 || len(connections(c)) != 1000 {
		t.Errorf("%d evicted, %d ended, %d reported; want 900, 1000, 1000", st.FlowsEvicted, st.Flows, len(connections(c)))
	}
	if !slicesContain(st.BlindSpots(), "max_flows") && !slicesContain(st.BlindSpots(), "more conversations at once") {
		t.Error("eviction is not among the blind spots")
	}
}

func TestAPortUsedAgainIsANewConnection(t *testing.T) {
	tr := &trace{}
	for range 2 {
		k := tr.tcp(50000, 1234)
		k.open()
		k.say(0, "LINE a\n")
		k.close()
	}
	s, c := newSensor(t, one(), linesProtocol())
	if err := s.Run(context.Background(), tr); err != nil {
		t.Fatal(err)
	}
	if n := len(connections(c)); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

func TestIdleFlowsEndAfterTheirTime(t *testing.T) {
	tr := &trace{}
	tr.udp(1, 2, 2000, 9000, "x")
	tr.now += int64(Default().UDPIdle) + 1
	tr.udp(1, 2, 2000, 9000, "x")
	s, c := newSensor(t, one())
	if err := s.Run(context.Background(), tr); err != nil {
		t.Fatal(err)
	}
	if n := len(connections(c)); n != 2 {
		t.Errorf("%d flows, want 2", n)
	}
}

func TestAFlippedFlowIsReportedWithTheRightRoles(t *testing.T) {
	tr := &trace{}
	k := tr.tcp(50000, 1234)
	k.say(0, "LINE a\nflip\nb\n")
	s, c := newSensor(t, one(), linesProtocol())
	if err := s.Run(context.Background(), tr); err != nil {
		t.Fatal(err)
	}
	var last *event.Event
	for _, e := range c.events {
		last = e
	}
	if last.Flow.Src.Port != 1234 || last.Detail.(*event.Connection).PayloadIn == 0 {
		t.Errorf("summary has source port %d and %+v", last.Flow.Src.Port, last.Detail)
	}
}

func TestBlindSpotsNameOneSidedCaptures(t *testing.T) {
	tr := &trace{}
	k := tr.tcp(50000, 1234)
	k.open()
	k.say(0, "LINE a\n")
	one := &trace{}
	for _, f := range tr.frames {
		if f.Data[15] == 1 { // from the client only
			one.frames = append(one.frames, f)
		}
	}
	s, c := newSensor(t, Default(), linesProtocol())
	if err := s.Run(context.Background(), one); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(said(c), "|"); got != "0:LINE a|close 4" {
		t.Errorf("said %s", got)
	}
	if st := s.Stats(); !slicesContain(st.BlindSpots(), "packets of one side only") {
		t.Errorf("blind spots: %v", st.BlindSpots())
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	for field, change := range map[string]func(*Config){
		"workers":           func(c *Config) { c.Workers = -1 },
		"max_flows":         func(c *Config) { c.MaxFlows = 15 },
		"max_stream_bytes":  func(c *Config) { c.MaxStreamBytes = 1 },
		"tcp_idle":          func(c *Config) { c.TCPIdle = 0 },
		"udp_idle":          func(c *Config) { c.UDPIdle = 1 },
		"report_interval":   func(c *Config) { c.ReportInterval = 5 },
		"evidence_interval": func(c *Config) { c.EvidenceInterval = 0 },
	} {
		cfg := Default()
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	cfg := Default()
	cfg.Disabled = []string{"nonsense"}
	if _, err := New(cfg, Deps{Sink: &collector{}}); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("disabled: %v", err)
	}
}
