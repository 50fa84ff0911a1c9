// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/respond/report"
	"github.com/asepsis/asepsis/see/sensor/live"
)

func sensorCommand() *cobra.Command {
	var o output
	var iface, account string
	var duration time.Duration
	var shared upFlags
	c := &cobra.Command{
		Use:   "sensor --iface IF",
		Short: "Watch a network interface, passively",
		Long: "Captures from an interface, usually one connected to a mirror (SPAN) port, until\n" +
			"interrupted or --duration has passed, and then reports as analyze does. With\n" +
			"--format ocsf events appear as they happen.\n\n" +
			"Needs the right to capture (CAP_NET_RAW); everything else is given up before the\n" +
			"first packet is looked at. Nothing is ever sent.",
		Example: "  asepsis sensor --iface eth1 --duration 1h\n  asepsis sensor --iface eth1 --format ocsf | your-siem-forwarder",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if shared.busURL != "" {
				shared.config, shared.account = o.config, ""
				if c.Flags().Changed("user") {
					shared.account = account
				}
				if iface != "" {
					shared.interfaces = []string{iface}
				}
				return shared.watchOnBus(c)
			}
			o.flush, o.detect = 100*time.Millisecond, false // it runs on: asepsis up and asepsis detect find what needs a person
			j, err := o.prepare(c)
			if err != nil {
				return err
			}
			cfg := j.Live
			if iface != "" {
				cfg.Interface = iface
			}
			if cfg.Interface == "" {
				return withHint(errors.New("sensor: no interface named"), "asepsis sensor --iface IF; `ip link` lists interfaces")
			}
			if o.workers > 0 {
				cfg.Workers = o.workers
			}
			ctx := c.Context()
			if duration > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, duration)
				defer cancel()
			}
			h, err := live.Open(ctx, cfg)
			if err != nil {
				return err
			}
			defer func() { _ = h.Close() }()
			if err := o.giveTo(account); err != nil {
				return err
			}
			if err := live.DropPrivileges(account); err != nil {
				return err
			}
			if err := o.writable(); err != nil {
				return err
			}
			j.options.Sensor.Workers = cfg.Workers
			j.options.Sensor.ReportOpen = true
			j.options.Name, j.options.HealthEvery = cfg.Interface, time.Minute
			j.options.Drops = func() uint64 { _, dropped, _ := h.Stats(); return dropped }
			_, _ = fmt.Fprintf(c.ErrOrStderr(), "watching %s; interrupt to stop and report\n", cfg.Interface)
			r, err := report.Analyze(ctx, []string{cfg.Interface}, h.Sources(), j.options)
			if err != nil {
				return err
			}
			return j.finish(c, r)
		},
	}
	o.flags(c)
	c.Flags().StringVar(&iface, "iface", "", "interface to capture from")
	c.Flags().StringVar(&account, "user", live.DefaultUser, "account to become after the capture is open, when started as root")
	c.Flags().StringVar(&shared.busURL, "bus", "", "put events onto this shared bus (nats://host:4222) instead of reporting at the end")
	c.Flags().StringArrayVar(&shared.captures, "pcap", nil, "with --bus: capture file to read as if it came from the network")
	c.Flags().StringVar(&shared.data, "data", "", "with --bus: directory for what the sensor keeps, its site key (default "+defaultDataDir()+")")
	c.Flags().DurationVar(&duration, "duration", 0, "stop after this long, for example 10m; 0 means until interrupted")
	return c
}

// giveTo makes the output directory belong to the account that the sensor is
// about to become. Only a directory that this run made is given away: one that
// was there before may be anybody's.
func (o *output) giveTo(account string) error {
	if !o.made || os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup(account)
	if err != nil {
		return withHint(fmt.Errorf("--user %s: %w", account, err), "name an account that exists")
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return fmt.Errorf("--user %s: %w", account, err)
	}
	return os.Chown(o.dir, uid, gid)
}

// writable finds out before the capture, not after it, whether what the sensor
// became may write its results.
func (o *output) writable() error {
	for _, dir := range []string{o.dir, filepath.Dir(o.inventory)} {
		if dir == "" || dir == "." && o.inventory == "" {
			continue
		}
		f, err := os.CreateTemp(dir, ".asepsis-*")
		if err != nil {
			return withHint(fmt.Errorf("%s: cannot be written by the account that the sensor runs as: %w", dir, err),
				"name a directory that it may write, or another account with --user")
		}
		_ = f.Close()
		_ = os.Remove(f.Name())
	}
	return nil
}
