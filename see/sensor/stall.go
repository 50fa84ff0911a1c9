// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
)

// Streams that stop. A hologram, a video or a control stream that has flowed
// without a pause and then carries nothing is reported at once, because in a theatre
// that is a device that failed; the usual report of its flow would come minutes later.
// What it means is for detection to say: a file transfer that pauses looks the same.
const (
	// stallCheck is how often streams are looked at.
	stallCheck = 250e6
	// stallSteady is how many looks in a row a flow must have carried at least
	// stallPackets, for it to be a stream: ten seconds without a pause.
	stallSteady  = 40
	stallPackets = 2
	// stallSilence is after how long without a packet a stream has stalled.
	stallSilence = 800e6
	// stallForget is for how long a stream that stalled is watched for its return.
	stallForget = 60e9
	// Bounds: how many flows are watched, and how many of the most recently active
	// ones are looked through for new ones at each look.
	stallWatched = 256
	stallLook    = 64
)

// StatusStalled is the status detail of the report of a flow that has stalled,
// StatusResumed of one that goes on after that.
const (
	StatusStalled = "stalled"
	StatusResumed = "resumed"
)

// stalls watches the streams of one worker. It is used where connections are
// reported when they open, which is live.
type stalls struct {
	at    int64 // next look
	flows map[uint32]*steady
}

// steady is a flow that may be a stream.
type steady struct {
	id      uint64
	packets uint32
	looks   uint8 // in a row with enough packets
	told    bool  // that it stalled
}

// tick tells a worker the time when no frame does.
func (w *worker) tick(now int64) {
	if now <= w.now {
		return
	}
	w.now = now
	if w.now >= w.publishAt {
		w.publish()
	}
	w.stalled()
	w.expire()
}

// stalled looks at the streams, four times a second of capture time.
func (w *worker) stalled() {
	s := &w.stalls
	if w.now < s.at || !w.s.cfg.ReportOpen {
		return
	}
	first := s.at == 0 || w.now-s.at > 10*stallCheck // a gap in time says nothing about streams
	s.at = w.now + stallCheck
	if first {
		clear(s.flows)
	}
	for i, x := range s.flows {
		if !w.watch(i, x) {
			delete(s.flows, i)
		}
	}
	for _, l := range []int{listUDP, listTCP} {
		i := w.table.tail[l]
		for range stallLook {
			if i == 0 || len(s.flows) >= stallWatched {
				break
			}
			f := w.table.at(i)
			if second(w.now)-f.moved > 1 {
				break
			}
			if s.flows[i] == nil && f.id != 0 {
				if s.flows == nil {
					s.flows = map[uint32]*steady{}
				}
				s.flows[i] = &steady{id: f.id, packets: f.packets[0] + f.packets[1]}
			}
			i = f.prev
		}
	}
}

// watch looks at one flow and reports whether to go on watching it.
func (w *worker) watch(i uint32, x *steady) bool {
	f := w.table.at(i)
	if f.id != x.id || f.list == listTCPClosed {
		return false // it ended, which is reported as such
	}
	n := f.packets[0] + f.packets[1]
	more := n - x.packets
	x.packets = n
	silence := w.now - f.last
	switch {
	case more >= stallPackets:
		x.looks = min(x.looks+1, stallSteady)
		if x.told {
			x.told = false
			w.reportStream(f, StatusResumed)
		}
	case silence < stallSilence: // a look fell between two packets, or it pauses
		if more == 0 && silence > 2*stallCheck && x.looks < stallSteady {
			return false
		}
	case x.looks == stallSteady && !x.told:
		x.told = true
		w.reportStream(f, StatusStalled)
	case !x.told || silence > stallForget:
		return false
	}
	return true
}

// reportStream reports a flow beside its usual reports.
func (w *worker) reportStream(f *flow, what string) {
	if f.flipped {
		w.flip(f)
		defer w.flip(f)
	}
	x := &struct {
		event  event.Event
		detail event.Connection
		flow   event.Flow
	}{}
	w.fillConnection(&x.event, &x.detail, &x.flow, f, 6)
	x.event.Time, x.event.StatusDetail = w.now, what
	x.event.Severity = finding.Low
	x.event.Message = "a stream that had flowed without a pause carries nothing any more"
	if what == StatusResumed {
		x.event.Severity, x.event.Message = finding.Info, "a stream that had stalled goes on"
	}
	w.Emit(&x.event)
}
