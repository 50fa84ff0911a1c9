// SPDX-License-Identifier: Apache-2.0

package access

import (
	"slices"
	"strings"

	"github.com/asepsis/asepsis/respond/problem"
)

// Role is what a person is in this hospital. A user has one or several.
type Role string

// The roles. Each may do what the one before it may, and more.
const (
	Viewer   Role = "viewer"   // reads: the ward, the theatre's staff
	Analyst  Role = "analyst"  // watches: searches, sets the state of a case
	Biomed   Role = "biomed"   // knows the devices
	Engineer Role = "engineer" // knows the rooms and the network
	Admin    Role = "admin"    // gives and takes away all of this
)

// Permission is one thing that a request may need.
type Permission string

// The permissions.
const (
	Read         Permission = "read" // everything but users, others' tokens and the audit trail
	ViewEdit     Permission = "view.edit"
	TheatreState Permission = "theatre.state"
	FindingEdit  Permission = "finding.edit" // decide about findings, suppress, run backtests
	PacketRead   Permission = "packet.read"  // packets as they were seen, patient data in clear
	DeviceEdit   Permission = "device.edit"
	// QuarantineDecide is for who may release or destroy what the gateway holds: two
	// people who know the devices, their senders and what they send.
	QuarantineDecide Permission = "quarantine.decide"
	TheatreEdit      Permission = "theatre.edit"
	RuleEdit         Permission = "rule.edit" // switch rules, write own ones
	SettingsEdit     Permission = "settings.edit"
	// RecordWrite is for programs that keep operation records, IdentityEdit for who gives
	// devices their certificates, IdentityRevoke for who takes them away.
	RecordWrite    Permission = "record.write"
	IdentityEdit   Permission = "identity.edit"
	IdentityRevoke Permission = "identity.revoke"
	ImagingEdit    Permission = "imaging.edit" // destinations, policy and bindings of the gateway
	UserEdit       Permission = "user.edit"
	AuditRead      Permission = "audit.read"
	PatientRead    Permission = "patient.read" // what identifies a patient in an image's header, in clear

	// Public and SignedIn are for routes only; nobody is given them. A public
	// route is for everybody, a signed-in one for every actor.
	Public   Permission = ""
	SignedIn Permission = "signed-in"
)

// Roles lists all roles, from the least to the most.
func Roles() []Role { return []Role{Viewer, Analyst, Biomed, Engineer, Admin} }

// Permissions lists all permissions, in the order in which roles gain them.
func Permissions() []Permission {
	return []Permission{Read, ViewEdit, TheatreState, FindingEdit, PacketRead, DeviceEdit, QuarantineDecide, TheatreEdit, RuleEdit, SettingsEdit, RecordWrite, IdentityEdit, IdentityRevoke,
		ImagingEdit, UserEdit, AuditRead, PatientRead}
}

// upTo says how many of Permissions a role has.
func (r Role) upTo() int {
	switch r {
	case Viewer:
		return 1
	case Analyst:
		return 5
	case Biomed:
		return 7
	case Engineer:
		return 14
	case Admin:
		return 17
	}
	return 0
}

// Permissions lists what the role may do. A role that is not known may nothing.
func (r Role) Permissions() []Permission { return Permissions()[:r.upTo()] }

// RolesWith lists the roles that have a permission.
func RolesWith(p Permission) []Role {
	return slices.DeleteFunc(Roles(), func(r Role) bool { return !slices.Contains(r.Permissions(), p) })
}

// permissionsOf joins what several roles may do.
func permissionsOf(roles []Role) []Permission {
	n := 0
	for _, r := range roles {
		n = max(n, r.upTo())
	}
	return Permissions()[:n]
}

// UnmarshalText takes the names of roles only.
func (r *Role) UnmarshalText(b []byte) error {
	if x := Role(b); x.upTo() > 0 {
		*r = x
		return nil
	}
	return &problem.ValueError{Message: "must be a role", Hint: "one of " + names(Roles())}
}

// UnmarshalText takes the names of permissions only.
func (p *Permission) UnmarshalText(b []byte) error {
	if x := Permission(b); slices.Contains(Permissions(), x) {
		*p = x
		return nil
	}
	return &problem.ValueError{Message: "must be a permission", Hint: "one of " + names(Permissions())}
}

func names[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = string(x)
	}
	return strings.Join(out, ", ")
}
