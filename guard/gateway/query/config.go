// SPDX-License-Identifier: Apache-2.0

package query

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Config says whom the gateway asks, and what peers may ask for.
type Config struct {
	Archives     []Archive     `yaml:"archives" doc:"Whom requests are passed on to: archives, worklists, procedure step managers. Of several that serve an operation, the first that is meant by the called AE title."`
	Policies     []Policy      `yaml:"policies" doc:"What peers may ask for. The first that names the device, or names none, counts; without one, the defaults of a policy."`
	Destinations []Destination `yaml:"move_destinations" doc:"Where C-MOVE may send to: AE titles that peers name, and the gateway's destinations that they stand for."`
	Callbacks    []Callback    `yaml:"commitment_callbacks" doc:"Where devices listen for reports of storage commitment, if they do not wait for them on the association that asked."`
	MoveWait     time.Duration `yaml:"move_wait" doc:"How long a C-MOVE waits for what the archive sent to reach its destination, before the rest counts as failed."`
	CommitWait   time.Duration `yaml:"commitment_wait" doc:"How long a request for storage commitment may stay open before what is not safe by then is reported as failed."`
	Expect       time.Duration `yaml:"expect" doc:"How long after a worklist was read its patients are expected from the device that read it."`
	Timeouts     Timeouts      `yaml:"timeouts" doc:"How long archives are waited for."`
}

// Timeouts are those towards archives.
type Timeouts struct {
	Connect  time.Duration `yaml:"connect" doc:"Connection, TLS and association."`
	Response time.Duration `yaml:"response" doc:"Until the next answer of a request."`
}

// Archive is somebody who is asked.
type Archive struct {
	Name       string   `yaml:"name" doc:"What the console calls it."`
	Address    string   `yaml:"address" doc:"Host and port."`
	CalledAE   string   `yaml:"called_ae" doc:"Its AE title."`
	CallingAE  string   `yaml:"calling_ae" doc:"How the gateway calls itself there. Empty: the first of gateway.ae_titles."`
	MoveAE     string   `yaml:"move_ae" doc:"The AE title under which the archive knows the gateway as a destination of C-MOVE. Empty: calling_ae."`
	TLS        bool     `yaml:"tls" doc:"Use TLS, with the gateway's certificate."`
	Device     string   `yaml:"device" doc:"Device ID: what its certificate must name, and who may send what a C-MOVE asked for."`
	Operations []string `yaml:"operations" doc:"What it is asked for: find, move, get, worklist, mpps."`
	For        []string `yaml:"for" doc:"AE titles of the gateway by which peers mean this one; empty: all."`
}

// Policy is what peers may ask for.
type Policy struct {
	Devices      []string `yaml:"devices" doc:"For whom; empty: for all that no policy before names."`
	Keys         []string `yaml:"keys" doc:"Keywords of PS3.6 by which they may search, as PatientID; empty: any."`
	Results      int      `yaml:"max_results" doc:"The most answers; then the archive is told to stop, and the peer that there was more."`
	Literal      int      `yaml:"literal" doc:"How many characters that are no wildcard a key must have to restrict a query."`
	Unrestricted bool     `yaml:"unrestricted" doc:"Let pass queries that no key restricts: everybody at once."`
}

// Destination is an AE title that C-MOVE may name.
type Destination struct {
	AE          string `yaml:"ae" doc:"The AE title."`
	Destination string `yaml:"destination" doc:"Name of the gateway's destination, as in forward.destinations."`
}

// Callback is where a device listens.
type Callback struct {
	Device  string `yaml:"device" doc:"Device ID."`
	Address string `yaml:"address" doc:"Host and port."`
	AE      string `yaml:"ae" doc:"Its AE title there."`
	TLS     bool   `yaml:"tls" doc:"Use TLS; the certificate must name the device."`
}

// Defaults of a policy.
const (
	DefaultResults = 500
	DefaultLiteral = 2
)

// Default returns the defaults: nobody is asked.
func Default() Config {
	return Config{MoveWait: time.Minute, CommitWait: 24 * time.Hour, Expect: 16 * time.Hour, Timeouts: Timeouts{Connect: 10 * time.Second, Response: 2 * time.Minute}}
}

// operations are those that are proxied.
func operations() []string {
	return []string{binding.Find, binding.Move, binding.Get, binding.Worklist, binding.MPPS}
}

