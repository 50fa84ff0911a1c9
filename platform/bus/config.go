// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/config"
)

// Config says which bus is used and how it keeps events.
type Config struct {
	URL  string `yaml:"url" doc:"Address of a NATS server with JetStream, nats://host:4222 or tls://host:4222, several with commas between; empty: this process runs one itself."`
	Name string `yaml:"name" doc:"Name of the site: first part of all subjects, streams and of the JetStream domain. Lower-case letters, digits and hyphens."`

	Listen     string   `yaml:"listen" doc:"Address at which the server of this process takes other processes, host:port; empty: this process only."`
	LeafListen string   `yaml:"leaf_listen" doc:"Address at which this process, as hub, takes the sites' connections, host:port; empty: it is no hub."`
	Sites      []string `yaml:"sites" doc:"Names of the sites whose events this process, as hub, takes over."`
	Hub        string   `yaml:"hub" doc:"Address of the hub that takes over this site's events, tls://host:7422; empty: none. The hub's being away stops nothing here."`

	TLS             TLS               `yaml:"tls" doc:"Certificates. Whatever is not loopback needs TLS."`
	TokenFile       config.SecretFile `yaml:"token_file" doc:"File with the token that clients and sites show to this process, or that it shows to the server at url."`
	HubTokenFile    config.SecretFile `yaml:"hub_token_file" doc:"File with the token that this site shows to its hub."`
	CredentialsFile config.SecretFile `yaml:"credentials_file" doc:"NATS credentials file for the server at url."`

	MaxBytes     config.ByteSize `yaml:"max_bytes" doc:"The most that events waiting on the bus take on disk. The oldest give way; who had not read them counts them as missing."`
	MaxAge       time.Duration   `yaml:"max_age" doc:"How long events stay on the bus."`
	SyncInterval time.Duration   `yaml:"sync_interval" doc:"How often the server of this process writes to the disk what a power cut would take."`
	Replicas     int             `yaml:"replicas" doc:"Copies of each stream in a cluster; 1, 3 or 5."`
	QueueBytes   config.ByteSize `yaml:"queue_bytes" doc:"The most memory that events take in a publisher while the bus is away."`
}

// TLS names the certificates of the bus.
type TLS struct {
	CAFile   string            `yaml:"ca_file" doc:"Certificates (PEM) that the other side's must come from; for a listener: clients must show one from these. Empty: the system's, and no client certificates."`
	CertFile string            `yaml:"cert_file" doc:"Own certificate with its chain (PEM)."`
	KeyFile  config.SecretFile `yaml:"key_file" doc:"Key of the own certificate (PEM)."`
}

