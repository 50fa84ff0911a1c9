// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
)

// linkDoc is the one-time link of the first start.
type linkDoc struct {
	Hash    string    `json:"hash"`
	Expires time.Time `json:"expires"`
}

const linkID = "link"

// setupNeeded reports whether there is no administrator yet.
func (a *Access) setupNeeded(ctx context.Context) (bool, error) {
	set, err := load[admins](ctx, a, kindSetup, adminsID)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return err == nil && len(set.Names) == 0, err
}

// SetupLink makes the link by which the first administrator is made, as long as
// there is none; a link made before it stops working. The token stands behind
// the # of the link, which browsers send to nobody: it is in no log of a proxy and
// in no Referer. Only its hash is kept.
func (a *Access) SetupLink(ctx context.Context, base string) (url string, needed bool, err error) {
	if needed, err = a.setupNeeded(ctx); err != nil || !needed {
		return "", needed, err
	}
	secret, now := newSecret(), a.now()
	link := linkDoc{Hash: digest("setup " + secret), Expires: now.Add(a.cfg.SetupExpires)}
	e := store.Audit{Time: now.UnixNano(), Who: whoSystem, Action: actSetupLink, Result: done, After: marshal(map[string]any{"expires": link.Expires})}
	if err := a.commit(ctx, []store.Write{put(kindSetup, linkID, store.AnyRevision, link)}, e); err != nil {
		return "", true, err
	}
	return strings.TrimRight(base, "/") + "/setup#token=" + secret, true, nil
}

type setupRequest struct {
	Token       string `json:"token"`
	Name        string `json:"name"`
	DisplayName string `json:"display_name"`
	Password    string `json:"password"`
}

// postSetup makes the first administrator and logs him in.
func (a *Access) postSetup(w http.ResponseWriter, r *http.Request) error {
	req, p := problem.DecodeJSON[setupRequest](r, maxBody)
	if p != nil {
		return p
	}
	ctx := r.Context()
	needed, err := a.setupNeeded(ctx)
	if err != nil {
		return unreadable(err)
	}
	if !needed {
		return problem.Conflict("Asepsis is set up already.", "log in; an administrator can make you an account")
	}
	from := a.ClientAddr(r)
	try, wait, first := a.limits.try(a.now(), "", from)
	if wait > 0 {
		return a.slowDown(r, "", wait, first, actSetup)
	}
	link, revision, err := fresh[linkDoc](ctx, a, kindSetup, linkID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		try.undo()
		return unreadable(err)
	}
	const again = "start asepsis again: it prints a new link"
	if link == nil || subtle.ConstantTimeCompare([]byte(link.Hash), []byte(digest("setup "+req.Token))) != 1 {
		e := a.entryOf(r, whoNobody, actSetup, "")
		e.Note = "wrong link"
		a.note(r, e)
		return problem.Forbidden("This set-up link is not, or no longer, the right one.", "use the link that was printed last; or "+again)
	}
	try.undo()
	if !a.now().Before(link.Expires) {
		return problem.Forbidden("This set-up link has expired.", again)
	}
	name, wrong := checkName(req.Name)
	wrong = append(wrong, checkDisplay(req.DisplayName)...)
	wrong = append(wrong, checkPassword("password", req.Password, a.words(req.Name, req.DisplayName)...)...)
	if wrong != nil {
		return problem.BadRequest("The account cannot be made like this.", "", wrong...)
	}
	hash, err := a.hash.hash(ctx, req.Password)
	if err != nil {
		return hashError(err)
	}
	u := userDoc{Name: name, DisplayName: displayOr(req.DisplayName, name), Roles: []Role{Admin}, Local: true, Password: hash}
	e := a.entryOf(r, name, actSetup, name)
	// The link goes in the same commit, at the revision that was checked: of
	// two who use it at once, one is refused.
	made, err := a.createUser(ctx, u, e, remove(kindSetup, linkID, revision))
	if err != nil {
		if errors.Is(err, store.ErrConflict) {
			return problem.Conflict("Somebody else used this link a moment ago.", again)
		}
		return err
	}
	return a.admit(w, r, name, made.Stamp, "set-up")
}

// words is what a password should not be made of.
func (a *Access) words(more ...string) []string {
	return append(more, strings.FieldsFunc(strings.Join(more, " "), func(r rune) bool { return r == ' ' || r == '.' || r == '@' || r == '-' || r == '_' })...)
}

func displayOr(display, name string) string {
	if strings.TrimSpace(display) == "" {
		return name
	}
	return strings.TrimSpace(display)
}
