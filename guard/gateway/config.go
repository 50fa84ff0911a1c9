// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Kinds of listener.
const (
	KindTLS   = "dicom-tls"
	KindPlain = "dicom-plain"
	KindWeb   = "dicomweb"
)

// Config is what the gateway listens to, and how it decides.
type Config struct {
	Name         string            `yaml:"name" doc:"Name of this gateway, unique at the site: its events, statements and console pages carry it."`
	AETitles     []string          `yaml:"ae_titles" doc:"AE titles of the gateway. Peers that call another are refused."`
	Listeners    []Listener        `yaml:"listeners" doc:"Where peers come in. Without any there is no gateway."`
	BindingsFile string            `yaml:"bindings_file" doc:"What each device may do; read again when it changes. Empty: bindings.yaml in the gateway's directory."`
	Ingest       IngestConfig      `yaml:"ingest" doc:"What becomes of instances."`
	Retrievals   Retrievals        `yaml:"retrievals" doc:"What happens when the ledger fails while devices retrieve."`
	Associations int               `yaml:"associations" doc:"The most associations that a listener serves at once; more are rejected as a passing overload."`
	PerAddress   int               `yaml:"connections_per_address" doc:"The most connections of one address at a listener; more are closed. So one device cannot keep the others out."`
	Limits       dicomnet.Limits   `yaml:"limits" doc:"What one association may cost."`
	Timeouts     dicomnet.Timeouts `yaml:"timeouts" doc:"How long peers are waited for."`
	UserIdentity string            `yaml:"user_identity" doc:"Answer to devices that name a user and want that acknowledged (PS3.7 §D.3.3.7): none, after which some give up, or acknowledge. It is never checked and counts for nothing: the certificate says who a device is."`
	Drain        time.Duration     `yaml:"drain" doc:"How long what is under way may go on when the gateway stops."`
}

// Listener is one door.
type Listener struct {
	Name     string             `yaml:"name" doc:"What the console calls it. Empty: its kind."`
	Kind     string             `yaml:"kind" doc:"dicom-tls, dicom-plain or dicomweb."`
	Listen   string             `yaml:"listen" doc:"Address and port. By convention 2762 is for DICOM over TLS, 104 and 11112 are for DICOM in clear."`
	Profiles []identity.Profile `yaml:"profiles" doc:"Certificate profiles that may come over TLS. Empty: dicom-node, surgical-device and xr-headset."`
	MinTLS   string             `yaml:"min_tls" doc:"1.2 or 1.3. Empty: 1.2, which devices of the last decade need; 1.3 is used where the peer has it."`
}

// Answers to what is kept in quarantine.
const (
	AnswerRefuse  = "refuse"
	AnswerWarning = "warning"
	AnswerSuccess = "success"
)

// Answers to a user identity whose acknowledgement is asked for.
const (
	UserNone        = "none"
	UserAcknowledge = "acknowledge"
)

// What becomes of instances that no route takes.
const (
	UnroutedRefuse = "refuse"
	UnroutedKeep   = "keep"
)

// IngestConfig is what becomes of instances.
type IngestConfig struct {
	Quarantine   string        `yaml:"quarantine_answer" doc:"What a sender is told of an instance that is held for review: refuse (status 0x0124, so that it keeps its own), warning (0xB006) or success."`
	Unrouted     string        `yaml:"unrouted" doc:"An instance that no route takes: refuse, or keep, which answers success and leaves it in the journal."`
	Repeat       time.Duration `yaml:"repeat" doc:"The same instance with the same content is taken only once within this time; later it is forwarded anew, as people who send it again expect."`
	LedgerWait   time.Duration `yaml:"ledger_wait" doc:"How long the ledger may take before it counts as failed, and the route's fail decides."`
	Syntaxes     []string      `yaml:"transfer_syntaxes" doc:"Transfer syntaxes in which instances are taken, the preferred one first (UIDs). Empty: every one that is known, as the sender prefers; nothing is converted on the way."`
	HeldShare    float64       `yaml:"held_share" doc:"Share of the disk that one device's instances in quarantine may take, 0.25 for a quarter; beyond it, what would be held of this device is refused with 0xA700. 0: no bound."`
	Descriptions bool          `yaml:"study_descriptions" doc:"Keep study descriptions with the records. Only where the site is sure that they name nobody."`
}

// Default returns the defaults: no listener, so no gateway.
func Default() Config {
	return Config{Name: "gateway", AETitles: []string{"ASEPSIS"}, Associations: dicomnet.DefaultAssociations, PerAddress: 32, Limits: dicomnet.DefaultLimits(), Timeouts: dicomnet.DefaultTimeouts(), Drain: 10 * time.Second, UserIdentity: UserNone,
		Ingest:     IngestConfig{Quarantine: AnswerRefuse, Unrouted: UnroutedRefuse, Repeat: time.Hour, LedgerWait: 5 * time.Second, HeldShare: 0.25},
		Retrievals: defaultRetrievals()}
}

// Enabled reports whether a gateway is wanted.
func (c Config) Enabled() bool { return len(c.Listeners) > 0 }

