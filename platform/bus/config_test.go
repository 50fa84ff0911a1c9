// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/asepsis/asepsis/platform/config"
)

func TestTheDefaultsAreValid(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestAConfigurationThatIsNotSafeOrMakesNoSenseIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change      func(*Config)
		field, text string
	}{
		"name with a dot":                       {func(c *Config) { c.Name = "or.3" }, "name", "letters"},
		"open listener without TLS":             {func(c *Config) { c.Listen = "0.0.0.0:4222" }, "listen", "has no TLS"},
		"open listener with TLS and no secret":  {func(c *Config) { c.Listen, c.TLS.CertFile, c.TLS.KeyFile = ":4222", "c", "k" }, "listen", "by anybody"},
		"open leaf listener without TLS":        {func(c *Config) { c.LeafListen = "10.1.2.3:7422" }, "leaf_listen", "has no TLS"},
		"hub without a token":                   {func(c *Config) { c.LeafListen = "127.0.0.1:7422" }, "leaf_listen", "need a token"},
		"no port":                               {func(c *Config) { c.Listen = "localhost" }, "listen", "host:port"},
		"certificate without key":               {func(c *Config) { c.TLS.CertFile = "c" }, "tls.key_file", "together"},
		"url and listener":                      {func(c *Config) { c.URL, c.Listen = "nats://127.0.0.1", "127.0.0.1:1" }, "listen", "another"},
		"url with a password":                   {func(c *Config) { c.URL = "nats://me:secret@nats.example" }, "url", "holds a secret"},
		"url of something else":                 {func(c *Config) { c.URL = "https://nats.example" }, "url", "not the address"},
		"hub without scheme":                    {func(c *Config) { c.Hub = "hub.example:7422" }, "hub", "not the address"},
		"sites without a place to connect to":   {func(c *Config) { c.Sites = []string{"or-east"} }, "sites", "nowhere"},
		"a site of the same name":               {func(c *Config) { c.LeafListen, c.TokenFile, c.Sites = "127.0.0.1:1", "t", []string{"asepsis"} }, "sites", "another site"},
		"copies without a cluster":              {func(c *Config) { c.Replicas = 3 }, "replicas", "one copy"},
		"two copies":                            {func(c *Config) { c.URL, c.Replicas = "nats://127.0.0.1", 2 }, "replicas", "1, 3 or 5"},
		"syncing every two minutes":             {func(c *Config) { c.SyncInterval = 2 * time.Minute }, "sync_interval", "at most"},
		"a queue that holds no batch":           {func(c *Config) { c.QueueBytes = 1 }, "queue_bytes", "at least"},
		"a stream that holds nothing":           {func(c *Config) { c.MaxBytes = 1 }, "max_bytes", "at least"},
		"a stream that forgets at once":         {func(c *Config) { c.MaxAge = 0 }, "max_age", "at least"},
		"credentials for the server in process": {func(c *Config) { c.CredentialsFile = "f" }, "credentials_file", "url"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Default()
			c.change(&cfg)
			err := cfg.Validate()
			var f *config.FieldError
			if !errors.As(err, &f) || f.Field != c.field || !strings.Contains(f.Message, c.text) {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "secret@") {
				t.Errorf("shows the secret: %v", err)
			}
			if _, err := Open(context.Background(), cfg, Deps{Dir: t.TempDir()}); err == nil {
				t.Error("opened")
			}
		})
	}
}

// certificate writes a certificate of its own for 127.0.0.1.
func certificate(t *testing.T) TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bus of a test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, b []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	cert := write("cert.pem", "CERTIFICATE", der)
	return TLS{CAFile: cert, CertFile: cert, KeyFile: config.SecretFile(write("key.pem", "PRIVATE KEY", secret))}
}

func TestAListenerTakesWhoHasCertificateAndTokenAndNobodyElse(t *testing.T) {
	files, token := certificate(t), secretFile(t, "a token of this test")
	host := open(t, func(c *Config) { c.Listen, c.TLS, c.TokenFile = "127.0.0.1:0", files, token })
	listen, _ := host.Addrs()
	other := openIn(t, "", func(c *Config) { c.URL, c.TLS, c.TokenFile = "tls://"+listen, files, token })
	got, _ := reading(t, host, 0)
	p := other.NewPublisher("s", PublisherOptions{})
	p.Emit(numbered(0, 0))
	if err := running(t, p)(); err != nil {
		t.Fatal(err)
	}
	until(t, "read", func() bool { return got.count() == 1 })

	for name, change := range map[string]func(*Config){
		"wrong token":    func(c *Config) { c.TokenFile = secretFile(t, "another") },
		"no token":       func(c *Config) { c.TokenFile = "" },
		"no certificate": func(c *Config) { c.TLS.CertFile, c.TLS.KeyFile = "", "" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Default()
			cfg.URL, cfg.TLS, cfg.TokenFile = "tls://"+listen, files, token
			change(&cfg)
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()
			b, err := Open(ctx, cfg, Deps{})
			var hint interface{ Hint() string }
			if err == nil || !errors.As(err, &hint) || hint.Hint() == "" {
				t.Errorf("got %v", err)
			}
			if b != nil {
				_ = b.Close()
			}
		})
	}
	if nc, err := nats.Connect("nats://" + listen); err == nil {
		nc.Close()
		t.Error("taken without anything")
	}
}

func TestAListenerOnThisMachineNeedsNoToken(t *testing.T) {
	host := open(t, func(c *Config) { c.Listen = "127.0.0.1:0" })
	listen, _ := host.Addrs()
	other := openIn(t, "", func(c *Config) { c.URL = "nats://" + listen })
	if err := other.Check(context.Background()); err != nil {
		t.Error(err)
	}
	if a, b := must(host.Stream(context.Background())), must(other.Stream(context.Background())); a == "" || a != b {
		t.Errorf("two streams: %s and %s", a, b)
	}
}

func must(s string, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return s
}

func TestTwoProcessesDoNotShareADirectory(t *testing.T) {
	dir := t.TempDir()
	openIn(t, dir, nil)
	if _, err := Open(context.Background(), Default(), Deps{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v", err)
	}
}

func TestAnExternalServerThatIsNotThereIsNamedWithAHint(t *testing.T) {
	cfg := Default()
	cfg.URL = "nats://127.0.0.1:1"
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := Open(ctx, cfg, Deps{})
	var hint interface{ Hint() string }
	if !errors.Is(err, ErrAway) || !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "bus.url") {
		t.Errorf("got %v", err)
	}
}

func TestAnAddressThatIsTakenIsNamedWithAHint(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	cfg := Default()
	cfg.Listen = l.Addr().String()
	if _, err := Open(context.Background(), cfg, Deps{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
}
