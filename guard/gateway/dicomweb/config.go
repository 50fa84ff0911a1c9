// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/config"
)

// Config is how the door is set up. Where it listens and with which certificate is decided
// by who calls Serve.
type Config struct {
	Path        string          `yaml:"path" doc:"Where the services are: clients use https://HOST:PORT/PATH/studies."`
	URL         string          `yaml:"url" doc:"How clients reach that path, as in https://gateway.st-example.internal:8443/dicom-web. Addresses in answers begin with it. Empty: what the client asked for."`
	Connections int             `yaml:"connections" doc:"How many connections may be open. More are closed at once."`
	Idle        time.Duration   `yaml:"idle" doc:"How long a connection may be open without a request."`
	Stall       time.Duration   `yaml:"stall" doc:"How long a client may neither send nor take a byte in the middle of a request."`
	MinRate     config.ByteSize `yaml:"min_rate" doc:"Bytes a second that a client must send or take on average, after the first 30 s of a request."`
	Store       Store           `yaml:"store" doc:"Storing (STOW-RS)."`
	Upstream    Upstream        `yaml:"upstream" doc:"The archive that is asked (QIDO-RS) and retrieved from (WADO-RS)."`
	Query       Query           `yaml:"query" doc:"What may be asked (QIDO-RS)."`
	Retrieve    Retrieve        `yaml:"retrieve" doc:"What may be retrieved (WADO-RS)."`
}

// Store bounds STOW-RS requests.
type Store struct {
	MaxInstance  config.ByteSize `yaml:"max_instance" doc:"The largest instance that is taken."`
	MaxRequest   config.ByteSize `yaml:"max_request" doc:"The largest body of one request."`
	MaxInstances int             `yaml:"max_instances" doc:"How many instances one request may have."`
}

// Upstream is the archive.
type Upstream struct {
	URL          string            `yaml:"url" doc:"Its DICOMweb root, as in https://pacs.st-example.internal/dicom-web. Empty: only storing is offered. http:// is for the loopback only."`
	Device       string            `yaml:"device" doc:"The device that its certificate must name. Empty: the certificate must have the host's name."`
	Username     string            `yaml:"username" doc:"For an archive that wants HTTP Basic authentication besides TLS."`
	PasswordFile config.SecretFile `yaml:"password_file" doc:"The password of username, mode 0600."`
	TokenFile    config.SecretFile `yaml:"token_file" doc:"A bearer token for the archive, mode 0600. Not together with username."`
	Wait         time.Duration     `yaml:"wait" doc:"How long the archive may take until its answer begins, and between two pieces of it."`
}

// Query is the policy of QIDO-RS.
type Query struct {
	Keys       []string `yaml:"keys" doc:"Attributes that may be matched or asked for, by keyword or tag, besides the usual ones of PS3.18 table 10.6.1-5."`
	All        bool     `yaml:"all" doc:"Whether includefield=all is passed on."`
	MaxResults int      `yaml:"max_results" doc:"The most results of one request. limit= is lowered to it."`
	MaxOffset  int      `yaml:"max_offset" doc:"The largest offset=: how far results may be paged through."`
	MaxDays    int      `yaml:"max_days" doc:"How many days a range of dates may span to count as selecting something."`
	Literal    int      `yaml:"literal" doc:"How many characters that are no wildcard a patient's name or identifier must begin with to count as selecting somebody."`
	Unselected bool     `yaml:"unselected" doc:"Whether a query may select nobody in particular. It makes browsing the archive possible."`
	Fuzzy      bool     `yaml:"fuzzy" doc:"Whether fuzzymatching=true is passed on. Otherwise matching is literal, and the answer says so."`
}

// Retrieve is the policy of WADO-RS.
type Retrieve struct {
	Resources    []string        `yaml:"resources" doc:"What may be retrieved: instances, metadata, frames, bulkdata, rendered."`
	MaxBytes     config.ByteSize `yaml:"max_bytes" doc:"The largest answer. Whole instances are on the disk until all were inspected."`
	MaxInstances int             `yaml:"max_instances" doc:"The most instances of one answer."`
	Spool        string          `yaml:"spool" doc:"Directory for them. Empty: the system's temporary directory."`
	SpoolBytes   config.ByteSize `yaml:"spool_bytes" doc:"The most bytes of the directory that are used at a time."`
	Remember     time.Duration   `yaml:"remember" doc:"How long it is remembered that an instance passed the inspection, for its frames, bulk data and renderings."`
}

// The resources of Retrieve.
const (
	Instances = "instances"
	Metadata  = "metadata"
	Frames    = "frames"
	BulkData  = "bulkdata"
	Rendered  = "rendered"
)

// Default returns the defaults.
func Default() Config {
	return Config{
		Path: "/dicom-web", Connections: 256, Idle: 2 * time.Minute, Stall: 30 * time.Second, MinRate: config.KiB,
		Store:    Store{MaxInstance: 4 * config.GiB, MaxRequest: 64 * config.GiB, MaxInstances: 10_000},
		Upstream: Upstream{Wait: time.Minute},
		Query:    Query{MaxResults: 200, MaxOffset: 10_000, MaxDays: 7, Literal: 3},
		Retrieve: Retrieve{Resources: []string{Instances, Metadata, Frames, BulkData, Rendered}, MaxBytes: 8 * config.GiB, MaxInstances: 20_000,
			SpoolBytes: 16 * config.GiB, Remember: 10 * time.Minute},
	}
}

