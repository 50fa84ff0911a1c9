// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/asepsis/asepsis/platform/config"
)

// Limits of the embedded server.
const (
	startTimeout = 30 * time.Second // for JetStream to recover its streams
	maxPayload   = 1 << 20
	stateBytes   = 64 * config.MiB // of the reports
	minFree      = 8 << 20         // bytes on the disk below which a server that failed to write is not started again
	userName     = "asepsis"
	localUser    = "asepsis-local"
	repairWait   = 500 * time.Millisecond
)

// embedded is the server in this process. When it fails to write to the disk,
// JetStream refuses everything until it is started anew: repair does that as
// soon as there is room.
type embedded struct {
	cfg    Config
	dir    string
	log    *slog.Logger
	secret string // password of connections within the process
	token  string // password of clients and sites, "" for none
	hub    *url.URL
	tls    *tls.Config // of the listeners
	hubTLS *tls.Config
	unlock func()

	suspect chan struct{} // capacity 1
	stop    chan struct{}
	stopped chan struct{}

	mu     sync.Mutex
	srv    *server.Server // nil while it is being started anew
	broken error          // why writing does not work
	port   int            // of Listen, kept over a restart
	leaf   int            // of LeafListen
	closed bool
}

func newEmbedded(cfg Config, deps Deps) (*embedded, error) {
	if deps.Dir == "" {
		return nil, config.Invalid("dir", "", "the embedded bus needs a directory")
	}
	s := &embedded{cfg: cfg, dir: deps.Dir, log: deps.Log, secret: rand.Text(), suspect: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{})}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of the bus: %w", err)
	}
	if err := s.secrets(); err != nil {
		return nil, err
	}
	if free, err := freeBytes(s.dir); err == nil && free < minFree {
		return nil, fmt.Errorf("directory of the bus %s: %w: %d KiB are left", s.dir, ErrFull, free>>10)
	}
	unlock, err := lockDir(filepath.Join(s.dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("directory of the bus %s: %w", s.dir, err)
	}
	s.unlock = unlock
	if s.srv, err = s.start(); err != nil {
		unlock()
		return nil, err
	}
	go s.repair()
	return s, nil
}

// secrets reads the files that the configuration names.
func (s *embedded) secrets() error {
	token, err := s.cfg.TokenFile.Read()
	if err != nil {
		return config.Invalid("token_file", "", "%v", err)
	}
	s.token = string(token)
	if s.cfg.TLS.CertFile != "" {
		if s.tls, err = s.cfg.TLS.server(); err != nil {
			return err
		}
	}
	if s.cfg.Hub == "" {
		return nil
	}
	if s.hub, err = url.Parse(s.cfg.Hub); err != nil {
		return config.Invalid("hub", "", "%q is not an address", redacted(s.cfg.Hub))
	}
	if token, err = s.cfg.HubTokenFile.Read(); err != nil {
		return config.Invalid("hub_token_file", "", "%v", err)
	}
	if len(token) > 0 {
		s.hub.User = url.UserPassword(userName, string(token))
	}
	if needsTLS(s.hub) {
		s.hubTLS, err = s.cfg.TLS.client(s.hub.Hostname())
	}
	return err
}

