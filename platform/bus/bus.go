// SPDX-License-Identifier: Apache-2.0

// Package bus carries events from sensors to whoever keeps or looks at them,
// and the small talk of the platform's rooms. It is NATS with JetStream: a server in
// this process by default, an external server or cluster by its address, or a
// server in this process that a hub takes the events over from.
//
// # Subjects and streams
//
// All names begin with the site's name, Config.Name, "asepsis" by default.
//
//	asepsis.events.<sensor>.<run>   batches of events, kept in the stream asepsis-events
//	$KV.asepsis-state.<kind>.<name> latest reports, kept in the bucket asepsis-state
//	asepsis.ask.<subject>           requests: Serve and Ask
//	asepsis.tell.<subject>          notices: Tell and Listen
//
// A message on asepsis.events is a Batch: up to 512 events, compressed.
//
// # Order
//
// What one goroutine gives to a Publisher is read in the same order. A
// publisher has one subject for its life and one connection, and sends nothing
// after a batch that failed until that one is stored. All readers see one
// order, that of the stream; between publishers it is the order of arrival.
//
// # Exactly once
//
// A batch has a number within the run of its publisher. It is repeated until the
// server acknowledges it; before repeating after a broken connection the
// publisher asks which number is stored last. Readers drop numbers that they
// have seen. A reader that stores Batch.Pos together with what it makes of the
// batch, and reads on from there, has every event once. Positions are valid in
// one stream, whose identity Stream gives.
//
// # Durability
//
// An acknowledged batch survives a kill of the server. A power cut takes what
// was acknowledged in the last Config.SyncInterval (100 ms; NATS itself would wait
// for two minutes), unless a cluster keeps copies. The bus is for telemetry:
// nothing that a person was told is done rests on it alone.
//
// # Loss is counted
//
// The sensor is never blocked by a reader that is slow or dead: the stream
// gives up its oldest messages when it is full or they are too old, and a reader
// that had not come to them is told how many (Batch.Missing). While the bus is
// away, events wait in the publisher's memory, and when that is full, the oldest are
// given up and counted (Batch.Lost); a publisher of files waits instead. What
// arrived but is no batch is skipped and counted (Stats.Foreign).
//
// Notices (Tell) are lossy by nature: nobody keeps them. Requests fail when
// nobody answers.
//
// # The hub
//
// A site's server connects to its hub as a leaf node, and the hub's stream takes
// over ("sources") the site's. Only the stream crosses the link: it goes on
// where it stopped, however long the link was down, as long as the site's stream
// still has the messages. Stats shows the lag.
//
// # Limits
//
// A message is at most 1 MiB, an event at most record.MaxSize, a report 256
// KiB. What is not done: encryption at rest, more than one account, events
// from the hub to the sites.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Deps is what a bus needs from outside.
type Deps struct {
	Dir string // of the embedded server's streams; it is made where it is not
	Log *slog.Logger
	// Patient: an external server that cannot be reached does not hold Open up. Publishers queue, what is served and
	// listened to begins when the server is there, and whatever else needs it fails with ErrAway until then. A server
	// that refuses this process is an error all the same.
	Patient bool
}

// Bus is a connection to the bus, with the server where it is embedded. Its
// methods may be called concurrently.
type Bus struct {
	cfg Config
	log *slog.Logger
	srv *embedded // nil when the server is external
	nc  *nats.Conn
	js  jetstream.JetStream
	kv  atomic.Pointer[bucket] // nil until the server had it for the first time

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup // calls of Run and Read, handlers
	foreign atomic.Uint64
	twice   atomic.Uint64
	hub     hubState
	patient bool // see Deps.Patient

	mu     sync.Mutex
	closed bool
}

// Times that the bus waits for.
const (
	dialTimeout = 5 * time.Second
	openTimeout = 30 * time.Second // of Open when its ctx has no deadline
	settleEvery = time.Second      // how often the streams of a bus that was away at the start are looked for
	apiTimeout  = 5 * time.Second
	dedupe      = 2 * time.Minute // see Publisher.recover for what is older
)

func (c *Config) streamName() string { return c.Name + "-events" }
func (c *Config) bucketName() string { return c.Name + "-state" }

// Open starts the embedded server or connects to the external one, and makes
// or checks the streams. An external server that cannot be reached is tried until
// ctx ends, or for half a minute; see Deps.Patient. The bus lives on after ctx ends; see Close.
func Open(ctx context.Context, cfg Config, deps Deps) (*Bus, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, openTimeout)
		defer cancel()
	}
	b := &Bus{cfg: cfg, log: deps.Log, patient: deps.Patient}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	var err error
	if cfg.URL == "" {
		if b.srv, err = newEmbedded(cfg, deps); err != nil {
			return nil, err
		}
	}
	if err := b.connect(ctx); err != nil {
		_ = b.Close()
		return nil, err
	}
	if b.srv != nil {
		cut, err := b.srv.powerCut()
		if cut {
			b.log.Warn("the machine went down while the bus ran: what it acknowledged last may be gone")
			err = errors.Join(err, b.move(ctx, afterCut))
		}
		if err != nil {
			_ = b.Close()
			return nil, explain("bus", err)
		}
		if cfg.Hub != "" {
			b.running.Go(b.watchHub)
		}
	}
	return b, nil
}

