// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// bruteForce finds guessing of credentials: many refused logons from one device to one
// other, or to many others, whatever the protocol; and, worse, one that worked after
// that.
//
//   - "guessing": many refusals on one target;
//   - "spraying": refusals on many targets;
//   - "guessed": a logon that worked soon after many were refused.
//
// SSH and RDP do not show whether a logon worked: many short connections of theirs
// count as refusals, and never as a logon that worked.
type bruteForce struct {
	core[guesses]
	over, targets, few int
	window             int64
}

type guesses struct {
	times   []int64 // of the latest refusals
	total   uint64
	targets match.Distinct
	again   again
	guessed again
}

const maxGuesses = 256

func bruteDetector() Detector {
	d := Detector{
		About: "Credentials are guessed, and perhaps found.",
		On: []rule.On{
			{Class: []string{"smb_activity", "ftp_activity", "http_activity", "rdp_activity", "ssh_activity", "dicom_association", event.ClassFHIR.Name()}},
			{Class: []string{event.ClassApplication.Name()}, Protocol: []string{"kerberos", "ldap", "vnc", "telnet", "mysql", "postgresql", "tds", "radius", "mqtt", "snmp", "adb"}},
		},
		Values: []string{"kind", "count", "protocol", "target", "targets", "window"},
		Settings: []Setting{
			number("over", 12, 3, maxGuesses, "Refusals on one target within the window."),
			number("targets", 8, 3, 256, "Targets with refusals within the window."),
			number("before", 5, 2, maxGuesses, "Refusals before a logon that worked."),
			duration("window", 5*time.Minute, time.Second, time.Hour, "The window."),
		},
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := read(d.Settings, given)
		m := &bruteForce{over: int(s.number("over")), targets: int(s.number("targets")), few: int(s.number("before")), window: s.duration("window")}
		m.core = newCore(deps, keyed.Config[guesses]{Kind: "bruteforce1", Fixed: 140,
			Encode: func(w *keyed.Writer, v *guesses) {
				w.Times(v.times)
				w.Uint(v.total)
				v.targets.Encode(w)
				v.again.encode(w)
				v.guessed.encode(w)
			},
			Decode: func(r *keyed.Reader, v *guesses) {
				v.times, v.total = r.Times(v.times, maxGuesses), r.Uint()
				v.targets.Decode(r, &m.deps.Secret)
				v.again.decode(r)
				v.guessed.decode(r)
			},
			Extra: func(v *guesses) int { return 8*cap(v.times) + v.targets.Size() },
			Reset: func(v *guesses) {
				v.targets.Reset()
				if cap(v.times) > 32 {
					v.times = nil
				}
				*v = guesses{times: v.times[:0], targets: v.targets}
			},
		})
		return m, s.err
	}
	return d
}

// logon is what an event says about one: refused, worked, or nothing.
func logon(e *event.Event) (refused, worked bool) {
	failed, ok := e.Status == event.StatusFailure, e.Status == event.StatusSuccess
	switch d := e.Detail.(type) {
	case *event.SMB:
		return d.Command == "SESSION_SETUP" && failed, d.Command == "SESSION_SETUP" && ok && !d.Guest && !strings.Contains(e.Message, "anonymous")
	case *event.FTP:
		return d.Code == 530, d.Command == "PASS" && d.Code == 230
	case *event.HTTP:
		return d.AuthScheme != "" && (d.Status == 401 || d.Status == 403), d.AuthScheme != "" && d.Status >= 200 && d.Status < 300
	case *event.Rest:
		return d.AuthScheme != "" && (d.HTTPStatus == 401 || d.HTTPStatus == 403), d.AuthScheme != "" && d.HTTPStatus >= 200 && d.HTTPStatus < 300
	case *event.SSH:
		return true, false // one connection is one set of guesses, or one login: only many of them count
	case *event.RDP:
		return e.Activity == 1 || d.Failure != "", false
	case *event.DICOMAssociation:
		return e.Activity == 3, false
	case *event.Application:
		switch {
		case d.Name == "kerberos":
			return failed && (e.StatusCode == "KDC_ERR_PREAUTH_FAILED" || e.StatusCode == "KDC_ERR_C_PRINCIPAL_UNKNOWN"), ok && d.Operation == "AS-REQ"
		case d.Name == "ldap":
			return d.Operation == "BIND" && failed, d.Operation == "BIND" && ok && attr(d, "bind_dn") != ""
		case d.Name == "radius":
			return d.Operation == "Access-Reject", d.Operation == "Access-Accept"
		case d.Name == "snmp":
			return false, false // a wrong community is not answered
		case d.Name == "vnc" && attr(d, "without_authentication") == "true":
			return false, false
		}
		return failed, ok && (d.Name != "telnet" || attr(d, "login_prompt") == "true")
	}
	return false, false
}

