// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/policy"
	"github.com/asepsis/asepsis/platform/policyfile"
	"github.com/asepsis/asepsis/platform/store"
)

// The document that holds the site's policy as YAML, where no file is configured.
const (
	PolicyKind = "policy"
	PolicyID   = "site"
)

// Policy returns the site's policy: the file's, else the stored document's, else zones
// proposed from the devices. origin changes when it does, but for proposals.
func Policy(ctx context.Context, st store.Documents, file string, devs []device.Device) (p *policy.Policy, origin string, err error) {
	if file != "" {
		i, err := os.Stat(file)
		if err != nil {
			return nil, "", fmt.Errorf("policy: %w", err)
		}
		p, err := policyfile.Load(file)
		return p, fmt.Sprintf("file %d %d", i.Size(), i.ModTime().UnixNano()), err
	}
	doc, err := st.Document(ctx, PolicyKind, PolicyID)
	switch {
	case err == nil:
		p, err := policyfile.Parse("policy of the site", doc.Body)
		return p, "document " + strconv.FormatUint(doc.Revision, 10), err
	case !errors.Is(err, store.ErrNotFound):
		return nil, "", err
	}
	p, wrong := policy.Compile(policy.Propose(devs))
	if len(wrong) > 0 {
		return nil, "", fmt.Errorf("BUG: the proposed policy is not right: %s", wrong[0].Error())
	}
	return p, "proposed", nil
}

func sinceOf(s string) int64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0
	}
	return t.UnixNano()
}