// Validate implements config.Validator.
func (c Config) Validate() error {
	var errs []error
	if err := control.CheckName(c.Name); err != nil || len(c.Name) > 40 {
		errs = append(errs, config.Invalid("name", "gateway-or-3", "%.40q must be 1 to 40 lower-case letters and digits, with single dashes between", c.Name))
	}
	if len(c.AETitles) == 0 {
		errs = append(errs, config.Invalid("ae_titles", "[ASEPSIS]", "is empty: no association could be taken"))
	}
	for i, ae := range c.AETitles {
		if !binding.ValidAE(ae) {
			errs = append(errs, config.Invalid(fmt.Sprintf("ae_titles[%d]", i), "1 to 16 characters of ASCII, without backslash", "%.40q is no AE title", ae))
		}
	}
	names, addresses := map[string]bool{}, map[string]bool{}
	for i, l := range c.Listeners {
		if names[l.name()] {
			errs = append(errs, config.Invalid(fmt.Sprintf("listeners[%d].name", i), "name each listener", "there are two listeners %q", l.name()))
		}
		if _, port, _ := net.SplitHostPort(l.Listen); port != "0" && addresses[l.Listen] {
			errs = append(errs, config.Invalid(fmt.Sprintf("listeners[%d].listen", i), "TLS and plain DICOM need ports of their own", "there are two listeners at %s", l.Listen))
		}
		names[l.name()], addresses[l.Listen] = true, true
	}
	if c.Associations < 1 || c.Associations > 4096 {
		errs = append(errs, config.Invalid("associations", "64 is usual", "%d is not within 1..4096", c.Associations))
	}
	if c.PerAddress < 1 || c.PerAddress > 4096 {
		errs = append(errs, config.Invalid("connections_per_address", "32 is usual", "%d is not within 1..4096", c.PerAddress))
	}
	if !slices.Contains([]string{UserNone, UserAcknowledge}, c.UserIdentity) {
		errs = append(errs, config.Invalid("user_identity", "none or acknowledge", "%q is neither", c.UserIdentity))
	}
	if c.Drain < 0 || c.Drain > 10*time.Minute {
		errs = append(errs, config.Invalid("drain", "10s is usual", "%s is not within 0s..10m", c.Drain))
	}
	return errors.Join(errs...)
}

func (l Listener) name() string { return cmp.Or(l.Name, l.Kind) }

// Validate implements config.Validator.
func (l Listener) Validate() error {
	var errs []error
	if !slices.Contains([]string{KindTLS, KindPlain, KindWeb}, l.Kind) {
		errs = append(errs, config.Invalid("kind", "dicom-tls, dicom-plain or dicomweb", "there is no kind %q", l.Kind))
	}
	if _, _, err := net.SplitHostPort(l.Listen); err != nil {
		errs = append(errs, config.Invalid("listen", "127.0.0.1:2762", "%q is no address with a port", l.Listen))
	}
	for i, p := range l.Profiles {
		if s, err := identity.SpecOf(p); err != nil || !s.Client {
			errs = append(errs, config.Invalid(fmt.Sprintf("profiles[%d]", i), "dicom-node, surgical-device, xr-headset", "%q is no profile of a client", p))
		}
	}
	if !slices.Contains([]string{"", "1.2", "1.3"}, l.MinTLS) {
		errs = append(errs, config.Invalid("min_tls", `"1.2" or "1.3"`, "%q is no version of TLS that is safe", l.MinTLS))
	}
	if l.Kind == KindPlain && (len(l.Profiles) > 0 || l.MinTLS != "") {
		errs = append(errs, config.Invalid("kind", "remove profiles and min_tls, or make it dicom-tls", "a plain listener has no certificates"))
	}
	return errors.Join(errs...)
}

// Validate implements config.Validator.
func (c IngestConfig) Validate() error {
	var errs []error
	if !slices.Contains([]string{AnswerRefuse, AnswerWarning, AnswerSuccess}, c.Quarantine) {
		errs = append(errs, config.Invalid("quarantine_answer", "refuse, warning or success", "%q is no answer", c.Quarantine))
	}
	if !slices.Contains([]string{UnroutedRefuse, UnroutedKeep}, c.Unrouted) {
		errs = append(errs, config.Invalid("unrouted", "refuse or keep", "%q is neither", c.Unrouted))
	}
	for i, uid := range c.Syntaxes {
		if _, known := dicom.SyntaxOf(uid); !known {
			errs = append(errs, config.Invalid(fmt.Sprintf("transfer_syntaxes[%d]", i), "1.2.840.10008.1.2.1 is explicit VR little endian", "%.70q is no transfer syntax that is known here", uid))
		}
	}
	if c.Repeat < 0 {
		errs = append(errs, config.Invalid("repeat", "1h is usual", "is negative"))
	}
	if c.HeldShare < 0 || c.HeldShare > 1 {
		errs = append(errs, config.Invalid("held_share", "0.25 is a quarter of the disk", "%g is not within 0..1", c.HeldShare))
	}
	if c.LedgerWait < 100*time.Millisecond || c.LedgerWait > time.Minute {
		errs = append(errs, config.Invalid("ledger_wait", "5s is usual", "%s is not within 100ms..1m: senders give up after a minute or less", c.LedgerWait))
	}
	return errors.Join(errs...)
}