// Feed implements match.Matcher.
func (m *bruteForce) Feed(s *scene.Scene, _ int, hit func(match.Hit)) {
	refused, worked := logon(s.Event)
	if !refused && !worked {
		return
	}
	t := s.Event.Time
	if _, quiet := s.Event.Detail.(*event.SSH); quiet {
		m.refuse(s, t, 3*m.over, hit) // logins of people and of jobs are connections, too
		return
	}
	if refused {
		m.refuse(s, t, m.over, hit)
		return
	}
	e := m.t.Get(m.target(s))
	if e == nil {
		return
	}
	v := &e.Val
	n := recentOnes(v.times, t-m.window)
	if n < m.few {
		v.times = v.times[:0] // a person who found the password again
		return
	}
	if say, more, news := v.guessed.due(uint64(n), t, int64(time.Hour)); say {
		m.say(hit, m.hit(e, s, "guessed", n, more, news))
	}
}

func (m *bruteForce) target(s *scene.Scene) []byte {
	b := append(m.pair("logon", s, 0), '\x1f')
	m.buf = append(b, s.Event.Protocol...)
	return m.buf
}

func (m *bruteForce) refuse(s *scene.Scene, t int64, over int, hit func(match.Hit)) {
	if e, _ := m.t.At(m.target(s)); e != nil {
		v := &e.Val
		if len(v.times) >= maxGuesses {
			v.times = slices.Delete(v.times, 0, maxGuesses/4)
		}
		v.times = append(v.times, t)
		v.total++
		m.t.Resize(e, 8*cap(v.times)+v.targets.Size())
		if n := recentOnes(v.times, t-m.window); n >= over {
			if say, more, news := v.again.due(v.total, t, int64(time.Hour)); say {
				m.say(hit, m.hit(e, s, "guessing", n, more, news))
			}
		}
	}
	if over != m.over {
		return
	}
	e, _ := m.t.At(m.source("spray", s, s.Event.Protocol))
	if e == nil {
		return
	}
	v := &e.Val
	v.total++
	var mem [80]byte
	n := v.targets.Add(&m.deps.Secret, appendParty(mem[:0], &s.Dst), t, m.window)
	m.t.Resize(e, 8*cap(v.times)+v.targets.Size())
	if n >= m.targets {
		if say, more, news := v.again.due(v.total, t, int64(time.Hour)); say {
			h := m.hit(e, s, "spraying", n, more, news)
			h.Values["targets"] = strings.Join(v.targets.Examples(t, m.window), ", ")
			m.say(hit, h)
		}
	}
}

func (m *bruteForce) hit(e *keyed.Entry[guesses], s *scene.Scene, kind string, n int, more bool, news uint64) match.Hit {
	return match.Hit{Time: s.Event.Time, Key: e.Key, More: more, Count: news, Expected: "a wrong password now and then",
		Values: map[string]string{"kind": kind, "count": strconv.Itoa(n), "protocol": s.Event.Protocol, "target": party(&s.Dst), "window": span(m.window)}}
}

// recentOnes is how many times are not before from.
func recentOnes(times []int64, from int64) int {
	n := 0
	for _, t := range times {
		if t >= from {
			n++
		}
	}
	return n
}
