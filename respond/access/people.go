// SPDX-License-Identifier: Apache-2.0

package access

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
)

// This file has what administrators do with other people's accounts.

func itoa(n int) string { return strconv.Itoa(n) }

func (a *Access) getUsers(w http.ResponseWriter, r *http.Request) error {
	if _, err := person(r); err != nil {
		return err
	}
	list, err := a.users(r.Context())
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, list)
	return nil
}

type newUser struct {
	Name        string `json:"name"`
	DisplayName string `json:"display_name"`
	Roles       []Role `json:"roles"`
	Disabled    bool   `json:"disabled"`
	Password    string `json:"password"`
}

func (a *Access) postUsers(w http.ResponseWriter, r *http.Request) error {
	who, err := person(r)
	if err != nil {
		return err
	}
	req, p := problem.DecodeJSON[newUser](r, maxBody)
	if p != nil {
		return p
	}
	name, wrong := checkName(req.Name)
	wrong = append(wrong, checkDisplay(req.DisplayName)...)
	roles, bad := checkRoles(req.Roles)
	wrong = append(wrong, bad...)
	wrong = append(wrong, checkPassword("password", req.Password, a.words(req.Name, req.DisplayName)...)...)
	if wrong != nil {
		return problem.BadRequest("The account cannot be made like this.", "", wrong...)
	}
	hash, err := a.hash.hash(r.Context(), req.Password)
	if err != nil {
		return hashError(err)
	}
	u, err := a.createUser(r.Context(), userDoc{Name: name, DisplayName: displayOr(req.DisplayName, name), Roles: roles, Local: true, Disabled: req.Disabled, Password: hash},
		a.entry(who, actUserCreate, name))
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/users/"+name)
	answer(w, http.StatusCreated, u.view(1))
	return nil
}

type userPatch struct {
	Revision    uint64                   `json:"revision"`
	DisplayName problem.Optional[string] `json:"display_name"`
	Roles       problem.Optional[[]Role] `json:"roles"`
	Disabled    problem.Optional[bool]   `json:"disabled"`
}

// patchUser changes what is given, at the revision that was read.
func (a *Access) patchUser(w http.ResponseWriter, r *http.Request) error {
	who, err := person(r)
	if err != nil {
		return err
	}
	req, p := problem.DecodeJSON[userPatch](r, maxBody)
	if p != nil {
		return p
	}
	var wrong []problem.Field
	if req.Revision == 0 {
		wrong = append(wrong, problem.Field{Field: "revision", Message: "is missing", Hint: "send the revision that was read, so that no change of somebody else is lost"})
	}
	for field, null := range map[string]bool{"display_name": req.DisplayName.Null, "roles": req.Roles.Null, "disabled": req.Disabled.Null} {
		if null {
			wrong = append(wrong, problem.Field{Field: field, Message: "must not be null", Hint: "leave it away to keep it"})
		}
	}
	if req.DisplayName.Given && !req.DisplayName.Null {
		wrong = append(wrong, checkDisplay(req.DisplayName.Value)...)
	}
	var roles []Role
	if req.Roles.Given && !req.Roles.Null {
		var bad []problem.Field
		roles, bad = checkRoles(req.Roles.Value)
		wrong = append(wrong, bad...)
	}
	if wrong != nil {
		return problem.BadRequest("The account cannot be changed like this.", "", wrong...)
	}
	name := canonical(r.PathValue("name"))
	if name == "" {
		return problem.NotFound("There is no user of that name.")
	}
	u, err := a.editUser(r.Context(), name, req.Revision, func(u *userDoc) (store.Audit, error) {
		var none store.Audit
		if req.DisplayName.Given {
			u.DisplayName = displayOr(req.DisplayName.Value, name)
		}
		if req.Roles.Given && !slices.Equal(roles, u.Roles) {
			switch {
			case name == who.Name:
				return none, problem.Conflict("Nobody changes his own roles.", "ask another administrator")
			case !u.Local:
				return none, problem.Conflict("The roles of this account come from "+a.providerName()+" with each log-in.", "change the groups there, or the mapping in the configuration")
			}
			u.Roles = roles
			u.restamp()
		}
		if req.Disabled.Given && req.Disabled.Value != u.Disabled {
			if name == who.Name {
				return none, problem.Conflict("Nobody disables his own account.", "ask another administrator")
			}
			u.Disabled = req.Disabled.Value
			u.restamp()
		}
		return a.entry(who, actUserEdit, name), nil
	})
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, u)
	return nil
}

func (a *Access) deleteUsers(w http.ResponseWriter, r *http.Request) error {
	who, err := person(r)
	if err != nil {
		return err
	}
	revision, err := expectRevision(r)
	if err != nil {
		return err
	}
	name := canonical(r.PathValue("name"))
	switch name {
	case "":
		return problem.NotFound("There is no user of that name.")
	case who.Name:
		return problem.Conflict("Nobody removes his own account.", "ask another administrator")
	}
	if err := a.deleteUser(r.Context(), name, revision, a.entry(who, actUserDelete, name)); err != nil {
		return err
	}
	nothing(w)
	return nil
}

type resetRequest struct {
	New string `json:"new"`
}

// postUserPassword gives somebody else a new password; all his sessions end.
func (a *Access) postUserPassword(w http.ResponseWriter, r *http.Request) error {
	who, err := person(r)
	if err != nil {
		return err
	}
	req, p := problem.DecodeJSON[resetRequest](r, maxBody)
	if p != nil {
		return p
	}
	name := canonical(r.PathValue("name"))
	switch name {
	case "":
		return problem.NotFound("There is no user of that name.")
	case who.Name:
		return problem.Conflict("One's own password is changed with the old one.", "use PUT /api/v1/account/password")
	}
	u, _, err := fresh[userDoc](r.Context(), a, kindUser, name)
	if err != nil {
		return err
	}
	if wrong := checkPassword("new", req.New, a.words(u.Name, u.DisplayName)...); wrong != nil {
		return problem.BadRequest("The password was not changed.", "", wrong...)
	}
	if _, err := a.setPassword(r, who, name, req.New); err != nil {
		return err
	}
	nothing(w)
	return nil
}
