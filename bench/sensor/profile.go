// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/respond/report"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/wire/capture"
)

// profiledFor is how long each mix is analysed for the profile: some thousand samples.
const profiledFor = 30 * time.Second

// profile analyses the mixes in this process, one worker each, again and again, and
// writes where the time went: what `make build` has the compiler decide by.
func profile(all []mix, s settings, dir, out string) error {
	var files []string
	for _, m := range all {
		name := filepath.Join(dir, m.name+".pcap")
		w, err := os.Create(name) //nolint:gosec // in the benchmark's own directory
		if err != nil {
			return err
		}
		_, _, err = m.c.replicate(w, s.sites, s.packets, 0)
		if err := errors.Join(err, w.Close()); err != nil {
			return err
		}
		files = append(files, name)
	}
	f, err := os.Create(out) //nolint:gosec // named by who runs the benchmark
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	runs := 0
	for _, name := range files {
		for begin := time.Now(); err == nil && time.Since(begin) < profiledFor; runs++ {
			err = analyzeOnce(name)
		}
	}
	pprof.StopCPUProfile()
	fmt.Printf("%s: %d runs over %d mixes\n", out, runs, len(files))
	return errors.Join(err, f.Close())
}

func analyzeOnce(name string) error {
	f, err := sensor.OpenFile(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	inv, err := inventory.New(inventory.Default())
	if err != nil {
		return err
	}
	key, err := pseudonym.New(make([]byte, pseudonym.KeySize))
	if err != nil {
		return err
	}
	cfg := sensor.Default()
	cfg.Workers = 1
	_, err = report.Analyze(context.Background(), []string{name}, []capture.Source{f}, report.Options{Sensor: cfg, Key: key, Inventory: inv})
	return err
}
