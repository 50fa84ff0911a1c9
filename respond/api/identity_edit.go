// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/respond/problem"
)

// certificateRequest is what a person asks for in a device's name; with a CSR it is
// signed at once, without one a code is made with which the device asks itself.
type certificateRequest struct {
	Device   string   `json:"device"`
	Service  string   `json:"service"`
	Profile  string   `json:"profile"`
	CSR      string   `json:"csr"`
	Hours    float64  `json:"hours"`
	DNS      []string `json:"dns"`
	IPs      []string `json:"ips"`
	LongLife string   `json:"long_life"`
}

// request is what the authority is asked for.
func (q *certificateRequest) request(s *Server, r *http.Request) (identity.Request, error) {
	out := identity.Request{
		Profile: identity.Profile(q.Profile), Device: strings.TrimSpace(q.Device), Service: strings.TrimSpace(q.Service), DNS: q.DNS,
		LongLife: strings.TrimSpace(q.LongLife) != "", LongLifeReason: strings.TrimSpace(q.LongLife), By: identity.Actor{User: s.audit(r, "", "").Who},
	}
	for i, text := range q.IPs {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return out, fields([]problem.Field{{Field: "ips[" + itoa(i) + "]", Message: "is no IP address"}})
		}
		out.Addresses = append(out.Addresses, a)
	}
	if out.Device != "" {
		world, err := s.know.get(r.Context())
		if err != nil {
			return out, err
		}
		row, ok := world.row(out.Device)
		if !ok {
			return out, fields([]problem.Field{{Field: "device", Message: "names no device of the inventory", Hint: "GET /devices lists them"}})
		}
		out.Device = row.ID // a former ID leads to the one that it has now
	}
	return out, nil
}

// postCertificate signs a CSR.
func (s *Server) postCertificate(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[certificateRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	req, err := q.request(s, r)
	if err != nil {
		return err
	}
	csr, err := identity.ParseCSR([]byte(q.CSR))
	if err != nil {
		return identityProblem(err)
	}
	if err := identity.WithinCSR(csr, &req); err != nil {
		return identityProblem(err)
	}
	req.Public, req.Via = csr.PublicKey, "csr-file"
	out, err := s.dep.Identity.Authority.Issue(r.Context(), req)
	if err != nil {
		return identityProblem(err)
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Location", prefix+"/identity/certificates/"+out.Serial)
	return send(w, r, http.StatusCreated, IdentityIssued{Certificate: world.certificate(&out.Certificate, s.now()), PEM: string(identity.EncodePEM(out.Leaf)), Chain: string(out.PEMChain())})
}

func (s *Server) getCodes(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	list, err := s.dep.Identity.Authority.Codes(r.Context())
	if err != nil {
		return identityProblem(err)
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	out := IdentityCodes{Codes: []IdentityCode{}}
	for i := range list {
		out.Codes = append(out.Codes, world.code(&list[i]))
	}
	return send(w, r, http.StatusOK, out)
}

func (w *world) code(c *identity.Code) IdentityCode {
	return IdentityCode{
		ID: c.Hash, Device: c.Device, DeviceName: w.nameIfKnown(c.Device), Service: c.Service, Profile: string(c.Profile), Made: momentText(c.Made), By: c.By,
		Expires: momentText(c.Expires), Used: momentText(c.Used), Serial: c.Serial, LongLife: c.LongLife,
	}
}

// postCode makes an enrolment code. The answer is the only place where it is.
func (s *Server) postCode(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[certificateRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	if q.CSR != "" {
		return fields([]problem.Field{{Field: "csr", Message: "belongs to a certificate, not to a code", Hint: "POST /identity/certificates signs it"}})
	}
	if q.Hours <= 0 || q.Hours > identity.MaxCodeLife.Hours() {
		return fields([]problem.Field{{Field: "hours", Message: "must be above 0 and at most 720", Hint: "24 is usual"}})
	}
	req, err := q.request(s, r)
	if err != nil {
		return err
	}
	est, _ := s.dep.Identity.served()
	c, err := s.dep.Identity.Authority.MakeCode(r.Context(), req, time.Duration(q.Hours*float64(time.Hour)), est)
	if err != nil {
		return identityProblem(err)
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	return send(w, r, http.StatusCreated, IdentityNewCode{Code: world.code(&c.Code), Text: c.Text, URI: c.URI})
}

func (s *Server) deleteCode(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	if err := s.dep.Identity.Authority.WithdrawCode(r.Context(), r.PathValue("id"), identity.Actor{User: s.audit(r, "", "").Who}); err != nil {
		return identityProblem(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// postRevoke ends a certificate. Where a case is in progress in the theatre of its
// device, that has to be said to be meant.
func (s *Server) postRevoke(w http.ResponseWriter, r *http.Request) error {
	type request struct {
		Reason        string `json:"reason"`
		Note          string `json:"note"`
		ConfirmInCase bool   `json:"confirm_in_case"`
	}
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	reason, err := identity.ParseReason(q.Reason)
	if err != nil {
		return fields([]problem.Field{{Field: "reason", Message: "is no reason of revocation", Hint: "one of " + list(reasonNames())}})
	}
	hit, c, err := s.impact(r.Context(), r.PathValue("serial"))
	if err != nil {
		return err
	}
	if hit.InCase && !q.ConfirmInCase {
		return problem.Conflict("A case is in progress in the theatre of this device, and revoking may cut what it shows or does.", "send confirm_in_case when that is meant; the override is recorded").Coded(problem.CaseInProgress)
	}
	done, err := s.dep.Identity.Authority.Revoke(r.Context(), identity.Revocation{Serials: []string{c.Serial}, Reason: reason, Note: strings.TrimSpace(q.Note), By: identity.Actor{User: s.audit(r, "", "").Who}})
	if err != nil {
		return identityProblem(err)
	}
	if hit.InCase {
		if err := s.recordOverride(r, &c, &hit, strings.TrimSpace(q.Note)); err != nil {
			return err
		}
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	return send(w, r, http.StatusOK, world.certificate(&done[0], s.now()))
}

func reasonNames() []string {
	var out []string
	for _, x := range identity.Reasons() {
		out = append(out, string(x))
	}
	return out
}
