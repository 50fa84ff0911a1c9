// SPDX-License-Identifier: Apache-2.0

package api

import "encoding/json"

// LedgerStatus answers GET /ledger.
type LedgerStatus struct {
	Origin           string           `json:"origin"`
	Size             uint64           `json:"size"`       // entries that are recorded durably
	Integrated       uint64           `json:"integrated"` // of them, in the tree
	Required         int              `json:"required"`
	Published        LedgerCheckpoint `json:"published"`
	Witnessed        LedgerCheckpoint `json:"witnessed"`
	Witnesses        []LedgerWitness  `json:"witnesses"`
	Unwitnessed      uint64           `json:"unwitnessed"`
	UnwitnessedSince string           `json:"unwitnessed_since,omitempty"`
	Alarm            bool             `json:"alarm"`
	PerMinute        float64          `json:"per_minute"`
	Audit            LedgerAudit      `json:"audit"`
}

// LedgerCheckpoint is a tree head.
type LedgerCheckpoint struct {
	Size uint64 `json:"size"`
	Root string `json:"root"`
	Time string `json:"time,omitempty"`
}

// LedgerWitness is one witness as the log sees it.
type LedgerWitness struct {
	Name   string `json:"name"`
	URL    string `json:"url,omitempty"`
	Size   uint64 `json:"size"`
	Last   string `json:"last,omitempty"`
	Error  string `json:"error,omitempty"`
	Failed string `json:"failed,omitempty"`
}

// LedgerAudit is what the log's own checks found.
type LedgerAudit struct {
	Checked uint64 `json:"checked"`
	Last    string `json:"last,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// LedgerEntry is a statement in the log.
type LedgerEntry struct {
	Index      uint64          `json:"index"`
	State      string          `json:"state"`
	Leaf       string          `json:"leaf"`
	Hash       string          `json:"hash"`
	Recorded   string          `json:"recorded"`
	Kind       string          `json:"kind"`
	Time       string          `json:"time"`
	Sentence   string          `json:"sentence"`
	Theatre    string          `json:"theatre,omitempty"`
	Device     string          `json:"device,omitempty"`
	DeviceName string          `json:"device_name,omitempty"`
	Actor      LedgerActor     `json:"actor"`
	Case       *LedgerCase     `json:"case,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	Subjects   []LedgerSubject `json:"subjects"`
	Detail     map[string]any  `json:"detail,omitempty"`
	Statement  json.RawMessage `json:"statement"`
}

