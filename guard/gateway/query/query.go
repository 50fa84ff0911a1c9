// SPDX-License-Identifier: Apache-2.0

package query

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/owed"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// Caller is who asks, and what it may do.
type Caller struct {
	Bound  *binding.Bound
	Sender instance.Sender
	Case   bool // a case is in progress where it is
}

// Refused is why a request was not carried out, for the people of this side: the peer gets
// a status and a comment.
type Refused struct {
	Code, What, Tip string
	// Identity: it asked for what is not its own.
	Identity bool
}

// Error implements error.
func (r *Refused) Error() string { return r.What }

// Hint says what to do.
func (r *Refused) Hint() string { return r.Tip }

// Codes of Refused.
const (
	codeArchiveAway    = "archive-unreachable"
	codeArchiveRefused = "archive-refused"
	codeQuery          = "query-refused"
	codeDestination    = "move-destination-not-allowed"
	codeOperation      = "operation-not-allowed"
	codeBroken         = "protocol-violation"
)

// Statuses (PS3.7 annex C, PS3.4 §C.4).
const (
	statusNotAuthorised dimse.Status = 0x0124
	statusArgument      dimse.Status = 0x0115
	statusFault         dimse.Status = 0x0110
	statusOperation     dimse.Status = 0x0211
	statusResources     dimse.Status = 0xA700
	statusDestination   dimse.Status = 0xA801
	statusIdentifier    dimse.Status = 0xA900
	statusSubFailed     dimse.Status = 0xB000
	statusUnable        dimse.Status = 0xC000
	statusCancelled     dimse.Status = 0xFE00
	statusPending       dimse.Status = 0xFF00
)

// Custody sees that the ledger knows what devices are given.
type Custody interface {
	// Retrieval returns the route of what a device asks for now, "" where none is named for it, and whether it gets
	// that also where the ledger does not record.
	Retrieval(device, theatre string) (route string, open bool)
	// Give tells the ledger that an instance is about to be given out, and returns when it was told. What an open one's ledger
	// does not record is remembered, durably, and the entry is nil. An error: it must not be given out.
	Give(ctx context.Context, n owed.Note, open bool) (*instance.Entry, error)
}

// Deps is what a Proxy works with.
type Deps struct {
	// Handshake puts TLS on a connection to a device, as trust.Client does. nil: no archive can have TLS.
	Handshake func(ctx context.Context, c net.Conn, device, serverName string) (net.Conn, error)
	AETitle   string // of the gateway, where nothing else is configured
	Ingest    instance.Ingest
	Vault     instance.Vault
	Custody   Custody // of C-GET; nil: nothing is given out
	// MustCommit reports whether a delivery to a destination is only safe once that took responsibility.
	MustCommit func(destination string) bool
	// Report takes a report of storage commitment that a destination sent, by its device. It reports whether
	// the transaction is one of ours.
	Report func(ctx context.Context, device, transaction string, done, failed []string) bool
	// Wake says that something is to be delivered.
	Wake func()
	// Room says what the theatre board has of a room, and since when; "" where nobody knows. nil: there is no board.
	Room func(id string) (theatre.State, time.Time)
	// Asked is told of each C-FIND when it was answered or refused; nil: nobody is. It must not block.
	Asked func(Asked)
	// Changed says that a procedure step began or ended.
	Changed  func()
	Key      pseudonym.Key
	Site     string
	Name     string // of the gateway
	Software string
	Dir      string // for requests of storage commitment and procedure steps
	Log      *slog.Logger
	Now      func() time.Time
}

// Proxy passes requests on. Its methods may be called concurrently.
type Proxy struct {
	cfg      Config
	d        Deps
	log      *slog.Logger
	now      func() time.Time
	patients *Patients
	commits  *commits

	mu     sync.Mutex
	moves  map[moveKey]*move
	lastID uint16
	// direct are the senders' associations of C-GET: what comes on them goes to who asked, and if true also where the
	// ledger does not record.
	direct map[string]bool
}

// New makes a Proxy.
func New(cfg Config, d Deps) (*Proxy, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.MustCommit == nil {
		d.MustCommit = func(string) bool { return false }
	}
	if d.Wake == nil {
		d.Wake = func() {}
	}
	for i := range cfg.Archives {
		a := &cfg.Archives[i]
		a.CallingAE = cmp.Or(a.CallingAE, d.AETitle)
		a.MoveAE = cmp.Or(a.MoveAE, a.CallingAE)
	}
	p := &Proxy{cfg: cfg, d: d, log: d.Log, now: d.Now, moves: map[moveKey]*move{}, direct: map[string]bool{}}
	steps := openSteps(d.Dir, d.Log, d.Now)
	if steps.room = d.Room; d.Changed != nil {
		steps.changed = d.Changed
	}
	p.patients = newPatients(cfg.Expect, d.Now, steps)
	var err error
	p.commits, err = openCommits(p)
	return p, err
}

// Patients are those that worklists and procedure steps named.
func (p *Proxy) Patients() *Patients { return p.patients }

// Run sends reports of storage commitment and keeps procedure steps until ctx ends.
func (p *Proxy) Run(ctx context.Context) error {
	var steps sync.WaitGroup
	defer steps.Wait()
	steps.Go(func() { p.patients.steps.run(ctx) })
	return p.commits.run(ctx)
}

// Serves reports whether there is somebody to ask.
func (p *Proxy) Serves(operation string) bool {
	if operation == binding.Commitment {
		return true // the gateway itself
	}
	return slices.ContainsFunc(p.cfg.Archives, func(a Archive) bool { return slices.Contains(a.Operations, operation) })
}

// archive returns whom an operation goes to that was asked for under an AE title of the gateway.
func (p *Proxy) archive(operation, called string) (*Archive, *Refused) {
	for i := range p.cfg.Archives {
		a := &p.cfg.Archives[i]
		if slices.Contains(a.Operations, operation) && (len(a.For) == 0 || slices.Contains(a.For, called)) {
			return a, nil
		}
	}
	return nil, &Refused{Code: codeOperation, What: "nobody is asked for " + operation + " under the AE title " + called, Tip: "gateway.query.archives says who serves what"}
}

// Handle performs a request of a peer that may make it.
func (p *Proxy) Handle(ctx context.Context, c Caller, r *dicomnet.Request) (dicomnet.Reply, error) {
	switch r.Command.Field {
	case dimse.CFindRQ:
		return p.asked(ctx, c, r)
	case dimse.CMoveRQ:
		return p.move(ctx, c, r)
	case dimse.CGetRQ:
		return p.get(ctx, c, r)
	case dimse.NCreateRQ, dimse.NSetRQ:
		return p.step(ctx, c, r)
	case dimse.NActionRQ:
		return p.commits.request(ctx, c, r)
	case dimse.NEventReportRQ:
		return p.report(ctx, c, r)
	default:
		return dicomnet.Reply{Status: statusOperation}, &Refused{Code: codeOperation, What: r.Command.Field.Service() + " is not passed on"}
	}
}
