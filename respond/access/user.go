// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
)

// User is a user as the API shows it.
type User struct {
	Name        string     `json:"name"`
	DisplayName string     `json:"display_name"`
	Roles       []Role     `json:"roles"`
	Local       bool       `json:"local"` // logs in with a password; otherwise through the provider
	Disabled    bool       `json:"disabled"`
	Created     time.Time  `json:"created"`
	LastLogin   *time.Time `json:"last_login,omitempty"`
	Revision    uint64     `json:"revision"`
}

// userDoc is what is kept of a user.
type userDoc struct {
	Name        string    `json:"name"`
	DisplayName string    `json:"display_name"`
	Roles       []Role    `json:"roles"`
	Local       bool      `json:"local"`
	Disabled    bool      `json:"disabled"`
	Created     time.Time `json:"created"`
	// UID tells this user from a later one of the same name; tokens are bound
	// to it.
	UID string `json:"uid"`
	// Stamp changes with the password, the roles and disabling; sessions are
	// bound to it, so that one write ends them all.
	Stamp    string `json:"stamp"`
	Password string `json:"password,omitempty"` // PHC string
	Issuer   string `json:"issuer,omitempty"`
	Subject  string `json:"subject,omitempty"`
}

type loginDoc struct {
	At time.Time `json:"at"`
}

// admins is who is an enabled local administrator. Every change of that set
// writes this document, with its revision, so that two changes cannot pass each
// other.
type admins struct {
	Names []string `json:"names"`
}

const adminsID = "admins"

func (u *userDoc) keeper() bool {
	return u.Local && !u.Disabled && slices.Contains(u.Roles, Admin)
}

func (u *userDoc) view(revision uint64) User {
	return User{Name: u.Name, DisplayName: u.DisplayName, Roles: u.Roles, Local: u.Local, Disabled: u.Disabled, Created: u.Created, Revision: revision}
}

// restamp ends all sessions of the user with the write of u.
func (u *userDoc) restamp() { u.Stamp = hex.EncodeToString(random(16)) }

// audited is what the audit trail shows of a user.
func (u *userDoc) audited() json.RawMessage {
	if u == nil {
		return nil
	}
	return marshal(map[string]any{"name": u.Name, "display_name": u.DisplayName, "roles": u.Roles, "local": u.Local, "disabled": u.Disabled})
}

func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: access: " + err.Error())
	}
	return b
}

// maxName bounds the names of users in bytes.
const maxName = 64

// canonical brings a name to the form in which it is kept; "" when it cannot be
// a user's name. Names are not told apart by case.
func canonical(name string) string {
	if len(name) > maxName {
		return ""
	}
	name = strings.ToLower(strings.TrimSpace(name))
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("._-@+", rune(c))) {
			return ""
		}
	}
	return name
}

// reserved are names that mean something else in the audit trail.
func reserved(name string) bool {
	return name == whoSystem || name == whoNobody || name == "token"
}

func checkName(name string) (string, []problem.Field) {
	c := canonical(name)
	switch {
	case c == "":
		return "", []problem.Field{{Field: "name", Message: fmt.Sprintf("must have 1 to %d characters: a to z, 0 to 9, and . _ - @ + after the first", maxName)}}
	case reserved(c):
		return "", []problem.Field{{Field: "name", Message: "is reserved", Hint: "choose another one"}}
	}
	return c, nil
}

func checkDisplay(s string) []problem.Field {
	const most = 100
	if utf8.RuneCountInString(s) > most || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return []problem.Field{{Field: "display_name", Message: fmt.Sprintf("must be at most %d characters that can be printed", most)}}
	}
	return nil
}

func checkRoles(roles []Role) ([]Role, []problem.Field) {
	if len(roles) == 0 {
		return nil, []problem.Field{{Field: "roles", Message: "must have at least one role", Hint: "one of " + names(Roles())}}
	}
	out := slices.DeleteFunc(Roles(), func(r Role) bool { return !slices.Contains(roles, r) })
	return out, nil
}

// lastAdmin is the refusal to be left with nobody who can let others in.
func lastAdmin() *problem.Problem {
	return problem.Conflict("This is the last administrator that is enabled and has a password; without one nobody could be let in any more.", "make somebody else administrator first")
}

// adminsAfter returns the write that brings the set of administrators to what it
// is when user name becomes u (nil: is removed); no write when the set stays. A
// write that somebody else passed is store.ErrConflict at commit.
func (a *Access) adminsAfter(ctx context.Context, name string, u *userDoc) ([]store.Write, error) {
	set, revision, err := fresh[admins](ctx, a, kindSetup, adminsID)
	if errors.Is(err, store.ErrNotFound) {
		set, err = &admins{}, nil
	}
	if err != nil {
		return nil, err
	}
	was, is := slices.Contains(set.Names, name), u != nil && u.keeper()
	switch {
	case was == is:
		return nil, nil
	case is:
		set.Names = append(set.Names, name)
		slices.Sort(set.Names)
	default:
		set.Names = slices.DeleteFunc(set.Names, func(n string) bool { return n == name })
		if len(set.Names) == 0 {
			return nil, lastAdmin()
		}
	}
	return []store.Write{put(kindSetup, adminsID, revision, set)}, nil
}

