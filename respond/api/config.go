// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// Config is how the API and the console are served.
type Config struct {
	Listen         string          `yaml:"listen" doc:"Address and port of the console and the API."`
	MetricsListen  string          `yaml:"metrics_listen" doc:"A second, loopback address that serves /metrics without a login; empty for none. On the main address /metrics asks for an API token with the permission read."`
	PublicURL      string          `yaml:"public_url" doc:"How browsers reach the console, where that is not the address it listens on: https://asepsis.hospital.example."`
	AllowedHosts   []string        `yaml:"allowed_hosts" doc:"Further host names under which it may be reached. IP addresses, localhost, the machine's own name and the name in public_url always are."`
	TLS            TLS             `yaml:"tls" doc:"How it proves to browsers who it is."`
	MaxBody        config.ByteSize `yaml:"max_body" doc:"The largest request that is read."`
	MaxConnections int             `yaml:"max_connections" doc:"Connections at a time; further ones wait."`
	MaxRequests    int             `yaml:"max_requests" doc:"Requests at a time, streams not counted; further ones are told to come back."`
	RequestTimeout time.Duration   `yaml:"request_timeout" doc:"How long one request may take, streams and exports not counted."`
	DrainTimeout   time.Duration   `yaml:"drain_timeout" doc:"How long requests under way may take to finish when the program ends."`
	Streams        Streams         `yaml:"streams" doc:"Live views."`
	Export         Export          `yaml:"export" doc:"Downloads of events."`

	Trust            trust.Config      `yaml:"trust" doc:"The console's certificate, of the profile infrastructure, with which it signs what it asks of gateways in other processes; and the site's root, by which it knows their answers. Not needed where the site's authority runs in the same process."`
	Gateways         map[string]string `yaml:"gateways" doc:"Device IDs under which gateways are enrolled, by the gateway's name, where that is another."`
	UnsignedGateways []string          `yaml:"unsigned_gateways" doc:"Names of gateways that have no certificate and are believed without: whoever reaches the bus can answer in their place."`
}

// TLS is the certificate of the server.
type TLS struct {
	CertFile   string            `yaml:"cert_file" doc:"Certificate chain in PEM, the server's own first. Read again when it changes."`
	KeyFile    config.SecretFile `yaml:"key_file" doc:"Its private key in PEM."`
	SelfSigned bool              `yaml:"self_signed" doc:"Without cert_file: make a certificate in the data directory on first start. Browsers ask about it once."`
	Plain      bool              `yaml:"plain" doc:"Serve HTTP without TLS. Only on a loopback address."`
}

// Streams bounds live views.
type Streams struct {
	Max           int           `yaml:"max" doc:"Streams at a time, all in all."`
	MaxPerSession int           `yaml:"max_per_session" doc:"Streams at a time of one login or token."`
	Heartbeat     time.Duration `yaml:"heartbeat" doc:"How often a silent stream says that it is alive."`
	WriteTimeout  time.Duration `yaml:"write_timeout" doc:"How long a reader may take nothing before its stream is ended; it resumes where it was."`
}

// Export bounds downloads.
type Export struct {
	Max       int           `yaml:"max" doc:"Exports at a time."`
	MaxEvents int           `yaml:"max_events" doc:"Events of one export at most; one that is cut says so."`
	Timeout   time.Duration `yaml:"timeout" doc:"How long one export may take."`
}

// Default returns the defaults: HTTPS on loopback with a certificate of its own.
func Default() Config {
	return Config{
		Listen:         "127.0.0.1:8443",
		TLS:            TLS{SelfSigned: true},
		MaxBody:        1 << 20,
		MaxConnections: 1024,
		MaxRequests:    128,
		RequestTimeout: 30 * time.Second,
		DrainTimeout:   10 * time.Second,
		Streams:        Streams{Max: 256, MaxPerSession: 16, Heartbeat: 15 * time.Second, WriteTimeout: 10 * time.Second},
		Export:         Export{Max: 4, MaxEvents: 5_000_000, Timeout: 30 * time.Minute},
		Trust:          trust.Default(),
	}
}

// Validate implements config.Validator.
func (c Config) Validate() error {
	addr, err := splitListen("listen", c.Listen)
	if err != nil {
		return err
	}
	if c.TLS.Plain && !loopback(addr) {
		return config.Invalid("tls.plain", "give a certificate in tls.cert_file, or set tls.self_signed", "serves passwords in clear on %s, which is not a loopback address", addr)
	}
	if !c.TLS.Plain && c.TLS.CertFile == "" && !c.TLS.SelfSigned {
		return config.Invalid("tls.cert_file", "or set tls.self_signed", "is needed: there is no certificate to serve HTTPS with")
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		return config.Invalid("tls.cert_file", "", "and tls.key_file belong together")
	}
	if c.MetricsListen != "" {
		addr, err := splitListen("metrics_listen", c.MetricsListen)
		if err != nil {
			return err
		}
		if !loopback(addr) {
			return config.Invalid("metrics_listen", "use /metrics of the main address with an API token", "must be a loopback address: it asks for no login")
		}
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return config.Invalid("public_url", "for example https://asepsis.hospital.example", "must be a scheme and a host, without a path")
		}
	}
	for i, h := range c.AllowedHosts {
		if h == "" || strings.ContainsAny(h, "/:*@ ") {
			return config.Invalid("allowed_hosts["+itoa(i)+"]", "for example asepsis.hospital.example", "must be a host name without scheme, port or wildcard")
		}
	}
	if c.Trust.CAFile != "" && c.Trust.CertFile == "" {
		return config.Invalid("trust.cert_file", "asepsis ca code --profile infrastructure --service console makes a code, asepsis enroll gets the certificate", "is empty: the console could sign nothing")
	}
	for _, b := range []struct {
		field     string
		n, lo, hi int64
	}{
		{"max_body", int64(c.MaxBody), 16 << 10, 64 << 20},
		{"max_connections", int64(c.MaxConnections), 8, 100_000},
		{"max_requests", int64(c.MaxRequests), 4, 10_000},
		{"streams.max", int64(c.Streams.Max), 1, 100_000},
		{"streams.max_per_session", int64(c.Streams.MaxPerSession), 1, 1000},
		{"export.max", int64(c.Export.Max), 1, 100},
		{"export.max_events", int64(c.Export.MaxEvents), 1000, 1_000_000_000},
	} {
		if b.n < b.lo || b.n > b.hi {
			return config.Invalid(b.field, "", "must be from %d to %d", b.lo, b.hi)
		}
	}
	for _, b := range []struct {
		field     string
		d, lo, hi time.Duration
	}{
		{"request_timeout", c.RequestTimeout, time.Second, 10 * time.Minute},
		{"drain_timeout", c.DrainTimeout, 0, 5 * time.Minute},
		{"streams.heartbeat", c.Streams.Heartbeat, time.Second, 5 * time.Minute},
		{"streams.write_timeout", c.Streams.WriteTimeout, time.Second, 5 * time.Minute},
		{"export.timeout", c.Export.Timeout, time.Second, 24 * time.Hour},
	} {
		if b.d < b.lo || b.d > b.hi {
			return config.Invalid(b.field, "", "must be from %s to %s", b.lo, b.hi)
		}
	}
	return nil
}

func splitListen(field, s string) (host string, err error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", config.Invalid(field, "for example 127.0.0.1:8443", "must be an address and a port")
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return "", config.Invalid(field, "for example 127.0.0.1:8443", "has no valid port")
	}
	return host, nil
}

// loopback reports whether only this machine reaches a listen address.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
