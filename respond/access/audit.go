// SPDX-License-Identifier: Apache-2.0

package access

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
)

// Who acts when no user does.
const (
	whoSystem = "system"
	whoNobody = "nobody" // somebody who is not logged in
)

// Actions of the audit trail.
const (
	actSetupLink    = "setup.link"
	actSetup        = "setup.done"
	actLogin        = "session.login"
	actLogout       = "session.logout"
	actRevoke       = "session.revoke"
	actUserCreate   = "user.create"
	actUserEdit     = "user.edit"
	actUserDelete   = "user.delete"
	actPassword     = "user.password"
	actTokenCreate  = "token.create"
	actTokenDelete  = "token.delete"
	actTokenExpired = "token.expired"
)

// Results of the audit trail.
const (
	done    = "done"
	refused = "refused"
)

// entry starts an audit entry about something an actor did.
func (a *Access) entry(who Actor, action, object string) store.Audit {
	return store.Audit{Time: a.now().UnixNano(), Who: who.AuditName(), From: who.Address(), Action: action, Object: object, Result: done}
}

// entryOf starts an audit entry about a request of somebody not logged in.
func (a *Access) entryOf(r *http.Request, who, action, object string) store.Audit {
	return store.Audit{Time: a.now().UnixNano(), Who: who, From: addressText(a.ClientAddr(r)), Action: action, Object: object, Result: done}
}

// note writes an entry for something that was refused. The refusal stands also
// when it cannot be written.
func (a *Access) note(r *http.Request, e store.Audit) {
	e.Result = refused
	if err := a.commit(r.Context(), nil, e); err != nil {
		a.warn("a refusal could not be written to the audit trail", err)
	}
}

// AuditEntry is an entry of the audit trail as the API shows it.
type AuditEntry struct {
	ID     uint64          `json:"id"`
	Time   time.Time       `json:"time"`
	Who    string          `json:"who"`
	From   string          `json:"from,omitempty"`
	Action string          `json:"action"`
	Object string          `json:"object,omitempty"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	Result string          `json:"result"`
	Note   string          `json:"note,omitempty"`
}

// AuditPage is a page of it, newest first. Next is the value of before for the
// page that follows, null at the end.
type AuditPage struct {
	Entries []AuditEntry `json:"entries"`
	Next    *uint64      `json:"next"`
}

const auditPage, maxAuditPage = 100, 999

func (a *Access) getAudit(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.Query(r, "before", "who", "action", "object", "from", "to", "limit")
	if p != nil {
		return p
	}
	limit := auditPage
	query := store.AuditQuery{Who: q.Get("who"), Action: q.Get("action"), Object: q.Get("object")}
	var wrong []problem.Field
	if s := q.Get("before"); s != "" {
		n, err := strconv.ParseUint(s, 10, 63)
		if err != nil || n == 0 {
			wrong = append(wrong, problem.Field{Field: "before", Message: "must be the id of an entry"})
		}
		query.Before = n
	}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxAuditPage {
			wrong = append(wrong, problem.Field{Field: "limit", Message: "must be from 1 to " + strconv.Itoa(maxAuditPage)})
		}
		limit = n
	}
	for name, to := range map[string]*int64{"from": &query.From, "to": &query.To} {
		if s := q.Get(name); s != "" {
			t, err := time.Parse(time.RFC3339Nano, s)
			if err != nil {
				wrong = append(wrong, problem.Field{Field: name, Message: `must be a time such as "2026-03-16T08:30:00Z"`})
			}
			*to = t.UnixNano()
		}
	}
	if wrong != nil {
		return problem.BadRequest("The parameters of the address are not right.", "", wrong...)
	}
	query.Limit = limit + 1
	list, err := a.deps.Store.AuditTrail(r.Context(), query)
	if err != nil {
		return err
	}
	page := AuditPage{Entries: []AuditEntry{}}
	if len(list) > limit {
		list = list[:limit]
		page.Next = &list[limit-1].Seq
	}
	for _, e := range list {
		page.Entries = append(page.Entries, AuditEntry{ID: e.Seq, Time: time.Unix(0, e.Time).UTC(), Who: e.Who, From: e.From, Action: e.Action,
			Object: e.Object, Before: e.Before, After: e.After, Result: e.Result, Note: e.Note})
	}
	answer(w, http.StatusOK, page)
	return nil
}