// connect makes the connection that all but publishers share, and the streams.
func (b *Bus) connect(ctx context.Context) error {
	for {
		err := b.begin()
		if err == nil {
			if err = b.prepare(ctx); err == nil {
				return nil
			}
			b.nc.Close()
		}
		err = explain("bus", err)
		if b.srv != nil || !errors.Is(err, ErrAway) {
			return err
		}
		b.log.Warn("the bus cannot be reached yet", "why", err)
		if b.patient {
			return b.later()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// begin makes the connection.
func (b *Bus) begin(more ...nats.Option) (err error) {
	b.nc, err = b.dial(append(more, nats.MaxReconnects(-1), nats.ReconnectBufSize(-1), nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
		if err != nil {
			b.log.Warn("connection to the bus lost", "why", err)
		}
	}), nats.ReconnectHandler(func(*nats.Conn) { b.log.Info("connected to the bus again") }))...)
	if err != nil {
		return err
	}
	b.js, err = jetstream.New(b.nc, jetstream.WithDefaultTimeout(apiTimeout))
	if err != nil {
		b.nc.Close()
	}
	return err
}

// later makes a connection that is tried until it holds, and the streams when it does.
func (b *Bus) later() error {
	if err := b.begin(nats.RetryOnFailedConnect(true), nats.IgnoreAuthErrorAbort(), nats.ConnectHandler(func(*nats.Conn) { b.log.Info("connected to the bus") })); err != nil {
		return explain("bus", err)
	}
	b.running.Go(func() {
		said := ""
		for {
			select {
			case <-b.ctx.Done():
				return
			case <-time.After(settleEvery):
			}
			if !b.nc.IsConnected() {
				continue
			}
			ctx, cancel := context.WithTimeout(b.ctx, openTimeout)
			err := b.prepare(ctx)
			cancel()
			if err == nil || b.ctx.Err() != nil {
				return
			}
			if err = explain("bus", err); err.Error() != said {
				said = err.Error()
				b.log.Error("the bus is there and cannot be used yet; it is tried again", "why", err)
			}
		}
	})
	return nil
}

// dial makes one connection.
func (b *Bus) dial(more ...nats.Option) (*nats.Conn, error) {
	o := []nats.Option{
		nats.Name("asepsis " + b.cfg.Name), nats.Timeout(dialTimeout), nats.ReconnectWait(250 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, 500*time.Millisecond),
		nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2), nats.IgnoreDiscoveredServers(),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			b.log.Warn("bus", "why", err, "subject", subject)
		}),
	}
	addr := b.cfg.URL
	if b.srv != nil {
		addr = ""
		o = append(o, nats.InProcessServer(b.srv), nats.UserInfo(localUser, b.srv.secret))
	} else {
		external, err := b.external()
		if err != nil {
			return nil, err
		}
		o = append(o, external...)
	}
	return nats.Connect(addr, append(o, more...)...)
}

// external are the options for a server elsewhere: how it is trusted and what
// it is shown.
func (b *Bus) external() ([]nats.Option, error) {
	var o []nats.Option
	secure := false
	for s := range strings.SplitSeq(b.cfg.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil {
			return nil, fmt.Errorf("address of the bus: %q cannot be read", redacted(s))
		}
		secure = secure || needsTLS(u)
	}
	if secure || b.cfg.TLS != (TLS{}) {
		t, err := b.cfg.TLS.client("") // the client library knows which host it calls
		if err != nil {
			return nil, err
		}
		o = append(o, nats.Secure(t))
	}
	token, err := b.cfg.TokenFile.Read()
	if err != nil {
		return nil, err
	}
	if len(token) > 0 {
		// A server of asepsis knows users, one of somebody else's perhaps tokens.
		o = append(o, nats.UserInfo(userName, string(token)), nats.Token(string(token)))
	}
	if b.cfg.CredentialsFile != "" {
		if _, err := b.cfg.CredentialsFile.Read(); err != nil { // refuses one that others can read
			return nil, err
		}
		o = append(o, nats.UserCredentials(string(b.cfg.CredentialsFile)))
	}
	return o, nil
}

// Site is the name of this bus' site.
func (b *Bus) Site() string { return b.cfg.Name }

// Addrs returns where the embedded server takes other processes and, as a hub,
// sites; "" for nowhere. Ports that were asked for as 0 are given as they are.
func (b *Bus) Addrs() (listen, leaf string) {
	if b.srv == nil {
		return "", ""
	}
	b.srv.mu.Lock()
	defer b.srv.mu.Unlock()
	at := func(addr string, port int) string {
		if addr == "" {
			return ""
		}
		host, _, _ := net.SplitHostPort(addr) // it was checked
		return net.JoinHostPort(host, strconv.Itoa(port))
	}
	return at(b.cfg.Listen, b.srv.port), at(b.cfg.LeafListen, b.srv.leaf)
}

// Close ends what runs on the bus, waits for it, for publishers until they have
// drained (see Publisher.Run), and shuts the embedded server down.
func (b *Bus) Close() error {
	b.mu.Lock()
	was := b.closed
	b.closed = true
	b.mu.Unlock()
	if was {
		return nil
	}
	b.cancel()
	b.running.Wait()
	if b.nc != nil {
		closed := make(chan struct{})
		b.nc.SetClosedHandler(func(*nats.Conn) { close(closed) })
		if !b.nc.IsClosed() {
			b.nc.Close()
			<-closed
		}
	}
	if b.srv != nil {
		b.srv.close()
	}
	return nil
}

// enter counts a call that Close waits for.
func (b *Bus) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	b.running.Add(1)
	return nil
}

// until joins a caller's context with the life of the bus.
func (b *Bus) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(b.ctx, func() { cancel(ErrClosed) })
	return ctx, func() { stop(); cancel(nil) }
}

// limit gives a context a deadline when it has none, so that no call waits for
// ever on a bus that is away.
func limit(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
