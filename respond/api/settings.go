// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/recorder"
)

// DefaultSettings is what holds until somebody sets something. How long things are
// kept is what the recorder, who removes them, goes by.
func DefaultSettings() Settings {
	r := recorder.DefaultSettings().Retention
	return Settings{
		Site:           Site{ID: "site", Name: "This site", Timezone: "UTC"},
		Retention:      Retention{EventsDays: r.EventsDays, EventsMaxBytes: r.EventsMaxBytes, AuditDays: r.AuditDays},
		SilenceMinutes: 15,
	}
}

// SiteOf reads the site's name for those who need nothing else, such as the log-in
// page. While the store is away it is the default.
func SiteOf(ctx context.Context, st store.Documents) Site {
	s, err := readSettings(ctx, st)
	if err != nil {
		s = DefaultSettings()
	}
	return s.Site
}

func (s *Server) getSettings(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	out, err := readSettings(r.Context(), s.dep.Store)
	if err != nil {
		return err
	}
	return send(w, r, http.StatusOK, out)
}

// check says what is wrong with settings.
func (q *Settings) check() []problem.Field {
	var wrong []problem.Field
	fail := func(field, hint, format string, args ...any) {
		wrong = append(wrong, problem.Field{Field: field, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	q.Site.Name = strings.TrimSpace(q.Site.Name)
	if n := utf8.RuneCountInString(q.Site.Name); n < 1 || n > maxName {
		fail("site.name", "", "must have 1 to %d characters", maxName)
	}
	if strings.IndexFunc(q.Site.Name, func(c rune) bool { return !unicode.IsPrint(c) }) >= 0 {
		fail("site.name", "", "has characters that cannot be shown")
	}
	if !theatreID.MatchString(q.Site.ID) {
		fail("site.id", "", "must be at most 32 letters, digits, points, dashes and underscores")
	}
	if q.Site.Timezone == "Local" || q.Site.Timezone == "" {
		fail("site.timezone", "for example Europe/Zurich", "must be the name of a time zone")
	} else if _, err := time.LoadLocation(q.Site.Timezone); err != nil {
		fail("site.timezone", "for example Europe/Zurich", "is no time zone that is known here")
	}
	if d := q.Retention.EventsDays; d < 0 || d > 3660 {
		fail("retention.events_days", "0 keeps events for ever", "must be from 0 to 3660")
	}
	if b := q.Retention.EventsMaxBytes; b < 0 || b > 0 && b < 100e6 || b > 1e15 {
		fail("retention.events_max_bytes", "0 sets no limit", "must be 0, or from 100 MB to 1 PB")
	}
	if d := q.Retention.AuditDays; d < 0 || d > 0 && d < 90 || d > 36600 {
		fail("retention.audit_days", "0 keeps the audit trail for ever", "must be 0, or from 90 to 36600")
	}
	if m := q.SilenceMinutes; m < 1 || m > 24*60 {
		fail("silence_minutes", "", "must be from 1 to 1440")
	}
	return wrong
}

func (s *Server) putSettings(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[Settings](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	if wrong := q.check(); len(wrong) > 0 {
		return fields(wrong)
	}
	was, err := readSettings(r.Context(), s.dep.Store)
	if err != nil {
		return err
	}
	if q.Revision != was.Revision {
		return changedMeanwhile("page of settings", q.Revision, was.Revision, was)
	}
	write := store.Write{Kind: kindSettings, ID: idSite, Expect: was.Revision}
	if write.Body, err = q.document(); err != nil {
		return problem.Internal(err)
	}
	audit := s.audit(r, "settings.change", "settings:"+idSite)
	audit.After = write.Body
	if audit.Before, err = was.document(); err != nil {
		return problem.Internal(err)
	}
	if err := s.commit(r.Context(), "settings", []store.Write{write}, audit); err != nil {
		return err
	}
	q.Revision = was.Revision + 1
	return send(w, r, http.StatusOK, q)
}

// document is settings as they are kept: without the revision.
func (q Settings) document() ([]byte, error) {
	return json.Marshal(struct {
		Site           Site      `json:"site"`
		Retention      Retention `json:"retention"`
		SilenceMinutes int       `json:"silence_minutes"`
	}{q.Site, q.Retention, q.SilenceMinutes})
}
