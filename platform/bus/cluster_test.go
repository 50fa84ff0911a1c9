// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// member is one server of a cluster, in a process of its own.
type member struct {
	name, spec, url string
	process         *process
}

func (m *member) start(t testing.TB) { m.process = spawn(t, runServer+"="+m.spec) }

// newCluster starts servers that keep a stream together.
func newCluster(t testing.TB, n int) []*member {
	t.Helper()
	ports := make([]int, 2*n) // for clients, then for each other
	for i := range ports {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", unused(t)))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }() // none is given twice
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	var routes []string
	for _, p := range ports[n:] {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", p))
	}
	out := make([]*member, n)
	for i := range out {
		name := fmt.Sprintf("server-%d", i+1)
		out[i] = &member{name: name, url: fmt.Sprintf("nats://127.0.0.1:%d", ports[i]),
			spec: strings.Join([]string{t.TempDir(), fmt.Sprint(ports[i]), name, fmt.Sprint(ports[n+i]), strings.Join(routes, ",")}, "|")}
	}
	return out
}

func TestAClusterThatLosesItsLeaderAgainAndAgainLosesNoEvent(t *testing.T) {
	if os.Getenv("ASEPSIS_TEST_SLOW") == "" {
		t.Skip("takes about a minute: make test-slow")
	}
	members := newCluster(t, 3)
	var urls []string
	var starting sync.WaitGroup
	for _, m := range members {
		starting.Go(func() { m.start(t) })
		urls = append(urls, m.url)
	}
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	nc, err := nats.Connect(strings.Join(urls, ","), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	info := func() (*jetstream.StreamInfo, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		s, err := js.Stream(ctx, "asepsis-events")
		if err != nil {
			return nil, err
		}
		return s.CachedInfo(), nil
	}
	ready := func() error { // the cluster has agreed on who keeps its streams
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := js.AccountInfo(ctx)
		return err
	}
	until(t, "the cluster is ready", func() bool { return ready() == nil })
	b := openIn(t, "", func(c *Config) { c.URL, c.Replicas = strings.Join(urls, ","), 3 })
	got, _ := reading(t, b, 0)
	p := b.NewPublisher("s", PublisherOptions{Wait: true})
	stop := running(t, p)
	const sources, n, rounds = 2, 20_000, 4
	var wg sync.WaitGroup
	for who := range sources {
		wg.Go(func() {
			for i := range n {
				p.Emit(numbered(who, i))
				if i%250 == 0 {
					time.Sleep(20 * time.Millisecond) // so that there is load at each kill
				}
			}
		})
	}
	for round := range rounds {
		until(t, "under load", func() bool { return p.Stats().Stored > uint64(round+1)*sources*n/(rounds+2) })
		var leader *member
		until(t, "three copies that agree, and a leader", func() bool {
			i, err := info()
			if err != nil || i.Cluster == nil || len(i.Cluster.Replicas) != 2 {
				return false
			}
			for _, r := range i.Cluster.Replicas {
				if !r.Current || r.Offline {
					return false // two of three must remain
				}
			}
			for _, m := range members {
				if m.name == i.Cluster.Leader {
					leader = m
				}
			}
			return leader != nil
		})
		leader.process.kill()
		before := p.Stats().Stored
		until(t, "goes on without the leader", func() bool { s := p.Stats(); return s.Stored > before || s.Queued == 0 })
		leader.start(t)
	}
	wg.Wait()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	until(t, "all read", func() bool { return got.count() >= sources*n })
	got.wantNumbers(t, sources, n)
	if got.missing != 0 || got.events != 0 || got.lost != 0 {
		t.Errorf("%d messages with %d events missing, %d lost", got.missing, got.events, got.lost)
	}
	until(t, "the stream has three copies that agree", func() bool {
		i, err := info()
		return err == nil && i.Config.Replicas == 3 && i.Cluster != nil && len(i.Cluster.Replicas) == 2 && i.Cluster.Replicas[0].Current && i.Cluster.Replicas[1].Current
	})
}