// retry repeats a change that another one passed. f reads everything anew.
func retry(f func() error) error {
	var err error
	for range 8 {
		if err = f(); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return err
}

// editUser changes a user: f changes the copy it is given, or refuses. With an
// expected revision, a user who is not at it any more is a conflict; 0 takes any.
// Sessions end when f changes the stamp; they are removed later, so that who comes
// with one is told why it ended.
func (a *Access) editUser(ctx context.Context, name string, expect uint64, f func(u *userDoc) (store.Audit, error)) (User, error) {
	var out User
	err := retry(func() error {
		before, revision, err := fresh[userDoc](ctx, a, kindUser, name)
		if errors.Is(err, store.ErrNotFound) {
			return problem.NotFound("There is no user of that name.")
		} else if err != nil {
			return err
		}
		if expect != 0 && expect != revision {
			return changedMeanwhile()
		}
		after := *before
		after.Roles = slices.Clone(before.Roles)
		entry, err := f(&after)
		if err != nil {
			return err
		}
		w, err := a.adminsAfter(ctx, name, &after)
		if err != nil {
			return err
		}
		writes := append([]store.Write{put(kindUser, name, revision, after)}, w...)
		entry.Before, entry.After = before.audited(), after.audited()
		out = after.view(revision + 1)
		return a.commit(ctx, writes, entry)
	})
	return out, err
}

func changedMeanwhile() *problem.Problem {
	return problem.From(store.ErrConflict)
}

var errTaken = errors.New("name taken")

// createUser adds a user. Further writes and entries are made with it, or
// nothing is.
func (a *Access) createUser(ctx context.Context, u userDoc, entry store.Audit, more ...store.Write) (*userDoc, error) {
	u.UID = hex.EncodeToString(random(16))
	u.Created = a.now()
	u.restamp()
	entry.After = u.audited()
	err := retry(func() error {
		switch _, _, err := fresh[userDoc](ctx, a, kindUser, u.Name); {
		case err == nil:
			p := problem.Conflict("There is a user of that name already.", "choose another name")
			p.Cause = errTaken
			return p
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		n := 0
		if err := each(ctx, a, kindUser, func(string, uint64, *userDoc) { n++ }); err != nil {
			return err
		}
		if n >= MaxUsers {
			return problem.Conflict(fmt.Sprintf("There are %d users already.", n), "remove those who left")
		}
		w, err := a.adminsAfter(ctx, u.Name, &u)
		if err != nil {
			return err
		}
		return a.commit(ctx, slices.Concat([]store.Write{put(kindUser, u.Name, 0, u)}, w, more), entry)
	})
	return &u, err
}

// deleteUser removes a user with everything that is his.
func (a *Access) deleteUser(ctx context.Context, name string, expect uint64, entry store.Audit) error {
	return retry(func() error {
		u, revision, err := fresh[userDoc](ctx, a, kindUser, name)
		if errors.Is(err, store.ErrNotFound) {
			return problem.NotFound("There is no user of that name.")
		} else if err != nil {
			return err
		}
		if expect != 0 && expect != revision {
			return changedMeanwhile()
		}
		writes := []store.Write{remove(kindUser, name, revision), remove(kindLogin, name, store.AnyRevision)}
		w, err := a.adminsAfter(ctx, name, nil)
		if err != nil {
			return err
		}
		writes = append(writes, w...)
		if w, err = a.sessionsOf(ctx, name); err != nil {
			return err
		}
		writes = append(writes, w...)
		if err := each(ctx, a, kindToken, func(id string, _ uint64, t *tokenDoc) {
			if t.Owner == name {
				writes = append(writes, remove(kindToken, id, store.AnyRevision))
			}
		}); err != nil {
			return err
		}
		if u.Subject != "" {
			writes = append(writes, remove(kindIdent, identID(u.Issuer, u.Subject), store.AnyRevision))
		}
		entry.Before = u.audited()
		return a.commit(ctx, writes, entry)
	})
}

// users lists all users by name.
func (a *Access) users(ctx context.Context) ([]User, error) {
	logins := map[string]time.Time{}
	if err := each(ctx, a, kindLogin, func(name string, _ uint64, l *loginDoc) { logins[name] = l.At }); err != nil {
		return nil, err
	}
	out := []User{}
	err := each(ctx, a, kindUser, func(name string, revision uint64, u *userDoc) {
		v := u.view(revision)
		if at, ok := logins[name]; ok {
			v.LastLogin = &at
		}
		out = append(out, v)
	})
	return out, err
}
