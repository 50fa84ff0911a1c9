// SPDX-License-Identifier: Apache-2.0

// Package witness is a C2SP tlog-witness: it cosigns checkpoints of the logs that
// it knows, after it has proof that each goes on from the one before.
//
// It runs on a machine of somebody else than the log's operator. As long as enough
// witnesses are honest, a log cannot show two histories to two people, and cannot
// take back what was witnessed.
//
// # What it guarantees
//
// For one log it never signs a checkpoint that is smaller than the last, differs from
// it at the same size, or does not contain it. What it signed last is on disk, synced,
// before the signature leaves; after a crash it goes on from there. A directory belongs
// to one process at a time.
//
// # Limits
//
// Requests have at most [MaxRequest] bytes, and a deadline. It knows Ed25519 keys. It
// keeps the newest checkpoint of each log and none before.
//
// What is not done: it does not read the log's entries, so it says nothing about what
// they mean.
package witness

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/prove/ledger/internal/oslock"
	"github.com/asepsis/asepsis/prove/receipt"
)

// Config says for whom and where a witness signs.
type Config struct {
	Dir      string   `yaml:"dir" doc:"Directory of the witness: its key, and what it signed last for each log."`
	Name     string   `yaml:"name" doc:"The witness's name, as in witness.example/or. Fixed when its key is made."`
	Listen   string   `yaml:"listen" doc:"Where it listens. Off loopback it needs a certificate."`
	CertFile string   `yaml:"cert_file" doc:"Certificate chain (PEM) for HTTPS."`
	KeyFile  string   `yaml:"key_file" doc:"Private key (PEM) of the certificate."`
	Logs     []string `yaml:"logs" doc:"Verifier keys of the logs that it signs for, as asepsis ledger status prints them."`
}

// Default holds the documented defaults.
func Default() Config { return Config{Listen: "127.0.0.1:8444"} }

// maxLogs bounds what one witness keeps.
const maxLogs = 1000

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	host, _, err := net.SplitHostPort(c.Listen)
	switch {
	case err != nil:
		return config.Invalid("listen", "127.0.0.1:8444", "is no address and port")
	case !isLoopback(host) && c.CertFile == "":
		return config.Invalid("cert_file", "name a certificate and its key, or listen on 127.0.0.1", "is needed to listen on %s", c.Listen)
	case (c.CertFile == "") != (c.KeyFile == ""):
		return config.Invalid("key_file", "", "a certificate and its key go together")
	case c.Name != "" && (strings.ContainsAny(c.Name, "+ \t\n") || len(c.Name) > 200):
		return config.Invalid("name", "witness.example/or", "must be at most 200 bytes without spaces and plus signs")
	case len(c.Logs) > maxLogs:
		return config.Invalid("logs", "", "has %d entries, more than %d", len(c.Logs), maxLogs)
	}
	for _, k := range c.Logs {
		if _, err := receipt.ParseKey(k); err != nil {
			return config.Invalid("logs", "asepsis ledger status prints a log's key", "a key cannot be used: %v", err)
		}
	}
	return nil
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// Deps are what a witness needs besides its configuration.
type Deps struct {
	Log *slog.Logger
	Now func() time.Time
}

// Witness signs for the logs of its configuration. It is an http.Handler for
// POST /add-checkpoint, safe for concurrent use.
type Witness struct {
	cfg  Config
	deps Deps
	name string
	vkey string
	id   uint32
	key  ed25519.PrivateKey
	lock *os.File

	mu   sync.Mutex // of all logs: a signature takes microseconds, a write milliseconds
	logs map[string]*known
}

// known is one log.
type known struct {
	trust *receipt.Trust
	file  string
	last  state
}

// state is what was signed last.
type state struct {
	Origin string    `json:"origin"`
	Size   uint64    `json:"size"`
	Root   []byte    `json:"root"`
	Signed time.Time `json:"signed"`
}

var _ http.Handler = (*Witness)(nil)

// ErrLocked: another process is this witness.
var ErrLocked = errors.New("another process is this witness")