// LedgerActor is who claims a statement.
type LedgerActor struct {
	Software    string `json:"software,omitempty"`
	Device      string `json:"device,omitempty"`
	DeviceName  string `json:"device_name,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	User        string `json:"user,omitempty"`
}

// LedgerCase is the place of a statement in its case.
type LedgerCase struct {
	Case     string `json:"case"`
	Sequence uint64 `json:"sequence"`
	Previous string `json:"previous,omitempty"`
}

// LedgerSubject is an artefact by its content.
type LedgerSubject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// LedgerEntries answers GET /ledger/entries, newest first.
type LedgerEntries struct {
	Entries []LedgerEntry `json:"entries"`
	Before  *uint64       `json:"before,omitempty"`
}

// LedgerArtefact answers GET /ledger/artefacts/{sha256}, oldest first.
type LedgerArtefact struct {
	SHA256  string        `json:"sha256"`
	Entries []LedgerEntry `json:"entries"`
	Custody string        `json:"custody"`
	Why     string        `json:"why"`
}

// LedgerCheck answers POST /ledger/check.
type LedgerCheck struct {
	Checked uint64 `json:"checked"`
	Problem string `json:"problem,omitempty"`
}

// RecordAnswer answers POST /records.
type RecordAnswer struct {
	Entry   LedgerEntry `json:"entry"`
	Receipt string      `json:"receipt,omitempty"`
}

// LedgerFoundCase answers POST /ledger/cases/find.
type LedgerFoundCase struct {
	Case string `json:"case"` // the commitment
}

// IdentityStatus answers GET /identity.
type IdentityStatus struct {
	TrustDomain string              `json:"trust_domain"`
	Authorities []IdentityAuthority `json:"authorities"`
	Counts      IdentityCounts      `json:"counts"`
	EST         string              `json:"est,omitempty"`
	OCSP        string              `json:"ocsp,omitempty"`
	Profiles    []IdentityProfile   `json:"profiles"`
}

// IdentityAuthority is the root or an issuing authority.
type IdentityAuthority struct {
	ID        string  `json:"id"`
	Subject   string  `json:"subject"`
	NotBefore string  `json:"not_before"`
	NotAfter  string  `json:"not_after"`
	Active    bool    `json:"active"`
	Root      bool    `json:"root"`
	CRLNumber *uint64 `json:"crl_number,omitempty"`
	CRLNext   string  `json:"crl_next,omitempty"`
	SHA256    string  `json:"sha256"`
}

// IdentityCounts is how many certificates are how.
type IdentityCounts struct {
	Good     int `json:"good"`
	Due      int `json:"due"`
	Expiring int `json:"expiring"`
	Expired  int `json:"expired"`
	Revoked  int `json:"revoked"`
	LongLife int `json:"long_life"`
	Codes    int `json:"codes"`
}

// IdentityProfile is a kind of certificate.
type IdentityProfile struct {
	Name          string  `json:"name"`
	Client        bool    `json:"client"`
	Server        bool    `json:"server"`
	LifetimeHours float64 `json:"lifetime_hours"`
	LongLifeHours float64 `json:"long_life_hours,omitempty"`
	What          string  `json:"what"`
}

// IdentityCertificate is a certificate of the site's authority.
type IdentityCertificate struct {
	Serial     string `json:"serial"`
	Device     string `json:"device"`
	DeviceName string `json:"device_name,omitempty"`
	Theatre    string `json:"theatre,omitempty"`
	SPIFFE     string `json:"spiffe"`
	Profile    string `json:"profile"`
	Subject    string `json:"subject"`
	Issuer     string `json:"issuer"`
	NotBefore  string `json:"not_before"`
	NotAfter   string `json:"not_after"`
	RenewFrom  string `json:"renew_from"`
	SHA256     string `json:"sha256"`
	Status     string `json:"status"`
	Revoked    string `json:"revoked,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Note       string `json:"note,omitempty"`
	Via        string `json:"via,omitempty"`
	LongLife   bool   `json:"long_life,omitempty"`
	Due        bool   `json:"due"`
}

// IdentityCertificates answers GET /identity/certificates.
type IdentityCertificates struct {
	Certificates []IdentityCertificate `json:"certificates"`
	After        string                `json:"after,omitempty"`
}

// IdentityCertificateDetail answers GET /identity/certificates/{serial}.
type IdentityCertificateDetail struct {
	Certificate IdentityCertificate `json:"certificate"`
	PEM         string              `json:"pem"`
	History     []LedgerEntry       `json:"history"`
}

// IdentityIssued answers POST /identity/certificates.
type IdentityIssued struct {
	Certificate IdentityCertificate `json:"certificate"`
	PEM         string              `json:"pem"`
	Chain       string              `json:"chain"`
}

// IdentityImpact answers GET /identity/certificates/{serial}/impact.
type IdentityImpact struct {
	Live     []IdentityLive `json:"live"`
	Theatre  string         `json:"theatre,omitempty"`
	InCase   bool           `json:"in_case"`
	Sentence string         `json:"sentence"`
}

// IdentityLive is a connection that a certificate has open.
type IdentityLive struct {
	Consumer string `json:"consumer"`
	Peer     string `json:"peer"`
	Since    string `json:"since"`
	Policy   string `json:"policy"`
}

// IdentityCode is an enrolment code, without the code itself.
type IdentityCode struct {
	ID         string `json:"id"`
	Device     string `json:"device"`
	DeviceName string `json:"device_name,omitempty"`
	Service    string `json:"service,omitempty"`
	Profile    string `json:"profile"`
	Made       string `json:"made"`
	By         string `json:"by"`
	Expires    string `json:"expires"`
	Used       string `json:"used,omitempty"`
	Serial     string `json:"serial,omitempty"`
	LongLife   string `json:"long_life,omitempty"`
}

// IdentityCodes answers GET /identity/codes.
type IdentityCodes struct {
	Codes []IdentityCode `json:"codes"`
}

// IdentityNewCode answers POST /identity/codes: the only time that the code is shown.
type IdentityNewCode struct {
	Code IdentityCode `json:"code"`
	Text string       `json:"text"`
	URI  string       `json:"uri"`
}
