// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/dicomweb"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Config says where instances go.
type Config struct {
	Destinations []Destination `yaml:"destinations" doc:"Where instances go to."`
	Routes       []Route       `yaml:"routes" doc:"Which instances go where. All routes that match count; a destination gets an instance once, by the first of them."`
	Lag          time.Duration `yaml:"lag_alarm" doc:"How long an instance may wait for its destination before it is a finding."`
	LedgerRetry  time.Duration `yaml:"ledger_retry" doc:"How often a ledger that does not record is tried again."`
}

// Kinds of destination.
const (
	KindDIMSE = "dimse"
	KindSTOW  = "stow"
)

// How a destination is known over TLS.
const (
	TLSNone = "none"
	TLSSite = "site" // by a certificate of the site's own authority
	TLSFile = "file" // by authorities in a file
)

// What happens on a route when the ledger fails.
const (
	FailClosed = "closed"
	FailOpen   = "open-and-alarm"
)

// Destination is a PACS, an XR processor, or whatever takes instances.
type Destination struct {
	Name      string `yaml:"name" doc:"What routes, records and the console call it."`
	Kind      string `yaml:"kind" doc:"dimse or stow."`
	Address   string `yaml:"address" doc:"host:port of a DIMSE destination."`
	CalledAE  string `yaml:"called_ae" doc:"The destination's AE title."`
	CallingAE string `yaml:"calling_ae" doc:"The AE title by which the destination knows the gateway."`

	Stow dicomweb.Destination `yaml:"stow" doc:"The server of a STOW-RS destination."`

	TLS        string            `yaml:"tls" doc:"none; site: TLS with the gateway's certificate, and the destination has one of the site's authority; file: with certificates in files, for systems that have their own."`
	Device     string            `yaml:"device" doc:"Device ID that the destination's certificate must name. For tls: site."`
	CAFile     string            `yaml:"ca_file" doc:"Authorities that the destination's certificate must come from, PEM. For tls: file."`
	ServerName string            `yaml:"server_name" doc:"Name that the certificate must have; empty: the address. For tls: file."`
	CertFile   string            `yaml:"cert_file" doc:"The gateway's certificate for this destination, PEM. For tls: file; empty: none."`
	KeyFile    config.SecretFile `yaml:"key_file" doc:"The key of cert_file, PEM, mode 0600."`

	Theatre      string        `yaml:"theatre" doc:"Where the destination is: what waits for it is urgent while a case is in progress there. Empty: where each instance comes from."`
	Syntaxes     []string      `yaml:"transfer_syntaxes" doc:"Transfer syntax UIDs that it takes, the preferred one first; uncompressed instances are converted between uncompressed ones. Empty: as instances come."`
	Deid         string        `yaml:"deid" doc:"De-identification profile that instances pass; empty: none."`
	Associations int           `yaml:"associations" doc:"The most associations, or connections, at the same time."`
	Linger       time.Duration `yaml:"linger" doc:"How long an association is kept when there is nothing to send."`
	Shared       bool          `yaml:"shared" doc:"Others store there directly, too. Otherwise whoever does so around the gateway is a finding."`
	Commitment   bool          `yaml:"commitment" doc:"Ask for storage commitment: an instance is done when the destination has taken responsibility for it."`
	CommitWithin time.Duration `yaml:"commit_within" doc:"How long the destination's report may take before it is asked again."`
	Attempts     int           `yaml:"attempts" doc:"How often an instance is tried before it is given up; not counted while the destination cannot be reached. 0: 10 times; -1: no limit."`
	Age          time.Duration `yaml:"age" doc:"How long an instance waits before it is given up. 0: 72h; -1s: no limit."`
	BackoffMin   time.Duration `yaml:"backoff_min" doc:"How long a destination rests after a failure, first."`
	BackoffMax   time.Duration `yaml:"backoff_max" doc:"And at most."`

	Timeouts dicomnet.Timeouts `yaml:"timeouts" doc:"How long the destination is waited for."`
}

// Route says which instances go where. What is empty matches everything.
type Route struct {
	Name             string   `yaml:"name" doc:"What records and the console call it."`
	Modalities       []string `yaml:"modalities" doc:"Such as CT and MR."`
	CallingAE        []string `yaml:"calling_ae" doc:"AE titles of senders."`
	CalledAE         []string `yaml:"called_ae" doc:"AE titles of the gateway that were called."`
	Devices          []string `yaml:"devices" doc:"Device IDs of senders."`
	StudyDescription []string `yaml:"study_description" doc:"Patterns, in which * is any text and ? any character; case does not count."`
	SOPClasses       []string `yaml:"sop_classes" doc:"SOP class UIDs."`
	Theatres         []string `yaml:"theatres" doc:"Where senders are."`
	Case             string   `yaml:"case" doc:"in-progress or none: whether a case is in progress where the sender is. Empty: both."`
	Schedule         Schedule `yaml:"schedule" doc:"When."`
	To               []string `yaml:"to" doc:"Names of destinations."`
	Fail             string   `yaml:"fail" doc:"What happens when the ledger or the firewall fails: closed holds instances back, open-and-alarm lets them pass and tells people."`
}

