// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// stream watches the streams that people in a theatre look at or act by: holograms,
// video, control, vital signs. While a case is in progress (or always, when asked to):
//
//   - "stalled": what flowed has stopped, and was not ended. The sensor says so of a flow, or
//     nothing more is reported of it, or reports of vital signs stay out;
//   - "slowed": it carries less than a third of what it usually does;
//   - "jitter": its packets come late, with pauses, or get lost (RTP);
//   - "restarts": it breaks off and begins again, several times;
//   - "lost": a stream that had run for minutes was reset, or fell silent.
//
// A stream is what carried at least Rate for some time, between the same two ends, or reports
// of vital signs that come at least every half minute: rarer ones are no picture of what goes on.
type stream struct {
	core[streaming]
	protocols          []string
	rate               float64
	jitter, pause      float64
	loss               float64
	restarts           int
	window, age, stall int64
	always             bool
}

const (
	maxRates   = 12
	maxPausesS = 16
)

type streaming struct {
	flow            uint64
	start           int64
	bytes           uint64 // of the flow, as reported last
	last            int64  // when it was reported last, or a report of vitals came
	rates           []float64
	pauses          []int64
	ends            []int64 // of flows that broke off
	inCase          bool
	said            [5]again
	counts          [5]uint64
	src, dst, where string
	uid             string
	seq             uint64
}

const (
	streamStalled = iota
	streamSlowed
	streamJitter
	streamRestarts
	streamLost
)

var streamKinds = [...]string{"stalled", "slowed", "jitter", "restarts", "lost"}

func streamDetector() Detector {
	d := Detector{
		About: "A stream of pictures, control or vital signs stalls, jitters, slows or restarts.",
		On: []rule.On{
			{Class: []string{"network_activity"}, Activity: []string{"Close", "Reset", "Traffic"}},
			{Class: []string{event.ClassApplication.Name()}, Protocol: []string{"rtp", "rtsp"}},
			{Class: []string{event.ClassMedicalDevice.Name()}, Protocol: []string{"sdc"}},
		},
		Values: []string{"kind", "target", "port", "app", "usual", "now", "count", "jitter", "pause", "lost"},
		Settings: []Setting{
			texts("protocols", []string{"", "rtp", "rtsp", "webrtc", "dtls", "quic", "sdc", "turn"}, "Protocols of connections that are streams; \"\" for one that was not recognised."),
			number("rate", 20_000, 100, 1e9, "Bytes a second, both directions, that make a stream."),
			number("jitter_ms", 30, 1, 10_000, "Jitter that is too much (RTP, RFC 3550)."),
			number("pause_ms", 1000, 10, 600_000, "A pause between packets that is too long."),
			number("loss_percent", 2, 0.01, 100, "Lost packets that are too many."),
			number("restarts", 3, 2, 64, "Restarts within the window."),
			duration("window", 5*time.Minute, time.Second, time.Hour, "The window of restarts."),
			duration("age", 2*time.Minute, time.Second, 24*time.Hour, "How long a stream ran before its end is a loss."),
			duration("silence", 5*time.Second, 100*time.Millisecond, time.Hour, "How long reports of vital signs may stay out, at least."),
			number("always", 0, 0, 1, "1: outside of cases as well."),
		},
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := read(d.Settings, given)
		m := &stream{protocols: s.texts("protocols"), rate: s.number("rate"), jitter: s.number("jitter_ms"), pause: s.number("pause_ms"), loss: s.number("loss_percent") / 100,
			restarts: int(s.number("restarts")), window: s.duration("window"), age: s.duration("age"), stall: s.duration("silence"), always: s.number("always") == 1}
		m.core = newCore(deps, keyed.Config[streaming]{Kind: "stream1", Fixed: 420, Encode: encodeStreaming, Decode: decodeStreaming,
			Extra: func(v *streaming) int { return 8 * (cap(v.rates) + cap(v.pauses) + cap(v.ends)) }})
		return m, s.err
	}
	return d
}

// Feed implements match.Matcher.
func (m *stream) Feed(s *scene.Scene, _ int, hit func(match.Hit)) {
	switch d := s.Event.Detail.(type) {
	case *event.Connection:
		m.connection(s, d, hit)
	case *event.Application:
		if d.Name == "rtp" {
			m.rtp(s, d, hit)
		} else if d.Operation == "TEARDOWN" && s.Event.Flow != nil {
			if e := m.t.Get(m.pair("flow", s, s.Event.Flow.Dst.Port)); e != nil {
				m.t.Delete(e)
			}
		}
	case *event.MedicalDevice:
		m.vitals(s, d)
	}
}

func (v *streaming) note(s *scene.Scene) {
	v.inCase = s.Case == theatre.InCase
	v.src, v.dst, v.where, v.uid, v.seq = s.Src.ID, s.Dst.ID, s.Theatre, s.Event.UID, s.Seq
}

