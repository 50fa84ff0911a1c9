// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/rule"
)

type ruleTextRequest struct {
	Text     string `json:"text"`
	Revision uint64 `json:"revision"`
}

const maxRuleText = 256 << 10

// parsed reads a rule's text, or says what is wrong with it.
func (s *Server) parsed(ctx context.Context, text string) (*rule.Rule, *detect.Content, error) {
	if len(text) > maxRuleText {
		return nil, nil, fields([]problem.Field{{Field: "text", Message: fmt.Sprintf("is longer than %d bytes", maxRuleText)}})
	}
	c, err := s.rules.content(ctx)
	if err != nil {
		return nil, nil, err
	}
	x, err := c.ParseRule(ruleID(text), text)
	if err != nil {
		return nil, c, fields([]problem.Field{{Field: "text", Message: oneOf(err)}})
	}
	return x, c, nil
}

// ruleID finds the ID in a text, so that its place can be made of it.
func ruleID(text string) string {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "id:"); ok {
			v, _, _ = strings.Cut(v, " #")
			return strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return ""
}

func oneOf(err error) string {
	t := err.Error()
	if len(t) > 2000 {
		t = t[:2000] + "..."
	}
	return t
}

// postRule adds a rule of the site's own.
func (s *Server) postRule(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[ruleTextRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	x, c, err := s.parsed(r.Context(), q.Text)
	if err != nil {
		return err
	}
	if c.Rule(x.ID) != nil {
		return problem.Conflict("There is a rule with this ID.", "choose another ID; a shipped rule can be switched off")
	}
	if err := s.commitRule(r, "rule.create", x.ID, 0, &detect.SiteRule{Text: q.Text}); err != nil {
		return err
	}
	w.Header().Set("Location", prefix+"/rules/"+x.ID)
	return s.sendRule(w, r, x.ID, http.StatusCreated)
}

// ownRule returns what people wrote of the rule in the path.
func (s *Server) ownRule(r *http.Request) (detect.SiteRule, uint64, error) {
	c, site, revs, _, err := s.rules.snapshot(r.Context())
	if err != nil {
		return detect.SiteRule{}, 0, err
	}
	id := r.PathValue("id")
	if c.Rule(id) == nil && site[id].Text == "" {
		return detect.SiteRule{}, 0, noRule()
	}
	return site[id], revs[id], nil
}

func (s *Server) putRule(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[ruleTextRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	was, rev, err := s.ownRule(r)
	if err != nil {
		return err
	}
	if was.Text == "" {
		return problem.Conflict("This rule is not of your own.", "switch it off, and add one under another ID")
	}
	if err := sameRevision("rule", q.Revision, store.Document{Revision: rev}); err != nil {
		return err
	}
	x, _, err := s.parsed(r.Context(), q.Text)
	if err != nil {
		return err
	}
	if x.ID != r.PathValue("id") {
		return fields([]problem.Field{{Field: "text", Message: "has another ID", Hint: "add it as a new rule"}})
	}
	was.Text = q.Text
	if err := s.commitRule(r, "rule.change", x.ID, rev, &was); err != nil {
		return err
	}
	return s.sendRule(w, r, x.ID, http.StatusOK)
}

func (s *Server) deleteRule(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	revision := p.number("revision", 1, 1<<31, 0)
	if err := p.end(); err != nil {
		return err
	}
	was, rev, err := s.ownRule(r)
	if err != nil {
		return err
	}
	if was.Text == "" {
		return problem.Conflict("This rule is not of your own.", "it can be switched off")
	}
	if err := sameRevision("rule", uint64(max(revision, 0)), store.Document{Revision: rev}); err != nil { //nolint:gosec // it is in its range
		return err
	}
	if err := s.commitRule(r, "rule.remove", r.PathValue("id"), rev, nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// switchRule returns the handler that switches a rule off, or on.
func (s *Server) switchRule(off bool) handler {
	type request struct {
		Reason   string `json:"reason"`
		Revision uint64 `json:"revision"`
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
		if p != nil {
			return p
		}
		q.Reason = strings.TrimSpace(q.Reason)
		if len(q.Reason) > 2000 || off && q.Reason == "" {
			return fields([]problem.Field{{Field: "reason", Message: "is needed, with at most 2000 bytes: why nobody needs what it finds"}})
		}
		was, rev, err := s.ownRule(r)
		if err != nil {
			return err
		}
		if q.Revision != 0 && q.Revision != rev {
			return sameRevision("rule", q.Revision, store.Document{Revision: rev})
		}
		action := "rule.enable"
		if off {
			action = "rule.disable"
		}
		was.Off, was.Reason = off, q.Reason
		if err := s.commitRule(r, action, r.PathValue("id"), rev, &was); err != nil {
			return err
		}
		return s.sendRule(w, r, r.PathValue("id"), http.StatusOK)
	}
}

// commitRule writes what people decided about a rule.
func (s *Server) commitRule(r *http.Request, action, id string, rev uint64, is *detect.SiteRule) error {
	write := store.Write{Kind: detect.RuleKind, ID: id, Expect: rev}
	audit := s.audit(r, action, "rule:"+id)
	if is == nil {
		write.Delete = true
	} else {
		is.Who, is.At = audit.Who, s.now().UnixNano()
		body, err := json.Marshal(is)
		if err != nil {
			return problem.Internal(err)
		}
		write.Body = body
		audit.Note = is.Reason
	}
	return s.commit(r.Context(), "rules", []store.Write{write}, audit)
}
