// SPDX-License-Identifier: Apache-2.0

// Command console measures how long the pages of the console wait for the API: a
// server before a store with many events and 10,000 devices, on this machine, over
// loopback. PostgreSQL is started in a temporary directory; it needs Debian's postgresql.
//
//	go run ./bench/console [-engine sqlite|postgres] [-events 1000000] [-devices 10000] [-rounds 20]
//	go run ./bench/console -serve
//
// It prints the median and the 95th percentile of each page's calls, made at once as
// a browser makes them, beside the 200 ms that the design allows for the first
// screen with 10 M events stored. The first screen is status, session and board.
// With -serve it prints the set-up link instead and serves until it is interrupted:
// web/e2e/large drives a browser against that.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/postgres"
	"github.com/asepsis/asepsis/platform/store/postgres/pgtest"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/api"
	"github.com/asepsis/asepsis/web"
)

func main() {
	log.SetFlags(0)
	engine := flag.String("engine", "sqlite", "sqlite or postgres")
	events := flag.Int("events", 1_000_000, "events stored")
	devices := flag.Int("devices", 10_000, "devices in the inventory")
	rounds := flag.Int("rounds", 20, "how often each page is opened")
	serve := flag.Bool("serve", false, "print the set-up link and serve, instead of measuring")
	keep := flag.String("dir", "", "keep the store here and use it again, instead of a temporary directory")
	flag.Parse()
	if err := run(*engine, *events, *devices, *rounds, *keep, *serve); err != nil {
		log.Fatal("bench/console: ", err)
	}
}

func run(engine string, events, devices, rounds int, dir string, serve bool) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if dir == "" {
		tmp, err := os.MkdirTemp("", "asepsis-bench-console-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(tmp) }()
		dir = tmp
	}
	quiet := slog.New(slog.DiscardHandler)
	db, closeStore, err := openStore(ctx, engine, dir, quiet)
	if err != nil {
		return err
	}
	defer closeStore()
	b, err := bus.Open(ctx, bus.Default(), bus.Deps{Dir: filepath.Join(dir, "bus"), Log: quiet})
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	if err := fill(ctx, db, events, devices); err != nil {
		return err
	}

	a, err := access.New(access.Default(), access.Deps{Store: db, Log: quiet, Site: func(ctx context.Context) access.Site { return api.SiteOf(ctx, db) }})
	if err != nil {
		return err
	}
	cfg := api.Default()
	cfg.Listen, cfg.TLS = "127.0.0.1:0", api.TLS{Plain: true}
	s, err := api.New(cfg, api.Deps{Store: db, Bus: b, Access: a, Log: quiet, Dir: dir, Web: web.Dist()})
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Listening()
	if serve {
		link, _, err := a.SetupLink(ctx, s.URL())
		if err != nil {
			return err
		}
		fmt.Println(link)
		return <-done
	}
	c, err := login(ctx, a, s.URL())
	if err != nil {
		return err
	}
	if err := measure(c, rounds); err != nil {
		return err
	}
	cancel()
	return <-done
}

// openStore opens the store that is asked for, and returns what closes it.
func openStore(ctx context.Context, engine, dir string, log *slog.Logger) (store.Store, func(), error) {
	switch engine {
	case "sqlite":
		db, err := sqlite.Open(ctx, sqlite.Config{Dir: filepath.Join(dir, "store")}, sqlite.Deps{Log: log})
		if err != nil {
			return nil, nil, err
		}
		return db, func() { _ = db.Close() }, nil
	case "postgres":
		tmp, err := os.MkdirTemp("", "asepsis-bench-pg-") // an account of its own must be able to enter it
		if err != nil {
			return nil, nil, err
		}
		c, err := pgtest.New(ctx, tmp)
		if err != nil {
			return nil, nil, errors.Join(err, os.RemoveAll(tmp))
		}
		end := func() {
			if err := errors.Join(c.Stop(context.WithoutCancel(ctx), "immediate"), os.RemoveAll(tmp)); err != nil {
				fmt.Fprintln(os.Stderr, "bench/console:", err)
			}
		}
		db, err := postgres.Open(ctx, postgres.Config{DSN: c.DSN("postgres")}, postgres.Deps{Log: log})
		if err != nil {
			end()
			return nil, nil, err
		}
		return db, func() { _ = db.Close(); end() }, nil
	}
	return nil, nil, fmt.Errorf("engine %q: want sqlite or postgres", engine)
}

// classes of the devices that are made, in turn.
var classes = []device.Class{device.ClassCT, device.ClassPACS, device.ClassInfusionPump, device.ClassPatientMonitor, device.ClassWorkstation, device.ClassServer, device.ClassUltrasound, device.ClassUnknown}

