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

// ransom finds what encrypts shares: many files of one share renamed to an extension
// that is not theirs, many read and written over and deleted, or notes laid into many
// folders.
//
// Names of files are pseudonyms where they could name a patient; what is appended to them
// is not, and whether a name is one of a note the sensor says. Over SMB 3 with encryption nothing of it is seen.
type ransom struct {
	core[changes]
	renames, rewrites, notes int
	window                   int64
}

type changes struct {
	began            int64
	written, deleted uint64
	extension        string // the newest unusual one
	same             uint64 // renames to it
	folders          match.Distinct
	noted            int
	again            again
}

func ransomDetector() Detector {
	d := Detector{
		About:  "Files of a share are renamed, overwritten or deleted in masses, or notes are laid into its folders.",
		On:     []rule.On{{Class: []string{"smb_activity"}}},
		Values: []string{"kind", "count", "extension", "share", "window"},
		Settings: []Setting{
			number("renames", 20, 3, 1e6, "Files renamed to one new extension within the window."),
			number("rewrites", 200, 10, 1e6, "Files written over or deleted within the window, both."),
			number("notes", 3, 2, 100, "Folders in which a note was laid."),
			duration("window", 5*time.Minute, time.Second, time.Hour, "The window."),
		},
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := read(d.Settings, given)
		m := &ransom{renames: int(s.number("renames")), rewrites: int(s.number("rewrites")), notes: int(s.number("notes")), window: s.duration("window")}
		m.core = newCore(deps, keyed.Config[changes]{Kind: "ransom1", Fixed: 180,
			Encode: func(w *keyed.Writer, v *changes) {
				w.Int(v.began)
				for _, n := range [...]uint64{v.written, v.deleted, v.same, uint64(v.noted)} {
					w.Uint(n)
				}
				w.Str(v.extension)
				v.folders.Encode(w)
				v.again.encode(w)
			},
			Decode: func(r *keyed.Reader, v *changes) {
				v.began, v.written, v.deleted, v.same, v.noted = r.Time(), r.Uint(), r.Uint(), r.Uint(), int(r.Uint())
				v.extension = r.Str()
				v.folders.Decode(r, &m.deps.Secret)
				v.again.decode(r)
			},
			Extra: func(v *changes) int { return v.folders.Size() },
			Reset: func(v *changes) { v.folders.Reset(); *v = changes{folders: v.folders} },
		})
		return m, s.err
	}
	return d
}

func extensionOf(file string) string {
	file = file[strings.LastIndexByte(file, '\\')+1:]
	if i := strings.LastIndexByte(file, '.'); i > 0 {
		return strings.ToLower(file[i+1:])
	}
	return ""
}

// usualExtension are extensions that files are renamed to in daily work: by editors, scanners, transfers.
func usualExtension(x string) bool {
	switch x {
	case "", "tmp", "bak", "old", "part", "partial", "crdownload", "lock", "log", "txt", "dcm", "pdf", "jpg", "jpeg", "png", "tif", "tiff", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "xml", "json", "csv", "hl7", "zip", "ok", "done", "ready":
		return true
	}
	return false
}

// Feed implements match.Matcher.
func (m *ransom) Feed(s *scene.Scene, _ int, hit func(match.Hit)) {
	d, ok := s.Event.Detail.(*event.SMB)
	if !ok || s.Event.Status == event.StatusFailure || d.File == "" || d.ShareType == "pipe" {
		return
	}
	msg := s.Event.Message
	note := d.Command == "CREATE" && s.Event.Activity != 2 && d.RansomNote
	written, deleted := strings.Contains(msg, " written"), strings.Contains(msg, "deleted")
	if d.RenamedTo == "" && !note && !(d.Command == "CLOSE" && (written || deleted)) {
		return
	}
	e, _ := m.t.At(m.source("share", s, d.Share))
	if e == nil {
		return
	}
	v, t := &e.Val, s.Event.Time
	if t-v.began > m.window {
		folders, said := v.folders, v.again
		*v = changes{began: t, again: said, folders: folders}
		v.folders.Reset()
	}
	if d.RenamedTo != "" {
		if x := extensionOf(d.RenamedTo); !usualExtension(x) && x != extensionOf(d.File) {
			if x != v.extension {
				v.extension, v.same = x, 0
			}
			v.same++
		}
	}
	if written {
		v.written++
	}
	if deleted {
		v.deleted++
	}
	if note {
		folder := d.File[:max(strings.LastIndexByte(d.File, '\\'), 0)]
		if n := v.folders.Add(&m.deps.Secret, []byte(folder), t, m.window); n > 0 {
			v.noted = n
			m.t.Resize(e, v.folders.Size())
		}
	}
	kind, n := "", uint64(0)
	switch {
	case v.same >= uint64(m.renames):
		kind, n = "renamed", v.same
	case v.noted >= m.notes:
		kind, n = "notes", uint64(v.noted)
	case v.written >= uint64(m.rewrites) && v.deleted+v.same >= uint64(m.rewrites):
		kind, n = "rewritten", v.written
	default:
		return
	}
	say, more, news := v.again.due(n, t, int64(time.Hour))
	if !say {
		return
	}
	m.say(hit, match.Hit{Time: t, Key: e.Key, More: more, Count: news, Expected: "files that keep their names and kinds",
		Values: map[string]string{"kind": kind, "count": strconv.FormatUint(n, 10), "extension": v.extension, "share": d.Share, "window": span(m.window)}})
}
