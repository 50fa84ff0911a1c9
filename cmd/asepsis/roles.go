// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// recorderCommand runs the room between bus and store alone.
func recorderCommand() *cobra.Command {
	var f upFlags
	c := &cobra.Command{
		Use:   "recorder --bus URL",
		Short: "Keep what sensors put onto a shared bus: inventory and store",
		Long: "Reads the events of all sensors on the bus, recognises devices, and writes both to the\n" +
			"store. One recorder writes at a time; a second one on the same store waits and takes\n" +
			"over when the first is gone.",
		Example: "  asepsis recorder --bus nats://bus.hospital.example:4222 --store postgres://asepsis@db.hospital.example/asepsis",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.role(c, (*platform).addRecorder)
		},
	}
	f.shared(c)
	f.stores(c)
	return c
}

// detectCommand runs detection alone.
func detectCommand() *cobra.Command {
	var f upFlags
	c := &cobra.Command{
		Use:   "detect --bus URL --store URL",
		Short: "Find what needs a person, over a shared bus and store",
		Long: "Shows every event of the store to the rules. Several of them share the work; when one\n" +
			"is gone, the others take its part over within seconds and miss nothing.",
		Example: "  asepsis detect --bus nats://bus.hospital.example:4222 --store postgres://asepsis@db.hospital.example/asepsis",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.role(c, (*platform).addDetect)
		},
	}
	f.shared(c)
	f.stores(c)
	return c
}

// consoleCommand runs the API and the console alone.
func consoleCommand() *cobra.Command {
	var f upFlags
	c := &cobra.Command{
		Use:     "console --bus URL --store URL",
		Short:   "Serve the console and the API over a shared bus and store",
		Example: "  asepsis console --bus nats://bus.hospital.example:4222 --store postgres://asepsis@db.hospital.example/asepsis",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.role(c, func(p *platform) error { return p.addConsole(c.Context()) })
		},
	}
	f.shared(c)
	f.stores(c)
	c.Flags().StringVar(&f.listen, "listen", "", "address and port of the console (default 127.0.0.1:8443)")
	return c
}

// role runs one room against a shared bus and store.
func (f *upFlags) role(c *cobra.Command, add func(*platform) error) error {
	p, err := f.open(c)
	if err != nil {
		return err
	}
	defer p.close()
	if p.set.Bus.URL == "" {
		return withHint(errors.New(c.Name()+": no bus named"), "--bus nats://host:4222, or bus.url in the configuration; asepsis up runs everything in one process")
	}
	if err := p.prepare(f); err != nil {
		return err
	}
	if err := f.become(p); err != nil {
		return err
	}
	if err := p.connect(c.Context()); err != nil {
		return err
	}
	if err := add(p); err != nil {
		return err
	}
	return p.run(c.Context())
}

// watchOnBus runs sensors whose events go onto a shared bus.
func (f *upFlags) watchOnBus(c *cobra.Command) error {
	p, err := f.open(c)
	if err != nil {
		return err
	}
	defer p.close()
	inputs, err := f.watched(c.Context(), p.set)
	if err != nil {
		return err
	}
	if len(inputs) == 0 {
		return withHint(errors.New("sensor: no interface named"), "asepsis sensor --bus URL --iface IF; `ip link` lists interfaces")
	}
	if err := p.prepare(f); err != nil {
		return err
	}
	if err := f.become(p); err != nil {
		return err
	}
	p.patient = true // what is seen before the bus is there waits for it
	if err := p.connectBus(c.Context()); err != nil {
		return err
	}
	for _, in := range inputs {
		if err := p.addWatch(in.name, in.Input); err != nil {
			return err
		}
	}
	return p.run(c.Context())
}