func deviceID(i int) string { return fmt.Sprintf("dev-%016d", i) }
func addr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// fill makes what is not there yet: events spread over the last seven days.
func fill(ctx context.Context, db store.Store, events, devices int) error {
	now := time.Now()
	var list []device.Device
	for i := range devices {
		class := classes[i%len(classes)]
		list = append(list, device.Device{
			ID: deviceID(i), Class: class, Confidence: 80, Name: fmt.Sprintf("%s-%d", strings.ToUpper(string(class)), i), Vendor: "Example Medical", Model: fmt.Sprintf("M%d", i%40),
			Interfaces: []device.Interface{{MAC: device.MAC{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)}, IPs: []netip.Addr{addr(i)}, VLANs: []uint16{uint16(300 + i%20)}}},
			Services:   []string{"dicom/tcp:104", "http/tcp:80"}, Uses: []string{"dns", "dhcp", "hl7"}, Theatre: fmt.Sprintf("OR-%d", i%21), Zone: "clinical",
			Facts: map[device.Attribute]device.Fact{device.AttrHostname: {Value: fmt.Sprintf("host-%d", i), Confidence: 60, Sources: []string{"dhcp.option12"}}},
			First: now.Add(-30 * 24 * time.Hour).UnixNano(), Last: now.Add(-time.Duration(rand.IntN(3600)) * time.Second).UnixNano(), //nolint:gosec // a benchmark's data
		})
	}
	if err := db.PutDevices(ctx, list, nil); err != nil {
		return err
	}
	var writes []store.Write
	for i := range 20 {
		body, err := json.Marshal(map[string]any{"id": fmt.Sprintf("OR-%d", i), "name": fmt.Sprintf("Theatre %d", i), "order": i, "vlans": []int{300 + i}, "prefixes": []string{}, "state": "idle", "since": now.Format(time.RFC3339), "source": "bench"})
		if err != nil {
			return err
		}
		writes = append(writes, store.Write{Kind: "theatre", ID: fmt.Sprintf("OR-%d", i), Expect: store.AnyRevision, Body: body})
	}
	if err := db.Commit(ctx, writes); err != nil {
		return err
	}
	have, err := db.Position(ctx, "bench")
	if err != nil {
		return err
	}
	release, err := db.Lead(ctx, false)
	if err != nil {
		return err
	}
	defer release()
	began := time.Now()
	for n := int(have); n < events; {
		recs := make([]record.Record, 0, 10_000)
		for len(recs) < cap(recs) && n < events {
			r, err := made(n, events, devices, now)
			if err != nil {
				return err
			}
			recs = append(recs, r)
			n++
		}
		if err := db.Append(ctx, store.Position{Stream: "bench", Seq: uint64(n)}, recs); err != nil {
			return err
		}
	}
	fmt.Printf("%d events and %d devices stored in %s\n", events, devices, time.Since(began).Round(time.Millisecond))
	return nil
}

// made is one event: mostly connections and names, some DICOM. The devices have as many
// conversations as a hospital's: each with a few servers, not with everybody.
func made(n, of, devices int, now time.Time) (record.Record, error) {
	at := now.Add(-7 * 24 * time.Hour).Add(time.Duration(float64(7*24*time.Hour) * float64(n) / float64(of)))
	src := (n * 7919) % devices
	dst := (src*31 + n%5) % (devices/20 + 1) // a device talks to five servers
	e := &event.Event{UID: fmt.Sprintf("b%d", n), Time: at.UnixNano(), Activity: 6, Severity: finding.Info, Status: event.StatusSuccess,
		Flow: &event.Flow{ID: uint64(n), Proto: 6, Src: event.Endpoint{IP: addr(src), Port: uint16(32768 + n%20000)}, Dst: event.Endpoint{IP: addr(dst), Port: 104}}}
	var link *record.Link
	switch n % 10 {
	case 0:
		e.Protocol, e.Activity, e.Message = "dicom", 2, fmt.Sprintf("WS-%d stored an object on ARCHIVE", src)
		e.Detail = &event.DICOMOperation{Command: "C-STORE", CallingAE: fmt.Sprintf("WS-%d", src), CalledAE: "ARCHIVE", SOPClass: "1.2.840.10008.5.1.4.1.1.2", SOPInstance: fmt.Sprintf("1.2.3.%d", n), Answered: true, Bytes: 524288}
	case 1, 2, 3:
		e.Protocol, e.Message = "dns", fmt.Sprintf("host-%d asked for pacs-%d.hospital.example", src, dst)
		e.Detail = &event.DNS{Query: fmt.Sprintf("pacs-%d.hospital.example", dst), Type: "A", RCodeName: "NoError"}
	default:
		e.Protocol, e.Activity, e.Message = "tls", 2, fmt.Sprintf("%s talked tls to %s:443 for 1.4 s", addr(src), addr(dst))
		e.Detail = &event.Connection{Start: e.Time - 1e9, End: e.Time, BytesOut: 4000, BytesIn: 90000, PacketsOut: 20, PacketsIn: 80, State: "SF", App: "tls"}
		link = &record.Link{Transport: "tcp", Port: 443, Flows: 1, BytesOut: 4000, BytesIn: 90000}
	}
	if n%5000 == 0 {
		e.Severity = finding.Medium
	}
	r, err := record.Of(e, "bench")
	r.SrcDevice, r.DstDevice, r.Theatre, r.Link = deviceID(src), deviceID(dst), fmt.Sprintf("OR-%d", src%21), link
	return r, err
}