// options are those of the server. Preconditions: secrets was called.
func (s *embedded) options() (*server.Options, error) {
	o := &server.Options{
		ServerName: s.cfg.Name, DontListen: s.cfg.Listen == "", Host: "127.0.0.1", Port: server.RANDOM_PORT,
		NoSigs: true, MaxPayload: maxPayload, WriteDeadline: 10 * time.Second,
		JetStream: true, StoreDir: s.dir, JetStreamDomain: s.cfg.Name, SyncInterval: s.cfg.SyncInterval,
		JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: int64(s.cfg.MaxBytes+stateBytes) + 64<<20,
	}
	// Nobody connects without a secret of this process, even where there is no listener.
	o.Users = []*server.User{{Username: localUser, Password: s.secret}}
	if s.token != "" {
		o.Users = append(o.Users, &server.User{Username: userName, Password: s.token})
	}
	var err error
	if s.cfg.Listen != "" {
		if o.Host, o.Port, err = hostPort(s.cfg.Listen, s.port); err != nil {
			return nil, err
		}
		if o.TLSConfig = s.tls; s.tls != nil {
			o.TLS, o.TLSVerify, o.TLSTimeout = true, s.cfg.TLS.CAFile != "", 5
			o.AllowNonTLS = false
		}
		if s.token == "" {
			// A client certificate, or being on this machine, is what admits.
			o.Users = append(o.Users, &server.User{Username: "anyone", Password: ""})
			o.NoAuthUser = "anyone"
		}
	}
	if s.cfg.LeafListen != "" {
		if o.LeafNode.Host, o.LeafNode.Port, err = hostPort(s.cfg.LeafListen, s.leaf); err != nil {
			return nil, err
		}
		if s.tls != nil {
			o.LeafNode.TLSConfig, o.LeafNode.TLSTimeout = s.tls, 5
		}
		if s.token != "" {
			o.LeafNode.Username, o.LeafNode.Password = userName, s.token
		}
	}
	if s.hub != nil {
		o.LeafNode.ReconnectInterval = time.Second
		o.LeafNode.Remotes = []*server.RemoteLeafOpts{{
			URLs: []*url.URL{s.hub}, TLS: s.hubTLS != nil, TLSConfig: s.hubTLS, TLSTimeout: 5,
			// Core messages are lost on a broken link: only the stream crosses it.
			DenyImports: []string{s.cfg.Name + ".>"}, DenyExports: []string{s.cfg.Name + ".>"},
		}}
	}
	return o, nil
}

func hostPort(addr string, kept int) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, config.Invalid("listen", "for example 127.0.0.1:4222", "%v", err)
	}
	if port, err = strconv.Atoi(p); err != nil || port < 0 || port > 65535 {
		return "", 0, config.Invalid("listen", "for example 127.0.0.1:4222", "%q is not a port", p)
	}
	if port == 0 {
		port = server.RANDOM_PORT
		if kept != 0 {
			port = kept
		}
	}
	return host, port, nil
}

// start makes a server and waits until it is ready.
func (s *embedded) start() (*server.Server, error) {
	o, err := s.options()
	if err != nil {
		return nil, err
	}
	srv, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("embedded bus: %w", err)
	}
	log := &serverLog{log: s.log, broken: s.suspected}
	srv.SetLoggerV2(log, false, false, false)
	srv.Start() // starts its goroutines and returns
	ready := false
	for end := time.Now().Add(startTimeout); !ready && log.last() == "" && time.Now().Before(end); {
		ready = srv.ReadyForConnections(100 * time.Millisecond)
	}
	if !ready || !srv.JetStreamEnabled() {
		srv.Shutdown()
		srv.WaitForShutdown()
		why := log.last()
		if why == "" {
			why = "it is not ready after " + startTimeout.String()
		}
		err := &Error{Kind: "start", Text: "embedded bus does not start: " + why, Help: "check that " + s.dir + " can be written to and has room"}
		if strings.Contains(why, "address already in use") {
			err.Help = "another process listens there: choose another address for bus.listen or bus.leaf_listen"
		}
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := srv.Addr().(*net.TCPAddr); ok && s.cfg.Listen != "" {
		s.port = a.Port
	}
	if s.cfg.LeafListen != "" {
		s.leaf = o.LeafNode.Port // the server writes the port there
	}
	return srv, nil
}

// InProcessConn implements nats.InProcessConnProvider for whichever server runs now.
func (s *embedded) InProcessConn() (net.Conn, error) {
	srv := s.current()
	if srv == nil {
		return nil, errors.New("the embedded bus is being started anew")
	}
	return srv.InProcessConn()
}

