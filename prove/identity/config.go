// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"errors"
	"time"

	"github.com/asepsis/asepsis/platform/config"
)

// Config is how an authority works, besides what its directory says it is.
type Config struct {
	CRLEvery    time.Duration `yaml:"crl_every" doc:"How often a new CRL is signed when nothing was revoked. A revocation signs one at once."`
	CRLValid    time.Duration `yaml:"crl_valid" doc:"How long a CRL is valid. Who relies on it refuses new connections after that, so it is also how long the authority may be down."`
	OCSPValid   time.Duration `yaml:"ocsp_valid" doc:"How long an OCSP answer is valid. It may be stapled for as long."`
	WarnExpiry  time.Duration `yaml:"warn_long_life" doc:"How long before its end a certificate that nobody renews by itself is a finding."`
	WarnIssuing time.Duration `yaml:"warn_authority" doc:"How long before its end an issuing authority, or the CRL of the root, is a finding."`
}

// Default returns the defaults.
func Default() Config {
	const day = 24 * time.Hour
	return Config{CRLEvery: time.Hour, CRLValid: day, OCSPValid: 4 * time.Hour, WarnExpiry: 60 * day, WarnIssuing: 120 * day}
}

// Validate implements config.Validator.
func (c Config) Validate() error {
	var errs []error
	if c.CRLEvery < time.Minute || c.CRLEvery > 24*time.Hour {
		errs = append(errs, config.Invalid("crl_every", "1h", "must be from 1m to 24h, is %s", c.CRLEvery))
	}
	if c.CRLValid < 2*c.CRLEvery || c.CRLValid > 30*24*time.Hour {
		errs = append(errs, config.Invalid("crl_valid", "24h", "must be at least twice crl_every and at most 720h, is %s", c.CRLValid))
	}
	if c.OCSPValid < time.Minute || c.OCSPValid > 7*24*time.Hour {
		errs = append(errs, config.Invalid("ocsp_valid", "4h", "must be from 1m to 168h, is %s", c.OCSPValid))
	}
	for name, d := range map[string]time.Duration{"warn_long_life": c.WarnExpiry, "warn_authority": c.WarnIssuing} {
		if d < 0 {
			errs = append(errs, config.Invalid(name, "", "must not be negative, is %s", d))
		}
	}
	return errors.Join(errs...)
}
