// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/see/advisory"
)

// knowledgeFlags are shared by the commands that work on a data directory.
type knowledgeFlags struct{ data, config, format string }

func knowledgeCommand() *cobra.Command {
	var f knowledgeFlags
	c := &cobra.Command{
		Use:   "knowledge",
		Short: "Show and replace what is known about published vulnerabilities",
		Long: "The program ships an index of medical advisories and of known exploited vulnerabilities.\n" +
			"It is replaced from files, without a network; a server that runs on the data directory takes\n" +
			"the new index within seconds.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.PersistentFlags().StringVar(&f.data, "data", "", "data directory (default "+defaultDataDir()+")")
	c.PersistentFlags().StringVar(&f.config, "config", "", "configuration file")
	c.PersistentFlags().StringVar(&f.format, "format", "table", "table or json")
	c.AddCommand(f.show(), f.update())
	return c
}

func (f *knowledgeFlags) dir() (string, error) {
	if f.format != "table" && f.format != "json" {
		return "", unknownFormat(f.format, "table", "json")
	}
	if f.data != "" {
		return f.data, nil
	}
	set, err := loadSettings(f.config)
	if err != nil {
		return "", err
	}
	if set.Data != "" {
		return set.Data, nil
	}
	return defaultDataDir(), nil
}

func (f *knowledgeFlags) show() *cobra.Command {
	return &cobra.Command{Use: "show", Short: "Say what is known, of which day, and what of it is not understood", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := f.dir()
			if err != nil {
				return err
			}
			x, print, updated, err := advisory.Installed(dir)
			if err != nil {
				return fmt.Errorf("knowledge: %w", err)
			}
			return showKnowledge(c.OutOrStdout(), f.format, x, print, updated)
		}}
}

// knowledgeShown is the JSON form of knowledge show.
type knowledgeShown struct {
	Origin      string   `json:"origin"` // "shipped", "updated"
	Fingerprint string   `json:"fingerprint"`
	Source      string   `json:"source"`
	Date        string   `json:"date"` // of the newest advisory
	Made        string   `json:"made"`
	Advisories  int      `json:"advisories"`
	CVEs        int      `json:"cves"`
	Products    int      `json:"products"`
	SBOMs       int      `json:"sboms"`
	KEV         string   `json:"kev"`
	KEVReleased string   `json:"kev_released"`
	KEVCVEs     int      `json:"kev_cves"`
	Unclear     []string `json:"not_understood"`
}

func showKnowledge(w io.Writer, format string, x *advisory.Index, print string, updated bool) error {
	b := advisory.NewBase(x)
	out := knowledgeShown{Origin: "shipped", Fingerprint: print, Source: x.Source, Date: x.Date().Format(time.DateOnly), Made: x.Made, Advisories: len(x.Advisories), CVEs: x.CVEs(), Products: len(b.Entries),
		SBOMs: len(x.Imports), KEV: x.KEV.Version, KEVReleased: x.KEV.Released, KEVCVEs: len(x.KEV.CVEs), Unclear: []string{}}
	if updated {
		out.Origin = "updated"
	}
	for _, e := range b.NotUnderstood() {
		p := e.Advisory.Products[e.Place]
		out.Unclear = append(out.Unclear, fmt.Sprintf("%s: %s: %s", e.Advisory.ID, p.Text, e.Why))
	}
	if format == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(out)
	}
	lines := []string{
		fmt.Sprintf("%d advisories to %s (%s), %d CVEs, %d products", out.Advisories, out.Date, out.Origin, out.CVEs, out.Products),
		fmt.Sprintf("KEV %s, %d CVEs known to be exploited", out.KEV, out.KEVCVEs),
	}
	if out.SBOMs > 0 {
		lines = append(lines, fmt.Sprintf("%d SBOMs and MDS2 forms", out.SBOMs))
	}
	lines = append(lines, "from "+out.Source)
	if len(out.Unclear) > 0 {
		lines = append(lines, "", fmt.Sprintf("Not understood, and compared with no device (%d):", len(out.Unclear)))
		for _, u := range out.Unclear {
			lines = append(lines, "  "+u)
		}
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

func (f *knowledgeFlags) update() *cobra.Command {
	var older bool
	c := &cobra.Command{
		Use:   "update DIR",
		Short: "Replace the index by one made of CSAF files, kev.json, SBOMs and MDS2 forms",
		Long: "Reads every .json, .xml, .spdx and .csv file in DIR and below it. All of them are read before\n" +
			"anything changes: one that is wrong is named, with the place in it, and the index stays as it is.\n" +
			"Without a KEV catalogue in DIR the one that is installed stays.",
		Example: "  asepsis knowledge update ./csaf/csaf_files/OT/white\n  asepsis knowledge update --data /var/lib/asepsis /media/usb/knowledge",
		Args:    wants(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := f.dir()
			if err != nil {
				return err
			}
			x, err := advisory.GatherAll(args[0], time.Now())
			if err != nil {
				return withDefaultHint(fmt.Errorf("knowledge: %w", err), "nothing was changed; take the file out of the directory, or get it again from its publisher")
			}
			diff, err := advisory.Install(dir, x, older, time.Now())
			if err != nil {
				return fmt.Errorf("knowledge: %w", err)
			}
			w := c.OutOrStdout()
			if f.format == "json" {
				enc := json.NewEncoder(w)
				enc.SetEscapeHTML(false)
				return enc.Encode(diff)
			}
			for _, l := range []struct {
				what string
				ids  []string
			}{{"new", diff.Added}, {"changed", diff.Changed}, {"removed", diff.Removed}} {
				if len(l.ids) > 0 {
					shown := l.ids
					if len(shown) > 20 {
						shown = append(append([]string{}, shown[:20]...), fmt.Sprintf("and %d more", len(l.ids)-20))
					}
					_, _ = fmt.Fprintf(w, "%d %s: %s\n", len(l.ids), l.what, strings.Join(shown, ", "))
				}
			}
			if diff.KEV > 0 {
				_, _ = fmt.Fprintf(w, "%d more CVEs are known to be exploited\n", diff.KEV)
			}
			if len(diff.Added)+len(diff.Changed)+len(diff.Removed)+diff.KEV == 0 {
				_, _ = fmt.Fprintln(w, "nothing changed")
			}
			_, err = fmt.Fprintf(w, "installed: %s\n", advisory.File(dir))
			return err
		},
	}
	c.Flags().BoolVar(&older, "allow-older", false, "install an index of which a part is older than what is installed")
	return c
}

// withDefaultHint adds advice to an error that has none of its own.
func withDefaultHint(err error, text string) error {
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		return err
	}
	return withHint(err, text)
}
