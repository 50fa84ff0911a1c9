// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// patience is how long a test waits for a peer before it fails.
const patience = 60 * time.Second

// receiver is a storage SCP that does nothing but inspect.
type receiver struct {
	wall func(uid string) *Firewall

	mu      sync.Mutex
	results map[string]instance.Result // by the SOP instance of the command
}

func (r *receiver) Handle(_ context.Context, q *dicomnet.Request) dicomnet.Reply {
	info := q.Association.Info()
	uid := q.Command.SOPInstance()
	a := instance.Arrival{Sender: instance.Sender{Way: instance.DIMSE, Device: "dev-1", CallingAE: info.CallingAE, CalledAE: info.CalledAE}, At: arrived,
		SOPClass: q.Command.SOPClass(), SOPInstance: uid, TransferSyntax: q.Context.TransferSyntax}
	i := r.wall(uid).Begin(a)
	if _, err := io.Copy(i, q.Data); err != nil {
		return dicomnet.Reply{Status: 0xA700}
	}
	out := i.Finish()
	r.mu.Lock()
	r.results[uid] = out
	r.mu.Unlock()
	return dicomnet.Reply{Status: out.Status, Comment: out.Comment}
}

// listen serves the receiver on a port of the loopback, until the test ends.
func (r *receiver) listen(t *testing.T, extra ...string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dicomnet.Server{Handler: r, Services: []dicomnet.Service{{AbstractSyntax: dicomnet.AnyStorage}}}
	for _, e := range extra {
		s.Services = append(s.Services, dicomnet.Service{AbstractSyntax: e})
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln, time.Second) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

// TestAttacksSentByDCMTKMeetTheSame sends with dcmsend what it can send. It reads a file, and writes it in its own way: structure that
// lies is mended or refused there, which is why such attacks have a sender of ours.
func TestAttacksSentByDCMTKMeetTheSame(t *testing.T) {
	if _, err := exec.LookPath("dcmsend"); err != nil {
		t.Skip("peer missing: dcmsend (Debian package dcmtk)")
	}
	dir := t.TempDir()
	sent := map[string]*attack{}
	r := &receiver{results: map[string]instance.Result{}, wall: func(uid string) *Firewall { return sent[uid].firewall(t) }}
	list := attacks()
	args := []string{"-q", "-nh", "-nuc", "-dn", "-aet", "CT1", "-aec", "GATEWAY"}
	host, port, _ := net.SplitHostPort(r.listen(t))
	args = append(args, host, port)
	for i := range list {
		a := &list[i]
		if a.sender != "dcmsend" {
			continue
		}
		uid := fmt.Sprintf("2.25.%04d", 2000+i)
		sent[uid] = a
		arrival := a.arrival()
		data := bytes.ReplaceAll(a.data, []byte(theUID), []byte(uid))
		head, err := dicom.AppendFileHead(nil, dicom.Preamble{}, &dicom.FileMeta{SOPClass: arrival.SOPClass, SOPInstance: uid, TransferSyntax: arrival.TransferSyntax, ImplUID: "2.25.1"})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, uid+".dcm")
		if err := os.WriteFile(path, append(head, data...), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, _ := exec.CommandContext(ctx, "dcmsend", args...).CombinedOutput() // fails: instances are refused
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(sent) < 100 {
		t.Errorf("only %d attacks are sent by DCMTK", len(sent))
	}
	for uid, a := range sent {
		got, ok := r.results[uid]
		if !ok {
			t.Errorf("%s: not sent", a.name)
			continue
		}
		if h := met(&got, a.rule); h == nil || h.Verdict != a.wanted(a.firewall(t)) {
			t.Errorf("%s: %s did not meet: %v %v", a.name, a.rule, got.Verdict, got.Hits)
		}
	}
	if t.Failed() {
		t.Logf("dcmsend said:\n%s", out)
	}
}

// TestAttacksThatDCMTKWouldMendAreSentAsTheyAre sends the others with our own SCU, each on an association of its own, and reads
// the status that a sender sees.
func TestAttacksThatDCMTKWouldMendAreSentAsTheyAre(t *testing.T) {
	var now *attack
	r := &receiver{results: map[string]instance.Result{}, wall: func(string) *Firewall { return now.firewall(t) }}
	address := r.listen(t, "1.2.3.4.5", dicom.UIDMPPS)
	n := 0
	list := attacks()
	for i := range list {
		a := &list[i]
		if a.sender != "own" {
			continue
		}
		n++
		now = a
		arrival := a.arrival()
		status, err := send(t, address, arrival, a.data)
		r.mu.Lock()
		got, ok := r.results[arrival.SOPInstance]
		delete(r.results, arrival.SOPInstance)
		r.mu.Unlock()
		if !ok {
			t.Errorf("%s: not sent: %v", a.name, err)
			continue
		}
		h := met(&got, a.rule)
		if h == nil {
			t.Errorf("%s: %s did not meet: %v %v", a.name, a.rule, got.Verdict, got.Hits)
			continue
		}
		var refused *dicomnet.StatusError
		switch {
		case got.Verdict == instance.Refuse && (!errors.As(err, &refused) || status != got.Status):
			t.Errorf("%s: the sender sees %v %v, not %v", a.name, status, err, got.Status)
		case got.Verdict != instance.Refuse && (err != nil || status != dimse.Status(0)):
			t.Errorf("%s: the sender sees %v %v, and the verdict is %v", a.name, status, err, got.Verdict)
		}
	}
	if n < 40 {
		t.Errorf("only %d attacks were sent", n)
	}
}

func send(t *testing.T, address string, a instance.Arrival, data []byte) (dimse.Status, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d := &dicomnet.Dialer{CallingAE: a.Sender.CallingAE, CalledAE: a.Sender.CalledAE, Contexts: []dicomnet.Proposal{{AbstractSyntax: a.SOPClass, TransferSyntaxes: []string{a.TransferSyntax}}}}
	c, err := d.Dial(ctx, address)
	if err != nil {
		return 0, err
	}
	status, err := c.Store(ctx, dicomnet.Instance{SOPClass: a.SOPClass, SOPInstance: a.SOPInstance, TransferSyntax: a.TransferSyntax, Data: bytes.NewReader(data)})
	if rerr := c.Release(ctx); rerr != nil && err == nil {
		err = rerr
	}
	return status, err
}
