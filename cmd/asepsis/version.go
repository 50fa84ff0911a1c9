// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is the release; the build sets it with -ldflags "-X main.version=...".
var version = "0.1.0-dev"

func versionCommand() *cobra.Command {
	format := "table"
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version and how it was built",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v := struct {
				Version  string `json:"version"`
				Revision string `json:"revision,omitempty"`
				Go       string `json:"go"`
				OS       string `json:"os"`
				Arch     string `json:"arch"`
			}{version, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH}
			switch format {
			case "json":
				return json.NewEncoder(c.OutOrStdout()).Encode(v)
			case "table":
				_, err := fmt.Fprintf(c.OutOrStdout(), "asepsis %s %s %s/%s\n", v.Version, v.Go, v.OS, v.Arch)
				return err
			}
			return unknownFormat(format, "table", "json")
		},
	}
	c.Flags().StringVar(&format, "format", format, "table or json")
	return c
}

func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
