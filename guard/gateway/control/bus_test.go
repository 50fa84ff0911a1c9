// SPDX-License-Identifier: Apache-2.0

package control_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/steer/steertest"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/porttest"
)

const (
	many     = 1200 // instances of the gateway in the other process
	stranded = 150  // of them were given up by the archive: more than one statement is about
)

// TestMain makes this binary the process of the gateway when it is told to be.
func TestMain(m *testing.M) {
	if url := os.Getenv("ASEPSIS_TEST_BUS"); url != "" {
		if err := gateway(url, os.Getenv("ASEPSIS_TEST_DIR")); err != nil {
			fmt.Println("gateway:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// gateway serves until its standard input ends.
func gateway(url, dir string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cfg := bus.Default()
	cfg.URL = url
	b, err := bus.Open(ctx, cfg, bus.Deps{})
	if err != nil {
		return err
	}
	defer b.Close()
	g, err := steertest.Open(steertest.Options{Dir: dir})
	if err != nil {
		return err
	}
	for n := range many {
		if _, err := g.Put(ctx, steertest.Image(1, n+1, ""), func(r *instance.Record) {
			r.State, r.Deliveries = instance.Quarantined, nil
			for range instance.MaxHits { // as large as a record can be
				r.Hits = append(r.Hits, instance.Hit{Rule: "text.script", Verdict: instance.Quarantine, Path: "(0040,A730)[2].(0040,A160)", Why: strings.Repeat("long ", 10)})
			}
		}); err != nil {
			return err
		}
	}
	var numbers []uint64
	for n := range uint64(stranded) {
		numbers = append(numbers, n+1)
	}
	if err := g.Forward.Strand(ctx, "archive", numbers...); err != nil {
		return err
	}
	done := make(chan error, 1)
	only, err := guarded(ctx, os.Getenv("ASEPSIS_TEST_TRUST"), dir)
	if err != nil {
		return err
	}
	go func() { done <- control.Serve(ctx, b, "gateway-or-3", g, only) }()
	for {
		list, err := control.Gateways(ctx, b, time.Now())
		if err != nil {
			return err
		}
		if len(list) == 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println("serving")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		g.Live.Changed()
	}
	cancel()
	return <-done
}

// other starts the process of the gateway, with more in its environment, and returns a bus that reaches it.
func other(t *testing.T, env ...string) (b *bus.Bus, in io.WriteCloser, wait func()) {
	t.Helper()
	port, err := porttest.Free()
	if err != nil {
		t.Fatal(err)
	}
	cfg := bus.Default()
	cfg.Listen = fmt.Sprintf("127.0.0.1:%d", port)
	if b, err = bus.Open(t.Context(), cfg, bus.Deps{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(append(os.Environ(), "ASEPSIS_TEST_BUS=nats://"+cfg.Listen, "ASEPSIS_TEST_DIR="+t.TempDir()), env...)
	if in, err = child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	if !said.Scan() || said.Text() != "serving" {
		t.Fatalf("the other process said %q", said.Text())
	}
	return b, in, func() {
		in.Close()
		if err := child.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestAGatewayOfAnotherProcessIsSteeredAsOneOfThis(t *testing.T) {
	b, in, wait := other(t)
	ctx := t.Context()
	g := control.At(b, "gateway-or-3")

	list, err := control.Gateways(ctx, b, time.Now())
	if err != nil || len(list) != 1 || !list[0].Live || list[0].Since.IsZero() {
		t.Fatalf("the gateways are %+v, %v", list, err)
	}
	if o, err := g.Overview(ctx); err != nil || o.Name != "gateway-or-3" || o.Held != many || len(o.Minutes) != 60 {
		t.Errorf("the overview is %+v, %v", o, err)
	}

	// What a message cannot carry comes in parts, whole and in its order.
	records, err := g.Instances(ctx, instance.Query{Limit: 1000})
	if err != nil || len(records) != 1000 || records[0].Number != many || records[999].Number != many-999 || len(records[0].Hits) < instance.MaxHits {
		t.Fatalf("%d records, %v", len(records), err)
	}
	held, err := g.Quarantine(ctx, 300, 500)
	if err != nil || len(held) != 299 || held[0].Number != 299 || held[298].Number != 1 {
		t.Errorf("%d are held, %v", len(held), err)
	}
	if !slices.IsSortedFunc(records, func(a, b instance.Record) int { return int(b.Number) - int(a.Number) }) {
		t.Error("the records are not in their order")
	}

	// What a person caused keeps its code and its hint.
	d := control.Decide{Number: 1, Action: "destroy", Reason: "a worm", User: "ada", Revision: held[298].Revision}
	h, err := g.Decide(ctx, d)
	if err != nil || h.Asked == nil || h.Asked.By != "ada" || h.Verdict != held[298].Verdict {
		t.Fatalf("the first word: %+v, %v", h, err)
	}
	for name, x := range map[string]struct {
		call func() error
		code string
		hint bool
	}{
		"the same person again": {func() error { d.Revision = h.Revision; _, err := g.Decide(ctx, d); return err }, control.SamePerson, true},
		"another revision":      {func() error { d.Revision = 99; _, err := g.Decide(ctx, d); return err }, control.Changed, true},
		"no such instance":      {func() error { _, err := g.Instance(ctx, 99999); return err }, control.NotFound, false},
		"no such destination":   {func() error { _, err := g.EchoTo(ctx, "none"); return err }, control.NotFound, false},
		"no such action":        {func() error { return g.Steer(ctx, "xr-3", "explode", "ada") }, control.Invalid, false},
		"another policy": {func() error {
			_, _, err := g.SetPolicy(ctx, control.Policy{YAML: "mode: observe\n", SHA256: "0"}, "ada")
			return err
		}, control.Changed, true},
		"dropping by steering": {func() error { return g.Steer(ctx, "archive", "drop", "ada") }, control.Invalid, true},
		"dropping without a reason": {func() error {
			_, err := g.Drop(ctx, control.Drop{Destination: "archive", User: "ada"})
			return err
		}, control.Invalid, false},
		"dropping what nobody knows": {func() error {
			_, err := g.Drop(ctx, control.Drop{Destination: "none", User: "ada", Reason: "it is gone"})
			return err
		}, control.NotFound, false},
		"another gateway":  {func() error { _, err := control.At(b, "gateway-or-4").Overview(ctx); return err }, control.Unavailable, true},
		"a text too large": {func() error { _, err := g.DryRun(ctx, control.DryRun{YAML: strings.Repeat("#", 2<<20)}); return err }, control.Invalid, true},
	} {
		err := x.call()
		var r *control.Refused
		if !errors.As(err, &r) || r.Code != x.code || x.hint != (r.Hint() != "") {
			t.Errorf("%s: %#v, want %s", name, err, x.code)
		}
	}

	// The rest of the methods, each once.
	if l, err := g.Destinations(ctx); err != nil || len(l) != 2 {
		t.Errorf("destinations: %v, %v", l, err)
	}
	if err := g.Steer(ctx, "xr-3", "pause", "ada"); err != nil {
		t.Errorf("pausing: %v", err)
	}
	if d, err := g.Drop(ctx, control.Drop{Destination: "archive", User: "ada", Reason: "it was replaced"}); err != nil || d.Deliveries != stranded {
		t.Errorf("dropping: %+v, %v", d, err)
	}
	if e, err := g.EchoTo(ctx, "xr-3"); err != nil || !e.OK {
		t.Errorf("trying: %+v, %v", e, err)
	}
	if _, err := g.Associations(ctx); err != nil {
		t.Errorf("associations: %v", err)
	}
	if x, err := g.HeaderOf(ctx, control.HeaderRequest{Number: 2}); err != nil || len(x.Elements) < 20 {
		t.Errorf("the header: %+v, %v", x, err)
	}
	p, err := g.Policy(ctx)
	if err != nil || len(p.YAML) < 1000 {
		t.Errorf("the policy: %v", err)
	}
	if set, problems, err := g.SetPolicy(ctx, control.Policy{YAML: "mode: observe\n", SHA256: p.SHA256}, "ada"); err != nil || len(problems) != 0 || set.YAML != "mode: observe\n" {
		t.Errorf("setting the policy: %+v, %+v, %v", set, problems, err)
	}
	if r, err := g.DryRun(ctx, control.DryRun{YAML: "mode: enforce\n", Limit: 300}); err != nil || r.Examined != 300 || r.Same != 300 {
		t.Errorf("trying a policy: %+v, %v", r, err)
	}
	bindings, revision, err := g.Bindings(ctx)
	if err != nil || len(bindings) != 2 {
		t.Errorf("bindings: %v, %v", bindings, err)
	}
	if problems, err := g.SetBindings(ctx, bindings[:1], revision, "ada"); err != nil || len(problems) != 0 {
		t.Errorf("setting bindings: %v, %v", problems, err)
	}
	if st, err := g.Ledger(ctx); err != nil || st.Origin != "" {
		t.Errorf("the ledger of a gateway without one: %+v, %v", st, err)
	}

	// A change is told, and the end is seen.
	heard := make(chan string, 16)
	stop, err := b.Listen("changed", func(body []byte) {
		select {
		case heard <- string(body):
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case x := <-heard:
		if !strings.Contains(x, `"imaging"`) {
			t.Errorf("what was heard is %s", x)
		}
	case <-time.After(gatewaytest.Patience):
		t.Error("no change was heard")
	}
	wait()
	var r *control.Refused
	if _, err := g.Overview(ctx); !errors.As(err, &r) || r.Code != control.Unavailable {
		t.Errorf("after its end: %v", err)
	}
	if list, err := control.Gateways(ctx, b, time.Now().Add(time.Hour)); err != nil || len(list) != 1 || list[0].Live {
		t.Errorf("an hour later the gateways are %+v, %v", list, err)
	}
	if list, err := control.Gateways(ctx, b, time.Now().Add(31*24*time.Hour)); err != nil || len(list) != 0 {
		t.Errorf("a month later the gateways are %+v, %v", list, err)
	}
}

func TestNamesOfGateways(t *testing.T) {
	for name, ok := range map[string]bool{"gateway-or-3": true, "g": true, "0": true, "": false, "Gateway": false, "a b": false, "a--b": false, "-a": false, "a-": false, "a.b": false, strings.Repeat("a", 63): true, strings.Repeat("a", 64): false} {
		if err := control.CheckName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