// Default returns the defaults: a server in this process that nobody else
// can reach.
func Default() Config {
	return Config{
		Name:         "asepsis",
		MaxBytes:     2 * config.GiB,
		MaxAge:       7 * 24 * time.Hour,
		SyncInterval: 100 * time.Millisecond,
		Replicas:     1,
		QueueBytes:   64 * config.MiB,
	}
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// Bounds of the configuration.
const (
	minBytes = 16 * config.MiB
	minQueue = 2 * config.MiB
	maxSync  = 10 * time.Second
	maxSites = 1000
)

// Validate implements config.Validator.
func (c Config) Validate() error {
	var errs []error
	bad := func(field, hint, format string, args ...any) {
		errs = append(errs, config.Invalid(field, hint, format, args...))
	}
	if !validName.MatchString(c.Name) {
		bad("name", "for example or-east", "must be 1 to 32 lower-case letters, digits and hyphens, is %q", c.Name)
	}
	if c.MaxBytes < minBytes {
		bad("max_bytes", "", "must be at least %v, is %v", minBytes, c.MaxBytes)
	}
	if c.MaxAge < time.Minute {
		bad("max_age", "it bounds for how long a reader may be away without loss", "must be at least 1m, is %v", c.MaxAge)
	}
	if c.SyncInterval <= 0 || c.SyncInterval > maxSync {
		bad("sync_interval", "100ms costs nothing", "must be more than 0 and at most %v, is %v", maxSync, c.SyncInterval)
	}
	if c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5 {
		bad("replicas", "", "must be 1, 3 or 5, is %d", c.Replicas)
	}
	if c.QueueBytes < minQueue {
		bad("queue_bytes", "", "must be at least %v, is %v", minQueue, c.QueueBytes)
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		bad("tls.key_file", "", "a certificate and its key come together")
	}
	if c.URL != "" {
		errs = append(errs, c.validateExternal())
	} else {
		errs = append(errs, c.validateEmbedded())
	}
	return errors.Join(errs...)
}

func (c Config) validateExternal() error {
	var errs []error
	for _, f := range []struct{ name, value string }{{"listen", c.Listen}, {"leaf_listen", c.LeafListen}, {"hub", c.Hub}, {"sites", strings.Join(c.Sites, ",")}} {
		if f.value != "" {
			errs = append(errs, config.Invalid(f.name, "leave out url, or "+f.name, "is for the server of this process, but url names another"))
		}
	}
	for u := range strings.SplitSeq(c.URL, ",") {
		errs = append(errs, validURL("url", strings.TrimSpace(u), "nats", "tls", "ws", "wss"))
	}
	return errors.Join(errs...)
}

func (c Config) validateEmbedded() error {
	var errs []error
	if c.Replicas != 1 {
		errs = append(errs, config.Invalid("replicas", "copies need a NATS cluster: give its url", "the server of this process keeps one copy, not %d", c.Replicas))
	}
	if c.CredentialsFile != "" {
		errs = append(errs, config.Invalid("credentials_file", "use token_file", "is for a server at url"))
	}
	authenticated := c.TokenFile != "" || c.TLS.CAFile != ""
	for _, l := range []struct{ name, addr string }{{"listen", c.Listen}, {"leaf_listen", c.LeafListen}} {
		if l.addr == "" {
			continue
		}
		host, port, err := net.SplitHostPort(l.addr)
		switch {
		case err != nil || port == "":
			errs = append(errs, config.Invalid(l.name, "for example 127.0.0.1:4222", "%q is not host:port", l.addr))
		case !loopback(host) && c.TLS.CertFile == "":
			errs = append(errs, config.Invalid(l.name, "give tls.cert_file and tls.key_file, or listen on 127.0.0.1", "%s can be reached from the network and has no TLS", l.addr))
		case !loopback(host) && !authenticated:
			errs = append(errs, config.Invalid(l.name, "give token_file, or tls.ca_file so that clients need a certificate", "%s can be reached from the network by anybody", l.addr))
		}
	}
	if c.LeafListen != "" && c.TokenFile == "" {
		errs = append(errs, config.Invalid("leaf_listen", "give token_file, and the same token to the sites as bus.hub_token_file", "sites need a token"))
	}
	if c.Hub != "" {
		errs = append(errs, validURL("hub", c.Hub, "nats", "tls", "nats-leaf", "ws", "wss"))
	} else if c.HubTokenFile != "" {
		errs = append(errs, config.Invalid("hub_token_file", "give hub", "there is no hub to show it to"))
	}
	if len(c.Sites) > 0 && c.LeafListen == "" {
		errs = append(errs, config.Invalid("sites", "give leaf_listen", "sites have nowhere to connect to"))
	}
	if len(c.Sites) > maxSites {
		errs = append(errs, config.Invalid("sites", "", "at most %d, are %d", maxSites, len(c.Sites)))
	}
	for i, s := range c.Sites {
		if !validName.MatchString(s) || s == c.Name || slices.Contains(c.Sites[:i], s) {
			errs = append(errs, config.Invalid("sites", "each site has a name of its own, as in its bus.name", "%q is not the name of another site", s))
		}
	}
	return errors.Join(errs...)
}

func validURL(field, s string, schemes ...string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" || !slices.Contains(schemes, u.Scheme) {
		return config.Invalid(field, "for example tls://nats.hospital.example:4222", "%q is not the address of a NATS server", redacted(s))
	}
	if u.User != nil {
		return config.Invalid(field, "put the token into a file and name it", "holds a secret")
	}
	return nil
}

// redacted leaves out what may be a password.
func redacted(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return "...@" + s[i+1:]
	}
	return s
}

// loopback reports whether only this machine reaches the host.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
