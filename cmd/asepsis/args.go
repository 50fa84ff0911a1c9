// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// wants demands between least and most arguments, and otherwise says how the
// command is used.
func wants(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if n := len(args); n >= least && n <= most {
			return nil
		}
		what := fmt.Sprint(least)
		switch {
		case most > 1000:
			what = fmt.Sprintf("at least %d", least)
		case most != least:
			what = fmt.Sprintf("%d to %d", least, most)
		}
		return withHint(fmt.Errorf("%s: %d arguments, want %s", strings.TrimPrefix(c.CommandPath(), "asepsis "), len(args), what), c.UseLine())
	}
}
