// SPDX-License-Identifier: Apache-2.0

// Command gen-knowledge writes knowledge/index.json.gz and the figures in
// knowledge/README.md from a directory of CSAF documents and the KEV catalogue.
//
//	go run ./scripts/gen-knowledge DIRECTORY
//
// is run at the root of the module. The same files give the same bytes.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/asepsis/asepsis/see/advisory"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen-knowledge DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.Args[1], "knowledge"); err != nil {
		fmt.Fprintln(os.Stderr, "gen-knowledge:", err)
		os.Exit(2)
	}
}

func run(dir, out string) error {
	packed, x, err := advisory.Ship(dir)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "index.json.gz"), packed, 0o644); err != nil { //nolint:gosec // it is published
		return err
	}
	readme := filepath.Join(out, "README.md")
	text, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	const begin, end = "<!-- figures -->\n", "<!-- end -->"
	from, to := strings.Index(string(text), begin), strings.Index(string(text), end)
	if from < 0 || to < from {
		return fmt.Errorf("%s: has no place for the figures", readme)
	}
	b := advisory.NewBase(x)
	figures := fmt.Sprintf("%d advisories to %s, %d CVEs, %d product entries of which %d are not understood;\nKEV %s with %d CVEs.\n",
		len(x.Advisories), x.Date().Format(time.DateOnly), x.CVEs(), len(b.Entries), len(b.NotUnderstood()), x.KEV.Version, len(x.KEV.CVEs))
	return os.WriteFile(readme, []byte(string(text)[:from+len(begin)]+figures+string(text)[to:]), 0o644) //nolint:gosec // it is published
}