// New opens a witness's directory, or makes it with a new key.
func New(c Config, d Deps) (*Witness, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Dir == "" {
		return nil, errors.New("witness: no directory")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(c.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	w := &Witness{cfg: c, deps: d, lock: lock, logs: map[string]*known{}}
	if oslock.Take(lock) != nil {
		err = ErrLocked
	}
	if err == nil {
		err = w.loadKey()
	}
	for _, vkey := range c.Logs {
		if err == nil {
			err = w.learn(vkey)
		}
	}
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("witness %s: %w", c.Dir, err)
	}
	return w, nil
}

// Key returns the witness's verifier key, for ledgers and trust files.
func (w *Witness) Key() string { return w.vkey }

// Close gives the directory back.
func (w *Witness) Close() error { return w.lock.Close() }

// algorithms of the keys: what is kept is an Ed25519 key, what it makes are
// cosignatures (C2SP tlog-cosignature).
const algCosignature = 4

// keyFormat is one line: name, a space, 64 hexadecimal digits of the seed.
func (w *Witness) loadKey() error {
	file := filepath.Join(w.cfg.Dir, "key")
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		if w.cfg.Name == "" {
			return &hinted{errors.New("a new witness needs a name"), "--name witness.example/or: it stands beside every signature"}
		}
		seed := make([]byte, ed25519.SeedSize)
		_, _ = rand.Read(seed) // never fails, see crypto/rand
		text = []byte(w.cfg.Name + " " + hex.EncodeToString(seed) + "\n")
		err = durable.Create(file, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm()&0o077 != 0 {
		return &hinted{fmt.Errorf("key %s: others may read it", file), "chmod 600 " + file}
	}
	name, digits, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	seed, err := hex.DecodeString(digits)
	if err != nil || len(seed) != ed25519.SeedSize {
		return fmt.Errorf("key %s: want a name and 64 hexadecimal digits", file)
	}
	if w.cfg.Name != "" && w.cfg.Name != name {
		return &hinted{fmt.Errorf("it is %s, not %s", name, w.cfg.Name), "a witness keeps its name: leave --name out, or take another directory"}
	}
	w.name, w.key = name, ed25519.NewKeyFromSeed(seed)
	pub := append([]byte{algCosignature}, w.key.Public().(ed25519.PublicKey)...)
	h := sha256.New()
	_, _ = h.Write([]byte(name + "\n"))
	_, _ = h.Write(pub)
	w.id = binary.BigEndian.Uint32(h.Sum(nil))
	w.vkey = fmt.Sprintf("%s+%08x+%s", name, w.id, base64.StdEncoding.EncodeToString(pub))
	return nil
}

// learn reads what was signed last for a log.
func (w *Witness) learn(vkey string) error {
	text, err := receipt.WriteTrust(vkey, nil, 0, nil)
	if err != nil {
		return err
	}
	t, err := receipt.ParseTrust(text)
	if err != nil {
		return err
	}
	origin := t.Log.Name
	if _, ok := w.logs[origin]; ok {
		return fmt.Errorf("log %s is there twice", origin)
	}
	sum := sha256.Sum256([]byte(origin))
	k := &known{trust: t, file: filepath.Join(w.cfg.Dir, "log-"+hex.EncodeToString(sum[:8])+".json"), last: state{Origin: origin}}
	b, err := os.ReadFile(k.file)
	if err == nil {
		// Fails closed: a state that cannot be read is not a log never seen.
		if err = json.Unmarshal(b, &k.last); err != nil || k.last.Origin != origin || len(k.last.Root) != 32 {
			return &hinted{fmt.Errorf("the state of log %s cannot be read", origin), "restore " + k.file + " from a backup; without it the witness would sign a rewritten log"}
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	w.logs[origin] = k
	return nil
}

// Status is what the witness signed last for one log.
type Status struct {
	Origin string    `json:"origin"`
	Size   uint64    `json:"size"`
	Signed time.Time `json:"signed,omitzero"`
}

// Status returns what was signed last, for every log.
func (w *Witness) Status() []Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := []Status{}
	for _, k := range w.logs {
		out = append(out, Status{k.last.Origin, k.last.Size, k.last.Signed})
	}
	return out
}

// Run listens until ctx ends.
func (w *Witness) Run(ctx context.Context) error {
	defer func() { _ = w.Close() }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", w.cfg.Listen)
	if err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	return w.Serve(ctx, listener)
}

// Serve is Run on a listener that is there.
func (w *Witness) Serve(ctx context.Context, listener net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("POST /add-checkpoint", w)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(end)
	})
	var err error
	if w.cfg.CertFile != "" {
		err = s.ServeTLS(listener, w.cfg.CertFile, w.cfg.KeyFile)
	} else {
		err = s.Serve(listener)
	}
	if stop() { // it ended by itself
		return fmt.Errorf("witness: %w", err)
	}
	<-stopped
	return nil
}

type hinted struct {
	error
	text string
}

func (h *hinted) Hint() string  { return h.text }
func (h *hinted) Unwrap() error { return h.error }
