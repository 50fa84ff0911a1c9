// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/policy"
	"github.com/asepsis/asepsis/platform/policyfile"
	"github.com/asepsis/asepsis/respond/export"
	"github.com/asepsis/asepsis/respond/report"
	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/wire/capture"
)

// output are the flags that analyze and sensor share.
type output struct {
	format      string
	dir         string
	failOn      string
	ocsfVersion string
	config      string
	keyFile     string
	inventory   string
	workers     int
	disabled    []string
	quiet       bool
	detect      bool
	rules       []string
	policy      string
	made        bool          // the directory is this run's
	flush       time.Duration // of exported events, 0 when nobody waits for them
}

var formats = []string{"table", "json", "ocsf", "zeek"}

func (o *output) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.format, "format", "table", "table, json, ocsf (events, one JSON object a line) or zeek (logs, needs -o)")
	f.StringVarP(&o.dir, "output", "o", "", "write into this directory instead of standard output")
	f.StringVar(&o.failOn, "fail-on", "high", "exit with 1 when a finding has this severity or above: info, low, medium, high, critical or never")
	f.StringVar(&o.ocsfVersion, "ocsf-version", event.SchemaVersion, "OCSF version of --format ocsf: "+strings.Join(export.OCSFVersions(), ", "))
	f.StringVar(&o.config, "config", "", "configuration file; see `asepsis config show-defaults`")
	f.StringVar(&o.keyFile, "site-key", "", "file with the site's 32-byte key for pseudonyms (64 hexadecimal digits); without it each run uses a new one")
	f.StringVar(&o.inventory, "inventory", "", "inventory file: read when it exists, and updated")
	f.IntVar(&o.workers, "workers", -1, "goroutines that analyse flows; 0 means one less than the processors")
	f.StringSliceVar(&o.disabled, "disable", nil, "analysers not to run, by name")
	f.BoolVar(&o.detect, "detect", true, "show the events to the detection rules, and the devices to the advisories")
	f.StringArrayVar(&o.rules, "rules", nil, "folder with rules of one's own beside the shipped ones; may be given several times")
	f.StringVar(&o.policy, "policy", "", "file with zones and conduits; without it zones are proposed from what is seen")
	f.BoolVar(&o.quiet, "no-progress", false, "no progress bar, even on a terminal")
}

// job is what the flags and the configuration ask for, checked.
type job struct {
	settings
	output
	threshold finding.Severity // Unknown: never
	inv       *inventory.Inventory
	options   report.Options
	sink      export.Sink // nil unless events are exported
	spool     *detect.Spool
}