// client is a browser that is logged in.
type client struct {
	http         *http.Client
	base, cookie string
}

func login(ctx context.Context, a *access.Access, base string) (*client, error) {
	c := &client{http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}, base: base}
	link, needed, err := a.SetupLink(ctx, base)
	if err != nil {
		return nil, err
	}
	const name, password = "bench", "bench of the console 1"
	path, body := "/api/v1/session", map[string]string{"name": name, "password": password}
	if needed {
		u, err := url.Parse(link)
		if err != nil {
			return nil, err
		}
		f, err := url.ParseQuery(u.Fragment)
		if err != nil {
			return nil, err
		}
		path = "/api/v1/setup"
		body["token"], body["display_name"] = f.Get("token"), "Bench"
	}
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Post(base+path, "application/json", strings.NewReader(string(b)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return nil, fmt.Errorf("log in: %s %s", resp.Status, text)
	}
	c.cookie, _, _ = strings.Cut(resp.Header.Get("Set-Cookie"), ";")
	return c, nil
}

func (c *client) get(path string) (int64, error) {
	req, err := http.NewRequest(http.MethodGet, c.base+"/api/v1"+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Cookie", c.cookie)
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	n, err := io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		return n, fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return n, err
}

// pages are the calls that each page of the console begins with.
var pages = []struct {
	name  string
	calls []string
}{
	{"first screen (session, status, board)", []string{"/session", "/status", "/board"}},
	{"room", []string{"/theatres/OR-3/room"}},
	{"devices, all rows", []string{"/devices"}},
	{"devices, server-side filter", []string{"/devices?class=ct&theatre=OR-0&limit=100"}},
	{"device", []string{"/devices/" + deviceID(8), "/devices/" + deviceID(8) + "/conversations", "/devices/" + deviceID(8) + "/activity"}},
	{"map, 24 h", []string{"/map"}},
	{"events, last day", []string{"/events?from=-24h", "/events/histogram?from=-24h", "/events/top?from=-24h&field=protocol", "/events/top?from=-24h&field=class"}},
	{"events, all that is kept", []string{"/events", "/events/histogram"}},
	{"events, a word", []string{"/events?q=WS-4242"}},
	{"sensor", []string{"/sensors", "/storage"}},
	{"search", []string{"/search?q=ct-16"}},
	{"settings", []string{"/settings", "/theatres", "/storage"}},
}

func measure(c *client, rounds int) error {
	fmt.Printf("\n%-40s %10s %10s %10s   %s\n", "page", "p50", "p95", "KB", "200 ms")
	for _, p := range pages {
		var took []time.Duration
		var size int64
		for i := range rounds + 2 {
			began := time.Now()
			var all sync.WaitGroup
			errs, sizes := make([]error, len(p.calls)), make([]int64, len(p.calls))
			for k, call := range p.calls {
				all.Go(func() { sizes[k], errs[k] = c.get(call) })
			}
			all.Wait()
			for k := range errs {
				if errs[k] != nil {
					return errs[k]
				}
				size += sizes[k]
			}
			if i >= 2 { // the first two fill caches, as the first minute does
				took = append(took, time.Since(began))
			}
		}
		slices.Sort(took)
		p50, p95 := took[len(took)/2], took[len(took)*95/100]
		verdict := "within"
		if p95 > 200*time.Millisecond {
			verdict = "over"
		}
		fmt.Printf("%-40s %10s %10s %10d   %s\n", p.name, p50.Round(100*time.Microsecond), p95.Round(100*time.Microsecond), size/int64(rounds+2)/1000, verdict)
	}
	return nil
}