// Schedule is a time of the week.
type Schedule struct {
	Days []string `yaml:"days" doc:"mon, tue, wed, thu, fri, sat, sun. Empty: every day."`
	From string   `yaml:"from" doc:"Time of the day, 07:00. Empty: from midnight."`
	To   string   `yaml:"to" doc:"Until then, exclusive; before from: over midnight, and the day is that on which it began. Empty: to midnight."`
	Zone string   `yaml:"zone" doc:"Time zone, Europe/Berlin. Empty: UTC."`
}

// Default holds the documented defaults.
func Default() Config {
	return Config{Lag: 15 * time.Minute, LedgerRetry: 5 * time.Second}
}

// DefaultDestination holds those of a destination. A file's destination has them where it says nothing.
func DefaultDestination() Destination {
	return Destination{Kind: KindDIMSE, TLS: TLSNone, Stow: dicomweb.DefaultDestination(), Associations: 2, Linger: 15 * time.Second, CommitWithin: 15 * time.Minute, Attempts: 10,
		Age: 72 * time.Hour, BackoffMin: time.Second, BackoffMax: 2 * time.Minute, Timeouts: dicomnet.Timeouts{Connect: 10 * time.Second, Associate: 20 * time.Second,
			Idle: 10 * time.Minute, PDU: 30 * time.Second, Write: 30 * time.Second, Response: 2 * time.Minute, Cancel: 10 * time.Second, Close: 3 * time.Second}}
}

// filled returns d with the defaults where it says nothing.
func (d Destination) filled() Destination {
	def := DefaultDestination()
	set := func(v *time.Duration, to time.Duration) {
		if *v == 0 {
			*v = to
		}
	}
	if d.Kind == "" {
		d.Kind = def.Kind
	}
	if d.TLS == "" {
		d.TLS = def.TLS
	}
	if d.Associations == 0 {
		d.Associations = def.Associations
	}
	if d.Attempts == 0 {
		d.Attempts = def.Attempts
	}
	set(&d.Age, def.Age)
	set(&d.Linger, def.Linger)
	set(&d.CommitWithin, def.CommitWithin)
	set(&d.BackoffMin, def.BackoffMin)
	set(&d.BackoffMax, max(def.BackoffMax, d.BackoffMin))
	set(&d.Stow.Stall, def.Stow.Stall)
	set(&d.Stow.Wait, def.Stow.Wait)
	for _, t := range [...][2]*time.Duration{{&d.Timeouts.Connect, &def.Timeouts.Connect}, {&d.Timeouts.Associate, &def.Timeouts.Associate}, {&d.Timeouts.Idle, &def.Timeouts.Idle},
		{&d.Timeouts.PDU, &def.Timeouts.PDU}, {&d.Timeouts.Write, &def.Timeouts.Write}, {&d.Timeouts.Response, &def.Timeouts.Response}, {&d.Timeouts.Cancel, &def.Timeouts.Cancel},
		{&d.Timeouts.Close, &def.Timeouts.Close}} {
		set(t[0], *t[1])
	}
	return d
}

// maxDestinations and maxRoutes bound a configuration.
const (
	maxDestinations = 200
	maxRoutes       = 1000
	maxAssociations = 16
)

// Validate reports what cannot be used.
func (c Config) Validate() error {
	var errs []error
	if len(c.Destinations) > maxDestinations {
		errs = append(errs, config.Invalid("destinations", "", "has %d entries, more than %d", len(c.Destinations), maxDestinations))
	}
	if len(c.Routes) > maxRoutes {
		errs = append(errs, config.Invalid("routes", "", "has %d entries, more than %d", len(c.Routes), maxRoutes))
	}
	if c.Lag <= 0 {
		errs = append(errs, config.Invalid("lag_alarm", "15m is usual", "must be positive, is %v", c.Lag))
	}
	if c.LedgerRetry <= 0 {
		errs = append(errs, config.Invalid("ledger_retry", "5s is usual", "must be positive, is %v", c.LedgerRetry))
	}
	names := map[string]bool{}
	for i, d := range c.Destinations {
		if names[d.Name] {
			errs = append(errs, config.Invalid(fmt.Sprintf("destinations[%d].name", i), "names tell destinations apart", "%q is there twice", d.Name))
		}
		names[d.Name] = true
	}
	routes := map[string]bool{}
	for i, r := range c.Routes {
		at := fmt.Sprintf("routes[%d].", i)
		if routes[r.Name] {
			errs = append(errs, config.Invalid(at+"name", "names tell routes apart", "%q is there twice", r.Name))
		}
		routes[r.Name] = true
		for n, to := range r.To {
			if !names[to] {
				errs = append(errs, config.Invalid(fmt.Sprintf("%sto[%d]", at, n), "name one of destinations", "there is no destination %q", to))
			}
		}
	}
	return errors.Join(errs...)
}

