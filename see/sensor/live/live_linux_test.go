// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/wire/capture"
)

func liveConfig(iface string) Config {
	c := Default()
	c.Interface = iface
	c.RingBytes = 8 << 20
	return c
}

func (l *lab) sender(ns, iface string) *process {
	l.t.Helper()
	p := l.start(ns, []string{helperEnv + "=send", "IFACE=" + iface}, self(l.t))
	p.expect("ready")
	return p
}

func (p *process) sendFrame(frame []byte) {
	p.t.Helper()
	p.say(hex.EncodeToString(frame))
	p.expect("sent")
}

// sameBytes compares two captures of the same traffic. Frames that arrived on
// different processors at once may be in another order.
func sameBytes(t *testing.T, got, want []capture.Frame) {
	t.Helper()
	key := func(f capture.Frame) string { return fmt.Sprintf("%d %x", f.OrigLen, f.Data) }
	count := make(map[string]int)
	for _, f := range want {
		count[key(f)]++
	}
	for _, f := range got {
		count[key(f)]--
	}
	for k, n := range count {
		if n > 0 {
			t.Errorf("%d times not seen: %.200s", n, k)
		} else if n < 0 {
			t.Errorf("%d times too many: %.200s", -n, k)
		}
	}
	if len(want) == 0 {
		t.Error("nothing to compare")
	}
}

