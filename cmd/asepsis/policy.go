// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/policy"
	"github.com/asepsis/asepsis/platform/policyfile"
)

func policyCommand() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Check, ask and propose a policy: who may talk to whom", Args: cobra.NoArgs,
		Long: "A policy is zones, and conduits between them, in YAML; docs/policy.md describes it.\nDetection uses it as its baseline.",
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(policyLint(), policyExplain(), policyPropose())
	return c
}

func policyLint() *cobra.Command {
	var format string
	c := &cobra.Command{Use: "lint FILE", Short: "Say what is wrong with a policy, and what somebody should look at", Args: wants(1, 1),
		Long: "Exit code 2: the policy cannot be used. 1: it can, and there is a warning. 0: otherwise."}
	c.Flags().StringVar(&format, "format", "table", "table or json")
	c.RunE = func(c *cobra.Command, args []string) error {
		if format != "table" && format != "json" {
			return unknownFormat(format, "table", "json")
		}
		p, err := policyfile.Load(args[0])
		if err != nil {
			return err
		}
		notes := p.Lint(time.Now().UnixNano())
		warned := slices.ContainsFunc(notes, func(n policy.Note) bool { return n.Level == "warning" })
		if format == "json" {
			type row struct {
				Level   string `json:"level"`
				Path    string `json:"path"`
				Message string `json:"message"`
			}
			rows := []row{}
			for _, n := range notes {
				rows = append(rows, row{n.Level, n.Path, n.Message})
			}
			if err := json.NewEncoder(c.OutOrStdout()).Encode(rows); err != nil {
				return err
			}
		} else {
			s := p.Spec()
			out := c.OutOrStdout()
			if _, err := fmt.Fprintf(out, "%s: %d zones, %d conduits, %d services\n", args[0], len(s.Zones), len(s.Conduits), len(s.Services)); err != nil {
				return err
			}
			for _, n := range notes {
				if _, err := fmt.Fprintf(out, "%s: %s (%s)\n", n.Level, n.Message, n.Path); err != nil {
					return err
				}
			}
		}
		if warned {
			return &aboveThresholdError{}
		}
		return nil
	}
	return c
}

// policyEnd is one end as flags name it.
type policyEnd struct{ class, theatre, device, zone string }

func policyExplain() *cobra.Command {
	var format, at string
	var from, to policyEnd
	c := &cobra.Command{
		Use:   "explain FILE FROM TO SERVICE",
		Short: "Say what a policy says about one conversation, and why",
		Long: "FROM and TO are addresses, or - where only the flags say what it is. SERVICE is\n" +
			"a protocol and a port: dicom/tcp:104, tls/tcp:443, tcp:22.\nExit code 1: the policy does not allow it.",
		Example: "  asepsis policy explain policy.yaml 10.20.1.1 10.30.1.1 dicom/tcp:104\n  asepsis policy explain policy.yaml - 10.30.1.1 tls/tcp:2762 --from-theatre OR-3 --from-class c-arm",
		Args:    wants(4, 4),
	}
	c.Flags().StringVar(&format, "format", "table", "table or json")
	c.Flags().StringVar(&at, "at", "", "day of the conversation, 2027-03-31 (default today)")
	for _, e := range []struct {
		name string
		p    *policyEnd
	}{{"from", &from}, {"to", &to}} {
		c.Flags().StringVar(&e.p.class, e.name+"-class", "", "class of the device")
		c.Flags().StringVar(&e.p.theatre, e.name+"-theatre", "", "theatre of the device")
		c.Flags().StringVar(&e.p.device, e.name+"-device", "", "ID of the device")
		c.Flags().StringVar(&e.p.zone, e.name+"-zone", "", "zone that a person set on the device")
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if format != "table" && format != "json" {
			return unknownFormat(format, "table", "json")
		}
		p, err := policyfile.Load(args[0])
		if err != nil {
			return err
		}
		when := time.Now()
		if at != "" {
			if when, err = time.Parse(time.DateOnly, at); err != nil {
				return withHint(fmt.Errorf("--at: %q is no day", at), "a day such as 2027-03-31")
			}
		}
		a, err := from.end("FROM", args[1])
		if err != nil {
			return err
		}
		b, err := to.end("TO", args[2])
		if err != nil {
			return err
		}
		s, err := parseService(args[3])
		if err != nil {
			return err
		}
		v := p.Check(a, b, s, when.UnixNano())
		if format == "json" {
			err = json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{"known": v.Known, "allowed": v.Allowed, "conduit": v.Conduit, "from_zone": v.FromZone, "to_zone": v.ToZone, "expired": v.Expired, "proposed": v.Proposed, "why": v.Why})
		} else {
			answer := "not in the policy"
			switch {
			case v.Allowed:
				answer = "allowed"
			case !v.Known:
				answer = "the policy does not say"
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			_, _ = fmt.Fprintf(w, "answer\t%s\nwhy\t%s\nfrom\t%s\nto\t%s\nservice\t%s\n", answer, v.Why, cmp.Or(v.FromZone, "no zone"), cmp.Or(v.ToZone, "no zone"), s)
			err = w.Flush()
		}
		if err == nil && !v.Allowed {
			err = &aboveThresholdError{}
		}
		return err
	}
	return c
}

