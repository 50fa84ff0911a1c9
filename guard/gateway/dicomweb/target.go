// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Bounds of a path.
const (
	maxPath     = 2048
	maxFrames   = 1000
	maxBulkPath = 12 // segments
)

// service is what a request wants.
type service string

const (
	stow service = "stow"
	qido service = "qido"
	wado service = "wado"
	// probe is OPTIONS: somebody tries the way.
	probe service = "options"
)

// target is what a request is about: PS3.18 tables 10.4.1-1, 10.5.1-1 and 10.6.1-1.
type target struct {
	service  service
	resource string // of wado: Instances, Metadata, Frames, BulkData, Rendered
	level    string // of qido and wado: "studies", "series", "instances"
	study    string
	series   string
	instance string
	tail     string // what follows the instance, the series or the study, as it goes to the archive
}

// targetOf reads method and path. Paths have one spelling: no percent signs, no empty or
// dotted segments.
func targetOf(method string, u *url.URL, root string) (target, *Problem) {
	none := problem(http.StatusNotFound, "path", "there is nothing at this path", "studies, series and instances are below "+root+" as PS3.18 has them")
	path, below := strings.CutPrefix(u.EscapedPath(), root+"/")
	if len(u.EscapedPath()) > maxPath || u.Opaque != "" {
		return target{}, problem(http.StatusRequestURITooLong, "path", "the path is too long", "")
	}
	if !below || strings.IndexByte(path, '%') >= 0 {
		return target{}, none
	}
	t, ok := resource(strings.Split(path, "/"))
	if !ok {
		return target{}, none
	}
	storable := t.service == qido && t.level == "studies" || t.service == wado && t.resource == Instances && t.level == "studies"
	switch {
	case method == http.MethodGet:
		return t, nil
	case method == http.MethodOptions:
		t.service, t.resource = probe, ""
		return t, nil
	case method == http.MethodPost && storable:
		t.service, t.resource = stow, Instances
		return t, nil
	}
	p := problem(http.StatusMethodNotAllowed, "method", "this method is not for this path", "")
	p.allow = "GET, OPTIONS"
	if storable {
		p.allow = "GET, OPTIONS, POST"
	}
	return t, p
}

// resource reads the segments of a path below the root.
func resource(s []string) (t target, ok bool) {
	if len(s) == 1 {
		return target{service: qido, level: s[0]}, s[0] == "studies" || s[0] == "series" || s[0] == "instances"
	}
	if s[0] != "studies" || !uidLike(s[1]) {
		return t, false
	}
	t.study, t.level, s = s[1], "studies", s[2:]
	if len(s) == 1 && (s[0] == "series" || s[0] == "instances") {
		t.service, t.level = qido, s[0]
		return t, true
	}
	if len(s) >= 2 && s[0] == "series" && uidLike(s[1]) {
		t.series, t.level, s = s[1], "series", s[2:]
		if len(s) == 1 && s[0] == "instances" {
			t.service, t.level = qido, s[0]
			return t, true
		}
		if len(s) >= 2 && s[0] == "instances" && uidLike(s[1]) {
			t.instance, t.level, s = s[1], "instances", s[2:]
		}
	}
	t.service, t.tail = wado, strings.Join(s, "/")
	switch {
	case len(s) == 0:
		t.resource = Instances
	case len(s) == 1 && s[0] == "metadata":
		t.resource = Metadata
	case len(s) == 1 && (s[0] == "rendered" || s[0] == "thumbnail"):
		t.resource = Rendered
	case t.instance == "":
		return t, false
	case s[0] == "frames" && len(s) == 2 && frames(s[1]):
		t.resource = Frames
	case s[0] == "frames" && len(s) == 3 && frames(s[1]) && (s[2] == "rendered" || s[2] == "thumbnail"):
		t.resource = Rendered
	// "bulk" is where Orthanc has them: a server may choose these paths (PS3.18 §10.4.1.1.5).
	case (s[0] == "bulkdata" || s[0] == "bulk") && len(s) > 1 && len(s) <= maxBulkPath:
		t.resource = BulkData
		for _, segment := range s[1:] {
			if segment == "" || segment == "." || segment == ".." || len(segment) > 64 || !plainPath(segment) {
				return t, false
			}
		}
	default:
		return t, false
	}
	return t, true
}

// path is the target's path below a root.
func (t *target) path() string {
	var b strings.Builder
	if t.service == qido && t.study == "" {
		return "/" + t.level
	}
	b.WriteString("/studies/" + t.study)
	if t.series != "" {
		b.WriteString("/series/" + t.series)
	}
	switch {
	case t.service == qido:
		b.WriteString("/" + t.level)
	case t.instance != "":
		b.WriteString("/instances/" + t.instance)
	}
	if t.tail != "" {
		b.WriteString("/" + t.tail)
	}
	return b.String()
}

// uidLike reports what may stand for a UID in a path: digits and dots. Real UIDs break the rule about
// leading zeros (PS3.5 §9.1), and an archive has them.
func uidLike(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		if s[i] != '.' && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

// frames reports a list of frame numbers.
func frames(s string) bool {
	n := 0
	for f := range strings.SplitSeq(s, ",") {
		v, err := strconv.ParseUint(f, 10, 31)
		if n++; err != nil || v == 0 || n > maxFrames || strconv.FormatUint(v, 10) != f {
			return false
		}
	}
	return true
}

// String is for logs.
func (t *target) String() string { return fmt.Sprintf("%s %s", t.service, t.path()) }