// Validate implements config.Validator.
func (c Config) Validate() error {
	var errs []error
	names := map[string]bool{}
	for i, a := range c.Archives {
		if names[a.Name] {
			errs = append(errs, config.Invalid(fmt.Sprintf("archives[%d].name", i), "", "there are two archives %q", a.Name))
		}
		names[a.Name] = true
	}
	known := map[string]bool{}
	for i, d := range c.Destinations {
		if known[d.AE] {
			errs = append(errs, config.Invalid(fmt.Sprintf("move_destinations[%d].ae", i), "", "%q is there twice", d.AE))
		}
		known[d.AE] = true
	}
	for _, d := range []struct {
		name  string
		value time.Duration
		most  time.Duration
	}{{"move_wait", c.MoveWait, time.Hour}, {"commitment_wait", c.CommitWait, 30 * 24 * time.Hour}, {"expect", c.Expect, 30 * 24 * time.Hour}} {
		if d.value < 0 || d.value > d.most {
			errs = append(errs, config.Invalid(d.name, "", "%s is not within 0s..%s", d.value, d.most))
		}
	}
	return errors.Join(errs...)
}

// Validate implements config.Validator.
func (t Timeouts) Validate() error {
	if t.Connect < 100*time.Millisecond || t.Connect > time.Minute || t.Response < time.Second || t.Response > time.Hour {
		return config.Invalid("connect", "10s is usual for connect, 2m for response", "connect must be within 100ms..1m, response within 1s..1h")
	}
	return nil
}

func address(field, s string) error {
	if host, port, err := net.SplitHostPort(s); err != nil || host == "" || port == "" {
		return config.Invalid(field, "pacs.st-example.internal:2762", "%q is no host with a port", s)
	}
	return nil
}

func title(field, s string, may bool) error {
	if may && s == "" || binding.ValidAE(s) {
		return nil
	}
	return config.Invalid(field, "1 to 16 characters of ASCII, without backslash", "%.40q is no AE title", s)
}

// Validate implements config.Validator.
func (a Archive) Validate() error {
	errs := []error{address("address", a.Address), title("called_ae", a.CalledAE, false), title("calling_ae", a.CallingAE, true), title("move_ae", a.MoveAE, true)}
	if a.Name == "" {
		errs = append(errs, config.Invalid("name", "pacs", "is empty"))
	}
	if len(a.Operations) == 0 {
		errs = append(errs, config.Invalid("operations", "some of: "+strings.Join(operations(), ", "), "is empty: it would be asked for nothing"))
	}
	for i, o := range a.Operations {
		if !slices.Contains(operations(), o) {
			errs = append(errs, config.Invalid(fmt.Sprintf("operations[%d]", i), "one of: "+strings.Join(operations(), ", "), "%.20q is no operation that is passed on", o))
		}
	}
	if a.TLS && a.Device == "" {
		errs = append(errs, config.Invalid("device", "the device ID in its certificate", "is empty: over TLS the archive must prove who it is"))
	}
	if a.Device == "" && slices.Contains(a.Operations, binding.Move) {
		errs = append(errs, config.Invalid("device", "the device ID under which it is bound at this gateway", "is empty: what a C-MOVE asked for could come from anybody"))
	}
	return errors.Join(errs...)
}

// Validate implements config.Validator.
func (p Policy) Validate() error {
	var errs []error
	for i, k := range p.Keys {
		if _, ok := dicom.TagOf(k); !ok {
			errs = append(errs, config.Invalid(fmt.Sprintf("keys[%d]", i), "PatientID, AccessionNumber, StudyDate", "%.40q is no keyword of PS3.6", k))
		}
	}
	if p.Results < 0 || p.Literal < 0 {
		errs = append(errs, config.Invalid("max_results", "0 is the default", "max_results and literal cannot be negative"))
	}
	return errors.Join(errs...)
}

// Validate implements config.Validator.
func (d Destination) Validate() error {
	if d.Destination == "" {
		return errors.Join(title("ae", d.AE, false), config.Invalid("destination", "", "is empty"))
	}
	return title("ae", d.AE, false)
}

// Validate implements config.Validator.
func (c Callback) Validate() error {
	errs := []error{address("address", c.Address), title("ae", c.AE, false)}
	if c.Device == "" {
		errs = append(errs, config.Invalid("device", "", "is empty"))
	}
	return errors.Join(errs...)
}