func (s *embedded) current() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.srv
}

// suspected says that writing failed. It may be called from anywhere.
func (s *embedded) suspected(why error) {
	s.mu.Lock()
	if s.broken == nil {
		s.broken = why
	}
	s.mu.Unlock()
	select {
	case s.suspect <- struct{}{}:
	default:
	}
}

// failure returns why the server does not store now, nil when it does.
func (s *embedded) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil && s.srv == nil {
		return ErrAway
	}
	return s.broken
}

// repair starts the server anew after it failed to write, once there is room.
func (s *embedded) repair() {
	defer close(s.stopped)
	for {
		select {
		case <-s.stop:
			return
		case <-s.suspect:
		}
		s.log.Warn("the bus cannot write to its disk; events wait in memory until it can", "dir", s.dir, "why", s.failure())
		for !s.restart() {
			select {
			case <-s.stop:
				return
			case <-time.After(repairWait):
			}
		}
	}
}

// restart reports whether a server runs again.
func (s *embedded) restart() bool {
	if free, err := freeBytes(s.dir); err == nil && free < minFree {
		return false
	}
	s.mu.Lock()
	old := s.srv
	s.srv = nil
	s.mu.Unlock()
	if old != nil {
		old.Shutdown()
		old.WaitForShutdown()
	}
	srv, err := s.start()
	if err != nil {
		s.mu.Lock()
		s.broken = err
		s.mu.Unlock()
		return false
	}
	select { // what the old one still said
	case <-s.suspect:
	default:
	}
	s.mu.Lock()
	s.srv, s.broken = srv, nil
	s.mu.Unlock()
	s.log.Info("the bus writes to its disk again", "dir", s.dir)
	return true
}

// close shuts the server down and waits for it.
func (s *embedded) close() {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if was {
		return
	}
	close(s.stop)
	<-s.stopped
	s.mu.Lock()
	srv := s.srv
	s.srv = nil
	s.mu.Unlock()
	if srv != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		_ = os.Remove(s.marker()) // everything is on the disk
	}
	s.unlock()
}

// serverLog gives what the server says to slog: its notices are for debugging.
type serverLog struct {
	log    *slog.Logger
	broken func(error)

	mu    sync.Mutex
	fatal string
}

func (l *serverLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

// Noticef implements server.Logger.
func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("nats: " + fmt.Sprintf(format, v...))
}

// Debugf implements server.Logger.
func (l *serverLog) Debugf(format string, v ...any) {
	l.log.Debug("nats: " + fmt.Sprintf(format, v...))
}

// Tracef implements server.Logger.
func (l *serverLog) Tracef(string, ...any) {}

// Warnf implements server.Logger.
func (l *serverLog) Warnf(format string, v ...any) { l.problem(fmt.Sprintf(format, v...)) }

// Errorf implements server.Logger.
func (l *serverLog) Errorf(format string, v ...any) { l.problem(fmt.Sprintf(format, v...)) }

// Fatalf implements server.Logger. The server does not end the process when it
// has a logger; what it wanted to say is the error of start.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	l.fatal = fmt.Sprintf(format, v...)
	l.mu.Unlock()
	l.problem(fmt.Sprintf(format, v...))
}

// problem finds out whether the server can store no more: after a failed write,
// JetStream answers nobody, and only says so in its log.
func (l *serverLog) problem(s string) {
	if strings.HasPrefix(s, "Plaintext passwords") { // they are in memory only, and random or from a secret file
		return
	}
	l.log.Warn("nats: " + s)
	low := strings.ToLower(s)
	switch {
	case strings.Contains(low, "no space left"), strings.Contains(low, "out of") && strings.Contains(low, "resources"):
		l.broken(ErrFull)
	case strings.Contains(low, "critical write error"), strings.Contains(low, "permission denied while writing"):
		l.broken(&Error{Kind: ErrFull.Kind, Text: s, Help: "check the disk under the bus's directory"})
	}
}
