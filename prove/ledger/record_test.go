// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCallersAreToldWhenTooManyWait(t *testing.T) {
	c := quick(t.TempDir())
	c.Waiting = 1
	l, err := New(c, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := l.Record(ctx, statement(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before it runs: %v", err)
	}
	close(l.running) // it takes requests, and nobody works on them
	l.queue <- requests(t, statement(0))[0]
	if _, err := l.Record(t.Context(), statement(1)); !errors.Is(err, ErrBusy) {
		t.Errorf("error %v", err)
	}
	if err := l.Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
}

func TestABadConfigurationIsRefused(t *testing.T) {
	good := witnessFor(t, "witness.example", logKey(t, quick(t.TempDir()))).config()
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"origin":               {func(c *Config) { c.Origin = "a b" }, "origin"},
		"a batch of nothing":   {func(c *Config) { c.BatchSize = 0 }, "batch_size"},
		"a batch that waits":   {func(c *Config) { c.BatchAge = time.Minute }, "batch_age"},
		"nothing ahead":        {func(c *Config) { c.WriteAhead = 1 << 10 }, "write_ahead"},
		"nobody waits":         {func(c *Config) { c.Waiting = 0 }, "waiting"},
		"too many checkpoints": {func(c *Config) { c.Checkpoint = time.Millisecond }, "checkpoint_interval"},
		"an alarm at once":     {func(c *Config) { c.Unwitnessed = 0 }, "unwitnessed_alarm"},
		"too many required":    {func(c *Config) { c.Required = 1 }, "required_witnesses"},
		"none required":        {func(c *Config) { c.Witnesses = []WitnessConfig{good} }, "required_witnesses"},
		"a key that is none":   {func(c *Config) { c.Witnesses, c.Required = []WitnessConfig{{Key: "x", URL: "http://x"}}, 1 }, "witnesses"},
		"a URL that is none":   {func(c *Config) { c.Witnesses, c.Required = []WitnessConfig{{Key: good.Key, URL: "x"}}, 1 }, "witnesses"},
		"a TSA that is none":   {func(c *Config) { c.Timestamp.URL = "x" }, "timestamp"},
		"stamps all the time":  {func(c *Config) { c.Timestamp = TimestampConfig{URL: "http://x"} }, "timestamp"},
		"an audit all day":     {func(c *Config) { c.Audit.Every = 0 }, "audit"},
		"fewer than none":      {func(c *Config) { c.Audit.Bundles = -1 }, "audit"},
	} {
		conf := Default()
		c.change(&conf)
		if err := conf.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	if _, err := New(Default(), Deps{}); err == nil {
		t.Error("a ledger without a directory")
	}
}
