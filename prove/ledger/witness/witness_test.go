// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	flog "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"

	"github.com/asepsis/asepsis/prove/receipt"
)

// log is a log in memory that signs what it is told to.
type log struct {
	t      testing.TB
	signer note.Signer
	vkey   string
	leaves [][]byte
}

func newLog(t testing.TB, name string) *log {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return &log{t: t, signer: s, vkey: vkey}
}

func (l *log) grow(n int, text string) *log {
	for i := range n {
		l.leaves = append(l.leaves, rfc6962.DefaultHasher.HashLeaf(fmt.Appendf(nil, "%s %d", text, i)))
	}
	return l
}

func (l *log) fork(at int) *log {
	return &log{t: l.t, signer: l.signer, vkey: l.vkey, leaves: append([][]byte(nil), l.leaves[:at]...)}
}

// hash is the root of a perfect subtree.
func (l *log) hash(id compact.NodeID) []byte {
	if id.Level == 0 {
		return l.leaves[id.Index]
	}
	return rfc6962.DefaultHasher.HashChildren(l.hash(compact.NodeID{Level: id.Level - 1, Index: 2 * id.Index}), l.hash(compact.NodeID{Level: id.Level - 1, Index: 2*id.Index + 1}))
}

func (l *log) root(size int) []byte {
	r := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for _, h := range l.leaves[:size] {
		if err := r.Append(h, nil); err != nil {
			l.t.Fatal(err)
		}
	}
	if size == 0 {
		return rfc6962.DefaultHasher.EmptyRoot()
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return root
}

func (l *log) checkpoint() []byte {
	n := len(l.leaves)
	text := flog.Checkpoint{Origin: l.signer.Name(), Size: uint64(n), Hash: l.root(n)}.Marshal()
	b, err := note.Sign(&note.Note{Text: string(text)}, l.signer)
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

// request is add-checkpoint from a size to now.
func (l *log) request(old int) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "old %d\n", old)
	if old > 0 && old < len(l.leaves) {
		nodes, err := proof.Consistency(uint64(old), uint64(len(l.leaves)))
		if err != nil {
			l.t.Fatal(err)
		}
		hashes := make([][]byte, len(nodes.IDs))
		for i, id := range nodes.IDs {
			hashes[i] = l.hash(id)
		}
		if hashes, err = nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren); err != nil {
			l.t.Fatal(err)
		}
		for _, h := range hashes {
			b.WriteString(base64.StdEncoding.EncodeToString(h) + "\n")
		}
	}
	return b.String() + "\n" + string(l.checkpoint())
}

