// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/journal"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

const (
	ctStorage = "1.2.840.10008.5.1.4.1.1.2"
	mrStorage = "1.2.840.10008.5.1.4.1.1.4"
)

// book is a ledger that can be made to fail.
type book struct {
	mu   sync.Mutex
	fail error
	list []custody.Statement
	ids  map[string]int
}

func (b *book) Record(_ context.Context, s custody.Statement) (ledger.Entry, error) {
	if err := s.Validate(); err != nil {
		return ledger.Entry{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return ledger.Entry{}, b.fail
	}
	if b.ids == nil {
		b.ids = map[string]int{}
	}
	i, again := b.ids[s.Predicate.ID]
	if !again {
		i = len(b.list)
		b.list = append(b.list, s)
		b.ids[s.Predicate.ID] = i
	}
	return ledger.Entry{Index: uint64(i), Recorded: s.Predicate.Time, Again: again}, nil
}

func (b *book) broken(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

func (b *book) ready(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fail
}

// of returns the statements of a kind about a digest.
func (b *book) of(k custody.Kind, digest string) []custody.Statement {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []custody.Statement
	for _, s := range b.list {
		if s.Kind() != k {
			continue
		}
		for _, sub := range s.Subject {
			if sub.Digest["sha256"] == digest {
				out = append(out, s)
				break
			}
		}
	}
	return out
}

// bench is a journal with a forwarder.
type bench struct {
	t       testing.TB
	journal *journal.Journal
	book    *book
	dir     string
	cases   sync.Map // theatres with a case
	f       *Forwarder
	cfg     Config
	deps    Deps
	stop    func()
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), book: &book{}}
	c := journal.Default()
	c.Dir, c.Segment, c.Log, c.Reserve, c.Warn, c.Stop, c.Scrub = filepath.Join(b.dir, "journal"), 16*config.MiB, 1*config.MiB, 0, 0, 0, 0
	j, err := journal.New(c, journal.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	b.journal = j
	b.deps = Deps{Vault: j, Ledger: b.book, LedgerReady: b.book.ready, Dir: filepath.Join(b.dir, "forward"), Name: "gateway-or-3", Site: "st-example", Software: "asepsis/gateway test",
		Case: func(theatre string) bool { _, ok := b.cases.Load(theatre); return ok }, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	b.cfg = Default()
	b.cfg.LedgerRetry = 20 * time.Millisecond
	return b
}

// quick is a destination that is tried again soon.
func quick(name, port string) Destination {
	d := DefaultDestination()
	d.Name, d.Address, d.CalledAE, d.CallingAE = name, "127.0.0.1:"+port, "ARCHIVE", "ASEPSIS"
	d.BackoffMin, d.BackoffMax, d.Linger, d.Timeouts.Close = 5*time.Millisecond, 50*time.Millisecond, time.Second, time.Second
	return d
}

func (b *bench) start(dests ...Destination) *Forwarder {
	b.t.Helper()
	b.cfg.Destinations = dests
	if len(b.cfg.Routes) == 0 {
		r := Route{Name: "all"}
		for _, d := range dests {
			r.To = append(r.To, d.Name)
		}
		b.cfg.Routes = []Route{r}
	}
	f, err := New(b.cfg, b.deps)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	var once sync.Once
	b.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				b.t.Error(err)
			}
		})
	}
	b.t.Cleanup(b.stop)
	b.f = f
	return f
}

// dataset makes the data set of a fictional CT or MR instance.
func dataset(t testing.TB, n, pixels int, class, syntax string) (data []byte, uid string) {
	t.Helper()
	s, ok := dicom.SyntaxOf(syntax)
	if !ok {
		t.Fatal(syntax)
	}
	uid = fmt.Sprintf("1.2.826.0.1.3680043.8.498.7.%d", n)
	var b bytes.Buffer
	w := dicom.NewWriter(&b, s)
	w.Text(0x00080016, dicom.UI, class)
	w.Text(0x00080018, dicom.UI, uid)
	w.Text(0x00080060, dicom.CS, "CT")
	w.Text(0x00100010, dicom.PN, "Example^Nobody")
	w.Text(0x00100020, dicom.LO, "X-0001")
	w.Text(0x0020000D, dicom.UI, fmt.Sprintf("1.2.826.0.1.3680043.8.498.1.%d", n/10))
	w.Text(0x0020000E, dicom.UI, "1.2.826.0.1.3680043.8.498.2")
	w.Uint16(0x00280002, dicom.US, 1)
	w.Text(0x00280004, dicom.CS, "MONOCHROME2")
	w.Uint16(0x00280010, dicom.US, uint16(pixels))
	w.Uint16(0x00280011, dicom.US, 64)
	w.Uint16(0x00280100, dicom.US, 16)
	w.Uint16(0x00280101, dicom.US, 16)
	w.Uint16(0x00280102, dicom.US, 15)
	w.Uint16(0x00280103, dicom.US, 0)
	p := make([]byte, pixels*64*2)
	for i := range p {
		p[i] = byte(i*7 + n)
	}
	w.Bytes(0x7FE00010, dicom.OW, p)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), uid
}