func (e policyEnd) end(what, text string) (policy.End, error) {
	out := policy.End{Class: device.Class(e.class), Theatre: e.theatre, Device: e.device, Zone: e.zone}
	if out.Class != "" && !out.Class.Valid() {
		return out, withHint(fmt.Errorf("%s: there is no class %q", what, e.class), "docs/devices.md lists the classes")
	}
	if text == "-" {
		return out, nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return out, withHint(fmt.Errorf("%s: %q is no address", what, text), "an address such as 10.20.1.1, or - with --from-theatre, --from-class ...")
	}
	out.IP = ip
	return out, nil
}

// parseService reads "dicom/tcp:104", "tcp:22", "dicom/tcp", "icmp".
func parseService(text string) (policy.Service, error) {
	bad := withHint(fmt.Errorf("SERVICE: %q is none", text), "a protocol and a port such as dicom/tcp:104, tls/tcp:443 or tcp:22")
	var s policy.Service
	rest := text
	if name, after, ok := strings.Cut(text, "/"); ok {
		s.Protocol, rest = name, after
	}
	transport, port, hasPort := strings.Cut(rest, ":")
	if !slices.Contains([]string{"tcp", "udp", "icmp"}, transport) {
		return s, bad
	}
	s.Transport = transport
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || transport == "icmp" {
			return s, bad
		}
		s.Port = uint16(n)
	}
	return s, nil
}

func policyPropose() *cobra.Command {
	var f inventoryFlags
	c := &cobra.Command{Use: "propose", Short: "Propose zones from the devices of an inventory file", Args: cobra.NoArgs,
		Long: "Prints a policy with zones by what devices are for and where they stand, marked as\nproposed: what is seen is not what is allowed. Edit it, add conduits, remove \"proposed\"."}
	c.Flags().StringVar(&f.file, "file", "", "inventory file, as analyze --inventory keeps it (required)")
	c.Flags().StringVar(&f.config, "config", "", "configuration file")
	_ = c.MarkFlagRequired("file")
	c.RunE = func(c *cobra.Command, _ []string) error {
		inv, err := f.open()
		if err != nil {
			return err
		}
		b, err := yaml.MarshalWithOptions(writtenPolicy(policy.Propose(inv.Devices())), yaml.IndentSequence(true))
		if err != nil {
			return err
		}
		_, err = c.OutOrStdout().Write(b)
		return err
	}
	return c
}

// writtenPolicy is a proposal with the fields that it has.
func writtenPolicy(s policy.Spec) any {
	type member struct {
		Theatres []string       `yaml:"theatres,omitempty,flow"`
		Classes  []device.Class `yaml:"classes,omitempty,flow"`
		Networks []string       `yaml:"networks,omitempty,flow"`
	}
	type zone struct {
		ID      string   `yaml:"id"`
		Title   string   `yaml:"title"`
		Members []member `yaml:"members"`
	}
	out := struct {
		Version  int    `yaml:"version"`
		Name     string `yaml:"name"`
		Proposed bool   `yaml:"proposed"`
		Zones    []zone `yaml:"zones"`
	}{s.Version, s.Name, s.Proposed, []zone{}}
	for _, z := range s.Zones {
		w := zone{ID: z.ID, Title: z.Title}
		for _, m := range z.Members {
			x := member{Theatres: m.Theatres, Classes: m.Classes}
			for _, n := range m.Networks {
				x.Networks = append(x.Networks, n.String())
			}
			w.Members = append(w.Members, x)
		}
		out.Zones = append(out.Zones, w)
	}
	return out
}
