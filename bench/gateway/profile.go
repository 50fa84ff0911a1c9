// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// part is a part of the gateway's work, by the functions that stand for it in a stack. A sample counts
// for the first part that its stack names.
type part struct{ name, functions string }

var parts = []part{
	{"SHA-256 of data set and pixels", `fips140/sha256`},
	{"TLS", `crypto/tls\.`},
	{"ledger", `prove/ledger`},
	{"journal", `guard/gateway/journal`},
	{"content firewall", `guard/gateway/firewall`},
	{"events, store, detection, bus", `platform/(bus|record|store)|see/|nats-io|modernc\.org`},
	{"association, DIMSE, binding", `guard/(dicomnet|gateway)|wire/dicom`},
	{"memory and scheduler of the runtime", `^runtime\.`},
}

// profileSeconds is how long samples are taken.
const profileSeconds = 10

// profiling sends with eight senders while a processor profile of the gateway is taken, and prints what each part of
// the work takes, and how much of a processor an image costs.
func profiling(ctx context.Context, o options, p *pki, loads []load) error {
	fmt.Println("\n| processor time of the gateway, eight associations |" + " small | CT |\n|---|---:|---:|")
	rows := make([]string, len(parts)+2)
	for _, l := range loads {
		column, err := profileOf(ctx, o, p, l)
		if err != nil {
			return fmt.Errorf("profile, %s: %w", l.name, err)
		}
		for i, x := range column {
			rows[i] += " " + x + " |"
		}
	}
	fmt.Println("| an image |" + rows[0])
	for i, x := range parts {
		fmt.Println("| " + x.name + " |" + rows[i+1])
	}
	fmt.Println("| anything else |" + rows[len(rows)-1])
	return nil
}

func profileOf(ctx context.Context, o options, p *pki, l load) (column []string, err error) {
	dir, err := os.MkdirTemp(o.dir, "profile-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	at, stop, err := startAsepsis(ctx, o, p, dir, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	s := senders[len(senders)-1]
	if err := first(ctx, p, at, s, l); err != nil {
		return nil, err
	}
	file := o.profile + "." + l.name
	done := make(chan error, 1)
	before, err := processor(at.pid)
	if err != nil {
		return nil, err
	}
	go func() { done <- takeProfile(ctx, at.debug, file) }()
	sent := s.send(ctx, p, at, l.dir, s.processes)
	after, err := processor(at.pid)
	if err := errors.Join(sent, err, <-done); err != nil {
		return nil, err
	}
	column = append(column, fmt.Sprintf("%.2f ms", (after-before).Seconds()*1000/float64(l.count(s))))
	rest, ignore := 100.0, ""
	for _, x := range parts {
		share, err := shareOf(ctx, o.binary, file, x.functions, ignore)
		if err != nil {
			return nil, err
		}
		rest -= share
		ignore = strings.TrimPrefix(ignore+"|"+x.functions, "|")
		column = append(column, fmt.Sprintf("%.0f %%", share))
	}
	return append(column, fmt.Sprintf("%.0f %%", max(0, rest))), nil
}

// processor is how much processor time a process has used (proc(5): utime and stime, in hundredths of a second).
func processor(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int64
	for _, i := range []int{11, 12} {
		if len(fields) <= i {
			return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
		}
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

var shown = regexp.MustCompile(`Showing nodes accounting for [^,]+, ([0-9.]+)% of`)

// shareOf is the share of the samples whose stacks name the functions, and none of those to be left out.
func shareOf(ctx context.Context, binary, file, functions, ignore string) (float64, error) {
	args := []string{"tool", "pprof", "-top", "-nodecount=100000", "-nodefraction=0", "-edgefraction=0", "-focus=" + functions}
	if ignore != "" {
		args = append(args, "-ignore="+ignore)
	}
	out, err := exec.CommandContext(ctx, "go", append(args, binary, file)...).CombinedOutput() //nolint:gosec // a benchmark
	if strings.Contains(string(out), "no matches found") || strings.Contains(string(out), "profile is empty") {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("go tool pprof: %w: %s", err, tail(out))
	}
	m := shown.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("go tool pprof said: %s", tail(out))
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// takeProfile takes a processor profile and writes it.
func takeProfile(ctx context.Context, at, file string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	rq, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://asepsis/debug/pprof/profile?seconds=%d", profileSeconds), nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", at)
	}}}
	resp, err := client.Do(rq)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, resp.Body)
	return errors.Join(err, f.Close())
}