// Validate implements config.Validator.
func (c Config) Validate() error {
	if !strings.HasPrefix(c.Path, "/") || strings.HasSuffix(c.Path, "/") || !plainPath(c.Path) {
		return config.Invalid("path", "write a path such as /dicom-web", "must begin with a slash, end without one, and hold letters, digits, dots, dashes and underscores")
	}
	if c.URL != "" {
		if u, err := url.Parse(c.URL); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !plainPath(u.EscapedPath()) {
			return config.Invalid("url", "write https://HOST:PORT/dicom-web", "must be an https address without credentials, query and percent signs")
		}
	}
	switch {
	case c.Connections < 1:
		return config.Invalid("connections", "", "must be at least 1, is %d", c.Connections)
	case c.Idle <= 0:
		return config.Invalid("idle", "", "must be positive, is %v", c.Idle)
	case c.Stall <= 0:
		return config.Invalid("stall", "", "must be positive, is %v", c.Stall)
	case c.MinRate < 0:
		return config.Invalid("min_rate", "write 0 for none", "must not be negative, is %d", int64(c.MinRate))
	}
	return nil
}

// Validate implements config.Validator.
func (s Store) Validate() error {
	switch {
	case s.MaxInstance < config.KiB:
		return config.Invalid("max_instance", "", "must be at least 1KiB, is %v", s.MaxInstance)
	case s.MaxRequest < s.MaxInstance:
		return config.Invalid("max_request", "", "is smaller than max_instance")
	case s.MaxInstances < 1:
		return config.Invalid("max_instances", "", "must be at least 1, is %d", s.MaxInstances)
	}
	return nil
}

// Validate implements config.Validator.
func (u Upstream) Validate() error {
	if u.URL != "" {
		if _, err := rootOf(u.URL); err != nil {
			return config.Invalid("url", "write https://HOST/dicom-web; http:// is only for an archive on this machine", "%v", err)
		}
	}
	switch {
	case u.Username != "" && u.TokenFile != "":
		return config.Invalid("token_file", "take one of the two out", "is set together with username")
	case u.Username == "" && u.PasswordFile != "":
		return config.Invalid("username", "", "is missing, but there is a password_file")
	case strings.ContainsAny(u.Username, ":\r\n"):
		return config.Invalid("username", "", "must not hold a colon or a line end")
	case u.Wait <= 0:
		return config.Invalid("wait", "", "must be positive, is %v", u.Wait)
	}
	return nil
}

// Validate implements config.Validator.
func (q Query) Validate() error {
	if _, err := keysOf(q.Keys); err != nil {
		return config.Invalid("keys", "write keywords such as PatientBirthDate, or tags such as 00100030", "%v", err)
	}
	switch {
	case q.MaxResults < 1:
		return config.Invalid("max_results", "", "must be at least 1, is %d", q.MaxResults)
	case q.MaxOffset < 0:
		return config.Invalid("max_offset", "", "must not be negative, is %d", q.MaxOffset)
	case q.MaxDays < 1:
		return config.Invalid("max_days", "", "must be at least 1, is %d", q.MaxDays)
	case q.Literal < 1:
		return config.Invalid("literal", "", "must be at least 1, is %d", q.Literal)
	}
	return nil
}

// Validate implements config.Validator.
func (r Retrieve) Validate() error {
	for i, name := range r.Resources {
		switch name {
		case Instances, Metadata, Frames, BulkData, Rendered:
		default:
			return config.Invalid("resources", "choose from instances, metadata, frames, bulkdata, rendered", "number %d is not known", i+1)
		}
	}
	switch {
	case r.MaxBytes < config.MiB:
		return config.Invalid("max_bytes", "", "must be at least 1MiB, is %v", r.MaxBytes)
	case r.SpoolBytes < r.MaxBytes:
		return config.Invalid("spool_bytes", "", "is smaller than max_bytes: one answer would not fit")
	case r.MaxInstances < 1:
		return config.Invalid("max_instances", "", "must be at least 1, is %d", r.MaxInstances)
	case r.Remember < 0:
		return config.Invalid("remember", "", "must not be negative, is %v", r.Remember)
	}
	return nil
}

// rootOf reads the root of a DICOMweb server elsewhere.
func rootOf(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, &textError{"is no address"}
	case u.User != nil:
		return nil, &textError{"holds credentials: they have fields of their own"}
	case u.RawQuery != "" || u.Fragment != "" || !plainPath(u.EscapedPath()) || strings.HasSuffix(u.Path, "//"):
		return nil, &textError{"has a query, a fragment or percent signs"}
	case u.Scheme == "https":
	case u.Scheme == "http" && loopback(u.Hostname()):
	default:
		return nil, &textError{"must be https, or http on the loopback"}
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// plainPath reports a path that needs no escaping and leads nowhere else.
func plainPath(p string) bool {
	for segment := range strings.SplitSeq(strings.TrimPrefix(p, "/"), "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	for i := range len(p) {
		if c := p[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("/._-~", c) >= 0) {
			return false
		}
	}
	return !strings.Contains(p, "//")
}

// textError is a constant error.
type textError struct{ text string }

func (e *textError) Error() string { return e.text }
