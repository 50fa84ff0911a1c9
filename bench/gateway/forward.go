// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// relay is a store and forward: what is sent to it arrives at an archive behind it.
type relay struct {
	name  string
	start func(ctx context.Context, o options, p *pki, dir, archive string) (address, func() error, error)
}

var relays = []relay{
	{"Orthanc, a script that forwards each instance", func(ctx context.Context, _ options, p *pki, dir, archive string) (address, func() error, error) {
		script := filepath.Join(dir, "forward.lua")
		if err := os.WriteFile(script, []byte("function OnStoredInstance(id) SendToModality(id, 'behind') end\n"), 0o600); err != nil {
			return address{}, nil, err
		}
		return startOrthanc(ctx, p, dir, map[string]any{"LuaScripts": []string{script}, "DicomModalities": map[string]any{"behind": []any{"BEHIND", "127.0.0.1", number(archive)}}})
	}},
	{"asepsis, mutual TLS in, plain out", startAsepsis},
}

// forwarding measures from the first image sent to the last one on the disk of a storescp behind.
func forwarding(ctx context.Context, o options, p *pki, loads []load) error {
	fmt.Println("\n| end to end to a storescp behind, images/s |" + " small | CT |\n|---|---:|---:|")
	s := senders[1]
	for _, r := range relays {
		row := "| " + r.name
		for _, l := range loads {
			var best time.Duration
			for range o.rounds {
				took, err := through(ctx, o, p, r, s, l)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", r.name, l.name, err)
				}
				if best == 0 || took < best {
					best = took
				}
			}
			row += fmt.Sprintf(" | %.0f", float64(l.files)/best.Seconds())
		}
		fmt.Println(row + " |")
	}
	return nil
}

func through(ctx context.Context, o options, p *pki, r relay, s sender, l load) (took time.Duration, err error) {
	dir, err := os.MkdirTemp(o.dir, "relay-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	behind := filepath.Join(dir, "behind")
	if err := os.Mkdir(behind, 0o700); err != nil {
		return 0, err
	}
	archive, stopArchive, err := startStorescp(ctx, p, behind, true, false)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stopArchive()) }()
	at, stop, err := r.start(ctx, o, p, dir, archive.port)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := s.send(ctx, p, at, l.warm, 1); err != nil {
		return 0, err
	}
	if err := arrived(ctx, archive, 1); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := s.send(ctx, p, at, l.dir, 1); err != nil {
		return 0, err
	}
	if err := arrived(ctx, archive, l.files+1); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

// arrived waits until so many images are there.
func arrived(ctx context.Context, at address, n int) error {
	for deadline := time.Now().Add(3 * time.Minute); ; {
		got, err := at.count()
		if err != nil || got >= n {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d images arrived in three minutes", got, n)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}