// tell says what happened, while that matters; later, when no event tells it.
func (m *stream) tell(e *keyed.Entry[streaming], what int, t int64, values map[string]string, expected string, later bool, hit func(match.Hit)) {
	v := &e.Val
	if !v.inCase && !m.always {
		return
	}
	v.counts[what]++
	say, more, news := v.said[what].due(v.counts[what], t, m.window)
	if !say {
		return
	}
	parts := match.Parts(e.Key)
	values["kind"], values["target"] = streamKinds[what], parts[2]
	if len(parts) > 3 {
		values["port"] = parts[3]
	}
	h := match.Hit{Time: t, Key: e.Key, More: more, Count: news, Values: values, Expected: expected, Theatre: v.where}
	for _, id := range [...]string{v.src, v.dst} {
		if id != "" && !slices.Contains(h.Devices, id) {
			h.Devices = append(h.Devices, id)
		}
	}
	if later && v.uid != "" {
		h.Evidence = []finding.Evidence{{Time: v.last, Seq: v.seq, UID: v.uid, Sentence: "the stream between " + parts[1] + " and " + parts[2] + ", as it was last reported"}}
	}
	m.say(hit, h)
}

func middle(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	var mem [maxRates]float64
	l := append(mem[:0], list...)
	slices.Sort(l)
	return l[len(l)/2]
}

func (m *stream) connection(s *scene.Scene, c *event.Connection, hit func(match.Hit)) {
	f := s.Event.Flow
	if f == nil || f.Proto != 6 && f.Proto != 17 || s.Dst.IP.IsMulticast() && c.App == "" || !slices.Contains(m.protocols, c.App) {
		return
	}
	t, bytes := s.Event.Time, c.PayloadOut+c.PayloadIn
	key := m.pair("flow", s, f.Dst.Port)
	e := m.t.Get(key)
	overall := float64(bytes) / max(float64(c.End-c.Start)/1e9, 1)
	if e == nil {
		if overall < m.rate || c.End-c.Start < int64(time.Second) {
			return
		}
		if e, _ = m.t.At(key); e == nil {
			return
		}
		e.Val.flow, e.Val.start = f.ID, c.Start
	}
	v := &e.Val
	traffic := s.Event.Activity == 6
	usual := middle(v.rates)
	if usual == 0 {
		usual = overall
	}
	now := overall
	if v.flow == f.ID && v.last > 0 && t > v.last && bytes >= v.bytes {
		now = float64(bytes-v.bytes) / max(float64(t-v.last)/1e9, 0.1)
	}
	v.note(s)
	values := map[string]string{"app": c.App, "usual": amount(usual) + "/s", "now": amount(now) + "/s"}
	if traffic && s.Event.StatusDetail == "stalled" {
		v.last = t
		m.t.Wake(e, 0)
		m.tell(e, streamStalled, t, values, "it flows", false, hit)
		return
	}
	if v.flow != f.ID {
		v.flow, v.start = f.ID, c.Start
	}
	if traffic {
		if v.last > 0 && v.bytes > 0 {
			if len(v.pauses) < maxPausesS {
				v.pauses = append(v.pauses, t-v.last)
			}
			if len(v.rates) >= 3 && usual >= m.rate && now < usual/3 {
				m.tell(e, streamSlowed, t, values, amount(usual)+"/s", false, hit)
			}
		}
		if len(v.rates) >= maxRates {
			v.rates = slices.Delete(v.rates, 0, 1)
		}
		v.rates = append(v.rates, now)
		v.bytes, v.last = bytes, t
		m.t.Resize(e, 8*(cap(v.rates)+cap(v.pauses)+cap(v.ends)))
		if len(v.pauses) >= 2 {
			p := slices.Clone(v.pauses)
			slices.Sort(p)
			m.t.Wake(e, t+p[len(p)/2]*3/2)
		}
		return
	}
	// It has ended.
	m.t.Wake(e, 0)
	v.bytes, v.last = 0, t
	broken := c.State != "SF"
	if f.Proto == 17 {
		broken = true // nothing ends a UDP flow but silence
	}
	if !broken || c.Evicted {
		return
	}
	v.ends = window(v.ends, t, m.window, m.restarts)
	if len(v.ends) >= m.restarts {
		m.tell(e, streamRestarts, t, map[string]string{"app": c.App, "count": strconv.Itoa(len(v.ends))}, "one connection that lasts", false, hit)
		return
	}
	if c.End-c.Start >= m.age && overall >= m.rate {
		m.tell(e, streamLost, t, values, "it goes on until it is ended", false, hit)
	}
}

