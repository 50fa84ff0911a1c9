// SPDX-License-Identifier: Apache-2.0

package atna

import (
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/config"
)

// Patients says how patients stand in messages.
type Patients string

// The ways.
const (
	Pseudonym Patients = "pseudonym"
	Clear     Patients = "clear"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Patients) UnmarshalText(text []byte) error {
	switch v := Patients(text); v {
	case Pseudonym, Clear:
		*p = v
		return nil
	}
	return &choiceError{"want pseudonym or clear"}
}

type choiceError struct{ text string }

func (e *choiceError) Error() string { return e.text }

// Config is where messages go, and how.
type Config struct {
	Address    string            `yaml:"address" doc:"The audit repository, HOST:PORT; the port of syslog over TLS is 6514. Empty: no audit messages."`
	Device     string            `yaml:"device" doc:"The device or service that the repository's certificate must name, where it is one of the site's. Empty: the certificate must have the host's name."`
	CAFile     string            `yaml:"ca_file" doc:"Root of the repository's certificate, PEM, where it is not one of the site's own authority. Its certificate must have the host's name then."`
	CertFile   string            `yaml:"cert_file" doc:"Certificate to show to a repository with its own ca_file, PEM. Empty: the gateway's own."`
	KeyFile    config.SecretFile `yaml:"key_file" doc:"The key of cert_file, PEM, mode 0600."`
	Site       string            `yaml:"site" doc:"AuditEnterpriseSiteID of every message. May be empty."`
	Source     string            `yaml:"source" doc:"AuditSourceID of every message. Empty: the gateway's name."`
	Host       string            `yaml:"host" doc:"HOSTNAME of the syslog header. Empty: the machine's name."`
	Patients   Patients          `yaml:"patients" doc:"How patients stand in messages: pseudonym, or clear."`
	SpoolBytes config.ByteSize   `yaml:"spool_bytes" doc:"The most bytes of messages that wait on the disk."`
	Settle     time.Duration     `yaml:"settle" doc:"How long a connection must live on after the repository's machine acknowledged a message, for the message to count as delivered."`
	RetryMin   time.Duration     `yaml:"retry_min" doc:"How long to wait before the second attempt to connect; it doubles with each."`
	RetryMax   time.Duration     `yaml:"retry_max" doc:"The longest wait between attempts to connect."`
	Timeout    time.Duration     `yaml:"timeout" doc:"How long connecting, and one write, may take."`
}

// Default returns the defaults.
func Default() Config {
	return Config{Patients: Pseudonym, SpoolBytes: 256 * config.MiB, Settle: 2 * time.Second, RetryMin: time.Second, RetryMax: time.Minute, Timeout: 20 * time.Second}
}

// Validate implements config.Validator.
func (c Config) Validate() error {
	if c.Address != "" {
		host, port, err := net.SplitHostPort(c.Address)
		if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n == 0 || host == "" {
			return config.Invalid("address", "write HOST:6514", "is no host with a port")
		}
	}
	switch {
	case (c.CertFile == "") != (c.KeyFile == ""):
		return config.Invalid("key_file", "set both or neither", "cert_file and key_file belong together")
	case c.CertFile != "" && c.CAFile == "":
		return config.Invalid("ca_file", "", "is missing: cert_file is for a repository that is not of the site's authority")
	case c.CAFile != "" && c.Device != "":
		return config.Invalid("device", "take it out", "is for a repository with a certificate of the site's authority")
	case c.Patients != Pseudonym && c.Patients != Clear:
		return config.Invalid("patients", "write pseudonym or clear", "is neither")
	case c.SpoolBytes < 64*config.KiB:
		return config.Invalid("spool_bytes", "", "must be at least 64KiB, is %v", c.SpoolBytes)
	case c.Settle < 0:
		return config.Invalid("settle", "", "must not be negative, is %v", c.Settle)
	case c.RetryMin <= 0 || c.RetryMax < c.RetryMin:
		return config.Invalid("retry_max", "", "retry_min must be positive, and retry_max not smaller")
	case c.Timeout <= 0:
		return config.Invalid("timeout", "", "must be positive, is %v", c.Timeout)
	case strings.ContainsAny(c.Host, " \t\r\n"):
		return config.Invalid("host", "", "must not hold white space")
	}
	return nil
}
