// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/see/sensor"
)

func TestAClockThatWasSetIsNoticed(t *testing.T) {
	const began = int64(1_770_000_000e9)
	for name, tt := range map[string]struct {
		wall, steady time.Duration
		says         string
	}{
		"it runs":                            {2 * time.Second, 2 * time.Second, ""},
		"it is slewed":                       {2*time.Second + time.Millisecond, 2 * time.Second, ""},
		"the tick comes late under load":     {9 * time.Second, 9 * time.Second, ""},
		"it is set forward by an hour":       {time.Hour + 2*time.Second, 2 * time.Second, "1h0m0s forward"},
		"it is set back by a second":         {time.Second, 2 * time.Second, "1s back"},
		"the host slept for the whole night": {8 * time.Hour, 2 * time.Second, "7h59m58s forward"},
	} {
		before := clocks{began, time.Minute}
		by := before.stepTo(clocks{began + int64(tt.wall), time.Minute + tt.steady})
		switch says := stepped(by).What; {
		case tt.says == "" && by != 0:
			t.Errorf("%s: a step of %v", name, by)
		case tt.says != "" && !strings.HasSuffix(says, tt.says):
			t.Errorf("%s: %q, want %q", name, says, tt.says)
		}
	}
}

func TestAMirrorPortThatFallsSilentIsNoticed(t *testing.T) {
	one, other := new(sensor.Sensor), new(sensor.Sensor)
	began := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	var q silence
	for i, step := range []struct {
		of      *sensor.Sensor
		packets uint64
		want    time.Duration
	}{
		{one, 0, 0}, {one, 0, 0}, // nothing at all is a blind spot of its own
		{one, 100, 0}, {one, 220, 0},
		{one, 220, time.Minute}, {one, 220, 2 * time.Minute},
		{one, 221, 0}, {one, 221, time.Minute},
		{other, 221, 0}, // the interface was opened again
		{other, 300, 0},
	} {
		if got := q.since(step.of, step.packets, began.Add(time.Duration(i)*time.Minute)); got != step.want {
			t.Errorf("minute %d: silent for %v, want %v", i, got, step.want)
		}
	}
	if b := silent(time.Minute); b.Why != "no packet has arrived for 1m0s" {
		t.Errorf("%q", b.Why)
	}
}