func TestTrafficBetweenTwoHostsIsSeenByAThirdAsTcpdumpSeesIt(t *testing.T) {
	l := newLab(t)
	l.start("b", []string{helperEnv + "=http"}, self(t)).expect("ready")
	send := l.sender("a", "a0")
	reference := l.tcpdump("s", "s0")
	sensor := l.sense("s", liveConfig("s0"), "drop") // capture goes on without root
	send.sendFrame(markerFrame("begin"))
	sensor.expect("saw begin")

	l.in("a", "ping", "-q", "-c", "3", "-i", "0.01", "10.9.0.2")
	l.in("a", "ping", "-q", "-c", "1", "-s", "4000", "10.9.0.2")
	if page := l.in("a", "curl", "-sS", "http://10.9.0.2/"); len(page) != 4000 {
		t.Fatalf("curl got %d bytes", len(page))
	}
	send.sendFrame(markerFrame("end"))
	delay, err := strconv.ParseInt(sensor.expect("saw end"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a frame was in hand %v after the kernel saw it", time.Duration(delay))
	if time.Duration(delay) > time.Second {
		t.Errorf("a frame was in hand only %v after it was seen", time.Duration(delay))
	}
	want := between(t, reference.untilEnd(t))
	r, frames := sensor.stop()
	got := between(t, frames)
	sameBytes(t, got, want)
	if len(got) < 8+8+6 {
		t.Errorf("only %d frames", len(got))
	}
	for _, f := range got {
		if f.Link != capture.LinkEthernet {
			t.Errorf("link type %v", f.Link)
		}
		if age := time.Now().UnixNano() - f.Time; age < 0 || time.Duration(age) > 10*time.Minute {
			t.Errorf("time %v", time.Unix(0, f.Time))
		}
	}
	if r.Error != "" || r.Dropped != 0 || r.Received != uint64(len(frames)) || r.Sources[0].Frames != uint64(len(frames)) {
		t.Errorf("%d frames, %+v", len(frames), r)
	}
	if in := r.Sources[0].Interfaces; len(in) != 1 || in[0].Name != "s0" || r.Sources[0].Format != "live" {
		t.Errorf("%+v", r.Sources[0])
	}
	if tx := strings.TrimSpace(string(l.in("s", "cat", "/sys/class/net/s0/statistics/tx_packets"))); tx != "0" {
		t.Errorf("the sensor's interface has sent %s frames", tx)
	}
}

func TestFramesOfTheHostItselfAreSeen(t *testing.T) {
	l := newLab(t)
	send := l.sender("a", "a0")
	reference := l.tcpdump("a", "a0")
	sensor := l.sense("a", liveConfig("a0"))
	send.sendFrame(markerFrame("begin"))
	l.in("a", "ping", "-q", "-c", "2", "-i", "0.01", "10.9.0.2")
	send.sendFrame(markerFrame("end"))
	sensor.expect("saw end")
	want := between(t, reference.untilEnd(t))
	_, frames := sensor.stop()
	sameBytes(t, between(t, frames), want)
}

func TestVLANTagsAreWhereTheyWere(t *testing.T) {
	l := newLab(t)
	send := l.sender("a", "a0")
	reference := l.tcpdump("s", "s0")
	sensor := l.sense("s", liveConfig("s0"))
	send.sendFrame(markerFrame("begin"))
	var sent []capture.Frame
	for _, tags := range []string{"8100a005", "88a80064" + "81000005", "8100efff" + "81000001" + "81000002", "81000000", "88a80000"} {
		b, err := hex.DecodeString("ffffffffffff" + "020000000009" + tags + "88b6" + strings.Repeat("5a", 100))
		if err != nil {
			t.Fatal(err)
		}
		send.sendFrame(b)
		sent = append(sent, capture.Frame{Data: b, OrigLen: len(b)})
	}
	send.sendFrame(markerFrame("end"))
	sensor.expect("saw end")
	want := between(t, reference.untilEnd(t))
	_, frames := sensor.stop()
	sameBytes(t, between(t, frames), want)
	sameBytes(t, between(t, frames), sent)
}

// flowKey is the same for both directions of an IPv4 TCP or UDP flow.
func flowKey(b []byte) string {
	if len(b) < 38 || b[12] != 8 || b[13] != 0 || b[23] != 6 && b[23] != 17 {
		return ""
	}
	x := hex.EncodeToString(append(bytes.Clone(b[26:30]), b[34:36]...))
	y := hex.EncodeToString(append(bytes.Clone(b[30:34]), b[36:38]...))
	return fmt.Sprint(b[23], min(x, y), max(x, y))
}

func TestAFanOutDeliversEachFrameOnceAndEachFlowFromOneSource(t *testing.T) {
	l := newLab(t)
	l.start("b", []string{helperEnv + "=http"}, self(t)).expect("ready")
	send := l.sender("a", "a0")
	reference := l.tcpdump("s", "s0")
	cfg := liveConfig("s0")
	cfg.Workers = 2
	sensor := l.sense("s", cfg)
	send.sendFrame(markerFrame("begin"))
	sensor.expect("saw begin")
	const flows = 24 // all on one side by chance: once in 8 million runs
	for range flows {
		l.in("a", "curl", "-sS", "-o", "/dev/null", "http://10.9.0.2/")
	}
	send.sendFrame(markerFrame("end"))
	sensor.expect("saw end")
	want := between(t, reference.untilEnd(t))
	r, frames := sensor.stop()
	if r.Error != "" {
		t.Fatal(r.Error)
	}
	// The order between two sources is not defined: compare by time.
	slices.SortStableFunc(frames, func(a, b capture.Frame) int { return int(a.Time - b.Time) })
	sameBytes(t, between(t, frames), want)

	sources := map[string]int{}
	perSource := [2]int{}
	for _, f := range frames {
		perSource[f.Interface]++
		key := flowKey(f.Data)
		if key == "" {
			continue
		}
		if had, ok := sources[key]; ok && had != f.Interface {
			t.Errorf("flow %s came from both sources", key)
		}
		sources[key] = f.Interface
	}
	if len(sources) != flows {
		t.Errorf("%d flows, want %d", len(sources), flows)
	}
	if perSource[0] == 0 || perSource[1] == 0 {
		t.Errorf("all frames came from one source: %v", perSource)
	}
	if r.Sources[0].Frames+r.Sources[1].Frames != uint64(len(frames)) || r.Received != uint64(len(frames)) {
		t.Errorf("%d frames, %+v", len(frames), r)
	}
}

func TestAFanOutJoinsFragments(t *testing.T) {
	l := newLab(t)
	send := l.sender("a", "a0")
	cfg := liveConfig("s0")
	cfg.Workers = 2
	sensor := l.sense("s", cfg)
	l.in("a", "ping", "-q", "-c", "1", "-s", "4000", "10.9.0.2")
	send.sendFrame(markerFrame("end"))
	sensor.expect("saw end")
	_, frames := sensor.stop()
	whole := 0
	for _, f := range frames {
		if len(f.Data) > 24 && f.Data[12] == 8 && f.Data[13] == 0 {
			if f.Data[20]&0x3f != 0 || f.Data[21] != 0 {
				t.Errorf("a fragment: %x", f.Data[:40])
			}
			if len(f.Data) == 14+20+8+4000 {
				whole++
			}
		}
	}
	if whole != 2 {
		t.Errorf("%d whole packets, want request and reply", whole)
	}
}

func TestOnLoopbackEachFrameIsSeenOnce(t *testing.T) {
	l := newLab(t)
	sensor := l.sense("s", liveConfig("lo"))
	send := l.sender("s", "lo")
	l.in("s", "ping", "-q", "-c", "4", "-i", "0.01", "127.0.0.1")
	send.sendFrame(markerFrame("end"))
	sensor.expect("saw end")
	_, frames := sensor.stop()
	if len(frames) != 4+4+1 {
		t.Errorf("%d frames, want 4 requests, 4 replies and a marker", len(frames))
	}
}

func TestATunDeviceGivesRawIP(t *testing.T) {
	l := newLab(t)
	tun := l.start("s", []string{helperEnv + "=tun", "IFACE=tun0"}, self(t))
	select {
	case line := <-tun.lines:
		if line != "ready" {
			t.Skipf("skipped: no tun device: %s", line)
		}
	case <-time.After(patience):
		t.Fatal("no answer")
	}
	l.ip("s", "link", "set", "tun0", "up")
	sensor := l.senseOnly("s", liveConfig("tun0"))
	sensor.expect("ready")
	packet, _ := hex.DecodeString("450000200001000040110000" + "0a0900010a090002" + "00090009000c0000" + "61626364")
	tun.say(hex.EncodeToString(packet))
	tun.expect("sent")
	_, frames := sensor.stop()
	if len(frames) != 1 || frames[0].Link != capture.LinkRaw || !bytes.Equal(frames[0].Data, packet) {
		t.Errorf("%+v", frames)
	}
}

func TestFramesAreCutAtTheSnapLength(t *testing.T) {
	l := newLab(t)
	send := l.sender("a", "a0")
	cfg := liveConfig("s0")
	cfg.SnapLen = 64
	sensor := l.sense("s", cfg)
	send.sendFrame(append(markerFrame("end"), make([]byte, 926)...))
	sensor.expect("saw end")
	r, frames := sensor.stop()
	if f := frames[0]; len(f.Data) != 64 || f.OrigLen != 1003 || r.Sources[0].SnapCut != 1 {
		t.Errorf("%d of %d bytes, %+v", len(f.Data), f.OrigLen, r.Sources[0])
	}
}

// The kernel hands a block over only when it is full or its timeout is reached:
// what is in it when the context ends is not lost.
func TestFramesBeforeTheEndOfTheContextAreDelivered(t *testing.T) {
	l := newLab(t)
	send := l.sender("a", "a0")
	cfg := liveConfig("s0")
	cfg.BlockTimeout = 500 * time.Millisecond
	sensor := l.sense("s", cfg)
	for i := range 10 {
		send.sendFrame(markerFrame(fmt.Sprint("last", i)))
	}
	r, frames := sensor.stop()
	if len(frames) != 10 || r.Error != "" {
		t.Errorf("%d frames, %+v", len(frames), r)
	}
}

func TestLossesOfAFullRingAreCounted(t *testing.T) {
	l := newLab(t)
	send := l.sender("a", "a0")
	cfg := liveConfig("s0")
	cfg.RingBytes = 2 << 20
	sensor := l.sense("s", cfg, "stall")
	const sent = 6000
	send.say(fmt.Sprintf("%d %x", sent, append(markerFrame(""), make([]byte, 1300)...)))
	send.expect("sent")
	sensor.say("go")
	// Whatever was lost, the sensor must be working again.
	for deadline := time.Now().Add(patience); ; {
		send.sendFrame(markerFrame("end"))
		select {
		case line := <-sensor.lines:
			if strings.HasPrefix(line, "saw end") {
				deadline = time.Time{}
			}
		case <-time.After(50 * time.Millisecond):
		}
		if deadline.IsZero() {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the sensor does not recover")
		}
	}
	r, frames := sensor.stop()
	total := 0
	for _, f := range frames {
		if len(f.Data) > 1000 {
			total++
		}
	}
	if total == sent || r.Dropped == 0 || r.Freezes == 0 || r.Received != uint64(len(frames)) || uint64(total)+r.Dropped < sent || r.Sources[0].Dropped != r.Dropped {
		t.Errorf("%d of %d frames, %+v", total, sent, r)
	}
}

func TestAnInterfaceThatGoesAwayEndsTheCaptureWithItsReason(t *testing.T) {
	l := newLab(t)
	send := l.sender("a", "a0")
	sensor := l.sense("s", liveConfig("s0"))
	send.sendFrame(markerFrame("before"))
	l.ip("s", "link", "set", "s0", "down")
	r, frames := sensor.finish()
	if !slices.Equal(r.Is, []string{"down"}) || r.Error != "live capture on s0: the interface is down" || r.Hint != "ip link set dev s0 up" || len(frames) != 1 {
		t.Errorf("%d frames, %+v", len(frames), r)
	}

	r, _ = l.senseOnly("s", liveConfig("s0")).finish()
	if !slices.Equal(r.Is, []string{"down"}) {
		t.Errorf("opened while down: %+v", r)
	}

	l.ip("s", "link", "set", "s0", "up")
	sensor = l.sense("s", liveConfig("s0"))
	l.ip("s", "link", "del", "s0")
	r, _ = sensor.finish()
	if len(r.Is) != 1 || r.Is[0] != "none" && r.Is[0] != "down" || r.Hint == "" {
		t.Errorf("removed: %+v", r)
	}
}

func TestCloseEndsACallOfNextThatWaits(t *testing.T) {
	needRoot(t)
	for _, how := range []string{"close", "context"} {
		t.Run(how, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			cfg := liveConfig("lo")
			cfg.Workers = 3
			cfg.Rollover = how == "close"
			h, err := Open(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			ends := make(chan error, 3)
			for _, s := range h.Sources() {
				go func() {
					var f capture.Frame
					for {
						if err := s.Next(&f); err != nil {
							ends <- err
							return
						}
					}
				}()
			}
			if how == "context" {
				cancel()
			} else if err := h.Close(); err != nil {
				t.Error(err)
			}
			for range 3 {
				select {
				case err := <-ends:
					if err != io.EOF {
						t.Error(err)
					}
				case <-time.After(patience):
					t.Fatal("Next does not end")
				}
			}
			for range 2 {
				if err := h.Close(); err != nil {
					t.Error(err)
				}
			}
			var f capture.Frame
			if err := h.Sources()[0].Next(&f); err != io.EOF {
				t.Errorf("after Close: %v", err)
			}
			h.Stats()
		})
	}
}

func TestNoMemoryIsAllocatedPerLiveFrame(t *testing.T) {
	needRoot(t)
	h, err := Open(context.Background(), liveConfig("lo"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	to, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	from, err := net.Dial("udp", to.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	for range 2000 {
		if _, err := from.Write(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	src := h.Sources()[0]
	var f capture.Frame
	if n := testing.AllocsPerRun(1900, func() {
		if err := src.Next(&f); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}