func (m *stream) rtp(s *scene.Scene, d *event.Application, hit func(match.Hit)) {
	number := func(name string) float64 {
		x, err := strconv.ParseFloat(attr(d, name), 64)
		if err != nil || x < 0 {
			return 0
		}
		return x
	}
	packets, lost, jitter, pause := number("packets"), number("lost"), number("jitter_ms"), number("longest_pause_ms")
	if s.Event.Flow == nil || packets < 50 || jitter < m.jitter && pause < m.pause && lost < m.loss*(packets+lost) {
		return
	}
	e, _ := m.t.At(m.pair("rtp", s, s.Event.Flow.Dst.Port))
	if e == nil {
		return
	}
	e.Val.note(s)
	e.Val.last = s.Event.Time
	m.tell(e, streamJitter, s.Event.Time, map[string]string{"app": "rtp", "jitter": attr(d, "jitter_ms") + " ms", "pause": attr(d, "longest_pause_ms") + " ms", "lost": attr(d, "lost")},
		"jitter below "+strconv.FormatFloat(m.jitter, 'f', -1, 64)+" ms, no pause of "+strconv.FormatFloat(m.pause, 'f', -1, 64)+" ms", false, hit)
}

// vitals learns the pace of reports of an SDC provider to one consumer.
func (m *stream) vitals(s *scene.Scene, d *event.MedicalDevice) {
	key := m.pair("sdc", s, 0)
	switch {
	case d.Message == "Bye" || strings.HasPrefix(d.Message, "Unsubscribe") || d.Message == "SubscriptionEnd":
		if e := m.t.Get(key); e != nil {
			m.t.Delete(e)
		}
		return
	case !strings.HasSuffix(d.Message, "Report") && d.Message != "WaveformStream":
		return
	}
	e, _ := m.t.At(key)
	if e == nil {
		return
	}
	v, t := &e.Val, s.Event.Time
	if v.last > 0 && t > v.last {
		if len(v.pauses) >= maxPausesS {
			v.pauses = slices.Delete(v.pauses, 0, 1)
		}
		v.pauses = append(v.pauses, t-v.last)
	}
	v.last = max(v.last, t)
	v.note(s)
	m.t.Resize(e, 8*(cap(v.rates)+cap(v.pauses)+cap(v.ends)))
	if pace := v.pace(); len(v.pauses) >= 8 && pace <= maxPace && e.Wakes() == 0 {
		m.t.Wake(e, t+m.patience(v))
	}
}

// maxPace is the longest usual pause between reports of vital signs that are watched as a
// stream.
const maxPace = int64(30 * time.Second)

// pace is the usual pause between reports, 0 when there was none.
func (v *streaming) pace() int64 {
	if len(v.pauses) == 0 {
		return 0
	}
	p := slices.Clone(v.pauses)
	slices.Sort(p)
	return p[len(p)/2]
}

func (m *stream) patience(v *streaming) int64 {
	if len(v.pauses) == 0 {
		return m.stall
	}
	p := slices.Clone(v.pauses)
	slices.Sort(p)
	return max(m.stall, 4*p[len(p)/2], p[len(p)*9/10]*3/2)
}

// Advance implements match.Matcher.
func (m *stream) Advance(now int64, hit func(match.Hit)) {
	m.t.Due(now, func(e *keyed.Entry[streaming], at int64) {
		v := &e.Val
		parts := match.Parts(e.Key)
		app, usual := "", amount(middle(v.rates))+"/s"
		if parts[0] == "sdc" {
			app, usual = "sdc", "a report every "+span(max(v.pace(), int64(time.Second)))
			if over := v.last + m.patience(v); over > at {
				m.t.Wake(e, over)
				return
			}
		}
		m.tell(e, streamStalled, at, map[string]string{"app": app, "usual": usual, "now": "nothing for " + span(at-v.last)}, "it goes on until it is ended", true, hit)
	})
}

func encodeStreaming(w *keyed.Writer, v *streaming) {
	w.Uint(v.flow)
	w.Int(v.start)
	w.Uint(v.bytes)
	w.Int(v.last)
	w.Uint(uint64(len(v.rates)))
	for _, x := range v.rates {
		w.Float(x)
	}
	w.Times(v.pauses)
	w.Times(v.ends)
	w.Bool(v.inCase)
	for i := range v.said {
		v.said[i].encode(w)
		w.Uint(v.counts[i])
	}
	for _, t := range [...]string{v.src, v.dst, v.where, v.uid} {
		w.Str(t)
	}
	w.Uint(v.seq)
}

func decodeStreaming(r *keyed.Reader, v *streaming) {
	v.flow, v.start, v.bytes, v.last = r.Uint(), r.Time(), r.Uint(), r.Time()
	for n := r.Len(maxRates); n > 0; n-- {
		v.rates = append(v.rates, r.Float())
	}
	v.pauses, v.ends, v.inCase = r.Times(nil, maxPausesS), r.Times(nil, 64), r.Bool()
	for i := range v.said {
		v.said[i].decode(r)
		v.counts[i] = r.Uint()
	}
	v.src, v.dst, v.where, v.uid, v.seq = r.Str(), r.Str(), r.Str(), r.Str(), r.Uint()
}
