// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/core/pseudonym"
	gatewayservice "github.com/asepsis/asepsis/guard/gateway/service"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/telemetry"
	"github.com/asepsis/asepsis/prove/identity/service"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/api"
	"github.com/asepsis/asepsis/see/advisory"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/recorder"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/live"
	"github.com/asepsis/asepsis/see/watch"
)

// settings is the configuration file. Each room documents its own part;
// `asepsis config show-defaults` prints all of it.
type settings struct {
	Data       string                `yaml:"data" doc:"Directory for everything that is kept; --data overrides it. Empty: /var/lib/asepsis for root, else ~/.local/share/asepsis."`
	Site       site                  `yaml:"site" doc:"The site, usually a hospital."`
	Networks   []inventory.Network   `yaml:"networks" doc:"The site's networks with their zones. Private addresses belong to the site without being listed."`
	Devices    []inventory.Override  `yaml:"devices" doc:"What is known about devices beforehand. What people set in the console wins."`
	Sensor     sensor.Config         `yaml:"sensor" doc:"How traffic is followed and analysed."`
	Live       live.Config           `yaml:"live" doc:"Capture from a network interface."`
	Inventory  inventory.Config      `yaml:"inventory" doc:"How devices are recognised."`
	Watch      watch.Config          `yaml:"watch" doc:"What a sensor on the bus says about itself."`
	Bus        bus.Config            `yaml:"bus" doc:"The message bus between sensors and the rest: in this process, or shared."`
	Store      store.Config          `yaml:"store" doc:"Where events, devices and settings are kept: SQLite in the data directory, or PostgreSQL."`
	Recorder   recorder.Config       `yaml:"recorder" doc:"How events are written and devices are published."`
	Detect     detect.Config         `yaml:"detect" doc:"What needs a person: rules, policy, and how it is found."`
	Advisories advisory.Config       `yaml:"advisories" doc:"How devices are compared with published vulnerabilities."`
	Console    api.Config            `yaml:"console" doc:"The console and the API."`
	Access     access.Config         `yaml:"access" doc:"Who may log in, and how."`
	Identity   service.Config        `yaml:"identity" doc:"The site's certificate authority, and enrolment."`
	Ledger     ledger.Config         `yaml:"ledger" doc:"The custody ledger, its checkpoints and witnesses."`
	Gateway    gatewayservice.Config `yaml:"gateway" doc:"The DICOM gateway between modalities, archives and XR processors."`
	Telemetry  telemetry.Config      `yaml:"telemetry" doc:"Logs and profiles."`
}

type site struct {
	KeyFile string `yaml:"key_file" doc:"File with the site's 32-byte key (64 hexadecimal digits, mode 0600) under which patient identifiers are replaced by pseudonyms. Empty: each run uses a new key, and pseudonyms of different runs cannot be joined."`
}

func defaults() settings {
	return settings{
		Sensor: sensor.Default(), Live: live.Default(), Inventory: inventory.Default(), Watch: watch.Default(), Bus: bus.Default(),
		Store: store.Default(), Recorder: recorder.Default(), Advisories: advisory.Default(), Detect: detect.Default(), Console: api.Default(), Access: access.Default(), Identity: service.Default(), Ledger: ledger.Default(), Gateway: gatewayservice.Default(), Telemetry: telemetry.Default(),
	}
}

func loadSettings(file string) (settings, error) {
	if file == "" {
		return defaults(), nil
	}
	return config.Load(file, defaults())
}

// siteKey reads the key for pseudonyms, or draws one for this run.
func siteKey(file string) (pseudonym.Key, error) {
	if file == "" {
		b := make([]byte, pseudonym.KeySize)
		_, _ = rand.Read(b) // never fails, see crypto/rand
		return pseudonym.New(b)
	}
	const make32 = "make one with: (umask 077; openssl rand -hex 32 > FILE)"
	st, err := os.Stat(file)
	if err != nil {
		return pseudonym.Key{}, withHint(fmt.Errorf("site key: %w", err), make32)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return pseudonym.Key{}, withHint(fmt.Errorf("site key %s: others may read it (mode %04o)", file, st.Mode().Perm()&fs.ModePerm), "chmod 600 "+file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return pseudonym.Key{}, fmt.Errorf("site key: %w", err)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(b) != pseudonym.KeySize {
		return pseudonym.Key{}, withHint(fmt.Errorf("site key %s: want 64 hexadecimal digits", file), make32)
	}
	return pseudonym.New(b)
}

func configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check and document the configuration", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(&cobra.Command{
		Use:   "check FILE",
		Short: "Say whether a configuration file is right, or what is wrong and where",
		Args:  wants(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := loadSettings(args[0])
			if err != nil {
				return err
			}
			if s.Site.KeyFile != "" {
				if _, err := siteKey(s.Site.KeyFile); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: ok\n", args[0])
			return err
		},
	}, &cobra.Command{
		Use:   "show-defaults",
		Short: "Print every setting with its default and what it is for, as a file that can be loaded",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return config.ShowDefaults(c.OutOrStdout(), defaults())
		},
	})
	return c
}