// bring puts an instance into the journal, as the gateway does.
func (b *bench) bring(n int, change ...func(*instance.Record, *instance.Arrival, *instance.Header)) instance.Record {
	b.t.Helper()
	data, uid := dataset(b.t, n, 8+n%30, ctStorage, dicom.ExplicitVRLittleEndian)
	return b.put(n, data, uid, change...)
}

func (b *bench) put(n int, data []byte, uid string, change ...func(*instance.Record, *instance.Arrival, *instance.Header)) instance.Record {
	b.t.Helper()
	sum := sha256.Sum256(data)
	r := instance.Record{State: instance.Accepted, Received: time.Now(), SOPClass: ctStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian,
		Study: fmt.Sprintf("1.2.826.0.1.3680043.8.498.1.%d", n/10), DataSet: hex.EncodeToString(sum[:]),
		Sender: instance.Sender{Way: instance.DIMSE, Device: "ct-1", CallingAE: "CT_1", CalledAE: "ASEPSIS", Association: "a1", Theatre: "OR-3", Address: "192.0.2.7"}}
	a := instance.Arrival{At: r.Received, Sender: r.Sender}
	h := instance.Header{Modality: "CT", SOPClass: ctStorage}
	for _, c := range change {
		c(&r, &a, &h)
	}
	r.Deliveries = b.f.Route(r, a, h)
	d, err := b.journal.Create(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := d.Write(data); err != nil {
		b.t.Fatal(err)
	}
	out, err := d.Seal(b.t.Context(), r)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *bench) get(number uint64) instance.Record {
	b.t.Helper()
	r, err := b.journal.Get(b.t.Context(), number)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// becomes waits until the first delivery of an instance is in a state.
func (b *bench) becomes(number uint64, want instance.DeliveryState) instance.Delivery {
	b.t.Helper()
	var d instance.Delivery
	gatewaytest.Until(b.t, fmt.Sprintf("instance %d becomes %s", number, want), func() bool {
		d = b.get(number).Deliveries[0]
		return d.State == want
	})
	return d
}

// arrived is what an SCP of ours got.
type arrived struct {
	uid, class, syntax, calling string
	data                        []byte
	priority                    uint16
}

// scp is a storage SCP whose answers a test chooses.
type scp struct {
	port   string
	status func(n int, uid string) dimse.Status // of the n-th request
	hold   chan struct{}                        // closed: it answers
	n      atomic.Int64
	open   atomic.Int64
	most   atomic.Int64

	mu   sync.Mutex
	got  []arrived
	stop func()
}

func newSCP(t testing.TB, port string, change ...func(*dicomnet.Server)) *scp {
	t.Helper()
	s := &scp{port: port, hold: make(chan struct{})}
	close(s.hold)
	srv := &dicomnet.Server{Services: []dicomnet.Service{{AbstractSyntax: dicomnet.AnyStorage}, {AbstractSyntax: dicom.UIDVerification}}, Handler: s}
	for _, c := range change {
		c(srv)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	if port == "0" {
		_, s.port, _ = net.SplitHostPort(ln.Addr().String())
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ctx, ln, 0) }()
	var once sync.Once
	s.stop = func() { once.Do(func() { cancel(); <-done }) }
	t.Cleanup(s.stop)
	return s
}

// Handle implements dicomnet.Handler.
func (s *scp) Handle(_ context.Context, r *dicomnet.Request) dicomnet.Reply {
	if r.Command.Field != dimse.CStoreRQ {
		return dicomnet.Reply{}
	}
	n := s.open.Add(1)
	defer s.open.Add(-1)
	for m := s.most.Load(); n > m && !s.most.CompareAndSwap(m, n); m = s.most.Load() {
	}
	data, err := io.ReadAll(r.Data)
	if err != nil {
		return dicomnet.Reply{Status: 0x0110}
	}
	<-s.hold
	uid := r.Command.AffectedSOPInstance
	if s.status != nil {
		if st := s.status(int(s.n.Add(1)), uid); st.Category() == dimse.Failure {
			return dicomnet.Reply{Status: st}
		} else if st != 0 {
			s.keep(r, data)
			return dicomnet.Reply{Status: st}
		}
	}
	s.keep(r, data)
	return dicomnet.Reply{}
}

func (s *scp) keep(r *dicomnet.Request, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, arrived{uid: r.Command.AffectedSOPInstance, class: r.Command.AffectedSOPClass, syntax: r.Context.TransferSyntax,
		calling: r.Association.Info().CallingAE, data: data, priority: r.Command.Priority})
}

func (s *scp) list() []arrived {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]arrived(nil), s.got...)
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// stored are the digests of what a storescp has written, by SOP instance.
func stored(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for uid, data := range gatewaytest.Stored(t, dir) {
		out[uid] = digestOf(data)
	}
	return out
}

var errAway = errors.New("the ledger is away")

func ruleNames(f *Forwarder) string {
	var out []string
	for _, m := range f.Matters() {
		out = append(out, m.Rule)
	}
	return strings.Join(out, " ")
}