func open(t testing.TB, dir string, logs ...string) *Witness {
	t.Helper()
	w, err := New(Config{Dir: dir, Name: "witness.example", Listen: "127.0.0.1:0", Logs: logs}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func post(t testing.TB, w *Witness, body string) (int, string, string) {
	t.Helper()
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/add-checkpoint", strings.NewReader(body)))
	return rec.Code, rec.Header().Get("Content-Type"), rec.Body.String()
}

func mustSign(t testing.TB, w *Witness, l *log, old int) {
	t.Helper()
	status, _, body := post(t, w, l.request(old))
	k, err := receipt.ParseKey(w.Key())
	if err != nil {
		t.Fatal(err)
	}
	if status != http.StatusOK || !receipt.CheckCosignature(l.checkpoint(), body, k) {
		t.Fatalf("status %d: %s", status, body)
	}
}

func TestALogThatGrowsIsSigned(t *testing.T) {
	l := newLog(t, "log.example").grow(3, "a")
	dir := t.TempDir()
	w := open(t, dir, l.vkey)
	mustSign(t, w, l, 0)
	mustSign(t, w, l, 3) // the same again
	for old := 3; old < 40; old += 4 {
		l.grow(4, "b")
		mustSign(t, w, l, old)
	}
	if st := w.Status(); len(st) != 1 || st[0].Size != 43 || st[0].Origin != "log.example" {
		t.Errorf("%+v", st)
	}
	// After a restart it knows what it signed.
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = open(t, dir, l.vkey)
	l.grow(1, "c")
	if status, kind, body := post(t, w, l.request(0)); status != http.StatusConflict || kind != "text/x.tlog.size" || body != "43\n" {
		t.Errorf("status %d %s %q", status, kind, body)
	}
	mustSign(t, w, l, 43)
}

func TestWhatIsRefusedHasTheStatusOfTheStandard(t *testing.T) {
	l := newLog(t, "log.example").grow(10, "a")
	w := open(t, t.TempDir(), l.vkey)
	mustSign(t, w, l, 0)
	longer := l.fork(10).grow(5, "b")
	other := newLog(t, "log.example").grow(12, "a") // the same name by another key
	unknown := newLog(t, "other.example").grow(3, "a")
	cut := longer.request(10)
	_, after, _ := strings.Cut(cut, "\n")
	for _, c := range []struct {
		name, body string
		status     int
	}{
		{"nothing", "", http.StatusBadRequest},
		{"no empty line", "old 10\n", http.StatusBadRequest},
		{"no old size", strings.TrimPrefix(cut, "old 10\n"), http.StatusBadRequest},
		{"a size with a zero before", strings.Replace(cut, "old 10", "old 010", 1), http.StatusBadRequest},
		{"a negative size", strings.Replace(cut, "old 10", "old -1", 1), http.StatusBadRequest},
		{"a hash that is none", "old 10\nAAAA\n" + after, http.StatusBadRequest},
		{"too many hashes", "old 10\n" + strings.Repeat(base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n", 64) + "\n" + string(longer.checkpoint()), http.StatusBadRequest},
		{"too long", "old 10\n\n" + strings.Repeat("x", MaxRequest), http.StatusBadRequest},
		{"no checkpoint", "old 10\n\nlog.example\n", http.StatusForbidden},
		{"no signature", "old 10\n\n" + strings.SplitAfter(string(longer.checkpoint()), "\n\n")[0], http.StatusForbidden},
		{"another key", other.request(10), http.StatusForbidden},
		{"another log", unknown.request(0), http.StatusNotFound},
		{"an old size beyond the new", strings.Replace(l.request(10), "old 10", "old 11", 1), http.StatusBadRequest},
		{"another old size", longer.request(9), http.StatusConflict},
		{"a log that was taken back", l.fork(8).request(8), http.StatusConflict},
		{"another history of the same size", l.fork(9).grow(1, "x").request(10), http.StatusConflict},
		{"another history that is longer", l.fork(9).grow(5, "x").request(10), http.StatusUnprocessableEntity},
		{"no proof", "old 10\n\n" + string(longer.checkpoint()), http.StatusUnprocessableEntity},
		{"a proof where none is due", "old 10\n" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n\n" + string(l.checkpoint()), http.StatusUnprocessableEntity},
	} {
		if status, _, body := post(t, w, c.body); status != c.status {
			t.Errorf("%s: status %d (%s), want %d", c.name, status, strings.TrimSpace(body), c.status)
		}
	}
	mustSign(t, w, longer, 10) // and nothing of that was remembered
}

func TestAStateThatCannotBeReadIsNotALogNeverSeen(t *testing.T) {
	l := newLog(t, "log.example").grow(10, "a")
	dir := t.TempDir()
	w := open(t, dir, l.vkey)
	mustSign(t, w, l, 0)
	if _, err := New(Config{Dir: dir, Listen: "127.0.0.1:0"}, Deps{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second process: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "log-*.json"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	for _, content := range []string{"", "{}", `{"origin":"other.example","size":1,"root":"AAAA"}`} {
		if err := os.WriteFile(files[0], []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{Dir: dir, Listen: "127.0.0.1:0", Logs: []string{l.vkey}}, Deps{}); err == nil || !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("%q: %v", content, err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Dir: dir, Listen: "127.0.0.1:0"}, Deps{}); err == nil || !strings.Contains(err.Error(), "others may read it") {
		t.Errorf("a key that others read: %v", err)
	}
}

// A log whose signature cannot be written down is not signed for.
func TestNothingIsSignedThatCannotBeRemembered(t *testing.T) {
	l := newLog(t, "log.example").grow(3, "a")
	dir := t.TempDir()
	w := open(t, dir, l.vkey)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if status, _, body := post(t, w, l.request(0)); status != http.StatusInternalServerError || strings.Contains(body, "—") {
		t.Errorf("status %d: %s", status, body)
	}
}

// Tessera's own client gets its checkpoints cosigned by ours, over the network.
func TestTesserasClientIsServed(t *testing.T) {
	skey, vkey, err := note.GenerateKey(rand.Reader, "tessera.example/log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	w := open(t, t.TempDir(), vkey)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.Serve(ctx, listener) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	u, err := url.Parse("http://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	wit, err := tessera.NewWitness(w.Key(), u)
	if err != nil {
		t.Fatal(err)
	}
	driver, err := posix.New(ctx, posix.Config{Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	a, shutdown, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().WithCheckpointSigner(signer).WithCheckpointInterval(100*time.Millisecond).
		WithBatching(1, time.Millisecond).WithWitnesses(tessera.NewWitnessGroup(1, wit), nil))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := a.Add(ctx, tessera.NewEntry(fmt.Append(nil, i)))(); err != nil {
			t.Fatal(err)
		}
	}
	end, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	if err := shutdown(end); err != nil {
		t.Fatal(err)
	}
	cp, err := reader.ReadCheckpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := receipt.WriteTrust(vkey, []string{w.Key()}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := receipt.ParseTrust(trust)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := tr.Open(cp); err != nil || c.Size != 5 || len(c.Cosigned) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTheListenerAnswersNothingElse(t *testing.T) {
	w := open(t, t.TempDir())
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- w.Serve(ctx, listener) }()
	for path, want := range map[string]int{"/": http.StatusNotFound, "/add-checkpoint": http.StatusMethodNotAllowed} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("GET %s: %d", path, resp.StatusCode)
		}
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestABadConfigurationIsRefused(t *testing.T) {
	for want, c := range map[string]Config{
		"listen":    {Listen: "nowhere"},
		"cert_file": {Listen: "0.0.0.0:8444"},
		"key_file":  {Listen: "127.0.0.1:1", CertFile: "x"},
		"name":      {Listen: "127.0.0.1:1", Name: "a b"},
		"logs":      {Listen: "127.0.0.1:1", Logs: []string{"x"}},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

func FuzzAddCheckpoint(f *testing.F) {
	l := newLog(f, "log.example").grow(10, "a")
	dir := f.TempDir()
	w := open(f, dir, l.vkey)
	mustSign(f, w, l, 0)
	good := l.fork(10).grow(5, "b").request(10)
	f.Add([]byte(good))
	f.Add([]byte(l.request(10)))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/add-checkpoint", bytes.NewReader(b)))
		// Without the log's key nothing but what it signed is signed.
		if rec.Code == http.StatusOK && !strings.Contains(string(b), "log.example\n1") {
			t.Fatalf("%q was signed", b)
		}
	})
}
