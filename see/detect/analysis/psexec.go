// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// psexec finds a program that is put onto another machine and started there as a
// service or task: a file that can run, written to an administrative share, and the
// service control manager or task scheduler opened, within a time, in any order; or written to
// any share, and that opened right after it. Each alone is administration. SMB 3 with encryption hides both.
type psexec struct {
	core[remoteStart]
	window int64
}

type remoteStart struct {
	admin, program, service int64 // when last
	file, via               string
	plain                   bool // the program lies on a share that is no administrative one
	n                       uint64
	again                   again
}

func psexecDetector() Detector {
	d := Detector{
		About:  "A program is put onto another machine over SMB and started as a service or task.",
		On:     []rule.On{{Class: []string{"smb_activity"}}, {Class: []string{event.ClassApplication.Name()}, Protocol: []string{"smb", "dcerpc"}}},
		Values: []string{"kind", "file", "via", "target", "count"},
		Settings: []Setting{
			duration("window", 2*time.Minute, time.Second, time.Hour, "Time between the file and the service."),
		},
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := read(d.Settings, given)
		m := &psexec{window: s.duration("window")}
		m.core = newCore(deps, keyed.Config[remoteStart]{Kind: "psexec2", Fixed: 120,
			Encode: func(w *keyed.Writer, v *remoteStart) {
				w.Int(v.admin)
				w.Int(v.program)
				w.Int(v.service)
				w.Str(v.file)
				w.Bool(v.plain)
				w.Str(v.via)
				w.Uint(v.n)
				v.again.encode(w)
			},
			Decode: func(r *keyed.Reader, v *remoteStart) {
				*v = remoteStart{admin: r.Time(), program: r.Time(), service: r.Time(), file: r.Str(), plain: r.Bool(), via: r.Str(), n: r.Uint()}
				v.again.decode(r)
			}})
		return m, s.err
	}
	return d
}

// atOnce is how soon after a program was put onto a share that is no administrative one
// something must be started: tools take any share that they may write to, and no person is as
// quick.
const atOnce = time.Second

// services are pipes and RPC interfaces by which something is started on a machine.
func startsThings(name string) bool {
	switch strings.ToLower(strings.Trim(name, `\`)) {
	case "svcctl", "atsvc", "schedule", "itaskschedulerservice", "psexesvc", "remcom_communication", "paexec":
		return true
	}
	return false
}

func adminShare(share string) bool {
	name := strings.ToUpper(share[strings.LastIndexByte(share, '\\')+1:])
	return name == "ADMIN$" || len(name) == 2 && name[0] >= 'A' && name[0] <= 'Z' && name[1] == '$'
}

func runs(file string) bool {
	i := strings.LastIndexByte(file, '.')
	if i < 0 {
		return false
	}
	switch strings.ToLower(file[i+1:]) {
	case "exe", "dll", "bat", "cmd", "ps1", "vbs", "msi", "scr", "com":
		return true
	}
	return false
}

// Feed implements match.Matcher.
func (m *psexec) Feed(s *scene.Scene, _ int, hit func(match.Hit)) {
	program, service, admin, plain, name := false, false, false, false, ""
	switch d := s.Event.Detail.(type) {
	case *event.SMB:
		if s.Event.Status == event.StatusFailure {
			return
		}
		switch {
		case d.Command == "TREE_CONNECT":
			admin = adminShare(d.Share)
		case d.Command == "CREATE" && (d.ShareType == "pipe" || strings.HasSuffix(strings.ToUpper(d.Share), "IPC$")):
			service, name = startsThings(d.File), d.File
		case (d.Command == "CREATE" && s.Event.Activity != 2 || d.Command == "CLOSE" && strings.Contains(s.Event.Message, " written")) && d.ShareType != "pipe":
			program, plain, name = runs(d.File), !adminShare(d.Share), d.File
		}
	case *event.Application:
		if d.Name == "dcerpc" {
			name = attr(d, "interface")
			service = startsThings(name)
		}
	}
	if !program && !service && !admin {
		return
	}
	e, _ := m.t.At(m.pair("start", s, 0))
	if e == nil {
		return
	}
	v, t := &e.Val, s.Event.Time
	switch {
	case program:
		v.program, v.file, v.plain = t, name, plain
	case service:
		v.service, v.via = t, strings.ToLower(strings.Trim(name, `\`))
	default:
		v.admin = t
	}
	kind := ""
	switch {
	case v.program != 0 && v.service != 0 && t-v.program <= m.window && t-v.service <= m.window && (!v.plain || service && t-v.program <= int64(atOnce)):
		kind = "program-started"
	case v.service != 0 && (v.via == "psexesvc" || v.via == "remcom_communication" || v.via == "paexec") && t == v.service:
		kind = "known-tool"
	}
	if kind == "" {
		return
	}
	v.n++
	say, more, news := v.again.due(v.n, t, int64(time.Hour))
	if !say {
		return
	}
	m.t.Resize(e, len(v.file)+len(v.via))
	m.say(hit, match.Hit{Time: t, Key: e.Key, More: more, Count: news, Expected: "programs come to medical devices by their maker's service, not over administrative shares",
		Values: map[string]string{"kind": kind, "file": v.file, "via": v.via, "target": party(&s.Dst), "count": strconv.FormatUint(v.n, 10)}})
}