// Validate reports what cannot be used.
func (d Destination) Validate() error {
	d = d.filled()
	var errs []error
	bad := func(field, hint, format string, args ...any) {
		errs = append(errs, config.Invalid(field, hint, format, args...))
	}
	if !word(d.Name) {
		bad("name", "such as pacs or xr-or-3", "%q is not a name of letters, digits, dots, dashes and underscores", d.Name)
	}
	switch d.Kind {
	case KindDIMSE:
		if _, port, err := net.SplitHostPort(d.Address); err != nil || port == "" {
			bad("address", "pacs.st-example.internal:2762", "%q is not host:port", d.Address)
		}
		for _, f := range [...][2]string{{"called_ae", d.CalledAE}, {"calling_ae", d.CallingAE}} {
			if !aeTitle(f[1]) {
				bad(f[0], "at most 16 characters, no backslash", "%q is not an AE title", f[1])
			}
		}
	case KindSTOW:
		switch err := d.Stow.Validate(); {
		case err != nil:
			bad("stow", "", "%v", err)
		case d.Stow.URL == "":
			bad("stow.url", "https://HOST/dicom-web", "is missing")
		}
		if d.Commitment {
			bad("commitment", "", "STOW-RS has no storage commitment")
		}
	default:
		bad("kind", "dimse or stow", "%q is neither", d.Kind)
	}
	switch d.TLS {
	case TLSNone:
		if d.Device != "" || d.CAFile != "" || d.CertFile != "" {
			bad("tls", "site or file", "says none, and certificates are named")
		}
	case TLSSite:
		if d.Device == "" && d.Kind == KindDIMSE {
			bad("device", "the device ID of the destination, from the inventory", "is missing: over TLS the destination is known by it")
		}
	case TLSFile:
		if d.CAFile == "" {
			bad("ca_file", "the authority of the destination, PEM", "is missing")
		}
		if (d.CertFile == "") != (d.KeyFile == "") {
			bad("cert_file", "give both or neither", "a certificate needs its key")
		}
	default:
		bad("tls", "none, site or file", "%q is none of them", d.TLS)
	}
	for i, s := range d.Syntaxes {
		if _, ok := dicom.SyntaxOf(s); !ok {
			bad(fmt.Sprintf("transfer_syntaxes[%d]", i), "1.2.840.10008.1.2.1 is explicit VR little endian", "%q is no known transfer syntax", s)
		}
	}
	if d.Associations < 1 || d.Associations > maxAssociations {
		bad("associations", "2 is usual", "%d is not within 1..%d", d.Associations, maxAssociations)
	}
	for _, f := range [...]struct {
		name string
		v    time.Duration
	}{{"linger", d.Linger}, {"commit_within", d.CommitWithin}, {"backoff_min", d.BackoffMin}} {
		if f.v < 0 {
			bad(f.name, "", "%v is negative", f.v)
		}
	}
	if d.BackoffMax < d.BackoffMin {
		bad("backoff_max", "2m is usual", "%v is less than backoff_min, %v", d.BackoffMax, d.BackoffMin)
	}
	return errors.Join(errs...)
}

// Validate reports what cannot be used.
func (r Route) Validate() error {
	var errs []error
	bad := func(field, hint, format string, args ...any) {
		errs = append(errs, config.Invalid(field, hint, format, args...))
	}
	if !word(r.Name) {
		bad("name", "such as ct-to-xr", "%q is not a name of letters, digits, dots, dashes and underscores", r.Name)
	}
	if len(r.To) == 0 {
		bad("to", "name a destination", "is empty")
	}
	if !slices.Contains([]string{"", FailClosed, FailOpen}, r.Fail) {
		bad("fail", "closed or open-and-alarm", "%q is neither", r.Fail)
	}
	if !slices.Contains([]string{"", caseInProgress, caseNone}, r.Case) {
		bad("case", "in-progress or none", "%q is neither", r.Case)
	}
	for i, p := range r.StudyDescription {
		if _, err := path.Match(p, ""); err != nil || strings.ContainsAny(p, `[\`) {
			bad(fmt.Sprintf("study_description[%d]", i), "* is any text, ? any character", "%q is no pattern", p)
		}
	}
	for i, uid := range r.SOPClasses {
		if !dicom.ValidUID(uid) {
			bad(fmt.Sprintf("sop_classes[%d]", i), "1.2.840.10008.5.1.4.1.1.2 is CT image storage", "%q is no UID", uid)
		}
	}
	if _, err := compileSchedule(r.Schedule); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func word(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(".-_", c)
	})
}

// aeTitle follows PS3.5 §6.2: at most 16 characters of the default repertoire, without
// backslash and control characters, and not of spaces alone.
func aeTitle(s string) bool {
	return s != "" && len(s) <= 16 && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' || c == '\\' })
}
