// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"net/http"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/respond/problem"
)

// recordOverride puts into the ledger that a person revoked a certificate while a case
// was in progress. The revocation stands whatever becomes of this; the answer says when
// it could not be recorded.
func (s *Server) recordOverride(r *http.Request, c *identity.Certificate, hit *IdentityImpact, note string) error {
	if s.dep.Ledger == nil {
		return nil
	}
	var sum [32]byte
	if n, err := hex.Decode(sum[:], []byte(c.SHA256)); err != nil || n != len(sum) {
		return problem.Internal(fmt.Errorf("certificate %s has the SHA-256 %q", c.Serial, c.SHA256))
	}
	st := custody.New(custody.Override, "override-revoke-"+c.Serial, s.now(), custody.SHA256("certificate", sum))
	p := &st.Predicate
	p.Site, p.Theatre, p.Device = SiteOf(r.Context(), s.dep.Store).ID, hit.Theatre, c.Device
	p.Actor = custody.Actor{Software: "asepsis/api", User: s.audit(r, "", "").Who}
	p.Reason = cmp.Or(note, "revoked during a case")
	p.Detail = map[string]any{"what": "case-in-progress", "outcome": "revoked"}
	if _, err := s.dep.Ledger.Record(r.Context(), st); err != nil {
		return ledgerProblem(err)
	}
	return nil
}