// prepare checks everything that can be wrong before the first packet is read.
func (o *output) prepare(c *cobra.Command) (*job, error) {
	j := &job{output: *o}
	var err error
	if j.settings, err = loadSettings(o.config); err != nil {
		return nil, err
	}
	if !slices.Contains(formats, o.format) {
		return nil, unknownFormat(o.format, formats...)
	}
	if o.format == "zeek" && o.dir == "" {
		return nil, withHint(errors.New("--format zeek: several logs do not fit on standard output"), "add -o DIR")
	}
	if o.failOn != "never" {
		if j.threshold, err = finding.ParseSeverity(o.failOn); err != nil {
			return nil, withHint(fmt.Errorf("--fail-on: %w", err), "use never to exit with 0 whatever is found")
		}
	}
	if o.workers >= 0 {
		j.Sensor.Workers = o.workers
	}
	j.Sensor.Disabled = append(j.Sensor.Disabled, o.disabled...)
	if o.keyFile == "" {
		o.keyFile = j.Site.KeyFile
	}
	key, err := siteKey(o.keyFile)
	if err != nil {
		return nil, err
	}
	if j.inv, err = openInventory(o.inventory, j.settings.Inventory); err != nil {
		return nil, err
	}
	if o.dir != "" {
		_, err := os.Stat(o.dir)
		o.made = errors.Is(err, fs.ErrNotExist)
		if err := os.MkdirAll(o.dir, 0o750); err != nil {
			return nil, withHint(fmt.Errorf("-o %s: %w", o.dir, err), "name a directory that can be written")
		}
	}
	j.options = report.Options{Sensor: j.Sensor, Key: key, Inventory: j.inv, Log: logger(c.ErrOrStderr())}
	producer := event.Producer{Version: version}
	switch o.format {
	case "ocsf":
		w := c.OutOrStdout()
		if o.dir != "" {
			f, err := os.OpenFile(filepath.Join(o.dir, "events.ndjson"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
			if err != nil {
				return nil, err
			}
			w = f
		}
		if j.sink, err = export.NewOCSF(w, o.ocsfVersion, producer, o.flush); err != nil {
			return nil, withHint(err, "--ocsf-version takes "+strings.Join(export.OCSFVersions(), ", "))
		}
	case "zeek":
		if j.sink, err = export.NewZeek(o.dir); err != nil {
			return nil, err
		}
	}
	if j.sink != nil {
		j.options.Events = []sensor.Sink{j.sink}
	}
	if o.detect && o.flush == 0 { // what runs on and on detects elsewhere
		if err := j.rulesOver(o); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// rulesOver makes rules see the events once the inventory is final.
func (j *job) rulesOver(o *output) error {
	systems := []fs.FS{rules.FS}
	for _, dir := range o.rules {
		systems = append(systems, os.DirFS(dir))
	}
	content, err := detect.Load(systems...)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	var pol *policy.Policy
	if o.policy != "" {
		if pol, err = policyfile.Load(o.policy); err != nil {
			return err
		}
	}
	j.spool = &detect.Spool{}
	j.options.Events = append(j.options.Events, j.spool)
	j.options.Detect = func(inv *inventory.Inventory) ([]finding.Alert, error) { return j.spool.Run(content, inv, pol) }
	return nil
}

// close removes what was kept meanwhile.
func (j *job) close() {
	if j.spool != nil {
		_ = j.spool.Close()
	}
}

// finish writes the report and the inventory, and decides the exit code. What
// cannot be written (a full disk) does not keep the rest from being written.
func (j *job) finish(c *cobra.Command, r *report.Report) error {
	var errs []error
	if j.sink != nil {
		if err := j.sink.Close(); err != nil {
			errs = append(errs, fmt.Errorf("write events: %w", err))
		}
	}
	if err := j.write(c, r); err != nil {
		errs = append(errs, err)
	}
	if j.inventory != "" {
		if err := saveInventory(j.inventory, j.inv); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if j.threshold != finding.Unknown && r.Worst() >= j.threshold {
		return &aboveThresholdError{}
	}
	return nil
}

func (j *job) write(c *cobra.Command, r *report.Report) error {
	out := c.OutOrStdout()
	asJSON := func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	if j.dir == "" {
		switch j.format {
		case "json":
			return asJSON(out)
		case "table":
			return r.WriteTable(out)
		}
		return nil
	}
	name, write := "report.json", asJSON
	if j.format == "table" {
		name, write = "report.txt", r.WriteTable
	}
	name = filepath.Join(j.dir, name)
	if err := writeFile(name, write); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%s: %d devices, %d flows, %d findings\n", name, len(r.Devices), r.Flows, len(r.Findings))
	return err
}

// writeFile writes a file so that a failure leaves no half of it.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".asepsis-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	err = errors.Join(write(f), f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Rename(f.Name(), name)
}

func analyzeCommand() *cobra.Command {
	var o output
	c := &cobra.Command{
		Use:   "analyze CAPTURE...",
		Short: "Say which devices are in captures, what they are and why, and who talks to whom",
		Long: "Reads pcap and pcapng files, also compressed with gzip or zstd; - is standard input.\n" +
			"Several captures are merged by time. Nothing is sent anywhere.",
		Example: "  asepsis analyze theatre.pcapng\n  asepsis analyze --format json *.pcap | jq .devices\n  tcpdump -w - | asepsis analyze -",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return withHint(errors.New("analyze: no capture named"), "asepsis analyze FILE, or - for standard input")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			var names []string
			var sources []capture.Source
			var files []*sensor.File
			defer func() {
				for _, f := range files {
					_ = f.Close()
				}
			}()
			for _, a := range args {
				f, err := sensor.OpenFile(a)
				if err != nil {
					return err
				}
				files = append(files, f)
				names = append(names, f.Name)
			}
			j, err := o.prepare(c)
			if err != nil {
				return err
			}
			defer j.close()
			bar := newProgress(c.ErrOrStderr(), files, o.quiet)
			for _, f := range files {
				sources = append(sources, bar.watch(f))
			}
			tuneForReading()
			r, err := report.Analyze(c.Context(), names, sources, j.options)
			bar.finish()
			if err != nil {
				return err
			}
			return j.finish(c, r)
		},
	}
	o.flags(c)
	return c
}

func unknownFormat(got string, want ...string) error {
	return withHint(fmt.Errorf("--format %s: no such format", got), "use "+strings.Join(want, ", "))
}

// openInventory reads an inventory file, or begins an empty one.
func openInventory(name string, cfg inventory.Config) (*inventory.Inventory, error) {
	inv, err := inventory.New(cfg)
	if err != nil || name == "" {
		return inv, err
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return inv, nil
	}
	if err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := inv.Load(f); err != nil {
		return nil, withHint(fmt.Errorf("inventory %s: %w", name, err), "give the file that --inventory wrote, or another name to begin anew")
	}
	return inv, nil
}

func saveInventory(name string, inv *inventory.Inventory) error {
	return writeFile(name, inv.Save)
}
